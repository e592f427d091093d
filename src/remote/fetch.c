/*
 * Fetching. A pack of which nearly all is wanted comes as it is; of others the records come, side by side ones in one
 * request, into thin copies of their packs, and are copied from there, each checked.
 */
#define _GNU_SOURCE
#include "remote/depot.h"
#include "remote/internal.h"

#include "base/check.h"
#include "os/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GAP = 32 << 10 }; /* bytes that are cheaper to read than a request */

struct fetch {
	struct vv_mirror *m;
	struct vv_transfer *stats;
	struct vv_progress *prog;
	uint64_t done, total;
};

/* --- packs as they are --- */

struct incoming {
	struct fetch *f;
	struct vv_arrival *arrival;
};

static int take_whole(void *arg, size_t i VV_UNUSED, uint64_t off VV_UNUSED, struct vv_span bytes, struct vv_err *err)
{
	struct incoming *in = arg;
	struct fetch *f = in->f;

	f->done += bytes.len;
	f->stats->bytes += bytes.len;
	vv_progress(f->prog, "Fetching", f->done, f->total);
	return vv_arrival_write(in->arrival, bytes, err);
}

/* What an earlier try has fetched of it is there still. */
static int fetch_whole(struct fetch *f, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	struct vv_mirror *m = f->m;
	struct vv_arrival a = VV_ARRIVAL_INIT;
	struct incoming in = {f, &a};
	struct vv_depot depot = {NULL, NULL};
	struct vv_extent rest;
	int ret = vv_depot_init(&depot, vv_store_dir(m->local), err);

	if (!ret)
		ret = vv_arrival_begin(&a, &depot, pack, err);
	if (!ret && a.there)
		goto out;
	if (!ret && a.have > size)
		ret = vv_arrival_from(&a, 0, err);
	rest = (struct vv_extent){*pack, a.have, size - a.have};
	f->done += ret ? 0 : a.have;
	if (!ret && rest.len)
		ret = m->remote->ops->get(m->remote, &rest, 1, take_whole, &in, err);
	if (!ret)
		ret = vv_arrival_end(&a, &depot, err);
	f->stats->packs += !ret;
out:
	vv_arrival_release(&a);
	vv_depot_release(&depot);
	return ret ? ret : vv_store_refresh(m->local, err);
}

/* The packs of which enough is wanted, one after the other as their bases come in. */
static int fetch_packs(struct fetch *f, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_mirror *m = f->m;
	struct vv_extents x = {0};
	bool some;
	int ret;

	do {
		some = false;
		x.n = 0;
		ret = vv_store_wanted(m->store, m->local, ids, n, &x, err);
		vv_extents_join(&x, 0);
		for (size_t i = 0; i < x.n && !ret; i++) {
			uint64_t size = 0;
			bool yes = false;

			if (i && vv_id_eq(&x.v[i].pack, &x.v[i - 1].pack))
				continue;
			if (!mirror_has(m, &x.v[i].pack, &size) || !nearly_all(vv_extents_of(&x, &x.v[i].pack), size))
				continue;
			ret = vv_store_suits(m->local, m->store, &x.v[i].pack, &yes, err);
			if (!ret && yes)
				ret = fetch_whole(f, &x.v[i].pack, size, err);
			some |= yes;
		}
	} while (!ret && some);
	vv_extents_release(&x);
	return ret;
}

/* --- records --- */

/* Thin copies of the packs that are read from, filled in as far as is wanted; gone at the end. */
struct stage {
	struct fetch *f;
	char *dir;
	struct vv_store *store;
	struct vv_extents x;
	struct vv_id pack; /* that fd is of */
	char *path;
	int fd;
};

static int turn_to(struct stage *s, const struct vv_id *pack, struct vv_err *err)
{
	if (s->fd >= 0 && vv_id_eq(&s->pack, pack))
		return 0;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	s->pack = *pack;
	s->path = vv_thin_path(s->dir, pack);
	s->fd = s->path ? open(s->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	if (!s->path)
		return vv_fail_nomem(err);
	return s->fd < 0 ? vv_fail_sys(err, errno, "%s", s->path) : 0;
}

static int take_record(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	struct stage *s = arg;
	struct fetch *f = s->f;
	int ret = turn_to(s, &s->x.v[i].pack, err);

	f->done += bytes.len;
	f->stats->bytes += bytes.len;
	vv_progress(f->prog, "Fetching", f->done, f->done > f->total ? 0 : f->total);
	return ret ? ret : vv_pwrite_fd(s->fd, bytes, off, s->path, err);
}

static int fill_stage(struct stage *s, struct vv_err *err)
{
	struct vv_mirror *m = s->f->m;
	int ret = 0;

	vv_extents_join(&s->x, GAP);
	for (size_t i = 0; i < s->x.n && !ret; i++) {
		char *path = NULL;
		if (i && vv_id_eq(&s->x.v[i].pack, &s->x.v[i - 1].pack))
			continue;
		path = vv_thin_path(m->dir, &s->x.v[i].pack);
		ret = path ? vv_thin_copy(s->dir, path, &s->x.v[i].pack, err) : vv_fail_nomem(err);
		free(path);
	}
	if (!ret && s->x.n)
		ret = m->remote->ops->get(m->remote, s->x.v, s->x.n, take_record, s, err);
	s->f->stats->parts += ret ? 0 : s->x.n;
	return ret ? ret : vv_store_refresh(s->store, err);
}

/* What a delta goes against may be here already: it is looked for here, and then in the stage, which is given away. */
static int copy_stage(struct stage *s, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_mirror *m = s->f->m;
	struct vv_store *from = NULL;
	int ret = vv_store_open(&from, vv_store_dir(m->local), VV_STORE_READONLY, m->pool, err);

	if (!ret) {
		ret = vv_store_add_alternate(from, s->store, err);
		s->store = NULL;
	}
	if (!ret)
		ret = vv_store_copy(m->local, from, ids, n, NULL, s->f->prog, err);
	vv_store_free(from);
	return ret;
}

/* `all`: also what is here, but in a copy that will not do. */
static int fetch_records(struct fetch *f, const struct vv_id *ids, size_t n, bool all, struct vv_err *err)
{
	struct vv_mirror *m = f->m;
	struct stage s = {.f = f, .fd = -1};
	int ret = vv_tempdir_make(&s.dir, m->dir, err);

	if (!ret)
		ret = vv_store_open(&s.store, s.dir, VV_STORE_CREATE | VV_STORE_MIRROR, m->pool, err);
	if (!ret)
		ret = vv_store_wanted(m->store, all ? s.store : m->local, ids, n, &s.x, err);
	if (!ret && s.x.n)
		ret = fill_stage(&s, err);
	if (!ret && s.x.n)
		ret = copy_stage(&s, ids, n, err);
	if (s.fd >= 0)
		close(s.fd);
	vv_store_free(s.store);
	vv_tempdir_remove(s.dir);
	vv_extents_release(&s.x);
	free(s.dir);
	free(s.path);
	return ret;
}

static int sum(struct fetch *f, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_extents x = {0};
	int ret = vv_store_wanted(f->m->store, f->m->local, ids, n, &x, err);

	for (size_t i = 0; i < x.n; i++)
		f->total += x.v[i].len;
	vv_extents_release(&x);
	return ret;
}

int vv_mirror_fetch(struct vv_mirror *m, const struct vv_id *ids, size_t n, struct vv_transfer *stats,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_transfer unused;
	struct fetch f = {.m = m, .stats = stats ? stats : &unused, .prog = prog};
	struct vv_id *have = malloc((n + 1) * sizeof(*have));
	size_t k = 0;
	int ret = have ? 0 : vv_fail_nomem(err);

	*f.stats = (struct vv_transfer){0, 0, 0};
	for (size_t i = 0; i < n && !ret; i++)
		if (vv_store_has(m->store, &ids[i]) && !vv_store_has(m->local, &ids[i]))
			have[k++] = ids[i];
	if (!ret && k)
		ret = sum(&f, have, k, err);
	if (!ret && k)
		ret = fetch_packs(&f, have, k, err);
	if (!ret && k)
		ret = fetch_records(&f, have, k, false, err);
	/* A base that is here is too deep for what goes against it there. */
	if (ret == VV_ECORRUPT) {
		vv_err_clear(err);
		ret = fetch_records(&f, have, k, true, err);
	}
	free(have);
	return ret;
}
