#define _GNU_SOURCE
#include "cli/dirlog.h"

#include "cli/gitlines.h"
#include "diff/dirdiff.h"
#include "os/file.h"

#include <stdlib.h>

/* Has some commit of that history the path? */
static int in_history(struct vv_ctx *ctx, const char *const *revs, size_t n_revs, const char *path, bool *yes)
{
	static const char *const first[] = {"log", "-1", "--format=%H", NULL};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_args args = {0};
	char *spec = NULL;
	int ret = asprintf(&spec, ":(top,literal)%s", path) < 0 ? vv_fail_nomem(&ctx->err) : 0;

	vv_args_all(&args, first);
	for (size_t i = 0; i < n_revs; i++)
		vv_args_add(&args, revs[i]);
	vv_args_add(&args, "--");
	vv_args_add(&args, ret ? "" : spec);
	if (!ret)
		ret = vv_lines_all(&args, &out, &ctx->err);
	*yes = out.len > 0;
	vv_args_release(&args);
	vv_buf_release(&out);
	free(spec);
	return ret;
}

static bool in_worktree(const struct vv_ctx *ctx, const char *path)
{
	char *full = ctx->repo.top ? vv_repo_path(&ctx->repo, path) : NULL;
	struct stat st;
	bool yes = full && !lstat(full, &st);

	free(full);
	return yes;
}

int vv_dirlog_find(struct vv_ctx *ctx, const char *const *revs, size_t n_revs, const char *path, char **manifest,
	const char **file)
{
	bool there = in_worktree(ctx, path), yes = false;
	size_t n = strlen(path);
	char *name = NULL;
	int ret = 0;

	*manifest = NULL;
	*file = NULL;
	/* First all in the worktree, which costs nothing. What stands there and is in none is a file of git's. */
	for (int history = 0; history < (there ? 1 : 2) && !ret && !yes; history++)
		for (n = strlen(path); n && !ret && !yes;) {
			free(name);
			name = NULL;
			ret = asprintf(&name, "%.*s/%s", (int)n, path, VV_DIR_MANIFEST) < 0 ? vv_fail_nomem(&ctx->err) : 0;
			if (!ret && history)
				ret = in_history(ctx, revs, n_revs, name, &yes);
			else if (!ret)
				yes = in_worktree(ctx, name);
			if (!yes)
				while (n && path[--n] != '/')
					;
		}
	if (ret || !yes) {
		free(name);
		return ret;
	}
	*manifest = name;
	*file = path[n] ? path + n + 1 : NULL;
	return 0;
}

static void count(struct vv_dirlog *d, const char *old, const char *name)
{
	bool renamed = old && name && strcmp(old, name);

	d->added += !old;
	d->removed += !name;
	d->renamed += renamed;
	d->changed += old && name && !renamed;
	if (d->names)
		json_array_append_new(d->names, json_pack("{s:o,s:s}", "name", vv_json_name(name ? name : old), "change",
			!old ? "added" : !name ? "removed" : renamed ? "renamed" : "changed"));
}

int vv_dirlog_compare(struct vv_dirlog *d, const struct vv_manifest *a, const struct vv_manifest *b, const char *file,
	const char **was, struct vv_err *err)
{
	struct vv_dirdiff diff;
	int ret;

	a = a && vv_manifest_is_dir(a) ? a : NULL;
	b = b && vv_manifest_is_dir(b) ? b : NULL;
	ret = vv_dirdiff_make(&diff, a, b, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < diff.n; i++) {
		const char *old = diff.v[i].a == SIZE_MAX ? NULL : a->files[diff.v[i].a].path;
		const char *name = diff.v[i].b == SIZE_MAX ? NULL : b->files[diff.v[i].b].path;

		if (file && strcmp(name ? name : old, file))
			continue;
		count(d, old, name);
		if (file && old && name && strcmp(old, name))
			*was = old;
	}
	d->total = b ? b->n_files : 0;
	vv_dirdiff_release(&diff);
	return 0;
}

bool vv_dirlog_touched(const struct vv_dirlog *d)
{
	return d->changed || d->added || d->removed || d->renamed;
}

void vv_dirlog_say(const struct vv_dirlog *d, bool one, char *text, size_t cap)
{
	int n = 0;

	text[0] = 0;
	if (one) {
		snprintf(text, cap, d->added ? "added" : d->removed ? "removed" : d->renamed ? "renamed" : "changed");
		return;
	}
	if (d->changed)
		n = snprintf(text, cap, "%zu of %zu files", d->changed, d->total);
	if (d->added)
		n += snprintf(text + n, cap - (size_t)n, n ? ", +%zu" : "+%zu", d->added);
	if (d->removed)
		n += snprintf(text + n, cap - (size_t)n, !n ? "-%zu" : d->added ? " -%zu" : ", -%zu", d->removed);
	if (d->renamed)
		n += snprintf(text + n, cap - (size_t)n, n ? ", %zu renamed" : "%zu renamed", d->renamed);
	if (!d->changed && n)
		snprintf(text + n, cap - (size_t)n, " files");
}
