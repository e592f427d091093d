/* How far a long piece of work is. Nothing below cli prints: cli hands one of these down, or NULL. */
#ifndef VV_BASE_PROGRESS_H
#define VV_BASE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct vv_progress {
	/* Called by one thread at a time, as often as the worker likes. `total` 0 = not known. */
	void (*step)(struct vv_progress *self, const char *what, uint64_t done, uint64_t total);
};

static inline void vv_progress(struct vv_progress *p, const char *what, uint64_t done, uint64_t total)
{
	if (p)
		p->step(p, what, done, total);
}

#endif
