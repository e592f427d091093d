#include "diff/grid.h"

#include "tap.h"
#include "toy.h"

#include <math.h>

static void both(struct toy *a, struct toy *b, const char *name, float x, float y)
{
	toy_f32(a, name, x);
	toy_f32(b, name, y);
}

static void make(struct vv_grids *g, struct vv_diff *d, struct toy *a, struct toy *b)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_err err = VV_ERR_INIT;

	toy_done(a);
	toy_done(b);
	CHECK_OK(vv_diff_make(d, &a->m, &b->m, &err), &err);
	CHECK_OK(vv_diff_measure(d, &a->v, &b->v, 0, pool, NULL, &err), &err);
	CHECK_OK(vv_grids_make(g, d, &b->m, &err), &err);
	vv_pool_free(pool);
}

static const struct vv_delta_sum *cell(const struct vv_grid *g, size_t row, size_t column)
{
	return &g->cells[row * g->n_columns + column];
}

static void test_layers(void)
{
	struct vv_grids g;
	struct vv_diff d;
	struct toy a, b;

	toy_init(&a);
	toy_init(&b);
	/* As safetensors sorts them; one missing in row 2. */
	both(&a, &b, "model.layers.0.attn.q_proj.weight", 4, 5);
	both(&a, &b, "model.layers.0.attn.q_proj.bias", 1, 1);
	both(&a, &b, "model.layers.10.attn.q_proj.weight", 4, 4);
	both(&a, &b, "model.layers.2.attn.q_proj.weight", 4, 4.5f);
	both(&a, &b, "model.layers.2.mlp.experts.0.up.weight", 3, 3);
	both(&a, &b, "model.layers.2.mlp.experts.1.up.weight", 4, 9);
	both(&a, &b, "model.norm.weight", 2, 3);
	both(&a, &b, "lm_head.weight", 2, 2);
	both(&a, &b, "opt.state.7", 1, 2);
	both(&a, &b, "07.weight", 1, 2);
	toy_f32(&a, "h/3/c/kernel", 1);
	make(&g, &d, &a, &b);
	CHECK_INT(g.n, 3);
	CHECK_STR(g.v[0].stack, "model.layers");
	CHECK(g.v[0].n_rows == 3 && g.v[0].n_columns == 3);
	CHECK(!strcmp(g.v[0].rows[0], "0") && !strcmp(g.v[0].rows[1], "2") && !strcmp(g.v[0].rows[2], "10"));
	CHECK_STR(g.v[0].columns[0], "attn.q_proj");
	CHECK_STR(g.v[0].columns[1], "attn.q_proj.bias");
	CHECK_STR(g.v[0].columns[2], "mlp.experts.*.up");
	CHECK(vv_delta_sum_relative(cell(&g.v[0], 0, 0)) == 0.25);
	CHECK(vv_delta_sum_relative(cell(&g.v[0], 1, 0)) == 0.125);
	CHECK(cell(&g.v[0], 2, 0)->tensors == 1 && !vv_delta_sum_any(cell(&g.v[0], 2, 0)));
	CHECK(cell(&g.v[0], 2, 1)->tensors == 0);
	CHECK(cell(&g.v[0], 1, 2)->tensors == 2 && cell(&g.v[0], 1, 2)->changed == 1);
	CHECK(g.v[0].sum.changed == 3);
	CHECK(g.v[0].row_sums[1].changed == 2 && g.v[0].row_sums[1].tensors == 3 && g.v[0].column_sums[0].changed == 2);
	CHECK_STR(g.v[1].stack, "");
	CHECK_STR(g.v[1].rows[0], "7");
	CHECK_STR(g.v[1].columns[0], "weight");
	CHECK_STR(g.v[2].stack, "h");
	CHECK(cell(&g.v[2], 0, 0)->removed == 1 && !cell(&g.v[2], 0, 0)->tensors);
	/* Others that did not change are not told. */
	CHECK_INT(g.n_others, 2);
	CHECK_STR(g.others[0].name, "model.norm.weight");
	CHECK_STR(g.others[1].name, "opt.state.7");
	CHECK(g.min == 0.125 && g.max == 1.25 && !g.left_out);
	vv_grids_release(&g);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* Whatever names say: at most so many stacks, rows and columns. */
static void test_limits(void)
{
	struct vv_grids g;
	struct vv_diff d;
	struct toy a, b;
	char name[64];

	toy_init(&a);
	toy_init(&b);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "s%d.%d..weight", i, i);
		toy_f32(&b, vv_arena_copy(&b.m.arena, vv_span_str(name)), (float)i);
	}
	make(&g, &d, &a, &b);
	CHECK_INT(g.n, VV_GRID_STACKS);
	CHECK_INT(g.left_out, 20 - VV_GRID_STACKS);
	CHECK_STR(g.v[0].columns[0], "");
	CHECK(g.min == 0 && g.max == 0);
	vv_grids_release(&g);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
	toy_init(&a);
	toy_init(&b);
	toy_segment(&b, VV_DT_F32, name, 4);
	struct vv_view *views = vv_arena_array(&b.m.arena, 1000, sizeof(*views));
	for (int i = 0; i < 1000; i++) {
		char *n = vv_arena_alloc(&b.m.arena, 64);
		snprintf(n, 64, i < 100 ? "l.0.c%d.x" : "l.%d.c0.x", i);
		views[i] = (struct vv_view){.name = n};
	}
	b.m.segs[0].seg.views = views;
	b.m.segs[0].seg.n_views = 1000;
	make(&g, &d, &a, &b);
	CHECK_INT(g.n, 1);
	CHECK(g.v[0].n_rows == VV_GRID_ROWS && g.v[0].n_columns == VV_GRID_COLUMNS);
	CHECK_INT(g.left_out, 100 - VV_GRID_COLUMNS + 900 - VV_GRID_ROWS + 1);
	vv_grids_release(&g);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

int main(void)
{
	test_layers();
	test_limits();
	return done();
}
