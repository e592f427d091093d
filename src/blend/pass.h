/* Within blend/: one tensor being made. A pass looks at all of its elements, in parallel. */
#ifndef VV_BLEND_PASS_H
#define VV_BLEND_PASS_H

#include "base/pool.h"
#include "blend/blend.h"

enum {
	VV_BLEND_BLOCK = 131072, /* elements: the store's own grid */
	VV_BLEND_CHUNK = 1024,   /* elements held as doubles */
};

/* Some elements that follow each other, within one block. */
struct vv_blend_piece {
	size_t block;
	uint64_t at;   /* the first one, counted in the tensor */
	size_t n;
	unsigned worker;
	const double *const *x; /* of each model */
	const double *base;     /* NULL: none */
	double *spare;          /* room for n_src + 1 times as many as x[0] has */
};

struct vv_blend_job {
	const struct vv_blend_tensor *t;
	struct vv_pool *pool;
	struct vv_tensor_source *src; /* of the models, then of the base */
	size_t n_src, n_blocks;
	uint64_t numel, cols, rows;   /* cols: the last dimension; a tensor of one dimension is one row */
	struct vv_blend_scratch **scratch; /* by worker */
	unsigned threads;
	void *state;                  /* the method's */
};

/* Checks shapes and types; no pool is needed. To be ended, also when it fails. */
VV_MUST_CHECK int vv_blend_open(
	struct vv_blend_job *j, const struct vv_blend_tensor *t, struct vv_pool *pool, struct vv_err *err);
/* The same, and calls the method's `prepare`. A zeroed job may be ended. */
VV_MUST_CHECK int vv_blend_begin(
	struct vv_blend_job *j, const struct vv_blend_tensor *t, struct vv_pool *pool, struct vv_err *err);
void vv_blend_end(struct vv_blend_job *j);
/* The elements of `n` blocks from `first` on, in the type that is wanted. */
VV_MUST_CHECK int vv_blend_make(struct vv_blend_job *j, size_t first, size_t n, uint8_t *out, struct vv_err *err);

/*
 * Calls fn for all pieces: blocks in parallel, the pieces of one in order. What it keeps is kept by block (then added up
 * in order) or by worker (then only what has no order: counts).
 */
typedef void vv_blend_fn(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p);
VV_MUST_CHECK int vv_blend_pass(struct vv_blend_job *j, vv_blend_fn *fn, void *arg, struct vv_err *err);
/* The same by whole rows; rows of one group of eight are one worker's. A row is held as doubles, of each model. */
VV_MUST_CHECK int vv_blend_rows(struct vv_blend_job *j, vv_blend_fn *fn, void *arg, struct vv_err *err);
/* The same in as many bands of rows, whatever the threads: a band is one worker's, its rows in order; p->block counts bands. */
VV_MUST_CHECK int vv_blend_bands(struct vv_blend_job *j, size_t bands, vv_blend_fn *fn, void *arg, struct vv_err *err);
/* x - base of model `k`, or x itself when there is no base; `room` holds p->n. */
const double *vv_blend_delta(const struct vv_blend_piece *p, size_t k, double *room);
/* `parts` has `width` sums for each block: added up in order. */
void vv_blend_sums(const struct vv_blend_job *j, const double *parts, size_t width, double *out);
/* The sum of a[i] * b[i], in an order that is the same everywhere. */
double vv_blend_dot(const double *a, const double *b, size_t n);
/* Doubles to f64, f32, f16 or bf16: rounded once, to nearest, ties to even. True when a NaN is among them. */
bool vv_blend_narrow(enum vv_dtype to, const double *v, size_t n, uint8_t *out);

/*
 * The element of each rank among keys: the largest has rank 0. Keys are the bits of floats that are not negative, so they
 * sort as numbers do.
 */
struct vv_blend_rank {
	uint64_t rank;
	uint32_t key;          /* found: the key that has this rank */
	uint64_t above, equal; /* found: how many are larger, and as large */
};
/* The keys of a piece, of stream `s`. */
typedef void vv_blend_keys(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t s, uint32_t *key);
/*
 * `n` streams with `per` ranks each, r[s * per + i], all below the number of elements. *zeros (by stream; may be NULL)
 * counts keys of 0, and is there before `choose` (may be NULL) is called, which may set ranks by it.
 */
VV_MUST_CHECK int vv_blend_find_ranks(struct vv_blend_job *j, vv_blend_keys *keys, void *arg, struct vv_blend_rank *r,
	size_t n, size_t per, uint64_t *zeros, void (*choose)(void *arg), struct vv_err *err);
/* |v| as a key. */
void vv_blend_key(const double *v, size_t n, uint32_t *key);

/* Which elements of each model's difference to the base are kept, and by what the rest is then scaled. */
struct vv_blend_masks;
enum vv_blend_masking { VV_MASK_NONE, VV_MASK_TOP, VV_MASK_BAND, VV_MASK_RANDOM, VV_MASK_RANKED };
VV_MUST_CHECK int vv_blend_masks_make(
	struct vv_blend_masks **out, struct vv_blend_job *j, enum vv_blend_masking how, struct vv_err *err);
void vv_blend_masks_free(struct vv_blend_masks *m);
/* Makes 0 of what model `k` does not keep, and scales the rest. Pieces of one block come in order. */
void vv_blend_masks_apply(struct vv_blend_masks *m, const struct vv_blend_job *j, const struct vv_blend_piece *p, size_t k,
	double *delta);

extern const struct vv_blend_method vv_blend_linear, vv_blend_slerp, vv_blend_nuslerp, vv_blend_karcher,
	vv_blend_multislerp, vv_blend_model_stock, vv_blend_task_arithmetic, vv_blend_ties, vv_blend_dare_linear,
	vv_blend_dare_ties, vv_blend_della, vv_blend_della_linear, vv_blend_breadcrumbs, vv_blend_breadcrumbs_ties,
	vv_blend_sce, vv_blend_nearswap, vv_blend_arcee_fusion, vv_blend_ram, vv_blend_ramplus_tl, vv_blend_passthrough,
	vv_blend_lora;
#define VV_BP(p) (UINT32_C(1) << VV_BP_##p)

#endif
