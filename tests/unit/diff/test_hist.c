#include "diff/hist.h"

#include "tap.h"
#include "toy.h"

#include <math.h>

static uint64_t total(const struct vv_bins *h)
{
	uint64_t n = h->outside;

	for (int i = 0; i < VV_DIFFHIST_BINS; i++)
		n += h->bins[i];
	return n;
}

static int make(struct vv_diffhist *h, enum vv_dtype dt, uint64_t n, const void *p, const void *q, struct vv_err *err)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_diff d;
	struct toy a, b;
	int ret;

	toy_init(&a);
	toy_init(&b);
	toy_tensor(&a, "x", dt, n, p);
	toy_tensor(&b, "x", dt, n, q);
	toy_done(&a);
	toy_done(&b);
	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, err), err);
	CHECK_OK(vv_diff_measure(&d, &a.v, &b.v, 0, pool, NULL, err), err);
	ret = vv_diffhist_make(h, &d.items[0], &a.v, &b.v, err);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
	vv_pool_free(pool);
	return ret;
}

static void test_counts(void)
{
	/* Old: mean 0, deviation 1. New: mean 1, deviation 1. */
	static const float p[5] = {-1, 1, -1, 1, NAN}, q[5] = {0, 2, 0, 2, 7};
	static const float zero[3] = {0}, neg[3] = {-0.0f, 0, 0}, far[3] = {INFINITY, 3e38f, -3e38f};
	struct vv_err err = VV_ERR_INIT;
	struct vv_diffhist h;

	CHECK_OK(make(&h, VV_DT_F32, 5, p, q, &err), &err);
	CHECK(h.a.lo == -4 && h.a.hi == 5 && h.b.lo == -4 && h.b.hi == 5);
	CHECK_INT(h.seen, 5);
	CHECK_INT(total(&h.a), 4);
	CHECK_INT(total(&h.b), 5);
	CHECK_INT(h.b.outside, 1);
	CHECK(h.a.bins[(int)(3 * 64 / 9.0)] == 2 && h.a.bins[(int)(5 * 64 / 9.0)] == 2);
	CHECK(h.b.bins[(int)(4 * 64 / 9.0)] == 2 && h.b.bins[(int)(6 * 64 / 9.0)] == 2);
	CHECK(h.delta.hi == 1 && h.delta.lo == -1 && h.delta.bins[63] == 4 && total(&h.delta) == 4);

	CHECK_OK(make(&h, VV_DT_F32, 3, zero, neg, &err), &err);
	CHECK(h.a.lo < 0 && h.a.hi > 0 && total(&h.a) == 3 && !h.a.outside);
	CHECK(h.delta.lo < 0 && h.delta.hi > 0 && total(&h.delta) == 3 && !h.delta.outside);
	CHECK_OK(make(&h, VV_DT_F32, 3, zero, far, &err), &err);
	CHECK(isfinite(h.a.lo) && isfinite(h.a.hi) && total(&h.b) == 2);
	CHECK_OK(make(&h, VV_DT_U8, 3, "abc", "abd", &err), &err);
	CHECK(total(&h.a) == 3 && total(&h.delta) == 3);
}

/* Of many blocks some are looked at, the first among them. */
static void test_sampled(void)
{
	enum { N = 131072 * (VV_DIFFHIST_BLOCKS + 5) };
	uint8_t *p = calloc(1, N), *q = calloc(1, N);
	struct vv_err err = VV_ERR_INIT;
	struct vv_diffhist h;

	memset(q, 1, 131072);
	CHECK_OK(make(&h, VV_DT_U8, N, p, q, &err), &err);
	CHECK_INT(h.seen, 131072 * VV_DIFFHIST_BLOCKS);
	CHECK_INT(total(&h.b), 131072 * VV_DIFFHIST_BLOCKS);
	free(p);
	free(q);
}

int main(void)
{
	test_counts();
	test_sampled();
	return done();
}
