/*
 * The graph of a TensorFlow Lite model: the operators of its subgraphs, inputs and outputs of the first. After
 * tflite's schema.fbs.
 */
#include "format/flatbuf.h"
#include "format/formats.h"
#include "format/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Fields, by their numbers in the schema. */
enum { MODEL_VERSION = 0, MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_DESCRIPTION = 3 };
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_BUILTIN = 3 };
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OUTPUTS = 2, GRAPH_OPERATORS = 3 };
enum { OP_CODE = 0, OP_INPUTS = 1, OP_OUTPUTS = 2, OP_OPTIONS_TYPE = 3, OP_OPTIONS = 4 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_NAME = 3, TENSOR_SIGNATURE = 7, TENSOR_HAS_RANK = 8 };
/* The old field of an operator's code is a byte, and says so where the code is larger. */
enum { OLD_MAX = 127, CUSTOM = 32 };

/* By TensorType. */
static const char *const dtypes[] = {"f32", "f16", "i32", "u8", "i64", "string", "bool", "i16", "c64", "i8", "f64", "c128",
	"u64", "resource", "variant", "u32", "u16", "i4", "bf16", "i2", "u4", "f8_e4m3", "f8_e5m2"};

/* By BuiltinOperator. */
static const char *const operators[] = {
	"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
	"EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
	"LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
	"RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
	"CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
	"UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB",
	"DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP",
	"TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM",
	"ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN",
	"TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT",
	"SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT",
	"LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL",
	"FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
	"SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
	"REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
	"NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
	"BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D",
	"IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL",
	"CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS",
	"RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE",
	"RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
	"UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT", "STABLEHLO_LOGISTIC", "STABLEHLO_ADD",
	"STABLEHLO_DIVIDE", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM", "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP",
	"STABLEHLO_CONCATENATE", "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE",
	"STABLEHLO_CUSTOM_CALL", "STABLEHLO_REDUCE", "STABLEHLO_ABS", "STABLEHLO_AND", "STABLEHLO_COSINE",
	"STABLEHLO_EXPONENTIAL", "STABLEHLO_FLOOR", "STABLEHLO_LOG", "STABLEHLO_MINIMUM", "STABLEHLO_NEGATE",
	"STABLEHLO_OR", "STABLEHLO_POWER", "STABLEHLO_REMAINDER", "STABLEHLO_RSQRT", "STABLEHLO_SELECT",
	"STABLEHLO_SUBTRACT", "STABLEHLO_TANH", "STABLEHLO_SCATTER", "STABLEHLO_COMPARE", "STABLEHLO_CONVERT",
	"STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE", "STABLEHLO_PAD", "STABLEHLO_IOTA",
	"STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SORT", "STABLEHLO_WHILE", "STABLEHLO_GATHER",
	"STABLEHLO_TRANSPOSE", "DILATE", "STABLEHLO_RNG_BIT_GENERATOR", "REDUCE_WINDOW", "STABLEHLO_COMPOSITE",
	"STABLEHLO_SHIFT_LEFT", "STABLEHLO_CBRT", "STABLEHLO_CASE"};

/* Custom ones by name that every runtime has. */
static const char *const well_known[] = {"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"};

/* By ActivationFunctionType. */
static const char *const fused[] = {NULL, "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"};

static const char *const activations[] = {"ELU", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "PRELU",
	"RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "SOFTMAX", "TANH"};

/* By BuiltinOptions: the field that names a fused activation, plus 1. */
static const uint8_t fused_field[] = {[1] = 4, [2] = 5, [5] = 6, [6] = 2, [7] = 1, [8] = 1, [10] = 2, [11] = 1, [12] = 1,
	[14] = 1, [21] = 1, [28] = 1, [29] = 1, [31] = 2, [49] = 4, [69] = 1, [70] = 2, [71] = 1, [106] = 5};

struct reader {
	struct vv_flatbuf fb;
	struct vv_graph *g;
	struct vv_fb_vector codes, tensors; /* tensors: of the subgraph that is read */
	const char **ops;                   /* by code; NULL: not read yet */
	bool *custom;                       /* by code */
	const char **names;                 /* by tensor of the subgraph; NULL: not read yet */
	uint64_t refs; /* of tensors, and dimensions, that may still come: vectors may be shared */
	struct vv_err *err;
};

static int read_text(struct reader *r, const struct vv_fb_table *t, unsigned field, const char **out)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_fb_vector v;
	int ret = vv_fb_vector(&r->fb, t, field, 1, &v, r->err);
	void *p;

	if (ret)
		return ret;
	p = vv_buf_reserve(&text, v.n);
	ret = p ? vv_fb_read(&r->fb, v.at, p, v.n, r->err) : vv_buf_check(&text, r->err);
	text.len = v.n;
	if (!ret)
		ret = vv_graph_text(r->g, vv_buf_view(&text), out, r->err);
	vv_buf_release(&text);
	return ret;
}

/* --- names, read once each --- */

static int read_op(struct reader *r, uint64_t i, const char **out)
{
	uint64_t old = 0, code = 0;
	struct vv_fb_table t;
	char number[32];
	int ret;

	if (i >= r->codes.n)
		return vv_fail(r->err, VV_EFORMAT, "there is no operator code %" PRIu64, i);
	if ((*out = r->ops[i]))
		return 0;
	ret = vv_fb_table_in(&r->fb, &r->codes, (uint32_t)i, &t, r->err);
	if (!ret)
		ret = vv_fb_number(&r->fb, &t, CODE_OLD, 1, &old, r->err);
	if (!ret)
		ret = vv_fb_number(&r->fb, &t, CODE_BUILTIN, 4, &code, r->err);
	if (ret)
		return ret;
	code = old < OLD_MAX && old > code ? old : code;
	if (code == CUSTOM) {
		ret = read_text(r, &t, CODE_CUSTOM, out);
		r->custom[i] = true;
		for (size_t k = 0; k < VV_COUNT(well_known) && !ret; k++)
			r->custom[i] &= strcmp(*out, well_known[k]) != 0;
	} else if (code < VV_COUNT(operators)) {
		*out = operators[code];
	} else {
		snprintf(number, sizeof(number), "operator %" PRIu64, code);
		*out = vv_arena_copy(&r->g->arena, vv_span_str(number));
		ret = *out ? 0 : vv_fail_nomem(r->err);
	}
	if (!ret && !**out)
		*out = operators[CUSTOM];
	r->ops[i] = *out;
	return ret;
}

/* -1 stands for an input that is left out. */
static int read_name(struct reader *r, uint64_t i, const char **out)
{
	struct vv_fb_table t;
	char number[32];
	int ret;

	*out = "";
	if (i == UINT32_MAX)
		return 0;
	if (i >= r->tensors.n)
		return vv_fail(r->err, VV_EFORMAT, "there is no tensor %" PRIu64, i);
	if ((*out = r->names[i]))
		return 0;
	ret = vv_fb_table_in(&r->fb, &r->tensors, (uint32_t)i, &t, r->err);
	if (!ret)
		ret = read_text(r, &t, TENSOR_NAME, out);
	if (!ret && !**out) {
		snprintf(number, sizeof(number), "tensor%" PRIu64, i);
		*out = vv_arena_copy(&r->g->arena, vv_span_str(number));
		ret = *out ? 0 : vv_fail_nomem(r->err);
	}
	r->names[i] = *out;
	return ret;
}

static int read_names(struct reader *r, const struct vv_fb_table *op, unsigned field, const char *const **out, unsigned *n)
{
	struct vv_fb_vector v;
	const char **list;
	uint64_t index = 0;
	int ret = vv_fb_vector(&r->fb, op, field, 4, &v, r->err);

	if (ret)
		return ret;
	if (v.n > r->refs)
		return vv_fail(r->err, VV_EFORMAT, "operators of more inputs and outputs than the file has");
	r->refs -= v.n;
	list = vv_arena_array(&r->g->arena, v.n, sizeof(*list));
	if (!list)
		return vv_fail_nomem(r->err);
	for (uint32_t i = 0; i < v.n && !ret; i++) {
		ret = vv_fb_element(&r->fb, &v, i, 4, &index, r->err);
		if (!ret)
			ret = read_name(r, index, &list[i]);
	}
	*out = list;
	*n = v.n;
	return ret;
}

/* --- operators --- */

static int read_activation(struct reader *r, const struct vv_fb_table *op, const char **out)
{
	uint64_t type = 0, kind = 0, at;
	struct vv_fb_table options;
	struct vv_fb_vector one;
	int ret = vv_fb_number(&r->fb, op, OP_OPTIONS_TYPE, 1, &type, r->err);

	if (ret || type >= VV_COUNT(fused_field) || !fused_field[type])
		return ret;
	ret = vv_fb_field(&r->fb, op, OP_OPTIONS, 4, &at, r->err);
	if (ret || !at)
		return ret;
	/* The offset of a table stands in the field as in a vector of one. */
	one = (struct vv_fb_vector){at, 1};
	ret = vv_fb_table_in(&r->fb, &one, 0, &options, r->err);
	if (!ret)
		ret = vv_fb_number(&r->fb, &options, fused_field[type] - 1u, 1, &kind, r->err);
	if (!ret && kind < VV_COUNT(fused))
		*out = fused[kind];
	return ret;
}

static int read_operator(struct reader *r, const struct vv_fb_table *t, unsigned depth)
{
	struct vv_graph_node n = {.name = "", .depth = depth, .off = t->at};
	uint64_t code = 0;
	int ret = vv_fb_number(&r->fb, t, OP_CODE, 4, &code, r->err);

	if (!ret)
		ret = read_op(r, code, &n.op);
	n.custom = !ret && r->custom[code];
	if (!ret)
		ret = read_names(r, t, OP_INPUTS, &n.inputs, &n.n_inputs);
	if (!ret)
		ret = read_names(r, t, OP_OUTPUTS, &n.outputs, &n.n_outputs);
	if (!ret)
		ret = read_activation(r, t, &n.activation);
	for (size_t i = 0; i < VV_COUNT(activations) && !ret && !n.activation; i++)
		if (!strcmp(n.op, activations[i]))
			n.activation = n.op;
	return ret ? ret : vv_graph_add(r->g, &n, r->err);
}

/* --- inputs and outputs --- */

/* The signature has -1 where the shape has but a first guess. */
static int read_shape(struct reader *r, const struct vv_fb_table *t, struct vv_graph_value *v)
{
	struct vv_fb_vector shape, signature;
	struct vv_graph_dim *dims;
	uint64_t has_rank = 0;
	int ret = vv_fb_vector(&r->fb, t, TENSOR_SHAPE, 4, &shape, r->err);

	if (!ret)
		ret = vv_fb_vector(&r->fb, t, TENSOR_SIGNATURE, 4, &signature, r->err);
	if (!ret)
		ret = vv_fb_number(&r->fb, t, TENSOR_HAS_RANK, 1, &has_rank, r->err);
	if (ret)
		return ret;
	if (shape.n > VV_MAX_GRAPH_DIMS)
		return vv_fail(r->err, VV_ELIMIT, "tensor '%s' has more than %d dimensions", v->name, VV_MAX_GRAPH_DIMS);
	if (shape.n >= r->refs)
		return vv_fail(r->err, VV_EFORMAT, "inputs and outputs of more dimensions than the file has");
	r->refs -= shape.n + 1;
	dims = vv_arena_array(&r->g->arena, shape.n, sizeof(*dims));
	if (!dims)
		return vv_fail_nomem(r->err);
	for (uint32_t i = 0; i < shape.n && !ret; i++) {
		ret = vv_fb_element(&r->fb, signature.n == shape.n ? &signature : &shape, i, 4, &dims[i].size, r->err);
		dims[i].symbol = dims[i].size > INT32_MAX ? "?" : NULL;
	}
	/* No shape is that of a scalar, or none is known. */
	v->ranked = shape.n || shape.at || has_rank;
	v->ndim = shape.n;
	v->dims = dims;
	return ret;
}

static int read_values(struct reader *r, const struct vv_fb_table *graph, bool output)
{
	struct vv_fb_vector v;
	uint64_t index = 0;
	int ret = vv_fb_vector(&r->fb, graph, output ? GRAPH_OUTPUTS : GRAPH_INPUTS, 4, &v, r->err);

	for (uint32_t i = 0; i < v.n && !ret; i++) {
		struct vv_graph_value value = {.name = ""};
		struct vv_fb_table t;
		uint64_t type = 0;

		ret = vv_fb_element(&r->fb, &v, i, 4, &index, r->err);
		if (!ret && index >= r->tensors.n)
			ret = vv_fail(r->err, VV_EFORMAT, "there is no tensor %" PRIu64, index);
		if (!ret)
			ret = read_name(r, index, &value.name);
		if (!ret)
			ret = vv_fb_table_in(&r->fb, &r->tensors, (uint32_t)index, &t, r->err);
		if (!ret)
			ret = vv_fb_number(&r->fb, &t, TENSOR_TYPE, 1, &type, r->err);
		value.dtype = type < VV_COUNT(dtypes) ? dtypes[type] : NULL;
		if (!ret)
			ret = read_shape(r, &t, &value);
		if (!ret)
			ret = vv_graph_add_value(r->g, output, &value, r->err);
	}
	return ret;
}

/* --- the model --- */

static int read_subgraph(struct reader *r, const struct vv_fb_table *t, uint32_t number)
{
	struct vv_fb_vector ops = {0};
	struct vv_fb_table op;
	int ret = vv_fb_vector(&r->fb, t, GRAPH_TENSORS, 4, &r->tensors, r->err);

	if (!ret)
		ret = vv_fb_vector(&r->fb, t, GRAPH_OPERATORS, 4, &ops, r->err);
	if (ret)
		return ret;
	/* Subgraphs may share one vector: it is paid for each time. */
	if (r->tensors.n > r->refs)
		return vv_fail(r->err, VV_EFORMAT, "subgraphs of more tensors than the file has");
	r->refs -= r->tensors.n;
	r->names = calloc(r->tensors.n + 1, sizeof(*r->names));
	if (!r->names)
		return vv_fail_nomem(r->err);
	if (!number)
		ret = read_values(r, t, false);
	if (!ret && !number)
		ret = read_values(r, t, true);
	for (uint32_t i = 0; i < ops.n && !ret; i++) {
		ret = vv_fb_table_in(&r->fb, &ops, i, &op, r->err);
		if (!ret)
			ret = read_operator(r, &op, number ? 1 : 0);
	}
	free(r->names);
	r->names = NULL;
	return ret;
}

static int read_facts(struct reader *r, const struct vv_fb_table *root)
{
	const char *description = "";
	uint64_t version = 0;
	char text[32];
	int ret = read_text(r, root, MODEL_DESCRIPTION, &description);

	if (!ret)
		ret = vv_fb_number(&r->fb, root, MODEL_VERSION, 4, &version, r->err);
	if (ret)
		return ret;
	r->g->room += strlen(description) + (size_t)snprintf(text, sizeof(text), "%" PRIu64, version);
	ret = vv_graph_add_fact(r->g, "producer", vv_span_str(description), r->err);
	return ret ? ret : vv_graph_add_fact(r->g, "schema", vv_span_str(text), r->err);
}

int vv_tflite_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err)
{
	struct reader r = {.g = out, .refs = src->size, .err = err};
	struct vv_fb_vector graphs = {0};
	struct vv_fb_table root, t;
	int ret = vv_fb_init(&r.fb, src, err);

	if (!ret)
		ret = vv_fb_root(&r.fb, &root, err);
	if (!ret)
		ret = read_facts(&r, &root);
	if (!ret)
		ret = vv_fb_vector(&r.fb, &root, MODEL_CODES, 4, &r.codes, err);
	if (!ret)
		ret = vv_fb_vector(&r.fb, &root, MODEL_SUBGRAPHS, 4, &graphs, err);
	if (!ret && (!(r.ops = calloc(r.codes.n + 1, sizeof(*r.ops))) || !(r.custom = calloc(r.codes.n + 1, sizeof(*r.custom)))))
		ret = vv_fail_nomem(err);
	for (uint32_t i = 0; i < graphs.n && !ret; i++) {
		ret = vv_fb_table_in(&r.fb, &graphs, i, &t, err);
		if (!ret)
			ret = read_subgraph(&r, &t, i);
	}
	out->subgraphs = graphs.n ? graphs.n - 1 : 0;
	free(r.ops);
	free(r.custom);
	vv_fb_release(&r.fb);
	return ret;
}
