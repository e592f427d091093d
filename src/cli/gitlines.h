/*
 * What git answers, record by record, so that memory does not grow with history. git runs where the
 * user stands: pathspecs, and paths that begin with "./", mean what they mean to git there.
 */
#ifndef VV_CLI_GITLINES_H
#define VV_CLI_GITLINES_H

#include "os/child.h"

#include <stdio.h>

/* Words for git. Borrowed. A zeroed struct is empty. */
struct vv_args {
	const char **v; /* NULL-terminated */
	size_t n;
	bool failed; /* memory is gone: told by vv_lines_open */
};
void vv_args_add(struct vv_args *a, const char *word);
/* Adds words until NULL. */
void vv_args_all(struct vv_args *a, const char *const *words);
void vv_args_release(struct vv_args *a);

struct vv_lines {
	struct vv_child child;
	FILE *from;
	char *rec;
	size_t cap;
	const char *what; /* git's command, for messages */
	bool ended;
};
#define VV_LINES_INIT {VV_CHILD_INIT, NULL, NULL, 0, NULL, false}

/* Starts git; args->v[0] is its command. */
VV_MUST_CHECK int vv_lines_open(struct vv_lines *l, const struct vv_args *args, struct vv_err *err);
/* A record without its end byte. Borrowed: valid until the next call. 1: no more. */
VV_MUST_CHECK int vv_lines_next(struct vv_lines *l, char end, const char **rec, struct vv_err *err);
/* VV_EGIT, with git's own words, when git failed. A reader that stops early does not make it fail. */
VV_MUST_CHECK int vv_lines_close(struct vv_lines *l, struct vv_err *err);
/* After a failure of ours: ends it and says nothing. Safe to call twice and after a close. */
void vv_lines_release(struct vv_lines *l);

/* All NUL-ended records of one answer, appended with their NULs. */
VV_MUST_CHECK int vv_lines_all(const struct vv_args *args, struct vv_buf *out, struct vv_err *err);
/* Files that git does not track below these words (none: everywhere), as names from the top. `ignored`: those too. */
VV_MUST_CHECK int vv_untracked(char *const *words, bool ignored, struct vv_buf *out, struct vv_err *err);

/* A path as git prints it, in double quotes when it holds odd bytes: itself, in place. */
void vv_git_unquote(char *path);

#endif
