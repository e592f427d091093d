#include "format/protobuf.h"

#include "tap.h"

#include <stdbool.h>

static struct vv_err err;

struct message {
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb pb;
};

static void message(struct message *m, const char *bytes, size_t len)
{
	vv_source_mem_init(&m->mem, vv_span(bytes, len));
	vv_pb_init(&m->pb, &m->in, &m->mem.base);
	err = (struct vv_err)VV_ERR_INIT;
}

#define MESSAGE(m, literal) message(m, literal, sizeof(literal) - 1)

static void test_fields(void)
{
	struct message m;
	struct vv_pb_field f;

	MESSAGE(&m, "\x08\xac\x02\x11\1\2\3\4\5\6\7\x88\x1a\3abc\x25\4\3\2\1\xfa\xff\xff\xff\x0f\0");
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == 1 && f.wire == VV_PB_NUMBER && f.value == 300 && f.start == 0 && f.off == 1 && f.len == 2);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == 2 && f.wire == VV_PB_FIXED64 && f.value == 0x8807060504030201 && f.off == 4 && f.len == 8);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == 3 && f.wire == VV_PB_BYTES && f.start == 12 && f.len_at == 13 && f.off == 14 && f.len == 3);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == 4 && f.wire == VV_PB_FIXED32 && f.value == 0x01020304);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == (1u << 29) - 1 && f.wire == VV_PB_BYTES && f.len == 0);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_INT(f.number, 0);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_INT(f.number, 0);
}

static const struct {
	const char *bytes;
	size_t len;
	const char *says;
} broken[] = {
	{"\x08", 1, "ends within a field at offset 1"},
	{"\x08\x80", 2, "ends within a field"},
	{"\x80", 1, "ends within a field"},
	{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 11, "more than 64 bits at offset 1"},
	{"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", 12, "more than 64 bits"},
	{"\x09\0\0\0\0\0\0\0", 8, "ends within a field"},
	{"\x0d\0\0\0", 4, "ends within a field"},
	{"\x0a\2a", 3, "2 bytes at offset 2 in a message that ends at 3"},
	{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11, "18446744073709551615 bytes"},
	{"\x0b", 1, "wire type 3"},
	{"\x0c", 1, "wire type 4"},
	{"\x0e", 1, "wire type 6"},
	{"\x0f", 1, "wire type 7"},
	{"\0\0", 2, "no field has the key 0"},
	{"\7", 1, "no field has the key 7"},
	{"\x80\x80\x80\x80\x10\0", 6, "no field has the key 4294967296"},
};

static void test_broken(void)
{
	struct message m;
	struct vv_pb_field f;

	for (size_t i = 0; i < VV_COUNT(broken); i++) {
		message(&m, broken[i].bytes, broken[i].len);
		CHECK_INT(vv_pb_next(&m.pb, &f, &err), VV_EFORMAT);
		tap_ok(!!strstr(err.msg, broken[i].says), broken[i].says, __FILE__, __LINE__);
		if (!strstr(err.msg, broken[i].says))
			printf("# %s\n", err.msg);
	}
	/* The largest number there is. */
	MESSAGE(&m, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1");
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.value == UINT64_MAX);
}

/* A field is bounded by its message, not by the file. */
static void test_nested(void)
{
	struct message m;
	struct vv_pb child, run;
	struct vv_pb_field f;
	uint64_t v;

	MESSAGE(&m, "\x0a\3\x12\2a\x10\5");
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_OK(vv_pb_enter(&child, &m.pb, &f, &err), &err);
	CHECK(child.depth == 1 && child.parent == &m.pb && child.body == 2 && child.end == 5);
	CHECK_INT(vv_pb_next(&child, &f, &err), VV_EFORMAT);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK(f.number == 2 && f.value == 5);
	CHECK_INT(vv_pb_enter(&child, &m.pb, &f, &err), VV_EFORMAT);
	MESSAGE(&m, "\x0a\4\1\x96\1\0");
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_OK(vv_pb_enter(&run, &m.pb, &f, &err), &err);
	CHECK_OK(vv_pb_varint(&run, &v, &err), &err);
	CHECK_INT(v, 1);
	CHECK_OK(vv_pb_varint(&run, &v, &err), &err);
	CHECK_INT(v, 150);
	CHECK_OK(vv_pb_varint(&run, &v, &err), &err);
	CHECK_INT(vv_pb_varint(&run, &v, &err), VV_EFORMAT);
}

static void test_depth(void)
{
	static struct vv_pb in[VV_PB_DEPTH + 2];
	struct vv_buf a = VV_BUF_INIT(VV_MAX_TEXT), b = VV_BUF_INIT(VV_MAX_TEXT);
	struct message m;
	struct vv_pb_field f;
	int n = 0, ret = 0;

	for (int i = 0; i < 100; i++) {
		struct vv_buf t = a;
		vv_buf_clear(&b);
		vv_pb_put_bytes(&b, 1, vv_buf_view(&a));
		a = b;
		b = t;
	}
	message(&m, (const char *)a.ptr, a.len);
	in[0] = m.pb;
	while (!ret && n <= VV_PB_DEPTH) {
		ret = vv_pb_next(&in[n], &f, &err);
		if (!ret)
			ret = vv_pb_enter(&in[n + 1], &in[n], &f, &err);
		n += !ret;
	}
	CHECK_INT(ret, VV_ELIMIT);
	CHECK_INT(n, VV_PB_DEPTH);
	vv_buf_release(&a);
	vv_buf_release(&b);
}

/* What of the file was read. */
struct counting {
	struct vv_source base;
	size_t reads;
	uint64_t bytes;
	bool fails;
};

/* "field 1, 2^40 bytes" and, behind them, field 2. */
static int count_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	struct counting *c = (struct counting *)(uintptr_t)self;
	static const uint8_t head[] = {0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20}, tail[] = {0x10, 9};

	if (c->fails)
		return vv_fail(e, VV_EIO, "no");
	c->reads++;
	c->bytes += len;
	memset(dst, 0, len);
	for (size_t i = 0; i < len; i++)
		if (off + i < sizeof(head))
			((uint8_t *)dst)[i] = head[off + i];
		else if (off + i >= sizeof(head) + ((uint64_t)1 << 40))
			((uint8_t *)dst)[i] = tail[off + i - sizeof(head) - ((uint64_t)1 << 40)];
	return 0;
}

static void test_skips(void)
{
	struct counting c = {{((uint64_t)1 << 40) + 9, count_read}, 0, 0, false};
	struct vv_pb_input in;
	struct vv_pb m;
	struct vv_pb_field f;
	struct vv_buf out = VV_BUF_INIT(1000);

	vv_pb_init(&m, &in, &c.base);
	CHECK_OK(vv_pb_next(&m, &f, &err), &err);
	CHECK(f.number == 1 && f.len == (uint64_t)1 << 40);
	CHECK_INT(vv_pb_bytes(&m, &f, &out, &err), VV_ELIMIT);
	CHECK_OK(vv_pb_next(&m, &f, &err), &err);
	CHECK(f.number == 2 && f.value == 9);
	CHECK_INT(c.reads, 2);
	CHECK(c.bytes <= 2 * VV_PB_WINDOW);
	/* The machine's fault is passed on. */
	c.fails = true;
	vv_pb_init(&m, &in, &c.base);
	CHECK_INT(vv_pb_next(&m, &f, &err), VV_EIO);
	vv_buf_release(&out);
}

static void test_bytes(void)
{
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT), out = VV_BUF_INIT(10000), big = VV_BUF_INIT(VV_MAX_TEXT);
	struct message m;
	struct vv_pb_field f;

	for (int i = 0; i < 9000; i++)
		vv_buf_char(&big, (char)i);
	/* Shorter and longer than a window, and over the edge of one. */
	for (int i = 0; i < 3; i++)
		vv_pb_put_bytes(&file, 1, vv_span(big.ptr, i == 1 ? 9000 : 3000));
	vv_pb_put_bytes(&file, 2, vv_span(NULL, 0));
	vv_pb_put_key(&file, 3, VV_PB_NUMBER);
	vv_pb_put_varint(&file, 1);
	message(&m, (const char *)file.ptr, file.len);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
		CHECK_OK(vv_pb_bytes(&m.pb, &f, &out, &err), &err);
		CHECK(vv_span_eq(vv_buf_view(&out), vv_span(big.ptr, i == 1 ? 9000 : 3000)));
	}
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_OK(vv_pb_bytes(&m.pb, &f, &out, &err), &err);
	CHECK_INT(out.len, 0);
	CHECK_OK(vv_pb_next(&m.pb, &f, &err), &err);
	CHECK_INT(vv_pb_bytes(&m.pb, &f, &out, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "field 3 has wire type 0"));
	vv_buf_release(&file);
	vv_buf_release(&out);
	vv_buf_release(&big);
}

int main(void)
{
	test_fields();
	test_broken();
	test_nested();
	test_depth();
	test_skips();
	test_bytes();
	return done();
}
