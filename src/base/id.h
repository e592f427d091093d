/* An object id: the SHA-256 of the raw bytes. Text form: exactly 64 lower-case hex digits. */
#ifndef VV_BASE_ID_H
#define VV_BASE_ID_H

#include "base/compiler.h"
#include "base/span.h"

#define VV_ID_BYTES 32
#define VV_ID_HEX 64

struct vv_id {
	uint8_t b[VV_ID_BYTES];
};

static inline bool vv_id_eq(const struct vv_id *a, const struct vv_id *b)
{
	return !memcmp(a->b, b->b, VV_ID_BYTES);
}

static inline int vv_id_cmp(const struct vv_id *a, const struct vv_id *b)
{
	return memcmp(a->b, b->b, VV_ID_BYTES);
}

/* Nonzero unless `text` is exactly 64 of [0-9a-f]. Every id from outside comes through here. */
VV_MUST_CHECK int vv_id_parse(struct vv_id *out, struct vv_span text);

/* `hex` holds VV_ID_HEX + 1 bytes; returns hex. */
char *vv_id_hex(const struct vv_id *id, char *hex);

#endif
