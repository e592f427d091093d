#define _GNU_SOURCE
#include "blend/extract.h"

#include "blend/adapter.h"
#include "blended.h"

#include <jansson.h>

static struct toy base, tuned;
static struct vv_blend_model models[2];
static struct vv_extract x;
static struct vv_extract_plan plan;

struct sink {
	struct vv_sink base;
	struct vv_buf out;
};

static int take(struct vv_sink *self, struct vv_span data, struct vv_err *e)
{
	struct sink *s = (struct sink *)self;

	vv_buf_add(&s->out, data.ptr, data.len);
	return vv_buf_check(&s->out, e);
}

static void matrix(struct toy *t, const char *name, uint64_t rows, uint64_t cols, double by)
{
	uint64_t shape[2] = {rows, cols};
	float v[64];

	for (uint64_t i = 0; i < rows * cols; i++)
		v[i] = (float)((double)(i / cols + 1) * by * (double)(i % cols + 1));
	toy_segment(t, VV_DT_F32, v, (size_t)(rows * cols) * 4);
	toy_view(t, name, 2, shape, NULL, 0);
}

/* q changes by a matrix of rank 1, k stays, and so many tensors change that are no layers. */
static void init(bool q, const char *more)
{
	for (int i = 0; i < 2; i++) {
		struct toy *t = i ? &tuned : &base;
		toy_init(t);
		matrix(t, "l.q.weight", 3, 5, i && q ? 2 : 1);
		matrix(t, "l.k.weight", 4, 4, 1);
		matrix(t, "embed.weight", 4, 4, i ? 3 : 1);
		toy_f32(t, "norm.weight", (float)i);
		if (i && more)
			toy_f32(t, more, 1);
		toy_done(t);
		models[i] = (struct vv_blend_model){t->v, i ? "TUNED" : "BASE"};
	}
	x = (struct vv_extract){&models[0], &models[1], 1, VV_DT_F32};
	err = (struct vv_err)VV_ERR_INIT;
}

static void end(void)
{
	vv_extract_plan_release(&plan);
	toy_release(&base);
	toy_release(&tuned);
}

static void test_adapter(void)
{
	struct sink s = {{take}, VV_BUF_INIT(1 << 20)};
	struct vv_buf config = VV_BUF_INIT(1 << 16);
	struct vv_pool *pool = vv_pool_new(2);
	struct vv_adapter a;
	uint64_t rank;
	double ab[8], sum = 0;

	init(true, NULL);
	CHECK_OK(vv_extract_plan_make(&plan, &x, &err), &err);
	CHECK_INT(plan.n, 1);
	CHECK_INT(plan.left_out, 2);
	CHECK_STR(plan.first_left_out, "embed.weight");
	CHECK_INT(plan.bytes, 8 * 4);
	CHECK_OK(vv_extract_write(&plan, &x, pool, &s.base, &err), &err);
	CHECK(fabs(plan.kept / plan.all - 1) < 1e-6);
	CHECK(memmem(s.out.ptr, s.out.len, "base_model.model.l.q.lora_A.weight", 34));
	/* A (1, 5), then B (3, 1): their product is what changed. */
	vv_dtype_values(VV_DT_F32, s.out.ptr + s.out.len - 32, 8, ab);
	for (size_t i = 0; i < 15; i++)
		sum += fabs(ab[5 + i / 5] * ab[i % 5] - (double)((i / 5 + 1) * (i % 5 + 1)));
	CHECK(sum < 1e-4);

	CHECK_OK(vv_extract_config(&plan, &x, &config, &err), &err);
	CHECK_OK(vv_adapter_parse(&a, vv_buf_view(&config), "c", &err), &err);
	CHECK(vv_adapter_scale(&a, "l.q", &rank) == 1 && rank == 1);
	vv_adapter_release(&a);
	vv_extract_plan_release(&plan);

	/* A rank that the matrix has not is its smaller side, and the config says so. */
	x.rank = 7;
	vv_buf_clear(&config);
	CHECK_OK(vv_extract_plan_make(&plan, &x, &err), &err);
	CHECK_OK(vv_extract_config(&plan, &x, &config, &err), &err);
	CHECK_OK(vv_adapter_parse(&a, vv_buf_view(&config), "c", &err), &err);
	CHECK(vv_adapter_scale(&a, "l.q", &rank) == 1 && rank == 3);
	vv_adapter_release(&a);
	vv_buf_release(&config);
	vv_buf_release(&s.out);
	vv_pool_free(pool);
	end();
}

static void test_bad(void)
{
	struct sink s = {{take}, VV_BUF_INIT(1 << 20)};
	struct vv_pool *pool = vv_pool_new(1);
	float inf = INFINITY;

	init(false, NULL);
	CHECK_INT(vv_extract_plan_make(&plan, &x, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "BASE and TUNED differ in no matrix of a linear layer");
	x.rank = 0;
	CHECK_INT(vv_extract_plan_make(&plan, &x, &err), VV_EUSAGE);
	end();
	init(true, "new.weight");
	CHECK_INT(vv_extract_plan_make(&plan, &x, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "BASE has no tensor \"new.weight\", which TUNED has");
	end();
	init(true, NULL);
	memcpy(tuned.bytes.ptr + 8, &inf, 4);
	CHECK_OK(vv_extract_plan_make(&plan, &x, &err), &err);
	CHECK_INT(vv_extract_write(&plan, &x, pool, &s.base, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "TUNED: tensor \"l.q.weight\" has an infinite number");
	end();
	init(true, NULL);
	((struct vv_view *)(uintptr_t)tuned.m.segs[0].seg.views)->ndim = 1;
	CHECK_INT(vv_extract_plan_make(&plan, &x, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "tensor \"l.q.weight\" of TUNED has another shape than that of BASE");
	end();
	vv_buf_release(&s.out);
	vv_pool_free(pool);
}

int main(void)
{
	test_adapter();
	test_bad();
	return done();
}
