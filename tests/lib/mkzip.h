/* Zip archives for tests, with the peculiarities of their writers and, through the offsets, any lie. */
#ifndef VV_TESTS_MKZIP_H
#define VV_TESTS_MKZIP_H

#include "base/buf.h"

#include <stdlib.h>
#include <zlib.h>

enum mkzip_flags {
	MKZIP_LATE = 1,     /* zeros in the local header, a data descriptor behind the payload */
	MKZIP_NOSIG = 2,    /* that descriptor has no signature */
	MKZIP_WIDE = 4,     /* local sizes in a zip64 field: 8-byte descriptor */
	MKZIP_DEFLATE = 8,
	MKZIP_PAD64 = 16,   /* PyTorch's padding */
	MKZIP_DIR64 = 32,   /* the directory's numbers in a zip64 field */
};

struct mkzip {
	struct vv_buf out, dir;
	size_t n;
	size_t header, payload, entry; /* of the last member: offsets in out, out, dir */
	size_t directory, end64, end;  /* after mkzip_end: offsets in out; end64 is 0 without zip64 */
};

#define MKZIP_INIT {VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT), 0, 0, 0, 0, 0, 0, 0}

static inline struct vv_span mkzip_deflated(struct vv_span raw)
{
	static uint8_t buf[1 << 20];
	z_stream s = {0};

	s.next_in = (uint8_t *)(uintptr_t)raw.ptr;
	s.avail_in = (uInt)raw.len;
	s.next_out = buf;
	s.avail_out = sizeof(buf);
	if (deflateInit2(&s, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) || deflate(&s, Z_FINISH) != Z_STREAM_END ||
		deflateEnd(&s))
		abort();
	return vv_span(buf, sizeof(buf) - s.avail_out);
}

static inline void mkzip_local_extra(struct mkzip *z, size_t raw, size_t len, unsigned f, size_t name)
{
	if (f & MKZIP_WIDE) {
		vv_buf_le(&z->out, 1, 2);
		vv_buf_le(&z->out, 16, 2);
		vv_buf_le(&z->out, f & MKZIP_LATE ? 0 : raw, 8);
		vv_buf_le(&z->out, f & MKZIP_LATE ? 0 : len, 8);
	}
	if (f & MKZIP_PAD64) {
		size_t pad = (64 - (z->header + 34 + name + (f & MKZIP_WIDE ? 20 : 0)) % 64) % 64;
		vv_buf_str(&z->out, "FB");
		vv_buf_le(&z->out, pad, 2);
		while (pad--)
			vv_buf_char(&z->out, 'Z');
	}
}

static inline void mkzip_add(struct mkzip *z, const char *name, struct vv_span raw, unsigned f)
{
	struct vv_span data = f & MKZIP_DEFLATE ? mkzip_deflated(raw) : raw;
	size_t n = strlen(name), extra;
	uint64_t crc = crc32_z(0, raw.len ? raw.ptr : (const uint8_t *)"", raw.len), late = f & MKZIP_LATE ? 0 : UINT64_MAX;

	z->header = z->out.len;
	vv_buf_le(&z->out, 0x04034b50, 4);
	vv_buf_le(&z->out, 45, 2);
	vv_buf_le(&z->out, f & MKZIP_LATE ? 0x808 : 0, 2);
	vv_buf_le(&z->out, f & MKZIP_DEFLATE ? 8 : 0, 2);
	vv_buf_le(&z->out, 0x00210000, 4);
	vv_buf_le(&z->out, crc & late, 4);
	vv_buf_le(&z->out, f & MKZIP_WIDE ? 0xffffffff : data.len & late, 4);
	vv_buf_le(&z->out, f & MKZIP_WIDE ? 0xffffffff : raw.len & late, 4);
	vv_buf_le(&z->out, n, 2);
	vv_buf_le(&z->out, 0, 2);
	vv_buf_str(&z->out, name);
	extra = z->out.len;
	mkzip_local_extra(z, raw.len, data.len, f, n);
	extra = z->out.len - extra;
	z->out.ptr[z->header + 28] = (uint8_t)extra;
	z->payload = z->out.len;
	vv_buf_span(&z->out, data);
	if (f & MKZIP_LATE) {
		if (!(f & MKZIP_NOSIG))
			vv_buf_le(&z->out, 0x08074b50, 4);
		vv_buf_le(&z->out, crc, 4);
		vv_buf_le(&z->out, data.len, f & MKZIP_WIDE ? 8 : 4);
		vv_buf_le(&z->out, raw.len, f & MKZIP_WIDE ? 8 : 4);
	}
	z->entry = z->dir.len;
	vv_buf_le(&z->dir, 0x02014b50, 4);
	vv_buf_le(&z->dir, 45 | 45 << 16, 4);
	vv_buf_le(&z->dir, f & MKZIP_LATE ? 0x808 : 0, 2);
	vv_buf_le(&z->dir, f & MKZIP_DEFLATE ? 8 : 0, 2);
	vv_buf_le(&z->dir, 0x00210000, 4);
	vv_buf_le(&z->dir, crc, 4);
	vv_buf_le(&z->dir, f & MKZIP_DIR64 ? 0xffffffff : data.len, 4);
	vv_buf_le(&z->dir, f & MKZIP_DIR64 ? 0xffffffff : raw.len, 4);
	vv_buf_le(&z->dir, n, 2);
	vv_buf_le(&z->dir, f & MKZIP_DIR64 ? 28 : 0, 2);
	vv_buf_le(&z->dir, 0, 8);
	vv_buf_le(&z->dir, 0, 2);
	vv_buf_le(&z->dir, f & MKZIP_DIR64 ? 0xffffffff : z->header, 4);
	vv_buf_str(&z->dir, name);
	if (f & MKZIP_DIR64) {
		vv_buf_le(&z->dir, 1 | 24 << 16, 4);
		vv_buf_le(&z->dir, raw.len, 8);
		vv_buf_le(&z->dir, data.len, 8);
		vv_buf_le(&z->dir, z->header, 8);
	}
	z->n++;
}

/* Writes the directory and the end records. */
static inline struct vv_span mkzip_end(struct mkzip *z, bool zip64, const char *comment)
{
	z->directory = z->out.len;
	vv_buf_span(&z->out, vv_buf_view(&z->dir));
	if (zip64) {
		z->end64 = z->out.len;
		vv_buf_le(&z->out, 0x06064b50, 4);
		vv_buf_le(&z->out, 44, 8);
		vv_buf_le(&z->out, 45 | 45 << 16, 4);
		vv_buf_le(&z->out, 0, 8);
		vv_buf_le(&z->out, z->n, 8);
		vv_buf_le(&z->out, z->n, 8);
		vv_buf_le(&z->out, z->dir.len, 8);
		vv_buf_le(&z->out, z->directory, 8);
		vv_buf_le(&z->out, 0x07064b50, 4);
		vv_buf_le(&z->out, 0, 4);
		vv_buf_le(&z->out, z->end64, 8);
		vv_buf_le(&z->out, 1, 4);
	}
	z->end = z->out.len;
	vv_buf_le(&z->out, 0x06054b50, 4);
	vv_buf_le(&z->out, 0, 4);
	vv_buf_le(&z->out, z->n < 0xffff ? z->n : 0xffff, 2);
	vv_buf_le(&z->out, z->n < 0xffff ? z->n : 0xffff, 2);
	vv_buf_le(&z->out, z->dir.len, 4);
	vv_buf_le(&z->out, z->directory, 4);
	vv_buf_le(&z->out, strlen(comment), 2);
	vv_buf_str(&z->out, comment);
	if (z->out.failed || z->dir.failed)
		abort();
	return vv_buf_view(&z->out);
}

static inline void mkzip_release(struct mkzip *z)
{
	vv_buf_release(&z->out);
	vv_buf_release(&z->dir);
}

#endif
