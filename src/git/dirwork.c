/* What is done in a directory file by file: finding its place, looking at what stands there, telling what stays. */
#define _GNU_SOURCE
#include "git/dirwork.h"

#include "hash/sha256.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOLD = 10 }; /* files that are named one by one */

struct vv_dirwork vv_dirwork(
	struct vv_repo *r, const char *dir, const struct vv_manifest *m, struct vv_sync_report *report, unsigned flags)
{
	return (struct vv_dirwork){.repo = r, .report = report, .dir = dir, .fd = -1, .drafts = -1, .flags = flags, .m = m,
		.folder = VV_PLACE_INIT, .gits_list = VV_BUF_INIT(VV_MAX_MANIFEST)};
}

int vv_dirwork_open(struct vv_dirwork *w, int root, struct vv_err *err)
{
	struct vv_place place = VV_PLACE_INIT;
	char *name = NULL, *drafts = vv_join(w->repo->state_dir, "drafts");
	int ret = !drafts || asprintf(&name, "%s/x", w->dir) < 0 ? vv_fail_nomem(err) : vv_place_open(&place, root, name, err);

	if (!ret)
		w->fd = fcntl(place.dirfd, F_DUPFD_CLOEXEC, 0);
	if (!ret)
		w->drafts = vv_drafts_open(drafts, w->fd);
	if (!ret && (w->fd < 0 || w->drafts < 0))
		ret = vv_fail_sys(err, errno, "%s", w->dir);
	vv_place_release(&place);
	free(name);
	free(drafts);
	return ret;
}

static void leave_rest(struct vv_dirwork *w)
{
	struct vv_err text = VV_ERR_INIT;

	if (w->left <= TOLD || !w->report->kept)
		return;
	(void)vv_fail(&text, VV_ECHANGED, "%zu more files stay as they are; 'varve status' counts them", w->left - TOLD);
	w->report->kept(w->report->arg, w->dir, &text);
}

void vv_dirwork_release(struct vv_dirwork *w)
{
	leave_rest(w);
	vv_dirwork_forget_folder(w);
	if (w->fd >= 0)
		close(w->fd);
	if (w->drafts >= 0)
		close(w->drafts);
	free(w->emptied);
	free(w->writes);
	free(w->now);
	vv_map_release(&w->gits);
	vv_buf_release(&w->gits_list);
}

void vv_dirwork_leave(struct vv_dirwork *w, const char *path, const char *why)
{
	struct vv_err text = VV_ERR_INIT;
	char *full = vv_join(w->dir, path);

	w->report->left_n++;
	if (w->left++ < TOLD && w->report->kept && full) {
		(void)vv_fail(&text, VV_ECHANGED, "%s", why);
		w->report->kept(w->report->arg, full, &text);
	}
	free(full);
}

void vv_dirwork_failed(struct vv_dirwork *w, const char *path, const char *why)
{
	w->failed = true;
	vv_dirwork_leave(w, path, why);
}

/* --- places --- */

void vv_dirwork_forget_folder(struct vv_dirwork *w)
{
	vv_place_release(&w->folder);
	free(w->folder_path);
	w->folder_path = NULL;
}

int vv_dirwork_place(struct vv_dirwork *w, const char *path, struct vv_place *place, struct vv_err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = (size_t)(name - path);
	int ret = 0;

	if (!w->folder_path || strncmp(w->folder_path, path, n) || w->folder_path[n]) {
		vv_dirwork_forget_folder(w);
		ret = vv_place_open(&w->folder, w->fd, path, err);
		if (!ret && !(w->folder_path = strndup(path, n)))
			ret = vv_fail_nomem(err);
	}
	/* The name is looked at as all the others were: vv_manifest_path_ok. */
	if (!ret)
		*place = (struct vv_place){w->folder.dirfd, name};
	return ret;
}

enum vv_standing vv_dirwork_look(struct vv_dirwork *w, const char *path, struct stat *st)
{
	struct vv_place place;
	struct vv_err why = VV_ERR_INIT;
	enum vv_standing found = VV_FILE_THERE;

	if (vv_dirwork_place(w, path, &place, &why))
		return why.code == VV_ENOTFOUND ? VV_NOTHING
			: why.code == VV_EUNSAFE || why.sys == ENOTDIR || why.sys == ELOOP ? VV_IN_THE_WAY : VV_UNKNOWN;
	if (fstatat(place.dirfd, place.name, st, AT_SYMLINK_NOFOLLOW))
		found = errno == ENOENT ? VV_NOTHING : VV_UNKNOWN;
	else if (!S_ISREG(st->st_mode))
		found = VV_IN_THE_WAY;
	return found;
}

bool vv_dirwork_same(const struct vv_manifest_file *a, const struct vv_manifest_file *b)
{
	return a->mode == b->mode && a->size == b->size && vv_id_eq(&a->sha256, &b->sha256);
}

bool vv_dirwork_mode_is(const struct stat *st, const struct vv_manifest_file *f)
{
	return ((st->st_mode & 0100) != 0) == (f->mode == 0755);
}

bool vv_dirwork_is_file(struct vv_dirwork *w, const struct vv_manifest_file *f, const struct stat *st)
{
	struct vv_tree_file file = {f->path, vv_tree_stat_of(st), false};
	struct vv_tree_source src;
	struct vv_err why = VV_ERR_INIT;
	struct vv_id id;
	bool yes = false;

	if (f->size != (uint64_t)st->st_size)
		return false;
	if (!vv_tree_open(&src, w->fd, &file, &why)) {
		yes = !vv_sha256_source(&src.base, &id, &why) && vv_id_eq(&id, &f->sha256) && !vv_tree_unchanged(&src, &why);
		vv_tree_close(&src);
	}
	w->failed |= why.code && why.code != VV_ECHANGED;
	return yes;
}

bool vv_dirwork_is_stored(const struct vv_dirwork *w, const struct vv_manifest *m, const struct vv_manifest_file *f)
{
	for (size_t i = 0; i < f->n_segs; i++)
		if (m->segs[f->seg + i].seg.len && !vv_store_has(w->repo->store, &m->segs[f->seg + i].id))
			return false;
	return true;
}

int vv_dirwork_known(struct vv_dirwork *w, struct vv_dirstate *old, struct vv_err *err)
{
	int ret = vv_dirstate_read(old, w->repo, w->dir, err);

	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		return 0;
	}
	if (!ret) {
		w->old = &old->m;
		w->was = old->stat;
	}
	return ret;
}
