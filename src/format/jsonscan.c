#include "format/jsonscan.h"

#include "base/check.h"
#include "base/quote.h"

static void space(struct vv_json *j)
{
	while (j->at < j->text.len && j->text.ptr[j->at] <= ' ' && strchr(" \t\n\r", j->text.ptr[j->at]) &&
		j->text.ptr[j->at])
		j->at++;
}

bool vv_json_peek(struct vv_json *j, char c)
{
	space(j);
	return j->at < j->text.len && j->text.ptr[j->at] == (uint8_t)c;
}

int vv_json_char(struct vv_json *j, char c)
{
	if (!vv_json_peek(j, c))
		return 1;
	j->at++;
	return 0;
}

static int hex4(struct vv_json *j, uint32_t *v)
{
	*v = 0;
	if (j->text.len - j->at < 4)
		return 1;
	for (int i = 0; i < 4; i++) {
		uint8_t c = j->text.ptr[j->at++];
		unsigned d = c >= '0' && c <= '9' ? c - 48u : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10u : 16;
		if (d > 15)
			return 1;
		*v = *v << 4 | d;
	}
	return 0;
}

/* After the backslash. */
static int escape(struct vv_json *j, struct vv_buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t c, low;
	const char *at;

	if (j->at == j->text.len)
		return 1;
	c = j->text.ptr[j->at++];
	if (c && (at = strchr(from, (int)c))) {
		vv_buf_char(out, to[at - from]);
		return 0;
	}
	if (c != 'u' || hex4(j, &c))
		return 1;
	if (c >= 0xd800 && c < 0xdc00) {
		if (j->text.len - j->at < 2 || j->text.ptr[j->at] != '\\' || j->text.ptr[j->at + 1] != 'u')
			return 1;
		j->at += 2;
		if (hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
			return 1;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return 1;
	}
	vv_put_utf8(out, c);
	return 0;
}

int vv_json_string(struct vv_json *j, struct vv_buf *out)
{
	vv_buf_clear(out);
	if (vv_json_char(j, '"'))
		return 1;
	while (j->at < j->text.len) {
		struct vv_span rest = vv_span(j->text.ptr + j->at, j->text.len - j->at);
		uint32_t c;
		size_t n = vv_utf8(rest, &c);

		if (!n || c < 0x20)
			return 1;
		j->at += n;
		if (c == '"') {
			vv_buf_add(out, "", 0);
			return out->failed != 0;
		}
		if (c == '\\') {
			if (escape(j, out))
				return 1;
		} else {
			vv_buf_add(out, rest.ptr, n);
		}
	}
	return 1;
}

int vv_json_u64(struct vv_json *j, uint64_t *out)
{
	uint64_t v = 0;
	size_t start;

	space(j);
	for (start = j->at; j->at < j->text.len && j->text.ptr[j->at] >= '0' && j->text.ptr[j->at] <= '9'; j->at++)
		if (vv_mul_over(v, (uint64_t)10, &v) || vv_add_over(v, (uint64_t)(j->text.ptr[j->at] - '0'), &v))
			return 1;
	if (j->at == start || (j->text.ptr[start] == '0' && j->at > start + 1))
		return 1;
	*out = v;
	/* "1.5" and "1e9" are numbers too, but not whole ones. */
	return j->at < j->text.len && strchr(".eE", j->text.ptr[j->at]) && j->text.ptr[j->at];
}

static size_t digits(struct vv_json *j)
{
	size_t start = j->at;

	while (j->at < j->text.len && j->text.ptr[j->at] >= '0' && j->text.ptr[j->at] <= '9')
		j->at++;
	return j->at - start;
}

/* Is the next character one of these? Then it is stepped over. */
static bool step(struct vv_json *j, const char *set)
{
	bool is = j->at < j->text.len && j->text.ptr[j->at] && strchr(set, j->text.ptr[j->at]);

	j->at += is;
	return is;
}

static int number(struct vv_json *j)
{
	size_t n;

	step(j, "-");
	n = digits(j);
	if (!n || (n > 1 && j->text.ptr[j->at - n] == '0') || (step(j, ".") && !digits(j)))
		return 1;
	if (!step(j, "eE"))
		return 0;
	step(j, "+-");
	return !digits(j);
}

static int word(struct vv_json *j)
{
	static const char *const words[] = {"true", "false", "null"};
	struct vv_span rest = {j->text.ptr + j->at, j->text.len - j->at};

	for (size_t i = 0; i < VV_COUNT(words); i++)
		if (vv_span_starts(rest, words[i])) {
			j->at += strlen(words[i]);
			return 0;
		}
	return 1;
}

static int skip(struct vv_json *j, struct vv_buf *text, unsigned depth)
{
	bool object = vv_json_peek(j, '{');
	char end = object ? '}' : ']';

	if (vv_json_peek(j, '"'))
		return vv_json_string(j, text);
	if (!object && !vv_json_peek(j, '['))
		return j->at < j->text.len && strchr("tfn", j->text.ptr[j->at]) ? word(j) : number(j);
	if (depth == VV_JSON_DEPTH)
		return 1;
	j->at++;
	for (bool first = true; !vv_json_peek(j, end); first = false)
		if ((!first && vv_json_char(j, ',')) || (object && (vv_json_string(j, text) || vv_json_char(j, ':'))) ||
			skip(j, text, depth + 1))
			return 1;
	return vv_json_char(j, end);
}

int vv_json_skip(struct vv_json *j, struct vv_buf *text)
{
	return skip(j, text, 0);
}

int vv_json_end(struct vv_json *j)
{
	space(j);
	return j->at != j->text.len;
}
