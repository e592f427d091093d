/* Which tensor of an earlier version a new tensor is likely to resemble. */
#ifndef VV_MODEL_BASE_PICK_H
#define VV_MODEL_BASE_PICK_H

#include "model/manifest.h"
#include "store/store.h"

/*
 * Sets the base candidates of the items, one per segment of the layout: the tensor of the same name, in the first
 * parent that has one from which ours may have been quantised; else in the first that has it of the same type and bytes,
 * or of a wider type of which ours may be a cast; else a tensor of the same type and shape whose name the file no longer
 * has and which ends in the same component (the longest common ending wins). Opaque segments get none.
 */
VV_MUST_CHECK int vv_pick_bases(struct vv_put_item *items, const struct vv_layout *l,
	const struct vv_manifest *const *parents, size_t n_parents, struct vv_err *err);

#endif
