/* What differs between two versions of a directory, file by file. */
#ifndef VV_DIFF_DIRDIFF_H
#define VV_DIFF_DIRDIFF_H

#include "model/directory.h"

/* SIZE_MAX: it is not there. Both, with different paths: renamed, the same bytes. */
struct vv_dirdiff_item {
	size_t a, b;
};
struct vv_dirdiff {
	struct vv_dirdiff_item *v; /* in the order of paths: b's, or a's of what was removed */
	size_t n, n_same;
};
/* Either may be NULL: no version. A removed and an added file of the same bytes, not empty, are one renamed. */
VV_MUST_CHECK int vv_dirdiff_make(
	struct vv_dirdiff *d, const struct vv_manifest *a, const struct vv_manifest *b, struct vv_err *err);
void vv_dirdiff_release(struct vv_dirdiff *d);

#endif
