/* What changed, added up by layer: a tree of the dotted names. */
#ifndef VV_DIFF_ROLLUP_H
#define VV_DIFF_ROLLUP_H

#include "diff/diff.h"

/*
 * Several tensors' changes together. The numbers are over those that were measured: a tensor that did not change was
 * not read, and has no norm. Shares of elements are over all.
 */
struct vv_delta_sum {
	size_t tensors;                           /* in b */
	size_t changed, added, removed, renamed;  /* changed: retyped and reshaped ones too */
	size_t measured;
	uint64_t elements;                        /* in b */
	uint64_t changed_elements, flips;
	uint64_t odd_a, odd_b;                    /* NaN and infinite ones */
	double aa, bb, ab, dd, max_abs;           /* sums of squares and products; the largest change */
	size_t estimated;                         /* of the measured: flips, max_abs and changed elements are without theirs */
	double variance;                          /* of dd: its standard error, squared */
};
/* `v` NULL: it is not in b. `it` NULL: it did not change. */
void vv_delta_sum_add(struct vv_delta_sum *s, const struct vv_view *v, const struct vv_diff_item *it);
/* As in struct vv_delta. */
double vv_delta_sum_relative(const struct vv_delta_sum *s);
double vv_delta_sum_cosine(const struct vv_delta_sum *s);
/* The standard errors of both; 0 when all was measured. */
double vv_delta_sum_relative_error(const struct vv_delta_sum *s);
double vv_delta_sum_cosine_error(const struct vv_delta_sum *s);
/* Did anything change at all? */
bool vv_delta_sum_any(const struct vv_delta_sum *s);

struct vv_rollup_layer {
	const char *name;                /* its own component of the dotted names; the arena's */
	struct vv_delta_sum sum;         /* of all tensors below */
	const struct vv_diff_item *item; /* of a leaf that changed */
	bool leaf;                       /* a tensor; a layer of the same name stands beside it */
	struct vv_rollup_layer *child, *next; /* first child, next sibling: in b's order */
	struct vv_rollup_layer *last;    /* of the children */
};

struct vv_rollup {
	struct vv_arena arena;
	struct vv_rollup_layer *root; /* name "" */
};

/* `b`: as in vv_diff_make. Borrows the diff. Layers are nested 64 deep at most; a name that goes on stays one component. */
VV_MUST_CHECK int vv_rollup_make(
	struct vv_rollup *out, const struct vv_diff *d, const struct vv_manifest *b, struct vv_err *err);
void vv_rollup_release(struct vv_rollup *r);
/* Puts what changed most first among siblings: NaN and infinities that are new, then relative change. */
VV_MUST_CHECK int vv_rollup_sort(struct vv_rollup *r, struct vv_err *err);

#endif
