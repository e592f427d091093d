#include "blend/recipe.h"

#include <math.h>
#include <string.h>

void vv_recipe_release(struct vv_recipe *r)
{
	vv_arena_release(&r->arena);
	*r = (struct vv_recipe){.base = SIZE_MAX, .tokenizer = SIZE_MAX};
}

static double gradient(const struct vv_recipe_value *v, double t)
{
	double at = t * (double)(v->n - 1), part;
	size_t i = (size_t)at, next = i + 1 < v->n ? i + 1 : v->n - 1;

	part = at - (double)i;
	return (1 - part) * v->v[i] + part * v->v[next];
}

/* NaN: it is not there, or none of its filters matches. */
static double in_params(const struct vv_recipe_params *ps, enum vv_blend_param p, const char *tensor, double t)
{
	for (size_t i = 0; i < ps->n; i++) {
		const struct vv_recipe_param *q = &ps->v[i];
		if (q->p != p)
			continue;
		for (size_t k = 0; k < q->n; k++)
			if (!q->values[k].filter || !strcmp(q->values[k].filter, "*") || strstr(tensor, q->values[k].filter))
				return gradient(&q->values[k], t);
	}
	return NAN;
}

double vv_recipe_number(const struct vv_recipe *r, const struct vv_recipe_slice *slice,
	const struct vv_recipe_source *source, enum vv_blend_param p, const char *tensor, double t)
{
	double v = source ? in_params(&source->params, p, tensor, t) : NAN;

	if (v != v)
		v = in_params(&slice->params, p, tensor, t);
	if (v != v)
		v = in_params(&r->params, p, tensor, t);
	return v == v ? v : vv_blend_usual(r->method, p);
}

/* --- as JSON --- */

/* A value that is NULL, and memory that is gone, fail: what is left is no recipe. */
static bool put(json_t *o, const char *key, json_t *v)
{
	return !json_object_set_new(o, key, v);
}

static bool append(json_t *list, json_t *v)
{
	return !json_array_append_new(list, v);
}

/* `o`, if it is whole. */
static json_t *whole(json_t *o, bool good)
{
	if (good && o)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *number(enum vv_blend_param p, double v)
{
	return vv_blend_params[p].flag ? json_boolean(v != 0) : json_real(v);
}

static json_t *value_json(enum vv_blend_param p, const struct vv_recipe_value *v)
{
	json_t *list;
	bool good = true;

	if (v->n == 1)
		return number(p, v->v[0]);
	list = json_array();
	for (size_t i = 0; i < v->n; i++)
		good &= append(list, number(p, v->v[i]));
	return whole(list, good);
}

static json_t *filtered_json(enum vv_blend_param p, const struct vv_recipe_value *v)
{
	json_t *o = json_object();
	bool good = put(o, "value", value_json(p, v)) && (!v->filter || put(o, "filter", json_string(v->filter)));

	return whole(o, good);
}

static json_t *params_json(const struct vv_recipe_params *ps)
{
	json_t *all = json_object();
	bool good = true;

	for (size_t i = 0; i < ps->n; i++) {
		const struct vv_recipe_param *q = &ps->v[i];
		bool one = q->n == 1 && !q->values[0].filter;
		json_t *v = one ? value_json(q->p, &q->values[0]) : json_array();
		for (size_t k = 0; k < q->n && !one; k++)
			good &= append(v, filtered_json(q->p, &q->values[k]));
		good &= put(all, vv_blend_params[q->p].name, v);
	}
	return whole(all, good);
}

/* The name by which the text calls a model: its number. */
static json_t *model_json(size_t model)
{
	return json_sprintf("%zu", model);
}

static bool put_params(json_t *to, const struct vv_recipe_params *ps)
{
	return !ps->n || put(to, "parameters", params_json(ps));
}

static json_t *source_json(const struct vv_recipe_source *s)
{
	json_t *o = json_object();
	bool good = put(o, "model", model_json(s->model));

	if (s->ranged)
		good &= put(o, "layer_range", json_pack("[I,I]", (json_int_t)s->first, (json_int_t)s->end));
	good &= put_params(o, &s->params);
	return whole(o, good);
}

static json_t *slice_json(const struct vv_recipe_slice *s)
{
	json_t *o = json_object(), *list = json_array();
	bool good = true;

	for (size_t i = 0; i < s->n; i++)
		good &= append(list, source_json(&s->sources[i]));
	good &= put(o, "sources", list);
	if (s->base != SIZE_MAX)
		good &= put(o, "base_model", model_json(s->base));
	good &= put_params(o, &s->params);
	return whole(o, good);
}

json_t *vv_recipe_json(const struct vv_recipe *r)
{
	json_t *o = json_object(), *list = json_array();
	bool sliced = r->n_slices && r->slices[0].n && r->slices[0].sources[0].ranged;
	bool good = put(o, "merge_method", json_string(r->method->name));

	for (size_t i = 0; sliced && i < r->n_slices; i++)
		good &= append(list, slice_json(&r->slices[i]));
	for (size_t i = 0; !sliced && r->n_slices && i < r->slices[0].n; i++)
		good &= append(list, source_json(&r->slices[0].sources[i]));
	good &= put(o, sliced ? "slices" : "models", list);
	if (r->base != SIZE_MAX)
		good &= put(o, "base_model", model_json(r->base));
	good &= put_params(o, &r->params);
	if (r->to != VV_DT_BYTES)
		good &= put(o, "dtype", json_string(vv_dtype_info(r->to)->name));
	if (r->seed)
		good &= put(o, "seed", json_integer((json_int_t)r->seed));
	return whole(o, good);
}
