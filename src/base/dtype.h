/*
 * Element types of tensors. The numbers are on disk (packs) and the names are on disk (manifests):
 * neither is ever changed or reused.
 */
#ifndef VV_BASE_DTYPE_H
#define VV_BASE_DTYPE_H

#include "base/compiler.h"
#include "base/span.h"

enum vv_dtype {
	VV_DT_BYTES = 0, /* no elements: text, pickles, directories */
	VV_DT_BOOL = 1,
	VV_DT_U8 = 2,
	VV_DT_I8 = 3,
	VV_DT_U16 = 4,
	VV_DT_I16 = 5,
	VV_DT_U32 = 6,
	VV_DT_I32 = 7,
	VV_DT_U64 = 8,
	VV_DT_I64 = 9,
	VV_DT_F16 = 10,
	VV_DT_BF16 = 11,
	VV_DT_F32 = 12,
	VV_DT_F64 = 13,
	VV_DT_F8_E4M3 = 14,
	VV_DT_F8_E5M2 = 15,
	VV_DT_F8_E8M0 = 16,
	VV_DT_C64 = 17,
	VV_DT_C128 = 18,
	VV_DT_F6_E2M3 = 19,
	VV_DT_F6_E3M2 = 20,
	VV_DT_F4 = 21,
	VV_DT_F8_E4M3FNUZ = 22,
	VV_DT_F8_E5M2FNUZ = 23,
	VV_DT_COUNT
};

enum vv_kind {
	VV_KIND_BYTES,
	VV_KIND_UINT,
	VV_KIND_INT,
	VV_KIND_FLOAT, /* sign, exponent, mantissa from the top bit down */
	VV_KIND_OTHER, /* bytes with a width: compressed by planes, never interpreted */
};

struct vv_dtype_info {
	const char *name;       /* "bf16" */
	uint16_t bits;          /* of one element */
	uint8_t kind;           /* enum vv_kind */
	uint8_t exp, mant;      /* exponent and mantissa bits of VV_KIND_FLOAT */
};

/* Borrowed: a constant. `dt` must be below VV_DT_COUNT. */
const struct vv_dtype_info *vv_dtype_info(enum vv_dtype dt);
/* 1 when no type has that name. */
VV_MUST_CHECK int vv_dtype_find(enum vv_dtype *out, struct vv_span name);
/* Bytes of one element; 1 for the types narrower than a byte. */
unsigned vv_dtype_width(enum vv_dtype dt);
/* Product of `shape` (1 for no dimension) and its size in bytes; 1 on overflow or a broken last byte. */
VV_MUST_CHECK int vv_dtype_bytes(
	enum vv_dtype dt, const uint64_t *shape, unsigned ndim, uint64_t *numel, uint64_t *bytes);
/* One element at `p` as a double (complex: its real part; VV_KIND_OTHER and BYTES: the byte). */
double vv_dtype_value(enum vv_dtype dt, const uint8_t *p);
/* `n` elements as doubles, faster. */
void vv_dtype_values(enum vv_dtype dt, const uint8_t *p, size_t n, double *out);

#endif
