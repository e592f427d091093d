/* The commands that git calls. */
#include "cli/cli.h"

#include "base/quote.h"
#include "cli/diffkeep.h"
#include "cli/gitlines.h"
#include "git/clean.h"
#include "git/dirsync.h"
#include "git/hook.h"
#include "git/inside.h"
#include "git/mergedriver.h"

#include <stdlib.h>
#include <unistd.h>

static void say_finding(const char *path, const struct vv_finding *f)
{
	char *name = vv_safe(path), *detail = vv_safe(f->detail ? f->detail : "");

	fprintf(stderr, "varve: %s: finding %s at offset %llu: %s\n", name, f->code, (unsigned long long)f->off, detail);
	free(name);
	free(detail);
}

int cmd_clean(struct vv_ctx *ctx, int argc, char **argv)
{
	int ret = 1;

	if (argc > 1 && !strcmp(argv[1], "--")) {
		argc--;
		argv++;
	}
	if (argc != 2)
		return vv_fail(&ctx->err, VV_EUSAGE, "clean takes one path");
	if (vv_inside())
		ret = vv_inside_clean(argv[1], STDOUT_FILENO, &ctx->err);
	if (ret == 1)
		ret = vv_repo_open(&ctx->repo, &ctx->err);
	else
		return ret;
	return ret ? ret : vv_clean(&ctx->repo, argv[1], STDIN_FILENO, STDOUT_FILENO, say_finding, &ctx->err);
}

int cmd_smudge(struct vv_ctx *ctx, int argc, char **argv)
{
	struct vv_err unset = VV_ERR_INIT;
	char text[sizeof(unset.msg) + 128];
	const char *path = argc > 1 ? argv[argc - 1] : "";
	bool mended = false;
	int ret = vv_smudge(path, STDIN_FILENO, STDOUT_FILENO, &mended, &unset, &ctx->err);

	if (mended)
		vv_warn("%s: a model is taken whole, not by lines: it stays as it was", path);
	if (unset.code) {
		snprintf(text, sizeof(text), "models stay manifests until 'varve init': %s", unset.msg);
		vv_say(text);
	}
	return ret;
}

static void say_left(void *arg VV_UNUSED, const char *path, const struct vv_err *why)
{
	char text[sizeof(why->msg) + 512];

	snprintf(text, sizeof(text), "%.400s stays a manifest: %s", path, why->msg);
	vv_say(text);
}

static void say_kept(void *arg VV_UNUSED, const char *path, const struct vv_err *why)
{
	char text[sizeof(why->msg) + 512];

	snprintf(text, sizeof(text), "%.400s: %s", path, why->msg);
	vv_say(text);
}

int cmd_hook(struct vv_ctx *ctx, int argc, char **argv)
{
	struct vv_sync_report report = {.left = say_left, .kept = say_kept, .prog = ctx->progress};
	int ret;

	if (argc < 2)
		return vv_fail(&ctx->err, VV_EUSAGE, "hook takes a name");
	if (!strcmp(argv[1], "post-commit"))
		vv_measure_later();
	if (vv_hook_idle(argv[1]))
		return VV_EXIT_OK;
	ret = vv_repo_open(&ctx->repo, &ctx->err);
	return ret ? ret : vv_hook_run(&ctx->repo, argv[1], (const char *const *)argv + 2, (size_t)argc - 2, STDIN_FILENO, &report,
		&ctx->err);
}

int cmd_hook_wait(struct vv_ctx *ctx, int argc, char **argv)
{
	struct vv_sync_report report = {0};

	if (argc != 2)
		return vv_fail(&ctx->err, VV_EUSAGE, "hook-wait takes a process number");
	return vv_hook_wait(&ctx->repo, (pid_t)strtol(argv[1], NULL, 10), &report, &ctx->err);
}

enum {
	CONFLICTS_SAID = 20,
	BASE_FAILED = 255, /* above 128 git stops: a wrong base would make a wrong merge */
};

struct saying {
	const char *path;
	size_t n;
};

static void say_conflict(void *arg, const char *name, const char *reason)
{
	struct saying *s = arg;
	char *path, *tensor;

	if (++s->n > CONFLICTS_SAID)
		return;
	path = vv_safe(s->path);
	tensor = vv_safe(name);
	fprintf(stderr, "varve: CONFLICT in %s: %s: %s\n", path, tensor, reason);
	free(path);
	free(tensor);
}

static void say_note(void *arg VV_UNUSED, const char *text)
{
	vv_say(text);
}

int cmd_merge_driver(struct vv_ctx *ctx, int argc, char **argv)
{
	bool virtual_base = argc == 7 && !strcmp(argv[1], "--virtual");
	char **word = argv + virtual_base;
	struct saying s = {.n = 0};
	struct vv_merge_words w;
	int ret;

	if (argc != 6 + virtual_base)
		return vv_fail(&ctx->err, VV_EUSAGE, "merge-driver takes five words from git");
	s.path = word[5];
	w = (struct vv_merge_words){.base = word[1], .ours = word[2], .theirs = word[3], .path = word[5],
		.virtual_base = virtual_base, .conflict = say_conflict, .note = say_note, .arg = &s};
	ret = vv_merge_driver(&ctx->repo, &w, &ctx->err);
	if (s.n > CONFLICTS_SAID)
		vv_warn("%s: and %zu more conflicts; 'varve status' lists them", w.path, s.n - CONFLICTS_SAID);
	if (ret == VV_ECONFLICT && s.n)
		return VV_EXIT_NO;
	if (ret) {
		/* To git any status up to 128 is a conflict: ours stays, and the reason is told. */
		vv_say(ctx->err.msg);
		return virtual_base ? BASE_FAILED : VV_EXIT_NO;
	}
	return VV_EXIT_OK;
}

static bool is_below(const struct vv_buf *names, const char *path)
{
	size_t n = strlen(path);

	for (const char *p = (const char *)names->ptr, *end = p + names->len; p < end; p += strlen(p) + 1)
		if (!strncmp(p, path, n) && (!p[n] || p[n] == '/'))
			return true;
	return false;
}

/* A path under which nothing is kept is a mistake, not nothing to do. */
static int check_paths(struct vv_ctx *ctx, char *const *paths, char *const *words, const struct vv_buf *others)
{
	int ret = 0;

	for (size_t i = 0; paths[i] && !ret; i++) {
		const char *one[] = {paths[i], NULL};
		struct vv_entries e = {0};
		ret = vv_tracked(&ctx->repo, one, &e, &ctx->err);
		if (!ret && !e.n && !is_below(others, paths[i]))
			ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no model that varve keeps", words[i]);
		vv_entries_release(&e);
	}
	return ret;
}

int cmd_checkout(struct vv_ctx *ctx, int argc, char **argv)
{
	bool force = false;
	const struct vv_opt opts[] = {
		{'f', "force", VV_OPT_FLAG, &force, NULL, "replace files of directories that were changed, or are in the way"},
		{0},
	};
	struct vv_sync_report report = {.left = say_left, .kept = say_kept, .prog = ctx->progress};
	struct vv_buf others = VV_BUF_INIT(VV_MAX_MANIFEST);
	char **paths = NULL, size[32];
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	/* What was removed comes back to who asks for it by name. */
	report.dir_flags = VV_DIRSYNC_RETRY | (force ? VV_DIRSYNC_FORCE : 0) | (argc > 1 ? VV_DIRSYNC_MISSING : 0);

	if (!ret)
		ret = vv_top_paths(ctx, argv + 1, &paths);
	if (!ret)
		ret = vv_untracked(argv + 1, argc > 1, &others, &ctx->err);
	if (!ret)
		ret = check_paths(ctx, paths, argv + 1, &others);
	if (!ret)
		ret = vv_sync(&ctx->repo, argc > 1 ? (const char *const *)paths : NULL, vv_buf_view(&others), &report, &ctx->err);
	vv_progress_end();
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:I,s:I,s:I,s:I,s:I}", "written", (json_int_t)report.written, "left",
			(json_int_t)report.left_n, "bytes", (json_int_t)report.bytes, "files", (json_int_t)report.files, "removed",
			(json_int_t)report.removed));
	else if (!ret && (report.files || report.removed) && !ctx->quiet)
		printf("%zu model%s and %zu file%s written, %zu removed, %s\n", report.written, report.written == 1 ? "" : "s",
			report.files, report.files == 1 ? "" : "s", report.removed, vv_human(report.bytes, size));
	else if (!ret && report.written && !ctx->quiet)
		printf("%zu model%s written, %s\n", report.written, report.written == 1 ? "" : "s",
			vv_human(report.bytes, size));
	vv_paths_free(paths);
	vv_buf_release(&others);
	return ret ? ret : report.left_n ? VV_EXIT_NO : VV_EXIT_OK;
}
