#include "format/hdf5.h"

#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

static int no_link(void *ctx, struct vv_span body VV_UNUSED, struct vv_err *e VV_UNUSED)
{
	++*(int *)ctx;
	return 0;
}

/* Reads the header at `addr` of bytes of exactly that size. */
static int read_at(struct vv_hdf5_object *o, struct vv_span bytes, uint64_t addr)
{
	uint8_t *copy = malloc(bytes.len);
	struct vv_arena arena = {0};
	struct vv_source_mem mem;
	struct vv_hdf5 h;
	int links = 0, ret;

	memcpy(copy, bytes.ptr, bytes.len);
	vv_source_mem_init(&mem, vv_span(copy, bytes.len));
	vv_hdf5_init(&h, &mem.base, 0, bytes.len, &arena);
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_hdf5_object(&h, addr, o, no_link, &links, &err);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	free(copy);
	return ret;
}

static int read_new(struct vv_hdf5_object *o, struct mkh5 *m)
{
	uint64_t at = mkh5_header(m);

	return read_at(o, vv_buf_view(&m->out), at);
}

#define TYPE(text, type, reason, size) {text, sizeof(text) - 1, type, reason, size}

static void test_types(void)
{
	static const struct {
		const char *body;
		size_t len;
		enum vv_dtype dt;
		enum vv_hdf5_why why;
		uint32_t width;
	} types[] = {
		TYPE("\x10\0\0\0\1\0\0\0\0\0\x08\0", VV_DT_U8, VV_HDF5_OK, 1),
		TYPE("\x10\x08\0\0\2\0\0\0\0\0\x10\0", VV_DT_I16, VV_HDF5_OK, 2),
		TYPE("\x10\0\0\0\4\0\0\0\0\0\x20\0", VV_DT_U32, VV_HDF5_OK, 4),
		TYPE("\x30\x08\0\0\x08\0\0\0\0\0\x40\0", VV_DT_I64, VV_HDF5_OK, 8),
		/* The order of one byte is none. */
		TYPE("\x10\1\0\0\1\0\0\0\0\0\x08\0", VV_DT_U8, VV_HDF5_OK, 1),
		TYPE("\x10\1\0\0\2\0\0\0\0\0\x10\0", VV_DT_U16, VV_HDF5_BIG_ENDIAN, 2),
		TYPE("\x10\0\0\0\3\0\0\0\0\0\x18\0", VV_DT_BYTES, VV_HDF5_TYPE, 3),
		TYPE("\x10\0\0\0\2\0\0\0\0\0\x0c\0", VV_DT_BYTES, VV_HDF5_TYPE, 2),
		TYPE("\x10\0\0\0\2\0\0\0\4\0\x10\0", VV_DT_BYTES, VV_HDF5_TYPE, 2),
		TYPE(MKH5_F32, VV_DT_F32, VV_HDF5_OK, 4),
		TYPE("\x11\x21\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0", VV_DT_F32, VV_HDF5_BIG_ENDIAN, 4),
		TYPE("\x11\x61\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0", VV_DT_BYTES, VV_HDF5_TYPE, 4),
		TYPE("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x80\0\0\0", VV_DT_BYTES, VV_HDF5_TYPE, 4),
		TYPE("\x11\x20\x0f\0\2\0\0\0\0\0\x10\0\x0a\5\0\x0a\x0f\0\0\0", VV_DT_F16, VV_HDF5_OK, 2),
		TYPE("\x11\x20\x0f\0\2\0\0\0\0\0\x10\0\7\x08\0\7\x7f\0\0\0", VV_DT_BF16, VV_HDF5_OK, 2),
		TYPE("\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34\xff\3\0\0", VV_DT_F64, VV_HDF5_OK, 8),
		TYPE("\x11\x20\7\0\1\0\0\0\0\0\x08\0\3\4\0\3\7\0\0\0", VV_DT_F8_E4M3, VV_HDF5_OK, 1),
		TYPE("\x11\x20\7\0\1\0\0\0\0\0\x08\0\2\5\0\2\x0f\0\0\0", VV_DT_F8_E5M2, VV_HDF5_OK, 1),
		TYPE("\x18\2\0\0\1\0\0\0\x10\x08\0\0\1\0\0\0\0\0\x08\0FALSE\0\0\0TRUE\0\0\0\0\0\1", VV_DT_BOOL, VV_HDF5_OK, 1),
		TYPE("\x38\2\0\0\1\0\0\0\x30\x08\0\0\1\0\0\0\0\0\x08\0FALSE\0TRUE\0\0\1", VV_DT_BOOL, VV_HDF5_OK, 1),
		TYPE("\x38\2\0\0\1\0\0\0\x30\x08\0\0\1\0\0\0\0\0\x08\0FALSE\0TRUE\0\1\0", VV_DT_BYTES, VV_HDF5_TYPE, 1),
		TYPE("\x38\2\0\0\1\0\0\0\x30\x08\0\0\1\0\0\0\0\0\x08\0FALSE\0REAL\0\0\1", VV_DT_BYTES, VV_HDF5_TYPE, 1),
		TYPE("\x38\3\0\0\1\0\0\0\x30\x08\0\0\1\0\0\0\0\0\x08\0FALSE\0TRUE\0\0\1", VV_DT_BYTES, VV_HDF5_TYPE, 1),
		TYPE("\x13\0\0\0\4\0\0\0", VV_DT_BYTES, VV_HDF5_TYPE, 4),
		TYPE("\x16\2\0\0\x08\0\0\0", VV_DT_BYTES, VV_HDF5_TYPE, 8),
	};
	struct mkh5 m = MKH5_INIT;
	int taken = 0;

	mkh5_begin(&m);
	for (size_t i = 0; i < VV_COUNT(types); i++) {
		const uint64_t shape[] = {2};
		struct vv_hdf5_object o;

		mkh5_msg(&m, 3, 0, vv_span(types[i].body, types[i].len));
		mkh5_space(&m, 1, shape);
		mkh5_contiguous(&m, 0, 8);
		CHECK_OK(read_new(&o, &m), &err);
		CHECK(o.why == types[i].why && o.width == types[i].width);
		if (!o.why)
			CHECK_INT(o.dtype, types[i].dt);
		if (types[i].why == VV_HDF5_TYPE)
			continue;
		/* Shorter, they are broken. */
		for (size_t n = 0; n < types[i].len; n++) {
			mkh5_begin(&m);
			mkh5_msg(&m, 3, 0, vv_span(types[i].body, n));
			taken += read_new(&o, &m) != VV_EFORMAT && o.type_why != VV_HDF5_TYPE;
		}
	}
	CHECK_INT(taken, 0);
	mkh5_release(&m);
}

static void test_spaces(void)
{
	static const uint64_t dims[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_object o;

	mkh5_begin(&m);
	for (unsigned n = 0; n <= 9; n++) {
		mkh5_space(&m, n, dims);
		mkh5_msg(&m, 3, 0, MKH5_SPAN(MKH5_I8));
		mkh5_contiguous(&m, 0, 8);
		CHECK_OK(read_new(&o, &m), &err);
		CHECK_INT(o.why, n > VV_MAX_DIMS ? VV_HDF5_DIMS : VV_HDF5_OK);
		CHECK(o.ndim == n && !o.null && (!n || o.shape[n < 9 ? n - 1 : 7] == (n < 9 ? n : 8)));
	}
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\2\0\0\2"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK(o.null);
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\1\1\0\0\0\0\0\0\7\0\0\0\0\0\0\0"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK(o.ndim == 1 && o.shape[0] == 7);
	CHECK_INT(o.max[0], 7);
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\2\2\1\1\7\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0\0\0\0\0"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK(o.shape[0] == 7 && o.max[0] == UINT64_MAX && o.shape[1] == 2 && o.max[1] == 3);
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\2\1\1\1\7\0\0\0\0\0\0\0"));
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\3\0\0\0"));
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	mkh5_msg(&m, 1, 0, MKH5_SPAN("\2\1\0\1\0\0\0\0\0\0\0"));
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	CHECK(strstr(err.msg, "broken message 1 "));
	mkh5_release(&m);
}

/* A vector of three i8 with that layout. */
static int with_layout(struct vv_hdf5_object *o, struct mkh5 *m, struct vv_span layout)
{
	const uint64_t three[] = {3};

	mkh5_space(m, 1, three);
	mkh5_msg(m, 3, 0, MKH5_SPAN(MKH5_I8));
	mkh5_msg(m, 8, 0, layout);
	return read_new(o, m);
}

static void test_layouts(void)
{
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_object o;

	mkh5_begin(&m);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\3\0\3\0abc")), &err);
	CHECK(o.compact && o.len == 3 && !memcmp(m.out.ptr + o.addr, "abc", 3) && o.sum_at == m.out.len - 4);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\3\0\4\0abc")), VV_EFORMAT);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\3\1\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0\0\0\0")), VV_EFORMAT);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\3\1\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == VV_HDF5_NONE);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\1\1\1\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_LAYOUT);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\3\0\0\0\0\0\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_EXTERNAL);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\4\4")), VV_EFORMAT);
	/* Chunks: each kind of index, then what cannot be told, then what is broken. */
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\3\1\1\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.chunk_index == VV_HDF5_SINGLE && o.n_chunk == 2 && o.chunk[0] == 3 && o.chunk[1] == 1);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\2\2\1\3\1\1\x9\0\0\0\0\0\0\0\2\0\0\0\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.len == 9 && o.single_mask == 2);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\2\1\2\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.chunk_index == VV_HDF5_IMPLICIT && o.chunk[0] == 2);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\2\1\3\xa\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.chunk_index == VV_HDF5_FIXED && !o.wide_lengths);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\5\2\0\2\2\2\0\1\0\4\x20\4\4\x10\xa\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.chunk_index == VV_HDF5_EXTENSIBLE && o.wide_lengths);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\2\1\5\0\2\0\0\x64\x28\7\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.addr == 7 && o.chunk_index == VV_HDF5_TREE2);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\3\2\2\x30\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0")), &err);
	CHECK(!o.why && o.addr == 0x30 && o.chunk_index == VV_HDF5_TREE);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\3\2\1\7\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\0\1\1\7\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\1\1\3\1\7\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\3\1\6\7\0\0\0\0\0\0\0")), VV_EFORMAT);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\4\2\2\2\1\3\1\1\x9\0\0\0\0\0\0\0\2\0\0")), VV_EFORMAT);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\5\2\0\2\1\3\1\3\0")), VV_EFORMAT);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\x9\3\1\1")), VV_EFORMAT);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\4\2\0\0\1\3\1\1")), VV_EFORMAT);
	mkh5_release(&m);
}

/* A vector of three i8 in one chunk through those filters. */
static int with_filters(struct vv_hdf5_object *o, struct mkh5 *m, unsigned flags, struct vv_span filters)
{
	mkh5_msg(m, 11, 0, filters);
	return with_layout(o, m, flags ? MKH5_SPAN("\4\2\1\2\1\3\1\1\7\0\0\0\0\0\0\0") : MKH5_SPAN("\4\2\0\2\1\3\1\1\7\0\0\0\0\0\0\0"));
}

#define SHUFFLE "\2\0\0\0\1\0\1\0\0\0"
#define DEFLATE "\1\0\0\0\1\0\6\0\0\0"
#define SUM "\3\0\0\0\0\0"

static void test_filters(void)
{
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_object o;

	mkh5_begin(&m);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\3" SHUFFLE DEFLATE SUM)), &err);
	CHECK(!o.why && o.n_filters == 3 && o.filters[0] == VV_CODE_SHUFFLE && o.filters[1] == VV_CODE_ZLIB &&
		o.filters[2] == VV_CODE_FLETCHER32);
	/* As they were first written: all with a name, numbers in pairs. */
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\1\1\0\0\0\0\0\0\1\0\x8\0\0\0\1\0" "deflate\0\6\0\0\0\0\0\0\0")), &err);
	CHECK(!o.why && o.n_filters == 1 && o.filters[0] == VV_CODE_ZLIB);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\0")), &err);
	CHECK(!o.why && !o.n_filters);
	/* In another order, twice, of another width, unknown, named, with bytes where the edge is. */
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\2" DEFLATE SHUFFLE)), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\2" DEFLATE DEFLATE)), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\4" SHUFFLE DEFLATE SUM SUM)), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\1\2\0\0\0\1\0\4\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\2\4\0\0\0\0\0" DEFLATE)), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 0, MKH5_SPAN("\2\1\0\x7d\4\0\0\0\1\0" "lzf\0\6\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 1, MKH5_SPAN("\2\1" DEFLATE)), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	CHECK_OK(with_filters(&o, &m, 1, MKH5_SPAN("\2\0")), &err);
	CHECK(!o.why);
	/* Broken; twice; elsewhere; with elements in one piece. */
	CHECK_INT(with_filters(&o, &m, 0, MKH5_SPAN("\2\1")), VV_EFORMAT);
	CHECK_INT(with_filters(&o, &m, 0, MKH5_SPAN("\3\0")), VV_EFORMAT);
	CHECK_INT(with_filters(&o, &m, 0, MKH5_SPAN("\2\1\1\0\0\0\2\0\6\0\0\0")), VV_EFORMAT);
	CHECK_INT(with_filters(&o, &m, 0, MKH5_SPAN("\1\1\0\0\0\0\0\0\1\0\x8\0\0\0\1\0" "deflate\0\6\0\0\0")), VV_EFORMAT);
	mkh5_msg(&m, 11, 0, MKH5_SPAN("\2\1" DEFLATE));
	CHECK_INT(with_filters(&o, &m, 0, MKH5_SPAN("\2\1" DEFLATE)), VV_EFORMAT);
	mkh5_msg(&m, 11, 2, MKH5_SPAN("\3\2\0\0\0\0\0\0\0\0"));
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\4\2\0\2\1\3\1\1\7\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_LAYOUT);
	mkh5_msg(&m, 11, 0, MKH5_SPAN("\2\1" DEFLATE));
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\3\1\7\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_CHUNKED);
	mkh5_release(&m);
}

static void test_messages(void)
{
	const uint64_t three[] = {3};
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_object o;

	mkh5_begin(&m);
	/* A shape twice; a shared type; elements in other files; a group with elements. */
	mkh5_space(&m, 1, three);
	mkh5_space(&m, 1, three);
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	mkh5_space(&m, 1, three);
	mkh5_contiguous(&m, 0, 3);
	mkh5_msg(&m, 3, 2, MKH5_SPAN("\3\2\0\0\0\0\0\0\0\0"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK_INT(o.why, VV_HDF5_LAYOUT);
	mkh5_msg(&m, 7, 0, MKH5_SPAN(""));
	CHECK_OK(with_layout(&o, &m, MKH5_SPAN("\3\1\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0\0\0\0\0")), &err);
	CHECK_INT(o.why, VV_HDF5_EXTERNAL);
	mkh5_link(&m, "x", 3);
	CHECK_INT(with_layout(&o, &m, MKH5_SPAN("\3\0\3\0abc")), VV_EFORMAT);
	mkh5_msg(&m, 2, 0, MKH5_SPAN("\0\1\0\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK(o.is_group && o.links == 0x11 && o.index == 0x12);
	mkh5_msg(&m, 2, 0, MKH5_SPAN("\1\0"));
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	mkh5_msg(&m, 17, 0, MKH5_SPAN("\x11\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0"));
	CHECK_OK(read_new(&o, &m), &err);
	CHECK(o.is_group && o.tree == 0x11 && o.heap == 0x12);
	/* A message longer than its header. */
	vv_buf_str(&m.msgs, "\1\xff\xff\1");
	CHECK_INT(read_new(&o, &m), VV_EFORMAT);
	mkh5_release(&m);
}

/* Headers in pieces, of both versions; one that leads back to itself. */
static void test_continued(void)
{
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_object o;
	uint8_t where[16] = {0};
	size_t at, header;
	int taken = 0;

	mkh5_begin(&m);
	at = m.out.len;
	mkh5_add(&m, "OCHK\x08\7\0\0\3\0\3\0abc", 15);
	mkh5_sum(&m.out, at);
	vv_put64(where, at);
	vv_put64(where + 8, 19);
	mkh5_msg(&m, 16, 0, vv_span(where, 16));
	header = mkh5_header(&m);
	CHECK_OK(read_at(&o, vv_buf_view(&m.out), header), &err);
	CHECK(o.compact && o.sum_from == at && o.sum_at == at + 15);
	m.out.ptr[at + 14] = 'd';
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), header), VV_EFORMAT);
	m.out.ptr[at] = 'o';
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), header), VV_EFORMAT);
	CHECK(strstr(err.msg, "no continued header"));
	/* The first version: a prefix of 16 bytes, messages with a head of 8. */
	mkh5_begin(&m);
	mkh5_add(&m, "\1\0\2\0\1\0\0\0\x18\0\0\0\0\0\0\0\x10\0\x10\0\0\0\0\0\x58\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0", 40);
	mkh5_add(&m, "\x08\0\x08\0\0\0\0\0\3\0\3\0abc\0", 16);
	CHECK_OK(read_at(&o, vv_buf_view(&m.out), 48), &err);
	CHECK(o.compact && o.sum_from == o.sum_at && o.addr == 48 + 40 + 12);
	m.out.ptr[48 + 24] = 48 + 16;
	m.out.ptr[48 + 32] = 24;
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), 48), VV_EFORMAT);
	CHECK(strstr(err.msg, "two structures"));
	/* Any beginning. */
	for (size_t n = 48; n < m.out.len; n++)
		taken += read_at(&o, vv_span(m.out.ptr, n), 48) != VV_EFORMAT;
	CHECK_INT(taken, 0);
	/* Lengths that cannot be. */
	vv_put32(m.out.ptr + 48 + 8, UINT32_MAX);
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), 48), VV_EFORMAT);
	mkh5_begin(&m);
	mkh5_add(&m, "OHDR\2\3\xff\xff\xff\xff\xff\xff\xff\xff", 14);
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), 48), VV_EFORMAT);
	CHECK(strstr(err.msg, "any length"));
	CHECK_INT(read_at(&o, vv_buf_view(&m.out), 0), VV_EFORMAT);
	CHECK(strstr(err.msg, "no object header"));
	mkh5_release(&m);
}

int main(void)
{
	test_types();
	test_spaces();
	test_layouts();
	test_filters();
	test_messages();
	test_continued();
	return done();
}
