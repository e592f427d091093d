/* Indexes of checkpoints, as they are and with the checksums mended, so that more than the first block is reached. */
#include "check.h"
#include "format/formats.h"
#include "base/cursor.h"
#include "mktable.h"

static bool handle(struct vv_cursor *c, uint64_t *off, uint64_t *len)
{
	uint64_t *v[] = {off, len};

	for (int i = 0; i < 2; i++) {
		uint8_t b = 128;
		*v[i] = 0;
		for (unsigned shift = 0; b & 128; shift += 7) {
			if (shift > 56 || vv_take8(c, &b))
				return false;
			*v[i] |= (uint64_t)(b & 127) << shift;
		}
	}
	return true;
}

static bool mend_block(struct vv_buf *f, uint64_t off, uint64_t len)
{
	struct vv_buf made = VV_BUF_INIT(VV_MAX_TEXT);

	if (off > f->len || len > f->len - off || f->len - off - len < 5)
		return false;
	vv_buf_add(&made, f->ptr + off, (size_t)len);
	table_trailer(&made, 0, (char)f->ptr[off + len]);
	memcpy(f->ptr + off + len, made.ptr + len, 5);
	vv_buf_release(&made);
	return true;
}

/* All blocks that the index may name: each byte of it is taken for the start of a handle. */
static void mend(struct vv_buf *f)
{
	uint64_t off, len, at, n;
	struct vv_cursor c;

	if (f->len < 48)
		return;
	c = vv_cursor(vv_span(f->ptr + f->len - 48, 40));
	if (!handle(&c, &off, &len) || !handle(&c, &at, &n) || !mend_block(f, at, n))
		return;
	for (uint64_t i = at; i < at + n && i < at + 64; i++) {
		c = vv_cursor(vv_span(f->ptr + i, (size_t)(at + n - i)));
		if (handle(&c, &off, &len) && off < at && len <= at - off)
			mend_block(f, off, len);
	}
	mend_block(f, at, n);
}

static void check(struct vv_span file)
{
	struct vv_elsewheres told;
	struct vv_err err = VV_ERR_INIT;
	struct located l;

	locate_soundly(&l, file);
	if (!vv_elsewhere_read(&vv_format_tf_index, &l.mem.base, &told, &err)) {
		for (size_t i = 0; i < told.n; i++)
			MUST(told.items[i].off + told.items[i].len <= INT64_MAX && told.items[i].suffix);
	} else {
		MUST(l.layout.format != &vv_format_tf_index && err.msg[0]);
	}
	vv_elsewheres_release(&told);
	located_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_buf f = VV_BUF_INIT(VV_MAX_TEXT);

	check(vv_span(data, size));
	vv_buf_add(&f, data, size);
	mend(&f);
	check(vv_buf_view(&f));
	vv_buf_release(&f);
	return 0;
}
