#include "base/arena.h"

#include "base/check.h"

#include <stdlib.h>

struct vv_arena_block {
	struct vv_arena_block *next;
	size_t used, cap;
	_Alignas(16) uint8_t data[];
};

#ifdef VV_ASAN
enum { BLOCK = 1 };
#else
enum { BLOCK = 32 << 10 };
#endif

void *vv_arena_alloc(struct vv_arena *a, size_t n)
{
	struct vv_arena_block *b = a->blocks;
	size_t want;

	if (vv_add_over(n, (size_t)15, &want))
		return NULL;
	want &= ~(size_t)15;
	if (!b || b->cap - b->used < want) {
		size_t cap = want > BLOCK ? want : BLOCK, total;
		if (vv_add_over(cap, sizeof(*b), &total))
			return NULL;
		b = calloc(1, total);
		if (!b)
			return NULL;
		b->cap = cap;
		/* A large piece goes behind the current block, whose room stays usable. */
		if (a->blocks && want > BLOCK / 4) {
			b->next = a->blocks->next;
			a->blocks->next = b;
		} else {
			b->next = a->blocks;
			a->blocks = b;
		}
	}
	void *p = b->data + b->used;
	b->used += want;
	a->used += want;
	return p;
}

void *vv_arena_array(struct vv_arena *a, size_t n, size_t size)
{
	size_t bytes;

	return vv_mul_over(n, size, &bytes) ? NULL : vv_arena_alloc(a, bytes);
}

char *vv_arena_copy(struct vv_arena *a, struct vv_span s)
{
	char *p = vv_arena_alloc(a, s.len + 1);

	if (p && s.len)
		memcpy(p, s.ptr, s.len);
	return p;
}

void vv_arena_release(struct vv_arena *a)
{
	struct vv_arena_block *b = a->blocks, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct vv_arena){0};
}
