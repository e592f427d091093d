/*
 * Are these bytes floating-point numbers, and which? Judged from a few hundred bytes of a file that says nothing of
 * itself. When in doubt they are not. The answer is part of what a manifest says of such files: other thresholds
 * are another version of the manifest's format.
 */
#ifndef VV_FORMAT_FLOATSAMPLE_H
#define VV_FORMAT_FLOATSAMPLE_H

#include "base/dtype.h"
#include "base/span.h"

enum { VV_SAMPLE = 512 }; /* bytes that are judged at a time */

enum vv_sample_kind {
	VV_SAMPLE_OTHER, /* no such numbers */
	VV_SAMPLE_PLAIN, /* zeros, or few different bytes: no evidence of anything */
	VV_SAMPLE_HALF,  /* 16 bits: which of two types is a matter of many samples */
	VV_SAMPLE_F32,
	VV_SAMPLE_F64,
};

struct vv_sample {
	uint8_t kind;  /* enum vv_sample_kind */
	uint8_t phase; /* of elements: their offsets modulo their width */
};

/* Of the 16-bit samples that were judged: how many look more like the one type. */
struct vv_sample_votes {
	uint64_t f16, bf16;
};

/* `bytes` begin at `off` in the file. `hint` is tried first; votes are added to. */
struct vv_sample vv_sample_judge(
	struct vv_span bytes, uint64_t off, struct vv_sample hint, struct vv_sample_votes *votes);

#endif
