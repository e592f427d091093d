/*
 * Casts of floats to a narrower type, for a tensor whose base is its wider original: the bf16 copy of
 * an fp32 master. Round to nearest, ties to even, as IEEE 754 and the frameworks do; on integers only,
 * so that every machine gives the same bytes. A NaN keeps its sign and the upper bits of its payload,
 * with the highest one set.
 */
#ifndef VV_CODEC_NARROW_H
#define VV_CODEC_NARROW_H

#include "base/dtype.h"

/* f32 to bf16 and f32 to f16. */
bool vv_narrows(enum vv_dtype from, enum vv_dtype to);
/* The type that is cast to `to`; `to` itself when there is none. */
enum vv_dtype vv_wider(enum vv_dtype to);
/* Bytes that as many elements of type vv_wider(to) take; false when `len` is no whole number of elements. */
bool vv_wider_bytes(enum vv_dtype to, uint64_t len, uint64_t *bytes);
/* bf16 and f16 to f32: every value is one of the wider type. */
bool vv_widens(enum vv_dtype from, enum vv_dtype to);
/* `n` elements from `in` to `out`, which do not overlap. */
void vv_widen(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n);
/* The same the other way. */
void vv_narrow_to(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n);
/* Replaces the `n` elements at `p` by their casts, which begin at `p` too. */
void vv_narrow(enum vv_dtype from, enum vv_dtype to, uint8_t *p, size_t n);

#endif
