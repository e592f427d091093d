#define _GNU_SOURCE
#include "git/dirsync.h"

#include "base/map.h"
#include "git/peer.h"
#include "hash/sha256.h"
#include "os/file.h"
#include "os/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MTIME_AGE_S = 2,       /* so that a change soon after has another time */
	SMALL = 4 << 20,       /* bytes of a file that is written with others */
	AT_ONCE = 64 << 20,
	FILES_AT_ONCE = 1 << 14,
	TOLD = 10,             /* files that are named one by one */
};

struct dirwork {
	struct vv_repo *repo;
	struct vv_sync_report *report;
	const char *dir;
	int fd;                         /* of the directory */
	int drafts;
	unsigned flags;
	const struct vv_manifest *old;  /* may be NULL */
	const struct vv_tree_stat *was; /* by file of `old` */
	const struct vv_manifest *m;
	struct vv_tree_stat *now;       /* by file of `m` */
	struct write *writes;           /* what is to be written */
	size_t n_writes, cap_writes, left;
	bool failed;                    /* something that ought to have been done could not be */
	struct vv_place folder;         /* the last one that was opened: paths come sorted */
	char *folder_path;
	char *emptied;                  /* the folder that a file was removed from last */
	struct vv_map gits;             /* files that git tracks by now, with the directory's path */
};

/* A file to write. */
struct write {
	size_t file;
	bool replaces;
	struct stat seen; /* what stands there, if it does */
};

/* A file that stays as it is since it is the user's, and why. */
static void leave(struct dirwork *w, const char *path, const char *why)
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

/* One that stays though it is not: all will be done anew. */
static void leave_failed(struct dirwork *w, const char *path, const char *why)
{
	w->failed = true;
	leave(w, path, why);
}

static void leave_rest(struct dirwork *w)
{
	struct vv_err text = VV_ERR_INIT;

	if (w->left <= TOLD || !w->report->kept)
		return;
	(void)vv_fail(&text, VV_ECHANGED, "%zu more files stay as they are; 'varve status' counts them", w->left - TOLD);
	w->report->kept(w->report->arg, w->dir, &text);
}

/* --- places --- */

static void forget_folder(struct dirwork *w)
{
	vv_place_release(&w->folder);
	free(w->folder_path);
	w->folder_path = NULL;
}

/* As vv_place_open, but the folder stays open for the next: *place is borrowed until then. */
static int open_place(struct dirwork *w, const char *path, struct vv_place *place, struct vv_err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = (size_t)(name - path);
	int ret = 0;

	if (!w->folder_path || strncmp(w->folder_path, path, n) || w->folder_path[n]) {
		forget_folder(w);
		ret = vv_place_open(&w->folder, w->fd, path, err);
		if (!ret && !(w->folder_path = strndup(path, n)))
			ret = vv_fail_nomem(err);
	}
	/* The name is looked at as all the others were: vv_manifest_path_ok. */
	if (!ret)
		*place = (struct vv_place){w->folder.dirfd, name};
	return ret;
}

/* --- what stands there --- */

enum standing { FILE_THERE, NOTHING, IN_THE_WAY, UNKNOWN };

static enum standing look(struct dirwork *w, const char *path, struct stat *st)
{
	struct vv_place place;
	struct vv_err why = VV_ERR_INIT;
	enum standing found = FILE_THERE;

	if (open_place(w, path, &place, &why))
		return why.code == VV_ENOTFOUND ? NOTHING
			: why.code == VV_EUNSAFE || why.sys == ENOTDIR || why.sys == ELOOP ? IN_THE_WAY : UNKNOWN;
	if (fstatat(place.dirfd, place.name, st, AT_SYMLINK_NOFOLLOW))
		found = errno == ENOENT ? NOTHING : UNKNOWN;
	else if (!S_ISREG(st->st_mode))
		found = IN_THE_WAY;
	return found;
}

static bool mode_is(const struct stat *st, const struct vv_manifest_file *f)
{
	return ((st->st_mode & 0100) != 0) == (f->mode == 0755);
}

/* Is the file that stands there this one? By its bytes. */
static bool is_file(struct dirwork *w, const struct vv_manifest_file *f, const struct stat *st)
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

static bool is_stored(const struct dirwork *w, const struct vv_manifest *m, const struct vv_manifest_file *f)
{
	for (size_t i = 0; i < f->n_segs; i++)
		if (m->segs[f->seg + i].seg.len && !vv_store_has(w->repo->store, &m->segs[f->seg + i].id))
			return false;
	return true;
}

/* May what stands there be replaced or removed: is it the old version's file, which can be had again? */
static bool is_old(struct dirwork *w, size_t i, const struct stat *st)
{
	const struct vv_manifest_file *f = &w->old->files[i];
	struct vv_tree_stat now = vv_tree_stat_of(st);

	if (!(w->was[i].ino && vv_tree_stat_eq(&now, &w->was[i])) && !is_file(w, f, st))
		return false;
	if (is_stored(w, w->old, f))
		return true;
	/* Or a pack could not be opened: another time. */
	w->failed = true;
	return false;
}

/* --- removing --- */

/* Takes away folders that are empty now, from the one in which the path ends upwards. */
static void remove_folders(const struct dirwork *w, const char *path)
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
static int leave_folder(struct dirwork *w, const char *path, struct vv_err *err)
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

static bool is_gits(const struct dirwork *w, const char *path)
{
	char *full = w->gits.len ? vv_join(w->dir, path) : NULL;
	bool yes = full && vv_map_find(&w->gits, vv_span_str(full));

	free(full);
	return yes;
}

static void remove_file(struct dirwork *w, size_t i)
{
	const char *path = w->old->files[i].path;
	struct vv_place place;
	struct vv_err why = VV_ERR_INIT;
	struct stat st;
	enum standing found = look(w, path, &st);

	w->failed |= found == UNKNOWN;
	if (found != FILE_THERE || is_gits(w, path))
		return; /* gone, or somebody else's by now */
	if (!is_old(w, i, &st)) {
		leave(w, path, "not in this version, but changed here: kept");
		return;
	}
	if (open_place(w, path, &place, &why) || unlinkat(place.dirfd, place.name, 0))
		leave_failed(w, path, "cannot be removed");
	else
		w->report->removed++;
}

/* --- deciding --- */

static int want(struct dirwork *w, size_t file, const struct stat *seen, struct vv_err *err)
{
	if (w->n_writes == w->cap_writes) {
		size_t cap = w->cap_writes ? w->cap_writes * 2 : 64;
		struct write *v = realloc(w->writes, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		w->writes = v;
		w->cap_writes = cap;
	}
	w->writes[w->n_writes++] = (struct write){.file = file, .replaces = seen != NULL};
	if (seen)
		w->writes[w->n_writes - 1].seen = *seen;
	return 0;
}

static bool same_file(const struct vv_manifest_file *a, const struct vv_manifest_file *b)
{
	return a->mode == b->mode && a->size == b->size && vv_id_eq(&a->sha256, &b->sha256);
}

/* File `i` of the manifest, which is file `k` of the old one (SIZE_MAX: it was not there). */
static int decide(struct dirwork *w, size_t i, size_t k, struct vv_err *err)
{
	const struct vv_manifest_file *f = &w->m->files[i];
	bool same = k != SIZE_MAX && same_file(f, &w->old->files[k]), here = same && w->was[k].ino;
	struct vv_tree_stat now;
	struct stat st;
	enum standing found;

	/* What the versions have in common is the user's to change or to remove. */
	if (here)
		w->now[i] = w->was[k];
	if (here && !(w->flags & (VV_DIRSYNC_MISSING | VV_DIRSYNC_FORCE)))
		return 0;
	found = look(w, f->path, &st);
	if (found == NOTHING)
		return want(w, i, NULL, err);
	if (found == UNKNOWN) {
		leave_failed(w, f->path, "cannot be looked at");
		return 0;
	}
	if (found == IN_THE_WAY) {
		leave(w, f->path, "something else is in its place: move it away, then 'varve checkout DIR'");
		return 0;
	}
	now = vv_tree_stat_of(&st);
	if (here && vv_tree_stat_eq(&now, &w->was[k]))
		return 0;
	if (is_file(w, f, &st)) {
		if (!mode_is(&st, f))
			return want(w, i, &st, err);
		w->now[i] = now;
		return 0;
	}
	if (w->flags & VV_DIRSYNC_FORCE || (!same && k != SIZE_MAX && is_old(w, k, &st)))
		return want(w, i, &st, err);
	if (!here)
		leave(w, f->path, k == SIZE_MAX ? "in the way of this version's file: kept; 'varve checkout --force' replaces it"
						: "changed here: kept; 'varve checkout --force' puts this version in its place");
	return 0;
}

/* Both lists are sorted: walks them side by side. Removes first, so that a folder may become a file. */
static int decide_all(struct dirwork *w, struct vv_err *err)
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
	forget_folder(w);
	for (size_t i = 0, k = 0; i < w->m->n_files && !ret; i++) {
		while (k < n_old && strcmp(w->old->files[k].path, w->m->files[i].path) < 0)
			k++;
		ret = decide(w, i, k < n_old && !strcmp(w->old->files[k].path, w->m->files[i].path) ? k : SIZE_MAX, err);
	}
	return ret;
}

/* --- writing --- */

/* What remotes on this machine have of what is missing. */
static int fetch(struct dirwork *w, struct vv_err *err)
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
static int make_folders(const struct dirwork *w, const char *path, struct vv_err *err)
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

static int make_place(struct dirwork *w, const char *path, struct vv_place *place, struct vv_err *err)
{
	int ret = open_place(w, path, place, err);

	if (ret != VV_ENOTFOUND)
		return ret;
	vv_err_clear(err);
	ret = make_folders(w, path, err);
	return ret ? ret : open_place(w, path, place, err);
}

/* Gives the written draft its name. What cannot be put there stays out, and is told. */
static int place_draft(struct dirwork *w, const struct write *what, struct vv_draft *d, const struct vv_place *place)
{
	const struct vv_manifest_file *f = &w->m->files[what->file];
	struct vv_err why = VV_ERR_INIT;
	struct stat st;

	if (vv_draft_place(d, place, f->mode, MTIME_AGE_S, what->replaces ? &what->seen : NULL, &st, &why)) {
		if (why.code == VV_ECHANGED || why.code == VV_EEXISTS)
			leave(w, f->path, why.msg);
		else
			leave_failed(w, f->path, why.msg);
		return why.code;
	}
	w->now[what->file] = vv_tree_stat_of(&st);
	w->report->files++;
	w->report->bytes += f->size;
	return 0;
}

static int write_large(struct dirwork *w, const struct write *what, struct vv_err *err)
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
		leave_failed(w, f->path, why.msg);
	vv_manifest_release(&m);
	vv_draft_release(&draft);
	return ret == VV_ENOMEM ? ret : 0;
}

/* One small file, whose bytes are at `off` of `from`. */
static void write_small(struct dirwork *w, const struct write *what, int from, uint64_t off, uint8_t *buf)
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
		leave_failed(w, f->path, why.msg);
	vv_draft_release(&draft);
}

/* The files of writes [from, to), whose `n` segments are together in one file first: one get instead of many. */
static int write_batch(struct dirwork *w, size_t from, size_t to, size_t n, uint8_t *buf, struct vv_err *err)
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
static int write_batch_or_each(struct dirwork *w, size_t from, size_t to, size_t n, uint8_t *buf, struct vv_err *err)
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

static int write_all(struct dirwork *w, struct vv_err *err)
{
	uint8_t *buf = malloc(SMALL);
	size_t from = 0, segs = 0, have = 0;
	uint64_t bytes = 0;
	int ret = buf ? fetch(w, err) : vv_fail_nomem(err);

	/* What no store has stays away. */
	for (size_t i = 0; i < w->n_writes && !ret; i++) {
		const struct vv_manifest_file *f = &w->m->files[w->writes[i].file];
		if (!is_stored(w, w->m, f)) {
			leave_failed(w, f->path, "its bytes are not on this machine");
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

/* --- the whole --- */

static int open_dir(struct dirwork *w, int root, struct vv_err *err)
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

static int run(struct dirwork *w, int root, struct vv_err *err)
{
	int ret = vv_repo_store(w->repo, true, err);

	w->now = calloc(w->m->n_files + 1, sizeof(*w->now));
	if (!ret && !w->now)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = open_dir(w, root, err);
	if (!ret)
		ret = decide_all(w, err);
	if (!ret && w->n_writes)
		ret = write_all(w, err);
	/* The state will say by stat data alone that they are right: their bytes first, all at once. */
	if (!ret && w->n_writes && syncfs(w->fd))
		ret = vv_fail_sys(err, errno, "%s: syncfs", w->dir);
	leave_rest(w);
	forget_folder(w);
	free(w->emptied);
	if (w->fd >= 0)
		close(w->fd);
	if (w->drafts >= 0)
		close(w->drafts);
	free(w->writes);
	return ret;
}

/* Where a version has a file of the directory, another may have one that git tracks. `list` keeps their names. */
static int find_gits(struct dirwork *w, struct vv_buf *list, struct vv_err *err)
{
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

/* What the files were last brought to, if anything is known. To take a failure for that would be to forget whose they are. */
static int known_before(struct dirwork *w, struct vv_dirstate *old, struct vv_err *err)
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

/*
 * Of two versions' files at one path (either may be NULL) the one that stands there: takes it as known. What is neither is
 * still the old one's, which the user has changed.
 */
static int take_standing(struct dirwork *w, struct vv_dir_build *build, const struct vv_manifest *next, size_t k, size_t i,
	size_t *n, struct vv_err *err)
{
	struct vv_tree_stat st = {0}, was = k == SIZE_MAX ? st : w->was[k];
	struct stat seen;
	bool is_next = false;

	if (k == SIZE_MAX || i == SIZE_MAX || !same_file(&w->old->files[k], &next->files[i])) {
		bool there = look(w, k == SIZE_MAX ? next->files[i].path : w->old->files[k].path, &seen) == FILE_THERE;
		if (there)
			st = vv_tree_stat_of(&seen);
		else
			was = st; /* it may be that sync which removed it */
		is_next = there && i != SIZE_MAX && (k == SIZE_MAX || !vv_tree_stat_eq(&st, &was)) &&
			is_file(w, &next->files[i], &seen) && mode_is(&seen, &next->files[i]);
	}
	if (!is_next && k == SIZE_MAX)
		return 0;
	w->now[(*n)++] = is_next ? st : was;
	return is_next ? vv_dir_build_take(build, next, i, err) : vv_dir_build_take(build, w->old, k, err);
}

/* A sync was cut short: some files are of the version that it was to bring. That mixture is what is known from here on. */
static int take_up(struct vv_repo *r, int root, const char *dir, struct vv_err *err)
{
	static const struct vv_manifest none = {.format = ""};
	struct vv_buf begun = VV_BUF_INIT(VV_MAX_MANIFEST), text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_sync_report quiet = {0};
	struct vv_dir_build build = {0};
	struct vv_manifest next = {0};
	struct vv_dirstate old;
	struct vv_err why = VV_ERR_INIT;
	struct dirwork w = {.repo = r, .report = &quiet, .dir = dir, .fd = -1, .drafts = -1, .folder = VV_PLACE_INIT};
	size_t n = 0, i = 0, k = 0;
	int ret;

	/* One that cannot be read was not begun. */
	if (!vv_dirstate_begun(r, dir, &begun) || vv_manifest_parse(&next, vv_buf_view(&begun), &why) ||
		!vv_manifest_is_dir(&next)) {
		vv_manifest_release(&next);
		vv_buf_release(&begun);
		return 0;
	}
	ret = known_before(&w, &old, err);
	w.old = w.old ? w.old : &none;
	w.now = calloc(w.old->n_files + next.n_files + 1, sizeof(*w.now));
	if (!ret && !w.now)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_repo_store(r, true, err);
	if (!ret && open_dir(&w, root, &why))
		i = next.n_files, k = w.old->n_files; /* the directory is gone: so is what was brought */
	while (!ret && (k < w.old->n_files || i < next.n_files)) {
		int order = k == w.old->n_files ? 1 : i == next.n_files ? -1 : strcmp(w.old->files[k].path, next.files[i].path);

		ret = take_standing(&w, &build, &next, order <= 0 ? k : SIZE_MAX, order >= 0 ? i : SIZE_MAX, &n, err);
		k += order <= 0;
		i += order >= 0;
	}
	/* What could not be looked at is looked at another time. */
	if (!ret && w.fd >= 0 && !w.failed)
		ret = vv_dir_build_end(&build, &text, NULL, err);
	if (!ret && text.len)
		ret = vv_dirstate_write(r, dir, vv_buf_view(&text), w.now, n, err);
	forget_folder(&w);
	if (w.fd >= 0)
		close(w.fd);
	if (w.drafts >= 0)
		close(w.drafts);
	free(w.now);
	vv_dir_build_release(&build);
	vv_dirstate_release(&old);
	vv_manifest_release(&next);
	vv_buf_release(&begun);
	vv_buf_release(&text);
	return ret;
}

int vv_dirsync(struct vv_repo *r, int root, const char *dir, struct vv_span text, unsigned flags,
	struct vv_sync_report *report, struct vv_err *err)
{
	struct vv_dirstate old;
	struct vv_manifest m = {0};
	struct vv_buf gits = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct dirwork w = {.repo = r, .report = report, .dir = dir, .fd = -1, .drafts = -1, .flags = flags, .m = &m,
		.folder = VV_PLACE_INIT};
	int ret = take_up(r, root, dir, err);

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
	ret = known_before(&w, &old, err);
	if (!ret && w.old)
		ret = find_gits(&w, &gits, err);
	if (!ret)
		ret = vv_dirstate_begin(r, dir, text, err);
	if (!ret)
		ret = run(&w, root, err);
	/* What could not be replaced is still the old version's, as only the old state tells. */
	if (!ret && (!w.failed || !w.old))
		ret = vv_dirstate_write(r, dir, text, w.now, m.n_files, err);
	free(w.now);
	vv_map_release(&w.gits);
	vv_buf_release(&gits);
	vv_dirstate_release(&old);
	vv_manifest_release(&m);
	return ret;
}

int vv_dirsync_restore(struct vv_repo *r, int root, const char *dir, const struct vv_manifest *from,
	const char *const *patterns, size_t n, struct vv_sync_report *report, struct vv_err *err)
{
	struct vv_manifest m = {0};
	struct vv_dirstate old;
	struct dirwork w = {.repo = r, .report = report, .dir = dir, .fd = -1, .drafts = -1, .m = &m, .folder = VV_PLACE_INIT,
		.flags = VV_DIRSYNC_FORCE | (n ? VV_DIRSYNC_KEEP : 0)};
	int ret = vv_dir_choose(&m, from, patterns, n, err);

	if (ret)
		return ret;
	ret = known_before(&w, &old, err);
	if (!ret)
		ret = run(&w, root, err);
	free(w.now);
	vv_dirstate_release(&old);
	vv_manifest_release(&m);
	return ret;
}

int vv_dirsync_gone(
	struct vv_repo *r, int root, const struct vv_dirstate *s, struct vv_sync_report *report, struct vv_err *err)
{
	const struct vv_manifest none = {.format = ""};
	struct dirwork w = {.repo = r, .report = report, .dir = s->dir, .fd = -1, .drafts = -1, .old = &s->m, .was = s->stat,
		.m = &none, .folder = VV_PLACE_INIT};
	struct vv_place place = VV_PLACE_INIT;
	struct vv_buf gits = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = find_gits(&w, &gits, err);

	if (!ret)
		ret = run(&w, root, err);
	vv_map_release(&w.gits);
	vv_buf_release(&gits);
	/* The folder itself may be gone, with all that was in it. */
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		ret = 0;
	}
	free(w.now);
	if (!ret && !vv_place_open(&place, root, s->dir, err))
		(void)unlinkat(place.dirfd, place.name, AT_REMOVEDIR); /* unless something is left in it */
	if (!ret)
		vv_err_clear(err);
	vv_place_release(&place);
	if (!ret && !w.failed)
		vv_dirstate_forget(r, s->dir);
	return ret;
}
