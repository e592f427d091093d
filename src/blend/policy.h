/*
 * What becomes of tensors that both sides of a three-way merge changed: rules, of which the first one that matches and
 * fits is followed. A rule names a side or a method, never a command.
 */
#ifndef VV_BLEND_POLICY_H
#define VV_BLEND_POLICY_H

#include "base/arena.h"
#include "base/pool.h"
#include "blend/blend.h"
#include "model/merge.h"

enum {
	VV_MAX_RULES = 4096,
	VV_MAX_RULE = 8192, /* bytes of a pattern, of a method with its parameters */
};

/* What the bytes around the tensors, and a file that is taken whole, are called in patterns and for people. */
#define VV_MERGE_FRAME_NAME "(metadata)"
#define VV_MERGE_FILE_NAME "(file)"

struct vv_rule {
	const char *pattern; /* as it was given: "TENSOR" or "FILE//TENSOR", globs in which * crosses all */
	const char *how;     /* "theirs"; "linear weight=0.3,0.7" */
	const char *file, *tensor; /* the two parts; file NULL: any */
	enum vv_merge_side side;   /* VV_MERGE_MIXED: by the method */
	const struct vv_blend_method *method;
	double p[VV_BP_COUNT], of_model[2][VV_BP_COUNT]; /* ours, theirs */
	uint64_t seed;
	const char *from; /* for people: where it was found; NULL when that is not known */
	size_t settled;   /* conflicts that it settled, by vv_policy_apply */
};
struct vv_policy {
	struct vv_arena arena; /* owns all below; a zeroed policy has no rules */
	struct vv_rule *v;
	size_t n, cap;
};
/* Adds a rule behind the others. VV_EUSAGE: there is no such method, or it has no such parameter. VV_ELIMIT. */
VV_MUST_CHECK int vv_policy_add(struct vv_policy *p, struct vv_span pattern, struct vv_span how, struct vv_err *err);
/* The same of one line: "PATTERN METHOD [NAME=VALUE]…". */
VV_MUST_CHECK int vv_policy_add_line(struct vv_policy *p, struct vv_span line, struct vv_err *err);
void vv_policy_release(struct vv_policy *p);
/* Is that what a rule may say: a side, or a method that merges two? */
bool vv_policy_is_method(struct vv_span name);

/*
 * Settles conflicts by the rules, from the manifests alone. A rule does not fit a tensor whose shape or type its method
 * does not take, or when it needs a common version that there is not: then the next one is asked. *n: how many it
 * settled; each rule counts its own. `path` is the file's. Fails only when memory is gone.
 */
VV_MUST_CHECK int vv_policy_apply(
	const struct vv_policy *p, const char *path, struct vv_merge *m, size_t *n, struct vv_err *err);
/* How many tensors are to be mixed. */
size_t vv_policy_mixes(const struct vv_merge *m);
/* Writes a safetensors file of them, for m->mixed. VV_EFORMAT: a NaN is among the numbers; the tensor is named. */
VV_MUST_CHECK int vv_policy_mix(const struct vv_policy *p, const struct vv_merge *m, struct vv_pool *pool,
	struct vv_sink *out, struct vv_err *err);
/*
 * The numbers cannot be mixed: makes conflicts again of what was to be, and drops the rules that asked for it, as ones that
 * do not fit this file. vv_policy_apply then asks those behind them.
 */
void vv_policy_unmix(struct vv_policy *p, struct vv_merge *m);

#endif
