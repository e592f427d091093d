/*
 * Directories whose manifest has gone: after a switch to a branch without it their files go too. But where somebody has
 * taken them from git, and the manifest away by hand, the files are the user's own.
 */
#ifndef VV_GIT_DIRGONE_H
#define VV_GIT_DIRGONE_H

#include "git/sync.h"

/*
 * At every write of the index: notes which directories git has no more while their manifest still stands (git rm --cached),
 * and which have moved.
 */
VV_MUST_CHECK int vv_dirs_watch(const struct vv_repo *r, struct vv_err *err);
/* The same, then takes away what is nobody's any more. `root` is the open top folder. */
VV_MUST_CHECK int vv_dirs_gone(struct vv_repo *r, int root, struct vv_sync_report *report, struct vv_err *err);
/* Is anything known of directories? Asks no git. */
bool vv_dirs_any(const struct vv_repo *r);

#endif
