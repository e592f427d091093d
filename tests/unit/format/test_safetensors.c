#include "base/le.h"

#include "expected.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"types.safetensors", "model.safetensors", "model-changed.safetensors",
		"model-more.safetensors", "model-reshaped.safetensors", "none.safetensors"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "safetensors", files[i], "safetensors");
}

/* Between files of the same metadata: what the reference library wrote. */
static void test_becomes(void)
{
	static const char *const files[] = {"safetensors/model.safetensors", "safetensors/model-changed.safetensors",
		"safetensors/model-more.safetensors", "safetensors/model-reshaped.safetensors"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		for (size_t k = 0; k < VV_COUNT(files); k++)
			check_becomes(__FILE__, files[i], files[k]);
	check_becomes(__FILE__, "safetensors/types.safetensors", "safetensors/types.safetensors");
}

static void make(struct vv_buf *out, const char *header, size_t body)
{
	vv_buf_clear(out);
	vv_buf_le(out, strlen(header), 8);
	vv_buf_str(out, header);
	while (body--)
		vv_buf_char(out, 'b');
}

/* A header before `body` bytes: a part of the finding's words, or NULL for a sound file. */
static const struct {
	const char *header, *says;
	size_t body;
} headers[] = {
	{"{}", NULL, 0},
	{"{}  \n", NULL, 0},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", NULL, 3},
	{"{ \"a\" : { \"shape\" : [ 3 , 1 ] , \"data_offsets\" : [ 0 , 3 ] , \"dtype\" : \"U8\" } } ", NULL, 3},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"__metadata__\":{\"k\":\"v\"}}", NULL, 1},
	{"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
	 "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", NULL, 2},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[0,18446744073709551615],\"data_offsets\":[0,0]}}", NULL, 0},
	{"{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", NULL, 1},
	/* M24: duplicates, overlaps, holes, trailing bytes. */
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", "stands twice", 2},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", "stands twice", 2},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	 "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", "of tensors in a body of", 3},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	 "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", "overlaps", 4},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", "of tensors in a body of", 3},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "of tensors in a body of", 2},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", "of tensors in a body of", 2},
	{"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1]}}", "stands twice", 1},
	{"{\"__metadata__\":{},\"__metadata__\":{}}", "stands twice", 0},
	{"{\"__metadata__\":{\"k\":\"a\",\"k\":\"b\"}}", "stands twice", 0},
	/* M25: broken ranges. */
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0.0,1]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1e0]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1e30]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1E9999]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,01]}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{}}}", "broken data_offsets", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[18446744073709551615,18446744073709551615]}}",
		"past any end", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[9000,9000]}}", "past the end", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[1,9223372036854775808]}}",
		"do not agree", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1000000],\"data_offsets\":[1,1000001]}}", "past the end", 1},
	/* M26: shapes. */
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", "do not agree", 4},
	{"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", "do not agree", 0},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,4]}}", "broken shape", 4},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "do not agree", 4},
	{"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", "do not agree", 2},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", "broken shape", 4},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", "broken shape", 4},
	{"{\"a\":{\"dtype\":\"Q3\",\"shape\":[2],\"data_offsets\":[0,9007199254740992]}}", "past the end", 4},
	{"{\"a\":{\"dtype\":\"Q3\",\"shape\":[2],\"data_offsets\":[0,4]}}", "unknown type", 4},
	/* Entries. */
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", "broken tensor entry", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", "broken tensor entry", 1},
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", "unknown key", 1},
	{"{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", "not a string", 1},
	{"{\"a\":{\"dtype\" \"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "broken tensor entry", 1},
	{"{\"a\":[]}", "not an object", 0},
	{"{\"a\":{}}", "broken tensor entry", 0},
	{"{\"a\" 1}", "broken header", 0},
	{"{,}", "broken header", 0},
	{"{\"__metadata__\":{},}", "broken header", 0},
	{"{\"__metadata__\":{} \"a\"}", "broken header", 0},
	{"{\"__metadata__\":[]}", "__metadata__", 0},
	{"{\"__metadata__\":{\"k\":1}}", "strings", 0},
	{"{\"__metadata__\":{\"k\":\"v\",}}", "broken header", 0},
	{"{\"__metadata__\":{\"k\":\"v\" \"l\":\"w\"}}", "broken __metadata__", 0},
	{"{\"__metadata__\":{\"k\":{\"k\":{\"k\":{}}}}}", "strings", 0},
	{"{\"__metadata__\":{\"k\":\"v", "strings", 0},
	{"{", "broken header", 1},
	{"{} x", "after the header's end", 0},
	{"{}{}", "after the header's end", 0},
	/* M54: text. */
	{"{\"\\ud800\":{}}", "broken header", 0},
	{"{\"\\udc00\\ud800\":{}}", "broken header", 0},
	{"{\"\xff\":{}}", "broken header", 0},
	{"{\"\xed\xa0\x80\":{}}", "broken header", 0},
	{"{\"a\nb\":{}}", "broken header", 0},
	{"{\"a\\u0000b\":{}}", "a NUL", 0},
};

static void test_headers(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(headers); i++) {
		struct located l;
		const char *detail = "";
		bool ok;

		make(&b, headers[i].header, headers[i].body);
		ok = !located_bytes(&l, vv_buf_view(&b)) && !layout_wrong(&l.layout);
		if (l.layout.n_findings)
			detail = l.layout.findings[l.layout.n_findings - 1].detail;
		ok &= headers[i].says ? has_finding(&l.layout, "malformed") && strstr(detail, headers[i].says) &&
					!strcmp(l.layout.format->name, "opaque")
				      : !l.layout.n_findings && !strcmp(l.layout.format->name, "safetensors");
		tap_ok(ok, headers[i].header, __FILE__, __LINE__);
		if (!ok)
			printf("# %s\n", detail);
		located_release(&l);
	}
	vv_buf_release(&b);
}

/* M23: lengths of the header. */
static void test_length(void)
{
	static const uint64_t wild[] = {UINT64_MAX, 3, 100000001, (uint64_t)1 << 63, 0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;
	int bad = 0;

	make(&b, "{}", 0);
	for (size_t i = 0; i < VV_COUNT(wild); i++) {
		vv_put64(b.ptr, wild[i]);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_STR(l.layout.format->name, "opaque");
		CHECK_INT(l.layout.n_segs, 1);
		located_release(&l);
	}
	/* Any beginning of a file. */
	make(&b, "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3);
	for (size_t n = 0; n < b.len; n++) {
		bad += located_bytes(&l, vv_span(b.ptr, n)) || strcmp(l.layout.format->name, "opaque") ||
			layout_wrong(&l.layout) || has_finding(&l.layout, "malformed") != (n >= 10);
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	vv_buf_release(&b);
}

/* M46, M47: names that try to be more than a name. */
static void test_names(void)
{
	static const struct {
		const char *name, *is;
		bool odd;
	} names[] = {{"a\\nb", "a\nb", true}, {"\\u001b[31m", "\x1b[31m", true}, {"<<<<<<< x", "<<<<<<< x", false},
		{"\\u202e", "\xe2\x80\xae", true}, {"\\u200b", "\xe2\x80\x8b", true}, {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", false},
		{"\xc3\xbc\\/\\\"\\\\", "\xc3\xbc/\"\\", false}, {"\\b\\f\\r\\t", "\b\f\r\t", true}};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct memsink out = MEMSINK_INIT;
	char header[2 * VV_MAX_NAME];
	struct located l;

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		snprintf(header, sizeof(header), "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", names[i].name);
		make(&b, header, 1);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_STR(l.layout.segs[1].views[0].name, names[i].is);
		CHECK_INT(has_finding(&l.layout, "odd-name"), names[i].odd);
		located_release(&l);
	}
	for (int extra = 0; extra < 2; extra++) {
		char name[VV_MAX_NAME + 2] = {0};
		memset(name, 'n', VV_MAX_NAME + extra);
		snprintf(header, sizeof(header), "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", name);
		make(&b, header, 1);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_INT(has_finding(&l.layout, "limit"), extra);
		located_release(&l);
	}
	vv_buf_release(&b);
	vv_buf_release(&out.bytes);
}

/* M47: two names that Unicode holds for one; invalid UTF-8 beside them is no name in JSON at all. */
static void test_alike(void)
{
	static const struct {
		const char *a, *b;
		bool alike;
	} pairs[] = {{"caf\xc3\xa9", "cafe\xcc\x81", true}, {"K", "\xe2\x84\xaa", true}, {"\xc3\xa9", "e", false},
		{"\xef\xac\x81", "fi", false}, {"a", "A", false}, {"\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1", true}};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char header[400];
	struct located l;

	for (size_t i = 0; i < VV_COUNT(pairs); i++) {
		snprintf(header, sizeof(header), "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
			"\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", pairs[i].a, pairs[i].b);
		make(&b, header, 2);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_INT(l.layout.n_segs, 3);
		CHECK_INT(has_finding(&l.layout, "alike-names"), pairs[i].alike);
		located_release(&l);
	}
	vv_buf_release(&b);
}

/* M56: a valid file that a zip reader, starting from the end, takes for an archive. */
static void test_polyglot(void)
{
	static const uint8_t zip[] = "PK\1\2-\3-\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0a"
				     "PK\5\6\0\0\0\0\1\0\1\0/\0\0\0\0\0\0\0\0\0";
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	for (int with = 0; with < 2; with++) {
		make(&b, "{\"a\":{\"dtype\":\"U8\",\"shape\":[100],\"data_offsets\":[0,100]}}", 100);
		if (with)
			memcpy(b.ptr + b.len - 10 - (sizeof(zip) - 1), zip, sizeof(zip) - 1);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_STR(l.layout.format->name, "safetensors");
		CHECK_INT(has_finding(&l.layout, "polyglot"), with);
		located_release(&l);
	}
	vv_buf_release(&b);
}

/*
 * M56 again. 0x58 + 256 * 25 as a length is, to a pickle, X: a string of 25 bytes. Strings of 126 bytes
 * then lead through the metadata, and over the header's end into the tensors.
 */
static void make_pickle(struct vv_buf *out, const char *tail)
{
	static const char end[] = "\"},\"a\":{\"dtype\":\"U8\",\"shape\":[99],\"data_offsets\":[0,99]}}";
	enum { LEN = 0x58 + 256 * 25 };
	struct vv_buf h = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_str(&h, "{\"__metadata__\":{\"k\":\"");
	for (int i = 0; i < 40; i++)
		vv_buf_char(&h, 'N');
	while (h.len < LEN - strlen(end)) {
		vv_buf_str(&h, "U~");
		for (int i = 0; i < 126 && h.len < LEN - strlen(end); i++)
			vv_buf_char(&h, 'm');
		if (h.len < LEN - strlen(end))
			vv_buf_char(&h, '0');
	}
	vv_buf_str(&h, end);
	make(out, (const char *)h.ptr, 99);
	memcpy(out->ptr + out->len - 99 + 23, tail, strlen(tail));
	vv_buf_release(&h);
}

static void test_pickle(void)
{
	static const struct {
		const char *tail;
		bool pickle;
	} tails[] = {{"0cos\nsystem\n(U\2idtR.", true}, {"0ios\nsystem\n.", true}, {"0U\1aU\1a\x93.", true},
		{"0cos(\n,,\n.", false}, {".cos\nsystem\n", false}, {"0N.", false}, {"0\xff", false}, {"c\n\n.", false}};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	for (size_t i = 0; i < VV_COUNT(tails); i++) {
		make_pickle(&b, tails[i].tail);
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_STR(l.layout.format->name, "safetensors");
		CHECK_INT(has_finding(&l.layout, "polyglot"), tails[i].pickle);
		located_release(&l);
	}
	vv_buf_release(&b);
}

/* A header of 100,000 tensors, and one that is a single deep nest: time is linear. */
static void test_large(void)
{
	struct vv_buf h = VV_BUF_INIT(VV_MAX_TEXT), b = VV_BUF_INIT(VV_MAX_TEXT);
	struct memsink out = MEMSINK_INIT;
	struct located l;

	vv_buf_char(&h, '{');
	for (int i = 0; i < 100000; i++)
		vv_buf_fmt(&h, "%s\"layer.%d.w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "", i, i,
			i + 1);
	vv_buf_str(&h, ",\"__metadata__\":{\"last\":\"one\"}}");
	make(&b, (const char *)h.ptr, 100000);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK_INT(n_tensors(&l.layout), 100000);
	struct vv_assembly a = {&l.layout, &l.mem.base, NULL, 0};
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	CHECK_INT(out.bytes.len, 40);
	CHECK(!memcmp(out.bytes.ptr + 8, "{\"__metadata__\":{\"last\":\"one\"}} ", 32));
	located_release(&l);
	vv_buf_clear(&h);
	vv_buf_str(&h, "{\"a\":");
	for (int i = 0; i < 1000000; i++)
		vv_buf_char(&h, '[');
	make(&b, (const char *)h.ptr, 0);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "malformed"));
	located_release(&l);
	vv_buf_release(&h);
	vv_buf_release(&b);
	vv_buf_release(&out.bytes);
}

static int assemble(struct vv_buf *out, const char *header, size_t body, const struct vv_part *parts, size_t n)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct memsink sink = MEMSINK_INIT;
	struct located l;
	int ret;

	make(&b, header, body);
	if (located_bytes(&l, vv_buf_view(&b)))
		abort();
	struct vv_assembly a = {&l.layout, &l.mem.base, parts, n};
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_assemble(&a, &sink.base, &err);
	*out = sink.bytes;
	located_release(&l);
	vv_buf_release(&b);
	return ret;
}

static void test_assemble(void)
{
	static const char metadata[] = "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
				       "\"__metadata__\" : {\"__metadata__\":\"{\\\"\", \"k\":\"v\"} }";
	static const uint64_t two[] = {2};
	struct vv_source_mem bytes;
	struct vv_part part = {"a\n\x01\"", VV_DT_U8, 1, two, 2, &bytes.base}, twice[2];
	struct vv_buf out;

	vv_source_mem_init(&bytes, vv_span_str("!?"));
	/* The metadata is found wherever it stands, and kept as it is spelled. */
	CHECK_OK(assemble(&out, metadata, 1, &part, 1), &err);
	vv_buf_add(&out, "", 0);
	CHECK_STR(out.len > 8 ? (const char *)out.ptr + 8 : "",
		"{\"__metadata__\":{\"__metadata__\":\"{\\\"\", \"k\":\"v\"},"
		"\"a\\n\\u0001\\\"\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}  !?");
	vv_buf_release(&out);
	CHECK_OK(assemble(&out, "{}", 0, &part, 1), &err);
	vv_buf_release(&out);
	twice[0] = twice[1] = part;
	CHECK_INT(assemble(&out, "{}", 0, twice, 2), VV_EFORMAT);
	CHECK(strstr(err.msg, "wanted twice"));
	part.name = "__metadata__";
	CHECK_INT(assemble(&out, "{}", 0, &part, 1), VV_ENOTSUP);
	part.name = "\xff";
	CHECK_INT(assemble(&out, "{}", 0, &part, 1), VV_ENOTSUP);
	part = (struct vv_part){"c", VV_DT_C128, 0, NULL, 16, &bytes.base};
	bytes.base.size = 16;
	CHECK_INT(assemble(&out, "{}", 0, &part, 1), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no type c128"));
	part = (struct vv_part){"c", VV_DT_U8, 1, two, 3, &bytes.base};
	CHECK_INT(assemble(&out, "{}", 0, &part, 1), VV_EFORMAT);
}

int main(void)
{
	test_golden();
	test_becomes();
	test_headers();
	test_length();
	test_names();
	test_alike();
	test_polyglot();
	test_pickle();
	test_large();
	test_assemble();
	return done();
}
