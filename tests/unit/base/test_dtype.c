#include "base/dtype.h"
#include "base/le.h"

#include "tap.h"

#include <math.h>

static void test_names(void)
{
	enum vv_dtype dt;
	int wrong = 0;

	for (int i = 0; i < VV_DT_COUNT; i++) {
		const struct vv_dtype_info *t = vv_dtype_info((enum vv_dtype)i);
		wrong += vv_dtype_find(&dt, vv_span_str(t->name)) || dt != (enum vv_dtype)i;
		wrong += vv_dtype_width((enum vv_dtype)i) != (unsigned)(t->bits + 7) / 8;
		wrong += t->kind == VV_KIND_FLOAT && 1 + t->exp + t->mant != t->bits;
	}
	CHECK_INT(wrong, 0);
	CHECK(vv_dtype_find(&dt, vv_span_str("float32")));
	CHECK(vv_dtype_find(&dt, vv_span_str("")));
	/* Names and numbers are on disk. */
	CHECK(!vv_dtype_find(&dt, vv_span_str("bf16")) && dt == 11);
	CHECK(!vv_dtype_find(&dt, vv_span_str("f8_e5m2fnuz")) && dt == 23);
}

static void test_bytes(void)
{
	static const uint64_t shape[] = {2, 3, 5}, huge[] = {UINT64_MAX, 2}, none[] = {UINT64_MAX, UINT64_MAX, 0};
	uint64_t n = 9, bytes = 9;

	CHECK(!vv_dtype_bytes(VV_DT_BF16, shape, 3, &n, &bytes) && n == 30 && bytes == 60);
	CHECK(!vv_dtype_bytes(VV_DT_F64, NULL, 0, &n, &bytes) && n == 1 && bytes == 8);
	CHECK(!vv_dtype_bytes(VV_DT_F64, none, 3, &n, &bytes) && n == 0 && bytes == 0);
	CHECK(vv_dtype_bytes(VV_DT_U8, huge, 2, &n, &bytes));
	CHECK(vv_dtype_bytes(VV_DT_U16, huge, 1, &n, &bytes));
	/* Narrower than a byte: whole bytes only. */
	CHECK(!vv_dtype_bytes(VV_DT_F4, shape, 3, &n, &bytes) && n == 30 && bytes == 15);
	CHECK(vv_dtype_bytes(VV_DT_F4, shape + 1, 2, &n, &bytes));
	CHECK(vv_dtype_bytes(VV_DT_F6_E2M3, shape, 2, &n, &bytes));
	CHECK(!vv_dtype_bytes(VV_DT_F6_E2M3, (uint64_t[]){4}, 1, &n, &bytes) && bytes == 3);
}

/* The definition: sign × significand × 2^exponent, digit by digit. */
static double defined(unsigned v, int exp, int mant, bool has_inf)
{
	int e = v >> mant & ((1 << exp) - 1), top = (1 << exp) - 1, bias = top / 2;
	double m = 0, x;

	for (int i = 0; i < mant; i++)
		if (v >> (mant - 1 - i) & 1)
			m += pow(2, -1 - i);
	if (e == top && has_inf)
		x = m > 0 ? (double)NAN : (double)INFINITY;
	else if (e == top && m == 1 - pow(2, -mant))
		x = (double)NAN;
	else
		x = e ? (1 + m) * pow(2, e - bias) : m * pow(2, 1 - bias);
	return v >> (exp + mant) & 1 ? -x : x;
}

static bool same(double a, double b)
{
	return isnan(a) ? isnan(b) != 0 : a == b && !signbit(a) == !signbit(b);
}

/* Every value of a type, one by one and all at once. */
static void check_all(enum vv_dtype dt, int exp, int mant, bool has_inf)
{
	static uint8_t raw[65536 * 2];
	static double out[65536];
	unsigned n = 1u << (1 + exp + mant), w = vv_dtype_width(dt);
	int wrong = 0;

	for (unsigned v = 0; v < n; v++)
		for (unsigned b = 0; b < w; b++)
			raw[v * w + b] = (uint8_t)(v >> 8 * b);
	vv_dtype_values(dt, raw, n, out);
	for (unsigned v = 0; v < n; v++) {
		double want = defined(v, exp, mant, has_inf);
		wrong += !same(out[v], want) || !same(vv_dtype_value(dt, raw + v * w), want);
	}
	CHECK_INT(wrong, 0);
}

static void test_values(void)
{
	static const struct {
		enum vv_dtype dt;
		uint64_t raw;
		double is;
	} cases[] = {{VV_DT_BOOL, 1, 1}, {VV_DT_U8, 255, 255}, {VV_DT_I8, 0x80, -128}, {VV_DT_U16, 65535, 65535},
		{VV_DT_I16, 0xffff, -1}, {VV_DT_U32, UINT32_MAX, 4294967295.0}, {VV_DT_I32, 0x80000000, -2147483648.0},
		{VV_DT_U64, (uint64_t)1 << 63, 0x1p63}, {VV_DT_I64, (uint64_t)1 << 63, -0x1p63}, {VV_DT_F32, 0x3fc00000, 1.5},
		{VV_DT_F32, 1, 0x1p-149}, {VV_DT_F64, 0xbff8000000000000, -1.5}, {VV_DT_C64, 0x3fc00000, 1.5},
		{VV_DT_C128, 0x3ff8000000000000, 1.5}, {VV_DT_F8_E8M0, 7, 7}, {VV_DT_BYTES, 7, 7}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		uint8_t raw[32] = {0};
		double out[2] = {9, 9};
		vv_put64(raw, cases[i].raw);
		vv_dtype_values(cases[i].dt, raw, 1, out);
		tap_ok(same(vv_dtype_value(cases[i].dt, raw), cases[i].is) && same(out[0], cases[i].is) && out[1] == 9,
			vv_dtype_info(cases[i].dt)->name, __FILE__, __LINE__);
	}
	check_all(VV_DT_F16, 5, 10, true);
	check_all(VV_DT_BF16, 8, 7, true);
	check_all(VV_DT_F8_E4M3, 4, 3, false);
	check_all(VV_DT_F8_E5M2, 5, 2, true);
	CHECK(vv_dtype_value(VV_DT_F8_E4M3, (const uint8_t[]){0x7e}) == 448);
	CHECK(vv_dtype_value(VV_DT_F16, (const uint8_t[]){0xff, 0x7b}) == 65504);
}

int main(void)
{
	test_names();
	test_bytes();
	test_values();
	return done();
}
