/*
 * One list of bytes, coded the way that suits it: constant, raw, Huffman, a bitmap of the commonest
 * byte and the rest, or with matches. Huffman is zstd at a level that looks for no match.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/internal.h"

#include "base/le.h"

#include <math.h>
#include <zstd.h>

enum { LIST_RAW = 0, LIST_CONST = 1, LIST_ZSTD = 2, LIST_BITMAP = 3 };
enum { SAMPLE = 16384, LEN_BYTES = 3, SMALL = 32 };

static void histogram(const uint8_t *s, size_t n, size_t step, uint32_t *h)
{
	uint32_t more[3][256];

	memset(h, 0, 256 * sizeof(*h));
	memset(more, 0, sizeof(more));
	size_t i = 0;
	/* Four tables: equal neighbours do not wait for one another. */
	for (; i + 3 * step < n; i += 4 * step) {
		h[s[i]]++;
		more[0][s[i + step]]++;
		more[1][s[i + 2 * step]]++;
		more[2][s[i + 3 * step]]++;
	}
	for (; i < n; i += step)
		h[s[i]]++;
	for (int k = 0; k < 256; k++)
		h[k] += more[0][k] + more[1][k] + more[2][k];
}

static double entropy(const uint32_t *h, double *top, unsigned *symbol)
{
	double n = 0, bits = 0, best = 0;

	for (unsigned k = 0; k < 256; k++)
		n += h[k];
	for (unsigned k = 0; k < 256; k++) {
		if (!h[k])
			continue;
		bits -= h[k] * log2(h[k] / n);
		if (h[k] > best) {
			best = h[k];
			*symbol = k;
		}
	}
	*top = n > 0 ? best / n : 0;
	return n > 0 ? bits / n : 0;
}

double list_bits(const uint8_t *s, size_t n)
{
	uint32_t h[256];
	double top;
	unsigned symbol;

	histogram(s, n, 1, h);
	return entropy(h, &top, &symbol) * (double)n;
}

static size_t zstd(struct vv_codec *c, uint8_t *dst, size_t cap, const uint8_t *s, size_t n, int level, bool literals)
{
	ZSTD_CCtx *z = c->cctx;
	size_t r;

	ZSTD_CCtx_reset(z, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(z, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, literals ? -65536 : level);
	if (literals)
		ZSTD_CCtx_setParameter(z, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
	r = ZSTD_compress2(z, dst, cap, s, n);
	return ZSTD_isError(r) ? 0 : r;
}

static int unzstd(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t *s, size_t len)
{
	ZSTD_DCtx *z = c->dctx;
	size_t r;

	/* The output buffer is of the exact size: whatever the frame claims, no more is written. */
	ZSTD_DCtx_reset(z, ZSTD_reset_session_and_parameters);
	ZSTD_DCtx_setParameter(z, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	r = ZSTD_decompressDCtx(z, dst, n, s, len);
	return ZSTD_isError(r) || r != n;
}

/* Bitmap of s[i] != symbol, and the bytes that are. Returns how many those are. */
VV_CLONES static size_t part(const uint8_t *s, size_t n, uint8_t symbol, uint8_t *bitmap, uint8_t *rest)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i += 8) {
		unsigned bits = 0, k = n - i < 8 ? (unsigned)(n - i) : 8;
		for (unsigned j = 0; j < k; j++)
			bits |= (unsigned)(s[i + j] != symbol) << j;
		bitmap[i / 8] = (uint8_t)bits;
		for (; bits; bits &= bits - 1)
			rest[m++] = s[i + (unsigned)__builtin_ctz(bits)];
	}
	return m;
}

static size_t put_raw(uint8_t *dst, const uint8_t *s, size_t n)
{
	dst[0] = LIST_RAW;
	memcpy(dst + 1, s, n);
	return n + 1;
}

static size_t put_zstd(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool lz)
{
	size_t len = zstd(c, c->frame, c->frame_cap, s, n, 1, !lz);

	if (!len || len + LEN_BYTES >= n || len >> 24)
		return put_raw(dst, s, n);
	dst[0] = LIST_ZSTD;
	vv_put16(dst + 1, (uint16_t)len);
	dst[3] = (uint8_t)(len >> 16);
	memcpy(dst + 4, c->frame, len);
	return len + 4;
}

size_t list_encode(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool lz, unsigned depth)
{
	uint32_t h[256];
	double top, bits;
	unsigned symbol = 0;

	if (!n)
		return 0;
	if (n == 1 || !memcmp(s, s + 1, n - 1)) {
		dst[0] = LIST_CONST;
		dst[1] = s[0];
		return 2;
	}
	if (n < SMALL)
		return put_raw(dst, s, n);
	/* Small lists are counted whole, long ones by a sample spread over them (an odd step: no rhythm). */
	histogram(s, n, n / SAMPLE | 1, h);
	bits = entropy(h, &top, &symbol);
	if (lz)
		return put_zstd(c, dst, s, n, true);
	if (top > 0.6 && depth < LIST_DEPTH) {
		uint8_t *bitmap = c->bitmap[depth], *rest = c->rest[depth];
		size_t m = part(s, n, (uint8_t)symbol, bitmap, rest), at = 2;
		dst[0] = LIST_BITMAP;
		dst[1] = (uint8_t)symbol;
		at += list_encode(c, dst + at, bitmap, (n + 7) / 8, false, depth + 1);
		/* Coded beside its own bitmap, the rest can be longer than the list: then it is not worth it. */
		if (at + m + 1 < n + 8)
			at += list_encode(c, dst + at, rest, m, false, depth + 1);
		else
			at = n + 1;
		return at <= n ? at : put_raw(dst, s, n);
	}
	/* Noise costs time in both directions and gains nothing. */
	if (bits > 7.88)
		return put_raw(dst, s, n);
	return put_zstd(c, dst, s, n, false);
}

int list_decode(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t **in, const uint8_t *end, unsigned depth)
{
	const uint8_t *p = *in;
	size_t len, m = 0, k = 0;

	if (!n)
		return 0;
	if (p == end)
		return 1;
	switch (*p++) {
	case LIST_RAW:
		if ((size_t)(end - p) < n)
			return 1;
		memcpy(dst, p, n);
		*in = p + n;
		return 0;
	case LIST_CONST:
		if (p == end)
			return 1;
		memset(dst, *p, n);
		*in = p + 1;
		return 0;
	case LIST_ZSTD:
		if (end - p < LEN_BYTES)
			return 1;
		len = (size_t)(p[0] | p[1] << 8 | p[2] << 16);
		p += LEN_BYTES;
		if ((size_t)(end - p) < len || unzstd(c, dst, n, p, len))
			return 1;
		*in = p + len;
		return 0;
	case LIST_BITMAP:
		break;
	default:
		return 1;
	}
	if (depth >= LIST_DEPTH || p == end)
		return 1;
	uint8_t symbol = *p++, *bitmap = c->bitmap[depth], *rest = c->rest[depth];
	if (list_decode(c, bitmap, (n + 7) / 8, &p, end, depth + 1))
		return 1;
	if (n % 8 && bitmap[n / 8] >> n % 8)
		return 1;
	for (size_t i = 0; i < (n + 7) / 8; i++)
		m += (size_t)__builtin_popcount(bitmap[i]);
	if (list_decode(c, rest, m, &p, end, depth + 1))
		return 1;
	memset(dst, symbol, n);
	for (size_t i = 0; i < (n + 7) / 8; i++)
		for (unsigned bits = bitmap[i]; bits; bits &= bits - 1)
			dst[8 * i + (unsigned)__builtin_ctz(bits)] = rest[k++];
	*in = p;
	return 0;
}

size_t text_encode(struct vv_codec *c, uint8_t *dst, size_t cap, struct vv_span raw)
{
	uint32_t h[256];
	double top;
	unsigned symbol;
	size_t len;

	if (raw.len < SMALL)
		return 0;
	/* Random bytes are seen before zstd looks for matches in them. */
	histogram(raw.ptr, raw.len, raw.len / SAMPLE | 1, h);
	if (raw.len >= SAMPLE && entropy(h, &top, &symbol) > 7.97)
		return 0;
	len = zstd(c, dst, cap, raw.ptr, raw.len, 3, false);
	return len < raw.len ? len : 0;
}

int text_decode(struct vv_codec *c, uint8_t *dst, size_t n, struct vv_span coded)
{
	return unzstd(c, dst, n, coded.ptr, coded.len);
}
