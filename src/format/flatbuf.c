#include "format/flatbuf.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>

int vv_fb_init(struct vv_flatbuf *f, const struct vv_source *src, struct vv_err *err)
{
	*f = (struct vv_flatbuf){.src = src, .bytes = malloc((size_t)VV_FB_PAGE * VV_FB_PAGES)};
	return f->bytes ? 0 : vv_fail_nomem(err);
}

void vv_fb_release(struct vv_flatbuf *f)
{
	free(f->bytes);
	f->bytes = NULL;
}

static int check_range(const struct vv_flatbuf *f, uint64_t off, uint64_t len, struct vv_err *err)
{
	if (off <= f->src->size && len <= f->src->size - off)
		return 0;
	return vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes at offset %" PRIu64 " lie past the end (%" PRIu64 ")", len, off,
		f->src->size);
}

int vv_fb_read(struct vv_flatbuf *f, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	uint8_t *to = dst;
	int ret = check_range(f, off, len, err);

	while (len && !ret) {
		uint64_t page = off / VV_FB_PAGE, start = page * VV_FB_PAGE;
		size_t slot = (size_t)(page % VV_FB_PAGES), n = (size_t)vv_min64(len, start + VV_FB_PAGE - off);
		uint8_t *bytes = f->bytes + slot * VV_FB_PAGE;

		if (f->page[slot] != page + 1) {
			f->page[slot] = 0;
			ret = vv_source_read(f->src, start, bytes, (size_t)vv_min64(VV_FB_PAGE, f->src->size - start), err);
			if (ret)
				break;
			f->page[slot] = page + 1;
		}
		memcpy(to, bytes + (off - start), n);
		to += n;
		off += n;
		len -= n;
	}
	return ret;
}

static int number_at(struct vv_flatbuf *f, uint64_t off, unsigned width, uint64_t *out, struct vv_err *err)
{
	uint8_t le[8] = {0};
	int ret = vv_fb_read(f, off, le, width, err);

	if (!ret)
		*out = vv_get64(le);
	return ret;
}

/* Where the offset that stands at `at` leads. */
static int follow(struct vv_flatbuf *f, uint64_t at, uint64_t *to, struct vv_err *err)
{
	uint64_t by = 0;
	int ret = number_at(f, at, 4, &by, err);

	if (ret)
		return ret;
	if (!by)
		return vv_fail(err, VV_EFORMAT, "an offset that leads nowhere at offset %" PRIu64, at);
	if (++f->visits > VV_MAX_FB_VISITS)
		return vv_fail(err, VV_ELIMIT, "more than %d tables and vectors", VV_MAX_FB_VISITS);
	*to = at + by;
	return 0;
}

static int table_at(struct vv_flatbuf *f, uint64_t at, struct vv_fb_table *out, struct vv_err *err)
{
	uint8_t le[4] = {0};
	uint64_t back;
	int ret = vv_fb_read(f, at, le, 4, err);

	if (ret)
		return ret;
	/* A signed distance, counted backwards: modulo 2^64 both signs are one subtraction. */
	back = (uint64_t)(int64_t)(int32_t)vv_get32(le);
	*out = (struct vv_fb_table){.at = at, .vtable = at - back};
	ret = vv_fb_read(f, out->vtable, le, 4, err);
	if (ret)
		return ret;
	out->vlen = vv_get16(le);
	out->len = vv_get16(le + 2);
	if (out->vlen < 4 || out->vlen % 2 || out->len < 4)
		return vv_fail(err, VV_EFORMAT, "a broken table at offset %" PRIu64, at);
	ret = check_range(f, out->vtable, out->vlen, err);
	return ret ? ret : check_range(f, at, out->len, err);
}

int vv_fb_root(struct vv_flatbuf *f, struct vv_fb_table *out, struct vv_err *err)
{
	uint64_t at = 0;
	int ret = follow(f, 0, &at, err);

	return ret ? ret : table_at(f, at, out, err);
}

int vv_fb_field(
	struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width, uint64_t *at, struct vv_err *err)
{
	unsigned entry = 4 + 2 * id;
	uint64_t off = 0;
	int ret = entry + 2 <= t->vlen ? number_at(f, t->vtable + entry, 2, &off, err) : 0;

	if (ret)
		return ret;
	if (off && (off < 4 || off + width > t->len))
		return vv_fail(err, VV_EFORMAT, "field %u outside its table at offset %" PRIu64, id, t->at);
	*at = off ? t->at + off : 0;
	return 0;
}

int vv_fb_number(
	struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width, uint64_t *out, struct vv_err *err)
{
	uint64_t at;
	int ret = vv_fb_field(f, t, id, width, &at, err);

	return ret || !at ? ret : number_at(f, at, width, out, err);
}

int vv_fb_vector(struct vv_flatbuf *f, const struct vv_fb_table *t, unsigned id, unsigned width,
	struct vv_fb_vector *out, struct vv_err *err)
{
	uint64_t at, n = 0;
	int ret = vv_fb_field(f, t, id, 4, &at, err);

	*out = (struct vv_fb_vector){0};
	if (ret || !at)
		return ret;
	ret = follow(f, at, &at, err);
	if (!ret)
		ret = number_at(f, at, 4, &n, err);
	if (!ret)
		ret = check_range(f, at + 4, n * width, err);
	if (!ret)
		*out = (struct vv_fb_vector){at + 4, (uint32_t)n};
	return ret;
}

int vv_fb_element(struct vv_flatbuf *f, const struct vv_fb_vector *v, uint32_t i, unsigned width, uint64_t *out,
	struct vv_err *err)
{
	return number_at(f, v->at + (uint64_t)i * width, width, out, err);
}

int vv_fb_table_in(struct vv_flatbuf *f, const struct vv_fb_vector *v, uint32_t i, struct vv_fb_table *out,
	struct vv_err *err)
{
	uint64_t at = 0;
	int ret = follow(f, v->at + (uint64_t)i * 4, &at, err);

	return ret ? ret : table_at(f, at, out, err);
}
