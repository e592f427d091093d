#define _GNU_SOURCE
#include "git/dirsync.h"

#include "git/dirwork.h"
#include "os/file.h"
#include "os/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* May what stands there be replaced or removed: is it the old version's file, which can be had again? */
static bool is_old(struct vv_dirwork *w, size_t i, const struct stat *st)
{
	const struct vv_manifest_file *f = &w->old->files[i];
	struct vv_tree_stat now = vv_tree_stat_of(st);

	if (!(w->was[i].ino && vv_tree_stat_eq(&now, &w->was[i])) && !vv_dirwork_is_file(w, f, st))
		return false;
	if (vv_dirwork_is_stored(w, w->old, f))
		return true;
	/* Or a pack could not be opened: another time. */
	w->failed = true;
	return false;
}

/* --- removing --- */

/* Takes away folders that are empty now, from the one in which the path ends upwards. */
static void remove_folders(const struct vv_dirwork *w, const char *path)
{
	char *p = strdup(path), *slash;

	while (p && (slash = strrchr(p, '/'))) {
		struct vv_place place = VV_PLACE_INIT;
		struct vv_err ignore = VV_ERR_INIT;
		bool gone;

		*slash = 0;
		gone = !vv_place_open(&place, w->fd, p, &ignore) && !unlinkat(place.dirfd, place.name, AT_REMOVEDIR);
		vv_place_release(&place);
		if (!gone)
			break;
	}
	free(p);
}

/* Once nothing more is removed from the folder; NULL: at the end. */
static int leave_folder(struct vv_dirwork *w, const char *path, struct vv_err *err)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	size_t n = slash ? (size_t)(slash + 1 - path) : 0;

	if (w->emptied && path && !strncmp(w->emptied, path, n) && !w->emptied[n])
		return 0;
	if (w->emptied)
		remove_folders(w, w->emptied);
	free(w->emptied);
	w->emptied = path ? strndup(path, n) : NULL;
	return !path || w->emptied ? 0 : vv_fail_nomem(err);
}

static bool is_gits(const struct vv_dirwork *w, const char *path)
{
	char *full = w->gits.len ? vv_join(w->dir, path) : NULL;
	bool yes = full && vv_map_find(&w->gits, vv_span_str(full));

	free(full);
	return yes;
}

static void remove_file(struct vv_dirwork *w, size_t i)
{
	const char *path = w->old->files[i].path;
	struct vv_place place;
	struct vv_err why = VV_ERR_INIT;
	struct stat st;
	enum vv_standing found = vv_dirwork_look(w, path, &st);

	w->failed |= found == VV_UNKNOWN;
	if (found != VV_FILE_THERE || is_gits(w, path))
		return; /* gone, or somebody else's by now */
	if (!is_old(w, i, &st)) {
		vv_dirwork_leave(w, path, "not in this version, but changed here: kept");
		return;
	}
	if (vv_dirwork_place(w, path, &place, &why) || unlinkat(place.dirfd, place.name, 0))
		vv_dirwork_failed(w, path, "cannot be removed");
	else
		w->report->removed++;
}

/* --- deciding --- */

static int want(struct vv_dirwork *w, size_t file, const struct stat *seen, struct vv_err *err)
{
	if (w->n_writes == w->cap_writes) {
		size_t cap = w->cap_writes ? w->cap_writes * 2 : 64;
		struct vv_dirwrite *v = realloc(w->writes, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		w->writes = v;
		w->cap_writes = cap;
	}
	w->writes[w->n_writes++] = (struct vv_dirwrite){.file = file, .replaces = seen != NULL};
	if (seen)
		w->writes[w->n_writes - 1].seen = *seen;
	return 0;
}

/* File `i` of the manifest, which is file `k` of the old one (SIZE_MAX: it was not there). */
static int decide(struct vv_dirwork *w, size_t i, size_t k, struct vv_err *err)
{
	const struct vv_manifest_file *f = &w->m->files[i];
	bool same = k != SIZE_MAX && vv_dirwork_same(f, &w->old->files[k]), here = same && w->was[k].ino;
	struct vv_tree_stat now;
	struct stat st;
	enum vv_standing found;

	/* What the versions have in common is the user's to change or to remove. */
	if (here)
		w->now[i] = w->was[k];
	if (here && !(w->flags & (VV_DIRSYNC_MISSING | VV_DIRSYNC_FORCE)))
		return 0;
	found = vv_dirwork_look(w, f->path, &st);
	if (found == VV_NOTHING)
		return want(w, i, NULL, err);
	if (found == VV_UNKNOWN) {
		vv_dirwork_failed(w, f->path, "cannot be looked at");
		return 0;
	}
	if (found == VV_IN_THE_WAY) {
		vv_dirwork_leave(w, f->path, "something else is in its place: move it away, then 'varve checkout DIR'");
		return 0;
	}
	now = vv_tree_stat_of(&st);
	if (here && vv_tree_stat_eq(&now, &w->was[k]))
		return 0;
	if (vv_dirwork_is_file(w, f, &st)) {
		if (!vv_dirwork_mode_is(&st, f))
			return want(w, i, &st, err);
		w->now[i] = now;
		return 0;
	}
	if (w->flags & VV_DIRSYNC_FORCE || (!same && k != SIZE_MAX && is_old(w, k, &st)))
		return want(w, i, &st, err);
	if (!same && k != SIZE_MAX && w->was[k].ino)
		w->now[i] = vv_dirstate_kept(&now);
	/* Once for each version; again when asked. */
	if (!same || (!here && w->flags))
		vv_dirwork_leave(w, f->path, k == SIZE_MAX ? "in the way of this version's file: kept; 'varve checkout --force' replaces it"
						: "changed here: kept; 'varve checkout --force' puts this version in its place");
	return 0;
}

/* Both lists are sorted: walks them side by side. Removes first, so that a folder may become a file. */
static int decide_all(struct vv_dirwork *w, struct vv_err *err)
{
	size_t n_old = w->old ? w->old->n_files : 0;
	int ret = 0;

	for (size_t i = 0, k = 0; k < n_old && !ret && !(w->flags & VV_DIRSYNC_KEEP); k++) {
		while (i < w->m->n_files && strcmp(w->m->files[i].path, w->old->files[k].path) < 0)
			i++;
		if (i < w->m->n_files && !strcmp(w->m->files[i].path, w->old->files[k].path))
			continue;
		ret = leave_folder(w, w->old->files[k].path, err);
		if (!ret)
			remove_file(w, k);
	}
	if (!ret)
		ret = leave_folder(w, NULL, err);
	/* It may be gone by now. */
	vv_dirwork_forget_folder(w);
	for (size_t i = 0, k = 0; i < w->m->n_files && !ret; i++) {
		while (k < n_old && strcmp(w->old->files[k].path, w->m->files[i].path) < 0)
			k++;
		ret = decide(w, i, k < n_old && !strcmp(w->old->files[k].path, w->m->files[i].path) ? k : SIZE_MAX, err);
	}
	return ret;
}

/* --- the whole --- */

static int run(struct vv_dirwork *w, int root, struct vv_err *err)
{
	int ret = vv_repo_store(w->repo, true, err);

	w->now = calloc(w->m->n_files + 1, sizeof(*w->now));
	if (!ret && !w->now)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_dirwork_open(w, root, err);
	if (!ret)
		ret = decide_all(w, err);
	if (!ret && w->n_writes)
		ret = vv_dirwork_write(w, err);
	/* The state will say by stat data alone that they are right: their bytes first, all at once. */
	if (!ret && w->n_writes && syncfs(w->fd))
		ret = vv_fail_sys(err, errno, "%s: syncfs", w->dir);
	return ret;
}

/* Where a version has a file of the directory, another may have one that git tracks. */
static int find_gits(struct vv_dirwork *w, struct vv_err *err)
{
	struct vv_buf *list = &w->gits_list;
	char *spec = NULL;
	int ret = asprintf(&spec, ":(top,literal)%s", w->dir) < 0 ? vv_fail_nomem(err) : 0;

	if (!ret)
		ret = VV_GIT(w->repo, list, err, "ls-files", "-z", "--", spec);
	for (const char *p = (const char *)list->ptr, *end = p + list->len; !ret && p < end; p += strlen(p) + 1)
		if (!vv_map_put(&w->gits, vv_span_str(p), 1, NULL))
			ret = vv_fail_nomem(err);
	free(spec);
	return ret;
}

int vv_dirsync(struct vv_repo *r, int root, const char *dir, struct vv_span text, unsigned flags,
	struct vv_sync_report *report, struct vv_err *err)
{
	struct vv_dirstate old;
	struct vv_manifest m = {0};
	struct vv_dirwork w = vv_dirwork(r, dir, &m, report, flags);
	int ret = vv_dirwork_resume(r, root, dir, err);

	/* That was done. */
	if (ret || (!flags && vv_dirstate_is(r, dir, text)))
		return ret;
	ret = vv_manifest_parse(&m, text, err);
	if (ret)
		return ret;
	if (!vv_manifest_is_dir(&m)) {
		vv_manifest_release(&m);
		return vv_fail(err, VV_EFORMAT, "is not the manifest of a directory");
	}
	ret = vv_dirwork_known(&w, &old, err);
	if (!ret && w.old)
		ret = find_gits(&w, err);
	if (!ret)
		ret = vv_dirstate_begin(r, dir, text, err);
	if (!ret)
		ret = run(&w, root, err);
	/* What could not be replaced is still the old version's, as only the old state tells. */
	if (!ret && (!w.failed || !w.old))
		ret = vv_dirstate_write(r, dir, text, w.now, m.n_files, err);
	vv_dirwork_release(&w);
	vv_dirstate_release(&old);
	vv_manifest_release(&m);
	return ret;
}

int vv_dirsync_restore(struct vv_repo *r, int root, const char *dir, const struct vv_manifest *from,
	const char *const *patterns, size_t n, struct vv_sync_report *report, struct vv_err *err)
{
	struct vv_manifest m = {0};
	struct vv_dirstate old;
	struct vv_dirwork w = vv_dirwork(r, dir, &m, report, VV_DIRSYNC_FORCE | (n ? VV_DIRSYNC_KEEP : 0));
	int ret = vv_dir_choose(&m, from, patterns, n, err);

	if (ret)
		return ret;
	ret = vv_dirwork_known(&w, &old, err);
	if (!ret)
		ret = run(&w, root, err);
	vv_dirwork_release(&w);
	vv_dirstate_release(&old);
	vv_manifest_release(&m);
	return ret;
}

int vv_dirsync_gone(
	struct vv_repo *r, int root, const struct vv_dirstate *s, struct vv_sync_report *report, struct vv_err *err)
{
	const struct vv_manifest none = {.format = ""};
	struct vv_dirwork w = vv_dirwork(r, s->dir, &none, report, 0);
	struct vv_place place = VV_PLACE_INIT;
	int ret = find_gits(&w, err);

	w.old = &s->m;
	w.was = s->stat;
	if (!ret)
		ret = run(&w, root, err);
	/* The folder itself may be gone, with all that was in it. */
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		ret = 0;
	}
	vv_dirwork_release(&w);
	if (!ret && !vv_place_open(&place, root, s->dir, err))
		(void)unlinkat(place.dirfd, place.name, AT_REMOVEDIR); /* unless something is left in it */
	if (!ret)
		vv_err_clear(err);
	vv_place_release(&place);
	if (!ret && !w.failed)
		vv_dirstate_forget(r, s->dir);
	return ret;
}
