#include "model/base_pick.h"

#include "base/map.h"

#include <stdlib.h>

enum {
	TRIES = 64, /* leftovers of one kind compared by name: a renamed model keeps its order */
};

/* A parent's tensor whose name the new file does not have: linked by kind, in file order. */
struct leftover {
	const struct vv_manifest_seg *seg;
	const char *name;
	size_t next; /* index + 1 of the next of its kind, 0: none */
	bool used;
};

struct kind_list {
	size_t first, last; /* index + 1 */
};

struct picker {
	struct vv_arena arena; /* keys */
	struct vv_map by_name; /* a parent's tensors: value is the segment's index */
	struct vv_map names;   /* the file's own names */
	struct vv_map kinds;   /* value is an index into lists */
	struct leftover *left;
	struct kind_list *lists;
	size_t n_left;
};

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Components that both names end in. */
static size_t common_ending(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), parts = 0;

	for (; na && nb && a[na - 1] == b[nb - 1]; na--, nb--)
		parts += a[na - 1] == '.';
	/* A component counts when it is whole on both sides. */
	if ((!na || a[na - 1] == '.') && (!nb || b[nb - 1] == '.'))
		parts++;
	return parts;
}

/* Type, shape and last component as one key, in `out`. */
static int kind_key(struct vv_buf *out, enum vv_dtype dt, const struct vv_view *v)
{
	vv_buf_clear(out);
	vv_buf_le(out, dt, 1);
	vv_buf_le(out, v->ndim, 1);
	for (unsigned i = 0; i < v->ndim; i++)
		vv_buf_le(out, v->shape[i], 8);
	vv_buf_str(out, last_part(v->name));
	return out->failed;
}

static int add_leftover(struct picker *p, const struct vv_manifest_seg *ms, struct vv_buf *key)
{
	struct leftover *l = &p->left[p->n_left];
	uint64_t *at;
	bool added;
	char *kept;

	if (kind_key(key, ms->seg.dtype, ms->seg.views) || !(kept = vv_arena_copy(&p->arena, vv_buf_view(key))))
		return 1;
	at = vv_map_put(&p->kinds, vv_span(kept, key->len), p->kinds.len, &added);
	if (!at)
		return 1;
	*l = (struct leftover){.seg = ms, .name = ms->seg.views->name};
	p->n_left++;
	struct kind_list *list = &p->lists[*at];
	if (list->last)
		p->left[list->last - 1].next = p->n_left;
	else
		list->first = p->n_left;
	list->last = p->n_left;
	return 0;
}

static int index_parent(struct picker *p, const struct vv_manifest *m)
{
	struct vv_buf key = VV_BUF_INIT(VV_MAX_TEXT);
	int bad = 0;

	p->left = calloc(m->n_segs ? m->n_segs : 1, sizeof(*p->left));
	p->lists = calloc(m->n_segs ? m->n_segs : 1, sizeof(*p->lists));
	bad = !p->left || !p->lists;
	for (size_t i = 0; i < m->n_segs && !bad; i++) {
		const struct vv_segment *s = &m->segs[i].seg;
		bool kept = false;

		for (size_t j = 0; j < s->n_views && !bad; j++) {
			struct vv_span name = vv_span_str(s->views[j].name);
			bad = !vv_map_put(&p->by_name, name, i, NULL);
			kept |= vv_map_find(&p->names, name) != NULL;
		}
		if (s->n_views && !kept && !bad)
			bad = add_leftover(p, &m->segs[i], &key);
	}
	vv_buf_release(&key);
	return bad;
}

static void drop_parent(struct picker *p)
{
	vv_map_release(&p->by_name);
	vv_map_release(&p->kinds);
	free(p->left);
	free(p->lists);
	p->left = NULL;
	p->lists = NULL;
	p->n_left = 0;
}

static const struct vv_manifest_seg *same_name(
	const struct picker *p, const struct vv_manifest *m, const struct vv_segment *s)
{
	for (size_t j = 0; j < s->n_views; j++) {
		const uint64_t *at = vv_map_find(&p->by_name, vv_span_str(s->views[j].name));
		if (at && m->segs[*at].seg.dtype == s->dtype && m->segs[*at].seg.len == s->len)
			return &m->segs[*at];
	}
	return NULL;
}

static const struct vv_manifest_seg *renamed(struct picker *p, const struct vv_segment *s, struct vv_buf *key)
{
	const uint64_t *at;
	struct leftover *best = NULL;
	size_t best_parts = 0, i;

	if (kind_key(key, s->dtype, s->views) || !(at = vv_map_find(&p->kinds, vv_buf_view(key))))
		return NULL;
	struct kind_list *list = &p->lists[*at];
	while (list->first && p->left[list->first - 1].used)
		list->first = p->left[list->first - 1].next;
	i = list->first;
	for (int tries = 0; i && tries < TRIES; i = p->left[i - 1].next, tries++) {
		struct leftover *l = &p->left[i - 1];
		size_t parts = l->used || l->seg->seg.len != s->len ? 0 : common_ending(l->name, s->views->name);
		if (parts > best_parts) {
			best = l;
			best_parts = parts;
		}
	}
	if (!best)
		return NULL;
	best->used = true;
	return best->seg;
}

int vv_pick_bases(struct vv_put_item *items, const struct vv_layout *l, const struct vv_manifest *const *parents,
	size_t n_parents, struct vv_err *err)
{
	struct picker p = {0};
	struct vv_buf key = VV_BUF_INIT(VV_MAX_TEXT);
	int bad = 0;

	for (size_t i = 0; i < l->n_segs && n_parents && !bad; i++)
		for (size_t j = 0; j < l->segs[i].n_views && !bad; j++)
			bad = !vv_map_put(&p.names, vv_span_str(l->segs[i].views[j].name), i, NULL);
	for (size_t k = 0; k < n_parents && !bad; k++) {
		bad = index_parent(&p, parents[k]);
		for (size_t i = 0; i < l->n_segs && !bad; i++) {
			const struct vv_segment *s = &l->segs[i];
			const struct vv_manifest_seg *base = NULL;

			if (!s->n_views || items[i].has_base)
				continue;
			base = same_name(&p, parents[k], s);
			if (!base)
				base = renamed(&p, s, &key);
			if (base) {
				items[i].has_base = true;
				items[i].base = base->id;
			}
		}
		drop_parent(&p);
	}
	vv_map_release(&p.names);
	vv_arena_release(&p.arena);
	vv_buf_release(&key);
	return bad ? vv_fail_nomem(err) : 0;
}
