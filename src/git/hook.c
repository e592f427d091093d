#define _GNU_SOURCE
#include "git/hook.h"

#include "base/cursor.h"
#include "git/peer.h"
#include "git/roots.h"
#include "os/file.h"
#include "os/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

static char *state_file(const struct vv_repo *r, const char *name)
{
	return vv_join(r->state_dir, name);
}

/*
 * While git runs on after we wrote models, it may write its older idea of the index once more. The
 * file "again" makes the shell part of the hook call us then, whatever the arguments.
 */
static int mark_again(const struct vv_repo *r, bool on, struct vv_err *err)
{
	char *path = state_file(r, "again");
	int ret = 0;

	if (!path)
		return vv_fail_nomem(err);
	if (on)
		ret = vv_write_file(path, vv_span(NULL, 0), false, err);
	else
		unlink(path);
	free(path);
	return ret;
}

/* Starts the waiter unless one is already waiting; it will see `wanted` in any case. */
static int start_waiter(const struct vv_repo *r, struct vv_err *err)
{
	char *wanted = state_file(r, "wanted");
	char pid[32];
	const char *argv[] = {"varve", "hook-wait", pid, NULL};
	int ret = vv_mkdirs(r->state_dir, err);

	if (!wanted)
		return vv_fail_nomem(err);
	snprintf(pid, sizeof(pid), "%ld", (long)vv_ancestor("git"));
	if (!ret)
		ret = vv_write_file(wanted, vv_span(NULL, 0), false, err);
	if (!ret)
		ret = vv_spawn_detached(argv, err);
	free(wanted);
	return ret;
}

/* A lock on the index is git's, for a moment: try again. */
static int sync_patiently(struct vv_repo *r, struct vv_sync_report *report, struct vv_err *err)
{
	int ret = 0;

	for (int i = 0; i < LOCK_TRIES; i++) {
		vv_err_clear(err);
		ret = vv_sync(r, NULL, report, err);
		if (ret != VV_ELOCKED)
			break;
		usleep(LOCK_PAUSE_MS * 1000);
	}
	return ret;
}

int vv_hook_wait(struct vv_repo *r, pid_t pid, struct vv_sync_report *report, struct vv_err *err)
{
	char *wanted = state_file(r, "wanted"), *lock_path = state_file(r, "wait.lock");
	struct vv_lock lock = VV_LOCK_INIT;
	int ret = 0;

	if (!wanted || !lock_path) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	/* Whoever comes while we hold the lock leaves `wanted` for us; we look again after letting go. */
	while (!ret && vv_exists(wanted)) {
		ret = vv_lock(&lock, lock_path, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, err);
		if (ret == VV_ELOCKED) {
			ret = 0;
			break;
		}
		if (ret)
			break;
		if (pid > 0)
			vv_wait_gone(pid);
		unlink(wanted);
		ret = sync_patiently(r, report, err);
		vv_unlock(&lock);
	}
out:
	free(wanted);
	free(lock_path);
	return ret;
}

/* At the end of a rebase nothing more is picked; only an autostash may still be applied. */
static bool rebase_is_over(const struct vv_repo *r, const char *name, const char *const *args, size_t n)
{
	static const char *const stashes[] = {"rebase-merge/autostash", "rebase-apply/autostash"};
	bool stash = false;

	if (strcmp(name, "post-rewrite") || n < 1 || strcmp(args[0], "rebase"))
		return false;
	for (size_t i = 0; i < VV_COUNT(stashes); i++) {
		char *p = vv_join(r->git_dir, stashes[i]);
		stash |= !p || vv_exists(p);
		free(p);
	}
	return !stash;
}

static int worktree_hook(struct vv_repo *r, const char *name, const char *const *args, size_t n,
	struct vv_sync_report *report, struct vv_err *err)
{
	size_t before = report->written;
	bool sequence = vv_in_sequence(r);
	int ret;

	if (!r->top)
		return 0;
	/* Also after the last word of a rebase git may write its index: the waiter looks once more. */
	if (sequence)
		ret = start_waiter(r, err);
	else
		ret = mark_again(r, false, err);
	if (!ret && (!sequence || rebase_is_over(r, name, args, n))) {
		ret = vv_sync(r, NULL, report, err);
		if (ret == VV_ELOCKED) {
			/* Some commands call us while they hold the index. */
			vv_err_clear(err);
			ret = start_waiter(r, err);
		}
		if (!ret && !sequence && report->written != before)
			ret = mark_again(r, true, err);
	}
	return ret;
}

/* The objects that the remote may lack: those of manifests in the commits that are pushed. */
static int push_objects(
	struct vv_repo *r, const char *remote, const char *url, int in, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_buf list = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_ids ids = {0};
	struct vv_store *to = NULL;
	struct vv_put_stats stats = {0};
	struct vv_store_usage there = {0};
	int ret;

	ret = vv_peer_open(r, url, true, &to, err);
	if (ret == VV_ENOTSUP || ret == VV_ENOTFOUND) {
		/* A remote that is not on this machine, or not there: git will say so itself. */
		vv_err_clear(err);
		ret = 0;
		goto out;
	}
	if (!ret)
		ret = vv_read_fd(&list, in, "the list of refs", err);
	if (!ret)
		ret = vv_store_usage(to, &there, err);
	/* A store that is new there has nothing, whatever commits the remote has. */
	if (!ret)
		ret = vv_roots_pushed(r, there.objects ? remote : NULL, vv_buf_view(&list), &ids, err);
	if (!ret && ids.n)
		ret = vv_repo_store(r, true, err);
	if (!ret && ids.n)
		ret = vv_store_copy(to, r->store, ids.v, ids.n, &stats, prog, err);
	if (ret)
		vv_err_in(err, "push to %s", url);
out:
	vv_ids_release(&ids);
	vv_store_free(to);
	vv_buf_release(&list);
	return ret;
}

int vv_hook_run(struct vv_repo *r, const char *name, const char *const *args, size_t n, int in,
	struct vv_sync_report *report, struct vv_err *err)
{
	if (!strcmp(name, "pre-push"))
		return n < 2 ? vv_fail(err, VV_EUSAGE, "pre-push: needs a remote and a URL")
			     : push_objects(r, args[0], args[1], in, report->prog, err);
	return worktree_hook(r, name, args, n, report, err);
}
