/*
 * varve's own calls of git: its clean filter, started by them, answers from the stat cache instead of
 * reading the model, and without any further call of git. A user's own git never comes here: the
 * filter is then given content that need not be the worktree file's.
 */
#ifndef VV_GIT_INSIDE_H
#define VV_GIT_INSIDE_H

#include "git/repo.h"

/* The environment to run git with, as for vv_git_status; valid until the next call. NULL: no memory. */
const char *const *vv_inside_env(const struct vv_repo *r);
/* Are we the filter of such a call? */
bool vv_inside(void);
/* Leaves a manifest's text for the filter. */
VV_MUST_CHECK int vv_inside_put(const struct vv_repo *r, const char *oid, struct vv_span text, struct vv_err *err);
/* Keeps the text of what clean was given last for this path, and finds it again: VV_ENOTFOUND. */
VV_MUST_CHECK int vv_keep_text(const struct vv_repo *r, const char *path, struct vv_span text, struct vv_err *err);
VV_MUST_CHECK int vv_kept_text(const struct vv_repo *r, const char *path, struct vv_buf *text, struct vv_err *err);
/* Takes all texts away again. */
void vv_inside_clear(const struct vv_repo *r);

/*
 * In the filter: the manifest that the worktree file at `path` (from the current folder) is known to
 * be, on `out`. 1 when it is not known.
 */
VV_MUST_CHECK int vv_inside_clean(const char *path, int out, struct vv_err *err);

#endif
