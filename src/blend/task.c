/* Methods that add up what each model changed in the base, thinned out first, and perhaps only where signs agree. */
#include "blend/pass.h"

#include <math.h>
#include <stdlib.h>

struct task {
	struct vv_blend_masks *masks;
	bool agree;
	double divide; /* when signs need not agree */
};

static int make(struct vv_blend_job *j, enum vv_blend_masking how, bool agree, struct vv_err *err)
{
	struct task *t = j->state = calloc(1, sizeof(*t));

	if (!t)
		return vv_fail_nomem(err);
	t->agree = agree;
	for (size_t k = 0; k < j->t->n; k++)
		t->divide += j->t->in[k].p[VV_BP_WEIGHT];
	if (fabs(t->divide) < 1e-8 || j->t->p[VV_BP_NORMALIZE] == 0)
		t->divide = 1;
	return vv_blend_masks_make(&t->masks, j, how, err);
}

static void release(struct vv_blend_job *j)
{
	struct task *t = j->state;

	vv_blend_masks_free(t->masks);
	free(t);
}

/*
 * `d`: the weighted differences of each model, one after the other. Leaves in `sum` those of the sign that outweighs;
 * `vote` and `weight` have room for n.
 */
static VV_CLONES void agree(const struct vv_blend_job *j, const double *restrict d, size_t n, double *restrict sum,
	double *restrict vote, double *restrict weight)
{
	size_t models = j->t->n;

	for (size_t i = 0; i < n; i++)
		vote[i] = sum[i] = weight[i] = 0;
	for (size_t k = 0; k < models; k++)
		for (size_t i = 0; i < n; i++)
			vote[i] += d[k * n + i];
	for (size_t k = 0; k < models; k++) {
		const double *v = d + k * n;
		double w = j->t->in[k].p[VV_BP_WEIGHT];
		for (size_t i = 0; i < n; i++) {
			bool up = vote[i] >= 0, same = (up & (v[i] > 0)) | (!up & (v[i] < 0));
			sum[i] += same ? v[i] : 0;
			weight[i] += same ? w : 0;
		}
	}
	if (j->t->p[VV_BP_NORMALIZE] != 0)
		for (size_t i = 0; i < n; i++)
			sum[i] = weight[i] != 0 ? sum[i] / weight[i] : sum[i];
}

static VV_CLONES void times(double *v, double by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] *= by;
}

static VV_CLONES void add(double *sum, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += v[i];
}

static VV_CLONES void on_top(double *v, const double *base, double lambda, double divide, size_t n)
{
	if (divide != 1)
		for (size_t i = 0; i < n; i++)
			v[i] /= divide;
	for (size_t i = 0; i < n; i++)
		v[i] = base[i] + lambda * v[i];
}

static void mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	const struct task *t = j->state;
	double *d = p->spare;
	size_t n = p->n, models = j->t->n;

	if (!t->agree)
		memset(out, 0, n * sizeof(*out));
	for (size_t k = 0; k < models; k++) {
		double *dk = t->agree ? d + k * n : d;

		vv_blend_delta(p, k, dk);
		vv_blend_masks_apply(t->masks, j, p, k, dk);
		times(dk, j->t->in[k].p[VV_BP_WEIGHT], n);
		if (!t->agree)
			add(out, dk, n);
	}
	/* There is a base: it leaves room for two more. */
	if (t->agree)
		agree(j, d, n, out, d + models * n, d + (models + 1) * n);
	on_top(out, p->base, j->t->p[VV_BP_LAMBDA], t->agree ? 1 : t->divide, n);
}

#define METHOD(id, what, more, norm, scale, mask, signs)                                                              \
	static int id##_prepare(struct vv_blend_job *j, struct vv_err *err)                                              \
	{                                                                                                                \
		return make(j, mask, signs, err);                                                                           \
	}                                                                                                                \
	const struct vv_blend_method vv_blend_##id = {.name = #id, .summary = (what), .base = VV_BLEND_BASE_APART, .min = 1, \
		.params = VV_BP(WEIGHT) | VV_BP(LAMBDA) | VV_BP(NORMALIZE) | VV_BP(INT8_MASK) | VV_BP(RESCALE) | VV_BP(DENSITY) | \
			(more),                                                                                                  \
		.normalize = (norm), .rescale = (scale), .epsilon = 0.15, .prepare = id##_prepare, .mix = mix, .release = release}

METHOD(task_arithmetic, "the base and what each changed", 0, 0, 0, VV_MASK_NONE, false);
METHOD(ties, "the largest changes, where signs agree", 0, 1, 0, VV_MASK_TOP, true);
METHOD(dare_linear, "changes kept by chance, scaled up", 0, 0, 1, VV_MASK_RANDOM, false);
METHOD(dare_ties, "the same where signs agree", 0, 0, 1, VV_MASK_RANDOM, true);
METHOD(breadcrumbs, "changes neither the largest nor the smallest", VV_BP(GAMMA), 0, 0, VV_MASK_BAND, false);
METHOD(breadcrumbs_ties, "the same where signs agree", VV_BP(GAMMA), 0, 0, VV_MASK_BAND, true);
METHOD(della, "large changes likelier kept, where signs agree", VV_BP(EPSILON), 1, 1, VV_MASK_RANKED, true);
METHOD(della_linear, "the same wherever signs are", VV_BP(EPSILON), 0, 1, VV_MASK_RANKED, false);
