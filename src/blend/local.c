/* Methods that choose element by element between a base and what models changed in it. */
#include "base/check.h"
#include "blend/math.h"
#include "blend/pass.h"

#include <math.h>
#include <stdlib.h>

/* --- nearswap --- */

static void nearswap_mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	double t = j->t->p[VV_BP_T];

	for (size_t i = 0; i < p->n; i++) {
		double a = p->base[i], b = p->x[0][i], far = fabs(a - b), w = t / (far < 1e-6 ? 1e-6 : far);
		w = w < 0 ? 0 : w > 1 ? 1 : w;
		out[i] = w * b + (1 - w) * a;
	}
}

/* --- ram --- */

struct ram {
	uint64_t *counts; /* by worker and model: shared, alone */
	double *lambda;   /* by model; NULL: 1 */
};

/* How many changed it. */
static size_t changed(const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < j->t->n; k++)
		n += fabs(p->x[k][i] - p->base[i]) > j->t->p[VV_BP_EPSILON];
	return n;
}

static void ram_mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	const struct ram *r = j->state;

	for (size_t i = 0; i < p->n; i++) {
		size_t n = changed(j, p, i);
		double sum = 0;
		for (size_t k = 0; k < j->t->n; k++) {
			double d = p->x[k][i] - p->base[i];
			if (fabs(d) > j->t->p[VV_BP_EPSILON])
				sum += n > 1 ? d / (double)n : r ? d * r->lambda[k] : d;
		}
		out[i] = p->base[i] + sum;
	}
}

static void ram_count(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct ram *r = arg;
	uint64_t *c = r->counts + (size_t)p->worker * 2 * j->t->n;

	for (size_t i = 0; i < p->n; i++) {
		size_t n = changed(j, p, i);
		for (size_t k = 0; n && k < j->t->n; k++)
			if (fabs(p->x[k][i] - p->base[i]) > j->t->p[VV_BP_EPSILON])
				c[2 * k + (n == 1)]++;
	}
}

static int ram_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct ram *r = j->state = calloc(1, sizeof(*r));
	const double *p = j->t->p;
	int ret;

	if (!r)
		return vv_fail_nomem(err);
	r->counts = calloc(j->threads, 2 * j->t->n * sizeof(*r->counts));
	r->lambda = calloc(j->t->n, sizeof(*r->lambda));
	ret = r->counts && r->lambda ? vv_blend_pass(j, ram_count, r, err) : vv_fail_nomem(err);
	for (size_t k = 0; k < j->t->n && !ret; k++) {
		double shared = 0, alone = 0, rho;
		for (unsigned w = 0; w < j->threads; w++) {
			shared += (double)r->counts[(w * j->t->n + k) * 2];
			alone += (double)r->counts[(w * j->t->n + k) * 2 + 1];
		}
		rho = shared / (alone < p[VV_BP_EPSILON] ? p[VV_BP_EPSILON] : alone);
		r->lambda[k] = 1 + p[VV_BP_R] * (rho > p[VV_BP_ALPHA] ? p[VV_BP_ALPHA] : rho);
	}
	return ret;
}

static void ram_release(struct vv_blend_job *j)
{
	struct ram *r = j->state;

	free(r->counts);
	free(r->lambda);
	free(r);
}

/* --- sce --- */

struct sce {
	bool all, none;
	uint64_t zeros, numel, keep;
	double share;
	struct vv_blend_rank edge; /* the last that is kept */
	uint64_t *ties;            /* by block: so many equal to it came before; NULL: all are kept */
	uint64_t *seen;            /* by worker */
	uint32_t *keys;            /* a chunk for each worker */
	double *sums;              /* by block and model: squares */
	double *w;                 /* by model */
};

/* The variance among models, of each element. */
static void variances(void *arg VV_UNUSED, const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t s VV_UNUSED,
	uint32_t *key)
{
	size_t n = j->t->n;
	double *v = p->spare;

	for (size_t i = 0; i < p->n; i++) {
		double mean = 0, sum = 0;
		for (size_t k = 0; k < n; k++)
			mean += p->x[k][i] - p->base[i];
		mean /= (double)n;
		for (size_t k = 0; k < n; k++) {
			double d = p->x[k][i] - p->base[i] - mean;
			sum += d * d;
		}
		v[i] = sum / (double)n;
	}
	vv_blend_key(v, p->n, key);
}

static void choose_edge(void *arg)
{
	struct sce *s = arg;

	s->keep = (uint64_t)((double)(s->numel - s->zeros) * s->share);
	s->none = !s->keep;
	s->edge.rank = s->keep ? s->keep - 1 : 0;
}

static void count_edge(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct sce *s = arg;
	uint32_t *key = s->keys + (size_t)p->worker * VV_BLEND_CHUNK;

	variances(NULL, j, p, 0, key);
	for (size_t i = 0; i < p->n; i++)
		s->ties[p->block] += key[i] == s->edge.key;
}

static int find_edge(struct sce *s, struct vv_blend_job *j, struct vv_err *err)
{
	int ret = vv_blend_find_ranks(j, variances, s, &s->edge, 1, 1, &s->zeros, choose_edge, err);
	uint64_t sum = 0;

	if (ret || s->none || s->edge.rank - s->edge.above + 1 == s->edge.equal)
		return ret;
	s->ties = calloc(j->n_blocks, sizeof(*s->ties));
	ret = s->ties ? vv_blend_pass(j, count_edge, s, err) : vv_fail_nomem(err);
	for (size_t b = 0; b < j->n_blocks && !ret; b++) {
		uint64_t here = s->ties[b];
		s->ties[b] = sum;
		sum += here;
	}
	return ret;
}

/* The differences that are left, one model after the other. */
static void left(const struct vv_blend_job *j, const struct vv_blend_piece *p, struct sce *s, double *d)
{
	uint32_t *key = s->keys + (size_t)p->worker * VV_BLEND_CHUNK;
	uint64_t *seen = &s->seen[p->worker], keep = s->edge.rank - s->edge.above + 1;

	if (!s->all)
		variances(NULL, j, p, 0, key);
	for (size_t k = 0; k < j->t->n; k++)
		vv_blend_delta(p, k, d + k * p->n);
	if (s->ties && p->at % VV_BLEND_BLOCK == 0)
		*seen = s->ties[p->block];
	for (size_t i = 0; i < p->n && !s->all; i++) {
		bool in = !s->none && key[i] >= s->edge.key;
		if (s->ties && key[i] == s->edge.key)
			in &= (*seen)++ < keep;
		for (size_t k = 0; k < j->t->n && !in; k++)
			d[k * p->n + i] = 0;
	}
}

static void add_squares(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct sce *s = arg;
	double *d = p->spare;

	left(j, p, s, d);
	for (size_t k = 0; k < j->t->n; k++)
		s->sums[p->block * j->t->n + k] += vv_blend_dot(d + k * p->n, d + k * p->n, p->n);
}

static int sce_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct sce *s = j->state = calloc(1, sizeof(*s));
	size_t n = j->t->n;
	double total = 0;
	int ret;

	if (!s)
		return vv_fail_nomem(err);
	s->share = j->t->p[VV_BP_SELECT_TOPK];
	s->all = s->share >= 1;
	s->numel = j->numel;
	s->seen = calloc(j->threads, sizeof(*s->seen));
	s->keys = calloc((size_t)j->threads * VV_BLEND_CHUNK, sizeof(*s->keys));
	s->sums = calloc(j->n_blocks, n * sizeof(*s->sums));
	s->w = calloc(n, sizeof(*s->w));
	ret = s->seen && s->keys && s->sums && s->w ? 0 : vv_fail_nomem(err);
	if (!ret && !s->all)
		ret = find_edge(s, j, err);
	if (!ret)
		ret = vv_blend_pass(j, add_squares, s, err);
	if (ret)
		return ret;
	vv_blend_sums(j, s->sums, n, s->w);
	for (size_t k = 0; k < n; k++) {
		s->w[k] /= (double)j->numel;
		total += s->w[k];
	}
	for (size_t k = 0; k < n; k++)
		s->w[k] = total < 1e-6 ? 1 / (double)n : s->w[k] / total;
	return 0;
}

static void sce_mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	struct sce *s = j->state;
	double *d = p->spare;

	left(j, p, s, d);
	for (size_t i = 0; i < p->n; i++) {
		double vote = 0, sum = 0, w = 0;
		for (size_t k = 0; k < j->t->n; k++)
			vote += d[k * p->n + i];
		for (size_t k = 0; k < j->t->n; k++) {
			double v = d[k * p->n + i];
			if (vote >= 0 ? v > 0 : v < 0) {
				sum += v * s->w[k];
				w += s->w[k];
			}
		}
		out[i] = p->base[i] + sum / (w < 1e-6 ? 1e-6 : w);
	}
}

static void sce_release(struct vv_blend_job *j)
{
	struct sce *s = j->state;

	free(s->ties);
	free(s->seen);
	free(s->keys);
	free(s->sums);
	free(s->w);
	free(s);
}

/* --- arcee_fusion --- */

struct fusion {
	double *far; /* by row: how far its softmax is from the base's */
	uint32_t edge;
};

static double largest(const double *v, size_t n)
{
	double m = v[0];

	for (size_t i = 1; i < n; i++)
		m = v[i] > m ? v[i] : m;
	return m;
}

/* Kullback and Leibler's divergence between the softmax of two rows. */
static void row_far(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct fusion *f = arg;
	double a = largest(p->x[0], p->n), b = largest(p->base, p->n), sa = 0, sb = 0, sum = 0, *ea = p->spare, *eb = ea + p->n;

	for (size_t i = 0; i < p->n; i++) {
		ea[i] = vv_exp(p->x[0][i] - a);
		eb[i] = vv_exp(p->base[i] - b);
		sa += ea[i];
		sb += eb[i];
	}
	for (size_t i = 0; i < p->n; i++) {
		double u = ea[i] / sa + 1e-8, v = eb[i] / sb + 1e-8;
		sum += u * vv_log(u / v);
	}
	f->far[p->at / j->cols] = sum;
}

/* What each element's change matters. A sum that rounding made less than 0 sorts as 0. */
static void matters(const struct fusion *f, const struct vv_blend_job *j, const struct vv_blend_piece *p, double *v)
{
	for (size_t i = 0; i < p->n; i++) {
		double far = f->far[(p->at + i) / j->cols];
		v[i] = fabs(p->x[0][i] - p->base[i]) * (far > 0 ? far : 0);
	}
}

static void fusion_keys(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t s VV_UNUSED, uint32_t *key)
{
	matters(arg, j, p, p->spare);
	vv_blend_key(p->spare, p->n, key);
}

static double value_of(uint32_t key)
{
	float f;

	memcpy(&f, &key, 4);
	return (double)f;
}

static int fusion_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct fusion *f = j->state = calloc(1, sizeof(*f));
	struct vv_blend_rank r[3];
	uint64_t last = j->numel - 1;
	double edge;
	int ret;

	if (!f)
		return vv_fail_nomem(err);
	f->far = calloc(j->rows, sizeof(*f->far));
	ret = f->far ? vv_blend_rows(j, row_far, f, err) : vv_fail_nomem(err);
	for (uint64_t q = 1; q <= 3; q++)
		r[q - 1].rank = last - (last / 4 * q + last % 4 * q / 4);
	if (!ret)
		ret = vv_blend_find_ranks(j, fusion_keys, f, r, 1, 3, NULL, NULL, err);
	if (ret)
		return ret;
	edge = value_of(r[1].key) + 1.5 * (value_of(r[2].key) - value_of(r[0].key));
	vv_blend_key(&edge, 1, &f->edge);
	return 0;
}

static void fusion_mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	const struct fusion *f = j->state;
	uint32_t key[VV_BLEND_CHUNK];

	fusion_keys(j->state, j, p, 0, key);
	for (size_t i = 0; i < p->n; i++)
		out[i] = key[i] >= f->edge ? p->x[0][i] : p->base[i];
}

static void fusion_release(struct vv_blend_job *j)
{
	struct fusion *f = j->state;

	free(f->far);
	free(f);
}

const struct vv_blend_method vv_blend_nearswap = {.name = "nearswap", .summary = "the base, and the other where they are near",
	.base = VV_BLEND_BASE_APART, .min = 1, .max = 1, .params = VV_BP(T), .mix = nearswap_mix};
const struct vv_blend_method vv_blend_ram = {.name = "ram", .summary = "changes of one as they are, of several averaged",
	.base = VV_BLEND_BASE_APART, .min = 1, .params = VV_BP(EPSILON), .epsilon = 1e-5, .mix = ram_mix};
const struct vv_blend_method vv_blend_ramplus_tl = {.name = "ramplus_tl", .summary = "the same, changes of one made larger",
	.base = VV_BLEND_BASE_APART, .min = 1, .params = VV_BP(EPSILON) | VV_BP(R) | VV_BP(ALPHA), .epsilon = 1e-5,
	.prepare = ram_prepare, .mix = ram_mix, .release = ram_release};
const struct vv_blend_method vv_blend_sce = {.name = "sce", .summary = "where models differ most, weighed by how much they changed",
	.base = VV_BLEND_BASE_APART, .min = 1, .params = VV_BP(SELECT_TOPK) | VV_BP(INT8_MASK), .prepare = sce_prepare,
	.mix = sce_mix, .release = sce_release};
const struct vv_blend_method vv_blend_arcee_fusion = {.name = "arcee_fusion", .summary = "the changes that matter most",
	.base = VV_BLEND_BASE_APART, .min = 1, .max = 1, .prepare = fusion_prepare, .mix = fusion_mix, .release = fusion_release};
