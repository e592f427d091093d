/* Configuration: what makes git call varve, per machine (--global) or per repository. */
#ifndef VV_GIT_SETUP_H
#define VV_GIT_SETUP_H

#include "git/repo.h"

/* One setting that varve needs. */
struct vv_setting {
	const char *key, *value, *why;
};
extern const struct vv_setting vv_settings[]; /* ends with a NULL key */

/* Sets filter, merge and diff drivers: in the user's configuration when `global`, else in the repository's. */
VV_MUST_CHECK int vv_setup_config(const struct vv_repo *r, bool global, struct vv_err *err);
/* The value in force, owned; NULL when not set. */
VV_MUST_CHECK int vv_setup_value(const struct vv_repo *r, const char *key, char **value, struct vv_err *err);
/* Store, hooks, core.fsync, and the configuration unless the global one is there. */
VV_MUST_CHECK int vv_setup_repo(struct vv_repo *r, struct vv_err *err);
/* Hooks, state and store of a repository met for the first time, from a filter. */
VV_MUST_CHECK int vv_setup_first(struct vv_repo *r, struct vv_err *err);
/* Takes varve out of this repository's configuration and hooks. The store stays. */
VV_MUST_CHECK int vv_setup_remove(struct vv_repo *r, bool global, struct vv_err *err);

/* .gitattributes: adds or removes the pattern's line. *changed tells; a line that is there is left alone. */
VV_MUST_CHECK int vv_track(const struct vv_repo *r, const char *pattern, bool *changed, struct vv_err *err);
VV_MUST_CHECK int vv_untrack(const struct vv_repo *r, const char *pattern, bool *changed, struct vv_err *err);
/* Removes every line that names varve from every .gitattributes of the worktree. */
VV_MUST_CHECK int vv_untrack_all(const struct vv_repo *r, struct vv_err *err);
/* Calls fn for each pattern of any .gitattributes in the worktree's index or top folder that names varve. */
VV_MUST_CHECK int vv_track_each(const struct vv_repo *r,
	int (*fn)(void *arg, const char *file, const char *pattern, struct vv_err *err), void *arg, struct vv_err *err);

#endif
