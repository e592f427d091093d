#define _GNU_SOURCE
#include "git/peer.h"

#include "base/cursor.h"
#include "git/far.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEPTH = 4 };

/* The path of a local URL, owned; NULL for any other. `from`: the folder relative ones count from. */
static char *local_path(const char *url, const char *from)
{
	if (!strncmp(url, "file://", 7))
		return url[7] == '/' ? strdup(url + 7) : NULL;
	if (url[0] == '/')
		return strdup(url);
	/* "host:path" is ssh, as git reads it, unless a slash comes first. */
	if (strcspn(url, ":") < strcspn(url, "/") || strstr(url, "://"))
		return NULL;
	return vv_join(from, url);
}

/* git's own variables would mislead it. */
int vv_git_dir_at(const char *path, char **out, struct vv_err *err)
{
	static const char *const env[] = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR",
		"GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_CONFIG_PARAMETERS", NULL};
	const char *args[] = {"-C", path, "rev-parse", "--path-format=absolute", "--git-common-dir", NULL};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int status = 0, ret = vv_git_status(NULL, args, env, vv_span(NULL, 0), &b, &status, err);

	if (!ret && status)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: no git repository there", path);
	while (!ret && b.len && b.ptr[b.len - 1] == '\n')
		b.ptr[--b.len] = 0;
	if (!ret && !(*out = vv_buf_take(&b)))
		ret = vv_fail_nomem(err);
	vv_buf_release(&b);
	return ret;
}

static int open_at(struct vv_repo *r, const char *git_dir, bool create, struct vv_store **out, struct vv_err *err)
{
	char *dir = vv_join(git_dir, "varve");
	int ret = vv_repo_pool(r, err);

	if (!ret && !dir)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_store_open(out, dir, create ? VV_STORE_CREATE : VV_STORE_READONLY, r->pool, err);
	free(dir);
	return ret;
}

int vv_peer_open(struct vv_repo *r, const char *url, bool create, struct vv_store **out, struct vv_err *err)
{
	char *path = local_path(url, r->top ? r->top : r->git_dir), *git_dir = NULL;
	int ret;

	if (!path)
		return vv_fail(err, VV_ENOTSUP, "%s: not a path on this machine", url);
	ret = vv_git_dir_at(path, &git_dir, err);
	if (!ret)
		ret = open_at(r, git_dir, create, out, err);
	free(path);
	free(git_dir);
	return ret;
}

size_t vv_missing(struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_id *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!vv_store_has(r->store, &ids[i]))
			out[k++] = ids[i];
	return k;
}

/* Visits the store at `git_dir`, then its local remotes. */
static int visit(struct vv_repo *r, const char *git_dir, unsigned depth,
	int (*fn)(void *arg, struct vv_store *peer, struct vv_err *err), void *arg, struct vv_err *err)
{
	const char *args[] = {"--git-dir", git_dir, "config", "-z", "--get-regexp", "^remote\\..*\\.url$", NULL};
	struct vv_buf urls = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_store *peer = NULL;
	int ret = 0, status = 0;

	if (strcmp(git_dir, r->common_dir) && !open_at(r, git_dir, false, &peer, &ignore)) {
		ret = fn(arg, peer, err);
		vv_store_free(peer);
	}
	if (ret || depth == MAX_DEPTH ||
		vv_git_status(NULL, args, NULL, vv_span(NULL, 0), &urls, &status, &ignore) || status)
		goto out; /* no remotes */
	for (const char *p = (char *)urls.ptr, *end = p + urls.len; p < end && !ret; p += strlen(p) + 1) {
		const char *url = strchr(p, '\n');
		char *path = NULL, *next = NULL, *top = NULL;

		if (!url)
			continue;
		/* Relative URLs count from the worktree, or from a bare repository itself. */
		top = strdup(git_dir);
		if (top && strlen(top) > 5 && !strcmp(top + strlen(top) - 5, "/.git"))
			top[strlen(top) - 5] = 0;
		path = top ? local_path(url + 1, top) : NULL;
		if (path && !vv_git_dir_at(path, &next, &ignore) && strcmp(next, git_dir))
			ret = visit(r, next, depth + 1, fn, arg, err);
		free(top);
		free(path);
		free(next);
	}
out:
	vv_buf_release(&urls);
	return ret;
}

int vv_peers_each(struct vv_repo *r, int (*fn)(void *arg, struct vv_store *peer, struct vv_err *err), void *arg,
	struct vv_err *err)
{
	int ret = visit(r, r->common_dir, 0, fn, arg, err);

	return ret < 0 ? ret : 0;
}

struct fetching {
	struct vv_repo *r;
	struct vv_id *ids; /* still wanted */
	size_t n;
	struct vv_progress *prog;
};

static int fetch_from(void *arg, struct vv_store *peer, struct vv_err *err)
{
	struct fetching *f = arg;
	struct vv_put_stats stats = {0};
	struct vv_id *have = malloc(f->n * sizeof(*have));
	size_t k = 0;
	int ret = 0;

	if (!have)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < f->n; i++)
		if (vv_store_has(peer, &f->ids[i]))
			have[k++] = f->ids[i];
	if (k)
		ret = vv_store_copy(f->r->store, peer, have, k, &stats, f->prog, err);
	free(have);
	if (ret)
		return ret;
	f->n = vv_missing(f->r, f->ids, f->n, f->ids);
	return f->n == 0;
}

int vv_peers_fetch(
	struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_progress *prog, struct vv_err *err)
{
	struct fetching f = {r, malloc((n ? n : 1) * sizeof(*f.ids)), 0, prog};
	int ret = 0;

	if (!f.ids)
		return vv_fail_nomem(err);
	f.n = vv_missing(r, ids, n, f.ids);
	if (f.n)
		ret = vv_peers_each(r, fetch_from, &f, err);
	if (!ret && f.n)
		ret = vv_far_fetch(r, f.ids, f.n, prog, err);
	free(f.ids);
	return ret;
}
