/* What people see: numbers, names, hints, colours. */
#include "cli/cli.h"

#include "base/quote.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

void vv_print_json(json_t *value)
{
	if (!value)
		VV_BUG("no JSON value");
	json_dumpf(value, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(value);
}

char *vv_human(uint64_t bytes, char *text)
{
	static const char units[] = "kMGTPE";
	double v = (double)bytes;
	int u = -1;

	if (bytes < 1000) {
		snprintf(text, 32, "%" PRIu64 " B", bytes);
		return text;
	}
	while (v >= 999.5) {
		v /= 1000;
		u++;
	}
	snprintf(text, 32, v < 9.995 ? "%.2f %cB" : v < 99.95 ? "%.1f %cB" : "%.0f %cB", v, units[u]);
	return text;
}

char *vv_grouped(uint64_t n, char *text)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), k = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text[k++] = ',';
		text[k++] = digits[i];
	}
	text[k] = 0;
	return text;
}

char *vv_shape_text(const uint64_t *shape, unsigned ndim, char *text, size_t cap)
{
	size_t n = (size_t)snprintf(text, cap, "[");

	for (unsigned i = 0; i < ndim && n < cap; i++)
		n += (size_t)snprintf(text + n, cap - n, "%s%" PRIu64, i ? "," : "", shape[i]);
	if (n < cap)
		snprintf(text + n, cap - n, "]");
	return text;
}

char *vv_safe(const char *name)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char *s;

	vv_printable(&b, vv_span_str(name));
	s = vv_buf_take(&b);
	vv_buf_release(&b);
	return s ? s : strdup("?");
}

void vv_hint(const struct vv_ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	if (ctx->quiet || ctx->json)
		return;
	fputs("hint: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void vv_warn(const char *fmt, ...)
{
	va_list ap;

	fputs("varve: warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

const char *vv_color(const struct vv_ctx *ctx, enum vv_color c)
{
	static const char *const codes[] = {"\033[m", "\033[32m", "\033[31m", "\033[33m", "\033[36m", "\033[1m", "\033[2m"};

	return ctx->color ? codes[c] : "";
}
