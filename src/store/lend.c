/* Packs as wholes: which records a copy takes, and packs that go from one store to another as they are. */
#include "store/internal.h"
#include "store/thin.h"

#include "base/arena.h"

#include <stdlib.h>

/* Pack i, with a path of our own; false: there are no more. */
static bool pack_at(struct vv_store *s, size_t i, struct vv_pack_info *info, bool *used)
{
	bool there;

	pthread_mutex_lock(&s->lock);
	there = i < s->n_packs;
	if (there) {
		const struct pack *p = s->packs[i];
		*used = !p->trashed && !p->corrupt;
		*info = (struct vv_pack_info){p->name, p->size, strdup(p->path), p->touched};
	}
	pthread_mutex_unlock(&s->lock);
	return there;
}

int vv_store_each_pack(struct vv_store *s, int (*fn)(void *, const struct vv_pack_info *, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct vv_pack_info info;
	bool used;
	int ret = 0;

	for (size_t i = 0; !ret && pack_at(s, i, &info, &used); i++) {
		if (!info.path)
			ret = vv_fail_nomem(err);
		else if (used)
			ret = fn(arg, &info, err);
		free((char *)(uintptr_t)info.path);
	}
	return ret;
}

/* --- what is wanted --- */

struct wanted {
	struct vv_store *from, *to;
	struct vv_map seen;
	struct vv_arena ids;
	struct vv_extents *out;
};

/* The first time that this id comes along? */
static int note(struct wanted *w, const struct vv_id *id, bool *fresh, struct vv_err *err)
{
	struct vv_id *key = vv_arena_alloc(&w->ids, sizeof(*key));

	if (!key)
		return vv_fail_nomem(err);
	*key = *id;
	return vv_map_put(&w->seen, vv_span(key->b, VV_ID_BYTES), 0, fresh) ? 0 : vv_fail_nomem(err);
}

static int want(struct wanted *w, const struct vv_id *id, bool part, struct vv_err *err);

static int want_chunks(struct wanted *w, struct vv_store *where, struct pack *p, const struct entry *e, struct vv_err *err)
{
	struct object *o = NULL;
	struct vv_id chunk;
	uint32_t len;
	int ret = object_open_at(&o, where, p, e, err);

	for (size_t i = 0; !ret && i < o->n_rows; i++) {
		object_chunk(o, i, &chunk, &len);
		ret = want(w, &chunk, true, err);
	}
	object_free(o);
	return ret;
}

/* Parts have to be in the target itself, as for a copy. */
static int want(struct wanted *w, const struct vv_id *id, bool part, struct vv_err *err)
{
	unsigned below = ANY_DEPTH;
	struct vv_store *where;
	struct entry e = {.id = *id};
	struct pack *p;

	do {
		struct vv_id at = below == ANY_DEPTH ? *id : e.base;
		bool fresh;
		int ret = note(w, &at, &fresh, err);

		if (ret || !fresh)
			return ret;
		if (part || below != ANY_DEPTH ? store_has_own(w->to, &at, ANY_DEPTH) : vv_store_has(w->to, &at))
			return 0;
		ret = store_locate(w->from, &at, below, &where, &p, &e, err);
		if (!ret)
			ret = vv_extents_add(w->out, &p->name, e.off, e.stored, err);
		if (!ret && e.kind == KIND_CHUNKS && below == ANY_DEPTH && !part)
			ret = want_chunks(w, where, p, &e, err);
		if (ret)
			return ret;
		below = e.depth;
	} while (below);
	return 0;
}

int vv_store_wanted(struct vv_store *from, struct vv_store *to, const struct vv_id *ids, size_t n, struct vv_extents *out,
	struct vv_err *err)
{
	struct wanted w = {.from = from, .to = to, .out = out};
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = want(&w, &ids[i], false, err);
	vv_map_release(&w.seen);
	vv_arena_release(&w.ids);
	return ret;
}

/* --- whole packs --- */

static struct pack *pack_named(struct vv_store *s, const struct vv_id *name)
{
	uint64_t *p;

	pthread_mutex_lock(&s->lock);
	p = vv_map_find(&s->names, vv_span(name->b, VV_ID_BYTES));
	pthread_mutex_unlock(&s->lock);
	return p ? (struct pack *)(uintptr_t)*p : NULL;
}

int vv_store_keep_packs(struct vv_store *s, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	char hex[VV_ID_HEX + 1];
	int ret = store_lock(s, &lock, VV_LOCK_SHARED, err);

	for (size_t i = 0; i < n && !ret; i++) {
		struct pack *p = pack_named(s, &packs[i]);
		ret = p ? store_freshen(s, p, err) : vv_fail(err, VV_ENOTFOUND, "no pack %s", vv_id_hex(&packs[i], hex));
	}
	if (!ret)
		ret = store_settle(s, err);
	vv_unlock(&lock);
	return ret;
}

/* Is the object in the pack, or will it be in `to`, with a depth below that? */
static bool is_there(struct vv_store *to, const struct pack *p, const struct vv_id *id, unsigned below)
{
	struct entry e;
	size_t at;

	if (pack_find(p, id, &at)) {
		pack_entry(p, at, &e);
		if (e.depth < below)
			return true;
	}
	return store_has_own(to, id, below);
}

static int chunks_there(struct vv_store *to, struct vv_store *from, struct pack *p, const struct entry *e, bool *yes,
	struct vv_err *err)
{
	struct object *o = NULL;
	struct vv_id chunk;
	uint32_t len;
	int ret = object_open_at(&o, from, p, e, err);

	for (size_t i = 0; !ret && *yes && i < o->n_rows; i++) {
		object_chunk(o, i, &chunk, &len);
		*yes = is_there(to, p, &chunk, ANY_DEPTH);
	}
	object_free(o);
	return ret;
}

int vv_store_suits(struct vv_store *to, struct vv_store *from, const struct vv_id *pack, bool *yes, struct vv_err *err)
{
	struct pack *p = pack_named(from, pack);
	struct entry e;
	int ret = 0;

	*yes = p != NULL;
	for (size_t i = 0; *yes && !ret && i < p->n; i++) {
		pack_entry(p, i, &e);
		if (e.kind == KIND_CHUNKS)
			ret = chunks_there(to, from, p, &e, yes, err);
		else if (e.depth)
			*yes = is_there(to, p, &e.base, e.depth);
	}
	return ret;
}

/* --- taking a pack in --- */

struct adoption {
	struct vv_store *store;
	struct pack *pack;
	struct scratch **scratch;
};

static int verify_entry(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	const struct adoption *a = arg;
	struct object *o = NULL;
	struct entry e;
	int ret;

	pack_entry(a->pack, i, &e);
	ret = object_open_at(&o, a->store, a->pack, &e, err);
	if (!ret)
		ret = object_verify(o, a->scratch[worker], err);
	object_free(o);
	return ret == VV_ENOTFOUND ? vv_fail(err, VV_ECORRUPT, "pack %s: an object goes against what is not here", a->pack->hex) : ret;
}

/* That the file is what its name says proves nothing of the objects in it: each is decoded and hashed. */
static int verify_objects(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	struct vv_pool *pool = s->pool ? NULL : vv_pool_new(0), *use = s->pool ? s->pool : pool;
	struct adoption a = {s, p, NULL};
	unsigned threads = use ? vv_pool_threads(use) : 0;
	int ret = use ? 0 : vv_fail_nomem(err);

	if (!ret && !(a.scratch = scratch_take_all(s, threads, err)))
		ret = err->code;
	if (!ret)
		ret = vv_pool_run(use, p->n, verify_entry, &a, err);
	if (a.scratch)
		scratch_give_all(s, a.scratch, threads);
	vv_pool_free(pool);
	return ret;
}

/* Among the packs of `s` while it is looked at, so that its objects find one another; then no more. */
static int verify_pack(struct vv_store *s, const char *path, const struct vv_id *name, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct pack *p = NULL;
	int ret = pack_verify(path, name, err);

	if (!ret)
		ret = pack_open(&p, path, name, err);
	if (!ret && pack_named(s, name)) {
		pack_free(p);
		return 0;
	}
	if (!ret)
		ret = store_add_pack(s, p, err);
	if (!ret)
		ret = verify_objects(s, p, err);
	/* It lies in no folder that is looked into: so it is forgotten. */
	if (p && vv_store_refresh(s, &why) && !ret) {
		*err = why;
		ret = why.code;
	}
	return ret;
}

int vv_store_adopt(struct vv_store *s, const char *path, const struct vv_id *name, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	struct vv_err why = VV_ERR_INIT;
	int ret;

	if (s->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", s->dir);
	ret = verify_pack(s, path, name, err);
	if ((ret == VV_ECORRUPT || ret == VV_ENOTSUP) && vv_unlink(path, &why))
		return ret;
	if (!ret)
		ret = store_lock(s, &lock, VV_LOCK_SHARED, err);
	if (ret)
		return ret;
	ret = pack_take(s, path, name, err);
	vv_unlock(&lock);
	return ret;
}
