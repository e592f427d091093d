/*
 * What varve knows of a tracked directory in this worktree: the manifest that its files were last brought to, or
 * added as, and the stat data of each file then. <git dir>/varve/dirs/<hash of its path>. A cache: losing it costs
 * a re-read, and leaves files that a version drops as they are.
 */
#ifndef VV_GIT_DIRSTATE_H
#define VV_GIT_DIRSTATE_H

#include "git/repo.h"
#include "model/directory.h"
#include "os/tree.h"

struct vv_dirstate {
	char *dir;                 /* below the top */
	struct vv_buf text;        /* the manifest's */
	struct vv_manifest m;
	struct vv_tree_stat *stat; /* by file of `m`; ino 0: it was not put here */
};
#define VV_DIRSTATE_INIT {NULL, VV_BUF_INIT(VV_MAX_MANIFEST), {.format = NULL}, NULL}

/* The row of a file that the user had changed when the version came, and that stayed: no file is ever like it. */
struct vv_tree_stat vv_dirstate_kept(const struct vv_tree_stat *st);
/* Is the file still that one, and so not what the manifest says? */
bool vv_dirstate_is_kept(const struct vv_tree_stat *row, const struct vv_tree_stat *st);

/* VV_ENOTFOUND: nothing is known. What is no state any more is as good as none; one that cannot be read is not. */
VV_MUST_CHECK int vv_dirstate_read(
	struct vv_dirstate *s, const struct vv_repo *r, const char *dir, struct vv_err *err);
/* The same of a directory that has gone, and whose manifest was this text: it was moved to `dir`. VV_ENOTFOUND: there is none. */
VV_MUST_CHECK int vv_dirstate_adopt(
	struct vv_dirstate *s, const struct vv_repo *r, const char *dir, struct vv_span text, struct vv_err *err);
bool vv_dirstate_has(const struct vv_repo *r, const char *dir);
/* Is this beginning of a manifest's text (up to its root line at least) that of what is known, and nothing else begun? */
bool vv_dirstate_is(const struct vv_repo *r, const char *dir, struct vv_span head);
/* `stat`: one for each file of the text's manifest. */
VV_MUST_CHECK int vv_dirstate_write(const struct vv_repo *r, const char *dir, struct vv_span text,
	const struct vv_tree_stat *stat, size_t n, struct vv_err *err);
/*
 * Notes the text that the files are about to be brought to; writing or forgetting the state ends that. A sync that was cut
 * short leaves it: then files may be of either version.
 */
VV_MUST_CHECK int vv_dirstate_begin(const struct vv_repo *r, const char *dir, struct vv_span text, struct vv_err *err);
bool vv_dirstate_begun(const struct vv_repo *r, const char *dir, struct vv_buf *text);
/* Marks, or unmarks, one that git has no more while its manifest still stands. Writing the state unmarks it. */
VV_MUST_CHECK int vv_dirstate_let_go(const struct vv_repo *r, const char *dir, bool yes, struct vv_err *err);
bool vv_dirstate_is_let_go(const struct vv_repo *r, const char *dir);
void vv_dirstate_forget(const struct vv_repo *r, const char *dir);
/* The same from one of the files that each gives. */
VV_MUST_CHECK int vv_dirstate_open(struct vv_dirstate *s, const char *file, struct vv_err *err);
/* Calls fn with each directory of which something is known, and the file that has it, in the state folder `state_dir`. */
VV_MUST_CHECK int vv_dirstate_each(const char *state_dir,
	int (*fn)(void *arg, const char *dir, const char *file, struct vv_err *err), void *arg, struct vv_err *err);
void vv_dirstate_release(struct vv_dirstate *s);

/* Is this path the manifest of a tracked directory, "<dir>/.varve"? */
bool vv_is_dir_path(const char *path);
/* Is it at least called so? One at the top of the worktree is of no directory. */
bool vv_is_dir_manifest(const char *path);
/* The directory of such a path; owned by the caller, NULL when memory is gone. */
char *vv_dir_of_path(const char *path);

#endif
