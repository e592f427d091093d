#include "base/check.h"
#include "blend/recipe.h"

#include "tap.h"

static struct vv_err err;

#define HEAD "merge_method: linear\n"
#define MODELS "models:\n- model: a\n- model: b\n"

static const struct {
	const char *text, *says;
	int code;
} bad[] = {
	{"", "f: this is no recipe", VV_EFORMAT},
	{"[1, 2]", "f: this is no recipe", VV_EFORMAT},
	{"models: [{model: a}", "f:2:1: did not find", VV_EFORMAT},
	{HEAD, "f: a recipe without models or slices", VV_EFORMAT},
	{MODELS, "f: a recipe without merge_method", VV_EFORMAT},
	{MODELS "merge_method: tise\n", "f:4:15: no merge method 'tise'", VV_EFORMAT},
	{MODELS "merge_method: [a]\n", "f:4:15: no merge method ''", VV_EFORMAT},
	{HEAD MODELS "mergemethod: x\n", "f:5:1: a recipe has no 'mergemethod'", VV_EFORMAT},
	{HEAD MODELS "? [a]\n: b\n", "f:5:3: a recipe has no 'such key'", VV_EFORMAT},
	{HEAD MODELS HEAD, "f:5:1: merge_method is given twice", VV_EFORMAT},
	{HEAD MODELS "slices: []\n", "f:5:1: a recipe has models or slices, once", VV_EFORMAT},
	{HEAD "models: []\n", "f:2:9: models is empty", VV_EFORMAT},
	{HEAD "models: a\n", "f:2:9: models has to be a list", VV_EFORMAT},
	{HEAD "models: [a]\n", "f:2:10: a model begins with", VV_EFORMAT},
	{HEAD "models: [{parameters: {}}]\n", "a model without", VV_EFORMAT},
	{HEAD "models: [{model: [a]}]\n", "f:2:18: model has to be a word", VV_EFORMAT},
	{HEAD "models: [{model: \"a\\0b\"}]\n", "f:2:18: model has to be a word", VV_EFORMAT},
	{HEAD "models: [{model: a, layer_range: [0, 1]}]\n", "f:2:21: of a model can be said: model, parameters", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: [1]}]\n", "f:2:33: parameters have to be", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {wieght: 1}}]\n", "f:2:34: no method has a parameter 'wieght'", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: 1, weight: 2}}]\n", "weight is given twice", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: x}}]\n", "f:2:42: weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: nan}}]\n", "weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: 1e999}}]\n", "weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: 0x10}}]\n", "weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: true}}]\n", "weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: [1, {}]}}]\n", "weight has to be a number", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: []}}]\n", "weight is empty", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: [{value: 1}, 2]}}]\n", "numbers and filters do not mix", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: {filter: x}}}]\n", "weight has no value", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {weight: {vlaue: 1}}}]\n", "here can be a filter and a value", VV_EFORMAT},
	{HEAD "models: [{model: a, parameters: {density: 1.5}}]\n", "density has to be from 0 to 1, not 1.5", VV_EFORMAT},
	{HEAD MODELS "parameters: {normalize: 2}\n", "normalize has to be from 0 to 1", VV_EFORMAT},
	{HEAD MODELS "parameters: {normalize: maybe}\n", "normalize has to be true or false", VV_EFORMAT},
	{HEAD "slices: [a]\n", "a slice begins with", VV_EFORMAT},
	{HEAD "slices: [{}]\n", "a slice without sources", VV_EFORMAT},
	{HEAD "slices: [{surces: 1}]\n", "of a slice can be said", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a}]}]\n", "a source without layer_range", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a, layer_range: 3}]}]\n", "layer_range has to be two numbers", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a, layer_range: [0, -1]}]}]\n", "layer_range has to be a whole number", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a, layer_range: [2, 2]}]}]\n", "layer_range [2, 2] has no layers", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a, layer_range: [0, 99999999]}]}]\n", "has no layers", VV_EFORMAT},
	{HEAD "slices: [{sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 3]}]}]\n", "as many layers", VV_EFORMAT},
	{HEAD MODELS "dtype: int8\n", "f:5:8: the type has to be", VV_EFORMAT},
	{HEAD MODELS "seed: -1\n", "seed has to be a whole number", VV_EFORMAT},
	{HEAD MODELS "tokenizer_source: union\n", "a union of tokenizers", VV_ENOTSUP},
	{HEAD MODELS "tokenizer: {source: base, tokens: {}}\n", "of a tokenizer varve knows its source only", VV_ENOTSUP},
	{HEAD MODELS "tokenizer: x\n", "tokenizer begins with", VV_EFORMAT},
	{HEAD MODELS "modules: {}\n", "f:5:1: modules: this part", VV_ENOTSUP},
	{HEAD MODELS "chat_template: auto\n", "chat_template: this part", VV_ENOTSUP},
	{HEAD MODELS "---\n" HEAD MODELS, "several recipes in one file", VV_ENOTSUP},
	{HEAD MODELS "---\n[", "f:", VV_EFORMAT},
	{HEAD "models: &m\n- model: *m\n", "f:", VV_EFORMAT},
};

static void test_bad(void)
{
	struct vv_recipe r;

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		err = (struct vv_err)VV_ERR_INIT;
		int ret = vv_recipe_parse(&r, vv_span_str(bad[i].text), "f", &err);
		if (!ret)
			vv_recipe_release(&r);
		CHECK_INT(ret, bad[i].code);
		CHECK(strstr(err.msg, bad[i].says));
		if (!strstr(err.msg, bad[i].says))
			printf("# \"%s\" lacks \"%s\"\n", err.msg, bad[i].says);
	}
}

static void test_good(void)
{
	static const char text[] = "# a comment\nmerge_method: slerp\nbase_model: b\nmodels:\n- model: &x a\n- model: b\n"
				   "  parameters:\nparameters:\n  t:\n  - filter: self_attn\n    value: [0, 0.5, 0.3]\n  - value: 0.5\n"
				   "dtype: bfloat16\nout_dtype: float32\ntokenizer:\n  source: *x\n";
	struct vv_recipe r;

	CHECK_OK(vv_recipe_parse(&r, vv_span_str(text), "f", &err), &err);
	CHECK(!strcmp(r.method->name, "slerp") && r.n_models == 2 && !strcmp(r.models[r.base], "b"));
	CHECK(r.to == VV_DT_F32 && !strcmp(r.models[r.tokenizer], "a") && r.n_slices == 1 && r.slices[0].n == 2);
	CHECK(r.params.n == 1 && r.params.v[0].n == 2 && r.params.v[0].values[0].n == 3 && !r.params.v[0].values[1].filter);
	vv_recipe_release(&r);
	CHECK_OK(vv_recipe_parse(&r, vv_span_str(HEAD MODELS "base_model: null\nparameters: null\ndtype: auto\n"
						       "tokenizer_source: base\ntokenizer: {source: base}\n"), "f", &err), &err);
	CHECK(r.base == SIZE_MAX && r.to == VV_DT_BYTES && r.tokenizer == SIZE_MAX);
	vv_recipe_release(&r);
	CHECK_OK(vv_recipe_parse(&r, vv_span_str(HEAD MODELS "parameters: {normalize: False}\nout_dtype: null\ndtype: bf16\n"),
			 "f", &err), &err);
	CHECK(r.to == VV_DT_BF16 && r.params.v[0].values[0].v[0] == 0);
	vv_recipe_release(&r);
}

/* Anchors that repeat lists: what they come to is counted, not what is written. Too long a text. Many models. */
static void test_bounds(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_recipe r;

	vv_buf_str(&b, HEAD "parameters: {weight: [{value: &v [0");
	for (size_t i = 0; i < 2000; i++)
		vv_buf_str(&b, ",1");
	vv_buf_str(&b, "]}");
	for (size_t i = 0; i < 2000; i++)
		vv_buf_str(&b, ",{value: *v}");
	vv_buf_str(&b, "]}\n" MODELS);
	CHECK_INT(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), VV_ELIMIT);
	CHECK(strstr(err.msg, "values"));
	vv_buf_clear(&b);
	while (b.len <= VV_MAX_RECIPE)
		vv_buf_str(&b, "# nothing\n");
	CHECK_INT(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), VV_ELIMIT);
	vv_buf_clear(&b);
	vv_buf_str(&b, HEAD "models:\n");
	for (size_t i = 0; i < 100; i++)
		vv_buf_fmt(&b, "- {model: m%zu}\n- {model: m0}\n", i);
	CHECK_OK(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), &err);
	CHECK(r.n_models == 100 && !strcmp(r.models[99], "m99") && r.slices[0].n == 200 && r.slices[0].sources[199].model == 0);
	vv_recipe_release(&r);
	vv_buf_clear(&b);
	for (size_t i = 0; i < VV_MAX_RECIPE; i++)
		vv_buf_char(&b, i % 2 ? '[' : '{');
	CHECK_INT(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), VV_ELIMIT);
	vv_buf_clear(&b);
	for (size_t i = 0; i < VV_MAX_RECIPE / 2; i++)
		vv_buf_str(&b, "- ");
	CHECK_INT(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), VV_ELIMIT);
	/* Each line a step in. */
	vv_buf_clear(&b);
	for (size_t i = 0; i < 300; i++)
		vv_buf_fmt(&b, "%*sa:\n", (int)i, "");
	CHECK_INT(vv_recipe_parse(&r, vv_buf_view(&b), "f", &err), VV_EFORMAT);
	vv_buf_release(&b);
}

int main(void)
{
	test_bad();
	test_good();
	test_bounds();
	return done();
}
