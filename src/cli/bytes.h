/* A named model's bytes, from the store or its own file. */
#ifndef VV_CLI_BYTES_H
#define VV_CLI_BYTES_H

#include "cli/cli.h"
#include "git/peer.h"
#include "model/model.h"
#include "os/file.h"

struct vv_bytes {
	struct vv_model_source stored;
	struct vv_version version;
};
/* Borrows both. Objects that only a local remote has are fetched. */
VV_MUST_CHECK int vv_bytes_open(struct vv_ctx *ctx, const struct vv_named *n, struct vv_bytes *out);
/* Are they in the store already? No other machine or store is asked. */
bool vv_bytes_here(struct vv_ctx *ctx, const struct vv_named *n);

#endif
