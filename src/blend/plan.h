/* Which tensors a recipe makes, of which tensors of its models, with which parameters. Reads no weights. */
#ifndef VV_BLEND_PLAN_H
#define VV_BLEND_PLAN_H

#include "blend/recipe.h"

/* A model that a recipe names. All borrowed. */
struct vv_blend_model {
	struct vv_version v;
	const char *file; /* for messages */
};
struct vv_blend_plan {
	struct vv_arena arena; /* owns all below */
	struct vv_blend_tensor *t;
	size_t n;
	uint64_t bytes;        /* of all new tensors */
	uint64_t layers;       /* of the new model; 0: its names have no numbers */
};
/*
 * The layer that a tensor's name tells: the first of its words, parted by dots, that is a number. *at: where that begins.
 * False when there is none, or it is larger than any count of tensors.
 */
bool vv_layer_of(const char *name, size_t *at, uint64_t *layer);
/* Does a tensor outside of the layers come before them: an embedding? */
bool vv_blend_comes_first(const char *name);
/*
 * `models` are by their number in the recipe; both are borrowed until the release. VV_EUSAGE: the recipe does not fit the
 * method, or lacks a parameter. VV_EFORMAT: a model lacks a tensor that another has, or shapes differ. VV_ENOTSUP: a
 * tensor that differs is of a type that is not merged. Whole numbers and booleans are the base's or the first model's.
 */
VV_MUST_CHECK int vv_blend_plan_make(struct vv_blend_plan *out, const struct vv_recipe *r,
	const struct vv_blend_model *models, struct vv_err *err);
void vv_blend_plan_release(struct vv_blend_plan *p);

#endif
