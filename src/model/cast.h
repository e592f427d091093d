/*
 * A tensor's floats in another type, made while they are read: as floats of another width, or quantised. Everything
 * goes by way of f32, which holds all that can be cast. Rounding is to nearest, ties to even, but where a format's
 * own reference does otherwise.
 */
#ifndef VV_MODEL_CAST_H
#define VV_MODEL_CAST_H

#include "base/buf.h"
#include "base/dtype.h"
#include "base/source.h"
#include "codec/quantize.h"

/* f32, f16, bf16, f8_e4m3 and f8_e5m2: each can be cast to each. */
bool vv_castable(enum vv_dtype dt);
/*
 * `n` elements from `in` to `out`, which do not overlap. As PyTorch of now: what is past
 * f8_e4m3's largest, 448, becomes that, for it has no infinity; f8_e5m2 has.
 */
void vv_cast_elements(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n);

/* Borrows what it reads. */
struct vv_cast {
	struct vv_source base;
	const struct vv_source *in;
	enum vv_dtype from, to;
};
void vv_cast_init(struct vv_cast *c, const struct vv_source *in, enum vv_dtype from, enum vv_dtype to, uint64_t numel);

/*
 * Bytes between -127 and 127 with a scale for each row, the first dimension: x is about q * scale. The scale is the
 * row's largest magnitude / 127, as f32, and q is x / scale, rounded ties to even; a row of zeros has the scale 1.
 */
struct vv_int8 {
	struct vv_source base;
	const struct vv_source *in;
	enum vv_dtype from;
	uint64_t row;         /* elements */
	struct vv_buf scales; /* f32, one a row */
	struct vv_source_mem scale;
};
/* Reads it all, for the scales. VV_ENOTSUP: NaN or an infinity. Released by the caller in any case. */
VV_MUST_CHECK int vv_int8_init(struct vv_int8 *q, const struct vv_source *in, const char *name, enum vv_dtype from,
	uint64_t rows, uint64_t row, struct vv_err *err);
void vv_int8_release(struct vv_int8 *q);

/* ggml's Q8_0: blocks of 32 elements, a scale in f16 and bytes; rounded half away from zero, as its reference does. */
struct vv_q8_0 {
	struct vv_source base;
	const struct vv_source *in;
	enum vv_dtype from;
	const char *name; /* borrowed: reading fails with VV_ENOTSUP at NaN, infinities, and scales past f16 */
};
/* `numel` is a multiple of VV_Q8_0_BLOCK. */
void vv_q8_0_init(struct vv_q8_0 *q, const struct vv_source *in, const char *name, enum vv_dtype from, uint64_t numel);

#endif
