/*
 * Stores that are not on this machine: those beside the git repositories that the remotes' ssh URLs name, and those
 * that remote.<name>.varve names. A connection is made when something is missing or is pushed, and kept as long as the
 * repository's handle; a remote that did not answer is not asked again.
 */
#ifndef VV_GIT_FAR_H
#define VV_GIT_FAR_H

#include "git/repo.h"

/* Fetches what is missing here of `ids` from each of them in turn. What none of them has stays missing. */
VV_MUST_CHECK int vv_far_fetch(
	struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_progress *prog, struct vv_err *err);
/*
 * The folder in which notes about what was sent there are kept; VV_ENOTSUP when `url`, of the remote of that name, is
 * none that objects can be sent to. Owned by the caller.
 */
VV_MUST_CHECK int vv_far_notes(
	struct vv_repo *r, const char *remote, const char *url, char **dir, struct vv_err *err);
/* Looks there whether all that was sent is there still; when not, the notes are cleared: the next push looks at everything. */
VV_MUST_CHECK int vv_far_check(
	struct vv_repo *r, const char *remote, const char *url, const char *notes, struct vv_err *err);
VV_MUST_CHECK int vv_far_push(struct vv_repo *r, const char *remote, const char *url, const struct vv_id *ids, size_t n,
	struct vv_progress *prog, struct vv_err *err);
/* Is remote.<name>.varve "none": manifests go there without their bytes? */
bool vv_far_unwanted(struct vv_repo *r, const char *remote);
void vv_far_close(struct vv_repo *r);
/*
 * The store of the git repository, or the store, at `path`; "~" and "~user" begin a home. Owned by the caller. What this
 * process makes from here on is for those with whom the repository is shared.
 */
VV_MUST_CHECK int vv_far_find(const char *path, char **store_dir, struct vv_err *err);

#endif
