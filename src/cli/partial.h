/* A worktree model with some tensors of another version, written beside it and then put in its place. */
#ifndef VV_CLI_PARTIAL_H
#define VV_CLI_PARTIAL_H

#include "cli/cli.h"
#include "model/manifest.h"
#include "model/merge.h"
#include "os/place.h"

struct vv_partial {
	const struct vv_place *place;
	const char *path;
	const struct stat *seen; /* the file there now */
	/* Filled by the write: */
	struct vv_draft draft;
	struct vv_buf text;
	struct vv_manifest manifest; /* of the new file */
};

/*
 * Writes `into` (what lies at the place) with those tensors of `from` that match. VV_ENOTFOUND: a
 * pattern matches none. VV_ENOTSUP: the format is restored whole only.
 */
VV_MUST_CHECK int vv_partial_write(struct vv_ctx *ctx, struct vv_partial *p, struct vv_named *into,
	struct vv_named *from, const struct vv_opt_list *globs);
/* Writes the merged file, of which `into` is ours. */
VV_MUST_CHECK int vv_partial_merge(
	struct vv_ctx *ctx, struct vv_partial *p, const struct vv_merge *m, const struct vv_named *into);
/* Names it, unless the file there has changed since. `in_index`: as for vv_write_model. */
VV_MUST_CHECK int vv_partial_publish(struct vv_ctx *ctx, struct vv_partial *p, bool in_index, struct stat *st);
/* Removes what was not published. */
void vv_partial_release(struct vv_partial *p);

#endif
