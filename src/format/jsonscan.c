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
		if (out)
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
	if (out)
		vv_put_utf8(out, c);
	return 0;
}

/* `out` NULL: it is only stepped over. */
static int string(struct vv_json *j, struct vv_buf *out)
{
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
			if (out)
				vv_buf_add(out, "", 0);
			return out && out->failed;
		}
		if (c == '\\') {
			if (escape(j, out))
				return 1;
		} else if (out) {
			vv_buf_add(out, rest.ptr, n);
		}
	}
	return 1;
}

int vv_json_string(struct vv_json *j, struct vv_buf *out)
{
	vv_buf_clear(out);
	return string(j, out);
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

int vv_json_end(struct vv_json *j)
{
	space(j);
	return j->at != j->text.len;
}

/* --- values of any kind --- */

static bool word(struct vv_json *j, const char *w)
{
	size_t n = strlen(w);

	if (j->text.len - j->at < n || memcmp(j->text.ptr + j->at, w, n))
		return false;
	j->at += n;
	return true;
}

static size_t digits(struct vv_json *j)
{
	size_t start = j->at;

	while (j->at < j->text.len && j->text.ptr[j->at] >= '0' && j->text.ptr[j->at] <= '9')
		j->at++;
	return j->at - start;
}

static int number(struct vv_json *j)
{
	size_t start, n;

	word(j, "-");
	start = j->at;
	n = digits(j);
	if (!n || (n > 1 && j->text.ptr[start] == '0') || (word(j, ".") && !digits(j)))
		return 1;
	if (!word(j, "e") && !word(j, "E"))
		return 0;
	if (!word(j, "+"))
		word(j, "-");
	return !digits(j);
}

/* Anything but an object or an array. */
static int scalar(struct vv_json *j)
{
	static const char *const words[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};

	if (vv_json_peek(j, '"'))
		return string(j, NULL);
	for (size_t i = 0; i < VV_COUNT(words); i++)
		if (word(j, words[i]))
			return 0;
	return number(j);
}

/* A string and what parts it from its value. */
static int skip_key(struct vv_json *j)
{
	return string(j, NULL) || vv_json_char(j, ':');
}

int vv_json_value(struct vv_json *j, struct vv_span *text)
{
	bool object[VV_JSON_DEPTH];
	unsigned depth = 0;
	size_t start;

	space(j);
	start = j->at;
	do {
		bool opens = vv_json_peek(j, '{'), closed;

		if (opens || vv_json_peek(j, '[')) {
			if (depth == VV_JSON_DEPTH)
				return 1;
			object[depth++] = opens;
			j->at++;
			closed = vv_json_peek(j, opens ? '}' : ']');
			if (!closed) {
				if (opens && skip_key(j))
					return 1;
				continue;
			}
		} else if (scalar(j)) {
			return 1;
		}
		/* A value has ended, and with it perhaps those that it is the last of. */
		while (depth && !vv_json_char(j, object[depth - 1] ? '}' : ']'))
			depth--;
		if (depth && (vv_json_char(j, ',') || (object[depth - 1] && skip_key(j))))
			return 1;
	} while (depth);
	if (text)
		*text = vv_span(j->text.ptr + start, j->at - start);
	return 0;
}

/* The next of a list that stands between two characters. */
static int next(struct vv_json *j, size_t *n, const char *around)
{
	if (!*n && vv_json_char(j, around[0]))
		return 1;
	if (!vv_json_char(j, around[1]))
		return VV_JSON_END;
	return (*n)++ ? vv_json_char(j, ',') : 0;
}

int vv_json_member(struct vv_json *j, size_t *n, struct vv_buf *key)
{
	int ret = next(j, n, "{}");

	return ret ? ret : vv_json_string(j, key) || vv_json_char(j, ':');
}

int vv_json_item(struct vv_json *j, size_t *n)
{
	return next(j, n, "[]");
}

int vv_json_pick(struct vv_span object, const char *const *keys, struct vv_span *out, size_t n)
{
	struct vv_json j = {object, 0};
	struct vv_buf key = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_span value;
	size_t count = 0;
	int ret;

	memset(out, 0, n * sizeof(*out));
	while (!(ret = vv_json_member(&j, &count, &key)) && !(ret = vv_json_value(&j, &value)))
		for (size_t i = 0; i < n; i++)
			if (vv_span_is(vv_buf_view(&key), keys[i]))
				out[i] = value;
	vv_buf_release(&key);
	return ret != VV_JSON_END;
}
