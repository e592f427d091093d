/* From the nodes of a pickle to named tensors and their storages. */
#include "format/torch.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PATH = 4 * VV_MAX_PICKLE_DEPTH, MAX_TWINS = 1000 };

static const struct {
	const char *storage, *type;
	enum vv_dtype dt;
} types[] = {{"FloatStorage", "float32", VV_DT_F32}, {"BFloat16Storage", "bfloat16", VV_DT_BF16},
	{"HalfStorage", "float16", VV_DT_F16}, {"DoubleStorage", "float64", VV_DT_F64}, {"LongStorage", "int64", VV_DT_I64},
	{"IntStorage", "int32", VV_DT_I32}, {"ShortStorage", "int16", VV_DT_I16}, {"CharStorage", "int8", VV_DT_I8},
	{"ByteStorage", "uint8", VV_DT_U8}, {"BoolStorage", "bool", VV_DT_BOOL},
	{"ComplexFloatStorage", "complex64", VV_DT_C64}, {"ComplexDoubleStorage", "complex128", VV_DT_C128},
	{NULL, "uint16", VV_DT_U16}, {NULL, "uint32", VV_DT_U32}, {NULL, "uint64", VV_DT_U64},
	{NULL, "float8_e4m3fn", VV_DT_F8_E4M3}, {NULL, "float8_e5m2", VV_DT_F8_E5M2},
	{NULL, "float8_e8m0fnu", VV_DT_F8_E8M0}, {NULL, "float8_e4m3fnuz", VV_DT_F8_E4M3FNUZ},
	{NULL, "float8_e5m2fnuz", VV_DT_F8_E5M2FNUZ}};

const char *vv_torch_storage_name(enum vv_dtype dt)
{
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (types[i].dt == dt)
			return types[i].storage;
	return NULL;
}

const char *vv_torch_type_name(enum vv_dtype dt)
{
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (types[i].dt == dt)
			return types[i].type;
	return NULL;
}

void vv_torch_tree_release(struct vv_torch_tree *tree)
{
	free(tree->tensors);
	free(tree->storages);
	vv_map_release(&tree->keys);
	*tree = (struct vv_torch_tree){0};
}

size_t *vv_torch_tree_group(const struct vv_torch_tree *tree)
{
	size_t n = tree->n_storages, *g = calloc(n + 2 + tree->n_tensors, sizeof(*g)), *list = g + n + 1;

	if (!g)
		return NULL;
	for (size_t i = 0; i < tree->n_tensors; i++)
		g[tree->tensors[i].storage + 1]++;
	for (size_t i = 0; i < n; i++)
		g[i + 1] += g[i];
	for (size_t i = 0; i < tree->n_tensors; i++)
		list[g[tree->tensors[i].storage]++] = i;
	/* Each start has moved to its end, which is the next one's start. */
	memmove(g + 1, g, n * sizeof(*g));
	g[0] = 0;
	return g;
}

struct walk {
	const struct vv_pickle *p;
	struct vv_torch_tree *tree;
	struct vv_arena *arena;
	uint8_t *seen;   /* by node: enum seen */
	struct vv_buf path;
	struct vv_map names;
	uint64_t budget; /* nodes still to be visited: a node may be reached on many paths */
	size_t text;     /* bytes of names so far */
	unsigned depth;
	uint32_t off;    /* in the pickle, of what is wrong */
	struct vv_err *err;
};

enum seen { OPEN = 1, PLAIN = 2, TENSORS = 3 };

static int wrong(struct walk *w, uint32_t node, const char *what)
{
	w->off = w->p->nodes[node].off;
	return vv_fail(w->err, VV_EFORMAT, "%s at offset %" PRIu32 " of the pickle", what, w->off);
}

static int limit(struct walk *w, uint32_t node, const char *what)
{
	w->off = w->p->nodes[node].off;
	return vv_fail(w->err, VV_ELIMIT, "%s at offset %" PRIu32 " of the pickle", what, w->off);
}

static uint32_t item(const struct walk *w, uint32_t node, uint32_t i)
{
	return vv_pickle_item(w->p, node, i);
}

/* --- storages --- */

static int grow(void *array, size_t *cap, size_t n, size_t size, struct vv_err *err)
{
	size_t want = *cap ? *cap * 2 : 64;
	void **ptr = array, *bigger;

	if (n < *cap)
		return 0;
	bigger = realloc(*ptr, want * size);
	if (!bigger)
		return vv_fail_nomem(err);
	*ptr = bigger;
	*cap = want;
	return 0;
}

/* "cpu", "cuda:0": where the tensor was. Never a path. */
static bool plain_location(struct vv_span s)
{
	if (!s.len || s.len > 64)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '_' ||
			s.ptr[i] == ':'))
			return false;
	return true;
}

static int storage_type(struct walk *w, uint32_t node, struct vv_torch_storage *s)
{
	static const char *const any[] = {"UntypedStorage", "_UntypedStorage"};

	s->type = node;
	s->dtype = VV_DT_BYTES;
	for (size_t i = 0; i < VV_COUNT(any); i++)
		s->untyped |= vv_pickle_is_global(w->p, node, "torch.storage", any[i]) ||
			vv_pickle_is_global(w->p, node, "torch", any[i]);
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (types[i].storage && vv_pickle_is_global(w->p, node, "torch", types[i].storage))
			s->dtype = types[i].dt;
	if (w->p->nodes[node].kind != VV_PK_GLOBAL)
		return wrong(w, node, "a storage whose type is no name");
	return 0;
}

/* ('storage', type, key, location, elements), and before 1.6 a sixth item, which is None since 0.4. */
static int storage(struct walk *w, uint32_t persid)
{
	struct vv_torch_tree *t = w->tree;
	struct vv_torch_storage s = {.member = SIZE_MAX};
	uint32_t id = item(w, persid, 0), key = item(w, id, 2), location = item(w, id, 3), view = item(w, id, 5);
	const struct vv_pickle *p = w->p;
	uint64_t numel, *at;
	bool added;

	if (p->nodes[id].kind != VV_PK_TUPLE || p->nodes[id].items.n < 5 || p->nodes[id].items.n > 6 ||
		(view && p->nodes[view].kind != VV_PK_NONE) || !vv_pickle_is_str(p, item(w, id, 0), "storage") ||
		p->nodes[key].kind != VV_PK_STR || p->nodes[location].kind != VV_PK_STR ||
		!plain_location(vv_pickle_text(p, location)) || vv_pickle_u64(p, item(w, id, 4), &numel))
		return wrong(w, persid, "a persistent id that is no storage's");
	int ret = storage_type(w, item(w, id, 1), &s);
	if (ret)
		return ret;
	s.key = vv_pickle_text(p, key);
	s.bytes = numel;
	if (s.dtype != VV_DT_BYTES && vv_mul_over(numel, (uint64_t)vv_dtype_width(s.dtype), &s.bytes))
		return wrong(w, persid, "a storage larger than any file");
	at = vv_map_put(&t->keys, s.key, t->n_storages, &added);
	if (!at)
		return vv_fail_nomem(w->err);
	if (!added) {
		const struct vv_torch_storage *old = &t->storages[*at];
		if (old->bytes != s.bytes || old->dtype != s.dtype || old->untyped != s.untyped)
			return wrong(w, persid, "a storage that is told twice, differently");
		return 0;
	}
	ret = grow(&t->storages, &t->cap_storages, t->n_storages, sizeof(*t->storages), w->err);
	if (!ret)
		t->storages[t->n_storages++] = s;
	return ret;
}

static struct vv_torch_storage *storage_of(struct walk *w, uint32_t persid, size_t *index)
{
	uint32_t id = item(w, persid, 0);
	uint64_t *at = vv_map_find(&w->tree->keys, vv_pickle_text(w->p, item(w, id, 2)));

	if (w->p->nodes[persid].kind != VV_PK_PERSID || !at)
		return NULL;
	*index = (size_t)*at;
	return &w->tree->storages[*at];
}

/* --- tensors --- */

static bool is_util(const struct vv_pickle *p, uint32_t node, const char *name)
{
	return vv_pickle_is_global(p, node, "torch._utils", name);
}

/* Something that is its first argument with a few attributes. */
static bool is_wrapper(const struct vv_pickle *p, uint32_t callee)
{
	return is_util(p, callee, "_rebuild_parameter") || is_util(p, callee, "_rebuild_parameter_with_state") ||
		vv_pickle_is_global(p, callee, "torch.nn.parameter", "Parameter");
}

static bool is_rebuild(const struct vv_pickle *p, uint32_t callee)
{
	return is_util(p, callee, "_rebuild_tensor_v2") || is_util(p, callee, "_rebuild_tensor_v3") ||
		is_util(p, callee, "_rebuild_tensor");
}

uint32_t vv_torch_call(const struct vv_pickle *p, uint32_t value, uint32_t *args)
{
	for (int i = 0; i < 4; i++) {
		uint32_t callee = vv_pickle_item(p, value, 0);

		*args = vv_pickle_item(p, value, 1);
		if (p->nodes[value].kind != VV_PK_CALL)
			return 0;
		if (is_rebuild(p, callee))
			return value;
		/* A tensor with attributes, or of a class of its own: (function, class, arguments, state). */
		if (vv_pickle_is_global(p, callee, "torch._tensor", "_rebuild_from_type_v2") &&
			is_rebuild(p, vv_pickle_item(p, *args, 0))) {
			*args = vv_pickle_item(p, *args, 2);
			return value;
		}
		if (!is_wrapper(p, callee))
			return 0;
		value = vv_pickle_item(p, *args, 0);
	}
	return 0;
}

static int numbers(struct walk *w, uint32_t tuple, uint64_t *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (vv_pickle_u64(w->p, item(w, tuple, i), &out[i]))
			return 1;
	return 0;
}

static bool row_major(const uint64_t *shape, const uint64_t *stride, unsigned n)
{
	uint64_t want = 1;

	for (unsigned i = 0; i < n; i++)
		if (!shape[i])
			return true;
	for (unsigned i = n; i-- > 0;) {
		if (shape[i] != 1 && stride[i] != want)
			return false;
		if (vv_mul_over(want, shape[i], &want))
			return false;
	}
	return true;
}

/* The dtype argument of _rebuild_tensor_v3; VV_DT_BYTES: unknown. */
static enum vv_dtype type_argument(struct walk *w, uint32_t node)
{
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (vv_pickle_is_global(w->p, node, "torch", types[i].type))
			return types[i].dt;
	return VV_DT_BYTES;
}

/* Adds the name of the path, made unique: a second "w" is "w~2". */
static int name(struct walk *w, const char **out)
{
	struct vv_span s = w->path.len ? vv_buf_view(&w->path) : vv_span_str("tensor");
	uint64_t *twins;
	char *copy;
	bool added;

	w->text += s.len;
	if (w->text > VV_MAX_TEXT)
		return vv_fail(w->err, VV_ELIMIT, "names of more than %zu bytes", VV_MAX_TEXT);
	copy = vv_arena_alloc(w->arena, s.len + 16);
	if (!copy)
		return vv_fail_nomem(w->err);
	memcpy(copy, s.ptr, s.len);
	twins = vv_map_put(&w->names, vv_span(copy, s.len), 1, &added);
	for (int i = 0; twins && !added; i++) {
		int n = snprintf(copy + s.len, 16, "~%" PRIu64, ++*twins);
		if (n < 0 || n > 15 || i > MAX_TWINS)
			return vv_fail(w->err, VV_ELIMIT, "too many tensors of one name");
		/* The map may move when it grows: the count is looked up again. */
		if (!vv_map_put(&w->names, vv_span(copy, s.len + (size_t)n), 1, &added))
			return vv_fail_nomem(w->err);
		twins = vv_map_find(&w->names, s);
	}
	if (!twins)
		return vv_fail_nomem(w->err);
	*out = copy;
	return 0;
}

static int add(struct walk *w, struct vv_torch_tensor t)
{
	struct vv_torch_tree *tree = w->tree;
	struct vv_torch_storage *s = &tree->storages[t.storage];
	int ret = name(w, &t.view.name);

	if (ret)
		return ret;
	if (tree->n_tensors == VV_MAX_TENSORS)
		return limit(w, t.value, "too many tensors");
	if (s->untyped && !s->n_tensors)
		s->dtype = t.dtype;
	/* Two types of one storage are two readings of the same bytes: it has no elements then. */
	if (s->dtype != t.dtype || t.dtype == VV_DT_BYTES)
		s->opaque = true;
	s->n_tensors++;
	ret = grow(&tree->tensors, &tree->cap_tensors, tree->n_tensors, sizeof(*tree->tensors), w->err);
	if (!ret)
		tree->tensors[tree->n_tensors++] = t;
	return ret;
}

static int tensor(struct walk *w, uint32_t value, uint32_t parent, uint32_t slot, uint32_t call, uint32_t args)
{
	struct vv_torch_tensor t = {.value = value, .parent = parent, .slot = slot};
	const struct vv_pickle *p = w->p;
	uint32_t size = item(w, args, 2), stride = item(w, args, 3), callee = item(w, call, 0);
	struct vv_torch_storage *s = storage_of(w, item(w, args, 0), &t.storage);
	uint64_t *dims;
	unsigned n = p->nodes[size].kind == VV_PK_TUPLE ? p->nodes[size].items.n : 0;

	if (!s || p->nodes[size].kind != VV_PK_TUPLE || p->nodes[stride].kind != VV_PK_TUPLE ||
		p->nodes[stride].items.n != n || vv_pickle_u64(p, item(w, args, 1), &t.view.offset))
		return wrong(w, call, "a tensor without storage, size and strides");
	t.dtype = s->untyped ? VV_DT_BYTES : s->dtype;
	if (is_util(p, callee, "_rebuild_tensor_v3") || is_util(p, item(w, item(w, call, 1), 0), "_rebuild_tensor_v3"))
		t.dtype = type_argument(w, item(w, args, 6));
	if (n > VV_MAX_DIMS) {
		/* More than a manifest can say: these bytes are kept without a name. */
		s->opaque = true;
		return 0;
	}
	dims = vv_arena_array(w->arena, 2 * n + 1, sizeof(*dims));
	if (!dims)
		return vv_fail_nomem(w->err);
	if (numbers(w, size, dims, n) || numbers(w, stride, dims + n, n))
		return wrong(w, call, "a size or stride that is no number from 0 up");
	t.view.ndim = n;
	t.view.shape = dims;
	t.view.stride = row_major(dims, dims + n, n) ? NULL : dims + n;
	return add(w, t);
}

/* A storage that stands in the pickle by itself: all its elements in one row. */
static int bare(struct walk *w, uint32_t persid, uint32_t parent, uint32_t slot)
{
	struct vv_torch_tensor t = {.value = persid, .parent = parent, .slot = slot};
	const struct vv_torch_storage *s = storage_of(w, persid, &t.storage);
	uint64_t *dims = vv_arena_array(w->arena, 1, sizeof(*dims));

	if (!s)
		return wrong(w, persid, "a persistent id that is no storage's");
	if (!dims)
		return vv_fail_nomem(w->err);
	t.dtype = s->untyped ? VV_DT_U8 : s->dtype;
	dims[0] = s->bytes / vv_dtype_width(t.dtype);
	t.view.ndim = 1;
	t.view.shape = dims;
	return add(w, t);
}

/* --- walking --- */

/* Does a tensor lie below? Each node is asked once, so this is linear whatever the pickle shares. */
static int mark(struct walk *w, uint32_t node, bool *found)
{
	const struct vv_pickle_node *n = &w->p->nodes[node];
	bool below = n->kind == VV_PK_PERSID, one = false;
	uint32_t child;
	int ret = 0;

	*found = w->seen[node] == TENSORS;
	/* A pickle may hold itself: that way leads nowhere new. */
	if (w->seen[node] || n->kind < VV_PK_TUPLE || n->kind == VV_PK_GLOBAL || n->kind == VV_PK_SET)
		return 0;
	if (w->depth == MAX_PATH)
		return limit(w, node, "nested too deep");
	w->seen[node] = OPEN;
	w->depth++;
	for (uint32_t i = 0; !ret && (child = item(w, node, i)); i++) {
		ret = mark(w, child, &one);
		below |= one;
	}
	if (!ret && (n->kind == VV_PK_DICT || n->kind == VV_PK_CALL) && n->items.state) {
		ret = mark(w, n->items.state, &one);
		below |= one;
	}
	w->depth--;
	w->seen[node] = below ? TENSORS : PLAIN;
	*found = below;
	return ret;
}

static void key_text(struct walk *w, uint32_t key, uint32_t i)
{
	const struct vv_pickle_node *n = &w->p->nodes[key];
	struct vv_span s = vv_pickle_text(w->p, key);

	if (n->kind == VV_PK_INT)
		vv_buf_fmt(&w->path, "%" PRId64, n->num);
	else if (n->kind == VV_PK_BOOL)
		vv_buf_str(&w->path, n->num ? "True" : "False");
	else if (n->kind == VV_PK_NONE)
		vv_buf_str(&w->path, "None");
	else if (n->kind != VV_PK_STR)
		vv_buf_fmt(&w->path, "#%" PRIu32, i);
	/* A name is a C string. */
	else
		for (size_t k = 0; k < s.len; k++)
			vv_buf_char(&w->path, s.ptr[k] ? (char)s.ptr[k] : '?');
}

static int visit(struct walk *w, uint32_t node, uint32_t parent, uint32_t slot);

/* The child `node` under the name of `key`, or of its index if that is 0. */
static int child(struct walk *w, uint32_t node, uint32_t key, uint32_t i, uint32_t parent, uint32_t slot)
{
	size_t len = w->path.len;
	int ret;

	if (!w->budget)
		return limit(w, node, "too many ways to the same tensors");
	w->budget--;
	if (w->seen[node] != TENSORS)
		return 0;
	if (len)
		vv_buf_char(&w->path, '.');
	if (key)
		key_text(w, key, i);
	else
		vv_buf_fmt(&w->path, "%" PRIu32, i);
	if (w->path.failed)
		return w->path.failed == VV_ENOMEM ? vv_fail_nomem(w->err) : limit(w, node, "too long a name");
	ret = visit(w, node, parent, slot);
	w->path.len = len;
	return ret;
}

static int children(struct walk *w, uint32_t node, uint32_t parent)
{
	uint32_t n = w->p->nodes[node].items.n;
	int ret = 0;

	if (w->p->nodes[node].kind == VV_PK_DICT)
		for (uint32_t i = 0; i + 1 < n && !ret; i += 2)
			ret = child(w, item(w, node, i + 1), item(w, node, i), i / 2, parent, i + 1);
	else
		for (uint32_t i = 0; i < n && !ret; i++)
			ret = child(w, item(w, node, i), 0, i, parent, i);
	return ret;
}

/* Its arguments by their number, then what was added to its result, under the name of the call itself. */
static int call_parts(struct walk *w, uint32_t node)
{
	uint32_t extra;
	int ret = children(w, item(w, node, 1), 0);

	for (uint32_t i = 2; !ret && (extra = item(w, node, i)); i++)
		ret = children(w, extra, extra);
	return ret;
}

static int visit_open(struct walk *w, uint32_t node, uint32_t parent, uint32_t slot)
{
	const struct vv_pickle_node *n = &w->p->nodes[node];
	uint32_t args, call, state;
	int ret = 0;

	switch (n->kind) {
	case VV_PK_PERSID:
		return bare(w, node, parent, slot);
	case VV_PK_CALL:
		call = vv_torch_call(w->p, node, &args);
		if (call)
			return tensor(w, node, parent, slot, call, args);
		if (is_wrapper(w->p, item(w, node, 0)) && item(w, item(w, node, 1), 0))
			return visit(w, item(w, item(w, node, 1), 0), 0, 0);
		ret = call_parts(w, node);
		break;
	case VV_PK_DICT:
	case VV_PK_LIST:
	case VV_PK_TUPLE:
		ret = children(w, node, node);
		break;
	default:
		return 0;
	}
	state = n->kind == VV_PK_CALL || n->kind == VV_PK_DICT ? n->items.state : 0;
	if (!ret && state && w->seen[state] == TENSORS)
		ret = visit(w, state, 0, 0);
	return ret;
}

static int visit(struct walk *w, uint32_t node, uint32_t parent, uint32_t slot)
{
	int ret;

	if (w->depth == MAX_PATH)
		return limit(w, node, "nested too deep");
	if (w->seen[node] != TENSORS)
		return 0;
	/* While its own children are walked it is closed, so that a pickle in itself ends. */
	w->seen[node] = OPEN;
	w->depth++;
	ret = visit_open(w, node, parent, slot);
	w->depth--;
	w->seen[node] = TENSORS;
	return ret;
}

int vv_torch_tree_make(struct vv_torch_tree *tree, const struct vv_pickle *p, struct vv_arena *arena, uint32_t *off,
	struct vv_err *err)
{
	struct walk w = {.p = p, .tree = tree, .arena = arena, .path = VV_BUF_INIT(VV_MAX_NAME), .err = err,
		.budget = 4 * (uint64_t)VV_MAX_TENSORS + 2 * (uint64_t)p->n_items};
	bool found;
	int ret = 0;

	w.seen = calloc(p->n_nodes, 1);
	if (!w.seen)
		return vv_fail_nomem(err);
	for (uint32_t i = 1; i < p->n_nodes && !ret; i++)
		if (p->nodes[i].kind == VV_PK_PERSID)
			ret = storage(&w, i);
	if (!ret)
		ret = mark(&w, p->root, &found);
	if (!ret)
		ret = visit(&w, p->root, 0, 0);
	*off = w.off;
	free(w.seen);
	vv_buf_release(&w.path);
	vv_map_release(&w.names);
	return ret;
}
