/*
 * What is kept of each model's difference to the base: the largest elements, a band of them, or some by chance. Of equal
 * elements the earlier one counts as the larger.
 */
#include "base/check.h"
#include "blend/math.h"
#include "blend/pass.h"

#include <math.h>
#include <stdlib.h>

/* One model's. */
struct mask {
	bool all, none;
	double density, epsilon, scale;
	uint64_t random;             /* the stream of its numbers */
	uint32_t hi, lo;             /* keys of the largest and the smallest that are kept */
	uint64_t skip, keep;         /* of those equal to hi: so many are not; to lo: so many are */
	uint8_t *bits;               /* VV_MASK_RANKED: by element */
};

/* How many equal to the ends came before, in the tensor. */
struct ties {
	uint64_t n[2];
};

struct vv_blend_masks {
	enum vv_blend_masking how;
	size_t n;
	struct mask *of;
	struct ties *before;         /* by block and model; NULL: no ties at an end */
	struct ties *seen;           /* by worker and model */
	double *sums;                /* by block: two of each model */
	uint32_t *keys;              /* a chunk for each worker */
};

static void delta_keys(void *arg VV_UNUSED, const struct vv_blend_job *j VV_UNUSED, const struct vv_blend_piece *p,
	size_t s, uint32_t *key)
{
	vv_blend_key(vv_blend_delta(p, s, p->spare), p->n, key);
}

static VV_CLONES uint64_t count_equal(const uint32_t *key, size_t n, uint32_t to)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += key[i] == to;
	return sum;
}

static void count_ties(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct vv_blend_masks *m = arg;
	uint32_t *key = m->keys + (size_t)p->worker * VV_BLEND_CHUNK;

	for (size_t k = 0; k < m->n; k++) {
		struct ties *t = &m->before[p->block * m->n + k];
		delta_keys(NULL, j, p, k, key);
		t->n[0] += count_equal(key, p->n, m->of[k].hi);
		t->n[1] += count_equal(key, p->n, m->of[k].lo);
	}
}

/* In each block: how many came before it. */
static int find_ties(struct vv_blend_masks *m, struct vv_blend_job *j, struct vv_err *err)
{
	size_t n;
	int ret;

	if (vv_mul_over(j->n_blocks, m->n, &n) || !(m->before = calloc(n, sizeof(*m->before))))
		return vv_fail_nomem(err);
	ret = vv_blend_pass(j, count_ties, m, err);
	for (size_t k = 0; k < m->n && !ret; k++) {
		struct ties sum = {{0, 0}};
		for (size_t b = 0; b < j->n_blocks; b++) {
			struct ties *t = &m->before[b * m->n + k], here = *t;
			*t = sum;
			sum.n[0] += here.n[0];
			sum.n[1] += here.n[1];
		}
	}
	return ret;
}

/* The ranks that model `k` keeps: [top, top + keep). */
static uint64_t wanted(const struct vv_blend_masks *m, const struct vv_blend_job *j, size_t k, uint64_t *top)
{
	const double *p = j->t->in[k].p;
	uint64_t keep = (uint64_t)(p[VV_BP_DENSITY] * (double)j->numel), drop;

	*top = 0;
	if (m->how == VV_MASK_TOP)
		return keep ? keep : 1;
	drop = (uint64_t)(p[VV_BP_GAMMA] * (double)j->numel);
	/* Density comes before gamma. */
	*top = vv_min64(drop, j->numel - keep);
	return keep;
}

static int find_band(struct vv_blend_masks *m, struct vv_blend_job *j, struct vv_err *err)
{
	/* Those that are kept from the very top on have one end. */
	size_t per = m->how == VV_MASK_TOP ? 1 : 2;
	struct vv_blend_rank *ranks = calloc(m->n, per * sizeof(*ranks));
	bool ties = false;
	int ret;

	if (!ranks)
		return vv_fail_nomem(err);
	for (size_t k = 0; k < m->n; k++) {
		uint64_t top, keep = wanted(m, j, k, &top);
		m->of[k].none |= !keep;
		ranks[per * k].rank = keep ? top : 0;
		ranks[per * k + per - 1].rank = keep ? top + keep - 1 : 0;
	}
	ret = vv_blend_find_ranks(j, delta_keys, NULL, ranks, m->n, per, NULL, NULL, err);
	for (size_t k = 0; k < m->n && !ret; k++) {
		const struct vv_blend_rank *hi = &ranks[per * k], *lo = hi + per - 1;
		struct mask *w = &m->of[k];
		w->hi = per == 1 ? UINT32_MAX : hi->key;
		w->skip = per == 1 ? 0 : hi->rank - hi->above;
		w->lo = lo->key;
		w->keep = lo->rank - lo->above + 1;
		ties |= !w->all && (w->skip || w->keep < lo->equal);
	}
	free(ranks);
	return ret || !ties ? ret : find_ties(m, j, err);
}

/* --- by rank within a row --- */

struct ranked {
	double v;
	uint64_t at;
};

static int by_size(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->v < y->v ? -1 : x->v > y->v ? 1 : x->at < y->at ? -1 : 1;
}

/* The larger among the row's, the likelier it is kept. */
static void draw_row(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct vv_blend_masks *m = arg;
	struct ranked *row = (struct ranked *)p->spare;

	for (size_t k = 0; k < m->n; k++) {
		const struct mask *w = &m->of[k];
		if (w->all || w->none)
			continue;
		for (size_t i = 0; i < p->n; i++)
			row[i] = (struct ranked){fabs(p->x[k][i] - p->base[i]), p->at + i};
		qsort(row, p->n, sizeof(*row), by_size);
		for (size_t i = 0; i < p->n; i++) {
			double rank = p->n > 1 ? (double)i / (double)(p->n - 1) : 0.5;
			uint64_t at = row[i].at;
			if (vv_unit_random(w->random, at) < w->density - w->epsilon + rank * 2 * w->epsilon)
				w->bits[at / 8] |= (uint8_t)(1u << at % 8);
		}
	}
	(void)j;
}

static int draw_rows(struct vv_blend_masks *m, struct vv_blend_job *j, struct vv_err *err)
{
	for (size_t k = 0; k < m->n; k++) {
		struct mask *w = &m->of[k];
		if (w->all || w->none)
			continue;
		if (w->density + w->epsilon >= 1 || w->density - w->epsilon <= 0)
			return vv_fail(err, VV_EUSAGE, "density %g with epsilon %g: both sums have to lie between 0 and 1", w->density,
				w->epsilon);
		w->bits = calloc((size_t)(j->numel / 8 + 1), 1);
		if (!w->bits)
			return vv_fail_nomem(err);
	}
	return vv_blend_rows(j, draw_row, m, err);
}

/* --- use --- */

static VV_CLONES void keep_between(const uint32_t *key, size_t n, uint32_t lo, uint32_t hi, double *d)
{
	for (size_t i = 0; i < n; i++)
		d[i] = key[i] >= lo && key[i] <= hi ? d[i] : 0;
}

static void keep_band(struct vv_blend_masks *m, const struct vv_blend_piece *p, size_t k, double *d)
{
	const struct mask *w = &m->of[k];
	uint32_t *key = m->keys + (size_t)p->worker * VV_BLEND_CHUNK;
	struct ties *t = &m->seen[p->worker * m->n + k];
	uint16_t edge[VV_BLEND_CHUNK];
	size_t n = 0;

	vv_blend_key(d, p->n, key);
	keep_between(key, p->n, w->lo, w->hi, d);
	if (!m->before)
		return;
	if (p->at % VV_BLEND_BLOCK == 0)
		*t = m->before[p->block * m->n + k];
	for (size_t i = 0; i < p->n; i++) {
		edge[n] = (uint16_t)i;
		n += (key[i] == w->hi) | (key[i] == w->lo);
	}
	for (size_t e = 0; e < n; e++) {
		size_t i = edge[e];
		bool in = true;
		if (key[i] == w->hi)
			in &= t->n[0]++ >= w->skip;
		if (key[i] == w->lo)
			in &= t->n[1]++ < w->keep;
		d[i] = in ? d[i] : 0;
	}
}

void vv_blend_masks_apply(struct vv_blend_masks *m, const struct vv_blend_job *j VV_UNUSED, const struct vv_blend_piece *p,
	size_t k, double *d)
{
	const struct mask *w = &m->of[k];

	if (m->how == VV_MASK_NONE || w->all)
		return;
	if (w->none) {
		memset(d, 0, p->n * sizeof(*d));
		return;
	}
	if (m->how == VV_MASK_RANDOM)
		for (size_t i = 0; i < p->n; i++)
			d[i] = vv_unit_random(w->random, p->at + i) < w->density ? d[i] : 0;
	else if (m->how == VV_MASK_RANKED)
		for (size_t i = 0; i < p->n; i++)
			d[i] = w->bits[(p->at + i) / 8] >> (p->at + i) % 8 & 1 ? d[i] : 0;
	else
		keep_band(m, p, k, d);
	if (w->scale != 1)
		for (size_t i = 0; i < p->n; i++)
			d[i] *= w->scale;
}

static double sum_abs(const double *v, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += fabs(v[i]);
	return s;
}

static void add_sizes(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct vv_blend_masks *m = arg;
	double *s = m->sums + p->block * 2 * m->n, *d = p->spare;

	for (size_t k = 0; k < m->n; k++) {
		vv_blend_delta(p, k, d);
		s[2 * k] += sum_abs(d, p->n);
		vv_blend_masks_apply(m, j, p, k, d);
		s[2 * k + 1] += sum_abs(d, p->n);
	}
}

/* The sum of sizes is to be what it was. */
static int find_scales(struct vv_blend_masks *m, struct vv_blend_job *j, struct vv_err *err)
{
	double *total = calloc(2 * m->n, sizeof(*total));
	int ret;

	m->sums = calloc(j->n_blocks, 2 * m->n * sizeof(*m->sums));
	ret = total && m->sums ? vv_blend_pass(j, add_sizes, m, err) : vv_fail_nomem(err);
	if (!ret)
		vv_blend_sums(j, m->sums, 2 * m->n, total);
	for (size_t k = 0; k < m->n && !ret; k++)
		if (total[2 * k] >= 1e-7 && total[2 * k + 1] >= 1e-7)
			m->of[k].scale = total[2 * k] / total[2 * k + 1];
	free(total);
	return ret;
}

int vv_blend_masks_make(
	struct vv_blend_masks **out, struct vv_blend_job *j, enum vv_blend_masking how, struct vv_err *err)
{
	struct vv_blend_masks *m = *out = calloc(1, sizeof(*m));
	size_t n = j->t->n;
	bool any = false;
	int ret = 0;

	if (!m)
		return vv_fail_nomem(err);
	*m = (struct vv_blend_masks){how, n, calloc(n, sizeof(*m->of)), NULL, calloc(j->threads, n * sizeof(*m->seen)),
		NULL, malloc((size_t)j->threads * VV_BLEND_CHUNK * sizeof(*m->keys))};
	if (!m->of || !m->seen || !m->keys)
		return vv_fail_nomem(err);
	for (size_t k = 0; k < n; k++) {
		const double *p = j->t->in[k].p;
		m->of[k] = (struct mask){.all = p[VV_BP_DENSITY] >= 1, .none = p[VV_BP_DENSITY] <= 0, .density = p[VV_BP_DENSITY],
			.epsilon = p[VV_BP_EPSILON], .scale = 1, .random = vv_random_key(j->t->seed, j->t->name, k)};
		any |= !m->of[k].all;
	}
	if (how == VV_MASK_NONE || !any)
		return 0;
	if (how == VV_MASK_RANKED)
		ret = draw_rows(m, j, err);
	else if (how != VV_MASK_RANDOM)
		ret = find_band(m, j, err);
	return ret || j->t->p[VV_BP_RESCALE] == 0 ? ret : find_scales(m, j, err);
}

void vv_blend_masks_free(struct vv_blend_masks *m)
{
	if (!m)
		return;
	for (size_t k = 0; m->of && k < m->n; k++)
		free(m->of[k].bits);
	free(m->of);
	free(m->before);
	free(m->seen);
	free(m->sums);
	free(m->keys);
	free(m);
}
