#include "format/formats.h"

#include "layouts.h"
#include "tap.h"

/* The first bytes decide, never a file's name. */
static const struct {
	const char *bytes, *format;
	size_t len;
} files[] = {
	{"", "opaque", 0},
	{"no model at all", "opaque", 15},
	{"\2\0\0\0\0\0\0\0{}", "safetensors", 10},
	{"\2\0\0\0\0\0\0\0[]", "opaque", 10},
	{"\3\0\0\0\0\0\0\0{}", "opaque", 10},
	{"\x93NUMPY\1\0\x41\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }       \nabcd", "npy", 79},
	{"\x93NUMPY\4\0\1\0\n", "opaque", 11},
	/* A pickle, whatever it has where a FlatBuffer names itself. */
	{"\x80\2U\4TFL3q\0.", "pickle", 11},
	{"\x81\xa1w\xc4\2ab", "opaque", 7},
	{"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "opaque", 22},
};

int main(void)
{
	size_t n = 0;

	for (; vv_formats[n]; n++) {
		CHECK(vv_format_find(vv_span_str(vv_formats[n]->name)) == vv_formats[n]);
		CHECK(vv_formats[n]->probe != NULL);
		/* Names are words of a manifest. */
		CHECK_INT(strspn(vv_formats[n]->name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(vv_formats[n]->name));
	}
	CHECK_STR(vv_formats[n - 1]->name, "opaque");
	CHECK(!vv_formats[n - 1]->locate);
	CHECK(!vv_format_find(vv_span_str("")));
	CHECK(!vv_format_find(vv_span_str("npyz")));
	CHECK(!vv_format_find(vv_span("npz\0", 4)));
	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct located l;
		CHECK_OK(located_bytes(&l, vv_span(files[i].bytes, files[i].len)), &l.err);
		CHECK_STR(l.layout.format->name, files[i].format);
		CHECK_INT(l.layout.n_findings, 0);
		located_release(&l);
	}
	return done();
}
