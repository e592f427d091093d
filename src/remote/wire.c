#include "remote/wire.h"

#include "base/check.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int vv_wire_init(struct vv_wire *w, int in, int out, const char *name, struct vv_err *err)
{
	*w = (struct vv_wire){in, out, name, 0, 0, malloc(VV_WIRE_BUFFER)};
	return w->buf ? 0 : vv_fail_nomem(err);
}

void vv_wire_release(struct vv_wire *w)
{
	free(w->buf);
	w->buf = NULL;
}

/* Reads once, behind what is there. */
static int fill(struct vv_wire *w, struct vv_err *err)
{
	ssize_t n;

	if (w->from == w->to)
		w->from = w->to = 0;
	if (w->to == VV_WIRE_BUFFER) {
		memmove(w->buf, w->buf + w->from, w->to - w->from);
		w->to -= w->from;
		w->from = 0;
	}
	do
		n = read(w->in, w->buf + w->to, VV_WIRE_BUFFER - w->to);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return vv_fail_sys(err, errno, "%s", w->name);
	if (!n)
		return vv_fail(err, VV_ENOTFOUND, "%s: the connection ended", w->name);
	w->to += (size_t)n;
	return 0;
}

int vv_wire_line(struct vv_wire *w, char **line, struct vv_err *err)
{
	for (;;) {
		uint8_t *begin = w->buf + w->from, *end = memchr(begin, '\n', w->to - w->from);
		if (end) {
			*end = 0;
			if ((size_t)(end - begin) > VV_WIRE_LINE || strlen((char *)begin) != (size_t)(end - begin))
				return vv_fail(err, VV_EFORMAT, "%s: said something that is no line", w->name);
			*line = (char *)begin;
			w->from += (size_t)(end - begin) + 1;
			return 0;
		}
		if (w->to - w->from > VV_WIRE_LINE)
			return vv_fail(err, VV_EFORMAT, "%s: said something that is no line", w->name);
		if (fill(w, err))
			return err->code;
	}
}

int vv_wire_bytes(
	struct vv_wire *w, uint64_t n, int (*take)(void *, struct vv_span, struct vv_err *), void *arg, struct vv_err *err)
{
	while (n) {
		size_t k;
		if (w->from == w->to && fill(w, err))
			return err->code == VV_ENOTFOUND ? vv_fail(err, VV_EIO, "%s: the connection was cut", w->name) : err->code;
		k = (size_t)vv_min64(n, w->to - w->from);
		if (take(arg, vv_span(w->buf + w->from, k), err))
			return err->code;
		w->from += k;
		n -= k;
	}
	return 0;
}

int vv_wire_write(struct vv_wire *w, struct vv_span bytes, struct vv_err *err)
{
	return vv_write_fd(w->out, bytes, w->name, err);
}

int vv_wire_say(struct vv_wire *w, struct vv_err *err, const char *fmt, ...)
{
	char line[VV_WIRE_LINE + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	for (int i = 0; i < n; i++)
		line[i] = line[i] == '\n' ? ' ' : line[i];
	line[n] = '\n';
	return vv_wire_write(w, vv_span(line, (size_t)n + 1), err);
}

size_t vv_wire_words(char *line, char **words, size_t max)
{
	size_t n = 0;

	for (char *p = line; p; n++) {
		char *space = strchr(p, ' ');
		if (space)
			*space++ = 0;
		if (n < max)
			words[n] = p;
		p = space;
		if (n > max)
			break;
	}
	return n;
}

int vv_wire_number(const char *word, uint64_t *out)
{
	if (!*word || strlen(word) > 15 || strspn(word, "0123456789") != strlen(word))
		return 1;
	*out = strtoull(word, NULL, 10);
	return *out >> 48 != 0;
}
