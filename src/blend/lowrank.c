#include "blend/lowrank.h"

#include "base/check.h"
#include "blend/math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	SPARE = 16,       /* directions besides those that are wanted: they make the iteration quick */
	MAX_STEPS = 24,
	MAX_SWEEPS = 60,  /* of Jacobi's method: it takes about ten */
	ROWS_AT_ONCE = 64,
	COLS_AT_ONCE = 64,
};

/* Y (rows, k) spans what the matrix makes, Z (cols, k) what it is made from: both row-major. */
struct space {
	const struct vv_matrix *m;
	struct vv_pool *pool;
	size_t k, rank;
	double *y, *z;
	double *turned;        /* k columns of the longer side */
	double *gram, *vectors, *values; /* k * k, k * k, k */
};

static VV_CLONES void add_times(double *restrict out, const double *restrict v, double by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] += by * v[i];
}

/* Y = M Z, some rows. */
static int ahead(void *arg, size_t job, unsigned worker VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	struct space *s = arg;
	size_t end = (job + 1) * ROWS_AT_ONCE < s->m->rows ? (job + 1) * ROWS_AT_ONCE : s->m->rows;

	for (size_t i = job * ROWS_AT_ONCE; i < end; i++) {
		const float *row = s->m->v + i * s->m->cols;
		double *y = s->y + i * s->k;
		memset(y, 0, s->k * sizeof(*y));
		for (size_t c = 0; c < s->m->cols; c++)
			add_times(y, s->z + c * s->k, (double)row[c], s->k);
	}
	return 0;
}

/* Z = M' Y, some columns. */
static int back(void *arg, size_t job, unsigned worker VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	struct space *s = arg;
	size_t first = job * COLS_AT_ONCE, end = first + COLS_AT_ONCE < s->m->cols ? first + COLS_AT_ONCE : s->m->cols;

	memset(s->z + first * s->k, 0, (end - first) * s->k * sizeof(*s->z));
	for (size_t i = 0; i < s->m->rows; i++) {
		const float *row = s->m->v + i * s->m->cols;
		for (size_t c = first; c < end; c++)
			add_times(s->z + c * s->k, s->y + i * s->k, (double)row[c], s->k);
	}
	return 0;
}

static VV_CLONES double dot(const double *a, const double *b, size_t n)
{
	double lane[8] = {0}, sum = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		for (size_t k = 0; k < 8; k++)
			lane[k] += a[i + k] * b[i + k];
	for (size_t k = 0; i < n; i++, k++)
		lane[k] += a[i] * b[i];
	for (size_t k = 0; k < 8; k++)
		sum += lane[k];
	return sum;
}

static void turn(const double *in, size_t rows, size_t cols, double *out)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t c = 0; c < cols; c++)
			out[c * rows + i] = in[i * cols + c];
}

/* Makes the columns of `v` (n, k) units at right angles, each rid of the others twice; one that has nothing left is zeros. */
static void orthonormal(struct space *s, double *v, size_t n)
{
	turn(v, n, s->k, s->turned);
	for (size_t c = 0; c < s->k; c++) {
		double *a = s->turned + c * n, was = sqrt(dot(a, a, n)), size;
		for (int twice = 0; twice < 2; twice++)
			for (size_t b = 0; b < c; b++)
				add_times(a, s->turned + b * n, -dot(a, s->turned + b * n, n), n);
		size = sqrt(dot(a, a, n));
		for (size_t i = 0; i < n; i++)
			a[i] = size > 1e-12 * was ? a[i] / size : 0;
	}
	turn(s->turned, s->k, n, v);
}

/* Y' Y. */
static void find_gram(struct space *s)
{
	size_t n = s->m->rows;

	turn(s->y, n, s->k, s->turned);
	for (size_t a = 0; a < s->k; a++)
		for (size_t b = a; b < s->k; b++)
			s->gram[a * s->k + b] = s->gram[b * s->k + a] = dot(s->turned + a * n, s->turned + b * n, n);
}

/* Rotates rows and columns p and q of the symmetric `a` so that a[p][q] is 0. */
static void rotate(double *a, double *v, size_t n, size_t p, size_t q)
{
	double apq = a[p * n + q], theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
	double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;

	for (size_t i = 0; i < n; i++) {
		double x = a[i * n + p], y = a[i * n + q];
		a[i * n + p] = c * x - s * y;
		a[i * n + q] = s * x + c * y;
	}
	for (size_t i = 0; i < n; i++) {
		double x = a[p * n + i], y = a[q * n + i];
		a[p * n + i] = c * x - s * y;
		a[q * n + i] = s * x + c * y;
	}
	for (size_t i = 0; i < n; i++) {
		double x = v[i * n + p], y = v[i * n + q];
		v[i * n + p] = c * x - s * y;
		v[i * n + q] = s * x + c * y;
	}
}

/* Values and vectors (columns) of the symmetric gram, which is lost, by Jacobi's method; the largest value first. */
static void eigen(struct space *s)
{
	size_t n = s->k;
	double *a = s->gram, *v = s->vectors;

	memset(v, 0, n * n * sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i * n + i] = 1;
	for (int sweep = 0, turned = 1; sweep < MAX_SWEEPS && turned; sweep++) {
		turned = 0;
		for (size_t p = 0; p < n; p++)
			for (size_t q = p + 1; q < n; q++)
				if (fabs(a[p * n + q]) > 1e-14 * sqrt(fabs(a[p * n + p] * a[q * n + q])) && a[p * n + q] != 0) {
					rotate(a, v, n, p, q);
					turned = 1;
				}
	}
	for (size_t i = 0; i < n; i++)
		s->values[i] = a[i * n + i] > 0 ? a[i * n + i] : 0;
	for (size_t i = 0; i < n; i++) {
		size_t best = i;
		for (size_t k = i + 1; k < n; k++)
			best = s->values[k] > s->values[best] ? k : best;
		double x = s->values[i];
		s->values[i] = s->values[best];
		s->values[best] = x;
		for (size_t r = 0; r < n; r++) {
			x = v[r * n + i];
			v[r * n + i] = v[r * n + best];
			v[r * n + best] = x;
		}
	}
}

static double sum_first(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

/* Until the space keeps no more than it did; leaves values, vectors, Z with units, and Y = M Z. */
static int iterate(struct space *s, struct vv_err *err)
{
	size_t ahead_jobs = (s->m->rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
	size_t back_jobs = (s->m->cols + COLS_AT_ONCE - 1) / COLS_AT_ONCE;
	uint64_t stream = vv_random_key(0, "lowrank", 0);
	double last = -1, now;
	int ret = 0;

	for (size_t i = 0; i < s->m->cols * s->k; i++)
		s->z[i] = vv_unit_random(stream, i) - 0.5;
	for (int step = 0; step < MAX_STEPS && !ret; step++, last = now) {
		orthonormal(s, s->z, s->m->cols);
		ret = vv_pool_run(s->pool, ahead_jobs, ahead, s, err);
		if (ret)
			break;
		find_gram(s);
		eigen(s);
		now = sum_first(s->values, s->rank);
		if (now - last <= 1e-6 * now || step + 1 == MAX_STEPS)
			break;
		orthonormal(s, s->y, s->m->rows);
		ret = vv_pool_run(s->pool, back_jobs, back, s, err);
	}
	return ret;
}

/* left = Y V / root, right = root V' Z': the root of each singular value in both. */
static void split(const struct space *s, float *left, float *right)
{
	size_t k = s->k;

	for (size_t r = 0; r < s->rank; r++) {
		double root = sqrt(sqrt(s->values[r]));
		for (size_t i = 0; i < s->m->rows; i++) {
			double sum = 0;
			for (size_t c = 0; c < k; c++)
				sum += s->y[i * k + c] * s->vectors[c * k + r];
			left[i * s->rank + r] = root > 0 ? (float)(sum / root) : 0;
		}
		for (size_t i = 0; i < s->m->cols; i++) {
			double sum = 0;
			for (size_t c = 0; c < k; c++)
				sum += s->z[i * k + c] * s->vectors[c * k + r];
			right[r * s->m->cols + i] = (float)(root * sum);
		}
	}
}

static double squares(const struct vv_matrix *m)
{
	double sum = 0;

	for (size_t i = 0; i < m->rows; i++) {
		double row = 0;
		for (size_t c = 0; c < m->cols; c++)
			row += (double)m->v[i * m->cols + c] * (double)m->v[i * m->cols + c];
		sum += row;
	}
	return sum;
}

int vv_lowrank(const struct vv_matrix *m, size_t rank, struct vv_pool *pool, float *left, float *right, double *kept,
	struct vv_err *err)
{
	size_t side = m->rows < m->cols ? m->rows : m->cols, longer = m->rows + m->cols - side, n;
	struct space s = {.m = m, .pool = pool, .rank = rank};
	double all = squares(m);
	int ret;

	if (!rank || rank > side || rank > VV_MAX_LOWRANK)
		VV_BUG("a rank that the matrix has not");
	s.k = rank + SPARE < side ? rank + SPARE : side;
	if (vv_mul_over(longer, s.k, &n))
		return vv_fail_nomem(err);
	s.y = calloc(m->rows, s.k * sizeof(*s.y));
	s.z = calloc(m->cols, s.k * sizeof(*s.z));
	s.turned = calloc(longer, s.k * sizeof(*s.turned));
	s.gram = calloc(s.k, s.k * sizeof(*s.gram));
	s.vectors = calloc(s.k, s.k * sizeof(*s.vectors));
	s.values = calloc(s.k, sizeof(*s.values));
	ret = s.y && s.z && s.turned && s.gram && s.vectors && s.values ? 0 : vv_fail_nomem(err);
	if (!ret)
		ret = iterate(&s, err);
	if (!ret) {
		split(&s, left, right);
		*kept = all > 0 ? sum_first(s.values, rank) / all : 1;
	}
	free(s.y);
	free(s.z);
	free(s.turned);
	free(s.gram);
	free(s.vectors);
	free(s.values);
	return ret;
}
