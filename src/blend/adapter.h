/*
 * LoRA adapters as PEFT keeps them: adapter_config.json, and tensors whose product is added to a model's. The config is
 * another's word: bounded, and what is not understood is refused.
 */
#ifndef VV_BLEND_ADAPTER_H
#define VV_BLEND_ADAPTER_H

#include "base/arena.h"
#include "blend/plan.h"

enum { VV_MAX_ADAPTER_CONFIG = 1 << 20, VV_MAX_ADAPTER_PATTERNS = 65536, VV_MAX_LORA_RANK = 65536 };

/* A value for modules whose name ends with `key`, at a dot. */
struct vv_adapter_pattern {
	const char *key;
	double value;
};
struct vv_adapter_patterns {
	const struct vv_adapter_pattern *v;
	size_t n;
};
struct vv_adapter {
	struct vv_arena arena; /* owns all below */
	double rank, alpha;
	bool rslora;           /* alpha is over the root of the rank */
	bool turned;           /* weights are (in, out): fan_in_fan_out */
	struct vv_adapter_patterns ranks, alphas;
};
/* `name` is the file's, for messages. VV_EFORMAT; VV_ENOTSUP: an adapter of another kind, or with parts that are not LoRA. */
VV_MUST_CHECK int vv_adapter_parse(struct vv_adapter *out, struct vv_span text, const char *name, struct vv_err *err);
void vv_adapter_release(struct vv_adapter *a);
/* What the product is multiplied by for a module; *rank: what it has to be. */
double vv_adapter_scale(const struct vv_adapter *a, const char *module, uint64_t *rank);

/* What one tensor of an adapter is. */
struct vv_adapter_part {
	char module[VV_MAX_NAME + 1];
	char other[VV_MAX_NAME + 32]; /* the tensor that it is multiplied by */
	bool a;                       /* A (rank, in), or B (out, rank) */
	bool embedding;               /* the product is turned */
};
/* False: no part of a LoRA. */
bool vv_adapter_part(struct vv_adapter_part *out, const char *name);

/* For vv_blend_plan_make: the plan of the method `lora`, whose models are adapters. */
VV_MUST_CHECK int vv_lora_plan(struct vv_blend_plan *out, const struct vv_recipe *r, const struct vv_blend_model *models,
	struct vv_err *err);

#endif
