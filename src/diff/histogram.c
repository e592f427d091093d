#include "diff/histogram.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

struct reader {
	const struct vv_version *v;
	double *values;
	uint8_t *bytes;
	size_t n;       /* finite values */
	bool whole;     /* all are of integer types */
	uint64_t block, step; /* the number of the block that comes next, and how many lie between two that are read */
	struct vv_histogram *h;
	struct vv_err *err;
};

/* False for what has no values, or claims more of them than there are bytes. */
static bool tensor_of(const struct vv_version *v, const struct vv_described_tensor *d, struct vv_tensor *t)
{
	unsigned kind = vv_dtype_info(d->seg->seg.dtype)->kind;
	struct vv_err none = VV_ERR_INIT;

	if (d->shared || (kind != VV_KIND_UINT && kind != VV_KIND_INT && kind != VV_KIND_FLOAT))
		return false;
	return !vv_tensor_at(t, v->m, (size_t)(d->seg - v->m->segs), (size_t)(d->view - d->seg->seg.views), &none) &&
		(d->seg->seg.coding || t->len <= d->seg->seg.len);
}

static void add_values(struct reader *r, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		r->h->nan += isnan(v[i]) != 0;
		r->h->inf += isinf(v[i]) != 0;
		if (isfinite(v[i]))
			r->values[r->n++] = v[i];
	}
	r->h->seen += n;
}

static int read_tensor(struct reader *r, const struct vv_tensor *t)
{
	enum vv_dtype dt = t->seg->seg.dtype;
	unsigned width = vv_dtype_width(dt);
	struct vv_tensor_source s = {0};
	int ret = vv_tensor_open(&s, r->v, t, r->err);

	for (uint64_t at = 0; at < t->numel && !ret; at += VV_HIST_BLOCK) {
		size_t n = (size_t)vv_min64(VV_HIST_BLOCK, t->numel - at);
		double chunk[1024];

		if (r->block++ % r->step)
			continue;
		ret = vv_source_read(&s.base, at * width, r->bytes, n * width, r->err);
		for (size_t i = 0; i < n && !ret; i += VV_COUNT(chunk)) {
			size_t m = n - i < VV_COUNT(chunk) ? n - i : VV_COUNT(chunk);
			vv_dtype_values(dt, r->bytes + i * width, m, chunk);
			add_values(r, chunk, m);
		}
	}
	vv_tensor_close(&s);
	if (ret == VV_EFORMAT) {
		vv_err_clear(r->err);
		r->h->broken = true;
		return 0;
	}
	return ret ? vv_err_in(r->err, "%s", t->view->name) : 0;
}

/* In the order of the values, so that the sums come out the same everywhere. */
static void measure(struct reader *r)
{
	struct vv_histogram *h = r->h;
	double sum = 0, squares = 0;

	h->min = h->max = r->values[0];
	for (size_t i = 0; i < r->n; i++) {
		h->min = r->values[i] < h->min ? r->values[i] : h->min;
		h->max = r->values[i] > h->max ? r->values[i] : h->max;
		sum += r->values[i] / (double)r->n;
	}
	h->mean = sum;
	for (size_t i = 0; i < r->n; i++)
		squares += (r->values[i] - sum) * (r->values[i] - sum);
	h->sigma = sqrt(squares / (double)r->n);
	h->from = h->min;
	h->to = h->max;
	if (!isfinite(h->sigma))
		return;
	h->from = fmax(h->min, h->mean - VV_HIST_SIGMAS * h->sigma);
	h->to = fmin(h->max, h->mean + VV_HIST_SIGMAS * h->sigma);
}

/* Bins of integers are whole numbers wide: else some would hold more of them than others. */
static void whole_bins(struct vv_histogram *h)
{
	double width;

	h->from = floor(h->from);
	h->to = floor(h->to) + 1;
	width = ceil((h->to - h->from) / VV_HIST_BINS);
	h->n = (unsigned)ceil((h->to - h->from) / width);
	h->to = h->from + h->n * width;
}

static void fill(struct reader *r)
{
	struct vv_histogram *h = r->h;

	measure(r);
	h->n = VV_HIST_BINS;
	if (r->whole && fabs(h->from) < 1e15 && fabs(h->to) < 1e15)
		whole_bins(h);
	if (!(h->to / 2 - h->from / 2 > 0)) {
		h->to = h->from;
		h->n = 1;
	}
	for (size_t i = 0; i < r->n; i++) {
		/* Halves: the range of doubles is no double. */
		double at = h->n > 1 ? (r->values[i] / 2 - h->from / 2) / (h->to / 2 - h->from / 2) * h->n : 0;
		h->bins[at < 0 ? 0 : at >= h->n ? h->n - 1 : (unsigned)at]++;
	}
}

int vv_histogram_of(struct vv_histogram *out, const struct vv_version *v,
	const struct vv_described_tensor *const *tensors, size_t n, struct vv_err *err)
{
	struct vv_histogram h = {0};
	struct reader r = {.v = v, .whole = true, .h = &h, .err = err};
	uint64_t blocks = 0;
	struct vv_tensor t;
	size_t room;
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		if (!tensor_of(v, tensors[i], &t))
			continue;
		h.values += t.numel;
		blocks += vv_div_up(t.numel, VV_HIST_BLOCK);
		r.whole &= vv_dtype_info(t.seg->seg.dtype)->kind != VV_KIND_FLOAT;
	}
	r.step = vv_div_up(blocks, VV_HIST_BLOCKS);
	room = (size_t)vv_min64(h.values, (uint64_t)VV_HIST_BLOCK * VV_HIST_BLOCKS);
	if (room) {
		r.values = malloc(room * sizeof(*r.values));
		r.bytes = malloc((size_t)VV_HIST_BLOCK * 8);
		ret = r.values && r.bytes ? 0 : vv_fail_nomem(err);
	}
	for (size_t i = 0; i < n && !ret && room; i++)
		if (tensor_of(v, tensors[i], &t))
			ret = read_tensor(&r, &t);
	if (!ret && r.n)
		fill(&r);
	free(r.values);
	free(r.bytes);
	if (!ret)
		*out = h;
	return ret;
}
