#include "format/nametree.h"

#include <stdlib.h>

static int add_node(struct vv_nametree *t, size_t group, struct vv_span name, const struct vv_part *part,
	struct vv_err *err)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct vv_name_node *p = realloc(t->nodes, cap * sizeof(*p));
		if (!p)
			return vv_fail_nomem(err);
		t->nodes = p;
		t->cap = cap;
	}
	t->nodes[t->n] = (struct vv_name_node){.name = name, .part = part, .group = group};
	if (t->n) {
		struct vv_name_node *g = &t->nodes[group];
		if (g->first)
			t->nodes[g->last].next = t->n;
		else
			g->first = t->n;
		g->last = t->n;
		g->n++;
	}
	t->n++;
	return 0;
}

/* The groups that its name tells of, and the tensor. */
static int add_part(struct vv_nametree *t, const char *format, unsigned levels, const struct vv_part *p,
	struct vv_err *err)
{
	const char *from = p->name;
	size_t group = 0;

	for (unsigned level = 0;; level++) {
		size_t n = strcspn(from, "/");
		struct vv_span path = vv_span(p->name, (size_t)(from - p->name) + n);
		uint64_t *at;
		bool added;
		int ret;

		if (!n || level > levels)
			return vv_fail(err, VV_ENOTSUP, "tensor '%s': %s has no such path", p->name, format);
		at = vv_map_put(&t->paths, path, t->n, &added);
		if (!at)
			return vv_fail_nomem(err);
		if (!added && (t->nodes[*at].part || !from[n]))
			return vv_fail(err, VV_ENOTSUP, "tensor '%s': %s has no tensors within a tensor", p->name, format);
		if (added) {
			ret = add_node(t, group, vv_span(from, n), from[n] ? NULL : p, err);
			if (ret)
				return ret;
		}
		group = added ? t->n - 1 : (size_t)*at;
		if (!from[n])
			return 0;
		from += n + 1;
	}
}

int vv_nametree_make(struct vv_nametree *t, const char *format, unsigned levels, const struct vv_part *parts, size_t n,
	struct vv_err *err)
{
	int ret;

	*t = (struct vv_nametree){0};
	ret = add_node(t, 0, vv_span(NULL, 0), NULL, err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = add_part(t, format, levels, &parts[i], err);
	return ret;
}

void vv_nametree_release(struct vv_nametree *t)
{
	vv_map_release(&t->paths);
	free(t->nodes);
	*t = (struct vv_nametree){0};
}
