/*
 * A matrix as the product of two thin ones, as near to it as that rank allows (by the Frobenius norm, within a thousandth).
 * The space is found by iteration from numbers of a fixed stream, so that the same matrix gives the same product at any number
 * of threads.
 */
#ifndef VV_BLEND_LOWRANK_H
#define VV_BLEND_LOWRANK_H

#include "base/pool.h"

#include <stdint.h>

enum { VV_MAX_LOWRANK = 4096 };

/* Row-major. Borrowed. */
struct vv_matrix {
	const float *v;
	size_t rows, cols;
};
/*
 * `left` (rows, rank) and `right` (rank, cols) are the caller's; each has the root of every singular value. rank: from 1 to
 * the smaller side, at most VV_MAX_LOWRANK. *kept: the share of the sum of squares that the product has; 1 of a zero matrix.
 */
VV_MUST_CHECK int vv_lowrank(const struct vv_matrix *m, size_t rank, struct vv_pool *pool, float *left, float *right,
	double *kept, struct vv_err *err);

#endif
