/*
 * A pool of threads for parallel loops. The calling thread works too, so a pool of one thread has
 * none of its own. Jobs are handed out in order of their number; a job must not call the pool.
 */
#ifndef VV_BASE_POOL_H
#define VV_BASE_POOL_H

#include "base/err.h"

#include <stddef.h>

struct vv_pool;

/* `threads` counts the caller; 0 means one for each processor. NULL when memory is gone. */
struct vv_pool *vv_pool_new(unsigned threads);
void vv_pool_free(struct vv_pool *pool);
unsigned vv_pool_threads(const struct vv_pool *pool);

/*
 * Calls fn(arg, job, worker, err) for job 0 … n-1; `worker` < threads is this thread's own number,
 * for scratch memory. After the first failure no further job starts; its error is the result. The
 * return of vv_pool_run orders all jobs' memory before what follows.
 */
VV_MUST_CHECK int vv_pool_run(struct vv_pool *pool, size_t n,
	int (*fn)(void *arg, size_t job, unsigned worker, struct vv_err *err), void *arg, struct vv_err *err);

#endif
