#define _GNU_SOURCE
#include "cli/dirs.h"

#include "git/clean.h"
#include "git/diradd.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

int vv_dir_word(struct vv_ctx *ctx, const char *word, char **path)
{
	size_t n = strlen(word);
	struct stat st;

	*path = NULL;
	if (!(n > 1 && word[n - 1] == '/') && (stat(word, &st) || !S_ISDIR(st.st_mode)))
		return 0;
	return vv_top_path(ctx, word, path);
}

char *vv_dir_counts(size_t added, size_t changed, size_t deleted, size_t files, char *text, size_t cap)
{
	static const char *const what[] = {"new", "changed", "deleted"};
	size_t n[] = {added, changed, deleted}, at = 0;

	text[0] = 0;
	for (size_t i = 0; i < VV_COUNT(n); i++)
		if (n[i] && at < cap)
			at += (size_t)snprintf(text + at, cap - at, "%s%zu %s", at ? ", " : "", n[i], what[i]);
	if (at < cap)
		snprintf(text + at, cap - at, "%s%zu file%s", at ? " of " : "", files, files == 1 ? "" : "s");
	return text;
}

static void say_findings(const char *dir, const struct vv_manifest *m)
{
	for (size_t i = 0; i < m->n_findings; i++) {
		const struct vv_finding *f = &m->findings[i];
		char *detail = vv_safe(f->detail), *name = vv_safe(dir);
		fprintf(stderr, "varve: %s: finding %s at offset %" PRIu64 ": %s\n", name, f->code, f->off, detail);
		free(detail);
		free(name);
	}
}

static int add_one(struct vv_ctx *ctx, const char *dir, json_t *list)
{
	struct vv_diradded a;
	char size[32], stored[32], *name = vv_safe(dir);
	int ret = vv_diradd(&ctx->repo, dir, &a, ctx->progress, &ctx->err);

	vv_progress_end();
	if (!ret) {
		if (a.put)
			say_findings(dir, &a.m);
		json_array_append_new(list, json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:b}", "path", vv_json_name(dir), "files",
			(json_int_t)a.files, "size", (json_int_t)a.size, "read", (json_int_t)a.put, "objects_new",
			(json_int_t)a.stats.objects_new, "stored", (json_int_t)a.stats.stored, "changed", a.changed));
		if (!ctx->json && !ctx->quiet && (a.changed || a.put))
			printf("%s/: %zu file%s, %s, %zu read, %s stored\n", name, a.files, a.files == 1 ? "" : "s",
				vv_human(a.size, size), a.put, vv_human(a.stats.stored, stored));
		vv_manifest_release(&a.m);
	}
	free(name);
	return ret;
}

struct adding {
	struct vv_ctx *ctx;
	json_t *list;
	size_t *n;
};

static int add_kept(void *arg, const char *path, const char *format, struct vv_err *err)
{
	struct adding *a = arg;
	char *dir, *full;
	int ret;

	if (!format)
		return 0;
	ret = vv_check_format(path, format, err);
	if (ret)
		return ret;
	dir = vv_dir_of_path(path);
	full = dir ? vv_repo_path(&a->ctx->repo, path) : NULL;
	if (!full)
		ret = vv_fail_nomem(err);
	else if (vv_exists(full)) /* one that was removed is git's affair */
		ret = add_one(a->ctx, dir, a->list);
	*a->n += !ret;
	free(dir);
	free(full);
	return ret;
}

int vv_dirs_add(struct vv_ctx *ctx, const char *const *specs, json_t *list, size_t *n)
{
	struct vv_buf dirs = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct adding a = {ctx, list, n};
	int ret = vv_dirs_list(specs, &dirs, &ctx->err);

	if (!ret)
		ret = vv_kept_each(&ctx->repo, vv_buf_view(&dirs), add_kept, &a, &ctx->err);
	vv_buf_release(&dirs);
	return ret;
}
