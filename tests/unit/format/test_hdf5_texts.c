#include "format/hdf5.h"

#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

/* Types of texts: of a fixed width, of any length; a number's; a sequence that is no text. */
#define FIXED(n) "\x13\0\0\0" n "\0\0\0"
#define TEXT "\x19\1\0\0\x10\0\0\0"
#define SEQUENCE "\x19\0\0\0\x10\0\0\0"

/* An attribute message whose parts may lie about themselves. */
static void attribute(struct mkh5 *m, unsigned version, unsigned flags, const char *name, struct vv_span type,
	struct vv_span value)
{
	static const uint8_t space[4] = {2, 0, 0, 0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	const struct vv_span parts[] = {vv_span(name, strlen(name) + 1), type, vv_span(space, 4)};

	vv_buf_le(&b, version, 1);
	vv_buf_le(&b, flags, 1);
	for (size_t i = 0; i < VV_COUNT(parts); i++)
		vv_buf_le(&b, parts[i].len, 2);
	if (version == 3)
		vv_buf_le(&b, 1, 1);
	for (size_t i = 0; i < VV_COUNT(parts); i++) {
		vv_buf_span(&b, parts[i]);
		for (size_t k = parts[i].len; version == 1 && k % 8; k++)
			vv_buf_le(&b, 0, 1);
	}
	vv_buf_span(&b, value);
	mkh5_msg(m, 12, 0, vv_buf_view(&b));
	vv_buf_release(&b);
}

/* A heap with "first" as object 1 and "second one" as object 2: its address. `size`: as it says. */
static uint64_t heap(struct mkh5 *m, uint64_t size)
{
	struct vv_buf *o = &m->out;
	uint64_t at;

	while (o->len % 8)
		vv_buf_le(o, 0, 1);
	at = o->len;
	vv_buf_str(o, "GCOL\1");
	vv_buf_le(o, 0, 3);
	vv_buf_le(o, size, 8);
	for (unsigned i = 1; i < 3; i++) {
		const char *text = i == 1 ? "first\0\0\0" : "second one\0\0\0\0\0\0";
		vv_buf_le(o, i, 2);
		vv_buf_le(o, 1, 2);
		vv_buf_le(o, 0, 4);
		vv_buf_le(o, i == 1 ? 5 : 10, 8);
		vv_buf_add(o, text, i == 1 ? 8 : 16);
	}
	vv_buf_le(o, 0, 8);
	vv_buf_le(o, 16, 8);
	return at;
}

static void variable(struct mkh5 *m, const char *name, uint64_t len, uint64_t addr, uint64_t number)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_le(&b, len, 4);
	vv_buf_le(&b, addr, 8);
	vv_buf_le(&b, number, 4);
	attribute(m, 3, 0, name, MKH5_SPAN(TEXT), vv_buf_view(&b));
	vv_buf_release(&b);
}

static struct vv_hdf5_text texts[2];

static int read_texts(struct mkh5 *m)
{
	struct vv_span file = mkh5_end(m);
	uint8_t *copy = malloc(file.len);
	struct vv_source_mem mem;
	int ret;

	for (size_t i = 0; i < 2; i++) {
		vv_buf_release(&texts[i].text);
		texts[i] = (struct vv_hdf5_text){i ? "b" : "a", VV_BUF_INIT(VV_MAX_TEXT), false};
	}
	memcpy(copy, file.ptr, file.len);
	vv_source_mem_init(&mem, vv_span(copy, file.len));
	ret = vv_hdf5_texts(texts, 2, &mem.base, &err);
	free(copy);
	return ret;
}

#define IS(i, s) vv_span_is(vv_buf_view(&texts[i].text), s)

static void test_kinds(void)
{
	struct mkh5 m = MKH5_INIT;

	for (unsigned version = 1; version <= 3; version++) {
		mkh5_begin(&m);
		attribute(&m, version, 0, "b", MKH5_SPAN(FIXED("\5")), vv_span("abcde", 5));
		attribute(&m, version, 0, "a", MKH5_SPAN(FIXED("\5")), vv_span("xy\0\0z", 5));
		CHECK_OK(read_texts(&m), &err);
		CHECK(IS(0, "xy") && IS(1, "abcde"));
	}
	mkh5_begin(&m);
	uint64_t at = heap(&m, 16 + 24 + 32 + 16);
	variable(&m, "a", 5, at, 1);
	variable(&m, "b", 10, at, 2);
	CHECK_OK(read_texts(&m), &err);
	CHECK(IS(0, "first") && IS(1, "second one"));
	/* The first of a name counts; others, numbers, shared parts and later versions are passed over. */
	mkh5_begin(&m);
	at = heap(&m, 88);
	variable(&m, "a", 0, at, 9);
	variable(&m, "a", 5, at, 1);
	attribute(&m, 3, 1, "b", MKH5_SPAN(FIXED("\5")), vv_span("abcde", 5));
	attribute(&m, 4, 0, "b", MKH5_SPAN(FIXED("\5")), vv_span("abcde", 5));
	attribute(&m, 3, 0, "b", MKH5_SPAN(SEQUENCE), vv_span("abcde", 5));
	attribute(&m, 3, 0, "c", MKH5_SPAN(MKH5_I8), vv_span("a", 1));
	CHECK_OK(read_texts(&m), &err);
	CHECK(!texts[0].text.len && !texts[1].text.len);
	mkh5_release(&m);
}

static void test_bad(void)
{
	static const struct {
		uint64_t size, len, off, number;
		const char *says;
	} cases[] = {{88, 5, 0, 3, "no text 3"}, {88, 6, 0, 1, "no text 1 of 6 bytes"}, {20, 5, 0, 1, "no text 1"},
		{88, 5, 8, 1, "no heap of texts"}, {UINT64_MAX, 5, 0, 7, "past the end"}, {88, 5, 1 << 20, 1, "past the end"}};
	struct mkh5 m = MKH5_INIT;

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		mkh5_begin(&m);
		variable(&m, "a", cases[i].len, heap(&m, cases[i].size) + cases[i].off, cases[i].number);
		tap_ok(read_texts(&m) == VV_EFORMAT && strstr(err.msg, cases[i].says), cases[i].says, __FILE__, __LINE__);
	}
	for (unsigned i = 0; i < 4; i++) {
		mkh5_begin(&m);
		if (i == 0)
			mkh5_msg(&m, 12, 0, MKH5_SPAN("\1\0\2"));
		else if (i == 1)
			mkh5_msg(&m, 12, 0, MKH5_SPAN("\3\0\2\0\x08\0\4\0"));
		else if (i == 2)
			attribute(&m, 3, 0, "a", MKH5_SPAN("\x13\0\0"), vv_span("x", 1));
		else
			attribute(&m, 3, 0, "a", MKH5_SPAN(FIXED("\5")), vv_span("abcd", 4));
		CHECK(read_texts(&m) == VV_EFORMAT && strstr(err.msg, "attribute"));
	}
	mkh5_begin(&m);
	attribute(&m, 3, 0, "a", MKH5_SPAN(TEXT), vv_span("abcd", 4));
	CHECK(read_texts(&m) == VV_EFORMAT);
	mkh5_release(&m);
}

int main(void)
{
	test_kinds();
	test_bad();
	for (size_t i = 0; i < 2; i++)
		vv_buf_release(&texts[i].text);
	return done();
}
