/*
 * git add for models, without git reading them: the store is filled by all cores, then git asks the
 * clean filter, which answers from the stat cache.
 */
#include "cli/cli.h"

#include "cli/dirs.h"
#include "cli/gitlines.h"
#include "git/clean.h"
#include "git/dirstate.h"
#include "git/inside.h"
#include "git/statcache.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

struct adding {
	struct vv_ctx *ctx;
	struct vv_statcache cache;
	struct vv_put_stats total;
	size_t files, n_dirs;
	json_t *list, *dirs;
};

static int add_model(struct adding *a, const char *path, const char *format)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_added added;
	char oid[VV_OID_HEX_MAX + 1], raw[32], stored[32];
	char *name = vv_safe(path);
	int ret = vv_check_format(path, format, &ctx->err);

	if (!ret)
		ret = vv_add_file(&ctx->repo, path, &added, ctx->progress, &ctx->err);
	if (ret) {
		if (!strstr(ctx->err.msg, path))
			ret = vv_err_in(&ctx->err, "%s", path);
		goto out;
	}
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
		json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:I}", "path", vv_json_name(path), "format", added.manifest.format, "size",
			(json_int_t)added.stats.raw, "objects", (json_int_t)added.stats.objects, "objects_new",
			(json_int_t)added.stats.objects_new, "bytes_new", (json_int_t)added.stats.raw_new, "stored",
			(json_int_t)added.stats.stored));
	if (!ctx->json && !ctx->quiet)
		printf("%s: %s, %zu of %zu objects new, %s stored\n", name, vv_human(added.stats.raw, raw),
			added.stats.objects_new, added.stats.objects, vv_human(added.stats.stored, stored));
	vv_added_release(&added);
out:
	free(name);
	return ret;
}

/* Does a manifest's text stand there, whose model is elsewhere? That is git's affair. */
static bool is_text(const char *full)
{
	struct vv_err ignore = VV_ERR_INIT;
	uint8_t head[64];
	struct vv_file f;
	size_t n;
	bool yes;

	if (vv_file_open(&f, full, &ignore))
		return false;
	n = f.base.size < sizeof(head) ? (size_t)f.base.size : sizeof(head);
	yes = !vv_source_read(&f.base, 0, head, n, &ignore) && vv_manifest_detect(vv_span(head, n)) != VV_TEXT_OTHER;
	vv_file_close(&f);
	return yes;
}

/* Hands the filter the text of a model that is stored already. 1: git has lost it. */
static int hand_over(struct adding *a, const char *oid)
{
	struct vv_repo *r = &a->ctx->repo;
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	int ret = vv_blobs_open(&blobs, r, &a->ctx->err);

	if (!ret)
		ret = vv_blobs_get(&blobs, oid, &text, &why) ? 1 : vv_inside_put(r, oid, vv_buf_view(&text), &a->ctx->err);
	vv_blobs_close(&blobs);
	vv_buf_release(&text);
	return ret;
}

static int add_path(struct adding *a, const char *path, const char *format)
{
	char *full = vv_repo_path(&a->ctx->repo, path);
	const char *known;
	struct stat st;
	int ret = full ? 0 : vv_fail_nomem(&a->ctx->err);

	/* Deleted files, links and empty files are git's affair too. */
	if (!ret && !lstat(full, &st) && S_ISREG(st.st_mode) && st.st_size && !is_text(full)) {
		known = vv_statcache_find(&a->cache, path, &st);
		ret = known ? hand_over(a, known) : 1;
		ret = ret == 1 ? add_model(a, path, format) : ret;
	}
	free(full);
	return ret;
}

/* `err` is the context's own, where add_path puts what it says. A directory's manifest is never a model. */
static int add_kept(void *arg, const char *path, const char *format, struct vv_err *err VV_UNUSED)
{
	return format && !vv_is_dir_manifest(path) ? add_path(arg, path, format) : 0;
}

/* Files that may have changed, by their stat data. Not ls-files -m: that one has the clean filter read whole models. */
static int list_changed(struct vv_ctx *ctx, char *const *specs, struct vv_buf *out)
{
	static const char *const first[] = {"diff-files", "-z", "--name-only", "--no-renames", "--", NULL};
	struct vv_args args = {0};
	int ret;

	vv_args_all(&args, first);
	vv_args_all(&args, (const char *const *)specs);
	ret = vv_lines_all(&args, out, &ctx->err);
	vv_args_release(&args);
	return ret;
}

/* git's own add, with its own words and status. Its filter is told what the models are. */
static int git_add(struct vv_ctx *ctx, const char *how, bool force, char *const *specs)
{
	const char *argv[12] = {"git", "-c", "core.fsync=committed", "add", "--pathspec-from-file=-", "--pathspec-file-nul"};
	struct vv_buf in = VV_BUF_INIT(VV_MAX_TEXT), said = VV_BUF_INIT(VV_MAX_TEXT);
	const char *const *env = NULL;
	size_t n = 6;
	int status = 0, ret;

	if (how)
		argv[n++] = how;
	if (force)
		argv[n++] = "-f";
	for (; *specs; specs++)
		vv_buf_add(&in, *specs, strlen(*specs) + 1);
	ret = vv_buf_check(&in, &ctx->err);
	if (!ret && !(env = vv_inside_env(&ctx->repo)))
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_child_run(argv, env, ctx->json ? VV_CHILD_ERR : 0, vv_buf_view(&in),
			ctx->json ? &said : NULL, &status, &ctx->err);
	if (!ret && status && ctx->json)
		ret = vv_fail(&ctx->err, VV_EGIT, "git add: %.300s", vv_git_said(&said));
	vv_buf_release(&in);
	vv_buf_release(&said);
	return ret ? ret : status;
}

static int add_models(struct adding *a, bool update, bool force, char *const *specs)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_buf files = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = vv_repo_state(&ctx->repo, &ctx->err);

	if (!ret)
		ret = vv_statcache_open(&a->cache, &ctx->repo, &ctx->err);
	if (!ret)
		ret = list_changed(ctx, specs, &files);
	if (!ret && !update)
		ret = vv_untracked(specs, force, &files, &ctx->err);
	if (!ret)
		ret = vv_kept_each(&ctx->repo, vv_buf_view(&files), add_kept, a, &ctx->err);
	if (!ret && a->files)
		ret = vv_statcache_write(&a->cache, &ctx->err);
	if (!ret)
		ret = vv_dirs_add(ctx, (const char *const *)specs, a->dirs, &a->n_dirs);
	vv_buf_release(&files);
	return ret;
}

int cmd_add(struct vv_ctx *ctx, int argc, char **argv)
{
	bool all = false, update = false, force = false;
	const struct vv_opt opts[] = {
		{'A', "all", VV_OPT_FLAG, &all, NULL, "new, changed and removed files; of the whole tree without PATH"},
		{'u', "update", VV_OPT_FLAG, &update, NULL, "only files that git has already; of the whole tree without PATH"},
		{'f', "force", VV_OPT_FLAG, &force, NULL, "ignored files too"},
		{0},
	};
	char *top[] = {(char *)(uintptr_t)":/", NULL}, **specs = argv + 1;
	struct adding a = {.ctx = ctx, .list = json_array(), .dirs = json_array()};
	char raw[32], stored[32];
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (ret)
		goto out;
	if (all && update) {
		ret = vv_fail(&ctx->err, VV_EUSAGE, "-A and -u are not for one call");
		goto out;
	}
	if (argc < 2 && !all && !update) {
		fprintf(stderr, "Nothing specified, nothing added.\n");
		vv_hint(ctx, "'varve add .' adds this folder");
		goto out;
	}
	if (argc < 2)
		specs = top;
	ret = add_models(&a, update, force, specs);
	if (!ret)
		ret = git_add(ctx, all ? "-A" : update ? "-u" : NULL, force, specs);
	vv_inside_clear(&ctx->repo);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O,s:O}", "files", a.list, "directories", a.dirs));
	else if (!ret && a.files > 1 && !ctx->quiet)
		printf("%zu models: %s, %s stored\n", a.files, vv_human(a.total.raw, raw), vv_human(a.total.stored, stored));
out:
	vv_statcache_release(&a.cache);
	json_decref(a.list);
	json_decref(a.dirs);
	return ret;
}
