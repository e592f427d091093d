/* Shared by the files of codec/ only. The bytes are specified in docs/format/codec.md. */
#ifndef VV_CODEC_INTERNAL_H
#define VV_CODEC_INTERNAL_H

#include "codec/codec.h"

enum {
	UNITS = 2 * VV_BLOCK_ELEMS, /* most numbers in a block: complex elements are two each */
	CLASSES = 8,
	SEGMENT = 64,               /* numbers whose being all equal to the base is one bit */
	LIST_DEPTH = 2,             /* a list's bitmap is a list: so often */
};

/* How the elements of a type are taken apart. */
struct shape {
	unsigned width;     /* bytes of one number */
	unsigned bits;      /* of it that are kept: 8 * width - shift */
	unsigned planes;    /* bytes that `bits` need */
	unsigned exp_shift; /* the base's number >> this, & 255, picks the class */
	bool is_float;      /* sign and magnitude: mapped to order before a difference */
	bool rotate;        /* solo: the sign goes to the end, so that the exponent is a whole byte */
	bool classed;
};
struct shape shape_of(enum vv_dtype dt, unsigned shift);

struct vv_codec {
	void *cctx, *dctx; /* ZSTD_CCtx, ZSTD_DCtx */
	uint8_t *plane[8];       /* UNITS each */
	uint8_t *class;          /* UNITS */
	uint8_t *list[CLASSES];  /* UNITS each */
	uint8_t *bitmap[LIST_DEPTH + 1], *rest[LIST_DEPTH + 1];
	uint8_t *mask;           /* segments: UNITS / SEGMENT / 8 */
	uint8_t *frame;          /* a zstd frame while it is tried */
	size_t frame_cap;
};

/* --- plane.c: numbers to byte planes and back; `n` numbers, `shift` low bits dropped --- */
void split_solo(const struct shape *s, unsigned shift, const uint8_t *raw, size_t n, uint8_t *const *planes);
void merge_solo(const struct shape *s, unsigned shift, uint8_t *raw, size_t n, const uint8_t *const *planes);
void split_delta(const struct shape *s, unsigned shift, const uint8_t *raw, const uint8_t *base, size_t n,
	uint8_t *const *planes);
void merge_delta(const struct shape *s, unsigned shift, uint8_t *raw, const uint8_t *base, size_t n,
	const uint8_t *const *planes);
/* The exponent byte of each number. */
void exponents(const struct shape *s, const uint8_t *raw, size_t n, uint8_t *out);

/* --- entropy.c: one list of bytes --- */
/* Appends the coded list to dst (room for n + 16) and returns its length. `lz`: also try matches. */
size_t list_encode(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool lz, unsigned depth);
/* Reads a coded list of n bytes at *in; returns 1 when it is none. */
int list_decode(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t **in, const uint8_t *end, unsigned depth);
/* General compression of text and the like; 0 when it does not pay. */
size_t text_encode(struct vv_codec *c, uint8_t *dst, size_t cap, struct vv_span raw);
int text_decode(struct vv_codec *c, uint8_t *dst, size_t n, struct vv_span coded);
/* Order-0 bits of a list of n bytes, by a histogram of all of it. */
double list_bits(const uint8_t *s, size_t n);

#endif
