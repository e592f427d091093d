/* varve: the table of commands, and what happens before and after one. */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_TREE = VV_CMD_REPO | VV_CMD_WORKTREE };

const struct vv_cmd vv_cmds[] = {
	{"init", cmd_init, 0, "start", "let varve keep models in this repository, or on this machine", "[--global]"},
	{"track", cmd_track, IN_TREE, "start", "keep files of this pattern as models, or a directory as one", "PATTERN|DIR/..."},
	{"untrack", cmd_untrack, IN_TREE, "start", "stop keeping files of this pattern, or a directory", "PATTERN|DIR/..."},
	{"list", cmd_list, VV_CMD_REPO, "start", "patterns and files that varve keeps", "[--json]"},
	{"add", cmd_add, IN_TREE, "work", "git add, the fast way for models", "[-A|-u] [PATH...]"},
	{"status", cmd_status, IN_TREE, "work", "tensors changed, bytes new, what is not stored yet", "[--json] [PATH...]"},
	{"checkout", cmd_checkout, IN_TREE, "work", "put the models themselves where manifests stand", "[--force] [PATH...]"},
	{"resolve", cmd_resolve, IN_TREE | VV_CMD_STORE, "work", "list and settle the conflicts of a merge, tensor by tensor",
		"[--ours|--theirs|--base|--method NAME [--set NAME=VALUE]...] [--tensor GLOB]... [--] [FILE...]"},
	{"restore", cmd_restore, IN_TREE | VV_CMD_STORE, "work", "bring back a model, or single tensors, from a version",
		"REV [--tensor GLOB]... [--path GLOB]... [--] FILE..."},
	{"revert", cmd_revert, IN_TREE | VV_CMD_STORE, "work", "undo what a commit changed in a model, or in single tensors",
		"[--json] [--tensor GLOB]... [-m N] COMMIT [--] FILE..."},
	{"show", cmd_show, 0, "look", "layers, shapes, types, sizes and optimizer of a model",
		"[--json] [--all] [--graph] [--depth N] [--one-file] [--plot FILE] [REV:]FILE"},
	{"diff", cmd_diff, 0, "look", "what changed between versions, tensor by tensor",
		"[--json] [--stat] [--layers] [--html FILE] [--markdown FILE] [--cached] [REV [REV]] [--] [FILE...]"},
	{"log", cmd_log, VV_CMD_REPO, "look", "commits that changed a model or its tensors",
		"[--json] [--tensor GLOB] [-n N] [--one-file] [REV...] [--] FILE"},
	{"blame", cmd_blame, VV_CMD_REPO, "look", "the commit that last changed each tensor",
		"[--json] [--tensor GLOB] [REV] [--] FILE"},
	{"bisect", cmd_bisect, IN_TREE | VV_CMD_STORE, "look", "the commit that spoiled a model, by a command that tests it",
		"run [--json] [--good REV]... [--bad REV] [--file FILE]... [--tensor GLOB]... [--changes-only] [--] CMD [ARG...]"},
	{"cat", cmd_cat, 0, "look", "one tensor's values, as .npy or raw; or a whole file", "[--raw] [-o FILE] [REV:]FILE [TENSOR]"},
	{"convert", cmd_convert, 0, "look", "a model in another format, or its floats in another type",
		"[--format NAME] [--dtype TYPE] [--tensor GLOB]... [--with COMMAND [--env NAME]...] [REV:]FILE... -o FILE"},
	{"merge", cmd_merge, 0, "look", "one model out of several, by a method or a recipe",
		"[--method NAME] [--base MODEL] [--set NAME=VALUE]... -o OUT MODEL...|RECIPE"},
	{"scan", cmd_scan, 0, "look", "what loading a model would do besides: is it safe?",
		"[--strict] [--all] [--allow GLOB]... [--json|--sarif] [[REV:]FILE|[REV:]FOLDER|REV]..."},
	{"archive", cmd_archive, VV_CMD_REPO, "look", "git archive with the models in it",
		"[--prefix DIR/] [-o FILE] REV [PATH...]"},
	{"du", cmd_du, VV_CMD_REPO | VV_CMD_STORE, "store", "what the store holds and what it costs", "[--json] [--files]"},
	{"fsck", cmd_fsck, VV_CMD_REPO | VV_CMD_STORE, "store", "check every stored byte", "[--repair] [--json]"},
	{"gc", cmd_gc, VV_CMD_REPO | VV_CMD_STORE, "store", "clear away what no version needs",
		"[--dry-run] [--grace AGE] [--json]"},
	{"doctor", cmd_doctor, 0, "store", "explain and mend a half-set-up repository", "[--fix] [--json]"},
	{"serve-store", cmd_serve_store, 0, "store", "give a store to a varve at the other end of a connection",
		"--stdio [--read-only] PATH"},
	{"leave", cmd_leave, IN_TREE | VV_CMD_STORE, "store", "go back to plain git, with the models in the worktree", "[--global]"},
	{"version", cmd_version, 0, "help", "the version of varve and its formats", "[--json]"},
	{"help", cmd_help, 0, "help", "this list, or the manual of a command", "[COMMAND]"},
	{"clean", cmd_clean, VV_CMD_HIDDEN, NULL, "git's clean filter", "-- FILE"},
	{"smudge", cmd_smudge, VV_CMD_HIDDEN, NULL, "git's smudge filter", "-- FILE"},
	{"merge-driver", cmd_merge_driver, VV_CMD_REPO | VV_CMD_HIDDEN, NULL, "git's merge driver",
		"[--virtual] BASE OURS THEIRS SIZE FILE"},
	{"hook", cmd_hook, VV_CMD_HIDDEN, NULL, "git's hooks", "NAME [ARG...]"},
	{"hook-wait", cmd_hook_wait, IN_TREE | VV_CMD_HIDDEN, NULL, "finishes after a sequence of git's", "PID"},
	{"bisect-step", cmd_bisect_step, IN_TREE | VV_CMD_HIDDEN, NULL, "what git bisect runs", "--file FILE -- CMD"},
	{"measure", cmd_measure, VV_CMD_REPO | VV_CMD_HIDDEN, NULL, "measures the models of a commit", ""},
	{NULL, NULL, 0, NULL, NULL, NULL},
};

static const struct vv_cmd *find(const char *name)
{
	for (const struct vv_cmd *c = vv_cmds; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* Opens what the command's flags ask for. */
static int prepare(struct vv_ctx *ctx)
{
	unsigned flags = ctx->cmd->flags;
	int ret = 0;

	if (flags & VV_CMD_REPO)
		ret = vv_repo_open(&ctx->repo, &ctx->err);
	if (!ret && flags & VV_CMD_WORKTREE && !ctx->repo.top)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "%s needs a worktree; this repository is bare", ctx->cmd->name);
	if (!ret && flags & VV_CMD_STORE) {
		ret = vv_repo_store(&ctx->repo, false, &ctx->err);
		if (ret == VV_ENOTFOUND)
			ret = vv_fail(&ctx->err, VV_ENOTFOUND, "this repository has no varve store; run 'varve init'");
	}
	return ret;
}

static int report(const struct vv_ctx *ctx)
{
	const struct vv_err *e = &ctx->err;

	if (ctx->json)
		vv_print_json(json_pack(
			"{s:{s:s,s:o}}", "error", "code", vv_code_name(e->code), "message", vv_json_name(e->msg)));
	vv_say(e->msg);
	if (ctx->hint[0] && !ctx->quiet && !ctx->json)
		vv_hint_kept(ctx);
	if (e->code == VV_EUSAGE && ctx->cmd)
		fprintf(stderr, "usage: varve %s %s\n", ctx->cmd->name, ctx->cmd->usage);
	return e->code == VV_EUSAGE ? VV_EXIT_USAGE : VV_EXIT_ERROR;
}

/* The words that every command understands; those that git calls get its words as they are. */
static void general_options(struct vv_ctx *ctx, int argc, char **argv)
{
	if (ctx->cmd->flags & VV_CMD_HIDDEN)
		return;
	for (int i = 2; i < argc && strcmp(argv[i], "--"); i++) {
		ctx->json |= !strcmp(argv[i], "--json");
		ctx->quiet |= !strcmp(argv[i], "--quiet") || !strcmp(argv[i], "-q");
		ctx->help |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");
	}
}

/* Has the reader of standard output gone away (head, a pager)? That is nobody's fault. */
static bool reader_gone(void)
{
	struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};

	return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

static int run(struct vv_ctx *ctx, int argc, char **argv)
{
	char *name[] = {(char *)(uintptr_t)ctx->cmd->name, NULL};
	/* Help needs no repository. */
	int ret = ctx->help ? 0 : prepare(ctx);

	if (!ret)
		ret = argc < 2 ? ctx->cmd->fn(ctx, 1, name) : ctx->cmd->fn(ctx, argc - 1, argv + 1);
	vv_progress_end();
	if (ret >= 0 && (fflush(stdout) || ferror(stdout)))
		ret = reader_gone() ? VV_EXIT_PIPE : vv_fail(&ctx->err, VV_EIO, "cannot write to standard output");
	if (ret < 0 && ctx->err.sys == EPIPE && reader_gone())
		return VV_EXIT_PIPE;
	return ret < 0 ? report(ctx) : ctx->help ? VV_EXIT_OK : ret;
}

int main(int argc, char **argv)
{
	struct vv_ctx ctx = {0};
	int ret;

	/* A reader that has gone away is an error of write, not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	/* git tells its children of a submodule by it; most of its commands refuse to run with it. */
	unsetenv("GIT_INTERNAL_SUPER_PREFIX");
	ctx.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	while (argc >= 3 && !strcmp(argv[1], "-C")) {
		if (chdir(argv[2])) {
			vv_fail_sys(&ctx.err, errno, "%s", argv[2]);
			return report(&ctx);
		}
		argv += 2;
		argc -= 2;
	}
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		ctx.cmd = find("help");
	else if (!strcmp(argv[1], "--version"))
		ctx.cmd = find("version");
	else
		ctx.cmd = find(argv[1]);
	if (!ctx.cmd) {
		vv_fail(&ctx.err, VV_EUSAGE, "'%s' is not a varve command; see 'varve help'", argv[1]);
		return report(&ctx);
	}
	general_options(&ctx, argc, argv);
	ctx.progress = isatty(STDERR_FILENO) && !ctx.quiet ? vv_progress_bar() : NULL;
	ret = run(&ctx, argc, argv);
	vv_repo_release(&ctx.repo);
	return ret;
}
