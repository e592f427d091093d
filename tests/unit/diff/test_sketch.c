#include "diff/sketch.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 70000, SMALL = 5000, PAIRS = 400 };

static uint64_t state;

/* Nearly normal, the same on every machine. */
static double normal(void)
{
	double x = 0;

	for (int i = 0; i < 12; i++) {
		state = state * 6364136223846793005 + 1442695040888963407;
		x += (double)(state >> 40) / (1 << 24);
	}
	return x - 6;
}

static void sketch(struct vv_sketcher *k, const double *v, size_t n)
{
	size_t room = (n + VV_SKETCH_SUMS_MAX) / VV_SKETCH_SUMS_MAX * VV_SKETCH_SUMS_MAX;
	double *copy = malloc(room * sizeof(*copy));

	memcpy(copy, v, n * sizeof(*v));
	vv_sketcher_init(k, n);
	vv_sketcher_add(k, copy, n);
	free(copy);
}

static double norm(const double *v, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += v[i] * v[i];
	return sqrt(s);
}

static double row_of[LARGE / 256 + 1], column_of[256];

/* How a fine-tuned tensor may differ: everywhere, in one column, in a few elements, along one direction, by a factor. */
static double change(int how, size_t i, size_t column, double a, double small)
{
	switch (how) {
	case 0:
		return normal() * small;
	case 1:
		return i % 256 == column ? normal() * small : 0;
	case 2:
		return state % 1009 == 0 ? normal() * small : 0;
	case 3:
		return row_of[i / 256] * column_of[i % 256] * small;
	default:
		return a * small;
	}
}

/* The share of estimates that are within one and two standard errors of the truth, and of cosines within two. */
static void coverage(size_t n, int how, double *one, double *two, double *angle)
{
	double *a = calloc(n, sizeof(*a)), *b = calloc(n, sizeof(*b)), *d = calloc(n, sizeof(*d));
	int in_one = 0, in_two = 0, in_cosine = 0;

	for (int p = 0; p < PAIRS; p++) {
		double small = pow(10, -(p % 5)), truth, cosine = 0, wrong;
		struct vv_sketcher x, y;
		struct vv_delta r;

		for (size_t i = 0; i < 256; i++)
			column_of[i] = normal();
		for (size_t i = 0; i <= n / 256; i++)
			row_of[i] = normal();
		for (size_t i = 0; i < n; i++) {
			a[i] = normal();
			d[i] = change(how, i, (size_t)p % 256, a[i], small);
			b[i] = a[i] + d[i];
			cosine += a[i] * b[i];
		}
		sketch(&x, a, n);
		sketch(&y, b, n);
		if (!vv_sketch_delta(&r, &x.s, &y.s)) {
			CHECK(0);
			break;
		}
		truth = norm(d, n) / norm(a, n);
		cosine /= norm(a, n) * norm(b, n);
		wrong = fabs(r.relative - truth);
		in_one += wrong <= r.relative_error;
		in_two += wrong <= 2 * r.relative_error;
		in_cosine += fabs(r.cosine - cosine) <= 2 * r.cosine_error + 1e-12;
	}
	*one = (double)in_one / PAIRS;
	*two = (double)in_two / PAIRS;
	*angle = (double)in_cosine / PAIRS;
	free(a);
	free(b);
	free(d);
}

static void test_coverage(void)
{
	for (int how = 0; how < 5; how++)
		for (int large = 0; large < 2; large++) {
			double one, two, angle;

			state = 1 + (uint64_t)how * 2 + (uint64_t)large;
			coverage(large ? LARGE : SMALL, how, &one, &two, &angle);
			printf("# kind %d, %d elements: %.2f within one error, %.3f within two; cosine %.3f\n", how, large ? LARGE : SMALL, one, two,
				angle);
			/* A normal error has 0.683 and 0.954; over 400 pairs that is give or take 0.025 and 0.01. */
			CHECK(one >= 0.60 && two >= 0.91 && angle >= 0.91);
			CHECK(how || one <= 0.76); /* where elements meet less often it is less */
		}
}

/* By what is known: the same numbers on every machine, and whatever the pieces they come in. */
static void test_fixed(void)
{
	double v[LARGE + VV_SKETCH_SUMS_MAX];
	struct vv_sketcher whole, parts;

	state = 9;
	for (int i = 0; i < LARGE; i++)
		v[i] = floor(normal() * 1000);
	vv_sketcher_init(&parts, LARGE);
	for (int i = 0; i < LARGE; i += 1024) {
		double piece[1024];
		int n = LARGE - i < 1024 ? LARGE - i : 1024;

		memcpy(piece, v + i, (size_t)n * sizeof(*piece));
		vv_sketcher_add(&parts, piece, (size_t)n);
	}
	sketch(&whole, v, LARGE);
	CHECK_INT(whole.s.k, 256);
	CHECK(!memcmp(whole.sums, parts.sums, sizeof(whole.sums)));
	CHECK(whole.s.sum == parts.s.sum && whole.s.squares == parts.s.squares);
	/* Whole numbers: exact sums, in any order. */
	CHECK_INT((long long)whole.sums[0], -20118);
	CHECK_INT((long long)whole.sums[255], -9969);
	sketch(&whole, v, SMALL);
	CHECK_INT(whole.s.k, 64);
	CHECK_INT((long long)whole.sums[63], 2827);
	CHECK_INT(vv_sketch_size(VV_SKETCH_LEAST - 1), 0);
}

static void test_odd(void)
{
	double v[SMALL + VV_SKETCH_SUMS_MAX] = {0}, w[SMALL + VV_SKETCH_SUMS_MAX] = {0};
	struct vv_sketcher a, b;
	struct vv_delta d;

	for (int i = 0; i < SMALL; i++)
		w[i] = v[i] = i % 4;
	sketch(&a, v, SMALL);
	sketch(&b, v, SMALL);
	CHECK(vv_sketch_delta(&d, &a.s, &b.s));
	CHECK(d.estimated && d.relative == 0 && d.relative_error == 0 && d.cosine > 1 - 1e-12);
	CHECK(isnan(d.max_abs) && isnan(d.rank) && d.mean_a == 1.5 && d.zero_a == SMALL / 4);
	CHECK(fabs(d.norm_a - sqrt(3.5 * SMALL)) < 1e-9 && fabs(d.std_b - sqrt(3.5 - 2.25)) < 1e-9);
	w[5] = NAN;
	w[8] = -INFINITY;
	w[4999] = INFINITY;
	sketch(&b, w, SMALL);
	CHECK_INT(b.s.nan, 1);
	CHECK_INT(b.s.inf, 2);
	CHECK_INT(b.s.zero, SMALL / 4 - 1);
	CHECK(!vv_sketch_delta(&d, &a.s, &b.s));
	CHECK(!vv_sketch_delta(&d, &b.s, &a.s));
	for (int i = 0; i < SMALL; i++)
		w[i] = 1e200;
	sketch(&b, w, SMALL);
	CHECK(!vv_sketch_delta(&d, &a.s, &b.s));
	sketch(&b, w, SMALL - 1);
	CHECK(!vv_sketch_delta(&d, &a.s, &b.s));
	memset(w, 0, sizeof(w));
	sketch(&b, w, SMALL);
	CHECK(vv_sketch_delta(&d, &b.s, &a.s));
	CHECK(isinf(d.relative) && isnan(d.cosine));
	CHECK(vv_sketch_delta(&d, &a.s, &b.s));
	/* As long as a itself, as it must be. */
	CHECK(d.relative <= 1 + 1e-12 && d.relative >= 1 - 1e-12);
}

int main(void)
{
	test_coverage();
	test_fixed();
	test_odd();
	return done();
}
