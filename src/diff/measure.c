/*
 * How far weights moved. All blocks of all pairs are one parallel loop; each block's sums are kept
 * and added up in order afterwards, so the result is the same for any number of threads.
 */
#include "base/check.h"
#include "base/le.h"
#include "diff/diff.h"
#include "model/lineup.h"
#include "diff/rank.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	BLOCK = 131072, /* elements: the store's own grid, so that each of its blocks is decoded once */
	CHUNK = 1024,   /* elements held as doubles */
	LANES = 8,      /* independent sums, added in a fixed order */
	MAX_WIDTH = 8,  /* bytes of the widest number type */
};

struct partial {
	double aa, bb, ab, dd, max, sum_a, sum_b;
	uint32_t changed, nan_a, nan_b, inf_a, inf_b, zero_a, zero_b, flips, finite;
};

struct pair {
	struct vv_diff_item *item;
	struct vv_tensor_source a, b;
	size_t first, n; /* its blocks */
	atomic_bool broken; /* what is packed in the file is not what was claimed of it */
	bool matrix;     /* its rank is wanted */
	float *delta;    /* while its blocks are read; NULL otherwise */
	size_t left;     /* blocks of it that are not in `delta` yet */
	double rank;
};

struct scratch {
	uint8_t a[BLOCK * MAX_WIDTH], b[BLOCK * MAX_WIDTH];
};

struct measure {
	struct pair *pairs;
	size_t n_pairs;
	struct partial *partials;
	size_t n_blocks;
	struct scratch **scratch; /* one for each worker, made when it first works */
	struct vv_progress *prog;
	atomic_size_t done;
	pthread_mutex_t lock; /* of `delta` and `left` in pairs */
};

static bool is_number(enum vv_dtype dt)
{
	unsigned kind = vv_dtype_info(dt)->kind;

	return kind == VV_KIND_UINT || kind == VV_KIND_INT || kind == VV_KIND_FLOAT;
}

bool vv_diff_measurable(const struct vv_diff_item *it)
{
	return (it->kind == VV_DIFF_CHANGED || it->kind == VV_DIFF_RETYPED) &&
		is_number(it->seg_a->seg.dtype) && is_number(it->seg_b->seg.dtype) &&
		vv_same_shape(it->view_a, it->view_b);
}

static uint32_t count_bytes(const uint8_t *a, const uint8_t *b, size_t n, unsigned width)
{
	uint32_t changed = 0;

	switch (width) {
	case 1:
		for (size_t i = 0; i < n; i++)
			changed += a[i] != b[i];
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			changed += vv_get16(a + 2 * i) != vv_get16(b + 2 * i);
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			changed += vv_get32(a + 4 * i) != vv_get32(b + 4 * i);
		break;
	default:
		for (size_t i = 0; i < n; i++)
			changed += vv_get64(a + 8 * i) != vv_get64(b + 8 * i);
	}
	return changed;
}

static uint32_t count_values(const double *a, const double *b, size_t n)
{
	uint32_t changed = 0;

	for (size_t i = 0; i < n; i++)
		changed += a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]));
	return changed;
}

static void count_odd(const double *v, size_t n, uint32_t *nan, uint32_t *inf)
{
	for (size_t i = 0; i < n; i++) {
		*nan += isnan(v[i]) != 0;
		*inf += isinf(v[i]) != 0;
	}
}

struct lanes {
	double aa[LANES], bb[LANES], ab[LANES], dd[LANES], max[LANES], sum_a[LANES], sum_b[LANES];
	int64_t zero_a[LANES], zero_b[LANES], flips[LANES], finite[LANES];
};

/* Sums one chunk; `n` is a multiple of LANES (padded with zeros). Returns whether all was finite. */
static bool add_chunk(struct lanes *l, const double *va, const double *vb, size_t n)
{
	int odd[LANES] = {0}, any = 0;

	for (size_t i = 0; i < n; i += LANES)
		for (size_t k = 0; k < LANES; k++) {
			double a = va[i + k], b = vb[i + k];
			int ok = (fabs(a) <= DBL_MAX) & (fabs(b) <= DBL_MAX);
			a = ok ? a : 0;
			b = ok ? b : 0;
			double d = b - a, ad = fabs(d);
			odd[k] |= !ok;
			l->aa[k] += a * a;
			l->bb[k] += b * b;
			l->ab[k] += a * b;
			l->dd[k] += d * d;
			l->max[k] = ad > l->max[k] ? ad : l->max[k];
		}
	for (size_t k = 0; k < LANES; k++)
		any |= odd[k];
	return !any;
}

/* What is counted, in a loop of its own: together the sums would not fit the registers. */
static void count_chunk(struct lanes *l, const double *va, const double *vb, size_t n)
{
	for (size_t i = 0; i < n; i += LANES)
		for (size_t k = 0; k < LANES; k++) {
			double a = va[i + k], b = vb[i + k];
			int ok = (fabs(a) <= DBL_MAX) & (fabs(b) <= DBL_MAX);
			l->zero_a[k] += a == 0;
			l->zero_b[k] += b == 0;
			l->flips[k] += ((a < 0) & (b > 0)) | ((a > 0) & (b < 0));
			l->finite[k] += ok;
			l->sum_a[k] += ok ? a : 0;
			l->sum_b[k] += ok ? b : 0;
		}
}

static void put_delta(float *out, const double *va, const double *vb, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = isfinite(va[i]) && isfinite(vb[i]) ? (float)(vb[i] - va[i]) : 0;
}

static void add_lanes(struct partial *p, const struct lanes *l, uint32_t padding)
{
	for (size_t k = 0; k < LANES; k++) {
		p->aa += l->aa[k];
		p->bb += l->bb[k];
		p->ab += l->ab[k];
		p->dd += l->dd[k];
		p->max = l->max[k] > p->max ? l->max[k] : p->max;
		p->sum_a += l->sum_a[k];
		p->sum_b += l->sum_b[k];
		p->zero_a += (uint32_t)l->zero_a[k];
		p->zero_b += (uint32_t)l->zero_b[k];
		p->flips += (uint32_t)l->flips[k];
		p->finite += (uint32_t)l->finite[k];
	}
	p->zero_a -= padding;
	p->zero_b -= padding;
	p->finite -= padding;
}

/* `delta`: where the differences go; NULL: nowhere. */
static void measure_block(struct partial *out, const uint8_t *a, enum vv_dtype da, const uint8_t *b,
	enum vv_dtype db, size_t n, float *delta)
{
	unsigned wa = vv_dtype_width(da), wb = vv_dtype_width(db);
	double va[CHUNK], vb[CHUNK];
	struct lanes l = {0};
	struct partial p = {0};
	uint32_t padding = 0;

	if (da == db)
		p.changed = count_bytes(a, b, n, wa);
	for (size_t i = 0; i < n; i += CHUNK) {
		size_t m = n - i < CHUNK ? n - i : CHUNK, padded = (m + LANES - 1) / LANES * LANES;

		vv_dtype_values(da, a + i * wa, m, va);
		vv_dtype_values(db, b + i * wb, m, vb);
		for (size_t k = m; k < padded; k++)
			va[k] = vb[k] = 0;
		padding += (uint32_t)(padded - m);
		if (da != db)
			p.changed += count_values(va, vb, m);
		if (!add_chunk(&l, va, vb, padded)) {
			count_odd(va, m, &p.nan_a, &p.inf_a);
			count_odd(vb, m, &p.nan_b, &p.inf_b);
		}
		count_chunk(&l, va, vb, padded);
		if (delta)
			put_delta(delta + i, va, vb, m);
	}
	add_lanes(&p, &l, padding);
	*out = p;
}

/* --- the rank of a matrix: by whoever reads its last block --- */

/* Room for all differences, made by the first that asks. */
static int open_delta(struct measure *m, struct pair *p, float **out, struct vv_err *err)
{
	int ret = 0;

	*out = NULL;
	if (!p->matrix)
		return 0;
	pthread_mutex_lock(&m->lock);
	if (!p->delta && !(p->delta = malloc((size_t)p->a.t.numel * sizeof(*p->delta))))
		ret = vv_fail_nomem(err);
	*out = p->delta;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static int close_delta(struct measure *m, struct pair *p, struct vv_err *err)
{
	const uint64_t *shape = p->a.t.view->shape;
	bool last;
	int ret;

	if (!p->matrix)
		return 0;
	pthread_mutex_lock(&m->lock);
	last = --p->left == 0;
	pthread_mutex_unlock(&m->lock);
	if (!last)
		return 0;
	ret = vv_stable_rank(p->delta, (size_t)shape[0], (size_t)shape[1], &p->rank, err);
	free(p->delta);
	p->delta = NULL;
	return ret;
}

static struct pair *pair_of(const struct measure *m, size_t block)
{
	size_t lo = 0, hi = m->n_pairs;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->pairs[mid].first <= block)
			lo = mid;
		else
			hi = mid;
	}
	return &m->pairs[lo];
}

static int run_block(void *arg, size_t block, unsigned worker, struct vv_err *err)
{
	struct measure *m = arg;
	struct pair *p = pair_of(m, block);
	enum vv_dtype da = p->a.t.seg->seg.dtype, db = p->b.t.seg->seg.dtype;
	unsigned wa = vv_dtype_width(da), wb = vv_dtype_width(db);
	uint64_t at = (uint64_t)(block - p->first) * BLOCK;
	size_t n = (size_t)vv_min64(BLOCK, p->a.t.numel - at), done;
	struct scratch *s = m->scratch[worker];
	float *delta;
	int ret;

	if (!s)
		s = m->scratch[worker] = malloc(sizeof(*s));
	if (!s)
		return vv_fail_nomem(err);
	ret = vv_source_read(&p->a.base, at * wa, s->a, n * wa, err);
	if (!ret)
		ret = vv_source_read(&p->b.base, at * wb, s->b, n * wb, err);
	if (ret == VV_EFORMAT) {
		vv_err_clear(err);
		atomic_store(&p->broken, true);
		return 0;
	}
	if (!ret)
		ret = open_delta(m, p, &delta, err);
	if (ret)
		return vv_err_in(err, "%s", p->item->name);
	measure_block(&m->partials[block], s->a, da, s->b, db, n, delta ? delta + at : NULL);
	ret = close_delta(m, p, err);
	if (ret)
		return ret;
	done = atomic_fetch_add(&m->done, 1) + 1;
	if (!worker)
		vv_progress(m->prog, "comparing", done, m->n_blocks);
	return 0;
}

static void spread(double sum, double squares, double n, double *mean, double *std)
{
	*mean = sum / n;
	*std = n > 0 ? sqrt(fmax(0, squares / n - *mean * *mean)) : NAN;
}

static void add_up(struct pair *p, const struct partial *parts)
{
	struct vv_delta d = {.numel = p->a.t.numel, .cosine = NAN, .rank = p->matrix ? p->rank : NAN};
	double aa = 0, bb = 0, ab = 0, dd = 0, sum_a = 0, sum_b = 0, n = 0;

	for (size_t i = p->first; i < p->first + p->n; i++) {
		const struct partial *q = &parts[i];
		aa += q->aa;
		bb += q->bb;
		ab += q->ab;
		dd += q->dd;
		d.max_abs = q->max > d.max_abs ? q->max : d.max_abs;
		d.changed += q->changed;
		d.nan_a += q->nan_a;
		d.nan_b += q->nan_b;
		d.inf_a += q->inf_a;
		d.inf_b += q->inf_b;
		d.zero_a += q->zero_a;
		d.zero_b += q->zero_b;
		d.flips += q->flips;
		sum_a += q->sum_a;
		sum_b += q->sum_b;
		n += q->finite;
	}
	d.norm_a = sqrt(aa);
	d.norm_b = sqrt(bb);
	d.norm_delta = sqrt(dd);
	if (d.norm_delta > 0)
		d.relative = d.norm_delta / d.norm_a;
	if (aa > 0 && bb > 0)
		d.cosine = fmin(1, fmax(-1, ab / (d.norm_a * d.norm_b)));
	spread(sum_a, aa, n, &d.mean_a, &d.std_a);
	spread(sum_b, bb, n, &d.mean_b, &d.std_b);
	p->item->delta = d;
	p->item->measured = true;
}

/*
 * An expanded tensor (stride 0) claims more elements than its storage backs: such a claim could keep
 * us busy for years, and says nothing that its storage does not.
 */
static bool backed(const struct vv_tensor *t)
{
	return t->seg->seg.coding || t->len <= t->seg->seg.len;
}

static bool want_rank(const struct vv_tensor *t, unsigned flags)
{
	return t->view->ndim == 2 && t->numel && t->numel <= (flags & VV_MEASURE_RANKS ? VV_RANK_LARGE : VV_RANK_SMALL);
}

static int open_pairs(struct measure *m, struct vv_diff *d, const struct vv_version *a,
	const struct vv_version *b, unsigned flags, struct vv_err *err)
{
	for (size_t i = 0; i < d->n; i++) {
		struct vv_diff_item *it = &d->items[i];
		struct pair *p = &m->pairs[m->n_pairs];
		struct vv_tensor ta, tb;
		int ret;

		if (it->measured || !vv_diff_measurable(it))
			continue;
		ret = vv_tensor_at(&ta, a->m, (size_t)(it->seg_a - a->m->segs),
			(size_t)(it->view_a - it->seg_a->seg.views), err);
		if (!ret)
			ret = vv_tensor_at(&tb, b->m, (size_t)(it->seg_b - b->m->segs),
				(size_t)(it->view_b - it->seg_b->seg.views), err);
		if (ret)
			return ret;
		if (!backed(&ta) || !backed(&tb))
			continue;
		ret = vv_tensor_open(&p->a, a, &ta, err);
		if (ret)
			return ret;
		ret = vv_tensor_open(&p->b, b, &tb, err);
		if (ret) {
			vv_tensor_close(&p->a);
			return ret;
		}
		p->item = it;
		p->first = m->n_blocks;
		if (vv_to_size(vv_div_up(ta.numel, BLOCK), &p->n) || vv_add_over(m->n_blocks, p->n, &m->n_blocks)) {
			vv_tensor_close(&p->a);
			vv_tensor_close(&p->b);
			return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", it->name);
		}
		p->matrix = want_rank(&ta, flags);
		p->left = p->n;
		m->n_pairs++;
	}
	return 0;
}

int vv_diff_measure(struct vv_diff *d, const struct vv_version *a, const struct vv_version *b,
	unsigned flags, struct vv_pool *pool, struct vv_progress *prog, struct vv_err *err)
{
	struct measure m = {.prog = prog, .lock = PTHREAD_MUTEX_INITIALIZER};
	unsigned threads = vv_pool_threads(pool);
	int ret;

	m.pairs = calloc(d->n ? d->n : 1, sizeof(*m.pairs));
	m.scratch = calloc(threads, sizeof(*m.scratch));
	ret = m.pairs && m.scratch ? open_pairs(&m, d, a, b, flags, err) : vv_fail_nomem(err);
	if (!ret) {
		m.partials = calloc(m.n_blocks ? m.n_blocks : 1, sizeof(*m.partials));
		ret = m.partials ? vv_pool_run(pool, m.n_blocks, run_block, &m, err) : vv_fail_nomem(err);
	}
	for (size_t i = 0; i < m.n_pairs; i++) {
		if (!ret && !atomic_load(&m.pairs[i].broken))
			add_up(&m.pairs[i], m.partials);
		vv_tensor_close(&m.pairs[i].a);
		vv_tensor_close(&m.pairs[i].b);
		free(m.pairs[i].delta);
	}
	for (unsigned i = 0; m.scratch && i < threads; i++)
		free(m.scratch[i]);
	free(m.scratch);
	free(m.pairs);
	free(m.partials);
	return ret;
}
