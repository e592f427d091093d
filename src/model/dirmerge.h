/* Three-way merge of directories, file by file: from their manifests alone, no bytes are read. */
#ifndef VV_MODEL_DIRMERGE_H
#define VV_MODEL_DIRMERGE_H

#include "model/directory.h"
#include "model/merge.h"

/*
 * Puts the merged directory's files into `out`; all are borrowed until its release. A file that changed on one side, or
 * alike, is taken; of others `conflict` says which side is (NULL: ours), in order of paths, and *n_conflicts counts them.
 * `base` may be NULL: no common version.
 */
VV_MUST_CHECK int vv_dir_merge(struct vv_dir_build *out, const struct vv_manifest *base, const struct vv_manifest *ours,
	const struct vv_manifest *theirs,
	enum vv_merge_side (*conflict)(void *arg, const char *path, enum vv_merge_reason reason), void *arg, size_t *n_conflicts,
	struct vv_err *err);

#endif
