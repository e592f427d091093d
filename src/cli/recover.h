/* Bytes of lost objects, found elsewhere: in the worktree's models and in the stores of local remotes. */
#ifndef VV_CLI_RECOVER_H
#define VV_CLI_RECOVER_H

#include "cli/cli.h"

struct vv_recover {
	struct vv_ctx *ctx;
	struct vv_worktree_model *models; /* read at the first question */
	size_t n_models;
	bool read;
};

/* Appends the bytes of the object, checked; VV_ENOTFOUND when nobody has them. *where: a constant. */
VV_MUST_CHECK int vv_recover_bytes(
	struct vv_recover *r, const struct vv_id *id, uint64_t size, struct vv_buf *out, const char **where, struct vv_err *err);
/* Stores anew the worktree's models that should hold one of these objects (sorted by vv_id_cmp). */
VV_MUST_CHECK int vv_recover_missing(struct vv_recover *r, const struct vv_id *ids, size_t n, struct vv_err *err);
void vv_recover_release(struct vv_recover *r);

#endif
