/* One block: its mode byte, its planes, its lists. */
#include "codec/internal.h"

#include <stdlib.h>
#include <zstd.h>

enum { BLOCK_RAW = 0, BLOCK_TEXT = 1, BLOCK_SOLO = 2, BLOCK_DELTA = 3, BLOCK_MASK = 0x10 };

struct vv_codec *vv_codec_new(void)
{
	struct vv_codec *c = calloc(1, sizeof(*c));
	bool ok = c != NULL;

	if (!c)
		return NULL;
	c->frame_cap = ZSTD_compressBound(UNITS);
	ok = (c->cctx = ZSTD_createCCtx()) && (c->dctx = ZSTD_createDCtx()) && (c->class = malloc(UNITS)) &&
		(c->mask = malloc(UNITS / SEGMENT / 8)) && (c->frame = malloc(c->frame_cap));
	for (int i = 0; i < 8; i++)
		ok = ok && (c->plane[i] = malloc(UNITS));
	for (int i = 0; i < CLASSES; i++)
		ok = ok && (c->list[i] = malloc(UNITS));
	for (int i = 0; i <= LIST_DEPTH; i++)
		ok = ok && (c->bitmap[i] = malloc(UNITS / 8)) && (c->rest[i] = malloc(UNITS));
	if (ok)
		return c;
	vv_codec_free(c);
	return NULL;
}

void vv_codec_free(struct vv_codec *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->cctx);
	ZSTD_freeDCtx(c->dctx);
	for (int i = 0; i < 8; i++)
		free(c->plane[i]);
	for (int i = 0; i < CLASSES; i++)
		free(c->list[i]);
	for (int i = 0; i <= LIST_DEPTH; i++) {
		free(c->bitmap[i]);
		free(c->rest[i]);
	}
	free(c->class);
	free(c->mask);
	free(c->frame);
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

/* Marks segments with a number that differs, and closes the gaps in planes and classes. */
static size_t drop_equal(struct vv_codec *c, const struct shape *s, size_t n)
{
	size_t kept = 0, segments = (n + SEGMENT - 1) / SEGMENT;

	memset(c->mask, 0, (segments + 7) / 8);
	for (size_t g = 0; g < segments; g++) {
		size_t at = g * SEGMENT, len = n - at < SEGMENT ? n - at : SEGMENT;
		uint8_t any = 0;
		for (unsigned p = 0; p < s->planes; p++)
			for (size_t i = 0; i < len; i++)
				any |= c->plane[p][at + i];
		if (!any)
			continue;
		c->mask[g / 8] |= (uint8_t)(1 << g % 8);
		for (unsigned p = 0; p < s->planes && kept != at; p++)
			memmove(c->plane[p] + kept, c->plane[p] + at, len);
		if (kept != at && s->classed)
			memmove(c->class + kept, c->class + at, len);
		kept += len;
	}
	return kept;
}

static size_t keep_classes(struct vv_codec *c, const struct shape *s, size_t n)
{
	size_t kept = 0;

	for (size_t at = 0; at < n; at += SEGMENT) {
		size_t g = at / SEGMENT, len = n - at < SEGMENT ? n - at : SEGMENT;
		if (!(c->mask[g / 8] >> g % 8 & 1))
			continue;
		if (s->classed)
			memmove(c->class + kept, c->class + at, len);
		kept += len;
	}
	return kept;
}

/* The inverse of drop_equal for the planes. */
static void spread(struct vv_codec *c, const struct shape *s, size_t n, size_t kept)
{
	size_t g = (n + SEGMENT - 1) / SEGMENT;

	while (g--) {
		size_t at = g * SEGMENT, len = n - at < SEGMENT ? n - at : SEGMENT;
		bool here = c->mask[g / 8] >> g % 8 & 1;
		kept -= here ? len : 0;
		for (unsigned p = 0; p < s->planes; p++) {
			if (here)
				memmove(c->plane[p] + at, c->plane[p] + kept, len);
			else
				memset(c->plane[p] + at, 0, len);
		}
	}
}

static void classify(const struct vv_codec *c, const uint8_t *map, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->class[i] = map[c->class[i]] & (CLASSES - 1);
}

static void count_classes(const struct vv_codec *c, size_t n, size_t *count)
{
	size_t more[CLASSES] = {0};
	size_t i = 0;

	memset(count, 0, CLASSES * sizeof(*count));
	for (; i + 1 < n; i += 2) {
		count[c->class[i]]++;
		more[c->class[i + 1]]++;
	}
	if (i < n)
		count[c->class[i]]++;
	for (int k = 0; k < CLASSES; k++)
		count[k] += more[k];
}

/* One plane: as it is (byte 0), or its classes' lists (byte 1). */
static size_t plane_encode(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool classed)
{
	uint8_t *to[CLASSES];
	size_t at = 1;

	if (!classed) {
		dst[0] = 1;
		return 1 + list_encode(c, dst + 1, s, n, false, 0);
	}
	for (int k = 0; k < CLASSES; k++)
		to[k] = c->list[k];
	for (size_t i = 0; i < n; i++)
		*to[c->class[i]]++ = s[i];
	dst[0] = 1;
	for (int k = 0; k < CLASSES; k++)
		at += list_encode(c, dst + at, c->list[k], (size_t)(to[k] - c->list[k]), false, 0);
	if (at > n + 1) {
		dst[0] = 0;
		memcpy(dst + 1, s, n);
		at = n + 1;
	}
	return at;
}

static int plane_decode(struct vv_codec *c, uint8_t *dst, size_t n, const size_t *count, bool classed,
	const uint8_t **in, const uint8_t *end)
{
	const uint8_t *from[CLASSES];

	if (*in == end)
		return 1;
	if (!*(*in)++) {
		if ((size_t)(end - *in) < n)
			return 1;
		memcpy(dst, *in, n);
		*in += n;
		return 0;
	}
	if (!classed)
		return list_decode(c, dst, n, in, end, 0);
	for (int k = 0; k < CLASSES; k++) {
		from[k] = c->list[k];
		if (list_decode(c, c->list[k], count[k], in, end, 0))
			return 1;
	}
	for (size_t i = 0; i < n; i++)
		dst[i] = *from[c->class[i]]++;
	return 0;
}

static size_t encode_solo(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	struct vv_span raw)
{
	size_t n = raw.len / s->width, at = 1;

	split_solo(s, p->shift, raw.ptr, n, c->plane);
	dst[0] = BLOCK_SOLO;
	for (unsigned k = 0; k < s->planes; k++)
		at += list_encode(c, dst + at, c->plane[k], n, !s->is_float, 0);
	return at;
}

static size_t encode_delta(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	struct vv_span raw, const uint8_t *base)
{
	size_t n = raw.len / s->width, at = 1, kept;

	split_delta(s, p->shift, raw.ptr, base, n, c->plane);
	if (s->classed) {
		exponents(s, base, n, c->class);
		classify(c, p->classes, n);
	}
	kept = drop_equal(c, s, n);
	dst[0] = BLOCK_DELTA;
	if (kept != n) {
		dst[0] |= BLOCK_MASK;
		at += list_encode(c, dst + at, c->mask, ((n + SEGMENT - 1) / SEGMENT + 7) / 8, false, 0);
	}
	for (unsigned k = 0; k < s->planes && kept; k++)
		at += plane_encode(c, dst + at, c->plane[k], kept, s->classed);
	return at;
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
		memcpy(dst + 1, raw.ptr, raw.len);
	return raw.len + 1;
}

static int decode_delta(struct vv_codec *c, const struct vv_codec_params *p, const struct shape *s, uint8_t *dst,
	size_t n, bool masked, const uint8_t *in, const uint8_t *end, const uint8_t *base)
{
	size_t kept = n, count[CLASSES] = {0}, segments = (n + SEGMENT - 1) / SEGMENT;

	if (s->classed) {
		exponents(s, base, n, c->class);
		classify(c, p->classes, n);
	}
	if (masked) {
		if (list_decode(c, c->mask, (segments + 7) / 8, &in, end, 0) ||
			(segments % 8 && c->mask[segments / 8] >> segments % 8))
			return 1;
		kept = keep_classes(c, s, n);
	}
	if (s->classed)
		count_classes(c, kept, count);
	for (unsigned k = 0; k < s->planes && kept; k++)
		if (plane_decode(c, c->plane[k], kept, count, s->classed, &in, end))
			return 1;
	if (in != end)
		return 1;
	if (masked)
		spread(c, s, n, kept);
	merge_delta(s, p->shift, dst, base, n, (const uint8_t *const *)c->plane);
	return 0;
}

int vv_block_decode(struct vv_codec *c, const struct vv_codec_params *p, uint8_t *dst, size_t len,
	struct vv_span coded, const uint8_t *base, struct vv_err *err)
{
	struct shape s = shape_of(p->dtype, p->shift);
	const uint8_t *in = coded.ptr + 1, *end = coded.ptr + coded.len;
	size_t n = len / s.width;
	int bad = 1;

	if (!coded.len || p->shift >= 8 * s.width)
		return vv_fail(err, VV_ECORRUPT, "block: no mode, or a shift wider than the type");
	uint8_t mode = coded.ptr[0];
	bool planes = len && p->dtype != VV_DT_BYTES && len % s.width == 0 && n <= UNITS;
	if (mode == BLOCK_RAW && coded.len - 1 == len) {
		if (len)
			memcpy(dst, in, len);
		bad = 0;
	} else if (mode == BLOCK_TEXT) {
		bad = text_decode(c, dst, len, vv_span(in, coded.len - 1));
	} else if (mode == BLOCK_SOLO && planes) {
		bad = 0;
		for (unsigned k = 0; k < s.planes && !bad; k++)
			bad = list_decode(c, c->plane[k], n, &in, end, 0);
		bad = bad || in != end;
		if (!bad)
			merge_solo(&s, p->shift, dst, n, (const uint8_t *const *)c->plane);
	} else if ((mode & ~BLOCK_MASK) == BLOCK_DELTA && planes && base) {
		bad = decode_delta(c, p, &s, dst, n, mode & BLOCK_MASK, in, end, base);
	}
	return bad ? vv_fail(err, VV_ECORRUPT, "block: mode %u does not decode to %zu bytes", mode, len) : 0;
}
