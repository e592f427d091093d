#include "base/le.h"
#include "format/zip.h"

#include "layouts.h"
#include "mkzip.h"
#include "tap.h"

static struct vv_err err;

static void test_like_python(void)
{
	static const uint8_t want[] =
		"PK\3\4-\0\0\0\0\0\0\0!\0\x86\xa6\x10\x36\xff\xff\xff\xff\xff\xff\xff\xff\1\0\x14\0a"
		"\1\0\x10\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0hello"
		"PK\3\4-\0\0\b\0\0\0\0!\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\2\0\x14\0\xc3\xbc"
		"\1\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"PK\1\2-\3-\0\0\0\0\0\0\0!\0\x86\xa6\x10\x36\5\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0a"
		"PK\1\2-\3-\0\0\b\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\x80\1\x38\0\0\0\xc3\xbc"
		"PK\5\6\0\0\0\0\2\0\2\0_\0\0\0l\0\0\0\0";
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem hello, empty;
	struct vv_zip_writer w;

	vv_source_mem_init(&hello, vv_span_str("hello"));
	vv_source_mem_init(&empty, vv_span(NULL, 0));
	vv_zip_writer_init(&w, &out.base);
	CHECK_OK(vv_zip_writer_add(&w, "a", &hello.base, &err), &err);
	CHECK_OK(vv_zip_writer_add(&w, "\xc3\xbc", &empty.base, &err), &err);
	CHECK_OK(vv_zip_writer_end(&w, &err), &err);
	CHECK_INT(out.bytes.len, sizeof(want));
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_span(want, sizeof(want))));
	vv_zip_writer_release(&w);
	vv_buf_release(&out.bytes);
}

/* Members of all kinds, kept: the copy reads the same. */
static void test_keep(void)
{
	static const unsigned flags[] = {0, MKZIP_WIDE, MKZIP_LATE, MKZIP_LATE | MKZIP_WIDE | MKZIP_DEFLATE, MKZIP_DIR64,
		MKZIP_PAD64};
	struct memsink out = MEMSINK_INIT;
	struct vv_arena arena = {0};
	struct vv_source_mem old, now, bytes;
	struct mkzip z = MKZIP_INIT;
	struct vv_zip_writer w;
	struct vv_zip a, b;
	bool ok = false;

	for (size_t i = 0; i < VV_COUNT(flags); i++)
		mkzip_add(&z, (const char *const[]){"0", "1", "2", "3", "4", "5"}[i], vv_span_str("some bytes"), flags[i]);
	vv_source_mem_init(&old, mkzip_end(&z, true, ""));
	CHECK_OK(vv_zip_read(&a, &old.base, &arena, &err), &err);
	vv_zip_writer_init(&w, &out.base);
	vv_source_mem_init(&bytes, vv_span_str("first"));
	CHECK_OK(vv_zip_writer_add(&w, "first", &bytes.base, &err), &err);
	for (size_t i = a.n; i-- > 0;)
		CHECK_OK(vv_zip_writer_keep(&w, &a.members[i], &old.base, &err), &err);
	CHECK_OK(vv_zip_writer_end(&w, &err), &err);
	vv_source_mem_init(&now, vv_buf_view(&out.bytes));
	CHECK_OK(vv_zip_read(&b, &now.base, &arena, &err), &err);
	CHECK_INT(b.n, 7);
	CHECK_INT(b.stray, 0);
	for (size_t i = 0; i < b.n; i++) {
		struct vv_buf text = VV_BUF_INIT(100);
		CHECK_OK(vv_zip_load(&now.base, &b.members[i], &text, &ok, &err), &err);
		CHECK(ok && vv_span_is(vv_buf_view(&text), i ? "some bytes" : "first"));
		vv_buf_release(&text);
	}
	vv_zip_writer_release(&w);
	vv_arena_release(&arena);
	vv_buf_release(&out.bytes);
	mkzip_release(&z);
}

/* Only lengths matter here: 3 GiB that are never held. */
static int zeros_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	(void)self;
	(void)off;
	(void)e;
	memset(dst, 0, len);
	return 0;
}

/* Keeps what does not look like a payload. */
struct sparse {
	struct vv_sink base;
	struct vv_buf records;
};

static int sparse_write(struct vv_sink *self, struct vv_span data, struct vv_err *e)
{
	struct sparse *s = (struct sparse *)self;

	if (data.len < 1 << 20)
		vv_buf_span(&s->records, data);
	return vv_buf_check(&s->records, e);
}

static void test_zip64(void)
{
	const struct vv_source huge = {(uint64_t)3 << 30, zeros_read};
	struct sparse out = {{sparse_write}, VV_BUF_INIT(VV_MAX_TEXT)};
	struct vv_source_mem small;
	struct vv_zip_writer w;
	const uint8_t *dir, *end;

	vv_source_mem_init(&small, vv_span_str("x"));
	vv_zip_writer_init(&w, &out.base);
	CHECK_OK(vv_zip_writer_add(&w, "huge", &huge, &err), &err);
	CHECK_OK(vv_zip_writer_add(&w, "late", &small.base, &err), &err);
	CHECK_OK(vv_zip_writer_end(&w, &err), &err);
	/* Two local headers of 54 bytes with the byte of "late", then the directory. */
	dir = out.records.ptr + 109;
	CHECK_INT(vv_get32(dir + 20), UINT32_MAX);
	CHECK_INT(vv_get32(dir + 24), UINT32_MAX);
	CHECK_INT(vv_get16(dir + 30), 20);
	CHECK_INT(vv_get64(dir + 54), huge.size);
	CHECK_INT(vv_get32(dir + 70 + 20), 1);
	CHECK_INT(vv_get32(dir + 70 + 42), UINT32_MAX);
	CHECK_INT(vv_get64(dir + 70 + 54), huge.size + 54);
	end = dir + 70 + 62;
	CHECK_INT(vv_get32(end), 0x06064b50);
	CHECK_INT(vv_get64(end + 32), 2);
	CHECK_INT(vv_get64(end + 48), huge.size + 109);
	CHECK_INT(vv_get64(end + 56 + 8), huge.size + 109 + 132);
	CHECK_INT(vv_get32(end + 76 + 16), (uint32_t)(huge.size + 109));
	CHECK_INT(out.records.len, 109 + 132 + 98);
	vv_zip_writer_release(&w);
	vv_buf_release(&out.records);
}

static void test_failures(void)
{
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem small;
	struct vv_zip_writer w;
	char name[VV_MAX_NAME + 2];

	memset(name, 'n', sizeof(name));
	name[VV_MAX_NAME + 1] = 0;
	vv_source_mem_init(&small, vv_span_str("x"));
	vv_zip_writer_init(&w, &out.base);
	CHECK_INT(vv_zip_writer_add(&w, name, &small.base, &err), VV_ENOTSUP);
	out.room = 20;
	CHECK_INT(vv_zip_writer_add(&w, "n", &small.base, &err), VV_EIO);
	vv_zip_writer_release(&w);
	vv_buf_release(&out.bytes);
}

int main(void)
{
	test_like_python();
	test_keep();
	test_zip64();
	test_failures();
	return done();
}
