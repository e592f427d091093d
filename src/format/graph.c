#include "format/graph.h"

#include "base/map.h"

#include <stdlib.h>

int vv_graph_read(struct vv_graph *out, const struct vv_format *f, const struct vv_source *src, struct vv_err *err)
{
	/* What is shared in a file is told anew each time: without a bound of its own that could be any number of bytes. */
	struct vv_graph g = {.room = src->size};
	int ret;

	if (!f->graph)
		return vv_fail(err, VV_ENOTSUP, "files of the format %s carry no graph", f->name);
	ret = f->graph(&g, src, err);
	if (ret)
		vv_graph_release(&g);
	else
		*out = g;
	return ret;
}

void vv_graph_release(struct vv_graph *g)
{
	vv_arena_release(&g->arena);
	free(g->inputs);
	free(g->outputs);
	free(g->nodes);
	*g = (struct vv_graph){0};
}

int vv_graph_text(struct vv_graph *g, struct vv_span text, const char **out, struct vv_err *err)
{
	if (text.len > g->room)
		return vv_fail(err, VV_EFORMAT, "the graph has names of more bytes than the file");
	if (text.len && memchr(text.ptr, 0, text.len))
		return vv_fail(err, VV_EFORMAT, "the graph has a name with a NUL");
	g->room -= text.len;
	if (!text.len) {
		*out = "";
		return 0;
	}
	*out = vv_arena_copy(&g->arena, text);
	return *out ? 0 : vv_fail_nomem(err);
}

/* Room for one more item of that size; the items may move. */
static int grow(void **items, size_t n, size_t *cap, size_t size, struct vv_err *err)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*items, more * size);
	if (!p)
		return vv_fail_nomem(err);
	*items = p;
	*cap = more;
	return 0;
}

int vv_graph_add(struct vv_graph *g, const struct vv_graph_node *n, struct vv_err *err)
{
	void *items = g->nodes;
	int ret = g->n_nodes < VV_MAX_NODES ? grow(&items, g->n_nodes, &g->cap_nodes, sizeof(*n), err)
					    : vv_fail(err, VV_ELIMIT, "a graph of more than %d nodes", VV_MAX_NODES);

	if (ret)
		return ret;
	g->nodes = items;
	g->nodes[g->n_nodes++] = *n;
	return 0;
}

int vv_graph_add_value(struct vv_graph *g, bool output, const struct vv_graph_value *v, struct vv_err *err)
{
	struct vv_graph_value **values = output ? &g->outputs : &g->inputs;
	size_t *n = output ? &g->n_outputs : &g->n_inputs, *cap = output ? &g->cap_outputs : &g->cap_inputs;
	void *items = *values;
	int ret = *n < VV_MAX_NODES ? grow(&items, *n, cap, sizeof(*v), err)
				    : vv_fail(err, VV_ELIMIT, "a graph of more than %d inputs or outputs", VV_MAX_NODES);

	if (ret)
		return ret;
	*values = items;
	(*values)[(*n)++] = *v;
	return 0;
}

int vv_graph_add_fact(struct vv_graph *g, const char *key, struct vv_span value, struct vv_err *err)
{
	struct vv_graph_fact f = {.key = key};
	int ret = vv_graph_text(g, value, &f.value, err);

	if (!ret && value.len && g->n_facts < VV_MAX_FACTS)
		g->facts[g->n_facts++] = f;
	return ret;
}

/* --- counts --- */

static int by_count(const void *a, const void *b)
{
	const struct vv_graph_count *x = a, *y = b;

	return x->n != y->n ? (x->n > y->n ? -1 : 1) : strcmp(x->what, y->what);
}

int vv_graph_counts(struct vv_graph *g, bool activations, struct vv_graph_count **out, size_t *n, struct vv_err *err)
{
	struct vv_graph_count *counts = NULL;
	size_t used = 0, cap = 0;
	struct vv_map map = {0};
	int ret = 0;

	for (size_t i = 0; i < g->n_nodes && !ret; i++) {
		const char *what = activations ? g->nodes[i].activation : g->nodes[i].op;
		void *items = counts;
		bool added;
		uint64_t *at;

		if (!what || g->nodes[i].heading)
			continue;
		at = vv_map_put(&map, vv_span_str(what), used, &added);
		ret = !at ? vv_fail_nomem(err) : added ? grow(&items, used, &cap, sizeof(*counts), err) : 0;
		counts = items;
		if (!ret && added)
			counts[used++] = (struct vv_graph_count){what, 0};
		if (!ret)
			counts[*at].n++;
	}
	if (!ret && used) {
		qsort(counts, used, sizeof(*counts), by_count);
		*out = vv_arena_array(&g->arena, used, sizeof(*counts));
		if (*out)
			memcpy(*out, counts, used * sizeof(*counts));
		else
			ret = vv_fail_nomem(err);
	}
	*n = ret ? 0 : used;
	free(counts);
	vv_map_release(&map);
	return ret;
}
