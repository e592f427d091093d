#include "base/quote.h"

size_t vv_utf8(struct vv_span s, uint32_t *cp)
{
	uint8_t b;
	size_t n;
	uint32_t v;

	if (!s.len)
		return 0;
	b = s.ptr[0];
	if (b < 0x80) {
		*cp = b;
		return 1;
	}
	n = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
	if (b < 0xc2 || b > 0xf4 || n > s.len)
		return 0;
	v = b & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.ptr[i] & 0x3f);
	}
	if ((n == 3 && v < 0x800) || (n == 4 && (v < 0x10000 || v > 0x10ffff)) || (v >= 0xd800 && v < 0xe000))
		return 0;
	*cp = v;
	return n;
}

void vv_put_utf8(struct vv_buf *out, uint32_t c)
{
	uint8_t b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		b[i] = (uint8_t)(0x80 | (c & 0x3f));
	b[0] = (uint8_t)(n == 1 ? c : ((0xf00u >> n) & 0xff) | c);
	vv_buf_add(out, b, n);
}

/* Characters that a reader cannot see, or that reorder or break the line they stand in. */
static bool unseen(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c ||
		(c >= 0x115f && c <= 0x1160) || (c >= 0x17b4 && c <= 0x17b5) || (c >= 0x180b && c <= 0x180f) ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
		c == 0x3164 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff || c == 0xffa0 ||
		(c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

static void escape(struct vv_buf *out, struct vv_span name)
{
	while (name.len) {
		uint32_t c = 0;
		size_t n = vv_utf8(name, &c);

		if (!n) {
			vv_buf_fmt(out, "\\x%02x", name.ptr[0]);
			n = 1;
		} else if (c == '"' || c == '\\') {
			vv_buf_char(out, '\\');
			vv_buf_char(out, (char)c);
		} else if (unseen(c)) {
			if (c >= 0x10000) {
				vv_buf_fmt(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
					0xdc00 + ((c - 0x10000) & 0x3ff));
			} else {
				vv_buf_fmt(out, "\\u%04x", c);
			}
		} else {
			vv_buf_add(out, name.ptr, n);
		}
		name.ptr += n;
		name.len -= n;
	}
}

bool vv_has_unseen(struct vv_span name)
{
	while (name.len) {
		uint32_t c = 0;
		size_t n = vv_utf8(name, &c);

		if (!n || unseen(c))
			return true;
		name = vv_span(name.ptr + n, name.len - n);
	}
	return false;
}

void vv_quote(struct vv_buf *out, struct vv_span name)
{
	vv_buf_char(out, '"');
	escape(out, name);
	vv_buf_char(out, '"');
}

void vv_printable(struct vv_buf *out, struct vv_span name)
{
	escape(out, name);
}

static int hex(struct vv_span s, size_t at, size_t n, uint32_t *v)
{
	*v = 0;
	if (at + n > s.len)
		return 1;
	for (size_t i = at; i < at + n; i++) {
		uint8_t c = s.ptr[i];
		if (c >= '0' && c <= '9')
			*v = *v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*v = *v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return 1;
	}
	return 0;
}

/* One escape after its backslash; returns the bytes it took, or 0. */
static size_t unescape(struct vv_buf *out, struct vv_span s)
{
	uint32_t v, low;

	if (!s.len)
		return 0;
	switch (s.ptr[0]) {
	case '"':
	case '\\':
		vv_buf_char(out, (char)s.ptr[0]);
		return 1;
	case 'x':
		if (hex(s, 1, 2, &v))
			return 0;
		vv_buf_char(out, (char)v);
		return 3;
	case 'u':
		if (hex(s, 1, 4, &v))
			return 0;
		if (v >= 0xd800 && v < 0xdc00) {
			if (s.len < 7 || s.ptr[5] != '\\' || s.ptr[6] != 'u' || hex(s, 7, 4, &low) ||
				low < 0xdc00 || low >= 0xe000)
				return 0;
			vv_put_utf8(out, 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00));
			return 11;
		}
		if (v >= 0xdc00 && v < 0xe000)
			return 0;
		vv_put_utf8(out, v);
		return 5;
	default:
		return 0;
	}
}

int vv_unquote(struct vv_buf *out, struct vv_span *text)
{
	struct vv_buf again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_span s = *text;
	size_t start = out->len, i = 1;
	int ret = 1;

	if (!s.len || s.ptr[0] != '"')
		return 1;
	while (i < s.len && s.ptr[i] != '"') {
		if (s.ptr[i] == '\\') {
			size_t n = unescape(out, vv_span(s.ptr + i + 1, s.len - i - 1));
			if (!n)
				return 1;
			i += 1 + n;
		} else {
			vv_buf_char(out, (char)s.ptr[i++]);
		}
	}
	if (i >= s.len || out->failed)
		return 1;
	i++;
	/* Strict inverse: another spelling of the same name is refused. */
	if (memchr(s.ptr, '\\', i) || start != out->len) {
		vv_quote(&again, vv_span(out->ptr + start, out->len - start));
		if (again.failed || !vv_span_eq(vv_buf_view(&again), vv_span(s.ptr, i)))
			goto out;
	}
	*text = vv_span(s.ptr + i, s.len - i);
	ret = 0;
out:
	vv_buf_release(&again);
	return ret;
}
