#include "format/msgpack.h"

#include "layouts.h"
#include "tap.h"

static struct vv_err err;
static const uint64_t two[] = {2}, none[] = {0};
static const uint8_t bytes[64] = {1, 2, 3};

struct want {
	const char *name;
	enum vv_dtype dt;
	const uint64_t *shape; /* of one dimension; NULL: of none */
};

enum { MAX_WANT = 70000 };

/* These tensors in the frame of `old` (NULL: in a new file). */
static int made(struct vv_buf *file, struct vv_span old, const struct want *w, size_t n, size_t room)
{
	struct vv_source_mem *mem = calloc(n + 1, sizeof(*mem));
	struct vv_part *parts = calloc(n + 1, sizeof(*parts));
	struct memsink out = MEMSINK_INIT;
	struct located l = {0};
	int ret;

	for (size_t i = 0; i < n; i++) {
		uint64_t numel, len;
		if (vv_dtype_bytes(w[i].dt, w[i].shape, w[i].shape != NULL, &numel, &len))
			abort();
		vv_source_mem_init(&mem[i], vv_span(bytes, (size_t)len));
		parts[i] = (struct vv_part){.name = w[i].name, .dtype = w[i].dt, .ndim = w[i].shape != NULL, .shape = w[i].shape,
			.len = len, .bytes = &mem[i].base};
	}
	err = (struct vv_err)VV_ERR_INIT;
	out.room = room;
	if (old.ptr) {
		if (located_bytes(&l, old))
			abort();
		ret = vv_assemble(&(struct vv_assembly){&l.layout, &l.mem.base, parts, n}, &out.base, &err);
		located_release(&l);
	} else {
		ret = vv_assemble_new(vv_format_find(vv_span_str("msgpack")), "a note", parts, n, &out.base, &err);
	}
	vv_buf_clear(file);
	vv_buf_span(file, vv_buf_view(&out.bytes));
	vv_buf_release(&out.bytes);
	free(parts);
	free(mem);
	return ret;
}

static size_t tensors(const struct vv_buf *file, const char *name)
{
	struct located l;
	size_t n, seg, view;

	CHECK_OK(located_bytes(&l, vv_buf_view(file)), &l.err);
	CHECK_STR(l.layout.format->name, "msgpack");
	CHECK(!layout_wrong(&l.layout) && !l.layout.n_findings);
	CHECK(vv_layout_find(&l.layout, name, &seg, &view));
	n = n_tensors(&l.layout);
	located_release(&l);
	return n;
}

static void test_new(void)
{
	static const struct want w[] = {{"a/b", VV_DT_U8, two}, {"c", VV_DT_I8, NULL}, {"a/d.e/f", VV_DT_BOOL, two}, {"z", VV_DT_F32, none}};
	static const struct want other[] = {{"c", VV_DT_F16, two}, {"g/h", VV_DT_U8, two}};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT), second = VV_BUF_INIT(VV_MAX_TEXT), third = VV_BUF_INIT(VV_MAX_TEXT);
	size_t bad = 0;

	CHECK_OK(made(&file, vv_span(NULL, 0), w, 4, 0), &err);
	CHECK_INT(tensors(&file, "a/d.e/f"), 4);
	/* Depth first: maps are whole. */
	CHECK(!memcmp(file.ptr, "\x83\xa1" "a\x82\xa1" "b\xc7\x0d\1\x93\x91\2\xa5uint8\xc4\2\1\2\xa3" "d.e\x81\xa1" "f", 29));
	CHECK_OK(made(&second, vv_buf_view(&file), other, 2, 0), &err);
	CHECK_INT(tensors(&second, "g/h"), 2);
	CHECK_OK(made(&third, vv_buf_view(&second), w, 4, 0), &err);
	CHECK(vv_span_eq(vv_buf_view(&file), vv_buf_view(&third)));
	for (size_t room = 1; room < file.len; room++)
		bad += made(&third, vv_buf_view(&second), w, 4, room) != VV_EIO;
	CHECK_OK(made(&third, vv_buf_view(&file), NULL, 0, 0), &err);
	CHECK(third.len == 1 && third.ptr[0] == 0x80);
	/* Whatever byte is another: nothing of it is lost. */
	for (size_t i = 0; i < second.len; i++) {
		second.ptr[i] ^= 1;
		int ret = made(&third, vv_buf_view(&second), w, 4, 0);
		bad += ret && ret != VV_ENOTSUP;
		second.ptr[i] ^= 1;
	}
	CHECK_INT(bad, 0);
	vv_buf_release(&file);
	vv_buf_release(&second);
	vv_buf_release(&third);
}

/* More than maps of arrays, or not as packers write them. */
static void test_kept(void)
{
#define BYTES(s) {s, sizeof(s) - 1}
#define ARRAY "\xc7\x0d\1\x93\x91\2\xa5uint8\xc4\2!?"
	static const struct {
		const char *bytes;
		size_t len;
	} files[] = {BYTES("\x82\xa1w" ARRAY "\xa1n\5"), BYTES("\x81\xa1w\x91" ARRAY), BYTES("\x81\xd9\1w" ARRAY),
		BYTES("\xde\0\1\xa1w" ARRAY), BYTES("\x81\5" ARRAY), BYTES("\x82\xa1w" ARRAY "\xa1m\x80")};
	static const struct want w = {"x", VV_DT_U8, two};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct located l;
		CHECK_INT(located_bytes(&l, vv_span(files[i].bytes, files[i].len)), 0);
		CHECK_INT(n_tensors(&l.layout), 1);
		located_release(&l);
		CHECK_INT(made(&file, vv_span(files[i].bytes, files[i].len), &w, 1, 0), VV_ENOTSUP);
		CHECK(strstr(err.msg, "holds more than maps of arrays") && !file.len);
	}
	vv_buf_release(&file);
}

static void test_refused(void)
{
	static char deep[200], name[4000];
	static const char *const bad[] = {"", "a//b", "x/y", "x", VV_MSGPACK_CHUNKED "/a", name, deep};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);

	memset(name, 'n', sizeof(name) - 1);
	for (size_t i = 0; i < 64; i++)
		memcpy(deep + 2 * i, "d/", 2);
	deep[128] = 'e';
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		const struct want w[] = {{bad[i], VV_DT_U8, two}, {"x", VV_DT_U8, two}};
		CHECK_INT(made(&file, vv_span(NULL, 0), w, 2, 0), i == 3 ? VV_EFORMAT : VV_ENOTSUP);
		CHECK(!file.len);
	}
	CHECK_INT(made(&file, vv_span(NULL, 0), &(struct want){"x", VV_DT_F4, two}, 1, 0), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no type f4"));
	memcpy(deep + 124, "e", 2);
	CHECK_OK(made(&file, vv_span(NULL, 0), &(struct want){deep, VV_DT_U8, two}, 1, 0), &err);
	CHECK_INT(tensors(&file, deep), 1);
	vv_buf_release(&file);
}

/* Every width of a count and of a key. */
static void test_many(void)
{
	static const size_t counts[] = {15, 16, 65535, 65536};
	struct want *w = calloc(MAX_WANT, sizeof(*w));
	char (*names)[24] = calloc(MAX_WANT, sizeof(*names)), long_name[600];
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
	size_t bad = 0;

	for (size_t i = 0; i < MAX_WANT; i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		w[i] = (struct want){names[i], VV_DT_U8, two};
	}
	for (size_t i = 0; i < VV_COUNT(counts); i++) {
		CHECK_OK(made(&file, vv_span(NULL, 0), w, counts[i], 0), &err);
		CHECK_INT(tensors(&file, names[counts[i] - 1]), counts[i]);
	}
	for (size_t n = 31; n < 600; n = n < 260 ? n + 1 : n + 100) {
		memset(long_name, 'k', n);
		long_name[n] = 0;
		bad += made(&file, vv_span(NULL, 0), &(struct want){long_name, VV_DT_U8, two}, 1, 0) ||
			tensors(&file, long_name) != 1;
	}
	CHECK_INT(bad, 0);
	vv_buf_release(&file);
	free(names);
	free(w);
}

int main(void)
{
	CHECK_STR(vv_msgpack_word(VV_DT_BF16), "bfloat16");
	CHECK(!vv_msgpack_word(VV_DT_F4) && vv_msgpack_type("float8_e5m2") == VV_DT_F8_E5M2 && !vv_msgpack_type("object"));
	test_new();
	test_kept();
	test_refused();
	test_many();
	return done();
}
