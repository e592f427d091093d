/* LoRA adapters: what `varve merge --lora` adds to a model, what --extract-lora makes. */
#ifndef VV_CLI_MERGELORA_H
#define VV_CLI_MERGELORA_H

#include "cli/mergein.h"

/*
 * Opens the base and the adapters, words of "ADAPTER" or "ADAPTER:SCALE", and makes the recipe of their sum; both are the
 * caller's to release, also when it fails. An adapter is a folder, or a file of weights with adapter_config.json beside it.
 */
VV_MUST_CHECK int vv_mergelora_open(struct vv_ctx *ctx, const char *base, const struct vv_opt_list *adapters,
	const char *dtype, struct vv_mergein *in, struct vv_recipe *out);
/*
 * Writes the folder `out` with adapter_model.safetensors and adapter_config.json: what `tuned` changed in `base`, by matrices
 * of `rank`, and says so. `dtype` NULL: f32.
 */
VV_MUST_CHECK int vv_mergelora_extract(struct vv_ctx *ctx, const char *base, const char *tuned, uint64_t rank,
	const char *dtype, const char *out);

#endif
