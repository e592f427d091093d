/* The bytes of one part of a pack, handed on with where they lie. */
#ifndef VV_REMOTE_TAKING_H
#define VV_REMOTE_TAKING_H

#include "base/err.h"
#include "base/span.h"

struct vv_taking {
	int (*take)(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err); /* as of vv_remote_ops.get */
	void *arg;
	size_t i;
	uint64_t off;
};

static inline int vv_take_piece(void *arg, struct vv_span bytes, struct vv_err *err)
{
	struct vv_taking *t = arg;
	int ret = t->take(t->arg, t->i, t->off, bytes, err);

	t->off += bytes.len;
	return ret;
}

#endif
