/* One block: its mode byte, its mask, its lists. */
#include "codec/ans.h"

#include <stdlib.h>
#include <zstd.h>

enum { BLOCK_RAW = 0, BLOCK_TEXT = 1, BLOCK_SOLO = 2, BLOCK_DELTA = 3, BLOCK_SCALED = 4, BLOCK_MASK = 0x10 };

struct vv_codec *vv_codec_new(void)
{
	/* Of the longest frame, and of the most bits: those of a state and the low ones of 64. */
	size_t stream = ANS_FRONT + (size_t)UNITS * (64 + ANS_MAX_LOG) / 8 + 65536, unit = UNITS + PAD;
	struct vv_codec *c = calloc(1, sizeof(*c));
	uint8_t *p;

	if (!c)
		return NULL;
	c->cctx = ZSTD_createCCtx();
	c->dctx = ZSTD_createDCtx();
	c->ans = malloc(sizeof(*c->ans));
	c->memory = malloc(8 * PLANE + 2 * unit + SEGMENTS / 8 + 7 * SCALES + VV_BLOCK_ELEMS + PAD + stream);
	if (!c->cctx || !c->dctx || !c->ans || !c->memory) {
		vv_codec_free(c);
		return NULL;
	}
	c->plane = p = c->memory;
	c->token = p += 8 * PLANE;
	c->class = p += unit;
	c->mask = p += unit;
	c->runs = p += SEGMENTS / 8;
	c->predicted = p += 7 * SCALES;
	c->stream = p += VV_BLOCK_ELEMS + PAD;
	c->stream_cap = stream;
	entropy_init(c);
	return c;
}

void vv_codec_free(struct vv_codec *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->cctx);
	ZSTD_freeDCtx(c->dctx);
	free(c->ans);
	free(c->memory);
	free(c);
}

size_t vv_block_bytes(enum vv_dtype dt)
{
	return (size_t)VV_BLOCK_ELEMS * vv_dtype_width(dt);
}

size_t vv_block_bound(size_t n)
{
	return ZSTD_compressBound(n) + n / 16 + 1024;
}

/* The mode's flag, and the mask at `at`. */
static size_t encode_mask(struct vv_codec *c, uint8_t *dst, size_t at, size_t n)
{
	dst[0] |= BLOCK_MASK;
	return at + list_encode(c, dst + at, c->mask, ((n + SEGMENT - 1) / SEGMENT + 7) / 8, false);
}

static size_t encode_solo(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	struct vv_span raw)
{
	size_t n = raw.len / s->width, kept = split_solo(c, s, p->shift, raw.ptr, n), at = 1;

	dst[0] = BLOCK_SOLO;
	if (kept != n)
		at = encode_mask(c, dst, at, n);
	for (unsigned k = 0; k < s->planes; k++)
		at += list_encode(c, dst + at, c->plane + k * PLANE, kept, !s->is_float);
	return at;
}

static size_t encode_delta(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	struct vv_span raw, const uint8_t *base)
{
	size_t n = raw.len / s->width, at = 1, kept, len;

	dst[0] = BLOCK_DELTA;
	if (p->qcast == VV_QCAST_SCALED) {
		size_t runs = scaled_find(c, raw.ptr, base, n);
		if (!runs)
			return 0;
		dst[0] = BLOCK_SCALED;
		at += scaled_encode(c, dst + at, runs);
		base = c->predicted;
	}
	kept = split_delta(c, s, p, raw.ptr, base, n);
	if (kept != n)
		at = encode_mask(c, dst, at, n);
	if (!kept)
		return at;
	if (at >= raw.len)
		return 0;
	len = ans_encode(c, dst + at, raw.len - at, c->token, c->plane, s->width, kept);
	return len ? at + len : 0;
}

size_t vv_block_encode(struct vv_codec *c, const struct vv_codec_params *p, uint8_t *dst, struct vv_span raw,
	const uint8_t *base)
{
	struct shape s = shape_of(p->dtype, p->shift);
	size_t len = 0;

	if (raw.len && p->dtype != VV_DT_BYTES && raw.len % s.width == 0 && raw.len / s.width <= UNITS)
		len = base ? encode_delta(c, p, &s, dst, raw, base) : encode_solo(c, p, &s, dst, raw);
	else if (raw.len && (len = text_encode(c, dst + 1, vv_block_bound(raw.len) - 1, raw)))
		dst[0] = BLOCK_TEXT, len++;
	if (len && len <= raw.len)
		return len;
	dst[0] = BLOCK_RAW;
	if (raw.len)
		copy(dst + 1, raw.ptr, raw.len);
	return raw.len + 1;
}

static int decode_solo(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	size_t n, const uint8_t *in, const uint8_t *end)
{
	size_t kept = mask_count(c->mask, 0, n);

	for (unsigned k = 0; k < s->planes; k++)
		if (list_decode(c, c->plane + k * PLANE, kept, &in, end))
			return 1;
	if (in != end)
		return 1;
	merge_solo(c, s, p->shift, dst, n);
	return 0;
}

static int decode_delta(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	size_t n, const uint8_t *in, const uint8_t *end, const uint8_t *base)
{
	struct ans_reader r = {0};

	if (mask_count(c->mask, 0, n)) {
		if (ans_open(&r, c, vv_span(in, (size_t)(end - in)), s->width, token_limit(s)))
			return 1;
	} else if (in != end) {
		return 1;
	}
	return merge_delta(c, s, p, &r, base, n, dst);
}

static int decode_numbers(struct vv_codec *c, const struct vv_codec_params *p, uint8_t *dst, size_t len,
	const uint8_t *in, const uint8_t *end, const uint8_t *base)
{
	struct shape s = shape_of(p->dtype, p->shift);
	size_t n = len / s.width, segments = (n + SEGMENT - 1) / SEGMENT;
	uint8_t mode = *in++, kind = mode & ~BLOCK_MASK;

	if (!len || p->dtype == VV_DT_BYTES || len % s.width || n > UNITS)
		return 1;
	if (kind == BLOCK_SCALED) {
		if (!base || p->qcast != VV_QCAST_SCALED || scaled_decode(c, &in, end, base, n))
			return 1;
		base = c->predicted;
	} else if (kind == BLOCK_DELTA && p->qcast == VV_QCAST_SCALED) {
		return 1;
	}
	memset(c->mask, 0xff, (segments + 7) / 8);
	if (mode & BLOCK_MASK && (list_decode(c, c->mask, (segments + 7) / 8, &in, end) || !mask_fits(c->mask, n)))
		return 1;
	if (kind == BLOCK_SOLO)
		return decode_solo(c, p, &s, dst, n, in, end);
	if ((kind == BLOCK_DELTA || kind == BLOCK_SCALED) && base)
		return decode_delta(c, p, &s, dst, n, in, end, base);
	return 1;
}

int vv_block_decode(struct vv_codec *c, const struct vv_codec_params *p, uint8_t *dst, size_t len,
	struct vv_span coded, const uint8_t *base, struct vv_err *err)
{
	uint8_t mode = coded.len ? coded.ptr[0] : BLOCK_RAW;
	int bad = 1;

	if (!coded.len || p->shift >= 8 * shape_of(p->dtype, 0).width)
		return vv_fail(err, VV_ECORRUPT, "block: no mode, or a shift wider than the type");
	if (mode == BLOCK_RAW && coded.len - 1 == len) {
		if (len)
			memcpy(dst, coded.ptr + 1, len);
		bad = 0;
	} else if (mode == BLOCK_TEXT) {
		bad = text_decode(c, dst, len, vv_span(coded.ptr + 1, coded.len - 1));
	} else if (mode != BLOCK_RAW) {
		bad = decode_numbers(c, p, dst, len, coded.ptr, coded.ptr + coded.len, base);
	}
	return bad ? vv_fail(err, VV_ECORRUPT, "block: mode %u does not decode to %zu bytes", mode, len) : 0;
}
