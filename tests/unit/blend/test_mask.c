#include "blended.h"

#include "blend/math.h"

enum { N = 200001 };

struct kept {
	struct vv_blend_masks *m;
	uint8_t *is; /* by element */
	double *v;
};

static void look(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct kept *k = arg;
	double *d = p->spare;

	vv_blend_delta(p, 0, d);
	vv_blend_masks_apply(k->m, j, p, 0, d);
	for (size_t i = 0; i < p->n; i++) {
		k->is[p->at + i] = d[i] != 0;
		k->v[p->at + i] = d[i];
	}
}

/* Which elements of `x` against 0 are kept. Returns how many. */
static size_t mask(enum vv_blend_masking how, const double *x, size_t n, double density, double gamma, double epsilon,
	struct kept *k)
{
	double *zero = calloc(n, sizeof(*zero));
	const double *const in[] = {x, zero};
	struct blended b;
	struct vv_pool *pool = vv_pool_new(3);
	struct vv_blend_job j = {0};
	size_t count = 0;
	int ret;

	blended_init(&b, "task_arithmetic", in, 1, true, 1, n);
	b.in[0].p[VV_BP_DENSITY] = density;
	b.in[0].p[VV_BP_GAMMA] = gamma;
	b.in[0].p[VV_BP_EPSILON] = epsilon;
	b.t.p[VV_BP_RESCALE] = 0;
	k->is = realloc(k->is, n);
	k->v = realloc(k->v, n * sizeof(double));
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_blend_open(&j, &b.t, pool, &err);
	if (!ret)
		ret = vv_blend_masks_make(&k->m, &j, how, &err);
	if (!ret)
		ret = vv_blend_pass(&j, look, k, &err);
	for (size_t i = 0; i < n && !ret; i++)
		count += k->is[i];
	vv_blend_masks_free(k->m);
	k->m = NULL;
	vv_blend_end(&j);
	vv_pool_free(pool);
	blended_release(&b);
	free(zero);
	return ret ? SIZE_MAX : count;
}

static void test_band(void)
{
	static const double equal[10] = {1, 1, 1, 1, 2, 2, 1, 1, 3, 1}, few[3] = {1, -2, 3};
	struct kept k = {0};
	double *x = noise(N, 3), least = 9;
	size_t n = mask(VV_MASK_TOP, x, N, .3, 0, 0, &k), above = 0;

	CHECK_INT(n, (size_t)(.3 * N));
	for (size_t i = 0; i < N; i++)
		least = k.is[i] && fabs(x[i]) < least ? fabs(x[i]) : least;
	for (size_t i = 0; i < N; i++)
		above += (float)fabs(x[i]) > (float)least && !k.is[i];
	CHECK_INT(above, 0);
	/* Of equals the first ones. */
	CHECK_INT(mask(VV_MASK_TOP, equal, 10, .55, 0, 0, &k), 5);
	CHECK(!memcmp(k.is, (const uint8_t[]){1, 1, 0, 0, 1, 1, 0, 0, 1, 0}, 10));
	CHECK_INT(mask(VV_MASK_BAND, equal, 10, .3, .2, 0, &k), 3);
	CHECK(!memcmp(k.is, (const uint8_t[]){1, 1, 0, 0, 0, 1, 0, 0, 0, 0}, 10));
	CHECK_INT(mask(VV_MASK_BAND, equal, 10, .3, .4, 0, &k), 3);
	CHECK(!memcmp(k.is, (const uint8_t[]){0, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 10));
	/* What rounds to nothing still drops or keeps what it should. */
	CHECK_INT(mask(VV_MASK_BAND, few, 3, .7, .01, 0, &k), 2);
	CHECK(!memcmp(k.is, (const uint8_t[]){0, 1, 1}, 3));
	CHECK_INT(mask(VV_MASK_TOP, few, 3, .1, 0, 0, &k), 1);
	CHECK_INT(mask(VV_MASK_TOP, few, 3, 0, 0, 0, &k), 0);
	CHECK_INT(mask(VV_MASK_TOP, few, 3, 1, 0, 0, &k), 3);
	CHECK_INT(mask(VV_MASK_BAND, few, 3, .9, .9, 0, &k), 2);
	/* All over many blocks alike. */
	for (size_t i = 0; i < N; i++)
		x[i] = i % 3 ? 1 : 2;
	CHECK_INT(mask(VV_MASK_TOP, x, N, .5, 0, 0, &k), N / 2);
	n = 0;
	for (size_t i = 1; i < N; i++)
		n += i % 3 && k.is[i] && i % 3 == 2 && !k.is[i - 1];
	CHECK_INT(n, 0);
	free(x);
	free(k.is);
	free(k.v);
}

static void test_chance(void)
{
	struct kept k = {0};
	double *x = noise(N, 3), low = 0, high = 0;
	size_t n = mask(VV_MASK_RANDOM, x, N, .3, 0, 0, &k), wrong = 0;

	CHECK(n > N * .294 && n < N * .306);
	for (size_t i = 0; i < N; i++)
		wrong += k.is[i] != (vv_unit_random(vv_random_key(7, "w", 0), i) < .3);
	CHECK_INT(wrong, 0);
	/* A row of one tensor: the larger half is kept more often. */
	n = mask(VV_MASK_RANKED, x, N, .5, 0, .2, &k);
	CHECK(n > N * .49 && n < N * .51);
	for (size_t i = 0; i < N; i++) {
		low += fabs(x[i]) < .5 && k.is[i];
		high += fabs(x[i]) >= .5 && k.is[i];
	}
	CHECK(fabs(low / (N / 2) - .4) < .01 && fabs(high / (N / 2) - .6) < .01);
	CHECK_INT(mask(VV_MASK_RANKED, x, N, .1, 0, .2, &k), SIZE_MAX);
	CHECK(err.code == VV_EUSAGE && strstr(err.msg, "density 0.1 with epsilon 0.2"));
	CHECK_INT(mask(VV_MASK_RANKED, x, N, 0, 0, .2, &k), 0);
	CHECK_INT(mask(VV_MASK_NONE, x, 1000, .5, 0, .2, &k), 1000);
	free(x);
	free(k.is);
	free(k.v);
}

int main(void)
{
	test_band();
	test_chance();
	return done();
}
