#include "base/le.h"
#include "format/npy.h"

#include "expected.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"type-b1.npy", "type-u1.npy", "type-i1.npy", "type-u2.npy", "type-i2.npy",
		"type-u4.npy", "type-i4.npy", "type-u8.npy", "type-i8.npy", "type-f2.npy", "type-f4.npy", "type-f8.npy",
		"type-c8.npy", "type-c16.npy", "scalar.npy", "vector.npy", "empty.npy", "dims8.npy", "fortran2.npy",
		"fortran3.npy", "fortran-flat.npy", "version2.npy", "version3.npy", "big-endian.npy", "text.npy",
		"bytes.npy", "dates.npy", "void.npy", "bfloat16.npy", "longdouble.npy", "record.npy", "record-object.npy",
		"object.npy", "python2.npy", "order.npy", "tight.npy"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "numpy", files[i], "npy");
}

/* Another type or shape: the file that np.save writes. */
static void test_becomes(void)
{
	static const char *const files[] = {"numpy/type-b1.npy", "numpy/type-u1.npy", "numpy/type-i8.npy",
		"numpy/type-f2.npy", "numpy/type-c16.npy", "numpy/scalar.npy", "numpy/vector.npy", "numpy/empty.npy",
		"numpy/dims8.npy", "numpy/fortran-flat.npy"};

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		/* A flat array is in both orders: np.save says what it was. */
		if (!strstr(files[i], "fortran"))
			check_becomes(__FILE__, "numpy/fortran3.npy", files[i]);
		check_becomes(__FILE__, files[i], files[VV_COUNT(files) / 2]);
	}
	check_becomes(__FILE__, "numpy/fortran2.npy", "numpy/fortran2.npy");
}

/* Same shape and type: only the elements differ, the old header stays. */
static void test_new_elements(void)
{
	struct memsink out = MEMSINK_INIT;
	struct located l;
	struct parts p;

	CHECK_OK(located_golden(&l, __FILE__, "numpy/fortran2.npy"), &l.err);
	CHECK_INT(parts_of(&p, &l.layout, l.file.ptr), 0);
	/* Row 1, column 2 of 3 × 4: in Fortran's order the eighth element. */
	vv_put32(p.bytes[0] + (1 * 4 + 2) * 4, 0x40490fdb);
	struct vv_assembly a = {&l.layout, &l.mem.base, p.p, 1};
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	CHECK_INT(out.bytes.len, l.file.len);
	CHECK_INT(vv_get32(out.bytes.ptr + 128 + (2 * 3 + 1) * 4), 0x40490fdb);
	vv_put32(l.file.ptr + 128 + (2 * 3 + 1) * 4, 0x40490fdb);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&l.file)));
	vv_buf_release(&out.bytes);
	parts_release(&p);
	located_release(&l);
}

static int assemble(const char *frame, const char *name, enum vv_dtype dt, size_t n)
{
	static const uint8_t zeros[64];
	const uint64_t shape[] = {4};
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem bytes;
	struct located l;
	int ret;

	vv_source_mem_init(&bytes, vv_span(zeros, 4 * vv_dtype_width(dt)));
	const struct vv_part part = {name, dt, 1, shape, bytes.base.size, &bytes.base}, parts[] = {part, part};
	CHECK_OK(located_golden(&l, __FILE__, frame), &l.err);
	struct vv_assembly a = {&l.layout, &l.mem.base, parts, n};
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_assemble(&a, &out.base, &err);
	located_release(&l);
	vv_buf_release(&out.bytes);
	return ret;
}

static void test_cannot(void)
{
	CHECK_INT(assemble("numpy/vector.npy", "array", VV_DT_F32, 1), 0);
	CHECK_INT(assemble("numpy/vector.npy", "array", VV_DT_BF16, 1), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no type bf16"));
	CHECK_INT(assemble("numpy/vector.npy", "w", VV_DT_F32, 1), VV_ENOTSUP);
	CHECK_INT(assemble("numpy/vector.npy", "array", VV_DT_F32, 0), VV_ENOTSUP);
	CHECK_INT(assemble("numpy/text.npy", "array", VV_DT_F32, 1), VV_ENOTSUP);
	CHECK(strstr(err.msg, "kept as bytes"));
}

/* Arrays in Fortran order are turned in memory, up to a limit. */
static void test_room(void)
{
	static const uint8_t zeros[24];
	uint64_t shape[] = {2, 3}, room = 30;
	struct vv_npy old = {.dtype = VV_DT_F32, .fortran = true, .ndim = 2, .shape = {2, 3}, .data = 0, .len = 24};
	struct vv_source_mem bytes;
	struct vv_npy_bytes n;

	vv_source_mem_init(&bytes, vv_span(zeros, 24));
	struct vv_part part = {"w", VV_DT_F32, 2, shape, 24, &bytes.base};
	CHECK_OK(vv_npy_bytes_init(&n, &part, &old, &bytes.base, 0, &room, &err), &err);
	CHECK_INT(n.base.size, 24);
	CHECK_INT(room, 6);
	vv_npy_bytes_release(&n);
	CHECK_INT(vv_npy_bytes_init(&n, &part, &old, &bytes.base, 0, &room, &err), VV_ENOTSUP);
	CHECK_INT(room, 6);
}

/* One header, 24 bytes of elements behind it unless told otherwise: what it is taken for. */
static const struct {
	const char *header, *format, *says; /* says: the finding's words, or the type */
	size_t len;
} headers[] = {
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "npy", "f32", 24},
	{"{'descr': \"<f4\", 'fortran_order': False, 'shape': (2,\t3,),\n}\n", "npy", "f32", 24},
	{"\t {'descr': '<f4', 'fortran_order': True, 'shape': (6,)}", "npy", "f32", 24},
	{"{'descr': '|u1', 'fortran_order': False, 'shape': (24,)}", "npy", "u8", 24},
	{"{'descr': '<u1', 'fortran_order': False, 'shape': (24,)}", "npy", "u8", 24},
	{"{'descr': '=f4', 'fortran_order': False, 'shape': (6,)}", "npy", "bytes", 24},
	{"{'descr': 'f4', 'fortran_order': False, 'shape': (6,)}", "npy", "bytes", 24},
	{"{'descr': '|f4', 'fortran_order': False, 'shape': (6,)}", "npy", "bytes", 24},
	{"{'descr': '<q9', 'fortran_order': False, 'shape': (6,)}", "npy", "bytes", 24},
	{"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,)}", "npy", "bytes", 24},
	{"{'descr': '<U2', 'fortran_order': False, 'shape': (3,)}", "npy", "bytes", 24},
	{"{'descr': '<U0', 'fortran_order': False, 'shape': (3,)}", "npy", "bytes", 0},
	{"{'descr': 'O', 'fortran_order': False, 'shape': (1,)}", "npy", "pickled", 24},
	{"{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", "npy", "pickled", 24},
	{"{'descr': [('a', '<f4'), (('t', 'b'), [('c', 'O', (2,))])], 'fortran_order': False, 'shape': ()}", "npy",
		"pickled", 24},
	{"{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (3,)}", "npy", "bytes", 24},
	{"{'descr': [('a\\'', '<f4', 2), ('', None)], 'fortran_order': False, 'shape': (3,)}", "npy", "bytes", 24},
	{"{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", "npy", "other order", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 18446744073709551615)}", "npy", "f32", 0},
	/* Sizes. */
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "opaque", "do not agree", 23},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "opaque", "do not agree", 25},
	{"{'descr': '<U2', 'fortran_order': False, 'shape': (3,)}", "opaque", "do not agree", 25},
	{"{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", "opaque", "do not agree", 25},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (65536, 65536)}", "opaque", "do not agree", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "opaque", "too large", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", "opaque", "do not agree", 0},
	{"{'descr': '<U4611686018427387904', 'fortran_order': False, 'shape': (1,)}", "npy", "bytes", 24},
	/* Grammar. */
	{"", "opaque", "broken header", 24},
	{"{}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}\\0", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", "opaque", "broken header", 24},
	{"{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{,'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (6)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': [6]}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (06,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (6.,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,)}", "opaque", "broken header", 24},
	{"{'descr': f(), 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4, 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4\\", "opaque", "broken header", 24},
	{"{'descr': [(('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': [('a' '<f4')], 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': [('a', exec)], 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': [('a', 'b)], 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]], 'fortran_order': False, 'shape': (6,)}", "opaque", "broken header", 24},
	{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "opaque", "more than 8", 24},
};

static void make(struct vv_buf *out, const char *header, size_t len, unsigned version)
{
	vv_buf_str(out, "\x93NUMPY");
	vv_buf_le(out, version, 2);
	vv_buf_le(out, strlen(header), version == 1 ? 2 : 4);
	vv_buf_str(out, header);
	while (len--)
		vv_buf_char(out, 'e');
}

static void test_headers(void)
{
	for (size_t i = 0; i < VV_COUNT(headers); i++)
		for (unsigned version = 1; version <= 3; version++) {
			struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT), table = VV_BUF_INIT(VV_MAX_TEXT);
			struct located l;
			const char *says;

			make(&b, headers[i].header, headers[i].len, version);
			if (located_bytes(&l, vv_buf_view(&b)))
				abort();
			says = l.layout.n_findings ? l.layout.findings[0].detail
						   : vv_dtype_info(l.layout.segs[l.layout.n_segs - 1].dtype)->name;
			tap_ok(!strcmp(l.layout.format->name, headers[i].format) && strstr(says, headers[i].says) &&
					!layout_wrong(&l.layout),
				headers[i].header, __FILE__, __LINE__);
			if (!strstr(says, headers[i].says))
				printf("# %s: %s\n", l.layout.format->name, says);
			located_release(&l);
			vv_buf_release(&b);
			vv_buf_release(&table);
		}
}

static void test_preamble(void)
{
	static const char good[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (24,)}";
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;
	int bad = 0;

	/* Any beginning of a file is kept as it is. */
	make(&b, good, 24, 2);
	for (size_t n = 0; n < b.len; n++) {
		bad += located_bytes(&l, vv_span(b.ptr, n)) || strcmp(l.layout.format->name, "opaque") ||
			layout_wrong(&l.layout);
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	/* A header of 4 GiB in a small file; one that is there but has no business to be so long. */
	vv_put32(b.ptr + 8, UINT32_MAX);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "malformed"));
	located_release(&l);
	vv_put32(b.ptr + 8, VV_MAX_NPY_HEADER);
	while (b.len < VV_MAX_NPY_HEADER + 100)
		vv_buf_str(&b, "                                ");
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "limit"));
	located_release(&l);
	/* A version of the future is not known. */
	b.ptr[6] = 4;
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(!l.layout.n_findings);
	CHECK_STR(l.layout.format->name, "opaque");
	located_release(&l);
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_becomes();
	test_new_elements();
	test_cannot();
	test_room();
	test_headers();
	test_preamble();
	return done();
}
