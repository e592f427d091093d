/* A new archive, byte for byte as PyTorch's writer (miniz with padding in the extra field) lays it out. */
#include "format/torch.h"
#include "format/zip_records.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { PAD_HEAD = 4, DIRECTORY_MAX = 256 << 20 };

/* UTF-8 names; and a descriptor behind the bytes, if there are any. */
static unsigned flags(uint64_t len)
{
	return len ? 0x808 : 0x800;
}

static int put(struct vv_torch_writer *w, const struct vv_buf *b, struct vv_err *err)
{
	int ret = vv_buf_check(b, err);

	w->at += b->len;
	return ret ? ret : w->out->write(w->out, vv_buf_view(b), err);
}

/* The zip64 field that a size or offset of 4 GiB needs: in the local header and in the directory alike. */
static void wide_field(struct vv_buf *b, uint64_t len, uint64_t header)
{
	bool big = len >= ZIP_IN64, far = header >= ZIP_IN64;

	if (!big && !far)
		return;
	vv_buf_le(b, 1, 2);
	vv_buf_le(b, (big ? 16 : 0) + (far ? 8 : 0), 2);
	if (big) {
		vv_buf_le(b, len, 8);
		vv_buf_le(b, len, 8);
	}
	if (far)
		vv_buf_le(b, header, 8);
}

static int local(struct vv_torch_writer *w, const char *name, uint64_t len, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	size_t name_len = strlen(name), extra;
	uint64_t pad;
	int ret;

	vv_buf_le(&b, ZIP_SIG_LOCAL, 4);
	vv_buf_le(&b, 0, 2);
	vv_buf_le(&b, flags(len), 2);
	vv_buf_le(&b, 0, 8);
	vv_buf_le(&b, 0, 8);
	vv_buf_le(&b, 0, 2);
	vv_buf_le(&b, name_len, 2);
	vv_buf_le(&b, 0, 2);
	vv_buf_str(&b, name);
	extra = b.len;
	wide_field(&b, len, w->at);
	pad = (w->align - (w->at + b.len + PAD_HEAD) % w->align) % w->align;
	vv_buf_str(&b, "FB");
	vv_buf_le(&b, pad, 2);
	while (pad--)
		vv_buf_char(&b, 'Z');
	if (!b.failed)
		vv_put16(b.ptr + extra - name_len - 2, (uint16_t)(b.len - extra));
	ret = put(w, &b, err);
	vv_buf_release(&b);
	return ret;
}

static int descriptor(struct vv_torch_writer *w, uint32_t crc, uint64_t len, bool wide, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	vv_buf_le(&b, ZIP_SIG_DESCRIPTOR, 4);
	vv_buf_le(&b, crc, 4);
	vv_buf_le(&b, len, wide ? 8 : 4);
	vv_buf_le(&b, len, wide ? 8 : 4);
	ret = put(w, &b, err);
	vv_buf_release(&b);
	return ret;
}

static void entry(struct vv_buf *d, const char *name, uint32_t crc, uint64_t len, uint64_t header)
{
	size_t at = d->len, extra;

	vv_buf_le(d, ZIP_SIG_CENTRAL, 4);
	vv_buf_le(d, 0, 4);
	vv_buf_le(d, flags(len), 2);
	vv_buf_le(d, 0, 2);
	vv_buf_le(d, 0, 4);
	vv_buf_le(d, crc, 4);
	vv_buf_le(d, vv_min64(len, ZIP_IN64), 4);
	vv_buf_le(d, vv_min64(len, ZIP_IN64), 4);
	vv_buf_le(d, strlen(name), 2);
	vv_buf_le(d, 0, 8);
	vv_buf_le(d, 0, 4);
	vv_buf_le(d, vv_min64(header, ZIP_IN64), 4);
	vv_buf_str(d, name);
	extra = d->len;
	wide_field(d, len, header);
	if (!d->failed)
		vv_put16(d->ptr + at + 30, (uint16_t)(d->len - extra));
}

struct crc_sink {
	struct vv_sink base;
	struct vv_sink *to;
	uint32_t crc;
};

static int crc_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct crc_sink *s = (struct crc_sink *)self;

	s->crc = (uint32_t)crc32_z(s->crc, data.ptr, data.len);
	return s->to->write(s->to, data, err);
}

int vv_torch_put(struct vv_torch_writer *w, const char *name, const struct vv_source *bytes, struct vv_err *err)
{
	struct crc_sink sink = {{crc_write}, w->out, 0};
	uint64_t header = w->at, len = bytes->size;
	int ret = local(w, name, len, err);

	if (!ret)
		ret = vv_source_copy(bytes, 0, len, &sink.base, err);
	w->at += len;
	if (!ret && len)
		ret = descriptor(w, sink.crc, len, len >= ZIP_IN64 || header >= ZIP_IN64, err);
	w->directory.max = DIRECTORY_MAX;
	entry(&w->directory, name, sink.crc, len, header);
	w->ids[0] = vv_torch_combine(w->ids[0], crc32_z(0, (const uint8_t *)name, strlen(name)));
	if (len)
		w->ids[1] = vv_torch_combine(w->ids[1], sink.crc);
	w->n++;
	return ret;
}

int vv_torch_put_end(struct vv_torch_writer *w, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t start = w->at, size = w->directory.len, end = start + size;
	int ret = put(w, &w->directory, err);

	vv_buf_le(&b, ZIP_SIG_END64, 4);
	vv_buf_le(&b, ZIP_END64 - 12, 8);
	/* Version 3.0 on Unix, needs 4.5. */
	vv_buf_le(&b, 0x031e, 2);
	vv_buf_le(&b, 0x002d, 2);
	vv_buf_le(&b, 0, 8);
	vv_buf_le(&b, w->n, 8);
	vv_buf_le(&b, w->n, 8);
	vv_buf_le(&b, size, 8);
	vv_buf_le(&b, start, 8);
	vv_buf_le(&b, ZIP_SIG_LOCATOR, 4);
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, end, 8);
	vv_buf_le(&b, 1, 4);
	vv_buf_le(&b, ZIP_SIG_END, 4);
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, vv_min64(w->n, ZIP_IN64_COUNT), 2);
	vv_buf_le(&b, vv_min64(w->n, ZIP_IN64_COUNT), 2);
	vv_buf_le(&b, vv_min64(size, ZIP_IN64), 4);
	vv_buf_le(&b, vv_min64(start, ZIP_IN64), 4);
	vv_buf_le(&b, 0, 2);
	if (!ret)
		ret = put(w, &b, err);
	vv_buf_release(&b);
	return ret;
}

struct buf_sink {
	struct vv_sink base;
	struct vv_buf *to;
};

static int buf_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct buf_sink *s = (struct buf_sink *)self;

	vv_buf_span(s->to, data);
	return vv_buf_check(s->to, err);
}

void vv_torch_empty(struct vv_buf *out, const char *note VV_UNUSED)
{
	/* {} in protocol 2, as torch.save({}) pickles it. */
	static const struct {
		const char *name, *bytes;
		size_t len;
	} members[] = {{"archive/data.pkl", "\x80\x02}q\0.", 6}, {"archive/byteorder", "little", 6},
		{"archive/version", "3\n", 2}};
	struct buf_sink sink = {{buf_write}, out};
	struct vv_torch_writer w = {.out = &sink.base, .align = 64};
	struct vv_err err = VV_ERR_INIT;
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(members) && !ret; i++) {
		struct vv_source_mem mem;
		vv_source_mem_init(&mem, vv_span((const uint8_t *)members[i].bytes, members[i].len));
		ret = vv_torch_put(&w, members[i].name, &mem.base, &err);
	}
	if (!ret)
		ret = vv_torch_put_end(&w, &err);
	vv_buf_release(&w.directory);
	out->failed |= ret;
}
