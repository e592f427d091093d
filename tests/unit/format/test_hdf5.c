#include "base/le.h"

#include "expected.h"
#include "mkhdf5.h"
#include "mkzip.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"types.h5", "old.h5", "new.h5", "new-changed.h5", "v108.h5", "stored.h5",
		"outside.h5", "many-new.h5", "chunks-old.h5", "chunks-new.h5", "paged.h5", "half.weights.h5"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "hdf5", files[i], "hdf5");
}

/* The compact dataset's checksum is renewed: what h5py wrote. */
static void test_becomes(void)
{
	check_becomes(__FILE__, "hdf5/new.h5", "hdf5/new-changed.h5");
	check_becomes(__FILE__, "hdf5/new-changed.h5", "hdf5/new.h5");
	check_becomes(__FILE__, "hdf5/old.h5", "hdf5/old.h5");
}

/* Any beginning of a file is none, and never read past its end. */
static void test_truncated(void)
{
	static const char *const files[] = {"hdf5/new.h5", "hdf5/old.h5", "hdf5/many-new.h5", "hdf5/v108.h5"};

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
		int bad = 0;

		golden_read(&b, __FILE__, files[i]);
		for (size_t n = 0; n < b.len; n++) {
			struct located l;
			bad += located_bytes(&l, vv_span(b.ptr, n)) || strcmp(l.layout.format->name, "opaque") ||
				layout_wrong(&l.layout) || (n >= 1024 && !has_finding(&l.layout, "malformed"));
			located_release(&l);
		}
		CHECK_INT(bad, 0);
		vv_buf_release(&b);
	}
}

/* Some bits turned: sound layouts, and files that are themselves when nothing changes. */
static void test_flipped(void)
{
	static const char *const files[] = {"hdf5/new.h5", "hdf5/old.h5", "hdf5/types.h5", "hdf5/stored.h5",
		"hdf5/many-new.h5", "hdf5/outside.h5", "hdf5/chunks-old.h5", "hdf5/chunks-new.h5"};
	uint32_t seed = 1;
	int bad = 0, sound = 0;

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

		golden_read(&b, __FILE__, files[i]);
		for (int n = 0; n < 600; n++) {
			struct memsink out = MEMSINK_INIT;
			struct located l;

			seed = seed * 1664525 + 1013904223;
			size_t at = (seed >> 8) % b.len;
			uint8_t was = b.ptr[at];

			b.ptr[at] ^= (uint8_t)(1u << (seed >> 29));
			bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
			if (n_plain(&l.layout)) {
				sound++;
				bad += reassemble(&out, &l, &l, &err) || !vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&l.file));
			}
			vv_buf_release(&out.bytes);
			located_release(&l);
			b.ptr[at] = was;
		}
		vv_buf_release(&b);
	}
	CHECK_INT(bad, 0);
	CHECK(sound > 1000 && sound < 4800);
}

/* Opaque for a reason that has these words. */
static void check_refused(struct mkh5 *m, const char *says, int line)
{
	struct located l;
	bool ok = !located_bytes(&l, mkh5_end(m)) && !layout_wrong(&l.layout) && l.layout.n_findings &&
		!strcmp(l.layout.format->name, "opaque") &&
		strstr(l.layout.findings[l.layout.n_findings - 1].detail, says);

	tap_ok(ok, says, __FILE__, line);
	if (!ok && l.layout.n_findings)
		printf("# %s\n", l.layout.findings[l.layout.n_findings - 1].detail);
	located_release(&l);
	mkh5_begin(m);
}

#define REFUSED(says) check_refused(&m, says, __LINE__)

/* M36: no shape that the bytes do not have, and no bytes that another has. */
static void test_hostile(void)
{
	static const uint64_t wild[] = {1000000000000000000}, over[] = {(uint64_t)1 << 32, (uint64_t)1 << 32};
	struct mkh5 m = MKH5_INIT;
	uint64_t at;

	mkh5_begin(&m);
	mkh5_space(&m, 1, wild);
	mkh5_msg(&m, 3, 0, MKH5_SPAN(MKH5_F32));
	mkh5_contiguous(&m, 48, 16);
	mkh5_link(&m, "w", mkh5_header(&m));
	REFUSED("dataset 'w': its shape and its 16 bytes do not agree");
	mkh5_space(&m, 2, over);
	mkh5_msg(&m, 3, 0, MKH5_SPAN(MKH5_I8));
	mkh5_contiguous(&m, 48, 0);
	mkh5_link(&m, "w", mkh5_header(&m));
	REFUSED("do not agree");
	mkh5_link(&m, "w", mkh5_bytes(&m, 1 << 20, 4));
	REFUSED("past the end");
	mkh5_link(&m, "w", mkh5_bytes(&m, 48, wild[0]));
	REFUSED("past the end");
	mkh5_link(&m, "w", mkh5_bytes(&m, UINT64_MAX - 1, 4));
	REFUSED("past the end");
	/* Its own header, the superblock, another's elements. */
	mkh5_link(&m, "w", mkh5_bytes(&m, 50, 4));
	REFUSED("overlaps something else");
	mkh5_link(&m, "w", mkh5_bytes(&m, 9, 4));
	REFUSED("overlaps something else");
	at = mkh5_add(&m, "abcdef", 6);
	uint64_t a = mkh5_bytes(&m, at, 4), b = mkh5_bytes(&m, at + 3, 3);
	mkh5_link(&m, "a", a);
	mkh5_link(&m, "b", b);
	REFUSED("overlaps");
	mkh5_link(&m, "w", 1 << 20);
	REFUSED("past the end");
	mkh5_link(&m, "w", 0);
	REFUSED("no object header");
	mkh5_release(&m);
}

static void test_names(void)
{
	struct vv_buf long_name = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkh5 m = MKH5_INIT;
	struct located l;
	uint64_t at;

	for (int i = 0; i < 255; i++)
		vv_buf_char(&long_name, 'n');
	mkh5_begin(&m);
	mkh5_link(&m, "", 48);
	REFUSED("without a name");
	mkh5_link(&m, "a/b", 48);
	REFUSED("odd one");
	mkh5_msg(&m, 6, 0, MKH5_SPAN("\1\0\3a\0b\0\0\0\0\0\0\0\0"));
	REFUSED("odd one");
	mkh5_msg(&m, 6, 0, MKH5_SPAN("\1\0\3a"));
	REFUSED("broken link in group ''");
	/* Groups within groups: only names end them. */
	mkh5_link(&m, "w", mkh5_bytes(&m, mkh5_add(&m, "abcd", 4), 4));
	for (int i = 0; i < 20; i++)
		mkh5_link(&m, (const char *)long_name.ptr, mkh5_header(&m));
	check_refused(&m, "a name of more than 4096 bytes", __LINE__);
	/* The same link twice: the second gets another name. */
	at = mkh5_bytes(&m, mkh5_add(&m, "abcd", 4), 4);
	mkh5_link(&m, "w", at);
	mkh5_link(&m, "w", at);
	CHECK_OK(located_bytes(&l, mkh5_end(&m)), &l.err);
	CHECK_INT(n_tensors(&l.layout), 2);
	CHECK(!layout_wrong(&l.layout));
	located_release(&l);
	vv_buf_release(&long_name);
	mkh5_release(&m);
}

/* A group that is its own child, and its child's; a dataset of two names is one segment. */
static void test_loops(void)
{
	struct mkh5 m = MKH5_INIT;
	struct located l;
	size_t a, b, view;
	uint64_t w, group;

	mkh5_begin(&m);
	w = mkh5_bytes(&m, mkh5_add(&m, "abcd", 4), 4);
	/* A prefix of 10 bytes, three links of a head of 4, 3, a name and 8, a checksum: there the root will be. */
	group = m.out.len;
	mkh5_link(&m, "self", group);
	mkh5_link(&m, "root", group + 10 + 3 * 15 + 4 + 4 + 1 + 4);
	mkh5_link(&m, "w", w);
	CHECK_INT(mkh5_header(&m), group);
	mkh5_link(&m, "group", group);
	mkh5_link(&m, "x", w);
	CHECK_OK(located_bytes(&l, mkh5_end(&m)), &l.err);
	CHECK_STR(l.layout.format->name, "hdf5");
	CHECK(!l.layout.n_findings);
	CHECK_INT(n_tensors(&l.layout), 2);
	CHECK(vv_layout_find(&l.layout, "group/w", &a, &view) && vv_layout_find(&l.layout, "x", &b, &view) && a == b);
	located_release(&l);
	mkh5_release(&m);
}

static void test_superblock(void)
{
	static const struct {
		size_t at;
		uint8_t is;
		const char *says;
	} bad[] = {{8, 4, "superblock of version 4"}, {9, 3, "superblock of version 3, or broken"}, {10, 16, "broken"},
		{20, 1, "wrong checksum"}, {44, 0xff, "wrong checksum"}};
	struct mkh5 m = MKH5_INIT;
	struct located l;

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		mkh5_begin(&m);
		mkh5_end(&m);
		m.out.ptr[bad[i].at] = bad[i].is;
		CHECK_OK(located_bytes(&l, vv_buf_view(&m.out)), &l.err);
		CHECK_STR(l.layout.format->name, "opaque");
		CHECK(strstr(l.layout.findings[0].detail, bad[i].says));
		located_release(&l);
	}
	/* The old ones, the second of which has one more number. */
	for (unsigned version = 0; version < 2; version++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

		mkh5_begin(&m);
		for (int i = 0; i < 64; i++)
			vv_buf_char(&m.out, 0);
		mkh5_link(&m, "w", mkh5_bytes(&m, mkh5_add(&m, "abcd", 4), 4));
		mkh5_end(&m);
		vv_buf_add(&b, m.out.ptr, 8);
		vv_buf_le(&b, version, 5);
		vv_buf_le(&b, 8 | 8 << 8, 3);
		vv_buf_le(&b, 0, 8);
		vv_buf_le(&b, 0, version ? 4 : 0);
		const uint64_t fields[] = {0, VV_HDF5_NONE, m.out.len, VV_HDF5_NONE, 0, vv_get64(m.out.ptr + 36)};
		for (size_t i = 0; i < VV_COUNT(fields); i++)
			vv_buf_le(&b, fields[i], 8);
		memcpy(m.out.ptr, b.ptr, b.len);
		CHECK_OK(located_bytes(&l, vv_buf_view(&m.out)), &l.err);
		CHECK_INT(n_tensors(&l.layout), 1);
		located_release(&l);
		vv_buf_release(&b);
	}
	/* A file without anything, and one that says that it was longer. */
	mkh5_begin(&m);
	CHECK_OK(located_bytes(&l, mkh5_end(&m)), &l.err);
	CHECK_STR(l.layout.format->name, "hdf5");
	CHECK_INT(l.layout.n_segs, 1);
	located_release(&l);
	vv_put64(m.out.ptr + 28, m.out.len + 1);
	m.out.ptr[44] = 0;
	vv_put32(m.out.ptr + 44, vv_hdf5_checksum(vv_span(m.out.ptr, 44)));
	CHECK_OK(located_bytes(&l, vv_buf_view(&m.out)), &l.err);
	CHECK(strstr(l.layout.findings[0].detail, "of which"));
	located_release(&l);
	mkh5_release(&m);
}

/* An archive whose member happens to begin where a user block could end. */
static void test_in_zip(void)
{
	struct mkzip z = MKZIP_INIT;
	struct mkh5 m = MKH5_INIT;
	uint8_t note[512 - 31 - 31] = {0};
	struct located l;

	mkh5_begin(&m);
	mkzip_add(&z, "n", vv_span(note, sizeof(note)), 0);
	mkzip_add(&z, "h", mkh5_end(&m), 0);
	CHECK_INT(z.payload, 512);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "opaque");
	located_release(&l);
	mkzip_release(&z);
	mkh5_release(&m);
}

static int assemble(struct memsink *out, struct located *l, const struct vv_part *parts, size_t n)
{
	struct vv_assembly a = {&l->layout, &l->mem.base, parts, n};

	err = (struct vv_err)VV_ERR_INIT;
	vv_buf_clear(&out->bytes);
	return vv_assemble(&a, &out->base, &err);
}

/* Only what can stand in place of what is there. */
static void test_assemble(void)
{
	const uint64_t four[] = {4}, two[] = {2, 2};
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem x, y;
	struct mkh5 m = MKH5_INIT;
	struct located l;
	uint64_t at;

	mkh5_begin(&m);
	at = mkh5_bytes(&m, mkh5_add(&m, "abcd", 4), 4);
	mkh5_link(&m, "v", at);
	mkh5_link(&m, "w", at);
	CHECK_OK(located_bytes(&l, mkh5_end(&m)), &l.err);
	vv_source_mem_init(&x, vv_span_str("ABCD"));
	vv_source_mem_init(&y, vv_span_str("ABCE"));
	struct vv_part p[] = {{"w", VV_DT_I8, 1, four, 4, &x.base}, {"v", VV_DT_I8, 1, four, 4, &x.base},
		{"u", VV_DT_I8, 1, four, 4, &x.base}};
	CHECK_OK(assemble(&out, &l, p, 2), &err);
	memcpy(m.out.ptr + 48, "ABCD", 4);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&m.out)));
	CHECK_INT(assemble(&out, &l, p, 1), VV_ENOTSUP);
	CHECK_INT(assemble(&out, &l, p, 3), VV_ENOTSUP);
	CHECK_INT(assemble(&out, &l, NULL, 0), VV_ENOTSUP);
	p[1].bytes = &y.base;
	CHECK_INT(assemble(&out, &l, p, 2), VV_ENOTSUP);
	CHECK_STR(err.msg, "tensors 'v' and 'w' are one in the file, but differ");
	p[1].bytes = &x.base;
	p[1].dtype = VV_DT_U8;
	CHECK_INT(assemble(&out, &l, p, 2), VV_ENOTSUP);
	p[1] = (struct vv_part){"v", VV_DT_I8, 2, two, 4, &x.base};
	CHECK_INT(assemble(&out, &l, p, 2), VV_ENOTSUP);
	located_release(&l);
	vv_buf_release(&out.bytes);
	mkh5_release(&m);
}

/* A window of 10 GiB of zeros between the file and its end: hardly any of it is read. */
struct sparse {
	struct vv_source base;
	struct vv_span head;
	uint64_t *total;
};

static int sparse_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e VV_UNUSED)
{
	const struct sparse *s = (const struct sparse *)self;
	size_t n = off < s->head.len ? s->head.len - (size_t)off : 0;

	memset(dst, 0, len);
	memcpy(dst, s->head.ptr + (n ? off : 0), n < len ? n : len);
	*s->total += len;
	return 0;
}

static void test_large(void)
{
	const uint64_t len = (uint64_t)10 << 30;
	struct mkh5 m = MKH5_INIT;
	struct vv_layout l;
	uint64_t total = 0;

	mkh5_begin(&m);
	mkh5_link(&m, "w", mkh5_bytes(&m, 4096, len));
	mkh5_end(&m);
	struct sparse s = {{4096 + len, sparse_read}, vv_buf_view(&m.out), &total};
	CHECK_OK(vv_layout_locate(&l, &s.base, &err), &err);
	CHECK_INT(n_tensors(&l), 1);
	CHECK_INT(l.segs[1].len, len);
	CHECK(total < 100000);
	vv_layout_release(&l);
	mkh5_release(&m);
}

int main(void)
{
	test_golden();
	test_becomes();
	test_truncated();
	test_flipped();
	test_hostile();
	test_names();
	test_loops();
	test_superblock();
	test_in_zip();
	test_assemble();
	test_large();
	return done();
}
