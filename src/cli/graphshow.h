/* What a model computes, printed: its operators counted or in order, inputs, outputs. For `show`. */
#ifndef VV_CLI_GRAPHSHOW_H
#define VV_CLI_GRAPHSHOW_H

#include "cli/cli.h"
#include "format/graph.h"

struct vv_graphshow {
	struct vv_graph graph;
	bool has;         /* there is one */
	struct vv_err no; /* why it could not be read; code 0: the file has none */
};

/*
 * Reads the graph of a named model from its file, or from the store as far as the bytes are there: nothing is
 * fetched. What cannot be read is no failure: the model can be shown without.
 */
VV_MUST_CHECK int vv_graphshow_open(struct vv_ctx *ctx, const struct vv_named *named, struct vv_graphshow *out);
void vv_graphshow_release(struct vv_graphshow *s);
/* Lines for the head, each "  label  text". */
VV_MUST_CHECK int vv_graphshow_head(struct vv_graphshow *s, struct vv_ctx *ctx);
/* Every node in order. */
void vv_graphshow_nodes(const struct vv_graphshow *s, const struct vv_ctx *ctx);
/* New; NULL stays NULL: there is no graph. */
VV_MUST_CHECK int vv_graphshow_json(struct vv_graphshow *s, struct vv_ctx *ctx, json_t **out);

#endif
