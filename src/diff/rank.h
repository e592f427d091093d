/* How many directions a change really has. */
#ifndef VV_DIFF_RANK_H
#define VV_DIFF_RANK_H

#include "base/err.h"

#include <stddef.h>

/*
 * The stable (numerical) rank ||M||_F^2 / ||M||_2^2 of a row-major matrix: 1 for a rank-one change, near the smaller side
 * for noise, never above the rank. M. Rudelson and R. Vershynin, "Sampling from large matrices", J. ACM 54(4), 2007.
 * The spectral norm comes from a power iteration with a fixed start, summed in a fixed order and stopped when it grows
 * by less than 0.1 %: a lower bound, so the rank is at most a few per cent too high. 0 for a matrix of zeros; NaN when
 * an element is not finite.
 */
VV_MUST_CHECK int vv_stable_rank(const float *m, size_t rows, size_t cols, double *out, struct vv_err *err);

#endif
