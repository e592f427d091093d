/*
 * git add for models, without git reading them: the store is filled by all cores, then git asks the
 * clean filter, which answers from the stat cache.
 */
#include "cli/cli.h"

#include "git/clean.h"
#include "git/inside.h"
#include "git/statcache.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

struct adding {
	struct vv_ctx *ctx;
	struct vv_statcache cache;
	struct vv_put_stats total;
	size_t files;
	json_t *list;
};

static int write_blob(struct vv_repo *r, struct vv_span text, struct vv_err *err)
{
	static const char *const args[] = {"hash-object", "-w", "--stdin", "--no-filters", NULL};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	int status = 0, ret = vv_git_status(r, args, NULL, text, &out, &status, err);

	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git hash-object: %.200s", out.ptr ? (char *)out.ptr : "");
	vv_buf_release(&out);
	return ret;
}

static int add_model(struct adding *a, const char *path)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_added added;
	char oid[VV_OID_HEX_MAX + 1], raw[32], stored[32];
	char *name = vv_safe(path);
	int ret = vv_add_file(&ctx->repo, path, &added, ctx->progress, &ctx->err);

	if (ret)
		goto out;
	ret = write_blob(&ctx->repo, vv_buf_view(&added.text), &ctx->err);
	if (ret)
		goto release;
	vv_git_blob_oid(vv_buf_view(&added.text), ctx->repo.sha256, oid);
	ret = vv_statcache_set(&a->cache, path, &added.st, oid, &ctx->err);
	if (!ret)
		ret = vv_inside_put(&ctx->repo, oid, vv_buf_view(&added.text), &ctx->err);
	vv_progress_end();
	for (size_t i = 0; i < added.manifest.n_findings; i++) {
		const struct vv_finding *f = &added.manifest.findings[i];
		char *detail = vv_safe(f->detail ? f->detail : "");
		fprintf(stderr, "varve: %s: finding %s at offset %" PRIu64 ": %s\n", name, f->code, f->off, detail);
		free(detail);
	}
	a->files++;
	a->total.raw += added.stats.raw;
	a->total.raw_new += added.stats.raw_new;
	a->total.stored += added.stats.stored;
	a->total.objects += added.stats.objects;
	a->total.objects_new += added.stats.objects_new;
	json_array_append_new(a->list,
		json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I}", "path", path, "format", added.manifest.format, "size",
			(json_int_t)added.stats.raw, "objects", (json_int_t)added.stats.objects, "objects_new",
			(json_int_t)added.stats.objects_new, "bytes_new", (json_int_t)added.stats.raw_new, "stored",
			(json_int_t)added.stats.stored));
	if (!ctx->json && !ctx->quiet)
		printf("%s: %s, %zu of %zu objects new, %s stored\n", name, vv_human(added.stats.raw, raw),
			added.stats.objects_new, added.stats.objects, vv_human(added.stats.stored, stored));
release:
	vv_added_release(&added);
out:
	free(name);
	return ret;
}

/* Which of these NUL-separated paths does varve keep? Calls add_model for them. */
static int add_kept(struct adding *a, struct vv_span paths)
{
	static const char *const args[] = {"check-attr", "-z", "--stdin", "filter", NULL};
	struct vv_ctx *ctx = a->ctx;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_MANIFEST);
	int status = 0, ret = 0;

	if (!paths.len)
		return 0;
	ret = vv_git_status(&ctx->repo, args, NULL, paths, &out, &status, &ctx->err);
	if (!ret && status)
		ret = vv_fail(&ctx->err, VV_EGIT, "git check-attr failed");
	/* "<path>\0filter\0<value>\0" */
	for (const char *p = (char *)out.ptr, *end = p + out.len; !ret && p < end;) {
		const char *path = p, *value;
		p += strlen(p) + 1;
		p += strlen(p) + 1;
		value = p;
		p += strlen(p) + 1;
		if (strcmp(value, "varve"))
			continue;
		char *full = vv_repo_path(&ctx->repo, path);
		struct stat st;
		/* Deleted files and manifests without their model are git's affair. */
		if (full && !lstat(full, &st) && S_ISREG(st.st_mode) && st.st_size) {
			const char *known = vv_statcache_find(&a->cache, path, &st);
			struct vv_file f;
			uint8_t head[64];
			struct vv_err none = VV_ERR_INIT;
			bool manifest = false;
			if (!known && !vv_file_open(&f, full, &none)) {
				size_t n = f.base.size < sizeof(head) ? (size_t)f.base.size : sizeof(head);
				manifest = !vv_source_read(&f.base, 0, head, n, &none) &&
					vv_manifest_detect(vv_span(head, n)) != VV_TEXT_OTHER;
				vv_file_close(&f);
			}
			if (!known && !manifest)
				ret = add_model(a, path);
		}
		free(full);
	}
	vv_buf_release(&out);
	return ret;
}

/* What is named: git's words with these paths behind "--"; owned by the caller, the paths too. */
static int with_paths(struct vv_ctx *ctx, int argc, char **argv, bool whole, char ***out, size_t *n)
{
	char **v = calloc((size_t)argc + 2, sizeof(*v));
	int ret = v ? 0 : vv_fail_nomem(&ctx->err);

	*n = 0;
	for (int i = 1; i < argc && !ret; i++, ++*n)
		ret = vv_top_path(ctx, argv[i], &v[*n]);
	if (!ret && !*n && ctx->repo.prefix[0] && !whole && !(v[(*n)++] = strdup(ctx->repo.prefix)))
		ret = vv_fail_nomem(&ctx->err);
	*out = v;
	return ret;
}

/* Runs git with `words` (NULL-terminated), "--" and the paths. */
static int run_git(struct vv_ctx *ctx, const char *const *words, char *const *paths, size_t n, struct vv_buf *out)
{
	const char **args;
	size_t k = 0;
	int ret, status = 0;

	while (words[k])
		k++;
	args = calloc(k + n + 2, sizeof(*args));
	if (!args)
		return vv_fail_nomem(&ctx->err);
	memcpy(args, words, k * sizeof(*args));
	args[k++] = "--";
	for (size_t i = 0; i < n; i++)
		args[k + i] = paths[i];
	ret = vv_git_status(&ctx->repo, args, vv_inside_env(&ctx->repo), vv_span(NULL, 0), out, &status, &ctx->err);
	if (!ret && status)
		ret = vv_fail(&ctx->err, VV_EGIT, "git %s: %.300s", words[0], vv_git_said(out));
	free(args);
	return ret;
}

/*
 * Files that may have changed, by their stat data, and new ones. Not ls-files -m: that one has the
 * clean filter read whole models.
 */
static int list_files(struct vv_ctx *ctx, char *const *paths, size_t n, bool update, struct vv_buf *out)
{
	static const char *const changed[] = {"diff-files", "-z", "--name-only", "--no-renames", NULL};
	static const char *const others[] = {"ls-files", "-z", "-o", "--exclude-standard", NULL};
	int ret = run_git(ctx, changed, paths, n, out);

	return ret || update ? ret : run_git(ctx, others, paths, n, out);
}

int cmd_add(struct vv_ctx *ctx, int argc, char **argv)
{
	bool all = false, update = false;
	const struct vv_opt opts[] = {
		{'A', "all", VV_OPT_FLAG, &all, NULL, "also new and removed files of the whole tree"},
		{'u', "update", VV_OPT_FLAG, &update, NULL, "only files that git has already"},
		{0},
	};
	struct adding a = {.ctx = ctx, .list = json_array()};
	struct vv_buf files = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *add[] = {"add", NULL, NULL};
	char **paths = NULL, raw[32], stored[32];
	size_t n = 0;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc < 2 && !all && !update)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "nothing specified; 'varve add .' adds this folder");
	if (!ret)
		ret = with_paths(ctx, argc, argv, all, &paths, &n);
	if (!ret)
		ret = vv_mkdirs(ctx->repo.state_dir, &ctx->err);
	if (!ret)
		ret = vv_statcache_open(&a.cache, &ctx->repo, &ctx->err);
	if (!ret)
		ret = list_files(ctx, paths, n, update, &files);
	if (!ret)
		ret = add_kept(&a, vv_buf_view(&files));
	if (!ret && a.files)
		ret = vv_statcache_write(&a.cache, &ctx->err);
	if (all || update)
		add[1] = all ? "-A" : "-u";
	vv_buf_clear(&files);
	if (!ret)
		ret = run_git(ctx, add, paths, n, &files);
	vv_inside_clear(&ctx->repo);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O}", "files", a.list));
	else if (!ret && a.files > 1 && !ctx->quiet)
		printf("%zu models: %s, %s stored\n", a.files, vv_human(a.total.raw, raw), vv_human(a.total.stored, stored));
	vv_buf_release(&files);
	vv_statcache_release(&a.cache);
	json_decref(a.list);
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
	return ret;
}
