/* The table of formats. */
#include "format/formats.h"

static enum vv_probe opaque_probe(struct vv_span head VV_UNUSED, uint64_t size VV_UNUSED)
{
	return VV_PROBE_MAYBE;
}

/* Whatever no reader knows: bytes. */
static const struct vv_format vv_format_opaque = {.name = "opaque", .probe = opaque_probe};

const struct vv_format *const vv_formats[] = {
	&vv_format_npy,
	&vv_format_hdf5,
	&vv_format_keras,
	&vv_format_npz,
	&vv_format_gguf,
	&vv_format_safetensors,
	&vv_format_torch,
	&vv_format_torch_dcp,
	&vv_format_torch_legacy,
	&vv_format_dcp_index,
	&vv_format_pickle,
	&vv_format_tf_index,
	&vv_format_tflite,
	&vv_format_msgpack,
	&vv_format_savedmodel,
	&vv_format_onnx,
	&vv_format_shard_index,
	&vv_format_floats, /* whatever looks like it */
	&vv_format_opaque,
	NULL,
};

const struct vv_format *vv_format_find(struct vv_span name)
{
	for (size_t i = 0; vv_formats[i]; i++)
		if (vv_span_is(name, vv_formats[i]->name))
			return vv_formats[i];
	return NULL;
}
