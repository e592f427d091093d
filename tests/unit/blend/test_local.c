/* What the methods give is as mergekit's of PyPI in double precision. */
#include "blended.h"

struct row {
	const char *method;
	size_t n;
	enum vv_blend_param p;
	double v;
	double want[8];
};

static const struct row rows[] = {
	{"nearswap", 1, VV_BP_T, .25, {1.25, -2.25, 0.5, 3.25, -0.25, 1.125, -0.75, 2.0625}},
	{"sce", 3, VV_BP_SELECT_TOPK, .5, {1, -2, 0.5, 1, 0.72868298860278613, 0, 0.17369808833223455, 2}},
	{"sce", 3, VV_BP_SELECT_TOPK, 1, {1.3272760454687664, -2.4839467005076141, 1, 1, 0.68053028333766563, 0,
		0.21789340101522847, 1.5}},
	{"sce", 3, VV_BP_SELECT_TOPK, 0, {1, -2, .5, 3, 0, 1, -1, 2}},
	{"ram", 3, VV_BP_EPSILON, .4, {0.875, -2.0625, 0.5, 2.5, 0, 0, -0.54166666666666674, 1.5}},
	{"ramplus_tl", 3, VV_BP_EPSILON, .4, {0.875, -2.0625, 0.5, 2.5, 0, -0.02, -0.54166666666666674, 1.49}},
	{"arcee_fusion", 1, VV_BP_T, 0, {1, -2, .5, 3, 0, 1, -1, 2}},
};

static void test_formulas(void)
{
	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const double *in[] = {A, B, C, BASE};
		struct blended b;
		in[r->n] = BASE;
		blended_init(&b, r->method, in, r->n, true, 2, 4);
		b.t.p[r->p] = r->v;
		CHECK_INT(far_off(blended_make(&b, 2), r->want, 8), 0);
		blended_release(&b);
	}
}

/* Against a plain reckoning over several blocks, with ties: how many are taken. */
static void test_fusion(void)
{
	enum { ROWS = 500, COLS = 400, N = ROWS * COLS };
	double *x = noise(N, 1), *base = noise(N, 2);
	const double *const in[] = {x, base};
	struct blended b;
	size_t taken = 0, other = 0;

	/* Half of the rows do not change, and so matter not at all. */
	for (size_t i = 0; i < N; i++)
		x[i] = i / COLS % 2 ? base[i] : x[i];
	blended_init(&b, "arcee_fusion", in, 1, true, ROWS, COLS);
	const double *p = blended_make(&b, 2);
	CHECK(p != NULL);
	for (size_t i = 0; p && i < N; i++) {
		taken += p[i] != base[i];
		other += p[i] != base[i] && p[i] != x[i];
	}
	CHECK(taken > N / 100 && taken < N / 3 && !other);
	blended_release(&b);
	free(x);
	free(base);
}

static void test_threads(void)
{
	static const char *const all[] = {"nearswap", "sce", "ram", "ramplus_tl", "arcee_fusion"};
	enum { ROWS = 600, COLS = 701, N = ROWS * COLS };
	double *x[4];

	for (size_t i = 0; i < 4; i++) {
		x[i] = noise(N, i + 1);
		for (size_t k = 0; k < N; k++)
			x[i][k] = floor(x[i][k] * 4) / 4;
	}
	for (size_t i = 0; i < VV_COUNT(all); i++) {
		size_t n = strchr("na", all[i][0]) ? 1 : 3;
		const double *in[] = {x[0], x[1], x[2], x[3]};
		struct blended b;
		in[n] = x[3];
		blended_init(&b, all[i], in, n, true, ROWS, COLS);
		b.t.p[VV_BP_T] = .1;
		b.t.p[VV_BP_SELECT_TOPK] = .37;
		double *one = malloc(N * sizeof(*one));
		const double *p = blended_make(&b, 1);
		CHECK(p != NULL);
		memcpy(one, p, N * sizeof(*one));
		p = blended_make(&b, 8);
		CHECK(p && !memcmp(one, p, N * sizeof(*one)));
		free(one);
		blended_release(&b);
	}
	for (size_t i = 0; i < 4; i++)
		free(x[i]);
}

int main(void)
{
	test_formulas();
	test_fusion();
	test_threads();
	return done();
}
