/* What a version is: its tensors as a tree of layers, counted. */
#ifndef VV_MODEL_DESCRIBE_H
#define VV_MODEL_DESCRIBE_H

#include "model/model.h"

struct vv_count {
	size_t tensors;
	uint64_t elements, bytes; /* raw; what tensors share is counted once, with the first of them */
};

struct vv_described_tensor {
	const struct vv_manifest_seg *seg;
	const struct vv_view *view;
	uint64_t elements;  /* of its shape */
	uint64_t padding;   /* of these, what fills up a chunk: counted nowhere */
	uint64_t own_bytes; /* 0 when an earlier tensor of the file has the same bytes */
	bool shared;        /* sees bytes that an earlier one sees: tied weights, views */
	bool state;         /* the optimizer's, not the model's */
};

/* A dotted prefix of names, or one tensor. */
struct vv_layer {
	const char *name;       /* its own component */
	struct vv_count count;  /* of all tensors below */
	const struct vv_described_tensor *tensor; /* when a tensor has exactly this name */
	struct vv_layer *child, *next; /* first child, next sibling: in file order */
};

struct vv_description {
	struct vv_arena arena; /* owns all below; names are the manifest's or the arena's */
	struct vv_described_tensor *tensors; /* in file order */
	size_t n_tensors;
	struct vv_layer *root;               /* name "" */
	struct vv_count params;              /* elements: the model's number of parameters */
	struct vv_count state;
	struct vv_count by_dtype[VV_DT_COUNT]; /* both together */
	const char *optimizer;               /* "Adam or AdamW"; NULL: none seen. A constant */
	uint64_t opaque;                     /* bytes between tensors */
	uint64_t stored;                     /* bytes its distinct objects take in the store */
	size_t objects, missing;             /* distinct; not in the store */
	unsigned max_depth;                  /* of the delta chains */
};

/*
 * `store` may be NULL: nothing is said about stored bytes. So may `located`, the layout of the file's bytes, which knows of
 * padding. Borrows the manifest.
 */
VV_MUST_CHECK int vv_describe(struct vv_description *out, struct vv_store *store, const struct vv_manifest *m,
	const struct vv_layout *located, struct vv_err *err);
void vv_description_release(struct vv_description *d);

/* Is this the name of an optimizer's tensor ("optimizer.state.0.exp_avg")? */
bool vv_is_optimizer_state(const char *name);

#endif
