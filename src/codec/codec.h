/*
 * Coding one block of a tensor: at most VV_BLOCK_ELEMS elements, alone ("solo") or against the same
 * block of a base tensor ("delta"). A block decodes by itself, so blocks are coded in parallel and
 * read at random. Nothing here allocates per block, opens, prints or knows names.
 *
 * The bytes of a block are specified in docs/format/codec.md; measured reasons: docs/internals/codec.md.
 */
#ifndef VV_CODEC_CODEC_H
#define VV_CODEC_CODEC_H

#include "base/dtype.h"
#include "base/err.h"
#include "codec/quantize.h"

enum { VV_BLOCK_ELEMS = 131072, VV_CODEC_CLASSES = 16 };

/* Constant over a tensor: chosen once by the encoder, kept in the object's header for the decoder. */
struct vv_codec_params {
	enum vv_dtype dtype;
	enum vv_qcast qcast;  /* delta: how the base becomes what it resembles; for VV_QCAST_SCALED it is f32 elements */
	enum vv_dtype from;   /* then: the type of the base, for whoever reads it */
	uint8_t shift;        /* low bits that are zero in every element of the tensor (and of its base) */
	uint8_t classes[256]; /* delta: class (< VV_CODEC_CLASSES) of the base's exponent byte; solo: all zero */
};

/* Scratch memory of one thread. */
struct vv_codec;
/* NULL when memory is gone. */
struct vv_codec *vv_codec_new(void);
void vv_codec_free(struct vv_codec *c);

/* Bytes of a full block of this type: VV_BLOCK_ELEMS * width (128 KiB for VV_DT_BYTES). */
size_t vv_block_bytes(enum vv_dtype dt);
/* Most bytes that encoding `raw_bytes` can yield. */
size_t vv_block_bound(size_t raw_bytes);

/*
 * Looks at a sample and fills params. `blocks`/`bases`: `n` sampled stretches of the tensor and the
 * same stretches of its base (bases NULL: solo), of len[i] bytes, whole elements. The shift is only
 * a proposal: vv_block_dead_bits over all blocks must confirm it before it is used. Quantised types need no plan.
 */
void vv_codec_plan(struct vv_codec *c, struct vv_codec_params *params, enum vv_dtype dt,
	const uint8_t *const *blocks, const uint8_t *const *bases, const size_t *len, size_t n);
/* Estimated coded bytes of one stretch under `params`; base NULL: solo. Order-0, no output made. */
size_t vv_codec_cost(struct vv_codec *c, const struct vv_codec_params *params, struct vv_span raw, const uint8_t *base);
/* Number of low bits that are zero in all elements of `raw` (whole elements; the width in bits for all-zero). */
unsigned vv_block_dead_bits(enum vv_dtype dt, struct vv_span raw);

/*
 * Encodes one block into `dst` (room for vv_block_bound). `base` is NULL or raw.len bytes of the base
 * block (for VV_QCAST_SCALED four times as many). Never fails: what does not pay is stored raw. The same
 * input yields the same bytes on every machine and thread count. Returns the coded length.
 */
size_t vv_block_encode(struct vv_codec *c, const struct vv_codec_params *params, uint8_t *dst,
	struct vv_span raw, const uint8_t *base);
/*
 * Decodes to exactly `len` bytes. `coded` may be hostile: VV_ECORRUPT, never a read or write outside.
 * `base` must be given exactly when the block was encoded with one (it reads as many bytes). Callers
 * check the result's hash.
 */
VV_MUST_CHECK int vv_block_decode(struct vv_codec *c, const struct vv_codec_params *params, uint8_t *dst,
	size_t len, struct vv_span coded, const uint8_t *base, struct vv_err *err);

#endif
