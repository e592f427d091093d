#define _GNU_SOURCE
#include "git/sync.h"

#include "git/conflict.h"
#include "git/dirgone.h"
#include "git/dirsync.h"
#include "git/inside.h"
#include "git/marks.h"
#include "git/peer.h"
#include "git/statcache.h"
#include "model/manifest.h"
#include "model/model.h"
#include "os/file.h"
#include "os/place.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	/* git re-reads a file whose mtime is not older than the index, at every status. */
	MTIME_AGE_S = 2,
};

int vv_refresh_index(const struct vv_repo *r, struct vv_span paths, struct vv_err *err)
{
	static const char *const args[] = {"update-index", "-z", "--stdin", NULL};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	const char *const *env;
	int status = 0, ret;

	if (!paths.len)
		return 0;
	/* Without it git's hook would wait for the lock that we hold. */
	env = vv_inside_env(r);
	ret = env ? vv_git_status(r, args, env, paths, &out, &status, err) : vv_fail_nomem(err);
	if (!ret && status) {
		bool locked = out.len && memmem(out.ptr, out.len, "index.lock", 10);
		ret = vv_fail(err, locked ? VV_ELOCKED : VV_EGIT, "git update-index: %.300s", vv_git_said(&out));
	}
	vv_buf_release(&out);
	return ret;
}

/* What the worktree has at `path`, when it is a manifest's text. 1: it is not, or not there. */
static int read_text(const struct vv_place *place, struct vv_buf *text, struct stat *st, struct vv_err *err)
{
	uint8_t head[64];
	ssize_t n;
	int fd = openat(place->dirfd, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), ret = 1;

	if (fd < 0)
		return 1;
	if (fstat(fd, st) || !S_ISREG(st->st_mode))
		goto out;
	n = pread(fd, head, sizeof(head), 0);
	if (n <= 0 || vv_manifest_detect(vv_span(head, (size_t)n)) == VV_TEXT_OTHER)
		goto out;
	ret = vv_read_fd(text, fd, place->name, err);
out:
	close(fd);
	return ret;
}

static int have_objects(
	struct vv_repo *r, const struct vv_manifest *m, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_id *ids = malloc((m->n_segs ? m->n_segs : 1) * sizeof(*ids));
	size_t n = 0, missing = 0;
	char hex[VV_ID_HEX + 1];
	int ret = 0;

	if (!ids)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->n_segs; i++)
		if (!vv_store_has(r->store, &m->segs[i].id))
			ids[n++] = m->segs[i].id;
	if (n)
		ret = vv_store_refresh(r->store, err);
	if (n && !ret)
		ret = vv_peers_fetch(r, ids, n, prog, err);
	for (size_t i = 0; i < n && !ret; i++)
		if (!vv_store_has(r->store, &ids[i]) && !missing++)
			vv_id_hex(&ids[i], hex);
	if (missing)
		ret = vv_fail(err, VV_ENOTFOUND, "%zu of %zu objects are not on this machine, %.12s the first", missing,
			m->n_segs, hex);
	free(ids);
	return ret;
}

/* A full disk is better told before 100 GB are written than after. */
int vv_have_room(int fd, uint64_t size, struct vv_err *err)
{
	struct statvfs v;

	/* A file system of no blocks does not say how many it has. */
	if (!fstatvfs(fd, &v) && v.f_blocks && (uint64_t)v.f_bavail * v.f_frsize < size)
		return vv_fail(err, VV_EIO, "needs %" PRIu64 " bytes, the disk has %" PRIu64 " left", size,
			(uint64_t)v.f_bavail * v.f_frsize);
	return 0;
}

/* Not in the worktree, where git status would see it and git add take it. */
static char *drafts_dir(const struct vv_repo *r)
{
	return vv_join(r->state_dir, "drafts");
}

int vv_draft_begin(struct vv_repo *r, const struct vv_place *place, struct vv_draft *d, struct vv_err *err)
{
	char *dir = NULL;
	int ret = vv_repo_state(r, err);

	if (!ret && !(dir = drafts_dir(r)))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_draft_open(d, place, dir, err);
	free(dir);
	return ret;
}

/* What somebody left who was killed. */
static void sweep_drafts(const struct vv_repo *r)
{
	char *dir = drafts_dir(r);
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		vv_drafts_sweep(fd);
		close(fd);
	}
	free(dir);
}

int vv_write_model(struct vv_repo *r, const struct vv_manifest *m, const struct vv_place *place, const char *path,
	bool in_index, const struct stat *expected, struct stat *st, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_draft draft = VV_DRAFT_INIT;
	int ret = vv_draft_begin(r, place, &draft, err);

	if (!ret)
		ret = vv_have_room(draft.fd, m->size, err);
	if (!ret)
		ret = vv_model_get_fd(r->store, m, draft.fd, path, 0, prog, err);
	if (!ret)
		ret = vv_draft_publish(&draft, place, expected ? expected->st_mode & 07777 : 0644, in_index ? MTIME_AGE_S : 0,
			expected, st, err);
	vv_draft_release(&draft);
	return ret;
}

struct work {
	struct vv_repo *repo;
	struct vv_sync_report *report;
	struct vv_statcache cache;
	struct vv_buf refresh; /* NUL-separated paths that the index has other stat data for */
	struct vv_buf maybe;   /* paths of models written earlier, of which the index may know */
	struct vv_span smudged; /* NUL-ended paths that git wrote before this */
	ino_t swept;           /* the folder that was swept last: paths come sorted */
	int root;
};

static void sweep(struct work *w, const struct vv_place *place)
{
	struct stat st;

	if (fstat(place->dirfd, &st) || st.st_ino == w->swept)
		return;
	vv_drafts_sweep(place->dirfd);
	w->swept = st.st_ino;
}

/* Writes one model. An error concerns this file alone. */
static int materialise(struct work *w, const struct vv_place *place, const struct vv_entry *e, struct vv_span text,
	const struct stat *seen, struct vv_err *err)
{
	struct vv_repo *r = w->repo;
	struct vv_manifest m = {0};
	struct vv_err ignore = VV_ERR_INIT;
	char oid[VV_OID_HEX_MAX + 1];
	struct stat st;
	bool in_index;
	int ret;

	if (vv_manifest_detect(text) == VV_TEXT_CONFLICTED)
		return vv_fail(err, VV_ECONFLICT, "a manifest with conflict markers");
	ret = vv_manifest_parse(&m, text, err);
	if (!ret && vv_manifest_is_dir(&m)) {
		vv_manifest_release(&m);
		return vv_fail(err, VV_EFORMAT, "the manifest of a directory, which belongs in a file .varve in it");
	}
	if (ret)
		return ret;
	vv_git_blob_oid(text, r->sha256, oid);
	in_index = e->stage == 0 && !strcmp(oid, e->oid);
	/* In a conflict the index has no version that this one could be mistaken for. */
	ret = vv_repo_store(r, true, err);
	if (!ret)
		ret = have_objects(r, &m, w->report->prog, err);
	sweep(w, place);
	if (!ret)
		ret = vv_write_model(r, &m, place, e->path, in_index || e->stage, seen, &st, w->report->prog, err);
	if (ret)
		goto out;
	w->report->written++;
	w->report->bytes += m.size;
	ret = vv_statcache_set(&w->cache, e->path, &st, oid, err);
	/* What the index cannot be told, git will read. */
	if (!ret && in_index && !vv_inside_put(r, oid, text, &ignore))
		vv_buf_add(&w->refresh, e->path, strlen(e->path) + 1);
out:
	vv_manifest_release(&m);
	return ret;
}

static bool is_smudged(const struct work *w, const char *path)
{
	for (const char *p = (const char *)w->smudged.ptr, *end = p + w->smudged.len; p < end; p += strlen(p) + 1)
		if (!strcmp(p, path))
			return true;
	return false;
}

/* The manifest of a directory stays a text; its files are brought to it. */
static int sync_dir(struct work *w, const struct vv_place *place, const char *path, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	char *dir = vv_dir_of_path(path);
	unsigned flags = w->report->dir_flags;
	struct stat st;
	int ret = dir ? read_text(place, &text, &st, err) : vv_fail_nomem(err);

	if (ret == 1)
		ret = 0; /* deleted, or no manifest */
	else if (!ret && vv_manifest_detect(vv_buf_view(&text)) == VV_TEXT_CONFLICTED)
		ret = vv_fail(err, VV_ECONFLICT, "a manifest with conflict markers");
	/* git has written the text that it had before: with the folder, its files went. */
	if (!ret && text.len && is_smudged(w, path) && vv_dirstate_is(w->repo, dir, vv_buf_view(&text)))
		flags |= VV_DIRSYNC_MISSING;
	if (!ret && text.len)
		ret = vv_dirsync(w->repo, w->root, dir, vv_buf_view(&text), flags, w->report, err);
	vv_buf_release(&text);
	free(dir);
	return ret;
}

static int sync_entry(struct work *w, const struct vv_entry *e, struct vv_err *err)
{
	struct vv_place place = VV_PLACE_INIT;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	struct stat st;
	const char *oid;
	int ret = vv_place_open(&place, w->root, e->path, &why);

	if (ret == VV_ENOTFOUND)
		return 0; /* sparse, or deleted: nothing to write */
	if (!ret && vv_is_dir_path(e->path)) {
		ret = sync_dir(w, &place, e->path, &why);
		goto done;
	}
	if (!ret)
		ret = read_text(&place, &text, &st, &why);
	if (!ret) {
		ret = materialise(w, &place, e, vv_buf_view(&text), &st, &why);
	} else if (ret == 1) {
		ret = 0;
		/* A model that we wrote and the index may not know yet. */
		if (!fstatat(place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) && e->stage == 0 &&
			(oid = vv_statcache_find(&w->cache, e->path, &st)) && !strcmp(oid, e->oid))
			vv_buf_add(&w->maybe, e->path, strlen(e->path) + 1);
	}
done:
	if (ret == VV_ENOMEM) {
		ret = vv_fail_nomem(err);
	} else if (ret) {
		void (*tell)(void *, const char *, const struct vv_err *) = vv_is_dir_path(e->path) ? w->report->kept : w->report->left;
		w->report->left_n++;
		if (tell)
			tell(w->report->arg, e->path, &why);
		ret = 0;
	}
	vv_place_release(&place);
	vv_buf_release(&text);
	return ret;
}

/* Adds to w->refresh those of w->maybe that git's index holds other stat data for. */
static int add_stale(struct work *w, struct vv_err *err)
{
	struct vv_buf stale = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_map set = {0};
	int ret = w->maybe.len
		? VV_GIT(w->repo, &stale, err, "diff-files", "-z", "--name-only", "--", ":(top,attr:filter=varve)") : 0;

	for (const char *p = (char *)w->maybe.ptr, *end = p + w->maybe.len; !ret && p < end; p += strlen(p) + 1)
		if (!vv_map_put(&set, vv_span_str(p), 1, NULL))
			ret = vv_fail_nomem(err);
	if (!ret && stale.len)
		ret = vv_blobs_open(&blobs, w->repo, err);
	for (const char *p = (char *)stale.ptr, *end = p + stale.len; !ret && p < end; p += strlen(p) + 1) {
		struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
		char oid[VV_OID_HEX_MAX + 1], *name = NULL;
		if (!vv_map_find(&set, vv_span_str(p)))
			continue;
		if (asprintf(&name, ":%s", p) < 0)
			ret = vv_fail_nomem(err);
		else
			ret = vv_blobs_get(&blobs, name, &text, err);
		if (!ret) {
			vv_git_blob_oid(vv_buf_view(&text), w->repo->sha256, oid);
			ret = vv_inside_put(w->repo, oid, vv_buf_view(&text), err);
			vv_buf_add(&w->refresh, p, strlen(p) + 1);
		}
		free(name);
		vv_buf_release(&text);
	}
	vv_blobs_close(&blobs);
	vv_map_release(&set);
	vv_buf_release(&stale);
	return ret ? ret : vv_buf_check(&w->refresh, err);
}

static int sync_other(void *arg, const char *path, const char *format, struct vv_err *err)
{
	struct vv_entry e = {.path = (char *)(uintptr_t)path};

	return format ? sync_entry(arg, &e, err) : 0;
}

/* A text that git has put somewhere and does not track there: git stash -u. `paths`: NUL-ended. */
static int sync_others(struct work *w, const struct vv_entries *tracked, struct vv_span paths, struct vv_err *err)
{
	struct vv_buf left = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_map known = {0};
	int ret = 0;

	for (size_t i = 0; i < tracked->n && !ret && paths.len; i++)
		if (!vv_map_put(&known, vv_span_str(tracked->v[i].path), 1, NULL))
			ret = vv_fail_nomem(err);
	for (const char *p = (const char *)paths.ptr, *end = p + paths.len; !ret && p < end; p += strlen(p) + 1)
		if (*p && !vv_map_find(&known, vv_span_str(p)))
			vv_buf_add(&left, p, strlen(p) + 1);
	if (!ret)
		ret = vv_buf_check(&left, err);
	if (!ret)
		ret = vv_kept_each(w->repo, vv_buf_view(&left), sync_other, w, err);
	vv_map_release(&known);
	vv_buf_release(&left);
	return ret;
}

int vv_sync(
	struct vv_repo *r, const char *const *paths, struct vv_span others, struct vv_sync_report *report, struct vv_err *err)
{
	struct vv_buf smudged = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct work w = {.repo = r, .report = report, .refresh = VV_BUF_INIT(VV_MAX_MANIFEST),
		.maybe = VV_BUF_INIT(VV_MAX_MANIFEST), .root = -1};
	struct vv_entries all = {0};
	struct vv_lock lock = VV_LOCK_INIT;
	struct vv_err ignore = VV_ERR_INIT;
	char *lock_path = NULL;
	int ret = 0;

	if (!r->top)
		return 0;
	ret = vv_repo_state(r, err);
	if (!ret && !(lock_path = vv_join(r->state_dir, "sync.lock")))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_lock(&lock, lock_path, VV_LOCK_EXCLUSIVE, err);
	if (!ret && !paths)
		ret = vv_mark_take_smudged(r, &smudged, err); /* what git writes from here on is another sync's */
	if (!ret)
		ret = vv_tracked(r, paths, &all, err);
	if (!ret)
		ret = vv_statcache_open(&w.cache, r, err);
	if (!ret && !paths)
		vv_conflict_prune(r, &all);
	if (ret || (!all.n && !smudged.len && !others.len && !vv_dirs_any(r)))
		goto out;
	w.root = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.root < 0) {
		ret = vv_fail_sys(err, errno, "%s", r->top);
		goto out;
	}
	w.smudged = vv_buf_view(&smudged);
	sweep_drafts(r);
	/* First what goes: it may be in the way of what comes. */
	if (!paths)
		ret = vv_dirs_gone(r, w.root, report, err);
	for (size_t i = 0; i < all.n && !ret; i++)
		ret = sync_entry(&w, &all.v[i], err);
	if (!ret)
		ret = sync_others(&w, &all, vv_buf_view(&smudged), err);
	if (!ret)
		ret = sync_others(&w, &all, others, err);
	/* The models are there. What cannot be noted, git will read. */
	if (!ret && report->written && vv_statcache_write(&w.cache, &ignore))
		goto out;
	if (!ret)
		ret = add_stale(&w, err);
	if (!ret)
		ret = vv_refresh_index(r, vv_buf_view(&w.refresh), err);
out:
	if (w.root >= 0)
		close(w.root);
	vv_unlock(&lock);
	free(lock_path);
	vv_statcache_release(&w.cache);
	if (w.refresh.len)
		vv_inside_clear(r);
	vv_buf_release(&w.refresh);
	vv_buf_release(&w.maybe);
	vv_buf_release(&smudged);
	vv_entries_release(&all);
	return ret;
}
