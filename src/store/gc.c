/*
 * gc. First, beside writers: what is needed, which packs are not, and copies of the objects that are
 * to leave a pack. Then, under the exclusive lock and only for renames and removals: what has been in
 * the trash long enough goes away, what is not needed goes to the trash. A pack that somebody used
 * meanwhile has a new time and stays.
 */
#include "store/internal.h"

#include "base/check.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	SMALL_PACK = PACK_TARGET / 4, /* such packs are put together */
	AHEAD_S = 86400,              /* a time further in the future is a clock that was wrong */
};

/* One copy of an object. Sorted by id, then the best copy first: in use before trash, then by depth. */
struct ref {
	struct vv_id id;
	uint32_t pack, entry;
	uint8_t depth;
	bool trashed, needed, moved; /* needed: set on all copies; moved: a copy is in a new pack */
};

enum fate { KEEP, TRASH, REWRITE, MERGE };

struct judged {
	struct pack *pack;
	struct timespec mtime; /* when judged */
	uint64_t needed;       /* bytes of records */
	uint64_t bytes;
	size_t n_needed;
	bool young;
	enum fate fate;
};

struct gc {
	struct vv_store *store;
	bool (*live)(void *arg, const struct vv_id *id);
	void *arg;
	const struct vv_gc_options *opt;
	struct vv_gc_stats *stats;
	struct vv_progress *prog;
	uint64_t now;
	struct judged *packs;
	size_t n_packs;
	struct ref *refs;
	size_t n_refs;
	size_t *todo, n_todo;  /* first copies of needed objects whose parts were not looked at */
	struct pack_writer writer;
	struct timespec newest; /* of the packs merged into the writer's */
};

/* --- what is needed --- */

static bool older(const struct gc *g, uint64_t then)
{
	return then <= g->now && g->now - then >= g->opt->grace_s;
}

static bool young(const struct gc *g, const struct pack *p)
{
	return p->mtime.tv_sec < 0 || !older(g, (uint64_t)p->mtime.tv_sec);
}

static int ref_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;
	int c = vv_id_cmp(&x->id, &y->id);

	if (c)
		return c;
	if (x->trashed != y->trashed)
		return x->trashed ? 1 : -1;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->pack < y->pack ? -1 : x->pack > y->pack;
}

static int collect(struct gc *g, struct vv_err *err)
{
	struct vv_store *s = g->store;
	size_t n = 0;

	for (size_t i = 0; i < s->n_packs; i++)
		n += s->packs[i]->n;
	g->packs = calloc(s->n_packs + 1, sizeof(*g->packs));
	g->refs = calloc(n + 1, sizeof(*g->refs));
	g->todo = calloc(n + 1, sizeof(*g->todo));
	if (!g->packs || !g->refs || !g->todo)
		return vv_fail_nomem(err);
	g->n_packs = s->n_packs;
	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->packs[i];
		g->packs[i] = (struct judged){.pack = p, .mtime = p->mtime, .young = young(g, p)};
		for (size_t k = 0; k < p->n; k++) {
			struct entry e;
			pack_entry(p, k, &e);
			g->refs[g->n_refs++] = (struct ref){e.id, (uint32_t)i, (uint32_t)k, e.depth, p->trashed, false, false};
		}
	}
	qsort(g->refs, g->n_refs, sizeof(*g->refs), ref_cmp);
	return 0;
}

/* The first copy of an object; n_refs when there is none. */
static size_t find_ref(const struct gc *g, const struct vv_id *id)
{
	size_t lo = 0, hi = g->n_refs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (vv_id_cmp(&g->refs[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < g->n_refs && vv_id_eq(&g->refs[lo].id, id) ? lo : g->n_refs;
}

static bool same_object(const struct gc *g, size_t first, size_t i)
{
	return i < g->n_refs && vv_id_eq(&g->refs[i].id, &g->refs[first].id);
}

static void need(struct gc *g, size_t first)
{
	if (first == g->n_refs || g->refs[first].needed)
		return;
	for (size_t i = first; same_object(g, first, i); i++)
		g->refs[i].needed = true;
	g->todo[g->n_todo++] = first;
}

/* What a copy is made of: its base, its chunks. */
static int need_parts(struct gc *g, const struct ref *r, struct vv_err *err)
{
	struct object *o = NULL;
	struct entry e;
	int ret;

	pack_entry(g->packs[r->pack].pack, r->entry, &e);
	if (e.depth)
		need(g, find_ref(g, &e.base));
	if (e.kind != KIND_CHUNKS)
		return 0;
	ret = object_open_at(&o, g->store, g->packs[r->pack].pack, &e, err);
	if (ret)
		return vv_err_in(err, "nothing was removed, run fsck first");
	for (size_t i = 0; i < o->n_rows; i++) {
		struct vv_id chunk;
		uint32_t len;
		object_chunk(o, i, &chunk, &len);
		need(g, find_ref(g, &chunk));
	}
	object_free(o);
	return 0;
}

/*
 * Needed: what is live, all that young packs hold (somebody may be about to name it), and whatever
 * any copy of these is made of.
 */
static int mark(struct gc *g, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < g->n_refs; i++) {
		const struct judged *j = &g->packs[g->refs[i].pack];
		if ((j->young && !j->pack->trashed) || g->live(g->arg, &g->refs[i].id))
			need(g, find_ref(g, &g->refs[i].id));
	}
	while (g->n_todo && !ret) {
		size_t first = g->todo[--g->n_todo];
		for (size_t i = first; same_object(g, first, i) && !ret; i++)
			ret = need_parts(g, &g->refs[i], err);
	}
	return ret;
}

/* --- what becomes of each pack --- */

static void judge(struct gc *g)
{
	size_t small = 0;

	for (size_t i = 0; i < g->n_refs; i++) {
		struct judged *j = &g->packs[g->refs[i].pack];
		struct entry e;
		pack_entry(j->pack, g->refs[i].entry, &e);
		j->bytes += e.stored;
		j->needed += g->refs[i].needed ? e.stored : 0;
		j->n_needed += g->refs[i].needed;
	}
	for (size_t i = 0; i < g->n_packs; i++)
		small += !g->packs[i].pack->trashed && g->packs[i].n_needed && g->packs[i].pack->size < SMALL_PACK;
	for (size_t i = 0; i < g->n_packs; i++) {
		struct judged *j = &g->packs[i];
		bool all = j->n_needed == j->pack->n;
		if (j->pack->trashed)
			continue;
		if (!j->n_needed)
			j->fate = j->young ? KEEP : TRASH;
		else if (j->pack->size < SMALL_PACK && small > 1)
			j->fate = all ? MERGE : REWRITE;
		else if (j->needed < j->bytes / 2)
			j->fate = REWRITE;
	}
}

/* --- copies into new packs --- */

static bool leaves(const struct gc *g, const struct ref *r)
{
	return g->packs[r->pack].fate != KEEP;
}

/*
 * Must this copy move to a new pack? Not when one that is no deeper stays: a delta against this
 * object relies on a copy of lower depth than its own.
 */
static bool must_move(const struct gc *g, size_t i)
{
	size_t first = find_ref(g, &g->refs[i].id);

	if (!g->refs[i].needed)
		return false;
	for (size_t k = first; same_object(g, first, k); k++)
		if ((g->refs[k].moved || (!g->refs[k].trashed && !leaves(g, &g->refs[k]))) &&
			g->refs[k].depth <= g->refs[i].depth)
			return false;
	return true;
}

/*
 * The new pack is one of those that were judged: all that was left out of several had a copy in it, or
 * a gc that was killed had made it. It stays, whatever was to become of it.
 */
static bool is_judged(struct gc *g, const struct pack *made)
{
	for (size_t i = 0; i < g->n_packs; i++)
		if (!g->packs[i].pack->trashed && vv_id_eq(&g->packs[i].pack->name, &made->name)) {
			g->packs[i].fate = KEEP;
			return true;
		}
	return false;
}

static int finish_new(struct gc *g, struct vv_err *err)
{
	bool ahead = g->newest.tv_sec > 0 && (uint64_t)g->newest.tv_sec > g->now + AHEAD_S;
	struct timespec t = ahead ? (struct timespec){(time_t)g->now, 0} : g->newest, times[2] = {t, t};
	struct pack *made = NULL;
	int ret = writer_finish(&g->writer, &made, err);

	if (ret || !made)
		return ret;
	/* It is as old as what it holds: else nothing that is merged would ever be old. */
	if (!is_judged(g, made) && utimensat(AT_FDCWD, made->path, times, 0) && errno != EPERM)
		ret = vv_fail_sys(err, errno, "%s", made->path);
	g->newest = (struct timespec){0};
	if (ret)
		pack_free(made);
	else
		ret = store_add_pack(g->store, made, err);
	return ret;
}

struct moving {
	uint64_t off;
	size_t ref;
};

static int by_off(const void *a, const void *b)
{
	const struct moving *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int move_objects(struct gc *g, struct judged *j, struct moving *m, size_t n, struct vv_err *err)
{
	int ret = 0;

	qsort(m, n, sizeof(*m), by_off);
	for (size_t i = 0; i < n && !ret; i++) {
		struct entry e;
		if (!must_move(g, m[i].ref))
			continue;
		pack_entry(j->pack, g->refs[m[i].ref].entry, &e);
		ret = writer_record(&g->writer, g->store, j->pack, &e, err);
		g->refs[m[i].ref].moved = true;
	}
	if (j->mtime.tv_sec > g->newest.tv_sec)
		g->newest = j->mtime;
	if (!ret && g->writer.at >= PACK_TARGET)
		ret = finish_new(g, err);
	return ret;
}

/* The copies of one pack that must move. A pack whose bytes are not those of its name stays for fsck. */
static int rewrite(struct gc *g, size_t pack, const size_t *refs, size_t n, struct vv_err *err)
{
	struct judged *j = &g->packs[pack];
	struct vv_err why = VV_ERR_INIT;
	struct moving *m = malloc((n ? n : 1) * sizeof(*m));
	size_t k = 0;
	int ret = m ? pack_verify(j->pack->path, &j->pack->name, &why) : vv_fail_nomem(err);

	if (m && ret) {
		j->fate = KEEP;
		ret = ret == VV_ENOMEM ? vv_fail_nomem(err) : 0;
		goto out;
	}
	for (size_t i = 0; i < n && !ret; i++) {
		struct entry e;
		pack_entry(j->pack, g->refs[refs[i]].entry, &e);
		if (g->refs[refs[i]].needed)
			m[k++] = (struct moving){e.off, refs[i]};
	}
	if (!ret)
		ret = move_objects(g, j, m, k, err);
out:
	free(m);
	return ret;
}

static int rewrite_all(struct gc *g, struct vv_err *err)
{
	size_t *start = calloc(g->n_packs + 2, sizeof(*start)), *order = malloc((g->n_refs + 1) * sizeof(*order));
	int ret = start && order ? 0 : vv_fail_nomem(err);

	/* The copies by pack. */
	for (size_t i = 0; i < g->n_refs && !ret; i++)
		start[g->refs[i].pack + 2]++;
	for (size_t i = 2; i < g->n_packs + 2 && !ret; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < g->n_refs && !ret; i++)
		order[start[g->refs[i].pack + 1]++] = i;
	for (size_t i = 0; i < g->n_packs && !ret; i++) {
		vv_progress(g->prog, "Collecting", i, g->n_packs);
		if (g->packs[i].fate == REWRITE || g->packs[i].fate == MERGE)
			ret = rewrite(g, i, order + start[i], start[i + 1] - start[i], err);
	}
	if (!ret)
		ret = finish_new(g, err);
	free(start);
	free(order);
	return ret;
}

/* --- under the exclusive lock --- */

/* Is it where it was, and did nobody use it? */
static bool untouched(const struct judged *j)
{
	return j->pack->seen && !j->pack->trashed && j->pack->mtime.tv_sec == j->mtime.tv_sec &&
		j->pack->mtime.tv_nsec == j->mtime.tv_nsec;
}

/* A trashed pack is kept for the needed objects that nobody else has. */
static bool is_sole_copy(const struct gc *g, size_t i)
{
	size_t first = find_ref(g, &g->refs[i].id);

	if (!g->refs[i].needed)
		return false;
	for (size_t k = first; same_object(g, first, k); k++)
		if ((g->refs[k].moved || !g->refs[k].trashed) && g->refs[k].depth <= g->refs[i].depth)
			return false;
	return true;
}

static int empty_trash(struct gc *g, struct vv_err *err)
{
	bool *sole = calloc(g->n_packs + 1, sizeof(*sole));
	int ret = sole ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < g->n_refs && !ret; i++)
		if (g->packs[g->refs[i].pack].pack->trashed && is_sole_copy(g, i))
			sole[g->refs[i].pack] = true;
	for (size_t i = 0; i < g->n_packs && !ret; i++) {
		struct pack *p = g->packs[i].pack;
		if (!p->trashed || !p->seen)
			continue;
		if (sole[i]) {
			g->stats->packs_revived++;
			ret = g->opt->dry_run ? 0 : store_freshen(g->store, p, err);
		} else if (older(g, p->trashed_s)) {
			g->stats->packs_deleted++;
			g->stats->freed += p->size;
			ret = g->opt->dry_run ? 0 : vv_unlink(p->path, err);
		}
	}
	free(sole);
	return ret;
}

/* A time far in the future would keep a pack for as long: it is young from now on. */
static int mend_time(struct gc *g, struct pack *p, struct vv_err *err)
{
	if (g->opt->dry_run || p->mtime.tv_sec < 0 || (uint64_t)p->mtime.tv_sec <= g->now + AHEAD_S)
		return 0;
	return store_freshen(g->store, p, err);
}

static int retire(struct gc *g, const char *trash, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < g->n_packs && !ret; i++) {
		struct judged *j = &g->packs[i];
		if (j->pack->trashed || !j->pack->seen)
			continue;
		if (j->fate == KEEP || !untouched(j)) {
			g->stats->packs_kept++;
			ret = mend_time(g, j->pack, err);
			continue;
		}
		g->stats->packs_rewritten += j->fate != TRASH;
		g->stats->packs_trashed += j->fate == TRASH;
		if (j->fate == MERGE)
			g->stats->freed += j->pack->size;
		else
			g->stats->trashed += j->pack->size;
		if (g->opt->dry_run)
			continue;
		/* All that a merged pack held is in the new one: it needs no trash. */
		ret = j->fate == MERGE ? vv_unlink(j->pack->path, err) : store_move_pack(g->store, j->pack, trash, err);
	}
	return ret;
}

struct sweep {
	const struct gc *gc;
	const char *dir;
};

/* Left by a writer that died: none is at work while the lock is ours. */
static int sweep_temp(void *arg, const char *name, struct vv_err *err)
{
	static const char prefix[] = ".varve-tmp-";
	const struct sweep *w = arg;
	char *path;
	struct stat st;
	int ret = 0;

	if (strncmp(name, prefix, sizeof(prefix) - 1))
		return 0;
	path = vv_join(w->dir, name);
	if (!path)
		return vv_fail_nomem(err);
	if (!lstat(path, &st) && S_ISREG(st.st_mode) && st.st_mtim.tv_sec >= 0 &&
		older(w->gc, (uint64_t)st.st_mtim.tv_sec))
		ret = vv_unlink(path, err);
	free(path);
	return ret;
}

/* What came in of a pack whose rest nobody sent. Who is sending holds a lock. */
static int sweep_arrival(void *arg, const char *name, struct vv_err *err)
{
	const struct sweep *w = arg;
	char *path = vv_join(w->dir, name);
	struct stat st;
	int ret = path ? 0 : vv_fail_nomem(err), fd = ret ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_mtim.tv_sec >= 0 &&
		older(w->gc, (uint64_t)st.st_mtim.tv_sec))
		ret = vv_unlink(path, err);
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

struct generations {
	struct gc *gc;
	const char *trash, *dir;
};

/* A file in the trash that is in use as well, and whole there: the same bytes came again by another way. */
static int drop_twin(void *arg, const char *name, struct vv_err *err)
{
	const struct generations *t = arg;
	char *used = store_path(t->gc->store, "packs", name), *path = vv_join(t->dir, name);
	struct vv_err why = VV_ERR_INIT;
	struct vv_id id;
	int ret = used && path ? 0 : vv_fail_nomem(err);

	if (!ret && pack_name_parse(name, &id) && !pack_verify(used, &id, &why))
		ret = vv_unlink(path, err);
	free(used);
	free(path);
	return ret;
}

/* Empty generations go; one that claims to be of the future begins now. */
static int tidy_generation(void *arg, const char *name, struct vv_err *err)
{
	struct generations *t = arg;
	char *path = vv_join(t->trash, name), now[32], *end, *to;
	uint64_t at = strtoull(name, &end, 10);
	int ret;

	t->dir = path;
	ret = path ? vv_each_name(path, drop_twin, t, err) : vv_fail_nomem(err);
	if (ret == VV_ENOTFOUND)
		ret = 0; /* no folder */
	if (!ret && rmdir(path) && !*end && at > t->gc->now + AHEAD_S) {
		snprintf(now, sizeof(now), "%020" PRIu64, t->gc->now);
		to = vv_join(t->trash, now);
		if (!to)
			ret = vv_fail_nomem(err);
		else if (rename(path, to) && errno != EEXIST && errno != ENOTEMPTY)
			ret = vv_fail_sys(err, errno, "%s", path);
		free(to);
	}
	free(path);
	return ret;
}

static int sync_all(struct gc *g, const char *packs, const char *trash, const char *generation, struct vv_err *err)
{
	char *sub = vv_join(g->store->dir, generation);
	int ret = sub ? 0 : vv_fail_nomem(err);

	if (!ret && vv_exists(sub))
		ret = vv_sync_dir(sub, err);
	if (!ret)
		ret = vv_sync_dir(packs, err);
	if (!ret && vv_exists(trash)) {
		struct generations t = {g, trash, NULL};
		ret = vv_each_name(trash, tidy_generation, &t, err);
		if (!ret)
			ret = vv_sync_dir(trash, err);
	}
	free(sub);
	return ret;
}

static bool moves_any(const struct gc *g)
{
	for (size_t i = 0; i < g->n_packs; i++)
		if (g->packs[i].fate == TRASH || g->packs[i].fate == REWRITE)
			return true;
	return false;
}

static int act(struct gc *g, struct vv_err *err)
{
	char generation[40], *packs = vv_join(g->store->dir, "packs"), *trash = vv_join(g->store->dir, "trash");
	char *incoming = vv_join(g->store->dir, "incoming");
	struct vv_lock lock = VV_LOCK_INIT;
	struct sweep sweep = {g, packs};
	char *sub = NULL;
	int ret = packs && trash && incoming ? store_lock(g->store, &lock, VV_LOCK_EXCLUSIVE, err) : vv_fail_nomem(err);

	snprintf(generation, sizeof(generation), "trash/%020" PRIu64, g->now);
	if (!ret)
		ret = vv_store_refresh(g->store, err);
	if (!ret)
		ret = empty_trash(g, err);
	if (!ret && !g->opt->dry_run && moves_any(g)) {
		sub = vv_join(g->store->dir, generation);
		ret = sub ? vv_mkdirs(sub, err) : vv_fail_nomem(err);
	}
	if (!ret)
		ret = retire(g, generation, err);
	if (!ret && !g->opt->dry_run)
		ret = vv_each_name(packs, sweep_temp, &sweep, err);
	sweep.dir = incoming;
	if (!ret && !g->opt->dry_run)
		ret = vv_each_name(incoming, sweep_arrival, &sweep, err);
	if (!ret && !g->opt->dry_run)
		ret = sync_all(g, packs, trash, generation, err);
	if (!ret)
		ret = vv_store_refresh(g->store, err);
	vv_unlock(&lock);
	free(packs);
	free(trash);
	free(incoming);
	free(sub);
	return ret;
}

int vv_store_gc(struct vv_store *s, bool (*live)(void *arg, const struct vv_id *id), void *arg,
	const struct vv_gc_options *opt, struct vv_gc_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_gc_stats ignore;
	struct gc g = {.store = s, .live = live, .arg = arg, .opt = opt, .stats = stats ? stats : &ignore, .prog = prog,
		.now = vv_now_s()};
	struct vv_lock only = VV_LOCK_INIT;
	int ret;

	if (s->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", s->dir);
	*g.stats = (struct vv_gc_stats){0};
	writer_init(&g.writer, s);
	ret = store_lock_gc(s, &only, err);
	if (!ret)
		ret = vv_store_refresh(s, err);
	/* What a damaged pack's objects are made of cannot be told. */
	if (!ret && s->bad_packs)
		ret = vv_fail(err, VV_ECORRUPT, "%s: %zu packs cannot be opened; nothing was removed, run fsck first", s->dir,
			s->bad_packs);
	if (!ret)
		ret = collect(&g, err);
	if (!ret)
		ret = mark(&g, err);
	if (!ret) {
		judge(&g);
		ret = opt->dry_run ? 0 : rewrite_all(&g, err);
	}
	if (!ret)
		ret = act(&g, err);
	writer_release(&g.writer);
	vv_unlock(&only);
	free(g.packs);
	free(g.refs);
	free(g.todo);
	return ret;
}
