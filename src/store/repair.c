/*
 * Repair: what can be saved is written into new packs and made durable; only then damaged packs move
 * to corrupt/, where they stay.
 */
#include "store/fsck.h"

#include <stdlib.h>

static int try_trash(struct fsck *f, const struct entry *e, struct vv_err *err)
{
	struct vv_store *s = f->store;

	for (size_t i = 0; i < s->n_packs; i++) {
		struct pack *p = s->packs[i];
		struct vv_err why = VV_ERR_INIT;
		struct entry copy;
		size_t at;
		if (!p->trashed || !pack_find(p, &e->id, &at) || fsck_entry(f, p, at, 0, &why))
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

static int try_recover(struct fsck *f, const struct entry *e, const char **from, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(SIZE_MAX / 2);
	struct vv_err why = VV_ERR_INIT;
	struct vv_source_mem src;
	struct vv_id id;
	int ret = VV_ENOTFOUND;

	if (!f->report->recover || f->report->recover(f->report->arg, &e->id, e->size, &b, from, &why) || b.len != e->size)
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

	*from = "its bytes were in the trash";
	if (ret == VV_ENOTFOUND) {
		*from = "its bytes were in an alternate";
		ret = try_alternates(f, e, err);
	}
	if (ret == VV_ENOTFOUND) {
		*from = "its bytes were elsewhere";
		ret = try_recover(f, e, from, err);
	}
	return ret ? ret : writer_publish(&f->writer, err);
}

/* Asks others for the object, then for a base that no pack has any more. */
static int ask(struct fsck *f, struct fsck_fault *t, bool *good, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct entry base = t->e;
	enum vv_dtype dtype;
	int ret = fetch(f, &t->e, &t->from, err);

	*good = !ret;
	t->asked = true;
	if (ret != VV_ENOTFOUND || !t->e.depth || fsck_readable(f, &t->e.base))
		return ret == VV_ENOTFOUND ? 0 : ret;
	base.id = t->e.base;
	/* The index does not say of which type the base was. */
	for (size_t i = 0; ret == VV_ENOTFOUND && base_guess(&t->e, i, &dtype, &base.size); i++) {
		base.dtype = (uint8_t)dtype;
		ret = fetch(f, &base, &t->from, err);
	}
	*good = !ret && !fsck_entry(f, f->files[t->file].pack, t->entry, 0, &why);
	return ret == VV_ENOTFOUND ? 0 : ret;
}

/* Its record, its bytes from elsewhere, or those of what it is made of. */
static int mend(struct fsck *f, struct fsck_fault *t, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	bool good = true;
	int ret = 0;

	t->from = "another copy is good";
	if (!fsck_readable(f, &t->e.id)) {
		t->from = "what it needs is there again";
		good = !fsck_entry(f, f->files[t->file].pack, t->entry, 0, &why);
		if (!good && !t->asked)
			ret = ask(f, t, &good, err);
	}
	t->repaired = !ret && good;
	f->stats->repaired += t->repaired;
	return ret;
}

/* Copies what verifies out of a damaged pack. */
static int salvage(struct fsck *f, struct pack *p, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < p->n && !ret; i++) {
		struct vv_err why = VV_ERR_INIT;
		struct entry e;
		pack_entry(p, i, &e);
		if (store_has_own(f->store, &e.id, e.depth + 1u) || fsck_entry(f, p, i, 0, &why))
			continue;
		ret = writer_record(&f->writer, f->store, p, &e, err);
		if (!ret && f->writer.at >= PACK_TARGET)
			ret = writer_publish(&f->writer, err);
	}
	return ret;
}

/* What was mended may have the same bytes as before the damage, so the same name: it was moved on the way. */
static bool was_moved(const struct fsck_file *file)
{
	struct vv_err why = VV_ERR_INIT;
	struct pack *now = NULL;
	int ret;

	if (file->pack)
		return file->pack->corrupt;
	ret = pack_open(&now, file->path, &file->name, &why);
	pack_free(now);
	return !ret || ret == VV_ENOTFOUND;
}

static int move_away(struct fsck *f, struct fsck_file *file, struct vv_err *err)
{
	int ret = 0;

	if (!was_moved(file))
		ret = store_quarantine(f->store, file->pack ? file->pack->path : file->path, file->pack, err);
	file->moved = !ret;
	return ret;
}

static int move_all(struct fsck *f, struct vv_err *err)
{
	char *packs = vv_join(f->store->dir, "packs");
	struct vv_lock lock = VV_LOCK_INIT;
	int ret = packs ? store_lock(f->store, &lock, VV_LOCK_EXCLUSIVE, err) : vv_fail_nomem(err);

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

/* Records of packs that cannot be opened, and faults, until neither brings the other on. */
static int mend_all(struct fsck *f, struct recovery *r, struct vv_err *err)
{
	size_t found = 1, before;
	int ret = 0;

	do {
		before = f->stats->repaired;
		ret = recovery_run(r, &f->writer, f->scratch[0], &found, err);
		f->found += found;
		f->stats->repaired += found;
		/* Bases before what needs them: the faults are in that order. */
		for (size_t i = 0; i < f->n_faults && !ret; i++)
			if (!f->faults[i].repaired)
				ret = mend(f, &f->faults[i], err);
	} while (!ret && f->stats->repaired != before);
	f->left = recovery_left(r);
	return ret;
}

int fsck_repair(struct fsck *f, struct vv_err *err)
{
	struct recovery *r = recovery_new(f->store);
	int ret = r ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < f->n_files && !ret; i++)
		if (!f->files[i].pack)
			ret = recovery_add(r, f->files[i].path, &f->files[i].name, err);
	if (!ret)
		ret = mend_all(f, r, err);
	for (size_t i = 0; i < f->n_files && !ret; i++)
		if (f->files[i].damaged && f->files[i].pack)
			ret = salvage(f, f->files[i].pack, err);
	if (!ret)
		ret = writer_publish(&f->writer, err);
	if (!ret)
		ret = move_all(f, err);
	recovery_free(r);
	return ret;
}
