/*
 * A small sketch of each tensor, from which the distance of any two versions of it is estimated without their weights:
 * a count sketch (M. Charikar, K. Chen, M. Farach-Colton, 2002). Each element is added, with a random sign, to one of k
 * sums; the difference of two sketches is the sketch of the difference, whose squared norm is that of the tensors'
 * difference on average, with a standard error of at most sqrt(2/k) of it. Signs and places come from the element's
 * number alone: sketches are the same on every machine. The bytes are in docs/format/sketch.md.
 */
#ifndef VV_DIFF_SKETCH_H
#define VV_DIFF_SKETCH_H

#include "base/map.h"
#include "diff/diff.h"

enum {
	VV_SKETCH_LEAST = 4096,    /* elements; to read fewer costs nothing */
	VV_SKETCH_LARGE = 65536,
	VV_SKETCH_SUMS = 64,       /* k of a smaller tensor, */
	VV_SKETCH_SUMS_MAX = 256,  /* and from VV_SKETCH_LARGE elements on */
	VV_SKETCH_MAX_ROWS = 1 << 20,
};

struct vv_sketch {
	struct vv_id key;             /* of the object, type and shape (vv_sketch_key) */
	struct vv_id object;
	uint64_t numel, nan, inf, zero;
	double sum, squares;          /* over the finite elements */
	unsigned k;
	const double *sums;           /* k of them; the others' elements count as 0 */
};

/* The sums of a tensor of so many elements; 0: it is not sketched. */
unsigned vv_sketch_size(uint64_t numel);
VV_MUST_CHECK int vv_sketch_key(struct vv_id *out, const struct vv_manifest_seg *s, const struct vv_view *v, struct vv_err *err);

/* --- one tensor (diff/sketch.c) --- */
struct vv_sketcher {
	uint64_t at; /* elements seen */
	struct vv_sketch s;
	double sums[VV_SKETCH_SUMS_MAX];
};
void vv_sketcher_init(struct vv_sketcher *k, uint64_t numel);
/* The next n elements; a multiple of 256, but at the end. Changes `values`, which has room for the next multiple. */
void vv_sketcher_add(struct vv_sketcher *k, double *values, size_t n);
/*
 * The numbers that follow from two sketches: norms, means and deviations exactly; relative change, cosine and their
 * standard errors estimated; what they do not tell is unknown. False: they tell nothing, since elements are not finite
 * or the tensors are of other sizes.
 */
bool vv_sketch_delta(struct vv_delta *out, const struct vv_sketch *a, const struct vv_sketch *b);

/* --- of many tensors (diff/sketches.c) --- */
struct vv_sketches {
	struct vv_arena arena;
	struct vv_sketch *rows;
	size_t n, cap;
	struct vv_map by_key;
};
void vv_sketches_release(struct vv_sketches *s);
/* NULL: there is none. Borrowed: valid until the next is added. */
const struct vv_sketch *vv_sketches_find(const struct vv_sketches *s, const struct vv_id *key);
/* A name for the sketches of all tensors of a version that are sketched; *n counts them. */
VV_MUST_CHECK int vv_sketches_key(struct vv_id *out, size_t *n, const struct vv_manifest *m, struct vv_err *err);
/* How many of the version's are missing? */
VV_MUST_CHECK int vv_sketches_lack(const struct vv_sketches *s, const struct vv_manifest *m, size_t *n, struct vv_err *err);
/* Reads the weights of those that are missing. Of what is packed and turns out to be something else none is made. */
VV_MUST_CHECK int vv_sketches_make(struct vv_sketches *s, const struct vv_version *v, struct vv_pool *pool,
	struct vv_progress *prog, struct vv_err *err);
/* The version's, as a file. */
VV_MUST_CHECK int vv_sketches_emit(
	const struct vv_sketches *s, const struct vv_manifest *m, struct vv_buf *out, struct vv_err *err);
/* Adds those of a file. VV_EFORMAT: damaged, or of another version; nothing was added. */
VV_MUST_CHECK int vv_sketches_load(struct vv_sketches *s, struct vv_span bytes, struct vv_err *err);
/* Calls fn for each object that a file of sketches speaks of. VV_EFORMAT: damaged. */
VV_MUST_CHECK int vv_sketches_each_id(struct vv_span bytes,
	int (*fn)(void *arg, const struct vv_id *id, struct vv_err *err), void *arg, struct vv_err *err);
/* Gives those items of the diff that have no numbers what can be estimated. *n counts them. */
VV_MUST_CHECK int vv_sketches_estimate(const struct vv_sketches *s, struct vv_diff *d, size_t *n, struct vv_err *err);

#endif
