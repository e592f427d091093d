/* Opening a store, and seeing what lies in it. */
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>

static const char format_line[] = "varve store 1\n";

char *store_path(const struct vv_store *s, const char *sub, const char *name)
{
	char *dir = vv_join(s->dir, sub), *path = dir ? vv_join(dir, name) : NULL;

	free(dir);
	return path;
}

static int check_format(struct vv_store *s, unsigned flags, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(4096);
	char *path = vv_join(s->dir, "format"), *packs = vv_join(s->dir, "packs");
	int ret = path && packs ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_exists(path)) {
		if (!(flags & VV_STORE_CREATE)) {
			ret = vv_fail(err, VV_ENOTFOUND, "%s: no varve store", s->dir);
		} else {
			ret = vv_mkdirs(packs, err);
			if (!ret)
				ret = vv_write_file(path, vv_span_str(format_line), true, err);
		}
	} else if (!ret) {
		/* Somebody removed all packs: what they held is missing, which fsck tells and mends. */
		if (!(flags & VV_STORE_READONLY) && !vv_exists(packs))
			ret = vv_mkdirs(packs, err);
		if (!ret)
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

bool pack_name_parse(const char *name, struct vv_id *out)
{
	return strlen(name) == VV_ID_HEX + 5 && !strcmp(name + VV_ID_HEX, ".pack") &&
		!vv_id_parse(out, vv_span(name, VV_ID_HEX));
}

int grow(void *array, size_t *cap, size_t need, size_t size, struct vv_err *err)
{
	void **a = array, *p;
	size_t n = *cap ? *cap : 64;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	p = realloc(*a, n * size);
	if (!p)
		return vv_fail_nomem(err);
	*a = p;
	*cap = n;
	return 0;
}

/* A pack of that name is known: the file was made anew when the known one is damaged. */
static int add_again(struct vv_store *s, struct pack *p, uint64_t *known, struct vv_err *err)
{
	struct pack *old = (struct pack *)(uintptr_t)*known;

	if (!old->corrupt || grow(&s->gone, &s->cap_gone, s->n_gone + 1, sizeof(struct pack *), err)) {
		pack_free(p);
		return old->corrupt ? err->code : 0;
	}
	s->gone[s->n_gone++] = old;
	*known = (uintptr_t)p;
	for (size_t i = 0; i < s->n_packs; i++)
		if (s->packs[i] == old)
			s->packs[i] = p;
	table_drop(s);
	return 0;
}

static int add_new(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	int ret = grow(&s->packs, &s->cap_packs, s->n_packs + 1, sizeof(struct pack *), err);

	if (!ret && !vv_map_put(&s->names, vv_span(p->name.b, VV_ID_BYTES), (uintptr_t)p, NULL))
		ret = vv_fail_nomem(err);
	if (ret) {
		pack_free(p);
		return ret;
	}
	p->seen = true;
	s->packs[s->n_packs++] = p;
	s->n_entries += p->n;
	table_add(s, s->n_packs - 1);
	return 0;
}

static uint64_t *find_name(struct vv_store *s, const struct vv_id *name)
{
	return vv_map_find(&s->names, vv_span(name->b, VV_ID_BYTES));
}

int store_add_pack(struct vv_store *s, struct pack *p, struct vv_err *err)
{
	uint64_t *known;
	int ret;

	pthread_mutex_lock(&s->lock);
	known = find_name(s, &p->name);
	ret = known ? add_again(s, p, known, err) : add_new(s, p, err);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

struct scan {
	struct vv_store *store;
	const char *dir; /* full path */
	bool trashed;
	uint64_t trashed_s;
	size_t bad;
	bool again; /* a file went away under our eyes: what replaces it may not have been seen */
};

/* Notes where a known pack lies now, whatever moved it. Under the lock. */
static int seen_at(struct pack *p, const struct scan *scan, char *path, const struct stat *st)
{
	/* In the trash as well: the file in use counts. */
	if (p->seen && scan->trashed) {
		free(path);
		return 0;
	}
	free(p->path);
	p->path = path;
	p->mtime = st->st_mtim;
	p->trashed = scan->trashed;
	p->trashed_s = scan->trashed_s;
	p->seen = true;
	return 0;
}

static int scan_new(struct scan *scan, const struct vv_id *id, const char *path, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct pack *p = NULL;
	int ret = pack_open(&p, path, id, &why);

	/* A version number that is damage is none. */
	if (ret == VV_ENOTSUP && pack_verify(path, id, &why))
		ret = VV_ECORRUPT;
	/* A newer version, no memory, no descriptors: not the pack's fault. */
	if (ret == VV_ENOTSUP || ret == VV_ENOMEM || why.sys == EMFILE || why.sys == ENFILE) {
		*err = why;
		return ret;
	}
	if (ret) {
		scan->bad += ret != VV_ENOTFOUND;
		scan->again |= ret == VV_ENOTFOUND;
		return 0;
	}
	p->trashed = scan->trashed;
	p->trashed_s = scan->trashed_s;
	return store_add_pack(scan->store, p, err);
}

static int scan_pack(void *arg, const char *name, struct vv_err *err)
{
	struct scan *scan = arg;
	struct vv_store *s = scan->store;
	uint64_t *known;
	struct stat st;
	struct vv_id id;
	char *path;
	int ret = 0;

	if (!pack_name_parse(name, &id))
		return 0;
	path = vv_join(scan->dir, name);
	if (!path)
		return vv_fail_nomem(err);
	if (lstat(path, &st)) {
		scan->again = true;
		free(path);
		return 0;
	}
	pthread_mutex_lock(&s->lock);
	known = find_name(s, &id);
	if (known && !((struct pack *)(uintptr_t)*known)->corrupt)
		ret = seen_at((struct pack *)(uintptr_t)*known, scan, path, &st);
	else
		known = NULL;
	pthread_mutex_unlock(&s->lock);
	if (!known) {
		ret = scan_new(scan, &id, path, err);
		free(path);
	}
	return ret;
}

static int scan_trash(void *arg, const char *name, struct vv_err *err)
{
	struct scan *all = arg, scan = *all;
	char *dir = store_path(all->store, "trash", name), *end;
	int ret = dir ? 0 : vv_fail_nomem(err);

	scan.dir = dir;
	scan.trashed = true;
	scan.trashed_s = strtoull(name, &end, 10);
	if (!ret)
		ret = vv_each_name(dir, scan_pack, &scan, err);
	all->bad = scan.bad;
	all->again = scan.again;
	free(dir);
	/* gc removed the generation just now, or it is no folder. */
	return ret == VV_ENOTFOUND ? 0 : ret;
}

/* Forgets the packs that the scan did not see: somebody merged or deleted them. Under the lock. */
static int drop_unseen(struct vv_store *s, bool *dropped, struct vv_err *err)
{
	size_t kept = 0, gone = 0;
	int ret = 0;

	for (size_t i = 0; i < s->n_packs; i++)
		gone += !s->packs[i]->seen;
	if (!gone)
		return 0;
	*dropped = true;
	if (grow(&s->gone, &s->cap_gone, s->n_gone + gone, sizeof(struct pack *), err))
		return err->code;
	table_drop(s);
	vv_map_release(&s->names);
	s->n_entries = 0;
	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->packs[i];
		if (!p->seen) {
			s->gone[s->n_gone++] = p;
			continue;
		}
		s->packs[kept++] = p;
		s->n_entries += p->n;
		if (!vv_map_put(&s->names, vv_span(p->name.b, VV_ID_BYTES), (uintptr_t)p, NULL))
			ret = vv_fail_nomem(err);
	}
	s->n_packs = kept;
	return ret;
}

static int scan_all(struct vv_store *s, const char *packs, const char *trash, bool *again, struct vv_err *err)
{
	struct scan scan = {.store = s, .dir = packs};
	int ret;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_packs; i++)
		s->packs[i]->seen = s->packs[i]->touched = false;
	pthread_mutex_unlock(&s->lock);
	ret = vv_each_name(packs, scan_pack, &scan, err);
	if (!ret)
		ret = vv_each_name(trash, scan_trash, &scan, err);
	if (ret == VV_ENOTFOUND)
		ret = 0; /* a file of that name is no trash */
	*again = scan.again;
	pthread_mutex_lock(&s->lock);
	s->bad_packs = scan.bad;
	if (!ret)
		ret = drop_unseen(s, again, err);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/*
 * A folder's names are not read at one moment: a merge may remove one behind us and have added
 * another before. It adds first, so once nothing goes away any more all is seen.
 */
static int refresh_own(struct vv_store *s, struct vv_err *err)
{
	char *packs = vv_join(s->dir, "packs"), *trash = vv_join(s->dir, "trash");
	bool again = true;
	int ret = packs && trash ? 0 : vv_fail_nomem(err);

	pthread_mutex_lock(&s->refreshing);
	for (int i = 0; i < 8 && again && !ret; i++)
		ret = scan_all(s, packs, trash, &again, err);
	pthread_mutex_unlock(&s->refreshing);
	free(packs);
	free(trash);
	return ret;
}

int vv_store_refresh(struct vv_store *s, struct vv_err *err)
{
	int ret = refresh_own(s, err);

	for (size_t i = 0; i < s->n_alternates && !ret; i++)
		ret = vv_store_refresh(s->alternates[i], err);
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
	pthread_mutex_init(&s->refreshing, NULL);
	s->pool = pool;
	s->readonly = flags & VV_STORE_READONLY;
	s->mirror = flags & VV_STORE_MIRROR;
	ret = check_format(s, flags, err);
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
	while (s->n_idle)
		scratch_free(s->idle[--s->n_idle]);
	table_drop(s);
	for (size_t i = 0; i < s->n_packs; i++)
		pack_free(s->packs[i]);
	for (size_t i = 0; i < s->n_gone; i++)
		pack_free(s->gone[i]);
	for (size_t i = 0; i < s->n_alternates; i++)
		vv_store_free(s->alternates[i]);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->refreshing);
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

const char *vv_store_dir(const struct vv_store *s)
{
	return s->dir;
}

/* A copy of the list, since others may refresh. Owned by the caller. */
static struct pack **list_packs(struct vv_store *s, size_t *n, struct vv_err *err)
{
	struct pack **v;

	pthread_mutex_lock(&s->lock);
	*n = s->n_packs;
	v = malloc((*n + 1) * sizeof(struct pack *));
	if (v && *n)
		memcpy(v, s->packs, *n * sizeof(struct pack *));
	pthread_mutex_unlock(&s->lock);
	if (!v)
		vv_fail_nomem(err);
	return v;
}

static bool in_use(struct vv_store *s, const struct pack *p)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = !p->trashed && !p->corrupt;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

int vv_store_each(struct vv_store *s,
	int (*fn)(void *, const struct vv_id *, const struct vv_object_info *, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct pack **packs;
	struct entry e;
	size_t n;
	int ret = 0;

	packs = list_packs(s, &n, err);
	if (!packs)
		return err->code;
	for (size_t i = 0; i < n && !ret; i++) {
		bool used = in_use(s, packs[i]);
		for (size_t k = 0; used && k < packs[i]->n && !ret; k++) {
			struct vv_object_info info;
			pack_entry(packs[i], k, &e);
			info = (struct vv_object_info){e.size, e.stored, (enum vv_dtype)e.dtype, e.depth, e.base,
				e.kind == KIND_CHUNKS, true};
			ret = fn(arg, &e.id, &info, err);
		}
	}
	free(packs);
	return ret;
}

static int count_corrupt(void *arg, const char *name VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	++*(size_t *)arg;
	return 0;
}

static void count_pack(const struct pack *p, struct vv_store_usage *out)
{
	struct entry e;

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

int vv_store_usage(struct vv_store *s, struct vv_store_usage *out, struct vv_err *err)
{
	char *corrupt = vv_join(s->dir, "corrupt");
	struct pack **packs;
	size_t n = 0;
	int ret = corrupt ? 0 : vv_fail_nomem(err);

	packs = ret ? NULL : list_packs(s, &n, err);
	if (!packs)
		ret = err->code;
	*out = (struct vv_store_usage){0};
	for (size_t i = 0; !ret && i < n; i++)
		if (in_use(s, packs[i])) {
			count_pack(packs[i], out);
		} else {
			out->trash_packs++;
			out->trash_disk += packs[i]->size;
		}
	if (!ret)
		ret = vv_each_name(corrupt, count_corrupt, &out->corrupt_packs, err);
	free(packs);
	free(corrupt);
	return ret;
}
