#define _GNU_SOURCE /* memmem */
#include "base/le.h"

#include "expected.h"
#include "mkzip.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"model.npz", "model-changed.npz", "model-reshaped.npz", "model-more.npz",
		"model-fewer.npz", "mixed.npz", "compressed.npz", "compressed-changed.npz", "partly.npz", "pipe.npz"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "numpy", files[i], "npz");
	check_golden(__FILE__, "numpy", "model-none.npz", "opaque");
}

static void npy(struct vv_buf *out, const char *descr, const char *shape, const char *elements)
{
	vv_buf_clear(out);
	vv_buf_str(out, "\x93NUMPY");
	vv_buf_le(out, 1, 2);
	vv_buf_le(out, strlen(descr) + strlen(shape) + 48, 2);
	vv_buf_fmt(out, "{'descr': '%s', 'fortran_order': False, 'shape': %s}", descr, shape);
	vv_buf_str(out, elements);
}

/* A deflated array that claims more than its bytes can be, or has a head that is none, is a member like any. */
static void test_bad_deflated(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkzip z = MKZIP_INIT;
	struct located l;

	npy(&b, "|u1", "(4,)", "abcd");
	mkzip_add(&z, "a.npy", vv_buf_view(&b), 0);
	mkzip_add(&z, "text.npy", vv_span_str("no array, but so long that one could stand here"), MKZIP_DEFLATE);
	mkzip_add(&z, "tiny.npy", vv_span_str("x"), MKZIP_DEFLATE);
	npy(&b, "|u1", "(99999999,)", "abcd");
	mkzip_add(&z, "bomb.npy", vv_buf_view(&b), MKZIP_DEFLATE);
	vv_put32(z.out.ptr + z.header + 22, (uint32_t)b.len - 4 + 99999999);
	vv_put32(z.dir.ptr + z.entry + 24, (uint32_t)b.len - 4 + 99999999);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "npz");
	CHECK_INT(n_tensors(&l.layout), 1);
	CHECK_INT(l.layout.n_findings, 3);
	for (size_t i = 0; i < l.layout.n_findings; i++)
		CHECK_STR(l.layout.findings[i].code, "malformed");
	CHECK(!layout_wrong(&l.layout));
	located_release(&l);
	mkzip_release(&z);
	vv_buf_release(&b);
}

/* What np.savez would have written from the start. */
static void test_becomes(void)
{
	static const char *const files[] = {"numpy/model.npz", "numpy/model-changed.npz", "numpy/model-reshaped.npz",
		"numpy/model-more.npz", "numpy/model-fewer.npz"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		for (size_t k = 0; k < VV_COUNT(files); k++) {
			/* A tensor that comes into an archive is written row by row: "f" was Fortran's. */
			if (strstr(files[i], "fewer") && k != i)
				continue;
			check_becomes(__FILE__, files[i], files[k]);
		}
}

/* Two tensors and what is none: a note, a compressed array, text. */
static void make(struct mkzip *z, const char *note)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	*z = (struct mkzip)MKZIP_INIT;
	mkzip_add(z, "note.txt", vv_span_str(note), 0);
	npy(&b, "|u1", "(4,)", "abcd");
	mkzip_add(z, "a.npy", vv_buf_view(&b), 0);
	mkzip_add(z, "d.npy", vv_buf_view(&b), MKZIP_DEFLATE);
	npy(&b, "|S2", "(2,)", "efgh");
	mkzip_add(z, "s.npy", vv_buf_view(&b), 0);
	npy(&b, "<u2", "(2,)", "ijkl");
	mkzip_add(z, "b.npy", vv_buf_view(&b), MKZIP_LATE);
	mkzip_end(z, false, "");
	vv_buf_release(&b);
}

static void test_members(void)
{
	struct mkzip z;
	struct located l;
	size_t seg, view;
	uint8_t *d = NULL;

	make(&z, "a note");
	CHECK_OK(located_bytes(&l, vv_buf_view(&z.out)), &l.err);
	CHECK(!layout_wrong(&l.layout));
	CHECK_STR(l.layout.format->name, "npz");
	CHECK_INT(n_tensors(&l.layout), 3);
	CHECK(vv_layout_find(&l.layout, "b", &seg, &view));
	CHECK(!memcmp(l.file.ptr + l.layout.segs[seg].off, "ijkl", 4));
	CHECK(vv_layout_find(&l.layout, "d", &seg, &view));
	CHECK_INT(l.layout.segs[seg].coding, VV_CODE_DEFLATE);
	CHECK(vv_coding_decode(&d, VV_CODE_DEFLATE, VV_DT_U8, &l.mem.base, l.layout.segs[seg].off, l.layout.segs[seg].len,
		l.layout.segs[seg].skip, 4, &l.err) == 0 && !memcmp(d, "abcd", 4));
	free(d);
	CHECK_INT(l.layout.n_findings, 0);
	located_release(&l);
	/* Other flags in a local header than in the directory. */
	z.out.ptr[6] |= 2;
	CHECK_OK(located_bytes(&l, vv_buf_view(&z.out)), &l.err);
	CHECK(has_finding(&l.layout, "zip-flags"));
	CHECK_INT(n_tensors(&l.layout), 3);
	located_release(&l);
	mkzip_release(&z);
}

static void test_hostile(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkzip z = MKZIP_INIT;
	struct located l;

	npy(&b, "|u1", "(4,)", "abcd");
	mkzip_add(&z, "a.npy", vv_buf_view(&b), 0);
	vv_buf_str(&z.out, "hidden");
	npy(&b, "|u1", "(5,)", "abcd");
	mkzip_add(&z, "short.npy", vv_buf_view(&b), 0);
	npy(&b, "|u1", "(1,1,1,1,1,1,1,1,4)", "abcd");
	mkzip_add(&z, "dims.npy", vv_buf_view(&b), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_INT(n_tensors(&l.layout), 1);
	CHECK_INT(l.layout.n_findings, 3);
	CHECK_STR(l.layout.findings[0].code, "zip-stray");
	CHECK(strstr(l.layout.findings[1].detail, "'short.npy'"));
	CHECK(strstr(l.layout.findings[2].detail, "'dims.npy'"));
	CHECK(!layout_wrong(&l.layout));
	located_release(&l);
	mkzip_release(&z);
	/* A member that makes PyTorch take it for its own. */
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "m/a.npy", vv_buf_view(&b), 0);
	mkzip_add(&z, "m/data.pkl", vv_span_str("cos\nsystem\n."), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "npz");
	CHECK(has_finding(&l.layout, "polyglot"));
	located_release(&l);
	mkzip_release(&z);
	/* Two members of one name: two readers, two models. */
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "a.npy", vv_buf_view(&b), 0);
	mkzip_add(&z, "a.npy", vv_buf_view(&b), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "opaque");
	CHECK(has_finding(&l.layout, "malformed"));
	located_release(&l);
	mkzip_release(&z);
	vv_buf_release(&b);
}

static int assemble(struct vv_buf *out, struct vv_span file, const struct vv_part *parts, size_t n)
{
	struct memsink sink = MEMSINK_INIT;
	struct located l;
	int ret;

	if (located_bytes(&l, file))
		abort();
	struct vv_assembly a = {&l.layout, &l.mem.base, parts, n};
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_assemble(&a, &sink.base, &err);
	located_release(&l);
	*out = sink.bytes;
	return ret;
}

/* What is no tensor stays: byte for byte, in a new archive too. */
static void test_kept(void)
{
	const uint64_t shape[] = {2};
	struct vv_source_mem bytes;
	struct vv_buf out, none, other;
	struct mkzip z, y;
	struct located l;

	vv_source_mem_init(&bytes, vv_span_str("new!"));
	const struct vv_part parts[] = {{"n", VV_DT_U16, 1, shape, 4, &bytes.base}};
	make(&z, "a note");
	make(&y, "another note");
	CHECK_OK(assemble(&out, vv_buf_view(&z.out), parts, 1), &err);
	CHECK_OK(located_bytes(&l, vv_buf_view(&out)), &l.err);
	CHECK(!layout_wrong(&l.layout));
	CHECK_INT(n_plain(&l.layout), 1);
	CHECK_INT(n_tensors(&l.layout), 2);
	CHECK(memmem(out.ptr, out.len, "efgh", 4));
	/* Without tensors an archive is what it says besides them. */
	CHECK_OK(assemble(&none, vv_buf_view(&out), NULL, 0), &err);
	CHECK_OK(assemble(&other, vv_buf_view(&z.out), NULL, 0), &err);
	CHECK(vv_span_eq(vv_buf_view(&none), vv_buf_view(&other)));
	vv_buf_release(&other);
	CHECK_OK(assemble(&other, vv_buf_view(&y.out), NULL, 0), &err);
	CHECK(!vv_span_eq(vv_buf_view(&none), vv_buf_view(&other)));
	located_release(&l);
	vv_buf_release(&out);
	vv_buf_release(&none);
	vv_buf_release(&other);
	mkzip_release(&z);
	mkzip_release(&y);
}

static void test_cannot(void)
{
	const uint64_t shape[] = {4};
	struct vv_source_mem bytes;
	struct vv_buf out;
	struct mkzip z;

	vv_source_mem_init(&bytes, vv_span_str("ABCD"));
	make(&z, "a note");
	/* Compressed, text, and a type that NumPy lacks. */
	const struct vv_part d = {"d", VV_DT_U8, 1, shape, 4, &bytes.base}, s = {"s", VV_DT_U8, 1, shape, 4, &bytes.base},
			     f = {"f", VV_DT_F8_E5M2, 1, shape, 4, &bytes.base};
	CHECK_INT(assemble(&out, vv_buf_view(&z.out), &d, 1), VV_ENOTSUP);
	CHECK(strstr(err.msg, "'d.npy' is there already"));
	vv_buf_release(&out);
	CHECK_INT(assemble(&out, vv_buf_view(&z.out), &s, 1), VV_ENOTSUP);
	vv_buf_release(&out);
	CHECK_INT(assemble(&out, vv_buf_view(&z.out), &f, 1), VV_ENOTSUP);
	vv_buf_release(&out);
	mkzip_release(&z);
}

int main(void)
{
	test_golden();
	test_becomes();
	test_members();
	test_bad_deflated();
	test_hostile();
	test_kept();
	test_cannot();
	return done();
}
