/* Finds, among things of one kind, the one whose dotted name ends most like a given name. */
#ifndef VV_MODEL_NAMESAKE_H
#define VV_MODEL_NAMESAKE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

/* A zeroed struct is empty. Keys are copied, names are borrowed. */
struct vv_namesakes {
	struct vv_arena arena;
	struct vv_map kinds; /* key → index into lists */
	struct vv_namesake *all;
	struct vv_namesake_list *lists;
	size_t n, cap;
};

/* Room for `cap` things. */
VV_MUST_CHECK int vv_namesakes_init(struct vv_namesakes *ns, size_t cap, struct vv_err *err);
void vv_namesakes_release(struct vv_namesakes *ns);
VV_MUST_CHECK int vv_namesakes_add(
	struct vv_namesakes *ns, struct vv_span key, const char *name, size_t value, struct vv_err *err);
/*
 * Takes out the thing under `key` with the longest common ending (in whole dotted components), the
 * earliest of equals; false when none is left. Looks at the 64 earliest only: what was renamed as a
 * group keeps its order.
 */
bool vv_namesakes_take(struct vv_namesakes *ns, struct vv_span key, const char *name, size_t *value);

/* What follows the last dot; the name itself when it has none. */
const char *vv_name_last(const char *name);

#endif
