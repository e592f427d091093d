/*
 * What a model computes, as its file says: operators or layers in order, inputs and outputs. Read from
 * the file's bytes, never run. Kept small: nodes are limited, and all names together are no longer than
 * the file.
 */
#ifndef VV_FORMAT_GRAPH_H
#define VV_FORMAT_GRAPH_H

#include "format/format.h"

enum {
	VV_MAX_NODES = 1000000,
	VV_MAX_GRAPH_DIMS = 64,
	VV_MAX_GRAPH_DEPTH = 16, /* models in models, where nothing else bounds them */
	VV_MAX_FACTS = 32,
};

/* A dimension: a number, or where it is not fixed a symbol ("batch", "?"). */
struct vv_graph_dim {
	const char *symbol; /* NULL: the number */
	uint64_t size;
};

/* An input or output. */
struct vv_graph_value {
	const char *name;
	const char *dtype; /* "f32", or the file's own word; NULL: not said */
	bool ranked;       /* `dims` is known */
	unsigned ndim;
	const struct vv_graph_dim *dims;
};

/* An operator, or a layer. */
struct vv_graph_node {
	const char *name;       /* "" when it has none */
	const char *op;         /* "Conv", "com.microsoft.Gelu", "CONV_2D", "Dense" */
	const char *activation; /* what it is, or what is fused into it; NULL: none */
	const char *detail;     /* "units 64"; NULL */
	const char *const *inputs, *const *outputs; /* names of values, or of layers; "" stands for an omitted one */
	unsigned n_inputs, n_outputs;
	unsigned depth;         /* of graphs or models around it */
	bool custom;            /* none of the format's own: code that whoever loads the model brings runs */
	bool heading;           /* none at all: those that follow, one deeper, are the body of the function `name` */
	uint64_t off;           /* where it stands in the file; 0: not said */
};

struct vv_graph_fact {
	const char *key, *value; /* "producer", "pytorch 2.1" */
};

struct vv_graph {
	struct vv_arena arena; /* owns all texts and what they hang on */
	struct vv_graph_value *inputs, *outputs;
	size_t n_inputs, n_outputs, cap_inputs, cap_outputs;
	struct vv_graph_node *nodes; /* in the file's order; those of a graph within follow the node that has it */
	size_t n_nodes, cap_nodes;
	struct vv_graph_fact facts[VV_MAX_FACTS];
	size_t n_facts;
	size_t subgraphs;      /* graphs, or models, within the first */
	const char *optimizer; /* as the file states it; NULL: it does not */
	uint64_t room;         /* bytes of names that may still come */
};

/*
 * Reads the graph of a file of that format. VV_ENOTSUP: files of this format carry none. VV_ENOTFOUND:
 * this one does not. VV_EFORMAT, VV_ELIMIT: it cannot be read. Nothing is kept after a failure.
 */
VV_MUST_CHECK int vv_graph_read(
	struct vv_graph *out, const struct vv_format *f, const struct vv_source *src, struct vv_err *err);
void vv_graph_release(struct vv_graph *g);

struct vv_graph_count {
	const char *what;
	uint64_t n;
};
/*
 * How often each operator (or, `activations`: each activation) occurs, the most frequent first. *out is
 * kept by the graph's arena.
 */
VV_MUST_CHECK int vv_graph_counts(
	struct vv_graph *g, bool activations, struct vv_graph_count **out, size_t *n, struct vv_err *err);

/* --- for readers --- */

/* A copy kept by the graph. VV_EFORMAT: a NUL within, or more bytes of names than the file has. */
VV_MUST_CHECK int vv_graph_text(struct vv_graph *g, struct vv_span text, const char **out, struct vv_err *err);
/* A copy of it is appended; its texts are the graph's already. VV_ELIMIT past VV_MAX_NODES. */
VV_MUST_CHECK int vv_graph_add(struct vv_graph *g, const struct vv_graph_node *n, struct vv_err *err);
VV_MUST_CHECK int vv_graph_add_value(
	struct vv_graph *g, bool output, const struct vv_graph_value *v, struct vv_err *err);
/* `key` is a constant. Facts past VV_MAX_FACTS are dropped. */
VV_MUST_CHECK int vv_graph_add_fact(struct vv_graph *g, const char *key, struct vv_span value, struct vv_err *err);

#endif
