/* How old and new values of one tensor, and their differences, are spread. */
#ifndef VV_DIFF_HIST_H
#define VV_DIFF_HIST_H

#include "diff/diff.h"

enum {
	VV_DIFFHIST_BINS = 64,
	VV_DIFFHIST_BLOCKS = 64, /* of a larger tensor so many, evenly spread, of 131072 elements are looked at */
};

struct vv_bins {
	double lo, hi;                 /* hi > lo */
	uint64_t bins[VV_DIFFHIST_BINS];   /* of equal width */
	uint64_t outside;              /* finite, and in none of them */
};

struct vv_diffhist {
	struct vv_bins a, b, delta; /* a and b over the same range */
	uint64_t seen;                   /* elements looked at */
};

/* Of an item that was measured: its means and deviations give the ranges, four deviations to either side. */
VV_MUST_CHECK int vv_diffhist_make(struct vv_diffhist *out, const struct vv_diff_item *it, const struct vv_version *a,
	const struct vv_version *b, struct vv_err *err);

#endif
