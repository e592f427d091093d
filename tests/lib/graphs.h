/*
 * The tables `graphs` of tests/golden, written by the scripts that wrote the files. Lines of fields parted by
 * tabs, in order, each with the file's name first:
 *
 *   input|output  name  type or -  [2,batch,?], or - where none is known
 *   node          depth  operator  activation or -  name  inputs, parted by commas  outputs
 *   fact          key  value
 *   optimizer     as the file states it
 */
#ifndef VV_TESTS_GRAPHS_H
#define VV_TESTS_GRAPHS_H

#include "expected.h"
#include "format/graph.h"

static inline void graph_values(struct vv_buf *out, const char *file, const char *kind, const struct vv_graph_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++, v++) {
		vv_buf_fmt(out, "%s\t%s\t%s\t%s\t", file, kind, v->name, v->dtype ? v->dtype : "-");
		for (unsigned k = 0; v->ranked && k < v->ndim; k++) {
			vv_buf_char(out, k ? ',' : '[');
			if (v->dims[k].symbol)
				vv_buf_str(out, v->dims[k].symbol);
			else
				vv_buf_fmt(out, "%" PRIu64, v->dims[k].size);
		}
		vv_buf_str(out, !v->ranked ? "-\n" : v->ndim ? "]\n" : "[]\n");
	}
}

static inline void graph_names(struct vv_buf *out, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vv_buf_fmt(out, "%s%s", i ? "," : "", names[i]);
}

static inline void graph_lines(struct vv_buf *out, const char *file, const struct vv_graph *g)
{
	graph_values(out, file, "input", g->inputs, g->n_inputs);
	graph_values(out, file, "output", g->outputs, g->n_outputs);
	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct vv_graph_node *n = &g->nodes[i];
		vv_buf_fmt(out, "%s\tnode\t%u\t%s\t%s\t%s\t", file, n->depth, n->op, n->activation ? n->activation : "-", n->name);
		graph_names(out, n->inputs, n->n_inputs);
		vv_buf_char(out, '\t');
		graph_names(out, n->outputs, n->n_outputs);
		vv_buf_char(out, '\n');
	}
	for (size_t i = 0; i < g->n_facts; i++)
		vv_buf_fmt(out, "%s\tfact\t%s\t%s\n", file, g->facts[i].key, g->facts[i].value);
	if (g->optimizer)
		vv_buf_fmt(out, "%s\toptimizer\t%s\n", file, g->optimizer);
	vv_buf_add(out, "", 0);
}

static inline int graph_of(struct vv_graph *g, const char *format, struct vv_span bytes, struct vv_err *err)
{
	struct vv_source_mem mem;

	vv_source_mem_init(&mem, bytes);
	return vv_graph_read(g, vv_format_find(vv_span_str(format)), &mem.base, err);
}

/* The graph of tests/golden/<folder>/<file> is what the table says. */
static inline void check_graph(const char *test, const char *folder, const char *file, const char *format)
{
	struct vv_buf table = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT), have = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct vv_graph g = {0};
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	char path[256];

	snprintf(path, sizeof(path), "%s/graphs", folder);
	golden_read(&table, test, path);
	table_lines(&want, vv_buf_view(&table), file);
	vv_buf_add(&want, "", 0);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	golden_read(&bytes, test, path);
	CHECK(want.len);
	CHECK_OK(graph_of(&g, format, vv_buf_view(&bytes), &err), &err);
	graph_lines(&have, file, &g);
	CHECK_STR((const char *)have.ptr, (const char *)want.ptr);
	vv_graph_release(&g);
	vv_buf_release(&bytes);
	vv_buf_release(&table);
	vv_buf_release(&want);
	vv_buf_release(&have);
}

/* Whatever is cut off or changed in that file, a graph or an error comes out. */
static inline void check_graph_broken(const char *test, const char *path, const char *format)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	size_t read = 0, refused = 0;

	golden_read(&bytes, test, path);
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t *copy = malloc(bytes.len), old;
		struct vv_graph g = {0};
		int ret;

		memcpy(copy, bytes.ptr, bytes.len);
		old = copy[i];
		ret = graph_of(&g, format, vv_span(copy, i), &err);
		vv_graph_release(&g);
		refused += ret != 0;
		for (unsigned k = 0; k < 3; k++) {
			copy[i] = k ? (uint8_t)(k == 1 ? 0xff : old + 1) : 0;
			ret = graph_of(&g, format, vv_span(copy, bytes.len), &err);
			vv_graph_release(&g);
			read += !ret;
			refused += ret != 0;
		}
		free(copy);
	}
	CHECK(read && refused);
	vv_buf_release(&bytes);
}

#endif
