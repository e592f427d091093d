/* Recipes from YAML. libyaml makes a tree of the text; the tree is walked along the recipe's shape, never deeper. */
#include "blend/recipe.h"

#include "base/quote.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

struct reader {
	struct vv_recipe *r;
	const char *name;
	yaml_document_t doc;
	size_t values, models_cap;
	struct vv_err *err;
};

static int wrong(struct reader *rd, const yaml_node_t *at, int code, const char *fmt, ...) VV_PRINTF(4, 5);
static int wrong(struct reader *rd, const yaml_node_t *at, int code, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return vv_fail(rd->err, code, "%s:%zu:%zu: %s", rd->name, at->start_mark.line + 1, at->start_mark.column + 1, text);
}

static yaml_node_t *node(struct reader *rd, int id)
{
	return yaml_document_get_node(&rd->doc, id);
}

static const char *text_of(const yaml_node_t *n)
{
	return (const char *)n->data.scalar.value;
}

static bool is(const yaml_node_t *n, const char *text)
{
	return n->type == YAML_SCALAR_NODE && !strcmp(text_of(n), text);
}

/* A scalar that is there and has no NUL inside. */
static int word(struct reader *rd, const yaml_node_t *n, const char *what, const char **out)
{
	if (n->type != YAML_SCALAR_NODE || !n->data.scalar.length || strlen(text_of(n)) != n->data.scalar.length)
		return wrong(rd, n, VV_EFORMAT, "%s has to be a word", what);
	*out = vv_arena_copy(&rd->r->arena, vv_span_str(text_of(n)));
	return *out ? 0 : vv_fail_nomem(rd->err);
}

/* For a list: n items of `size`. */
static int list(struct reader *rd, const yaml_node_t *n, const char *what, size_t size, size_t *len, void *out)
{
	void *p;

	if (n->type != YAML_SEQUENCE_NODE)
		return wrong(rd, n, VV_EFORMAT, "%s has to be a list", what);
	*len = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	if (!*len)
		return wrong(rd, n, VV_EFORMAT, "%s is empty", what);
	rd->values += *len;
	if (rd->values > VV_MAX_RECIPE_VALUES)
		return wrong(rd, n, VV_ELIMIT, "more than %d values", VV_MAX_RECIPE_VALUES);
	p = vv_arena_array(&rd->r->arena, *len, size);
	if (!p)
		return vv_fail_nomem(rd->err);
	*(void **)out = p;
	return 0;
}

static yaml_node_t *item(struct reader *rd, const yaml_node_t *n, size_t i)
{
	return node(rd, n->data.sequence.items.start[i]);
}

static int count(struct reader *rd, const yaml_node_t *n, const char *what, uint64_t *out)
{
	const char *s = n->type == YAML_SCALAR_NODE ? text_of(n) : "";
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end || errno)
		return wrong(rd, n, VV_EFORMAT, "%s has to be a whole number", what);
	return 0;
}

/* --- parameters --- */

static int number(struct reader *rd, const yaml_node_t *n, enum vv_blend_param p, double *out)
{
	const struct vv_blend_param_info *info = &vv_blend_params[p];
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "on"}, *const no[] = {"false", "False", "FALSE", "no", "off"};
	const char *s = n->type == YAML_SCALAR_NODE ? text_of(n) : "";
	char *end = NULL;
	double v = NAN;

	for (size_t i = 0; i < VV_COUNT(yes) && info->flag; i++) {
		v = !strcmp(s, yes[i]) ? 1 : v;
		v = !strcmp(s, no[i]) ? 0 : v;
	}
	if (v != v && s[0] && strspn(s, "0123456789+-.eE") == strlen(s)) {
		v = strtod(s, &end);
		v = *end || end == s ? (double)NAN : v;
	}
	if (v != v || isinf(v))
		return wrong(rd, n, VV_EFORMAT, "%s has to be %s", info->name, info->flag ? "true or false" : "a number");
	if (v < info->min || v > info->max)
		return wrong(rd, n, VV_EFORMAT, "%s has to be from %g to %g, not %s", info->name, info->min, info->max, s);
	*out = v;
	return 0;
}

/* A number, or a list of them. */
static int numbers(struct reader *rd, const yaml_node_t *n, enum vv_blend_param p, struct vv_recipe_value *out)
{
	double *v = NULL;
	int ret = 0;

	if (n->type != YAML_SEQUENCE_NODE) {
		v = vv_arena_array(&rd->r->arena, 1, sizeof(*v));
		out->n = 1;
		ret = v ? number(rd, n, p, v) : vv_fail_nomem(rd->err);
	} else {
		ret = list(rd, n, vv_blend_params[p].name, sizeof(*v), &out->n, &v);
		for (size_t i = 0; i < out->n && !ret; i++)
			ret = number(rd, item(rd, n, i), p, &v[i]);
	}
	out->v = v;
	return ret;
}

/* {filter: TEXT, value: NUMBERS} */
static int filtered(struct reader *rd, const yaml_node_t *n, enum vv_blend_param p, struct vv_recipe_value *out)
{
	int ret = 0;

	if (n->type != YAML_MAPPING_NODE)
		return wrong(rd, n, VV_EFORMAT, "%s: numbers and filters do not mix", vv_blend_params[p].name);
	for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top && !ret; q++) {
		yaml_node_t *key = node(rd, q->key), *value = node(rd, q->value);
		if (is(key, "filter"))
			ret = is(value, "null") || is(value, "~") || is(value, "") ? 0 : word(rd, value, "filter", &out->filter);
		else if (is(key, "value"))
			ret = numbers(rd, value, p, out);
		else
			ret = wrong(rd, key, VV_EFORMAT, "here can be a filter and a value");
	}
	return ret || out->n ? ret : wrong(rd, n, VV_EFORMAT, "%s has no value", vv_blend_params[p].name);
}

static int param(struct reader *rd, const yaml_node_t *n, struct vv_recipe_param *out)
{
	struct vv_recipe_value *v = NULL;
	bool filters = n->type == YAML_SEQUENCE_NODE && n->data.sequence.items.top > n->data.sequence.items.start &&
		item(rd, n, 0)->type == YAML_MAPPING_NODE;
	int ret = 0;

	out->n = 1;
	if (filters) {
		ret = list(rd, n, vv_blend_params[out->p].name, sizeof(*v), &out->n, &v);
		for (size_t i = 0; i < out->n && !ret; i++)
			ret = filtered(rd, item(rd, n, i), out->p, &v[i]);
	} else {
		v = vv_arena_array(&rd->r->arena, 1, sizeof(*v));
		if (!v)
			return vv_fail_nomem(rd->err);
		ret = n->type == YAML_MAPPING_NODE ? filtered(rd, n, out->p, v) : numbers(rd, n, out->p, v);
	}
	out->values = v;
	return ret;
}

static int params(struct reader *rd, const yaml_node_t *n, struct vv_recipe_params *out)
{
	struct vv_recipe_param *v;
	size_t cap;
	int ret = 0;

	if (n->type != YAML_MAPPING_NODE)
		return wrong(rd, n, VV_EFORMAT, "parameters have to be names and values");
	cap = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	v = vv_arena_array(&rd->r->arena, cap, sizeof(*v));
	if (cap && !v)
		return vv_fail_nomem(rd->err);
	*out = (struct vv_recipe_params){v, 0};
	for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top && !ret; q++) {
		yaml_node_t *key = node(rd, q->key);
		const char *name = key->type == YAML_SCALAR_NODE ? text_of(key) : "";

		v[out->n].p = vv_blend_param_find(vv_span_str(name));
		if (v[out->n].p == VV_BP_COUNT)
			return wrong(rd, key, VV_EFORMAT, "no method has a parameter '%.64s'", name);
		for (size_t i = 0; i < out->n; i++)
			if (v[i].p == v[out->n].p)
				return wrong(rd, key, VV_EFORMAT, "%s is given twice", name);
		ret = param(rd, node(rd, q->value), &v[out->n]);
		out->n++;
	}
	return ret;
}

/* --- models and slices --- */

static int model(struct reader *rd, const yaml_node_t *n, const char *what, size_t *out)
{
	struct vv_recipe *r = rd->r;
	const char *name, **v;
	int ret = word(rd, n, what, &name);

	if (ret)
		return ret;
	for (size_t i = 0; i < r->n_models; i++)
		if (!strcmp(r->models[i], name)) {
			*out = i;
			return 0;
		}
	if (r->n_models == rd->models_cap) {
		rd->models_cap = rd->models_cap ? 2 * rd->models_cap : 16;
		v = vv_arena_array(&r->arena, rd->models_cap, sizeof(*v));
		if (!v)
			return vv_fail_nomem(rd->err);
		if (r->n_models)
			memcpy(v, r->models, r->n_models * sizeof(*v));
		r->models = v;
	}
	r->models[*out = r->n_models++] = name;
	return 0;
}

static int range(struct reader *rd, const yaml_node_t *n, struct vv_recipe_source *out)
{
	int ret;

	if (n->type != YAML_SEQUENCE_NODE || n->data.sequence.items.top - n->data.sequence.items.start != 2)
		return wrong(rd, n, VV_EFORMAT, "layer_range has to be two numbers");
	ret = count(rd, item(rd, n, 0), "layer_range", &out->first);
	if (!ret)
		ret = count(rd, item(rd, n, 1), "layer_range", &out->end);
	if (!ret && (out->end <= out->first || out->end > VV_MAX_TENSORS))
		ret = wrong(rd, n, VV_EFORMAT, "layer_range [%" PRIu64 ", %" PRIu64 "] has no layers", out->first, out->end);
	out->ranged = true;
	return ret;
}

static int source(struct reader *rd, const yaml_node_t *n, bool ranged, struct vv_recipe_source *out)
{
	int ret = 0;

	if (n->type != YAML_MAPPING_NODE)
		return wrong(rd, n, VV_EFORMAT, "a model begins with \"model:\"");
	out->model = SIZE_MAX;
	for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top && !ret; q++) {
		yaml_node_t *key = node(rd, q->key), *value = node(rd, q->value);
		if (is(key, "model"))
			ret = model(rd, value, "model", &out->model);
		else if (is(key, "parameters"))
			ret = is(value, "null") || is(value, "") ? 0 : params(rd, value, &out->params);
		else if (ranged && is(key, "layer_range"))
			ret = range(rd, value, out);
		else
			ret = wrong(rd, key, VV_EFORMAT, "of a model can be said: model, %sparameters", ranged ? "layer_range, " : "");
	}
	if (!ret && out->model == SIZE_MAX)
		ret = wrong(rd, n, VV_EFORMAT, "a model without \"model:\"");
	if (!ret && ranged && !out->ranged)
		ret = wrong(rd, n, VV_EFORMAT, "a source without layer_range");
	return ret;
}

static int sources(struct reader *rd, const yaml_node_t *n, bool ranged, struct vv_recipe_slice *out)
{
	struct vv_recipe_source *v = NULL;
	int ret = list(rd, n, ranged ? "sources" : "models", sizeof(*v), &out->n, &v);

	for (size_t i = 0; i < out->n && !ret; i++) {
		ret = source(rd, item(rd, n, i), ranged, &v[i]);
		if (!ret && ranged && v[i].end - v[i].first != v[0].end - v[0].first)
			ret = wrong(rd, item(rd, n, i), VV_EFORMAT, "the sources of a slice have to have as many layers");
	}
	out->sources = v;
	return ret;
}

static int slice(struct reader *rd, const yaml_node_t *n, struct vv_recipe_slice *out)
{
	int ret = 0;

	if (n->type != YAML_MAPPING_NODE)
		return wrong(rd, n, VV_EFORMAT, "a slice begins with \"sources:\"");
	out->base = SIZE_MAX;
	for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top && !ret; q++) {
		yaml_node_t *key = node(rd, q->key), *value = node(rd, q->value);
		if (is(key, "sources"))
			ret = sources(rd, value, true, out);
		else if (is(key, "base_model"))
			ret = model(rd, value, "base_model", &out->base);
		else if (is(key, "parameters"))
			ret = is(value, "null") || is(value, "") ? 0 : params(rd, value, &out->params);
		else
			ret = wrong(rd, key, VV_EFORMAT, "of a slice can be said: sources, base_model, parameters");
	}
	return ret || out->n ? ret : wrong(rd, n, VV_EFORMAT, "a slice without sources");
}

static int slices(struct reader *rd, const yaml_node_t *key, const yaml_node_t *n)
{
	struct vv_recipe *r = rd->r;
	struct vv_recipe_slice *v = NULL;
	bool ranged = is(key, "slices");
	int ret = 0;

	if (r->n_slices)
		return wrong(rd, key, VV_EFORMAT, "a recipe has models or slices, once");
	if (ranged) {
		ret = list(rd, n, "slices", sizeof(*v), &r->n_slices, &v);
		for (size_t i = 0; i < r->n_slices && !ret; i++)
			ret = slice(rd, item(rd, n, i), &v[i]);
	} else {
		v = vv_arena_array(&r->arena, 1, sizeof(*v));
		if (!v)
			return vv_fail_nomem(rd->err);
		r->n_slices = 1;
		v->base = SIZE_MAX;
		ret = sources(rd, n, false, v);
	}
	r->slices = v;
	return ret;
}

/* --- the rest of it --- */

static int type(struct reader *rd, const yaml_node_t *n, enum vv_dtype *out)
{
	static const struct {
		const char *name;
		enum vv_dtype dt;
	} names[] = {{"float32", VV_DT_F32}, {"float16", VV_DT_F16}, {"bfloat16", VV_DT_BF16}, {"float64", VV_DT_F64}};

	if (is(n, "null") || is(n, "auto"))
		return 0;
	for (size_t i = 0; i < VV_COUNT(names); i++)
		if (is(n, names[i].name) || is(n, vv_dtype_info(names[i].dt)->name)) {
			*out = names[i].dt;
			return 0;
		}
	return wrong(rd, n, VV_EFORMAT, "the type has to be float32, float16, bfloat16 or float64");
}

static int tokenizer_from(struct reader *rd, const yaml_node_t *n)
{
	if (is(n, "base") || is(n, "null") || is(n, ""))
		return 0;
	if (is(n, "union"))
		return wrong(rd, n, VV_ENOTSUP, "a union of tokenizers is not made by varve: base, or a model's");
	return model(rd, n, "tokenizer", &rd->r->tokenizer);
}

static int tokenizer(struct reader *rd, const yaml_node_t *n)
{
	int ret = 0;

	if (n->type != YAML_MAPPING_NODE)
		return wrong(rd, n, VV_EFORMAT, "tokenizer begins with \"source:\"");
	for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < n->data.mapping.pairs.top && !ret; q++) {
		yaml_node_t *key = node(rd, q->key);
		ret = is(key, "source") ? tokenizer_from(rd, node(rd, q->value))
					: wrong(rd, key, VV_ENOTSUP, "of a tokenizer varve knows its source only");
	}
	return ret;
}

static int method(struct reader *rd, const yaml_node_t *n)
{
	rd->r->method = n->type == YAML_SCALAR_NODE ? vv_blend_find(vv_span_str(text_of(n))) : NULL;
	return rd->r->method ? 0 : wrong(rd, n, VV_EFORMAT, "no merge method '%.64s'; see varve-merge(1)",
		n->type == YAML_SCALAR_NODE ? text_of(n) : "");
}

static int entry(struct reader *rd, const yaml_node_t *key, const yaml_node_t *n, enum vv_dtype *dtype)
{
	static const char *const known[] = {"modules", "chat_template", "name", "residual_weight"};

	if (is(key, "merge_method"))
		return method(rd, n);
	if (is(key, "models") || is(key, "slices"))
		return slices(rd, key, n);
	if (is(key, "base_model"))
		return is(n, "null") ? 0 : model(rd, n, "base_model", &rd->r->base);
	if (is(key, "parameters"))
		return is(n, "null") || is(n, "") ? 0 : params(rd, n, &rd->r->params);
	if (is(key, "dtype"))
		return type(rd, n, dtype);
	if (is(key, "out_dtype"))
		return type(rd, n, &rd->r->to);
	if (is(key, "tokenizer_source"))
		return tokenizer_from(rd, n);
	if (is(key, "tokenizer"))
		return tokenizer(rd, n);
	if (is(key, "seed"))
		return count(rd, n, "seed", &rd->r->seed);
	for (size_t i = 0; i < VV_COUNT(known); i++)
		if (is(key, known[i]))
			return wrong(rd, key, VV_ENOTSUP, "%s: this part of mergekit's recipes is not done by varve", known[i]);
	return wrong(rd, key, VV_EFORMAT, "a recipe has no '%.64s'", key->type == YAML_SCALAR_NODE ? text_of(key) : "such key");
}

static int whole(struct reader *rd)
{
	struct vv_recipe *r = rd->r;
	yaml_node_t *root = yaml_document_get_root_node(&rd->doc);
	enum vv_dtype dtype = VV_DT_BYTES;
	int ret = 0;

	if (!root || root->type != YAML_MAPPING_NODE)
		return vv_fail(rd->err, VV_EFORMAT, "%s: this is no recipe: \"merge_method:\" is not there", rd->name);
	for (yaml_node_pair_t *q = root->data.mapping.pairs.start; q < root->data.mapping.pairs.top && !ret; q++) {
		for (yaml_node_pair_t *o = root->data.mapping.pairs.start; o < q && !ret; o++)
			if (node(rd, q->key)->type == YAML_SCALAR_NODE && is(node(rd, o->key), text_of(node(rd, q->key))))
				ret = wrong(rd, node(rd, q->key), VV_EFORMAT, "%.64s is given twice", text_of(node(rd, q->key)));
		if (!ret)
			ret = entry(rd, node(rd, q->key), node(rd, q->value), &dtype);
	}
	if (!ret && !r->method)
		ret = vv_fail(rd->err, VV_EFORMAT, "%s: a recipe without merge_method", rd->name);
	if (!ret && !r->n_slices)
		ret = vv_fail(rd->err, VV_EFORMAT, "%s: a recipe without models or slices", rd->name);
	if (r->to == VV_DT_BYTES)
		r->to = dtype;
	return ret;
}

static int yaml_error(const yaml_parser_t *p, const char *name, struct vv_err *err)
{
	if (p->error == YAML_MEMORY_ERROR)
		return vv_fail_nomem(err);
	return vv_fail(err, VV_EFORMAT, "%s:%zu:%zu: %s", name, p->problem_mark.line + 1, p->problem_mark.column + 1,
		p->problem ? p->problem : "this is no YAML");
}

/*
 * libyaml's time grows with the depth, too. Brackets are counted wherever they stand, also in words and comments; of
 * "- - -" each is a step.
 */
static bool too_deep(struct vv_span text)
{
	size_t depth = 0, dashes = 0, most = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.ptr[i];
		depth += c == '[' || c == '{';
		depth -= depth && (c == ']' || c == '}');
		dashes = c == '-' || c == '?' || c == ':' ? dashes + 1 : c == ' ' ? dashes : 0;
		most = depth > most ? depth : dashes > most ? dashes : most;
	}
	return most > VV_MAX_RECIPE_DEPTH;
}

int vv_recipe_parse(struct vv_recipe *r, struct vv_span text, const char *name, struct vv_err *err)
{
	struct reader rd = {.r = r, .name = name, .err = err};
	yaml_parser_t p;
	yaml_document_t next;
	int ret;

	*r = (struct vv_recipe){.base = SIZE_MAX, .tokenizer = SIZE_MAX};
	if (text.len > VV_MAX_RECIPE)
		return vv_fail(err, VV_ELIMIT, "%s: a recipe of more than %d bytes", name, VV_MAX_RECIPE);
	if (too_deep(text))
		return vv_fail(err, VV_ELIMIT, "%s: brackets within brackets, more than %d deep", name, VV_MAX_RECIPE_DEPTH);
	if (!yaml_parser_initialize(&p))
		return vv_fail_nomem(err);
	yaml_parser_set_input_string(&p, text.ptr ? text.ptr : (const uint8_t *)"", text.len);
	if (!yaml_parser_load(&p, &rd.doc)) {
		ret = yaml_error(&p, name, err);
	} else {
		ret = whole(&rd);
		yaml_document_delete(&rd.doc);
		if (!ret && !yaml_parser_load(&p, &next)) {
			ret = yaml_error(&p, name, err);
		} else if (!ret) {
			if (yaml_document_get_root_node(&next))
				ret = vv_fail(err, VV_ENOTSUP, "%s: several recipes in one file are not done by varve", name);
			yaml_document_delete(&next);
		}
	}
	yaml_parser_delete(&p);
	if (ret)
		vv_recipe_release(r);
	return ret;
}
