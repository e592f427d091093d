/* Where a merge goes: a file of safetensors with its record, alone or in a folder with the base's other files. */
#ifndef VV_CLI_MERGEOUT_H
#define VV_CLI_MERGEOUT_H

#include "cli/mergein.h"

/*
 * `out` "-": standard output. It is a folder when it is one, or ends with a slash: then what a model's folder holds beside
 * its weights (configuration, tokenizer) is copied from the model that the recipe says. *bytes: of the weights' file.
 */
VV_MUST_CHECK int vv_mergeout_write(struct vv_ctx *ctx, const char *out, const struct vv_recipe *r,
	const struct vv_mergein *in, const struct vv_blend_plan *plan, uint64_t *bytes);

#endif
