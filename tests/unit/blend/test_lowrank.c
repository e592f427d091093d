#include "blend/lowrank.h"

#include "blended.h"

/* The distance from a product, as a share of the matrix; squares. */
static double lost(const struct vv_matrix *m, size_t rank, const float *left, const float *right)
{
	double far = 0, all = 0;

	for (size_t i = 0; i < m->rows; i++)
		for (size_t c = 0; c < m->cols; c++) {
			double v = (double)m->v[i * m->cols + c], sum = 0;
			for (size_t r = 0; r < rank; r++)
				sum += (double)left[i * rank + r] * (double)right[r * m->cols + c];
			far += (v - sum) * (v - sum);
			all += v * v;
		}
	return all > 0 ? far / all : 0;
}

/* A matrix of `of` directions that weigh 1, 1/2, 1/3, ..., plus noise. */
static float *matrix(size_t rows, size_t cols, size_t of, double noisy)
{
	float *v = calloc(rows * cols, sizeof(*v));
	double *u = noise(rows * of + 1, 1), *w = noise(cols * of + 1, 2), *e = noise(rows * cols, 3);

	for (size_t i = 0; i < rows; i++)
		for (size_t c = 0; c < cols; c++) {
			double sum = noisy * e[i * cols + c];
			for (size_t r = 0; r < of; r++)
				sum += u[i * of + r] * w[c * of + r] / (double)(r + 1);
			v[i * cols + c] = (float)sum;
		}
	free(u);
	free(w);
	free(e);
	return v;
}

static void test_exact(void)
{
	static const struct {
		size_t rows, cols, of, rank;
	} cases[] = {{70, 130, 5, 5}, {130, 70, 5, 8}, {1, 9, 1, 1}, {9, 1, 1, 1}, {20, 20, 20, 20}, {200, 65, 3, 3}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		size_t rows = cases[i].rows, cols = cases[i].cols, rank = cases[i].rank;
		float *v = matrix(rows, cols, cases[i].of, 0), *left[2], *right[2];
		struct vv_matrix m = {v, rows, cols};
		double kept = 0;

		for (unsigned t = 0; t < 2; t++) {
			struct vv_pool *pool = vv_pool_new(1 + 2 * t);
			left[t] = calloc(rows, rank * sizeof(float));
			right[t] = calloc(cols, rank * sizeof(float));
			CHECK_OK(vv_lowrank(&m, rank, pool, left[t], right[t], &kept, &err), &err);
			CHECK(lost(&m, rank, left[t], right[t]) < 1e-9 && fabs(kept - 1) < 1e-6);
			vv_pool_free(pool);
		}
		CHECK(!memcmp(left[0], left[1], rows * rank * sizeof(float)) && !memcmp(right[0], right[1], cols * rank * sizeof(float)));
		for (unsigned t = 0; t < 2; t++) {
			free(left[t]);
			free(right[t]);
		}
		free(v);
	}
}

/* What it says it keeps is what it keeps, and more rank keeps more; a matrix of known values. */
static void test_kept(void)
{
	enum { ROWS = 90, COLS = 60 };
	float *v = matrix(ROWS, COLS, 12, .3), left[ROWS * 16], right[COLS * 16], d[36] = {0};
	struct vv_matrix m = {v, ROWS, COLS}, diagonal = {d, 6, 6};
	struct vv_pool *pool = vv_pool_new(2);
	double kept, last = 0;

	for (size_t rank = 1; rank <= 16; rank *= 2) {
		CHECK_OK(vv_lowrank(&m, rank, pool, left, right, &kept, &err), &err);
		CHECK(fabs(1 - kept - lost(&m, rank, left, right)) < 1e-5 && kept > last);
		last = kept;
	}
	for (size_t i = 0; i < 6; i++)
		d[7 * i] = (float)(6 - i);
	CHECK_OK(vv_lowrank(&diagonal, 2, pool, left, right, &kept, &err), &err);
	CHECK(fabs(kept - 61.0 / 91) < 1e-6);
	vv_pool_free(pool);
	free(v);
}

static void test_zero(void)
{
	float v[12] = {0}, left[4], right[3];
	struct vv_matrix m = {v, 4, 3};
	struct vv_pool *pool = vv_pool_new(1);
	double kept = 0, sum = 0;

	CHECK_OK(vv_lowrank(&m, 1, pool, left, right, &kept, &err), &err);
	for (size_t i = 0; i < 4; i++)
		sum += fabs((double)left[i]);
	for (size_t i = 0; i < 3; i++)
		sum += fabs((double)right[i]);
	CHECK(kept == 1 && sum == 0);
	vv_pool_free(pool);
}

int main(void)
{
	test_exact();
	test_kept();
	test_zero();
	return done();
}
