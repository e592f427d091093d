#include "diff/rank.h"

#include "base/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_STEPS = 40,
	LANES = 8, /* independent sums, added in a fixed order */
};
static const double GROWTH = 1e-3; /* of the squared norm: less than this ends the iteration */

static double dot(const float *row, const double *x, size_t n)
{
	double lane[LANES] = {0}, sum = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			lane[k] += (double)row[i + k] * x[i + k];
	for (; i < n; i++)
		sum += (double)row[i] * x[i];
	for (size_t k = 0; k < LANES; k++)
		sum += lane[k];
	return sum;
}

/* Any vector does that is not orthogonal to the first singular one; this one is always the same. */
static void begin(double *x, size_t n)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < n; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		x[i] = (double)(state >> 11) / (double)(UINT64_C(1) << 53) - 0.5;
	}
}

/* Makes it one long; false when it cannot be. */
static bool normalize(double *x, size_t n)
{
	double sum = 0, f;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	if (!(sum > 0) || !isfinite(sum))
		return false;
	f = 1 / sqrt(sum);
	for (size_t i = 0; i < n; i++)
		x[i] *= f;
	return true;
}

/* z = M^T M x; returns ||M x||^2. Each row is read once. */
static double step(const float *m, size_t rows, size_t cols, const double *x, double *z)
{
	double sum = 0;

	memset(z, 0, cols * sizeof(*z));
	for (size_t r = 0; r < rows; r++) {
		const float *row = m + r * cols;
		double t = dot(row, x, cols);
		sum += t * t;
		for (size_t i = 0; i < cols; i++)
			z[i] += t * (double)row[i];
	}
	return sum;
}

int vv_stable_rank(const float *m, size_t rows, size_t cols, double *out, struct vv_err *err)
{
	size_t bytes, side = rows < cols ? rows : cols;
	double frobenius = 0, norm = 0, *x, *z;

	if (vv_mul_over(cols, 2 * sizeof(*x), &bytes))
		return vv_fail_nomem(err);
	x = malloc(bytes ? bytes : 1);
	if (!x)
		return vv_fail_nomem(err);
	z = x + cols;
	for (size_t r = 0; r < rows; r++) {
		for (size_t i = 0; i < cols; i++)
			z[i] = (double)m[r * cols + i];
		frobenius += dot(m + r * cols, z, cols);
	}
	begin(x, cols);
	for (int i = 0; i < MAX_STEPS && frobenius > 0 && normalize(x, cols); i++) {
		double was = norm, *swap = x;
		norm = step(m, rows, cols, x, z);
		x = z;
		z = swap;
		if (i && norm - was <= GROWTH * norm)
			break;
	}
	free(x < z ? x : z);
	/* Rounding must not yield more than there can be, nor less than one. */
	*out = !isfinite(frobenius) ? NAN : norm > 0 ? fmax(1, fmin((double)side, frobenius / norm)) : 0;
	return 0;
}
