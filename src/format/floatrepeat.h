/*
 * Long runs of numbers that stand in a file twice: what Keras exports as a SavedModel has each variable under two names.
 * Reads the whole file.
 */
#ifndef VV_FORMAT_FLOATREPEAT_H
#define VV_FORMAT_FLOATREPEAT_H

#include "base/err.h"
#include "base/source.h"

/* Ends of repeats are moved inwards to this grid: a byte that is the same by chance, next to one, moves no cut. */
enum { VV_REPEAT_GRID = 4096, VV_REPEAT_LEAST = 64 << 10 /* bytes */ };

/* The bytes of [at, at + len) are those of [from, from + len), which lies before them and in no other repeat. */
struct vv_repeat {
	uint64_t from, at, len;
};

/*
 * All that are told apart by elements of `width` bytes at offsets that are `phase` modulo it, in the file's order,
 * disjoint; `from` and `len` are on the grid, plus the phase. The caller frees *out.
 */
VV_MUST_CHECK int vv_repeats_find(struct vv_repeat **out, size_t *n, const struct vv_source *src, unsigned width,
	unsigned phase, struct vv_err *err);

#endif
