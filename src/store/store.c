/* Opening a store, and finding objects in it. */
#define _GNU_SOURCE
#include "store/internal.h"

#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char format_line[] = "varve store 1\n";

char *store_path(const struct vv_store *s, const char *sub, const char *name)
{
	char *dir = vv_join(s->dir, sub), *path = dir ? vv_join(dir, name) : NULL;

	free(dir);
	return path;
}

static int check_format(struct vv_store *s, bool create, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(4096);
	char *path = vv_join(s->dir, "format"), *packs = vv_join(s->dir, "packs");
	int ret = path && packs ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_exists(path)) {
		if (!create) {
			ret = vv_fail(err, VV_ENOTFOUND, "%s: no varve store", s->dir);
		} else {
			ret = vv_mkdirs(packs, err);
			if (!ret)
				ret = vv_write_file(path, vv_span_str(format_line), true, err);
		}
	} else if (!ret) {
		ret = vv_read_file(&b, path, err);
		if (!ret && !vv_span_is(vv_buf_view(&b), format_line))
			ret = vv_span_starts(vv_buf_view(&b), "varve store ")
				? vv_fail(err, VV_ENOTSUP, "%s: the store was made by a newer varve (%.40s)", s->dir, b.ptr + 6)
				: vv_fail(err, VV_ECORRUPT, "%s: not the format of a varve store", path);
	}
	free(path);
	free(packs);
	vv_buf_release(&b);
	return ret;
}

static int append(struct pack ***v, size_t *n, size_t *cap, struct pack *p, struct vv_err *err)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct pack **grown = realloc(*v, more * sizeof(struct pack *));
		if (!grown)
			return vv_fail_nomem(err);
		*v = grown;
		*cap = more;
	}
	(*v)[(*n)++] = p;
	return 0;
}

/* A pack of that name is known: the file was made anew when the known one is damaged. */
static int add_again(struct vv_store *s, struct pack *p, uint64_t *known, struct vv_err *err)
{
	struct pack *old = (struct pack *)(uintptr_t)*known;

	if (!old->corrupt) {
		pack_free(p);
		return 0;
	}
	if (append(&s->gone, &s->n_gone, &s->cap_gone, old, err)) {
		pack_free(p);
		return err->code;
	}
	*known = (uintptr_t)p;
	for (size_t i = 0; i < s->n_packs; i++)
		if (s->packs[i] == old)
			s->packs[i] = p;
	return 0;
}

int store_add_pack(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	uint64_t *known = vv_map_find(&s->names, vv_span(p->name.b, VV_ID_BYTES));
	int ret;

	if (known)
		return add_again(s, p, known, err);
	ret = append(&s->packs, &s->n_packs, &s->cap_packs, p, err);
	if (!ret && !vv_map_put(&s->names, vv_span(p->name.b, VV_ID_BYTES), (uintptr_t)p, NULL)) {
		s->n_packs--;
		ret = vv_fail_nomem(err);
	}
	if (ret)
		pack_free(p);
	return ret;
}

struct scan {
	struct vv_store *store;
	const char *dir; /* full path */
	bool trashed;
	uint64_t trashed_s;
};

/* Where a pack lies now, whatever moved it. */
static int seen_at(struct pack *p, const struct scan *scan, const char *name, struct vv_err *err)
{
	struct stat st;
	char *path;

	/* In the trash as well: the file in use counts. */
	if (p->seen && scan->trashed)
		return 0;
	path = vv_join(scan->dir, name);
	if (!path)
		return vv_fail_nomem(err);
	if (!lstat(path, &st))
		p->mtime = st.st_mtim;
	free(p->path);
	p->path = path;
	p->trashed = scan->trashed;
	p->trashed_s = scan->trashed_s;
	p->seen = true;
	return 0;
}

static int scan_pack(void *arg, const char *name, struct vv_err *err)
{
	struct scan *scan = arg;
	struct vv_err why = VV_ERR_INIT;
	struct pack *p = NULL;
	struct vv_id id;
	uint64_t *known;
	char *path;
	int ret;

	if (strlen(name) != VV_ID_HEX + 5 || strcmp(name + VV_ID_HEX, ".pack") ||
		vv_id_parse(&id, vv_span(name, VV_ID_HEX)))
		return 0;
	known = vv_map_find(&scan->store->names, vv_span(id.b, VV_ID_BYTES));
	if (known)
		return seen_at((struct pack *)(uintptr_t)*known, scan, name, err);
	path = vv_join(scan->dir, name);
	if (!path)
		return vv_fail_nomem(err);
	ret = pack_open(&p, path, &id, &why);
	free(path);
	if (ret == VV_ENOMEM)
		return vv_fail_nomem(err);
	if (ret == VV_ENOTSUP)
		return vv_fail(err, ret, "%s", why.msg);
	if (ret) {
		scan->store->bad_packs += ret != VV_ENOTFOUND;
		return 0;
	}
	p->trashed = scan->trashed;
	p->trashed_s = scan->trashed_s;
	p->seen = true;
	return store_add_pack(scan->store, p, err);
}

static int scan_trash(void *arg, const char *name, struct vv_err *err)
{
	struct vv_store *s = arg;
	char *dir = store_path(s, "trash", name), *end;
	struct scan scan = {s, dir, true, strtoull(name, &end, 10)};
	int ret = dir ? vv_each_name(dir, scan_pack, &scan, err) : vv_fail_nomem(err);

	free(dir);
	return ret;
}

/* Forgets the packs that the refresh did not see: gc merged them away. */
static int drop_unseen(struct vv_store *s, struct vv_err *err)
{
	size_t kept = 0, gone = 0;
	int ret = 0;

	for (size_t i = 0; i < s->n_packs; i++)
		gone += !s->packs[i]->seen;
	if (!gone)
		return 0;
	vv_map_release(&s->names);
	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->packs[i];
		if (!p->seen && !ret && !(ret = append(&s->gone, &s->n_gone, &s->cap_gone, p, err)))
			continue;
		s->packs[kept++] = p;
		if (!vv_map_put(&s->names, vv_span(p->name.b, VV_ID_BYTES), (uintptr_t)p, NULL))
			ret = vv_fail_nomem(err);
	}
	s->n_packs = kept;
	return ret;
}

int vv_store_refresh(struct vv_store *s, struct vv_err *err)
{
	char *packs = vv_join(s->dir, "packs"), *trash = vv_join(s->dir, "trash");
	struct scan scan = {s, packs, false, 0};
	int ret = packs && trash ? 0 : vv_fail_nomem(err);

	s->bad_packs = 0;
	for (size_t i = 0; i < s->n_packs; i++)
		s->packs[i]->seen = s->packs[i]->touched = false;
	if (!ret)
		ret = vv_each_name(packs, scan_pack, &scan, err);
	if (!ret)
		ret = vv_each_name(trash, scan_trash, s, err);
	if (!ret)
		ret = drop_unseen(s, err);
	free(packs);
	free(trash);
	return ret;
}

int vv_store_open(struct vv_store **out, const char *dir, unsigned flags, struct vv_pool *pool, struct vv_err *err)
{
	struct vv_store *s = calloc(1, sizeof(*s));
	int ret;

	if (!s || !(s->dir = strdup(dir))) {
		free(s);
		return vv_fail_nomem(err);
	}
	pthread_mutex_init(&s->lock, NULL);
	s->pool = pool;
	s->readonly = flags & VV_STORE_READONLY;
	ret = check_format(s, flags & VV_STORE_CREATE, err);
	if (!ret)
		ret = vv_store_refresh(s, err);
	if (ret)
		vv_store_free(s);
	else
		*out = s;
	return ret;
}

void vv_store_free(struct vv_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_packs; i++)
		pack_free(s->packs[i]);
	for (size_t i = 0; i < s->n_gone; i++)
		pack_free(s->gone[i]);
	for (size_t i = 0; i < s->n_alternates; i++)
		vv_store_free(s->alternates[i]);
	pthread_mutex_destroy(&s->lock);
	vv_map_release(&s->names);
	free(s->packs);
	free(s->gone);
	free(s->alternates);
	free(s->dir);
	free(s);
}

int vv_store_add_alternate(struct vv_store *s, struct vv_store *other, struct vv_err *err)
{
	struct vv_store **v = realloc(s->alternates, (s->n_alternates + 1) * sizeof(struct vv_store *));

	if (!v) {
		vv_store_free(other);
		return vv_fail_nomem(err);
	}
	s->alternates = v;
	v[s->n_alternates++] = other;
	return 0;
}

size_t vv_store_bad_packs(const struct vv_store *s)
{
	return s->bad_packs;
}

/* Live packs before trashed ones, young before old: what was written last is asked for most. */
static bool locate_here(struct vv_store *s, const struct vv_id *id, struct pack **pack, size_t *at)
{
	for (int trashed = 0; trashed < 2; trashed++)
		for (size_t i = s->n_packs; i-- > 0;)
			if (s->packs[i]->trashed == (bool)trashed && pack_find(s->packs[i], id, at)) {
				*pack = s->packs[i];
				return true;
			}
	return false;
}

int store_locate(struct vv_store *s, const struct vv_id *id, struct vv_store **where, struct pack **pack,
	struct entry *e, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1];
	size_t at;

	if (locate_here(s, id, pack, &at)) {
		*where = s;
		pack_entry(*pack, at, e);
		return 0;
	}
	for (size_t i = 0; i < s->n_alternates; i++)
		if (!store_locate(s->alternates[i], id, where, pack, e, err))
			return 0;
	return vv_fail(err, VV_ENOTFOUND, "object %s is not in the store", vv_id_hex(id, hex));
}

int vv_store_find(struct vv_store *s, const struct vv_id *id, struct vv_object_info *out, struct vv_err *err)
{
	struct vv_store *where;
	struct pack *p;
	struct entry e;
	int ret = store_locate(s, id, &where, &p, &e, err);

	if (!ret)
		*out = (struct vv_object_info){e.size, e.stored, (enum vv_dtype)e.dtype, e.depth, e.base,
			e.kind == KIND_CHUNKS, where == s};
	return ret;
}

bool vv_store_has(struct vv_store *s, const struct vv_id *id)
{
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_object_info info;

	return !vv_store_find(s, id, &info, &ignore);
}

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

int store_move_pack(struct vv_store *s, struct pack *p, const char *sub, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1], name[VV_ID_HEX + 8], *path;
	int ret;

	snprintf(name, sizeof(name), "%s.pack", vv_id_hex(&p->name, hex));
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

int store_quarantine(struct vv_store *s, const char *path, struct pack *p, struct vv_err *err)
{
	char *dir = vv_join(s->dir, "corrupt"), *plain = NULL, *to = NULL;
	int ret = dir ? vv_mkdirs(dir, err) : vv_fail_nomem(err);

	if (!ret && !(plain = vv_join(dir, strrchr(path, '/') + 1)))
		ret = vv_fail_nomem(err);
	for (unsigned i = 0; !ret && (!to || vv_exists(to)); i++) {
		free(to);
		if (!i)
			to = strdup(plain);
		else if (asprintf(&to, "%s.%u", plain, i) < 0)
			to = NULL;
		if (!to)
			ret = vv_fail_nomem(err);
	}
	if (!ret)
		ret = vv_rename(path, to, err);
	if (!ret)
		ret = vv_sync_dir(dir, err);
	if (!ret && p) {
		free(p->path);
		p->path = to;
		p->corrupt = true;
		to = NULL;
	}
	free(dir);
	free(plain);
	free(to);
	return ret;
}

int store_freshen(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	int ret = 0;

	if (s->readonly || p->touched)
		return 0;
	if (p->trashed) {
		ret = store_move_pack(s, p, "packs", err);
		if (ret)
			return ret;
		p->trashed = false;
	}
	/* Always: gc sees by the time that somebody came while it was thinking. */
	if (utimensat(AT_FDCWD, p->path, NULL, 0) && errno != EACCES && errno != EPERM)
		return vv_fail_sys(err, errno, "%s", p->path);
	p->touched = true;
	return 0;
}

int vv_store_each(struct vv_store *s,
	int (*fn)(void *, const struct vv_id *, const struct vv_object_info *, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct entry e;
	int ret = 0;

	for (size_t i = 0; i < s->n_packs && !ret; i++)
		for (size_t k = 0; k < s->packs[i]->n && !ret && !s->packs[i]->trashed; k++) {
			struct vv_object_info info;
			pack_entry(s->packs[i], k, &e);
			info = (struct vv_object_info){e.size, e.stored, (enum vv_dtype)e.dtype, e.depth, e.base,
				e.kind == KIND_CHUNKS, true};
			ret = fn(arg, &e.id, &info, err);
		}
	return ret;
}

static int count_corrupt(void *arg, const char *name, struct vv_err *err VV_UNUSED)
{
	*(size_t *)arg += strlen(name) > 5;
	return 0;
}

int vv_store_usage(struct vv_store *s, struct vv_store_usage *out, struct vv_err *err)
{
	char *corrupt = vv_join(s->dir, "corrupt");
	struct entry e;
	int ret;

	*out = (struct vv_store_usage){0};
	for (size_t i = 0; i < s->n_packs; i++) {
		const struct pack *p = s->packs[i];
		if (p->trashed) {
			out->trash_packs++;
			out->trash_disk += p->size;
			continue;
		}
		out->packs++;
		out->disk += p->size;
		for (size_t k = 0; k < p->n; k++) {
			pack_entry(p, k, &e);
			out->objects++;
			out->deltas += e.depth > 0;
			/* The chunks of a chunked object are counted as themselves. */
			out->raw += e.kind == KIND_CHUNKS ? 0 : e.size;
			if (e.depth > out->max_depth)
				out->max_depth = e.depth;
		}
	}
	ret = corrupt ? vv_each_name(corrupt, count_corrupt, &out->corrupt_packs, err) : vv_fail_nomem(err);
	free(corrupt);
	return ret;
}
