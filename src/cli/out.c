/* What people see: numbers, names, hints, colours. */
#include "cli/cli.h"

#include "base/quote.h"

#include <inttypes.h>
#include <math.h>
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

json_t *vv_json_name(const char *name)
{
	json_t *j = json_string(name);
	char *safe;

	if (j)
		return j;
	safe = vv_safe(name);
	j = json_string(safe);
	free(safe);
	return j;
}

json_t *vv_json_shape(const uint64_t *shape, unsigned ndim)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ndim; i++)
		json_array_append_new(list, json_integer((json_int_t)shape[i]));
	return list;
}

json_t *vv_json_real(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
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

size_t vv_columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void vv_put_padded(const char *text, size_t width)
{
	size_t n = vv_columns(text);

	fputs(text, stdout);
	for (; n < width; n++)
		putchar(' ');
}

/* Quotes and backslashes are the message's own; everything else is escaped as in a name. */
static void put_line(const char *prefix, const char *text)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_str(&b, prefix);
	while (*text) {
		size_t n = strcspn(text, "\"\\");
		vv_printable(&b, vv_span(text, n));
		text += n;
		if (*text)
			vv_buf_char(&b, *text++);
	}
	vv_buf_char(&b, '\n');
	if (b.failed)
		fprintf(stderr, "%sout of memory\n", prefix);
	else
		fwrite(b.ptr, 1, b.len, stderr);
	vv_buf_release(&b);
}

void vv_say(const char *text)
{
	put_line("varve: ", text);
}

void vv_hint(struct vv_ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	if (ctx->quiet || ctx->json)
		return;
	va_start(ap, fmt);
	vsnprintf(ctx->hint, sizeof(ctx->hint), fmt, ap);
	va_end(ap);
	if (ctx->err.code)
		return;
	vv_hint_kept(ctx);
	ctx->hint[0] = 0;
}

void vv_hint_kept(const struct vv_ctx *ctx)
{
	put_line("hint: ", ctx->hint);
}

void vv_warn(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line("varve: warning: ", text);
}

const char *vv_color(const struct vv_ctx *ctx, enum vv_color c)
{
	static const char *const codes[] = {"\033[m", "\033[32m", "\033[31m", "\033[33m", "\033[36m", "\033[1m", "\033[2m"};

	return ctx->color ? codes[c] : "";
}
