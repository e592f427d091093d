/* Reading fields. After the description of the encoding at protobuf.dev. */
#include "format/protobuf.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>

void vv_pb_init(struct vv_pb *m, struct vv_pb_input *in, const struct vv_source *src)
{
	in->src = src;
	in->at = 0;
	in->n = 0;
	*m = (struct vv_pb){.in = in, .end = src->size};
}

/* `n` bytes of the message, few enough for the window. */
static int take(struct vv_pb *m, size_t n, const uint8_t **out, struct vv_err *err)
{
	struct vv_pb_input *in = m->in;

	if (n > m->end - m->at)
		return vv_fail(err, VV_EFORMAT, "protobuf: a message ends within a field at offset %" PRIu64, m->at);
	if (m->at < in->at || n > in->n || m->at - in->at > in->n - n) {
		if (m->at > in->src->size || n > in->src->size - m->at)
			return vv_fail(err, VV_EFORMAT, "protobuf: the file ends within a field at offset %" PRIu64, m->at);
		in->at = m->at;
		in->n = 0;
		size_t len = (size_t)vv_min64(VV_PB_WINDOW, in->src->size - m->at);
		int ret = vv_source_read(in->src, m->at, in->window, len, err);
		if (ret)
			return ret;
		in->n = len;
	}
	*out = in->window + (m->at - in->at);
	m->at += n;
	return 0;
}

int vv_pb_varint(struct vv_pb *m, uint64_t *v, struct vv_err *err)
{
	uint64_t start = m->at;
	const uint8_t *p = NULL;
	int ret;

	*v = 0;
	for (unsigned shift = 0;; shift += 7) {
		ret = take(m, 1, &p, err);
		if (ret)
			return ret;
		if (shift == 63 && *p > 1)
			return vv_fail(err, VV_EFORMAT, "protobuf: a number of more than 64 bits at offset %" PRIu64, start);
		*v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80))
			return 0;
	}
}

static int read_value(struct vv_pb *m, struct vv_pb_field *f, struct vv_err *err)
{
	const uint8_t *p = NULL;
	int ret;

	f->off = m->at;
	switch (f->wire) {
	case VV_PB_NUMBER:
		ret = vv_pb_varint(m, &f->value, err);
		break;
	case VV_PB_FIXED64:
		ret = take(m, 8, &p, err);
		f->value = ret ? 0 : vv_get64(p);
		break;
	case VV_PB_FIXED32:
		ret = take(m, 4, &p, err);
		f->value = ret ? 0 : vv_get32(p);
		break;
	case VV_PB_BYTES:
		f->len_at = m->at;
		ret = vv_pb_varint(m, &f->len, err);
		f->off = m->at;
		if (!ret && f->len > m->end - m->at)
			ret = vv_fail(err, VV_EFORMAT, "protobuf: %" PRIu64 " bytes at offset %" PRIu64
				" in a message that ends at %" PRIu64, f->len, f->off, m->end);
		if (!ret)
			m->at += f->len;
		return ret;
	default:
		return vv_fail(err, VV_EFORMAT, "protobuf: wire type %u at offset %" PRIu64, (unsigned)f->wire, f->start);
	}
	f->len = m->at - f->off;
	return ret;
}

int vv_pb_next(struct vv_pb *m, struct vv_pb_field *f, struct vv_err *err)
{
	uint64_t key;
	int ret;

	*f = (struct vv_pb_field){.start = m->at};
	if (m->at == m->end)
		return 0;
	ret = vv_pb_varint(m, &key, err);
	if (ret)
		return ret;
	/* Numbers have 29 bits. */
	if (key > UINT32_MAX || key >> 3 == 0)
		return vv_fail(err, VV_EFORMAT, "protobuf: no field has the key %" PRIu64 " at offset %" PRIu64, key,
			f->start);
	f->number = (uint32_t)(key >> 3);
	f->wire = (enum vv_pb_wire)(key & 7);
	return read_value(m, f, err);
}

int vv_pb_want(const struct vv_pb_field *f, enum vv_pb_wire wire, struct vv_err *err)
{
	return f->wire == wire ? 0
			       : vv_fail(err, VV_EFORMAT, "protobuf: field %" PRIu32 " has wire type %u at offset %" PRIu64,
					       f->number, (unsigned)f->wire, f->start);
}

int vv_pb_enter(struct vv_pb *child, struct vv_pb *parent, const struct vv_pb_field *f, struct vv_err *err)
{
	int ret = vv_pb_want(f, VV_PB_BYTES, err);

	if (ret)
		return ret;
	if (parent->depth == VV_PB_DEPTH)
		return vv_fail(err, VV_ELIMIT, "protobuf: messages in messages, more than %d, at offset %" PRIu64, VV_PB_DEPTH,
			f->start);
	*child = (struct vv_pb){.in = parent->in, .parent = parent, .at = f->off, .end = f->off + f->len, .len_at = f->len_at,
		.body = f->off, .depth = parent->depth + 1};
	return 0;
}

int vv_pb_bytes(const struct vv_pb *m, const struct vv_pb_field *f, struct vv_buf *out, struct vv_err *err)
{
	struct vv_pb at = *m;
	const uint8_t *p = NULL;
	void *room;
	int ret = vv_pb_want(f, VV_PB_BYTES, err);

	if (ret)
		return ret;
	vv_buf_clear(out);
	if (f->len > out->max)
		return vv_fail(err, VV_ELIMIT, "protobuf: %" PRIu64 " bytes at offset %" PRIu64 " are more than %zu", f->len,
			f->off, out->max);
	if (f->len <= VV_PB_WINDOW) {
		/* Most likely they are in the window already. */
		at.at = f->off;
		at.end = f->off + f->len;
		ret = take(&at, (size_t)f->len, &p, err);
		if (!ret)
			vv_buf_add(out, p, (size_t)f->len);
	} else if ((room = vv_buf_reserve(out, (size_t)f->len))) {
		ret = vv_source_read(m->in->src, f->off, room, (size_t)f->len, err);
		out->len = ret ? 0 : (size_t)f->len;
	}
	return ret ? ret : vv_buf_check(out, err);
}
