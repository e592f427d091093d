/*
 * Small files in a worktree's state folder by which one run of varve tells the next what it saw. They
 * can be read without asking git anything: hooks and filters run often.
 */
#ifndef VV_GIT_MARKS_H
#define VV_GIT_MARKS_H

#include "git/repo.h"

/*
 * "again": the next post-index-change calls varve whatever its arguments, since git may write its older
 * idea of the index once more after we wrote models. "smudged": git wrote a manifest's text, and some
 * commands do not tell their hooks so. "wanted": a waiter has work.
 */
enum vv_mark { VV_MARK_AGAIN, VV_MARK_SMUDGED, VV_MARK_WANTED };
VV_MUST_CHECK int vv_mark_set(const struct vv_repo *r, enum vv_mark m, struct vv_err *err);
void vv_mark_clear(const struct vv_repo *r, enum vv_mark m);
bool vv_mark_is_set(const struct vv_repo *r, enum vv_mark m);

/*
 * In a filter, where git has put us in the worktree's top folder: sets VV_MARK_SMUDGED for this path;
 * false when the state folder is not there.
 */
bool vv_mark_smudged_here(const char *path);
/* Clears VV_MARK_SMUDGED and appends the paths that it was set for, NUL-ended. */
VV_MUST_CHECK int vv_mark_take_smudged(const struct vv_repo *r, struct vv_buf *paths, struct vv_err *err);
/* Notes that worktree and index were put in step, and which index that was. */
void vv_mark_in_step(const struct vv_repo *r);
/* In a hook: is nothing to do, since git has written neither index nor manifests after that? */
bool vv_is_in_step_here(void);

#endif
