#include "base/map.h"

#include <stdlib.h>
#include <xxhash.h>

struct vv_map_slot {
	const uint8_t *ptr; /* NULL: empty */
	size_t len;
	uint64_t hash, value;
};

static struct vv_map_slot *probe(struct vv_map_slot *slots, size_t cap, struct vv_span key, uint64_t hash)
{
	size_t i = (size_t)hash & (cap - 1);

	for (;; i = (i + 1) & (cap - 1)) {
		struct vv_map_slot *s = &slots[i];
		if (!s->ptr || (s->hash == hash && vv_span_eq(vv_span(s->ptr, s->len), key)))
			return s;
	}
}

uint64_t *vv_map_find(const struct vv_map *m, struct vv_span key)
{
	struct vv_map_slot *s;

	if (!m->len)
		return NULL;
	s = probe(m->slots, m->cap, key, XXH3_64bits_withSeed(key.ptr, key.len, m->seed));
	return s->ptr ? &s->value : NULL;
}

static int grow(struct vv_map *m)
{
	size_t cap = m->cap ? m->cap * 2 : 64;
	struct vv_map_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return 1;
	for (size_t i = 0; i < m->cap; i++) {
		struct vv_map_slot *s = &m->slots[i];
		if (s->ptr)
			*probe(slots, cap, vv_span(s->ptr, s->len), s->hash) = *s;
	}
	/* Names in a hostile file may have been chosen to collide: not under a seed that it cannot know. */
	if (!m->cap)
		m->seed = (uint64_t)(uintptr_t)slots;
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
	return 0;
}

uint64_t *vv_map_put(struct vv_map *m, struct vv_span key, uint64_t value, bool *added)
{
	struct vv_map_slot *s;
	uint64_t hash;

	if (!key.ptr)
		key = vv_span("", 0);
	if (m->len * 4 >= m->cap * 3 && grow(m))
		return NULL;
	hash = XXH3_64bits_withSeed(key.ptr, key.len, m->seed);
	s = probe(m->slots, m->cap, key, hash);
	if (added)
		*added = !s->ptr;
	if (!s->ptr) {
		*s = (struct vv_map_slot){key.ptr, key.len, hash, value};
		m->len++;
	}
	return &s->value;
}

void vv_map_release(struct vv_map *m)
{
	free(m->slots);
	*m = (struct vv_map){0};
}
