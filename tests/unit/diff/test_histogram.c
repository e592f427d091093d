#include "diff/histogram.h"

#include "tap.h"
#include "toy.h"

#include <float.h>
#include <math.h>

static struct vv_err err = VV_ERR_INIT;

/* The histogram of all of the toy's tensors together, which is released. */
static struct vv_histogram of(struct toy *t)
{
	struct vv_histogram h = {0};
	struct vv_description d;
	const struct vv_described_tensor **all;

	toy_done(t);
	CHECK_OK(vv_describe(&d, NULL, &t->m, NULL, &err), &err);
	all = calloc(d.n_tensors + 1, sizeof(struct vv_described_tensor *));
	for (size_t i = 0; i < d.n_tensors; i++)
		all[i] = &d.tensors[i];
	CHECK_OK(vv_histogram_of(&h, &t->v, all, d.n_tensors, &err), &err);
	free(all);
	vv_description_release(&d);
	toy_release(t);
	return h;
}

static uint64_t in_bins(const struct vv_histogram *h)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < VV_HIST_BINS; i++)
		sum += h->bins[i];
	return sum;
}

static void test_floats(void)
{
	static const float a[] = {-1, 1, -1, 1, NAN, INFINITY, -INFINITY}, b[] = {0, 0};
	struct vv_histogram h;
	struct toy t;

	toy_init(&t);
	toy_tensor(&t, "a", VV_DT_F32, 7, a);
	toy_tensor(&t, "b", VV_DT_F32, 2, b);
	h = of(&t);
	CHECK(h.values == 9 && h.seen == 9 && h.nan == 1 && h.inf == 2);
	CHECK(h.min == -1 && h.max == 1 && h.mean == 0 && fabs(h.sigma - sqrt(4 / 6.0)) < 1e-12);
	CHECK(h.n == VV_HIST_BINS && h.from == -1 && h.to == 1);
	CHECK(h.bins[0] == 2 && h.bins[VV_HIST_BINS / 2] == 2 && h.bins[VV_HIST_BINS - 1] == 2 && in_bins(&h) == 6);
}

/* What lies far out is in the outermost bin, and told in the range. */
static void test_outlier(void)
{
	float v[1000];
	struct vv_histogram h;
	struct toy t;

	for (size_t i = 0; i < 1000; i++)
		v[i] = i == 500 ? 1000 : (float)(i % 2);
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_F32, 1000, v);
	h = of(&t);
	CHECK(h.max == 1000 && h.to < 200 && fabs(h.to - (h.mean + 4 * h.sigma)) < 1e-9 && h.from == 0);
	CHECK(h.bins[VV_HIST_BINS - 1] == 1 && in_bins(&h) == 1000);
}

static void test_types(void)
{
	static const uint16_t half[] = {0x3c00, 0xbc00}, brain[] = {0x3f80, 0xbf80};
	static const uint8_t eight[] = {0x38, 0xb8}; /* e4m3 */
	static const struct {
		enum vv_dtype dt;
		const void *data;
	} cases[] = {{VV_DT_F16, half}, {VV_DT_BF16, brain}, {VV_DT_F8_E4M3, eight}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_histogram h;
		struct toy t;
		toy_init(&t);
		toy_tensor(&t, "v", cases[i].dt, 2, cases[i].data);
		h = of(&t);
		CHECK(h.seen == 2 && h.min == -1 && h.max == 1 && h.n == VV_HIST_BINS);
	}
}

/* Bins of whole numbers are whole numbers wide: evenly spread ones fill them evenly. */
static void test_whole(void)
{
	uint8_t few[10], all[256];
	struct vv_histogram h;
	bool even = true;
	struct toy t;

	for (size_t i = 0; i < 10; i++)
		few[i] = (uint8_t)(i % 5 + 3);
	for (size_t i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	toy_init(&t);
	toy_tensor(&t, "few", VV_DT_U8, 10, few);
	h = of(&t);
	CHECK(h.n == 5 && h.from == 3 && h.to == 8 && h.bins[0] == 2 && h.bins[4] == 2);
	toy_init(&t);
	toy_tensor(&t, "all", VV_DT_I8, 256, all);
	h = of(&t);
	CHECK(h.min == -128 && h.max == 127 && h.n == 64 && h.from == -128 && h.to == 128);
	for (unsigned i = 0; i < h.n; i++)
		even &= h.bins[i] == 4;
	CHECK(even);
}

static void test_edges(void)
{
	static const double far[] = {-DBL_MAX, DBL_MAX}, tiny[] = {0, 5e-324}, nan[] = {NAN};
	static const float same[] = {2.5, 2.5, 2.5};
	struct vv_histogram h;
	struct toy t;

	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_F64, 2, far);
	h = of(&t);
	CHECK(h.n == VV_HIST_BINS && h.bins[0] == 1 && h.bins[VV_HIST_BINS - 1] == 1);
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_F64, 2, tiny);
	h = of(&t);
	CHECK(h.n && in_bins(&h) == 2);
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_F32, 3, same);
	h = of(&t);
	CHECK(h.n == 1 && h.bins[0] == 3 && h.min == 2.5 && h.sigma == 0);
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_F64, 1, nan);
	h = of(&t);
	CHECK(!h.n && h.seen == 1 && h.nan == 1);
	/* No numbers, and no tensors. */
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_C64, 1, "12345678");
	h = of(&t);
	CHECK(!h.n && !h.values);
	toy_init(&t);
	h = of(&t);
	CHECK(!h.n && !h.values);
}

/* Of many values some blocks are read, always the same ones. */
static void test_sampled(void)
{
	enum { BLOCKS = 40 };
	uint8_t *v = malloc((size_t)BLOCKS * VV_HIST_BLOCK);
	struct vv_histogram h;
	struct toy t;

	for (size_t i = 0; i < (size_t)BLOCKS * VV_HIST_BLOCK; i++)
		v[i] = (uint8_t)(i / VV_HIST_BLOCK);
	toy_init(&t);
	toy_tensor(&t, "v", VV_DT_U8, (uint64_t)BLOCKS * VV_HIST_BLOCK, v);
	h = of(&t);
	CHECK(h.values == (uint64_t)BLOCKS * VV_HIST_BLOCK && h.seen == 14 * (uint64_t)VV_HIST_BLOCK);
	CHECK(h.min == 0 && h.max == 39 && h.bins[0] == VV_HIST_BLOCK && !h.bins[1] && h.bins[3] == VV_HIST_BLOCK);
	free(v);
}

/* Strided tensors are read by their strides; what an earlier tensor shows is not counted again. */
static void test_views(void)
{
	static const float v[] = {1, 2, 3, 4};
	struct vv_histogram h;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_F32, v, sizeof(v));
	toy_view(&t, "a", 1, (uint64_t[]){2}, (uint64_t[]){2}, 1);
	h = of(&t);
	CHECK(h.seen == 2 && h.min == 2 && h.max == 4);
	toy_init(&t);
	toy_segment(&t, VV_DT_F32, v, sizeof(v));
	toy_view(&t, "a", 1, (uint64_t[]){4}, NULL, 0);
	toy_view(&t, "b", 1, (uint64_t[]){4}, NULL, 0);
	h = of(&t);
	CHECK(h.values == 4);
}

int main(void)
{
	test_floats();
	test_outlier();
	test_types();
	test_whole();
	test_edges();
	test_sampled();
	test_views();
	return done();
}
