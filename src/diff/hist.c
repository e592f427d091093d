#include "diff/hist.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 131072, CHUNK = 1024 };
static const double DEVIATIONS = 4;

/* A range that is not empty, whatever the numbers are. */
static void set_range(struct vv_bins *h, double lo, double hi)
{
	double least = fmax(fmax(fabs(lo), fabs(hi)) * 1e-6, 1e-300);

	if (!isfinite(lo) || !isfinite(hi)) {
		lo = -1;
		hi = 1;
	}
	if (!(hi - lo > least)) {
		lo -= fmax(fabs(lo) / 10, 1e-30);
		hi += fmax(fabs(hi) / 10, 1e-30);
	}
	h->lo = lo;
	h->hi = hi;
}

static void set_ranges(struct vv_diffhist *out, const struct vv_delta *d)
{
	double mean = d->mean_b - d->mean_a, n = d->numel ? (double)d->numel : 1;
	double deviation = sqrt(fmax(0, d->norm_delta * d->norm_delta / n - mean * mean));
	double far = fmin(d->max_abs, fabs(mean) + DEVIATIONS * deviation);

	set_range(&out->a, fmin(d->mean_a - DEVIATIONS * d->std_a, d->mean_b - DEVIATIONS * d->std_b),
		fmax(d->mean_a + DEVIATIONS * d->std_a, d->mean_b + DEVIATIONS * d->std_b));
	out->b.lo = out->a.lo;
	out->b.hi = out->a.hi;
	set_range(&out->delta, -far, far);
}

static void count(struct vv_bins *h, const double *v, size_t n)
{
	double scale = VV_DIFFHIST_BINS / (h->hi - h->lo);

	for (size_t i = 0; i < n; i++) {
		double at = (v[i] - h->lo) * scale;

		if (at >= 0 && at < VV_DIFFHIST_BINS)
			h->bins[(unsigned)at]++;
		else if (v[i] == h->hi)
			h->bins[VV_DIFFHIST_BINS - 1]++;
		else
			h->outside += isfinite(v[i]) != 0;
	}
}

struct reader {
	struct vv_tensor_source a, b;
	enum vv_dtype da, db;
	uint8_t *mem; /* a block of either */
};

static int add_block(const struct reader *r, struct vv_diffhist *out, uint64_t at, struct vv_err *err)
{
	unsigned wa = vv_dtype_width(r->da), wb = vv_dtype_width(r->db);
	size_t n = (size_t)vv_min64(BLOCK, r->a.t.numel - at);
	uint8_t *b = r->mem + (size_t)BLOCK * wa;
	double va[CHUNK], vb[CHUNK];
	int ret = vv_source_read(&r->a.base, at * wa, r->mem, n * wa, err);

	if (!ret)
		ret = vv_source_read(&r->b.base, at * wb, b, n * wb, err);
	for (size_t i = 0; i < n && !ret; i += CHUNK) {
		size_t m = n - i < CHUNK ? n - i : CHUNK;
		vv_dtype_values(r->da, r->mem + i * wa, m, va);
		vv_dtype_values(r->db, b + i * wb, m, vb);
		count(&out->a, va, m);
		count(&out->b, vb, m);
		for (size_t k = 0; k < m; k++)
			va[k] = vb[k] - va[k];
		count(&out->delta, va, m);
	}
	out->seen += n;
	return ret;
}

static int tensor_of(struct vv_tensor_source *out, const struct vv_version *v, const struct vv_manifest_seg *seg,
	const struct vv_view *view, struct vv_err *err)
{
	struct vv_tensor t;
	int ret = vv_tensor_at(&t, v->m, (size_t)(seg - v->m->segs), (size_t)(view - seg->seg.views), err);

	return ret ? ret : vv_tensor_open(out, v, &t, err);
}

int vv_diffhist_make(struct vv_diffhist *out, const struct vv_diff_item *it, const struct vv_version *a,
	const struct vv_version *b, struct vv_err *err)
{
	struct reader r = {.da = it->seg_a->seg.dtype, .db = it->seg_b->seg.dtype};
	uint64_t blocks, n;
	int ret = tensor_of(&r.a, a, it->seg_a, it->view_a, err);

	*out = (struct vv_diffhist){.seen = 0};
	set_ranges(out, &it->delta);
	if (!ret)
		ret = tensor_of(&r.b, b, it->seg_b, it->view_b, err);
	blocks = vv_div_up(r.a.t.numel, BLOCK);
	n = vv_min64(blocks, VV_DIFFHIST_BLOCKS);
	r.mem = ret ? NULL : malloc((size_t)BLOCK * (vv_dtype_width(r.da) + vv_dtype_width(r.db)));
	if (!ret && !r.mem)
		ret = vv_fail_nomem(err);
	for (uint64_t i = 0; i < n && !ret; i++)
		ret = add_block(&r, out, i * blocks / n * BLOCK, err);
	free(r.mem);
	vv_tensor_close(&r.a);
	vv_tensor_close(&r.b);
	return ret;
}
