#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct vv_pool {
	unsigned threads, started;
	pthread_t *ids;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	/* all below: under lock */
	int (*fn)(void *, size_t, unsigned, struct vv_err *);
	void *arg;
	size_t next, n;
	unsigned long round;
	unsigned busy;
	bool stop;
	struct vv_err err;
};

struct start {
	struct vv_pool *pool;
	unsigned worker;
};

/* Takes jobs until none is left. Called and returns with the lock held. */
static void work(struct vv_pool *p, unsigned worker)
{
	while (p->next < p->n) {
		size_t job = p->next++;
		struct vv_err err = VV_ERR_INIT;

		pthread_mutex_unlock(&p->lock);
		int ret = p->fn(p->arg, job, worker, &err);
		pthread_mutex_lock(&p->lock);
		if (ret && !p->err.code) {
			p->err = err;
			p->err.code = ret;
			p->next = p->n;
		}
	}
}

static void *thread_main(void *arg)
{
	struct start s = *(struct start *)arg;
	struct vv_pool *p = s.pool;
	unsigned long seen = 0;

	free(arg);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->stop && p->round == seen)
			pthread_cond_wait(&p->work, &p->lock);
		if (p->stop)
			break;
		seen = p->round;
		p->busy++;
		work(p, s.worker);
		if (!--p->busy)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct vv_pool *vv_pool_new(unsigned threads)
{
	struct vv_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (!threads) {
		long n = sysconf(_SC_NPROCESSORS_ONLN);
		threads = n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
	}
	p->threads = threads;
	p->ids = calloc(threads, sizeof(*p->ids));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	/* Fewer threads than asked for is slower, not wrong. */
	for (unsigned i = 1; p->ids && i < threads; i++) {
		struct start *s = malloc(sizeof(*s));
		if (!s)
			break;
		*s = (struct start){p, i};
		if (pthread_create(&p->ids[p->started], NULL, thread_main, s)) {
			free(s);
			break;
		}
		p->started++;
	}
	return p;
}

void vv_pool_free(struct vv_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->ids[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
	free(p->ids);
	free(p);
}

unsigned vv_pool_threads(const struct vv_pool *p)
{
	return p->threads;
}

int vv_pool_run(struct vv_pool *p, size_t n, int (*fn)(void *, size_t, unsigned, struct vv_err *), void *arg,
	struct vv_err *err)
{
	int ret;

	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->arg = arg;
	p->next = 0;
	p->n = n;
	vv_err_clear(&p->err);
	p->round++;
	if (n > 1)
		pthread_cond_broadcast(&p->work);
	work(p, 0);
	while (p->busy)
		pthread_cond_wait(&p->done, &p->lock);
	ret = p->err.code;
	if (ret)
		*err = p->err;
	pthread_mutex_unlock(&p->lock);
	return ret;
}
