/* Writing the files of a directory: small ones many at a time, so that the store is asked once for thousands of them. */
#define _GNU_SOURCE
#include "git/dirwork.h"

#include "git/peer.h"
#include "hash/sha256.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MTIME_AGE_S = 2,       /* so that a change soon after has another time */
	SMALL = 4 << 20,       /* bytes of a file that is written with others */
	AT_ONCE = 64 << 20,
	FILES_AT_ONCE = 1 << 14,
};

/* What remotes on this machine have of what is missing. */
static int fetch(struct vv_dirwork *w, struct vv_err *err)
{
	size_t n = 0, cap = 0;
	struct vv_id *ids = NULL;
	int ret = 0;

	for (size_t i = 0; i < w->n_writes; i++)
		cap += w->m->files[w->writes[i].file].n_segs;
	ids = malloc((cap ? cap : 1) * sizeof(*ids));
	if (!ids)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < w->n_writes; i++) {
		const struct vv_manifest_file *f = &w->m->files[w->writes[i].file];
		for (size_t j = 0; j < f->n_segs; j++)
			if (!vv_store_has(w->repo->store, &w->m->segs[f->seg + j].id))
				ids[n++] = w->m->segs[f->seg + j].id;
	}
	if (n)
		ret = vv_store_refresh(w->repo->store, err);
	if (n && !ret)
		ret = vv_peers_fetch(w->repo, ids, n, w->report->prog, err);
	free(ids);
	return ret;
}

/* Makes the folders on the way to a file. */
static int make_folders(const struct vv_dirwork *w, const char *path, struct vv_err *err)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *part = strndup(path, (size_t)(slash - path));
		struct vv_place place = VV_PLACE_INIT;
		int ret = part ? vv_place_open(&place, w->fd, part, err) : vv_fail_nomem(err);

		if (!ret && mkdirat(place.dirfd, place.name, 0777) && errno != EEXIST)
			ret = vv_fail_sys(err, errno, "%s", part);
		vv_place_release(&place);
		free(part);
		if (ret)
			return ret;
	}
	return 0;
}

static int make_place(struct vv_dirwork *w, const char *path, struct vv_place *place, struct vv_err *err)
{
	int ret = vv_dirwork_place(w, path, place, err);

	if (ret != VV_ENOTFOUND)
		return ret;
	vv_err_clear(err);
	ret = make_folders(w, path, err);
	return ret ? ret : vv_dirwork_place(w, path, place, err);
}

/* Gives the written draft its name. What cannot be put there stays out, and is told. */
static int place_draft(struct vv_dirwork *w, const struct vv_dirwrite *what, struct vv_draft *d, const struct vv_place *place)
{
	const struct vv_manifest_file *f = &w->m->files[what->file];
	struct vv_err why = VV_ERR_INIT;
	struct stat st;

	if (vv_draft_place(d, place, f->mode, MTIME_AGE_S, what->replaces ? &what->seen : NULL, &st, &why)) {
		if (why.code == VV_ECHANGED || why.code == VV_EEXISTS)
			vv_dirwork_leave(w, f->path, why.msg);
		else
			vv_dirwork_failed(w, f->path, why.msg);
		return why.code;
	}
	w->now[what->file] = vv_tree_stat_of(&st);
	w->report->files++;
	w->report->bytes += f->size;
	return 0;
}

static int write_large(struct vv_dirwork *w, const struct vv_dirwrite *what, struct vv_err *err)
{
	const struct vv_manifest_file *f = &w->m->files[what->file];
	struct vv_place place;
	struct vv_draft draft = VV_DRAFT_INIT;
	struct vv_manifest m = {0};
	struct vv_err why = VV_ERR_INIT;
	int ret = make_place(w, f->path, &place, &why);

	if (!ret)
		ret = vv_draft_open_at(&draft, w->drafts, f->path, &why);
	if (!ret)
		ret = vv_dir_file(w->m, what->file, &m, &why);
	if (!ret)
		ret = vv_model_get_fd(w->repo->store, &m, draft.fd, f->path, 0, w->report->prog, &why);
	if (!ret)
		(void)place_draft(w, what, &draft, &place);
	else if (ret == VV_ENOMEM)
		ret = vv_fail_nomem(err);
	else
		vv_dirwork_failed(w, f->path, why.msg);
	vv_manifest_release(&m);
	vv_draft_release(&draft);
	return ret == VV_ENOMEM ? ret : 0;
}

/* One small file, whose bytes are at `off` of `from`. */
static void write_small(struct vv_dirwork *w, const struct vv_dirwrite *what, int from, uint64_t off, uint8_t *buf)
{
	const struct vv_manifest_file *f = &w->m->files[what->file];
	struct vv_place place;
	struct vv_draft draft = VV_DRAFT_INIT;
	struct vv_err why = VV_ERR_INIT;
	struct vv_id id;
	int ret = make_place(w, f->path, &place, &why);

	if (!ret)
		ret = vv_draft_open_at(&draft, w->drafts, f->path, &why);
	if (!ret && f->size && pread(from, buf, (size_t)f->size, (off_t)off) != (ssize_t)f->size)
		ret = vv_fail_sys(&why, errno, "%s", f->path);
	if (!ret)
		vv_sha256(vv_span(buf, (size_t)f->size), &id);
	if (!ret && !vv_id_eq(&id, &f->sha256))
		ret = vv_fail(&why, VV_ECORRUPT, "its parts are not the file that the manifest names");
	if (!ret)
		ret = vv_write_fd(draft.fd, vv_span(buf, (size_t)f->size), f->path, &why);
	if (!ret)
		(void)place_draft(w, what, &draft, &place);
	else
		vv_dirwork_failed(w, f->path, why.msg);
	vv_draft_release(&draft);
}

/* The files of writes [from, to), whose `n` segments are together in one file first: one get instead of many. */
static int write_batch(struct vv_dirwork *w, size_t from, size_t to, size_t n, uint8_t *buf, struct vv_err *err)
{
	struct vv_get_item *items = malloc((n ? n : 1) * sizeof(*items));
	struct vv_temp t = VV_TEMP_INIT;
	uint64_t off = 0;
	size_t k = 0;
	int ret = items ? vv_temp_open_private(&t, w->repo->state_dir, err) : vv_fail_nomem(err);

	for (size_t i = from; i < to && !ret; i++) {
		const struct vv_manifest_file *f = &w->m->files[w->writes[i].file];
		for (size_t j = 0; j < f->n_segs; j++) {
			const struct vv_manifest_seg *s = &w->m->segs[f->seg + j];
			if (s->seg.len)
				items[k++] = (struct vv_get_item){s->id, s->seg.len, off + (s->seg.off - f->off)};
		}
		off += f->size;
	}
	if (!ret && k)
		ret = vv_store_get_fd(w->repo->store, items, k, t.fd, w->dir, w->report->prog, err);
	off = 0;
	for (size_t i = from; i < to && !ret; i++) {
		write_small(w, &w->writes[i], t.fd, off, buf);
		off += w->m->files[w->writes[i].file].size;
	}
	vv_temp_release(&t);
	free(items);
	return ret;
}

/* One bad object must not keep the others from being written. */
static int write_batch_or_each(struct vv_dirwork *w, size_t from, size_t to, size_t n, uint8_t *buf, struct vv_err *err)
{
	int ret = write_batch(w, from, to, n, buf, err);

	if (!ret || ret == VV_ENOMEM || ret == VV_EIO)
		return ret;
	vv_err_clear(err);
	for (size_t i = from; i < to; i++)
		if ((ret = write_large(w, &w->writes[i], err)))
			return ret;
	return 0;
}

int vv_dirwork_write(struct vv_dirwork *w, struct vv_err *err)
{
	uint8_t *buf = malloc(SMALL);
	size_t from = 0, segs = 0, have = 0;
	uint64_t bytes = 0;
	int ret = buf ? fetch(w, err) : vv_fail_nomem(err);

	/* What no store has stays away. */
	for (size_t i = 0; i < w->n_writes && !ret; i++) {
		const struct vv_manifest_file *f = &w->m->files[w->writes[i].file];
		if (!vv_dirwork_is_stored(w, w->m, f)) {
			vv_dirwork_failed(w, f->path, "its bytes are not on this machine");
			continue;
		}
		w->writes[have++] = w->writes[i];
		bytes += f->size;
	}
	if (!ret)
		ret = vv_have_room(w->fd, bytes, err);
	bytes = 0;
	for (size_t i = 0; i < have && !ret; i++) {
		const struct vv_manifest_file *f = &w->m->files[w->writes[i].file];
		bool large = f->size > SMALL;

		if (i > from && (large || bytes + f->size > AT_ONCE || i - from == FILES_AT_ONCE)) {
			ret = write_batch_or_each(w, from, i, segs, buf, err);
			from = i;
			segs = 0;
			bytes = 0;
		}
		if (!ret && large) {
			ret = write_large(w, &w->writes[i], err);
			from = i + 1;
			continue;
		}
		segs += f->n_segs;
		bytes += f->size;
	}
	if (!ret && from < have)
		ret = write_batch_or_each(w, from, have, segs, buf, err);
	free(buf);
	return ret;
}
