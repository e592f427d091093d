/* Casts are those of IEEE 754: against the compiler's own, for every fp16 and bf16 value and its neighbours. */
#include "codec/narrow.h"

#include "base/le.h"
#include "data.h"
#include "tap.h"

#include <math.h>

static uint16_t cast(enum vv_dtype to, uint32_t bits)
{
	uint8_t p[4];

	vv_put32(p, bits);
	vv_narrow(VV_DT_F32, to, p, 1);
	return vv_get16(p);
}

static double value(enum vv_dtype dt, uint16_t bits)
{
	uint8_t p[2];

	vv_put16(p, bits);
	return vv_dtype_value(dt, p);
}

/* The nearest of all finite values, found by bisection over the ordered ones; ties go to the even one. */
static uint16_t nearest(enum vv_dtype to, float x)
{
	uint16_t low = 0, high = to == VV_DT_BF16 ? 0x7f80 : 0x7c00, sign = signbit(x) ? 0x8000 : 0;
	double a = fabs((double)x), below, above;

	while (high - low > 1) {
		uint16_t mid = (uint16_t)((low + high) / 2);
		if (value(to, mid) <= a)
			low = mid;
		else
			high = mid;
	}
	below = value(to, low);
	/* Past the largest there is as much room as below it before infinity. */
	above = isinf(value(to, high)) ? 2 * below - value(to, (uint16_t)(low - 1)) : value(to, high);
	if (a - below > above - a || (a - below == above - a && (low & 1)))
		low = high;
	return sign | low;
}

static int wrong(enum vv_dtype to, uint32_t bits)
{
	float x;

	memcpy(&x, &bits, 4);
	return isfinite(x) && cast(to, bits) != nearest(to, x);
}

static void test_nearest(enum vv_dtype to, unsigned low_bits)
{
	int bad = 0;

	/* Around each value of the narrow type, and half way to the next one. */
	for (uint32_t top = 0; top < (uint32_t)1 << (32 - low_bits); top++) {
		uint32_t v = top << low_bits, half = (uint32_t)1 << (low_bits - 1);
		bad += wrong(to, v) + wrong(to, v - 1) + wrong(to, v + 1) + wrong(to, v + half) + wrong(to, v + half - 1) +
			wrong(to, v + half + 1);
	}
	for (int i = 0; i < 200000; i++)
		bad += wrong(to, (uint32_t)rnd());
	CHECK_INT(bad, 0);
}

static void test_odd_ones(void)
{
	CHECK_INT(cast(VV_DT_BF16, 0x7f800000), 0x7f80);
	CHECK_INT(cast(VV_DT_BF16, 0xff800000), 0xff80);
	CHECK_INT(cast(VV_DT_BF16, 0x7f800001), 0x7fc0); /* would be infinity if it were only cut */
	CHECK_INT(cast(VV_DT_BF16, 0xffc12345), 0xffc1);
	CHECK_INT(cast(VV_DT_F16, 0x7f800000), 0x7c00);
	CHECK_INT(cast(VV_DT_F16, 0xff800000), 0xfc00);
	CHECK_INT(cast(VV_DT_F16, 0x7f800001), 0x7e00);
	CHECK_INT(cast(VV_DT_F16, 0xffffffff), 0xffff);
	CHECK_INT(cast(VV_DT_F16, 0x80000000), 0x8000);
	CHECK_INT(cast(VV_DT_BF16, 0x80000000), 0x8000);
}

static void test_many(void)
{
	uint8_t p[4 * 3000], one[4];
	int bad = 0;

	for (size_t i = 0; i < 3000; i++)
		vv_put32(p + 4 * i, (uint32_t)(i * 1431655));
	vv_narrow(VV_DT_F32, VV_DT_BF16, p, 3000);
	for (size_t i = 0; i < 3000; i++) {
		vv_put32(one, (uint32_t)(i * 1431655));
		vv_narrow(VV_DT_F32, VV_DT_BF16, one, 1);
		bad += memcmp(one, p + 2 * i, 2) != 0;
	}
	CHECK_INT(bad, 0);
	CHECK(vv_narrows(VV_DT_F32, VV_DT_F16));
	CHECK(!vv_narrows(VV_DT_F32, VV_DT_F32));
	CHECK(!vv_narrows(VV_DT_F16, VV_DT_F32));
	CHECK(!vv_narrows(VV_DT_F32, VV_DT_U16));
}

/* Widened is the same value, and back again the same bits. */
static void test_widen(enum vv_dtype from)
{
	int bad = 0;

	for (uint32_t v = 0; v < 0x10000; v++) {
		uint8_t in[2], out[4];
		double x, y;
		bool nan;

		vv_put16(in, (uint16_t)v);
		vv_widen(from, VV_DT_F32, in, out, 1);
		x = value(from, (uint16_t)v);
		y = vv_dtype_value(VV_DT_F32, out);
		nan = isnan(x);
		bad += nan ? !isnan(y) : x != y || signbit(x) != signbit(y);
		vv_narrow(VV_DT_F32, from, out, 1);
		bad += !nan && vv_get16(out) != v;
	}
	CHECK_INT(bad, 0);
	CHECK(vv_widens(from, VV_DT_F32) && !vv_widens(VV_DT_F32, from) && !vv_widens(from, from));
}

int main(void)
{
	test_nearest(VV_DT_BF16, 16);
	test_nearest(VV_DT_F16, 13);
	test_odd_ones();
	test_many();
	test_widen(VV_DT_BF16);
	test_widen(VV_DT_F16);
	return done();
}
