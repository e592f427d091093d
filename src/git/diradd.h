/* A tracked directory's files into the store, and their manifest beside them. */
#ifndef VV_GIT_DIRADD_H
#define VV_GIT_DIRADD_H

#include "git/dirstate.h"

/*
 * The tracked directories, "<dir>/.varve" NUL-ended each: those that git has, and those it does not know yet.
 * `specs` are git's pathspecs from where we stand (NULL: all).
 */
VV_MUST_CHECK int vv_dirs_list(const char *const *specs, struct vv_buf *out, struct vv_err *err);

/* How a directory's files differ from its manifest. */
struct vv_dirlook {
	struct vv_dirstate state; /* what it was last; without a file when nothing is known */
	struct vv_tree tree;      /* what is there now */
	size_t *of_tree;          /* by file of the tree: its index in state.m, SIZE_MAX: new */
	bool *same;               /* by file of the tree: it is what state.m says */
	size_t added, changed, deleted;
	uint64_t bytes;           /* of added and changed files */
	bool behind;              /* the manifest in the worktree is another: its files did not all come yet */
};
/* `deep`: files whose times alone differ are read before they count as changed. */
VV_MUST_CHECK int vv_dirlook(
	struct vv_dirlook *l, struct vv_repo *r, const char *dir, bool deep, struct vv_err *err);
void vv_dirlook_release(struct vv_dirlook *l);

/* The manifest of what is there now, without storing anything: VV_ENOTFOUND when the directory is not tracked. */
VV_MUST_CHECK int vv_dirhash(struct vv_repo *r, const char *dir, struct vv_manifest *out, struct vv_progress *prog,
	struct vv_err *err);

struct vv_diradded {
	struct vv_put_stats stats;
	size_t files, put;        /* all; read and stored now */
	uint64_t size;
	struct vv_manifest m;     /* the caller's to release */
	char oid[VV_OID_HEX_MAX + 1]; /* of the manifest's text */
	bool changed;             /* the text was written anew */
};
/* Stores what is new, writes <dir>/.varve and notes the stat data. git is not told. */
VV_MUST_CHECK int vv_diradd(struct vv_repo *r, const char *dir, struct vv_diradded *out, struct vv_progress *prog,
	struct vv_err *err);

#endif
