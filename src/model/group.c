#include "model/group.h"

#include "base/check.h"
#include "format/unique.h"
#include "hash/sha256.h"
#include "model/assembly.h"

#include <stdlib.h>
#include <string.h>

size_t vv_shard_stem(const char *path, const char **rest, unsigned long *number)
{
	for (const char *p = strstr(path, "-of-"); p; p = strstr(p + 1, "-of-")) {
		const char *first = p;
		size_t n = strspn(p + 4, "0123456789");

		while (first > path && first[-1] >= '0' && first[-1] <= '9')
			first--;
		if (n && first < p && first > path && first[-1] == '-' && !strchr(p, '/')) {
			*rest = p + 4 + n;
			if (number)
				*number = strtoul(first, NULL, 10);
			return (size_t)(first - path);
		}
	}
	return 0;
}

bool vv_shard_of_same(const char *a, const char *b)
{
	const char *rest_a, *rest_b;
	size_t n = vv_shard_stem(a, &rest_a, NULL);

	return n && vv_shard_stem(b, &rest_b, NULL) == n && !memcmp(a, b, n) && !strcmp(rest_a, rest_b);
}

/* A file with the tensors that its own manifest names. */
static int take_file(struct vv_group *g, struct vv_map *names, size_t file, struct vv_err *err)
{
	const struct vv_manifest *m = g->files[file].m;
	int ret = 0;

	for (size_t i = 0; i < m->n_segs && !ret; i++) {
		struct vv_manifest_seg *s = &g->m.segs[g->m.n_segs++];
		struct vv_view *views;

		*s = m->segs[i];
		s->seg.off += g->files[file].off;
		if (!s->seg.n_views)
			continue;
		views = vv_arena_array(&g->m.arena, s->seg.n_views, sizeof(*views));
		if (!views)
			return vv_fail_nomem(err);
		for (size_t k = 0; k < s->seg.n_views && !ret; k++) {
			views[k] = m->segs[i].seg.views[k];
			ret = vv_unique_name(&views[k].name, names, &g->m.arena, err);
		}
		s->seg.views = views;
	}
	return ret;
}

/* --- files of which an index tells --- */

struct range {
	const struct vv_elsewhere *e;
	size_t file;
};

static int by_place(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->e->within != y->e->within)
		return x->e->within ? 1 : -1;
	if (x->e->off != y->e->off)
		return x->e->off < y->e->off ? -1 : 1;
	if (x->e->len != y->e->len)
		return x->e->len < y->e->len ? -1 : 1;
	return x->e < y->e ? -1 : x->e > y->e;
}

/* Of the range's bytes; without them, one that tells it from all others. */
static int range_id(const struct vv_group_file *f, const struct vv_elsewhere *e, struct vv_id *out, struct vv_err *err)
{
	struct vv_hash_sink sink;
	struct vv_buf place = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	if (!f->bytes) {
		vv_buf_add(&place, f->m->sha256.b, VV_ID_BYTES);
		vv_buf_le(&place, e->off, 8);
		vv_buf_le(&place, e->len, 8);
		ret = vv_buf_check(&place, err);
		if (!ret)
			vv_sha256(vv_buf_view(&place), out);
		vv_buf_release(&place);
		return ret;
	}
	ret = vv_hash_sink_init(&sink, err);
	if (ret)
		return ret;
	ret = vv_source_copy(f->bytes, e->off, e->len, &sink.base, err);
	vv_sha256_final(&sink.sha, out);
	vv_sha256_release(&sink.sha);
	return ret;
}

/* Its n ranges, sorted: equal ones are one segment; what lies across another, or past the end, is left out. */
static int take_ranges(
	struct vv_group *g, struct vv_map *names, const struct range *r, size_t n, size_t *left, struct vv_err *err)
{
	const struct vv_group_file *f = &g->files[r->file];
	struct vv_manifest_seg *s = NULL;
	struct vv_view *views = vv_arena_array(&g->m.arena, n, sizeof(*views));
	uint64_t end = 0; /* of the last segment, in the file */
	int ret = views ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i++) {
		const struct vv_elsewhere *e = r[i].e;
		bool same = s && s->seg.off == f->off + e->off && s->seg.len == e->len && s->seg.dtype == e->dtype;

		if (e->dtype == VV_DT_BYTES || (!same && e->off < end) || e->off > f->m->size || e->len > f->m->size - e->off) {
			*left += e->dtype != VV_DT_BYTES;
			continue;
		}
		views[i] = (struct vv_view){.name = e->name, .ndim = e->ndim, .shape = e->shape};
		ret = vv_unique_name(&views[i].name, names, &g->m.arena, err);
		if (ret)
			break;
		if (same) {
			/* The views of a segment stand side by side. */
			views[(size_t)(s->seg.views - views) + s->seg.n_views++] = views[i];
			continue;
		}
		s = &g->m.segs[g->m.n_segs++];
		*s = (struct vv_manifest_seg){{f->off + e->off, e->len, e->dtype, 1, &views[i]}, {{0}}};
		end = e->off + e->len;
		ret = range_id(f, e, &s->id, err);
	}
	return ret;
}

/* Its tensors where n ranges have one each, sorted, under the names that those give. */
static int take_within(
	struct vv_group *g, struct vv_map *names, const struct range *r, size_t n, size_t *left, struct vv_err *err)
{
	const struct vv_manifest *m = g->files[r->file].m;
	struct vv_view *views = vv_arena_array(&g->m.arena, n, sizeof(*views));
	uint64_t end = 0; /* of the last range */
	int ret = views ? 0 : vv_fail_nomem(err);

	for (size_t i = 0, at = 0; i < n && !ret; i++) {
		const struct vv_elsewhere *e = r[i].e;
		const struct vv_manifest_seg *own = NULL;
		size_t n_views = 0;

		if (e->off < end) {
			++*left;
			continue;
		}
		end = e->off + e->len;
		for (; at < m->n_segs && m->segs[at].seg.off < end; at++) {
			const struct vv_segment *s = &m->segs[at].seg;
			if (s->n_views && s->off >= e->off && s->len <= end - s->off) {
				own = &m->segs[at];
				n_views += s->n_views;
			}
		}
		if (n_views != 1) {
			++*left;
			continue;
		}
		views[i] = own->seg.views[0];
		views[i].name = e->name;
		ret = vv_unique_name(&views[i].name, names, &g->m.arena, err);
		struct vv_manifest_seg *s = &g->m.segs[g->m.n_segs++];
		*s = *own;
		s->seg.off += g->files[r->file].off;
		s->seg.views = &views[i];
	}
	return ret;
}

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_group *g = (const struct vv_group *)((const char *)self - offsetof(struct vv_group, base));
	uint8_t *p = dst;
	size_t lo = 0, hi = g->n;

	/* The last file that begins at or before `off`. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->files[mid].off <= off)
			lo = mid;
		else
			hi = mid;
	}
	for (; len; lo++) {
		const struct vv_source *bytes = g->files[lo].bytes;
		uint64_t at = off - g->files[lo].off;
		size_t n = bytes->size - at < len ? (size_t)(bytes->size - at) : len;
		int ret = n ? vv_source_read(bytes, at, p, n, err) : 0;

		if (ret)
			return ret;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

int vv_group_sum(struct vv_group *g, struct vv_err *err)
{
	struct vv_buf ids = VV_BUF_INIT(SIZE_MAX);
	int ret;

	for (size_t i = 0; i < g->n; i++)
		vv_buf_add(&ids, g->files[i].m->sha256.b, VV_ID_BYTES);
	ret = vv_buf_check(&ids, err);
	if (!ret)
		vv_sha256(vv_buf_view(&ids), &g->m.sha256);
	vv_buf_release(&ids);
	return ret;
}

/* Places the files one after the other. */
static int begin(struct vv_group *g, const struct vv_version *files, size_t n, size_t ranges, struct vv_err *err)
{
	size_t segs = ranges;
	int ret = 0;

	*g = (struct vv_group){.base.read_at = read_at, .n = n, .files = calloc(n, sizeof(*g->files))};
	for (size_t i = 0; i < n && g->files; i++) {
		g->files[i] = (struct vv_group_file){files[i].m, g->m.size, files[i].bytes};
		if (vv_add_over(g->m.size, files[i].m->size, &g->m.size))
			ret = vv_fail(err, VV_ELIMIT, "files of more than 2^64 bytes together");
		segs += files[i].m->n_segs;
	}
	g->m.format = files[0].m->format;
	g->m.segs = vv_arena_array(&g->m.arena, segs + 1, sizeof(*g->m.segs));
	g->base.size = g->m.size;
	if (!ret)
		ret = g->files && g->m.segs ? vv_group_sum(g, err) : vv_fail_nomem(err);
	return ret;
}

int vv_group_make(struct vv_group *g, const struct vv_version *files, size_t n, struct vv_err *err)
{
	struct vv_map names = {0};
	int ret = begin(g, files, n, 0, err);

	for (size_t i = 0; i < n && !ret; i++)
		ret = take_file(g, &names, i, err);
	vv_map_release(&names);
	if (ret)
		vv_group_release(g);
	return ret;
}

int vv_group_index(struct vv_group *g, const struct vv_version *files, size_t n, const struct vv_elsewheres *e,
	const size_t *file_of, size_t *left, struct vv_err *err)
{
	struct range *ranges = calloc(e->n + 1, sizeof(*ranges));
	bool *own = calloc(n, sizeof(*own));
	struct vv_map names = {0};
	size_t n_ranges = 0, at = 0;
	int ret = begin(g, files, n, e->n, err);

	*left = 0;
	if (!ret && (!ranges || !own))
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < e->n && !ret; i++) {
		if (file_of[i] == SIZE_MAX)
			++*left;
		else if (e->items[i].off == UINT64_MAX)
			own[file_of[i]] = true;
		else
			ranges[n_ranges++] = (struct range){&e->items[i], file_of[i]};
	}
	if (!ret)
		qsort(ranges, n_ranges, sizeof(*ranges), by_place);
	for (size_t i = 0; i < n && !ret; i++) {
		size_t first = at, within;

		while (at < n_ranges && ranges[at].file == i && !ranges[at].e->within)
			at++;
		for (within = at; at < n_ranges && ranges[at].file == i;)
			at++;
		if (at == first && (!i || own[i]))
			ret = take_file(g, &names, i, err);
		if (within > first)
			ret = take_ranges(g, &names, ranges + first, within - first, left, err);
		if (at > within && !ret)
			ret = take_within(g, &names, ranges + within, at - within, left, err);
	}
	free(ranges);
	free(own);
	vv_map_release(&names);
	if (ret)
		vv_group_release(g);
	return ret;
}

void vv_group_release(struct vv_group *g)
{
	vv_manifest_release(&g->m);
	free(g->files);
	*g = (struct vv_group){0};
}
