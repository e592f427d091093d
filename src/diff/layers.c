#include "diff/layers.h"

#include "base/map.h"

#include <stdlib.h>

enum { FEW = 4 }; /* a cut that leaves fewer than max / FEW layers is too coarse */

static bool separates(char c)
{
	return c == '.' || c == '/';
}

/* Length of the layer's name: all but the last component, and Keras' "vars". A tensor by itself is a layer. */
static size_t layer_len(const char *name)
{
	size_t end = strlen(name), len = end;

	while (len && !separates(name[len - 1]))
		len--;
	if (len <= 1)
		return end;
	len--;
	if (len > 5 && !memcmp(name + len - 4, "vars", 4) && separates(name[len - 5]))
		len -= 5;
	return len;
}

/* The first `depth` components of it; *all: how many there are. */
static size_t cut(const char *name, size_t len, unsigned depth, unsigned *all)
{
	size_t end = len;

	*all = 1;
	for (size_t i = 1; i < len; i++)
		if (separates(name[i]) && (*all)++ == depth)
			end = i;
	return end;
}

/* The groups by names of so many components. `groups` NULL: they are only counted. */
static int group(struct vv_map *map, const struct vv_description *d, unsigned depth, struct vv_layer_group *groups,
	struct vv_layers *l, struct vv_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_tensors; i++) {
		const struct vv_described_tensor *t = &d->tensors[i];
		const char *name = t->view->name;
		size_t len = layer_len(name);
		unsigned all;
		uint64_t *at;
		bool added;

		if (t->state)
			continue;
		at = vv_map_put(map, vv_span(name, cut(name, len, depth, &all)), n, &added);
		if (!at)
			return vv_fail_nomem(err);
		n += added;
		l->depth = all > l->depth ? all : l->depth;
		if (!groups)
			continue;
		struct vv_layer_group *g = &groups[*at];
		if (added && !(g->name = vv_arena_copy(&l->arena, vv_span(name, cut(name, len, depth, &all)))))
			return vv_fail_nomem(err);
		g->layers = 1;
		g->n++;
		g->count.tensors++;
		g->count.bytes += t->own_bytes;
		g->count.elements += t->shared ? 0 : t->elements;
		g->by_dtype[t->seg->seg.dtype] += t->own_bytes;
	}
	l->n = n;
	return 0;
}

static int count(struct vv_layers *l, const struct vv_description *d, unsigned depth, struct vv_err *err)
{
	struct vv_map map = {0};
	int ret = group(&map, d, depth, NULL, l, err);

	vv_map_release(&map);
	return ret;
}

/* Puts each tensor to its group, which knows by now how many it gets. */
static int collect(struct vv_map *map, const struct vv_description *d, unsigned depth, struct vv_layers *l,
	struct vv_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct vv_layer_group *g = &l->groups[i];
		g->tensors = vv_arena_array(&l->arena, g->n, sizeof(struct vv_described_tensor *));
		if (!g->tensors)
			return vv_fail_nomem(err);
		g->n = 0;
	}
	for (size_t i = 0; i < d->n_tensors; i++) {
		const struct vv_described_tensor *t = &d->tensors[i];
		const char *name = t->view->name;
		unsigned all;
		const uint64_t *at = vv_map_find(map, vv_span(name, cut(name, layer_len(name), depth, &all)));

		if (!t->state && at)
			l->groups[*at].tensors[l->groups[*at].n++] = t;
	}
	return 0;
}

struct ranked {
	uint64_t bytes;
	size_t at;
};

static int larger_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void add_to_rest(struct vv_layer_group *rest, const struct vv_layer_group *g)
{
	memcpy(rest->tensors + rest->n, g->tensors, g->n * sizeof(struct vv_described_tensor *));
	rest->n += g->n;
	rest->layers += g->layers;
	rest->count.tensors += g->count.tensors;
	rest->count.elements += g->count.elements;
	rest->count.bytes += g->count.bytes;
	for (unsigned i = 0; i < VV_DT_COUNT; i++)
		rest->by_dtype[i] += g->by_dtype[i];
}

/* All but the max - 1 largest become one, at the end. */
static int sum_rest(struct vv_layers *l, size_t max, struct vv_err *err)
{
	struct ranked *rank = calloc(l->n, sizeof(*rank));
	bool *keep = calloc(l->n, sizeof(*keep));
	struct vv_layer_group rest = {.name = NULL};
	size_t n = 0, tensors = 0;
	int ret = rank && keep ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < l->n && !ret; i++) {
		rank[i] = (struct ranked){l->groups[i].count.bytes, i};
		tensors += l->groups[i].n;
	}
	if (!ret && !(rest.tensors = vv_arena_array(&l->arena, tensors, sizeof(struct vv_described_tensor *))))
		ret = vv_fail_nomem(err);
	if (!ret) {
		qsort(rank, l->n, sizeof(*rank), larger_first);
		for (size_t i = 0; i + 1 < max; i++)
			keep[rank[i].at] = true;
		for (size_t i = 0; i < l->n; i++)
			if (keep[i])
				l->groups[n++] = l->groups[i];
			else
				add_to_rest(&rest, &l->groups[i]);
		l->groups[n++] = rest;
		l->n = n;
	}
	free(rank);
	free(keep);
	return ret;
}

/* The most components whose groups are no more than `max`, unless those are too few. */
static int choose(struct vv_layers *l, const struct vv_description *d, size_t max, unsigned *depth, struct vv_err *err)
{
	int ret = count(l, d, UINT32_MAX, err);

	for (*depth = l->depth; !ret && l->n > max && *depth > 1;) {
		ret = count(l, d, --*depth, err);
		if (!ret && l->n < max / FEW) {
			++*depth;
			break;
		}
	}
	return ret;
}

int vv_layers_of(struct vv_layers *out, const struct vv_description *d, size_t max, struct vv_err *err)
{
	struct vv_layers l = {0};
	struct vv_map map = {0};
	unsigned depth;
	int ret = choose(&l, d, max, &depth, err);

	if (!ret)
		ret = count(&l, d, depth, err);
	if (!ret && !(l.groups = vv_arena_array(&l.arena, l.n, sizeof(*l.groups))))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = group(&map, d, depth, l.groups, &l, err);
	if (!ret)
		ret = collect(&map, d, depth, &l, err);
	if (!ret && l.n > max)
		ret = sum_rest(&l, max, err);
	l.depth = depth;
	vv_map_release(&map);
	if (ret)
		vv_arena_release(&l.arena);
	else
		*out = l;
	return ret;
}

void vv_layers_release(struct vv_layers *l)
{
	vv_arena_release(&l->arena);
	*l = (struct vv_layers){0};
}
