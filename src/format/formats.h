/* One row per reader: each is its own file. */
#ifndef VV_FORMAT_FORMATS_H
#define VV_FORMAT_FORMATS_H

#include "format/format.h"

extern const struct vv_format vv_format_dcp_index;
extern const struct vv_format vv_format_floats;
extern const struct vv_format vv_format_gguf;
extern const struct vv_format vv_format_hdf5;
extern const struct vv_format vv_format_keras;
extern const struct vv_format vv_format_msgpack;
extern const struct vv_format vv_format_npy;
extern const struct vv_format vv_format_npz;
extern const struct vv_format vv_format_onnx;
extern const struct vv_format vv_format_pickle;
extern const struct vv_format vv_format_safetensors;
extern const struct vv_format vv_format_savedmodel;
extern const struct vv_format vv_format_shard_index;
extern const struct vv_format vv_format_tf_index;
extern const struct vv_format vv_format_tflite;
extern const struct vv_format vv_format_torch;
extern const struct vv_format vv_format_torch_dcp;
extern const struct vv_format vv_format_torch_legacy;

/* Slots that have a file of their own. */
int vv_pickle_locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err);
int vv_tflite_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err);

#endif
