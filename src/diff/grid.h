/* What changed, as grids of layers × components: "blk.7.attn_q.weight" is row 7, column attn_q of the stack "blk". */
#ifndef VV_DIFF_GRID_H
#define VV_DIFF_GRID_H

#include "diff/rollup.h"

enum {
	VV_GRID_STACKS = 16,
	VV_GRID_ROWS = 512,
	VV_GRID_COLUMNS = 64,
	VV_GRID_OTHERS = 256,
};

/*
 * One stack of layers: names that have the same text before their first component that is a number (not the last one).
 * Later numbers, of experts say, are "*" in the column: such tensors share a cell. The ending ".weight" goes without saying.
 */
struct vv_grid {
	const char *stack;            /* "model.layers" */
	const char **rows, **columns; /* "0", "1", … by number; "self_attn.q_proj" as they come in b */
	size_t n_rows, n_columns;
	struct vv_delta_sum *cells;   /* row by row; one without tensors, added or removed: there is none */
	struct vv_delta_sum *row_sums, *column_sums, sum;
};

/* A tensor outside of all stacks. */
struct vv_grid_other {
	const char *name;
	struct vv_delta_sum sum;
};

struct vv_grids {
	struct vv_arena arena; /* owns all below; the names of others are borrowed from the manifests */
	struct vv_grid *v;
	size_t n;
	struct vv_grid_other *others;
	size_t n_others;
	size_t left_out;  /* tensors past the limits above */
	double min, max;  /* of what the cells and others moved, relative; 0 when nothing was measured */
};

VV_MUST_CHECK int vv_grids_make(
	struct vv_grids *out, const struct vv_diff *d, const struct vv_manifest *b, struct vv_err *err);
void vv_grids_release(struct vv_grids *g);

#endif
