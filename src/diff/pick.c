/* Which of the differences are looked at, and in what order. */
#include "base/map.h"
#include "diff/diff.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>

static bool any(const char *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

/* `copy` holds the name; it is cut at one dot after the other, from the end. */
static bool in_layer(const struct vv_diff_filter *f, char *copy)
{
	char *dot;

	while ((dot = strrchr(copy, '.'))) {
		*dot = 0;
		if (any(f->layers, f->n_layers, copy))
			return true;
	}
	return false;
}

static int wants(const struct vv_diff_filter *f, const char *name, bool *out, struct vv_err *err)
{
	char *copy;

	*out = !f || (!f->n_tensors && !f->n_layers) || any(f->tensors, f->n_tensors, name);
	if (*out || !f->n_layers)
		return 0;
	copy = strdup(name);
	if (!copy)
		return vv_fail_nomem(err);
	*out = in_layer(f, copy);
	free(copy);
	return 0;
}

struct counter {
	size_t same;
};

static int count_same(void *arg, const char *name VV_UNUSED, const struct vv_view *v, const struct vv_diff_item *it,
	struct vv_err *err VV_UNUSED)
{
	struct counter *c = arg;

	c->same += v && !it;
	return 0;
}

int vv_diff_pick(
	struct vv_diff *d, const struct vv_diff_filter *f, const struct vv_manifest *b, struct vv_err *err)
{
	struct counter c = {0};
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < d->n; i++) {
		const struct vv_diff_item *it = &d->items[i];
		bool want, old = false;

		ret = wants(f, it->name, &want, err);
		if (!ret && !want && it->old_name)
			ret = wants(f, it->old_name, &old, err);
		if (ret)
			return ret;
		if (want || old)
			d->items[n++] = *it;
	}
	d->n = n;
	d->filter = f;
	ret = vv_diff_each(d, b, count_same, &c, err);
	d->n_same = c.same;
	return ret;
}

int vv_diff_each(const struct vv_diff *d, const struct vv_manifest *b,
	int (*fn)(void *arg, const char *name, const struct vv_view *v, const struct vv_diff_item *it, struct vv_err *err),
	void *arg, struct vv_err *err)
{
	struct vv_map items = {0};
	int ret = 0;

	for (size_t i = 0; i < d->n && !ret; i++)
		if (d->items[i].kind != VV_DIFF_REMOVED && !vv_map_put(&items, vv_span_str(d->items[i].name), i, NULL))
			ret = vv_fail_nomem(err);
	for (size_t i = 0; i < b->n_segs && !ret; i++)
		for (size_t k = 0; k < b->segs[i].seg.n_views && !ret; k++) {
			const struct vv_view *v = &b->segs[i].seg.views[k];
			const uint64_t *at = vv_map_find(&items, vv_span_str(v->name));
			bool want = at != NULL;

			if (!want)
				ret = wants(d->filter, v->name, &want, err);
			if (!ret && want)
				ret = fn(arg, v->name, v, at ? &d->items[*at] : NULL, err);
		}
	for (size_t i = 0; i < d->n && !ret; i++)
		if (d->items[i].kind == VV_DIFF_REMOVED)
			ret = fn(arg, d->items[i].name, NULL, &d->items[i], err);
	vv_map_release(&items);
	return ret;
}

/* --- order --- */

struct sortable {
	int group;
	double relative;
	size_t i;
};

static int by_change(const void *p, const void *q)
{
	const struct sortable *a = p, *b = q;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->relative != b->relative)
		return a->relative > b->relative ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

static int group_of(const struct vv_diff_item *it)
{
	static const int kinds[] = {
		[VV_DIFF_CHANGED] = 2, [VV_DIFF_RETYPED] = 3, [VV_DIFF_RESHAPED] = 4, [VV_DIFF_REMOVED] = 5,
		[VV_DIFF_ADDED] = 6, [VV_DIFF_RENAMED] = 7, [VV_DIFF_MOVED] = 8,
	};

	if (!it->measured)
		return kinds[it->kind];
	return it->delta.nan_b <= it->delta.nan_a && it->delta.inf_b <= it->delta.inf_a;
}

int vv_diff_order(const struct vv_diff *d, size_t **out, struct vv_err *err)
{
	struct sortable *s = calloc(d->n ? d->n : 1, sizeof(*s));
	size_t *order = calloc(d->n ? d->n : 1, sizeof(*order));

	if (!s || !order) {
		free(s);
		free(order);
		return vv_fail_nomem(err);
	}
	for (size_t i = 0; i < d->n; i++)
		s[i] = (struct sortable){group_of(&d->items[i]), d->items[i].measured ? d->items[i].delta.relative : 0, i};
	qsort(s, d->n, sizeof(*s), by_change);
	for (size_t i = 0; i < d->n; i++)
		order[i] = s[i].i;
	free(s);
	*out = order;
	return 0;
}
