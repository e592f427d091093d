/* The models in several files among what differs: each is compared as one. */
#ifndef VV_CLI_DIFFWHOLE_H
#define VV_CLI_DIFFWHOLE_H

#include "cli/changes.h"

/*
 * Calls `compare` once for each such model; a side without a manifest has it not. taken[i] is set for
 * the changes that this covers. Shards that do not differ hold no difference: only the others are read.
 */
VV_MUST_CHECK int vv_diffwhole(struct vv_ctx *ctx, const struct vv_sides *s, const struct vv_changes *all, bool *taken,
	int (*compare)(void *arg, const struct vv_named *a, const struct vv_named *b), void *arg);

#endif
