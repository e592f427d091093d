/* Packs that stay, move, or leave: the locks, the times that gc goes by, the trash, corrupt/. */
#define _GNU_SOURCE
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int store_lock(struct vv_store *s, struct vv_lock *l, unsigned flags, struct vv_err *err)
{
	char *path = vv_join(s->dir, "lock");
	int ret = path ? vv_lock(l, path, flags, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

int store_lock_gc(struct vv_store *s, struct vv_lock *l, struct vv_err *err)
{
	char *path = vv_join(s->dir, "gc.lock");
	int ret = path ? vv_lock(l, path, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

/* Under the lock. */
static int move_to(struct vv_store *s, struct pack *p, const char *sub, struct vv_err *err)
{
	char name[VV_ID_HEX + 8], *path;
	int ret;

	snprintf(name, sizeof(name), "%s.pack", p->hex);
	path = store_path(s, sub, name);
	if (!path)
		return vv_fail_nomem(err);
	ret = vv_rename(p->path, path, err);
	if (ret) {
		free(path);
		return ret;
	}
	free(p->path);
	p->path = path;
	return 0;
}

int store_move_pack(struct vv_store *s, struct pack *p, const char *sub, struct vv_err *err)
{
	int ret;

	pthread_mutex_lock(&s->lock);
	ret = move_to(s, p, sub, err);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static int freshen(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	int ret;

	if (p->touched || p->corrupt)
		return 0;
	if (p->trashed) {
		ret = move_to(s, p, "packs", err);
		if (ret)
			return ret;
		p->trashed = p->wanted = false;
	}
	/* Always: gc sees by the time that somebody came while it was thinking. */
	if (utimensat(AT_FDCWD, p->path, NULL, 0) && errno != EACCES && errno != EPERM)
		return vv_fail_sys(err, errno, "%s", p->path);
	p->touched = s->relied = true;
	return 0;
}

int store_freshen(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	int ret = 0;

	/* Twice: another writer may have taken it out of the trash just now. */
	for (int i = 0; i < 2 && !s->readonly; i++) {
		pthread_mutex_lock(&s->lock);
		ret = freshen(s, p, err);
		pthread_mutex_unlock(&s->lock);
		if (ret != VV_ENOTFOUND)
			break;
		if (!i && vv_store_refresh(s, err))
			return err->code;
	}
	return ret;
}

int store_settle(struct vv_store *s, struct vv_err *err)
{
	char *dir;
	int ret;

	if (!s->relied)
		return 0;
	dir = vv_join(s->dir, "packs");
	ret = dir ? vv_sync_dir(dir, err) : vv_fail_nomem(err);
	s->relied = ret != 0;
	free(dir);
	return ret;
}

static int keep_chunks(struct vv_store *s, struct pack *p, const struct entry *e, struct vv_err *err)
{
	struct object *o = NULL;
	struct vv_id id;
	uint32_t len;
	int ret = object_open_at(&o, s, p, e, err);

	for (size_t i = 0; !ret && i < o->n_rows; i++) {
		object_chunk(o, i, &id, &len);
		ret = store_keep(s, &id, err);
	}
	object_free(o);
	return ret;
}

int store_keep(struct vv_store *s, const struct vv_id *id, struct vv_err *err)
{
	unsigned below = ANY_DEPTH;
	struct vv_store *where;
	struct pack *p;
	struct entry e = {.id = *id};

	do {
		struct vv_id at = below == ANY_DEPTH ? *id : e.base;
		int ret = store_locate(s, &at, below, &where, &p, &e, err);
		if (!ret && where != s)
			ret = vv_fail(err, VV_ENOTFOUND, "only an alternate has it");
		if (!ret)
			ret = store_freshen(s, p, err);
		if (!ret && e.kind == KIND_CHUNKS)
			/* A list has no base; a chunk is no list. */
			return below == ANY_DEPTH ? keep_chunks(s, p, &e, err) : 0;
		if (ret)
			return ret;
		below = e.depth;
	} while (below);
	return 0;
}

void store_revive(struct vv_store *s)
{
	struct vv_lock lock = VV_LOCK_INIT;
	struct vv_err err = VV_ERR_INIT;
	bool wanted;

	pthread_mutex_lock(&s->lock);
	wanted = s->wanted;
	s->wanted = false;
	pthread_mutex_unlock(&s->lock);
	/* What was read was read: that it could not be moved is no failure of the read. */
	if (!wanted || s->readonly || store_lock(s, &lock, VV_LOCK_SHARED | VV_LOCK_NOWAIT, &err))
		return;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_packs; i++)
		if (s->packs[i]->wanted && s->packs[i]->trashed && freshen(s, s->packs[i], &err))
			vv_err_clear(&err);
	pthread_mutex_unlock(&s->lock);
	vv_unlock(&lock);
}

unsigned store_losses(struct vv_store *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->losses;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_alternates; i++)
		n += store_losses(s->alternates[i]);
	return n;
}

/* The name in corrupt/ that is still free. */
static int free_name(char **out, const char *dir, const char *path, struct vv_err *err)
{
	char *to = vv_join(dir, strrchr(path, '/') + 1);

	for (unsigned i = 1; to && vv_exists(to); i++) {
		free(to);
		if (asprintf(&to, "%s/%s.%u", dir, strrchr(path, '/') + 1, i) < 0)
			to = NULL;
	}
	*out = to;
	return to ? 0 : vv_fail_nomem(err);
}

int store_quarantine(struct vv_store *s, const char *path, struct pack *p, struct vv_err *err)
{
	char *dir = vv_join(s->dir, "corrupt"), *to = NULL;
	int ret = dir ? vv_mkdirs(dir, err) : vv_fail_nomem(err);

	if (!ret)
		ret = free_name(&to, dir, path, err);
	if (!ret)
		ret = vv_rename(path, to, err);
	if (!ret)
		ret = vv_sync_dir(dir, err);
	if (!ret && p) {
		pthread_mutex_lock(&s->lock);
		free(p->path);
		p->path = to;
		p->corrupt = true;
		pthread_mutex_unlock(&s->lock);
		to = NULL;
	}
	free(dir);
	free(to);
	return ret;
}
