#include "base/buf.h"

#include "tap.h"

static struct vv_err err;

static void test_grow(void)
{
	struct vv_buf b = VV_BUF_INIT(10000);

	CHECK_OK(vv_buf_check(&b, &err), &err);
	vv_buf_str(&b, "ab");
	vv_buf_char(&b, 'c');
	vv_buf_span(&b, vv_span("d\0", 2));
	vv_buf_fmt(&b, "%d-%s", 5, "e");
	vv_buf_le(&b, 0x0102030405060708, 3);
	CHECK(vv_span_eq(vv_buf_view(&b), vv_span("abcd\0005-e\x8\x7\x6", 11)));
	CHECK_INT(b.ptr[b.len], 0);
	for (int i = 0; i < 900; i++)
		vv_buf_fmt(&b, "%010d", i);
	CHECK_INT(b.len, 9011);
	CHECK(!memcmp(b.ptr + 9001, "0000000899", 11));
	vv_buf_clear(&b);
	CHECK(!b.len && b.ptr[0] == 0);
	vv_buf_release(&b);
	CHECK(!b.ptr && b.max == 10000);
}

static void test_limit(void)
{
	struct vv_buf b;

	vv_buf_init(&b, 4);
	vv_buf_str(&b, "abcd");
	CHECK_OK(vv_buf_check(&b, &err), &err);
	vv_buf_char(&b, 'e');
	CHECK_INT(b.len, 4);
	CHECK_INT(vv_buf_check(&b, &err), VV_ELIMIT);
	CHECK(strstr(err.msg, "past 4 bytes"));
	/* Failed: nothing more goes in, even what would fit. */
	vv_buf_add(&b, "", 0);
	vv_buf_fmt(&b, "%s", "");
	CHECK(!vv_buf_reserve(&b, 0));
	CHECK(!vv_buf_take(&b));
	CHECK(vv_span_is(vv_buf_view(&b), "abcd"));
	vv_buf_clear(&b);
	vv_buf_fmt(&b, "%s", "12345");
	CHECK_INT(vv_buf_check(&b, &err), VV_ELIMIT);
	vv_buf_clear(&b);
	CHECK(!vv_buf_reserve(&b, SIZE_MAX));
	b.failed = VV_ENOMEM;
	CHECK_INT(vv_buf_check(&b, &err), VV_ENOMEM);
	vv_buf_release(&b);
	CHECK_INT(b.failed, 0);
}

static void test_take(void)
{
	struct vv_buf b = VV_BUF_INIT(100);
	char *s = vv_buf_take(&b);

	CHECK_STR(s ? s : "nothing", "");
	free(s);
	vv_buf_str(&b, "mine");
	s = vv_buf_take(&b);
	CHECK_STR(s, "mine");
	CHECK(!b.ptr && !b.len && b.max == 100);
	free(s);
}

int main(void)
{
	test_grow();
	test_limit();
	test_take();
	return done();
}
