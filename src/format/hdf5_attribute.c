/*
 * The one attribute that says what elements are: Keras stores bfloat16, which HDF5's makers had no name for, as two
 * opaque bytes, and beside them `dtype`, a string. Strings of any length are in a heap that many attributes share.
 */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

enum { MAX_HEAP = 1 << 20 };
static const char wanted[] = "bfloat16";

/* Object `index` of the heap at `addr` is that word. A heap that cannot be read says nothing. */
static int in_heap(struct vv_hdf5 *h, uint64_t addr, uint32_t index, bool *is, struct vv_err *err)
{
	uint8_t head[8 + 8];
	struct vv_cursor c = vv_cursor(vv_span(head + 8, h->len_width));
	struct vv_span s;
	uint64_t len = 0;
	uint16_t number, uses;
	int ret;

	if (addr == VV_HDF5_NONE)
		return 0;
	if (h->heap_at != addr || !h->heap.len) {
		ret = vv_hdf5_peek(h, addr, head, 8 + h->len_width, err);
		if (ret)
			return ret;
		if (memcmp(head, "GCOL\1", 5) || vv_hdf5_length(h, &c, &len) || len > MAX_HEAP || len > h->room)
			return 0;
		h->heap_at = addr;
		ret = vv_hdf5_load(h, addr, len, &h->heap, err);
		if (ret)
			return ret;
	}
	c = vv_cursor(vv_buf_view(&h->heap));
	if (vv_hdf5_skip(&c, 8 + h->len_width))
		return 0;
	while (!vv_take16(&c, &number) && !vv_take16(&c, &uses) && !vv_hdf5_skip(&c, 4) && !vv_hdf5_length(h, &c, &len) &&
		number && len <= c.left && !vv_take(&c, (size_t)len, &s)) {
		if (number == index) {
			*is = vv_span_is(s, wanted);
			return 0;
		}
		if (vv_hdf5_skip(&c, (8 - (size_t)len % 8) % 8))
			return 0;
	}
	return 0;
}

/* Old ones are filled up to eight bytes. */
static int field(struct vv_cursor *c, unsigned version, size_t len, struct vv_span *out)
{
	return vv_take(c, len, out) || (version == 1 && vv_hdf5_skip(c, (8 - len % 8) % 8));
}

int vv_hdf5_says_bf16(struct vv_hdf5 *h, struct vv_span body, bool *is, struct vv_err *err)
{
	enum { STRING = 3, VARIABLE = 9 };
	struct vv_cursor c = vv_cursor(body);
	struct vv_span name, type, space, text;
	uint8_t version, flags, charset;
	uint16_t name_len, type_len, space_len;
	uint32_t len, index;
	uint64_t addr;

	if (vv_take8(&c, &version) || vv_take8(&c, &flags) || vv_take16(&c, &name_len) || vv_take16(&c, &type_len) ||
		vv_take16(&c, &space_len) || (version == 3 && vv_take8(&c, &charset)) || version < 1 || version > 3 ||
		field(&c, version, name_len, &name) || field(&c, version, type_len, &type) ||
		field(&c, version, space_len, &space))
		return 0;
	/* One whose type or shape stands elsewhere is not Keras'. */
	if ((version > 1 && flags) || name.len != 6 || memcmp(name.ptr, "dtype", 6) || type.len < 8)
		return 0;
	if ((type.ptr[0] & 15) == STRING && !vv_take(&c, vv_get32(type.ptr + 4), &text)) {
		*is = text.len >= strlen(wanted) && !memcmp(text.ptr, wanted, strlen(wanted)) &&
			(text.len == strlen(wanted) || !text.ptr[strlen(wanted)]);
		return 0;
	}
	if ((type.ptr[0] & 15) != VARIABLE || vv_take32(&c, &len) || vv_hdf5_addr(h, &c, &addr) || vv_take32(&c, &index) ||
		len != strlen(wanted))
		return 0;
	return in_heap(h, addr, index, is, err);
}
