#include "diff/rollup.h"

#include "tap.h"
#include "toy.h"

#include <math.h>

static bool near(double got, double want)
{
	if (fabs(got - want) > 1e-12)
		printf("# %.17g, not %.17g\n", got, want);
	return fabs(got - want) <= 1e-12;
}

static struct vv_rollup_layer *find(struct vv_rollup_layer *l, const char *name)
{
	for (l = l->child; l && strcmp(l->name, name); l = l->next)
		;
	return l;
}

static void two(struct toy *t, const char *name, float x, float y)
{
	toy_tensor(t, name, VV_DT_F32, 2, (float[]){x, y});
}

/* m.0.a: (3,4) → (3,5); m.0.b: (0,12) → (0,-12); m.1.a: the same; m.1.b added; m.1.c removed; n: one more. */
static void make(struct toy *a, struct toy *b, struct vv_diff *d)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_err err = VV_ERR_INIT;

	toy_init(a);
	toy_init(b);
	two(a, "m.0.a", 3, 4), two(b, "m.0.a", 3, 5);
	two(a, "m.0.b", 0, 12), two(b, "m.0.b", 0, -12);
	two(a, "m.1.a", 1, 1), two(b, "m.1.a", 1, 1);
	two(a, "m.1.c", 9, 9), two(b, "m.1.b", 8, 8);
	two(a, "n", 1, 0), two(b, "n", 10, 0);
	toy_done(a);
	toy_done(b);
	CHECK_OK(vv_diff_make(d, &a->m, &b->m, &err), &err);
	CHECK_OK(vv_diff_measure(d, &a->v, &b->v, 0, pool, NULL, &err), &err);
	vv_pool_free(pool);
}

static void test_tree(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_rollup_layer *m, *l;
	struct vv_rollup r;
	struct vv_diff d;
	struct toy a, b;

	make(&a, &b, &d);
	CHECK_OK(vv_rollup_make(&r, &d, &b.m, &err), &err);
	m = find(r.root, "m");
	CHECK(m && r.root->child == m && m->next && !strcmp(m->next->name, "n") && m->next->leaf && !m->next->next);
	CHECK(m->sum.tensors == 4 && m->sum.changed == 2 && m->sum.added == 1 && m->sum.removed == 1);
	CHECK(m->sum.elements == 8 && m->sum.changed_elements == 2 && m->sum.flips == 1 && m->sum.measured == 2);
	/* Norms: old 25 + 144, difference 1 + 576, product 29 - 144, new 34 + 144. */
	CHECK(near(vv_delta_sum_relative(&m->sum), sqrt(577) / 13));
	CHECK(near(vv_delta_sum_cosine(&m->sum), (29 - 144) / (13 * sqrt(178))));
	CHECK(near(m->sum.max_abs, 24));
	l = find(m, "1");
	CHECK(l && l->sum.tensors == 2 && !l->sum.changed && l->sum.added == 1 && l->sum.removed == 1 && !l->sum.measured);
	CHECK(vv_delta_sum_any(&l->sum) && !vv_delta_sum_any(&find(l, "a")->sum));
	CHECK(vv_delta_sum_relative(&l->sum) == 0 && isnan(vv_delta_sum_cosine(&l->sum)));
	CHECK(find(l, "c")->item->kind == VV_DIFF_REMOVED && find(l, "b")->item->kind == VV_DIFF_ADDED);
	CHECK(find(l, "a")->leaf && !find(l, "a")->item);

	CHECK_OK(vv_rollup_sort(&r, &err), &err);
	CHECK_STR(r.root->child->name, "n");
	CHECK_STR(r.root->child->next->name, "m");
	CHECK(r.root->last == m && !m->next);
	l = find(m, "0");
	CHECK_STR(l->child->name, "b");
	vv_rollup_release(&r);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* A tensor may have the name of a layer: they are two, as in vv_describe. Names may end with a dot, and go on for ever. */
static void test_names(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_rollup r;
	struct vv_rollup_layer *l;
	struct vv_diff d;
	struct toy a, b;
	char deep[401];
	int depth = 0;

	for (int i = 0; i < 400; i++)
		deep[i] = i % 2 ? '.' : 'x';
	deep[399] = 0;
	toy_init(&a);
	toy_init(&b);
	toy_f32(&b, "p", 1), toy_f32(&b, "p.q", 2), toy_f32(&b, "p.", 3), toy_f32(&b, "..", 4), toy_f32(&b, deep, 5);
	toy_done(&a);
	toy_done(&b);
	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
	CHECK_OK(vv_rollup_make(&r, &d, &b.m, &err), &err);
	l = find(r.root, "p");
	CHECK(l && l->leaf && l->item && l->sum.added == 1 && !l->child);
	l = l->next;
	CHECK(!strcmp(l->name, "p") && !l->leaf && l->sum.added == 2 && find(l, "q") && find(l, ""));
	CHECK(find(find(find(r.root, ""), ""), "")->leaf);
	for (l = find(r.root, "x"); l->child; l = l->child)
		depth++;
	CHECK_INT(depth, 63);
	CHECK_INT(strlen(l->name), 399 - 2 * 63);
	CHECK_OK(vv_rollup_sort(&r, &err), &err);
	vv_rollup_release(&r);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* Errors of squares add up as independent ones do; a measured tensor has none. */
static void test_errors(void)
{
	struct vv_diff_item it = {.kind = VV_DIFF_CHANGED, .measured = true,
		.delta = {.norm_a = 4, .norm_b = 4, .norm_delta = 2, .relative = 0.5, .cosine = 0.875, .max_abs = NAN}};
	struct vv_delta_sum s = {0};

	vv_delta_sum_add(&s, NULL, &it);
	CHECK(!s.estimated && vv_delta_sum_relative_error(&s) == 0 && vv_delta_sum_cosine_error(&s) == 0);
	it.delta.estimated = true;
	it.delta.relative_error = 0.05;
	vv_delta_sum_add(&s, NULL, &it);
	it.delta.norm_a = 2;
	it.delta.relative_error = 0.1;
	vv_delta_sum_add(&s, NULL, &it);
	CHECK_INT(s.estimated, 2);
	/* The error of 2^2 is 2 * 0.05 * 4 * 2 and 2 * 0.1 * 2 * 2. */
	CHECK(near(s.variance, 0.8 * 0.8 + 0.8 * 0.8));
	CHECK(near(vv_delta_sum_relative(&s), sqrt(12) / 6));
	CHECK(near(vv_delta_sum_relative_error(&s), sqrt(1.28) / (2 * sqrt(12) * 6)));
	CHECK(near(vv_delta_sum_cosine_error(&s), sqrt(1.28) / (2 * 6 * sqrt(48))));
}

int main(void)
{
	test_tree();
	test_errors();
	test_names();
	return done();
}
