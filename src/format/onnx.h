/* The tensors in an ONNX model. Private to onnx*.c: readers of models use format.h. */
#ifndef VV_FORMAT_ONNX_H
#define VV_FORMAT_ONNX_H

#include "format/format.h"
#include "format/protobuf.h"

/* Fields of TensorProto, of which an assembler writes some. */
enum vv_onnx_tensor_field {
	VV_ONNX_DIMS = 1,
	VV_ONNX_TYPE = 2,
	VV_ONNX_SEGMENT = 3,
	VV_ONNX_FLOATS = 4,
	VV_ONNX_INT32S = 5,
	VV_ONNX_STRINGS = 6,
	VV_ONNX_INT64S = 7,
	VV_ONNX_NAME = 8,
	VV_ONNX_RAW = 9,
	VV_ONNX_DOUBLES = 10,
	VV_ONNX_UINT64S = 11,
	VV_ONNX_EXTERNAL = 13,
	VV_ONNX_LOCATION = 14,
};
enum { VV_ONNX_GRAPH_INITIALIZER = 5 }; /* in GraphProto */

/* A TensorProto whose elements are one run of bytes in the file. */
struct vv_onnx_tensor {
	struct vv_pb *message;        /* at its end */
	const struct vv_pb_field *at; /* in the message around it */
	struct vv_pb_field name, data;
	bool initializer; /* of a graph, which can do without it; else a node's constant */
	bool packed;      /* elements narrower than a byte: told as bytes, in one dimension */
	enum vv_dtype dtype;
	unsigned ndim;
	uint64_t shape[VV_MAX_DIMS];
};

/* Goes through a model from its start; a slot that fails ends it. */
struct vv_onnx_walk {
	struct vv_layout_build *findings; /* NULL: they are not wanted */
	/* The name: the tensor's own, or after the node that it is a constant of. */
	int (*tensor)(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, struct vv_err *err);
	struct vv_elsewheres *elsewhere; /* tensors in other files are told; NULL: they are not wanted */
	/* The model's own graph ends; `at` is where an initializer more would stand. May be NULL. */
	int (*graph)(struct vv_onnx_walk *w, struct vv_pb *graph, uint64_t at, struct vv_err *err);
	/* Private. */
	struct vv_pb_input in;
	const struct vv_onnx_scope *scope;
	struct vv_buf text;
};

VV_MUST_CHECK int vv_onnx_walk(struct vv_onnx_walk *w, const struct vv_source *src, struct vv_err *err);
/* The name of the tensor that the slot was called with, kept by `arena`. */
VV_MUST_CHECK int vv_onnx_name(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, struct vv_arena *arena,
	char **name, struct vv_err *err);
/* TensorProto.DataType; 0 when ONNX has none. */
unsigned vv_onnx_type(enum vv_dtype dt);

/* Slots of the table. */
int vv_onnx_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);
int vv_onnx_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err);

#endif
