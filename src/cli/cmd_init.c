#include "cli/cli.h"

#include "git/diradd.h"
#include "git/dirsync.h"
#include "git/dirtrack.h"
#include "git/hooks.h"
#include "git/setup.h"
#include "git/sync.h"
#include "os/file.h"

#include <stdlib.h>

int cmd_init(struct vv_ctx *ctx, int argc, char **argv)
{
	bool global = false;
	const struct vv_opt opts[] = {
		{'g', "global", VV_OPT_FLAG, &global, NULL, "once per machine: every later git clone just works"},
		{0},
	};
	struct vv_sync_report report = {.prog = ctx->progress};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (ret)
		return ret;
	if (argc > 1)
		return vv_fail(&ctx->err, VV_EUSAGE, "init takes no path; run it inside the repository");
	if (global) {
		ret = vv_setup_config(NULL, true, &ctx->err);
		if (ret)
			return ret;
		if (ctx->json)
			vv_print_json(json_pack("{s:b}", "global", 1));
		else if (!ctx->quiet)
			puts("varve is set up for this user: git clone now ends with the models themselves.");
		return VV_EXIT_OK;
	}
	ret = vv_repo_open(&ctx->repo, &ctx->err);
	if (ret)
		return vv_err_in(&ctx->err, "run 'git init' first");
	ret = vv_setup_repo(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_sync(&ctx->repo, NULL, vv_span(NULL, 0), &report, &ctx->err);
	if (ret)
		return ret;
	if (ctx->json) {
		char *store = vv_join(ctx->repo.common_dir, "varve");
		vv_print_json(json_pack("{s:o,s:I}", "store", vv_json_name(store ? store : ""), "written",
			(json_int_t)report.written));
		free(store);
		return VV_EXIT_OK;
	}
	if (!ctx->quiet)
		printf("varve keeps models in %s/varve\n", ctx->repo.common_dir);
	vv_hint(ctx, "name the files to keep, for example: varve track '*.safetensors' '*.pt'");
	return VV_EXIT_OK;
}

/* Directories become plain ones; their paths are appended as pathspecs. */
static int leave_dirs(struct vv_ctx *ctx, struct vv_buf *paths, size_t *n)
{
	struct vv_buf dirs = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = vv_dirs_list(NULL, &dirs, &ctx->err);

	for (const char *p = (const char *)dirs.ptr, *end = p + dirs.len; !ret && p < end; p += strlen(p) + 1) {
		char *dir = vv_dir_of_path(p);
		ret = dir ? vv_dir_untrack(&ctx->repo, dir, &ctx->err) : vv_fail_nomem(&ctx->err);
		if (ret == VV_ENOTFOUND) {
			vv_err_clear(&ctx->err); /* removed from the worktree */
			ret = 0;
		}
		if (!ret)
			vv_buf_fmt(paths, ":(top,literal)%s%c", dir, 0);
		++*n;
		free(dir);
	}
	vv_buf_release(&dirs);
	return ret ? ret : vv_buf_check(paths, &ctx->err);
}

int cmd_leave(struct vv_ctx *ctx, int argc, char **argv)
{
	bool global = false;
	const struct vv_opt opts[] = {
		{'g', "global", VV_OPT_FLAG, &global, NULL, "also take varve out of your own git configuration"},
		{0},
	};
	struct vv_sync_report report = {.prog = ctx->progress, .dir_flags = VV_DIRSYNC_RETRY};
	struct vv_entries kept = {0};
	struct vv_buf paths = VV_BUF_INIT(VV_MAX_TEXT), dirs = VV_BUF_INIT(VV_MAX_TEXT);
	size_t n_dirs = 0;
	static const char *const add_dirs[] = {"add", "--pathspec-from-file=-", "--pathspec-file-nul", NULL};
	static const char *const add[] = {"add", "--renormalize", "--pathspec-from-file=-", "--pathspec-file-nul", NULL};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL), status = 0;

	if (ret)
		return ret;
	/* Every model must be in the worktree, whole, before anything is taken away. */
	ret = vv_sync(&ctx->repo, NULL, vv_span(NULL, 0), &report, &ctx->err);
	if (!ret && report.left_n)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND,
			"%zu models are not in the worktree yet; 'varve status' names them", report.left_n);
	if (!ret)
		ret = vv_tracked(&ctx->repo, NULL, &kept, &ctx->err);
	for (size_t i = 0; !ret && i < kept.n; i++)
		if (!vv_is_dir_path(kept.v[i].path))
			vv_buf_fmt(&paths, ":(top,literal)%s%c", kept.v[i].path, 0);
	if (!ret)
		ret = vv_buf_check(&paths, &ctx->err);
	if (!ret)
		ret = leave_dirs(ctx, &dirs, &n_dirs);
	if (!ret)
		ret = vv_untrack_all(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_setup_remove(&ctx->repo, false, &ctx->err);
	if (!ret && global)
		ret = vv_setup_remove(&ctx->repo, true, &ctx->err);
	if (!ret && paths.len)
		ret = vv_git_status(&ctx->repo, add, NULL, vv_buf_view(&paths), NULL, &status, &ctx->err);
	if (!ret && !status && dirs.len)
		ret = vv_git_status(&ctx->repo, add_dirs, NULL, vv_buf_view(&dirs), NULL, &status, &ctx->err);
	if (!ret && status)
		ret = vv_fail(&ctx->err, VV_EGIT, "git add of the models failed");
	if (!ret && ctx->json) {
		vv_print_json(json_pack("{s:I,s:I}", "files", (json_int_t)(kept.n - n_dirs), "directories", (json_int_t)n_dirs));
	} else if (!ret && !ctx->quiet) {
		if (n_dirs)
			printf("%zu director%s plain files again.\n", n_dirs, n_dirs == 1 ? "y is" : "ies are");
		printf("%zu models are plain files for git again; review with 'git status' and commit.\n", kept.n - n_dirs);
		printf("Older versions stay in %s/varve; remove that folder when you need none of them.\n",
			ctx->repo.common_dir);
	}
	vv_entries_release(&kept);
	vv_buf_release(&paths);
	vv_buf_release(&dirs);
	return ret;
}
