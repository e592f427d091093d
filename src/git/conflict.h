/*
 * Conflicts of merges that wait for the user: git's index says which files, <git dir>/varve/conflicts/ how far each one is
 * settled. Losing a record costs what was settled; one that the index does not know any more counts for nothing.
 */
#ifndef VV_GIT_CONFLICT_H
#define VV_GIT_CONFLICT_H

#include "blend/resolution.h"
#include "git/repo.h"

/* A path with stages in the index. Borrows the entries. */
struct vv_unmerged {
	const char *path;
	const char *oid[3]; /* by vv_merge_side; NULL: that side has no file */
};
/* The unmerged path at entry *i, or behind it; moves past it. False: no more. */
bool vv_unmerged_next(const struct vv_entries *e, size_t *i, struct vv_unmerged *out);

VV_MUST_CHECK int vv_conflict_save(const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err);
/*
 * The merge was made once more (git checkout -m) and nothing is left: a record of it that there is says so. Without one
 * none is made.
 */
VV_MUST_CHECK int vv_conflict_over(const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err);
/* VV_ENOTFOUND: there is none of these versions of the file. */
VV_MUST_CHECK int vv_conflict_load(
	const struct vv_repo *r, const struct vv_unmerged *u, struct vv_resolution *out, struct vv_err *err);
/* Calls fn with each record that can be read, in no order. Stops when it fails. */
VV_MUST_CHECK int vv_conflict_each(const struct vv_repo *r,
	int (*fn)(void *arg, const struct vv_resolution *res, struct vv_err *err), void *arg, struct vv_err *err);
/* Removes those that are not of an unmerged path in `all`, which are all entries that varve keeps. */
void vv_conflict_prune(const struct vv_repo *r, const struct vv_entries *all);

/*
 * Keeps how res->result was merged, as a note of git's on it (refs/notes/varve-merge): what was merged by rule or by
 * hand can be made again from it. Worktrees take turns. The merge stands without it: a failure is worth a warning.
 */
VV_MUST_CHECK int vv_resolution_note(
	const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err);
/* What is noted on the manifest `oid`: VV_ENOTFOUND when nothing is. */
VV_MUST_CHECK int vv_resolution_noted(
	const struct vv_repo *r, const char *oid, struct vv_resolution *out, struct vv_err *err);

#endif
