#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void vv_buf_init(struct vv_buf *b, size_t max)
{
	*b = (struct vv_buf)VV_BUF_INIT(max);
}

void vv_buf_release(struct vv_buf *b)
{
	free(b->ptr);
	*b = (struct vv_buf)VV_BUF_INIT(b->max);
}

void vv_buf_clear(struct vv_buf *b)
{
	b->len = 0;
	b->failed = 0;
	if (b->ptr)
		b->ptr[0] = 0;
}

void *vv_buf_reserve(struct vv_buf *b, size_t n)
{
	size_t need;

	if (b->failed)
		return NULL;
	if (n > b->max - b->len) {
		b->failed = VV_ELIMIT;
		return NULL;
	}
	need = b->len + n + 1;
	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 64;
		while (cap < need)
			cap += cap / 2 + 64;
		uint8_t *p = realloc(b->ptr, cap);
		if (!p) {
			b->failed = VV_ENOMEM;
			return NULL;
		}
		b->ptr = p;
		b->cap = cap;
	}
	return b->ptr + b->len;
}

void vv_buf_add(struct vv_buf *b, const void *ptr, size_t n)
{
	uint8_t *p = vv_buf_reserve(b, n);

	if (!p)
		return;
	if (n)
		memcpy(p, ptr, n);
	b->len += n;
	b->ptr[b->len] = 0;
}

void vv_buf_span(struct vv_buf *b, struct vv_span s)
{
	vv_buf_add(b, s.ptr, s.len);
}

void vv_buf_str(struct vv_buf *b, const char *s)
{
	vv_buf_add(b, s, strlen(s));
}

void vv_buf_char(struct vv_buf *b, char c)
{
	vv_buf_add(b, &c, 1);
}

void vv_buf_fmt(struct vv_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = VV_ELIMIT;
		return;
	}
	char *p = vv_buf_reserve(b, (size_t)n);
	if (!p)
		return;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void vv_buf_le(struct vv_buf *b, uint64_t v, unsigned bytes)
{
	uint8_t le[8];

	for (unsigned i = 0; i < bytes; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	vv_buf_add(b, le, bytes);
}

int vv_buf_check(const struct vv_buf *b, struct vv_err *err)
{
	if (b->failed == VV_ENOMEM)
		return vv_fail_nomem(err);
	if (b->failed)
		return vv_fail(err, VV_ELIMIT, "text would grow past %zu bytes", b->max);
	return 0;
}

char *vv_buf_take(struct vv_buf *b)
{
	char *p;

	vv_buf_add(b, "", 0);
	if (b->failed)
		return NULL;
	p = (char *)b->ptr;
	*b = (struct vv_buf)VV_BUF_INIT(b->max);
	return p;
}
