/*
 * Getting objects: windows of blocks are decoded by all threads, and written, while the window
 * before is hashed. Nothing is reported as read until its object's SHA-256 was right.
 */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>

/* One block of a window. */
struct block {
	struct object *o;
	size_t k, at; /* at: offset in the window's memory */
	uint64_t to;  /* offset in the target file */
};

/* A run of an item's bytes in a window: to hash. */
struct run {
	size_t item, at, len;
	bool last;
};

struct window {
	uint8_t *mem;
	size_t used;
	struct block *blocks;
	struct run *runs;
	struct object **objects; /* opened for this window */
	size_t n_blocks, cap_blocks, n_runs, cap_runs, n_objects, cap_objects;
};

struct get {
	struct vv_store *store;
	const struct vv_get_item *items;
	struct vv_sha256 *sha; /* by item, while its bytes come */
	size_t n;
	int fd;                /* -1: only verify */
	const char *path;
	struct window w[2];
	unsigned now;          /* the window being decoded; the other is hashed */
	struct scratch **scratch;
	/* where the next window begins */
	size_t item, chunk, block;
	struct object *o, *list;
	uint64_t item_at, done;
};

static int wrong(const struct vv_id *id, struct vv_err *err, const char *what)
{
	char hex[VV_ID_HEX + 1];

	return vv_fail(err, VV_ECORRUPT, "object %s: %s", vv_id_hex(id, hex), what);
}

static int keep(struct window *w, struct object *o, struct vv_err *err)
{
	int ret = grow(&w->objects, &w->cap_objects, w->n_objects + 1, sizeof(struct object *), err);

	if (ret)
		object_free(o);
	else
		w->objects[w->n_objects++] = o;
	return ret;
}

/* The next object with blocks: the item's own, or its next chunk. NULL in g->o: the item is over. */
static int next_object(struct get *g, struct window *w, struct vv_err *err)
{
	const struct vv_get_item *it = &g->items[g->item];
	struct vv_id id = it->id;
	uint32_t len;
	int ret;

	g->o = NULL;
	g->block = 0;
	if (g->list) {
		if (g->chunk == g->list->n_rows)
			return 0;
		object_chunk(g->list, g->chunk++, &id, &len);
	} else if (g->chunk++) {
		return 0;
	}
	ret = object_open(&g->o, g->store, &id, err);
	if (ret)
		return ret == VV_ENOTFOUND && g->list ? wrong(&it->id, err, "a chunk is missing") : ret;
	if (g->o->e.size != (g->list ? len : it->len)) {
		object_free(g->o);
		g->o = NULL;
		return wrong(&it->id, err, g->list ? "a chunk is not what its list says" : "its size is not the expected one");
	}
	if (g->o->e.kind == KIND_CHUNKS) {
		if (g->list) {
			object_free(g->o);
			g->o = NULL;
			return wrong(&it->id, err, "a chunk that is itself a list");
		}
		g->list = g->o;
		g->chunk = 0;
		return next_object(g, w, err);
	}
	return keep(w, g->o, err);
}

static int begin_item(struct get *g, struct vv_err *err)
{
	g->chunk = 0;
	g->item_at = 0;
	object_free(g->list);
	g->list = NULL;
	g->o = NULL;
	return vv_sha256_init(&g->sha[g->item], err);
}

/* Fills w->blocks and w->runs with the next WINDOW bytes. */
static int fill(struct get *g, struct window *w, struct vv_err *err)
{
	int ret = 0;

	w->used = w->n_blocks = w->n_runs = 0;
	while (g->item < g->n && w->used < WINDOW && !ret) {
		const struct vv_get_item *it = &g->items[g->item];
		struct run run = {g->item, w->used, 0, false};

		if (!g->sha[g->item].ctx)
			ret = begin_item(g, err);
		while (!ret && w->used < WINDOW) {
			size_t len;
			if (!g->o || g->block == g->o->n_rows) {
				ret = next_object(g, w, err);
				if (ret)
					break;
				if (!g->o) {
					run.last = true;
					if (g->item_at != it->len)
						ret = wrong(&it->id, err, "it is shorter than it should be");
					break;
				}
				continue;
			}
			len = object_block_len(g->o, g->block);
			if (len > it->len - g->item_at) {
				ret = wrong(&it->id, err, "it is longer than it should be");
				break;
			}
			ret = grow(&w->blocks, &w->cap_blocks, w->n_blocks + 1, sizeof(*w->blocks), err);
			if (ret)
				break;
			w->blocks[w->n_blocks++] = (struct block){g->o, g->block++, w->used, it->off + g->item_at};
			w->used += len;
			run.len += len;
			g->item_at += len;
		}
		if (!ret)
			ret = grow(&w->runs, &w->cap_runs, w->n_runs + 1, sizeof(*w->runs), err);
		if (!ret)
			w->runs[w->n_runs++] = run;
		if (run.last && !ret) {
			g->item++;
			g->done += it->len;
		}
	}
	return ret;
}

static int job(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct get *g = arg;
	struct window *old = &g->w[!g->now], *w = &g->w[g->now];

	if (i < old->n_runs) {
		struct run *r = &old->runs[i];
		struct vv_id id;
		vv_sha256_update(&g->sha[r->item], vv_span(old->mem + r->at, r->len));
		if (!r->last)
			return 0;
		vv_sha256_final(&g->sha[r->item], &id);
		vv_sha256_release(&g->sha[r->item]);
		return vv_id_eq(&id, &g->items[r->item].id)
			? 0 : wrong(&g->items[r->item].id, err, "its bytes do not have this SHA-256");
	}
	struct block *b = &w->blocks[i - old->n_runs];
	int ret = object_block(b->o, b->k, w->mem + b->at, g->scratch[worker], err);
	if (!ret && g->fd >= 0)
		ret = vv_pwrite_fd(g->fd, vv_span(w->mem + b->at, object_block_len(b->o, b->k)), b->to, g->path, err);
	return ret;
}

static void close_objects(struct get *g, struct window *w)
{
	size_t kept = 0;

	/* The object that goes on in the next window moves there. */
	for (size_t i = 0; i < w->n_objects; i++)
		if (w->objects[i] == g->o)
			kept = 1;
		else
			object_free(w->objects[i]);
	w->n_objects = 0;
	if (kept)
		w->objects[w->n_objects++] = g->o;
}

static int get_all(struct vv_store *s, const struct vv_get_item *items, size_t n, int fd, const char *path,
	struct vv_progress *prog, struct vv_err *err)
{
	struct get g = {.store = s, .items = items, .n = n, .fd = fd, .path = path};
	unsigned threads = vv_pool_threads(s->pool);
	uint64_t total = 0;
	bool more = true;
	int ret = 0;

	g.sha = calloc(n ? n : 1, sizeof(*g.sha));
	g.scratch = scratch_take_all(s, threads, err);
	for (size_t i = 0; i < n; i++)
		if (vv_add_over(total, items[i].len, &total))
			total = UINT64_MAX;
	for (int i = 0; i < 2; i++)
		g.w[i].mem = malloc((size_t)vv_min64(WINDOW + MAX_BLOCK, total) + 1);
	if (!g.sha || !g.scratch || !g.w[0].mem || !g.w[1].mem)
		ret = vv_fail_nomem(err);
	while (!ret && more) {
		struct window *w = &g.w[g.now], *old = &g.w[!g.now];
		ret = fill(&g, w, err);
		if (!ret)
			ret = vv_pool_run(s->pool, old->n_runs + w->n_blocks, job, &g, err);
		if (!ret) {
			more = w->n_runs || w->n_blocks;
			if (fd >= 0 && w->n_blocks)
				vv_write_behind(fd, w->blocks[0].to, w->used);
			close_objects(&g, w);
			old->n_runs = 0;
			/* An object that goes on is opened for the window it is read in: hand it over. */
			if (w->n_objects) {
				ret = keep(old, w->objects[0], err);
				w->n_objects = 0;
			}
			g.now = !g.now;
			vv_progress(prog, fd >= 0 ? "Restoring" : "Checking", g.done + g.item_at, total);
		}
	}
	g.o = NULL;
	for (int i = 0; i < 2; i++) {
		close_objects(&g, &g.w[i]);
		free(g.w[i].objects);
		free(g.w[i].blocks);
		free(g.w[i].runs);
		free(g.w[i].mem);
	}
	object_free(g.list);
	for (size_t i = 0; i < n && g.sha; i++)
		vv_sha256_release(&g.sha[i]);
	scratch_give_all(s, g.scratch, threads);
	free(g.sha);
	return ret;
}

/* Once more when a pack was merged away under our eyes: all of it is in another one now. */
static int get(struct vv_store *s, const struct vv_get_item *items, size_t n, int fd, const char *path,
	struct vv_progress *prog, struct vv_err *err)
{
	unsigned before;
	int ret, tries = 0;

	do {
		before = store_losses(s);
		ret = get_all(s, items, n, fd, path, prog, err);
	} while (ret && tries++ < 3 && store_losses(s) != before);
	store_revive(s);
	return ret;
}

int vv_store_get_fd(struct vv_store *s, const struct vv_get_item *items, size_t n, int fd, const char *path,
	struct vv_progress *prog, struct vv_err *err)
{
	return get(s, items, n, fd, path, prog, err);
}

int vv_store_verify(
	struct vv_store *s, const struct vv_get_item *items, size_t n, struct vv_progress *prog, struct vv_err *err)
{
	return get(s, items, n, -1, NULL, prog, err);
}
