#include "diff/rank.h"

#include "tap.h"

#include <math.h>
#include <stdbool.h>

enum { MANY = 64 * 48 };

static double rank(const float *m, size_t rows, size_t cols)
{
	struct vv_err err = VV_ERR_INIT;
	double r = -1;

	CHECK_OK(vv_stable_rank(m, rows, cols, &r, &err), &err);
	return r;
}

static bool near(double got, double want, double by)
{
	if (fabs(got - want) > by)
		printf("# %.9g, not %.9g\n", got, want);
	return fabs(got - want) <= by;
}

/* Known by hand: of diag(s) it is sum(s^2) / max(s^2). */
static void test_known(void)
{
	static const float zero[6], one[6] = {1, 2, 3, 2, 4, 6}, eye[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
	static const float diag[9] = {3, 0, 0, 0, 2, 0, 0, 0, 1}, single[1] = {-7};
	static const float odd[4] = {1, NAN, 0, 1}, inf[4] = {1, INFINITY, 0, 1};
	static const float tiny[4] = {1e-30f, 0, 0, 1e-30f};

	CHECK(rank(zero, 2, 3) == 0);
	CHECK(rank(zero, 0, 3) == 0);
	CHECK(rank(zero, 3, 0) == 0);
	CHECK(near(rank(one, 2, 3), 1, 1e-6));
	CHECK(near(rank(one, 3, 2), 1.02577, 1e-3));
	CHECK(near(rank(eye, 3, 3), 3, 1e-6));
	CHECK(near(rank(diag, 3, 3), 14.0 / 9, 0.01));
	CHECK(near(rank(single, 1, 1), 1, 0));
	CHECK(isnan(rank(odd, 2, 2)));
	CHECK(isnan(rank(inf, 2, 2)));
	CHECK(near(rank(tiny, 2, 2), 2, 1e-6));
}

/* Noise: numpy's SVD says 15.8437; the iteration may stop a few per cent above, and always at the same number. */
static void test_noise(void)
{
	float m[MANY];
	uint64_t seed = 1;
	double r;

	for (size_t i = 0; i < MANY; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		m[i] = (float)((double)(int32_t)(seed >> 32) / 4294967296.0);
	}
	r = rank(m, 64, 48);
	CHECK(r >= 15.8437 - 0.01 && r < 15.8437 * 1.06);
	CHECK(r == rank(m, 64, 48));
	/* One strong direction in it. */
	for (size_t i = 0; i < MANY; i++)
		m[i] = m[i] / 16 + (float)(i / 48 % 7) * (float)(i % 48 % 5);
	CHECK(near(rank(m, 64, 48), 1.00000, 0.002));
}

int main(void)
{
	test_known();
	test_noise();
	return done();
}
