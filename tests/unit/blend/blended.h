/* One tensor merged in memory, by method. */
#ifndef VV_TESTS_BLENDED_H
#define VV_TESTS_BLENDED_H

#include "base/check.h"
#include "blend/pass.h"
#include "tap.h"
#include "toy.h"

#include <math.h>

enum { MODELS = 4 };

struct blended {
	struct toy toys[MODELS];
	struct vv_blend_in in[MODELS]; /* the last one may be the base */
	struct vv_blend_tensor t;
	uint8_t *out;
};

static struct vv_err err;

/* `n` models and (based) a base after them, of `rows` rows; doubles that the caller keeps. All parameters are the usual. */
static inline void blended_init(struct blended *b, const char *method, const double *const *x, size_t n, bool based,
	uint64_t rows, uint64_t cols)
{
	uint64_t shape[2] = {rows, cols};

	*b = (struct blended){.t = {.name = "w", .method = vv_blend_find(vv_span_str(method)), .to = VV_DT_F64, .in = b->in, .n = n,
		.seed = 7}};
	for (size_t i = 0; i < n + based; i++) {
		toy_init(&b->toys[i]);
		toy_segment(&b->toys[i], VV_DT_F64, x[i], (size_t)(rows * cols) * 8);
		if (rows > 1)
			toy_view(&b->toys[i], "w", 2, shape, NULL, 0);
		else
			toy_view(&b->toys[i], "w", 1, &cols, NULL, 0);
		toy_done(&b->toys[i]);
		b->in[i] = (struct vv_blend_in){.from = &b->toys[i].v, .file = "toy"};
		for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
			b->t.p[p] = b->in[i].p[p] = vv_blend_usual(b->t.method, p);
	}
	b->t.base = based ? &b->in[n] : NULL;
}

static inline void blended_release(struct blended *b)
{
	for (size_t i = 0; i < MODELS; i++)
		if (b->toys[i].m.format)
			toy_release(&b->toys[i]);
	free(b->out);
}

/* The new tensor; NULL when that fails: `err` says why. */
static inline const double *blended_make(struct blended *b, unsigned threads)
{
	struct vv_pool *pool = vv_pool_new(threads);
	struct vv_blend_job j = {0};
	int ret;

	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_blend_begin(&j, &b->t, pool, &err);
	free(b->out);
	b->out = calloc(j.n_blocks + 1, VV_BLEND_BLOCK * 8);
	if (!ret)
		ret = vv_blend_make(&j, 0, j.n_blocks, b->out, &err);
	vv_blend_end(&j);
	vv_pool_free(pool);
	return ret ? NULL : (const double *)b->out;
}

/* How many of the n numbers are further from those wanted than rounding takes them. */
static inline size_t far_off(const double *got, const double *want, size_t n)
{
	size_t bad = got ? 0 : n;

	for (size_t i = 0; got && i < n; i++)
		if (!(fabs(got[i] - want[i]) <= 1e-7 * (fabs(want[i]) + 1e-3))) {
			printf("# %zu: %.17g, not %.17g\n", i, got[i], want[i]);
			bad++;
		}
	return bad;
}

/* The models of the small cases: what base and changes are added up to. */
static const double BASE[8] = {1, -2, .5, 3, 0, 1, -1, 2};
static const double A[8] = {1.5, -2.25, .5, 4, -1, 1.125, -.25, 2.0625}, B[8] = {1.25, -1.5, 0, 1, 1, 1.375, -1.875, 2.03125},
		    C[8] = {.25, -2.625, 1, 3.1875, .25, 0, .5, 1.5};
static const double *const ABC[] = {A, B, C, BASE};

/* Pseudo-random numbers near 0, the same everywhere. */
static inline double *noise(size_t n, uint64_t seed)
{
	double *v = malloc(n * sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		v[i] = (double)(int64_t)(seed >> 11) / 0x1p52 - 1;
	}
	return v;
}

#endif
