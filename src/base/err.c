#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vv_bug(const char *file, int line, const char *msg)
{
	fprintf(stderr, "varve: bug at %s:%d: %s\n", file, line, msg);
	abort();
}

/* One line whatever went in: a message often quotes names from hostile files. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int vv_fail(struct vv_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	flatten(err->msg);
	err->code = code;
	err->sys = 0;
	return code;
}

int vv_fail_sys(struct vv_err *err, int sys, const char *fmt, ...)
{
	va_list ap;
	char text[400];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vv_fail(err, sys == ENOENT || sys == ENOTDIR ? VV_ENOTFOUND : VV_EIO, "%s: %s", text, strerror(sys));
	if (sys == ENOMEM)
		err->code = VV_ENOMEM;
	err->sys = sys;
	return err->code;
}

int vv_fail_nomem(struct vv_err *err)
{
	return vv_fail(err, VV_ENOMEM, "out of memory");
}

int vv_err_in(struct vv_err *err, const char *fmt, ...)
{
	va_list ap;
	char text[sizeof(err->msg)], old[sizeof(err->msg)];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(old, err->msg, sizeof(old));
	snprintf(err->msg, sizeof(err->msg), "%.200s: %.300s", text, old);
	flatten(err->msg);
	return err->code;
}

void vv_err_clear(struct vv_err *err)
{
	err->code = 0;
	err->sys = 0;
	err->msg[0] = 0;
}

const char *vv_code_name(int code)
{
	static const char *const names[] = {"ok", "not-found", "exists", "format", "corrupt", "limit",
		"not-supported", "io", "locked", "conflict", "no-memory", "changed", "usage", "git", "unsafe"};
	unsigned i = (unsigned)-code;

	return i < VV_COUNT(names) ? names[i] : "unknown";
}
