/* What a pickle would have Python import and call: told, kept as nodes, never done. */
#include "format/pickle_machine.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	TOLD = 48,  /* findings of globals */
	PART = 200, /* bytes of a module and of a name that are told */
	NESTED = 2,
};

/* "module.name", all of it in the C string. */
static void full_name(char *out, struct vv_span module, struct vv_span name)
{
	size_t a = module.len < PART ? module.len : PART, b = name.len < PART ? name.len : PART;

	memcpy(out, module.ptr, a);
	out[a] = '.';
	memcpy(out + a + 1, name.ptr, b);
	for (size_t i = 0; i < a + b + 1; i++)
		if (!out[i])
			out[i] = '?';
	out[a + b + 1] = 0;
}

/* Each untrusted global once; past a number of them only how many more. */
static void tell(struct vv_machine *m, uint32_t off, struct vv_span module, struct vv_span name)
{
	struct vv_pickle *p = m->p;
	char text[2 * PART + 2];
	const char *s;

	full_name(text, module, name);
	if (vv_map_find(&m->told, vv_span_str(text)))
		return;
	if (p->n_findings == VV_MAX_PICKLE_FINDINGS || m->told.len == TOLD) {
		m->untold++;
		return;
	}
	s = vv_arena_copy(&p->arena, vv_span_str(text));
	if (s && vv_map_put(&m->told, vv_span_str(s), off, NULL))
		p->findings[p->n_findings++] = (struct vv_pickle_finding){"pickle-global", off, s};
}

void vv_machine_untold(struct vv_machine *m)
{
	struct vv_pickle *p = m->p;
	char text[64];

	if (!m->untold)
		return;
	snprintf(text, sizeof(text), "and %u more", m->untold);
	const char *detail = vv_arena_copy(&p->arena, vv_span_str(text));
	if (p->n_findings == VV_MAX_PICKLE_FINDINGS)
		p->n_findings--;
	p->findings[p->n_findings++] = (struct vv_pickle_finding){"pickle-global", 0, detail ? detail : "and more"};
}

/* A node for the name, and a finding unless it is trusted. */
static uint32_t global_node(struct vv_machine *m, uint32_t off, struct vv_span module, struct vv_span name)
{
	struct vv_pickle *p = m->p;
	bool trusted = vv_pickle_trusted(module, name);
	uint32_t n;

	if (!trusted)
		tell(m, off, module, name);
	n = vv_pickle_new(p, VV_PK_GLOBAL, trusted ? VV_PK_TRUSTED : 0, off);
	if (n) {
		p->nodes[n].global.module = (uint32_t)(module.ptr - p->bytes.ptr);
		p->nodes[n].global.module_len = (uint32_t)module.len;
		p->nodes[n].global.name = (uint32_t)(name.ptr - p->bytes.ptr);
		p->nodes[n].global.name_len = (uint32_t)name.len;
		if (trusted && !p->ordered && vv_pickle_is_global(p, n, "collections", "OrderedDict"))
			p->ordered = n;
	}
	return n;
}

static void stack_global(struct vv_machine *m, uint32_t off)
{
	uint32_t name = vv_machine_pop(m, off), module = vv_machine_pop(m, off);
	struct vv_span unknown = vv_span_str("?");

	if (vv_pickle_text(m->p, module).len && vv_pickle_text(m->p, name).len)
		vv_machine_push(m, global_node(m, off, vv_pickle_text(m->p, module), vv_pickle_text(m->p, name)));
	else
		tell(m, off, unknown, unknown);
	if (!m->lost && (!vv_pickle_text(m->p, module).len || !vv_pickle_text(m->p, name).len))
		vv_machine_lose(m, off, "a global whose name is no text");
}

/* --- pickles in the arguments of calls --- */

/* The bytes a node stands for: text, or what _codecs.encode(text, "latin1") would give. */
static bool bytes_of(struct vv_machine *m, uint32_t node, struct vv_buf *out, uint32_t *off)
{
	struct vv_pickle *p = m->p;
	struct vv_span s;

	if (p->nodes[node].kind == VV_PK_CALL && vv_pickle_is_global(p, vv_pickle_item(p, node, 0), "_codecs", "encode"))
		node = vv_pickle_item(p, vv_pickle_item(p, node, 1), 0);
	*off = p->nodes[node].off;
	s = vv_pickle_text(p, node);
	m->spent += s.len;
	if (p->nodes[node].kind == VV_PK_BYTES || (p->nodes[node].flags & VV_PK_OLD_STR)) {
		vv_buf_span(out, s);
		return s.len > 0;
	}
	/* U+0000 to U+00FF in UTF-8. */
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x80)
			vv_buf_le(out, s.ptr[i], 1);
		else if ((s.ptr[i] & 0xfe) == 0xc2 && i + 1 < s.len)
			vv_buf_le(out, (unsigned)(s.ptr[i] & 3) << 6 | (s.ptr[i + 1] & 63), 1), i++;
		else
			return false;
	return s.len > 0;
}

void vv_machine_take(struct vv_machine *m, const struct vv_pickle *from, uint32_t off)
{
	struct vv_pickle *p = m->p;

	for (size_t i = 0; i < from->n_findings && p->n_findings < VV_MAX_PICKLE_FINDINGS; i++) {
		struct vv_pickle_finding f = from->findings[i];
		/* Bytes that merely look like a pickle are nobody's concern. */
		bool told = strcmp(f.code, "pickle-global") != 0 && strcmp(f.code, "pickle-extension") != 0;
		for (size_t k = 0; k < p->n_findings && !told; k++)
			told = !strcmp(p->findings[k].code, f.code) && !strcmp(p->findings[k].detail, f.detail);
		if (told)
			continue;
		f.detail = vv_arena_copy(&p->arena, vv_span_str(f.detail));
		f.off = off;
		if (f.detail)
			p->findings[p->n_findings++] = f;
	}
}

/* The arguments of a function that may well unpickle them. */
static void nested(struct vv_machine *m, uint32_t args)
{
	uint32_t node, off;

	if (m->nested == NESTED)
		return;
	for (uint32_t i = 0; (node = vv_pickle_item(m->p, args, i)); i++) {
		struct vv_machine inner = {.nested = m->nested + 1};
		struct vv_buf bytes = VV_BUF_INIT(VV_MAX_PICKLE);
		struct vv_pickle p;

		if (m->spent > 2 * m->p->bytes.len)
			return;
		if (bytes_of(m, node, &bytes, &off) && vv_pickle_probe(vv_buf_view(&bytes))) {
			m->spent += bytes.len;
			if (vv_machine_parse(&inner, &p, vv_buf_view(&bytes)) == VV_ENOMEM)
				vv_machine_push(m, 0);
			vv_machine_take(m, &p, off);
			vv_pickle_release(&p);
		}
		vv_buf_release(&bytes);
	}
}

/* --- calls --- */

static void call(struct vv_machine *m, uint32_t off, uint32_t callee, uint32_t args, unsigned flags)
{
	struct vv_pickle *p = m->p;
	uint32_t items[] = {callee, args}, node;

	if (!(p->nodes[callee].flags & VV_PK_TRUSTED))
		nested(m, args);
	node = vv_pickle_new_of(p, VV_PK_CALL, items, 2);
	if (node) {
		p->nodes[node].flags = (uint8_t)flags;
		p->nodes[node].off = off;
	}
	vv_machine_push(m, node);
}

/* OrderedDict() or OrderedDict([[key, value], …]), as Python 2 wrote it. */
static void ordered(struct vv_machine *m, uint32_t off, uint32_t args)
{
	struct vv_pickle *p = m->p;
	uint32_t list = vv_pickle_item(p, args, 0), node = vv_pickle_new(p, VV_PK_DICT, VV_PK_ORDERED, off), pair;
	bool right = !list || (p->nodes[list].kind == VV_PK_LIST && !vv_pickle_item(p, args, 1));

	for (uint32_t i = 0; right && node && list && (pair = vv_pickle_item(p, list, i)); i++) {
		uint32_t kv[] = {vv_pickle_item(p, pair, 0), vv_pickle_item(p, pair, 1)};
		right = kv[1] && !vv_pickle_item(p, pair, 2);
		if (right && vv_pickle_append(p, node, kv, 2))
			node = 0;
	}
	if (!right)
		vv_machine_stop(m, VV_EFORMAT, "pickle-type", off, "an OrderedDict of something else than pairs");
	vv_machine_push(m, node);
}

static void reduce(struct vv_machine *m, uint32_t off, unsigned flags)
{
	uint32_t args = vv_machine_pop(m, off), callee = vv_machine_pop(m, off);
	const struct vv_pickle_node *n = m->p->nodes;

	if (m->lost)
		return;
	if ((n[callee].kind != VV_PK_GLOBAL && n[callee].kind != VV_PK_CALL) || n[args].kind != VV_PK_TUPLE)
		vv_machine_stop(m, VV_EFORMAT, "pickle-call", off, "a call of something that is no global, or without arguments");
	if (!flags && vv_pickle_is_global(m->p, callee, "collections", "OrderedDict"))
		ordered(m, off, args);
	else
		call(m, off, callee, args, flags);
}

/* May BUILD set this node's state, and nothing else happens? What is not trusted was told already. */
static bool takes_state(const struct vv_pickle *p, const struct vv_pickle_node *n)
{
	const struct vv_pickle_node *callee;

	if (n->kind == VV_PK_DICT)
		return n->flags & VV_PK_ORDERED;
	if (n->kind != VV_PK_CALL)
		return false;
	callee = &p->nodes[p->items[n->items.first]];
	return !(callee->flags & VV_PK_TRUSTED) ||
		vv_pickle_buildable(vv_span(p->bytes.ptr + callee->global.module, callee->global.module_len),
			vv_span(p->bytes.ptr + callee->global.name, callee->global.name_len));
}

static void build(struct vv_machine *m, uint32_t off)
{
	uint32_t state = vv_machine_pop(m, off), node = vv_machine_pop(m, off);
	struct vv_pickle_node *n = &m->p->nodes[node];

	if (m->lost)
		return;
	if (takes_state(m->p, n) && !n->items.state)
		n->items.state = state;
	else
		vv_machine_stop(m, VV_EFORMAT, "pickle-build", off, "a state for something that has none");
	vv_machine_push(m, node);
	vv_machine_array(m, node, off);
}

static void from_mark(struct vv_machine *m, const struct vv_op_at *op)
{
	uint32_t first, callee, args;
	int64_t n;

	callee = op->code == OP_INST ? global_node(m, op->off, op->text, op->text2) : 0;
	n = vv_machine_pop_mark(m, op->off, &first);
	if (n < 0)
		return;
	if (op->code == OP_OBJ) {
		if (!n) {
			vv_machine_lose(m, op->off, "an object of no class");
			return;
		}
		callee = m->stack[first++];
		n--;
		m->n_stack = first - 1 + (uint32_t)n;
		args = vv_pickle_new_of(m->p, VV_PK_TUPLE, m->stack + first, (uint32_t)n);
		m->n_stack = first - 1;
	} else {
		args = vv_pickle_new_of(m->p, VV_PK_TUPLE, m->stack + first, (uint32_t)n);
		m->n_stack = first;
	}
	if (callee && args)
		call(m, op->off, callee, args, 0);
	else
		vv_machine_push(m, 0);
}

static void persid(struct vv_machine *m, const struct vv_op_at *op)
{
	uint32_t id;

	if (op->code == OP_PERSID)
		id = vv_pickle_new(m->p, VV_PK_NONE, 0, op->off);
	else
		id = vv_machine_pop(m, op->off);
	if (m->lost)
		return;
	id = id ? vv_pickle_new_of(m->p, VV_PK_PERSID, &id, 1) : 0;
	if (id)
		m->p->nodes[id].off = op->off;
	vv_machine_push(m, id);
}

void vv_machine_call(struct vv_machine *m, const struct vv_op_at *op)
{
	switch (op->code) {
	case OP_GLOBAL:
		vv_machine_push(m, global_node(m, op->off, op->text, op->text2));
		break;
	case OP_STACK_GLOBAL:
		stack_global(m, op->off);
		break;
	case OP_EXT1:
	case OP_EXT2:
	case OP_EXT4:
		vv_machine_stop(m, VV_EFORMAT, "pickle-extension", op->off, "code %u of the extension registry",
			(unsigned)op->num);
		vv_machine_push(m, vv_pickle_new(m->p, VV_PK_GLOBAL, 0, op->off));
		break;
	case OP_INST:
	case OP_OBJ:
		from_mark(m, op);
		break;
	case OP_NEWOBJ_EX:
		vv_machine_pop(m, op->off);
		reduce(m, op->off, VV_PK_NEW);
		break;
	case OP_NEWOBJ:
		reduce(m, op->off, VV_PK_NEW);
		break;
	case OP_REDUCE:
		reduce(m, op->off, 0);
		break;
	case OP_BUILD:
		build(m, op->off);
		break;
	case OP_BINPERSID:
	case OP_PERSID:
		persid(m, op);
		break;
	}
}
