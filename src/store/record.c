/*
 * What a record ends with: parameters, rows, base, and an end that says enough to find the record
 * again when the pack's footer is lost. Its place is the end because a tensor's coded length is not
 * known when its first block is written.
 */
#include "store/internal.h"

#include "base/check.h"
#include "base/cursor.h"

#include <xxhash.h>

static const char end_magic[2] = "vr";
enum { END_BLOCKS = 0, END_CHUNKS = 1, END_DELTA = 2, END_QUANT = 3 };

void put48(uint8_t *p, uint64_t v)
{
	vv_put32(p, (uint32_t)v);
	vv_put16(p + 4, (uint16_t)(v >> 32));
}

uint64_t get48(const uint8_t *p)
{
	return vv_get32(p) | (uint64_t)vv_get16(p + 4) << 32;
}

/* The classes as runs of equal ones: count - 1, then (class, length - 1) each. */
static void classes_emit(struct vv_buf *out, const uint8_t *classes)
{
	size_t runs = 0, at = out->len;

	vv_buf_le(out, 0, 1);
	for (size_t i = 0, j; i < 256; i = j, runs++) {
		for (j = i + 1; j < 256 && classes[j] == classes[i]; j++)
			;
		vv_buf_le(out, classes[i], 1);
		vv_buf_le(out, j - i - 1, 1);
	}
	if (!out->failed)
		out->ptr[at] = (uint8_t)(runs - 1);
}

static int classes_parse(struct vv_cursor *c, uint8_t *classes)
{
	uint8_t runs, class, len;
	size_t at = 0;

	if (vv_take8(c, &runs))
		return 1;
	for (size_t i = 0; i <= runs; i++) {
		if (vv_take8(c, &class) || vv_take8(c, &len) || class >= VV_CODEC_CLASSES || at + len + 1 > 256)
			return 1;
		memset(classes + at, class, (size_t)len + 1);
		at += (size_t)len + 1;
	}
	return at != 256;
}

void tail_emit(struct vv_buf *out, struct entry *e, uint64_t coded, const struct vv_codec_params *p,
	const uint8_t *rows, size_t n_rows)
{
	size_t from = out->len;

	if (e->kind == KIND_CHUNKS) {
		vv_buf_add(out, rows, n_rows * CHUNK_ROW);
	} else {
		vv_buf_le(out, p->shift, 1);
		if (e->depth)
			classes_emit(out, p->classes);
		if (e->depth && p->qcast) {
			vv_buf_le(out, p->qcast, 1);
			vv_buf_le(out, p->from, 1);
		}
		vv_buf_add(out, rows, n_rows * BLOCK_ROW);
		if (e->depth)
			vv_buf_add(out, e->base.b, VV_ID_BYTES);
	}
	e->tail = (uint32_t)(out->len - from + RECORD_END);
	e->stored = coded + e->tail;
	vv_buf_add(out, end_magic, 2);
	vv_buf_le(out, e->dtype, 1);
	vv_buf_le(out, e->kind == KIND_CHUNKS ? END_CHUNKS : !e->depth ? END_BLOCKS : p->qcast ? END_QUANT : END_DELTA, 1);
	vv_buf_le(out, e->tail, 4);
	vv_buf_le(out, e->stored, 6);
	vv_buf_le(out, e->size, 6);
	if (!out->failed)
		vv_buf_le(out, XXH64(out->ptr + from, out->len - from, 0), 8);
}

bool entry_fits(const struct entry *e)
{
	uint64_t rows = e->tail / BLOCK_ROW;

	if (e->tail < RECORD_END || e->tail > e->stored)
		return false;
	if (e->kind != KIND_CHUNKS)
		return vv_div_up(e->size, vv_block_bytes((enum vv_dtype)e->dtype)) <= rows;
	rows = (e->tail - RECORD_END) / CHUNK_ROW;
	return e->tail == e->stored && !e->depth && vv_div_up(e->size, CHUNK_MAX) <= rows;
}

static int quant_parse(struct vv_cursor *c, const struct entry *e, struct vv_codec_params *p)
{
	uint64_t bytes;
	uint8_t quant, from;

	if (vv_take8(c, &quant) || vv_take8(c, &from) || quant >= VV_QCAST_COUNT || from >= VV_DT_COUNT)
		return 1;
	p->qcast = (enum vv_qcast)quant;
	p->from = (enum vv_dtype)from;
	return !vv_quant_original(p->qcast, p->from, p->dtype, e->size, &bytes);
}

const char *tail_parse(
	struct vv_span tail, const struct entry *e, struct vv_codec_params *p, size_t *rows_at, size_t *n_rows)
{
	struct vv_cursor c = vv_cursor(tail);
	size_t n = (size_t)vv_div_up(e->size, vv_block_bytes((enum vv_dtype)e->dtype));
	struct entry end;

	*p = (struct vv_codec_params){.dtype = (enum vv_dtype)e->dtype};
	if (tail.len < RECORD_END || vv_get64(tail.ptr + tail.len - 8) != XXH64(tail.ptr, tail.len - 8, 0))
		return "its parameters do not match their checksum";
	if (!end_parse(tail.ptr + tail.len - RECORD_END, e->off + e->stored, &end) || end.tail != e->tail ||
		end.stored != e->stored || end.size != e->size || end.dtype != e->dtype || end.kind != e->kind ||
		!end.depth != !e->depth)
		return "it is not what the index says";
	c.left -= RECORD_END;
	if (e->kind == KIND_CHUNKS) {
		*rows_at = 0;
		*n_rows = c.left / CHUNK_ROW;
		return c.left % CHUNK_ROW ? "broken list of chunks" : NULL;
	}
	bool quantised = tail.ptr[tail.len - RECORD_END + 3] == END_QUANT;
	if (vv_take8(&c, &p->shift) || p->shift >= 64 || (e->depth && classes_parse(&c, p->classes)) ||
		(quantised && quant_parse(&c, e, p)) || c.left != n * BLOCK_ROW + (e->depth ? VV_ID_BYTES : 0))
		return "broken parameters";
	*rows_at = c.off;
	*n_rows = n;
	if (e->depth && memcmp(c.ptr + n * BLOCK_ROW, e->base.b, VV_ID_BYTES))
		return "its base is not the one that the index says";
	return NULL;
}

bool end_parse(const uint8_t *end, uint64_t end_off, struct entry *e)
{
	static const struct vv_id zero;

	*e = (struct entry){.base = zero, .dtype = end[2], .kind = end[3] == END_CHUNKS ? KIND_CHUNKS : KIND_BLOCKS,
		.depth = end[3] >= END_DELTA, .tail = vv_get32(end + 4), .stored = get48(end + 8), .size = get48(end + 14)};
	e->off = end_off - e->stored;
	return !memcmp(end, end_magic, 2) && end[3] <= END_QUANT && e->dtype < VV_DT_COUNT && e->stored <= end_off &&
		e->off >= PACK_HEAD && entry_fits(e);
}
