#include "base/pool.h"

#include "tap.h"

#include <stdatomic.h>
#include <unistd.h>

enum { JOBS = 1000, THREADS = 4 };

struct work {
	unsigned char done[JOBS];
	/* One per worker, not atomic: two workers of one number at a time would race. */
	long sum[THREADS];
	atomic_int running, most, started;
	size_t fails; /* the job that fails; JOBS: none */
};

static int job(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct work *w = arg;
	int now = ++w->running, most = w->most;

	while (now > most && !atomic_compare_exchange_weak(&w->most, &most, now))
		;
	w->started++;
	w->done[i]++;
	w->sum[worker] += (long)i;
	if (i < 8)
		usleep(2000);
	w->running--;
	return i == w->fails ? vv_fail(err, VV_EFORMAT, "job %zu", i) : 0;
}

static long check_all_done(const struct work *w, size_t n)
{
	long sum = 0;
	int wrong = 0;

	for (size_t i = 0; i < JOBS; i++)
		wrong += w->done[i] != (i < n);
	for (int i = 0; i < THREADS; i++)
		sum += w->sum[i];
	CHECK_INT(wrong, 0);
	return sum;
}

static void test_all(unsigned threads)
{
	static const size_t sizes[] = {0, 1, 2, 3, 100, JOBS};
	struct vv_pool *p = vv_pool_new(threads);
	struct vv_err err = VV_ERR_INIT;

	CHECK(p != NULL);
	CHECK_INT(vv_pool_threads(p), threads);
	for (size_t i = 0; i < VV_COUNT(sizes); i++) {
		struct work w = {.fails = JOBS};
		long n = (long)sizes[i];
		CHECK_OK(vv_pool_run(p, sizes[i], job, &w, &err), &err);
		CHECK_INT(check_all_done(&w, sizes[i]), n * (n - 1) / 2);
		CHECK(w.most <= (int)threads);
	}
	vv_pool_free(p);
}

static void test_failure(unsigned threads)
{
	struct vv_pool *p = vv_pool_new(threads);
	struct vv_err err = VV_ERR_INIT;
	struct work w = {.fails = 20};

	CHECK_INT(vv_pool_run(p, JOBS, job, &w, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "job 20");
	/* Nothing starts after the failure but what was already under way. */
	CHECK(w.started >= 21 && w.started < JOBS);
	CHECK_INT(w.running, 0);
	/* The pool is as good as new. */
	w = (struct work){.fails = JOBS};
	CHECK_OK(vv_pool_run(p, JOBS, job, &w, &err), &err);
	CHECK_INT(check_all_done(&w, JOBS), (long)JOBS * (JOBS - 1) / 2);
	vv_pool_free(p);
}

/* Many short rounds: a thread that wakes late must not meet the next round's work as its own. */
static void test_rounds(void)
{
	struct vv_pool *p = vv_pool_new(THREADS);
	struct vv_err err = VV_ERR_INIT;
	int wrong = 0;

	for (int round = 0; round < 300; round++) {
		struct work w = {.fails = JOBS};
		size_t n = 8 + (size_t)round % 5;
		wrong += vv_pool_run(p, n, job, &w, &err) != 0 || w.started != (int)n;
	}
	CHECK_INT(wrong, 0);
	vv_pool_free(p);
}

int main(void)
{
	struct vv_pool *p = vv_pool_new(0);

	CHECK(p && vv_pool_threads(p) >= 1);
	vv_pool_free(p);
	vv_pool_free(NULL);
	test_all(1);
	test_all(2);
	test_all(THREADS);
	test_failure(1);
	test_failure(THREADS);
	test_rounds();
	return done();
}
