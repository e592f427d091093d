/*
 * Before a commit: a manifest that was put together from lines of two versions (`git add -p`) names no
 * file that ever was, and could never be restored. git asks no filter then, so this is where it is seen.
 */
#define _GNU_SOURCE
#include "git/precommit.h"

#include "git/clean.h"
#include "git/conflict.h"
#include "git/diradd.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

struct checking {
	struct vv_repo *r;
	struct vv_blobs blobs;
	bool open;
};

static int check_text(const char *path, struct vv_span text, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	int ret = vv_check_text(path, text, &why);

	return ret ? vv_fail(err, ret, "%s: what is staged is no version of it (%s); 'git add' takes it whole", path, why.msg) : 0;
}

static int check_one(void *arg, const char *path, const char *format, struct vv_err *err)
{
	struct checking *c = arg;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	char *name = NULL;
	int ret = 0;

	if (!format)
		return 0;
	if (!c->open) {
		ret = vv_blobs_open(&c->blobs, c->r, err);
		c->open = !ret;
	}
	if (!ret && asprintf(&name, ":%s", path) < 0)
		ret = vv_fail_nomem(err);
	/* What cannot be had is too large for a manifest, or git's own trouble. */
	if (!ret && !vv_blobs_get(&c->blobs, name, &text, &why))
		ret = check_text(path, vv_buf_view(&text), err);
	vv_buf_release(&text);
	free(name);
	return ret;
}

struct warning {
	struct vv_repo *r;
	void (*warn)(void *arg, const char *path, const struct vv_err *why);
	void *arg;
};

/* Has a directory files that would not be in the commit? Looks at stat data alone: a commit must not take long. */
static int look_at_dir(void *arg, const char *path, const char *format, struct vv_err *err)
{
	struct warning *w = arg;
	struct vv_err why = VV_ERR_INIT;
	struct vv_dirlook k;
	char *dir, *full;

	if (!format)
		return 0;
	dir = vv_dir_of_path(path);
	full = dir ? vv_repo_path(w->r, path) : NULL;
	if (!full) {
		free(dir);
		return vv_fail_nomem(err);
	}
	if (!vv_exists(full)) {
		vv_err_clear(&why); /* removed */
	} else if (vv_dirlook(&k, w->r, dir, false, &why)) {
		w->warn(w->arg, dir, &why);
	} else {
		/* Of one that was moved, say, or never added, nothing is known yet but what it has more. */
		size_t n = k.added + (k.state.dir ? k.changed + k.deleted : 0);
		if (n) {
			(void)vv_fail(&why, VV_ECHANGED, "%zu files are not in the commit as they are; 'varve add %s' takes them", n, dir);
			w->warn(w->arg, dir, &why);
		}
		vv_dirlook_release(&k);
	}
	free(full);
	free(dir);
	return 0;
}

static int look_at_dirs(struct warning *w, struct vv_err *err)
{
	struct vv_buf dirs = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = VV_GIT(w->r, &dirs, err, "ls-files", "-z", "--deduplicate", "--", ":(top,glob,attr:filter=varve)**/" VV_DIR_MANIFEST);

	if (!ret && w->warn)
		ret = vv_kept_each(w->r, vv_buf_view(&dirs), look_at_dir, w, err);
	vv_buf_release(&dirs);
	return ret;
}

/* 'git commit -a' stages a file as it is, with ours wherever nobody has decided. */
static int look_at_conflict(void *arg, const struct vv_resolution *res, struct vv_err *err)
{
	struct warning *w = arg;
	struct vv_err why = VV_ERR_INIT;
	char *name = NULL, *oid = NULL;

	if (!res->n_left)
		return 0;
	if (asprintf(&name, ":0:%s", res->path) < 0)
		return vv_fail_nomem(err);
	if (!vv_git_line(w->r, &oid, &why, (const char *const[]){"rev-parse", "--quiet", "--verify", name, NULL}) &&
		!strcmp(oid, res->result)) {
		(void)vv_fail(&why, VV_ECONFLICT,
			"%zu conflicts are committed as ours, undecided; 'git checkout -m -- %s' brings them back", res->n_left, res->path);
		w->warn(w->arg, res->path, &why);
	}
	free(oid);
	free(name);
	return 0;
}

int vv_precommit(struct vv_repo *r, void (*warn)(void *arg, const char *path, const struct vv_err *why), void *arg,
	struct vv_err *err)
{
	static const char *const args[] = {
		"diff-index", "--cached", "--name-only", "--no-renames", "--diff-filter=d", "-z", "HEAD", NULL};
	struct checking c = {.r = r, .blobs = VV_BLOBS_INIT};
	struct warning w = {r, warn, arg};
	struct vv_buf paths = VV_BUF_INIT(VV_MAX_MANIFEST);
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &paths, &status, err);

	/* Before the first commit there is nothing that lines could be mixed with. */
	if (!ret && !status)
		ret = vv_kept_each(r, vv_buf_view(&paths), check_one, &c, err);
	if (c.open)
		vv_blobs_close(&c.blobs);
	if (!ret && r->top)
		ret = look_at_dirs(&w, err);
	if (!ret && warn)
		ret = vv_conflict_each(r, look_at_conflict, &w, err);
	vv_buf_release(&paths);
	return ret;
}
