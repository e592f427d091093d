/*
 * Weights of several models made into those of one: averages, points on a sphere between them, sums of what each changed
 * in a base. Tensor by tensor, in blocks; what is written depends on nothing but the inputs and the parameters, at any
 * number of threads and on any machine. The formulas are in docs/internals/model.md.
 */
#ifndef VV_BLEND_BLEND_H
#define VV_BLEND_BLEND_H

#include "model/model.h"

/* Named as mergekit names them. */
enum vv_blend_param {
	VV_BP_WEIGHT,
	VV_BP_DENSITY, /* share of each difference to the base that is kept */
	VV_BP_GAMMA,   /* share of the largest ones that is dropped */
	VV_BP_SCALE,
	VV_BP_EPSILON,
	VV_BP_T,
	VV_BP_LAMBDA,
	VV_BP_NORMALIZE,
	VV_BP_RESCALE,
	VV_BP_SELECT_TOPK,
	VV_BP_MAX_ITER,
	VV_BP_TOL,
	VV_BP_EPS,
	VV_BP_NORMALIZE_WEIGHTS,
	VV_BP_FILTER_WISE,
	VV_BP_FLATTEN,
	VV_BP_ROW_WISE,
	VV_BP_R,
	VV_BP_ALPHA,
	VV_BP_FAN_IN_FAN_OUT, /* weights are (in, out) */
	VV_BP_INT8_MASK, /* how mergekit saves memory: taken and without effect */
	VV_BP_COUNT
};
struct vv_blend_param_info {
	const char *name;
	bool of_model; /* each model has its own; else one for the merge */
	bool flag;     /* true or false: 1 or 0 */
	double min, max, usual; /* usual NaN: must be given, or is the method's */
};
extern const struct vv_blend_param_info vv_blend_params[VV_BP_COUNT];
/* VV_BP_COUNT when there is none of that name. */
enum vv_blend_param vv_blend_param_find(struct vv_span name);

/* What becomes of a base model. */
enum vv_blend_base {
	VV_BLEND_BASE_INPUT, /* it is a model like the others, if it is among them */
	VV_BLEND_BASE_FIRST, /* it is the first of them */
	VV_BLEND_BASE_MAYBE, /* it may be given, and is none of them */
	VV_BLEND_BASE_APART, /* it has to be given, and is none of them */
};

struct vv_blend_job;
struct vv_blend_piece;
struct vv_blend_method {
	const char *name;     /* in recipes and records: never renamed */
	const char *summary;
	enum vv_blend_base base;
	size_t min, max;      /* models besides a base that is apart; max 0: any number */
	uint32_t params;      /* 1 << enum vv_blend_param */
	double normalize, rescale, epsilon; /* what these are when they are not given */
	/* All below: blend/pass.h. Called before the first element is made; sets job->state. NULL: not needed. */
	int (*prepare)(struct vv_blend_job *j, struct vv_err *err);
	/* p->n elements. Called by several threads, but for one block in order by one. */
	void (*mix)(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out);
	void (*release)(struct vv_blend_job *j); /* of job->state; NULL: it is one piece of memory */
};
extern const struct vv_blend_method *const vv_blend_methods[]; /* ends with NULL */
/* NULL when there is none of that name. */
const struct vv_blend_method *vv_blend_find(struct vv_span name);
/* NaN: it has to be given. */
double vv_blend_usual(const struct vv_blend_method *m, enum vv_blend_param p);

/* A tensor of one model. All borrowed. */
struct vv_blend_in {
	const struct vv_version *from;
	size_t seg, view;
	const char *file;      /* for messages */
	double p[VV_BP_COUNT]; /* those of models */
};

/* A product of two tensors of an adapter: B (out, rank) times A (rank, in), or that turned. */
struct vv_blend_low {
	struct vv_blend_in a, b;
	uint64_t rank;
	double scale;
	bool turned;
};

/* A tensor of the new model. All borrowed. */
struct vv_blend_tensor {
	const char *name;
	const struct vv_blend_method *method; /* NULL: the bytes of in[0] */
	enum vv_dtype to;                     /* f64, f32, f16 or bf16, if there is a method */
	const struct vv_blend_in *in;
	size_t n;
	const struct vv_blend_in *base;       /* NULL: none that is apart */
	const struct vv_blend_low *low;       /* what is added to in[0], of the method lora */
	size_t n_low;
	double p[VV_BP_COUNT];                /* those of the merge */
	uint64_t seed;
};
/* f64, f32, f16, bf16: what methods take and give. */
bool vv_blend_takes(enum vv_dtype dt);
/* What vv_blend_write refuses before it reads numbers: shapes that differ, types that are not merged. */
VV_MUST_CHECK int vv_blend_check(const struct vv_blend_tensor *t, size_t n, struct vv_err *err);

/*
 * Writes the model. VV_EFORMAT: shapes differ, or a NaN is among the numbers, which names tensor and file. VV_EUSAGE: a
 * parameter does not fit. `head` is a file of `format` without tensors (as vv_format.empty makes). Parts are made as they
 * are asked for, by threads of the pool and one more; about eight blocks of 131072 elements of each model are held for each
 * thread, and what the method needs.
 */
VV_MUST_CHECK int vv_blend_write(const struct vv_blend_tensor *t, size_t n, const struct vv_format *format,
	struct vv_span head, struct vv_pool *pool, struct vv_sink *out, struct vv_err *err);

#endif
