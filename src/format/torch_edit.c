/*
 * The pickle for another tensor set: tensors leave their containers, come into others, or change their
 * shape or type; the rest stays what it was. Only a pickle that our writer would write itself, byte for
 * byte, is touched.
 */
#include "format/torch.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FRESH_KEY = 24, DEEP = 4 * VV_MAX_PICKLE_DEPTH };

/* How a dictionary's keys and values look: what a new one should look like. */
struct habit {
	uint32_t dict;
	bool int_keys, nested, containers;
};

struct edit {
	struct vv_torch *t;
	struct vv_pickle *p;
	const struct vv_assembly *a;
	const struct vv_torch_match *match;
	struct vv_arena *arena;
	struct habit habit;
	struct vv_map key_nodes; /* strings that are keys */
	bool keys_known;
	uint32_t *value_of, *parent_of; /* by part: its node, and the container it came to be in */
	uint8_t *seen;                  /* by node */
	uint32_t n_seen;
	struct vv_torch_payload *payloads;
	uint32_t *new_keys; /* by payload: the node */
	size_t n_payloads;
	struct vv_map keys;  /* old keys of payloads */
	struct vv_map named; /* nodes of names that PyTorch writes */
	unsigned depth;
	struct vv_err *err;
};

static int cannot(struct edit *e, const char *name, const char *what)
{
	return vv_fail(e->err, VV_ENOTSUP, "tensor '%s' %s", name, what);
}

static uint32_t item(const struct edit *e, uint32_t node, uint32_t i)
{
	return vv_pickle_item(e->p, node, i);
}

static void set_item(struct edit *e, uint32_t node, uint32_t i, uint32_t value)
{
	e->p->items[e->p->nodes[node].items.first + i] = value;
}

static bool is_container(const struct edit *e, uint32_t node)
{
	uint8_t kind = e->p->nodes[node].kind;

	return kind == VV_PK_DICT || kind == VV_PK_LIST || kind == VV_PK_TUPLE;
}

/* --- nodes of tensors --- */

/* The pickle's own node for a global or (without module) a string, so that it is written once. */
static uint32_t named(struct edit *e, const char *module, const char *name)
{
	uint64_t *at = vv_map_put(&e->named, vv_span_str(name), 0, NULL);

	if (!at)
		return 0;
	for (uint32_t i = 1; i < e->p->n_nodes && !*at; i++)
		if (module ? vv_pickle_is_global(e->p, i, module, name) : vv_pickle_is_str(e->p, i, name))
			*at = i;
	if (!*at)
		*at = module ? vv_pickle_new_global(e->p, module, name) : vv_pickle_new_str(e->p, vv_span_str(name));
	return (uint32_t)*at;
}

static uint32_t boolean(struct edit *e, bool v)
{
	uint32_t n = vv_pickle_new(e->p, VV_PK_BOOL, 0, 0);

	if (n)
		e->p->nodes[n].num = v;
	return n;
}

static uint32_t number_tuple(struct edit *e, const uint64_t *v, unsigned n)
{
	uint32_t items[VV_MAX_DIMS];

	for (unsigned i = 0; i < n; i++) {
		items[i] = v[i] > INT64_MAX ? 0 : vv_pickle_new_int(e->p, (int64_t)v[i]);
		if (!items[i])
			return 0;
	}
	return vv_pickle_new_of(e->p, VV_PK_TUPLE, items, n);
}

/* No member has a key with a NUL: this one says which part's bytes it means. */
static uint32_t persid(struct edit *e, const struct vv_part *part, bool untyped, const char *type)
{
	char key[FRESH_KEY] = "";
	int n = snprintf(key + 1, sizeof(key) - 1, "%zu", (size_t)(part - e->a->parts));
	uint64_t count = untyped ? part->len : part->len / vv_dtype_width(part->dtype);
	uint32_t id[] = {named(e, NULL, "storage"), untyped ? named(e, "torch.storage", "UntypedStorage") : named(e, "torch", type),
		vv_pickle_new_str(e->p, vv_span(key, (size_t)n + 1)), named(e, NULL, "cpu"), vv_pickle_new_int(e->p, (int64_t)count)};
	uint32_t tuple;

	for (size_t i = 0; i < VV_COUNT(id); i++)
		if (!id[i])
			return 0;
	tuple = vv_pickle_new_of(e->p, VV_PK_TUPLE, id, VV_COUNT(id));
	return tuple ? vv_pickle_new_of(e->p, VV_PK_PERSID, &tuple, 1) : 0;
}

static uint32_t empty_hooks(struct edit *e)
{
	if (!e->p->ordered)
		e->p->ordered = vv_pickle_new_global(e->p, "collections", "OrderedDict");
	return e->p->ordered ? vv_pickle_new(e->p, VV_PK_DICT, VV_PK_ORDERED, 0) : 0;
}

/* Arguments of _rebuild_tensor_v2, or _v3 where the type has no legacy storage. */
static uint32_t rebuild_args(struct edit *e, const struct vv_part *part, uint32_t requires_grad, bool *v3)
{
	const char *legacy = vv_torch_storage_name(part->dtype), *type = vv_torch_type_name(part->dtype);
	uint64_t stride[VV_MAX_DIMS], step = 1;
	uint32_t args[7];

	*v3 = !legacy;
	if (!type)
		return 0;
	for (unsigned i = part->ndim; i-- > 0;) {
		stride[i] = step;
		/* As PyTorch counts: an empty dimension does not make the steps over it empty. */
		if (vv_mul_over(step, part->shape[i] ? part->shape[i] : 1, &step))
			return 0;
	}
	args[0] = persid(e, part, !legacy, legacy);
	args[1] = vv_pickle_new_int(e->p, 0);
	args[2] = number_tuple(e, part->shape, part->ndim);
	args[3] = number_tuple(e, stride, part->ndim);
	args[4] = requires_grad ? requires_grad : boolean(e, false);
	args[5] = empty_hooks(e);
	args[6] = *v3 ? named(e, "torch", type) : 1;
	for (size_t i = 0; i < VV_COUNT(args); i++)
		if (!args[i])
			return 0;
	return vv_pickle_new_of(e->p, VV_PK_TUPLE, args, *v3 ? 7 : 6);
}

/* `value` anew, with other arguments for the tensor in it; 0: a new plain tensor. */
static uint32_t rebuilt(struct edit *e, const struct vv_part *part, uint32_t value)
{
	uint32_t old_args, call = value ? vv_torch_call(e->p, value, &old_args) : 0, func, args, inner[2];
	bool v3;

	/* What follows hooks and type says that the bytes mean something else: conjugated, negated. */
	if (call && e->p->nodes[old_args].items.n > 6u + (e->p->nodes[item(e, old_args, 6)].kind == VV_PK_GLOBAL))
		return 0;
	if (value && call != value) {
		/* A Parameter: the same around a new first argument. */
		uint32_t outer = item(e, value, 1), parts[8], n = e->p->nodes[outer].items.n;
		if (!call || n > VV_COUNT(parts))
			return 0;
		for (uint32_t i = 0; i < n; i++)
			parts[i] = item(e, outer, i);
		parts[0] = rebuilt(e, part, parts[0]);
		inner[0] = item(e, value, 0);
		inner[1] = parts[0] ? vv_pickle_new_of(e->p, VV_PK_TUPLE, parts, n) : 0;
	} else {
		args = rebuild_args(e, part, value ? item(e, old_args, 4) : 0, &v3);
		func = args ? named(e, "torch._utils", v3 ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2") : 0;
		inner[0] = func;
		inner[1] = args;
		if (call && item(e, call, 1) != old_args) {
			/* With attributes, or of its own class. */
			uint32_t outer = item(e, call, 1), parts[4] = {func, item(e, outer, 1), args, item(e, outer, 3)};
			if (!parts[1] || !parts[3])
				return 0;
			inner[0] = item(e, call, 0);
			inner[1] = func && args ? vv_pickle_new_of(e->p, VV_PK_TUPLE, parts, 4) : 0;
		}
	}
	if (!inner[0] || !inner[1])
		return 0;
	func = vv_pickle_new_of(e->p, VV_PK_CALL, inner, 2);
	if (func && value && e->p->nodes[value].items.state) {
		e->p->nodes[func].items.state = e->p->nodes[value].items.state;
		e->p->nodes[func].flags = e->p->nodes[value].flags;
	}
	return func;
}

/* --- tensors that go or change --- */

/* A changed tensor gets a storage of its own; a dropped one leaves a hole. */
static int change(struct edit *e)
{
	for (size_t i = 0; i < e->t->tree.n_tensors; i++) {
		const struct vv_torch_tensor *t = &e->t->tree.tensors[i];
		const struct vv_part *part = e->match->of_tensor[i];
		uint32_t value = t->value;

		if (part && !vv_torch_same_kind(t, part)) {
			value = rebuilt(e, part, t->value);
			if (!value)
				return cannot(e, part->name, "cannot be written with another shape or type");
		}
		if ((!part || value != t->value) && !t->parent)
			return cannot(e, t->view.name, "is part of something that only Python can change");
		if (!part || value != t->value)
			set_item(e, t->parent, t->slot, part ? value : 0);
		if (part) {
			e->value_of[part - e->a->parts] = value;
			e->parent_of[part - e->a->parts] = t->parent;
		}
	}
	return 0;
}

/*
 * Closes the holes below a container. *empty: it held nothing else, so that it goes as well. In a list
 * only the last items may go: the others would change their names.
 */
static int close_holes(struct edit *e, uint32_t node, bool *empty)
{
	struct vv_pickle_node *n = &e->p->nodes[node];
	uint32_t step = n->kind == VV_PK_DICT ? 2 : 1, kept = 0, total = n->items.n;
	uint32_t *items;
	int ret = 0;

	*empty = false;
	if (!is_container(e, node) || !n->items.n || e->seen[node])
		return 0;
	items = e->p->items + n->items.first;
	e->seen[node] = 1;
	if (e->depth == DEEP)
		return vv_fail(e->err, VV_ENOTSUP, "a pickle that is nested too deep");
	e->depth++;
	for (uint32_t i = step - 1; i < total && !ret; i += step) {
		bool gone = !items[i];
		if (!gone)
			ret = close_holes(e, items[i], &gone);
		if (gone)
			continue;
		if (kept != i + 1 - step && n->kind != VV_PK_DICT)
			ret = vv_fail(e->err, VV_ENOTSUP, "a tensor in a list can only go if it is the last");
		memmove(items + kept, items + i + 1 - step, step * sizeof(*items));
		kept += step;
	}
	e->depth--;
	*empty = !kept && !(n->kind == VV_PK_DICT && n->items.state) && node != e->p->root;
	n->items.n = kept;
	return ret;
}

/* --- tensors that come --- */

static bool is_number(struct vv_span s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || vv_mul_over(*v, (uint64_t)10, v) ||
			vv_add_over(*v, (uint64_t)(s.ptr[i] - '0'), v))
			return false;
	return s.len && *v <= INT64_MAX && (s.len == 1 || s.ptr[0] != '0');
}

/* Remembered while tensors come into the same dictionary: they change nothing about it. */
static const struct habit *habit_of(struct edit *e, uint32_t dict)
{
	uint32_t n = e->p->nodes[dict].items.n;

	if (e->habit.dict == dict)
		return &e->habit;
	e->habit = (struct habit){dict, n > 0, n > 0, false};
	for (uint32_t i = 0; i + 1 < n; i += 2) {
		e->habit.int_keys &= e->p->nodes[item(e, dict, i)].kind == VV_PK_INT;
		e->habit.nested &= e->p->nodes[item(e, dict, i + 1)].kind == VV_PK_DICT;
		e->habit.containers |= is_container(e, item(e, dict, i + 1));
	}
	return &e->habit;
}

static struct vv_span key_text(const struct edit *e, uint32_t key, char *digits, size_t size)
{
	if (e->p->nodes[key].kind != VV_PK_INT)
		return vv_pickle_text(e->p, key);
	snprintf(digits, size, "%" PRId64, e->p->nodes[key].num);
	return vv_span_str(digits);
}

/* The container in the dictionary whose key and a dot begin `rest`; the longest such key. */
static uint32_t below(struct edit *e, uint32_t dict, struct vv_span rest, size_t *used)
{
	uint32_t n = e->p->nodes[dict].items.n, best = 0;
	char digits[24];

	*used = 0;
	for (uint32_t i = 0; i + 1 < n && habit_of(e, dict)->containers; i += 2) {
		struct vv_span s;
		if (!is_container(e, item(e, dict, i + 1)))
			continue;
		s = key_text(e, item(e, dict, i), digits, sizeof(digits));
		if (s.len && s.len >= *used && s.len < rest.len && rest.ptr[s.len] == '.' && !memcmp(s.ptr, rest.ptr, s.len)) {
			best = item(e, dict, i + 1);
			*used = s.len;
		}
	}
	return best;
}

/* A string that is a key already is one object in Python too, and written once. */
static uint32_t key_node(struct edit *e, struct vv_span key)
{
	uint64_t *at;
	char *copy;

	if (!e->keys_known) {
		e->keys_known = true;
		for (uint32_t d = 1; d < e->n_seen; d++)
			for (uint32_t i = 0; e->p->nodes[d].kind == VV_PK_DICT && i < e->p->nodes[d].items.n; i += 2) {
				uint32_t k = item(e, d, i);
				if (e->p->nodes[k].kind == VV_PK_STR && !vv_map_put(&e->key_nodes, vv_pickle_text(e->p, k), k, NULL))
					return 0;
			}
	}
	copy = vv_arena_copy(e->arena, key);
	at = copy ? vv_map_put(&e->key_nodes, vv_span(copy, key.len), 0, NULL) : NULL;
	if (at && !*at)
		*at = vv_pickle_new_str(e->p, key);
	return at ? (uint32_t)*at : 0;
}

/* Puts key and value where the neighbours among the wanted tensors are, or at the end. */
static int put_pair(struct edit *e, uint32_t dict, struct vv_span key, uint32_t value, uint32_t after, uint32_t before)
{
	uint64_t num;
	uint32_t pair[2] = {0, value}, n = e->p->nodes[dict].items.n, at = n, *items;
	bool int_key = habit_of(e, dict)->int_keys && is_number(key, &num);

	pair[0] = int_key ? vv_pickle_new_int(e->p, (int64_t)num) : key_node(e, key);
	if (!pair[0] || !value || vv_pickle_append(e->p, dict, pair, 2))
		return vv_fail(e->err, VV_ELIMIT, "too many objects in a pickle");
	items = e->p->items + e->p->nodes[dict].items.first;
	for (uint32_t i = n; (after || before) && i > 0; i -= 2)
		if (items[i - 1] == (after ? after : before)) {
			at = after ? i : i - 2;
			break;
		}
	memmove(items + at + 2, items + at, (n - at) * sizeof(*items));
	memcpy(items + at, pair, sizeof(pair));
	if (is_container(e, value) || !n)
		e->habit.dict = 0;
	return 0;
}

static int into_list(struct edit *e, uint32_t *node, struct vv_span *rest, bool *done, uint32_t value, const char *name)
{
	const uint8_t *dot = memchr(rest->ptr, '.', rest->len);
	struct vv_span head = vv_span(rest->ptr, dot ? (size_t)(dot - rest->ptr) : rest->len);
	const struct vv_pickle_node *n = &e->p->nodes[*node];
	uint64_t i;

	if (!is_number(head, &i) || i > n->items.n || (i == n->items.n) == (dot != NULL))
		return cannot(e, name, "has no place in a list of the file");
	if (dot) {
		*node = item(e, *node, (uint32_t)i);
		*rest = vv_span(dot + 1, rest->len - head.len - 1);
		return 0;
	}
	*done = true;
	if (n->kind != VV_PK_LIST)
		return cannot(e, name, "would make a tuple longer");
	return vv_pickle_append(e->p, *node, &value, 1) ? vv_fail_nomem(e->err) : 0;
}

static int insert(struct edit *e, size_t k)
{
	const struct vv_part *part = &e->a->parts[k];
	struct vv_span rest = vv_span_str(part->name);
	uint32_t node = e->p->root, value = rebuilt(e, part, 0), next;
	bool done = false;
	int ret = 0;

	if (!value)
		return cannot(e, part->name, "cannot be written in this format");
	while (!done && !ret) {
		const uint8_t *dot = memchr(rest.ptr, '.', rest.len);
		size_t used;

		e->parent_of[k] = node;
		if (e->p->nodes[node].kind == VV_PK_LIST || e->p->nodes[node].kind == VV_PK_TUPLE) {
			ret = into_list(e, &node, &rest, &done, value, part->name);
			continue;
		}
		if (e->p->nodes[node].kind != VV_PK_DICT)
			return cannot(e, part->name, "has no place in the file");
		next = below(e, node, rest, &used);
		if (next) {
			rest = vv_span(rest.ptr + used + 1, rest.len - used - 1);
			node = next;
			continue;
		}
		if (dot && habit_of(e, node)->nested) {
			next = vv_pickle_new(e->p, VV_PK_DICT, 0, 0);
			used = (size_t)(dot - rest.ptr);
			ret = put_pair(e, node, vv_span(rest.ptr, used), next, 0, 0);
			rest = vv_span(dot + 1, rest.len - used - 1);
			node = next;
			continue;
		}
		ret = put_pair(e, node, rest, value, k && e->parent_of[k - 1] == node ? e->value_of[k - 1] : 0,
			k + 1 < e->a->n_parts && e->parent_of[k + 1] == node ? e->value_of[k + 1] : 0);
		done = true;
	}
	e->value_of[k] = value;
	return ret;
}

/* --- the new pickle --- */

/* The payload that a storage's tuple means, found or made in the order of first mention. */
static int number_storage(struct edit *e, uint32_t id)
{
	struct vv_span old = vv_pickle_text(e->p, item(e, id, 2));
	struct vv_torch_payload pl = {.old = SIZE_MAX};
	uint64_t *at, part;
	uint32_t node;
	char key[FRESH_KEY];
	bool added;

	old = vv_span(vv_arena_copy(e->arena, old), old.len);
	at = old.ptr ? vv_map_put(&e->keys, old, e->n_payloads, &added) : NULL;
	if (!at)
		return vv_fail_nomem(e->err);
	if (!added) {
		set_item(e, id, 2, e->new_keys[*at]);
		return 0;
	}
	if (old.len && !old.ptr[0] && is_number(vv_span(old.ptr + 1, old.len - 1), &part) && part < e->a->n_parts) {
		pl.part = &e->a->parts[part];
	} else {
		at = vv_map_find(&e->t->tree.keys, old);
		if (!at)
			return vv_fail(e->err, VV_ENOTSUP, "a storage that the archive does not have");
		pl.old = (size_t)*at;
	}
	snprintf(key, sizeof(key), "%zu", e->n_payloads);
	node = vv_span_is(old, key) ? item(e, id, 2) : vv_pickle_new_str(e->p, vv_span_str(key));
	if (!node)
		return vv_fail(e->err, VV_ELIMIT, "too many objects in a pickle");
	set_item(e, id, 2, node);
	e->new_keys[e->n_payloads] = node;
	e->payloads[e->n_payloads++] = pl;
	return 0;
}

/* In the order in which the pickler will meet them. */
static int number(struct edit *e, uint32_t node)
{
	uint32_t child, n = e->p->nodes[node].items.n;
	uint8_t kind = e->p->nodes[node].kind;
	int ret = 0;

	if (kind < VV_PK_TUPLE || kind == VV_PK_GLOBAL || kind == VV_PK_SET || (node < e->n_seen && e->seen[node] == 2))
		return 0;
	if (node < e->n_seen)
		e->seen[node] = 2;
	if (kind == VV_PK_PERSID)
		return number_storage(e, item(e, node, 0));
	if (e->depth == DEEP)
		return vv_fail(e->err, VV_ENOTSUP, "a pickle that is nested too deep");
	e->depth++;
	for (uint32_t i = 0; i < n && !ret; i++)
		if ((child = item(e, node, i)))
			ret = number(e, child);
	child = kind == VV_PK_DICT || kind == VV_PK_CALL ? e->p->nodes[node].items.state : 0;
	if (!ret && child)
		ret = number(e, child);
	e->depth--;
	return ret;
}

/* Does the new pickle say exactly what is wanted? Whatever was guessed on the way, this decides. */
static int check(struct edit *e, struct vv_span text)
{
	struct vv_torch_tree tree = {0};
	struct vv_pickle p = {0};
	struct vv_map wanted = {0};
	uint32_t off;
	size_t found = 0;
	int ret = vv_pickle_parse(&p, text, e->err);

	if (!ret)
		ret = vv_torch_tree_make(&tree, &p, e->arena, &off, e->err);
	for (size_t i = 0; i < e->a->n_parts && !ret; i++)
		if (!vv_map_put(&wanted, vv_span_str(e->a->parts[i].name), i, NULL))
			ret = vv_fail_nomem(e->err);
	for (size_t i = 0; i < tree.n_tensors && !ret; i++) {
		const struct vv_torch_tensor *t = &tree.tensors[i];
		const uint64_t *at = vv_map_find(&wanted, vv_span_str(t->view.name));
		const struct vv_torch_storage *s = &tree.storages[t->storage];
		uint64_t k;

		/* Quantised ones and the like stay, unnamed as they were. */
		if (!at && (s->opaque || !is_number(s->key, &k) || k >= e->n_payloads ||
				   (e->payloads[k].old != SIZE_MAX && e->t->tree.storages[e->payloads[k].old].opaque)))
			continue;
		if (!at || !vv_torch_same_kind(t, &e->a->parts[*at]))
			ret = cannot(e, t->view.name, "would not be what is wanted");
		found++;
	}
	if (!ret && found != e->a->n_parts)
		ret = vv_fail(e->err, VV_ENOTSUP, "%zu tensors are wanted, and the file would have %zu", e->a->n_parts, found);
	vv_map_release(&wanted);
	vv_torch_tree_release(&tree);
	vv_pickle_release(&p);
	return ret;
}

/* A key that came twice would hide what was there before: a quantised tensor, a number. */
static int check_keys(struct edit *e)
{
	struct vv_map keys = {0};
	uint32_t last = 0;
	char digits[24];
	int ret = 0;

	for (size_t k = 0; k < e->a->n_parts && !ret; k++) {
		uint32_t dict = e->parent_of[k], n;
		if (e->match->taken[k] || !dict || e->p->nodes[dict].kind != VV_PK_DICT || dict == last)
			continue;
		last = dict;
		n = e->p->nodes[dict].items.n;
		for (uint32_t i = 0; i < n && !ret; i += 2) {
			struct vv_span s = key_text(e, item(e, dict, i), digits, sizeof(digits));
			char *copy = vv_arena_copy(e->arena, s);
			bool added;
			if (!copy || !vv_map_put(&keys, vv_span(copy, s.len), 1, &added))
				ret = vv_fail_nomem(e->err);
			else if (!added)
				ret = cannot(e, e->a->parts[k].name, "has the name of something else in the file");
		}
		vv_map_release(&keys);
	}
	return ret;
}

static int new_pickle(struct edit *e, struct vv_buf *out)
{
	struct vv_buf same = VV_BUF_INIT(VV_MAX_PICKLE);
	bool empty;
	int ret = vv_pickle_emit(e->p, e->p->root, &same, e->err);

	if (!ret && !vv_span_eq(vv_buf_view(&same), vv_buf_view(&e->t->text)))
		ret = vv_fail(e->err, VV_ENOTSUP, "data.pkl was not written by Python's own pickler");
	vv_buf_release(&same);
	if (!ret)
		ret = change(e);
	if (!ret)
		ret = close_holes(e, e->p->root, &empty);
	for (size_t i = 0; i < e->a->n_parts && !ret; i++)
		if (!e->match->taken[i])
			ret = insert(e, i);
	if (!ret)
		ret = check_keys(e);
	if (!ret)
		ret = number(e, e->p->root);
	if (!ret)
		ret = vv_pickle_emit(e->p, e->p->root, out, e->err);
	return ret ? ret : check(e, vv_buf_view(out));
}

int vv_torch_edit(struct vv_torch *t, const struct vv_assembly *a, const struct vv_torch_match *match,
	struct vv_arena *arena, struct vv_buf *pickle, struct vv_torch_payload *payloads, size_t *n_payloads,
	struct vv_err *err)
{
	struct edit e = {.t = t, .p = &t->pickle, .a = a, .match = match, .arena = arena, .n_seen = t->pickle.n_nodes,
		.payloads = payloads, .err = err};
	int ret = 0;

	e.value_of = calloc(a->n_parts + 1, sizeof(*e.value_of));
	e.parent_of = calloc(a->n_parts + 1, sizeof(*e.parent_of));
	e.seen = calloc(t->pickle.n_nodes, 1);
	e.new_keys = calloc(t->tree.n_storages + a->n_parts + 1, sizeof(*e.new_keys));
	if (!e.value_of || !e.parent_of || !e.seen || !e.new_keys)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = new_pickle(&e, pickle);
	*n_payloads = e.n_payloads;
	free(e.value_of);
	free(e.parent_of);
	free(e.seen);
	free(e.new_keys);
	vv_map_release(&e.keys);
	vv_map_release(&e.named);
	vv_map_release(&e.key_nodes);
	return ret;
}
