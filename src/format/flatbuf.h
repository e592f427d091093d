/*
 * Reading FlatBuffers out of a source, without their schema and without trust: offsets may point
 * anywhere, objects may be shared. Nothing recurses; each table, vector and text that is followed
 * counts against one total. Bytes come through small pages, so that payloads are stepped over.
 */
#ifndef VV_FORMAT_FLATBUF_H
#define VV_FORMAT_FLATBUF_H

#include "base/arena.h"
#include "base/source.h"

enum {
	VV_FB_PAGE = 4096, /* bytes */
	VV_FB_PAGES = 16,
	VV_MAX_FB_VISITS = 1 << 24,
};

struct vv_flatbuf {
	const struct vv_source *src; /* borrowed */
	uint8_t *bytes;              /* of the pages */
	uint64_t page[VV_FB_PAGES];  /* the number of the page kept there, plus 1 */
	uint32_t visits;
};

struct vv_fb_table {
	uint64_t at, vtable;
	uint16_t len, vlen; /* bytes of each */
};

struct vv_fb_vector {
	uint64_t at; /* the first element; 0: there is no such vector */
	uint32_t n;
};

/* VV_EFORMAT from these: an offset or a length leads out of the file. VV_ELIMIT: too many visits. */
VV_MUST_CHECK int vv_fb_init(struct vv_flatbuf *f, const struct vv_source *src, struct vv_err *err);
void vv_fb_release(struct vv_flatbuf *f);
VV_MUST_CHECK int vv_fb_root(struct vv_flatbuf *f, struct vv_fb_table *out, struct vv_err *err);
/* A field by its number in the schema: *at is where its `width` bytes are, 0 when it is left out. */
VV_MUST_CHECK int vv_fb_field(
	struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width, uint64_t *at, struct vv_err *err);
/* The same as an unsigned number of `width` bytes; *out stays as it is when the field is left out. */
VV_MUST_CHECK int vv_fb_number(
	struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width, uint64_t *out, struct vv_err *err);
/* The same as a vector of elements of `width` bytes. */
VV_MUST_CHECK int vv_fb_vector(struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width,
	struct vv_fb_vector *out, struct vv_err *err);
/* Element `i` of a vector of numbers, or of tables. */
VV_MUST_CHECK int vv_fb_element(struct vv_flatbuf *f, const struct vv_fb_vector *v, uint32_t i, unsigned width,
	uint64_t *out, struct vv_err *err);
VV_MUST_CHECK int vv_fb_table_in(struct vv_flatbuf *f, const struct vv_fb_vector *v, uint32_t i,
	struct vv_fb_table *out, struct vv_err *err);
VV_MUST_CHECK int vv_fb_read(struct vv_flatbuf *f, uint64_t off, void *dst, size_t len, struct vv_err *err);

#endif
