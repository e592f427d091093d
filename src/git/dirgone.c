#define _GNU_SOURCE
#include "git/dirgone.h"

#include "base/map.h"
#include "git/dirsync.h"
#include "git/dirtrack.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct gone {
	struct vv_repo *repo;          /* NULL: only looks */
	const struct vv_repo *r;
	int root;
	struct vv_sync_report *report;
	struct vv_buf list;            /* git's manifests and ignore files of directories, NUL-ended */
	struct vv_map listed;          /* the same */
};

bool vv_dirs_any(const struct vv_repo *r)
{
	char *dir = vv_join(r->state_dir, "dirs");
	bool yes = dir && vv_exists(dir);

	free(dir);
	return yes;
}

static bool is_listed(const struct gone *g, const char *dir, const char *name)
{
	char *path = vv_join(dir, name);
	bool yes = !path || vv_map_find(&g->listed, vv_span_str(path));

	free(path);
	return yes;
}

/* What stands at "<dir>/.varve": 0, or why nothing does. */
static int look(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	char *path = vv_join(dir, VV_DIR_MANIFEST), *full = path ? vv_repo_path(r, path) : NULL;
	struct stat st;
	int ret = full ? lstat(full, &st) ? errno : 0 : vv_fail_nomem(err);

	free(full);
	free(path);
	return ret;
}

/* Has some commit this text, be it only in a stash or a reflog? Then what it stands for can be had again. */
static int in_a_commit(const struct vv_repo *r, struct vv_span text, bool *yes, struct vv_err *err)
{
	char oid[VV_OID_HEX_MAX + 1], *find = NULL;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	vv_git_blob_oid(text, r->sha256, oid);
	ret = asprintf(&find, "--find-object=%s", oid) < 0 ? vv_fail_nomem(err) : 0;
	if (!ret)
		ret = VV_GIT(r, &out, err, "log", "-m", "--all", "--reflog", "-1", "--format=%H", find, "HEAD");
	*yes = out.len > 0;
	vv_buf_release(&out);
	free(find);
	return ret;
}

/* Is that a directory that git has, of which nothing is known, and whose manifest in the worktree is this text? */
static bool is_heir(const struct vv_repo *r, const char *dir, struct vv_span text)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err ignore = VV_ERR_INIT;
	char *path = vv_join(dir, VV_DIR_MANIFEST), *full = path ? vv_repo_path(r, path) : NULL;
	bool yes = full && !vv_dirstate_has(r, dir) && !vv_read_file(&have, full, &ignore) && vv_span_eq(vv_buf_view(&have), text);

	vv_buf_release(&have);
	free(full);
	free(path);
	return yes;
}

/* After "git mv" what is known is of the new place. *moved: there is one. */
static int hand_on(const struct gone *g, const struct vv_dirstate *s, bool *moved, struct vv_err *err)
{
	int ret = 0;

	*moved = false;
	for (const char *p = (const char *)g->list.ptr, *end = p + g->list.len; !ret && !*moved && p < end; p += strlen(p) + 1) {
		char *dir = vv_is_dir_path(p) ? vv_dir_of_path(p) : NULL;

		*moved = dir && is_heir(g->r, dir, vv_buf_view(&s->text));
		if (*moved)
			ret = vv_dirstate_write(g->r, dir, vv_buf_view(&s->text), s->stat, s->m.n_files, err);
		free(dir);
	}
	if (!ret && *moved)
		vv_dirstate_forget(g->r, s->dir);
	return ret;
}

/* Why they are the user's; NULL: they are not. A switch takes manifest and ignore file away at once, from index and worktree. */
static const char *whose(const struct gone *g, const struct vv_dirstate *s, struct vv_err *err)
{
	bool kept = false;

	if (vv_dirstate_is_let_go(g->r, s->dir) || (is_listed(g, s->dir, VV_DIR_IGNORE) && vv_dir_has_ignore(g->r, s->dir)))
		return "is tracked no more: its files stay, as plain files";
	/* Without an answer they stay, too. */
	if (in_a_commit(g->r, vv_buf_view(&s->text), &kept, err) || !kept)
		return "its manifest has gone and is in no commit: its files stay";
	return NULL;
}

static int take_away(const struct gone *g, const struct vv_dirstate *s, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	const char *users = whose(g, s, &why);

	if (users) {
		vv_dirstate_forget(g->r, s->dir);
		vv_err_clear(&why);
		(void)vv_fail(&why, VV_ENOTFOUND, "%s", users);
	}
	if (users || vv_dirsync_gone(g->repo, g->root, s, g->report, &why)) {
		g->report->left_n++;
		if (g->report->kept)
			g->report->kept(g->report->arg, s->dir, &why);
	}
	return why.code == VV_ENOMEM ? vv_fail_nomem(err) : 0;
}

static int one(void *arg, const char *dir, const char *file, struct vv_err *err)
{
	const struct gone *g = arg;
	struct vv_dirstate s;
	struct vv_err why = VV_ERR_INIT;
	bool listed = is_listed(g, dir, VV_DIR_MANIFEST), moved = false;
	int ret, missing = look(g->r, dir, err);

	if (missing < 0)
		return missing;
	if (!missing)
		return vv_dirstate_let_go(g->r, dir, !listed, err);
	if (listed || (missing != ENOENT && missing != ENOTDIR) || vv_dirstate_open(&s, file, &why))
		return 0;
	ret = hand_on(g, &s, &moved, err);
	if (!ret && !moved && g->repo) {
		/* A file in its place: no file of it is there any more. */
		if (missing == ENOTDIR)
			vv_dirstate_forget(g->r, dir);
		else
			ret = take_away(g, &s, err);
	}
	vv_dirstate_release(&s);
	return ret;
}

static int each(struct gone *g, struct vv_err *err)
{
	int ret = VV_GIT(g->r, &g->list, err, "ls-files", "-z", "--deduplicate", "--", ":(top,glob)**/" VV_DIR_MANIFEST,
		":(top,glob)**/" VV_DIR_IGNORE);

	for (const char *p = (const char *)g->list.ptr, *end = p + g->list.len; !ret && p < end; p += strlen(p) + 1)
		if (!vv_map_put(&g->listed, vv_span_str(p), 1, NULL))
			ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_dirstate_each(g->r->state_dir, one, g, err);
	vv_map_release(&g->listed);
	vv_buf_release(&g->list);
	return ret;
}

int vv_dirs_watch(const struct vv_repo *r, struct vv_err *err)
{
	return each(&(struct gone){.r = r, .list = VV_BUF_INIT(VV_MAX_MANIFEST)}, err);
}

int vv_dirs_gone(struct vv_repo *r, int root, struct vv_sync_report *report, struct vv_err *err)
{
	struct gone g = {.repo = r, .r = r, .root = root, .report = report, .list = VV_BUF_INIT(VV_MAX_MANIFEST)};

	return vv_dirs_any(r) ? each(&g, err) : 0;
}
