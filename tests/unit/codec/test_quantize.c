/* int8 copies of floats, by any scales and rounding near enough, cost next to nothing and come back. */
#include "codec/quantize.h"

#include "base/le.h"
#include "codec/codec.h"
#include "data.h"
#include "oracle.h"
#include "tap.h"

enum { N = VV_BLOCK_ELEMS };

static float noise(void)
{
	return (float)((double)rnd() / 1.8446744073709552e19 + (double)rnd() / 1.8446744073709552e19 - 1) * 0.1f;
}

static float largest(const float *x, size_t n)
{
	float max = 0;

	for (size_t i = 0; i < n; i++)
		max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
	return max;
}

static void to_bytes(uint8_t *out, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &x[i], 4);
		vv_put32(out + 4 * i, bits);
	}
}

/* Coded bytes, after both decoders gave back what went in. */
static size_t trip(struct vv_codec *c, const int8_t *q, const float *x, size_t n)
{
	struct vv_codec_params p = {.dtype = VV_DT_I8, .qcast = VV_QCAST_SCALED, .from = VV_DT_F32};
	uint8_t *coded = malloc(vv_block_bound(n)), *base = malloc(4 * n + 1), *out = malloc(n + 1);
	struct vv_err err = VV_ERR_INIT;
	struct vv_span raw = vv_span(q, n);
	size_t len;

	to_bytes(base, x, n);
	len = vv_block_encode(c, &p, coded, raw, base);
	CHECK(len <= n + 1);
	CHECK_OK(vv_block_decode(c, &p, out, n, vv_span(coded, len), base, &err), &err);
	CHECK(!memcmp(out, q, n));
	memset(out, 1, n);
	CHECK(!oracle_decode(VV_DT_I8, 0, p.classes, 1, out, n, coded, len, base));
	CHECK(!memcmp(out, q, n));
	/* The estimate is near what came out. */
	if (n > 64) {
		size_t cost = vv_codec_cost(c, &p, raw, base);
		CHECK(len > n || (cost < 2 * len + 400 && len < 2 * cost + 400));
	}
	free(coded);
	free(base);
	free(out);
	return len;
}

/* One scale for each row of `cols`; `way`: by division, by the inverse, cut to -127, in double. */
static void quantise(int8_t *q, const float *x, size_t n, size_t cols, int way)
{
	for (size_t row = 0; row < n; row += cols) {
		size_t m = n - row < cols ? n - row : cols;
		float scale = largest(x + row, m) / 127, by = 1 / scale;
		for (size_t i = row; i < row + m; i++) {
			float y = way == 1 ? x[i] * by : way == 2 ? (float)((double)x[i] / (double)scale) : x[i] / scale;
			y = way == 3 ? roundf(y) : nearbyintf(y);
			q[i] = (int8_t)(y > 127 ? 127 : y < -127 ? -127 : y);
		}
	}
}

static void test_rows(struct vv_codec *c)
{
	static const size_t cols[] = {27, 64, 576, 1000, 4096, N};
	float *x = malloc(N * sizeof(*x));
	int8_t *q = malloc(N);

	for (size_t k = 0; k < VV_COUNT(cols); k++)
		for (int way = 0; way < 4; way++) {
			for (size_t i = 0; i < N; i++)
				x[i] = noise() * (float)(1 + i / cols[k] % 7);
			quantise(q, x, N, cols[k], way);
			size_t len = trip(c, q, x, N);
			/* Two bytes or so a row. */
			CHECK(len < 200 + N / cols[k] * 4);
			CHECK(len < N / 10);
		}
	free(x);
	free(q);
}

/* What is no copy costs what it costs alone, and a copy with mistakes in it little more than these. */
static void test_others(struct vv_codec *c)
{
	float *x = malloc(N * sizeof(*x));
	int8_t *q = malloc(N);

	for (size_t i = 0; i < N; i++) {
		x[i] = noise();
		q[i] = (int8_t)rnd();
	}
	CHECK_INT(trip(c, q, x, N), N + 1);
	quantise(q, x, N, 512, 0);
	for (size_t i = 0; i < N; i += 2048)
		q[i] = (int8_t)(q[i] ^ 64);
	CHECK(trip(c, q, x, N) < N / 512 * 8 + N / 2048 * 20 + 400);
	/* Numbers without a scale: zeros, and floats that are none. */
	memset(q, 0, N);
	CHECK(trip(c, q, x, N) < 60);
	for (size_t i = 0; i < N; i++)
		x[i] = NAN;
	CHECK(trip(c, q, x, N) < 60);
	/* No scale is as large as zeros for these would need. */
	for (size_t i = 0; i < N; i++)
		x[i] = i % 2 ? 3e38f : -3.4e38f;
	trip(c, q, x, N);
	for (size_t i = 0; i < N; i++)
		x[i] = i % 2 ? 1e-42f : -1e-45f;
	trip(c, q, x, N);
	for (size_t i = 0; i < N; i++)
		q[i] = i % 2 ? 127 : -128;
	trip(c, q, x, N);
	for (size_t n = 0; n < 70; n++) {
		for (size_t i = 0; i < n; i++)
			x[i] = noise();
		quantise(q, x, n, 16, 0);
		trip(c, q, x, n);
	}
	free(x);
	free(q);
}

/* A change anywhere is found, or gives what the other decoder gives. */
static void test_hurt(struct vv_codec *c)
{
	struct vv_codec_params p = {.dtype = VV_DT_I8, .qcast = VV_QCAST_SCALED, .from = VV_DT_F32}, plain = p;
	enum { M = 3000 };
	float x[M];
	int8_t q[M];
	uint8_t base[4 * M], coded[2 * M + 2000], hurt[2 * M + 2000], one[M], two[M];
	struct vv_err err = VV_ERR_INIT;
	int bad = 0;
	size_t len;

	for (int i = 0; i < M; i++)
		x[i] = noise();
	quantise(q, x, M, 100, 0);
	q[50] ^= 3;
	to_bytes(base, x, M);
	len = vv_block_encode(c, &p, coded, vv_span(q, M), base);
	CHECK_INT(coded[0], 0x14);
	for (size_t i = 0; i < 20000; i++) {
		size_t n = i % 5 ? len : rnd() % len + 1;
		memcpy(hurt, coded, len);
		hurt[rnd() % (i % 2 ? 80 : len)] ^= (uint8_t)(1 << rnd() % 8);
		int a = vv_block_decode(c, &p, one, M, vv_span(hurt, n), base, &err);
		int b = oracle_decode(VV_DT_I8, 0, p.classes, 1, two, M, hurt, n, base);
		bad += !a != !b || (!a && memcmp(one, two, M));
	}
	CHECK_INT(bad, 0);
	/* Scales without floats, floats without scales. */
	plain.qcast = VV_QCAST_NONE;
	CHECK_INT(vv_block_decode(c, &plain, one, M, vv_span(coded, len), base, &err), VV_ECORRUPT);
	CHECK_INT(vv_block_decode(c, &p, one, M, vv_span(coded, len), NULL, &err), VV_ECORRUPT);
	len = vv_block_encode(c, &plain, coded, vv_span(q, M), (const uint8_t *)q);
	CHECK_INT(coded[0], 0x13);
	CHECK_INT(vv_block_decode(c, &p, one, M, vv_span(coded, len), base, &err), VV_ECORRUPT);
}

static void test_fits(void)
{
	uint64_t bytes;

	CHECK_INT(vv_quantizes(VV_DT_F32, 400, VV_DT_I8, 100), VV_QCAST_SCALED);
	CHECK_INT(vv_quantizes(VV_DT_BF16, 200, VV_DT_I8, 100), VV_QCAST_SCALED);
	CHECK_INT(vv_quantizes(VV_DT_F16, 400, VV_DT_I8, 100), VV_QCAST_NONE);
	CHECK_INT(vv_quantizes(VV_DT_F64, 800, VV_DT_I8, 100), VV_QCAST_NONE);
	CHECK_INT(vv_quantizes(VV_DT_F32, 400, VV_DT_U8, 100), VV_QCAST_NONE);
	CHECK_INT(vv_quantizes(VV_DT_F32, 256, VV_DT_U8, 68), VV_QCAST_Q8_0);
	CHECK_INT(vv_quantizes(VV_DT_F16, 128, VV_DT_U8, 68), VV_QCAST_Q8_0);
	CHECK_INT(vv_quantizes(VV_DT_F32, 256, VV_DT_U8, 69), VV_QCAST_NONE);
	CHECK_INT(vv_quantizes(VV_DT_I8, 100, VV_DT_I8, 100), VV_QCAST_NONE);
	CHECK(!vv_quant_original(VV_QCAST_SCALED, VV_DT_F32, VV_DT_I8, UINT64_MAX / 2, &bytes));
	CHECK(!vv_quant_original(VV_QCAST_NONE, VV_DT_F32, VV_DT_I8, 100, &bytes));
	CHECK(vv_quant_original(VV_QCAST_Q8_0, VV_DT_BF16, VV_DT_U8, 34, &bytes) && bytes == 64);
}

static void test_rounding(void)
{
	CHECK_INT(vv_quantize(0.5f, 1), 0);
	CHECK_INT(vv_quantize(1.5f, 1), 2);
	CHECK_INT(vv_quantize(-2.5f, 1), -2);
	CHECK_INT(vv_quantize(-0.75f, 0.5f), -2);
	CHECK_INT(vv_quantize(126.5f, 1), 126);
	CHECK_INT(vv_quantize(1e30f, 1), 127);
	CHECK_INT(vv_quantize(-INFINITY, 1), -128);
	CHECK_INT(vv_quantize(NAN, 1), 0);
}

/* By hand: d = 2, so f16 0x4000, and x / 2; ties go away from zero. */
static void test_q8_0(void)
{
	float x[32] = {254, -254, 1, -1, 3, 0.5f, 0};
	uint8_t out[34];

	vv_q8_0_block(x, out);
	CHECK_INT(vv_get16(out), 0x4000);
	CHECK_INT((int8_t)out[2], 127);
	CHECK_INT((int8_t)out[3], -127);
	CHECK_INT((int8_t)out[4], 1);
	CHECK_INT((int8_t)out[5], -1);
	CHECK_INT((int8_t)out[6], 2);
	CHECK_INT((int8_t)out[7], 0);
	memset(x, 0, sizeof(x));
	vv_q8_0_block(x, out);
	for (int i = 0; i < 34; i++)
		CHECK_INT(out[i], 0);
	x[3] = NAN;
	x[4] = INFINITY;
	vv_q8_0_block(x, out);
	CHECK_INT(vv_get16(out), 0x7c00);
	x[4] = 1e-44f;
	vv_q8_0_block(x, out);
	CHECK_INT(vv_get16(out), 0);
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	test_fits();
	test_rounding();
	test_q8_0();
	test_rows(c);
	test_others(c);
	test_hurt(c);
	vv_codec_free(c);
	return done();
}
