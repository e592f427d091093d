#define _GNU_SOURCE
#include "remote/internal.h"

#include "hash/sha256.h"
#include "os/tempdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_ONCE = 512 }; /* packs whose indexes are under way */

char *vv_mirror_dir(struct vv_store *local, const char *name)
{
	char hex[VV_ID_HEX + 1], *path;
	struct vv_id id;

	vv_sha256(vv_span_str(name), &id);
	return asprintf(&path, "%s/remotes/%.16s", vv_store_dir(local), vv_id_hex(&id, hex)) < 0 ? NULL : path;
}

struct vv_store *vv_mirror_store(struct vv_mirror *m)
{
	return m->store;
}

int mirror_note(struct vv_mirror *m, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	void *key = vv_arena_copy(&m->names, vv_span(pack->b, VV_ID_BYTES));

	return key && vv_map_put(&m->packs, vv_span(key, VV_ID_BYTES), size, NULL) ? 0 : vv_fail_nomem(err);
}

bool mirror_has(const struct vv_mirror *m, const struct vv_id *pack, uint64_t *size)
{
	const uint64_t *at = vv_map_find(&m->packs, vv_span(pack->b, VV_ID_BYTES));

	if (at)
		*size = *at;
	return at != NULL;
}

/* --- what the remote has --- */

struct missing {
	struct vv_mirror *m;
	struct vv_map here;      /* packs that the mirror has, and can read: name → size */
	struct vv_extents packs; /* whose index is not here; len: of the pack */
};

static int note_here(void *arg, const struct vv_pack_info *p, struct vv_err *err)
{
	struct missing *x = arg;
	void *key = vv_arena_copy(&x->m->names, vv_span(p->name.b, VV_ID_BYTES));

	return key && vv_map_put(&x->here, vv_span(key, VV_ID_BYTES), p->size, NULL) ? 0 : vv_fail_nomem(err);
}

static int list_one(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	struct missing *x = arg;
	const uint64_t *here = vv_map_find(&x->here, vv_span(pack->b, VV_ID_BYTES));
	int ret = mirror_note(x->m, pack, size, err);

	return ret || (here && *here == size) ? ret : vv_extents_add(&x->packs, pack, 0, size, err);
}

/* A pack of the mirror that the remote has no more, or never got, is forgotten. */
static int drop_gone(void *arg, const char *name, struct vv_err *err)
{
	const struct vv_mirror *m = arg;
	struct vv_id id;
	uint64_t size;
	char *path;
	int ret;

	if (strlen(name) != VV_ID_HEX + 5 || vv_id_parse(&id, vv_span(name, VV_ID_HEX)) || mirror_has(m, &id, &size))
		return 0;
	((struct vv_mirror *)arg)->lost = true;
	path = vv_thin_path(m->dir, &id);
	ret = path ? vv_unlink(path, err) : vv_fail_nomem(err);
	free(path);
	return ret;
}

struct filling {
	struct vv_thin **thin;
	const size_t *whose; /* part → thin */
};

static int fill(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	const struct filling *f = arg;

	return vv_thin_write(f->thin[f->whose[i]], off, bytes, err);
}

/* One round: what each of the thin packs wants next. */
static int fill_round(struct vv_mirror *m, struct vv_thin **thin, size_t n, bool *more, struct vv_err *err)
{
	struct vv_extents parts = {0};
	size_t *whose = NULL, cap = 0;
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		size_t from = parts.n;
		ret = vv_thin_wants(thin[i], &parts, err);
		if (!ret && parts.n > cap) {
			size_t *v = realloc(whose, (cap = parts.n * 2) * sizeof(*v));
			ret = v ? 0 : vv_fail_nomem(err);
			whose = v ? v : whose;
		}
		for (; !ret && from < parts.n; from++)
			whose[from] = i;
	}
	*more = parts.n > 0;
	if (!ret && parts.n) {
		struct filling f = {thin, whose};
		ret = m->remote->ops->get(m->remote, parts.v, parts.n, fill, &f, err);
	}
	vv_extents_release(&parts);
	free(whose);
	return ret;
}

static int read_indexes(struct vv_mirror *m, const struct vv_extent *packs, size_t n, struct vv_err *err)
{
	struct vv_thin **thin = calloc(n, sizeof(struct vv_thin *));
	bool more = true;
	int ret = thin ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i++)
		ret = vv_thin_new(&thin[i], m->dir, &packs[i].pack, packs[i].len, err);
	while (!ret && more)
		ret = fill_round(m, thin, n, &more, err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = vv_thin_publish(thin[i], err);
	for (size_t i = 0; thin && i < n; i++)
		vv_thin_free(thin[i]);
	free(thin);
	return ret ? vv_err_in(err, "%s", m->remote->name) : 0;
}

int mirror_sync(struct vv_mirror *m, struct vv_err *err)
{
	struct missing x = {.m = m};
	char *packs = vv_join(m->dir, "packs");
	int ret = packs ? 0 : vv_fail_nomem(err);

	vv_map_release(&m->packs);
	if (!ret)
		ret = vv_store_each_pack(m->store, note_here, &x, err);
	if (!ret)
		ret = m->remote->ops->list(m->remote, list_one, &x, err);
	if (!ret)
		ret = vv_each_name(packs, drop_gone, m, err);
	for (size_t i = 0; i < x.packs.n && !ret; i += AT_ONCE)
		ret = read_indexes(m, x.packs.v + i, x.packs.n - i < AT_ONCE ? x.packs.n - i : AT_ONCE, err);
	if (!ret)
		ret = vv_store_refresh(m->store, err);
	vv_extents_release(&x.packs);
	vv_map_release(&x.here);
	free(packs);
	return ret;
}

/* --- open and close --- */

static int lock(struct vv_mirror *m, struct vv_err *err)
{
	char *path = vv_join(m->dir, "busy");
	int ret = path ? vv_lock(&m->lock, path, VV_LOCK_EXCLUSIVE, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

/* What fetches left that were killed: nobody else is at work here. */
static int sweep(void *arg, const char *name, struct vv_err *err VV_UNUSED)
{
	char *path = !strncmp(name, ".varve-", 7) ? vv_join(arg, name) : NULL;

	if (path)
		vv_tempdir_remove(path);
	free(path);
	return 0;
}

/* For people: whose mirror it is. */
static int write_name(const struct vv_mirror *m, struct vv_err *err)
{
	char *path = vv_join(m->dir, "url"), *text = NULL;
	int ret = path && asprintf(&text, "%s\n", m->remote->name) >= 0 ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_exists(path))
		ret = vv_write_file(path, vv_span_str(text), false, err);
	free(path);
	free(text);
	return ret;
}

static int note_known(void *arg, const struct vv_pack_info *p, struct vv_err *err)
{
	return mirror_note(arg, &p->name, p->size, err);
}

int vv_mirror_open(struct vv_mirror **out, struct vv_remote *remote, struct vv_store *local, struct vv_pool *pool, bool ask,
	struct vv_err *err)
{
	struct vv_mirror *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return vv_fail_nomem(err);
	*m = (struct vv_mirror){.remote = remote, .local = local, .pool = pool, .lock = VV_LOCK_INIT};
	m->dir = vv_mirror_dir(local, remote->name);
	ret = m->dir ? vv_mkdirs(m->dir, err) : vv_fail_nomem(err);
	if (!ret)
		ret = lock(m, err);
	if (!ret)
		ret = vv_each_name(m->dir, sweep, m->dir, err);
	if (!ret)
		ret = vv_store_open(&m->store, m->dir, VV_STORE_CREATE | VV_STORE_MIRROR, pool, err);
	if (!ret)
		ret = write_name(m, err);
	if (!ret)
		ret = ask ? mirror_sync(m, err) : vv_store_each_pack(m->store, note_known, m, err);
	if (ret)
		vv_mirror_close(m);
	else
		*out = m;
	return ret;
}

void vv_mirror_close(struct vv_mirror *m)
{
	if (!m)
		return;
	vv_store_free(m->store);
	vv_unlock(&m->lock);
	vv_map_release(&m->packs);
	vv_arena_release(&m->names);
	free(m->dir);
	free(m);
}

bool vv_mirror_lost(const struct vv_mirror *m)
{
	return m->lost || !m->packs.len;
}
