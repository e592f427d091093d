/*
 * git bisect with models: in a worktree of its own, where manifests stay text but for the models, or the tensors, that
 * the user's command reads. git searches; bisect-step, which it runs for each commit, puts these in place.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/bisecttree.h"
#include "cli/changes.h"
#include "cli/gitlines.h"
#include "os/file.h"
#include "os/job.h"

#include <stdlib.h>
#include <unistd.h>

enum { SKIPPED_ONLY = 2 }; /* what git bisect run exits with */

struct bisect {
	struct vv_ctx *ctx;
	const char *bad_rev;
	struct vv_opt_list good_revs, files, tensors;
	bool changes_only;
	char *bad, **good;
	size_t n_good;
	char **paths;     /* of the models, from the top */
	size_t n_paths;
	struct vv_bisecttree at;
	char *inside, *env_dir;
	struct vv_args env; /* of what runs in the tree */
};

/* What an alias, a hook or the user says of the repository does not hold in another worktree. */
static const char *const elsewhere[] = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
	"GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE", NULL};

/* --- the ends --- */

static int add_good(struct bisect *b, char *oid)
{
	char **v = realloc(b->good, (b->n_good + 1) * sizeof(*v));

	if (!v) {
		free(oid);
		return vv_fail_nomem(&b->ctx->err);
	}
	b->good = v;
	b->good[b->n_good++] = oid;
	return 0;
}

/* Those of the bisect that goes on in this worktree, when none are given. */
static int ends_at_hand(struct bisect *b)
{
	static const char *const words[] = {"for-each-ref", "--format=%(objectname) %(refname)", "refs/bisect/", NULL};
	struct vv_err *err = &b->ctx->err;
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	const char *rec;
	int ret;

	vv_args_all(&args, words);
	ret = vv_lines_open(&lines, &args, err);
	while (!ret && !(ret = vv_lines_next(&lines, '\n', &rec, err))) {
		const char *name = strchr(rec, ' ');
		size_t len = name ? (size_t)(name - rec) : 0;
		char *oid = strndup(rec, len);

		if (!oid)
			ret = vv_fail_nomem(err);
		else if (name && !strcmp(name, " refs/bisect/bad") && !b->bad)
			b->bad = oid;
		else if (name && !strncmp(name, " refs/bisect/good-", 18) && !b->good_revs.n)
			ret = add_good(b, oid);
		else
			free(oid);
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	return ret;
}

static int find_ends(struct bisect *b)
{
	struct vv_err *err = &b->ctx->err;
	int ret = 0;

	if (b->bad_rev)
		ret = vv_rev_commit(b->ctx, b->bad_rev, &b->bad);
	for (size_t i = 0; i < b->good_revs.n && !ret; i++) {
		char *oid = NULL;

		ret = vv_rev_commit(b->ctx, b->good_revs.v[i], &oid);
		if (!ret)
			ret = add_good(b, oid);
	}
	if (!ret && (!b->bad || !b->n_good))
		ret = ends_at_hand(b);
	if (!ret && !b->bad)
		ret = vv_rev_commit(b->ctx, "HEAD", &b->bad);
	if (!ret && !b->n_good)
		ret = vv_fail(err, VV_EUSAGE, "no good commit: --good REV, or 'git bisect start' and 'git bisect good' before");
	return ret;
}

/* --- the models --- */

static int add_path(struct bisect *b, const char *path)
{
	char **v;

	for (size_t i = 0; i < b->n_paths; i++)
		if (!strcmp(b->paths[i], path))
			return 0;
	v = realloc(b->paths, (b->n_paths + 2) * sizeof(*v));
	if (!v)
		return vv_fail_nomem(&b->ctx->err);
	b->paths = v;
	v[b->n_paths] = strdup(path);
	v[b->n_paths + 1] = NULL;
	return v[b->n_paths++] ? 0 : vv_fail_nomem(&b->ctx->err);
}

/* Is there a model by this name, good or bad? */
static int check_path(struct bisect *b, const char *path)
{
	struct vv_err *err = &b->ctx->err;
	int ret = VV_ENOTFOUND;

	for (size_t i = 0; i <= b->n_good && ret == VV_ENOTFOUND; i++) {
		struct vv_named model = {0};

		vv_err_clear(err);
		ret = vv_named_at(b->ctx, i ? b->good[i - 1] : b->bad, path, &model);
		vv_named_release(&model);
	}
	return ret == VV_ENOTFOUND ? vv_fail(err, ret, "%s: no model, neither in the bad commit nor in a good one", path) : ret;
}

/* The given ones, else those that differ between the ends. */
static int find_paths(struct bisect *b)
{
	struct vv_ctx *ctx = b->ctx;
	char *none[] = {NULL}, **top = NULL;
	int ret = 0;

	if (b->files.n)
		ret = vv_top_paths(ctx, (char *const *)(uintptr_t)b->files.v, &top);
	for (size_t i = 0; !ret && top && top[i]; i++) {
		ret = check_path(b, top[i]);
		if (!ret)
			ret = add_path(b, top[i]);
	}
	vv_paths_free(top);
	for (size_t g = 0; g < b->n_good && !b->files.n && !ret; g++) {
		struct vv_sides sides = {.a = b->good[g], .b = b->bad};
		struct vv_changes changes = {0};

		ret = vv_changes_list(ctx, &sides, none, &changes);
		for (size_t i = 0; i < changes.n && !ret; i++) {
			ret = add_path(b, changes.v[i].path_a);
			if (!ret)
				ret = add_path(b, changes.v[i].path_b);
		}
		vv_changes_release(&changes);
	}
	if (!ret && !b->n_paths)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "no model differs between the two: --file names what the command reads");
	return ret;
}

/* --- the worktree --- */

static int run_git(struct bisect *b, const struct vv_args *args, unsigned flags, int *status)
{
	if (args->failed || b->env.failed)
		return vv_fail_nomem(&b->ctx->err);
	return vv_job_run(args->v, b->env.v, flags, status, &b->ctx->err);
}

/* A line of what git says in the tree, owned by the caller. */
static int tree_line(struct bisect *b, char **out, const char *const *words)
{
	struct vv_err *err = &b->ctx->err;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_args args = {0};
	int status = 0, ret;

	vv_args_add(&args, "-C");
	vv_args_add(&args, b->at.tree);
	vv_args_all(&args, words);
	ret = args.failed || b->env.failed ? vv_fail_nomem(err)
					   : vv_git_status(NULL, args.v, b->env.v, vv_span(NULL, 0), &text, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git %s: %s", words[0], vv_git_said(&text));
	while (!ret && text.len && text.ptr[text.len - 1] == '\n')
		text.ptr[--text.len] = 0;
	if (!ret && !(*out = vv_buf_take(&text)))
		ret = vv_fail_nomem(err);
	vv_buf_release(&text);
	vv_args_release(&args);
	return ret;
}

/* The word for git and the sh it starts: one that the user typed as a path from here is it from there, too. */
static char *command_word(const char *word)
{
	return strchr(word, '/') && word[0] != '/' && !access(word, X_OK) ? realpath(word, NULL) : strdup(word);
}

/* git bisect start, in the new worktree. */
static int start(struct bisect *b)
{
	const char *const words[] = {"git", "-C", b->at.tree, "bisect", "start", b->bad, NULL};
	struct vv_args args = {0};
	int status = 0, ret;

	vv_args_all(&args, words);
	for (size_t i = 0; i < b->n_good; i++)
		vv_args_add(&args, b->good[i]);
	vv_args_add(&args, "--");
	for (size_t i = 0; i < b->n_paths && b->changes_only; i++)
		vv_args_add(&args, b->paths[i]);
	ret = run_git(b, &args, 0, &status);
	vv_args_release(&args);
	return !ret && status ? vv_fail(&b->ctx->err, VV_EGIT, "git bisect start failed") : ret;
}

/* git bisect run with bisect-step around the user's command. */
static int search(struct bisect *b, char *const *command, int *status)
{
	const char *const words[] = {"git", "-C", b->at.tree, "bisect", "run", "varve", "bisect-step", NULL};
	struct vv_args args = {0};
	char *first = command_word(command[0]);
	int ret;

	vv_args_all(&args, words);
	for (size_t i = 0; i < b->n_paths; i++) {
		vv_args_add(&args, "--file");
		vv_args_add(&args, b->paths[i]);
	}
	for (size_t i = 0; i < b->tensors.n; i++) {
		vv_args_add(&args, "--tensor");
		vv_args_add(&args, b->tensors.v[i]);
	}
	if (b->changes_only)
		vv_args_add(&args, "--changes-only");
	vv_args_add(&args, "--");
	vv_args_add(&args, first);
	vv_args_all(&args, (const char *const *)command + 1);
	ret = first ? run_git(b, &args, VV_CHILD_INHERIT, status) : vv_fail_nomem(&b->ctx->err);
	vv_args_release(&args);
	free(first);
	return ret;
}

/* --- the answer --- */

static size_t count_tested(const struct bisect *b)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char *path = vv_join(b->at.dir, "tested");
	size_t n = 0;

	if (path && vv_read_file(&text, path, &ignore))
		vv_err_clear(&ignore);
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	vv_buf_release(&text);
	free(path);
	return n;
}

/* What changed in the models, told by diff itself. */
static int show_changes(struct bisect *b, const char *commit)
{
	struct vv_args args = {0};
	char *parent = NULL;
	int status = 0, ret = 0;

	if (asprintf(&parent, "%s^", commit) < 0)
		return vv_fail_nomem(&b->ctx->err);
	vv_args_add(&args, "varve");
	vv_args_add(&args, "diff");
	for (size_t i = 0; i < b->tensors.n; i++) {
		vv_args_add(&args, "--tensor");
		vv_args_add(&args, b->tensors.v[i]);
	}
	vv_args_add(&args, parent);
	vv_args_add(&args, commit);
	fflush(stdout);
	ret = args.failed ? vv_fail_nomem(&b->ctx->err)
			  : vv_child_run(args.v, NULL, 0, vv_span(NULL, 0), NULL, &status, &b->ctx->err);
	vv_args_release(&args);
	free(parent);
	return ret;
}

/* *commit: the first bad one, owned by the caller. */
static int tell(struct bisect *b, char **commit)
{
	static const char *const words[] = {"log", "-1", "--format=%H%x1f%h%x1f%aN%x1f%aI%x1f%s", "refs/bisect/bad", NULL};
	struct vv_ctx *ctx = b->ctx;
	char *line = NULL, *rest, *field[5], *safe;
	size_t tested = count_tested(b), n = 0;
	int ret = tree_line(b, &line, words);

	if (ret)
		return ret;
	for (rest = line; n < VV_COUNT(field); n++)
		field[n] = rest ? strsep(&rest, "\037") : (char *)(uintptr_t)"";
	if (ctx->json) {
		vv_print_json(json_pack("{s:s,s:o,s:s,s:o,s:I}", "commit", field[0], "author", vv_json_name(field[2]), "date", field[3],
			"subject", vv_json_name(field[4]), "tested", (json_int_t)tested));
	} else {
		safe = vv_safe(field[4]);
		printf("%s%s%s is the first bad commit, after %zu tests: %s\n", vv_color(ctx, VV_YELLOW), field[1],
			vv_color(ctx, VV_PLAIN), tested, safe);
		free(safe);
	}
	*commit = strdup(field[0]);
	free(line);
	return *commit ? 0 : vv_fail_nomem(&ctx->err);
}

/* The tree's state folder, so that a smudge in it does not set up the repository anew; varve's own calls of git there name it. */
static int prepare(struct bisect *b)
{
	static const char *const words[] = {"rev-parse", "--absolute-git-dir", NULL};
	struct vv_err *err = &b->ctx->err;
	char *git_dir = NULL, *state;
	int ret;

	vv_args_all(&b->env, elsewhere);
	ret = tree_line(b, &git_dir, words);
	if (ret)
		return ret;
	state = vv_join(git_dir, "varve");
	ret = state ? vv_mkdirs(state, err) : vv_fail_nomem(err);
	if (!ret && asprintf(&b->inside, "VARVE_INSIDE=%s", state) < 0)
		b->inside = NULL;
	if (!ret && asprintf(&b->env_dir, "VARVE_BISECT_DIR=%s", b->at.dir) < 0)
		b->env_dir = NULL;
	if (!ret && !(b->inside && b->env_dir))
		ret = vv_fail_nomem(err);
	if (!ret) {
		vv_args_add(&b->env, b->inside);
		vv_args_add(&b->env, b->env_dir);
	}
	free(state);
	free(git_dir);
	return ret;
}

/* A signal ends git and the command; what we made is cleared away all the same. */
static int run(struct bisect *b, char *const *command)
{
	struct vv_ctx *ctx = b->ctx;
	char *commit = NULL;
	int status = 0, ret;

	vv_bisecttree_sweep(ctx);
	vv_job_begin();
	ret = vv_bisecttree_make(&b->at, ctx, b->bad);
	if (!ret)
		ret = prepare(b);
	if (!ret)
		ret = start(b);
	if (!ret)
		ret = search(b, command, &status);
	if (!ret && !status)
		ret = tell(b, &commit);
	else if (!ret && status == SKIPPED_ONLY)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "only commits that were skipped are left: the first bad one is among them");
	else if (!ret)
		ret = vv_fail(&ctx->err, VV_EGIT, "git bisect run ended with %d", status);
	vv_bisecttree_remove(&b->at, ctx);
	vv_job_end();
	if (!ret && !ctx->json && !ctx->quiet)
		ret = show_changes(b, commit);
	free(commit);
	return ret;
}

int cmd_bisect(struct vv_ctx *ctx, int argc, char **argv)
{
	struct bisect b = {.ctx = ctx, .at = VV_BISECTTREE_INIT};
	const struct vv_opt opts[] = {
		{0, "good", VV_OPT_LIST, &b.good_revs, "REV", "a commit without the fault; may be given several times"},
		{0, "bad", VV_OPT_TEXT, &b.bad_rev, "REV", "a commit with it (HEAD)"},
		{'f', "file", VV_OPT_LIST, &b.files, "FILE", "put this model in place (all that differ between the two)"},
		{'t', "tensor", VV_OPT_LIST, &b.tensors, "GLOB", "no model: these tensors, as a safetensors file, the last word of CMD"},
		{0, "changes-only", VV_OPT_FLAG, &b.changes_only, NULL, "only commits that change these models or tensors"},
		{0},
	};
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret && (argc < 3 || strcmp(argv[1], "run") != 0 || (dash >= 0 && dash != 1)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "bisect run takes a command");
	if (!ret)
		ret = find_ends(&b);
	if (!ret)
		ret = find_paths(&b);
	if (!ret && b.tensors.n && b.n_paths != 1)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--tensor takes those of one model, %zu differ: --file says of which", b.n_paths);
	if (!ret)
		ret = run(&b, argv + 2);
	for (size_t i = 0; i < b.n_good; i++)
		free(b.good[i]);
	free(b.good);
	vv_paths_free(b.paths);
	free(b.good_revs.v);
	free(b.files.v);
	free(b.tensors.v);
	free(b.bad);
	free(b.inside);
	free(b.env_dir);
	vv_args_release(&b.env);
	return ret;
}
