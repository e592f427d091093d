#include "diff/sketch.h"

#include "base/le.h"
#include "tap.h"
#include "toy.h"

#include <math.h>

enum { LARGE = 140000, SMALL = 4096, HEAD = 24, ROW = 120 };

static float numbers[2][LARGE];

/* "large" and "small" are sketched; "few", "c" and the claim of an expanded tensor are not. `twin` is large once more. */
static void make(struct toy *t, int change)
{
	const uint64_t one = SMALL, none = 0, shape = LARGE;

	for (size_t i = 0; i < LARGE; i++) {
		numbers[0][i] = (float)((i * 7919 + 13) % 1009) / 500 - 1;
		numbers[1][i] = numbers[0][i] + (change ? (float)((i * 104729 + 5) % 1013) / 5000 - 0.1f : 0);
	}
	toy_init(t);
	toy_tensor(t, "large", VV_DT_F32, LARGE, numbers[1]);
	toy_tensor(t, "few", VV_DT_F32, SMALL - 1, numbers[1]);
	toy_tensor(t, "c", VV_DT_C64, SMALL, numbers[0]);
	toy_tensor(t, "small", VV_DT_F32, SMALL, numbers[1]);
	toy_tensor(t, "same", VV_DT_F32, SMALL, numbers[0] + 1);
	toy_segment(t, VV_DT_F32, numbers[0], 4), toy_view(t, "claim", 1, &one, &none, 0);
	toy_segment(t, VV_DT_F32, numbers[1], LARGE * 4), toy_view(t, "twin", 1, &shape, NULL, 0);
	toy_done(t);
}

static void sketch(struct vv_sketches *s, const struct toy *t, unsigned threads)
{
	struct vv_pool *pool = vv_pool_new(threads);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_sketches_make(s, &t->v, pool, NULL, &err), &err);
	vv_pool_free(pool);
}

static void emit(const struct vv_sketches *s, const struct toy *t, struct vv_buf *out)
{
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_sketches_emit(s, &t->m, out, &err), &err);
}

static int count(void *arg, const struct vv_id *id VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	++*(int *)arg;
	return 0;
}

static void test_round(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT), again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_sketches s = {.n = 0}, t = {.n = 0};
	struct vv_err err = VV_ERR_INIT;
	struct toy a;
	struct vv_id key;
	size_t n;
	int ids = 0;

	make(&a, 0);
	CHECK_OK(vv_sketches_key(&key, &n, &a.m, &err), &err);
	CHECK_INT(n, 4);
	CHECK_OK(vv_sketches_lack(&s, &a.m, &n, &err), &err);
	CHECK_INT(n, 4);
	sketch(&s, &a, 1);
	CHECK_INT(s.n, 3); /* twins have one */
	CHECK_OK(vv_sketches_lack(&s, &a.m, &n, &err), &err);
	CHECK_INT(n, 0);
	emit(&s, &a, &bytes);
	CHECK_INT(bytes.len, HEAD + 3 * ROW + (256 + 64 + 64) * 8 + 32);
	CHECK_OK(vv_sketches_load(&t, vv_buf_view(&bytes), &err), &err);
	CHECK_INT(t.n, 3);
	emit(&t, &a, &again);
	CHECK(vv_span_eq(vv_buf_view(&again), vv_buf_view(&bytes)));
	CHECK_OK(vv_sketches_load(&t, vv_buf_view(&bytes), &err), &err);
	CHECK_INT(t.n, 3);
	CHECK_OK(vv_sketches_each_id(vv_buf_view(&bytes), count, &ids, &err), &err);
	CHECK_INT(ids, 3);
	vv_sketches_release(&s);
	sketch(&s, &a, 3);
	again.len = 0;
	emit(&s, &a, &again);
	CHECK(vv_span_eq(vv_buf_view(&again), vv_buf_view(&bytes)));
	/* What is there is not read again: these bytes would not do. */
	a.v.bytes = NULL;
	sketch(&s, &a, 2);
	CHECK_INT(s.n, 3);
	vv_sketches_release(&s);
	vv_sketches_release(&t);
	vv_buf_release(&bytes);
	vv_buf_release(&again);
	toy_release(&a);
}

static void test_estimate(void)
{
	struct vv_sketches s = {.n = 0};
	struct vv_pool *pool = vv_pool_new(2);
	struct vv_err err = VV_ERR_INIT;
	struct vv_diff d, exact;
	struct toy a, b;
	size_t n;

	make(&a, 0);
	make(&b, 1);
	CHECK_OK(vv_diff_make(&exact, &a.m, &b.m, &err), &err);
	CHECK_OK(vv_diff_measure(&exact, &a.v, &b.v, 0, pool, NULL, &err), &err);
	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
	sketch(&s, &a, 1);
	CHECK_OK(vv_sketches_estimate(&s, &d, &n, &err), &err);
	CHECK_INT(n, 0); /* of one side only */
	sketch(&s, &b, 1);
	CHECK_OK(vv_sketches_estimate(&s, &d, &n, &err), &err);
	CHECK_INT(n, 3);
	for (size_t i = 0; i < d.n; i++) {
		const struct vv_delta *x = &d.items[i].delta, *y = &exact.items[i].delta;

		if (!strcmp(d.items[i].name, "few")) {
			CHECK(!d.items[i].measured);
			continue;
		}
		printf("# %s: %g, %g with an error of %g\n", d.items[i].name, y->relative, x->relative, x->relative_error);
		CHECK(x->estimated && fabs(x->relative - y->relative) < 3 * x->relative_error);
		CHECK(x->relative_error < 0.1 * x->relative && x->relative_error > 0.03 * x->relative);
		CHECK(fabs(x->cosine - y->cosine) < 3 * x->cosine_error);
		CHECK(fabs(x->norm_a - y->norm_a) < 1e-9 * y->norm_a && fabs(x->std_b - y->std_b) < 1e-9);
		CHECK_INT(x->zero_a, y->zero_a);
	}
	CHECK_OK(vv_diff_measure(&d, &a.v, &b.v, 0, pool, NULL, &err), &err);
	CHECK(d.items[1].measured && !d.items[1].delta.estimated && d.items[0].delta.estimated);
	vv_pool_free(pool);
	vv_diff_release(&d);
	vv_diff_release(&exact);
	vv_sketches_release(&s);
	toy_release(&a);
	toy_release(&b);
}

static void bad(struct vv_buf *b, const char *message)
{
	struct vv_sketches s = {.n = 0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_id sum;

	vv_sha256(vv_span(b->ptr, b->len - 32), &sum);
	memcpy(b->ptr + b->len - 32, sum.b, 32);
	CHECK_INT(vv_sketches_load(&s, vv_buf_view(b), &err), VV_EFORMAT);
	CHECK(strstr(err.msg, message) != NULL && !s.n);
	CHECK_INT(vv_sketches_each_id(vv_buf_view(b), count, NULL, &err), VV_EFORMAT);
	vv_sketches_release(&s);
}

static void test_bad(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_sketches s = {.n = 0};
	struct vv_err err = VV_ERR_INIT;
	struct toy a;
	uint64_t was;

	make(&a, 0);
	sketch(&s, &a, 1);
	emit(&s, &a, &bytes);
	vv_sketches_release(&s);
	for (size_t n = 0; n < bytes.len; n += n < 100 ? 1 : 97)
		CHECK_INT(vv_sketches_load(&s, vv_span(bytes.ptr, n), &err), VV_EFORMAT);
	for (size_t i = 0; i < bytes.len; i += 31) {
		bytes.ptr[i] ^= 1;
		CHECK_INT(vv_sketches_load(&s, vv_buf_view(&bytes), &err), VV_EFORMAT);
		bytes.ptr[i] ^= 1;
	}
	CHECK_INT(s.n, 0);
	/* Rows: more, fewer, far too many; a size that is not sketched; more that is not finite, and zeros, than there are. */
	for (uint64_t n = 2; n < 5; n += 2)
		vv_put64(bytes.ptr + 16, n), bad(&bytes, n < 3 ? "do not hold" : "row 3");
	vv_put64(bytes.ptr + 16, UINT64_MAX), bad(&bytes, "do not hold");
	vv_put64(bytes.ptr + 16, 3);
	for (int i = 0; i < 5; i++) {
		uint8_t *p = bytes.ptr + HEAD + 64 + (i < 4 ? i * 8 : 48);

		was = vv_get64(p);
		vv_put64(p, i ? LARGE + 1 : 5);
		bad(&bytes, "row 0");
		vv_put64(p, was);
	}
	vv_buf_release(&bytes);
	toy_release(&a);
}

int main(void)
{
	test_round();
	test_estimate();
	test_bad();
	return done();
}
