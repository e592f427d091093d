/* One attribute of an object, and its text: in the message itself or, where it may be of any length, in a global heap. */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

enum { FIXED_TEXT = 3, VARIABLE = 9, IS_TEXT = 1 };

/* Old ones are filled up to eight bytes. */
static int field(struct vv_cursor *c, unsigned version, size_t len, struct vv_span *out)
{
	return vv_take(c, len, out) || (version == 1 && vv_hdf5_skip(c, (8 - len % 8) % 8));
}

int vv_hdf5_attribute_parse(struct vv_span body, struct vv_hdf5_attribute *out, struct vv_err *err)
{
	enum { SHARED_PARTS = 3 };
	struct vv_cursor c = vv_cursor(body);
	struct vv_span space;
	uint16_t name_len, type_len, space_len;
	uint8_t version, flags;

	if (vv_take8(&c, &version) || vv_take8(&c, &flags) || vv_take16(&c, &name_len) || vv_take16(&c, &type_len) ||
		vv_take16(&c, &space_len))
		return vv_fail(err, VV_EFORMAT, "a short attribute");
	if (version < 1 || version > 3 || (version > 1 && flags & SHARED_PARTS))
		return 1;
	if ((version == 3 && vv_hdf5_skip(&c, 1)) || field(&c, version, name_len, &out->name) ||
		field(&c, version, type_len, &out->type) || field(&c, version, space_len, &space))
		return vv_fail(err, VV_EFORMAT, "an attribute past its message");
	out->value = c;
	return 0;
}

bool vv_hdf5_attribute_is(const struct vv_hdf5_attribute *a, const char *name)
{
	size_t n = strlen(name) + 1;

	return a->name.len == n && !memcmp(a->name.ptr, name, n);
}

/* Reads the heap at `addr`, unless it is the one that was read last: many attributes share one. */
static int load_heap(struct vv_hdf5 *h, uint64_t addr, struct vv_err *err)
{
	uint8_t head[8 + 8];
	struct vv_cursor c = vv_cursor(vv_span(head + 8, h->len_width));
	uint64_t len = 0;
	int ret;

	if (h->heap_at == addr && h->heap.len)
		return 0;
	ret = vv_hdf5_peek(h, addr, head, 8 + h->len_width, err);
	if (!ret && (memcmp(head, "GCOL\1", 5) || vv_hdf5_length(h, &c, &len)))
		ret = vv_fail(err, VV_EFORMAT, "no heap of texts at address %" PRIu64, addr);
	if (ret)
		return ret;
	/* Of one that cannot be read nothing stays. */
	vv_buf_clear(&h->heap);
	h->heap_at = addr;
	return vv_hdf5_load(h, addr, len, &h->heap, err);
}

/* The first `len` bytes of the heap's object of that number, in place of what `out` held. */
static int from_heap(struct vv_hdf5 *h, uint64_t addr, uint32_t number, uint64_t len, struct vv_buf *out,
	struct vv_err *err)
{
	struct vv_cursor c;
	struct vv_span s;
	uint64_t n = 0;
	uint16_t found, uses;
	int ret = load_heap(h, addr, err);

	if (ret)
		return ret;
	c = vv_cursor(vv_buf_view(&h->heap));
	if (vv_hdf5_skip(&c, 8 + h->len_width))
		return vv_fail(err, VV_EFORMAT, "a short heap of texts at address %" PRIu64, addr);
	while (!vv_take16(&c, &found) && !vv_take16(&c, &uses) && !vv_hdf5_skip(&c, 4) && !vv_hdf5_length(h, &c, &n) && found &&
		n <= c.left && !vv_take(&c, (size_t)n, &s)) {
		if (found == number && len <= n) {
			vv_buf_add(out, s.ptr, (size_t)len);
			return vv_buf_check(out, err);
		}
		if (found == number || vv_hdf5_skip(&c, (8 - (size_t)n % 8) % 8))
			break;
	}
	return vv_fail(err, VV_EFORMAT, "no text %" PRIu32 " of %" PRIu64 " bytes in the heap at address %" PRIu64, number, len,
		addr);
}

int vv_hdf5_attribute_text(
	struct vv_hdf5 *h, const struct vv_hdf5_attribute *a, struct vv_buf *out, struct vv_err *err)
{
	struct vv_cursor t = vv_cursor(a->type), c = a->value;
	uint32_t head, width, len, number;
	struct vv_span bytes;
	uint64_t addr;

	vv_buf_clear(out);
	if (vv_take32(&t, &head) || vv_take32(&t, &width))
		return vv_fail(err, VV_EFORMAT, "an attribute of a broken type");
	if ((head & 15) == FIXED_TEXT) {
		const uint8_t *nul;

		if (vv_take(&c, width, &bytes))
			return vv_fail(err, VV_EFORMAT, "an attribute past its message");
		/* What follows a NUL is no text. */
		nul = bytes.len ? memchr(bytes.ptr, 0, bytes.len) : NULL;
		vv_buf_add(out, bytes.ptr, nul ? (size_t)(nul - bytes.ptr) : bytes.len);
		return vv_buf_check(out, err);
	}
	if ((head & 15) != VARIABLE || (head >> 8 & 15) != IS_TEXT)
		return 0;
	if (vv_take32(&c, &len) || vv_hdf5_addr(h, &c, &addr) || vv_take32(&c, &number))
		return vv_fail(err, VV_EFORMAT, "an attribute past its message");
	return len ? from_heap(h, addr, number, len, out, err) : 0;
}

int vv_hdf5_says_bf16(struct vv_hdf5 *h, struct vv_span body, bool *is, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_hdf5_attribute a;
	int ret = vv_hdf5_attribute_parse(body, &a, err);

	if (ret > 0 || (!ret && !vv_hdf5_attribute_is(&a, "dtype")))
		return 0;
	if (!ret)
		ret = vv_hdf5_attribute_text(h, &a, &text, err);
	*is |= !ret && vv_span_is(vv_buf_view(&text), "bfloat16");
	vv_buf_release(&text);
	/* What cannot be read says nothing. */
	if (ret != VV_EFORMAT && ret != VV_ELIMIT)
		return ret;
	vv_err_clear(err);
	return 0;
}
