#include "base/source.h"

#include "memsink.h"
#include "tap.h"

static int fails(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	(void)self;
	(void)len;
	memset(dst, 0, len);
	return off >= 2 << 20 ? vv_fail(err, VV_EIO, "no more") : 0;
}

int main(void)
{
	struct vv_source broken = {(uint64_t)1 << 40, fails};
	struct memsink out = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem m;
	char b[8] = "-------";

	vv_source_mem_init(&m, vv_span_str("0123456789"));
	CHECK_INT(m.base.size, 10);
	CHECK_OK(vv_source_read(&m.base, 7, b, 3, &err), &err);
	CHECK_STR(b, "789----");
	CHECK_OK(vv_source_read(&m.base, 10, b, 0, &err), &err);
	CHECK_INT(vv_source_read(&m.base, 8, b, 3, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "3 bytes at offset 8 lie past the end (10)"));
	CHECK_INT(vv_source_read(&m.base, 11, b, 0, &err), VV_EFORMAT);
	CHECK_INT(vv_source_read(&m.base, UINT64_MAX, b, 2, &err), VV_EFORMAT);
	CHECK_INT(vv_source_read(&m.base, 1, b, SIZE_MAX, &err), VV_EFORMAT);
	CHECK_STR(b, "789----");

	CHECK_OK(vv_source_copy(&m.base, 2, 5, &out.base, &err), &err);
	CHECK_OK(vv_source_copy(&m.base, 9, 0, &out.base, &err), &err);
	CHECK(vv_span_is(vv_buf_view(&out.bytes), "23456"));
	CHECK_INT(vv_source_copy(&m.base, 2, 9, &out.base, &err), VV_EFORMAT);
	out.room = out.bytes.len + 2;
	CHECK_INT(vv_source_copy(&m.base, 0, 3, &out.base, &err), VV_EIO);
	/* A claimed length takes no memory: it fails where the bytes do. */
	out.room = 0;
	CHECK_INT(vv_source_copy(&broken, 0, broken.size, &out.base, &err), VV_EIO);
	CHECK_STR(err.msg, "no more");
	CHECK_INT(out.bytes.len, 5 + (2 << 20));
	vv_buf_release(&out.bytes);
	return done();
}
