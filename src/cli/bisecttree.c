#define _GNU_SOURCE
#include "cli/bisecttree.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char prefix[] = "bisect-", name[] = "w", lock_name[] = "lock";

/* On the disk that has the store, where there is room for models; or where the user says. */
static int make_dir(struct vv_bisecttree *t, struct vv_ctx *ctx)
{
	const char *tmp = getenv("TMPDIR");
	char *lock;
	int ret;

	if (asprintf(&t->dir, "%s/%sXXXXXX", tmp && *tmp ? tmp : ctx->repo.state_dir, prefix) < 0) {
		t->dir = NULL;
		return vv_fail_nomem(&ctx->err);
	}
	if (!mkdtemp(t->dir)) {
		ret = vv_fail_sys(&ctx->err, errno, "%s", t->dir);
		free(t->dir);
		t->dir = NULL;
		return ret;
	}
	t->tree = vv_join(t->dir, name);
	lock = vv_join(t->dir, lock_name);
	ret = t->tree && lock ? vv_lock(&t->lock, lock, VV_LOCK_EXCLUSIVE, &ctx->err) : vv_fail_nomem(&ctx->err);
	free(lock);
	return ret;
}

int vv_bisecttree_make(struct vv_bisecttree *t, struct vv_ctx *ctx, const char *commit)
{
	int ret = vv_repo_state(&ctx->repo, &ctx->err);

	if (!ret)
		ret = make_dir(t, ctx);
	return ret ? ret
		   : VV_GIT(&ctx->repo, NULL, &ctx->err, "worktree", "add", "-q", "--detach", "--no-checkout", t->tree, commit);
}

/* The lock goes last: what was left before it can be swept. */
static void remove_dir(const char *dir)
{
	static const char *const names[] = {"tested", "tensors.safetensors", lock_name};

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		char *path = vv_join(dir, names[i]);

		if (path)
			unlink(path);
		free(path);
	}
	rmdir(dir);
}

void vv_bisecttree_remove(struct vv_bisecttree *t, struct vv_ctx *ctx)
{
	struct vv_err ignore = VV_ERR_INIT;

	if (t->tree && VV_GIT(&ctx->repo, NULL, &ignore, "worktree", "remove", "--force", "--force", t->tree) && vv_exists(t->tree))
		vv_warn("%s is left: %s", t->tree, ignore.msg);
	else if (t->dir)
		remove_dir(t->dir);
	vv_unlock(&t->lock);
	free(t->dir);
	free(t->tree);
	*t = (struct vv_bisecttree)VV_BISECTTREE_INIT;
}

/* Is the worktree one of a bisect? Cuts its name off. */
static bool is_ours(char *tree)
{
	char *slash = strrchr(tree, '/'), *dir;

	if (!slash || strcmp(slash + 1, name) != 0)
		return false;
	*slash = 0;
	dir = strrchr(tree, '/');
	return dir && !strncmp(dir + 1, prefix, strlen(prefix));
}

static void sweep_one(struct vv_ctx *ctx, char *path)
{
	struct vv_bisecttree t = VV_BISECTTREE_INIT;
	struct vv_err ignore = VV_ERR_INIT;
	char *lock = is_ours(path) ? vv_join(path, lock_name) : NULL;

	if (lock && vv_exists(lock) && !vv_lock(&t.lock, lock, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, &ignore)) {
		t.dir = strdup(path);
		t.tree = vv_join(path, name);
		vv_bisecttree_remove(&t, ctx);
	}
	free(lock);
}

void vv_bisecttree_sweep(struct vv_ctx *ctx)
{
	static const char *const words[] = {"worktree", "list", "--porcelain", NULL};
	static const char head[] = "worktree ";
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char *rest, *line;

	if (vv_git(&ctx->repo, &text, &ignore, words) || !text.len)
		goto out;
	for (rest = (char *)text.ptr; (line = strsep(&rest, "\n"));)
		if (!strncmp(line, head, strlen(head)))
			sweep_one(ctx, line + strlen(head));
out:
	vv_buf_release(&text);
}
