/*
 * Which blob a model file in the worktree is, by its stat data: written when varve has read or
 * written the whole file itself. Lets the clean filter answer for a 70 GB file in a millisecond,
 * but only inside varve's own git calls; a user's git always has the bytes read. A cache: losing it
 * costs time only. One per worktree, <git-dir>/varve/stat.
 */
#ifndef VV_GIT_STATCACHE_H
#define VV_GIT_STATCACHE_H

#include "base/arena.h"
#include "base/map.h"
#include "git/repo.h"

#include <sys/stat.h>

struct vv_statcache {
	struct vv_arena arena;
	struct vv_stat_row *rows;
	size_t n, cap;
	struct vv_map by_path;
	char *file;
};

/* A missing or damaged cache is an empty one. */
VV_MUST_CHECK int vv_statcache_open(struct vv_statcache *c, const struct vv_repo *r, struct vv_err *err);
/* The cache of the worktree whose state folder this is. */
VV_MUST_CHECK int vv_statcache_open_in(struct vv_statcache *c, const char *state_dir, struct vv_err *err);
void vv_statcache_release(struct vv_statcache *c);
/* The blob's oid, or NULL when `st` is not what was seen then. Borrowed. */
const char *vv_statcache_find(const struct vv_statcache *c, const char *path, const struct stat *st);
VV_MUST_CHECK int vv_statcache_set(
	struct vv_statcache *c, const char *path, const struct stat *st, const char *oid, struct vv_err *err);
/* Atomic, not durable. */
VV_MUST_CHECK int vv_statcache_write(struct vv_statcache *c, struct vv_err *err);

#endif
