#include "format/jsonscan.h"

#include "tap.h"

static struct vv_json json(const char *s)
{
	return (struct vv_json){vv_span_str(s), 0};
}

static void test_char(void)
{
	struct vv_json j = json(" \t\r\n{ }x");

	CHECK(vv_json_peek(&j, '{'));
	CHECK(vv_json_char(&j, '}'));
	CHECK_INT(j.at, 4);
	CHECK(!vv_json_char(&j, '{') && !vv_json_char(&j, '}'));
	CHECK(vv_json_end(&j));
	CHECK(!vv_json_char(&j, 'x') && !vv_json_end(&j));
	CHECK(!vv_json_peek(&j, 'x') && vv_json_char(&j, 'x'));
	/* Only JSON's four blanks are blanks. */
	j = json("\v{");
	CHECK(vv_json_char(&j, '{'));
	j = (struct vv_json){vv_span("\0{", 2), 0};
	CHECK(vv_json_char(&j, '{'));
}

static void test_string(void)
{
	static const struct {
		const char *text, *is; /* NULL: refused */
	} cases[] = {{"\"\"", ""}, {" \"a b\"", "a b"}, {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\ud83D\\uDe00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f"}, {"", NULL},
		{"a", NULL}, {"\"", NULL}, {"\"a", NULL}, {"\"\\", NULL}, {"\"\\a\"", NULL}, {"\"\\u12\"", NULL},
		{"\"\\u12g4\"", NULL}, {"\"\\u", NULL}, {"\"\\ud800\"", NULL}, {"\"\\ud800\\n\"", NULL},
		{"\"\\ud800\\u0041\"", NULL}, {"\"\\ud800\\ue000\"", NULL}, {"\"\\ud800\\u", NULL}, {"\"\\udc00\"", NULL},
		{"\"\x1f\"", NULL}, {"\"\n\"", NULL}, {"\"\xff\"", NULL}, {"\"\xc0\x80\"", NULL}, {"\"\xed\xa0\x80\"", NULL},
		{"\"\xf4\x90\x80\x80\"", NULL}, {"\"\xc3\"", NULL}, {"'a'", NULL}};
	struct vv_buf out = VV_BUF_INIT(16);

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_json j = json(cases[i].text);
		int ret = vv_json_string(&j, &out);
		tap_ok(cases[i].is ? !ret && vv_span_is(vv_buf_view(&out), cases[i].is) && !vv_json_end(&j) : ret == 1,
			cases[i].text, __FILE__, __LINE__);
	}
	/* A NUL is a character like others; what is too long is told by the buffer. */
	struct vv_json j = json("\"a\\u0000b\"");
	CHECK(!vv_json_string(&j, &out) && out.len == 3 && !memcmp(out.ptr, "a\0b", 3));
	j = json("\"12345678901234567\"");
	CHECK(vv_json_string(&j, &out));
	CHECK_INT(out.failed, VV_ELIMIT);
	j = json("\"1234567890123456\"");
	CHECK(!vv_json_string(&j, &out) && out.len == 16);
	vv_buf_release(&out);
}

static void test_u64(void)
{
	static const char *const bad[] = {"", "-1", "+1", "01", "00", "1.0", "1e2", "1E2", "18446744073709551616",
		"99999999999999999999", "x", "\"1\"", ".5"};
	uint64_t v = 0;
	struct vv_json j = json(" 18446744073709551615,0]");

	CHECK(!vv_json_u64(&j, &v) && v == UINT64_MAX);
	CHECK(!vv_json_char(&j, ',') && !vv_json_u64(&j, &v) && v == 0 && !vv_json_char(&j, ']'));
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		j = json(bad[i]);
		tap_ok(vv_json_u64(&j, &v), bad[i], __FILE__, __LINE__);
	}
}

/* A value of any kind, and where it ends. */
static void test_value(void)
{
	static const char *const good[] = {"1", "-0.5e+7", "0", "10", "1E3", "true", "false", "null", "NaN", "-Infinity", "Infinity",
		"\"a\\u00e9\\n\"", "[]", "{}", "[1,[2,{}],\"]\"]", "{\"a\":{\"b\":[]} , \"c\" : 1}", "[ ]", "[[[]],[]]"};
	static const char *const bad[] = {"", "-", "01", "1.", "1e", "+1", "tru", "[", "[1", "[1,]", "[1 2]", "{", "{\"a\"}",
		"{\"a\":}", "{\"a\":1,}", "{1:2}", "[}", "{]", "\"a", "\"\\x\"", "{\"a\":1 \"b\":2}", ",", "]", "}",
		".5", "1e+", "nul", "x", "'a'", "[,]", "{\"a\":1]", "[\"\\q\"]"};
	struct vv_buf deep = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_span text;

	for (size_t i = 0; i < VV_COUNT(good); i++) {
		char padded[80];
		struct vv_json j = json(padded);
		snprintf(padded, sizeof(padded), " %s ,", good[i]);
		j = json(padded);
		tap_ok(!vv_json_value(&j, &text) && vv_span_is(text, good[i]), good[i], __FILE__, __LINE__);
		j = json(padded);
		CHECK(!vv_json_value(&j, NULL) && !vv_json_char(&j, ',') && !vv_json_end(&j));
	}
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		struct vv_json j = json(bad[i]);
		tap_ok(vv_json_value(&j, &text) == 1, bad[i], __FILE__, __LINE__);
	}
	struct vv_json nul = {vv_span("\0", 1), 0};
	CHECK(vv_json_value(&nul, &text));
	for (unsigned n = VV_JSON_DEPTH; n <= VV_JSON_DEPTH + 1; n++) {
		vv_buf_clear(&deep);
		for (unsigned i = 0; i < n; i++)
			vv_buf_char(&deep, '[');
		for (unsigned i = 0; i < n; i++)
			vv_buf_char(&deep, ']');
		struct vv_json j = {vv_buf_view(&deep), 0};
		CHECK_INT(vv_json_value(&j, &text), n > VV_JSON_DEPTH);
	}
	vv_buf_release(&deep);
}

static void test_lists(void)
{
	static const char *const keys[] = {"b", "none", "a"};
	struct vv_json j = json("{\"a\": 1, \"b\": [2, 3]} ");
	struct vv_buf key = VV_BUF_INIT(64);
	struct vv_span v, picked[3];
	size_t n = 0;

	CHECK(!vv_json_member(&j, &n, &key) && vv_span_is(vv_buf_view(&key), "a") && !vv_json_value(&j, &v));
	CHECK(!vv_json_member(&j, &n, &key) && vv_span_is(vv_buf_view(&key), "b") && n == 2);
	n = 0;
	CHECK(!vv_json_item(&j, &n) && !vv_json_value(&j, &v) && !vv_json_item(&j, &n) && !vv_json_value(&j, &v));
	CHECK(vv_span_is(v, "3") && vv_json_item(&j, &n) == VV_JSON_END && n == 2);
	n = 2;
	CHECK(vv_json_member(&j, &n, &key) == VV_JSON_END && !vv_json_end(&j));
	n = 0;
	j = json("{}");
	CHECK(vv_json_member(&j, &n, &key) == VV_JSON_END);
	n = 0;
	j = json("[1 2]");
	CHECK(!vv_json_item(&j, &n) && !vv_json_value(&j, NULL) && vv_json_item(&j, &n) == 1);
	n = 0;
	j = json("1");
	CHECK(vv_json_item(&j, &n) == 1 && vv_json_member(&j, &n, &key) == 1);
	CHECK(!vv_json_pick(vv_span_str("{\"a\":1,\"b\":{},\"a\":2}"), keys, picked, 3));
	CHECK(vv_span_is(picked[0], "{}") && !picked[1].len && vv_span_is(picked[2], "2"));
	CHECK(vv_json_pick(vv_span_str("{\"a\":1"), keys, picked, 3) && vv_json_pick(vv_span_str("[]"), keys, picked, 3));
	vv_buf_release(&key);
}

int main(void)
{
	test_char();
	test_string();
	test_u64();
	test_value();
	test_lists();
	return done();
}
