/* Elements by rank, without sorting: two counts of keys, by their upper and then by their lower bits. */
#include "blend/pass.h"

#include <math.h>
#include <stdlib.h>

enum { LOW_BITS = 15, LOW = 1 << LOW_BITS, HIGH = 1 << 16 };

struct find {
	vv_blend_keys *keys;
	void *arg;
	struct vv_blend_rank *r;
	size_t n, per;
	uint64_t **counts; /* by worker: n * HIGH, then n * per * LOW */
	uint32_t *key;     /* a chunk for each worker */
};

VV_CLONES void vv_blend_key(const double *v, size_t n, uint32_t *key)
{
	for (size_t i = 0; i < n; i++) {
		float f = (float)fabs(v[i]);
		memcpy(&key[i], &f, 4);
	}
}

static void count_high(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct find *f = arg;
	uint32_t *key = f->key + (size_t)p->worker * VV_BLEND_CHUNK;

	for (size_t s = 0; s < f->n; s++) {
		uint64_t *c = f->counts[p->worker] + s * HIGH;
		f->keys(f->arg, j, p, s, key);
		for (size_t i = 0; i < p->n; i++)
			c[key[i] >> LOW_BITS & (HIGH - 1)]++;
	}
}

static void count_low(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct find *f = arg;
	uint32_t *key = f->key + (size_t)p->worker * VV_BLEND_CHUNK;

	for (size_t s = 0; s < f->n; s++) {
		f->keys(f->arg, j, p, s, key);
		for (size_t q = s * f->per; q < (s + 1) * f->per; q++) {
			uint64_t *c = f->counts[p->worker] + q * LOW;
			uint32_t high = f->r[q].key >> LOW_BITS;
			for (size_t i = 0; i < p->n; i++)
				if (key[i] >> LOW_BITS == high)
					c[key[i] & (LOW - 1)]++;
		}
	}
}

/* The workers' counts in that of the first. */
static void join(struct find *f, const struct vv_blend_job *j, size_t n)
{
	for (unsigned w = 1; w < j->threads; w++)
		for (size_t i = 0; i < n; i++)
			f->counts[0][i] += f->counts[w][i];
}

/* The bin, from the top, where `rank` less what is above lies. */
static size_t bin_of(const uint64_t *c, size_t n, uint64_t rank, uint64_t *above)
{
	size_t i = n - 1;

	for (; i && *above + c[i] <= rank; i--)
		*above += c[i];
	return i;
}

static int start_counts(struct find *f, const struct vv_blend_job *j, size_t n, struct vv_err *err)
{
	for (unsigned w = 0; w < j->threads; w++) {
		free(f->counts[w]);
		f->counts[w] = calloc(n, sizeof(**f->counts));
		if (!f->counts[w])
			return vv_fail_nomem(err);
	}
	return 0;
}

static void count_zeros(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct find *f = arg;
	uint32_t *key = f->key + (size_t)p->worker * VV_BLEND_CHUNK;

	for (size_t s = 0; s < f->n; s++) {
		f->keys(f->arg, j, p, s, key);
		for (size_t i = 0; i < p->n; i++)
			f->counts[p->worker][s] += !key[i];
	}
}

static int find_zeros(struct find *f, struct vv_blend_job *j, uint64_t *zeros, struct vv_err *err)
{
	int ret = start_counts(f, j, f->n, err);

	if (!ret)
		ret = vv_blend_pass(j, count_zeros, f, err);
	if (ret)
		return ret;
	join(f, j, f->n);
	memcpy(zeros, f->counts[0], f->n * sizeof(*zeros));
	return 0;
}

static int find_all(struct find *f, struct vv_blend_job *j, struct vv_err *err)
{
	int ret = start_counts(f, j, f->n * HIGH, err);

	if (!ret)
		ret = vv_blend_pass(j, count_high, f, err);
	if (ret)
		return ret;
	join(f, j, f->n * HIGH);
	for (size_t q = 0; q < f->n * f->per; q++) {
		f->r[q].above = 0;
		f->r[q].key = (uint32_t)bin_of(f->counts[0] + q / f->per * HIGH, HIGH, f->r[q].rank, &f->r[q].above) << LOW_BITS;
	}
	ret = start_counts(f, j, f->n * f->per * LOW, err);
	if (!ret)
		ret = vv_blend_pass(j, count_low, f, err);
	if (ret)
		return ret;
	join(f, j, f->n * f->per * LOW);
	for (size_t q = 0; q < f->n * f->per; q++) {
		const uint64_t *c = f->counts[0] + q * LOW;
		size_t low = bin_of(c, LOW, f->r[q].rank, &f->r[q].above);
		f->r[q].key |= (uint32_t)low;
		f->r[q].equal = c[low];
	}
	return 0;
}

int vv_blend_find_ranks(struct vv_blend_job *j, vv_blend_keys *keys, void *arg, struct vv_blend_rank *r,
	size_t n, size_t per, uint64_t *zeros, void (*choose)(void *arg), struct vv_err *err)
{
	struct find f = {keys, arg, r, n, per, calloc(j->threads, sizeof(*f.counts)),
		malloc((size_t)j->threads * VV_BLEND_CHUNK * sizeof(*f.key))};
	int ret = f.counts && f.key ? 0 : vv_fail_nomem(err);

	if (!ret && zeros)
		ret = find_zeros(&f, j, zeros, err);
	if (!ret && choose)
		choose(arg);
	if (!ret)
		ret = find_all(&f, j, err);
	for (unsigned w = 0; f.counts && w < j->threads; w++)
		free(f.counts[w]);
	free(f.counts);
	free(f.key);
	return ret;
}
