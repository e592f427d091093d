/* Three-way merge of directories, file by file: from their manifests alone, no bytes are read. */
#ifndef VV_MODEL_DIRMERGE_H
#define VV_MODEL_DIRMERGE_H

#include "model/directory.h"
#include "model/merge.h"

/*
 * Puts the merged directory's files into `out`; all are borrowed until its release. A file that changed on one side, or
 * alike, is taken; of others `conflict` (may be NULL) is told, *n_conflicts counts them, and ours is taken. `base` may
 * be NULL: no common version.
 */
VV_MUST_CHECK int vv_dir_merge(struct vv_dir_build *out, const struct vv_manifest *base, const struct vv_manifest *ours,
	const struct vv_manifest *theirs, void (*conflict)(void *arg, const char *path, const char *reason), void *arg,
	size_t *n_conflicts, struct vv_err *err);

#endif
