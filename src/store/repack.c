/*
 * Every put makes a pack, so packs are put together as they pile up: when one size class is full its
 * packs become one, so an object is copied once per class, however many versions come. What a merge
 * replaces needs no trash: all of it is in the new pack, and a reader that misses a pack looks again.
 */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	CLASS_MIN = 64 << 10, /* bytes of the smallest class; each next is 8 times as large */
	CLASSES = 4,
	CLASS_FULL = 16,
};

struct merge {
	struct vv_store *store;
	struct pack **packs;
	size_t n;
	struct pack_writer writer;
	struct vv_map depths; /* id → depth of the copy that is in the writer; keys lie in the indexes */
};

/* CLASSES: too large to be merged. */
static unsigned class_of(const struct pack *p)
{
	unsigned c = 0;

	for (uint64_t top = CLASS_MIN; c < CLASSES && p->size >= top; top *= 8)
		c++;
	return c;
}

static int by_size(const void *a, const void *b)
{
	const struct pack *x = *(struct pack *const *)a, *y = *(struct pack *const *)b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* The packs of the lowest class that is full, the smallest first, as many as fit into one. */
static int choose(struct merge *m, struct vv_err *err)
{
	struct vv_store *s = m->store;
	size_t count[CLASSES + 1] = {0};
	unsigned class = 0;
	uint64_t bytes = 0;
	int ret = 0;

	m->n = 0;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_packs; i++)
		count[class_of(s->packs[i])] += !s->packs[i]->trashed && !s->packs[i]->corrupt;
	while (class < CLASSES && count[class] < CLASS_FULL)
		class++;
	if (class < CLASSES) {
		free(m->packs);
		m->packs = malloc(count[class] * sizeof(struct pack *));
		ret = m->packs ? 0 : vv_fail_nomem(err);
		for (size_t i = 0; i < s->n_packs && !ret; i++)
			if (class_of(s->packs[i]) == class && !s->packs[i]->trashed && !s->packs[i]->corrupt)
				m->packs[m->n++] = s->packs[i];
	}
	pthread_mutex_unlock(&s->lock);
	if (m->n)
		qsort(m->packs, m->n, sizeof(struct pack *), by_size);
	for (size_t i = 0; i < m->n; i++)
		if ((bytes += m->packs[i]->size) > PACK_TARGET)
			m->n = i;
	return ret;
}

static int by_off(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int copy_pack(struct merge *m, struct pack *p, struct vv_err *err)
{
	struct entry *all = malloc((p->n + 1) * sizeof(*all));
	int ret = all ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < p->n && !ret; i++)
		pack_entry(p, i, &all[i]);
	if (!ret)
		qsort(all, p->n, sizeof(*all), by_off);
	for (size_t i = 0; i < p->n && !ret; i++) {
		size_t at;
		bool added;
		uint64_t *depth;
		if (!pack_find(p, &all[i].id, &at))
			VV_BUG("an entry that its own index does not have");
		depth = vv_map_put(&m->depths, vv_span(p->index.ptr + at * PACK_ENTRY, VV_ID_BYTES), all[i].depth, &added);
		if (!depth)
			ret = vv_fail_nomem(err);
		/* A delta relies on a copy of lower depth than its own: the lowest must stay. */
		if (ret || (!added && *depth <= all[i].depth))
			continue;
		*depth = all[i].depth;
		ret = writer_record(&m->writer, m->store, p, &all[i], err);
	}
	free(all);
	return ret;
}

/* Where it lies now. Others may refresh meanwhile, so a copy; owned by the caller. NULL: no memory. */
static char *path_of(struct vv_store *s, const struct pack *p)
{
	char *path;

	pthread_mutex_lock(&s->lock);
	path = strdup(p->path);
	pthread_mutex_unlock(&s->lock);
	return path;
}

/* Leaves out packs whose bytes are not those of their name: fsck has to look at them. */
static int copy_all(struct merge *m, struct vv_err *err)
{
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < m->n && !ret; i++) {
		struct vv_err why = VV_ERR_INIT;
		char *path = path_of(m->store, m->packs[i]);
		bool good = path && !pack_verify(path, &m->packs[i]->name, &why);
		free(path);
		if (!good)
			continue;
		m->packs[kept++] = m->packs[i];
		ret = copy_pack(m, m->packs[i], err);
	}
	m->n = kept;
	return ret;
}

/* The youngest of them; those that are no longer in use are left out. False: neither is the new pack. */
static bool take_stock(struct merge *m, const struct pack *made, struct timespec *newest)
{
	size_t kept = 0;

	*newest = (struct timespec){0};
	pthread_mutex_lock(&m->store->lock);
	for (size_t i = 0; i < m->n; i++) {
		struct pack *p = m->packs[i];
		if (p->mtime.tv_sec > newest->tv_sec ||
			(p->mtime.tv_sec == newest->tv_sec && p->mtime.tv_nsec > newest->tv_nsec))
			*newest = p->mtime;
		if (p != made && p->seen && !p->trashed)
			m->packs[kept++] = p;
	}
	m->n = kept;
	kept = made->seen && !made->trashed && !made->corrupt;
	pthread_mutex_unlock(&m->store->lock);
	return kept;
}

static int set_time(struct vv_store *s, const struct pack *p, const struct timespec *t, struct vv_err *err)
{
	struct timespec times[2] = {*t, *t};
	char *path = path_of(s, p);
	int ret = path ? 0 : vv_fail_nomem(err);

	if (!ret && utimensat(AT_FDCWD, path, times, 0) && errno != EPERM)
		ret = vv_fail_sys(err, errno, "%s", path);
	free(path);
	return ret;
}

static int remove_pack(struct vv_store *s, const struct pack *p, struct vv_err *err)
{
	char *path = path_of(s, p);
	int ret = path ? vv_unlink(path, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

/* Under the exclusive lock. The new pack is as old as what it holds, or it would never be. */
static int replace(struct merge *m, struct pack *made, struct vv_err *err)
{
	char *dir = vv_join(m->store->dir, "packs");
	struct timespec newest;
	int ret = dir ? vv_store_refresh(m->store, err) : vv_fail_nomem(err);

	if (!ret && !take_stock(m, made, &newest))
		m->n = 0;
	if (!ret && m->n)
		ret = set_time(m->store, made, &newest, err);
	for (size_t i = 0; i < m->n && !ret; i++)
		ret = remove_pack(m->store, m->packs[i], err);
	if (!ret)
		ret = vv_sync_dir(dir, err);
	if (!ret)
		ret = vv_store_refresh(m->store, err);
	free(dir);
	return ret;
}

static int merge(struct merge *m, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	struct pack *made = NULL;
	struct vv_id name;
	uint64_t *known;
	int ret = copy_all(m, err);

	if (!ret && m->n > 1)
		ret = writer_finish(&m->writer, &made, err);
	if (ret || !made)
		return ret;
	name = made->name;
	ret = store_add_pack(m->store, made, err);
	/* Not waiting: what a put has stored is safe already, and the next one will merge. */
	if (!ret)
		ret = store_lock(m->store, &lock, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, err);
	if (ret)
		return ret;
	pthread_mutex_lock(&m->store->lock);
	known = vv_map_find(&m->store->names, vv_span(name.b, VV_ID_BYTES));
	made = known ? (struct pack *)(uintptr_t)*known : NULL;
	pthread_mutex_unlock(&m->store->lock);
	if (made)
		ret = replace(m, made, err);
	vv_unlock(&lock);
	return ret;
}

void store_merge_small(struct vv_store *s)
{
	struct merge m = {.store = s};
	struct vv_lock only = VV_LOCK_INIT, probe = VV_LOCK_INIT;
	struct vv_err err = VV_ERR_INIT;
	int ret = choose(&m, &err);

	writer_init(&m.writer, s);
	if (ret || m.n < 2 || store_lock_gc(s, &only, &err))
		goto out;
	/* Others are writing: they, or the next one, will. */
	if (store_lock(s, &probe, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, &err))
		goto out;
	vv_unlock(&probe);
	ret = vv_store_refresh(s, &err);
	if (!ret)
		ret = choose(&m, &err);
	if (!ret && m.n > 1)
		ret = merge(&m, &err);
out:
	writer_release(&m.writer);
	vv_unlock(&only);
	vv_map_release(&m.depths);
	free(m.packs);
}
