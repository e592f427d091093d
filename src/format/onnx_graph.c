/*
 * The graph of an ONNX model: its nodes and those of graphs within, inputs, outputs, versions. Bytes of
 * tensors are stepped over. After onnx.proto of the package onnx.
 */
#include "format/onnx.h"
#include "format/graph.h"

#include "base/map.h"

#include <inttypes.h>
#include <stdio.h>

/* Fields, by message. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_TRAINING = 20,
	MODEL_FUNCTION = 25 };
enum { FUNCTION_NAME = 1, FUNCTION_INPUT = 4, FUNCTION_OUTPUT = 5, FUNCTION_NODE = 7, FUNCTION_DOMAIN = 10 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_TEXT = 4, ATTRIBUTE_GRAPH = 6, ATTRIBUTE_GRAPHS = 11 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEM = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1,
	DIM_SYMBOL = 2 };
/* From this ir_version on an initializer is no input unless it is meant to be one. */
enum { IR_APART = 4 };

static const char *const dtypes[] = {NULL, "f32", "u8", "i8", "u16", "i16", "i32", "i64", "string", "bool", "f16", "f64",
	"u32", "u64", "c64", "c128", "bf16", "f8_e4m3", "f8_e4m3fnuz", "f8_e5m2", "f8_e5m2fnuz", "u4", "i4", "f4", "f8_e8m0",
	"u2", "i2", "f6_e2m3", "f6_e3m2"};

static const char *const activations[] = {"Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "LeakyRelu",
	"LogSoftmax", "Mish", "PRelu", "Relu", "Selu", "Shrink", "Sigmoid", "Softmax", "Softplus", "Softsign", "Swish", "Tanh",
	"ThresholdedRelu", "com.microsoft.BiasGelu", "com.microsoft.FastGelu", "com.microsoft.Gelu",
	"com.microsoft.QuickGelu"};

/* Domains of ONNX and of ONNX Runtime. Operators of any other are a function of the model, or code from elsewhere. */
static const char *const domains[] = {"ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft"};

struct reader {
	struct vv_graph *g;
	struct vv_pb_input in;
	struct vv_buf text;
	struct vv_map initializers; /* names, of a model that is older than IR_APART */
	struct vv_map functions;    /* names of the model's own */
	uint64_t ir;
	struct vv_err *err;
};

static int read_text(struct reader *r, const struct vv_pb *m, const struct vv_pb_field *f, const char **out)
{
	int ret = vv_pb_bytes(m, f, &r->text, r->err);

	return ret ? ret : vv_graph_text(r->g, vv_buf_view(&r->text), out, r->err);
}

/* The texts of a repeated field, whose number is known by now. */
static int read_list(struct reader *r, struct vv_pb message, uint32_t number, unsigned n, const char *const **out)
{
	const char **list = vv_arena_array(&r->g->arena, n, sizeof(*list));
	struct vv_pb_field f;
	unsigned i = 0;
	int ret = list ? 0 : vv_fail_nomem(r->err);

	while (i < n && !ret && !(ret = vv_pb_next(&message, &f, r->err)) && f.number)
		if (f.number == number)
			ret = read_text(r, &message, &f, &list[i++]);
	*out = list;
	return ret;
}

/* --- inputs and outputs --- */

static int read_dim(struct reader *r, struct vv_pb *shape, const struct vv_pb_field *at, struct vv_graph_dim *d)
{
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, shape, at, r->err);

	*d = (struct vv_graph_dim){.symbol = "?"};
	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == DIM_VALUE && f.wire == VV_PB_NUMBER)
			/* A negative one is a way to say that it is not known. */
			*d = (struct vv_graph_dim){f.value > INT64_MAX ? "?" : NULL, f.value};
		else if (f.number == DIM_SYMBOL && f.len)
			ret = read_text(r, &m, &f, &d->symbol);
	}
	return ret;
}

static int read_shape(struct reader *r, struct vv_pb *type, const struct vv_pb_field *at, struct vv_graph_value *v)
{
	struct vv_graph_dim dims[VV_MAX_GRAPH_DIMS], *kept;
	struct vv_pb_field f;
	struct vv_pb m;
	unsigned n = 0;
	int ret = vv_pb_enter(&m, type, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number != SHAPE_DIM)
			continue;
		if (n == VV_MAX_GRAPH_DIMS)
			return vv_fail(r->err, VV_ELIMIT, "a value of more than %d dimensions at offset %" PRIu64, VV_MAX_GRAPH_DIMS,
				at->start);
		ret = read_dim(r, &m, &f, &dims[n++]);
	}
	if (ret)
		return ret;
	kept = vv_arena_array(&r->g->arena, n, sizeof(*kept));
	if (!kept)
		return vv_fail_nomem(r->err);
	memcpy(kept, dims, n * sizeof(*kept));
	v->ranked = true;
	v->ndim = n;
	v->dims = kept;
	return 0;
}

static int read_tensor_type(struct reader *r, struct vv_pb *type, const struct vv_pb_field *at, struct vv_graph_value *v)
{
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, type, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == TENSOR_ELEM && f.wire == VV_PB_NUMBER)
			v->dtype = f.value < VV_COUNT(dtypes) ? dtypes[f.value] : NULL;
		else if (f.number == TENSOR_SHAPE)
			ret = read_shape(r, &m, &f, v);
	}
	return ret;
}

/* By TypeProto's fields: what is no tensor has but a word. */
static int read_type(struct reader *r, struct vv_pb *value, const struct vv_pb_field *at, struct vv_graph_value *v)
{
	static const char *const words[] = {[4] = "sequence", [5] = "map", [7] = "opaque", [8] = "sparse", [9] = "optional"};
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, value, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == TYPE_TENSOR)
			ret = read_tensor_type(r, &m, &f, v);
		else if (f.number < VV_COUNT(words) && words[f.number])
			v->dtype = words[f.number];
	}
	return ret;
}

static int read_value(struct reader *r, struct vv_pb *graph, const struct vv_pb_field *at, bool output)
{
	struct vv_graph_value v = {.name = ""};
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, graph, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == VALUE_NAME)
			ret = read_text(r, &m, &f, &v.name);
		else if (f.number == VALUE_TYPE)
			ret = read_type(r, &m, &f, &v);
	}
	return ret ? ret : vv_graph_add_value(r->g, output, &v, r->err);
}

/* --- nodes --- */

static int read_graph(struct reader *r, struct vv_pb *parent, const struct vv_pb_field *at, unsigned depth);

/* Graphs are read, and the name of an activation that an optimiser has fused into the node. */
static int read_attribute(struct reader *r, struct vv_pb *node, const struct vv_pb_field *at, unsigned depth, size_t index)
{
	bool is_activation = false;
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, node, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == ATTRIBUTE_NAME) {
			ret = vv_pb_bytes(&m, &f, &r->text, r->err);
			is_activation = !ret && vv_span_is(vv_buf_view(&r->text), "activation");
		} else if (f.number == ATTRIBUTE_TEXT && is_activation) {
			ret = read_text(r, &m, &f, &r->g->nodes[index].activation);
		} else if (f.number == ATTRIBUTE_GRAPH || f.number == ATTRIBUTE_GRAPHS) {
			r->g->subgraphs++;
			ret = read_graph(r, &m, &f, depth + 1);
		}
	}
	return ret;
}

/* An operator, or a function, of another domain than ONNX's own carries its name. */
static int read_op(struct reader *r, const struct vv_pb *m, const struct vv_pb_field *op, const struct vv_pb_field *domain,
	const char **out, bool *custom)
{
	struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = domain->len ? vv_pb_bytes(m, domain, &r->text, r->err) : 0;

	*custom = false;
	if (!ret && domain->len && !vv_span_is(vv_buf_view(&r->text), "ai.onnx")) {
		*custom = true;
		for (size_t i = 0; i < VV_COUNT(domains); i++)
			*custom &= !vv_span_is(vv_buf_view(&r->text), domains[i]);
		vv_buf_span(&name, vv_buf_view(&r->text));
		vv_buf_char(&name, '.');
	}
	if (!ret && op->number)
		ret = vv_pb_bytes(m, op, &r->text, r->err);
	if (!ret && op->number)
		vv_buf_span(&name, vv_buf_view(&r->text));
	if (!ret)
		ret = vv_buf_check(&name, r->err);
	if (!ret)
		ret = vv_graph_text(r->g, vv_buf_view(&name), out, r->err);
	vv_buf_release(&name);
	return ret;
}

static int read_attributes(struct reader *r, struct vv_pb m, unsigned depth, size_t index)
{
	struct vv_pb_field f;
	int ret = 0;

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number)
		if (f.number == NODE_ATTRIBUTE)
			ret = read_attribute(r, &m, &f, depth, index);
	return ret;
}

static int read_node(struct reader *r, struct vv_pb *graph, const struct vv_pb_field *at, unsigned depth)
{
	struct vv_graph_node n = {.name = "", .depth = depth, .off = at->start};
	struct vv_pb_field f, op = {.number = 0}, domain = {.number = 0};
	struct vv_pb m, whole;
	bool attributes = false;
	int ret = vv_pb_enter(&whole, graph, at, r->err);

	for (m = whole; !ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number;) {
		n.n_inputs += f.number == NODE_INPUT;
		n.n_outputs += f.number == NODE_OUTPUT;
		attributes |= f.number == NODE_ATTRIBUTE;
		if (f.number == NODE_NAME)
			ret = read_text(r, &m, &f, &n.name);
		else if (f.number == NODE_OP)
			op = f;
		else if (f.number == NODE_DOMAIN)
			domain = f;
	}
	if (!ret)
		ret = read_op(r, &m, &op, &domain, &n.op, &n.custom);
	if (!ret)
		ret = read_list(r, whole, NODE_INPUT, n.n_inputs, &n.inputs);
	if (!ret)
		ret = read_list(r, whole, NODE_OUTPUT, n.n_outputs, &n.outputs);
	for (size_t i = 0; i < VV_COUNT(activations) && !ret && !n.activation; i++)
		if (!strcmp(n.op, activations[i]))
			n.activation = n.op;
	if (!ret)
		ret = vv_graph_add(r->g, &n, r->err);
	return ret || !attributes ? ret : read_attributes(r, whole, depth, r->g->n_nodes - 1);
}

/* A heading with the function's name, then what it is made of. */
static int read_function(struct reader *r, struct vv_pb *model, const struct vv_pb_field *at)
{
	struct vv_graph_node n = {.name = "", .op = "function", .heading = true, .off = at->start};
	struct vv_pb_field f, name = {.number = 0}, domain = {.number = 0};
	struct vv_pb m, whole;
	bool ignore;
	int ret = vv_pb_enter(&whole, model, at, r->err);

	for (m = whole; !ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number;) {
		n.n_inputs += f.number == FUNCTION_INPUT;
		n.n_outputs += f.number == FUNCTION_OUTPUT;
		if (f.number == FUNCTION_NAME)
			name = f;
		else if (f.number == FUNCTION_DOMAIN)
			domain = f;
	}
	if (!ret)
		ret = read_op(r, &m, &name, &domain, &n.name, &ignore);
	if (!ret)
		ret = read_list(r, whole, FUNCTION_INPUT, n.n_inputs, &n.inputs);
	if (!ret)
		ret = read_list(r, whole, FUNCTION_OUTPUT, n.n_outputs, &n.outputs);
	if (!ret)
		ret = vv_graph_add(r->g, &n, r->err);
	if (!ret && !vv_map_put(&r->functions, vv_span_str(n.name), 1, NULL))
		ret = vv_fail_nomem(r->err);
	for (m = whole; !ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number;)
		if (f.number == FUNCTION_NODE)
			ret = read_node(r, &m, &f, 1);
	return ret;
}

/* What the model's own functions say is theirs to say. */
static void settle_functions(struct reader *r)
{
	for (size_t i = 0; i < r->g->n_nodes; i++)
		r->g->nodes[i].custom &= !vv_map_find(&r->functions, vv_span_str(r->g->nodes[i].op));
}

/* --- the graph --- */

static int read_initializer(struct reader *r, struct vv_pb *graph, const struct vv_pb_field *at)
{
	struct vv_pb_field f;
	const char *name;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, graph, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number)
		if (f.number == VV_ONNX_NAME) {
			ret = read_text(r, &m, &f, &name);
			if (!ret && !vv_map_put(&r->initializers, vv_span_str(name), 0, NULL))
				ret = vv_fail_nomem(r->err);
		}
	return ret;
}

static int read_graph(struct reader *r, struct vv_pb *parent, const struct vv_pb_field *at, unsigned depth)
{
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, parent, at, r->err);

	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == GRAPH_NODE) {
			ret = read_node(r, &m, &f, depth);
		} else if (!depth && (f.number == GRAPH_INPUT || f.number == GRAPH_OUTPUT)) {
			ret = read_value(r, &m, &f, f.number == GRAPH_OUTPUT);
		} else if (!depth && f.number == VV_ONNX_GRAPH_INITIALIZER && r->ir < IR_APART) {
			ret = read_initializer(r, &m, &f);
		} else if (!depth && f.number == GRAPH_NAME) {
			ret = vv_pb_bytes(&m, &f, &r->text, r->err);
			if (!ret)
				ret = vv_graph_add_fact(r->g, "graph", vv_buf_view(&r->text), r->err);
		}
	}
	return ret;
}

/* Old models list each initializer among the inputs. */
static void drop_initializers(struct reader *r)
{
	struct vv_graph *g = r->g;
	size_t kept = 0;

	for (size_t i = 0; i < g->n_inputs; i++)
		if (!vv_map_find(&r->initializers, vv_span_str(g->inputs[i].name)))
			g->inputs[kept++] = g->inputs[i];
	g->n_inputs = kept;
}

/* --- the model --- */

/* "17, com.microsoft 1" */
static int read_opset(struct reader *r, struct vv_pb *model, const struct vv_pb_field *at, struct vv_buf *opsets)
{
	struct vv_pb_field f;
	uint64_t version = 0;
	struct vv_pb m;
	int ret = vv_pb_enter(&m, model, at, r->err);

	vv_buf_clear(&r->text);
	while (!ret && !(ret = vv_pb_next(&m, &f, r->err)) && f.number) {
		if (f.number == 1)
			ret = vv_pb_bytes(&m, &f, &r->text, r->err);
		else if (f.number == 2)
			version = f.value;
	}
	if (ret)
		return ret;
	vv_buf_str(opsets, opsets->len ? ", " : "");
	vv_buf_span(opsets, vv_buf_view(&r->text));
	vv_buf_fmt(opsets, "%s%" PRIu64, r->text.len ? " " : "", version);
	return 0;
}

/* Facts are a few bytes of varve's own beside the file's: they are not held against its names. */
static int add_made(struct reader *r, const char *key, const struct vv_buf *value)
{
	int ret = vv_buf_check(value, r->err);

	r->g->room += value->len;
	return ret ? ret : vv_graph_add_fact(r->g, key, vv_buf_view(value), r->err);
}

struct facts {
	struct vv_buf producer, opsets, number;
	uint64_t functions, training;
};

static int add_facts(struct reader *r, struct facts *k)
{
	const struct {
		const char *key;
		uint64_t n;
	} numbers[] = {{"ir", r->ir}, {"functions", k->functions}, {"training", k->training}};
	int ret = add_made(r, "producer", &k->producer);

	if (!ret)
		ret = add_made(r, "opset", &k->opsets);
	for (size_t i = 0; i < VV_COUNT(numbers) && !ret; i++) {
		vv_buf_clear(&k->number);
		if (numbers[i].n)
			vv_buf_fmt(&k->number, "%" PRIu64, numbers[i].n);
		ret = add_made(r, numbers[i].key, &k->number);
	}
	return ret;
}

static int read_field(struct reader *r, struct vv_pb *m, const struct vv_pb_field *f, struct facts *k)
{
	int ret = 0;

	switch (f->number) {
	case MODEL_IR:
		r->ir = f->value;
		return 0;
	case MODEL_PRODUCER:
	case MODEL_PRODUCER_VERSION:
		ret = vv_pb_bytes(m, f, &r->text, r->err);
		vv_buf_str(&k->producer, k->producer.len && r->text.len ? " " : "");
		vv_buf_span(&k->producer, vv_buf_view(&r->text));
		return ret;
	case MODEL_GRAPH:
		return read_graph(r, m, f, 0);
	case MODEL_OPSET:
		return read_opset(r, m, f, &k->opsets);
	case MODEL_TRAINING:
		k->training++;
		return 0;
	case MODEL_FUNCTION:
		k->functions++;
		return read_function(r, m, f);
	default:
		return 0;
	}
}

int vv_onnx_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err)
{
	struct reader r = {.g = out, .text = VV_BUF_INIT(VV_MAX_TEXT), .err = err};
	struct facts k = {VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT), 0, 0};
	struct vv_pb_field f;
	struct vv_pb m;
	int ret = 0;

	vv_pb_init(&m, &r.in, src);
	while (!ret && !(ret = vv_pb_next(&m, &f, err)) && f.number)
		ret = read_field(&r, &m, &f, &k);
	if (!ret)
		ret = add_facts(&r, &k);
	if (!ret) {
		drop_initializers(&r);
		settle_functions(&r);
	}
	vv_map_release(&r.initializers);
	vv_map_release(&r.functions);
	vv_buf_release(&r.text);
	vv_buf_release(&k.producer);
	vv_buf_release(&k.opsets);
	vv_buf_release(&k.number);
	return ret;
}
