#include "format/protobuf.h"

#include "memsink.h"
#include "tap.h"

static struct vv_err err;

static void test_put(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_pb_put_varint(&b, 0);
	vv_pb_put_varint(&b, 127);
	vv_pb_put_varint(&b, 128);
	vv_pb_put_varint(&b, UINT64_MAX);
	vv_pb_put_key(&b, 20, VV_PB_FIXED32);
	vv_pb_put_bytes(&b, 2, vv_span_str("abc"));
	CHECK(vv_span_eq(vv_buf_view(&b), vv_span("\0\x7f\x80\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\xa5\1\x12\3abc", 21)));
	vv_buf_release(&b);
}

/* Messages in messages, 1 to 3 deep, around "abc" and then "d": the fields in them are each number 1. */
struct file {
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb m[4];
	struct vv_pb_field abc, d;
};

static void open_file(struct file *f, const struct vv_buf *bytes)
{
	struct vv_pb_field field;

	vv_source_mem_init(&f->mem, vv_buf_view(bytes));
	vv_pb_init(&f->m[0], &f->in, &f->mem.base);
	for (int i = 0; i < 3; i++)
		if (vv_pb_next(&f->m[i], &field, &err) || vv_pb_enter(&f->m[i + 1], &f->m[i], &field, &err))
			abort();
	if (vv_pb_next(&f->m[3], &f->abc, &err) || vv_pb_next(&f->m[3], &f->d, &err))
		abort();
}

static void make_file(struct vv_buf *out, struct vv_span abc, struct vv_span d)
{
	struct vv_buf in = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_clear(out);
	if (abc.ptr)
		vv_pb_put_bytes(out, 1, abc);
	if (d.ptr)
		vv_pb_put_bytes(out, 1, d);
	for (int i = 0; i < 3; i++) {
		vv_buf_clear(&in);
		vv_buf_span(&in, vv_buf_view(out));
		vv_buf_clear(out);
		vv_pb_put_bytes(out, 1, vv_buf_view(&in));
		vv_buf_str(out, i == 2 ? "" : "\x10\7");
	}
	vv_buf_release(&in);
}

static void test_replace(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT), text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem payload;
	uint8_t long_one[20000];

	memset(long_one, 'x', sizeof(long_one));
	/* Lengths whose varints become wider, in one step or in several messages, and narrower again. */
	static const size_t lens[] = {0, 3, 100, 110, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16360, 16370, 16376, 16380,
		16384, 20000};
	for (size_t from = 0; from < VV_COUNT(lens); from++)
		for (size_t to = 0; to < VV_COUNT(lens); to++) {
			struct vv_pb_edits e = VV_PB_EDITS_INIT;
			struct memsink out = MEMSINK_INIT;
			struct file f;
			int ret;

			make_file(&bytes, vv_span(long_one, lens[from]), vv_span_str("d"));
			make_file(&want, vv_span(long_one, lens[to]), vv_span_str("d"));
			open_file(&f, &bytes);
			vv_source_mem_init(&payload, vv_span(long_one, lens[to]));
			vv_buf_clear(&text);
			vv_pb_put_key(&text, 1, VV_PB_BYTES);
			vv_pb_put_varint(&text, lens[to]);
			ret = vv_pb_replace(
				&e, &f.m[3], f.abc.start, f.abc.off + f.abc.len, vv_buf_view(&text), &payload.base, &err);
			if (!ret)
				ret = vv_pb_rewrite(&e, &f.mem.base, &out.base, &err);
			if (ret || !vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&want))) {
				printf("# from %zu to %zu: %s\n", lens[from], lens[to], err.msg);
				tap_ok(0, "the file with the other bytes", __FILE__, __LINE__);
			}
			vv_pb_edits_release(&e);
			vv_buf_release(&out.bytes);
		}
	CHECK(1);
	vv_buf_release(&bytes);
	vv_buf_release(&want);
	vv_buf_release(&text);
}

/* Going, coming, and both side by side. */
static void test_drop(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT);

	for (int which = 0; which < 5; which++) {
		struct vv_pb_edits e = VV_PB_EDITS_INIT;
		struct memsink out = MEMSINK_INIT;
		struct vv_span none = vv_span(NULL, 0);
		struct file f;
		int ret = 0;

		make_file(&bytes, vv_span_str("abc"), vv_span_str("d"));
		open_file(&f, &bytes);
		if (which == 0 || which == 2)
			ret = vv_pb_replace(&e, &f.m[3], f.abc.start, f.abc.off + f.abc.len, none, NULL, &err);
		if (!ret && which == 3)
			ret = vv_pb_replace(&e, &f.m[3], f.abc.start, f.abc.start, vv_span_str("\x0a\1q"), NULL, &err);
		if (!ret && which == 3)
			ret = vv_pb_replace(&e, &f.m[3], f.abc.start, f.abc.off + f.abc.len, none, NULL, &err);
		if (!ret && which > 0 && which < 4)
			ret = vv_pb_replace(&e, &f.m[3], f.d.start, f.d.off + f.d.len, none, NULL, &err);
		CHECK_OK(ret, &err);
		/* Text and two fields that go, side by side, are one edit beside the three lengths. */
		CHECK_INT(e.n, which == 4 ? 0 : 4);
		CHECK_OK(vv_pb_rewrite(&e, &f.mem.base, &out.base, &err), &err);
		make_file(&want, which == 3 ? vv_span_str("q") : which == 1 || which == 4 ? vv_span_str("abc") : none,
			which == 0 || which == 4 ? vv_span_str("d") : none);
		CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&want)));
		vv_pb_edits_release(&e);
		vv_buf_release(&out.bytes);
	}
	vv_buf_release(&bytes);
	vv_buf_release(&want);
}

static int no_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	(void)self;
	(void)off;
	(void)dst;
	(void)len;
	return vv_fail(e, VV_EIO, "not to be read");
}

static void test_refuses(void)
{
	struct vv_source large = {INT32_MAX, no_read}, endless = {UINT64_MAX, no_read};
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_pb_edits e = VV_PB_EDITS_INIT;
	struct memsink out = MEMSINK_INIT;
	struct file f;

	make_file(&bytes, vv_span_str("abc"), vv_span_str("d"));
	open_file(&f, &bytes);
	CHECK_INT(vv_pb_replace(&e, &f.m[3], f.abc.off, f.abc.off, vv_span_str("a"), &endless, &err), VV_ENOTSUP);
	CHECK_OK(vv_pb_replace(&e, &f.m[3], f.abc.off, f.abc.off, vv_span_str("a"), &large, &err), &err);
	CHECK_INT(vv_pb_rewrite(&e, &f.mem.base, &out.base, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "larger than any reader takes"));
	vv_pb_edits_release(&e);
	/* A source that fails, and a sink. */
	large.size = 5;
	open_file(&f, &bytes);
	CHECK_OK(vv_pb_replace(&e, &f.m[3], f.abc.off, f.abc.off, vv_span_str("a"), &large, &err), &err);
	CHECK_INT(vv_pb_rewrite(&e, &f.mem.base, &out.base, &err), VV_EIO);
	out.room = 1;
	CHECK_INT(vv_pb_rewrite(&e, &f.mem.base, &out.base, &err), VV_EIO);
	vv_pb_edits_release(&e);
	vv_buf_release(&bytes);
	vv_buf_release(&out.bytes);
}

int main(void)
{
	test_put();
	test_replace();
	test_drop();
	test_refuses();
	return done();
}
