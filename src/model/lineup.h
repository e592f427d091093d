/* The tensors of several versions side by side, by name, in one stable order. */
#ifndef VV_MODEL_LINEUP_H
#define VV_MODEL_LINEUP_H

#include "model/manifest.h"

enum { VV_LINEUP_MAX = 3 };

/* Where a version holds the tensor. */
struct vv_place {
	bool there;
	uint32_t seg, view;
	size_t rank; /* n-th tensor of its version */
};

struct vv_lineup_row {
	const char *name; /* borrowed from a manifest */
	struct vv_place at[VV_LINEUP_MAX];
};

struct vv_lineup {
	const struct vv_manifest *m[VV_LINEUP_MAX];
	struct vv_lineup_row *rows;
	size_t n;
};

/*
 * Rows are in the order of the first version; what only a later one has stands after the tensor it
 * follows there. `packed`: with those within coded bytes. A NULL manifest has no tensors. Borrows the manifests.
 */
VV_MUST_CHECK int vv_lineup_make(struct vv_lineup *out, const struct vv_manifest *const *m, size_t n, bool packed,
	struct vv_err *err);
void vv_lineup_release(struct vv_lineup *l);

/* The view and its segment in version `v` of a row. */
const struct vv_view *vv_lineup_view(
	const struct vv_lineup *l, size_t row, size_t v, const struct vv_manifest_seg **seg);
/* Do versions `a` and `b` of the row hold the same tensor: type, shape and bytes (by id)? Both absent: true. */
bool vv_lineup_same(const struct vv_lineup *l, size_t row, size_t a, size_t b);
bool vv_same_shape(const struct vv_view *a, const struct vv_view *b);
/* Same bytes of same objects, seen the same way. */
bool vv_same_tensor(const struct vv_manifest_seg *sa, const struct vv_view *a, const struct vv_manifest_seg *sb,
	const struct vv_view *b);

#endif
