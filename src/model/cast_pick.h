/* Which tensors of a file are narrower copies of others in it: the bf16 weights beside their fp32 master. */
#ifndef VV_MODEL_CAST_PICK_H
#define VV_MODEL_CAST_PICK_H

#include "base/source.h"
#include "format/format.h"

/*
 * Sets original[i], for each segment, to the index of the segment whose cast it seems to be, or to
 * SIZE_MAX; *n: how many there are. It is a guess from a few elements: as many of them, the same from
 * the middle on. The store tries it as a base, whatever else differs is coded.
 */
VV_MUST_CHECK int vv_pick_casts(
	const struct vv_source *src, const struct vv_layout *l, size_t *original, size_t *n, struct vv_err *err);

#endif
