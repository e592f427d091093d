/* What the hooks do. */
#ifndef VV_GIT_HOOK_H
#define VV_GIT_HOOK_H

#include "git/sync.h"

/*
 * Runs the hook `name` with git's arguments. Outside a sequence the worktree is put in step at once;
 * inside one, a detached waiter does it when git has ended or stopped. pre-push reads git's list of
 * refs from `in` and copies objects to a local remote before git moves the refs.
 */
VV_MUST_CHECK int vv_hook_run(struct vv_repo *r, const char *name, const char *const *args, size_t n, int in,
	struct vv_sync_report *report, struct vv_err *err);

/* Before the repository is opened: has this hook nothing to do? */
bool vv_hook_idle(const char *name);

/* Starts the waiter: it syncs when the git command that the user gave has ended. */
VV_MUST_CHECK int vv_hook_later(const struct vv_repo *r, struct vv_err *err);
/* The waiter: sleeps until process `pid` has ended, then puts the worktree in step. */
VV_MUST_CHECK int vv_hook_wait(
	struct vv_repo *r, pid_t pid, struct vv_sync_report *report, struct vv_err *err);

#endif
