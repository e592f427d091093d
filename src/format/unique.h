/* Names that stand once: in a layout, and in what a file tells of others. */
#ifndef VV_FORMAT_UNIQUE_H
#define VV_FORMAT_UNIQUE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

/*
 * Puts *name into `names`, with the value 1. One that is there already is exchanged for a new one, kept by `arena`:
 * a second "w" becomes "w~2". VV_ELIMIT, VV_EFORMAT: there is no such name within the limits.
 */
VV_MUST_CHECK int vv_unique_name(
	const char **name, struct vv_map *names, struct vv_arena *arena, struct vv_err *err);

#endif
