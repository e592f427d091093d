/* Beginning and ending to track a directory as one. */
#ifndef VV_GIT_DIRTRACK_H
#define VV_GIT_DIRTRACK_H

#include "git/repo.h"

/*
 * Makes <dir>/.varve, a manifest without files until varve add, and <dir>/.gitignore, which keeps the other files
 * from git, and has .gitattributes name the manifests of all directories. The directory is made when missing.
 * VV_EEXISTS: git has files in it, or a directory around or in it is tracked.
 */
VV_MUST_CHECK int vv_dir_track(struct vv_repo *r, const char *dir, bool *changed, struct vv_err *err);
/* Takes them away: the files are git's to see. VV_ENOTFOUND when it is not tracked. */
VV_MUST_CHECK int vv_dir_untrack(struct vv_repo *r, const char *dir, struct vv_err *err);
/* Is the ignore file that tracking made there, unchanged? */
bool vv_dir_has_ignore(const struct vv_repo *r, const char *dir);

#endif
