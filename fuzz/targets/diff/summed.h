/* Files that end with their SHA-256: as they come, and with a sum that is right, so that what lies behind it is reached. */
#ifndef VV_FUZZ_SUMMED_H
#define VV_FUZZ_SUMMED_H

#include "base/buf.h"
#include "hash/sha256.h"

static inline void load_summed(const uint8_t *data, size_t size, void (*load)(struct vv_span text))
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_id sum;

	load(vv_span(data, size));
	if (size >= VV_ID_BYTES) {
		vv_buf_add(&b, data, size);
		vv_sha256(vv_span(b.ptr, size - VV_ID_BYTES), &sum);
		memcpy(b.ptr + size - VV_ID_BYTES, sum.b, VV_ID_BYTES);
		load(vv_buf_view(&b));
	}
	vv_buf_release(&b);
}

#endif
