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

int cmd_add(struct vv_ctx *ctx, int argc, char **argv)
{
	bool all = false, update = false;
	const struct vv_opt opts[] = {
		{'A', "all", VV_OPT_FLAG, &all, NULL, "also new and removed files of the whole tree"},
		{'u', "update", VV_OPT_FLAG, &update, NULL, "only files that git has already"},
		{0},
	};
	struct adding a = {.ctx = ctx, .list = json_array()};
	struct vv_buf paths = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *list[72] = {"ls-files", "-z", "-m"}, *add[72] = {"add"};
	size_t n = 3, k = 1, first;
	char *tops[64] = {0}, raw[32], stored[32];
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL), status = 0;

	if (!ret && argc < 2 && !all && !update)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "nothing specified; 'varve add .' adds this folder");
	if (!ret && argc > 60)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "too many paths at once; name their folder");
	if (ret)
		goto out;
	if (!update) {
		list[n++] = "-o";
		list[n++] = "--exclude-standard";
	}
	if (all || update)
		add[k++] = all ? "-A" : "-u";
	list[n++] = "--";
	add[k++] = "--";
	first = k;
	for (int i = 1; i < argc && !ret; i++) {
		ret = vv_top_path(ctx, argv[i], &tops[i - 1]);
		list[n++] = add[k++] = tops[i - 1];
	}
	if (!ret && first == k && ctx->repo.prefix[0] && !all)
		list[n++] = add[k++] = ctx->repo.prefix;
	if (!ret)
		ret = vv_mkdirs(ctx->repo.state_dir, &ctx->err);
	if (!ret)
		ret = vv_statcache_open(&a.cache, &ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_git(&ctx->repo, &paths, &ctx->err, list);
	if (!ret)
		ret = add_kept(&a, vv_buf_view(&paths));
	if (!ret && a.files)
		ret = vv_statcache_write(&a.cache, &ctx->err);
	vv_buf_clear(&paths);
	if (!ret)
		ret = vv_git_status(&ctx->repo, add, vv_inside_env(&ctx->repo), vv_span(NULL, 0), &paths, &status, &ctx->err);
	vv_inside_clear(&ctx->repo);
	if (!ret && paths.len)
		fwrite(paths.ptr, 1, paths.len, stderr);
	if (!ret && status)
		ret = vv_fail(&ctx->err, VV_EGIT, "git add failed");
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O}", "files", a.list));
	else if (!ret && a.files > 1 && !ctx->quiet)
		printf("%zu models: %s, %s stored\n", a.files, vv_human(a.total.raw, raw), vv_human(a.total.stored, stored));
out:
	vv_buf_release(&paths);
	vv_statcache_release(&a.cache);
	json_decref(a.list);
	for (size_t i = 0; i < VV_COUNT(tops); i++)
		free(tops[i]);
	return ret;
}
