/* A model in several files, named as one. */
#ifndef VV_CLI_WHOLE_H
#define VV_CLI_WHOLE_H

#include "cli/bytes.h"
#include "model/group.h"

struct vv_whole {
	struct vv_group group;
	struct vv_named *files;
	struct vv_bytes *bytes; /* of each, once they are asked for */
	size_t n;
};

/*
 * Makes of `n`, which names one shard, the whole model that it is part of, as it is at that place: its path is
 * then "model-*-of-00005.safetensors". A model of one file stays; shards that are not there are warned of.
 */
VV_MUST_CHECK int vv_whole_find(struct vv_ctx *ctx, struct vv_named *n);
/* The same of files that are known: takes them, also when it fails. The first one's name gives the model's. */
VV_MUST_CHECK int vv_whole_make(struct vv_ctx *ctx, struct vv_named *files, size_t n, struct vv_named *out);
/* For vv_bytes_open: opens the bytes of each file. */
VV_MUST_CHECK int vv_whole_bytes(struct vv_ctx *ctx, struct vv_whole *w);
void vv_whole_free(struct vv_whole *w);

#endif
