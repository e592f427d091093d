#include "model/lineup.h"

#include "base/map.h"
#include "model/manifest_text.h"

#include <stdlib.h>

/* Rows while they are made: linked, since later versions insert. Index 0 is the head. */
struct maker {
	struct vv_lineup_row *rows;
	size_t *next;
	size_t n;
	bool packed;
	struct vv_map by_name; /* row's index */
};

static int add_version(struct maker *k, const struct vv_manifest *m, size_t v, struct vv_err *err)
{
	size_t prev = 0, rank = 0;

	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views && (k->packed || !m->segs[i].seg.coding); j++) {
			const char *name = m->segs[i].seg.views[j].name;
			bool added;
			const uint64_t *at = vv_map_put(&k->by_name, vv_span_str(name), k->n, &added);

			if (!at)
				return vv_fail_nomem(err);
			if (added) {
				k->rows[k->n].name = name;
				k->next[k->n] = k->next[prev];
				k->next[prev] = k->n++;
			}
			prev = (size_t)*at;
			k->rows[prev].at[v] = (struct vv_place){true, (uint32_t)i, (uint32_t)j, rank++};
		}
	return 0;
}

int vv_lineup_make(struct vv_lineup *out, const struct vv_manifest *const *m, size_t n, bool packed, struct vv_err *err)
{
	struct vv_lineup l = {0};
	struct maker k = {.n = 1, .packed = packed};
	size_t cap = 1;
	int ret = 0;

	for (size_t v = 0; v < n; v++) {
		l.m[v] = m[v];
		for (size_t i = 0; m[v] && i < m[v]->n_segs; i++)
			cap += m[v]->segs[i].seg.n_views;
	}
	k.rows = calloc(cap, sizeof(*k.rows));
	k.next = calloc(cap, sizeof(*k.next));
	l.rows = calloc(cap, sizeof(*l.rows));
	if (!k.rows || !k.next || !l.rows)
		ret = vv_fail_nomem(err);
	for (size_t v = 0; v < n && !ret; v++)
		if (m[v])
			ret = add_version(&k, m[v], v, err);
	if (!ret) {
		for (size_t i = k.next[0]; i; i = k.next[i])
			l.rows[l.n++] = k.rows[i];
		*out = l;
	} else {
		free(l.rows);
	}
	vv_map_release(&k.by_name);
	free(k.rows);
	free(k.next);
	return ret;
}

void vv_lineup_release(struct vv_lineup *l)
{
	free(l->rows);
	*l = (struct vv_lineup){0};
}

const struct vv_view *vv_lineup_view(
	const struct vv_lineup *l, size_t row, size_t v, const struct vv_manifest_seg **seg)
{
	const struct vv_place *at = &l->rows[row].at[v];

	*seg = &l->m[v]->segs[at->seg];
	return &(*seg)->seg.views[at->view];
}

bool vv_same_shape(const struct vv_view *a, const struct vv_view *b)
{
	return a->ndim == b->ndim && (!a->ndim || !memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape)));
}

bool vv_same_tensor(const struct vv_manifest_seg *sa, const struct vv_view *a, const struct vv_manifest_seg *sb,
	const struct vv_view *b)
{
	bool plain_a = vv_view_contiguous(a), plain_b = vv_view_contiguous(b);

	if (sa->seg.dtype != sb->seg.dtype || sa->seg.coding != sb->seg.coding || sa->seg.skip != sb->seg.skip ||
		!vv_id_eq(&sa->id, &sb->id) || !vv_same_shape(a, b) || a->offset != b->offset || plain_a != plain_b)
		return false;
	return plain_a || !memcmp(a->stride, b->stride, a->ndim * sizeof(*a->stride));
}

bool vv_lineup_same(const struct vv_lineup *l, size_t row, size_t a, size_t b)
{
	const struct vv_manifest_seg *sa, *sb;
	const struct vv_view *va, *vb;

	if (!l->rows[row].at[a].there || !l->rows[row].at[b].there)
		return l->rows[row].at[a].there == l->rows[row].at[b].there;
	va = vv_lineup_view(l, row, a, &sa);
	vb = vv_lineup_view(l, row, b, &sb);
	return vv_same_tensor(sa, va, sb, vb);
}
