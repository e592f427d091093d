/*
 * Quantised copies of floats, for a tensor whose base is what it was made from: the int8 copy of an f32
 * checkpoint. IEEE 754's division and rounding only, so that every machine gives the same bytes.
 */
#ifndef VV_CODEC_QUANTIZE_H
#define VV_CODEC_QUANTIZE_H

#include "base/dtype.h"

/* Numbers in a record's tail: never reused. */
enum vv_qcast {
	VV_QCAST_NONE = 0,
	VV_QCAST_SCALED = 1, /* i8: x / scale, where one scale serves a run of elements; its blocks say which */
	VV_QCAST_Q8_0 = 2,   /* u8: ggml's Q8_0, which follows from the floats alone */
	VV_QCAST_COUNT
};
enum { VV_Q8_0_BLOCK = 32, VV_Q8_0_BYTES = 34 };

/* How `to_len` bytes of type `to` may have been made from `from_len` of type `from`: f32, f16 or bf16. */
enum vv_qcast vv_quantizes(enum vv_dtype from, uint64_t from_len, enum vv_dtype to, uint64_t to_len);
/* Of how many bytes of type `from` may `len` be made? False: of none. */
bool vv_quant_original(enum vv_qcast q, enum vv_dtype from, enum vv_dtype to, uint64_t len, uint64_t *bytes);
/*
 * One block of Q8_0 as ggml's reference makes it, ties away from zero: a scale in f16, the largest magnitude / 127,
 * and VV_Q8_0_BLOCK bytes. What is not finite, or has no finite scale, gives bytes of no meaning, always the same.
 */
void vv_q8_0_block(const float *x, uint8_t *out);
/* x / scale to the nearest whole number, ties to even, of -128 to 127; 0 for a NaN. scale > 0. */
static inline int8_t vv_quantize(float x, float scale)
{
	float y = x / scale;

	y = y > 127 ? 127 : y < -128 ? -128 : y;
	/* What is added leaves no bits below the point. */
	return y == y ? (int8_t)((y + 12582912.0f) - 12582912.0f) : 0;
}

#endif
