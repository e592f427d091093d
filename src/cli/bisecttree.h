/*
 * The worktree of a bisect: "w" in a folder "bisect-…" of its own, in the state folder or TMPDIR. The folder has a lock, held by
 * the process that bisects: without one its owner is gone, and it may go.
 */
#ifndef VV_CLI_BISECTTREE_H
#define VV_CLI_BISECTTREE_H

#include "cli/cli.h"
#include "os/file.h"

struct vv_bisecttree {
	char *dir, *tree; /* the folder; the worktree in it */
	struct vv_lock lock;
};
#define VV_BISECTTREE_INIT {NULL, NULL, VV_LOCK_INIT}

/* With nothing checked out, at `commit`. */
VV_MUST_CHECK int vv_bisecttree_make(struct vv_bisecttree *t, struct vv_ctx *ctx, const char *commit);
/* Removes it; says what is left. Safe after a failure to make it. */
void vv_bisecttree_remove(struct vv_bisecttree *t, struct vv_ctx *ctx);
/* Removes those of this repository whose owners were killed. What fails costs room only. */
void vv_bisecttree_sweep(struct vv_ctx *ctx);

#endif
