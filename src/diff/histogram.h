/* How the values of some tensors are spread. The same for the same values, on any machine. */
#ifndef VV_DIFF_HISTOGRAM_H
#define VV_DIFF_HISTOGRAM_H

#include "model/describe.h"

enum {
	VV_HIST_BINS = 64,
	VV_HIST_BLOCK = 131072, /* values: the store's own grid */
	VV_HIST_BLOCKS = 16,    /* read at most; of more, ones that lie evenly apart */
	VV_HIST_SIGMAS = 4,     /* bins reach so far from the mean; what is beyond falls into the outermost */
};

struct vv_histogram {
	uint64_t values;    /* of all tensors whose elements are numbers */
	uint64_t seen;      /* that were read: fewer, where there are many */
	bool broken;        /* what is packed in the file is not what was claimed of it: some are left out */
	uint64_t nan, inf;  /* of those that were read; the others are in the bins */
	double min, max, mean, sigma; /* of the finite ones */
	unsigned n;         /* bins; 0: no finite value */
	double from, to;    /* their range: equal when all values are */
	uint64_t bins[VV_HIST_BINS];
};

/* Tensors of other elements than numbers count for nothing. */
VV_MUST_CHECK int vv_histogram_of(struct vv_histogram *out, const struct vv_version *v,
	const struct vv_described_tensor *const *tensors, size_t n, struct vv_err *err);

#endif
