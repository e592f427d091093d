#include "diff/kept.h"

#include "base/le.h"
#include "tap.h"
#include "toy.h"

#include <math.h>

/* x and y changed, z only in type; "c" is complex: it has no row. `w` was NaN. */
static void make(struct toy *a, struct toy *b, struct vv_diff *d)
{
	struct vv_err err = VV_ERR_INIT;

	toy_init(a);
	toy_init(b);
	toy_tensor(a, "x", VV_DT_F32, 2, (float[]){3, 4}), toy_tensor(b, "x", VV_DT_F32, 2, (float[]){3, 5});
	toy_tensor(a, "c", VV_DT_C64, 1, (float[]){3, 4}), toy_tensor(b, "c", VV_DT_C64, 1, (float[]){3, 5});
	toy_tensor(a, "y", VV_DT_F32, 2, (float[]){NAN, 4}), toy_tensor(b, "y", VV_DT_F32, 2, (float[]){3, 0});
	toy_tensor(a, "z", VV_DT_F32, 1, (float[]){1}), toy_tensor(b, "z", VV_DT_I32, 1, (int32_t[]){1});
	toy_f32(b, "new", 1);
	toy_done(a);
	toy_done(b);
	CHECK_OK(vv_diff_make(d, &a->m, &b->m, &err), &err);
}

static void release(struct toy *a, struct toy *b, struct vv_diff *d, struct vv_kept *k)
{
	vv_kept_release(k);
	vv_diff_release(d);
	toy_release(a);
	toy_release(b);
}

static void measured(struct vv_diff *d, struct toy *a, struct toy *b)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_diff_measure(d, &a->v, &b->v, 0, pool, NULL, &err), &err);
	vv_pool_free(pool);
}

/* The bytes of a whole diff that was measured. */
static void bytes_of(struct vv_buf *out)
{
	struct vv_err err = VV_ERR_INIT;
	struct toy a, b;
	struct vv_diff d;
	struct vv_kept k;

	make(&a, &b, &d);
	CHECK_OK(vv_kept_init(&k, &d, &err), &err);
	CHECK_INT(k.n, 3);
	CHECK(vv_kept_lacks(&k, &d));
	measured(&d, &a, &b);
	vv_kept_take(&k, &d);
	CHECK(!vv_kept_lacks(&k, &d));
	vv_kept_emit(&k, out);
	CHECK_INT(out->len, 56 + 3 * 232 + 32);
	release(&a, &b, &d, &k);
}

static int count(void *arg, const struct vv_id *id VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	++*(int *)arg;
	return 0;
}

static void test_round(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT), again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct toy a, b;
	struct vv_diff d, want;
	struct vv_kept k;
	int ids = 0;

	bytes_of(&bytes);
	make(&a, &b, &d);
	CHECK_OK(vv_diff_make(&want, &a.m, &b.m, &err), &err);
	measured(&want, &a, &b);
	CHECK_OK(vv_kept_init(&k, &d, &err), &err);
	CHECK_OK(vv_kept_load(&k, vv_buf_view(&bytes), &err), &err);
	CHECK(!vv_kept_lacks(&k, &d) && !d.items[0].measured);
	vv_kept_apply(&k, &d);
	for (size_t i = 0; i < d.n; i++)
		CHECK(d.items[i].measured == want.items[i].measured &&
			!memcmp(&d.items[i].delta, &want.items[i].delta, sizeof(struct vv_delta)));
	vv_kept_emit(&k, &again);
	CHECK(vv_span_eq(vv_buf_view(&again), vv_buf_view(&bytes)));
	CHECK_OK(vv_kept_each_id(vv_buf_view(&bytes), count, &ids, &err), &err);
	CHECK_INT(ids, 6);
	vv_diff_release(&want);
	release(&a, &b, &d, &k);
	vv_buf_release(&bytes);
	vv_buf_release(&again);
}

/* A filter leaves rows that nobody tried; another one's numbers come beside them. */
static void test_parts(void)
{
	const char *x = "x", *rest = "[yz]";
	struct vv_diff_filter only_x = {.tensors = &x, .n_tensors = 1}, others = {.tensors = &rest, .n_tensors = 1};
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct toy a, b;
	struct vv_diff d;
	struct vv_kept k;

	make(&a, &b, &d);
	CHECK_OK(vv_kept_init(&k, &d, &err), &err);
	CHECK_OK(vv_diff_pick(&d, &only_x, &b.m, &err), &err);
	measured(&d, &a, &b);
	vv_kept_take(&k, &d);
	CHECK(!vv_kept_lacks(&k, &d));
	vv_kept_emit(&k, &bytes);
	release(&a, &b, &d, &k);

	make(&a, &b, &d);
	CHECK_OK(vv_kept_init(&k, &d, &err), &err);
	CHECK_OK(vv_kept_load(&k, vv_buf_view(&bytes), &err), &err);
	CHECK(vv_kept_lacks(&k, &d));
	vv_kept_apply(&k, &d);
	CHECK(d.items[0].measured && !d.items[2].measured);
	CHECK_OK(vv_diff_pick(&d, &others, &b.m, &err), &err);
	CHECK(vv_kept_lacks(&k, &d));
	measured(&d, &a, &b);
	vv_kept_take(&k, &d);
	CHECK(k.rows[0].flags == 3 && k.rows[1].flags == 3 && k.rows[2].flags == 3);
	/* One that could not be measured is not tried again; ranks of large ones are not shown. */
	d.items[0].measured = false;
	d.items[1].delta.numel = VV_RANK_SMALL + 1;
	d.items[1].delta.rank = 7;
	vv_kept_take(&k, &d);
	vv_kept_apply(&k, &d);
	CHECK(!vv_kept_lacks(&k, &d) && !d.items[0].measured && isnan(d.items[1].delta.rank) && k.rows[2].delta.rank == 7);
	release(&a, &b, &d, &k);
	vv_buf_release(&bytes);
}

static void sign(struct vv_buf *b)
{
	struct vv_id sum;

	vv_sha256(vv_span(b->ptr, b->len - 32), &sum);
	memcpy(b->ptr + b->len - 32, sum.b, 32);
}

static void bad(struct vv_kept *k, struct vv_span bytes, const char *message)
{
	struct vv_err err = VV_ERR_INIT;

	CHECK_INT(vv_kept_load(k, bytes, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, message) != NULL);
	CHECK(!k->rows[0].flags && !k->rows[0].delta.numel);
}

static void test_bad(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct toy a, b;
	struct vv_diff d;
	struct vv_kept k;

	bytes_of(&bytes);
	make(&a, &b, &d);
	CHECK_OK(vv_kept_init(&k, &d, &err), &err);
	for (size_t n = 0; n < bytes.len; n += n < 100 ? 1 : 97)
		CHECK_INT(vv_kept_load(&k, vv_span(bytes.ptr, n), &err), VV_EFORMAT);
	for (size_t i = 0; i < bytes.len; i += 5) {
		bytes.ptr[i] ^= 1;
		CHECK_INT(vv_kept_load(&k, vv_buf_view(&bytes), &err), VV_EFORMAT);
		bytes.ptr[i] ^= 1;
	}
	bytes.ptr[20] ^= 1, sign(&bytes), bad(&k, vv_buf_view(&bytes), "other tensors"), bytes.ptr[20] ^= 1;
	bytes.ptr[56] ^= 1, sign(&bytes), bad(&k, vv_buf_view(&bytes), "row 0"), bytes.ptr[56] ^= 1;
	bytes.ptr[56 + 32] ^= 1, sign(&bytes), bad(&k, vv_buf_view(&bytes), "row 0"), bytes.ptr[56 + 32] ^= 1;
	/* Flags that are not known; numbers of what nobody tried; more changed than there are. */
	bytes.ptr[56 + 64] = 7, sign(&bytes), bad(&k, vv_buf_view(&bytes), "row 0");
	bytes.ptr[56 + 64] = 2, sign(&bytes), bad(&k, vv_buf_view(&bytes), "row 0");
	bytes.ptr[56 + 64] = 3;
	bytes.ptr[56 + 80] = 3, sign(&bytes), bad(&k, vv_buf_view(&bytes), "row 0");
	bytes.ptr[56 + 80] = 1, sign(&bytes);
	CHECK_OK(vv_kept_load(&k, vv_buf_view(&bytes), &err), &err);
	vv_put64(bytes.ptr + 48, UINT64_MAX / 232);
	CHECK_INT(vv_kept_each_id(vv_buf_view(&bytes), count, NULL, &err), VV_EFORMAT);
	release(&a, &b, &d, &k);
	vv_buf_release(&bytes);
}

/* Another object, type or shape is another key. */
static void test_key(void)
{
	static const float p[4] = {1, 2, 3, 4}, q[4] = {1, 2, 3, 5};
	const uint64_t shapes[][2] = {{2, 2}, {1, 4}, {2, 2}, {2, 2}};
	struct vv_err err = VV_ERR_INIT;
	struct vv_id keys[4];

	for (int i = 0; i < 4; i++) {
		struct toy a, b;
		struct vv_diff d;
		struct vv_kept k;

		toy_init(&a);
		toy_init(&b);
		toy_segment(&a, i == 2 ? VV_DT_I32 : VV_DT_F32, p, 16), toy_view(&a, "x", 2, shapes[i], NULL, 0);
		toy_segment(&b, VV_DT_F32, q, 16), toy_view(&b, "x", 2, shapes[i], i == 3 ? (uint64_t[]){1, 2} : NULL, 0);
		toy_done(&a);
		toy_done(&b);
		CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
		CHECK_OK(vv_kept_init(&k, &d, &err), &err);
		CHECK_INT(k.n, 1);
		keys[i] = k.key;
		for (int j = 0; j < i; j++)
			CHECK(!vv_id_eq(&keys[i], &keys[j]));
		release(&a, &b, &d, &k);
	}
}

int main(void)
{
	test_round();
	test_parts();
	test_bad();
	test_key();
	return done();
}
