#include "base/quote.h"

#include "tap.h"

static void test_quote(void)
{
	static const struct {
		const char *name, *quoted;
	} cases[] = {{"", "\"\""}, {"layer.0/w-1 x", "\"layer.0/w-1 x\""}, {"\"\\", "\"\\\"\\\\\""},
		{"a\nb\t\x1b[m\x7f", "\"a\\u000ab\\u0009\\u001b[m\\u007f\""},
		{"gr\xc3\xb6\xc3\x9f" "e \xe6\xa8\xa1 \xf0\x9f\x98\x80", "\"gr\xc3\xb6\xc3\x9f" "e \xe6\xa8\xa1 \xf0\x9f\x98\x80\""},
		{"\xe2\x80\xae\xe2\x80\x8b\xef\xbb\xbf\xc2\xad\xe2\x80\xa8", "\"\\u202e\\u200b\\ufeff\\u00ad\\u2028\""},
		{"\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""}, {"\xff\xc0\x80\xed\xa0\x80\xc3", "\"\\xff\\xc0\\x80\\xed\\xa0\\x80\\xc3\""},
		{"\xe0\x80\x80\xf0\x80\x80\x80\xf5\x80\x80\x80", "\"\\xe0\\x80\\x80\\xf0\\x80\\x80\\x80\\xf5\\x80\\x80\\x80\""}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_buf out = VV_BUF_INIT(1000), back = VV_BUF_INIT(1000);
		struct vv_span text;

		vv_quote(&out, vv_span_str(cases[i].name));
		CHECK(vv_span_is(vv_buf_view(&out), cases[i].quoted));
		vv_buf_str(&out, " rest");
		text = vv_buf_view(&out);
		CHECK(!vv_unquote(&back, &text) && vv_span_is(text, " rest"));
		CHECK(vv_span_is(vv_buf_view(&back), cases[i].name));
		/* For a terminal: the same without its quotes. */
		vv_buf_clear(&out);
		vv_printable(&out, vv_span_str(cases[i].name));
		CHECK(out.len == strlen(cases[i].quoted) - 2 && (!out.len || !memcmp(out.ptr, cases[i].quoted + 1, out.len)));
		vv_buf_release(&out);
		vv_buf_release(&back);
	}
}

/* Another spelling of a name is no name: two texts would stand for one. */
static void test_strict(void)
{
	static const char *const bad[] = {"", "a", "\"", "\"a", "\"\\", "\"\\\"", "\"\\n\"", "\"\\/\"", "\"\\u0041\"", "\"\\x41\"",
		"\"\\u000A\"", "\"\\xFF\"", "\"\\xc3\\xb6\"", "\"\\u12\"", "\"\\x1\"", "\"\\ud800\"", "\"\\udc00\"",
		"\"\\ud83d\\ude00\"", "\"\\ud83d\\u0041\"", "\"\\ud83dxx0000\"", "\"\xff\"", "\"\n\"", "\"\x7f\"", "\"\xe2\x80\xae\"",
		"\"\\u00e9\"", "'a'"};

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		struct vv_buf out = VV_BUF_INIT(1000);
		struct vv_span text = vv_span_str(bad[i]);
		tap_ok(vv_unquote(&out, &text) && text.len == strlen(bad[i]), bad[i], __FILE__, __LINE__);
		vv_buf_release(&out);
	}
	/* A name that is too long, and one behind others in the buffer. */
	struct vv_buf out = VV_BUF_INIT(8);
	struct vv_span text = vv_span_str("\"12345\"");
	vv_buf_str(&out, "abc");
	CHECK(!vv_unquote(&out, &text) && vv_span_is(vv_buf_view(&out), "abc12345"));
	text = vv_span_str("\"6\"");
	CHECK(vv_unquote(&out, &text));
	vv_buf_release(&out);
}

static void test_utf8(void)
{
	struct vv_buf out = VV_BUF_INIT(8);
	uint32_t c = 0;
	int wrong = 0;

	/* Every code point, there and back. */
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		bool surrogate = cp >= 0xd800 && cp < 0xe000;
		vv_buf_clear(&out);
		vv_put_utf8(&out, cp);
		size_t n = vv_utf8(vv_buf_view(&out), &c);
		wrong += surrogate ? n != 0 : n != out.len || c != cp;
		for (size_t k = 1; k < out.len; k++)
			wrong += vv_utf8(vv_span(out.ptr, k), &c) != 0;
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(vv_utf8(vv_span(NULL, 0), &c), 0);
	vv_buf_release(&out);
	CHECK(!vv_has_unseen(vv_span_str("plain \"\\ \xc3\xb6")));
	CHECK(vv_has_unseen(vv_span_str("a\n")));
	CHECK(vv_has_unseen(vv_span_str("a\xe2\x80\x8b")));
	CHECK(vv_has_unseen(vv_span_str("a\xff")));
	CHECK(vv_has_unseen(vv_span("\0", 1)));
	CHECK(!vv_has_unseen(vv_span(NULL, 0)));
}

int main(void)
{
	test_quote();
	test_strict();
	test_utf8();
	return done();
}
