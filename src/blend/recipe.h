/*
 * A recipe of a merge, in the shape of mergekit's YAML files. It names models as text: whoever reads it opens them.
 * Text is parsed by libyaml; nothing that it names is opened here.
 */
#ifndef VV_BLEND_RECIPE_H
#define VV_BLEND_RECIPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "blend/blend.h"

#include <jansson.h>

enum {
	VV_MAX_RECIPE = 1 << 16,        /* bytes of text: libyaml takes time by the square of it */
	VV_MAX_RECIPE_DEPTH = 64,       /* brackets and steps of indentation */
	VV_MAX_RECIPE_VALUES = 1 << 18, /* numbers in it, what anchors repeat counted each time */
};

struct vv_recipe_value {
	const char *filter; /* a part of the tensor's name; NULL: any */
	const double *v;    /* one, or several that layers go along (a gradient) */
	size_t n;
};
struct vv_recipe_param {
	enum vv_blend_param p;
	const struct vv_recipe_value *values; /* the first whose filter matches */
	size_t n;
};
struct vv_recipe_params {
	const struct vv_recipe_param *v;
	size_t n;
};
struct vv_recipe_source {
	size_t model;
	bool ranged;
	uint64_t first, end; /* layers, when ranged */
	struct vv_recipe_params params;
};
/* Some layers of the new model. */
struct vv_recipe_slice {
	const struct vv_recipe_source *sources;
	size_t n;
	size_t base; /* SIZE_MAX: the recipe's */
	struct vv_recipe_params params;
};
struct vv_recipe {
	struct vv_arena arena; /* owns all below */
	const struct vv_blend_method *method;
	const char **models;   /* what it names, once each */
	size_t n_models;
	size_t base;           /* SIZE_MAX: none */
	const struct vv_recipe_slice *slices; /* `models`: one, whose sources have no ranges */
	size_t n_slices;
	struct vv_recipe_params params;
	enum vv_dtype to;      /* VV_DT_BYTES: that of the base or the first model */
	size_t tokenizer;      /* the model whose tokenizer is copied; SIZE_MAX: the base or the first */
	uint64_t seed;
};

/* `name` is the file's, for messages: VV_EFORMAT and VV_ENOTSUP say line and column. */
VV_MUST_CHECK int vv_recipe_parse(struct vv_recipe *r, struct vv_span text, const char *name, struct vv_err *err);
void vv_recipe_release(struct vv_recipe *r);
/* As the same text in JSON, models by their number; new, NULL when memory is gone. Parsing it gives the same recipe. */
json_t *vv_recipe_json(const struct vv_recipe *r);
/*
 * The parameter for a tensor, at `t` of the way from the first layer to the last: of a source (NULL: none), of its slice,
 * of the recipe, or the usual one of the method (NaN: it has to be given).
 */
double vv_recipe_number(const struct vv_recipe *r, const struct vv_recipe_slice *slice,
	const struct vv_recipe_source *source, enum vv_blend_param p, const char *tensor, double t);

#endif
