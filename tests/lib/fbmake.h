/* FlatBuffers written by hand, front to back: tables of fields of 8 bytes, each with its own vtable. */
#ifndef VV_TESTS_FBMAKE_H
#define VV_TESTS_FBMAKE_H

#include "base/buf.h"
#include "base/le.h"

/* A table of `n` fields, all 0. Returns its place; its vtable is before it. */
static inline size_t fb_table(struct vv_buf *b, unsigned n)
{
	size_t at = b->len + 4 + 2 * n;

	vv_buf_le(b, 4 + 2 * n, 2);
	vv_buf_le(b, 4 + 8 * n, 2);
	for (unsigned i = 0; i < n; i++)
		vv_buf_le(b, 4 + 8 * i, 2);
	vv_buf_le(b, 4 + 2 * n, 4);
	for (unsigned i = 0; i < n; i++)
		vv_buf_le(b, 0, 8);
	return at;
}

static inline size_t fb_field(size_t table, unsigned i)
{
	return table + 4 + 8 * i;
}

/* As if the field were not written. */
static inline void fb_leave_out(struct vv_buf *b, size_t table, unsigned i)
{
	size_t vtable = table - vv_get32(b->ptr + table);

	vv_put16(b->ptr + vtable + 4 + 2 * i, 0);
}

/* The offset at `at` shall lead to what comes next. */
static inline void fb_here(struct vv_buf *b, size_t at)
{
	vv_put32(b->ptr + at, (uint32_t)(b->len - at));
}

/* A vector of `n` elements, all 0. Returns the place of the first. */
static inline size_t fb_vector(struct vv_buf *b, uint32_t n, unsigned width)
{
	size_t at = b->len + 4;

	vv_buf_le(b, n, 4);
	for (uint64_t i = 0; i < (uint64_t)n * width; i++)
		vv_buf_char(b, 0);
	return at;
}

static inline void fb_text(struct vv_buf *b, const char *s)
{
	vv_buf_le(b, strlen(s), 4);
	vv_buf_str(b, s);
	vv_buf_char(b, 0);
}

#endif
