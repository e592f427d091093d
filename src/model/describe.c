#include "model/describe.h"

#include "base/map.h"
#include "model/manifest_text.h"
#include "model/optimizer.h"

bool vv_is_optimizer_state(const char *name)
{
	return vv_optimizer_slot(name) != 0;
}

enum { MAX_DEPTH = 64 }; /* layers in layers; deeper components stay one name */

struct describer {
	struct vv_description d;
	struct vv_map ids;    /* objects seen */
	struct vv_map layers; /* dotted prefix → index into nodes */
	struct vv_layer **nodes, **last_child; /* by that index */
	size_t n_nodes, cap;
	unsigned slots;
	struct vv_err *err;
};

static void count(struct vv_count *c, const struct vv_described_tensor *t)
{
	c->tensors++;
	c->bytes += t->own_bytes;
	c->elements += t->shared ? 0 : t->elements - t->padding;
}

/* --- tensors --- */

/*
 * Views of one storage split it: each counts what it has, no more than what is left. `left` is in
 * elements.
 */
static void add_tensor(struct describer *k, const struct vv_manifest_seg *ms, const struct vv_view *v,
	uint64_t padding, uint64_t *left)
{
	struct vv_description *d = &k->d;
	struct vv_described_tensor *t = &d->tensors[d->n_tensors++];
	unsigned bits = vv_dtype_info(ms->seg.dtype)->bits, slot = vv_optimizer_slot(v->name);

	*t = (struct vv_described_tensor){.seg = ms, .view = v, .state = slot != 0};
	if (vv_shape_numel(v->shape, v->ndim, &t->elements))
		t->elements = UINT64_MAX;
	t->padding = padding < t->elements ? padding : 0;
	t->shared = t->elements > *left;
	if (!t->shared) {
		*left -= t->elements;
		t->own_bytes = t->elements / 8 * bits + t->elements % 8 * bits / 8;
	}
	k->slots |= slot;
	count(t->state ? &d->state : &d->params, t);
	count(&d->by_dtype[ms->seg.dtype], t);
}

/* `located`: the same segment in the file; NULL: not known. */
static int add_segment(struct describer *k, struct vv_store *store, const struct vv_manifest_seg *ms,
	const struct vv_segment *located)
{
	struct vv_object_info info;
	uint64_t left = 0;
	bool added;
	int ret;

	if (!vv_map_put(&k->ids, vv_span(ms->id.b, VV_ID_BYTES), 0, &added))
		return vv_fail_nomem(k->err);
	if (!ms->seg.n_views)
		k->d.opaque += ms->seg.len;
	else if (vv_segment_numel(&ms->seg, &left))
		left = 0;
	for (size_t i = 0; i < ms->seg.n_views; i++)
		add_tensor(k, ms, &ms->seg.views[i], located && i < located->n_views ? located->views[i].padding : 0, &left);
	if (!added || !ms->seg.len)
		return 0;
	k->d.objects++;
	if (!store)
		return 0;
	ret = vv_store_find(store, &ms->id, &info, k->err);
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(k->err);
		k->d.missing++;
		return 0;
	}
	if (ret)
		return ret;
	k->d.max_depth = info.depth > k->d.max_depth ? info.depth : k->d.max_depth;
	return vv_store_cost(store, &ms->id, &info, &k->d.stored, k->err);
}

/* --- layers --- */

static int grow(struct describer *k)
{
	size_t cap = k->cap ? k->cap * 2 : 64;
	struct vv_layer **n = vv_arena_array(&k->d.arena, cap, sizeof(*n));
	struct vv_layer **l = vv_arena_array(&k->d.arena, cap, sizeof(*l));

	if (!n || !l)
		return vv_fail_nomem(k->err);
	if (k->n_nodes) {
		memcpy(n, k->nodes, k->n_nodes * sizeof(*n));
		memcpy(l, k->last_child, k->n_nodes * sizeof(*l));
	}
	k->nodes = n;
	k->last_child = l;
	k->cap = cap;
	return 0;
}

/* The node of a prefix of a name, made below `parent` when it is new. */
static int node(struct describer *k, struct vv_span prefix, struct vv_span part, size_t parent, size_t *out)
{
	bool added;
	const uint64_t *at = vv_map_put(&k->layers, prefix, k->n_nodes, &added);
	struct vv_layer *l;
	int ret;

	if (!at)
		return vv_fail_nomem(k->err);
	*out = (size_t)*at;
	if (!added)
		return 0;
	ret = k->n_nodes == k->cap ? grow(k) : 0;
	if (ret)
		return ret;
	l = vv_arena_alloc(&k->d.arena, sizeof(*l));
	if (!l || !(l->name = vv_arena_copy(&k->d.arena, part)))
		return vv_fail_nomem(k->err);
	if (k->n_nodes) {
		struct vv_layer **link = k->last_child[parent] ? &k->last_child[parent]->next : &k->nodes[parent]->child;
		*link = l;
		k->last_child[parent] = l;
	}
	k->nodes[k->n_nodes] = l;
	k->last_child[k->n_nodes++] = NULL;
	return 0;
}

/* In a directory the first layer is the file. */
static int hang(struct describer *k, const struct vv_described_tensor *t, bool dir)
{
	const char *name = t->view->name, *part = name, *joint = dir ? strstr(name, VV_TEXT_TENSOR_IN) : NULL;
	size_t at = 0;

	count(&k->nodes[0]->count, t);
	for (int depth = 1;; depth++) {
		const char *dot = joint && part == name ? joint : depth < MAX_DEPTH ? strchr(part, '.') : NULL;
		size_t end = dot ? (size_t)(dot - name) : strlen(name);
		/* One byte more than the prefix tells "a." from "a", and the root from "". */
		int ret = node(k, vv_span(name, end + 1), vv_span(part, end - (size_t)(part - name)), at, &at);

		if (ret)
			return ret;
		count(&k->nodes[at]->count, t);
		if (!dot)
			break;
		part = dot + (dot == joint ? strlen(VV_TEXT_TENSOR_IN) : 1);
	}
	k->nodes[at]->tensor = t;
	return 0;
}

int vv_describe(struct vv_description *out, struct vv_store *store, const struct vv_manifest *m, const struct vv_layout *located,
	struct vv_err *err)
{
	struct describer k = {.err = err};
	size_t n = 0, root;
	int ret;

	for (size_t i = 0; i < m->n_segs; i++)
		n += m->segs[i].seg.n_views;
	k.d.tensors = vv_arena_array(&k.d.arena, n, sizeof(*k.d.tensors));
	ret = k.d.tensors ? node(&k, vv_span("", 0), vv_span("", 0), 0, &root) : vv_fail_nomem(err);
	for (size_t i = 0, l = 0; i < m->n_segs && !ret; i++) {
		/* Opaque bytes are cut smaller in a manifest. */
		while (located && l < located->n_segs && located->segs[l].off < m->segs[i].seg.off)
			l++;
		ret = add_segment(&k, store, &m->segs[i],
			located && l < located->n_segs && located->segs[l].off == m->segs[i].seg.off ? &located->segs[l] : NULL);
	}
	for (size_t i = 0; i < k.d.n_tensors && !ret; i++)
		ret = hang(&k, &k.d.tensors[i], vv_manifest_is_dir(m));
	if (!ret) {
		k.d.root = k.nodes[0];
		k.d.optimizer = vv_optimizer_name(k.slots);
		*out = k.d;
	} else {
		vv_arena_release(&k.d.arena);
	}
	vv_map_release(&k.ids);
	vv_map_release(&k.layers);
	return ret;
}

void vv_description_release(struct vv_description *d)
{
	vv_arena_release(&d->arena);
	*d = (struct vv_description){0};
}
