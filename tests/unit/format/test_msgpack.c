#include "format/formats.h"

#include "base/le.h"

#include "expected.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"state.msgpack", "types.msgpack", "model.msgpack", "model-changed.msgpack",
		"model-reshaped.msgpack", "mixed.msgpack", "chunks.msgpack"};
	static const char *const bad[] = {"bad-cut.msgpack", "bad-more.msgpack", "bad-shape.msgpack"};
	static const char *const models[] = {
		"msgpack/model.msgpack", "msgpack/model-changed.msgpack", "msgpack/model-reshaped.msgpack"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "msgpack", files[i], "msgpack");
	for (size_t i = 0; i < VV_COUNT(bad); i++)
		check_golden(__FILE__, "msgpack", bad[i], "opaque");
	/* One's arrays in the other's file: what Flax wrote, whatever the lengths. */
	for (size_t i = 0; i < VV_COUNT(models); i++)
		for (size_t k = 0; k < VV_COUNT(models); k++)
			check_becomes(__FILE__, models[i], models[k]);
}

/* An extension 1 that says what Flax says of an array. */
static void put_array(struct vv_buf *out, const char *shape, const char *type, const char *bytes)
{
	size_t n = 1 + strlen(shape) + 1 + strlen(type) + 2 + strlen(bytes);

	vv_buf_fmt(out, "\xc7%c\1\x93%s%c%s\xc4%c%s", (int)n, shape, (int)(0xa0 | strlen(type)), type, (int)strlen(bytes),
		bytes);
}

/* Two bytes of u8. */
#define TWO "\xc7\x0d\1\x93\x91\2\xa5uint8\xc4\2ab"
/* The same, as a good file's only array. */
#define HEAD "\x82\xa1w" TWO "\xa1v"

/* Locates: a sound layout, and in words what it is: "malformed: …", "nothing" for what is no MessagePack. */
static void check_span(const char *what, struct vv_span bytes, const char *is)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	CHECK_OK(located_bytes(&l, bytes), &l.err);
	CHECK(!layout_wrong(&l.layout));
	for (size_t i = 0; i < l.layout.n_findings; i++)
		vv_buf_fmt(&have, "%s: %s; ", l.layout.findings[i].code, l.layout.findings[i].detail);
	if (!strcmp(l.layout.format->name, "opaque") && !l.layout.n_findings)
		vv_buf_str(&have, "nothing");
	for (size_t i = 0; i < l.layout.n_segs; i++)
		for (size_t k = 0; k < l.layout.segs[i].n_views; k++) {
			const struct vv_view *v = &l.layout.segs[i].views[k];
			vv_buf_fmt(&have, "%s %s", v->name, vv_dtype_info(l.layout.segs[i].dtype)->name);
			dims_text(&have, v->shape, v->ndim);
			vv_buf_fmt(&have, " '%.*s'; ", (int)l.layout.segs[i].len, l.file.ptr + l.layout.segs[i].off);
		}
	vv_buf_add(&have, "", 1);
	bool ok = strstr((const char *)have.ptr, is) != NULL;
	tap_ok(ok, what, __FILE__, __LINE__);
	if (!ok)
		printf("# %s\n# not %s\n", have.ptr, is);
	vv_buf_release(&have);
	located_release(&l);
}

#define ROW(bytes, is) {bytes, is, sizeof(bytes) - 1}

/* Whole files. */
static void test_files(void)
{
	static const struct {
		const char *bytes, *is;
		size_t len;
	} rows[] = {
		ROW("\x81\xa1w" TWO, "w u8[2] 'ab'; "),
		ROW("\xde\0\1\xd9\1w" TWO, "w u8[2] 'ab'; "),
		ROW("\xdf\0\0\0\1\xdb\0\0\0\1w" TWO, "w u8[2] 'ab'; "),
		ROW("\x81\xa0" TWO, " u8[2] 'ab'; "),
		ROW("\x81\xa1p\x82\xa1w" TWO "\xda\0\1v" TWO, "p/w u8[2] 'ab'; p/v u8[2] 'ab'; "),
		ROW("\x81\xa1p\x92" TWO "\xdc\0\1" TWO, "p/0 u8[2] 'ab'; p/1/0 u8[2] 'ab'; "),
		ROW("\x81\xa1p\xdd\0\0\0\1" TWO, "p/0 u8[2] 'ab'; "),
		ROW("\x82\xa1w" TWO "\xcd\1\2" TWO, "w u8[2] 'ab'; 258 u8[2] 'ab'; "),
		/* The same name twice: the wrapper's business. */
		ROW("\x82\xa1w" TWO "\xa1w" TWO, "w u8[2] 'ab'; w~2 u8[2] 'ab'; "),
		/* An array in all forms of length, and of a fixed length. */
		ROW("\x81\xa1w\xc8\0\x0e\1\x93\x91\2\xa5uint8\xc5\0\2ab", "w u8[2] 'ab'; "),
		ROW("\x81\xa1w\xc9\0\0\0\x10\1\x93\x91\2\xa5uint8\xc6\0\0\0\2ab", "w u8[2] 'ab'; "),
		ROW("\x81\xa1w\xd8\1\x93\x91\2\xa6uint16\xc4\4abcd", "w u16[2] 'abcd'; "),
		ROW("\x81\xa1w\xc7\x1e\1\x93\xdc\0\4\xcc\1\xcd\0\1\xce\0\0\0\1\x01\xd9\7float32\xc4\4abcd", "w f32[1,1,1,1] 'abcd'; "),
		ROW("\x81\xa1w\xc7\x13\1\x93\x91\xcf\0\0\0\0\0\0\0\1\xa4int8\xc4\1a", "w i8[1] 'a'; "),
		/* Other values. */
		ROW(HEAD "\xc0", "w u8[2] 'ab'; "),
		ROW(HEAD "\xc2", "w u8[2] 'ab'; "),
		ROW(HEAD "\xca" "1234", "w u8[2] 'ab'; "),
		ROW(HEAD "\xcb" "12345678", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd0" "1", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd1" "12", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd2" "1234", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd3" "12345678", "w u8[2] 'ab'; "),
		ROW(HEAD "\xe0", "w u8[2] 'ab'; "),
		ROW(HEAD "\x7f", "w u8[2] 'ab'; "),
		ROW(HEAD "\xcf" "12345678", "w u8[2] 'ab'; "),
		ROW(HEAD "\xa2xy", "w u8[2] 'ab'; "),
		ROW(HEAD "\xc4\2xy", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd4\2x", "w u8[2] 'ab'; "),
		ROW(HEAD "\xd8\3" "1234567890123456", "w u8[2] 'ab'; "),
		ROW(HEAD "\xc7\0\2", "w u8[2] 'ab'; "),
		ROW(HEAD "\x80", "w u8[2] 'ab'; "),
		ROW(HEAD "\x90", "w u8[2] 'ab'; "),
		/* Chunks stay bytes, with all that is under them; what comes after does not. */
		ROW("\x83\xa1w" TWO "\xa1v\x82\xb9__msgpack_chunked_array__\xc3\xa1" "c\x81\xa1" "0" TWO "\xa1u" TWO,
			"w u8[2] 'ab'; u u8[2] 'ab'; "),
		/* Types. */
		ROW("\x82\xa1w" TWO "\xa1v\xc7\x0c\1\x93\x91\2\xa4int4\xc4\2ab", "unknown-dtype: v is of type int4"),
		ROW("\x81\xa1v\xc7\x0c\1\x93\x91\2\xa4int4\xc4\2ab", "unknown-dtype: v is of type int4"),
		/* Broken ones: after an array they are malformed, before it they are nothing to us. */
		ROW(HEAD, "malformed: msgpack: cut off at offset 21"),
		ROW(HEAD "\xc1", "malformed: msgpack: a byte of no meaning at offset 21"),
		ROW(HEAD "\xa2x", "more than the file holds"),
		ROW(HEAD "\xdb\xff\xff\xff\xff", "more than the file holds"),
		ROW(HEAD "\xdd\xff\xff\xff\xff", "more than the file holds"),
		ROW(HEAD "\xdf\xff\xff\xff\xff", "more than the file holds"),
		ROW(HEAD "\xdf\x7f\xff\xff\xff" "12", "more than the file holds"),
		ROW(HEAD "\xc9\xff\xff\xff\xff\1", "more than the file holds"),
		ROW(HEAD "\xcd\1", "cut off"),
		ROW(HEAD "\x81\xc0\xc0", "neither text nor a number"),
		ROW(HEAD "\x81\xc4\1k\xc0", "neither text nor a number"),
		ROW(HEAD "\x81\xa3k\0k\xc0", "a name with a NUL"),
		ROW(HEAD "\xc0\xc0", "bytes after the end at offset 22"),
		ROW("\x82\xa1v\xc1\xa1w" TWO, "nothing"),
		ROW("\x81\xa1w\xc0", "nothing"),
		ROW("\x81\xc0" TWO "12345678", "nothing"),
		ROW("\x91" TWO "12345678", "nothing"),
		ROW("\x81\xa1w", "nothing"),
		ROW("\x80\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0", "nothing"),
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++)
		check_span(rows[i].is, vv_span(rows[i].bytes, rows[i].len), rows[i].is);
}

/* An extension's payload: behind another, and alone, where it may be too wrong to be taken for Flax's. */
static void test_arrays(void)
{
	static const struct {
		const char *bytes, *is;
		size_t len;
	} rows[] = {
		ROW("\xc0", "with a wrong form"), ROW("\x92\x91\2\xa5uint8", "of 2 parts"),
		ROW("\x93\xa1x\xa5uint8\xc4\2ab", "with a wrong shape"), ROW("\x93\x91\xff\xa5uint8\xc4\2ab", "with a wrong shape"),
		ROW("\x93\x91\2\2\xc4\2ab", "with a wrong type"), ROW("\x93\x91\2\xa0\xc4\2ab", "with a wrong type"),
		ROW("\x93\x91\2\xa5uint \xc4\2ab", "with a wrong type"), ROW("\x93\x91\2\xa5uint\0\xc4\2ab", "with a wrong type"),
		ROW("\x93\x91\2\xd9\x41" "12345678901234567890123456789012345678901234567890123456789012345\xc4\2ab",
			"with a wrong type"),
		ROW("\x93\x91\2\xa5uint8\xa2" "ab", "with a wrong payload"), ROW("\x93\x91\2\xa5uint8\xc4\1ab", "of two lengths"),
		ROW("\x93\x91\2\xa5uint8\xc4\3ab", "more than the file holds"), ROW("\x93\x91\2\xa5uint8\xc4\2ab\xc0", "of two lengths"),
		ROW("\x93\x91\3\xa5uint8\xc4\2ab", "shape and 2 bytes do not agree"),
		ROW("\x93\x92\xcf\x80\0\0\0\0\0\0\0\2\xa5uint8\xc4\2ab", "do not agree"),
		ROW("\x93\x91\xcf\x20\0\0\0\0\0\0\0\xa7" "float64\xc4\0", "do not agree"),
		ROW("\x93\x99\1\1\1\1\1\1\1\1\2\xa5uint8\xc4\2ab", "limit: msgpack: an array of 9 dimensions"),
		ROW("\x93\x98\1\1\1\1\1\1\1\2\xa5uint8\xc4\2ab", "v u8[1,1,1,1,1,1,1,2] 'ab'; "),
		ROW("\x93\x92\0\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa5uint8\xc4\0", "v u8[0,18446744073709551615] ''; "),
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(rows); i++)
		for (int alone = 0; alone < 2; alone++) {
			bool seen = rows[i].is[0] == 'v' || strstr(rows[i].is, "do not agree");
			vv_buf_clear(&b);
			vv_buf_str(&b, alone ? "\x81\xa1v" : HEAD);
			vv_buf_fmt(&b, "\xc7%c\1", (int)rows[i].len);
			vv_buf_add(&b, rows[i].bytes, rows[i].len);
			check_span(rows[i].is, vv_buf_view(&b), alone && !seen ? "nothing" : rows[i].is);
		}
	vv_buf_release(&b);
}

/* Depth and names. */
static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (int depth = 63; depth < 66; depth++) {
		vv_buf_clear(&b);
		vv_buf_add(&b, "\x82\xa1w", 3);
		put_array(&b, "\x91\2", "uint8", "ab");
		vv_buf_str(&b, "\xa1v");
		for (int i = 0; i < depth - 1; i++)
			vv_buf_char(&b, (char)0x91);
		vv_buf_char(&b, (char)0xc0);
		check_span("depth", vv_buf_view(&b), depth < 65 ? "w u8[2] 'ab'; " : "limit: msgpack: more than 64 maps");
	}
	for (size_t n = VV_MAX_NAME - 3; n <= VV_MAX_NAME; n++) {
		vv_buf_clear(&b);
		vv_buf_str(&b, HEAD "\x81\xda");
		vv_buf_char(&b, (char)(n >> 8));
		vv_buf_char(&b, (char)n);
		for (size_t i = 0; i < n; i++)
			vv_buf_char(&b, 'n');
		vv_buf_str(&b, "\x81\xa0");
		put_array(&b, "\x91\2", "uint8", "ab");
		check_span("name", vv_buf_view(&b),
			n > VV_MAX_NAME - 3 ? "limit: msgpack: a name of more than 4096 bytes" : "/ u8[2] 'ab'; ");
	}
	/* A key that is a number, where no room is left for it. */
	vv_buf_clear(&b);
	vv_buf_str(&b, HEAD "\x81\xda\x0f\xfe");
	for (size_t i = 0; i < VV_MAX_NAME - 2; i++)
		vv_buf_char(&b, 'n');
	vv_buf_str(&b, "\x91\x80");
	check_span("a number", vv_buf_view(&b), "limit: msgpack: a name of more than 4096 bytes");
	vv_buf_clear(&b);
	vv_buf_str(&b, HEAD "\xdd\1");
	for (size_t i = 0; i < ((1 << 24) + 3); i++)
		vv_buf_char(&b, i < 3 ? 0 : (char)0xc0);
	check_span("items", vv_buf_view(&b), "limit: msgpack: more than 16777216 items");
	/* Long paths that stand once: 20,000 arrays under 4,000 bytes. */
	vv_buf_clear(&b);
	vv_buf_str(&b, HEAD "\x81\xda\x0f\xa0");
	for (size_t i = 0; i < 4000; i++)
		vv_buf_char(&b, 'n');
	vv_buf_add(&b, "\xdd\0\0\x4e\x20", 5);
	for (size_t i = 0; i < 20000; i++)
		put_array(&b, "\x91\2", "uint8", "ab");
	check_span("names in all", vv_buf_view(&b), "limit: msgpack: more than 67108864 bytes of names");
	vv_buf_release(&b);
}

/* The head decides: an array must begin in its 4096 bytes, and its own head lie there. */
static void test_head(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (int text = 4000; text < 4200; text += 100) {
		vv_buf_clear(&b);
		vv_buf_str(&b, "\x82\xa1t\xda");
		vv_buf_char(&b, (char)(text >> 8));
		vv_buf_char(&b, (char)text);
		for (int i = 0; i < text; i++)
			vv_buf_char(&b, 't');
		vv_buf_str(&b, "\xa1w");
		put_array(&b, "\x91\2", "uint8", "ab");
		check_span("head", vv_buf_view(&b), text == 4000 ? "w u8[2] 'ab'; " : "nothing");
	}
	vv_buf_release(&b);
}

/* Any beginning of a file, any bit of it changed, any byte of it anything. */
static void test_broken(void)
{
	struct vv_buf was = VV_BUF_INIT(VV_MAX_TEXT), b = VV_BUF_INIT(VV_MAX_TEXT);
	int bad = 0, opaque = 0;
	struct located l;

	golden_read(&was, __FILE__, "msgpack/mixed.msgpack");
	for (size_t n = 0; n < was.len; n++) {
		bad += located_bytes(&l, vv_span(was.ptr, n)) || layout_wrong(&l.layout);
		opaque += !strcmp(l.layout.format->name, "opaque");
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	CHECK_INT(opaque, was.len);
	vv_buf_span(&b, vv_buf_view(&was));
	for (size_t at = 0; at < b.len; at++)
		for (int v = 0; v < 256; v++) {
			memcpy(b.ptr, was.ptr, b.len);
			b.ptr[at] = (uint8_t)v;
			bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
			located_release(&l);
		}
	CHECK_INT(bad, 0);
	vv_buf_release(&was);
	vv_buf_release(&b);
}

/* Other files than Flax's: bytes at random, and text, behind each lead byte of a map. */
static void test_others(void)
{
	uint32_t seed = 1;
	int stolen = 0;
	uint8_t b[600];
	struct located l;

	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof(b); k++, seed = seed * 1664525 + 1013904223)
			b[k] = (uint8_t)(seed >> 24);
		b[0] = (uint8_t)(0x81 + i % 15);
		b[1] = (uint8_t)(0xa0 + i % 32);
		stolen += located_bytes(&l, vv_span(b, sizeof(b))) || l.layout.n_findings || l.layout.n_segs != 1;
		located_release(&l);
	}
	CHECK_INT(stolen, 0);
}

/* --- large files --- */

/* A file of 4 GiB of which only the beginning, and one piece behind the first payload, are anything. */
struct huge {
	struct vv_source base;
	struct vv_span head, tail;
	uint64_t tail_at, *read;
};

static int huge_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e VV_UNUSED)
{
	const struct huge *h = (const struct huge *)self;

	*h->read += len;
	for (size_t i = 0; i < len; i++) {
		uint64_t at = off + i;
		((uint8_t *)dst)[i] = at < h->head.len ? h->head.ptr[at]
			: at >= h->tail_at		? h->tail.ptr[at - h->tail_at]
							: 0;
	}
	return 0;
}

static void test_large(void)
{
	static const uint8_t head[] = "\x82\xa1w\xc9\x80\0\0\x17\1\x93\x92\xce\0\1\0\0\xce\0\0\x80\0\xa5uint8\xc6\x80\0\0\0";
	static const uint8_t tail[] = "\xa1v" TWO;
	struct vv_layout l;
	uint64_t read = 0;
	struct huge h = {{0, huge_read}, vv_span(head, sizeof(head) - 1), vv_span(tail, sizeof(tail) - 1), 0, &read};

	h.tail_at = h.head.len + ((uint64_t)1 << 31);
	h.base.size = h.tail_at + h.tail.len;
	CHECK_OK(vv_layout_locate(&l, &h.base, &err), &err);
	CHECK_STR(l.format->name, "msgpack");
	CHECK_INT(n_tensors(&l), 2);
	CHECK(read < 100000);
	if (n_tensors(&l) == 2)
		CHECK_INT(l.segs[1].len, (long long)1 << 31);
	vv_layout_release(&l);
}

/* --- writing --- */

/* The parts for `w` and `v` of a file that has both; *out is freed by the caller. */
static int assemble(struct vv_buf *out, const struct vv_part *parts, size_t n, size_t room)
{
	static const char file[] = HEAD TWO;
	struct memsink sink = MEMSINK_INIT;
	struct located l;
	int ret;

	if (located_bytes(&l, vv_span(file, sizeof(file) - 1)))
		abort();
	sink.room = room;
	struct vv_assembly a = {&l.layout, &l.mem.base, parts, n};
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_assemble(&a, &sink.base, &err);
	*out = sink.bytes;
	located_release(&l);
	return ret;
}

static int zeros(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst, size_t len,
	struct vv_err *e VV_UNUSED)
{
	memset(dst, 0, len);
	return 0;
}

static void test_sets(void)
{
	static const uint64_t two[] = {2}, large[] = {(1 << 30) + 1}, wide[] = {200, 400};
	struct vv_source_mem mem;
	struct vv_source many = {0, zeros};
	struct vv_part p[3] = {{"w", VV_DT_U8, 1, two, 2, &mem.base}, {"v", VV_DT_U8, 1, two, 2, &mem.base},
		{"u", VV_DT_U8, 1, two, 2, &mem.base}};
	struct vv_buf out;

	vv_source_mem_init(&mem, vv_span_str("!?"));
	CHECK_OK(assemble(&out, p, 2, 0), &err);
	CHECK(out.len == sizeof(HEAD TWO) - 1 && !memcmp(out.ptr, "\x82\xa1w\xc7\x0d\1\x93\x91\2\xa5uint8\xc4\2!?\xa1v", 21));
	vv_buf_release(&out);
	CHECK_INT(assemble(&out, p, 2, 10), VV_EIO);
	vv_buf_release(&out);
	/* Other sets: test_msgpack_write.c. */
	CHECK_OK(assemble(&out, p, 1, 0), &err);
	CHECK(out.ptr[0] == 0x81);
	vv_buf_release(&out);
	/* Another type and shape: the fixed form of an extension, as packers choose it. */
	p[0] = (struct vv_part){"w", VV_DT_I16, 0, NULL, 2, &mem.base};
	CHECK_OK(assemble(&out, p, 2, 0), &err);
	CHECK(!memcmp(out.ptr, "\x82\xa1w\xc7\x0c\1\x93\x90\xa5int16\xc4\2!?\xa1v", 20));
	vv_buf_release(&out);
	many.size = 4;
	p[0] = (struct vv_part){"w", VV_DT_U16, 1, two, 4, &many};
	CHECK_OK(assemble(&out, p, 2, 0), &err);
	CHECK(!memcmp(out.ptr, "\x82\xa1w\xd8\1\x93\x91\2\xa6uint16\xc4\4\0\0\0\0\xa1v", 23));
	vv_buf_release(&out);
	many.size = 80000;
	p[0] = (struct vv_part){"w", VV_DT_U8, 2, wide, 80000, &many};
	CHECK_OK(assemble(&out, p, 2, 0), &err);
	CHECK(!memcmp(out.ptr, "\x82\xa1w\xc9\0\1\x38\x92\1\x93\x92\xcc\xc8\xcd\1\x90\xa5uint8\xc6\0\1\x38\x80\0\0", 28));
	vv_buf_release(&out);
	/* What NumPy has no name for, what Flax would cut. */
	many.size = 1;
	p[0] = (struct vv_part){"w", VV_DT_F4, 1, two, 1, &many};
	CHECK_INT(assemble(&out, p, 2, 0), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no type f4"));
	many.size = large[0];
	p[0] = (struct vv_part){"w", VV_DT_U8, 1, large, large[0], &many};
	CHECK_INT(assemble(&out, p, 2, 0), VV_ENOTSUP);
	CHECK(strstr(err.msg, "so large"));
	vv_buf_release(&out);
}

/* A layout that is another file's. */
static void test_other_layout(void)
{
	static const char other[] = "\x82\xa2ww" TWO "\xa1v" TWO;
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem mem;
	struct located l;
	struct parts p;

	CHECK_OK(located_bytes(&l, vv_span(HEAD TWO, sizeof(HEAD TWO) - 1)), &l.err);
	CHECK_INT(parts_of(&p, &l.layout, l.file.ptr), 0);
	vv_source_mem_init(&mem, vv_span(other, sizeof(other) - 1));
	struct vv_assembly a = {&l.layout, &mem.base, p.p, p.n};
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "not its layout's"));
	parts_release(&p);
	located_release(&l);
	vv_buf_release(&out.bytes);
}

int main(void)
{
	test_golden();
	test_files();
	test_arrays();
	test_limits();
	test_head();
	test_broken();
	test_others();
	test_large();
	test_sets();
	test_other_layout();
	return done();
}
