/*
 * ONNX: a ModelProto. Tensors are told where their elements are one run in the file: raw_data, and
 * packed float_data and double_data. After onnx.proto of the package onnx.
 */
#include "format/onnx.h"
#include "format/formats.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

/* An ir_version that a model may have: 14 at the time of writing. */
enum { MAX_IR = 63, FEW = 4, SHOWN = 80, EXTERNAL = 1 };

/* By TensorProto.DataType. `bits`: of an element in raw_data; 0: none. */
static const struct {
	enum vv_dtype dt;
	uint8_t bits;
} types[] = {
	[1] = {VV_DT_F32, 32}, [2] = {VV_DT_U8, 8}, [3] = {VV_DT_I8, 8}, [4] = {VV_DT_U16, 16}, [5] = {VV_DT_I16, 16},
	[6] = {VV_DT_I32, 32}, [7] = {VV_DT_I64, 64}, [8] = {VV_DT_BYTES, 0} /* string */, [9] = {VV_DT_BOOL, 8},
	[10] = {VV_DT_F16, 16}, [11] = {VV_DT_F64, 64}, [12] = {VV_DT_U32, 32}, [13] = {VV_DT_U64, 64},
	[14] = {VV_DT_C64, 64}, [15] = {VV_DT_C128, 128}, [16] = {VV_DT_BF16, 16}, [17] = {VV_DT_F8_E4M3, 8},
	[18] = {VV_DT_F8_E4M3FNUZ, 8}, [19] = {VV_DT_F8_E5M2, 8}, [20] = {VV_DT_F8_E5M2FNUZ, 8},
	[21] = {VV_DT_U8, 4} /* uint4 */, [22] = {VV_DT_U8, 4} /* int4 */, [23] = {VV_DT_F4, 4}, [24] = {VV_DT_F8_E8M0, 8},
	[25] = {VV_DT_U8, 2} /* uint2 */, [26] = {VV_DT_U8, 2} /* int2 */, [27] = {VV_DT_F6_E2M3, 6},
	[28] = {VV_DT_F6_E3M2, 6}};

/* Messages on the way to tensors. */
enum kind { MODEL, TRAINING, FUNCTION, GRAPH, NODE, ATTRIBUTE, SPARSE, TENSOR };
/* Fields of theirs that are read. */
enum { MODEL_IR = 1, MODEL_GRAPH = 7, GRAPH_LAST = 16, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4,
	ATTRIBUTE_NAME = 1, ATTRIBUTE_TENSORS = 10 };

static const struct step {
	uint8_t in, number, is;
	bool once; /* two of them would be one, merged */
} steps[] = {{MODEL, MODEL_GRAPH, GRAPH, true}, {MODEL, 20, TRAINING, false}, {MODEL, 25, FUNCTION, false},
	{TRAINING, 1, GRAPH, true}, {TRAINING, 2, GRAPH, true}, {FUNCTION, 7, NODE, false}, {FUNCTION, 11, ATTRIBUTE, false},
	{GRAPH, 1, NODE, false}, {GRAPH, VV_ONNX_GRAPH_INITIALIZER, TENSOR, false}, {GRAPH, 15, SPARSE, false},
	{NODE, 5, ATTRIBUTE, false}, {ATTRIBUTE, 5, TENSOR, true}, {ATTRIBUTE, 6, GRAPH, true},
	{ATTRIBUTE, ATTRIBUTE_TENSORS, TENSOR, false}, {ATTRIBUTE, 11, GRAPH, false}, {ATTRIBUTE, 22, SPARSE, true},
	{ATTRIBUTE, 23, SPARSE, false}, {SPARSE, 1, TENSOR, true}, {SPARSE, 2, TENSOR, true}};

/* What a constant is named after. */
struct vv_onnx_scope {
	struct vv_pb_field output, node, op, attribute;
	size_t index; /* of the tensor in the attribute; SIZE_MAX: it has but one */
};

unsigned vv_onnx_type(enum vv_dtype dt)
{
	for (unsigned i = 0; i < VV_COUNT(types); i++)
		if (types[i].dt == dt && types[i].bits == vv_dtype_info(dt)->bits)
			return i;
	return 0;
}

/* --- names --- */

static int text_of(struct vv_onnx_walk *w, const struct vv_pb_field *f, struct vv_err *err)
{
	struct vv_pb any = {.in = &w->in};

	vv_buf_clear(&w->text);
	return f->number ? vv_pb_bytes(&any, f, &w->text, err) : 0;
}

/* For a message: its beginning, or nothing when it cannot be had. */
static const char *shown(struct vv_onnx_walk *w, const struct vv_pb_field *name, char *buf)
{
	struct vv_err none = VV_ERR_INIT;

	if (text_of(w, name, &none))
		vv_buf_clear(&w->text);
	snprintf(buf, SHOWN, "%.*s", w->text.len < SHOWN ? (int)w->text.len : SHOWN, w->text.ptr ? (char *)w->text.ptr : "");
	return buf;
}

static void finding(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, const char *code, const char *what)
{
	char name[SHOWN];

	if (w->findings)
		vv_layout_finding(w->findings, code, t->at->start, "tensor '%s' has %s", shown(w, &t->name, name), what);
}

/* "<node>.<attribute>", or the node's output, which is what the tensor is called in the graph. */
static int constant_name(struct vv_onnx_walk *w, struct vv_buf *out, struct vv_err *err)
{
	const struct vv_onnx_scope *s = w->scope;
	const struct vv_pb_field *label;
	int ret = text_of(w, &s->op, err);

	if (ret)
		return ret;
	if (s->index == SIZE_MAX && s->output.len && vv_span_is(vv_buf_view(&w->text), "Constant"))
		return vv_pb_bytes(&(struct vv_pb){.in = &w->in}, &s->output, out, err);
	label = s->node.len ? &s->node : &s->output;
	ret = text_of(w, label, err);
	vv_buf_span(out, vv_buf_view(&w->text));
	if (!ret)
		ret = text_of(w, &s->attribute, err);
	vv_buf_str(out, label->len ? "." : "");
	vv_buf_span(out, vv_buf_view(&w->text));
	if (s->index != SIZE_MAX)
		vv_buf_fmt(out, ".%zu", s->index);
	return ret;
}

int vv_onnx_name(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, struct vv_arena *arena, char **name,
	struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_NAME);
	int ret;

	if (!t->initializer)
		ret = constant_name(w, &b, err);
	else
		ret = t->name.number ? vv_pb_bytes(t->message, &t->name, &b, err) : 0;
	if (!ret && b.failed == VV_ELIMIT)
		ret = vv_fail(err, VV_ELIMIT, "a name of more than %d bytes at offset %" PRIu64, VV_MAX_NAME, t->at->start);
	if (!ret)
		ret = vv_buf_check(&b, err);
	if (!ret && b.len && memchr(b.ptr, 0, b.len))
		ret = vv_fail(err, VV_EFORMAT, "a name with a NUL at offset %" PRIu64, t->at->start);
	if (!ret && !(*name = vv_arena_copy(arena, vv_buf_view(&b))))
		ret = vv_fail_nomem(err);
	vv_buf_release(&b);
	return ret;
}

/* --- data in other files: looked at, never opened --- */

static bool is_number(struct vv_span s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || vv_mul_over(*v, (uint64_t)10, v) ||
			vv_add_over(*v, (uint64_t)(s.ptr[i] - '0'), v))
			return false;
	return s.len;
}

struct external {
	const char *bad;
	struct vv_pb_field file; /* its path */
	bool measured;           /* `length` is given */
	uint64_t offset, length;
};

/* A StringStringEntryProto. A key may stand there twice: each is looked at. */
static int external_entry(struct vv_onnx_walk *w, struct external *x, struct vv_pb *tensor, const struct vv_pb_field *at,
	struct vv_err *err)
{
	struct vv_pb_field f, key = {.number = 0}, value = {.number = 0};
	struct vv_pb m;
	uint64_t *number = NULL;
	const char *bad = NULL;
	int ret = vv_pb_enter(&m, tensor, at, err);

	while (!ret && !(ret = vv_pb_next(&m, &f, err)) && f.number) {
		if (f.number == 1)
			key = f;
		else if (f.number == 2)
			value = f;
	}
	if (!ret)
		ret = text_of(w, &key, err);
	if (ret)
		return ret;
	bool location = vv_span_is(vv_buf_view(&w->text), "location");
	if (vv_span_is(vv_buf_view(&w->text), "offset"))
		number = &x->offset;
	if (vv_span_is(vv_buf_view(&w->text), "length"))
		number = &x->length;
	if (!location && !number)
		return 0;
	ret = text_of(w, &value, err);
	if (location) {
		x->file = value;
		x->file.number = VV_ONNX_LOCATION;
		bad = vv_elsewhere_bad(vv_buf_view(&w->text));
	} else if (!ret && !is_number(vv_buf_view(&w->text), number)) {
		bad = "an offset or length that is no number";
	}
	x->measured |= number == &x->length;
	if (bad && !x->bad)
		x->bad = bad;
	return ret;
}

static const char *external_wrong(const struct external *x)
{
	uint64_t end;

	if (x->bad || !x->file.number)
		return x->bad ? x->bad : "no path";
	return vv_add_over(x->offset, x->length, &end) || end > INT64_MAX ? "an offset and length past any end" : NULL;
}

/* --- a tensor --- */

/* What its fields say. */
struct content {
	uint64_t type, location;
	uint64_t shape[VV_MAX_DIMS];
	size_t ndim; /* may be more than there is room for */
	bool segment;     /* it is a part of a tensor */
	bool scattered;   /* its data is no single run */
	unsigned kinds;   /* of data fields: a bit each */
	struct external external;
};

static int add_dim(struct content *c, uint64_t v, uint64_t off, struct vv_err *err)
{
	if (v > INT64_MAX)
		return vv_fail(err, VV_EFORMAT, "a negative dimension at offset %" PRIu64, off);
	if (c->ndim < VV_MAX_DIMS)
		c->shape[c->ndim] = v;
	c->ndim++;
	return 0;
}

static int add_dims(struct content *c, struct vv_pb *tensor, const struct vv_pb_field *f, struct vv_err *err)
{
	struct vv_pb run;
	uint64_t v;
	int ret;

	if (f->wire == VV_PB_NUMBER)
		return add_dim(c, f->value, f->start, err);
	ret = vv_pb_enter(&run, tensor, f, err);
	while (!ret && run.at < run.end) {
		ret = vv_pb_varint(&run, &v, err);
		if (!ret)
			ret = add_dim(c, v, f->start, err);
	}
	return ret;
}

/* Of two that stand there, readers take the last, or both: there is one. */
static int once(unsigned *seen, const struct vv_pb_field *f, enum vv_pb_wire wire, struct vv_err *err)
{
	if (*seen >> f->number & 1)
		return vv_fail(err, VV_EFORMAT, "a tensor's field %" PRIu32 " stands twice, at offset %" PRIu64, f->number,
			f->start);
	*seen |= 1u << f->number;
	return vv_pb_want(f, wire, err);
}

static int tensor_field(struct vv_onnx_walk *w, struct vv_onnx_tensor *t, struct content *c, unsigned *seen,
	const struct vv_pb_field *f, struct vv_err *err)
{
	int ret = 0;

	switch (f->number) {
	case VV_ONNX_DIMS:
		return add_dims(c, t->message, f, err);
	case VV_ONNX_TYPE:
		c->type = f->value;
		return once(seen, f, VV_PB_NUMBER, err);
	case VV_ONNX_LOCATION:
		c->location = f->value;
		return once(seen, f, VV_PB_NUMBER, err);
	case VV_ONNX_NAME:
		t->name = *f;
		return once(seen, f, VV_PB_BYTES, err);
	case VV_ONNX_SEGMENT:
		c->segment = true;
		return 0;
	case VV_ONNX_EXTERNAL:
		return external_entry(w, &c->external, t->message, f, err);
	case VV_ONNX_RAW:
		ret = once(seen, f, VV_PB_BYTES, err);
		break;
	case VV_ONNX_FLOATS:
	case VV_ONNX_INT32S:
	case VV_ONNX_STRINGS:
	case VV_ONNX_INT64S:
	case VV_ONNX_DOUBLES:
	case VV_ONNX_UINT64S:
		/* In several runs, or number by number: then not one run. */
		c->scattered |= c->kinds || f->wire != VV_PB_BYTES;
		break;
	default:
		return 0;
	}
	c->kinds |= 1u << f->number;
	t->data = *f;
	return ret;
}

/* Are elements of the type written in the field as they are in memory? */
static bool is_run(enum vv_dtype dt, uint32_t number)
{
	switch (number) {
	case VV_ONNX_RAW:
		return dt != VV_DT_BYTES;
	case VV_ONNX_FLOATS:
		return dt == VV_DT_F32 || dt == VV_DT_C64;
	case VV_ONNX_DOUBLES:
		return dt == VV_DT_F64 || dt == VV_DT_C128;
	default:
		return false;
	}
}

/* The type and shape of the run; t->dtype stays VV_DT_BYTES when there is none that can be told. */
static int place(struct vv_onnx_walk *w, struct vv_onnx_tensor *t, const struct content *c, struct vv_err *err)
{
	uint64_t numel, bytes, bits;
	char name[SHOWN];

	if (c->location || c->segment || !c->kinds)
		return 0;
	if (c->kinds & (c->kinds - 1))
		return vv_fail(err, VV_EFORMAT, "tensor '%s' has two kinds of data, at offset %" PRIu64,
			shown(w, &t->name, name), t->at->start);
	if (!c->type || c->type >= VV_COUNT(types)) {
		finding(w, t, "unknown-dtype", "a type that this varve does not know");
		return 0;
	}
	if (!is_run(types[c->type].dt, t->data.number) || c->scattered)
		return 0;
	if (c->ndim > VV_MAX_DIMS) {
		finding(w, t, "limit", "more dimensions than this varve tells");
		return 0;
	}
	if (vv_dtype_bytes(VV_DT_U8, c->shape, (unsigned)c->ndim, &numel, &bytes) ||
		vv_mul_over(numel, (uint64_t)types[c->type].bits, &bits) || vv_div_up(bits, 8) != t->data.len)
		return vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree, at offset %"
			PRIu64, shown(w, &t->name, name), t->data.len, t->at->start);
	t->dtype = types[c->type].dt;
	t->ndim = (unsigned)c->ndim;
	memcpy(t->shape, c->shape, sizeof(t->shape));
	t->packed = types[c->type].bits != vv_dtype_info(t->dtype)->bits || bits % 8;
	if (t->packed) {
		t->dtype = VV_DT_U8;
		t->ndim = 1;
		t->shape[0] = t->data.len;
	}
	return 0;
}

/* What its length does not agree with, or has no type here, is told as bytes, of which the length must be known. */
static int tell(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, const struct content *c, struct vv_err *err)
{
	struct vv_elsewhere e = {.off = c->external.offset, .len = c->external.length, .shape = c->shape};
	unsigned type = c->type < VV_COUNT(types) ? (unsigned)c->type : 0;
	uint64_t numel, bytes, bits;
	char *name;
	int ret = vv_onnx_name(w, t, &w->elsewhere->arena, &name, err);

	/* A name that is none: what was located is read on. */
	if (ret == VV_EFORMAT)
		return 0;
	if (!ret)
		ret = text_of(w, &c->external.file, err);
	if (ret)
		return ret;
	if (types[type].bits && c->ndim <= VV_MAX_DIMS &&
		!vv_dtype_bytes(VV_DT_U8, c->shape, (unsigned)c->ndim, &numel, &bytes) &&
		!vv_mul_over(numel, (uint64_t)types[type].bits, &bits)) {
		bytes = vv_div_up(bits, 8);
		if (!c->external.measured)
			e.len = bytes;
		if (e.len == bytes && types[type].bits == vv_dtype_info(types[type].dt)->bits && !(bits % 8)) {
			e.dtype = types[type].dt;
			e.ndim = (unsigned)c->ndim;
		}
	} else if (!c->external.measured) {
		return 0;
	}
	e.name = name;
	e.file = (const char *)w->text.ptr;
	ret = vv_elsewhere_add(w->elsewhere, &e, err);
	/* A folder, or past any end: findings do not tell of that. */
	return ret == VV_EUNSAFE || ret == VV_EFORMAT ? 0 : ret;
}

static int tensor(struct vv_onnx_walk *w, struct vv_pb *around, const struct vv_pb_field *f, enum kind in,
	struct vv_err *err)
{
	struct vv_pb m;
	struct vv_onnx_tensor t = {.message = &m, .at = f, .initializer = in == GRAPH};
	struct content c = {.type = 0};
	struct vv_pb_field g;
	unsigned seen = 0;
	const char *wrong;
	int ret = vv_pb_enter(&m, around, f, err);

	while (!ret && !(ret = vv_pb_next(&m, &g, err)) && g.number)
		ret = tensor_field(w, &t, &c, &seen, &g, err);
	if (ret)
		return ret;
	if (c.location == EXTERNAL && (wrong = external_wrong(&c.external)))
		finding(w, &t, "external-path", wrong);
	else if (c.location == EXTERNAL && w->elsewhere && in != SPARSE)
		ret = tell(w, &t, &c, err);
	if (ret)
		return ret;
	/* What a sparse tensor is made of has places of its own, which are none of a tensor's. */
	if (in != SPARSE)
		ret = place(w, &t, &c, err);
	return ret || t.dtype == VV_DT_BYTES ? ret : w->tensor(w, &t, err);
}

/* --- the way there --- */

/* What its constants are named after may stand behind them. */
static int label(struct vv_onnx_scope *s, struct vv_pb m, enum kind k, struct vv_err *err)
{
	struct vv_pb_field f;
	int ret = 0;

	if (k == NODE)
		*s = (struct vv_onnx_scope){.index = SIZE_MAX};
	while ((k == NODE || k == ATTRIBUTE) && !(ret = vv_pb_next(&m, &f, err)) && f.number) {
		if (k == ATTRIBUTE && f.number == ATTRIBUTE_NAME)
			s->attribute = f;
		else if (k == NODE && f.number == NODE_OUTPUT && !s->output.number)
			s->output = f;
		else if (k == NODE && f.number == NODE_NAME)
			s->node = f;
		else if (k == NODE && f.number == NODE_OP)
			s->op = f;
	}
	return ret;
}

static int walk(struct vv_onnx_walk *w, struct vv_pb *m, enum kind k, const struct vv_onnx_scope *outer,
	struct vv_err *err);

static int follow(struct vv_onnx_walk *w, struct vv_pb *m, const struct step *s, const struct vv_pb_field *f,
	struct vv_onnx_scope *scope, struct vv_err *err)
{
	struct vv_pb child;
	int ret;

	if (s->is == TENSOR) {
		w->scope = scope;
		return tensor(w, m, f, (enum kind)s->in, err);
	}
	ret = vv_pb_enter(&child, m, f, err);
	return ret ? ret : walk(w, &child, (enum kind)s->is, scope, err);
}

/* Recursion ends with the depth that vv_pb_enter allows. */
static int walk(struct vv_onnx_walk *w, struct vv_pb *m, enum kind k, const struct vv_onnx_scope *outer,
	struct vv_err *err)
{
	struct vv_onnx_scope scope = *outer;
	uint64_t more = m->at; /* where an initializer more would stand */
	size_t n = 0;
	unsigned seen = 0;
	struct vv_pb_field f;
	int ret = label(&scope, *m, k, err);

	while (!ret && !(ret = vv_pb_next(m, &f, err)) && f.number) {
		size_t i = 0;
		while (i < VV_COUNT(steps) && (steps[i].in != k || steps[i].number != f.number))
			i++;
		if (f.number <= VV_ONNX_GRAPH_INITIALIZER)
			more = m->at;
		if (i == VV_COUNT(steps))
			continue;
		if (steps[i].once && seen >> i & 1)
			return vv_fail(err, VV_EFORMAT, "field %" PRIu32 " stands twice, at offset %" PRIu64, f.number,
				f.start);
		seen |= 1u << i;
		scope.index = k == ATTRIBUTE && f.number == ATTRIBUTE_TENSORS ? n++ : SIZE_MAX;
		ret = follow(w, m, &steps[i], &f, &scope, err);
	}
	return ret || k != GRAPH || m->depth != 1 || !w->graph ? ret : w->graph(w, m, more, err);
}

int vv_onnx_walk(struct vv_onnx_walk *w, const struct vv_source *src, struct vv_err *err)
{
	struct vv_onnx_scope none = {.index = SIZE_MAX};
	struct vv_pb model;
	int ret;

	vv_buf_init(&w->text, VV_MAX_NAME);
	vv_pb_init(&model, &w->in, src);
	ret = walk(w, &model, MODEL, &none, err);
	vv_buf_release(&w->text);
	return ret;
}

/* --- the format --- */

/* A name, or lines of text; as much of it as is in the head. */
static bool is_text(struct vv_span head, const struct vv_pb_field *f, const char *controls)
{
	for (uint64_t i = f->off; i < head.len && i < f->off + f->len; i++)
		if (head.ptr[i] == 0x7f || (head.ptr[i] < ' ' && (!head.ptr[i] || !strchr(controls, head.ptr[i]))))
			return false;
	return true;
}

/* Can this field of a ModelProto stand before its graph? */
static bool is_model_field(struct vv_span head, const struct vv_pb_field *f)
{
	switch (f->number) {
	case 2: /* producer_name, producer_version, domain */
	case 3:
	case 4:
		return f->wire == VV_PB_BYTES && is_text(head, f, "");
	case 5: /* model_version */
		return f->wire == VV_PB_NUMBER;
	case 6: /* doc_string */
		return f->wire == VV_PB_BYTES && is_text(head, f, "\t\n\r");
	case MODEL_GRAPH:
	case 8:  /* opset_import */
	case 14: /* metadata_props */
	case 20: /* training_info */
	case 25: /* functions */
	case 26: /* configuration */
		return f->wire == VV_PB_BYTES;
	default:
		return false;
	}
}

/* As far as `head` goes. A few whole fields tell a broken graph from what never was one. */
static enum vv_probe probe_graph(struct vv_pb *graph, size_t head)
{
	enum vv_probe p = VV_PROBE_MAYBE;
	struct vv_err err = VV_ERR_INIT;
	struct vv_pb_field f;

	for (unsigned n = 0; graph->at < head && graph->at < graph->end; n++) {
		if (vv_pb_next(graph, &f, &err))
			return (graph->at < head || graph->end <= head) && n < FEW ? VV_PROBE_NO : p;
		if (!n && f.number <= GRAPH_LAST && f.wire == VV_PB_BYTES)
			p = VV_PROBE_YES;
	}
	return p;
}

/*
 * There is no signature. YES: ir_version, only such fields as come before a graph, and a graph that
 * begins like one. MAYBE: so far as `head` goes, or a graph of fields to come. Nothing else that is
 * known begins with 8.
 */
static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb m, graph;
	struct vv_pb_field f;
	struct vv_err err = VV_ERR_INIT;
	enum vv_probe beyond = size > head.len ? VV_PROBE_MAYBE : VV_PROBE_NO;

	vv_source_mem_init(&mem, head);
	vv_pb_init(&m, &in, &mem.base);
	m.end = UINT64_MAX; /* a graph that is cut off is one */
	if (vv_pb_next(&m, &f, &err) || f.number != MODEL_IR || f.wire != VV_PB_NUMBER || f.value < 1 || f.value > MAX_IR)
		return VV_PROBE_NO;
	while (m.at < head.len) {
		if (vv_pb_next(&m, &f, &err))
			return m.at < head.len ? VV_PROBE_NO : beyond;
		if (!is_model_field(head, &f) || (f.number != MODEL_GRAPH && f.wire == VV_PB_BYTES && f.len > size - f.off))
			return VV_PROBE_NO;
		if (f.number == MODEL_GRAPH && f.len && f.off < head.len)
			return vv_pb_enter(&graph, &m, &f, &err) ? VV_PROBE_NO : probe_graph(&graph, head.len);
	}
	return beyond;
}

static int report(struct vv_onnx_walk *w, const struct vv_onnx_tensor *t, struct vv_err *err)
{
	struct vv_arena *arena = vv_layout_arena(w->findings);
	struct vv_view *v = vv_arena_alloc(arena, sizeof(*v));
	uint64_t *shape = vv_arena_array(arena, t->ndim ? t->ndim : 1, sizeof(*shape));
	char *name;
	int ret;

	if (!v || !shape)
		return vv_fail_nomem(err);
	ret = vv_onnx_name(w, t, arena, &name, err);
	if (ret)
		return ret;
	memcpy(shape, t->shape, t->ndim * sizeof(*shape));
	*v = (struct vv_view){name, t->ndim, shape, NULL, 0};
	return vv_layout_tensor(w->findings, t->data.off, t->data.len, t->dtype, v, 1, err);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_onnx_walk w = {.findings = b, .tensor = report};

	return vv_onnx_walk(&w, src, err);
}

static int pass(struct vv_onnx_walk *w VV_UNUSED, const struct vv_onnx_tensor *t VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return 0;
}

static int elsewhere(struct vv_elsewheres *out, const struct vv_source *src, struct vv_err *err)
{
	struct vv_onnx_walk w = {.elsewhere = out, .tensor = pass};

	return vv_onnx_walk(&w, src, err);
}

/* Messages and their lengths, each under 128 bytes but for the note. */
static void empty(struct vv_buf *out, const char *note)
{
	size_t n = strlen(note) < 100 ? strlen(note) : 100;

	vv_buf_str(out, "\x08\x0a\x12\x05varve"); /* ir_version 10, producer_name */
	vv_buf_str(out, "\x3a\x07\x12\x05varve"); /* graph: its name */
	vv_buf_str(out, "\x42\x02\x10\x15");     /* opset_import: version 21 */
	vv_buf_char(out, 0x72);                     /* metadata_props: key, value */
	vv_buf_char(out, (char)(n + 9));
	vv_buf_str(out, "\x0a\x05varve\x12");
	vv_buf_char(out, (char)n);
	vv_buf_add(out, note, n);
}

const struct vv_format vv_format_onnx = {
	.name = "onnx", .probe = probe, .locate = locate, .assemble = vv_onnx_assemble, .empty = empty,
	.elsewhere = elsewhere, .graph = vv_onnx_graph};
