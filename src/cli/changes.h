/* Which kept files differ between two sides, as git diff decides it. */
#ifndef VV_CLI_CHANGES_H
#define VV_CLI_CHANGES_H

#include "cli/cli.h"

/* NULL, NULL: the index and the worktree. a, NULL: that commit and the worktree. */
struct vv_sides {
	char *a, *b;  /* commits in full; owned */
	bool index;   /* `b` is the index; a: NULL when there is no commit yet */
};
/*
 * Reads words as git diff does: up to two revisions ("A", "A..B", "A...B"), then paths. `dash`: number
 * of words before "--", or -1: then the first word that names no revision begins the paths. *n_revs is
 * the number of words taken.
 */
VV_MUST_CHECK int vv_sides_parse(
	struct vv_ctx *ctx, char **words, int n, int dash, struct vv_sides *out, int *n_revs);
void vv_sides_release(struct vv_sides *s);

struct vv_change {
	char status; /* git's: A D M R C T U */
	char oid_a[VV_OID_HEX_MAX + 1], oid_b[VV_OID_HEX_MAX + 1]; /* zeros: nothing there, or see the worktree */
	char *path_a, *path_b; /* differ when renamed; owned */
};
struct vv_changes {
	struct vv_change *v;
	size_t n, cap;
};
/* `paths`: pathspecs of git, from where we stand; NULL-terminated. In git's order. */
VV_MUST_CHECK int vv_changes_list(
	struct vv_ctx *ctx, const struct vv_sides *s, char **paths, struct vv_changes *out);
void vv_changes_release(struct vv_changes *c);

#endif
