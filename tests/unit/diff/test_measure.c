#include "diff/diff.h"

#include "tap.h"
#include "toy.h"

#include <math.h>

static void near(double got, double want)
{
	CHECK(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)));
	if (fabs(got - want) > 1e-12 * fmax(1, fabs(want)))
		printf("# %.17g, not %.17g\n", got, want);
}

static void measure(struct vv_diff *d, struct toy *a, struct toy *b, unsigned threads)
{
	struct vv_pool *pool = vv_pool_new(threads);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_diff_make(d, &a->m, &b->m, &err), &err);
	CHECK_OK(vv_diff_measure(d, &a->v, &b->v, 0, pool, NULL, &err), &err);
	vv_pool_free(pool);
}

static void test_numbers(void)
{
	static const float a3[3] = {3, 0, 4}, b3[3] = {3, 1, 4};
	static const float odd_a[4] = {NAN, 1, INFINITY, 2}, odd_b[4] = {1, 1, INFINITY, NAN};
	static const float zero[2] = {0, 0}, negzero[2] = {-0.0f, 0};
	static const uint16_t bf[3] = {0x4040, 0x3f80, 0x4080}; /* 3, 1, 4 */
	static const int8_t i8a[3] = {-128, 0, 5}, i8b[3] = {127, 0, 5};
	struct toy a, b;
	struct vv_diff d = {0};
	const struct vv_delta *x;

	toy_init(&a);
	toy_init(&b);
	toy_tensor(&a, "plain", VV_DT_F32, 3, a3), toy_tensor(&b, "plain", VV_DT_F32, 3, b3);
	toy_tensor(&a, "odd", VV_DT_F32, 4, odd_a), toy_tensor(&b, "odd", VV_DT_F32, 4, odd_b);
	toy_tensor(&a, "zero", VV_DT_F32, 2, zero), toy_tensor(&b, "zero", VV_DT_F32, 2, negzero);
	toy_tensor(&a, "cast", VV_DT_F32, 3, b3), toy_tensor(&b, "cast", VV_DT_BF16, 3, bf);
	toy_tensor(&a, "int", VV_DT_I8, 3, i8a), toy_tensor(&b, "int", VV_DT_I8, 3, i8b);
	toy_tensor(&a, "from-zero", VV_DT_F32, 2, zero), toy_tensor(&b, "from-zero", VV_DT_F32, 2, a3 + 1);
	toy_tensor(&a, "complex", VV_DT_C64, 1, zero), toy_tensor(&b, "complex", VV_DT_C64, 1, a3);
	toy_tensor(&a, "grown", VV_DT_F32, 2, zero), toy_tensor(&b, "grown", VV_DT_F32, 3, a3);
	toy_done(&a);
	toy_done(&b);
	measure(&d, &a, &b, 2);
	CHECK_INT(d.n, 8);

	x = &d.items[0].delta;
	CHECK(d.items[0].measured);
	CHECK_INT(x->numel, 3);
	CHECK_INT(x->changed, 1);
	near(x->norm_a, 5);
	near(x->norm_b, sqrt(26));
	near(x->norm_delta, 1);
	near(x->relative, 0.2);
	near(x->cosine, 25 / (5 * sqrt(26)));
	near(x->max_abs, 1);

	x = &d.items[1].delta;
	CHECK(x->nan_a == 1 && x->nan_b == 1 && x->inf_a == 1 && x->inf_b == 1);
	CHECK_INT(x->changed, 2);
	near(x->mean_a, 1);
	near(x->std_b, 0);
	CHECK(isnan(x->rank));
	near(x->norm_a, 1);
	near(x->relative, 0);
	near(x->cosine, 1);

	x = &d.items[2].delta;
	CHECK_INT(x->changed, 1);
	near(x->relative, 0);
	CHECK(isnan(x->cosine));
	CHECK(x->zero_a == 2 && x->zero_b == 2 && !x->flips);

	x = &d.items[3].delta;
	CHECK_INT(d.items[3].kind, VV_DIFF_RETYPED);
	CHECK(d.items[3].measured && !x->changed);
	near(x->norm_delta, 0);
	near(x->cosine, 1);

	near(d.items[4].delta.max_abs, 255);
	CHECK_INT(d.items[4].delta.flips, 1);
	CHECK(isinf(d.items[5].delta.relative));
	CHECK(!d.items[6].measured);
	CHECK(!d.items[7].measured);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* More than one block; the result must be the same bits for any number of threads. */
static void test_threads(void)
{
	enum { N = 300001 };
	float *p = calloc(N, sizeof(*p)), *q = calloc(N, sizeof(*q));
	struct toy a, b;
	struct vv_diff d1 = {0}, d5 = {0};
	double dd = 0, aa = 0;
	uint64_t seed = 1, changed = 0;

	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (float)((double)(int32_t)(seed >> 32) / 2e9);
		q[i] = i % 3 ? p[i] : p[i] * 1.001f;
		changed += p[i] != q[i];
		aa += (double)p[i] * p[i];
		dd += ((double)q[i] - p[i]) * ((double)q[i] - p[i]);
	}
	toy_init(&a);
	toy_init(&b);
	toy_tensor(&a, "big", VV_DT_F32, N, p), toy_tensor(&b, "big", VV_DT_F32, N, q);
	toy_tensor(&a, "empty", VV_DT_F32, 0, p), toy_tensor(&b, "empty", VV_DT_I32, 0, p);
	toy_f32(&a, "small", 1), toy_f32(&b, "small", 2);
	toy_done(&a);
	toy_done(&b);
	measure(&d1, &a, &b, 1);
	measure(&d5, &a, &b, 5);
	CHECK_INT(d1.items[0].delta.changed, changed);
	CHECK(fabs(d1.items[0].delta.relative - sqrt(dd / aa)) < 1e-12);
	CHECK(!memcmp(&d1.items[0].delta, &d5.items[0].delta, sizeof(struct vv_delta)));
	CHECK(d1.items[1].measured && !d1.items[1].delta.numel);
	near(d1.items[2].delta.relative, 1);
	vv_diff_release(&d1);
	vv_diff_release(&d5);
	toy_release(&a);
	toy_release(&b);
	free(p);
	free(q);
}

static void test_types(void)
{
	static const enum vv_dtype types[] = {VV_DT_BOOL, VV_DT_U16, VV_DT_F64, VV_DT_I64, VV_DT_F16, VV_DT_F8_E4M3};
	static const uint8_t p[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, q[16] = {1, 2, 3, 4, 5, 6, 7, 8, 1};
	struct vv_diff d = {0};
	struct toy a, b;

	for (size_t i = 0; i < VV_COUNT(types); i++) {
		toy_init(&a);
		toy_init(&b);
		toy_tensor(&a, "x", types[i], 16 / vv_dtype_width(types[i]), p);
		toy_tensor(&b, "x", types[i], 16 / vv_dtype_width(types[i]), q);
		toy_done(&a);
		toy_done(&b);
		measure(&d, &a, &b, 1);
		CHECK(d.n == 1 && d.items[0].measured && d.items[0].delta.changed == 1);
		vv_diff_release(&d);
		toy_release(&a);
		toy_release(&b);
	}
}

/*
 * A matrix of 37 rows and 29 columns that changed by one of rank two; the numbers are numpy's, in float64:
 *   i = np.arange(37 * 29); a = ((i * 7919 % 1009) / 512 - 1).reshape(37, 29); a[3] = 0
 *   r, c = np.arange(37), np.arange(29); b = a + np.outer((r % 5 - 2) / 4, (c % 3 - 1) / 8) + np.outer((r % 3) / 2, (c % 2) / 2)
 *   d = b - a; (b != a).sum(), (a * b < 0).sum(), (a == 0).sum(), (b == 0).sum(), a.mean(), b.mean(), a.std(), b.std()
 *   np.linalg.norm(d) / np.linalg.norm(a), (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b), abs(d).max()
 *   s = np.linalg.svd(d)[1]; (s ** 2).sum() / s[0] ** 2
 */
static void test_against_numpy(void)
{
	enum { ROWS = 37, COLS = 29 };
	double p[ROWS * COLS], q[ROWS * COLS];
	const uint64_t shape[2] = {ROWS, COLS};
	struct vv_diff d = {0};
	struct toy a, b;
	const struct vv_delta *x;

	for (int i = 0; i < ROWS * COLS; i++) {
		int r = i / COLS, c = i % COLS;
		p[i] = r == 3 ? 0 : (i * 7919 % 1009) / 512.0 - 1;
		q[i] = p[i] + (r % 5 - 2) / 4.0 * ((c % 3 - 1) / 8.0) + r % 3 / 2.0 * (c % 2 / 2.0);
	}
	toy_init(&a);
	toy_init(&b);
	toy_segment(&a, VV_DT_F64, p, sizeof(p)), toy_view(&a, "m", 2, shape, NULL, 0);
	toy_segment(&b, VV_DT_F64, q, sizeof(q)), toy_view(&b, "m", 2, shape, NULL, 0);
	toy_done(&a);
	toy_done(&b);
	measure(&d, &a, &b, 2);
	x = &d.items[0].delta;
	CHECK_INT(x->changed, 735);
	CHECK_INT(x->flips, 71);
	CHECK_INT(x->zero_a, 30);
	CHECK_INT(x->zero_b, 11);
	near(x->mean_a, -0.01527551258154706);
	near(x->mean_b, 0.1022396318732526);
	near(x->std_a, 0.5614989012819941);
	near(x->std_b, 0.5959108894484094);
	near(x->relative, 0.3991534742998727);
	near(x->cosine, 0.9287029835308496);
	near(x->max_abs, 0.5625);
	CHECK(fabs(x->rank - 1.02629773715047) < 0.005);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

static int no_read(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst VV_UNUSED,
	size_t len VV_UNUSED, struct vv_err *err)
{
	return vv_fail(err, VV_EIO, "no");
}

/* Views: strided ones are gathered, an expanded one is left out; a source that fails is named. */
static void test_views(void)
{
	static const float p[4] = {1, 2, 3, 4}, q[4] = {1, 2, 3, 9};
	struct vv_pool *pool = vv_pool_new(2);
	struct vv_err err = VV_ERR_INIT;
	struct vv_diff d = {0};
	struct toy t[2];

	for (int i = 0; i < 2; i++) {
		toy_init(&t[i]);
		toy_segment(&t[i], VV_DT_F32, i ? q : p, sizeof(p));
		toy_view(&t[i], "turned", 2, (uint64_t[]){2, 2}, (uint64_t[]){1, 2}, 0);
		toy_view(&t[i], "expanded", 2, (uint64_t[]){1u << 30, 2}, (uint64_t[]){0, 1}, 0);
		toy_done(&t[i]);
	}
	measure(&d, &t[0], &t[1], 2);
	CHECK_INT(d.n, 2);
	CHECK(d.items[0].measured && d.items[0].delta.max_abs == 5);
	CHECK(!d.items[1].measured);
	struct vv_source dead = {t[0].m.size, no_read};
	struct vv_version bad = {&t[0].m, &dead};
	/* What is measured is not read again. */
	CHECK_OK(vv_diff_measure(&d, &bad, &t[1].v, 0, pool, NULL, &err), &err);
	d.items[0].measured = false;
	CHECK_INT(vv_diff_measure(&d, &bad, &t[1].v, 0, pool, NULL, &err), VV_EIO);
	CHECK_STR(err.msg, "turned: no");
	vv_diff_release(&d);
	vv_pool_free(pool);
	toy_release(&t[0]);
	toy_release(&t[1]);
}

int main(void)
{
	test_numbers();
	test_threads();
	test_against_numpy();
	test_types();
	test_views();
	return done();
}
