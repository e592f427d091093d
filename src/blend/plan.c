#include "blend/plan.h"

#include "base/check.h"
#include "base/map.h"
#include "blend/adapter.h"
#include "blend/pass.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One model's tensors. */
struct table {
	struct vv_map names; /* to an index of `at` */
	struct place {
		size_t seg, view;
	} *at;
	size_t n;
};

/* Where a tensor of the new model comes from. */
struct origin {
	const struct vv_recipe_slice *slice;
	const char *name;    /* in the new model */
	bool layer;          /* of a layer: */
	size_t number_at;    /* where the number stands in the name that the first source has */
	const char *rest;    /* what follows it there */
	uint64_t step;       /* layers after the slice's first */
	double t;            /* of the way along the layers */
};

struct planner {
	struct vv_blend_plan *out;
	const struct vv_recipe *r;
	const struct vv_blend_model *models;
	struct table *tables; /* by model */
	size_t cap;
	char stack[VV_MAX_NAME + 1]; /* what stands before the number of most layers */
	uint64_t layers;             /* in the first model */
	struct vv_err *err;
};

void vv_blend_plan_release(struct vv_blend_plan *p)
{
	vv_arena_release(&p->arena);
	*p = (struct vv_blend_plan){.n = 0};
}

bool vv_layer_of(const char *name, size_t *at, uint64_t *layer)
{
	for (const char *s = name; s; s = strchr(s, '.'), s = s ? s + 1 : NULL) {
		size_t n = strspn(s, "0123456789");
		if (!n || (s[n] && s[n] != '.'))
			continue;
		*at = (size_t)(s - name);
		*layer = n > 9 ? VV_MAX_TENSORS : strtoull(s, NULL, 10);
		return *layer < VV_MAX_TENSORS;
	}
	return false;
}

/* Is it a layer of the stack that slices and gradients count? */
static bool in_stack(const struct planner *pl, const char *name, size_t *at, uint64_t *layer)
{
	return vv_layer_of(name, at, layer) && !strncmp(name, pl->stack, *at) && !pl->stack[*at];
}

static const struct vv_view *view_of(const struct planner *pl, size_t model, const struct place *p)
{
	return &pl->models[model].v.m->segs[p->seg].seg.views[p->view];
}

static int make_table(struct planner *pl, size_t model)
{
	const struct vv_manifest *m = pl->models[model].v.m;
	struct table *t = &pl->tables[model];

	for (size_t i = 0; i < m->n_segs; i++)
		t->n += m->segs[i].seg.n_views;
	t->at = calloc(t->n + 1, sizeof(*t->at));
	if (!t->at)
		return vv_fail_nomem(pl->err);
	t->n = 0;
	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views; k++) {
			t->at[t->n] = (struct place){i, k};
			if (!vv_map_put(&t->names, vv_span_str(m->segs[i].seg.views[k].name), t->n++, NULL))
				return vv_fail_nomem(pl->err);
		}
	if (!t->n)
		return vv_fail(pl->err, VV_ENOTSUP, "%s: no tensors are seen in this file (%s)", pl->models[model].file, m->format);
	return 0;
}

/* The prefix that most tensors with a number have; several vote as they come (Boyer and Moore). */
static void find_stack(struct planner *pl, size_t model)
{
	const struct table *t = &pl->tables[model];
	size_t votes = 0;

	for (size_t i = 0; i < t->n; i++) {
		const char *name = view_of(pl, model, &t->at[i])->name;
		size_t at;
		uint64_t layer;
		if (!vv_layer_of(name, &at, &layer))
			continue;
		if (!votes) {
			memcpy(pl->stack, name, at);
			pl->stack[at] = 0;
		}
		votes += !strncmp(name, pl->stack, at) && !pl->stack[at] ? 1 : (size_t)-1;
		votes = votes == (size_t)-1 ? 0 : votes;
	}
	for (size_t i = 0; i < t->n; i++) {
		size_t at;
		uint64_t layer;
		if (in_stack(pl, view_of(pl, model, &t->at[i])->name, &at, &layer) && layer >= pl->layers)
			pl->layers = layer + 1;
	}
}

/* The tensor of a source, whose layers begin at `first`. */
static int place_of(
	struct planner *pl, const struct origin *o, size_t model, bool ranged, uint64_t first, struct vv_blend_in *in)
{
	const struct vv_blend_model *m = &pl->models[model];
	char made[VV_MAX_NAME + 32];
	const char *name = o->name;
	const uint64_t *at;

	if (ranged && o->layer) {
		snprintf(made, sizeof(made), "%s%" PRIu64 "%s", pl->stack, first + o->step, o->rest);
		name = made;
	}
	at = vv_map_find(&pl->tables[model].names, vv_span_str(name));
	if (!at)
		return vv_fail(pl->err, VV_EFORMAT, "%s has no tensor \"%s\"", m->file, name);
	*in = (struct vv_blend_in){.from = &m->v, .file = m->file, .seg = pl->tables[model].at[*at].seg,
		.view = pl->tables[model].at[*at].view};
	return 0;
}

static void of_model(
	const struct planner *pl, const struct origin *o, const struct vv_recipe_source *s, struct vv_blend_in *in)
{
	const char *name = in->from->m->segs[in->seg].seg.views[in->view].name;

	for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
		if (vv_blend_params[p].of_model)
			in->p[p] = vv_recipe_number(pl->r, o->slice, s, p, name, o->t);
}

static const struct vv_manifest_seg *seg_of(const struct vv_blend_in *in)
{
	return &in->from->m->segs[in->seg];
}

/* Whether its numbers are not to be merged: then it is a copy. */
static int copied(struct planner *pl, struct vv_blend_tensor *t, const struct vv_blend_in *lead, bool *yes)
{
	enum vv_dtype dt = seg_of(lead)->seg.dtype;
	unsigned kind = vv_dtype_info(dt)->kind;
	bool same = true;

	*yes = true;
	for (size_t i = 0; i < t->n; i++) {
		const struct vv_manifest_seg *s = seg_of(&t->in[i]);
		same &= vv_id_eq(&s->id, &seg_of(lead)->id) && t->in[i].view == lead->view;
		if (vv_blend_takes(s->seg.dtype) != vv_blend_takes(dt))
			return vv_fail(pl->err, VV_EFORMAT, "tensor \"%s\" is %s in %s and %s in %s", t->name,
				vv_dtype_info(dt)->name, lead->file, vv_dtype_info(s->seg.dtype)->name, t->in[i].file);
	}
	if (vv_blend_takes(dt)) {
		*yes = t->method == vv_blend_find(vv_span_str("passthrough")) && t->in[0].p[VV_BP_SCALE] == 1 && t->to == dt;
		return 0;
	}
	if (!same && kind != VV_KIND_INT && kind != VV_KIND_UINT && dt != VV_DT_BOOL)
		return vv_fail(pl->err, VV_ENOTSUP, "tensor \"%s\" differs and is of type %s, which is not merged", t->name,
			vv_dtype_info(dt)->name);
	return 0;
}

static int check_numbers(struct planner *pl, const struct vv_blend_tensor *t)
{
	for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
		if (t->method->params >> p & 1 && !vv_blend_params[p].of_model && t->p[p] != t->p[p])
			return vv_fail(pl->err, VV_EUSAGE, "%s needs the parameter %s (tensor \"%s\")", t->method->name,
				vv_blend_params[p].name, t->name);
	return 0;
}

static int finish(struct planner *pl, struct vv_blend_tensor *t, const struct origin *o)
{
	const struct vv_blend_method *m = t->method;
	const struct vv_blend_in *lead = t->base ? t->base : &t->in[0];
	uint64_t numel, bytes;
	bool copy;
	int ret;

	if (t->n < m->min || (m->max && t->n > m->max))
		return vv_fail(pl->err, VV_EUSAGE, "%s takes %s%zu model%s%s, not %zu", m->name, m->max ? "" : "at least ", m->min,
			m->min == 1 ? "" : "s", m->base == VV_BLEND_BASE_APART ? " and a base" : "", t->n);
	for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
		t->p[p] = vv_recipe_number(pl->r, o->slice, NULL, p, t->name, o->t);
	t->to = pl->r->to != VV_DT_BYTES ? pl->r->to : seg_of(lead)->seg.dtype;
	t->seed = pl->r->seed;
	ret = check_numbers(pl, t);
	if (!ret)
		ret = copied(pl, t, lead, &copy);
	if (ret)
		return ret;
	if (copy) {
		t->in = lead;
		t->n = 1;
		t->base = NULL;
		t->method = NULL;
		t->to = seg_of(lead)->seg.dtype;
	}
	if (vv_dtype_bytes(t->to, seg_of(lead)->seg.views[lead->view].shape, seg_of(lead)->seg.views[lead->view].ndim, &numel,
		    &bytes) || vv_add_over(pl->out->bytes, bytes, &pl->out->bytes))
		return vv_fail(pl->err, VV_ELIMIT, "tensor \"%s\" is too large", t->name);
	return 0;
}

/* One tensor of the new model. */
static int add(struct planner *pl, const struct origin *o)
{
	const struct vv_recipe_slice *s = o->slice;
	enum vv_blend_base how = pl->r->method->base;
	size_t base = s->base != SIZE_MAX ? s->base : pl->r->base, n = 0;
	struct vv_blend_in *in = vv_arena_array(&pl->out->arena, s->n + 2, sizeof(*in)), *apart = NULL;
	struct vv_blend_tensor *t;
	uint64_t first = s->sources[0].first;
	bool ranged = s->sources[0].ranged;
	int ret = 0;

	if (pl->out->n == VV_MAX_TENSORS)
		return vv_fail(pl->err, VV_ELIMIT, "more than %d tensors", VV_MAX_TENSORS);
	if (pl->out->n == pl->cap) {
		pl->cap = pl->cap ? 2 * pl->cap : 256;
		t = vv_arena_array(&pl->out->arena, pl->cap, sizeof(*t));
		if (t && pl->out->n)
			memcpy(t, pl->out->t, pl->out->n * sizeof(*t));
		pl->out->t = t;
	}
	if (!in || !pl->out->t)
		return vv_fail_nomem(pl->err);
	for (size_t i = 0; i < s->n; i++)
		first = s->sources[i].model == base ? s->sources[i].first : first;
	/* in[s->n + 1] is the base that is apart; one that comes first is put there. */
	if (base != SIZE_MAX && how != VV_BLEND_BASE_INPUT) {
		apart = how == VV_BLEND_BASE_FIRST ? &in[n++] : &in[s->n + 1];
		ret = place_of(pl, o, base, ranged, first, apart);
		if (!ret)
			of_model(pl, o, NULL, apart);
	} else if (how == VV_BLEND_BASE_APART) {
		return vv_fail(pl->err, VV_EUSAGE, "%s needs a base model", pl->r->method->name);
	}
	for (size_t i = 0; i < s->n && !ret; i++) {
		if (apart && s->sources[i].model == base)
			continue;
		ret = place_of(pl, o, s->sources[i].model, ranged, s->sources[i].first, &in[n]);
		if (!ret)
			of_model(pl, o, &s->sources[i], &in[n++]);
	}
	t = &pl->out->t[pl->out->n++];
	*t = (struct vv_blend_tensor){.name = o->name, .method = pl->r->method, .in = in, .n = n,
		.base = how == VV_BLEND_BASE_FIRST ? NULL : apart};
	return ret ? ret : finish(pl, t, o);
}

/* --- all of one --- */

/* Each model has the tensors of the first, and no others. */
static int same_names(struct planner *pl, size_t lead)
{
	for (size_t m = 0; m < pl->r->n_models; m++) {
		const struct table *t = &pl->tables[m];
		for (size_t i = 0; i < t->n && t->n != pl->tables[lead].n; i++) {
			const char *name = view_of(pl, m, &t->at[i])->name;
			if (!vv_map_find(&pl->tables[lead].names, vv_span_str(name)))
				return vv_fail(pl->err, VV_EFORMAT, "%s has no tensor \"%s\", which %s has", pl->models[lead].file, name,
					pl->models[m].file);
		}
	}
	return 0;
}

static int add_all(struct planner *pl)
{
	const struct vv_recipe_slice *s = &pl->r->slices[0];
	size_t lead = s->sources[0].model;
	const struct table *t = &pl->tables[lead];
	int ret = same_names(pl, lead);

	for (size_t i = 0; i < t->n && !ret; i++) {
		struct origin o = {.slice = s, .name = view_of(pl, lead, &t->at[i])->name};
		uint64_t layer;

		if (in_stack(pl, o.name, &o.number_at, &layer))
			o.t = pl->layers > 1 ? (double)layer / (double)(pl->layers - 1) : 1;
		ret = add(pl, &o);
	}
	pl->out->layers = pl->layers;
	return ret;
}

/* --- slices --- */

bool vv_blend_comes_first(const char *name)
{
	return strstr(name, "embed") || strstr(name, "wte") || strstr(name, "wpe");
}

/* The tensors around the layers: of the first slice's models, or of the last's. */
static int add_around(struct planner *pl, const struct vv_recipe_slice *s, bool before)
{
	size_t lead = s->sources[0].model;
	const struct table *t = &pl->tables[lead];
	int ret = 0;

	for (size_t i = 0; i < t->n && !ret; i++) {
		struct origin o = {.slice = s, .name = view_of(pl, lead, &t->at[i])->name};
		uint64_t layer;

		if (!in_stack(pl, o.name, &o.number_at, &layer) && vv_blend_comes_first(o.name) == before)
			ret = add(pl, &o);
	}
	return ret;
}

static int add_layer(struct planner *pl, const struct vv_recipe_slice *s, uint64_t step, double t)
{
	size_t lead = s->sources[0].model, found = 0;
	const struct table *all = &pl->tables[lead];
	int ret = 0;

	for (size_t i = 0; i < all->n && !ret; i++) {
		const char *from = view_of(pl, lead, &all->at[i])->name;
		struct origin o = {.slice = s, .layer = true, .step = step, .t = t};
		char name[VV_MAX_NAME + 32];
		uint64_t layer;

		if (!in_stack(pl, from, &o.number_at, &layer) || layer != s->sources[0].first + step)
			continue;
		o.rest = from + o.number_at + strspn(from + o.number_at, "0123456789");
		snprintf(name, sizeof(name), "%s%" PRIu64 "%s", pl->stack, pl->out->layers, o.rest);
		o.name = vv_arena_copy(&pl->out->arena, vv_span_str(name));
		ret = o.name ? add(pl, &o) : vv_fail_nomem(pl->err);
		found++;
	}
	pl->out->layers++;
	if (!ret && !found)
		ret = vv_fail(pl->err, VV_EFORMAT, "%s has no layer %" PRIu64, pl->models[lead].file, s->sources[0].first + step);
	return ret;
}

static int add_slices(struct planner *pl)
{
	const struct vv_recipe *r = pl->r;
	int ret;

	if (!pl->layers)
		return vv_fail(pl->err, VV_ENOTSUP, "%s: no names of tensors have numbers of layers, which slices need",
			pl->models[r->slices[0].sources[0].model].file);
	ret = add_around(pl, &r->slices[0], true);
	for (size_t i = 0; i < r->n_slices && !ret; i++) {
		const struct vv_recipe_slice *s = &r->slices[i];
		uint64_t n = s->sources[0].end - s->sources[0].first;
		for (uint64_t k = 0; k < n && !ret; k++)
			ret = add_layer(pl, s, k, n > 1 ? (double)k / (double)(n - 1) : 1);
	}
	return ret ? ret : add_around(pl, &r->slices[r->n_slices - 1], false);
}

int vv_blend_plan_make(struct vv_blend_plan *out, const struct vv_recipe *r,
	const struct vv_blend_model *models, struct vv_err *err)
{
	struct planner pl = {.out = out, .r = r, .models = models, .err = err};
	int ret = 0;

	*out = (struct vv_blend_plan){.n = 0};
	if (r->method == &vv_blend_lora) {
		ret = vv_lora_plan(out, r, models, err);
		if (!ret)
			ret = vv_blend_check(out->t, out->n, err);
		if (ret)
			vv_blend_plan_release(out);
		return ret;
	}
	pl.tables = calloc(r->n_models + 1, sizeof(*pl.tables));
	if (!pl.tables)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < r->n_models && !ret; i++)
		ret = make_table(&pl, i);
	if (!ret) {
		find_stack(&pl, r->slices[0].sources[0].model);
		ret = r->slices[0].sources[0].ranged ? add_slices(&pl) : add_all(&pl);
	}
	if (!ret)
		ret = vv_blend_check(out->t, out->n, err);
	for (size_t i = 0; i < r->n_models; i++) {
		vv_map_release(&pl.tables[i].names);
		free(pl.tables[i].at);
	}
	free(pl.tables);
	if (ret)
		vv_blend_plan_release(out);
	return ret;
}
