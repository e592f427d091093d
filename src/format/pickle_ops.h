/* The opcodes of pickle protocols 0 to 5: what follows each in the bytes. */
#ifndef VV_FORMAT_PICKLE_OPS_H
#define VV_FORMAT_PICKLE_OPS_H

#include "base/compiler.h"
#include "base/cursor.h"

enum vv_op_arg {
	VV_ARG_NONE,
	VV_ARG_1, /* a little-endian number of 1, 2, 4, 8 bytes */
	VV_ARG_2,
	VV_ARG_4,
	VV_ARG_8,
	VV_ARG_LEN1, /* such a number, and as many bytes */
	VV_ARG_LEN4,
	VV_ARG_LEN8,
	VV_ARG_LINE,
	VV_ARG_LINES, /* two lines */
};

enum vv_op_group { VV_OP_UNKNOWN, VV_OP_VALUE, VV_OP_HEAP, VV_OP_CALL, VV_OP_MEMO, VV_OP_FRAME };

struct vv_op {
	const char *name;
	uint8_t arg;   /* enum vv_op_arg */
	uint8_t group; /* enum vv_op_group: which part of the machine knows it */
	bool listed;   /* one of the 34 that PyTorch's weights-only reader takes */
};

struct vv_op_at {
	uint8_t code;
	uint32_t off;
	uint64_t num;
	struct vv_span text, text2;
};

enum {
	OP_MARK = '(', OP_STOP = '.', OP_POP = '0', OP_POP_MARK = '1', OP_DUP = '2', OP_FLOAT = 'F', OP_INT = 'I',
	OP_BININT = 'J', OP_BININT1 = 'K', OP_LONG = 'L', OP_BININT2 = 'M', OP_NONE = 'N', OP_PERSID = 'P',
	OP_BINPERSID = 'Q', OP_REDUCE = 'R', OP_STRING = 'S', OP_BINSTRING = 'T', OP_SHORT_BINSTRING = 'U',
	OP_UNICODE = 'V', OP_BINUNICODE = 'X', OP_APPEND = 'a', OP_BUILD = 'b', OP_GLOBAL = 'c', OP_DICT = 'd',
	OP_EMPTY_DICT = '}', OP_APPENDS = 'e', OP_GET = 'g', OP_BINGET = 'h', OP_INST = 'i', OP_LONG_BINGET = 'j',
	OP_LIST = 'l', OP_EMPTY_LIST = ']', OP_OBJ = 'o', OP_PUT = 'p', OP_BINPUT = 'q', OP_LONG_BINPUT = 'r',
	OP_SETITEM = 's', OP_TUPLE = 't', OP_EMPTY_TUPLE = ')', OP_SETITEMS = 'u', OP_BINFLOAT = 'G',
	OP_PROTO = 0x80, OP_NEWOBJ, OP_EXT1, OP_EXT2, OP_EXT4, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3, OP_NEWTRUE,
	OP_NEWFALSE, OP_LONG1, OP_LONG4, OP_BINBYTES = 'B', OP_SHORT_BINBYTES = 'C', OP_SHORT_BINUNICODE = 0x8c,
	OP_BINUNICODE8, OP_BINBYTES8, OP_EMPTY_SET, OP_ADDITEMS, OP_FROZENSET, OP_NEWOBJ_EX, OP_STACK_GLOBAL,
	OP_MEMOIZE, OP_FRAME, OP_BYTEARRAY8, OP_NEXT_BUFFER, OP_READONLY_BUFFER,
};

/* Borrowed: a constant. Its group is VV_OP_UNKNOWN when no pickle has that opcode. */
const struct vv_op *vv_op(uint8_t code);
/* The next opcode with what follows it; 1 when it is unknown or cut off: then `c` stands at it. */
VV_MUST_CHECK int vv_op_next(struct vv_cursor *c, struct vv_op_at *out);

#endif
