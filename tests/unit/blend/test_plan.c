#include "blend/plan.h"

#include "tap.h"
#include "toy.h"

static struct vv_err err;
static struct vv_blend_plan plan;

/* A model of `layers` layers, with what is around them; `more` and `less` (NULL: none) change its tensors. */
static void model(struct toy *t, unsigned layers, const char *more, const char *less)
{
	static const char *const parts[] = {"mlp.weight", "norm.weight"};
	float v[4] = {(float)layers, 1, 2, 3};
	static char names[64][48];
	static size_t n;

	toy_init(t);
	toy_tensor(t, "model.embed.weight", VV_DT_F32, 4, v);
	for (unsigned i = 0; i < layers; i++)
		for (unsigned k = 0; k < 2; k++) {
			char *name = names[n++ % 64];
			snprintf(name, sizeof(names[0]), "model.layers.%u.%s", i, parts[k]);
			if (!less || strcmp(name, less) != 0)
				toy_tensor(t, name, VV_DT_F32, 4, v);
		}
	toy_tensor(t, "step", VV_DT_I32, 1, v);
	toy_tensor(t, "lm_head.weight", VV_DT_F32, 4, v);
	if (more)
		toy_tensor(t, more, VV_DT_F32, 4, v);
	toy_done(t);
}

static int make(const char *text, const struct toy *const *toys)
{
	static const char *const files[] = {"A", "B", "C", "D"};
	static struct vv_blend_model m[4];
	static struct vv_recipe r;
	int ret;

	vv_recipe_release(&r);
	vv_blend_plan_release(&plan);
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_recipe_parse(&r, vv_span_str(text), "f", &err);
	for (size_t i = 0; i < r.n_models && !ret; i++)
		m[i] = (struct vv_blend_model){toys[i]->v, files[i]};
	return ret ? ret : vv_blend_plan_make(&plan, &r, m, &err);
}

static const struct vv_blend_tensor *find(const char *name)
{
	for (size_t i = 0; i < plan.n; i++)
		if (!strcmp(plan.t[i].name, name))
			return &plan.t[i];
	return NULL;
}

static const char *from(const struct vv_blend_in *in)
{
	return in->from->m->segs[in->seg].seg.views[in->view].name;
}

static void test_all(const struct toy *a, const struct toy *b)
{
	const struct toy *const ab[] = {a, b}, *const aba[] = {a, b, a};
	const struct vv_blend_tensor *t;

	CHECK_OK(make("models: [{model: a, parameters: {weight: [0, 1]}}, {model: b, parameters: {weight: {filter: mlp, value: 3}}}]\n"
		      "merge_method: linear\ndtype: bf16\nseed: 9", ab), &err);
	CHECK(plan.n == 9 && plan.layers == 3 && plan.bytes == 8 * 8 + 4);
	t = find("model.layers.1.mlp.weight");
	CHECK(t && t->n == 2 && t->in[0].p[VV_BP_WEIGHT] == .5 && t->in[1].p[VV_BP_WEIGHT] == 3 && t->to == VV_DT_BF16 && t->seed == 9);
	t = find("model.layers.2.norm.weight");
	CHECK(t && t->in[0].p[VV_BP_WEIGHT] == 1 && t->in[1].p[VV_BP_WEIGHT] == 1 && t->method);
	t = find("lm_head.weight");
	CHECK(t && t->in[0].p[VV_BP_WEIGHT] == 0);
	t = find("step");
	CHECK(t && !t->method && t->n == 1 && t->to == VV_DT_I32);
	/* A base that is apart, one that comes first, one that is told by itself. */
	CHECK_OK(make("models: [{model: a}, {model: b}, {model: c}]\nbase_model: b\nmerge_method: ties", aba), &err);
	t = find("lm_head.weight");
	CHECK(t && t->n == 2 && t->base && t->base->from->m == &b->m && t->to == VV_DT_F32);
	CHECK_OK(make("models: [{model: a}, {model: b}]\nbase_model: b\nmerge_method: slerp\nparameters: {t: 0.5}", ab), &err);
	t = find("lm_head.weight");
	CHECK(t && t->n == 2 && !t->base && t->in[0].from->m == &b->m && t->in[1].from->m == &a->m);
	CHECK_OK(make("base_model: a\nmodels: [{model: b}]\nmerge_method: slerp\nparameters: {t: 0.5}", ab), &err);
	CHECK_OK(make("models: [{model: a}]\nmerge_method: passthrough", ab), &err);
	t = find("lm_head.weight");
	CHECK(t && !t->method);
	CHECK_OK(make("models: [{model: a, parameters: {scale: 2}}]\nmerge_method: passthrough", ab), &err);
	t = find("lm_head.weight");
	CHECK(t && t->method);
}

static void test_slices(const struct toy *a, const struct toy *b)
{
	const struct toy *const ab[] = {a, b};
	const struct vv_blend_tensor *t;

	CHECK_OK(make("merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [0, 2]}]\n"
		      "- sources: [{model: b, layer_range: [1, 3]}]\n", ab), &err);
	CHECK(plan.n == 11 && plan.layers == 4);
	t = find("model.layers.2.mlp.weight");
	CHECK(t && t->in[0].from->m == &b->m);
	if (t)
		CHECK_STR(from(&t->in[0]), "model.layers.1.mlp.weight");
	t = find("model.embed.weight");
	CHECK(t == &plan.t[0] && t->in[0].from->m == &a->m);
	t = find("lm_head.weight");
	CHECK(t && t->in[0].from->m == &b->m);
	CHECK_OK(make("merge_method: slerp\nbase_model: b\nslices:\n- sources: [{model: a, layer_range: [0, 2]}, "
		      "{model: b, layer_range: [1, 3]}]\n  parameters: {t: [0, 1]}\n", ab), &err);
	t = find("model.layers.0.mlp.weight");
	CHECK(t && t->p[VV_BP_T] == 0);
	if (t)
		CHECK_STR(from(&t->in[0]), "model.layers.1.mlp.weight");
	t = find("model.layers.1.mlp.weight");
	CHECK(t && t->p[VV_BP_T] == 1);
	CHECK_INT(make("merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [1, 4]}]}]", ab), VV_EFORMAT);
	CHECK_STR(err.msg, "A has no layer 3");
	CHECK_INT(make("merge_method: linear\nslices: [{sources: [{model: a, layer_range: [1, 2]}, {model: b, layer_range: [3, 4]}]}]",
			  ab), VV_EFORMAT);
	CHECK_STR(err.msg, "B has no tensor \"model.layers.3.mlp.weight\"");
}

static void test_refused(const struct toy *a, const struct toy *b)
{
	static const char linear[] = "merge_method: linear\nmodels: [{model: a}, {model: b}]";
	const struct toy *const ab[] = {a, b}, *const abc[] = {a, b, a};
	const struct toy *pair[] = {a, NULL};
	struct toy odd;

	CHECK_INT(make("merge_method: ties\nmodels: [{model: a}, {model: b}]", ab), VV_EUSAGE);
	CHECK_STR(err.msg, "ties needs a base model");
	CHECK_INT(make("merge_method: slerp\nmodels: [{model: a}, {model: b}]", ab), VV_EUSAGE);
	CHECK(strstr(err.msg, "slerp needs the parameter t"));
	CHECK_INT(make("merge_method: slerp\nmodels: [{model: a}, {model: b}, {model: c}]\nparameters: {t: 1}", abc), VV_EUSAGE);
	CHECK_STR(err.msg, "slerp takes 2 models, not 3");
	CHECK_INT(make("merge_method: model_stock\nbase_model: a\nmodels: [{model: b}]", ab), VV_EUSAGE);
	CHECK_STR(err.msg, "model_stock takes at least 2 models and a base, not 1");
	model(&odd, 3, NULL, "model.layers.1.norm.weight");
	pair[1] = &odd;
	CHECK_INT(make(linear, pair), VV_EFORMAT);
	CHECK_STR(err.msg, "B has no tensor \"model.layers.1.norm.weight\"");
	toy_release(&odd);
	model(&odd, 3, "more", NULL);
	CHECK_INT(make(linear, pair), VV_EFORMAT);
	CHECK_STR(err.msg, "A has no tensor \"more\", which B has");
	toy_release(&odd);
	toy_init(&odd);
	toy_segment(&odd, VV_DT_BYTES, "x", 1);
	toy_done(&odd);
	CHECK_INT(make(linear, pair), VV_ENOTSUP);
	CHECK(strstr(err.msg, "B: no tensors are seen"));
	CHECK_INT(make("merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [0, 1]}]}]",
			  (const struct toy *const[]){&odd}), VV_ENOTSUP);
	toy_release(&odd);
}

/* Types that do not go together; such as are not merged. */
static void test_types(void)
{
	static const float v[2] = {1, 2}, u[2] = {3, 4};
	static const struct {
		enum vv_dtype a, b;
		const void *x, *y;
		int code;
		const char *says;
	} rows[] = {
		{VV_DT_F32, VV_DT_I32, v, u, VV_EFORMAT, "\"w\" is f32 in A and i32 in B"},
		{VV_DT_F8_E4M3, VV_DT_F8_E4M3, "ab", "cd", VV_ENOTSUP, "\"w\" differs and is of type f8_e4m3"},
		{VV_DT_F8_E4M3, VV_DT_F8_E4M3, v, v, 0, ""},
		{VV_DT_BOOL, VV_DT_BOOL, v, u, 0, ""},
		{VV_DT_F16, VV_DT_BF16, v, u, 0, ""},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct toy a, b;
		const struct toy *const ab[] = {&a, &b};
		toy_init(&a);
		toy_tensor(&a, "w", rows[i].a, 2, rows[i].x);
		toy_done(&a);
		toy_init(&b);
		toy_tensor(&b, "w", rows[i].b, 2, rows[i].y);
		toy_done(&b);
		CHECK_INT(make("merge_method: linear\nmodels: [{model: a}, {model: b}]", ab), rows[i].code);
		CHECK(strstr(err.msg, rows[i].says));
		vv_blend_plan_release(&plan);
		toy_release(&a);
		toy_release(&b);
	}
}

static void test_names(void)
{
	size_t at;
	uint64_t layer;

	CHECK(vv_layer_of("a.b.12.c.3", &at, &layer) && at == 4 && layer == 12);
	CHECK(vv_layer_of("7", &at, &layer) && at == 0 && layer == 7);
	CHECK(vv_layer_of("h.03", &at, &layer) && layer == 3);
	CHECK(!vv_layer_of("a.b2.c", &at, &layer) && !vv_layer_of("", &at, &layer) && !vv_layer_of("a.", &at, &layer));
	CHECK(!vv_layer_of("a.99999999999999999999.b", &at, &layer) && !vv_layer_of("a.1000000.b", &at, &layer));
}

int main(void)
{
	struct toy a, b;

	model(&a, 3, NULL, NULL);
	model(&b, 3, NULL, NULL);
	test_all(&a, &b);
	test_slices(&a, &b);
	test_refused(&a, &b);
	vv_blend_plan_release(&plan);
	toy_release(&a);
	toy_release(&b);
	test_types();
	test_names();
	return done();
}
