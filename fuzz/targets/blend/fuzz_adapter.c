/* An adapter's config: one that parses has factors that are numbers, for any module; one that does not says why. */
#include "blend/adapter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const modules[] = {"", "q", "model.layers.0.self_attn.q_proj", "."};
	struct vv_err err = VV_ERR_INIT;
	struct vv_adapter_part part;
	struct vv_adapter a;
	char *name = malloc(size + 1);
	uint64_t rank;

	if (!name)
		return 0;
	memcpy(name, data, size);
	name[size] = 0;
	if (vv_adapter_part(&part, name) && (!part.module[0] || strlen(part.other) != strlen(name)))
		abort();
	free(name);
	if (vv_adapter_parse(&a, vv_span(data, size), "f", &err)) {
		if (!err.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < VV_COUNT(modules); i++)
		if (!(vv_adapter_scale(&a, modules[i], &rank) >= 0) || !rank || rank > VV_MAX_LORA_RANK)
			abort();
	vv_adapter_release(&a);
	return 0;
}
