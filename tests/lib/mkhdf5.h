/* HDF5 files for tests, of new groups and any lie: structures one after the other, each with its checksum. */
#ifndef VV_TESTS_MKHDF5_H
#define VV_TESTS_MKHDF5_H

#include "format/hdf5.h"

/* A file, with room for its superblock; the messages of the header that comes next. */
struct mkh5 {
	struct vv_buf out, msgs;
};

#define MKH5_INIT {VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT)}
/* An f32, little-endian; an i8. */
#define MKH5_F32 "\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"
#define MKH5_I8 "\x10\x08\0\0\1\0\0\0\0\0\x08\0"
/* A string of bytes, NULs in it included. */
#define MKH5_SPAN(text) vv_span(text, sizeof(text) - 1)

static inline void mkh5_sum(struct vv_buf *b, size_t from)
{
	vv_buf_le(b, vv_hdf5_checksum(vv_span(b->ptr + from, b->len - from)), 4);
}

static inline void mkh5_begin(struct mkh5 *m)
{
	vv_buf_clear(&m->out);
	vv_buf_clear(&m->msgs);
	for (int i = 0; i < 48; i++)
		vv_buf_char(&m->out, 0);
}

static inline void mkh5_msg(struct mkh5 *m, unsigned type, unsigned flags, struct vv_span body)
{
	vv_buf_le(&m->msgs, type, 1);
	vv_buf_le(&m->msgs, body.len, 2);
	vv_buf_le(&m->msgs, flags, 1);
	vv_buf_span(&m->msgs, body);
}

/* A header of the messages so far: its address. */
static inline uint64_t mkh5_header(struct mkh5 *m)
{
	size_t at = m->out.len;

	vv_buf_str(&m->out, "OHDR\2\2");
	vv_buf_le(&m->out, m->msgs.len, 4);
	vv_buf_span(&m->out, vv_buf_view(&m->msgs));
	mkh5_sum(&m->out, at);
	vv_buf_clear(&m->msgs);
	return at;
}

static inline void mkh5_space(struct mkh5 *m, unsigned n, const uint64_t *dims)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_le(&b, 2 | n << 8 | 1 << 24, 4);
	for (unsigned i = 0; i < n; i++)
		vv_buf_le(&b, dims[i], 8);
	mkh5_msg(m, 1, 0, vv_buf_view(&b));
	vv_buf_release(&b);
}

static inline void mkh5_contiguous(struct mkh5 *m, uint64_t addr, uint64_t len)
{
	uint8_t b[18] = {3, 1};

	vv_put64(b + 2, addr);
	vv_put64(b + 10, len);
	mkh5_msg(m, 8, 0, vv_span(b, sizeof(b)));
}

/* A vector of i8 with these elements somewhere. */
static inline uint64_t mkh5_bytes(struct mkh5 *m, uint64_t addr, uint64_t len)
{
	mkh5_space(m, 1, &len);
	mkh5_msg(m, 3, 0, MKH5_SPAN(MKH5_I8));
	mkh5_contiguous(m, addr, len);
	return mkh5_header(m);
}

static inline void mkh5_link_body(struct vv_buf *b, const char *name, uint64_t addr)
{
	vv_buf_le(b, 1, 2);
	vv_buf_le(b, strlen(name), 1);
	vv_buf_str(b, name);
	vv_buf_le(b, addr, 8);
}

static inline void mkh5_link(struct mkh5 *m, const char *name, uint64_t addr)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	mkh5_link_body(&b, name, addr);
	mkh5_msg(m, 6, 0, vv_buf_view(&b));
	vv_buf_release(&b);
}

static inline uint64_t mkh5_add(struct mkh5 *m, const char *bytes, size_t n)
{
	vv_buf_add(&m->out, bytes, n);
	return m->out.len - n;
}

/* The messages so far become the root's. */
static inline struct vv_span mkh5_end(struct mkh5 *m)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t root = mkh5_header(m);

	vv_buf_str(&b, "\x89HDF\r\n\x1a\n\3\x8\x8");
	vv_buf_le(&b, 0, 1);
	vv_buf_le(&b, 0, 8);
	vv_buf_le(&b, VV_HDF5_NONE, 8);
	vv_buf_le(&b, m->out.len, 8);
	vv_buf_le(&b, root, 8);
	mkh5_sum(&b, 0);
	memcpy(m->out.ptr, b.ptr, 48);
	vv_buf_release(&b);
	return vv_buf_view(&m->out);
}

static inline void mkh5_release(struct mkh5 *m)
{
	vv_buf_release(&m->out);
	vv_buf_release(&m->msgs);
}

#endif
