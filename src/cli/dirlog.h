/* What commits did to the files of a directory that is tracked as one: for log and blame. */
#ifndef VV_CLI_DIRLOG_H
#define VV_CLI_DIRLOG_H

#include "cli/cli.h"
#include "model/directory.h"

/*
 * Is the path (from the top) such a directory, or a file in one, in the worktree, else anywhere in the history of `revs` (none: of
 * HEAD)? *manifest: the path of its manifest, owned by the caller, NULL: it is neither; *file: the file in it, borrowed from
 * `path`, NULL: the whole.
 */
VV_MUST_CHECK int vv_dirlog_find(struct vv_ctx *ctx, const char *const *revs, size_t n_revs, const char *path,
	char **manifest, const char **file);

struct vv_dirlog {
	size_t changed, added, removed, renamed, total;
	json_t *names; /* list that gets name and change of each; NULL: not asked for */
};
/*
 * Counts how `b` differs from `a` (either may be NULL, or of no directory: no files). `file`: only that one of `b`, or
 * one that only `a` has; *was is then its path in `a` when it is another, borrowed from `a`.
 */
VV_MUST_CHECK int vv_dirlog_compare(struct vv_dirlog *d, const struct vv_manifest *a, const struct vv_manifest *b,
	const char *file, const char **was, struct vv_err *err);
bool vv_dirlog_touched(const struct vv_dirlog *d);
/* "3 of 12 files, +1 -2"; of one file, what became of it. */
void vv_dirlog_say(const struct vv_dirlog *d, bool one, char *text, size_t cap);

#endif
