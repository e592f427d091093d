/*
 * What changed between two versions, tensor by tensor. vv_diff_make looks at the manifests only;
 * vv_diff_measure reads weights and says how far they moved.
 */
#ifndef VV_DIFF_DIFF_H
#define VV_DIFF_DIFF_H

#include "model/model.h"

enum vv_diff_kind {
	VV_DIFF_ADDED,
	VV_DIFF_REMOVED,
	VV_DIFF_RENAMED,  /* same bytes, type and shape under another name */
	VV_DIFF_RETYPED,  /* same name, other type (and maybe shape) */
	VV_DIFF_RESHAPED, /* same name and type, other shape */
	VV_DIFF_CHANGED,  /* same name, type and shape, other bytes */
	VV_DIFF_MOVED,    /* the same tensor at another place among the others */
};

/* How far `b` is from `a`. Norms, means and deviations are over the pairs where both elements are finite. */
struct vv_delta {
	uint64_t numel, changed;             /* changed: bytes differ; values, when types differ */
	uint64_t nan_a, nan_b, inf_a, inf_b;
	uint64_t zero_a, zero_b;             /* elements that are 0, or -0 */
	uint64_t flips;                      /* a positive number became a negative one, or the reverse */
	double norm_a, norm_b, norm_delta;   /* L2 */
	double relative;                     /* norm_delta / norm_a; infinite when only a's is 0 */
	double cosine;                       /* NaN when a norm is 0 */
	double max_abs;                      /* largest |b - a| */
	double mean_a, mean_b, std_a, std_b; /* NaN without such a pair */
	double rank;                         /* stable rank of b - a (diff/rank.h); NaN: not computed */
	/*
	 * From sketches (diff/sketch.h): norm_delta, relative and cosine are estimates with these standard errors; what is
	 * counted by pairs (changed, flips), max_abs and rank are unknown, 0 or NaN.
	 */
	bool estimated;
	double relative_error, cosine_error;
};

struct vv_diff_item {
	enum vv_diff_kind kind;
	const char *name;     /* in b; in a when removed. Borrowed from a manifest */
	const char *old_name; /* in a, when renamed */
	const struct vv_manifest_seg *seg_a, *seg_b; /* NULL on the side that has it not */
	const struct vv_view *view_a, *view_b;
	size_t row;           /* of kept numbers (diff/kept.h) */
	bool measured;
	struct vv_delta delta;
};

/* The bytes between tensors. */
struct vv_diff_opaque {
	size_t runs_a, runs_b;         /* opaque segments */
	uint64_t only_a, only_b, both; /* bytes in runs (by id) that one side, or both have */
};

/* Which tensors are looked at; one without patterns is all. */
struct vv_diff_filter {
	const char *const *tensors, *const *layers; /* fnmatch, '*' crosses dots; of names, and of dotted prefixes of them */
	size_t n_tensors, n_layers;
};

struct vv_diff {
	struct vv_diff_item *items; /* in b's order; removed ones after what they followed in a */
	size_t n;
	size_t n_same; /* tensors that did not change at all */
	struct vv_diff_opaque opaque;
	bool same_file; /* equal SHA-256 */
	const char *format_a, *format_b;
	const struct vv_diff_filter *filter; /* of vv_diff_pick; NULL: all. Borrowed */
};

/* Borrows both manifests. */
VV_MUST_CHECK int vv_diff_make(
	struct vv_diff *out, const struct vv_manifest *a, const struct vv_manifest *b, struct vv_err *err);
void vv_diff_release(struct vv_diff *d);

/* --- which, and in what order (diff/pick.c) --- */
/* Leaves what the filter wants, by either name of a renamed tensor, and counts anew; `b` as in vv_diff_make. */
VV_MUST_CHECK int vv_diff_pick(
	struct vv_diff *d, const struct vv_diff_filter *f, const struct vv_manifest *b, struct vv_err *err);
/*
 * Numbers of items, what changed most first: those that gained a NaN or an infinity, then by relative change; then
 * those without numbers by kind. Equals stay in order. Owned by the caller.
 */
VV_MUST_CHECK int vv_diff_order(const struct vv_diff *d, size_t **out, struct vv_err *err);
/*
 * Calls fn for each tensor of `b` that the filter wants, in b's order, with its item (NULL: the same as before); then
 * for those that were removed, with a NULL view.
 */
VV_MUST_CHECK int vv_diff_each(const struct vv_diff *d, const struct vv_manifest *b,
	int (*fn)(void *arg, const char *name, const struct vv_view *v, const struct vv_diff_item *it, struct vv_err *err),
	void *arg, struct vv_err *err);

/* --- how far (diff/measure.c) --- */
/* May it be measured: changed or retyped, of equal shapes and numbers? */
bool vv_diff_measurable(const struct vv_diff_item *it);

enum {
	VV_RANK_SMALL = 1 << 22, /* elements of a matrix whose rank is always computed */
	VV_RANK_LARGE = 1 << 27, /* the most for VV_MEASURE_RANKS: its difference is held as floats */
};
enum vv_measure_flags {
	VV_MEASURE_RANKS = 1, /* of large matrices too */
};
/*
 * Measures all items that can be and are not yet; not those packed in bytes that turn out to hold something else. The
 * versions are those of vv_diff_make. The result does not depend on the number of threads. Memory: a few blocks, and one
 * matrix for each thread.
 */
VV_MUST_CHECK int vv_diff_measure(struct vv_diff *d, const struct vv_version *a, const struct vv_version *b,
	unsigned flags, struct vv_pool *pool, struct vv_progress *prog, struct vv_err *err);

#endif
