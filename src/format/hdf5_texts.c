/* Attributes that are texts, in an object's header or, where they may be of any length, in a global heap. */
#include "format/hdf5.h"

#include <inttypes.h>

enum { FIXED_TEXT = 3, VARIABLE = 9, IS_TEXT = 1 };

struct wanted {
	struct vv_hdf5_text *texts;
	size_t n;
};

/* Versions 1 pad their parts. */
static size_t padded(unsigned version, uint16_t len)
{
	return version == 1 ? (len + 7u) / 8 * 8 : len;
}

/* The object of that number in a collection, in place of what `out` held. */
static int from_heap(struct vv_hdf5 *h, uint64_t addr, uint32_t number, uint64_t len, struct vv_buf *out,
	struct vv_err *err)
{
	uint8_t head[16];
	size_t prefix = 8 + h->len_width;
	struct vv_cursor c;
	uint64_t size = 0, n = 0, skip;
	int ret = vv_hdf5_peek(h, addr, head, prefix, err);

	if (ret)
		return ret;
	c = vv_cursor(vv_span(head + 8, h->len_width));
	if (memcmp(head, "GCOL\1", 5) || vv_hdf5_length(h, &c, &size))
		return vv_fail(err, VV_EFORMAT, "no heap of texts at address %" PRIu64, addr);
	for (uint64_t at = prefix; size >= prefix && at <= size - prefix; at += skip) {
		ret = vv_hdf5_peek(h, addr + at, head, prefix, err);
		if (ret)
			return ret;
		c = vv_cursor(vv_span(head + 8, h->len_width));
		if (vv_hdf5_length(h, &c, &n) || n > size - at - prefix || !vv_get16(head))
			break;
		skip = prefix + (n + 7) / 8 * 8;
		if (vv_get16(head) == number)
			return len > n ? vv_fail(err, VV_EFORMAT, "a text past its end at address %" PRIu64, addr + at)
				       : vv_hdf5_load(h, addr + at + prefix, len, out, err);
	}
	return vv_fail(err, VV_EFORMAT, "no text %" PRIu32 " in the heap at address %" PRIu64, number, addr);
}

static int read_value(struct vv_hdf5 *h, struct vv_span type, struct vv_cursor *c, struct vv_buf *out, struct vv_err *err)
{
	struct vv_cursor t = vv_cursor(type);
	uint32_t head, width, len, number;
	struct vv_span bytes;
	uint64_t addr;

	if (vv_take32(&t, &head) || vv_take32(&t, &width))
		return vv_fail(err, VV_EFORMAT, "an attribute of a broken type");
	vv_buf_clear(out);
	if ((head & 15) == FIXED_TEXT) {
		if (vv_take(c, width, &bytes))
			return vv_fail(err, VV_EFORMAT, "an attribute past its message");
		vv_buf_span(out, bytes);
		return vv_buf_check(out, err);
	}
	if ((head & 15) != VARIABLE || (head >> 8 & 15) != IS_TEXT)
		return 0;
	if (vv_take32(c, &len) || vv_hdf5_addr(h, c, &addr) || vv_take32(c, &number))
		return vv_fail(err, VV_EFORMAT, "an attribute past its message");
	return len ? from_heap(h, addr, number, len, out, err) : 0;
}

/* Of several texts in one attribute the first. */
static int on_attribute(struct vv_hdf5 *h, struct vv_span body, struct vv_err *err)
{
	enum { SHARED_PARTS = 3 };
	struct wanted *w = h->attribute_ctx;
	struct vv_cursor c = vv_cursor(body);
	struct vv_span name, type, space;
	uint16_t name_len, type_len, space_len;
	uint8_t version, flags;
	int ret = 0;

	if (vv_take8(&c, &version) || vv_take8(&c, &flags) || vv_take16(&c, &name_len) || vv_take16(&c, &type_len) ||
		vv_take16(&c, &space_len))
		return vv_fail(err, VV_EFORMAT, "a short attribute");
	if (version < 1 || version > 3 || (version > 1 && flags & SHARED_PARTS))
		return 0;
	if ((version == 3 && vv_hdf5_skip(&c, 1)) || vv_take(&c, padded(version, name_len), &name) ||
		vv_take(&c, padded(version, type_len), &type) || vv_take(&c, padded(version, space_len), &space))
		return vv_fail(err, VV_EFORMAT, "an attribute past its message");
	for (size_t i = 0; i < w->n && !ret; i++) {
		size_t n = strlen(w->texts[i].name) + 1;
		if (w->texts[i].seen || name_len != n || memcmp(name.ptr, w->texts[i].name, n))
			continue;
		/* Each is looked for once: a heap is searched from its start. */
		w->texts[i].seen = true;
		ret = read_value(h, type, &c, &w->texts[i].text, err);
	}
	return ret;
}

static int no_link(void *ctx VV_UNUSED, struct vv_span body VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return 0;
}

/* What follows a NUL is no text. */
static void cut(struct vv_buf *text)
{
	const uint8_t *nul = text->len ? memchr(text->ptr, 0, text->len) : NULL;

	if (nul)
		text->len = (size_t)(nul - text->ptr);
}

int vv_hdf5_texts(struct vv_hdf5_text *texts, size_t n, const struct vv_source *src, struct vv_err *err)
{
	struct wanted w = {texts, n};
	struct vv_arena arena = {0};
	struct vv_hdf5 h = {0};
	struct vv_hdf5_object o;
	uint64_t root;
	int ret = vv_hdf5_open(&h, src, 0, src->size, &arena, &root, err);

	h.attribute = on_attribute;
	h.attribute_ctx = &w;
	if (!ret)
		ret = vv_hdf5_object(&h, root, &o, no_link, NULL, err);
	for (size_t i = 0; i < n; i++)
		cut(&texts[i].text);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	return ret;
}
