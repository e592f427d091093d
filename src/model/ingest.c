/* A model file into the store, and its manifest out. */
#include "model/base_pick.h"
#include "model/cast_pick.h"
#include "model/manifest_text.h"
#include "model/model.h"

#include <stdlib.h>

struct ingest {
	struct vv_layout layout;
	struct vv_put_item *items; /* one per segment */
	struct vv_id file_id;
};

/* A detail may be longer than a manifest takes, and findings are C strings borrowed from the layout. */
static int take_findings(struct vv_manifest *m, struct vv_layout *l, struct vv_err *err)
{
	m->findings = l->findings;
	m->n_findings = l->n_findings;
	for (size_t i = 0; i < l->n_findings; i++) {
		size_t n = strlen(l->findings[i].detail);
		if (n <= VV_TEXT_DETAIL)
			continue;
		l->findings[i].detail = vv_arena_copy(&m->arena, vv_span(l->findings[i].detail, VV_TEXT_DETAIL));
		if (!l->findings[i].detail)
			return vv_fail_nomem(err);
	}
	return 0;
}

/* Emits the text and reads it back, so that what is committed is known to be readable. */
static int make_manifest(
	struct ingest *in, struct vv_buf *text_out, struct vv_manifest *m_out, struct vv_err *err)
{
	struct vv_layout *l = &in->layout;
	struct vv_manifest m = {.format = l->format->name, .size = l->size, .sha256 = in->file_id}, parsed = {0};
	size_t start = text_out->len;
	int ret;

	m.segs = vv_arena_array(&m.arena, l->n_segs, sizeof(*m.segs));
	if (!m.segs) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < l->n_segs; i++)
		m.segs[i] = (struct vv_manifest_seg){l->segs[i], in->items[i].id};
	m.n_segs = l->n_segs;
	ret = take_findings(&m, l, err);
	if (!ret)
		ret = vv_manifest_emit(&m, text_out, err);
	if (!ret)
		ret = vv_manifest_parse(&parsed, vv_span(text_out->ptr + start, text_out->len - start), err);
	if (ret)
		goto out;
	if (m_out)
		*m_out = parsed;
	else
		vv_manifest_release(&parsed);
out:
	vv_arena_release(&m.arena);
	return ret;
}

static int locate(struct ingest *in, const struct vv_source *src, struct vv_err *err)
{
	int ret = vv_layout_locate(&in->layout, src, err);

	if (ret)
		return ret;
	in->items = calloc(in->layout.n_segs ? in->layout.n_segs : 1, sizeof(*in->items));
	if (!in->items)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < in->layout.n_segs; i++) {
		const struct vv_segment *s = &in->layout.segs[i];
		in->items[i] = (struct vv_put_item){.off = s->off, .len = s->len,
			.dtype = s->coding ? VV_DT_BYTES : s->dtype};
	}
	return 0;
}

static void release(struct ingest *in)
{
	vv_layout_release(&in->layout);
	free(in->items);
}

static void add_stats(struct vv_put_stats *sum, const struct vv_put_stats *s)
{
	sum->raw += s->raw;
	sum->raw_new += s->raw_new;
	sum->stored += s->stored;
	sum->objects += s->objects;
	sum->objects_new += s->objects_new;
}

/* Puts the segments that are casts of others in the file, or all the others. */
static int put_part(struct ingest *in, struct vv_store *store, const struct vv_source *src, const size_t *original,
	bool casts, struct vv_put_stats *sum, struct vv_progress *prog, struct vv_err *err)
{
	size_t n = in->layout.n_segs, k = 0;
	struct vv_put_item *part = calloc(n ? n : 1, sizeof(*part));
	struct vv_put_stats stats;
	int ret;

	if (!part)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < n; i++)
		if ((original[i] != SIZE_MAX) == casts) {
			part[k] = in->items[i];
			if (casts) {
				part[k].has_base = true;
				part[k].base = in->items[original[i]].id;
			}
			k++;
		}
	ret = vv_store_put(store, src, part, k, casts ? NULL : &in->file_id, &stats, prog, err);
	for (size_t i = 0, j = 0; i < n && !ret; i++)
		if ((original[i] != SIZE_MAX) == casts)
			in->items[i] = part[j++];
	if (!ret)
		add_stats(sum, &stats);
	free(part);
	return ret;
}

/* A cast goes against its original, which has to be in the store by then. */
static int put_segments(struct ingest *in, struct vv_store *store, const struct vv_source *src,
	struct vv_put_stats *sum, struct vv_progress *prog, struct vv_err *err)
{
	size_t n_casts, *original = malloc((in->layout.n_segs + 1) * sizeof(*original));
	int ret = original ? vv_pick_casts(src, &in->layout, original, &n_casts, err) : vv_fail_nomem(err);

	for (size_t i = 0; !ret && i < in->layout.n_segs; i++)
		if (original[i] != SIZE_MAX)
			in->items[original[i]].is_base = true;
	if (!ret)
		ret = put_part(in, store, src, original, false, sum, prog, err);
	if (!ret && n_casts)
		ret = put_part(in, store, src, original, true, sum, prog, err);
	free(original);
	return ret;
}

int vv_model_put(struct vv_store *store, const struct vv_source *src, const struct vv_manifest *const *parents,
	size_t n_parents, struct vv_buf *text_out, struct vv_manifest *m_out, struct vv_put_stats *stats,
	struct vv_progress *prog, struct vv_err *err)
{
	struct ingest in = {0};
	struct vv_put_stats unused, *out = stats ? stats : &unused;
	int ret = locate(&in, src, err);

	*out = (struct vv_put_stats){0};
	if (!ret)
		ret = vv_pick_bases(in.items, &in.layout, parents, n_parents, err);
	if (!ret)
		ret = put_segments(&in, store, src, out, prog, err);
	if (!ret)
		ret = make_manifest(&in, text_out, m_out, err);
	release(&in);
	return ret;
}

int vv_model_hash(struct vv_pool *pool, const struct vv_source *src, struct vv_buf *text_out,
	struct vv_manifest *m_out, struct vv_progress *prog, struct vv_err *err)
{
	struct ingest in = {0};
	int ret = locate(&in, src, err);

	if (!ret)
		ret = vv_store_hash(pool, src, in.items, in.layout.n_segs, &in.file_id, prog, err);
	if (!ret)
		ret = make_manifest(&in, text_out, m_out, err);
	release(&in);
	return ret;
}

int vv_model_outline(
	struct vv_pool *pool, const struct vv_source *src, struct vv_manifest *m_out, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct ingest in = {0};
	struct vv_put_item *some = NULL;
	size_t n = 0;
	int ret = locate(&in, src, err);

	if (!ret)
		some = malloc((in.layout.n_segs + 1) * sizeof(*some));
	if (!ret && !some)
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < in.layout.n_segs && !ret; i++) {
		const struct vv_segment *s = &in.layout.segs[i];
		const struct vv_dtype_info *dt = vv_dtype_info(s->dtype);
		if (dt->kind != VV_KIND_FLOAT || dt->bits < 16 || s->coding)
			some[n++] = in.items[i];
	}
	if (!ret)
		ret = vv_store_hash(pool, src, some, n, NULL, NULL, err);
	for (size_t i = 0, k = 0; i < in.layout.n_segs && !ret; i++)
		if (k < n && some[k].off == in.items[i].off && some[k].len == in.items[i].len)
			in.items[i] = some[k++];
	if (!ret)
		ret = make_manifest(&in, &text, m_out, err);
	free(some);
	vv_buf_release(&text);
	release(&in);
	return ret;
}
