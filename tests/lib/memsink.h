/* A sink that keeps what it is given, and can fail at a byte. */
#ifndef VV_TESTS_MEMSINK_H
#define VV_TESTS_MEMSINK_H

#include "base/buf.h"
#include "base/source.h"

struct memsink {
	struct vv_sink base;
	struct vv_buf bytes;
	size_t room; /* fails with VV_EIO past it; 0: never */
};

static inline int memsink_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct memsink *s = (struct memsink *)self;

	if (s->room && s->bytes.len + data.len > s->room)
		return vv_fail(err, VV_EIO, "no room in the sink");
	vv_buf_span(&s->bytes, data);
	return vv_buf_check(&s->bytes, err);
}

#define MEMSINK_INIT {{memsink_write}, VV_BUF_INIT(VV_MAX_TEXT), 0}

#endif
