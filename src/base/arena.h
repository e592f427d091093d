/*
 * An arena: everything one parse yields, freed at once. A zeroed struct is an empty arena.
 * Under AddressSanitizer each piece is its own allocation, so an overrun is seen.
 */
#ifndef VV_BASE_ARENA_H
#define VV_BASE_ARENA_H

#include "base/span.h"

struct vv_arena {
	struct vv_arena_block *blocks;
	size_t used; /* bytes handed out, for limits */
};

/* Zeroed and aligned to 16; NULL when memory is gone. Borrowed: valid until the arena's release. */
void *vv_arena_alloc(struct vv_arena *a, size_t n);
/* As above for n items of `size`; NULL also when n * size overflows. */
void *vv_arena_array(struct vv_arena *a, size_t n, size_t size);
/* A NUL-terminated copy. */
char *vv_arena_copy(struct vv_arena *a, struct vv_span s);
void vv_arena_release(struct vv_arena *a);

#endif
