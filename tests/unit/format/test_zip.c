#include "base/le.h"
#include "format/zip.h"

#include "mkzip.h"
#include "tap.h"

static struct vv_zip zip;
static struct vv_arena arena;
static struct vv_err err;
static struct vv_source_mem mem;

static int reading(struct vv_span file)
{
	vv_arena_release(&arena);
	vv_source_mem_init(&mem, file);
	err = (struct vv_err)VV_ERR_INIT;
	return vv_zip_read(&zip, &mem.base, &arena, &err);
}

/* The archive that most cases below spoil: one stored, one deflated, one late member. */
static void make(struct mkzip *z, bool zip64)
{
	*z = (struct mkzip)MKZIP_INIT;
	mkzip_add(z, "a", vv_span_str("first member"), 0);
	mkzip_add(z, "dir/b", vv_span_str("second, second, second, second member"), MKZIP_DEFLATE);
	mkzip_add(z, "c", vv_span_str("third"), MKZIP_LATE | MKZIP_PAD64);
	mkzip_end(z, zip64, "a comment");
}

static void check_loads(const char *name, const char *want)
{
	const struct vv_zip_member *m = vv_zip_find(&zip, name);
	struct vv_buf out = VV_BUF_INIT(strlen(want) + 1);
	bool ok = false;

	CHECK(m != NULL);
	if (!m)
		return;
	vv_buf_str(&out, "+");
	CHECK_OK(vv_zip_load(&mem.base, m, &out, &ok, &err), &err);
	CHECK(ok);
	CHECK_INT(out.len, strlen(want) + 1);
	CHECK(!memcmp(out.ptr + 1, want, strlen(want)));
	vv_buf_release(&out);
	vv_buf_init(&out, strlen(want) - 1);
	CHECK_INT(vv_zip_load(&mem.base, m, &out, &ok, &err), VV_ELIMIT);
	vv_buf_release(&out);
}

static void test_good(void)
{
	for (int zip64 = 0; zip64 < 2; zip64++) {
		struct mkzip z;
		make(&z, zip64);
		CHECK(vv_zip_probe(vv_buf_view(&z.out)));
		CHECK_OK(reading(vv_buf_view(&z.out)), &err);
		CHECK_INT(zip.n, 3);
		CHECK_INT(zip.directory, z.directory);
		CHECK_INT(zip.stray, 0);
		CHECK_INT(zip.zip64, zip64);
		CHECK_INT(zip.members[2].off, z.payload);
		CHECK_INT(zip.members[2].off % 64, 0);
		CHECK_INT(zip.members[2].end, z.directory);
		CHECK_INT(zip.members[2].local_flags, 0x808);
		CHECK_INT(zip.members[1].method, 8);
		CHECK(!vv_zip_find(&zip, "b"));
		check_loads("a", "first member");
		check_loads("dir/b", "second, second, second, second member");
		check_loads("c", "third");
		mkzip_release(&z);
	}
}

static void test_writers(void)
{
	static const unsigned flags[] = {MKZIP_WIDE, MKZIP_WIDE | MKZIP_LATE, MKZIP_LATE | MKZIP_NOSIG,
		MKZIP_LATE | MKZIP_NOSIG | MKZIP_WIDE, MKZIP_DIR64, MKZIP_DIR64 | MKZIP_WIDE | MKZIP_DEFLATE | MKZIP_LATE,
		MKZIP_LATE | MKZIP_DEFLATE};

	for (size_t i = 0; i < VV_COUNT(flags); i++) {
		struct mkzip z = MKZIP_INIT;
		mkzip_add(&z, "x", vv_span_str("some bytes, some bytes"), flags[i]);
		mkzip_add(&z, "empty", vv_span("", 0), flags[i]);
		mkzip_add(&z, "y", vv_span_str("y"), flags[i]);
		CHECK_OK(reading(mkzip_end(&z, false, "")), &err);
		CHECK_INT(zip.n, 3);
		CHECK_INT(zip.stray, 0);
		check_loads("x", "some bytes, some bytes");
		check_loads("y", "y");
		mkzip_release(&z);
	}
	struct mkzip none = MKZIP_INIT;
	CHECK_OK(reading(mkzip_end(&none, false, "")), &err);
	CHECK_INT(zip.n, 0);
	CHECK(!vv_zip_probe(vv_buf_view(&none.out)));
	mkzip_release(&none);
}

/* One number of the archive changed: what must be said. */
enum where { OUT, LOCAL_A, ENTRY_A, ENTRY_B, LOCAL_C, ENTRY_C, DESCRIPTOR_C, END, END64, LOCATOR };

static size_t place(const struct mkzip *z, enum where w)
{
	size_t entry_a = z->directory, entry_b = entry_a + 47, entry_c = z->directory + z->entry;

	switch (w) {
	case OUT: case LOCAL_A: return 0;
	case ENTRY_A: return entry_a;
	case ENTRY_B: return entry_b;
	case LOCAL_C: return z->header;
	case ENTRY_C: return entry_c;
	case DESCRIPTOR_C: return z->payload + 5;
	case END: return z->end;
	case END64: return z->end64;
	case LOCATOR: return z->end - 20;
	}
	return 0;
}

static const struct {
	enum where where;
	unsigned off, bytes;
	uint64_t value;
	const char *says;
} lies[] = {
	{LOCAL_A, 0, 1, 'Q', "is not at"},
	{LOCAL_A, 30, 1, 'q', "another name"},            /* CVE-2025-1944 */
	{LOCAL_A, 26, 2, 2, "another name"},
	{LOCAL_A, 26, 2, 0xffff, "is not at"},
	{LOCAL_A, 28, 2, 0xffff, "is not at"},
	{LOCAL_A, 28, 2, 5, "broken extra"},              /* takes "first" for a field */
	{LOCAL_A, 8, 2, 8, "differs from the directory"},
	{LOCAL_A, 18, 4, 11, "differs from the directory"},
	{LOCAL_A, 22, 4, 11, "differs from the directory"},
	{LOCAL_A, 18, 4, 0xffffffff, "broken extra"},
	{LOCAL_A, 6, 2, 8, "no data descriptor"},
	{ENTRY_A, 0, 1, 'Q', "no directory entry"},
	{ENTRY_A, 8, 2, 1, "encrypted"},
	{ENTRY_A, 8, 2, 1 << 6, "encrypted"},
	{ENTRY_A, 10, 2, 12, "compression 12"},
	{ENTRY_A, 20, 4, 11, "wrong size"},
	{ENTRY_A, 24, 4, 0xfffffffe, "wrong size"},
	{ENTRY_A, 24, 4, 0xffffffff, "broken entry"},
	{ENTRY_A, 28, 2, 0xffff, "no directory entry"},
	{ENTRY_A, 28, 2, 0, "another name"},
	{ENTRY_A, 30, 2, 4, "broken entry"},
	{ENTRY_A, 34, 2, 1, "broken entry"},
	{ENTRY_A, 42, 4, 0xfffffff0, "past the end"},
	{ENTRY_A, 42, 4, 1, "is not at"},
	{ENTRY_A, 46, 1, 0, "a NUL"},
	{ENTRY_A, 46, 1, 'b', "another name"},
	{ENTRY_B, 20, 4, 0xfffffff0, "wrong size"},
	{ENTRY_B, 42, 4, 0, "another name"},
	{LOCAL_C, 18, 4, 4, "differs from the directory"},
	{DESCRIPTOR_C, 8, 4, 6, "no data descriptor"},
	{DESCRIPTOR_C, 0, 1, 'Q', "no data descriptor"},
	{END, 0, 1, 'Q', "no end record"},
	{END, 4, 2, 1, "larger archive"},
	{END, 6, 2, 1, "larger archive"},
	{END, 8, 2, 2, "larger archive"},
	{END, 20, 2, 8, "bytes after"},
	{END, 20, 2, 10, "bytes after"},
	{END, 8, 4, 0x00040004, "end records differ"},
	{END, 12, 4, 7, "end records differ"},
	{END, 16, 4, 7, "end records differ"},
	{LOCATOR, 0, 1, 'Q', "does not end at"},
	{LOCATOR, 4, 4, 1, "zip64 locator"},
	{LOCATOR, 8, 8, UINT64_MAX, "zip64 locator"},
	{LOCATOR, 8, 8, 1, "zip64 end record"},
	{LOCATOR, 16, 4, 2, "zip64 locator"},
	{END64, 4, 8, UINT64_MAX, "zip64 end record"},
	{END64, 4, 8, 43, "zip64 end record"},
	{END64, 24, 8, 4, "zip64 end record"},
	{END64, 32, 8, UINT64_MAX, "zip64 end record"},
	{END64, 40, 8, UINT64_MAX, "end records differ"},
};

static void test_lies(void)
{
	for (size_t i = 0; i < VV_COUNT(lies); i++) {
		struct mkzip z;
		int ret;

		make(&z, true);
		for (unsigned k = 0; k < lies[i].bytes; k++)
			z.out.ptr[place(&z, lies[i].where) + lies[i].off + k] = (uint8_t)(lies[i].value >> 8 * k);
		ret = reading(vv_buf_view(&z.out));
		tap_ok(ret == VV_EFORMAT && strstr(err.msg, lies[i].says), lies[i].says, __FILE__, __LINE__);
		if (ret != VV_EFORMAT || !strstr(err.msg, lies[i].says))
			printf("# lie %zu: %d: %s\n", i, ret, err.msg);
		mkzip_release(&z);
	}
}

/* What the end records say where only one of them counts. */
static void test_sentinels(void)
{
	struct mkzip z;

	make(&z, true);
	vv_put32(z.out.ptr + z.end + 8, UINT32_MAX);
	vv_put64(z.out.ptr + z.end + 12, UINT64_MAX);
	CHECK_OK(reading(vv_buf_view(&z.out)), &err);
	CHECK_INT(zip.n, 3);
	vv_put64(z.out.ptr + z.end64 + 24, UINT64_MAX / 46);
	vv_put64(z.out.ptr + z.end64 + 32, UINT64_MAX / 46);
	CHECK_INT(reading(vv_buf_view(&z.out)), VV_ELIMIT);
	vv_put64(z.out.ptr + z.end64 + 24, 4);
	vv_put64(z.out.ptr + z.end64 + 32, 4);
	CHECK_INT(reading(vv_buf_view(&z.out)), VV_EFORMAT);
	vv_put64(z.out.ptr + z.end64 + 40, UINT64_MAX);
	CHECK_INT(reading(vv_buf_view(&z.out)), VV_EFORMAT);
	mkzip_release(&z);
	/* Fewer in the count than in the directory. */
	make(&z, false);
	vv_put32(z.out.ptr + z.end + 8, 0x00020002);
	CHECK_INT(reading(vv_buf_view(&z.out)), VV_EFORMAT);
	CHECK(strstr(err.msg, "more than its 2 entries"));
	mkzip_release(&z);
}

/* 65,536 members: the count of the classic record is no use. */
static void test_many(void)
{
	struct mkzip z = MKZIP_INIT;
	char name[16];

	for (int i = 0; i < 65536; i++) {
		snprintf(name, sizeof(name), "%d", i);
		mkzip_add(&z, name, vv_span_str(name), 0);
	}
	CHECK_OK(reading(mkzip_end(&z, true, "")), &err);
	CHECK_INT(zip.n, 65536);
	CHECK(zip.zip64);
	CHECK(vv_zip_find(&zip, "65535") == &zip.members[65535]);
	/* Without a zip64 record nobody knows how many there are. */
	vv_put32(z.out.ptr + z.end - 20, 0);
	CHECK_INT(reading(vv_buf_view(&z.out)), VV_EFORMAT);
	mkzip_release(&z);
}

static void test_duplicate(void)
{
	struct mkzip z = MKZIP_INIT;

	mkzip_add(&z, "data.pkl", vv_span_str("benign"), 0);
	mkzip_add(&z, "x", vv_span_str("x"), 0);
	mkzip_add(&z, "data.pkl", vv_span_str("malign"), 0);
	CHECK_INT(reading(mkzip_end(&z, false, "")), VV_EFORMAT);
	CHECK(strstr(err.msg, "'data.pkl' is there twice"));
	/* Both can still be looked into. */
	CHECK_INT(zip.n, 3);
	CHECK_INT(zip.members[2].off, z.payload);
	mkzip_release(&z);
}

/* Fifield's bomb: each member's payload quotes the next ones' headers. */
static void test_overlap(void)
{
	struct mkzip z = MKZIP_INIT, inner = MKZIP_INIT;

	mkzip_add(&inner, "b", vv_span_str("payload"), 0);
	mkzip_add(&z, "a", vv_buf_view(&inner.out), 0);
	size_t payload = z.payload;
	/* A second entry that points into the first one's payload. */
	vv_buf_span(&z.dir, vv_buf_view(&inner.dir));
	vv_put32(z.dir.ptr + 47 + 42, (uint32_t)payload);
	z.n = 2;
	CHECK_INT(reading(mkzip_end(&z, false, "")), VV_EFORMAT);
	CHECK(strstr(err.msg, "'a' overlaps"));
	CHECK_INT(zip.n, 2);
	mkzip_release(&z);
	mkzip_release(&inner);
}

/* Bytes of nobody between members are counted: something may hide there. */
static void test_stray(void)
{
	struct mkzip z = MKZIP_INIT;

	mkzip_add(&z, "a", vv_span_str("a"), 0);
	size_t at = z.out.len;
	vv_buf_str(&z.out, "hidden");
	mkzip_add(&z, "b", vv_span_str("b"), 0);
	vv_buf_str(&z.out, "!!");
	CHECK_OK(reading(mkzip_end(&z, false, "")), &err);
	CHECK_INT(zip.stray, 8);
	CHECK_INT(zip.stray_at, at);
	mkzip_release(&z);
}

static void test_flags_and_crc(void)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkzip z;
	bool ok = true;

	/* CVE-2025-1945: a bit in the local header that the directory does not know. */
	make(&z, false);
	z.out.ptr[6] |= 1;
	CHECK_OK(reading(vv_buf_view(&z.out)), &err);
	CHECK(zip.members[0].local_flags != zip.members[0].flags);
	mkzip_release(&z);
	/* CVE-2025-10156: a wrong CRC stops no reader that does not check it. */
	make(&z, false);
	z.out.ptr[z.directory + 16] ^= 1;
	CHECK_OK(reading(vv_buf_view(&z.out)), &err);
	CHECK_OK(vv_zip_load(&mem.base, &zip.members[0], &out, &ok, &err), &err);
	CHECK(!ok);
	CHECK(vv_span_is(vv_buf_view(&out), "first member"));
	mkzip_release(&z);
	vv_buf_release(&out);
}

/* A deflated member whose sizes lie. The directory and the local header must agree on the lie. */
static void spoil(struct mkzip *z, uint32_t raw, uint32_t len)
{
	if (raw) {
		vv_put32(z->out.ptr + 22, raw);
		vv_put32(z->dir.ptr + 24, raw);
	}
	if (len) {
		vv_put32(z->out.ptr + 18, len);
		vv_put32(z->dir.ptr + 20, len);
	}
}

static int inflating(uint32_t raw, int32_t len_less, int junk_at)
{
	static uint8_t zeros[300000];
	struct vv_buf out = VV_BUF_INIT(sizeof(zeros) * 10);
	struct mkzip z = MKZIP_INIT;
	bool ok = false;
	int ret;

	mkzip_add(&z, "z", vv_span(zeros, sizeof(zeros)), MKZIP_DEFLATE);
	spoil(&z, raw, len_less ? vv_get32(z.out.ptr + 18) - (uint32_t)len_less : 0);
	if (junk_at >= 0)
		memset(z.out.ptr + z.payload + junk_at, 0xff, 8);
	ret = reading(mkzip_end(&z, false, ""));
	if (!ret)
		ret = vv_zip_load(&mem.base, &zip.members[0], &out, &ok, &err);
	CHECK(ret ? out.len == 0 : ok && out.len == sizeof(zeros));
	/* What is claimed is not allocated. */
	CHECK(out.cap < 2 * sizeof(zeros));
	mkzip_release(&z);
	vv_buf_release(&out);
	return ret;
}

static void test_bombs(void)
{
	CHECK_INT(inflating(0, 0, -1), 0);
	CHECK_INT(inflating(2500000, 0, -1), VV_EFORMAT);
	CHECK_INT(inflating(299999, 0, -1), VV_EFORMAT);
	CHECK_INT(inflating(1, 0, -1), VV_EFORMAT);
	CHECK_INT(inflating(0, 1, -1), VV_EFORMAT);
	CHECK_INT(inflating(0, 0, 0), VV_EFORMAT);
	CHECK_INT(inflating(0, 0, 40), VV_EFORMAT);
}

/* Every beginning of an archive is refused, none crashes. */
static void test_truncated(void)
{
	struct mkzip z;
	int bad = 0;

	make(&z, true);
	for (size_t n = 0; n < z.out.len; n++) {
		uint8_t *copy = malloc(n + 1);
		memcpy(copy, z.out.ptr, n);
		bad += reading(vv_span(copy, n)) != VV_EFORMAT;
		free(copy);
	}
	CHECK_INT(bad, 0);
	mkzip_release(&z);
}

static void test_long_name(void)
{
	struct mkzip z = MKZIP_INIT;
	char name[VV_MAX_NAME + 2];

	memset(name, 'n', sizeof(name));
	name[VV_MAX_NAME] = 0;
	mkzip_add(&z, name, vv_span_str("x"), 0);
	CHECK_OK(reading(mkzip_end(&z, false, "")), &err);
	mkzip_release(&z);
	z = (struct mkzip)MKZIP_INIT;
	name[VV_MAX_NAME] = 'n';
	name[VV_MAX_NAME + 1] = 0;
	mkzip_add(&z, name, vv_span_str("x"), 0);
	CHECK_INT(reading(mkzip_end(&z, false, "")), VV_ELIMIT);
	mkzip_release(&z);
}

int main(void)
{
	test_good();
	test_writers();
	test_lies();
	test_sentinels();
	test_many();
	test_duplicate();
	test_overlap();
	test_stray();
	test_flags_and_crc();
	test_bombs();
	test_truncated();
	test_long_name();
	vv_arena_release(&arena);
	return done();
}
