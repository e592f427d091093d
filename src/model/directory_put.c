/* The files of a directory into the store: large ones each on its own, small ones gathered. */
#include "hash/sha256.h"
#include "model/base_pick.h"
#include "model/directory.h"
#include "model/manifest_text.h"

#include <stdlib.h>

enum {
	SMALL = 4 << 20,          /* bytes of a file that is gathered */
	AT_ONCE = 64 << 20,       /* of all that are */
	ITEMS_AT_ONCE = 1 << 16,
	MAX_PARENTS = 32,
};

/* A file whose bytes are gathered, and not yet stored. */
struct vv_dir_waiting {
	char *path;
	unsigned mode;
	struct vv_id sha256;
	size_t off, size;         /* in the gathered bytes */
	size_t item, n_items;
	struct vv_layout *layout; /* NULL: opaque, and nothing to tell */
};

void vv_dir_put_init(struct vv_dir_put *p, struct vv_store *store, const struct vv_manifest *parent,
	struct vv_dir_build *build, struct vv_progress *prog)
{
	*p = (struct vv_dir_put){.store = store, .parent = parent, .build = build, .prog = prog,
		.bytes = VV_BUF_INIT(AT_ONCE + SMALL)};
}

static void drop_waiting(struct vv_dir_put *p)
{
	for (size_t i = 0; i < p->n_waiting; i++) {
		if (p->waiting[i].layout)
			vv_layout_release(p->waiting[i].layout);
		free(p->waiting[i].layout);
		free(p->waiting[i].path);
	}
	p->n_waiting = 0;
	p->n_items = 0;
	vv_buf_clear(&p->bytes);
}

void vv_dir_put_release(struct vv_dir_put *p)
{
	drop_waiting(p);
	vv_buf_release(&p->bytes);
	free(p->items);
	free(p->waiting);
	p->items = NULL;
	p->waiting = NULL;
}

static void add_stats(struct vv_dir_put *p, const struct vv_put_stats *s)
{
	p->stats.raw += s->raw;
	p->stats.raw_new += s->raw_new;
	p->stats.stored += s->stored;
	p->stats.objects += s->objects;
	p->stats.objects_new += s->objects_new;
}

/* --- parents --- */

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* The file's last version, then the models beside it: a shard's tensors may have moved. */
static int find_parents(
	const struct vv_dir_put *p, const char *path, struct vv_manifest *out, size_t max, size_t *n, struct vv_err *err)
{
	size_t own = SIZE_MAX, folder = folder_len(path);
	int ret = 0;

	*n = 0;
	if (!p->parent)
		return 0;
	if (vv_dir_find(p->parent, path, &own) && strcmp(p->parent->files[own].format, "opaque")) {
		ret = vv_dir_file(p->parent, own, &out[0], err);
		*n = !ret;
	}
	for (size_t i = 0; i < p->parent->n_files && !ret && *n < max; i++) {
		const struct vv_manifest_file *f = &p->parent->files[i];
		if (i == own || !strcmp(f->format, "opaque") || folder_len(f->path) != folder || memcmp(f->path, path, folder))
			continue;
		ret = vv_dir_file(p->parent, i, &out[*n], err);
		*n += !ret;
	}
	return ret;
}

static void free_parents(struct vv_manifest *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vv_manifest_release(&m[i]);
}

/* --- large files --- */

static int put_large(
	struct vv_dir_put *p, const char *path, unsigned mode, const struct vv_source *src, struct vv_err *err)
{
	struct vv_manifest parents[MAX_PARENTS], m = {0};
	const struct vv_manifest *list[MAX_PARENTS];
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_put_stats stats = {0};
	size_t n = 0;
	int ret = find_parents(p, path, parents, MAX_PARENTS, &n, err);

	for (size_t i = 0; i < n; i++)
		list[i] = &parents[i];
	if (!ret)
		ret = vv_model_put(p->store, src, list, n, &text, &m, &stats, p->prog, err);
	if (!ret)
		ret = vv_dir_build_put(p->build, path, mode, &m, err);
	if (!ret)
		add_stats(p, &stats);
	free_parents(parents, n);
	vv_manifest_release(&m);
	vv_buf_release(&text);
	return ret ? vv_err_in(err, "%s", path) : 0;
}

/* --- small files --- */

/* Gives the build what a file is made of. */
static int hand_over(struct vv_dir_put *p, const struct vv_dir_waiting *w, struct vv_err *err)
{
	struct vv_manifest m = {.format = w->layout ? w->layout->format->name : "opaque", .size = w->size, .sha256 = w->sha256};
	int ret = 0;

	m.segs = vv_arena_array(&m.arena, w->n_items, sizeof(*m.segs));
	if (!m.segs)
		ret = vv_fail_nomem(err);
	for (; !ret && m.n_segs < w->n_items; m.n_segs++) {
		const struct vv_put_item *item = &p->items[w->item + m.n_segs];
		m.segs[m.n_segs].id = item->id;
		if (w->layout)
			m.segs[m.n_segs].seg = w->layout->segs[m.n_segs];
		else
			m.segs[m.n_segs].seg = (struct vv_segment){.len = item->len, .dtype = VV_DT_BYTES};
	}
	if (w->layout) {
		m.findings = w->layout->findings;
		m.n_findings = w->layout->n_findings;
	}
	for (size_t i = 0; !ret && i < m.n_findings; i++)
		if (strlen(m.findings[i].detail) > VV_TEXT_DETAIL) {
			m.findings[i].detail = vv_arena_copy(&w->layout->arena, vv_span(m.findings[i].detail, VV_TEXT_DETAIL));
			ret = m.findings[i].detail ? 0 : vv_fail_nomem(err);
		}
	if (!ret)
		ret = vv_dir_build_put(p->build, w->path, w->mode, &m, err);
	vv_arena_release(&m.arena);
	return ret;
}

int vv_dir_put_end(struct vv_dir_put *p, struct vv_err *err)
{
	struct vv_source_mem src;
	struct vv_put_stats stats = {0};
	int ret = 0;

	vv_source_mem_init(&src, vv_buf_view(&p->bytes));
	if (p->n_items)
		ret = vv_store_put(p->store, &src.base, p->items, p->n_items, NULL, &stats, p->prog, err);
	for (size_t i = 0; i < p->n_waiting && !ret; i++)
		ret = hand_over(p, &p->waiting[i], err);
	if (!ret)
		add_stats(p, &stats);
	drop_waiting(p);
	return ret;
}

/* `v`, or where it is now that it has room for `n` of something; NULL without memory, `v` is there then. */
static void *room(void *v, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap : 64;
	void *more;

	while (want < n)
		want *= 2;
	if (want == *cap)
		return v;
	more = realloc(v, want * size);
	if (more)
		*cap = want;
	return more;
}

/* The file's segments become items, with bases from the last version. */
static int add_items(struct vv_dir_put *p, struct vv_dir_waiting *w, const struct vv_layout *l, struct vv_err *err)
{
	struct vv_manifest parent = {0};
	const struct vv_manifest *list[] = {&parent};
	size_t n = 0;
	void *more = room(p->items, &p->cap_items, p->n_items + l->n_segs, sizeof(*p->items));
	int ret = 0;

	if (!more)
		return vv_fail_nomem(err);
	p->items = more;
	w->item = p->n_items;
	w->n_items = l->n_segs;
	for (size_t i = 0; i < l->n_segs; i++)
		p->items[p->n_items + i] = (struct vv_put_item){
			.off = w->off + l->segs[i].off, .len = l->segs[i].len, .dtype = l->segs[i].dtype};
	if (w->layout)
		ret = find_parents(p, w->path, &parent, 1, &n, err);
	if (!ret && n)
		ret = vv_pick_bases(p->items + p->n_items, l, list, n, err);
	vv_manifest_release(&parent);
	if (!ret)
		p->n_items += l->n_segs;
	return ret;
}

static int locate(struct vv_dir_put *p, struct vv_dir_waiting *w, struct vv_err *err)
{
	struct vv_span bytes = vv_span(p->bytes.ptr + w->off, w->size);
	struct vv_layout *l = calloc(1, sizeof(*l));
	struct vv_source_mem src;
	int ret = l ? 0 : vv_fail_nomem(err);

	vv_source_mem_init(&src, bytes);
	if (!ret)
		ret = vv_layout_locate(l, &src.base, err);
	if (!ret && (l->n_segs > 1 || l->n_findings || (l->n_segs && l->segs[0].n_views)))
		w->layout = l;
	if (!ret)
		ret = add_items(p, w, l, err);
	if (w->layout != l && l) {
		vv_layout_release(l);
		free(l);
	}
	vv_sha256(bytes, &w->sha256);
	return ret;
}

int vv_dir_put_file(
	struct vv_dir_put *p, const char *path, unsigned mode, const struct vv_source *src, struct vv_err *err)
{
	struct vv_dir_waiting *w;
	size_t size;
	void *to, *more;
	int ret = 0;

	if (src->size > SMALL)
		return put_large(p, path, mode, src, err);
	size = (size_t)src->size;
	if (p->bytes.len + size > AT_ONCE || p->n_items >= ITEMS_AT_ONCE)
		ret = vv_dir_put_end(p, err);
	if (ret)
		return ret;
	more = room(p->waiting, &p->cap_waiting, p->n_waiting + 1, sizeof(*w));
	if (!more)
		return vv_fail_nomem(err);
	p->waiting = more;
	w = &p->waiting[p->n_waiting++];
	*w = (struct vv_dir_waiting){.path = strdup(path), .mode = mode, .off = p->bytes.len, .size = size};
	to = vv_buf_reserve(&p->bytes, size);
	if (!w->path || !to)
		return vv_fail_nomem(err);
	if (size)
		ret = vv_source_read(src, 0, to, size, err);
	p->bytes.len += size;
	if (!ret)
		ret = locate(p, w, err);
	return ret ? vv_err_in(err, "%s", path) : 0;
}
