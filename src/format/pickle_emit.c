/*
 * Pickles as CPython's pickler writes them with protocol 2. Which objects get a memo entry, and how
 * items are batched, is that program's habit: it is what makes an unchanged tree yield its old bytes.
 */
#include "format/pickle.h"
#include "format/pickle_ops.h"

#include <inttypes.h>
#include <stdlib.h>

enum { BATCH = 1000, DEEP = 4 * VV_MAX_PICKLE_DEPTH };

struct emitter {
	const struct vv_pickle *p;
	struct vv_buf *out;
	uint32_t *memo; /* by node: 1 + its key */
	uint32_t n_memo;
	unsigned depth;
};

static int emit(struct emitter *e, uint32_t node, struct vv_err *err);

static void op(struct emitter *e, unsigned code)
{
	vv_buf_le(e->out, code, 1);
}

static void memoize(struct emitter *e, uint32_t node)
{
	uint32_t key = e->n_memo++;

	e->memo[node] = key + 1;
	op(e, key < 256 ? OP_BINPUT : OP_LONG_BINPUT);
	vv_buf_le(e->out, key, key < 256 ? 1 : 4);
}

static void emit_int(struct emitter *e, int64_t v)
{
	if (v >= 0 && v < 256) {
		op(e, OP_BININT1);
		vv_buf_le(e->out, (uint64_t)v, 1);
	} else if (v >= 0 && v < 65536) {
		op(e, OP_BININT2);
		vv_buf_le(e->out, (uint64_t)v, 2);
	} else if (v >= INT32_MIN && v <= INT32_MAX) {
		op(e, OP_BININT);
		vv_buf_le(e->out, (uint64_t)v, 4);
	} else {
		unsigned n = 5;
		/* As few bytes as keep the sign. */
		while (n < 8 && v >> (8 * n - 1) != 0 && v >> (8 * n - 1) != -1)
			n++;
		op(e, OP_LONG1);
		vv_buf_le(e->out, n, 1);
		vv_buf_le(e->out, (uint64_t)v, n);
	}
}

static void emit_float(struct emitter *e, double real)
{
	uint64_t v;

	memcpy(&v, &real, 8);
	op(e, OP_BINFLOAT);
	for (int i = 56; i >= 0; i -= 8)
		vv_buf_le(e->out, v >> i, 1);
}

static int emit_text(struct emitter *e, uint32_t node, struct vv_err *err)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	struct vv_span s = vv_pickle_text(e->p, node);
	bool small = n->kind == VV_PK_BIG || (n->flags & VV_PK_OLD_STR);

	if (small && s.len > 255)
		return vv_fail(err, VV_ENOTSUP, "a Python 2 string of %zu bytes", s.len);
	op(e, n->kind == VV_PK_BIG ? OP_LONG1 : small ? OP_SHORT_BINSTRING : OP_BINUNICODE);
	vv_buf_le(e->out, s.len, small ? 1 : 4);
	vv_buf_span(e->out, s);
	if (n->kind == VV_PK_STR)
		memoize(e, node);
	return 0;
}

static int emit_items(struct emitter *e, uint32_t node, uint32_t from, uint32_t to, struct vv_err *err)
{
	int ret = 0;

	for (uint32_t i = from; i < to && !ret; i++)
		ret = emit(e, vv_pickle_item(e->p, node, i), err);
	return ret;
}

static int emit_tuple(struct emitter *e, uint32_t node, struct vv_err *err)
{
	uint32_t n = e->p->nodes[node].items.n;
	int ret;

	if (!n) {
		op(e, OP_EMPTY_TUPLE);
		return 0;
	}
	if (n > 3)
		op(e, OP_MARK);
	ret = emit_items(e, node, 0, n, err);
	op(e, n > 3 ? OP_TUPLE : OP_TUPLE1 + n - 1);
	memoize(e, node);
	return ret;
}

/*
 * A list's or a dictionary's items, `width` each. Python writes a lone item without a mark; where it
 * only sees an iterator (OrderedDict) that includes one left over after full batches.
 */
static int emit_batches(struct emitter *e, uint32_t node, uint32_t width, struct vv_err *err)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	bool iterated = n->flags & VV_PK_ORDERED;
	uint32_t count = n->items.n / width, done = 0;
	int ret = 0;

	while (done < count && !ret) {
		uint32_t batch = count - done < BATCH ? count - done : BATCH;
		bool lone = batch == 1 && (!done || iterated);
		if (!lone)
			op(e, OP_MARK);
		ret = emit_items(e, node, done * width, (done + batch) * width, err);
		if (width == 1)
			op(e, lone ? OP_APPEND : OP_APPENDS);
		else
			op(e, lone ? OP_SETITEM : OP_SETITEMS);
		done += batch;
	}
	/* After a full batch of a dictionary that it holds it looks for more, and writes that there is none. */
	if (width == 2 && !iterated && count && count % BATCH == 0) {
		op(e, OP_MARK);
		op(e, OP_SETITEMS);
	}
	return ret;
}

static int emit_state(struct emitter *e, uint32_t state, struct vv_err *err)
{
	int ret;

	if (!state)
		return 0;
	ret = emit(e, state, err);
	op(e, OP_BUILD);
	return ret;
}

static int emit_dict(struct emitter *e, uint32_t node, struct vv_err *err)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	int ret = 0;

	if (n->flags & VV_PK_ORDERED) {
		ret = emit(e, e->p->ordered, err);
		op(e, OP_EMPTY_TUPLE);
		op(e, OP_REDUCE);
	} else {
		op(e, OP_EMPTY_DICT);
	}
	memoize(e, node);
	if (!ret)
		ret = emit_batches(e, node, 2, err);
	return ret ? ret : emit_state(e, n->items.state, err);
}

static int emit_call(struct emitter *e, uint32_t node, struct vv_err *err)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	uint32_t extra;
	int ret = emit_items(e, node, 0, 2, err);

	op(e, n->flags & VV_PK_NEW ? OP_NEWOBJ : OP_REDUCE);
	memoize(e, node);
	for (uint32_t i = 2; !ret && (extra = vv_pickle_item(e->p, node, i)); i++)
		ret = emit_batches(e, extra, e->p->nodes[extra].kind == VV_PK_LIST ? 1 : 2, err);
	return ret ? ret : emit_state(e, n->items.state, err);
}

static void emit_global(struct emitter *e, uint32_t node)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	const struct vv_pickle *p = e->p;
	struct { uint32_t at, len; } part[] = {{n->global.module, n->global.module_len}, {n->global.name, n->global.name_len}};

	op(e, OP_GLOBAL);
	for (int i = 0; i < 2; i++) {
		bool read = part[i].at < p->bytes.len;
		vv_buf_add(e->out, read ? p->bytes.ptr + part[i].at : p->added.ptr + (part[i].at - p->bytes.len), part[i].len);
		vv_buf_char(e->out, '\n');
	}
	memoize(e, node);
}

static int emit_new(struct emitter *e, uint32_t node, struct vv_err *err)
{
	const struct vv_pickle_node *n = &e->p->nodes[node];
	int ret = 0;

	switch (n->kind) {
	case VV_PK_NONE:
		op(e, OP_NONE);
		break;
	case VV_PK_BOOL:
		op(e, n->num ? OP_NEWTRUE : OP_NEWFALSE);
		break;
	case VV_PK_INT:
		emit_int(e, n->num);
		break;
	case VV_PK_FLOAT:
		emit_float(e, n->real);
		break;
	case VV_PK_STR:
	case VV_PK_BIG:
		return emit_text(e, node, err);
	case VV_PK_TUPLE:
		return emit_tuple(e, node, err);
	case VV_PK_LIST:
		op(e, OP_EMPTY_LIST);
		memoize(e, node);
		return emit_batches(e, node, 1, err);
	case VV_PK_DICT:
		return emit_dict(e, node, err);
	case VV_PK_GLOBAL:
		emit_global(e, node);
		break;
	case VV_PK_CALL:
		return emit_call(e, node, err);
	case VV_PK_PERSID:
		ret = emit_items(e, node, 0, 1, err);
		op(e, OP_BINPERSID);
		break;
	default:
		return vv_fail(err, VV_ENOTSUP, "a pickle with something that this varve cannot write");
	}
	return ret;
}

static int emit(struct emitter *e, uint32_t node, struct vv_err *err)
{
	uint32_t key = e->memo[node];
	int ret;

	if (!node)
		return vv_fail(err, VV_ENOTSUP, "something is gone from an object that only Python can change");
	if (key) {
		op(e, key <= 256 ? OP_BINGET : OP_LONG_BINGET);
		vv_buf_le(e->out, key - 1, key <= 256 ? 1 : 4);
		return 0;
	}
	if (e->out->failed || e->depth == DEEP)
		return vv_fail(err, VV_ENOTSUP, "a pickle that is too large or too deep to be written anew");
	e->depth++;
	ret = emit_new(e, node, err);
	e->depth--;
	return ret;
}

int vv_pickle_emit(const struct vv_pickle *p, uint32_t root, struct vv_buf *out, struct vv_err *err)
{
	struct emitter e = {.p = p, .out = out, .memo = calloc(p->n_nodes ? p->n_nodes : 1, sizeof(uint32_t))};
	int ret;

	if (!e.memo)
		return vv_fail_nomem(err);
	op(&e, OP_PROTO);
	op(&e, 2);
	ret = emit(&e, root, err);
	op(&e, OP_STOP);
	free(e.memo);
	return ret ? ret : vv_buf_check(out, err);
}
