/*
 * fsck: every pack against its name, every object against its id. Repair writes what can be saved
 * into a new pack first, and only then moves damaged packs to corrupt/, where they stay.
 */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 256 << 20 }; /* raw bytes checked between two steps of progress */

/* One pack file. */
struct file {
	struct pack *pack; /* NULL: cannot be opened */
	char *path;        /* when it cannot */
	bool trashed, damaged, moved;
	struct vv_err why;
};

/* A record that did not verify. */
struct fault {
	size_t file, entry;
	struct entry e;
	bool dependent; /* its own record may be right, what it is made of is not */
	bool repaired;
	struct vv_id needs;
	struct vv_err why;
	const char *from; /* where the bytes came from */
};

struct fsck {
	struct vv_store *store;
	const struct vv_fsck_report *report;
	struct vv_fsck_stats *stats;
	struct vv_progress *prog;
	struct scratch **scratch;
	struct file *files;
	size_t n_files, cap_files;
	/* the batch that runs */
	struct { size_t file, entry; } *jobs;
	size_t n_jobs, cap_jobs;
	pthread_mutex_t lock;
	struct fault *faults; /* under lock */
	size_t n_faults, cap_faults;
	uint64_t total, done;
	struct pack_writer writer;
};

/* The copy that a pack's entry is. */
static int verify_entry(struct vv_store *s, struct pack *p, size_t entry, struct scratch *scratch, struct vv_err *err)
{
	struct object *o = NULL;
	struct entry e;
	int ret;

	pack_entry(p, entry, &e);
	ret = object_open_at(&o, s, p, &e, err);
	if (!ret)
		ret = object_verify(o, scratch, err);
	object_free(o);
	return ret;
}

/* --- checking --- */

static int add_file(struct fsck *f, struct pack *p, const char *path, bool trashed, const struct vv_err *why,
	struct vv_err *err)
{
	struct file file = {.pack = p, .trashed = trashed, .damaged = !p};

	if (grow(&f->files, &f->cap_files, f->n_files + 1, sizeof(*f->files), err))
		return err->code;
	if (why)
		file.why = *why;
	if (path && !(file.path = strdup(path)))
		return vv_fail_nomem(err);
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
		ret = ret == VV_ENOTFOUND ? 0 : add_file(l->f, NULL, path, l->trashed, &why, err);
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
			ret = add_file(f, s->packs[i], NULL, false, NULL, err);
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
	struct file *file = &f->files[i];
	int ret = file->pack ? pack_verify(file->pack->path, &file->pack->name, &file->why) : 0;

	if (ret == VV_ENOMEM)
		return vv_fail_nomem(err);
	file->damaged |= ret != 0;
	return 0;
}

static int check_entry(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct fsck *f = arg;
	struct fault fault = {.file = f->jobs[i].file, .entry = f->jobs[i].entry};
	struct pack *p = f->files[fault.file].pack;
	int ret = verify_entry(f->store, p, fault.entry, f->scratch[worker], &fault.why);

	if (ret == VV_ENOMEM)
		return vv_fail_nomem(err);
	if (!ret)
		return 0;
	pack_entry(p, fault.entry, &fault.e);
	pthread_mutex_lock(&f->lock);
	ret = grow(&f->faults, &f->cap_faults, f->n_faults + 1, sizeof(*f->faults), err);
	if (!ret)
		f->faults[f->n_faults++] = fault;
	pthread_mutex_unlock(&f->lock);
	return ret;
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
	const struct fault *x = a, *y = b;

	if (x->e.kind != y->e.kind)
		return x->e.kind < y->e.kind ? -1 : 1;
	if (x->e.depth != y->e.depth)
		return x->e.depth < y->e.depth ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Is every part of this object good? Yields the first that is not. */
static bool parts_good(struct fsck *f, const struct fault *t, struct vv_id *bad)
{
	struct vv_err why = VV_ERR_INIT;
	struct object *o = NULL, *part = NULL;
	bool good = true;

	if (t->e.depth) {
		*bad = t->e.base;
		good = !object_open(&part, f->store, &t->e.base, &why) && !object_verify(part, f->scratch[0], &why);
		object_free(part);
		return good;
	}
	if (t->e.kind != KIND_CHUNKS || object_open_at(&o, f->store, f->files[t->file].pack, &t->e, &why))
		return true;
	for (size_t i = 0; i < o->n_rows && good; i++) {
		uint32_t len;
		object_chunk(o, i, bad, &len);
		part = NULL;
		good = !object_open(&part, f->store, bad, &why) && !object_verify(part, f->scratch[0], &why);
		object_free(part);
	}
	object_free(o);
	return good;
}

static void sort_faults(struct fsck *f)
{
	if (f->n_faults)
		qsort(f->faults, f->n_faults, sizeof(*f->faults), by_place);
	for (size_t i = 0; i < f->n_faults; i++) {
		struct fault *t = &f->faults[i];
		t->dependent = !parts_good(f, t, &t->needs);
		f->stats->dependents += t->dependent;
		f->stats->bad_objects += !t->dependent;
		f->files[t->file].damaged |= !t->dependent;
	}
}

/* --- repair --- */

/* Is there a copy that can be read? */
static bool readable(struct fsck *f, const struct vv_id *id)
{
	struct vv_err why = VV_ERR_INIT;
	struct object *o = NULL;
	bool good = !object_open(&o, f->store, id, &why) && !object_verify(o, f->scratch[0], &why);

	object_free(o);
	return good;
}

static int try_trash(struct fsck *f, const struct entry *e, struct vv_err *err)
{
	struct vv_store *s = f->store;

	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->packs[i];
		struct vv_err why = VV_ERR_INIT;
		struct entry copy;
		size_t at;
		if (!p->trashed || !pack_find(p, &e->id, &at) || verify_entry(s, p, at, f->scratch[0], &why))
			continue;
		pack_entry(p, at, &copy);
		return writer_record(&f->writer, s, p, &copy, err);
	}
	return VV_ENOTFOUND;
}

static int try_alternates(struct fsck *f, const struct entry *e, struct vv_err *err)
{
	for (size_t i = 0; i < f->store->n_alternates; i++) {
		struct object_source src;
		struct vv_err why = VV_ERR_INIT;
		struct vv_object_info info;
		int ret;
		object_source_init(&src, f->store->alternates[i], &e->id, e->size);
		if (vv_store_find(src.store, &e->id, &info, &why) || info.size != e->size)
			continue;
		ret = encode_again(&f->writer, &src.base, e, NULL, f->scratch[0], &why);
		if (!ret)
			return 0;
		if (ret == VV_ENOMEM || ret == VV_EIO) {
			*err = why;
			return ret;
		}
	}
	return VV_ENOTFOUND;
}

static int try_recover(struct fsck *f, const struct entry *e, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(SIZE_MAX / 2);
	struct vv_err why = VV_ERR_INIT;
	struct vv_source_mem src;
	struct vv_id id;
	int ret = VV_ENOTFOUND;

	if (!f->report->recover || f->report->recover(f->report->arg, &e->id, e->size, &b, &why) || b.len != e->size)
		goto out;
	vv_sha256(vv_buf_view(&b), &id);
	if (!vv_id_eq(&id, &e->id))
		goto out;
	vv_source_mem_init(&src, vv_buf_view(&b));
	ret = encode_again(&f->writer, &src.base, e, NULL, f->scratch[0], err);
out:
	vv_buf_release(&b);
	return ret;
}

/* VV_ENOTFOUND: nobody has it. */
static int fetch(struct fsck *f, const struct entry *e, const char **from, struct vv_err *err)
{
	int ret = try_trash(f, e, err);

	*from = "from the trash";
	if (ret == VV_ENOTFOUND) {
		*from = "from an alternate";
		ret = try_alternates(f, e, err);
	}
	if (ret == VV_ENOTFOUND) {
		*from = "from the file's own bytes";
		ret = try_recover(f, e, err);
	}
	return ret ? ret : writer_publish(&f->writer, err);
}

/* Its record, its bytes from elsewhere, or those of what it is made of. */
static int mend(struct fsck *f, struct fault *t, struct vv_err *err)
{
	struct pack *p = f->files[t->file].pack;
	struct vv_err why = VV_ERR_INIT;
	struct entry part = t->e;
	int ret;

	t->from = "another copy is good";
	if (readable(f, &t->e.id))
		goto good;
	t->from = "what it needs is there again";
	if (!verify_entry(f->store, p, t->entry, f->scratch[0], &why))
		goto good;
	ret = fetch(f, &t->e, &t->from, err);
	if (!ret)
		goto good;
	if (ret != VV_ENOTFOUND || !t->e.depth || readable(f, &t->e.base))
		return ret == VV_ENOTFOUND ? 0 : ret;
	/* A base that no pack has any more. */
	part.id = t->e.base;
	ret = fetch(f, &part, &t->from, err);
	if (!ret && !verify_entry(f->store, p, t->entry, f->scratch[0], &why))
		goto good;
	return ret == VV_ENOTFOUND ? 0 : ret;
good:
	t->repaired = true;
	f->stats->repaired++;
	return 0;
}

/* Copies what verifies out of a damaged pack. */
static int salvage(struct fsck *f, size_t file, struct vv_err *err)
{
	struct pack *p = f->files[file].pack;
	int ret = 0;

	for (size_t i = 0; i < p->n && !ret; i++) {
		struct vv_err why = VV_ERR_INIT;
		struct entry e;
		if (verify_entry(f->store, p, i, f->scratch[0], &why))
			continue;
		pack_entry(p, i, &e);
		ret = writer_record(&f->writer, f->store, p, &e, err);
		if (!ret && f->writer.at >= PACK_TARGET)
			ret = writer_publish(&f->writer, err);
	}
	return ret;
}

static int move_away(struct fsck *f, struct file *file, struct vv_err *err)
{
	int ret = 0;

	/* A repaired pack may have the same bytes, so the same name: then it was moved on the way. */
	if (!file->pack || !file->pack->corrupt)
		ret = store_quarantine(f->store, file->pack ? file->pack->path : file->path, file->pack, err);
	file->moved = !ret;
	return ret;
}

static int repair_all(struct fsck *f, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	char *packs = vv_join(f->store->dir, "packs");
	int ret = packs ? 0 : vv_fail_nomem(err);

	/* Bases before what needs them: the faults are in that order. */
	for (size_t i = 0; i < f->n_faults && !ret; i++)
		ret = mend(f, &f->faults[i], err);
	for (size_t i = 0; i < f->n_files && !ret; i++)
		if (f->files[i].damaged && f->files[i].pack)
			ret = salvage(f, i, err);
	if (!ret)
		ret = writer_publish(&f->writer, err);
	if (!ret)
		ret = store_lock(f->store, &lock, VV_LOCK_EXCLUSIVE, err);
	for (size_t i = 0; i < f->n_files && !ret; i++)
		if (f->files[i].damaged)
			ret = move_away(f, &f->files[i], err);
	if (!ret)
		ret = vv_sync_dir(packs, err);
	if (!ret)
		ret = vv_store_refresh(f->store, err);
	vv_unlock(&lock);
	free(packs);
	return ret;
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

static void report_all(struct fsck *f)
{
	char hex[VV_ID_HEX + 1], needs[VV_ID_HEX + 1];

	for (size_t i = 0; i < f->n_files; i++) {
		struct file *file = &f->files[i];
		f->stats->packs += !file->trashed;
		f->stats->bad_packs += file->damaged;
		if (file->why.code)
			say(f, NULL, file->moved, "%s%s", file->why.msg, file->moved ? " (moved to corrupt)" : "");
		else if (file->moved)
			say(f, NULL, true, "pack %s: holds damaged objects (moved to corrupt)", file->pack->hex);
	}
	for (size_t i = 0; i < f->n_faults; i++) {
		struct fault *t = &f->faults[i];
		const char *open = t->repaired ? " (" : "", *shut = t->repaired ? ")" : "";
		const char *from = t->repaired ? t->from : "";
		vv_id_hex(&t->e.id, hex);
		if (t->dependent)
			say(f, &t->e.id, t->repaired, "object %s in pack %s at offset %" PRIu64 ": needs object %s%s%s%s", hex,
				f->files[t->file].pack->hex, t->e.off, vv_id_hex(&t->needs, needs), open, from, shut);
		else
			say(f, &t->e.id, t->repaired, "object %s in pack %s at offset %" PRIu64 ": %s%s%s%s", hex,
				f->files[t->file].pack->hex, t->e.off, t->why.msg, open, from, shut);
	}
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
	struct vv_lock only = VV_LOCK_INIT;
	int ret = 0;

	if (repair && s->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", s->dir);
	*f.stats = (struct vv_fsck_stats){0};
	pthread_mutex_init(&f.lock, NULL);
	writer_init(&f.writer, s);
	if (repair)
		ret = store_lock_gc(s, &only, err);
	if (!ret)
		ret = vv_store_refresh(s, err);
	if (!ret)
		ret = check_all(&f, err);
	if (!ret && repair)
		ret = repair_all(&f, err);
	if (!ret)
		report_all(&f);
	writer_release(&f.writer);
	vv_unlock(&only);
	scratch_give_all(s, f.scratch, vv_pool_threads(s->pool));
	for (size_t i = 0; i < f.n_files; i++)
		free(f.files[i].path);
	pthread_mutex_destroy(&f.lock);
	free(f.files);
	free(f.jobs);
	free(f.faults);
	return ret;
}
