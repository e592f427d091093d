/* After a commit, in a process of its own: what its models are measured by is kept for whoever asks later. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/diffkeep.h"
#include "cli/gitlines.h"
#include "os/file.h"
#include "os/sys.h"

#include <stdlib.h>

/* Of commits that came while others were measured, the newest so many. */
enum { MOST = 16 };

void vv_measure_later(void)
{
	static const char *const argv[] = {"varve", "measure", NULL};
	const char *env = getenv("VARVE_MEASURE"), *git_dir = getenv("GIT_DIR");
	struct vv_err ignore = VV_ERR_INIT;
	char *ours = vv_join(git_dir ? git_dir : ".git", "varve");

	/* Hooks in a folder that several repositories share also run where nothing is ours. */
	if (ours && vv_exists(ours) && (!env || strcmp(env, "0") != 0) && vv_spawn_detached(argv, &ignore))
		vv_err_clear(&ignore);
	free(ours);
}

static bool switched_off(struct vv_ctx *ctx)
{
	struct vv_err ignore = VV_ERR_INIT;
	char *value = NULL;
	bool off = !VV_GIT_LINE(&ctx->repo, &value, &ignore, "config", "--type=bool", "--get", "varve.measure") &&
		!strcmp(value, "false");

	free(value);
	return off;
}

/* Against its first parent, or against nothing. */
static int one_commit(struct vv_ctx *ctx, const char *commit)
{
	struct vv_err ignore = VV_ERR_INIT;
	char *name = NULL, *parent = NULL;
	int ret = 0;

	if (asprintf(&name, "%s^", commit) < 0)
		return vv_fail_nomem(&ctx->err);

	if (VV_GIT_LINE(&ctx->repo, &parent, &ignore, "rev-parse", "--verify", "-q", name))
		ret = VV_GIT_LINE(&ctx->repo, &parent, &ctx->err, "hash-object", "-t", "tree", "/dev/null");
	if (!ret)
		ret = vv_diff_keep(ctx, parent, commit);
	free(name);
	free(parent);
	return ret;
}

/* Those that are new since `last` (NULL: HEAD alone), the oldest first. */
static int since(struct vv_ctx *ctx, const char *last, const char *head)
{
	static const char *const words[] = {"rev-list", "--first-parent", "--reverse", NULL};
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	char most[32], *range = NULL;
	const char *rec;
	int ret = 0;

	if (!last)
		return one_commit(ctx, head);
	snprintf(most, sizeof(most), "--max-count=%d", MOST);
	vv_args_all(&args, words);
	vv_args_add(&args, most);
	if (asprintf(&range, "%s..%s", last, head) < 0)
		range = NULL;
	vv_args_add(&args, range);
	ret = range ? vv_lines_open(&lines, &args, &ctx->err) : vv_fail_nomem(&ctx->err);
	while (!ret && !(ret = vv_lines_next(&lines, '\n', &rec, &ctx->err)))
		ret = one_commit(ctx, rec);
	if (ret >= 0)
		ret = vv_lines_close(&lines, &ctx->err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	free(range);
	return ret;
}

int cmd_measure(struct vv_ctx *ctx, int argc VV_UNUSED, char **argv VV_UNUSED)
{
	struct vv_lock lock = VV_LOCK_INIT;
	char *path, *last = NULL, *head = NULL;
	int ret;

	/* git's own, of a commit that has ended by now. */
	unsetenv("GIT_INDEX_FILE");
	if (!vv_repo_has_store(&ctx->repo) || switched_off(ctx))
		return 0;
	vv_step_back();
	setenv("VARVE_THREADS", "1", 0);
	path = vv_join(ctx->repo.common_dir, "varve/measure.lock");
	ret = path ? vv_lock(&lock, path, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, &ctx->err) : vv_fail_nomem(&ctx->err);
	/* Whoever has the lock looks at HEAD once more before it ends. */
	while (!ret && !(ret = vv_rev_commit(ctx, "HEAD", &head)) && (!last || strcmp(last, head))) {
		ret = since(ctx, last, head);
		free(last);
		last = head;
		head = NULL;
	}
	if (ret == VV_ELOCKED)
		ret = 0;
	vv_unlock(&lock);
	free(path);
	free(last);
	free(head);
	return ret;
}
