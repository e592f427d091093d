#include "base/le.h"
#include "format/zip.h"

#include "memsink.h"
#include "mkzip.h"
#include "tap.h"

static struct vv_err err;

enum { N = 4 };
static const char *const names[N] = {"m/data.pkl", "m/data/0", "m/data/1", "m/version"};
static const char *const old[N] = {"a pickle", "0123456789abcdef", "", "3\n"};

static void make(struct mkzip *z, const char *const *texts, unsigned flags, bool zip64)
{
	*z = (struct mkzip)MKZIP_INIT;
	for (int i = 0; i < N; i++)
		mkzip_add(z, names[i], vv_span_str(texts[i]), flags);
	mkzip_end(z, zip64, "comment");
}

/* Rewrites `file` with the texts that are not NULL. */
static int rewrite(struct vv_span file, const char *const *texts, unsigned align, struct memsink *out)
{
	const struct vv_source *replaced[N] = {NULL};
	struct vv_source_mem mem, bytes[N];
	struct vv_arena arena = {0};
	struct vv_zip zip;
	int ret;

	err = (struct vv_err)VV_ERR_INIT;
	vv_source_mem_init(&mem, file);
	ret = vv_zip_read(&zip, &mem.base, &arena, &err);
	for (size_t i = 0; i < N && !ret; i++)
		if (texts[i]) {
			vv_source_mem_init(&bytes[i], vv_span_str(texts[i]));
			replaced[i] = &bytes[i].base;
		}
	if (!ret)
		ret = vv_zip_rewrite(&zip, &mem.base, replaced, align, &out->base, &err);
	vv_arena_release(&arena);
	return ret;
}

/* A rewritten archive is the one that its writer would have written. */
static void check_like_new(const char *const *texts, unsigned flags, bool zip64, unsigned align)
{
	const char *now[N];
	struct memsink out = MEMSINK_INIT;
	struct mkzip was, want;

	for (int i = 0; i < N; i++)
		now[i] = texts[i] ? texts[i] : old[i];
	make(&was, old, flags, zip64);
	make(&want, now, flags, zip64);
	CHECK_OK(rewrite(vv_buf_view(&was.out), texts, align, &out), &err);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&want.out)));
	mkzip_release(&was);
	mkzip_release(&want);
	vv_buf_release(&out.bytes);
}

static void test_like_new(void)
{
	static const char long_text[] = "A text so long that what follows it has to be moved by more than its alignment.";
	static const char *const none[N], *const same[N] = {NULL, "fedcba9876543210"}, *const shorter[N] = {"x"},
		*const longer[N] = {NULL, long_text, long_text + 3, "4\n"}, *const all[N] = {"", "", "", ""};
	static const char *const *const cases[] = {none, same, shorter, longer, all};
	static const unsigned flags[] = {0, MKZIP_WIDE, MKZIP_LATE, MKZIP_LATE | MKZIP_NOSIG, MKZIP_LATE | MKZIP_WIDE,
		MKZIP_LATE | MKZIP_WIDE | MKZIP_NOSIG, MKZIP_DIR64};

	for (size_t i = 0; i < VV_COUNT(cases); i++)
		for (size_t f = 0; f < VV_COUNT(flags); f++) {
			check_like_new(cases[i], flags[f], f & 1, 1);
			check_like_new(cases[i], flags[f] | MKZIP_PAD64, true, 64);
		}
}

static void test_refused(void)
{
	static const char *const longer[N] = {"a longer pickle"};
	struct memsink out = MEMSINK_INIT;
	struct mkzip z;

	make(&z, old, MKZIP_DEFLATE, false);
	CHECK_INT(rewrite(vv_buf_view(&z.out), longer, 1, &out), VV_ENOTSUP);
	CHECK(strstr(err.msg, "'m/data.pkl' is compressed"));
	mkzip_release(&z);
	make(&z, old, 0, false);
	CHECK_INT(rewrite(vv_buf_view(&z.out), longer, 64, &out), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no padding"));
	mkzip_release(&z);
	vv_buf_release(&out.bytes);
}

/* Deflated members are kept as they are; so are a prefix and bytes between members. */
static void test_kept(void)
{
	static const char *const texts[N] = {NULL, NULL, "three"};
	struct memsink out = MEMSINK_INIT;
	struct vv_arena arena = {0};
	struct vv_source_mem mem;
	struct mkzip z = MKZIP_INIT;
	struct vv_zip zip;

	vv_buf_str(&z.out, "prefix");
	mkzip_add(&z, "a", vv_span_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), MKZIP_DEFLATE);
	vv_buf_str(&z.out, "between");
	mkzip_add(&z, "b", vv_span_str("b"), 0);
	mkzip_add(&z, "c", vv_span_str("c"), 0);
	mkzip_add(&z, "d", vv_span_str("d"), MKZIP_DEFLATE);
	vv_buf_str(&z.out, "!");
	mkzip_end(&z, false, "");
	CHECK_OK(rewrite(vv_buf_view(&z.out), texts, 1, &out), &err);
	CHECK_INT(out.bytes.len, z.out.len + 4);
	CHECK(!memcmp(out.bytes.ptr, z.out.ptr, 80));
	vv_source_mem_init(&mem, vv_buf_view(&out.bytes));
	CHECK_OK(vv_zip_read(&zip, &mem.base, &arena, &err), &err);
	CHECK_INT(zip.n, 4);
	CHECK_INT(zip.stray, 14);
	CHECK_INT(zip.members[2].len, 5);
	CHECK(!memcmp(out.bytes.ptr + zip.members[2].off, "three", 5));
	mkzip_release(&z);
	vv_buf_release(&out.bytes);
	vv_arena_release(&arena);
}

/* A size that only the reader of a sparse file could have. */
static int zeros_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	(void)self;
	(void)off;
	(void)e;
	memset(dst, 0, len);
	return 0;
}

static int drop(struct vv_sink *self, struct vv_span data, struct vv_err *e)
{
	(void)self;
	(void)data;
	(void)e;
	return 0;
}

static void test_outgrown(void)
{
	const struct vv_source huge = {(uint64_t)1 << 32, zeros_read}, *replaced[N] = {&huge};
	struct vv_sink sink = {drop};
	struct vv_arena arena = {0};
	struct vv_source_mem mem;
	struct vv_zip zip;
	struct mkzip z;

	make(&z, old, 0, false);
	vv_source_mem_init(&mem, vv_buf_view(&z.out));
	CHECK_OK(vv_zip_read(&zip, &mem.base, &arena, &err), &err);
	CHECK_INT(vv_zip_rewrite(&zip, &mem.base, replaced, 1, &sink, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "would need zip64"));
	vv_arena_release(&arena);
	mkzip_release(&z);
}

/* A sink that fails at any byte, and a source that is too short: passed on. */
static void test_failures(void)
{
	static const char *const texts[N] = {NULL, "another text"};
	struct mkzip z;
	int passed = 0, n = 0;

	make(&z, old, MKZIP_PAD64, true);
	for (size_t room = 1; room < z.out.len - 8; room += 7, n++) {
		struct memsink out = MEMSINK_INIT;
		out.room = room;
		passed += rewrite(vv_buf_view(&z.out), texts, 64, &out) == VV_EIO;
		vv_buf_release(&out.bytes);
	}
	CHECK_INT(passed, n);
	mkzip_release(&z);
}

int main(void)
{
	test_like_new();
	test_refused();
	test_kept();
	test_outgrown();
	test_failures();
	return done();
}
