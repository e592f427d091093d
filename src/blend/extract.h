/* What fine-tuning changed in a model, as a LoRA adapter: of each changed matrix the nearest of a low rank. */
#ifndef VV_BLEND_EXTRACT_H
#define VV_BLEND_EXTRACT_H

#include "base/buf.h"
#include "blend/plan.h"

struct vv_extract {
	const struct vv_blend_model *base, *tuned;
	size_t rank;
	enum vv_dtype to;      /* of the adapter: f32, f16 or bf16 */
};
struct vv_extract_plan {
	struct vv_arena arena; /* owns all below */
	struct vv_extract_item *items;
	size_t n;
	size_t left_out;       /* changed tensors that are no matrices of linear layers: an adapter has not got them */
	const char *first_left_out; /* NULL: none */
	uint64_t bytes;        /* of the adapter's tensors */
	double all, kept;      /* once written: sums of the squares of changes, and of what the adapter has of them */
};
/*
 * Reads no weights: which tensors differ is told by ids, which both manifests have to have. Borrows *x until the release.
 * VV_EFORMAT: tensors of one name have other shapes, or none differs. VV_EUSAGE: the rank.
 */
VV_MUST_CHECK int vv_extract_plan_make(struct vv_extract_plan *out, const struct vv_extract *x, struct vv_err *err);
void vv_extract_plan_release(struct vv_extract_plan *p);
/* Writes adapter_model.safetensors. Three copies of the largest matrix are held, as f32, and what the rank needs. */
VV_MUST_CHECK int vv_extract_write(struct vv_extract_plan *p, const struct vv_extract *x, struct vv_pool *pool,
	struct vv_sink *out, struct vv_err *err);
/* Appends adapter_config.json, for PEFT. */
VV_MUST_CHECK int vv_extract_config(
	const struct vv_extract_plan *p, const struct vv_extract *x, struct vv_buf *out, struct vv_err *err);

#endif
