/*
 * A second decoder of coded blocks, written from docs/format/codec.md alone: slow, simple, with nothing
 * of src/codec in it. Bits are kept one a byte. It yields 0 and the raw bytes, or 1.
 */
#ifndef VV_TESTS_ORACLE_H
#define VV_TESTS_ORACLE_H

#include "base/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct oracle_in {
	const uint8_t *p, *end;
};

struct oracle_type {
	unsigned width, exponent; /* the exponent begins at this bit */
	int is_float, sign_last;
};

static inline struct oracle_type oracle_type(enum vv_dtype dt)
{
	switch (dt) {
	case VV_DT_F8_E4M3:
	case VV_DT_F8_E5M2:
		return (struct oracle_type){1, 0, 1, 0};
	case VV_DT_U16:
	case VV_DT_I16:
		return (struct oracle_type){2, 0, 0, 0};
	case VV_DT_F16:
		return (struct oracle_type){2, 7, 1, 0};
	case VV_DT_BF16:
		return (struct oracle_type){2, 7, 1, 1};
	case VV_DT_U32:
	case VV_DT_I32:
		return (struct oracle_type){4, 0, 0, 0};
	case VV_DT_F32:
	case VV_DT_C64:
		return (struct oracle_type){4, 23, 1, 1};
	case VV_DT_U64:
	case VV_DT_I64:
		return (struct oracle_type){8, 0, 0, 0};
	case VV_DT_F64:
	case VV_DT_C128:
		return (struct oracle_type){8, 52, 1, 1};
	default:
		return (struct oracle_type){1, 0, 0, 0};
	}
}

/* --- frames --- */

static inline int oracle_frame(const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	uint8_t *framed = malloc(in_len + 4);
	int bad = 1;

	memcpy(framed, "\x28\xb5\x2f\xfd", 4);
	if (in_len)
		memcpy(framed + 4, in, in_len);
	if (in_len >= 5 && in[0] == 0 && in[1] <= 0x58 && ZSTD_findFrameCompressedSize(framed, in_len + 4) == in_len + 4)
		bad = ZSTD_decompress(out, len, framed, in_len + 4) != len;
	free(framed);
	return bad;
}

/* --- tables and states --- */

struct oracle_place {
	unsigned symbol, bits, next;
};

/* `c` bits, lowest first, taken upwards from bit *at of n bits. */
static inline int oracle_up(const uint8_t *bit, size_t n, size_t *at, unsigned c, unsigned *v)
{
	*v = 0;
	for (unsigned i = 0; i < c; i++) {
		if (*at >= n)
			return 1;
		*v |= (unsigned)bit[(*at)++] << i;
	}
	return 0;
}

/* The c bits below *at. */
static inline int oracle_down(const uint8_t *bit, size_t *at, unsigned c, uint64_t *v)
{
	*v = 0;
	if (c > *at)
		return 1;
	*at -= c;
	for (unsigned i = 0; i < c; i++)
		*v |= (uint64_t)bit[*at + i] << i;
	return 0;
}

static inline int oracle_counts(const uint8_t *bit, size_t n, size_t *at, unsigned size, unsigned q[256])
{
	unsigned left = size, k = 0, bits, run, zeros;

	while (left) {
		if (k > 255)
			return 1;
		for (bits = 0; left >> bits; bits++)
			;
		if (oracle_up(bit, n, at, bits, &q[k]) || q[k] > left)
			return 1;
		left -= q[k];
		if (q[k++])
			continue;
		for (zeros = 0, run = 0; !run; zeros += !run)
			if (zeros > 7 || oracle_up(bit, n, at, 1, &run))
				return 1;
		if (oracle_up(bit, n, at, zeros, &run))
			return 1;
		k += (1u << zeros) + run - 1;
	}
	return 0;
}

static inline void oracle_table(struct oracle_place *place, const unsigned q[256], unsigned size)
{
	unsigned at = 0, seen[256] = {0};

	for (unsigned k = 0; k < 256; k++)
		for (unsigned i = 0; i < q[k]; i++) {
			place[at].symbol = k;
			at = (at + 5 * size / 8 + 3) % size;
		}
	for (unsigned i = 0; i < size; i++) {
		unsigned k = place[i].symbol, x = q[k] + seen[k]++, b = 0;
		while (x << b < size)
			b++;
		place[i].bits = b;
		place[i].next = (x << b) - size;
	}
}

static inline unsigned oracle_low(unsigned token)
{
	return token < 16 ? 0 : token / 4 - 2;
}

/*
 * m symbols into sym, their low bits into low; class NULL: a list. The bits of the whole are unpacked
 * first, since nothing here is in a hurry.
 */
static inline int oracle_states(const uint8_t *in, size_t len, const uint8_t *class, unsigned limit, uint8_t *sym,
	uint64_t *low, size_t m)
{
	uint8_t *bit = malloc(8 * len + 1);
	struct oracle_place *place = malloc(16 * 1024 * sizeof(*place));
	size_t n = 8 * len, at = 0, start;
	unsigned log, size, has, state[8];
	uint64_t v;
	int ret = 1;

	for (size_t i = 0; i < n; i++)
		bit[i] = in[i / 8] >> i % 8 & 1;
	if (oracle_up(bit, n, &at, 4, &log) || log < 5 || log > 10)
		goto out;
	size = 1u << log;
	for (unsigned k = 0; k < (class ? 16 : 1); k++) {
		unsigned q[256] = {0};
		if (oracle_up(bit, n, &at, 1, &has) || (has && oracle_counts(bit, n, &at, size, q)))
			goto out;
		if (!has)
			q[0] = size;
		for (unsigned i = limit; i < 256; i++)
			if (q[i])
				goto out;
		oracle_table(place + k * 1024, q, size);
	}
	start = (at + 7) / 8 * 8;
	if (start >= n || !in[len - 1])
		goto out;
	for (at = n - 1; !bit[at]; at--)
		;
	/* From here on positions count from the stream's start. */
	at -= start;
	for (int j = 0; j < 8; j++) {
		if (oracle_down(bit + start, &at, log, &v))
			goto out;
		state[j] = (unsigned)v;
	}
	for (size_t i = 0; i < m; i++) {
		struct oracle_place p = place[(class ? class[i] * 1024 : 0) + state[i % 8]];
		unsigned l = class ? oracle_low(p.symbol) : 0;
		uint64_t over;
		sym[i] = (uint8_t)p.symbol;
		if (oracle_down(bit + start, &at, p.bits, &over) || oracle_down(bit + start, &at, l, &v))
			goto out;
		if (low)
			low[i] = v;
		state[i % 8] = p.next + (unsigned)over;
	}
	ret = at != 0;
	for (int j = 0; j < 8; j++)
		ret |= state[j] != 0;
out:
	free(bit);
	free(place);
	return ret;
}

/* --- lists --- */

static inline int oracle_list(struct oracle_in *in, uint8_t *out, size_t k)
{
	size_t left, l;
	uint8_t mode;

	if (!k)
		return 0;
	if (in->p == in->end)
		return 1;
	mode = *in->p++;
	left = (size_t)(in->end - in->p);
	if (mode == 0) {
		if (left < k)
			return 1;
		memcpy(out, in->p, k);
		in->p += k;
		return 0;
	}
	if (mode == 1) {
		if (!left)
			return 1;
		memset(out, *in->p++, k);
		return 0;
	}
	if (mode > 3 || left < 3)
		return 1;
	l = in->p[0] + in->p[1] * 256u + in->p[2] * 65536u;
	in->p += 3;
	if (left - 3 < l)
		return 1;
	in->p += l;
	if (mode == 2)
		return oracle_frame(in->p - l, l, out, k);
	return oracle_states(in->p - l, l, NULL, 256, out, NULL, k);
}

/* --- numbers --- */

static inline uint64_t oracle_get(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static inline void oracle_set(uint8_t *p, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t oracle_ones(unsigned bits)
{
	return bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static inline int oracle_solo(struct oracle_in *in, struct oracle_type t, unsigned shift, const uint8_t *stays, size_t n,
	size_t m, uint8_t *out)
{
	unsigned b = 8 * t.width - shift, planes = (b + 7) / 8;
	uint8_t *plane = malloc(planes * m + 1);
	size_t k = 0;
	int ret = 1;

	for (unsigned p = 0; p < planes; p++)
		if (oracle_list(in, plane + p * m, m))
			goto out;
	for (size_t i = 0; i < n; i++) {
		uint64_t x = 0;
		if (stays[i]) {
			for (unsigned p = 0; p < planes; p++)
				x = x << 8 | plane[p * m + k];
			k++;
		}
		x >>= 8 * planes - b;
		if (t.sign_last)
			x = x >> 1 | (x & 1) << (b - 1);
		oracle_set(out + i * t.width, t.width, x << shift);
	}
	ret = in->p != in->end;
out:
	free(plane);
	return ret;
}

static inline uint64_t oracle_order(uint64_t x, unsigned b, int is_float)
{
	uint64_t s = (uint64_t)1 << (b - 1);

	return is_float && x & s ? x ^ (s - 1) : x;
}

static inline int oracle_delta(struct oracle_in *in, struct oracle_type t, unsigned shift, const uint8_t classes[256],
	const uint8_t *stays, size_t n, size_t m, const uint8_t *base, uint8_t *out)
{
	unsigned b = 8 * t.width - shift, limit = 4 * b > 16 ? 4 * b : 16;
	uint8_t *class = malloc(m + 1), *token = malloc(m + 1);
	uint64_t *low = malloc((m + 1) * sizeof(*low)), mask = oracle_ones(b);
	size_t k = 0;
	int ret = 1;

	for (size_t i = 0; i < n; i++) {
		uint64_t w = oracle_get(base + i * t.width, t.width);
		unsigned e = t.width == 1 ? w & 127 : w >> t.exponent & 255;
		if (stays[i])
			class[k++] = t.is_float ? classes[e] % 16 : 0;
	}
	if (m ? oracle_states(in->p, (size_t)(in->end - in->p), class, limit, token, low, m) : in->p != in->end)
		goto out;
	k = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t z = 0, d, x, w = oracle_get(base + i * t.width, t.width);
		if (stays[i]) {
			z = token[k] < 16 ? token[k] : ((uint64_t)(4 + token[k] % 4) << oracle_low(token[k])) + low[k];
			k++;
		}
		z &= mask;
		d = z % 2 ? 0 - (z / 2 + 1) : z / 2;
		x = oracle_order((oracle_order(w >> shift, b, t.is_float) + d) & mask, b, t.is_float);
		oracle_set(out + i * t.width, t.width, x << shift);
	}
	ret = 0;
out:
	free(class);
	free(token);
	free(low);
	return ret;
}

/* A base of floats becomes one of bytes, by the scales that come first. */
static inline int oracle_scaled(struct oracle_in *in, size_t n, const uint8_t *base, uint8_t *out)
{
	size_t runs, at = 0;
	uint8_t *list[7];
	int bad = 0;

	if (in->end - in->p < 2)
		return 1;
	runs = oracle_get(in->p, 2);
	in->p += 2;
	for (int i = 0; i < 7; i++) {
		list[i] = malloc(runs + 1);
		bad = bad || runs > 16384 || oracle_list(in, list[i], runs);
	}
	for (size_t k = 0; k < runs && !bad; k++) {
		size_t len = 1 + list[0][k] + 256u * list[1][k] + 65536u * list[2][k];
		uint8_t bytes[4] = {list[3][k], list[4][k], list[5][k], list[6][k]};
		double scale = vv_dtype_value(VV_DT_F32, bytes);
		if (len > n - at || !isnormal(scale) || scale < 1.17549435e-38 || isinf(scale)) {
			bad = 1;
			break;
		}
		for (; len--; at++) {
			float q = (float)vv_dtype_value(VV_DT_F32, base + 4 * at) / (float)scale;
			out[at] = (uint8_t)(int)(isnan(q) ? 0 : q > 127 ? 127 : q < -128 ? -128 : nearbyintf(q));
		}
	}
	for (int i = 0; i < 7; i++)
		free(list[i]);
	return bad || at != n;
}

static inline int oracle_numbers(struct oracle_in *in, enum vv_dtype dt, unsigned shift, const uint8_t classes[256],
	int scaled, uint8_t mode, uint8_t *out, size_t len, const uint8_t *base)
{
	struct oracle_type t = oracle_type(dt);
	size_t n = len / t.width, segments = (n + 63) / 64, m = 0;
	uint8_t *mask = malloc(segments / 8 + 1), *stays = malloc(n + 1), *q = malloc(n + 1);
	int ret = 1;

	if (dt == VV_DT_BYTES || !len || len % t.width || n > 262144)
		goto out;
	if (mode % 16 != 2 && (mode % 16 == 4) != (scaled && base))
		goto out;
	if (mode % 16 == 4) {
		if (n > 131072 || oracle_scaled(in, n, base, q))
			goto out;
		base = q;
	}
	memset(mask, 0xff, segments / 8 + 1);
	if (mode & 0x10 && oracle_list(in, mask, (segments + 7) / 8))
		goto out;
	for (size_t g = segments; mode & 0x10 && g < (segments + 7) / 8 * 8; g++)
		if (mask[g / 8] >> g % 8 & 1)
			goto out;
	for (size_t i = 0; i < n; i++)
		m += stays[i] = mask[i / 64 / 8] >> i / 64 % 8 & 1;
	if (mode % 16 == 2)
		ret = oracle_solo(in, t, shift, stays, n, m, out);
	else if (base)
		ret = oracle_delta(in, t, shift, classes, stays, n, m, base, out);
out:
	free(mask);
	free(stays);
	free(q);
	return ret;
}

/* `scaled`: the base is f32 elements, of which i8 ones were made. */
static inline int oracle_decode(enum vv_dtype dt, unsigned shift, const uint8_t classes[256], int scaled, uint8_t *out,
	size_t len, const uint8_t *coded, size_t coded_len, const uint8_t *base)
{
	struct oracle_in in = {coded + 1, coded + coded_len};

	if (!coded_len || shift >= 8 * oracle_type(dt).width)
		return 1;
	switch (coded[0]) {
	case 0:
		if (coded_len - 1 != len)
			return 1;
		if (len)
			memcpy(out, coded + 1, len);
		return 0;
	case 1:
		return oracle_frame(coded + 1, coded_len - 1, out, len);
	case 2:
	case 3:
	case 0x12:
	case 0x13:
	case 4:
	case 0x14:
		return oracle_numbers(&in, dt, shift, classes, scaled, coded[0], out, len, base);
	default:
		return 1;
	}
}

#endif
