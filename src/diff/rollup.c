#include "diff/rollup.h"

#include "base/map.h"
#include "model/manifest_text.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_DEPTH = 64 };

/* --- sums --- */

static void add_delta(struct vv_delta_sum *s, const struct vv_delta *d)
{
	s->measured++;
	s->changed_elements += d->changed;
	s->flips += d->flips;
	s->odd_a += d->nan_a + d->inf_a;
	s->odd_b += d->nan_b + d->inf_b;
	s->aa += d->norm_a * d->norm_a;
	s->bb += d->norm_b * d->norm_b;
	s->dd += d->norm_delta * d->norm_delta;
	if (isfinite(d->cosine))
		s->ab += d->cosine * d->norm_a * d->norm_b;
	s->max_abs = fmax(s->max_abs, d->max_abs);
	if (d->estimated) {
		double error = 2 * d->relative_error * d->norm_a * d->norm_delta;

		s->estimated++;
		s->variance += isfinite(error) ? error * error : 0;
	}
}

void vv_delta_sum_add(struct vv_delta_sum *s, const struct vv_view *v, const struct vv_diff_item *it)
{
	uint64_t n = 0;

	if (v) {
		s->tensors++;
		if (vv_shape_numel(v->shape, v->ndim, &n))
			n = 0;
		s->elements += n;
	}
	if (!it)
		return;
	s->added += it->kind == VV_DIFF_ADDED;
	s->removed += it->kind == VV_DIFF_REMOVED;
	s->renamed += it->kind == VV_DIFF_RENAMED;
	s->changed += it->kind == VV_DIFF_CHANGED || it->kind == VV_DIFF_RETYPED || it->kind == VV_DIFF_RESHAPED;
	if (it->measured)
		add_delta(s, &it->delta);
}

double vv_delta_sum_relative(const struct vv_delta_sum *s)
{
	return s->dd > 0 ? sqrt(s->dd) / sqrt(s->aa) : 0;
}

double vv_delta_sum_cosine(const struct vv_delta_sum *s)
{
	return s->aa > 0 && s->bb > 0 ? fmin(1, fmax(-1, s->ab / (sqrt(s->aa) * sqrt(s->bb)))) : NAN;
}

double vv_delta_sum_relative_error(const struct vv_delta_sum *s)
{
	return s->variance > 0 ? sqrt(s->variance) / (2 * sqrt(s->dd) * sqrt(s->aa)) : 0;
}

double vv_delta_sum_cosine_error(const struct vv_delta_sum *s)
{
	return s->variance > 0 ? sqrt(s->variance) / (2 * sqrt(s->aa) * sqrt(s->bb)) : 0;
}

bool vv_delta_sum_any(const struct vv_delta_sum *s)
{
	return s->changed || s->added || s->removed || s->renamed;
}

/* --- the tree --- */

struct maker {
	struct vv_rollup r;
	struct vv_map layers; /* dotted prefix → struct vv_rollup_layer * */
};

static struct vv_rollup_layer *layer(
	struct maker *k, struct vv_span prefix, struct vv_span part, struct vv_rollup_layer *parent)
{
	const uint64_t *at = vv_map_find(&k->layers, prefix);
	struct vv_rollup_layer *l;

	if (at)
		return (struct vv_rollup_layer *)(uintptr_t)*at;
	l = vv_arena_alloc(&k->r.arena, sizeof(*l));
	if (!l || !(l->name = vv_arena_copy(&k->r.arena, part)) ||
		!vv_map_put(&k->layers, prefix, (uint64_t)(uintptr_t)l, NULL))
		return NULL;
	*(parent->last ? &parent->last->next : &parent->child) = l;
	parent->last = l;
	return l;
}

static int hang(void *arg, const char *name, const struct vv_view *v, const struct vv_diff_item *it, struct vv_err *err)
{
	struct maker *k = arg;
	struct vv_rollup_layer *at = k->r.root;
	const char *part = name;

	vv_delta_sum_add(&at->sum, v, it);
	for (int depth = 1;; depth++) {
		const char *dot = depth < MAX_DEPTH ? strchr(part, '.') : NULL;
		size_t end = dot ? (size_t)(dot - name) : strlen(name);

		/* One byte more than the prefix tells "a." from "a", as in vv_describe. */
		at = layer(k, vv_span(name, end + 1), vv_span(part, end - (size_t)(part - name)), at);
		if (!at)
			return vv_fail_nomem(err);
		vv_delta_sum_add(&at->sum, v, it);
		if (!dot)
			break;
		part = dot + 1;
	}
	at->leaf = true;
	at->item = it;
	return 0;
}

int vv_rollup_make(struct vv_rollup *out, const struct vv_diff *d, const struct vv_manifest *b, struct vv_err *err)
{
	struct maker k = {0};
	int ret = 0;

	k.r.root = vv_arena_alloc(&k.r.arena, sizeof(*k.r.root));
	if (!k.r.root)
		ret = vv_fail_nomem(err);
	if (!ret) {
		k.r.root->name = "";
		ret = vv_diff_each(d, b, hang, &k, err);
	}
	vv_map_release(&k.layers);
	if (ret)
		vv_arena_release(&k.r.arena);
	else
		*out = k.r;
	return ret;
}

void vv_rollup_release(struct vv_rollup *r)
{
	vv_arena_release(&r->arena);
	r->root = NULL;
}

/* --- order --- */

struct sibling {
	struct vv_rollup_layer *l;
	size_t i;
};

static int by_change(const void *p, const void *q)
{
	const struct sibling *a = p, *b = q;
	bool odd_a = a->l->sum.odd_b > a->l->sum.odd_a, odd_b = b->l->sum.odd_b > b->l->sum.odd_a;
	double x = vv_delta_sum_relative(&a->l->sum), y = vv_delta_sum_relative(&b->l->sum);

	if (odd_a != odd_b)
		return odd_a ? -1 : 1;
	if (x != y)
		return x > y ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

/* The recursion is as deep as layers are nested. */
static int sort_children(struct vv_rollup_layer *parent, struct vv_err *err)
{
	struct sibling *v;
	size_t n = 0, i = 0;
	int ret = 0;

	for (struct vv_rollup_layer *l = parent->child; l; l = l->next)
		n++;
	if (!n)
		return 0;
	v = calloc(n, sizeof(*v));
	if (!v)
		return vv_fail_nomem(err);
	for (struct vv_rollup_layer *l = parent->child; l; l = l->next, i++)
		v[i] = (struct sibling){l, i};
	qsort(v, n, sizeof(*v), by_change);
	parent->child = v[0].l;
	for (i = 0; i < n && !ret; i++) {
		v[i].l->next = i + 1 < n ? v[i + 1].l : NULL;
		ret = sort_children(v[i].l, err);
	}
	parent->last = v[n - 1].l;
	free(v);
	return ret;
}

int vv_rollup_sort(struct vv_rollup *r, struct vv_err *err)
{
	return sort_children(r->root, err);
}
