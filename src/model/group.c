#include "model/group.h"

#include "base/check.h"
#include "base/map.h"
#include "hash/sha256.h"

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

/* `name`, or the first of "name~2", "name~3", … that no earlier file has; NULL when memory is gone. */
static const char *unique(struct vv_group *g, struct vv_map *names, const char *name)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_NAME + 32);
	const char *own = name;
	bool added = false;

	for (size_t n = 2; own && vv_map_put(names, vv_span_str(own), 0, &added) && !added; n++) {
		vv_buf_clear(&b);
		vv_buf_fmt(&b, "%s~%zu", name, n);
		own = b.failed ? NULL : vv_arena_copy(&g->m.arena, vv_buf_view(&b));
	}
	vv_buf_release(&b);
	return added ? own : NULL;
}

static int take_file(struct vv_group *g, struct vv_map *names, const struct vv_manifest *m, struct vv_err *err)
{
	for (size_t i = 0; i < m->n_segs; i++) {
		struct vv_manifest_seg *s = &g->m.segs[g->m.n_segs++];
		struct vv_view *views;

		*s = m->segs[i];
		s->seg.off += g->m.size;
		if (!s->seg.n_views)
			continue;
		views = vv_arena_array(&g->m.arena, s->seg.n_views, sizeof(*views));
		if (!views)
			return vv_fail_nomem(err);
		for (size_t k = 0; k < s->seg.n_views; k++) {
			views[k] = m->segs[i].seg.views[k];
			views[k].name = unique(g, names, views[k].name);
			if (!views[k].name)
				return vv_fail_nomem(err);
		}
		s->seg.views = views;
	}
	g->m.size += m->size; /* vv_group_make has seen that they add up */
	return 0;
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

int vv_group_make(struct vv_group *g, const struct vv_manifest *const *files, size_t n, struct vv_err *err)
{
	struct vv_map names = {0};
	struct vv_buf ids = VV_BUF_INIT(SIZE_MAX);
	uint64_t size = 0;
	size_t segs = 0;
	int ret = 0;

	*g = (struct vv_group){.base.read_at = read_at, .files = calloc(n ? n : 1, sizeof(*g->files))};
	for (size_t i = 0; i < n; i++) {
		if (vv_add_over(size, files[i]->size, &size))
			ret = vv_fail(err, VV_ELIMIT, "files of more than 2^64 bytes together");
		segs += files[i]->n_segs;
	}
	g->m.format = n ? files[0]->format : "opaque";
	g->m.segs = vv_arena_array(&g->m.arena, segs + 1, sizeof(*g->m.segs));
	if (!ret && (!g->files || !g->m.segs))
		ret = vv_fail_nomem(err);
	for (; g->n < n && !ret; g->n++) {
		g->files[g->n].off = g->m.size;
		vv_buf_add(&ids, files[g->n]->sha256.b, VV_ID_BYTES);
		ret = take_file(g, &names, files[g->n], err);
	}
	if (!ret)
		ret = vv_buf_check(&ids, err);
	if (!ret)
		vv_sha256(vv_buf_view(&ids), &g->m.sha256);
	g->base.size = g->m.size;
	vv_map_release(&names);
	vv_buf_release(&ids);
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
