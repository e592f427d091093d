#include "diff/sketch.h"

#include "base/le.h"
#include "diff/kept.h"
#include "hash/sha256.h"

#include <float.h>
#include <math.h>

/* A run: so many elements that go to different sums, k at a time. */
enum { RUN = VV_SKETCH_SUMS_MAX, WORD = 64 };

unsigned vv_sketch_size(uint64_t numel)
{
	return numel < VV_SKETCH_LEAST ? 0 : numel < VV_SKETCH_LARGE ? VV_SKETCH_SUMS : VV_SKETCH_SUMS_MAX;
}

int vv_sketch_key(struct vv_id *out, const struct vv_manifest_seg *s, const struct vv_view *v, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	vv_kept_side(&text, s, v);
	ret = vv_buf_check(&text, err);
	if (!ret)
		vv_sha256(vv_buf_view(&text), out);
	vv_buf_release(&text);
	return ret;
}

/* 64 random bits for a number (the finalizer of S. Vigna's splitmix64). */
static uint64_t mix(uint64_t i)
{
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void vv_sketcher_init(struct vv_sketcher *k, uint64_t numel)
{
	*k = (struct vv_sketcher){.s = {.numel = numel, .k = vv_sketch_size(numel)}};
	k->s.sums = k->sums;
}

/* What is not finite is counted, and counts as 0. */
static void clear_odd(struct vv_sketch *s, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s->nan += isnan(v[i]) != 0;
		s->inf += isinf(v[i]) != 0;
		v[i] = isfinite(v[i]) ? v[i] : 0;
	}
}

static void add_moments(struct vv_sketch *s, const double *v)
{
	double sum[8] = {0}, squares[8] = {0};
	int64_t zero[8] = {0};

	for (size_t i = 0; i < RUN; i += 8)
		for (size_t l = 0; l < 8; l++) {
			sum[l] += v[i + l];
			squares[l] += v[i + l] * v[i + l];
			zero[l] += v[i + l] == 0;
		}
	for (size_t l = 0; l < 8; l++) {
		s->sum += sum[l];
		s->squares += squares[l];
		s->zero += (uint64_t)zero[l];
	}
}

/* Of each 64 elements every one has a bit of one word as its sign. */
static void set_signs(double *v, uint64_t first)
{
	for (size_t w = 0; w < RUN / WORD; w++) {
		uint64_t signs = mix((first / WORD + w) * 2);

		for (size_t i = 0; i < WORD; i++) {
			uint64_t bits;

			memcpy(&bits, &v[w * WORD + i], sizeof(bits));
			bits ^= signs >> i << 63;
			memcpy(&v[w * WORD + i], &bits, sizeof(bits));
		}
	}
}

/*
 * The elements of a run go to sums one after the other, from a random one on: two elements of one run never meet in a
 * sum, two of different runs by a chance of 1/k, wherever in the matrix they stand.
 */
static void add_run(struct vv_sketcher *k, double *v, uint64_t first)
{
	unsigned n = k->s.k;

	set_signs(v, first);
	for (size_t at = 0; at < RUN; at += n) {
		unsigned from = (unsigned)(mix((first + at) / VV_SKETCH_SUMS * 2 + 1) & (n - 1));

		for (unsigned i = 0; i < n - from; i++)
			k->sums[from + i] += v[at + i];
		for (unsigned i = n - from; i < n; i++)
			k->sums[from + i - n] += v[at + i];
	}
}

void vv_sketcher_add(struct vv_sketcher *k, double *values, size_t n)
{
	for (size_t i = 0; i < n; i += RUN) {
		size_t have = n - i < RUN ? n - i : RUN;
		bool odd = false;

		for (size_t j = have; j < RUN; j++)
			values[i + j] = 0;
		for (size_t j = 0; j < have; j++)
			odd |= !(fabs(values[i + j]) <= DBL_MAX);
		if (odd) {
			uint64_t before = k->s.nan + k->s.inf;

			clear_odd(&k->s, values + i, have);
			k->s.zero -= k->s.nan + k->s.inf - before;
		}
		add_moments(&k->s, values + i);
		k->s.zero -= RUN - have;
		add_run(k, values + i, k->at);
		k->at += have;
	}
}

/* --- two of them --- */

static void spread(const struct vv_sketch *s, double *mean, double *std)
{
	double n = (double)s->numel;

	*mean = s->sum / n;
	*std = sqrt(fmax(0, s->squares / n - *mean * *mean));
}

bool vv_sketch_delta(struct vv_delta *out, const struct vv_sketch *a, const struct vv_sketch *b)
{
	struct vv_delta d = {.numel = a->numel, .estimated = true, .cosine = NAN, .cosine_error = NAN, .max_abs = NAN, .rank = NAN,
		.zero_a = a->zero, .zero_b = b->zero};
	double dd = 0, error, low;

	if (a->k != b->k || !a->k || a->numel != b->numel || a->nan || a->inf || b->nan || b->inf)
		return false;
	for (unsigned i = 0; i < a->k; i++)
		dd += (b->sums[i] - a->sums[i]) * (b->sums[i] - a->sums[i]);
	d.norm_a = sqrt(a->squares);
	d.norm_b = sqrt(b->squares);
	/* A difference is no shorter than the sides' own, and no longer than both. */
	low = d.norm_b - d.norm_a;
	error = dd * sqrt(2.0 / a->k);
	dd = fmin(fmax(dd, low * low), (d.norm_a + d.norm_b) * (d.norm_a + d.norm_b));
	d.norm_delta = sqrt(dd);
	if (!isfinite(dd) || !isfinite(error) || !isfinite(a->squares) || !isfinite(b->squares))
		return false;
	if (dd > 0) {
		d.relative = d.norm_delta / d.norm_a;
		d.relative_error = error / (2 * d.norm_delta) / d.norm_a;
	}
	if (a->squares > 0 && b->squares > 0) {
		double both = 2 * d.norm_a * d.norm_b;

		d.cosine = fmin(1, fmax(-1, (a->squares + b->squares - dd) / both));
		d.cosine_error = error / both;
	}
	spread(a, &d.mean_a, &d.std_a);
	spread(b, &d.mean_b, &d.std_b);
	*out = d;
	return true;
}
