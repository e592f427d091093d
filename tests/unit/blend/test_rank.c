#include "blended.h"

static void keys(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t s, uint32_t *key)
{
	(void)arg;
	(void)j;
	vv_blend_key(p->x[s], p->n, key);
}

static int down(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x > y ? -1 : x < y;
}

static struct vv_blend_rank *ranks;

static void choose(void *arg)
{
	ranks[0].rank = *(uint64_t *)arg + 5;
}

int main(void)
{
	enum { N = 300000 };
	static const uint64_t want[] = {0, 1, N / 2, N - 1};
	double *x = noise(N, 9), *y = noise(N, 10);
	const double *const in[] = {x, y};
	struct vv_blend_rank r[8];
	float *sorted = malloc(N * sizeof(*sorted));
	struct vv_pool *pool = vv_pool_new(3);
	struct vv_blend_job j = {0};
	struct blended b;
	uint64_t zeros[2];

	for (size_t i = 0; i < N; i++)
		y[i] = i % 4 ? floor(y[i] * 8) : 0;
	blended_init(&b, "linear", in, 2, false, 1, N);
	CHECK_OK(vv_blend_open(&j, &b.t, pool, &err), &err);
	for (size_t i = 0; i < 8; i++)
		r[i].rank = want[i % 4];
	CHECK_OK(vv_blend_find_ranks(&j, keys, NULL, r, 2, 4, zeros, NULL, &err), &err);
	for (size_t s = 0; s < 2; s++) {
		size_t bad = 0, none = 0;
		for (size_t i = 0; i < N; i++) {
			sorted[i] = (float)fabs(in[s][i]);
			none += sorted[i] == 0;
		}
		qsort(sorted, N, sizeof(*sorted), down);
		for (size_t q = 0; q < 4; q++) {
			const struct vv_blend_rank *k = &r[s * 4 + q];
			float f;
			memcpy(&f, &k->key, 4);
			bad += f != sorted[want[q]] || k->above > want[q] || k->above + k->equal <= want[q] ||
				sorted[k->above] != f || (k->above && sorted[k->above - 1] <= f) ||
				(k->above + k->equal < N && sorted[k->above + k->equal] >= f);
		}
		CHECK_INT(bad, 0);
		CHECK_INT(zeros[s], none);
	}
	/* A rank that is known only once zeros are counted. */
	ranks = r;
	CHECK_OK(vv_blend_find_ranks(&j, keys, zeros, r, 1, 1, zeros, choose, &err), &err);
	CHECK(r[0].rank == zeros[0] + 5 && r[0].above <= r[0].rank);
	vv_blend_end(&j);
	vv_pool_free(pool);
	blended_release(&b);
	free(sorted);
	free(x);
	free(y);
	return done();
}
