#include "cli/graphshow.h"

#include "cli/table.h"
#include "model/model.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FEW_KINDS = 12, FEW_VALUES = 8 }; /* shown in the head */

int vv_graphshow_open(struct vv_ctx *ctx, const struct vv_named *named, struct vv_graphshow *out)
{
	const struct vv_format *f = vv_format_find(vv_span_str(named->manifest->format));
	struct vv_model_source stored;
	const struct vv_source *src = named->file ? &named->file->base : NULL;
	int ret;

	*out = (struct vv_graphshow){.has = false};
	if (!src && ctx->repo.store) {
		vv_model_source_init(&stored, ctx->repo.store, named->manifest);
		src = &stored.base;
	}
	if (!f || !f->graph)
		return 0;
	if (!src) {
		vv_fail(&out->no, VV_ENOTFOUND, "its bytes are not here");
		return 0;
	}
	ret = vv_graph_read(&out->graph, f, src, &ctx->err);
	out->has = !ret;
	/* Not there: no graph in a file that could have one, or no bytes in the store. */
	if (ret == VV_EFORMAT || ret == VV_ELIMIT || (ret == VV_ENOTFOUND && !named->file))
		out->no = ctx->err;
	else if (ret != VV_ENOTFOUND)
		return ret;
	vv_err_clear(&ctx->err);
	return 0;
}

void vv_graphshow_release(struct vv_graphshow *s)
{
	vv_graph_release(&s->graph);
}

/* --- for people --- */

static void put_safe(const char *text)
{
	char *safe = vv_safe(text);

	fputs(safe, stdout);
	free(safe);
}

static void put_dims(const struct vv_graph_value *v)
{
	for (unsigned i = 0; i < v->ndim; i++) {
		fputs(i ? "," : "[", stdout);
		if (v->dims[i].symbol)
			put_safe(v->dims[i].symbol);
		else
			printf("%" PRIu64, v->dims[i].size);
	}
	fputs(v->ndim ? "]" : "[]", stdout);
}

static void put_values(const char *label, const struct vv_graph_value *v, size_t n)
{
	for (size_t i = 0; i < n && i < FEW_VALUES; i++) {
		printf("  %-11s  ", label);
		put_safe(v[i].name);
		if (v[i].dtype) {
			putchar(' ');
			put_safe(v[i].dtype);
		}
		if (v[i].ranked) {
			putchar(' ');
			put_dims(&v[i]);
		}
		putchar('\n');
	}
	if (n > FEW_VALUES)
		printf("  %-11s  … and %zu more\n", "", n - FEW_VALUES);
}

static int put_counts(struct vv_graphshow *s, struct vv_ctx *ctx, const char *label, bool activations)
{
	struct vv_graph_count *c = NULL;
	size_t n;
	int ret = vv_graph_counts(&s->graph, activations, &c, &n, &ctx->err);

	if (ret || !n)
		return ret;
	printf("  %-11s  ", label);
	for (size_t i = 0; i < n && i < FEW_KINDS; i++) {
		fputs(i ? ", " : "", stdout);
		put_safe(c[i].what);
		printf(" %" PRIu64, c[i].n);
	}
	if (n > FEW_KINDS)
		printf(" and %zu more kinds", n - FEW_KINDS);
	putchar('\n');
	return 0;
}

int vv_graphshow_head(struct vv_graphshow *s, struct vv_ctx *ctx)
{
	const struct vv_graph *g = &s->graph;
	int ret;

	if (s->no.code) {
		printf("  %-11s  not read: ", "graph");
		put_safe(s->no.msg);
		putchar('\n');
	}
	if (!s->has)
		return 0;
	put_values("input", g->inputs, g->n_inputs);
	put_values("output", g->outputs, g->n_outputs);
	ret = put_counts(s, ctx, "operators", false);
	if (!ret)
		ret = put_counts(s, ctx, "activations", true);
	if (g->subgraphs)
		printf("  %-11s  %zu within\n", "graphs", g->subgraphs);
	for (size_t i = 0; i < g->n_facts; i++) {
		printf("  %-11s  ", g->facts[i].key);
		put_safe(g->facts[i].value);
		putchar('\n');
	}
	return ret;
}

static void put_names(struct vv_table *t, const char *const *names, unsigned n)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (unsigned i = 0; i < n; i++) {
		char *safe = vv_safe(names[i]);
		vv_buf_fmt(&b, "%s%s", i ? ", " : "", *names[i] ? safe : "-");
		free(safe);
	}
	vv_table_cell(t, VV_PLAIN, "%s", b.len ? (char *)b.ptr : "");
	vv_buf_release(&b);
}

void vv_graphshow_nodes(const struct vv_graphshow *s, const struct vv_ctx *ctx)
{
	struct vv_table t = VV_TABLE_INIT(0);

	for (size_t i = 0; i < s->graph.n_nodes; i++) {
		const struct vv_graph_node *n = &s->graph.nodes[i];
		char *op = vv_safe(n->op), *name = vv_safe(n->name), *activation = vv_safe(n->activation ? n->activation : "");
		char *detail = vv_safe(n->detail ? n->detail : "");

		vv_table_cell(&t, VV_BOLD, "%*s%s", (int)n->depth * 2, "", op);
		vv_table_cell(&t, VV_CYAN, "%s", n->activation == n->op ? "" : activation);
		vv_table_cell(&t, VV_DIM, "%s", detail);
		vv_table_cell(&t, VV_PLAIN, "%s", name);
		put_names(&t, n->inputs, n->n_inputs);
		vv_table_cell(&t, VV_DIM, "%s", n->n_outputs ? "→" : "");
		put_names(&t, n->outputs, n->n_outputs);
		vv_table_row(&t);
		free(op);
		free(name);
		free(activation);
		free(detail);
	}
	vv_table_print(&t, ctx, 0);
}

/* --- JSON --- */

static json_t *json_text(const char *text)
{
	return text ? vv_json_name(text) : json_null();
}

static json_t *json_values(const struct vv_graph_value *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *shape = v[i].ranked ? json_array() : json_null();

		for (unsigned k = 0; v[i].ranked && k < v[i].ndim; k++) {
			const struct vv_graph_dim *d = &v[i].dims[k];
			json_array_append_new(shape, !d->symbol ? json_integer((json_int_t)d->size)
				: strcmp(d->symbol, "?")	? vv_json_name(d->symbol)
								: json_null());
		}
		json_array_append_new(list, json_pack("{s:o,s:o,s:o}", "name", vv_json_name(v[i].name), "dtype",
			json_text(v[i].dtype), "shape", shape));
	}
	return list;
}

static json_t *json_names(const char *const *names, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, vv_json_name(names[i]));
	return list;
}

static json_t *json_nodes(const struct vv_graph *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->n_nodes; i++) {
		const struct vv_graph_node *n = &g->nodes[i];

		json_array_append_new(list, json_pack("{s:o,s:o,s:o,s:o,s:i,s:o,s:o}", "op", vv_json_name(n->op), "name",
			vv_json_name(n->name), "activation", json_text(n->activation), "detail", json_text(n->detail), "depth",
			(int)n->depth, "inputs", json_names(n->inputs, n->n_inputs), "outputs",
			json_names(n->outputs, n->n_outputs)));
	}
	return list;
}

static int json_counts(struct vv_graphshow *s, struct vv_ctx *ctx, bool activations, json_t *out)
{
	struct vv_graph_count *c = NULL;
	size_t n;
	int ret = vv_graph_counts(&s->graph, activations, &c, &n, &ctx->err);

	for (size_t i = 0; i < n; i++) {
		char *key = vv_safe(c[i].what);
		json_object_set_new(out, key, json_integer((json_int_t)c[i].n));
		free(key);
	}
	return ret;
}

int vv_graphshow_json(struct vv_graphshow *s, struct vv_ctx *ctx, json_t **out)
{
	const struct vv_graph *g = &s->graph;
	json_t *ops, *activations, *facts;
	int ret;

	if (!s->has)
		return 0;
	ops = json_object();
	activations = json_object();
	facts = json_object();
	ret = json_counts(s, ctx, false, ops);
	if (!ret)
		ret = json_counts(s, ctx, true, activations);
	for (size_t i = 0; i < g->n_facts; i++)
		json_object_set_new(facts, g->facts[i].key, vv_json_name(g->facts[i].value));
	*out = json_pack("{s:o,s:o,s:o,s:o,s:I,s:o,s:o,s:o}", "inputs", json_values(g->inputs, g->n_inputs), "outputs",
		json_values(g->outputs, g->n_outputs), "operators", ops, "activations", activations, "subgraphs",
		(json_int_t)g->subgraphs, "facts", facts, "optimizer", json_text(g->optimizer), "nodes", json_nodes(g));
	return ret;
}
