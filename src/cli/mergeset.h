/* What the words of `varve merge` ask for, as a recipe. */
#ifndef VV_CLI_MERGESET_H
#define VV_CLI_MERGESET_H

#include "cli/cli.h"
#include "blend/recipe.h"

struct vv_mergeset {
	const char *method, *base, *dtype, *ema;
	struct vv_opt_list set; /* "name=value", or "name=v1,v2" for each model */
	const char *weight, *density, *t, *lambda; /* the same in short */
	bool normalize;
	uint64_t last, seed; /* last 0: not asked for */
};
/* The recipe of a merge of `models`; VV_EUSAGE. */
VV_MUST_CHECK int vv_mergeset_recipe(
	struct vv_ctx *ctx, const struct vv_mergeset *s, char *const *models, size_t n, struct vv_recipe *out);

#endif
