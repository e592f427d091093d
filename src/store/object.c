/* Reading objects: the record's tail, its bases, its blocks. */
#include "store/internal.h"

#include "base/check.h"
#include "base/cursor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

/* The tail: shift u8, runs u8, then (class u8, length-1 u8) per run of equal classes; then the rows. */
void tail_emit(struct vv_buf *out, const struct vv_codec_params *p, const uint8_t *rows, size_t n_rows)
{
	size_t runs = 0, at;

	vv_buf_le(out, p->shift, 1);
	at = out->len;
	vv_buf_le(out, 0, 1);
	for (size_t i = 0, j; i < 256; i = j, runs++) {
		for (j = i + 1; j < 256 && p->classes[j] == p->classes[i]; j++)
			;
		vv_buf_le(out, p->classes[i], 1);
		vv_buf_le(out, j - i - 1, 1);
	}
	if (!out->failed)
		out->ptr[at] = (uint8_t)(runs - 1);
	vv_buf_add(out, rows, n_rows * BLOCK_ROW);
}

int tail_parse(struct vv_span tail, enum vv_dtype dtype, size_t n_rows, struct vv_codec_params *p, size_t *rows_at)
{
	struct vv_cursor c = vv_cursor(tail);
	uint8_t runs, class, len;
	size_t at = 0;

	*p = (struct vv_codec_params){.dtype = dtype};
	if (vv_take8(&c, &p->shift) || p->shift >= 64 || vv_take8(&c, &runs))
		return 1;
	for (size_t i = 0; i <= runs; i++) {
		if (vv_take8(&c, &class) || vv_take8(&c, &len) || class > 15 || at + len + 1 > 256)
			return 1;
		memset(p->classes + at, class, (size_t)len + 1);
		at += (size_t)len + 1;
	}
	*rows_at = c.off;
	return at != 256 || c.left != n_rows * BLOCK_ROW;
}

static int bad(const struct object *o, struct vv_err *err, const char *what)
{
	char hex[VV_ID_HEX + 1];

	return vv_fail(err, VV_ECORRUPT, "object %s in %s at offset %" PRIu64 ": %s", vv_id_hex(&o->e.id, hex),
		o->pack->path, o->e.off, what);
}

/* Where each block begins; together they must fill the record. */
static int place_blocks(struct object *o, struct vv_err *err)
{
	uint64_t at = o->e.off, end = o->e.off + o->e.stored - o->e.tail;

	o->offs = malloc((o->n_rows + 1) * sizeof(*o->offs));
	if (!o->offs)
		return vv_fail_nomem(err);
	for (size_t k = 0; k < o->n_rows; k++) {
		o->offs[k] = at;
		at += vv_get32(o->rows + k * BLOCK_ROW);
		if (at > end)
			return bad(o, err, "blocks run past their record");
	}
	o->offs[o->n_rows] = at;
	return at == end ? 0 : bad(o, err, "blocks do not fill their record");
}

static int read_tail(struct object *o, struct vv_err *err)
{
	size_t tail = o->e.tail, at = 0;
	uint8_t *buf = malloc(tail ? tail : 1);
	int ret = buf ? pack_read(o->store, o->pack, o->e.off + o->e.stored - tail, buf, tail, err) : vv_fail_nomem(err);

	if (ret)
		goto out;
	if (o->e.kind == KIND_CHUNKS) {
		o->n_rows = tail / CHUNK_ROW;
		o->rows = buf;
		return 0;
	}
	o->n_rows = (size_t)vv_div_up(o->e.size, vv_block_bytes((enum vv_dtype)o->e.dtype));
	if (tail_parse(vv_span(buf, tail), (enum vv_dtype)o->e.dtype, o->n_rows, &o->params, &at)) {
		ret = bad(o, err, "broken parameters");
		goto out;
	}
	o->rows = malloc(o->n_rows * BLOCK_ROW + 1);
	if (!o->rows) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	memcpy(o->rows, buf + at, o->n_rows * BLOCK_ROW);
	ret = place_blocks(o, err);
out:
	free(buf);
	return ret;
}

static int open_depth(struct object **out, struct vv_store *s, const struct vv_id *id, unsigned depth, struct vv_err *err)
{
	struct object *o = calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return vv_fail_nomem(err);
	ret = store_locate(s, id, &o->store, &o->pack, &o->e, err);
	if (!ret)
		ret = read_tail(o, err);
	if (!ret && o->e.depth) {
		if (depth >= MAX_DEPTH)
			ret = bad(o, err, "a chain of deltas without an end");
		else
			ret = open_depth(&o->base, s, &o->e.base, depth + 1, err);
		if (ret == VV_ENOTFOUND)
			ret = bad(o, err, "its base is missing");
		if (!ret && (o->base->e.kind != KIND_BLOCKS || o->base->e.size != o->e.size || o->base->e.dtype != o->e.dtype))
			ret = bad(o, err, "its base has another shape");
	}
	if (ret)
		object_free(o);
	else
		*out = o;
	return ret;
}

int object_open(struct object **out, struct vv_store *s, const struct vv_id *id, struct vv_err *err)
{
	return open_depth(out, s, id, 0, err);
}

void object_free(struct object *o)
{
	if (!o)
		return;
	object_free(o->base);
	free(o->rows);
	free(o->offs);
	free(o);
}

size_t object_block_len(const struct object *o, size_t k)
{
	size_t block = vv_block_bytes((enum vv_dtype)o->e.dtype);

	return (size_t)vv_min64(block, o->e.size - (uint64_t)k * block);
}

int scratch_init(struct scratch *s, struct vv_err *err)
{
	*s = (struct scratch){.codec = vv_codec_new()};
	s->coded_cap = vv_block_bound(MAX_BLOCK);
	s->coded = malloc(s->coded_cap);
	s->base[0] = malloc(MAX_BLOCK);
	s->base[1] = malloc(MAX_BLOCK);
	s->raw = malloc(MAX_BLOCK);
	s->held = malloc(MAX_BLOCK);
	if (s->codec && s->coded && s->base[0] && s->base[1] && s->raw && s->held)
		return 0;
	scratch_release(s);
	return vv_fail_nomem(err);
}

void scratch_release(struct scratch *s)
{
	vv_codec_free(s->codec);
	free(s->coded);
	free(s->base[0]);
	free(s->base[1]);
	free(s->raw);
	free(s->held);
	*s = (struct scratch){0};
}

/* The base is decoded into one of two buffers while its own base is in the other. */
static int decode(const struct object *o, size_t k, uint8_t *dst, struct scratch *s, unsigned level, struct vv_err *err)
{
	size_t len = object_block_len(o, k), coded = vv_get32(o->rows + k * BLOCK_ROW);
	uint8_t *base = NULL;
	int ret = 0;

	if (coded > s->coded_cap)
		return bad(o, err, "a block is longer than any block can be");
	if (o->base) {
		base = s->base[level & 1];
		ret = decode(o->base, k, base, s, level + 1, err);
	}
	if (!ret)
		ret = pack_read(o->store, o->pack, o->offs[k], s->coded, coded, err);
	if (!ret && vv_block_decode(s->codec, &o->params, dst, len, vv_span(s->coded, coded), base, err))
		ret = bad(o, err, "a block does not decode");
	if (!ret && XXH64(dst, len, 0) != vv_get64(o->rows + k * BLOCK_ROW + 4))
		ret = bad(o, err, "a block does not match its checksum");
	return ret;
}

int object_block(const struct object *o, size_t k, uint8_t *dst, struct scratch *s, struct vv_err *err)
{
	if (o->e.kind != KIND_BLOCKS || k >= o->n_rows)
		VV_BUG("no such block");
	return decode(o, k, dst, s, 0, err);
}
