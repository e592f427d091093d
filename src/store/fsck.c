/*
 * fsck: every pack against its name, every object against its id, on all threads, one object in
 * memory at a time for each. Problems are collected first, since what depends on what is known only
 * when all are.
 */
#include "store/fsck.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	BATCH = 256 << 20,   /* raw bytes checked between two steps of progress */
	FAULT_TEXTS = 10000, /* a disk that died must not fill the memory */
};

int fsck_entry(struct fsck *f, struct pack *p, size_t entry, unsigned worker, struct vv_err *err)
{
	struct object *o = NULL;
	struct entry e;
	int ret;

	pack_entry(p, entry, &e);
	ret = object_open_at(&o, f->store, p, &e, err);
	if (!ret)
		ret = object_verify(o, f->scratch[worker], err);
	object_free(o);
	return ret;
}

bool fsck_readable(struct fsck *f, const struct vv_id *id)
{
	struct vv_err why = VV_ERR_INIT;
	struct object *o = NULL;
	bool good = !object_open(&o, f->store, id, &why) && !object_verify(o, f->scratch[0], &why);

	object_free(o);
	return good;
}

/* --- checking --- */

static int add_pack(struct fsck *f, struct pack *p, struct vv_err *err)
{
	if (grow(&f->files, &f->cap_files, f->n_files + 1, sizeof(*f->files), err))
		return err->code;
	f->files[f->n_files++] = (struct fsck_file){.pack = p, .name = p->name};
	return 0;
}

static int add_bad(struct fsck *f, const char *path, const struct vv_id *name, bool trashed, const char *why,
	struct vv_err *err)
{
	struct fsck_file file = {.path = strdup(path), .name = *name, .trashed = trashed, .damaged = true, .why = strdup(why)};

	if (!file.path || !file.why || grow(&f->files, &f->cap_files, f->n_files + 1, sizeof(*f->files), err)) {
		free(file.path);
		free(file.why);
		return vv_fail_nomem(err);
	}
	f->files[f->n_files++] = file;
	return 0;
}

struct listing {
	struct fsck *f;
	const char *dir;
	bool trashed;
};

/* The packs that the store could not open. */
static int list_bad(void *arg, const char *name, struct vv_err *err)
{
	struct listing *l = arg;
	struct vv_err why = VV_ERR_INIT;
	struct pack *p = NULL;
	struct vv_id id;
	char *path;
	int ret = 0;

	if (!pack_name_parse(name, &id) ||
		vv_map_find(&l->f->store->names, vv_span(id.b, VV_ID_BYTES)))
		return 0;
	path = vv_join(l->dir, name);
	if (!path)
		return vv_fail_nomem(err);
	ret = pack_open(&p, path, &id, &why);
	if (!ret)
		pack_free(p); /* new since the refresh */
	else if (ret == VV_ENOMEM)
		ret = vv_fail_nomem(err);
	else
		ret = ret == VV_ENOTFOUND ? 0 : add_bad(l->f, path, &id, l->trashed, why.msg, err);
	free(path);
	return ret;
}

static int list_bad_trash(void *arg, const char *name, struct vv_err *err)
{
	struct fsck *f = arg;
	char *dir = store_path(f->store, "trash", name);
	struct listing l = {f, dir, true};
	int ret = dir ? vv_each_name(dir, list_bad, &l, err) : vv_fail_nomem(err);

	free(dir);
	return ret;
}

static int list_files(struct fsck *f, struct vv_err *err)
{
	struct vv_store *s = f->store;
	char *packs = vv_join(s->dir, "packs"), *trash = vv_join(s->dir, "trash");
	struct listing l = {f, packs, false};
	int ret = packs && trash ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < s->n_packs && !ret; i++)
		if (!s->packs[i]->trashed)
			ret = add_pack(f, s->packs[i], err);
	if (!ret)
		ret = vv_each_name(packs, list_bad, &l, err);
	if (!ret)
		ret = vv_each_name(trash, list_bad_trash, f, err);
	free(packs);
	free(trash);
	return ret;
}

static int check_name(void *arg, size_t i, unsigned worker VV_UNUSED, struct vv_err *err)
{
	struct fsck *f = arg;
	struct fsck_file *file = &f->files[i];
	struct vv_err why = VV_ERR_INIT;
	int ret = file->pack ? pack_verify(file->pack->path, &file->name, &why) : 0;

	if (!ret)
		return 0;
	file->damaged = true;
	file->why = strdup(why.msg);
	return file->why && ret != VV_ENOMEM ? 0 : vv_fail_nomem(err);
}

static int add_fault(struct fsck *f, const struct fsck_fault *t, const char *why, struct vv_err *err)
{
	int ret;

	pthread_mutex_lock(&f->lock);
	ret = grow(&f->faults, &f->cap_faults, f->n_faults + 1, sizeof(*f->faults), err);
	if (!ret) {
		f->faults[f->n_faults] = *t;
		if (f->n_faults < FAULT_TEXTS)
			f->faults[f->n_faults].why = strdup(why);
		f->n_faults++;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int check_entry(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct fsck *f = arg;
	struct fsck_fault t = {.file = f->jobs[i].file, .entry = f->jobs[i].entry};
	struct pack *p = f->files[t.file].pack;
	struct vv_err why = VV_ERR_INIT;
	int ret = fsck_entry(f, p, t.entry, worker, &why);

	if (ret == VV_ENOMEM)
		return vv_fail_nomem(err);
	if (!ret)
		return 0;
	pack_entry(p, t.entry, &t.e);
	return add_fault(f, &t, why.msg, err);
}

static int run_batch(struct fsck *f, uint64_t bytes, struct vv_err *err)
{
	int ret = vv_pool_run(f->store->pool, f->n_jobs, check_entry, f, err);

	f->n_jobs = 0;
	f->done += bytes;
	vv_progress(f->prog, "Checking", f->done, f->total);
	return ret;
}

static int check_objects(struct fsck *f, struct vv_err *err)
{
	uint64_t bytes = 0;
	int ret = 0;

	for (size_t i = 0; i < f->n_files && !ret; i++)
		for (size_t k = 0; f->files[i].pack && k < f->files[i].pack->n && !ret; k++) {
			struct entry e;
			ret = grow(&f->jobs, &f->cap_jobs, f->n_jobs + 1, sizeof(*f->jobs), err);
			if (ret)
				break;
			pack_entry(f->files[i].pack, k, &e);
			f->jobs[f->n_jobs].file = i;
			f->jobs[f->n_jobs++].entry = k;
			bytes += e.size;
			f->stats->objects++;
			f->stats->bytes += e.size;
			if (bytes >= BATCH) {
				ret = run_batch(f, bytes, err);
				bytes = 0;
			}
		}
	return ret ? ret : run_batch(f, bytes, err);
}

/* --- what depends on what --- */

static int by_place(const void *a, const void *b)
{
	const struct fsck_fault *x = a, *y = b;

	if (x->e.kind != y->e.kind)
		return x->e.kind < y->e.kind ? -1 : 1;
	if (x->e.depth != y->e.depth)
		return x->e.depth < y->e.depth ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Is every part of this object good? Yields the first that is not. */
static bool parts_good(struct fsck *f, const struct fsck_fault *t, struct vv_id *bad)
{
	struct vv_err why = VV_ERR_INIT;
	struct object *o = NULL;
	bool good = true;
	uint32_t len;

	if (t->e.depth) {
		*bad = t->e.base;
		return fsck_readable(f, bad);
	}
	if (t->e.kind != KIND_CHUNKS || object_open_at(&o, f->store, f->files[t->file].pack, &t->e, &why))
		return true;
	for (size_t i = 0; i < o->n_rows && good; i++) {
		object_chunk(o, i, bad, &len);
		good = fsck_readable(f, bad);
	}
	object_free(o);
	return good;
}

static void suspect(struct fsck *f, struct pack *p)
{
	pthread_mutex_lock(&f->store->lock);
	p->suspect = true;
	pthread_mutex_unlock(&f->store->lock);
}

static void sort_faults(struct fsck *f)
{
	if (f->n_faults)
		qsort(f->faults, f->n_faults, sizeof(*f->faults), by_place);
	for (size_t i = 0; i < f->n_files; i++)
		if (f->files[i].damaged && f->files[i].pack)
			suspect(f, f->files[i].pack);
	for (size_t i = 0; i < f->n_faults; i++) {
		struct fsck_fault *t = &f->faults[i];
		t->dependent = !parts_good(f, t, &t->needs);
		f->stats->dependents += t->dependent;
		f->stats->bad_objects += !t->dependent;
		f->files[t->file].damaged |= !t->dependent;
		if (!t->dependent)
			suspect(f, f->files[t->file].pack);
	}
}

/* --- the report --- */

static void say(struct fsck *f, const struct vv_id *id, bool repaired, const char *fmt, ...) VV_PRINTF(4, 5);
static void say(struct fsck *f, const struct vv_id *id, bool repaired, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->report->problem)
		f->report->problem(f->report->arg, id, text, repaired);
}

static void report_file(struct fsck *f, const struct fsck_file *file)
{
	char hex[VV_ID_HEX + 1];

	if (file->why)
		say(f, NULL, file->moved, "%s%s", file->why, file->moved ? " (moved to corrupt)" : "");
	else if (file->moved)
		say(f, NULL, true, "pack %s: holds damaged objects (moved to corrupt)", vv_id_hex(&file->name, hex));
}

static void report_fault(struct fsck *f, const struct fsck_fault *t)
{
	char hex[VV_ID_HEX + 1], needs[VV_ID_HEX + 1], place[256], prefix[VV_ID_HEX + 8];
	const char *open = t->repaired ? " (" : "", *shut = t->repaired ? ")" : "", *from = t->repaired ? t->from : "";
	const char *why = t->why ? t->why : "damaged";

	snprintf(prefix, sizeof(prefix), "object %s", vv_id_hex(&t->e.id, hex));
	snprintf(place, sizeof(place), "%s in pack %.16s at offset %" PRIu64, prefix, f->files[t->file].pack->hex, t->e.off);
	if (t->dependent)
		say(f, &t->e.id, t->repaired, "%s: needs object %s%s%s%s", place, vv_id_hex(&t->needs, needs), open, from, shut);
	else if (!strncmp(why, prefix, strlen(prefix)))
		say(f, &t->e.id, t->repaired, "%s%s%s%s", why, open, from, shut);
	else
		say(f, &t->e.id, t->repaired, "%s: %s%s%s%s", place, why, open, from, shut);
}

static void report_all(struct fsck *f)
{
	for (size_t i = 0; i < f->n_files; i++) {
		f->stats->packs += !f->files[i].trashed;
		f->stats->bad_packs += f->files[i].damaged;
		report_file(f, &f->files[i]);
	}
	for (size_t i = 0; i < f->n_faults; i++)
		report_fault(f, &f->faults[i]);
	if (f->found)
		say(f, NULL, true, "%zu objects were found again in packs without an index", f->found);
	if (f->left)
		say(f, NULL, false, "%zu records in packs without an index cannot be decoded", f->left);
}

static int check_all(struct fsck *f, struct vv_err *err)
{
	unsigned threads = vv_pool_threads(f->store->pool);
	int ret;

	f->scratch = scratch_take_all(f->store, threads, err);
	ret = f->scratch ? list_files(f, err) : VV_ENOMEM;
	for (size_t i = 0; i < f->n_files && !ret; i++)
		for (size_t k = 0; f->files[i].pack && k < f->files[i].pack->n; k++) {
			struct entry e;
			pack_entry(f->files[i].pack, k, &e);
			f->total += e.size;
		}
	if (!ret)
		ret = vv_pool_run(f->store->pool, f->n_files, check_name, f, err);
	if (!ret)
		ret = check_objects(f, err);
	if (!ret)
		sort_faults(f);
	return ret;
}

int vv_store_fsck(struct vv_store *s, bool repair, const struct vv_fsck_report *report, struct vv_fsck_stats *stats,
	struct vv_progress *prog, struct vv_err *err)
{
	static const struct vv_fsck_report silent;
	struct vv_fsck_stats ignore;
	struct fsck f = {.store = s, .report = report ? report : &silent, .stats = stats ? stats : &ignore, .prog = prog};
	struct vv_lock only = VV_LOCK_INIT, still = VV_LOCK_INIT;
	struct vv_err none = VV_ERR_INIT;
	int ret = 0;

	if (repair && s->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", s->dir);
	*f.stats = (struct vv_fsck_stats){0};
	pthread_mutex_init(&f.lock, NULL);
	writer_init(&f.writer, s);
	if (repair)
		ret = store_lock_gc(s, &only, err);
	/* Nothing moves meanwhile. Where nobody may write, all is still anyway. */
	if (!ret && !s->readonly && store_lock(s, &still, VV_LOCK_SHARED, &none))
		ret = repair ? vv_fail(err, none.code, "%s", none.msg) : 0;
	if (!ret)
		ret = vv_store_refresh(s, err);
	if (!ret)
		ret = check_all(&f, err);
	vv_unlock(&still);
	if (!ret && repair)
		ret = fsck_repair(&f, err);
	if (!ret)
		report_all(&f);
	writer_release(&f.writer);
	vv_unlock(&only);
	scratch_give_all(s, f.scratch, vv_pool_threads(s->pool));
	for (size_t i = 0; i < f.n_files; i++) {
		free(f.files[i].path);
		free(f.files[i].why);
	}
	for (size_t i = 0; i < f.n_faults; i++)
		free(f.faults[i].why);
	pthread_mutex_destroy(&f.lock);
	free(f.files);
	free(f.jobs);
	free(f.faults);
	return ret;
}
