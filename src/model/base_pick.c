#include "model/base_pick.h"

#include "base/map.h"
#include "codec/narrow.h"
#include "codec/quantize.h"
#include "model/namesake.h"

struct picker {
	const struct vv_layout *l;
	struct vv_map names;       /* the new file's */
	struct vv_map by_name;     /* a parent's: value is the segment's index */
	struct vv_namesakes left;  /* a parent's tensors of which the new file has no name, by kind */
	struct vv_buf key;
};

/* Type, shape and last component make a kind. */
static struct vv_span kind(struct vv_buf *key, const struct vv_segment *s)
{
	const struct vv_view *v = s->views;

	vv_buf_clear(key);
	vv_buf_le(key, s->dtype, 1);
	vv_buf_le(key, s->len, 8);
	for (unsigned i = 0; i < v->ndim; i++)
		vv_buf_le(key, v->shape[i], 8);
	vv_buf_str(key, vv_name_last(v->name));
	return vv_buf_view(key);
}

static int index_parent(struct picker *p, const struct vv_manifest *m, struct vv_err *err)
{
	int ret = vv_namesakes_init(&p->left, m->n_segs, err);

	for (size_t i = 0; i < m->n_segs && !ret; i++) {
		const struct vv_segment *s = &m->segs[i].seg;
		bool kept = false;

		for (size_t j = 0; j < s->n_views; j++) {
			struct vv_span name = vv_span_str(s->views[j].name);
			if (!vv_map_put(&p->by_name, name, i, NULL))
				return vv_fail_nomem(err);
			kept |= vv_map_find(&p->names, name) != NULL;
		}
		if (s->n_views && !s->coding && !kept)
			ret = vv_namesakes_add(&p->left, kind(&p->key, s), s->views->name, i, err);
	}
	return ret ? ret : vv_buf_check(&p->key, err);
}

/* What is asked of a parent's tensor, in this order. */
enum way {
	QUANTISED, /* of the same name: ours may have been quantised from it, and would then cost next to nothing */
	ALIKE,     /* of the same name: of the same type, or a wider one of which ours may be a cast */
	OF_A_KIND, /* of another name */
	WAYS
};

static bool is_like(const struct vv_segment *old, const struct vv_segment *s, enum way way)
{
	uint64_t bytes;

	if (old->coding)
		return false;
	if (way == QUANTISED)
		return vv_quantizes(old->dtype, old->len, s->dtype, s->len) != VV_QCAST_NONE;
	if (old->dtype == s->dtype)
		return old->len == s->len;
	return vv_narrows(old->dtype, s->dtype) && vv_wider_bytes(s->dtype, s->len, &bytes) && old->len == bytes;
}

static bool same_name(
	const struct picker *p, const struct vv_manifest *m, const struct vv_segment *s, enum way way, size_t *found)
{
	for (size_t j = 0; j < s->n_views; j++) {
		const uint64_t *at = vv_map_find(&p->by_name, vv_span_str(s->views[j].name));
		if (at && is_like(&m->segs[*at].seg, s, way)) {
			*found = (size_t)*at;
			return true;
		}
	}
	return false;
}

static int pick_from(struct picker *p, struct vv_put_item *items, const struct vv_manifest *m, enum way way,
	struct vv_err *err)
{
	int ret = index_parent(p, m, err);

	for (size_t i = 0; i < p->l->n_segs && !ret; i++) {
		const struct vv_segment *s = &p->l->segs[i];
		size_t found;

		if (!s->n_views || s->coding || items[i].has_base)
			continue;
		if (way == OF_A_KIND ? vv_namesakes_take(&p->left, kind(&p->key, s), s->views->name, &found)
				     : same_name(p, m, s, way, &found)) {
			items[i].has_base = true;
			items[i].base = m->segs[found].id;
		}
	}
	vv_namesakes_release(&p->left);
	vv_map_release(&p->by_name);
	return ret;
}

static bool is_quantised(const struct vv_layout *l)
{
	for (size_t i = 0; i < l->n_segs; i++)
		if (l->segs[i].dtype == VV_DT_I8 || l->segs[i].dtype == VV_DT_U8)
			return true;
	return false;
}

int vv_pick_bases(struct vv_put_item *items, const struct vv_layout *l, const struct vv_manifest *const *parents,
	size_t n_parents, struct vv_err *err)
{
	struct picker p = {.l = l, .key = VV_BUF_INIT(VV_MAX_TEXT)};
	int ret = 0;

	for (size_t i = 0; i < l->n_segs && n_parents && !ret; i++)
		for (size_t j = 0; j < l->segs[i].n_views && !ret; j++)
			if (!vv_map_put(&p.names, vv_span_str(l->segs[i].views[j].name), i, NULL))
				ret = vv_fail_nomem(err);
	/* First all by name: in a sharded model a tensor may have moved to where another one of its kind has left. */
	for (int way = is_quantised(l) ? QUANTISED : ALIKE; way < WAYS; way++)
		for (size_t k = 0; k < n_parents && !ret; k++)
			ret = pick_from(&p, items, parents[k], (enum way)way, err);
	vv_map_release(&p.names);
	vv_buf_release(&p.key);
	return ret;
}
