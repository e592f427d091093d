/* Model files that a command writes into the worktree: what git and the stat cache are told of them. */
#ifndef VV_CLI_PUTBACK_H
#define VV_CLI_PUTBACK_H

#include "cli/cli.h"
#include "git/statcache.h"

struct vv_putback {
	struct vv_ctx *ctx;
	struct vv_statcache cache;
	struct vv_buf refresh; /* NUL-separated paths that equal the index now */
	int root;              /* the worktree's top folder */
};

/* To be released also when it fails. */
VV_MUST_CHECK int vv_putback_open(struct vv_putback *p, struct vv_ctx *ctx);
void vv_putback_release(struct vv_putback *p);
/* Is the blob the index's own for this path? */
bool vv_putback_in_index(struct vv_ctx *ctx, const char *path, const char *oid);
/* Tells the stat cache which blob the file is that was just written, and the index when it is the index's own. */
VV_MUST_CHECK int vv_putback_note(struct vv_putback *p, const char *path, const struct stat *st, const char *oid,
	struct vv_manifest *m, bool in_index);
/* Tells git of all of them. To be called after a failure, too: what was written is there. */
VV_MUST_CHECK int vv_putback_end(struct vv_putback *p);

#endif
