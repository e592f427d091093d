#include "format/flatbuf.h"

#include "fbmake.h"
#include "tap.h"

static struct vv_err err;

/* A source that counts what is read. */
struct counted {
	struct vv_source base;
	const struct vv_buf *bytes;
	uint64_t *read;
	bool fails;
};

static int counted_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	const struct counted *c = (const struct counted *)self;

	if (c->fails)
		return vv_fail(e, VV_EIO, "the disk is gone");
	*c->read += len;
	memcpy(dst, c->bytes->ptr + off, len);
	return 0;
}

/* Root: a number, a number that is left out, a vector of u16, a vector of two tables, a field of no sense. */
static size_t make(struct vv_buf *b)
{
	size_t root, v, t;

	vv_buf_clear(b);
	vv_buf_le(b, 0, 4);
	root = b->len + 14;
	vv_put32(b->ptr, (uint32_t)root);
	fb_table(b, 5);
	vv_put64(b->ptr + fb_field(root, 0), 0x1122334455667788);
	fb_leave_out(b, root, 1);
	fb_here(b, fb_field(root, 2));
	v = fb_vector(b, 3, 2);
	for (int i = 0; i < 3; i++)
		vv_put16(b->ptr + v + 2 * i, (uint16_t)(1000 + i));
	fb_here(b, fb_field(root, 3));
	v = fb_vector(b, 2, 4);
	for (int i = 0; i < 2; i++) {
		t = b->len + 6;
		vv_put32(b->ptr + v + 4 * i, (uint32_t)(t - (v + 4 * i)));
		fb_table(b, 1);
		b->ptr[fb_field(t, 0)] = (uint8_t)(7 + i);
	}
	return root;
}

static void test_reads(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	struct vv_fb_vector v;
	struct vv_fb_table root, t;
	struct vv_flatbuf f;
	size_t at = make(&b);
	uint64_t n = 5;

	vv_source_mem_init(&mem, vv_buf_view(&b));
	CHECK_OK(vv_fb_init(&f, &mem.base, &err), &err);
	CHECK_OK(vv_fb_root(&f, &root, &err), &err);
	CHECK_INT(root.at, at);
	CHECK_OK(vv_fb_number(&f, &root, 0, 8, &n, &err), &err);
	CHECK(n == 0x1122334455667788);
	CHECK_OK(vv_fb_number(&f, &root, 0, 1, &n, &err), &err);
	CHECK_INT(n, 0x88);
	/* Left out, and beyond the vtable: the default stays. */
	CHECK_OK(vv_fb_number(&f, &root, 1, 4, &n, &err), &err);
	CHECK_OK(vv_fb_number(&f, &root, 5, 4, &n, &err), &err);
	CHECK_OK(vv_fb_number(&f, &root, 40000, 4, &n, &err), &err);
	CHECK_INT(n, 0x88);
	CHECK_OK(vv_fb_vector(&f, &root, 1, 2, &v, &err), &err);
	CHECK_INT(v.at, 0);
	CHECK_INT(v.n, 0);
	CHECK_OK(vv_fb_vector(&f, &root, 2, 2, &v, &err), &err);
	CHECK_INT(v.n, 3);
	CHECK_OK(vv_fb_element(&f, &v, 2, 2, &n, &err), &err);
	CHECK_INT(n, 1002);
	CHECK_OK(vv_fb_vector(&f, &root, 3, 4, &v, &err), &err);
	CHECK_OK(vv_fb_table_in(&f, &v, 1, &t, &err), &err);
	CHECK_OK(vv_fb_number(&f, &t, 0, 1, &n, &err), &err);
	CHECK_INT(n, 8);
	/* An offset of 0, as in a vector that nobody wrote. */
	CHECK_INT(vv_fb_vector(&f, &root, 4, 1, &v, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "leads nowhere"));
	f.visits = VV_MAX_FB_VISITS;
	CHECK_INT(vv_fb_vector(&f, &root, 2, 2, &v, &err), VV_ELIMIT);
	vv_fb_release(&f);
	vv_buf_release(&b);
}

/* One number of the file changed: what the root, and the vector behind its field 2, then say. */
static void test_lies(void)
{
	static const struct {
		int at; /* from the root's place; INT_MIN: the file's start */
		uint32_t value;
		unsigned width;
		const char *says;
	} lies[] = {
		{INT32_MIN, 0, 4, "leads nowhere"}, {INT32_MIN, 0xffffffff, 4, "past the end"}, {INT32_MIN, 100000, 4, "past the end"},
		/* The vtable: before the file, behind it, the table itself, too small, odd, with a table too small. */
		{0, 0x7fffffff, 4, "past the end"}, {0, 0x80000000, 4, "past the end"}, {0, 0, 4, "broken table"},
		{-14, 2, 2, "broken table"}, {-14, 15, 2, "broken table"}, {-12, 3, 2, "broken table"},
		{-14, 0xfffe, 2, "past the end"}, {-12, 0xffff, 2, "past the end"},
		/* Field 2: in the vtable's offset, outside the table, across its end. */
		{-6, 1, 2, "outside its table"}, {-6, 44, 2, "outside its table"}, {-6, 42, 2, "outside its table"},
		{-6, 0xffff, 2, "outside its table"},
		/* The vector: behind the file, of wild length. */
		{20, 0xffffffff, 4, "past the end"}, {44, 0xffffffff, 4, "past the end"}, {44, 1000, 4, "past the end"},
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		size_t root = make(&b);
		uint8_t *at = b.ptr + (lies[i].at == INT32_MIN ? 0 : (int)root + lies[i].at);
		struct vv_source_mem mem;
		struct vv_fb_table t;
		struct vv_fb_vector v;
		struct vv_flatbuf f;
		int ret;

		if (lies[i].width == 2)
			vv_put16(at, (uint16_t)lies[i].value);
		else
			vv_put32(at, lies[i].value);
		vv_source_mem_init(&mem, vv_buf_view(&b));
		err = (struct vv_err)VV_ERR_INIT;
		CHECK_OK(vv_fb_init(&f, &mem.base, &err), &err);
		ret = vv_fb_root(&f, &t, &err);
		if (!ret)
			ret = vv_fb_vector(&f, &t, 2, 2, &v, &err);
		CHECK_INT(ret, VV_EFORMAT);
		CHECK_STR(strstr(err.msg, lies[i].says) ? lies[i].says : err.msg, lies[i].says);
		vv_fb_release(&f);
	}
	vv_buf_release(&b);
}

/* Pages: what crosses one, what comes again, what fails. */
static void test_pages(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t read = 0, bad = 0;
	struct counted src = {.base = {0, counted_read}, .bytes = &b, .read = &read};
	enum { SIZE = VV_FB_PAGE * (VV_FB_PAGES + 2) + 100 };
	uint8_t piece[3 * VV_FB_PAGE];
	struct vv_flatbuf f;

	for (uint32_t i = 0; b.len < SIZE; i++)
		vv_buf_le(&b, i, 4);
	src.base.size = b.len;
	CHECK_OK(vv_fb_init(&f, &src.base, &err), &err);
	CHECK_OK(vv_fb_read(&f, VV_FB_PAGE - 1, piece, VV_FB_PAGE + 2, &err), &err);
	CHECK(!memcmp(piece, b.ptr + VV_FB_PAGE - 1, VV_FB_PAGE + 2));
	CHECK_INT(read, 3 * VV_FB_PAGE);
	CHECK_OK(vv_fb_read(&f, 0, piece, sizeof(piece), &err), &err);
	CHECK_INT(read, 3 * VV_FB_PAGE);
	/* The same slot, another page. */
	CHECK_OK(vv_fb_read(&f, (uint64_t)VV_FB_PAGE * VV_FB_PAGES, piece, 4, &err), &err);
	CHECK_INT(vv_get32(piece), VV_FB_PAGE * VV_FB_PAGES / 4);
	CHECK_OK(vv_fb_read(&f, 0, piece, 4, &err), &err);
	CHECK_INT(vv_get32(piece), 0);
	CHECK_OK(vv_fb_read(&f, b.len - 4, piece, 4, &err), &err);
	CHECK_INT(vv_get32(piece), b.len / 4 - 1);
	CHECK_OK(vv_fb_read(&f, b.len, piece, 0, &err), &err);
	CHECK_INT(vv_fb_read(&f, b.len - 3, piece, 4, &err), VV_EFORMAT);
	CHECK_INT(vv_fb_read(&f, UINT64_MAX, piece, 4, &err), VV_EFORMAT);
	src.fails = true;
	CHECK_OK(vv_fb_read(&f, 8, piece, 4, &err), &err);
	CHECK_INT(vv_fb_read(&f, 5 * VV_FB_PAGE, piece, 4, &err), VV_EIO);
	src.fails = false;
	CHECK_OK(vv_fb_read(&f, 5 * VV_FB_PAGE, piece, 4, &err), &err);
	CHECK_INT(vv_get32(piece), 5 * VV_FB_PAGE / 4);
	for (uint32_t seed = 1, i = 0; i < 2000; i++, seed = seed * 1664525 + 1013904223) {
		uint64_t off = seed % (b.len - 9);
		bad += vv_fb_read(&f, off, piece, 9, &err) || memcmp(piece, b.ptr + off, 9);
	}
	CHECK_INT(bad, 0);
	vv_fb_release(&f);
	vv_buf_release(&b);
}

int main(void)
{
	test_reads();
	test_lies();
	test_pages();
	return done();
}
