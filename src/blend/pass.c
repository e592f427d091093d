#include "blend/pass.h"

#include "base/check.h"
#include "codec/narrow.h"
#include "model/lineup.h"

#include <math.h>
#include <stdlib.h>

enum { LANES = 8, ROW_GROUP = 8 };

/* One worker's memory. */
struct vv_blend_scratch {
	uint8_t *raw;   /* a block of each source, or a row */
	double *values; /* a chunk of each source, or a row; as much and one more to spare */
	const double **x;
	size_t raw_cap, values_cap;
	double out[VV_BLEND_CHUNK];
};

static void scratch_free(struct vv_blend_scratch *s)
{
	if (!s)
		return;
	free(s->raw);
	free(s->values);
	free(s->x);
	free(s);
}

static bool grow(void *ptr, size_t *cap, size_t want, size_t size)
{
	void *p;

	if (*cap >= want)
		return true;
	if (vv_mul_over(want, size, &size) || !(p = malloc(size)))
		return false;
	free(*(void **)ptr);
	*(void **)ptr = p;
	*cap = want;
	return true;
}

/* Room for `raw` bytes and `n` elements of each source. */
static struct vv_blend_scratch *scratch(struct vv_blend_job *j, unsigned worker, size_t raw, size_t n)
{
	struct vv_blend_scratch *s = j->scratch[worker];
	size_t want;

	if (!s)
		s = j->scratch[worker] = calloc(1, sizeof(*s));
	if (!s || (!s->x && !(s->x = calloc(j->n_src, sizeof(*s->x)))))
		return NULL;
	if (vv_mul_over(n, 2 * j->n_src + 1, &want) || !grow(&s->raw, &s->raw_cap, raw, 1) ||
		!grow(&s->values, &s->values_cap, want, sizeof(double)))
		return NULL;
	return s;
}

static const struct vv_blend_in *input(const struct vv_blend_job *j, size_t k)
{
	return k < j->t->n ? &j->t->in[k] : j->t->base;
}

static enum vv_dtype type_of(const struct vv_blend_job *j, size_t k)
{
	return j->src[k].t.seg->seg.dtype;
}

/* Bytes of one element of all sources. */
static size_t width_of_all(const struct vv_blend_job *j)
{
	size_t n = 0;

	for (size_t k = 0; k < j->n_src; k++)
		n += vv_dtype_width(type_of(j, k));
	return n;
}

static int load(struct vv_blend_job *j, struct vv_blend_scratch *s, uint64_t at, size_t n, struct vv_err *err)
{
	uint8_t *raw = s->raw;

	for (size_t k = 0; k < j->n_src; k++) {
		unsigned width = vv_dtype_width(type_of(j, k));
		if (vv_source_read(&j->src[k].base, at * width, raw, n * width, err))
			return vv_err_in(err, "%s: %s", input(j, k)->file, j->src[k].t.view->name);
		raw += n * width;
	}
	return 0;
}

static VV_CLONES bool has_nan(const double *v, size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= (uint64_t)(v[i] != v[i]);
	return any != 0;
}

/* Makes doubles of `m` elements from `skip` on, of the `n` that were loaded. */
static int widen(struct vv_blend_job *j, struct vv_blend_scratch *s, size_t n, size_t skip, size_t m,
	struct vv_blend_piece *p, struct vv_err *err)
{
	const uint8_t *raw = s->raw;

	for (size_t k = 0; k < j->n_src; k++) {
		unsigned width = vv_dtype_width(type_of(j, k));
		double *v = s->values + k * m;

		vv_dtype_values(type_of(j, k), raw + skip * width, m, v);
		if (has_nan(v, m))
			return vv_fail(err, VV_EFORMAT, "%s: tensor \"%s\" has a NaN", input(j, k)->file, j->src[k].t.view->name);
		s->x[k] = v;
		raw += n * width;
	}
	p->n = m;
	p->x = s->x;
	p->base = j->t->base ? s->x[j->t->n] : NULL;
	p->spare = s->values + j->n_src * m;
	return 0;
}

struct pass {
	struct vv_blend_job *j;
	vv_blend_fn *fn; /* NULL: make */
	void *arg;
	uint8_t *out;
	size_t first;
	uint64_t group; /* rows of one job */
};

static int run_block(void *arg, size_t job, unsigned worker, struct vv_err *err)
{
	struct pass *ps = arg;
	struct vv_blend_job *j = ps->j;
	struct vv_blend_piece p = {.block = ps->first + job, .worker = worker};
	uint64_t at = (uint64_t)p.block * VV_BLEND_BLOCK;
	size_t n = (size_t)vv_min64(VV_BLEND_BLOCK, j->numel - at);
	struct vv_blend_scratch *s = scratch(j, worker, VV_BLEND_BLOCK * width_of_all(j), VV_BLEND_CHUNK);
	int ret = s ? load(j, s, at, n, err) : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i += VV_BLEND_CHUNK) {
		size_t m = n - i < VV_BLEND_CHUNK ? n - i : VV_BLEND_CHUNK;

		p.at = at + i;
		ret = widen(j, s, n, i, m, &p, err);
		if (ret)
			break;
		if (ps->fn) {
			ps->fn(ps->arg, j, &p);
			continue;
		}
		j->t->method->mix(j, &p, s->out);
		/* No input has one. It would be in every number that the model computes. */
		if (vv_blend_narrow(j->t->to, s->out, m, ps->out + (job * VV_BLEND_BLOCK + i) * vv_dtype_width(j->t->to)))
			ret = vv_fail(err, VV_EFORMAT, "tensor \"%s\": %s makes a NaN of it; are its numbers infinite, or too large?",
				j->t->name, j->t->method->name);
	}
	return ret;
}

int vv_blend_pass(struct vv_blend_job *j, vv_blend_fn *fn, void *arg, struct vv_err *err)
{
	struct pass ps = {.j = j, .fn = fn, .arg = arg};

	return vv_pool_run(j->pool, j->n_blocks, run_block, &ps, err);
}

int vv_blend_make(struct vv_blend_job *j, size_t first, size_t n, uint8_t *out, struct vv_err *err)
{
	struct pass ps = {.j = j, .out = out, .first = first};

	return vv_pool_run(j->pool, n, run_block, &ps, err);
}

static int run_rows(void *arg, size_t job, unsigned worker, struct vv_err *err)
{
	struct pass *ps = arg;
	struct vv_blend_job *j = ps->j;
	size_t cols, bytes;
	uint64_t end = vv_min64(((uint64_t)job + 1) * ps->group, j->rows);
	struct vv_blend_scratch *s = NULL;
	int ret = 0;

	if (vv_to_size(j->cols, &cols) || vv_mul_over(cols, width_of_all(j), &bytes) ||
		!(s = scratch(j, worker, bytes, cols)))
		return vv_fail_nomem(err);
	for (uint64_t row = (uint64_t)job * ps->group; row < end && !ret; row++) {
		struct vv_blend_piece p = {.block = job, .at = row * j->cols, .worker = worker};
		ret = load(j, s, p.at, cols, err);
		if (!ret)
			ret = widen(j, s, cols, 0, cols, &p, err);
		if (!ret)
			ps->fn(ps->arg, j, &p);
	}
	return ret;
}

static int rows_by(struct vv_blend_job *j, uint64_t group, vv_blend_fn *fn, void *arg, struct vv_err *err)
{
	struct pass ps = {.j = j, .fn = fn, .arg = arg, .group = group};
	size_t groups;

	if (vv_to_size(vv_div_up(j->rows, group), &groups))
		return vv_fail_nomem(err);
	return vv_pool_run(j->pool, groups, run_rows, &ps, err);
}

int vv_blend_rows(struct vv_blend_job *j, vv_blend_fn *fn, void *arg, struct vv_err *err)
{
	return rows_by(j, ROW_GROUP, fn, arg, err);
}

int vv_blend_bands(struct vv_blend_job *j, size_t bands, vv_blend_fn *fn, void *arg, struct vv_err *err)
{
	return j->rows ? rows_by(j, vv_div_up(j->rows, bands), fn, arg, err) : 0;
}

/* --- a job --- */

static int open_source(struct vv_blend_job *j, size_t k, struct vv_err *err)
{
	const struct vv_blend_in *in = input(j, k);
	const struct vv_view *first = j->src[0].t.view;
	struct vv_tensor t;
	int ret = vv_tensor_at(&t, in->from->m, in->seg, in->view, err);

	if (ret)
		return vv_err_in(err, "%s", in->file);
	/* As vv_diff_measure: an expanded tensor may claim more than its storage backs. */
	if (!vv_blend_takes(t.seg->seg.dtype) || t.len > t.seg->seg.len)
		return vv_fail(err, VV_ENOTSUP, "%s: tensor \"%s\" of type %s cannot be merged", in->file, t.view->name,
			vv_dtype_info(t.seg->seg.dtype)->name);
	if (k && !vv_same_shape(first, t.view))
		return vv_fail(err, VV_EFORMAT, "tensor \"%s\" of %s has another shape than \"%s\" of %s", t.view->name, in->file,
			first->name, input(j, 0)->file);
	ret = vv_tensor_open(&j->src[k], in->from, &t, err);
	if (!ret)
		j->n_src = k + 1;
	return ret ? vv_err_in(err, "%s", in->file) : 0;
}

int vv_blend_open(
	struct vv_blend_job *j, const struct vv_blend_tensor *t, struct vv_pool *pool, struct vv_err *err)
{
	size_t n = t->n + (t->base != NULL);
	const struct vv_view *v;
	int ret = 0;

	*j = (struct vv_blend_job){.t = t, .pool = pool, .threads = pool ? vv_pool_threads(pool) : 0};
	j->src = calloc(n, sizeof(*j->src));
	j->scratch = calloc(j->threads + 1, sizeof(*j->scratch));
	if (!j->src || !j->scratch)
		return vv_fail_nomem(err);
	for (size_t k = 0; k < n && !ret; k++)
		ret = open_source(j, k, err);
	if (ret)
		return ret;
	v = j->src[0].t.view;
	j->numel = j->src[0].t.numel;
	j->cols = v->ndim > 1 ? v->shape[v->ndim - 1] : j->numel;
	j->rows = j->cols ? j->numel / j->cols : 0;
	if (vv_to_size(vv_div_up(j->numel, VV_BLEND_BLOCK), &j->n_blocks))
		return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", t->name);
	return 0;
}

int vv_blend_begin(
	struct vv_blend_job *j, const struct vv_blend_tensor *t, struct vv_pool *pool, struct vv_err *err)
{
	int ret = vv_blend_open(j, t, pool, err);

	if (!ret && t->method->prepare && j->numel)
		ret = t->method->prepare(j, err);
	/* What a method itself refuses: reading has named the tensor. */
	return ret == VV_EUSAGE || ret == VV_ENOTSUP ? vv_err_in(err, "tensor \"%s\"", t->name) : ret;
}

void vv_blend_end(struct vv_blend_job *j)
{
	if (j->state && j->t->method->release)
		j->t->method->release(j);
	else
		free(j->state);
	for (size_t k = 0; k < j->n_src; k++)
		vv_tensor_close(&j->src[k]);
	free(j->src);
	for (unsigned i = 0; j->scratch && i < j->threads; i++)
		scratch_free(j->scratch[i]);
	free(j->scratch);
	*j = (struct vv_blend_job){0};
}

/* --- numbers --- */

static VV_CLONES void subtract(const double *x, const double *base, size_t n, double *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = x[i] - base[i];
}

const double *vv_blend_delta(const struct vv_blend_piece *p, size_t k, double *room)
{
	if (!p->base)
		return p->x[k];
	subtract(p->x[k], p->base, p->n, room);
	return room;
}

void vv_blend_sums(const struct vv_blend_job *j, const double *parts, size_t width, double *out)
{
	for (size_t k = 0; k < width; k++) {
		out[k] = 0;
		for (size_t b = 0; b < j->n_blocks; b++)
			out[k] += parts[b * width + k];
	}
}

VV_CLONES double vv_blend_dot(const double *a, const double *b, size_t n)
{
	double lane[LANES] = {0}, sum = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			lane[k] += a[i + k] * b[i + k];
	for (size_t k = 0; i < n; i++, k++)
		lane[k] += a[i] * b[i];
	for (size_t k = 0; k < LANES; k++)
		sum += lane[k];
	return sum;
}

/*
 * To f32 with the last bit set when the number is not one of f32 (round to odd): rounding that to a type of fewer bits
 * gives what rounding the double at once would.
 */
static float to_odd(double v)
{
	float f = (float)v;
	uint32_t u, odd;

	memcpy(&u, &f, 4);
	odd = u + (fabs((double)f) < fabs(v) ? 1u : -1u);
	u = (double)f != v && v == v && !(u & 1) ? odd : u;
	memcpy(&f, &u, 4);
	return f;
}

VV_CLONES bool vv_blend_narrow(enum vv_dtype to, const double *v, size_t n, uint8_t *out)
{
	float f[VV_BLEND_CHUNK];
	double d[VV_BLEND_CHUNK];
	uint64_t nan = 0;

	for (size_t i = 0; i < n; i += VV_BLEND_CHUNK) {
		size_t m = n - i < VV_BLEND_CHUNK ? n - i : VV_BLEND_CHUNK;

		/* Infinite less infinite is a NaN of either sign, as the processor likes. */
		for (size_t k = 0; k < m; k++) {
			d[k] = v[i + k] == v[i + k] ? v[i + k] : (double)NAN;
			nan |= (uint64_t)(v[i + k] != v[i + k]);
		}
		if (to == VV_DT_F64) {
			memcpy(out + i * 8, d, m * 8);
			continue;
		}
		if (to == VV_DT_F32)
			for (size_t k = 0; k < m; k++)
				f[k] = (float)d[k];
		else
			for (size_t k = 0; k < m; k++)
				f[k] = to_odd(d[k]);
		if (to == VV_DT_F32)
			memcpy(out + i * 4, f, m * 4);
		else
			vv_narrow_to(VV_DT_F32, to, (const uint8_t *)f, out + i * 2, m);
	}
	return nan != 0;
}
