/* What the methods give is as mergekit's of PyPI in double precision; the last bits of a tie may fall either way. */
#include "blended.h"

struct row {
	const char *method;
	double density[3], gamma[3], lambda;
	int normalize, rescale; /* -1: the method's */
	double want[8];
};

static const struct row rows[] = {
	{"task_arithmetic", {1, 1, 1}, {0}, .7, -1, -1, {1.0175000000000001, -2.1575000000000002, 0.53500000000000003,
		2.9824999999999999, -0.069999999999999993, 0.84250000000000003, -0.50124999999999997, 1.8884375}},
	{"task_arithmetic", {1, 1, 1}, {0}, 1, 1, -1, {1.0208333333333333, -2.1875, 0.54166666666666663, 2.9791666666666665,
		-0.083333333333333329, 0.8125, -0.40625, 1.8671875}},
	{"ties", {.5, .5, .8}, {0}, 1, -1, -1, {0.24999999999999989, -2.625, 1, 1, -1, 0, 0.083333333333333481, 1.5}},
	{"ties", {.5, .5, .8}, {0}, 1, 0, 1, {0.67307692307692313, -2.2724358974358974, 0.71794871794871795, 2.2414285714285715,
		-0.56730769230769229, 0.5641025641025641, 0.079326923076923128, 1.7820512820512819}},
	{"breadcrumbs", {.5, .5, .75}, {.25, .125, .25}, 1, -1, -1, {0.95, -2.225, 0.55, 3.075, 0.4, 1.0625, -0.8875, 1.8}},
	{"breadcrumbs_ties", {.5, .5, .75}, {.25, .125, .25}, 1, -1, -1, {0.7, -2.375, 0.7, 3.075, 0.4, 1.0625, -0.625, 1.8}},
};

static const double w[] = {.5, .3, .4};

static void test_formulas(void)
{
	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct blended b;
		blended_init(&b, r->method, ABC, 3, true, 2, 4);
		b.t.p[VV_BP_LAMBDA] = r->lambda;
		b.t.p[VV_BP_NORMALIZE] = r->normalize < 0 ? b.t.p[VV_BP_NORMALIZE] : r->normalize;
		b.t.p[VV_BP_RESCALE] = r->rescale < 0 ? b.t.p[VV_BP_RESCALE] : r->rescale;
		for (size_t k = 0; k < 3; k++) {
			b.in[k].p[VV_BP_WEIGHT] = w[k];
			b.in[k].p[VV_BP_DENSITY] = r->density[k];
			b.in[k].p[VV_BP_GAMMA] = r->gamma[k];
		}
		CHECK_INT(far_off(blended_make(&b, 2), r->want, 8), 0);
		blended_release(&b);
	}
}

/* Without chance and thinning they are task arithmetic, or its vote. */
static void test_alike(void)
{
	static const char *const plain[] = {"dare_linear", "della_linear", "breadcrumbs"}, *const votes[] = {"dare_ties",
		"breadcrumbs_ties"};
	struct blended a, b;

	blended_init(&a, "task_arithmetic", ABC, 3, true, 2, 4);
	for (size_t i = 0; i < VV_COUNT(plain); i++) {
		blended_init(&b, plain[i], ABC, 3, true, 2, 4);
		CHECK(!far_off(blended_make(&b, 1), blended_make(&a, 1), 8));
		blended_release(&b);
	}
	blended_release(&a);
	blended_init(&a, "ties", ABC, 3, true, 2, 4);
	a.t.p[VV_BP_NORMALIZE] = 0;
	for (size_t i = 0; i < VV_COUNT(votes); i++) {
		blended_init(&b, votes[i], ABC, 3, true, 2, 4);
		CHECK(!far_off(blended_make(&b, 1), blended_make(&a, 1), 8));
		blended_release(&b);
	}
	blended_release(&a);
}

/* Any number of threads gives the same bytes; another seed other ones, where there is chance. */
static void test_threads(void)
{
	static const char *const all[] = {"task_arithmetic", "ties", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties",
		"della", "della_linear"};
	enum { ROWS = 400, COLS = 701, N = ROWS * COLS };
	double *x[4];

	for (size_t i = 0; i < 4; i++) {
		x[i] = noise(N, i + 1);
		/* Coarse numbers: many are equal. */
		for (size_t k = 0; k < N && i % 2; k++)
			x[i][k] = floor(x[i][k] * 16) / 16;
	}
	for (size_t i = 0; i < VV_COUNT(all); i++) {
		struct blended b;
		blended_init(&b, all[i], (const double *const *)x, 3, true, ROWS, COLS);
		for (size_t k = 0; k < 3; k++) {
			b.in[k].p[VV_BP_DENSITY] = .4;
			b.in[k].p[VV_BP_GAMMA] = .1;
		}
		b.t.p[VV_BP_RESCALE] = 1;
		double *one = malloc(N * sizeof(*one));
		const double *p = blended_make(&b, 1);
		CHECK(p != NULL);
		memcpy(one, p, N * sizeof(*one));
		p = blended_make(&b, 8);
		CHECK(p && !memcmp(one, p, N * sizeof(*one)));
		b.t.seed++;
		p = blended_make(&b, 3);
		CHECK(p && !memcmp(one, p, N * sizeof(*one)) == !(all[i][0] == 'd'));
		free(one);
		blended_release(&b);
	}
	for (size_t i = 0; i < 4; i++)
		free(x[i]);
}

int main(void)
{
	test_formulas();
	test_alike();
	test_threads();
	return done();
}
