/* Replacing ranges of a file, and the lengths of the messages around them. */
#include "format/protobuf.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

/* In place of [at, end): a new length, or a part of `text` and then `bytes`. */
struct vv_pb_edit {
	uint64_t at, end;
	bool is_len;
	uint64_t len;    /* is_len: of the message */
	uint64_t growth; /* of what it holds; modulo 2^64, so that it may be less than nothing */
	size_t text, n_text;
	const struct vv_source *bytes;
	size_t parent;   /* the edit of the length of the message around it, plus 1 */
};

void vv_pb_put_varint(struct vv_buf *out, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		vv_buf_char(out, (char)(v | 0x80));
	vv_buf_char(out, (char)v);
}

void vv_pb_put_key(struct vv_buf *out, uint32_t number, enum vv_pb_wire wire)
{
	vv_pb_put_varint(out, (uint64_t)number << 3 | wire);
}

void vv_pb_put_bytes(struct vv_buf *out, uint32_t number, struct vv_span bytes)
{
	vv_pb_put_key(out, number, VV_PB_BYTES);
	vv_pb_put_varint(out, bytes.len);
	vv_buf_span(out, bytes);
}

static unsigned varint_len(uint64_t v)
{
	unsigned n = 1;

	while (v >>= 7)
		n++;
	return n;
}

static int add(struct vv_pb_edits *e, struct vv_pb_edit edit, struct vv_err *err)
{
	if (e->n && edit.at < e->v[e->n - 1].end)
		VV_BUG("edits are not in the file's order");
	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 64;
		struct vv_pb_edit *v = realloc(e->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		e->v = v;
		e->cap = cap;
	}
	e->v[e->n++] = edit;
	return 0;
}

/* The lengths of `m` and of all around it become edits, the outermost first. */
static int touch(struct vv_pb_edits *e, struct vv_pb *m, struct vv_err *err)
{
	struct vv_pb *around[VV_PB_DEPTH];
	size_t n = 0;
	int ret = 0;

	for (; m->parent && !m->edit; m = m->parent)
		around[n++] = m;
	while (n-- && !ret) {
		m = around[n];
		ret = add(e, (struct vv_pb_edit){.at = m->len_at, .end = m->body, .is_len = true, .len = m->end - m->body,
			.parent = m->parent->edit}, err);
		m->edit = e->n;
	}
	return ret;
}

int vv_pb_replace(struct vv_pb_edits *e, struct vv_pb *m, uint64_t at, uint64_t end, struct vv_span text,
	const struct vv_source *bytes, struct vv_err *err)
{
	struct vv_pb_edit *last;
	uint64_t size;
	int ret;

	if (vv_add_over((uint64_t)text.len, bytes ? bytes->size : 0, &size))
		return vv_fail(err, VV_ENOTSUP, "protobuf: more bytes than a file holds");
	ret = touch(e, m, err);
	last = e->n ? &e->v[e->n - 1] : NULL;
	/* What only goes, right behind another edit of the message, goes with that. */
	if (!ret && last && !size && last->end == at && !last->is_len && !last->bytes && last->parent == m->edit) {
		last->end = end;
		return 0;
	}
	if (!ret)
		ret = add(e, (struct vv_pb_edit){.at = at, .end = end, .text = e->text.len, .n_text = text.len, .bytes = bytes,
			.parent = m->edit}, err);
	vv_buf_span(&e->text, text);
	return ret ? ret : vv_buf_check(&e->text, err);
}

/* From the innermost out, as each length may change the width of those around it. The file's new size. */
static uint64_t settle(struct vv_pb_edits *e, uint64_t total)
{
	for (size_t i = e->n; i-- > 0;) {
		struct vv_pb_edit *d = &e->v[i];
		uint64_t size;

		/* A length that stays keeps its bytes: there is more than one way to write it. */
		if (d->is_len && !d->growth) {
			d->is_len = false;
			d->end = d->at;
		}
		d->len += d->growth;
		size = d->is_len ? varint_len(d->len) : d->n_text + (d->bytes ? d->bytes->size : 0);
		d->growth += size - (d->end - d->at);
		if (d->parent)
			e->v[d->parent - 1].growth += d->growth;
		else
			total += d->growth;
	}
	return total;
}

int vv_pb_rewrite(struct vv_pb_edits *e, const struct vv_source *src, struct vv_sink *out, struct vv_err *err)
{
	struct vv_buf len = VV_BUF_INIT(VV_PB_VARINT);
	uint64_t at = 0, total = settle(e, src->size);
	int ret = 0;

	if (total > INT32_MAX && src->size <= INT32_MAX)
		return vv_fail(err, VV_ENOTSUP, "protobuf: a message of %" PRIu64 " bytes is larger than any reader takes",
			total);
	for (size_t i = 0; i < e->n && !ret; i++) {
		const struct vv_pb_edit *d = &e->v[i];

		if (d->at == d->end && !d->n_text && !d->bytes)
			continue;
		ret = vv_source_copy(src, at, d->at - at, out, err);
		at = d->end;
		vv_buf_clear(&len);
		if (d->is_len)
			vv_pb_put_varint(&len, d->len);
		if (!ret)
			ret = vv_buf_check(&len, err);
		if (!ret)
			ret = out->write(out, d->is_len ? vv_buf_view(&len) : vv_span(e->text.ptr + d->text, d->n_text), err);
		if (!ret && d->bytes)
			ret = vv_source_copy(d->bytes, 0, d->bytes->size, out, err);
	}
	vv_buf_release(&len);
	return ret ? ret : vv_source_copy(src, at, src->size - at, out, err);
}

void vv_pb_edits_release(struct vv_pb_edits *e)
{
	free(e->v);
	vv_buf_release(&e->text);
	*e = (struct vv_pb_edits)VV_PB_EDITS_INIT;
}
