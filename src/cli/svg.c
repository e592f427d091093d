#include "cli/svg.h"

#include "base/quote.h"

static size_t characters(struct vv_span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += (s.ptr[i] & 0xc0) != 0x80;
	return n;
}

/* XML has no way to say some characters: those were escaped before, but for the two that are none at all. */
static void put_char(struct vv_buf *out, struct vv_span s, size_t n, uint32_t c)
{
	static const struct {
		char c;
		const char *text;
	} marks[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

	for (size_t i = 0; i < VV_COUNT(marks); i++)
		if (c == (uint32_t)marks[i].c) {
			vv_buf_str(out, marks[i].text);
			return;
		}
	if (c == 0xfffe || c == 0xffff)
		vv_buf_char(out, '?');
	else
		vv_buf_add(out, s.ptr, n);
}

void vv_svg_escape(struct vv_buf *out, const char *text, size_t max)
{
	struct vv_buf safe = VV_BUF_INIT(VV_MAX_TEXT);
	size_t all, head, n, at = 0;
	struct vv_span s;
	uint32_t c;

	vv_printable(&safe, vv_span_str(text));
	s = vv_buf_view(&safe);
	all = characters(s);
	head = max && all > max ? max / 2 : all;
	for (; (n = vv_utf8(s, &c)) > 0; s = vv_span(s.ptr + n, s.len - n), at++) {
		if (at == head && head < all)
			vv_buf_str(out, "…");
		if (at < head || all - at < max - head)
			put_char(out, s, n, c);
	}
	if (safe.failed)
		vv_buf_char(out, '?');
	vv_buf_release(&safe);
}

void vv_svg_begin(struct vv_buf *out, double width, double height, const char *title, const char *desc, const char *style)
{
	vv_buf_fmt(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" role=\"img\" "
			"aria-labelledby=\"title desc\">\n<title id=\"title\">", width, height, width, height);
	vv_svg_escape(out, title, 0);
	vv_buf_str(out, "</title>\n<desc id=\"desc\">");
	vv_svg_escape(out, desc, 0);
	vv_buf_fmt(out, "</desc>\n<style>\n%s</style>\n", style);
}

void vv_svg_end(struct vv_buf *out)
{
	vv_buf_str(out, "</svg>\n");
}

void vv_svg_text(struct vv_buf *out, double x, double y, const char *class, const char *text, size_t max)
{
	vv_buf_fmt(out, "<text x=\"%.6g\" y=\"%.6g\" class=\"%s\">", x, y, class);
	vv_svg_escape(out, text, max);
	vv_buf_str(out, "</text>\n");
}

void vv_svg_rect(struct vv_buf *out, double x, double y, double width, double height, const char *class)
{
	vv_buf_fmt(out, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" class=\"%s\"/>\n", x, y, width, height, class);
}

void vv_svg_line(struct vv_buf *out, double x1, double y1, double x2, double y2, const char *class)
{
	vv_buf_fmt(out, "<line x1=\"%.6g\" y1=\"%.6g\" x2=\"%.6g\" y2=\"%.6g\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

void vv_svg_group(struct vv_buf *out, const char *title)
{
	vv_buf_str(out, "<g><title>");
	vv_svg_escape(out, title, 0);
	vv_buf_str(out, "</title>\n");
}

void vv_svg_group_end(struct vv_buf *out)
{
	vv_buf_str(out, "</g>\n");
}
