/* MessagePack as Flax writes it: what its reader and its writer share. */
#ifndef VV_FORMAT_MSGPACK_H
#define VV_FORMAT_MSGPACK_H

#include "format/format.h"

enum {
	VV_MSGPACK_DEPTH = 64,
	VV_MSGPACK_NAMES = 64 << 20, /* bytes of all names: a path stands in the file once, and in each name under it */
	VV_MSGPACK_ARRAY = 1 << 30,  /* bytes: Flax cuts larger ones into chunks */
};

/* The first key of the map that stands for an array in chunks. */
#define VV_MSGPACK_CHUNKED "__msgpack_chunked_array__"

/* NumPy's word for it, or NULL; and back, VV_DT_BYTES when there is none. */
const char *vv_msgpack_word(enum vv_dtype dt);
enum vv_dtype vv_msgpack_type(const char *word);
/* What stands before an array's bytes. */
void vv_msgpack_head(struct vv_buf *out, const struct vv_part *p);
/* VV_ENOTSUP: Flax does not write such an array. */
VV_MUST_CHECK int vv_msgpack_check(const struct vv_part *p, struct vv_err *err);
/*
 * Any tensors instead of those of a file that holds maps of arrays and nothing else, as msgpack's packer writes them;
 * 1: the file is none. VV_ENOTSUP: no such names or types.
 */
VV_MUST_CHECK int vv_msgpack_rewrite(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);

#endif
