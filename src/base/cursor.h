/*
 * A bounded reader over borrowed bytes. Each take fails (nonzero) and moves nothing when too few
 * bytes are left, so a parser cannot read past its input.
 */
#ifndef VV_BASE_CURSOR_H
#define VV_BASE_CURSOR_H

#include "base/le.h"
#include "base/span.h"

struct vv_cursor {
	const uint8_t *ptr;
	size_t left;
	size_t off; /* bytes taken so far: for messages */
};

static inline struct vv_cursor vv_cursor(struct vv_span s)
{
	return (struct vv_cursor){s.ptr, s.len, 0};
}

static inline int vv_take(struct vv_cursor *c, size_t n, struct vv_span *out)
{
	if (n > c->left)
		return 1;
	*out = (struct vv_span){c->ptr, n};
	c->ptr += n;
	c->left -= n;
	c->off += n;
	return 0;
}

static inline int vv_take8(struct vv_cursor *c, uint8_t *v)
{
	struct vv_span s;
	if (vv_take(c, 1, &s))
		return 1;
	*v = s.ptr[0];
	return 0;
}

static inline int vv_take16(struct vv_cursor *c, uint16_t *v)
{
	struct vv_span s;
	if (vv_take(c, 2, &s))
		return 1;
	*v = vv_get16(s.ptr);
	return 0;
}

static inline int vv_take32(struct vv_cursor *c, uint32_t *v)
{
	struct vv_span s;
	if (vv_take(c, 4, &s))
		return 1;
	*v = vv_get32(s.ptr);
	return 0;
}

static inline int vv_take64(struct vv_cursor *c, uint64_t *v)
{
	struct vv_span s;
	if (vv_take(c, 8, &s))
		return 1;
	*v = vv_get64(s.ptr);
	return 0;
}

/* One line without its LF; fails when no LF is left. */
static inline int vv_take_line(struct vv_cursor *c, struct vv_span *out)
{
	const uint8_t *nl = c->left ? memchr(c->ptr, '\n', c->left) : NULL;
	struct vv_span lf;

	if (!nl || vv_take(c, (size_t)(nl - c->ptr), out))
		return 1;
	return vv_take(c, 1, &lf);
}

#endif
