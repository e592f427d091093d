/*
 * A growing byte buffer with a named maximum. Past it, or without memory, the buffer turns `failed`
 * and later writes do nothing, so a caller may write freely and check once with vv_buf_check().
 */
#ifndef VV_BASE_BUF_H
#define VV_BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

struct vv_buf {
	uint8_t *ptr; /* always NUL-terminated once anything was written */
	size_t len, cap, max;
	int failed; /* 0, VV_ELIMIT or VV_ENOMEM */
};

#define VV_BUF_INIT(limit) {NULL, 0, 0, (limit), 0}
/* Maxima of the program: text that varve itself makes, and one manifest. */
#define VV_MAX_TEXT ((size_t)64 << 20)
#define VV_MAX_MANIFEST ((size_t)512 << 20)

void vv_buf_init(struct vv_buf *b, size_t max);
void vv_buf_release(struct vv_buf *b);
/* Keeps the memory, forgets the content and a failure. */
void vv_buf_clear(struct vv_buf *b);
/* Room for `n` more bytes at the end; NULL when failed. The caller adds to b->len. */
void *vv_buf_reserve(struct vv_buf *b, size_t n);
void vv_buf_add(struct vv_buf *b, const void *ptr, size_t n);
void vv_buf_span(struct vv_buf *b, struct vv_span s);
void vv_buf_str(struct vv_buf *b, const char *s);
void vv_buf_char(struct vv_buf *b, char c);
void vv_buf_fmt(struct vv_buf *b, const char *fmt, ...) VV_PRINTF(2, 3);
void vv_buf_le(struct vv_buf *b, uint64_t v, unsigned bytes);
VV_MUST_CHECK int vv_buf_check(const struct vv_buf *b, struct vv_err *err);
/* Owned by the caller, who frees it; never NULL unless failed. */
char *vv_buf_take(struct vv_buf *b);

static inline struct vv_span vv_buf_view(const struct vv_buf *b)
{
	return (struct vv_span){b->ptr, b->len};
}

#endif
