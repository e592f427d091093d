/* Borrowed bytes: a pointer and a length, valid as long as what they point into. */
#ifndef VV_BASE_SPAN_H
#define VV_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vv_span {
	const uint8_t *ptr;
	size_t len;
};

static inline struct vv_span vv_span(const void *ptr, size_t len)
{
	return (struct vv_span){ptr, len};
}

static inline struct vv_span vv_span_str(const char *s)
{
	return (struct vv_span){(const uint8_t *)s, strlen(s)};
}

static inline bool vv_span_eq(struct vv_span a, struct vv_span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

static inline bool vv_span_is(struct vv_span a, const char *s)
{
	return vv_span_eq(a, vv_span_str(s));
}

static inline bool vv_span_starts(struct vv_span a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && !memcmp(a.ptr, s, n);
}

#endif
