/*
 * Sending. A pack of ours of which the remote lacks nearly all goes as it is; what else it lacks is copied into the
 * mirror, which makes new packs of it, and those go. Then they are thin again.
 */
#include "remote/internal.h"

#include <stdlib.h>

struct push {
	struct vv_mirror *m;
	struct vv_transfer *stats;
	struct vv_progress *prog;
	const struct vv_extents *x; /* what is wanted */
	struct vv_extents packs;    /* names, and sizes as len, of what is to be sent or kept */
};

static int put_pack(struct push *p, const struct vv_id *name, uint64_t size, const char *path, struct vv_err *err)
{
	struct vv_mirror *m = p->m;
	int ret = m->remote->ops->put(m->remote, name, path, p->prog, err);

	if (!ret)
		ret = mirror_note(m, name, size, err);
	if (!ret)
		ret = vv_thin_copy(m->dir, path, name, err);
	p->stats->packs += !ret;
	p->stats->bytes += ret ? 0 : size;
	return ret;
}

/* --- packs as they are --- */

static int consider(void *arg, const struct vv_pack_info *info, struct vv_err *err)
{
	struct push *p = arg;
	uint64_t wanted = vv_extents_of(p->x, &info->name), size;
	bool yes = false;
	int ret = 0;

	if (!wanted || !nearly_all(wanted, info->size) || mirror_has(p->m, &info->name, &size))
		return 0;
	ret = vv_store_suits(p->m->store, p->m->local, &info->name, &yes, err);
	if (!ret && yes)
		ret = put_pack(p, &info->name, info->size, info->path, err);
	return !ret && yes ? vv_store_refresh(p->m->store, err) : ret;
}

/* Again while there are more: one pack's bases lie in another. */
static int send_whole(struct push *p, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_extents x = {0};
	size_t before;
	int ret = 0;

	do {
		before = p->stats->packs;
		x.n = 0;
		ret = vv_store_wanted(p->m->local, p->m->store, ids, n, &x, err);
		vv_extents_join(&x, 0);
		p->x = &x;
		if (!ret && x.n)
			ret = vv_store_each_pack(p->m->local, consider, p, err);
	} while (!ret && x.n && p->stats->packs != before);
	vv_extents_release(&x);
	return ret;
}

/* --- the rest --- */

static int note_new(void *arg, const struct vv_pack_info *info, struct vv_err *err)
{
	struct push *p = arg;
	uint64_t size;

	return mirror_has(p->m, &info->name, &size) ? 0 : vv_extents_add(&p->packs, &info->name, 0, info->size, err);
}

static int send_rest(struct push *p, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_mirror *m = p->m;
	int ret = vv_store_copy(m->store, m->local, ids, n, NULL, p->prog, err);

	if (!ret)
		ret = vv_store_each_pack(m->store, note_new, p, err);
	for (size_t i = 0; i < p->packs.n && !ret; i++) {
		char *path = vv_thin_path(m->dir, &p->packs.v[i].pack);
		ret = path ? put_pack(p, &p->packs.v[i].pack, p->packs.v[i].len, path, err) : vv_fail_nomem(err);
		free(path);
	}
	return ret;
}

/* Packs of the remote with something that the ids need. */
static int note_relied(void *arg, const struct vv_pack_info *info, struct vv_err *err)
{
	struct push *p = arg;

	return info->relied ? vv_extents_add(&p->packs, &info->name, 0, 0, err) : 0;
}

static int keep_old(struct push *p, struct vv_err *err)
{
	struct vv_remote *r = p->m->remote;
	struct vv_id *names = malloc((p->packs.n + 1) * sizeof(*names));
	int ret = names ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; !ret && i < p->packs.n; i++)
		names[i] = p->packs.v[i].pack;
	if (!ret && p->packs.n)
		ret = r->ops->keep(r, names, p->packs.n, err);
	free(names);
	return ret;
}

static int try_push(struct push *p, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	int ret;

	p->packs.n = 0;
	ret = send_whole(p, ids, n, err);
	if (!ret)
		ret = send_rest(p, ids, n, err);
	p->packs.n = 0;
	if (!ret)
		ret = vv_store_each_pack(p->m->store, note_relied, p, err);
	return ret ? ret : keep_old(p, err);
}

int vv_mirror_push(struct vv_mirror *m, const struct vv_id *ids, size_t n, struct vv_transfer *stats,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_transfer unused;
	struct push p = {.m = m, .stats = stats ? stats : &unused, .prog = prog};
	int ret, tries = 0;

	*p.stats = (struct vv_transfer){0, 0, 0};
	ret = try_push(&p, ids, n, err);
	/* Somebody's gc took away what we rely on, after we had asked. */
	while (ret == VV_ENOTFOUND && tries++ < 3) {
		vv_err_clear(err);
		ret = mirror_sync(m, err);
		if (!ret)
			ret = try_push(&p, ids, n, err);
	}
	vv_extents_release(&p.packs);
	return ret;
}
