/*
 * A hash map from byte strings to a number. Keys are borrowed: they must outlive the map. A zeroed
 * struct is an empty map. The hash is XXH3 under a seed of the run: never an identity.
 */
#ifndef VV_BASE_MAP_H
#define VV_BASE_MAP_H

#include "base/compiler.h"
#include "base/span.h"

struct vv_map {
	struct vv_map_slot *slots;
	size_t len, cap;
	uint64_t seed;
};

/* The value's place, or NULL. Borrowed: valid until the next put. */
uint64_t *vv_map_find(const struct vv_map *m, struct vv_span key);
/*
 * Puts `value` under `key` unless the key is there. Returns the place of the value now in the map
 * and sets *added (may be NULL); NULL when memory is gone.
 */
uint64_t *vv_map_put(struct vv_map *m, struct vv_span key, uint64_t value, bool *added);
void vv_map_release(struct vv_map *m);

#endif
