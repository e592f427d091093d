#include "format/hdf5.h"

#include "tap.h"

static struct vv_err err;

/* Bob Jenkins' own examples for hashlittle, and pieces of every length against each other. */
static void test_checksum(void)
{
	static const char text[] = "Four score and seven years ago";
	uint8_t zeros[64] = {0};
	uint32_t sums[64];
	int same = 0;

	CHECK_INT(vv_hdf5_checksum(vv_span(text, 30)), 0x17770551);
	CHECK_INT(vv_hdf5_checksum(vv_span(text, 0)), 0xdeadbeef);
	for (size_t n = 0; n < 64; n++) {
		sums[n] = vv_hdf5_checksum(vv_span(zeros, n));
		for (size_t k = 0; k < n; k++)
			same += sums[k] == sums[n];
	}
	CHECK_INT(same, 0);
	vv_put32(zeros + 30, vv_hdf5_checksum(vv_span(zeros, 30)));
	CHECK_OK(vv_hdf5_check(vv_span(zeros, 34), 7, "it", &err), &err);
	zeros[3] = 1;
	CHECK_INT(vv_hdf5_check(vv_span(zeros, 34), 7, "it", &err), VV_EFORMAT);
	CHECK_STR(err.msg, "it: wrong checksum, address 7");
	CHECK_INT(vv_hdf5_check(vv_span(zeros, 3), 7, "it", &err), VV_EFORMAT);
}

static void test_bytes(void)
{
	struct vv_arena arena = {0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint8_t bytes[40], some[8];
	struct vv_source_mem mem;
	struct vv_hdf5 h;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	vv_source_mem_init(&mem, vv_span(bytes, sizeof(bytes)));
	vv_hdf5_init(&h, &mem.base, 8, 24, &arena);
	CHECK_OK(vv_hdf5_peek(&h, 20, some, 4, &err), &err);
	CHECK_INT(some[3], 31);
	/* In the source there are bytes, in the file not. */
	CHECK_INT(vv_hdf5_peek(&h, 21, some, 4, &err), VV_EFORMAT);
	CHECK_INT(vv_hdf5_peek(&h, VV_HDF5_NONE, some, 4, &err), VV_EFORMAT);
	CHECK_OK(vv_hdf5_load(&h, 0, 24, &b, &err), &err);
	CHECK(b.len == 24 && b.ptr[0] == 8);
	CHECK_OK(vv_hdf5_load(&h, 23, 1, &b, &err), &err);
	CHECK(b.len == 1 && b.ptr[0] == 31);
	CHECK_INT(vv_hdf5_load(&h, 23, UINT64_MAX, &b, &err), VV_EFORMAT);
	/* Twice as much as there is, and no more. */
	CHECK_OK(vv_hdf5_load(&h, 0, 23, &b, &err), &err);
	CHECK_INT(vv_hdf5_load(&h, 0, 1, &b, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "overlap"));
	CHECK_OK(vv_hdf5_once(&h, 3, &err), &err);
	CHECK_INT(vv_hdf5_once(&h, 3, &err), VV_EFORMAT);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	vv_buf_release(&b);
}

static void test_disjoint(void)
{
	static const struct {
		struct vv_hdf5_range r[3];
		bool good;
	} cases[] = {{{{0, 8, false}, {8, 8, true}, {16, 8, false}}, true}, {{{0, 8, false}, {7, 8, true}}, false},
		{{{0, 8, true}, {7, 1, false}}, false}, {{{0, 8, true}, {4, 8, true}}, false},
		{{{4, 8, true}, {4, 8, true}}, false}, {{{4, 8, false}, {4, 8, true}}, false},
		{{{0, 8, false}, {4, 8, false}}, true}, {{{4, 0, false}, {0, 8, true}}, true},
		{{{0, 20, false}, {2, 2, false}, {10, 2, true}}, false}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_source_mem mem;
		struct vv_hdf5 h;

		vv_source_mem_init(&mem, vv_span_str("a file of more than 24 bytes"));
		vv_hdf5_init(&h, &mem.base, 0, mem.base.size, NULL);
		for (size_t k = 0; k < 3; k++)
			CHECK_OK(vv_hdf5_claim(&h, cases[i].r[k].off, cases[i].r[k].len, cases[i].r[k].tensor, &err), &err);
		CHECK_INT(vv_hdf5_disjoint(&h, &err), cases[i].good ? 0 : VV_EFORMAT);
		vv_hdf5_release(&h);
	}
}

static void test_numbers(void)
{
	static const uint8_t bytes[] = {1, 2, 3, 0xff, 0xff, 0xff, 0xff, 9};
	struct vv_cursor c = vv_cursor(vv_span(bytes, sizeof(bytes)));
	struct vv_hdf5 h;
	uint64_t v;

	vv_hdf5_init(&h, NULL, 0, 0, NULL);
	h.off_width = 4;
	h.len_width = 2;
	CHECK(!vv_hdf5_number(&c, 3, &v) && v == 0x030201);
	CHECK(!vv_hdf5_addr(&h, &c, &v) && v == VV_HDF5_NONE);
	CHECK(vv_hdf5_length(&h, &c, &v) && c.left == 1);
	CHECK(!vv_hdf5_skip(&c, 1) && vv_hdf5_skip(&c, 1));
	c = vv_cursor(vv_span(bytes, sizeof(bytes)));
	h.off_width = 8;
	CHECK(!vv_hdf5_addr(&h, &c, &v) && v == 0x09ffffffff030201);
}

int main(void)
{
	test_checksum();
	test_bytes();
	test_disjoint();
	test_numbers();
	return done();
}
