/*
 * What was measured between two versions, kept so that it need not be measured again. A cache: losing it costs time.
 * It is found by a key over all pairs of tensors that can be measured: their objects, types and shapes.
 *
 *   "varve stats 1\n", 2 bytes of zero, key (32), rows u64; for each row ids of old and new object (32 + 32), flags u64,
 *   9 counts u64 and 11 numbers f64 as in struct vv_delta; SHA-256 (32) of all before. Little-endian.
 */
#ifndef VV_DIFF_KEPT_H
#define VV_DIFF_KEPT_H

#include "diff/diff.h"

enum vv_kept_flags {
	VV_KEPT_TRIED = 1,  /* somebody tried to measure it */
	VV_KEPT_NUMBERS = 2, /* and could: the delta is there */
};
enum { VV_KEPT_MAX_ROWS = 1 << 20 };

struct vv_kept_row {
	struct vv_id a, b;
	unsigned flags;
	struct vv_delta delta;
};

struct vv_kept {
	struct vv_id key;
	struct vv_kept_row *rows; /* one for each item of the diff that can be measured, in its order */
	size_t n;
};

/* Appends what says which numbers a tensor holds: its object, and how that is seen. */
void vv_kept_side(struct vv_buf *out, const struct vv_manifest_seg *s, const struct vv_view *v);
/* Rows for all of the diff, before any was picked; their numbers go into its items. */
VV_MUST_CHECK int vv_kept_init(struct vv_kept *k, struct vv_diff *d, struct vv_err *err);
void vv_kept_release(struct vv_kept *k);
/* Fills the rows. VV_EFORMAT: not numbers of these pairs, or damaged; the rows are as they were. */
VV_MUST_CHECK int vv_kept_load(struct vv_kept *k, struct vv_span bytes, struct vv_err *err);
void vv_kept_emit(const struct vv_kept *k, struct vv_buf *out);
/* Gives the items their numbers; ranks only where vv_diff_measure would compute them without flags. */
void vv_kept_apply(const struct vv_kept *k, struct vv_diff *d);
/* Is there an item without numbers that nobody tried to measure? */
bool vv_kept_lacks(const struct vv_kept *k, const struct vv_diff *d);
/* Takes what vv_diff_measure found; estimates are not kept. */
void vv_kept_take(struct vv_kept *k, const struct vv_diff *d);
/* Calls fn for each object that a kept file speaks of, old and new. VV_EFORMAT: damaged. */
VV_MUST_CHECK int vv_kept_each_id(struct vv_span bytes, int (*fn)(void *arg, const struct vv_id *id, struct vv_err *err),
	void *arg, struct vv_err *err);

#endif
