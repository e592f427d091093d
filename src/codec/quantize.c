#include "codec/quantize.h"

#include "base/check.h"
#include "base/le.h"
#include "codec/internal.h"
#include "codec/narrow.h"

#include <float.h>
#include <math.h>

static bool is_original(enum vv_dtype dt)
{
	return dt == VV_DT_F32 || dt == VV_DT_F16 || dt == VV_DT_BF16;
}

bool vv_quant_original(enum vv_qcast q, enum vv_dtype from, enum vv_dtype to, uint64_t len, uint64_t *bytes)
{
	uint64_t width = vv_dtype_width(from);

	if (!is_original(from))
		return false;
	if (q == VV_QCAST_SCALED)
		return to == VV_DT_I8 && !vv_mul_over(len, width, bytes);
	return q == VV_QCAST_Q8_0 && to == VV_DT_U8 && len % VV_Q8_0_BYTES == 0 &&
		!vv_mul_over(len / VV_Q8_0_BYTES * VV_Q8_0_BLOCK, width, bytes);
}

enum vv_qcast vv_quantizes(enum vv_dtype from, uint64_t from_len, enum vv_dtype to, uint64_t to_len)
{
	uint64_t bytes;

	for (int q = VV_QCAST_NONE + 1; q < VV_QCAST_COUNT; q++)
		if (vv_quant_original((enum vv_qcast)q, from, to, to_len, &bytes) && bytes == from_len)
			return (enum vv_qcast)q;
	return VV_QCAST_NONE;
}

void vv_q8_0_block(const float *x, uint8_t *out)
{
	float max = 0, d, by;
	uint8_t half[4];
	uint32_t bits;

	for (int i = 0; i < VV_Q8_0_BLOCK; i++)
		max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
	d = max / 127;
	by = d != 0 ? 1 / d : 0;
	if (!(by <= FLT_MAX)) /* so small that the scale is 0 in f16 */
		by = 0;
	memcpy(&bits, &d, 4);
	vv_put32(half, bits);
	vv_narrow(VV_DT_F32, VV_DT_F16, half, 1);
	memcpy(out, half, 2);
	for (int i = 0; i < VV_Q8_0_BLOCK; i++) {
		float y = roundf(x[i] * by);
		out[2 + i] = y >= -128 && y <= 127 ? (uint8_t)(int8_t)y : 0;
	}
}

/* --- runs of one scale --- */

/* A run is its length - 1 in so many bytes, and its scale; each byte has a list of its own. */
enum { RUN_LEN = 3, RUN_BYTES = RUN_LEN + 4, RUN_WORTH = 8 /* elements, at least, on average */ };

static void run_put(struct vv_codec *c, size_t k, size_t len, float scale)
{
	uint32_t bits;

	memcpy(&bits, &scale, 4);
	for (unsigned i = 0; i < RUN_LEN; i++)
		c->runs[i * SCALES + k] = (uint8_t)((len - 1) >> 8 * i);
	for (unsigned i = 0; i < 4; i++)
		c->runs[(RUN_LEN + i) * SCALES + k] = (uint8_t)(bits >> 8 * i);
}

static size_t run_get(const struct vv_codec *c, size_t k, float *scale)
{
	uint32_t len = 0, bits = 0;

	for (unsigned i = 0; i < RUN_LEN; i++)
		len |= (uint32_t)c->runs[i * SCALES + k] << 8 * i;
	for (unsigned i = 0; i < 4; i++)
		bits |= (uint32_t)c->runs[(RUN_LEN + i) * SCALES + k] << 8 * i;
	memcpy(scale, &bits, 4);
	return (size_t)len + 1;
}

/* The nearest normal number. */
static float within(double x)
{
	return (float)(x < FLT_MIN ? FLT_MIN : x > FLT_MAX ? FLT_MAX : x);
}

/* Of the scales from lo to hi, one with many low bits that are zero; not one of the ends, where rounding decides. */
static float pick_scale(double lo, double hi)
{
	float a = within(lo), b = within(hi > FLT_MAX ? lo * 2 : hi);
	uint32_t low, high;

	memcpy(&low, &a, 4);
	memcpy(&high, &b, 4);
	if (low + 2 <= high) {
		low++;
		high--;
	} else {
		low = high = low + (high - low) / 2;
	}
	for (unsigned shift = 23; shift; shift--)
		if (high >> shift << shift >= low) {
			high = high >> shift << shift;
			break;
		}
	memcpy(&a, &high, 4);
	return a;
}

/*
 * Every pair of an element x and its q allows the scales from |x| / (|q| + 1/2) to |x| / (|q| - 1/2). A run goes
 * on as long as one scale is allowed by all: where rows begin need not be known. Returns 0 when there are too many.
 */
static size_t find_runs(struct vv_codec *c, const uint8_t *raw, const uint8_t *base, size_t n)
{
	double lo = 0, hi = INFINITY;
	size_t runs = 0, from = 0;

	for (size_t i = 0; i < n; i++) {
		int q = (int8_t)raw[i], m = q < 0 ? -q : q;
		uint32_t bits = load4(base, i);
		float x;
		double a, least, most;

		memcpy(&x, &bits, 4);
		a = fabs((double)x);
		/* What the scale cannot explain is a difference. */
		if (!(a <= FLT_MAX) || (q && (a == 0 || (x < 0) != (q < 0))))
			continue;
		least = m < 127 ? a / (m + 0.5) : 0;
		most = m ? a / (m - 0.5) : INFINITY;
		if (least > hi || most < lo) {
			if (runs + 2 > SCALES || (runs + 1) * RUN_WORTH > i + RUN_WORTH * RUN_WORTH)
				return 0;
			run_put(c, runs++, i - from, pick_scale(lo, hi));
			from = i;
			lo = 0;
			hi = INFINITY;
		}
		lo = least > lo ? least : lo;
		hi = most < hi ? most : hi;
	}
	run_put(c, runs++, n - from, pick_scale(lo, hi));
	return runs;
}

/* Fills c->predicted from the runs. 1 unless they add up to n and have scales. */
static int predict(struct vv_codec *c, size_t runs, const uint8_t *base, size_t n)
{
	size_t at = 0;

	for (size_t k = 0; k < runs; k++) {
		float scale;
		size_t len = run_get(c, k, &scale);

		if (len > n - at || !(scale >= FLT_MIN && scale <= FLT_MAX))
			return 1;
		for (size_t i = at; i < at + len; i++) {
			uint32_t bits = load4(base, i);
			float x;
			memcpy(&x, &bits, 4);
			c->predicted[i] = (uint8_t)vv_quantize(x, scale);
		}
		at += len;
	}
	return at != n;
}

size_t scaled_find(struct vv_codec *c, const uint8_t *raw, const uint8_t *base, size_t n)
{
	size_t runs = n && n <= VV_BLOCK_ELEMS ? find_runs(c, raw, base, n) : 0;

	if (runs && predict(c, runs, base, n))
		VV_BUG("runs that do not add up");
	return runs;
}

size_t scaled_encode(struct vv_codec *c, uint8_t *dst, size_t runs)
{
	size_t at = 2;

	vv_put16(dst, (uint16_t)runs);
	for (unsigned i = 0; i < RUN_BYTES; i++)
		at += list_encode(c, dst + at, c->runs + i * SCALES, runs, false);
	return at;
}

int scaled_decode(struct vv_codec *c, const uint8_t **in, const uint8_t *end, const uint8_t *base, size_t n)
{
	size_t runs;

	if (end - *in < 2)
		return 1;
	runs = vv_get16(*in);
	*in += 2;
	if (n > VV_BLOCK_ELEMS || runs > SCALES)
		return 1;
	for (unsigned i = 0; i < RUN_BYTES; i++)
		if (list_decode(c, c->runs + i * SCALES, runs, in, end))
			return 1;
	return predict(c, runs, base, n);
}
