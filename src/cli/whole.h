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
	struct vv_elsewheres index; /* what files[0] tells of the others; empty for shards */
};

/*
 * Makes of `n`, which names one shard, or a file that tells of tensors in others, the whole model that it is part of, as
 * it is at that place. A model of one file stays; files that are not there are warned of. `compare`: of an index,
 * tensors are given ids by their bytes, which are read for it. On failure `n` is still to be released.
 */
VV_MUST_CHECK int vv_whole_find(struct vv_ctx *ctx, struct vv_named *n, bool compare);
/* Does its format tell of tensors in other files? */
bool vv_names_others(const struct vv_manifest *m);
/* The shards `files`: takes them, also when it fails. The first one's name gives the model's, "model-*-of-00005.bin". */
VV_MUST_CHECK int vv_whole_make(struct vv_ctx *ctx, struct vv_named *files, size_t n, struct vv_named *out);
/* An index and the files it tells of (vv_group_index): takes files and *e. The model has the index's name. */
VV_MUST_CHECK int vv_whole_indexed(struct vv_ctx *ctx, struct vv_named *files, size_t n, struct vv_elsewheres *e,
	const size_t *file_of, bool compare, struct vv_named *out);
/* For vv_bytes_open: opens the bytes of each file. */
VV_MUST_CHECK int vv_whole_bytes(struct vv_ctx *ctx, struct vv_whole *w);
void vv_whole_free(struct vv_whole *w);

/* For vv_whole_find: of a shard, of an index. */
VV_MUST_CHECK int vv_whole_shards(struct vv_ctx *ctx, struct vv_named *n);
VV_MUST_CHECK int vv_whole_index(struct vv_ctx *ctx, struct vv_named *n, bool compare);
/* Releases an array of named files. */
void vv_whole_drop(struct vv_named *files, size_t n);

#endif
