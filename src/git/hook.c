#define _GNU_SOURCE
#include "git/hook.h"

#include "git/far.h"

#include "base/cursor.h"
#include "git/dirgone.h"
#include "git/marks.h"
#include "git/peer.h"
#include "git/precommit.h"
#include "git/roots.h"
#include "git/sent.h"
#include "os/file.h"
#include "os/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

/* One that is waiting already will see the mark in any case. */
int vv_hook_later(const struct vv_repo *r, struct vv_err *err)
{
	char pid[32];
	const char *argv[] = {"varve", "hook-wait", pid, NULL};
	int ret = vv_repo_state(r, err);

	snprintf(pid, sizeof(pid), "%ld", (long)vv_ancestor("git"));
	if (!ret)
		ret = vv_mark_set(r, VV_MARK_WANTED, err);
	return ret ? ret : vv_spawn_detached(argv, err);
}

/* A lock on the index is git's, for a moment: try again. */
static int sync_patiently(struct vv_repo *r, struct vv_sync_report *report, struct vv_err *err)
{
	int ret = 0;

	for (int i = 0; i < LOCK_TRIES; i++) {
		vv_err_clear(err);
		ret = vv_sync(r, NULL, vv_span(NULL, 0), report, err);
		if (ret != VV_ELOCKED)
			break;
		usleep(LOCK_PAUSE_MS * 1000);
	}
	return ret;
}

int vv_hook_wait(struct vv_repo *r, pid_t pid, struct vv_sync_report *report, struct vv_err *err)
{
	char *lock_path = vv_join(r->state_dir, "wait.lock");
	struct vv_lock lock = VV_LOCK_INIT;
	int ret = lock_path ? 0 : vv_fail_nomem(err);

	/* Whoever comes while we hold the lock leaves the mark for us; we look again after letting go. */
	while (!ret && vv_mark_is_set(r, VV_MARK_WANTED)) {
		ret = vv_lock(&lock, lock_path, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, err);
		if (ret == VV_ELOCKED) {
			ret = 0;
			break;
		}
		if (ret)
			break;
		if (pid > 0)
			vv_wait_gone(pid);
		vv_mark_clear(r, VV_MARK_WANTED);
		ret = sync_patiently(r, report, err);
		vv_unlock(&lock);
	}
	free(lock_path);
	return ret;
}

/* The first line of a small file below the git folder; "" when there is none. */
static void first_line(const struct vv_repo *r, const char *name, char *out, size_t cap)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char *path = vv_join(r->git_dir, name);

	out[0] = 0;
	if (path && !vv_read_file(&b, path, &ignore) && b.len)
		snprintf(out, cap, "%.*s", (int)strcspn((char *)b.ptr, "\n"), b.ptr);
	free(path);
	vv_buf_release(&b);
}

static bool there(const struct vv_repo *r, const char *name)
{
	char *path = vv_join(r->git_dir, name);
	bool yes = !path || vv_exists(path);

	free(path);
	return yes;
}

/*
 * Is git in the middle of several commits (rebase, am, cherry-pick, revert)? A sequence that has
 * stopped, in which the user now gives other commands, is not running.
 */
static bool in_sequence(const struct vv_repo *r)
{
	static const char *const dirs[] = {"rebase-merge", "rebase-apply", "sequencer"};
	static const char *const commands[] = {"rebase", "am", "cherry-pick", "revert", "pull", "history", "replay", NULL};
	bool found = false;

	for (size_t i = 0; i < VV_COUNT(dirs) && !found; i++)
		found = there(r, dirs[i]);
	return found && vv_below_git(commands) != 0;
}

/* Lines of the sequencer's list that are neither comments nor blank. */
static size_t picks_left(const struct vv_repo *r)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char *path = vv_join(r->git_dir, "sequencer/todo");
	struct vv_cursor c;
	struct vv_span line;
	size_t n = 0;

	if (path && !vv_read_file(&b, path, &ignore)) {
		c = vv_cursor(vv_buf_view(&b));
		while (!vv_take_line(&c, &line))
			n += line.len && line.ptr[0] != '#';
	}
	free(path);
	vv_buf_release(&b);
	return n;
}

/* Is this the sequence's last word, after which git touches no file any more? Then there is nothing to wait for. */
static bool sequence_is_over(const struct vv_repo *r, const char *name, const char *const *args, size_t n)
{
	char next[32], last[32];

	if (there(r, "rebase-merge/autostash") || there(r, "rebase-apply/autostash"))
		return false;
	if (!strcmp(name, "post-rewrite"))
		return n > 0 && !strcmp(args[0], "rebase");
	if (!strcmp(name, "post-commit"))
		return there(r, "sequencer") && !there(r, "rebase-merge") && picks_left(r) == 1;
	if (strcmp(name, "post-applypatch") || there(r, "rebase-merge") || there(r, "rebase-apply/rebasing"))
		return false;
	first_line(r, "rebase-apply/next", next, sizeof(next));
	first_line(r, "rebase-apply/last", last, sizeof(last));
	return next[0] && !strcmp(next, last);
}

/* Was the index written, and nothing in the worktree? In an index that is not the worktree's there is nothing to see. */
static int index_only(const struct vv_repo *r, const char *name, const char *const *args, size_t n, bool *done,
	struct vv_err *err)
{
	const char *other = getenv("GIT_INDEX_FILE");
	char *index = vv_join(r->git_dir, "index");
	struct stat a, b;
	int ret = index ? 0 : vv_fail_nomem(err);

	*done = !strcmp(name, "post-index-change") && n == 2 && strcmp(args[0], "1") && strcmp(args[1], "1") &&
		!vv_mark_is_set(r, VV_MARK_SMUDGED) && !vv_mark_is_set(r, VV_MARK_AGAIN);
	if (!ret && *done && (!other || (!stat(other, &a) && !stat(index, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)))
		ret = vv_dirs_watch(r, err);
	free(index);
	return ret;
}

static int worktree_hook(struct vv_repo *r, const char *name, const char *const *args, size_t n,
	struct vv_sync_report *report, struct vv_err *err)
{
	size_t before = report->written;
	bool sequence, done;
	int ret;

	/* With hooks in a folder that several repositories share, some have nothing to do with varve. */
	if (!r->top || !vv_repo_has_store(r))
		return 0;
	ret = index_only(r, name, args, n, &done, err);
	if (ret || done)
		return ret;
	sequence = in_sequence(r);
	/* Also after the last word of a sequence git may write its index: the waiter looks once more. */
	if (sequence)
		ret = vv_hook_later(r, err);
	else
		vv_mark_clear(r, VV_MARK_AGAIN);
	if (!ret && (!sequence || sequence_is_over(r, name, args, n))) {
		ret = vv_sync(r, NULL, vv_span(NULL, 0), report, err);
		if (ret == VV_ELOCKED) {
			/* Some commands call us while they hold the index. */
			vv_err_clear(err);
			ret = vv_hook_later(r, err);
		} else if (!ret && !sequence) {
			vv_mark_in_step(r);
			if (report->written != before)
				ret = vv_mark_set(r, VV_MARK_AGAIN, err);
		}
	}
	return ret;
}

/* Fails when something is missing of what git is about to send: the remote must not get manifests without bytes. */
static int check_new(struct vv_repo *r, const char *remote, struct vv_span list, struct vv_err *err)
{
	struct vv_object_info info;
	struct vv_ids ids = {0};
	bool complete;
	int ret = vv_roots_pushed(r, remote, list, vv_span(NULL, 0), &ids, &complete, err);

	for (size_t i = 0; !ret && i < ids.n; i++)
		ret = vv_store_find(r->store, &ids.v[i], &info, err);
	vv_ids_release(&ids);
	return ret;
}

/* Where a push goes. */
struct target {
	const char *remote, *url;
	struct vv_store *near; /* on this machine; NULL: it is not */
	char *notes;           /* of what it has been sent */
};

/* VV_ENOTSUP and VV_ENOTFOUND: nowhere that varve could send anything. */
static int open_target(struct vv_repo *r, struct target *t, struct vv_err *err)
{
	int ret = vv_far_notes(r, t->remote, t->url, &t->notes, err);

	if (ret != VV_ENOTSUP)
		return ret;
	vv_err_clear(err);
	ret = vv_peer_open(r, t->url, true, &t->near, err);
	if (!ret && !(t->notes = strdup(vv_store_dir(t->near))))
		ret = vv_fail_nomem(err);
	return ret;
}

static int send_to(struct vv_repo *r, const struct target *t, const struct vv_id *ids, size_t n, struct vv_progress *prog,
	struct vv_err *err)
{
	struct vv_put_stats stats = {0};

	return t->near ? vv_store_copy(t->near, r->store, ids, n, &stats, prog, err)
		       : vv_far_push(r, t->remote, t->url, ids, n, prog, err);
}

/* Who does not answer may have what is missing, or not: what is needed is looked at afterwards. */
static int look_elsewhere(struct vv_repo *r, const struct vv_ids *ids, struct vv_progress *prog, struct vv_err *err)
{
	int ret = vv_peers_fetch(r, ids->v, ids->n, prog, err);

	if (ret != VV_EIO && ret != VV_ENOTSUP)
		return ret;
	vv_err_clear(err);
	return 0;
}

/*
 * The objects of all that lies behind what is pushed, but for what is known to have been sent: git's idea of
 * what the remote has is not it, since a push without varve sends manifests alone. Of old history what nobody
 * near has the remote has no worse than before; of what is new all must go.
 */
static int push_to(struct vv_repo *r, struct vv_span list, const struct target *t, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_buf sent = VV_BUF_INIT(VV_MAX_TEXT), tips = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_ids ids = {0};
	size_t n = 0;
	bool complete = false;
	int ret = vv_sent_read(t->notes, &sent, err);

	if (!ret && sent.len && !t->near) {
		ret = vv_far_check(r, t->remote, t->url, t->notes, err);
		vv_buf_clear(&sent);
		if (!ret)
			ret = vv_sent_read(t->notes, &sent, err);
	}
	if (!ret)
		ret = vv_roots_pushed(r, NULL, list, vv_buf_view(&sent), &ids, &complete, err);
	if (!ret && ids.n)
		ret = vv_repo_store(r, true, err);
	if (!ret && ids.n)
		ret = look_elsewhere(r, &ids, prog, err);
	for (size_t i = 0; !ret && i < ids.n; i++)
		if (vv_store_has(r->store, &ids.v[i]))
			ids.v[n++] = ids.v[i];
	if (!ret && n != ids.n)
		ret = check_new(r, t->remote, list, err);
	if (!ret && n)
		ret = send_to(r, t, ids.v, n, prog, err);
	if (!ret && n == ids.n && complete)
		ret = vv_pushed_tips(list, &tips, err);
	if (!ret && tips.len)
		ret = vv_sent_add(t->notes, vv_buf_view(&tips), err);
	vv_ids_release(&ids);
	vv_buf_release(&sent);
	vv_buf_release(&tips);
	return ret;
}

/* Manifests without bytes are of no use to anybody; remote.<name>.varve = none says that they are wanted all the same. */
static int refuse_models(
	struct vv_repo *r, const char *remote, struct vv_span list, const struct vv_err *why, struct vv_err *err)
{
	struct vv_ids ids = {0};
	bool complete;
	int ret = vv_roots_pushed(r, remote, list, vv_span(NULL, 0), &ids, &complete, err);

	if (!ret && ids.n && !vv_far_unwanted(r, remote))
		ret = vv_fail(err, VV_ENOTSUP, "%s; name a place for the models' bytes in remote.%s.varve, or none", why->msg, remote);
	vv_ids_release(&ids);
	return ret;
}

static int push_objects(
	struct vv_repo *r, const char *remote, const char *url, int in, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_buf list = VV_BUF_INIT(VV_MAX_TEXT);
	struct target t = {.remote = remote, .url = url};
	bool nowhere = false;
	int ret = open_target(r, &t, err);

	if (ret == VV_ENOTFOUND) {
		/* Not there: git will say so itself. */
		vv_err_clear(err);
		return 0;
	}
	if (!ret || ret == VV_ENOTSUP) {
		struct vv_err why = *err;
		vv_err_clear(err);
		nowhere = ret == VV_ENOTSUP;
		ret = vv_read_fd(&list, in, "the list of refs", err);
		if (!ret && nowhere)
			ret = refuse_models(r, remote, vv_buf_view(&list), &why, err);
	}
	if (nowhere) {
		vv_buf_release(&list);
		return ret ? vv_err_in(err, "push to %s", url) : 0;
	}
	if (!ret)
		ret = push_to(r, vv_buf_view(&list), &t, prog, err);
	vv_store_free(t.near);
	free(t.notes);
	vv_buf_release(&list);
	return ret ? vv_err_in(err, "push to %s", url) : 0;
}

bool vv_hook_idle(const char *name)
{
	return strcmp(name, "pre-push") && strcmp(name, "pre-commit") && vv_is_in_step_here();
}

int vv_hook_run(struct vv_repo *r, const char *name, const char *const *args, size_t n, int in,
	struct vv_sync_report *report, struct vv_err *err)
{
	if (!strcmp(name, "pre-push"))
		return n < 2 ? vv_fail(err, VV_EUSAGE, "pre-push: needs a remote and a URL")
			     : push_objects(r, args[0], args[1], in, report->prog, err);
	if (!strcmp(name, "pre-commit"))
		return vv_precommit(r, report->kept, report->arg, err);
	return worktree_hook(r, name, args, n, report, err);
}
