/* The machine: opcodes in, nodes out. What calls and names mean is in pickle_calls.c. */
#include "format/pickle_machine.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void vv_machine_stop(struct vv_machine *m, int code, const char *finding, uint32_t off, const char *fmt, ...)
{
	struct vv_pickle *p = m->p;
	bool told = p->n_findings == VV_MAX_PICKLE_FINDINGS;
	char text[256];
	va_list ap;

	for (size_t i = 0; i < p->n_findings && !told; i++)
		told = !strcmp(p->findings[i].code, finding);
	/* A hostile pickle comes here for each of its bytes. */
	if (told && m->why.code)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!m->why.code)
		vv_fail(&m->why, code, "%s at offset %" PRIu32 " of the pickle", text, off);
	if (told)
		return;
	const char *detail = vv_arena_copy(&p->arena, vv_span_str(text));
	p->findings[p->n_findings++] = (struct vv_pickle_finding){finding, off, detail ? detail : ""};
}

void vv_machine_lose(struct vv_machine *m, uint32_t off, const char *what)
{
	vv_machine_stop(m, VV_EFORMAT, "pickle-broken", off, "%s", what);
	m->lost = true;
}

/* --- the stack --- */

void vv_machine_push(struct vv_machine *m, uint32_t node)
{
	if (m->lost)
		return;
	if (!node || m->n_stack == VV_MAX_PICKLE_ITEMS) {
		if (m->p->n_nodes < VV_MAX_PICKLE_NODES / 2 && m->p->n_items < VV_MAX_PICKLE_ITEMS / 2 && !node)
			vv_fail_nomem(&m->why);
		vv_machine_stop(m, VV_ELIMIT, "pickle-limit", (uint32_t)m->c.off, "too many objects");
		m->lost = true;
		return;
	}
	if (m->n_stack == m->cap_stack) {
		uint32_t cap = m->cap_stack * 2;
		uint32_t *s = realloc(m->stack, cap * sizeof(*s));
		if (!s) {
			vv_fail_nomem(&m->why);
			m->lost = true;
			return;
		}
		m->stack = s;
		m->cap_stack = cap;
	}
	m->stack[m->n_stack++] = node;
}

static uint32_t bottom(const struct vv_machine *m)
{
	return m->n_marks ? m->marks[m->n_marks - 1] : 0;
}

uint32_t vv_machine_pop(struct vv_machine *m, uint32_t off)
{
	if (!m->lost && m->n_stack > bottom(m))
		return m->stack[--m->n_stack];
	if (!m->lost)
		vv_machine_lose(m, off, "an opcode that takes more than there is");
	return 0;
}

int64_t vv_machine_pop_mark(struct vv_machine *m, uint32_t off, uint32_t *first)
{
	if (m->lost)
		return -1;
	if (!m->n_marks) {
		vv_machine_lose(m, off, "an opcode that takes a mark where there is none");
		return -1;
	}
	*first = m->marks[--m->n_marks];
	return (int64_t)m->n_stack - *first;
}

/* --- values --- */

static uint32_t text_node(struct vv_machine *m, enum vv_pickle_kind kind, unsigned flags, const struct vv_op_at *op)
{
	uint32_t n = vv_pickle_new(m->p, kind, flags, op->off);

	if (n) {
		m->p->nodes[n].text.at = (uint32_t)(op->text.ptr - m->p->bytes.ptr);
		m->p->nodes[n].text.len = (uint32_t)op->text.len;
	}
	return n;
}

static uint32_t constant(struct vv_machine *m, uint32_t *place, enum vv_pickle_kind kind, int64_t v)
{
	if (!*place && (*place = vv_pickle_new(m->p, kind, 0, 0)))
		m->p->nodes[*place].num = v;
	return *place;
}

static uint32_t int_node(struct vv_machine *m, int64_t v)
{
	if (v >= 0 && v < 256)
		return constant(m, &m->small[v], VV_PK_INT, v);
	return vv_pickle_new_int(m->p, v);
}

static uint32_t long_node(struct vv_machine *m, const struct vv_op_at *op)
{
	uint64_t v = 0;
	size_t n = op->text.len;

	if (n > 8)
		return text_node(m, VV_PK_BIG, 0, op);
	for (size_t i = 0; i < 8; i++)
		v |= (uint64_t)(i < n ? op->text.ptr[i] : n && op->text.ptr[n - 1] & 0x80 ? 0xff : 0) << (8 * i);
	return int_node(m, (int64_t)v);
}

static uint32_t float_node(struct vv_machine *m, uint64_t little)
{
	uint32_t n = vv_pickle_new(m->p, VV_PK_FLOAT, 0, 0);
	uint64_t v = 0;

	/* The one big-endian number in a pickle. */
	for (int i = 0; i < 8; i++)
		v = v << 8 | (little >> (8 * i) & 0xff);
	if (n)
		memcpy(&m->p->nodes[n].real, &v, 8);
	return n;
}

static uint32_t value(struct vv_machine *m, struct vv_op_at *op)
{
	switch (op->code) {
	case OP_NEWTRUE:
		return constant(m, &m->yes, VV_PK_BOOL, 1);
	case OP_NEWFALSE:
		return constant(m, &m->no, VV_PK_BOOL, 0);
	case OP_BININT:
		return int_node(m, (int32_t)op->num);
	case OP_BININT1:
	case OP_BININT2:
		return int_node(m, (int64_t)op->num);
	case OP_LONG1:
	case OP_LONG4:
		return long_node(m, op);
	case OP_BINFLOAT:
		return float_node(m, op->num);
	case OP_STRING:
		/* Its quotes; escapes are left: such a name is on no list anyway. */
		if (op->text.len >= 2)
			op->text = vv_span(op->text.ptr + 1, op->text.len - 2);
		return text_node(m, VV_PK_STR, VV_PK_OLD_STR, op);
	case OP_SHORT_BINSTRING:
	case OP_BINSTRING:
		return text_node(m, VV_PK_STR, VV_PK_OLD_STR, op);
	case OP_BINUNICODE:
	case OP_SHORT_BINUNICODE:
	case OP_BINUNICODE8:
	case OP_UNICODE:
		return text_node(m, VV_PK_STR, 0, op);
	case OP_BINBYTES:
	case OP_SHORT_BINBYTES:
	case OP_BINBYTES8:
	case OP_BYTEARRAY8:
		return text_node(m, VV_PK_BYTES, 0, op);
	default:
		/* Of the unlisted ones only their place on the stack matters. */
		return constant(m, &m->none, VV_PK_NONE, 0);
	}
}

/* --- containers --- */

static void mark(struct vv_machine *m, uint32_t off)
{
	if (m->lost)
		return;
	if (m->n_marks == VV_MAX_PICKLE_DEPTH) {
		vv_machine_stop(m, VV_ELIMIT, "pickle-limit", off, "nested deeper than %d", VV_MAX_PICKLE_DEPTH);
		m->lost = true;
		return;
	}
	m->marks[m->n_marks++] = m->n_stack;
}

/* The upper `n` items of the stack as one node. */
static void gather(struct vv_machine *m, enum vv_pickle_kind kind, uint32_t off, uint32_t n)
{
	uint32_t node;

	if (m->lost)
		return;
	if (m->n_stack - bottom(m) < n) {
		vv_machine_lose(m, off, "an opcode that takes more than there is");
		return;
	}
	node = vv_pickle_new_of(m->p, kind, m->stack + m->n_stack - n, n);
	if (node)
		m->p->nodes[node].off = off;
	m->n_stack -= n;
	vv_machine_push(m, node);
}

/* What SETITEM and APPEND on an object that Python would have made are kept in. */
static uint32_t extra(struct vv_machine *m, uint32_t call, enum vv_pickle_kind kind)
{
	struct vv_pickle *p = m->p;
	uint32_t node, callee = vv_pickle_item(p, call, 0);

	if ((p->nodes[callee].flags & VV_PK_TRUSTED) &&
		!(kind == VV_PK_DICT && vv_pickle_is_global(p, callee, "collections", "Counter")))
		return 0;
	for (uint32_t i = 2; (node = vv_pickle_item(p, call, i)); i++)
		if (p->nodes[node].kind == kind)
			return node;
	/* Filled from an iterator, as an OrderedDict is. */
	node = vv_pickle_new(p, kind, VV_PK_ORDERED, p->nodes[call].off);
	return node && !vv_pickle_append(p, call, &node, 1) ? node : 0;
}

/* Items from `first` on go into the container below them. */
static void fill(struct vv_machine *m, uint32_t off, enum vv_pickle_kind kind, uint32_t first)
{
	uint32_t n = m->n_stack - first, node;

	if (first <= bottom(m) || (kind == VV_PK_DICT && n % 2)) {
		vv_machine_lose(m, off, "items that belong to nothing");
		return;
	}
	node = m->stack[first - 1];
	if (m->p->nodes[node].kind == VV_PK_CALL)
		node = extra(m, node, kind);
	if (!node || m->p->nodes[node].kind != kind)
		vv_machine_stop(m, VV_EFORMAT, "pickle-type", off, "an item for something that is no %s",
			kind == VV_PK_DICT ? "dictionary" : "list");
	else if (vv_pickle_append(m->p, node, m->stack + first, n))
		vv_machine_push(m, 0);
	m->n_stack = m->n_stack < first ? m->n_stack : first;
}

static void fill_marked(struct vv_machine *m, uint32_t off, enum vv_pickle_kind kind)
{
	uint32_t first;

	if (vv_machine_pop_mark(m, off, &first) >= 0)
		fill(m, off, kind, first);
}

static void fill_top(struct vv_machine *m, uint32_t off, enum vv_pickle_kind kind, uint32_t n)
{
	if (m->lost)
		return;
	if (m->n_stack - bottom(m) <= n)
		vv_machine_lose(m, off, "an opcode that takes more than there is");
	else
		fill(m, off, kind, m->n_stack - n);
}

static void gather_marked(struct vv_machine *m, uint32_t off, enum vv_pickle_kind kind)
{
	uint32_t first;
	int64_t n = vv_machine_pop_mark(m, off, &first);

	if (n >= 0)
		gather(m, kind, off, (uint32_t)n);
}

static void pop_any(struct vv_machine *m, uint32_t off)
{
	/* As Python does: a POP right after a MARK takes the mark. */
	if (!m->lost && m->n_marks && m->n_stack == bottom(m))
		m->n_marks--;
	else
		vv_machine_pop(m, off);
}

static void heap(struct vv_machine *m, const struct vv_op_at *op)
{
	uint32_t first, top;
	int64_t n;

	switch (op->code) {
	case OP_MARK:
		mark(m, op->off);
		break;
	case OP_POP:
		pop_any(m, op->off);
		break;
	case OP_POP_MARK:
	case OP_ADDITEMS:
		n = vv_machine_pop_mark(m, op->off, &first);
		m->n_stack -= n > 0 ? (uint32_t)n : 0;
		break;
	case OP_DUP:
		top = vv_machine_pop(m, op->off);
		vv_machine_push(m, top);
		vv_machine_push(m, top);
		break;
	case OP_TUPLE:
	case OP_FROZENSET:
		gather_marked(m, op->off, VV_PK_TUPLE);
		break;
	case OP_LIST:
		gather_marked(m, op->off, VV_PK_LIST);
		break;
	case OP_DICT:
		gather_marked(m, op->off, VV_PK_DICT);
		break;
	case OP_TUPLE1:
	case OP_TUPLE2:
	case OP_TUPLE3:
		gather(m, VV_PK_TUPLE, op->off, (uint32_t)op->code - OP_TUPLE1 + 1);
		break;
	case OP_EMPTY_TUPLE:
		vv_machine_push(m, vv_pickle_new(m->p, VV_PK_TUPLE, 0, op->off));
		break;
	case OP_EMPTY_LIST:
		vv_machine_push(m, vv_pickle_new(m->p, VV_PK_LIST, 0, op->off));
		break;
	case OP_EMPTY_DICT:
		vv_machine_push(m, vv_pickle_new(m->p, VV_PK_DICT, 0, op->off));
		break;
	case OP_EMPTY_SET:
		vv_machine_push(m, vv_pickle_new(m->p, VV_PK_SET, 0, op->off));
		break;
	case OP_APPEND:
		fill_top(m, op->off, VV_PK_LIST, 1);
		break;
	case OP_APPENDS:
		fill_marked(m, op->off, VV_PK_LIST);
		break;
	case OP_SETITEM:
		fill_top(m, op->off, VV_PK_DICT, 2);
		break;
	case OP_SETITEMS:
		fill_marked(m, op->off, VV_PK_DICT);
		break;
	}
}

/* --- the memo --- */

static bool decimal(struct vv_span s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || i > 9)
			return false;
		else
			*v = *v * 10 + (s.ptr[i] - '0');
	return s.len > 0;
}

/* What was put under a key beyond the dense ones; NULL: nothing. */
static uint32_t *memo_far(struct vv_machine *m, uint64_t key)
{
	for (uint32_t i = 0; i < m->n_far; i++)
		if (m->far[i].key == key)
			return &m->far[i].node;
	return NULL;
}

static void memo_put_far(struct vv_machine *m, const struct vv_op_at *op, uint64_t key)
{
	uint32_t *node = memo_far(m, key);

	if (!node && m->n_far == VV_MAX_PICKLE_HOLES) {
		vv_machine_lose(m, op->off, "a memo key out of range");
		return;
	}
	if (!node) {
		m->n_memo++;
		m->far[m->n_far].key = key;
		node = &m->far[m->n_far++].node;
	}
	*node = m->stack[m->n_stack - 1];
}

static void memo_put(struct vv_machine *m, const struct vv_op_at *op, uint64_t key)
{
	uint32_t cap = m->cap_memo ? m->cap_memo : 256;

	if (m->lost)
		return;
	if (m->n_stack == bottom(m)) {
		vv_machine_lose(m, op->off, "a memo key for nothing");
		return;
	}
	/* Keys are counted up by every pickler. */
	if (key > m->c.off || key >= VV_MAX_PICKLE_NODES) {
		memo_put_far(m, op, key);
		return;
	}
	while (cap <= key)
		cap *= 2;
	if (cap > m->cap_memo) {
		uint32_t *memo = realloc(m->memo, cap * sizeof(*memo));
		if (!memo) {
			vv_fail_nomem(&m->why);
			m->lost = true;
			return;
		}
		memset(memo + m->cap_memo, 0, (cap - m->cap_memo) * sizeof(*memo));
		m->memo = memo;
		m->cap_memo = cap;
	}
	m->n_memo += !m->memo[key];
	m->memo[key] = m->stack[m->n_stack - 1];
}

static void memo(struct vv_machine *m, const struct vv_op_at *op)
{
	bool get = op->code == OP_GET || op->code == OP_BINGET || op->code == OP_LONG_BINGET;
	uint64_t key = op->code == OP_MEMOIZE ? m->n_memo : op->num;

	if (m->lost)
		return;
	if ((op->code == OP_GET || op->code == OP_PUT) && !decimal(op->text, &key))
		vv_machine_lose(m, op->off, "a memo key that is no number");
	else if (!get)
		memo_put(m, op, key);
	else if (memo_far(m, key))
		vv_machine_push(m, *memo_far(m, key));
	else if (key >= m->cap_memo || !m->memo[key])
		vv_machine_lose(m, op->off, "a memo key that was never put");
	else
		vv_machine_push(m, m->memo[key]);
}

/* --- running --- */

static void step(struct vv_machine *m, struct vv_op_at *op)
{
	const struct vv_op *o = vv_op(op->code);

	if (!o->listed && !m->any)
		vv_machine_stop(m, VV_EFORMAT, "pickle-opcode", op->off, "opcode %s", o->name);
	switch (o->group) {
	case VV_OP_VALUE:
		if (!m->lost)
			vv_machine_push(m, value(m, op));
		break;
	case VV_OP_HEAP:
		heap(m, op);
		break;
	case VV_OP_CALL:
		vv_machine_call(m, op);
		break;
	case VV_OP_MEMO:
		memo(m, op);
		break;
	default:
		if (op->code == OP_PROTO && op->num > 5)
			vv_machine_lose(m, op->off, "an unknown protocol");
		break;
	}
}

/* To the next STOP. 1: the bytes end before, or are no opcode. */
static int run(struct vv_machine *m)
{
	struct vv_op_at op;

	m->n_stack = 0;
	m->n_marks = 0;
	m->lost = false;
	while (!vv_op_next(&m->c, &op)) {
		if (op.code == OP_STOP)
			return 0;
		step(m, &op);
	}
	return 1;
}

/* Whatever follows the pickle is walked for its globals; its structure is of no interest. */
static void trailing(struct vv_machine *m)
{
	struct vv_err first = m->why;

	vv_machine_stop(m, VV_EFORMAT, "pickle-trailing", (uint32_t)m->c.off, "%zu bytes after the end", m->c.left);
	while (m->c.left && m->why.code != VV_ENOMEM && !run(m))
		;
	if (m->why.code != VV_ENOMEM)
		m->why = first;
}

static void machine_release(struct vv_machine *m)
{
	free(m->stack);
	free(m->memo);
	vv_map_release(&m->told);
}

int vv_machine_parse(struct vv_machine *m, struct vv_pickle *p, struct vv_span bytes)
{
	*p = (struct vv_pickle){.bytes = bytes};
	m->p = p;
	m->c = vv_cursor(bytes);
	m->cap_stack = 256;
	m->stack = malloc(m->cap_stack * sizeof(*m->stack));
	vv_pickle_new(p, 0, 0, 0); /* node 0 is none */
	if (!m->stack || !p->n_nodes) {
		machine_release(m);
		return vv_fail_nomem(&m->why);
	}
	if (run(m)) {
		vv_machine_lose(m, (uint32_t)m->c.off, m->c.left ? "no opcode" : "the end before the pickle's");
	} else {
		if (!m->lost && (m->n_stack != 1 || m->n_marks))
			vv_machine_lose(m, (uint32_t)m->c.off - 1, "an end with more or less than one object");
		if (!m->lost)
			p->root = m->stack[0];
		if (m->c.left && !m->first_only)
			trailing(m);
	}
	vv_machine_untold(m);
	machine_release(m);
	return m->why.code;
}

static int parse(struct vv_machine *m, struct vv_pickle *p, struct vv_span bytes, struct vv_err *err)
{
	int ret;

	*p = (struct vv_pickle){0};
	if (bytes.len > VV_MAX_PICKLE)
		return vv_fail(err, VV_ELIMIT, "a pickle of %zu bytes", bytes.len);
	ret = vv_machine_parse(m, p, bytes);
	if (ret)
		*err = m->why;
	return ret;
}

int vv_pickle_parse(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err)
{
	struct vv_machine m = {.p = p};

	return parse(&m, p, bytes, err);
}

int vv_pickle_parse_any(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err)
{
	struct vv_machine m = {.p = p, .any = true};

	return parse(&m, p, bytes, err);
}

int vv_pickle_parse_joblib(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err)
{
	struct vv_machine m = {.p = p, .arrays = true};

	return parse(&m, p, bytes, err);
}

int vv_pickle_parse_first(struct vv_pickle *p, struct vv_span bytes, size_t *used, struct vv_err *err)
{
	struct vv_machine m = {.p = p, .first_only = true};
	int ret = parse(&m, p, bytes, err);

	*used = m.c.off;
	return ret;
}
