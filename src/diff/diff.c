#include "diff/diff.h"

#include "base/map.h"
#include "model/lineup.h"
#include "model/namesake.h"

#include <stdlib.h>

enum { B, A }; /* columns of the lineup: b's order leads */

struct differ {
	struct vv_lineup l;
	struct vv_namesakes gone; /* rows only a has, by what they hold */
	size_t *renamed_from;     /* row of b → row of a + 1 */
	bool *taken;              /* row of a became a row of b */
	bool *moved;
	struct vv_buf key;
};

static struct vv_span content(struct vv_buf *key, const struct vv_manifest_seg *s, const struct vv_view *v)
{
	vv_buf_clear(key);
	vv_buf_add(key, s->id.b, VV_ID_BYTES);
	vv_buf_le(key, s->seg.dtype, 1);
	vv_buf_le(key, v->offset, 8);
	for (unsigned i = 0; i < v->ndim; i++)
		vv_buf_le(key, v->shape[i], 8);
	return vv_buf_view(key);
}

static int find_renames(struct differ *d, struct vv_err *err)
{
	const struct vv_manifest_seg *s, *old;
	int ret = vv_namesakes_init(&d->gone, d->l.n, err);

	for (size_t i = 0; i < d->l.n && !ret; i++) {
		const struct vv_lineup_row *row = &d->l.rows[i];
		if (row->at[A].there && !row->at[B].there) {
			const struct vv_view *v = vv_lineup_view(&d->l, i, A, &s);
			ret = vv_namesakes_add(&d->gone, content(&d->key, s, v), row->name, i, err);
		}
	}
	for (size_t i = 0; i < d->l.n && !ret; i++) {
		const struct vv_lineup_row *row = &d->l.rows[i];
		size_t from;
		if (row->at[A].there || !row->at[B].there)
			continue;
		const struct vv_view *v = vv_lineup_view(&d->l, i, B, &s);
		if (!vv_namesakes_take(&d->gone, content(&d->key, s, v), row->name, &from))
			continue;
		const struct vv_view *was = vv_lineup_view(&d->l, from, A, &old);
		if (vv_same_tensor(old, was, s, v)) {
			d->renamed_from[i] = from + 1;
			d->taken[from] = true;
		}
	}
	return ret ? ret : vv_buf_check(&d->key, err);
}

/*
 * The fewest tensors that must have moved: common rows outside a longest increasing subsequence of
 * a's ranks, in b's order (patience sorting).
 */
static int find_moves(struct differ *d, struct vv_err *err)
{
	size_t n = d->l.n, len = 0;
	size_t *tail = calloc(n ? n : 1, sizeof(*tail)); /* row that ends the best run of each length */
	size_t *prev = calloc(n ? n : 1, sizeof(*prev)); /* row + 1 before it */

	if (!tail || !prev) {
		free(tail);
		free(prev);
		return vv_fail_nomem(err);
	}
	for (size_t i = 0; i < n; i++) {
		const struct vv_place *at = d->l.rows[i].at;
		size_t lo = 0, hi = len;

		if (!at[A].there || !at[B].there)
			continue;
		d->moved[i] = true;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (d->l.rows[tail[mid]].at[A].rank < at[A].rank)
				lo = mid + 1;
			else
				hi = mid;
		}
		prev[i] = lo ? tail[lo - 1] + 1 : 0;
		tail[lo] = i;
		len = lo == len ? len + 1 : len;
	}
	for (size_t i = len ? tail[len - 1] + 1 : 0; i; i = prev[i - 1])
		d->moved[i - 1] = false;
	free(tail);
	free(prev);
	return 0;
}

/* What became of a row; false when it stayed the same. */
static bool classify(const struct differ *d, size_t i, struct vv_diff_item *it)
{
	const struct vv_lineup_row *row = &d->l.rows[i];
	size_t from = d->renamed_from[i];

	*it = (struct vv_diff_item){.name = row->name};
	if (row->at[A].there)
		it->view_a = vv_lineup_view(&d->l, i, A, &it->seg_a);
	if (row->at[B].there)
		it->view_b = vv_lineup_view(&d->l, i, B, &it->seg_b);
	if (!row->at[B].there) {
		it->kind = VV_DIFF_REMOVED;
		return !d->taken[i];
	}
	if (from) {
		it->kind = VV_DIFF_RENAMED;
		it->old_name = d->l.rows[from - 1].name;
		it->view_a = vv_lineup_view(&d->l, from - 1, A, &it->seg_a);
		return true;
	}
	if (!row->at[A].there)
		it->kind = VV_DIFF_ADDED;
	else if (it->seg_a->seg.dtype != it->seg_b->seg.dtype)
		it->kind = VV_DIFF_RETYPED;
	else if (!vv_same_shape(it->view_a, it->view_b))
		it->kind = VV_DIFF_RESHAPED;
	else if (!vv_same_tensor(it->seg_a, it->view_a, it->seg_b, it->view_b))
		it->kind = VV_DIFF_CHANGED;
	else if (d->moved[i])
		it->kind = VV_DIFF_MOVED;
	else
		return false;
	return true;
}

static int compare_opaque(struct vv_diff_opaque *out, const struct vv_manifest *a, const struct vv_manifest *b,
	struct vv_err *err)
{
	struct vv_map ids = {0}; /* of a's runs: how many are not matched yet */
	struct vv_diff_opaque o = {0};
	int ret = 0;

	for (size_t i = 0; i < a->n_segs && !ret; i++) {
		bool added;
		uint64_t *n;
		if (a->segs[i].seg.n_views)
			continue;
		n = vv_map_put(&ids, vv_span(a->segs[i].id.b, VV_ID_BYTES), 1, &added);
		if (!n)
			ret = vv_fail_nomem(err);
		else if (!added)
			++*n;
		o.runs_a++;
		o.only_a += a->segs[i].seg.len;
	}
	for (size_t i = 0; i < b->n_segs && !ret; i++) {
		uint64_t *n;
		if (b->segs[i].seg.n_views)
			continue;
		o.runs_b++;
		n = vv_map_find(&ids, vv_span(b->segs[i].id.b, VV_ID_BYTES));
		if (n && *n) {
			--*n;
			o.only_a -= b->segs[i].seg.len;
			o.both += b->segs[i].seg.len;
		} else {
			o.only_b += b->segs[i].seg.len;
		}
	}
	vv_map_release(&ids);
	*out = o;
	return ret;
}

int vv_diff_make(
	struct vv_diff *out, const struct vv_manifest *a, const struct vv_manifest *b, struct vv_err *err)
{
	const struct vv_manifest *sides[] = {[B] = b, [A] = a};
	struct differ d = {.key = VV_BUF_INIT(VV_MAX_TEXT)};
	struct vv_diff r = {.format_a = a->format, .format_b = b->format};
	int ret = vv_lineup_make(&d.l, sides, VV_COUNT(sides), true, err);

	if (ret)
		return ret;
	r.same_file = vv_id_eq(&a->sha256, &b->sha256);
	r.items = calloc(d.l.n ? d.l.n : 1, sizeof(*r.items));
	d.renamed_from = calloc(d.l.n ? d.l.n : 1, sizeof(*d.renamed_from));
	d.taken = calloc(d.l.n ? d.l.n : 1, sizeof(*d.taken));
	d.moved = calloc(d.l.n ? d.l.n : 1, sizeof(*d.moved));
	if (!r.items || !d.renamed_from || !d.taken || !d.moved)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = find_renames(&d, err);
	if (!ret)
		ret = find_moves(&d, err);
	if (!ret)
		ret = compare_opaque(&r.opaque, a, b, err);
	for (size_t i = 0; i < d.l.n && !ret; i++) {
		if (classify(&d, i, &r.items[r.n]))
			r.n++;
		else
			r.n_same += d.l.rows[i].at[B].there;
	}
	vv_namesakes_release(&d.gone);
	vv_buf_release(&d.key);
	vv_lineup_release(&d.l);
	free(d.renamed_from);
	free(d.taken);
	free(d.moved);
	if (ret)
		vv_diff_release(&r);
	else
		*out = r;
	return ret;
}

void vv_diff_release(struct vv_diff *d)
{
	free(d->items);
	*d = (struct vv_diff){0};
}
