#include "model/cast.h"

#include "base/check.h"
#include "base/le.h"
#include "tap.h"

#include <math.h>

static struct vv_err err;

static uint32_t bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

/* What stands for the number nearest to f: by trying them all, ties to the even one. */
static uint8_t nearest(enum vv_dtype dt, float f, unsigned last)
{
	double best = INFINITY;
	uint8_t at = 0;

	for (unsigned i = 0; i <= last; i++) {
		uint8_t b = (uint8_t)i;
		double d = fabs(vv_dtype_value(dt, &b) - fabs((double)f));
		if (d < best || (d == best && !(i & 1))) {
			best = d;
			at = b;
		}
	}
	return (uint8_t)(at | (signbit(f) ? 0x80 : 0));
}

static void check_f8(enum vv_dtype dt, unsigned last, double over, uint8_t past, uint8_t nan)
{
	size_t bad = 0, bad_back = 0;

	for (uint32_t i = 0; i < 1 << 16; i++) {
		/* Every bf16, and a neighbour on either side. */
		for (int k = -1; k < 2; k++) {
			uint32_t u = (i << 16) + (uint32_t)k;
			uint8_t in[4], out, want;
			float f;
			memcpy(&f, &u, 4);
			vv_put32(in, u);
			vv_cast_elements(VV_DT_F32, dt, in, &out, 1);
			if (f != f)
				want = (uint8_t)(nan | (u >> 24 & 0x80));
			else if (fabs((double)f) >= over)
				want = (uint8_t)(past | (u >> 24 & 0x80));
			else
				want = nearest(dt, f, last);
			bad += out != want;
		}
	}
	CHECK_INT(bad, 0);
	for (unsigned i = 0; i < 256; i++) {
		uint8_t in = (uint8_t)i, wide[4], back, half[2];
		double v = vv_dtype_value(dt, &in);
		vv_cast_elements(dt, VV_DT_F32, &in, wide, 1);
		vv_cast_elements(VV_DT_F32, dt, wide, &back, 1);
		vv_cast_elements(dt, VV_DT_BF16, &in, half, 1);
		bad_back += v == v && (back != in || (double)vv_dtype_value(VV_DT_F32, wide) != v || vv_dtype_value(VV_DT_BF16, half) != v);
		bad_back += v != v && (vv_get32(wide) & 0x7fffffff) <= 0x7f800000;
	}
	CHECK_INT(bad_back, 0);
}

static void test_f8(void)
{
	/* Halfway from the largest to the next that would be. */
	check_f8(VV_DT_F8_E4M3, 0x7e, 464.0000001, 0x7e, 0x7f);
	check_f8(VV_DT_F8_E5M2, 0x7b, 61440, 0x7c, 0x7f);
	CHECK(!vv_castable(VV_DT_F64) && !vv_castable(VV_DT_I8) && vv_castable(VV_DT_F8_E5M2));
}

enum { ROWS = 7, ROW = 5000 };
static uint8_t wide[ROWS * ROW * 4];
static struct vv_source_mem mem;

static void fill(void)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < ROWS * ROW; i++) {
		seed = seed * 1664525 + 1013904223;
		float f = ((float)(seed >> 8) / (1 << 23) - 1) * (float)(i / ROW + 1);
		vv_put32(wide + 4 * i, bits_of(i / ROW == 3 ? 0 : f));
	}
	vv_source_mem_init(&mem, vv_span(wide, sizeof(wide)));
}

static void test_int8(void)
{
	static int8_t whole[ROWS * ROW], part[ROWS * ROW];
	struct vv_int8 q;
	size_t bad = 0, at127 = 0;

	fill();
	CHECK_OK(vv_int8_init(&q, &mem.base, "w", VV_DT_F32, ROWS, ROW, &err), &err);
	CHECK_INT(q.base.size, sizeof(whole));
	CHECK_INT(q.scale.base.size, 4 * ROWS);
	CHECK_OK(vv_source_read(&q.base, 0, whole, sizeof(whole), &err), &err);
	for (size_t at = 0, n; at < sizeof(part); at += n) {
		n = vv_min64(777, sizeof(part) - at);
		bad += vv_source_read(&q.base, at, part + at, n, &err) != 0;
	}
	CHECK(!bad && !memcmp(whole, part, sizeof(part)));
	for (size_t i = 0; i < ROWS * ROW; i++) {
		double scale = vv_dtype_value(VV_DT_F32, q.scales.ptr + i / ROW * 4), x = vv_dtype_value(VV_DT_F32, wide + 4 * i);
		bad += fabs(whole[i] * scale - x) > scale * 0.500001 || whole[i] == -128;
		at127 += abs(whole[i]) == 127;
		bad += i / ROW == 3 && (whole[i] || scale != 1);
	}
	CHECK_INT(bad, 0);
	CHECK(at127 >= ROWS - 1);
	vv_int8_release(&q);
	/* Ties to even, from f16: the scale is 1. */
	static const uint16_t halves[] = {0x57f0 /* 127 */, 0x3e00 /* 1.5 */, 0x4100 /* 2.5 */, 0xc100, 0x3800 /* 0.5 */};
	static const int8_t even[] = {127, 2, 2, -2, 0};
	vv_source_mem_init(&mem, vv_span(halves, sizeof(halves)));
	CHECK_OK(vv_int8_init(&q, &mem.base, "h", VV_DT_F16, 1, 5, &err), &err);
	CHECK_OK(vv_source_read(&q.base, 0, whole, 5, &err), &err);
	CHECK(!memcmp(whole, even, 5) && vv_dtype_value(VV_DT_F32, q.scales.ptr) == 1);
	vv_int8_release(&q);
}

/* Numbers at both ends of what f32 has. */
static void test_extremes(void)
{
	static const float tiny[32] = {0x1p-149f, -0x1p-149f, 0}, odd[32] = {0x1.8p-142f, 0x1p-142f}, huge[32] = {0x1p127f};
	static const float nans[] = {NAN, INFINITY, -INFINITY};
	struct vv_int8 q;
	struct vv_q8_0 b;
	int8_t out[34];
	float f[64] = {0};

	vv_source_mem_init(&mem, vv_span(tiny, sizeof(tiny)));
	CHECK_OK(vv_int8_init(&q, &mem.base, "w", VV_DT_F32, 1, 32, &err), &err);
	CHECK_OK(vv_source_read(&q.base, 0, out, 32, &err), &err);
	CHECK(!out[0] && !out[1] && vv_dtype_value(VV_DT_F32, q.scales.ptr) == 1);
	vv_int8_release(&q);
	vv_q8_0_init(&b, &mem.base, "w", VV_DT_F32, 32);
	CHECK_OK(vv_source_read(&b.base, 0, out, 34, &err), &err);
	CHECK(!out[0] && !out[1] && !out[2]);
	vv_source_mem_init(&mem, vv_span(odd, sizeof(odd)));
	CHECK_OK(vv_int8_init(&q, &mem.base, "w", VV_DT_F32, 1, 32, &err), &err);
	CHECK_OK(vv_source_read(&q.base, 0, out, 32, &err), &err);
	CHECK(out[0] > 90 && out[1] > 60);
	vv_int8_release(&q);
	vv_source_mem_init(&mem, vv_span(huge, sizeof(huge)));
	vv_q8_0_init(&b, &mem.base, "w", VV_DT_F32, 32);
	CHECK_INT(vv_source_read(&b.base, 0, out, 34, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "too large for q8_0"));
	for (size_t i = 0; i < VV_COUNT(nans); i++) {
		f[40] = nans[i];
		vv_source_mem_init(&mem, vv_span(f, sizeof(f)));
		CHECK_INT(vv_int8_init(&q, &mem.base, "w", VV_DT_F32, 2, 32, &err), VV_ENOTSUP);
		CHECK(strstr(err.msg, "'w': element 40 is not finite"));
		vv_int8_release(&q);
		vv_q8_0_init(&b, &mem.base, "w", VV_DT_F32, 64);
		CHECK_INT(vv_source_read(&b.base, 0, out, 34, &err), 0);
		CHECK_INT(vv_source_read(&b.base, 34, out, 34, &err), VV_ENOTSUP);
		CHECK(strstr(err.msg, "'w': element 40 is not finite"));
	}
}

static void test_q8_0(void)
{
	enum { BYTES = ROWS * ROW / 32 * 34 };
	static uint8_t whole[BYTES], part[BYTES];
	struct vv_q8_0 q;
	size_t bad = 0;

	fill();
	vv_q8_0_init(&q, &mem.base, "w", VV_DT_F32, ROWS * ROW / 32 * 32);
	CHECK_INT(q.base.size, BYTES);
	CHECK_OK(vv_source_read(&q.base, 0, whole, BYTES, &err), &err);
	for (size_t at = 0, n; at < BYTES; at += n) {
		n = vv_min64(at % 2 ? 4999 : 77, BYTES - at);
		bad += vv_source_read(&q.base, at, part + at, n, &err) != 0;
	}
	CHECK(!bad && !memcmp(whole, part, BYTES));
	for (size_t i = 0; i < BYTES / 34 * 32; i++) {
		const uint8_t *b = whole + i / 32 * 34;
		double d = vv_dtype_value(VV_DT_F16, b), x = vv_dtype_value(VV_DT_F32, wide + 4 * i);
		/* Half a step, and what f16 takes from the scale, 127 times. */
		bad += fabs((int8_t)b[2 + i % 32] * d - x) > d * (0.5 + 127.0 / 2048 + 0.001);
	}
	CHECK_INT(bad, 0);
	/* Half away from zero. */
	static const float f[32] = {127, 1.5f, 2.5f, -2.5f, 0.5f, -0.5f};
	vv_source_mem_init(&mem, vv_span(f, sizeof(f)));
	vv_q8_0_init(&q, &mem.base, "w", VV_DT_F32, 32);
	CHECK_OK(vv_source_read(&q.base, 0, whole, 34, &err), &err);
	CHECK(!memcmp(whole, "\0\x3c\x7f\2\3\xfd\1\xff\0", 9));
}

int main(void)
{
	test_f8();
	test_int8();
	test_extremes();
	test_q8_0();
	return done();
}
