/* The nodes of a pickle. */
#include "format/pickle.h"

#include "base/check.h"

#include <stdlib.h>

void vv_pickle_release(struct vv_pickle *p)
{
	free(p->nodes);
	free(p->items);
	vv_buf_release(&p->added);
	vv_arena_release(&p->arena);
	*p = (struct vv_pickle){0};
}

uint32_t vv_pickle_item(const struct vv_pickle *p, uint32_t node, uint32_t i)
{
	const struct vv_pickle_node *n = &p->nodes[node];

	switch (n->kind) {
	case VV_PK_TUPLE:
	case VV_PK_LIST:
	case VV_PK_DICT:
	case VV_PK_CALL:
	case VV_PK_PERSID:
		return i < n->items.n ? p->items[n->items.first + i] : 0;
	default:
		return 0;
	}
}

static struct vv_span text_at(const struct vv_pickle *p, uint32_t at, uint32_t len)
{
	if (at < p->bytes.len || !len)
		return vv_span(len ? p->bytes.ptr + at : p->bytes.ptr, len);
	return vv_span(p->added.ptr + (at - p->bytes.len), len);
}

struct vv_span vv_pickle_text(const struct vv_pickle *p, uint32_t node)
{
	const struct vv_pickle_node *n = &p->nodes[node];

	if (n->kind != VV_PK_STR && n->kind != VV_PK_BYTES && n->kind != VV_PK_BIG)
		return vv_span("", 0);
	return text_at(p, n->text.at, n->text.len);
}

bool vv_pickle_is_str(const struct vv_pickle *p, uint32_t node, const char *s)
{
	return p->nodes[node].kind == VV_PK_STR && vv_span_is(vv_pickle_text(p, node), s);
}

bool vv_pickle_is_global(const struct vv_pickle *p, uint32_t node, const char *module, const char *name)
{
	const struct vv_pickle_node *n = &p->nodes[node];

	return n->kind == VV_PK_GLOBAL && vv_span_is(text_at(p, n->global.name, n->global.name_len), name) &&
		vv_span_is(text_at(p, n->global.module, n->global.module_len), module);
}

int vv_pickle_u64(const struct vv_pickle *p, uint32_t node, uint64_t *out)
{
	const struct vv_pickle_node *n = &p->nodes[node];

	if (n->kind != VV_PK_INT || n->num < 0)
		return 1;
	*out = (uint64_t)n->num;
	return 0;
}

static int grow(void *array, uint32_t *cap, uint64_t need, uint32_t most, size_t size)
{
	uint64_t want = *cap ? *cap : 64;
	void **ptr = array, *bigger;

	if (need <= *cap)
		return 0;
	if (need > most)
		return 1;
	while (want < need)
		want *= 2;
	bigger = realloc(*ptr, (size_t)want * size);
	if (!bigger)
		return 1;
	*ptr = bigger;
	*cap = (uint32_t)want;
	return 0;
}

uint32_t vv_pickle_new(struct vv_pickle *p, enum vv_pickle_kind kind, unsigned flags, uint32_t off)
{
	if (grow(&p->nodes, &p->cap_nodes, (uint64_t)p->n_nodes + 1, VV_MAX_PICKLE_NODES, sizeof(*p->nodes)))
		return 0;
	p->nodes[p->n_nodes] = (struct vv_pickle_node){.kind = (uint8_t)kind, .flags = (uint8_t)flags, .off = off};
	return p->n_nodes++;
}

uint32_t vv_pickle_new_int(struct vv_pickle *p, int64_t v)
{
	uint32_t n = vv_pickle_new(p, VV_PK_INT, 0, 0);

	if (n)
		p->nodes[n].num = v;
	return n;
}

/* Where the copy lies, counted from the pickle's start; 0 when it does not fit (nothing real is at 0). */
static uint32_t add_text(struct vv_pickle *p, struct vv_span s)
{
	size_t at = p->bytes.len + p->added.len;

	p->added.max = VV_MAX_PICKLE;
	vv_buf_span(&p->added, s);
	return p->added.failed ? 0 : (uint32_t)at;
}

uint32_t vv_pickle_new_str(struct vv_pickle *p, struct vv_span s)
{
	uint32_t at = add_text(p, s), n = at ? vv_pickle_new(p, VV_PK_STR, 0, 0) : 0;

	if (n) {
		p->nodes[n].text.at = at;
		p->nodes[n].text.len = (uint32_t)s.len;
	}
	return n;
}

uint32_t vv_pickle_new_global(struct vv_pickle *p, const char *module, const char *name)
{
	uint32_t at = add_text(p, vv_span_str(module)), at2 = add_text(p, vv_span_str(name));
	uint32_t n = at && at2 ? vv_pickle_new(p, VV_PK_GLOBAL, 0, 0) : 0;

	if (!n)
		return 0;
	p->nodes[n].global.module = at;
	p->nodes[n].global.module_len = (uint32_t)strlen(module);
	p->nodes[n].global.name = at2;
	p->nodes[n].global.name_len = (uint32_t)strlen(name);
	if (vv_pickle_trusted(vv_span_str(module), vv_span_str(name)))
		p->nodes[n].flags |= VV_PK_TRUSTED;
	return n;
}

uint32_t vv_pickle_new_of(struct vv_pickle *p, enum vv_pickle_kind kind, const uint32_t *items, uint32_t n)
{
	uint32_t node = vv_pickle_new(p, kind, 0, 0);

	return node && !vv_pickle_append(p, node, items, n) ? node : 0;
}

int vv_pickle_append(struct vv_pickle *p, uint32_t node, const uint32_t *items, uint32_t n)
{
	struct vv_pickle_node *x = &p->nodes[node];
	uint32_t cap = x->items.n + n;

	if (!n)
		return 0;
	if (cap > x->items.cap) {
		/* Doubling, at the end of the pool: what is left behind adds up to less than what is used. */
		bool last = x->items.cap && x->items.first + x->items.cap == p->n_items;
		uint64_t want = x->items.n ? (uint64_t)cap + cap / 2 : cap, first = last ? x->items.first : p->n_items;

		if (grow(&p->items, &p->cap_items, first + want, VV_MAX_PICKLE_ITEMS, sizeof(*p->items)))
			return 1;
		if (!last && x->items.n)
			memcpy(p->items + first, p->items + x->items.first, x->items.n * sizeof(*p->items));
		x->items.first = (uint32_t)first;
		x->items.cap = (uint32_t)want;
		p->n_items = (uint32_t)(first + want);
	}
	memcpy(p->items + x->items.first + x->items.n, items, n * sizeof(*items));
	x->items.n += n;
	return 0;
}
