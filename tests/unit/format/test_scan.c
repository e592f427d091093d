#define _GNU_SOURCE
#include "format/scan.h"

#include "layouts.h"
#include "mkzip.h"
#include "tap.h"

#include <zlib.h>

/* os.system, imported and called, by protocol 2, 0 and 4. */
static const char evil2[] = "\x80\x02" "cos\nsystem\nX\x02\0\0\0hi\x85R.";
static const char evil0[] = "cos\nsystem\n(S'hi'\ntR.";
static const char evil4[] = "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02hi\x85R.";
#define SPAN(s) vv_span((const uint8_t *)(s), sizeof(s) - 1)

static struct vv_scan scan;

static int scan_bytes(struct vv_span file)
{
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;
	int ret;

	vv_scan_release(&scan);
	vv_source_mem_init(&mem, file);
	ret = vv_scan(&scan, &mem.base, NULL, &err);
	CHECK_OK(ret, &err);
	return ret;
}

static size_t count(const char *code, const char *detail)
{
	size_t n = 0;

	for (size_t i = 0; i < scan.n; i++)
		n += !strcmp(scan.findings[i].code, code) && (!detail || !strcmp(scan.findings[i].detail, detail));
	return n;
}

static enum vv_severity worst(void)
{
	enum vv_severity w = VV_NOTE;

	for (size_t i = 0; i < scan.n; i++)
		if (vv_severity_of(&scan.findings[i]) > w)
			w = vv_severity_of(&scan.findings[i]);
	return w;
}

/* Known by content; told once, although format and scan both look. */
static void test_pickles(void)
{
	scan_bytes(SPAN(evil2));
	CHECK_STR(scan.format, "pickle");
	CHECK_INT(count("pickle-global", "os.system"), 1);
	CHECK_INT(scan.findings[0].off, 2);
	scan_bytes(SPAN(evil4));
	CHECK_INT(count("pickle-global", "os.system"), 1);
	scan_bytes(SPAN(evil0));
	CHECK_STR(scan.format, "pickle");
	CHECK_INT(count("pickle-global", "os.system"), 1);
	CHECK_INT(worst(), VV_DANGEROUS);
	scan_bytes(vv_span_str("cos\nsystem of equations\nwith text behind it."));
	CHECK_INT(scan.n, 0);
	scan_bytes(vv_span_str("This is a text. It has words, and lines.\nNone of them is a pickle.\n"));
	CHECK_INT(scan.n, 0);
	scan_bytes(vv_span(NULL, 0));
	CHECK_INT(scan.n, 0);
	/* It has run by the time it breaks. */
	scan_bytes(SPAN("cos\nsystem\n(S'hi'\ntR\xff"));
	CHECK_INT(worst(), VV_DANGEROUS);
	scan_bytes(SPAN("cos\nsystem\n(S'hi'\ntRcfoo bar\nbaz\n"));
	CHECK_INT(count("pickle-global", "os.system"), 1);
}

/* M18, names that lead out, and members that are pickles whatever they are called. */
static void test_members(void)
{
	static const char *const bad[] = {"../x", "/etc/x", "a/../../b", "c:x", "a\\b", "x/..", ".."};
	static const char *const good[] = {"..x", "a/..b/c", "x.", "a/b"};
	struct mkzip z = MKZIP_INIT;
	uint8_t *at;

	for (size_t i = 0; i < VV_COUNT(bad); i++)
		mkzip_add(&z, bad[i], vv_span_str("x"), 0);
	for (size_t i = 0; i < VV_COUNT(good); i++)
		mkzip_add(&z, good[i], vv_span_str("x"), 0);
	mkzip_add(&z, "readme.txt", SPAN(evil2), MKZIP_DEFLATE);
	mkzip_add(&z, "weights", SPAN(evil4), 0);
	mkzip_end(&z, false, "");
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(count("unsafe-path", NULL), VV_COUNT(bad));
	CHECK_INT(count("pickle-global", "readme.txt: os.system"), 1);
	CHECK_INT(count("pickle-global", "weights: os.system"), 1);
	CHECK_INT(count("crc", NULL), 0);
	at = memmem(z.out.ptr, z.out.len, "system\x93", 7);
	CHECK(at != NULL);
	if (at)
		at[10] ^= 1;
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(count("crc", "weights: not the CRC-32 that the archive claims"), 1);
	mkzip_release(&z);
}

/* An archive in an archive is opened, some levels deep; every level is told in the name. */
static void test_nested(void)
{
	struct vv_buf inner = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkzip z;

	vv_buf_span(&inner, SPAN(evil2));
	for (int level = 0; level < 5; level++) {
		z = (struct mkzip)MKZIP_INIT;
		mkzip_add(&z, "in", vv_buf_view(&inner), level % 2 ? MKZIP_DEFLATE : 0);
		mkzip_end(&z, false, "");
		scan_bytes(vv_buf_view(&z.out));
		CHECK_INT(count("pickle-global", NULL), level < 4);
		CHECK_INT(count("limit", NULL), level == 4);
		if (level == 2)
			CHECK_INT(count("pickle-global", "in: in: in: os.system"), 1);
		vv_buf_clear(&inner);
		vv_buf_span(&inner, vv_buf_view(&z.out));
		mkzip_release(&z);
	}
	vv_buf_release(&inner);
}

/* M55: what claims to be much more than it is. */
static void test_bomb(void)
{
	struct vv_buf zeros = VV_BUF_INIT(64 << 20);
	struct mkzip z = MKZIP_INIT;

	memset(vv_buf_reserve(&zeros, 20 << 20), 0, 20 << 20);
	zeros.len = 20 << 20;
	mkzip_add(&z, "zeros", vv_buf_view(&zeros), MKZIP_DEFLATE);
	mkzip_end(&z, false, "");
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(count("zip-bomb", NULL), 1);
	CHECK_INT(worst(), VV_DANGEROUS);
	mkzip_release(&z);
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "fewer", vv_span(zeros.ptr, 10 << 20), MKZIP_DEFLATE);
	mkzip_end(&z, false, "");
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(scan.n ? count("zip-bomb", NULL) : 0, 0);
	mkzip_release(&z);
	vv_buf_release(&zeros);
}

/* Thousands of findings end in one that says so. */
static void test_many(void)
{
	struct mkzip z = MKZIP_INIT;
	char name[32];

	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "../%d", i);
		mkzip_add(&z, name, vv_span_str(""), 0);
	}
	mkzip_end(&z, false, "");
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(scan.n, VV_MAX_SCANNED + 1);
	CHECK_STR(scan.findings[VV_MAX_SCANNED].code, "more");
	mkzip_release(&z);
}

/* Other programs in a file, whatever it is called and wherever it lies. */
static void test_others(void)
{
	static const char *const packed[] = {"z", "gz"};
	static const char lambda[] = "{\"class_name\": \"Lambda\"}";
	struct vv_buf file = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct mkzip z = MKZIP_INIT;
	char path[64];

	scan_bytes(SPAN(lambda));
	CHECK_INT(count("keras-lambda", NULL), 1);
	mkzip_add(&z, "config.json", SPAN(lambda), MKZIP_DEFLATE);
	mkzip_add(&z, "graph", SPAN("\x0a\x0d\x12\x0bWriteFile12"), 0);
	mkzip_add(&z, "pb", SPAN("\x0a\x0b\x12\x09WriteFile"), 0);
	mkzip_end(&z, false, "");
	scan_bytes(vv_buf_view(&z.out));
	CHECK_INT(count("keras-lambda", "config.json: the model has a layer that is Python code"), 1);
	CHECK_INT(count("tf-op", "pb: WriteFile"), 1);
	CHECK_INT(count("tf-op", NULL), 1);
	mkzip_release(&z);
	scan_bytes(SPAN("\x0a\x0b\x12\x09WriteFile\x0a\x7f"));
	CHECK_INT(count("tf-op", "WriteFile") + count("malformed", NULL), 2);
	/* Compressed, by joblib. */
	for (size_t i = 0; i < VV_COUNT(packed); i++) {
		snprintf(path, sizeof(path), "joblib/arrays.joblib.%s", packed[i]);
		vv_buf_clear(&file);
		golden_read(&file, __FILE__, path);
		scan_bytes(vv_buf_view(&file));
		CHECK_INT(count("pickle-global", "fractions.Fraction"), 1);
	}
	vv_buf_clear(&file);
	golden_read(&file, __FILE__, "joblib/arrays.joblib.xz");
	scan_bytes(vv_buf_view(&file));
	CHECK_INT(count("compressed", "xz: not looked into"), 1);
	vv_buf_release(&file);
}

/* M29: objects in an array. */
static void test_objects(void)
{
	static const char array[] = "\x93NUMPY\x01\x00\x39\x00{'descr':'|O','fortran_order':False,'shape':(1,)}       \n"
		"\x80\x02" "cos\nsystem\n.";

	scan_bytes(SPAN(array));
	CHECK_STR(scan.format, "npy");
	CHECK_INT(count("pickle-global", "os.system"), 1);
	for (size_t i = 0; i < scan.n; i++)
		CHECK(strcmp(scan.findings[i].code, "pickle-global") != 0 || scan.findings[i].off == 69);
}

/* A stream of zeros that is small: no more is inflated than is looked into. */
static void test_burst(void)
{
	struct vv_buf out = VV_BUF_INIT(1 << 20);
	z_stream s = {.next_in = NULL};
	uint8_t zeros[1 << 16] = {0};
	int ret = deflateInit(&s, 9);

	CHECK_INT(ret, Z_OK);
	for (size_t i = 0; i < 1100 && ret == Z_OK; i++) {
		s.next_in = zeros;
		s.avail_in = sizeof(zeros);
		s.next_out = vv_buf_reserve(&out, 4096);
		s.avail_out = 4096;
		ret = deflate(&s, i == 1099 ? Z_FINISH : Z_NO_FLUSH);
		out.len += 4096 - s.avail_out;
	}
	deflateEnd(&s);
	scan_bytes(vv_buf_view(&out));
	CHECK_INT(count("limit", NULL), 1);
	vv_buf_release(&out);
}

/* What PyTorch wrote is safe, and not told twice what the format told. */
static void test_torch(void)
{
	static const char *const names[] = {"state", "checkpoint", "tied"};

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		struct vv_buf file = VV_BUF_INIT(VV_MAX_MANIFEST);
		char path[64];

		snprintf(path, sizeof(path), "torch/2.13.0/%s.pt", names[i]);
		golden_read(&file, __FILE__, path);
		scan_bytes(vv_buf_view(&file));
		CHECK_STR(scan.format, "torch");
		CHECK_INT(worst(), VV_NOTE);
		/* A bit of a weight: only a checksum shows it. */
		for (size_t k = 0; k < file.len; k++)
			if (k + 12 < file.len && !memcmp(file.ptr + k, "data/0FB", 8)) {
				size_t pad = (size_t)(file.ptr[k + 8] | file.ptr[k + 9] << 8);
				file.ptr[k + 10 + pad] ^= 1;
				break;
			}
		scan_bytes(vv_buf_view(&file));
		CHECK_INT(count("crc", NULL), 1);
		vv_buf_release(&file);
	}
}

/* Each of the archives of a distributed checkpoint is looked into, also the ones in the middle. */
static void test_run(void)
{
	struct vv_buf run = VV_BUF_INIT(VV_MAX_TEXT);
	size_t at[3];

	for (int i = 0; i < 3; i++) {
		struct mkzip z = MKZIP_INIT;
		at[i] = run.len;
		mkzip_add(&z, "archive/data.pkl", i == 1 ? SPAN(evil2) : SPAN("\x80\x02}."), 0);
		vv_buf_span(&run, mkzip_end(&z, true, ""));
		mkzip_release(&z);
	}
	scan_bytes(vv_buf_view(&run));
	CHECK_STR(scan.format, "torch-dcp");
	CHECK_INT(worst(), VV_DANGEROUS);
	CHECK_INT(count("pickle-global", NULL), 1);
	CHECK_INT(count("malformed", NULL), 0);
	CHECK(scan.n && scan.findings[0].off > at[1] && scan.findings[0].off < at[2]);
	vv_buf_release(&run);
}

static int no_read(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst VV_UNUSED,
	size_t len VV_UNUSED, struct vv_err *err)
{
	return vv_fail(err, VV_EIO, "no");
}

int main(void)
{
	struct vv_source broken = {100, no_read};
	struct vv_err err = VV_ERR_INIT;

	test_pickles();
	test_members();
	test_nested();
	test_bomb();
	test_many();
	test_torch();
	test_run();
	test_others();
	test_burst();
	test_objects();
	vv_scan_release(&scan);
	CHECK_INT(vv_scan(&scan, &broken, NULL, &err), VV_EIO);
	vv_scan_release(&scan);
	return done();
}
