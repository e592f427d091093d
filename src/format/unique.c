#include "format/unique.h"
#include "format/format.h"

#include <stdio.h>

enum { MOST = 1000 };

int vv_unique_name(const char **name, struct vv_map *names, struct vv_arena *arena, struct vv_err *err)
{
	bool added = false;

	if (!vv_map_put(names, vv_span_str(*name), 1, &added))
		return vv_fail_nomem(err);
	if (added)
		return 0;
	size_t room = strlen(*name) + 8;
	char *made = vv_arena_alloc(arena, room);
	for (unsigned n = 2; n <= MOST; n++) {
		if (!made)
			return vv_fail_nomem(err);
		if (snprintf(made, room, "%s~%u", *name, n) > VV_MAX_NAME)
			return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
		/* A key that is there already is not kept, so the memory serves again. */
		if (!vv_map_put(names, vv_span_str(made), 1, &added))
			return vv_fail_nomem(err);
		if (added) {
			*name = made;
			return 0;
		}
	}
	return vv_fail(err, VV_EFORMAT, "more than %d tensors of one name", MOST);
}
