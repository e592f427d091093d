/* The merge driver: called by git merge, rebase, cherry-pick, revert, stash pop and merge-tree. */
#ifndef VV_GIT_MERGEDRIVER_H
#define VV_GIT_MERGEDRIVER_H

#include "git/repo.h"

/*
 * `base`, `ours`, `theirs`: files with the three manifests (base may be empty). The result is written
 * to `ours`. VV_ECONFLICT when tensors conflict: `ours` is left as it was, `conflict` was told each.
 * `path` is the model's, relative to the top.
 */
VV_MUST_CHECK int vv_merge_driver(struct vv_repo *r, const char *base, const char *ours, const char *theirs,
	const char *path, void (*conflict)(void *arg, const char *tensor, const char *reason), void *arg,
	struct vv_err *err);

#endif
