/*
 * Brings the files of a tracked directory to what its manifest says. Only files that are as they were put there,
 * or added, and whose bytes the store has are replaced or removed; all others stay, and are told.
 */
#ifndef VV_GIT_DIRSYNC_H
#define VV_GIT_DIRSYNC_H

#include "git/dirstate.h"
#include "git/sync.h"

/*
 * `root` is the open top folder, `dir` the directory below it, `text` its manifest's. `missing`: files that are gone are
 * put back. `force`: files that were changed, or are in the way, are replaced. `keep`: none is removed.
 * `retry`: files that could not come the last time are tried again.
 */
enum vv_dirsync_flags { VV_DIRSYNC_MISSING = 1, VV_DIRSYNC_FORCE = 2, VV_DIRSYNC_KEEP = 4, VV_DIRSYNC_RETRY = 8 };
VV_MUST_CHECK int vv_dirsync(struct vv_repo *r, int root, const char *dir, struct vv_span text, unsigned flags,
	struct vv_sync_report *report, struct vv_err *err);
/* The directory is tracked no more: what was put there goes. */
VV_MUST_CHECK int vv_dirsync_gone(
	struct vv_repo *r, int root, const struct vv_dirstate *s, struct vv_sync_report *report, struct vv_err *err);

/*
 * Puts files of another version, those whose path one of the `n` patterns matches (fnmatch; a folder's name means all in
 * it), in place of what is there, whatever that is. Without patterns all of them, and files of the present version that
 * it has not go, unless they were changed. What the directory's manifest says stays: they are changes. VV_ENOTFOUND:
 * nothing matches.
 */
VV_MUST_CHECK int vv_dirsync_restore(struct vv_repo *r, int root, const char *dir, const struct vv_manifest *from,
	const char *const *patterns, size_t n, struct vv_sync_report *report, struct vv_err *err);

#endif
