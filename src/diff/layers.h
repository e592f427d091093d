/* The layers of a model, few enough to be drawn: tensors that belong together by their names. */
#ifndef VV_DIFF_LAYERS_H
#define VV_DIFF_LAYERS_H

#include "model/describe.h"

struct vv_layer_group {
	const char *name;      /* what its tensors' names have in common; NULL: the rest */
	const struct vv_described_tensor **tensors; /* in file order */
	size_t n;
	struct vv_count count;
	uint64_t by_dtype[VV_DT_COUNT]; /* bytes */
	size_t layers;         /* in it: 1, but for the rest */
};

struct vv_layers {
	struct vv_arena arena; /* owns all below */
	struct vv_layer_group *groups; /* in file order, the rest last */
	size_t n;
	unsigned depth;        /* components of the longest name */
};

/*
 * A layer is what holds tensors itself: "h.0.mlp" has "weight" and "bias". Where there are more than `max` (≥ 2),
 * names are cut as short as needed; where that would leave but a few, the smallest become the rest. The
 * optimizer's state is left out. Borrows the description.
 */
VV_MUST_CHECK int vv_layers_of(
	struct vv_layers *out, const struct vv_description *d, size_t max, struct vv_err *err);
void vv_layers_release(struct vv_layers *l);

#endif
