#include "blend/recipe.h"

#include "tap.h"

#include <math.h>

static struct vv_err err;

static const char text[] =
	"merge_method: ties\n"
	"base_model: org/base\n"
	"slices:\n"
	"- sources:\n"
	"  - {model: a, layer_range: [0, 4], parameters: {weight: [{filter: mlp, value: [0, 1]}, {value: 0.25}]}}\n"
	"  - {model: b, layer_range: [4, 8], parameters: {density: [1, 0.5, 0]}}\n"
	"  parameters: {weight: 2, normalize: false}\n"
	"- sources: [{model: a, layer_range: [4, 5]}]\n"
	"  base_model: a\n"
	"parameters: {weight: [{filter: attn, value: 7}], int8_mask: true, lambda: 0.1}\n"
	"dtype: float16\n"
	"seed: 5\n";

/* Slice, source (-1: none), parameter, tensor, t: number. */
static const struct {
	size_t slice;
	int source;
	enum vv_blend_param p;
	const char *tensor;
	double t, want;
} numbers[] = {
	{0, 0, VV_BP_WEIGHT, "l.0.mlp.w", 0, 0},
	{0, 0, VV_BP_WEIGHT, "l.0.mlp.w", .25, .25},
	{0, 0, VV_BP_WEIGHT, "l.0.mlp.w", 1, 1},
	{0, 0, VV_BP_WEIGHT, "l.0.attn.w", 1, .25},
	{0, 1, VV_BP_WEIGHT, "l.0.attn.w", 1, 2},
	{0, -1, VV_BP_WEIGHT, "l.0.attn.w", 1, 2},
	{1, 0, VV_BP_WEIGHT, "l.0.attn.w", 1, 7},
	{1, 0, VV_BP_WEIGHT, "l.0.mlp.w", 1, 1},
	{0, 1, VV_BP_DENSITY, "x", .5, .5},
	{0, 1, VV_BP_DENSITY, "x", .75, .25},
	{0, -1, VV_BP_NORMALIZE, "x", 0, 0},
	{1, -1, VV_BP_NORMALIZE, "x", 0, 1},
	{1, -1, VV_BP_LAMBDA, "x", 0, .1},
	{1, -1, VV_BP_RESCALE, "x", 0, 0},
};

static size_t wrong_numbers(const struct vv_recipe *r)
{
	size_t bad = 0;

	for (size_t i = 0; i < VV_COUNT(numbers); i++) {
		const struct vv_recipe_slice *s = &r->slices[numbers[i].slice];
		double v = vv_recipe_number(r, s, numbers[i].source < 0 ? NULL : &s->sources[numbers[i].source], numbers[i].p,
			numbers[i].tensor, numbers[i].t);
		if (v != numbers[i].want) {
			printf("# %zu: %g, not %g\n", i, v, numbers[i].want);
			bad++;
		}
	}
	return bad;
}

int main(void)
{
	struct vv_recipe r, again;
	json_t *o, *p;
	char *dump;

	CHECK_OK(vv_recipe_parse(&r, vv_span_str(text), "r", &err), &err);
	CHECK_INT(wrong_numbers(&r), 0);
	CHECK(isnan(vv_recipe_number(&r, &r.slices[0], NULL, VV_BP_T, "x", 0)));
	/* As JSON it says the same, but for what models are called. */
	o = vv_recipe_json(&r);
	dump = json_dumps(o, JSON_COMPACT);
	CHECK_OK(vv_recipe_parse(&again, vv_span_str(dump), "j", &err), &err);
	CHECK_INT(wrong_numbers(&again), 0);
	CHECK(again.method == r.method && again.to == VV_DT_F16 && again.seed == 5 && again.n_slices == 2 && again.n_models == 3);
	CHECK(again.slices[0].n == 2 && again.slices[0].sources[1].first == 4 && again.slices[0].sources[1].end == 8);
	CHECK(again.slices[1].base == again.slices[0].sources[0].model && again.base != again.slices[1].base);
	p = vv_recipe_json(&again);
	CHECK(p != NULL);
	json_decref(p);
	json_decref(o);
	free(dump);
	vv_recipe_release(&again);
	vv_recipe_release(&r);
	CHECK(r.base == SIZE_MAX && !r.n_models);
	CHECK_OK(vv_recipe_parse(&r, vv_span_str("models: [{model: x}, {model: y}]\nmerge_method: linear\n"), "r", &err), &err);
	o = vv_recipe_json(&r);
	dump = json_dumps(o, JSON_COMPACT);
	CHECK_STR(dump, "{\"merge_method\":\"linear\",\"models\":[{\"model\":\"0\"},{\"model\":\"1\"}]}");
	json_decref(o);
	free(dump);
	vv_recipe_release(&r);
	return done();
}
