#include "format/pickle_ops.h"

#include "format/pickle.h"

#define L true
static const struct vv_op ops[256] = {
	[OP_PROTO] = {"PROTO", VV_ARG_1, VV_OP_FRAME, L},
	[OP_STOP] = {"STOP", VV_ARG_NONE, VV_OP_FRAME, L},
	[OP_FRAME] = {"FRAME", VV_ARG_8, VV_OP_FRAME, 0},
	[OP_READONLY_BUFFER] = {"READONLY_BUFFER", VV_ARG_NONE, VV_OP_FRAME, 0},

	[OP_NONE] = {"NONE", VV_ARG_NONE, VV_OP_VALUE, L},
	[OP_NEWTRUE] = {"NEWTRUE", VV_ARG_NONE, VV_OP_VALUE, L},
	[OP_NEWFALSE] = {"NEWFALSE", VV_ARG_NONE, VV_OP_VALUE, L},
	[OP_BININT] = {"BININT", VV_ARG_4, VV_OP_VALUE, L},
	[OP_BININT1] = {"BININT1", VV_ARG_1, VV_OP_VALUE, L},
	[OP_BININT2] = {"BININT2", VV_ARG_2, VV_OP_VALUE, L},
	[OP_LONG1] = {"LONG1", VV_ARG_LEN1, VV_OP_VALUE, L},
	[OP_LONG4] = {"LONG4", VV_ARG_LEN4, VV_OP_VALUE, 0},
	[OP_INT] = {"INT", VV_ARG_LINE, VV_OP_VALUE, 0},
	[OP_LONG] = {"LONG", VV_ARG_LINE, VV_OP_VALUE, 0},
	[OP_FLOAT] = {"FLOAT", VV_ARG_LINE, VV_OP_VALUE, 0},
	[OP_BINFLOAT] = {"BINFLOAT", VV_ARG_8, VV_OP_VALUE, L},
	[OP_BINUNICODE] = {"BINUNICODE", VV_ARG_LEN4, VV_OP_VALUE, L},
	[OP_SHORT_BINUNICODE] = {"SHORT_BINUNICODE", VV_ARG_LEN1, VV_OP_VALUE, 0},
	[OP_BINUNICODE8] = {"BINUNICODE8", VV_ARG_LEN8, VV_OP_VALUE, 0},
	[OP_UNICODE] = {"UNICODE", VV_ARG_LINE, VV_OP_VALUE, 0},
	[OP_STRING] = {"STRING", VV_ARG_LINE, VV_OP_VALUE, 0},
	[OP_SHORT_BINSTRING] = {"SHORT_BINSTRING", VV_ARG_LEN1, VV_OP_VALUE, L},
	[OP_BINSTRING] = {"BINSTRING", VV_ARG_LEN4, VV_OP_VALUE, 0},
	[OP_BINBYTES] = {"BINBYTES", VV_ARG_LEN4, VV_OP_VALUE, 0},
	[OP_SHORT_BINBYTES] = {"SHORT_BINBYTES", VV_ARG_LEN1, VV_OP_VALUE, 0},
	[OP_BINBYTES8] = {"BINBYTES8", VV_ARG_LEN8, VV_OP_VALUE, 0},
	[OP_BYTEARRAY8] = {"BYTEARRAY8", VV_ARG_LEN8, VV_OP_VALUE, 0},
	[OP_NEXT_BUFFER] = {"NEXT_BUFFER", VV_ARG_NONE, VV_OP_VALUE, 0},

	[OP_MARK] = {"MARK", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_POP] = {"POP", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_POP_MARK] = {"POP_MARK", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_DUP] = {"DUP", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_EMPTY_TUPLE] = {"EMPTY_TUPLE", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_TUPLE] = {"TUPLE", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_TUPLE1] = {"TUPLE1", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_TUPLE2] = {"TUPLE2", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_TUPLE3] = {"TUPLE3", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_EMPTY_LIST] = {"EMPTY_LIST", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_LIST] = {"LIST", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_APPEND] = {"APPEND", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_APPENDS] = {"APPENDS", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_EMPTY_DICT] = {"EMPTY_DICT", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_DICT] = {"DICT", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_SETITEM] = {"SETITEM", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_SETITEMS] = {"SETITEMS", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_EMPTY_SET] = {"EMPTY_SET", VV_ARG_NONE, VV_OP_HEAP, L},
	[OP_ADDITEMS] = {"ADDITEMS", VV_ARG_NONE, VV_OP_HEAP, 0},
	[OP_FROZENSET] = {"FROZENSET", VV_ARG_NONE, VV_OP_HEAP, 0},

	[OP_GLOBAL] = {"GLOBAL", VV_ARG_LINES, VV_OP_CALL, L},
	[OP_STACK_GLOBAL] = {"STACK_GLOBAL", VV_ARG_NONE, VV_OP_CALL, 0},
	[OP_REDUCE] = {"REDUCE", VV_ARG_NONE, VV_OP_CALL, L},
	[OP_BUILD] = {"BUILD", VV_ARG_NONE, VV_OP_CALL, L},
	[OP_NEWOBJ] = {"NEWOBJ", VV_ARG_NONE, VV_OP_CALL, L},
	[OP_NEWOBJ_EX] = {"NEWOBJ_EX", VV_ARG_NONE, VV_OP_CALL, 0},
	[OP_INST] = {"INST", VV_ARG_LINES, VV_OP_CALL, 0},
	[OP_OBJ] = {"OBJ", VV_ARG_NONE, VV_OP_CALL, 0},
	[OP_EXT1] = {"EXT1", VV_ARG_1, VV_OP_CALL, 0},
	[OP_EXT2] = {"EXT2", VV_ARG_2, VV_OP_CALL, 0},
	[OP_EXT4] = {"EXT4", VV_ARG_4, VV_OP_CALL, 0},
	[OP_BINPERSID] = {"BINPERSID", VV_ARG_NONE, VV_OP_CALL, L},
	[OP_PERSID] = {"PERSID", VV_ARG_LINE, VV_OP_CALL, 0},

	[OP_BINGET] = {"BINGET", VV_ARG_1, VV_OP_MEMO, L},
	[OP_LONG_BINGET] = {"LONG_BINGET", VV_ARG_4, VV_OP_MEMO, L},
	[OP_GET] = {"GET", VV_ARG_LINE, VV_OP_MEMO, 0},
	[OP_BINPUT] = {"BINPUT", VV_ARG_1, VV_OP_MEMO, L},
	[OP_LONG_BINPUT] = {"LONG_BINPUT", VV_ARG_4, VV_OP_MEMO, L},
	[OP_PUT] = {"PUT", VV_ARG_LINE, VV_OP_MEMO, 0},
	[OP_MEMOIZE] = {"MEMOIZE", VV_ARG_NONE, VV_OP_MEMO, 0},
};
#undef L

const struct vv_op *vv_op(uint8_t code)
{
	return &ops[code];
}

static int take_num(struct vv_cursor *c, size_t bytes, uint64_t *v)
{
	struct vv_span s;

	if (vv_take(c, bytes, &s))
		return 1;
	*v = 0;
	for (size_t i = bytes; i-- > 0;)
		*v = *v << 8 | s.ptr[i];
	return 0;
}

static int take_arg(struct vv_cursor *c, enum vv_op_arg arg, struct vv_op_at *out)
{
	static const size_t widths[] = {[VV_ARG_1] = 1, [VV_ARG_2] = 2, [VV_ARG_4] = 4, [VV_ARG_8] = 8,
		[VV_ARG_LEN1] = 1, [VV_ARG_LEN4] = 4, [VV_ARG_LEN8] = 8};

	switch (arg) {
	case VV_ARG_NONE:
		return 0;
	case VV_ARG_LINE:
		return vv_take_line(c, &out->text);
	case VV_ARG_LINES:
		return vv_take_line(c, &out->text) || vv_take_line(c, &out->text2);
	case VV_ARG_LEN1:
	case VV_ARG_LEN4:
	case VV_ARG_LEN8:
		return take_num(c, widths[arg], &out->num) || out->num > c->left ||
			vv_take(c, (size_t)out->num, &out->text);
	default:
		return take_num(c, widths[arg], &out->num);
	}
}

int vv_op_next(struct vv_cursor *c, struct vv_op_at *out)
{
	struct vv_cursor before = *c;

	*out = (struct vv_op_at){.off = (uint32_t)c->off};
	if (!vv_take8(c, &out->code) && ops[out->code].group && !take_arg(c, ops[out->code].arg, out))
		return 0;
	*c = before;
	return 1;
}

bool vv_pickle_probe(struct vv_span head)
{
	struct vv_cursor c = vv_cursor(head);
	struct vv_op_at op;

	if (head.len < 4 || head.ptr[0] != OP_PROTO || head.ptr[1] < 2 || head.ptr[1] > 5)
		return false;
	/* The first opcodes, or all up to a long string that the head cuts off. */
	for (int i = 0; i < 5; i++) {
		if (vv_op_next(&c, &op))
			return c.left && ops[c.ptr[0]].group;
		if (op.code == OP_STOP)
			return i > 1;
	}
	return true;
}
