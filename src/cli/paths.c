/* Names of models on the command line. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/whole.h"
#include "git/peer.h"
#include "git/dirstate.h"
#include "git/statcache.h"
#include "model/model.h"
#include "os/file.h"

#include <stdlib.h>
#include <unistd.h>

int vv_top_path(struct vv_ctx *ctx, const char *path, char **out)
{
	const char *prefix = ctx->repo.prefix ? ctx->repo.prefix : "", *from = path;
	size_t top = ctx->repo.top ? strlen(ctx->repo.top) : 0;
	char *full = NULL, *w;

	if (path[0] == '/') {
		if (!top || strncmp(path, ctx->repo.top, top) || (path[top] && path[top] != '/'))
			return vv_fail(&ctx->err, VV_EUSAGE, "%s is outside of the repository", path);
		from = path + top + (path[top] == '/');
		prefix = "";
	}
	if (asprintf(&full, "%s%s", prefix, from) < 0)
		return vv_fail_nomem(&ctx->err);
	/* "." and ".." are resolved in place, by words. */
	w = full;
	for (char *r = full; *r;) {
		size_t len = strcspn(r, "/"), skip = len + (r[len] == '/');
		if (len == 2 && !memcmp(r, "..", 2)) {
			if (w == full) {
				free(full);
				return vv_fail(&ctx->err, VV_EUSAGE, "%s is outside of the repository", path);
			}
			for (w--; w > full && w[-1] != '/'; w--)
				;
		} else if (len && !(len == 1 && *r == '.')) {
			memmove(w, r, skip);
			w += skip;
		}
		r += skip;
	}
	if (w > full && w[-1] == '/')
		w--;
	*w = 0;
	if (!*full)
		memcpy(full, ".", 2);
	*out = full;
	return 0;
}

int vv_top_paths(struct vv_ctx *ctx, char *const *words, char ***out)
{
	size_t n = 0;
	char **paths;
	int ret = 0;

	while (words[n])
		n++;
	paths = calloc(n + 1, sizeof(*paths));
	if (!paths)
		return vv_fail_nomem(&ctx->err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = vv_top_path(ctx, words[i], &paths[i]);
	if (ret)
		vv_paths_free(paths);
	else
		*out = paths;
	return ret;
}

void vv_paths_free(char **paths)
{
	for (size_t i = 0; paths && paths[i]; i++)
		free(paths[i]);
	free(paths);
}

/* The text at a git name, parsed. 1 when git has no such thing, or it is no manifest. */
static int manifest_blob(struct vv_ctx *ctx, const char *name, struct vv_named *out)
{
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	int ret = vv_blobs_open(&blobs, &ctx->repo, &ctx->err);

	if (ret)
		return ret;
	ret = 1;
	if (!vv_blobs_get(&blobs, name, &b, &why) && vv_manifest_detect(vv_buf_view(&b)) != VV_TEXT_OTHER) {
		out->manifest = calloc(1, sizeof(*out->manifest));
		ret = out->manifest ? vv_manifest_parse(out->manifest, vv_buf_view(&b), &ctx->err) : vv_fail_nomem(&ctx->err);
		if (ret)
			vv_err_in(&ctx->err, "%s", name);
		vv_git_blob_oid(vv_buf_view(&b), ctx->repo.sha256, out->oid);
	}
	vv_blobs_close(&blobs);
	vv_buf_release(&b);
	return ret;
}

/* A file as it lies there: a manifest's text is read, a model hashed. */
static int plain_file(struct vv_ctx *ctx, const char *path, struct vv_named *out)
{
	bool outline = ctx->outline && out->outside;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	uint8_t head[64];
	size_t n;
	int ret;

	out->manifest = calloc(1, sizeof(*out->manifest));
	out->file = calloc(1, sizeof(*out->file));
	if (!out->manifest || !out->file)
		return vv_fail_nomem(&ctx->err);
	ret = vv_file_open(out->file, path, &ctx->err);
	if (ret) {
		free(out->file);
		out->file = NULL;
		return ret;
	}
	n = out->file->base.size < sizeof(head) ? (size_t)out->file->base.size : sizeof(head);
	ret = vv_source_read(&out->file->base, 0, head, n, &ctx->err);
	if (!ret && vv_manifest_detect(vv_span(head, n)) != VV_TEXT_OTHER) {
		ret = vv_read_file(&text, path, &ctx->err);
		if (!ret)
			ret = vv_manifest_parse(out->manifest, vv_buf_view(&text), &ctx->err);
		vv_file_close(out->file);
		free(out->file);
		out->file = NULL;
	} else if (!ret) {
		ret = vv_repo_pool(&ctx->repo, &ctx->err);
		if (!ret && outline)
			ret = vv_model_outline(ctx->repo.pool, &out->file->base, out->manifest, &ctx->err);
		else if (!ret)
			ret = vv_model_hash(ctx->repo.pool, &out->file->base, &text, out->manifest, ctx->progress, &ctx->err);
		out->outline = outline;
		vv_progress_end();
	}
	vv_buf_release(&text);
	return ret ? vv_err_in(&ctx->err, "%s", path) : 0;
}

/*
 * What git has no manifest for at `path` may be a tracked directory, or a file in one: the folders above it are asked.
 * 1: neither.
 */
static int in_directory(struct vv_ctx *ctx, const char *rev, const char *path, struct vv_named *out)
{
	struct vv_named dir = {0};
	char *name = NULL, *folder = strdup(path), *slash = NULL;
	size_t i;
	int ret = folder ? 1 : vv_fail_nomem(&ctx->err);

	while (ret == 1) {
		ret = asprintf(&name, "%s:%s/%s", rev, folder, VV_DIR_MANIFEST) < 0 ? vv_fail_nomem(&ctx->err)
										    : manifest_blob(ctx, name, &dir);
		free(name);
		if (ret != 1 || !(slash = strrchr(folder, '/')))
			break;
		*slash = 0;
	}
	if (ret || !vv_manifest_is_dir(dir.manifest)) {
		ret = ret ? ret : 1;
	} else if (!strcmp(folder, path)) {
		out->manifest = dir.manifest;
		dir.manifest = NULL;
		memcpy(out->oid, dir.oid, sizeof(out->oid));
	} else if (!vv_dir_find(dir.manifest, path + strlen(folder) + 1, &i)) {
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s:%s has no file %s", rev, folder, path + strlen(folder) + 1);
	} else if (!(out->manifest = calloc(1, sizeof(*out->manifest)))) {
		ret = vv_fail_nomem(&ctx->err);
	} else {
		ret = vv_dir_file(dir.manifest, i, out->manifest, &ctx->err);
		out->dir = dir.manifest;
		dir.manifest = NULL;
	}
	free(folder);
	vv_named_release(&dir);
	return ret;
}

/* Says whether git has nothing at `name`, or something else than a model. */
static int no_model(struct vv_ctx *ctx, const char *name)
{
	char *oid = NULL;
	struct vv_err ignore = VV_ERR_INIT;
	bool there = !VV_GIT_LINE(&ctx->repo, &oid, &ignore, "rev-parse", "--verify", "-q", "--end-of-options", name);

	free(oid);
	return vv_fail(&ctx->err, VV_ENOTFOUND, there ? "%s: no model that varve keeps" : "%s: git has no such file", name);
}

int vv_named_at(struct vv_ctx *ctx, const char *rev, const char *path, struct vv_named *out)
{
	struct vv_statcache cache = {0};
	char *name = NULL, *full = NULL;
	const char *known;
	struct stat st;
	int ret;

	*out = (struct vv_named){.path = strdup(path)};
	if (!out->path || (rev && !(out->rev = strdup(rev)))) {
		vv_named_release(out);
		return vv_fail_nomem(&ctx->err);
	}
	if (rev) {
		ret = asprintf(&name, "%s:%s", rev, path) < 0 ? vv_fail_nomem(&ctx->err) : manifest_blob(ctx, name, out);
		if (ret == 1)
			ret = in_directory(ctx, rev, path, out);
		if (ret == 1)
			ret = no_model(ctx, name);
		goto out;
	}
	full = vv_repo_path(&ctx->repo, path);
	if (full && !lstat(full, &st) && S_ISDIR(st.st_mode) && asprintf(&name, "%s/%s", full, VV_DIR_MANIFEST) >= 0 &&
		vv_exists(name)) {
		ret = plain_file(ctx, name, out);
		goto out;
	}
	ret = full ? vv_statcache_open(&cache, &ctx->repo, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (!ret && !lstat(full, &st) && (known = vv_statcache_find(&cache, path, &st)) &&
		(ret = manifest_blob(ctx, known, out)) != 1)
		goto out;
	if (ret >= 0)
		ret = plain_file(ctx, full, out);
out:
	vv_statcache_release(&cache);
	free(name);
	free(full);
	if (ret)
		vv_named_release(out);
	return ret;
}

int vv_named_blob(struct vv_ctx *ctx, const char *oid, const char *path, struct vv_named *out)
{
	int ret;

	*out = (struct vv_named){.path = strdup(path)};
	ret = out->path ? manifest_blob(ctx, oid, out) : vv_fail_nomem(&ctx->err);
	if (ret == 1)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no model that varve keeps", path);
	if (ret)
		vv_named_release(out);
	return ret;
}

/* "REV:path": git's own reading first, then from the folder we stand in. */
static int named_in_rev(struct vv_ctx *ctx, const char *rev, const char *path, struct vv_named *out)
{
	const char *prefix = ctx->repo.prefix ? ctx->repo.prefix : "";
	bool here = !strncmp(path, "./", 2) || !strncmp(path, "../", 3);
	char *from_here = NULL;
	struct vv_err first;
	int ret = here ? VV_ENOTFOUND : vv_named_at(ctx, rev, path, out);

	if (ret != VV_ENOTFOUND || (!here && !prefix[0]))
		return ret;
	first = ctx->err;
	ret = vv_top_path(ctx, path, &from_here);
	if (!ret)
		ret = vv_named_at(ctx, rev, from_here, out);
	if (ret && !here)
		ctx->err = first;
	free(from_here);
	return ret;
}

int vv_named_open(struct vv_ctx *ctx, const char *name, struct vv_named *out)
{
	/* ":path" and ":2:path" are the index's. */
	size_t skip = name[0] == ':' && name[1] >= '0' && name[1] <= '3' && name[2] == ':' ? 2 : 0;
	const char *colon = strchr(name + skip, ':');
	struct vv_err none = VV_ERR_INIT;
	/* Once a pool was made outside of a repository, that was asked: it would be lost. */
	bool repo = ctx->repo.git_dir || (!ctx->repo.pool && !vv_repo_open(&ctx->repo, &none));
	char *rev = NULL, *path = NULL;
	int ret;

	if (repo && !ctx->repo.store && vv_repo_store(&ctx->repo, false, &none) && none.code == VV_ENOTSUP) {
		ctx->err = none;
		return none.code;
	}
	if (colon && repo && access(name, F_OK)) {
		rev = strndup(name, (size_t)(colon - name));
		ret = rev ? named_in_rev(ctx, rev, colon + 1, out) : vv_fail_nomem(&ctx->err);
	} else if (repo && ctx->repo.top && !vv_top_path(ctx, name, &path)) {
		ret = vv_named_at(ctx, NULL, path, out);
	} else if (none.code == VV_ENOMEM || ctx->err.code == VV_ENOMEM) {
		/* Not to be told from a file outside of a repository. */
		ret = vv_fail_nomem(&ctx->err);
	} else {
		vv_err_clear(&ctx->err);
		*out = (struct vv_named){.path = strdup(name), .outside = true};
		ret = out->path ? plain_file(ctx, name, out) : vv_fail_nomem(&ctx->err);
		if (ret)
			vv_named_release(out);
	}
	free(rev);
	free(path);
	return ret;
}

void vv_named_release(struct vv_named *n)
{
	if (n->whole)
		vv_whole_free(n->whole);
	else if (n->manifest)
		vv_manifest_release(n->manifest);
	if (n->dir)
		vv_manifest_release(n->dir);
	free(n->dir);
	if (n->file) {
		vv_file_close(n->file);
		free(n->file);
	}
	if (!n->whole)
		free(n->manifest);
	free(n->path);
	free(n->rev);
	*n = (struct vv_named){0};
}
