#include "blend/blend.h"

#include "memsink.h"

#include "blended.h"

static struct memsink out = MEMSINK_INIT;

/* A safetensors file without tensors. */
static struct vv_span head(struct vv_buf *b)
{
	vv_buf_clear(b);
	vv_format_find(vv_span_str("safetensors"))->empty(b, "a test");
	return vv_buf_view(b);
}

static int write(const struct vv_blend_tensor *t, size_t n, unsigned threads, size_t room)
{
	struct vv_pool *pool = vv_pool_new(threads);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	vv_buf_release(&out.bytes);
	out = (struct memsink)MEMSINK_INIT;
	out.room = room;
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_blend_write(t, n, vv_format_find(vv_span_str("safetensors")), head(&b), pool, &out.base, &err);
	vv_buf_release(&b);
	vv_pool_free(pool);
	return ret;
}

static void test_tables(void)
{
	size_t n = 0, bad = 0;

	for (; vv_blend_methods[n]; n++) {
		const struct vv_blend_method *m = vv_blend_methods[n];
		bad += vv_blend_find(vv_span_str(m->name)) != m || !m->summary || !m->mix || m->min < 1 || (m->max && m->max < m->min);
		for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
			bad += m->params >> p & 1 && p != VV_BP_T && isnan(vv_blend_usual(m, p));
	}
	CHECK(n == 21 && !bad);
	for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
		bad += vv_blend_param_find(vv_span_str(vv_blend_params[p].name)) != p;
	CHECK(!bad && vv_blend_param_find(vv_span_str("no")) == VV_BP_COUNT && !vv_blend_find(vv_span_str("no")));
}

/* Two tensors of several blocks, one that is copied, an empty one: the same file at any number of threads. */
static void test_write(void)
{
	enum { N = 700000 };
	double *x = noise(N, 1), *y = noise(N, 2);
	const double *const in[] = {x, y};
	struct blended b;
	struct toy ints;
	struct vv_blend_in whole;
	struct vv_blend_tensor t[3];
	struct vv_layout l = {0};
	struct vv_source_mem mem;
	struct vv_buf first = VV_BUF_INIT(VV_MAX_TEXT);
	size_t seg, view, bad = 0;

	blended_init(&b, "slerp", in, 2, false, 1, N);
	b.t.p[VV_BP_T] = .25;
	b.t.to = VV_DT_BF16;
	toy_init(&ints);
	toy_tensor(&ints, "n", VV_DT_I64, 1, "abcdefgh");
	toy_done(&ints);
	whole = (struct vv_blend_in){.from = &ints.v, .file = "ints"};
	t[0] = b.t;
	t[1] = (struct vv_blend_tensor){.name = "n", .in = &whole, .n = 1};
	t[2] = b.t;
	t[2].name = "second";
	t[2].method = vv_blend_find(vv_span_str("linear"));
	t[2].to = VV_DT_F32;
	t[2].p[VV_BP_NORMALIZE] = 1;
	CHECK_OK(vv_blend_check(t, 3, &err), &err);
	CHECK_OK(write(t, 3, 1, 0), &err);
	vv_buf_span(&first, vv_buf_view(&out.bytes));
	CHECK_OK(write(t, 3, 5, 0), &err);
	CHECK(vv_span_eq(vv_buf_view(&first), vv_buf_view(&out.bytes)));
	vv_source_mem_init(&mem, vv_buf_view(&out.bytes));
	CHECK_OK(vv_layout_locate(&l, &mem.base, &err), &err);
	CHECK(vv_layout_find(&l, "n", &seg, &view) && !memcmp(out.bytes.ptr + l.segs[seg].off, "abcdefgh", 8));
	CHECK(vv_layout_find(&l, "second", &seg, &view) && l.segs[seg].dtype == VV_DT_F32);
	for (size_t i = 0; i < N; i++) {
		float f = (float)((x[i] + y[i]) / 2);
		bad += memcmp(out.bytes.ptr + l.segs[seg].off + 4 * i, &f, 4) != 0;
	}
	CHECK_INT(bad, 0);
	CHECK(vv_layout_find(&l, "w", &seg, &view) && l.segs[seg].dtype == VV_DT_BF16 && l.segs[seg].len == 2 * N);
	vv_layout_release(&l);
	CHECK_INT(write(t, 3, 2, 1000), VV_EIO);
	CHECK_INT(write(t, 3, 2, 2000000), VV_EIO);
	/* What is wrong with a later tensor is told before the first is made. */
	t[2].in = &whole;
	t[2].n = 1;
	CHECK_INT(vv_blend_check(t, 3, &err), VV_ENOTSUP);
	memset(b.toys[1].bytes.ptr + 8 * (N - 1), 0xff, 8);
	CHECK_INT(write(t, 1, 2, 0), VV_EFORMAT);
	CHECK(strstr(err.msg, "NaN") != NULL);
	vv_buf_release(&first);
	blended_release(&b);
	toy_release(&ints);
	free(x);
	free(y);
}

int main(void)
{
	test_tables();
	test_write();
	vv_buf_release(&out.bytes);
	return done();
}
