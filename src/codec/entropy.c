/*
 * One list of bytes, coded the way that suits it: constant, raw, tables, or a frame of zstd, which is
 * Huffman coding or matches too.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/internal.h"

#include <zstd.h>

enum { LIST_RAW = 0, LIST_CONST = 1, LIST_ZSTD = 2, LIST_ANS = 3 };
enum { SAMPLE = 16384, TRIAL = 4096, LEN_BYTES = 3, SMALL = 32, SHORT = 8192 };
/* Levels of zstd. A negative one so large that no match is looked for leaves Huffman alone. */
enum { HUFFMAN = -65536, MATCHES = 1, TEXT = 3 };
/* Of ZSTD_c_literalCompressionMode; libzstd has changed their names. */
enum { LITERALS_AUTO = 0, LITERALS_HUFFMAN = 1 };
enum { MAX_WINDOW = (21 - 10) << 3 };

void entropy_init(struct vv_codec *c)
{
	ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_contentSizeFlag, 0);
	ZSTD_DCtx_setParameter(c->dctx, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	c->level = 0;
}

uint32_t log2_fixed(uint32_t v)
{
	static const uint32_t table[65] = {
		0, 1466, 2909, 4331, 5732, 7112, 8473, 9814, 11136, 12440, 13727,
		14996, 16248, 17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830,
		27936, 29029, 30109, 31178, 32234, 33279, 34312, 35334, 36346, 37346, 38336,
		39316, 40286, 41246, 42196, 43137, 44068, 44990, 45904, 46809, 47705, 48593,
		49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410, 56229, 57040, 57845,
		58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536,
	};
	unsigned top = 31 - (unsigned)__builtin_clz(v);
	uint32_t m = (uint32_t)((uint64_t)v << (31 - top) & 0x7fffffff), k = m >> 25, f = m & 0x1ffffff;

	return (top << 16) + table[k] + (uint32_t)((uint64_t)(table[k + 1] - table[k]) * f >> 25);
}

void histogram(const uint8_t *s, size_t n, size_t step, uint32_t h[256])
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

uint64_t entropy_bits(const uint32_t h[256])
{
	uint64_t n = 0, sum = 0, symbols = 0;

	for (unsigned k = 0; k < 256; k++)
		if (h[k]) {
			n += h[k];
			sum += (uint64_t)h[k] * log2_fixed(h[k]);
			symbols++;
		}
	if (!n)
		return 0;
	uint64_t all = n * log2_fixed((uint32_t)n);
	/* A sample looks simpler than what it was taken from: half a nat for each symbol but one. */
	return (all > sum ? (all - sum) >> 16 : 0) + (symbols - 1) * 3 / 4;
}

static size_t zstd(struct vv_codec *c, uint8_t *dst, size_t cap, const uint8_t *s, size_t n, int level)
{
	size_t r;

	if (c->level != level) {
		ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_compressionLevel, level);
		ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_literalCompressionMode, level == HUFFMAN ? LITERALS_HUFFMAN : LITERALS_AUTO);
		c->level = level;
	}
	r = ZSTD_compress2(c->cctx, dst, cap, s, n);
	return ZSTD_isError(r) ? 0 : r;
}

/*
 * Whether this is one frame as `zstd` writes it, to its end: a byte of flags, all clear, a window of
 * 2 MiB at most, blocks. Otherwise libzstd would go on to a second frame, of its oldest formats even.
 */
static bool one_frame(const uint8_t *s, size_t len)
{
	size_t at = 2;

	for (bool last = false; !last;) {
		if (len < 3 || at > len - 3)
			return false;
		uint32_t head = s[at] | (uint32_t)s[at + 1] << 8 | (uint32_t)s[at + 2] << 16;
		last = head & 1;
		at += 3 + ((head >> 1 & 3) == 1 ? 1 : head >> 3);
	}
	return s[0] == 0 && s[1] <= MAX_WINDOW && at == len;
}

static int unzstd(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t *s, size_t len)
{
	/* The output buffer is of the exact size: whatever the frame claims, no more is written. */
	return !one_frame(s, len) || ZSTD_decompressDCtx(c->dctx, dst, n, s, len) != n;
}

/* Whether the beginning of the list is much shorter when matches are looked for. */
static bool has_matches(struct vv_codec *c, const uint8_t *s, size_t n)
{
	uint32_t h[256];
	size_t len;

	n = n < TRIAL ? n : TRIAL;
	histogram(s, n, 1, h);
	len = zstd(c, c->stream, c->stream_cap, s, n, MATCHES);
	return len && len * 8 * 10 < entropy_bits(h) * 9;
}

/* Coded in this mode, with its length; nothing when that is no shorter than raw. */
static size_t put_coded(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, uint8_t mode, int level)
{
	size_t cap = n - LEN_BYTES, len;

	if (mode == LIST_ANS) {
		len = ans_encode(c, dst + 1 + LEN_BYTES, cap, s, NULL, 0, n);
	} else {
		len = zstd(c, c->stream, c->stream_cap, s, n, level);
		len = len <= cap ? len : 0;
		copy(dst + 1 + LEN_BYTES, c->stream, len);
	}
	dst[0] = mode;
	vv_put16(dst + 1, (uint16_t)len);
	dst[3] = (uint8_t)(len >> 16);
	return len ? 1 + LEN_BYTES + len : 0;
}

size_t list_encode(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool matches)
{
	uint32_t h[256], seen = 0, top = 0;
	size_t len = 0;

	if (!n)
		return 0;
	if (n == 1 || !memcmp(s, s + 1, n - 1)) {
		dst[0] = LIST_CONST;
		dst[1] = s[0];
		return 2;
	}
	/* Small lists are counted whole, long ones by a sample spread over them (an odd step: no rhythm). */
	histogram(s, n, n / SAMPLE | 1, h);
	for (unsigned k = 0; k < 256; k++) {
		seen += h[k];
		top = h[k] > top ? h[k] : top;
	}
	/* Noise costs time in both directions and gains nothing. */
	if (n >= SMALL && entropy_bits(h) * 100 <= (uint64_t)seen * 788) {
		/* Huffman spends a whole bit on a byte that is there most of the time, and a frame on a few. */
		if (matches && has_matches(c, s, n))
			len = put_coded(c, dst, s, n, LIST_ZSTD, MATCHES);
		else if (top * 2 > seen || n < SHORT)
			len = put_coded(c, dst, s, n, LIST_ANS, 0);
		else
			len = put_coded(c, dst, s, n, LIST_ZSTD, HUFFMAN);
	}
	if (len)
		return len;
	dst[0] = LIST_RAW;
	copy(dst + 1, s, n);
	return n + 1;
}

static int unans(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t *s, size_t len)
{
	struct ans_reader r;

	return ans_open(&r, c, vv_span(s, len), 0, 256) || ans_read(&r, NULL, dst, n) || ans_close(&r);
}

int list_decode(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t **in, const uint8_t *end)
{
	const uint8_t *p = *in;
	size_t len;
	uint8_t mode;

	if (!n)
		return 0;
	if (p == end)
		return 1;
	mode = *p++;
	if (mode == LIST_RAW || mode == LIST_CONST) {
		len = mode == LIST_RAW ? n : 1;
		if ((size_t)(end - p) < len)
			return 1;
		if (mode == LIST_RAW)
			memcpy(dst, p, n);
		else
			memset(dst, *p, n);
		*in = p + len;
		return 0;
	}
	if (end - p < LEN_BYTES)
		return 1;
	len = (size_t)(p[0] | p[1] << 8 | p[2] << 16);
	p += LEN_BYTES;
	if ((size_t)(end - p) < len)
		return 1;
	*in = p + len;
	if (mode == LIST_ZSTD)
		return unzstd(c, dst, n, p, len);
	return mode != LIST_ANS || unans(c, dst, n, p, len);
}

size_t text_encode(struct vv_codec *c, uint8_t *dst, size_t cap, struct vv_span raw)
{
	uint32_t h[256];
	size_t len, step;

	if (raw.len < SMALL)
		return 0;
	/* Random bytes are seen before zstd looks for matches in them. */
	step = raw.len / SAMPLE | 1;
	histogram(raw.ptr, raw.len, step, h);
	if (raw.len >= SAMPLE && entropy_bits(h) * 100 > raw.len / step * 797)
		return 0;
	len = zstd(c, dst, cap, raw.ptr, raw.len, TEXT);
	return len < raw.len ? len : 0;
}

int text_decode(struct vv_codec *c, uint8_t *dst, size_t n, struct vv_span coded)
{
	return unzstd(c, dst, n, coded.ptr, coded.len);
}
