#define _GNU_SOURCE
#include "git/hooks.h"

#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *const vv_hook_names[] = {"post-index-change", "post-checkout", "post-merge", "post-rewrite",
	"post-applypatch", "post-commit", "pre-commit", "pre-push", NULL};

/*
 * Without varve on the machine the hook does nothing: a repository never breaks because varve left.
 * post-index-change fires at every write of the index, so that one leaves early, in the shell, unless
 * the worktree was updated, a materialisation in this git command is still to be noted in the index, or
 * there are directories, of which one may have left the index.
 */
static const char body[] =
	"#!/bin/sh\n"
	"# varve hook 1: keeps model files and git in step (git varve doctor explains)\n"
	"old=\"$0.before-varve\"\n"
	"%s"
	"command -v varve >/dev/null 2>&1 || %s\n"
	"%s"
	"exec varve hook %s \"$@\"\n";

static const char plain[] = "if [ -x \"$old\" ]; then \"$old\" \"$@\" || exit $?; fi\n";
/* pre-push: both the old hook and varve read the list of refs from standard input. */
static const char with_input[] =
	"if [ -x \"$old\" ]; then\n"
	"\trefs=$(cat)\n"
	"\tprintf '%s\\n' \"$refs\" | \"$old\" \"$@\" || exit $?\n"
	"\tcommand -v varve >/dev/null 2>&1 || exit 0\n"
	"\tprintf '%s\\n' \"$refs\" | varve hook pre-push \"$@\"\n"
	"\texit $?\n"
	"fi\n";
static const char early[] =
	"[ -z \"$VARVE_INSIDE\" ] || exit 0\n"
	"d=${GIT_DIR:-.git}/varve\n"
	"[ \"$1\" = 1 ] || [ \"$2\" = 1 ] || [ -e \"$d/smudged\" ] || [ -e \"$d/again\" ] || [ -e \"$d/dirs\" ] || exit 0\n";
static const char leave[] = "exit 0";
static const char not_sent[] = "{ echo 'varve is not here: the bytes of models are not sent' >&2; exit 0; }";
static const char inside[] = "[ -z \"$VARVE_INSIDE\" ] || exit 0\n";

static int hooks_dir(const struct vv_repo *r, char **out, struct vv_err *err)
{
	return VV_GIT_LINE(r, out, err, "rev-parse", "--path-format=absolute", "--git-path", "hooks");
}

static int text_of(const char *name, struct vv_buf *out)
{
	bool push = !strcmp(name, "pre-push");

	vv_buf_fmt(out, body, push ? with_input : plain, push ? not_sent : leave,
		push ? "" : !strcmp(name, "post-index-change") ? early : inside, name);
	return out->failed;
}

static int state_of(const char *path, enum vv_hook_state *state, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT((size_t)1 << 20);
	int ret;

	if (!vv_exists(path)) {
		*state = VV_HOOK_ABSENT;
		return 0;
	}
	*state = VV_HOOK_FOREIGN;
	ret = vv_read_file(&b, path, err);
	if (ret == VV_ELIMIT || ret == VV_ENOTFOUND)
		ret = 0; /* a program, or a dangling link: somebody's own */
	else if (!ret && memmem(b.ptr, b.len, "# varve hook ", 13))
		*state = VV_HOOK_OURS;
	vv_buf_release(&b);
	return ret;
}

int vv_hook_state(const struct vv_repo *r, const char *name, enum vv_hook_state *state, struct vv_err *err)
{
	char *dir = NULL, *path = NULL;
	int ret = hooks_dir(r, &dir, err);

	if (!ret && !(path = vv_join(dir, name)))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = state_of(path, state, err);
	/* git passes over a hook that it cannot run. */
	if (!ret && *state == VV_HOOK_OURS && access(path, X_OK))
		*state = VV_HOOK_ABSENT;
	free(dir);
	free(path);
	return ret;
}

/* Whole, durable and executable before it has its name: it runs or is not there. */
static int write_hook(const char *dir, const char *path, struct vv_span text, struct vv_err *err)
{
	struct vv_temp t = VV_TEMP_INIT;
	int ret = vv_temp_open(&t, dir, err);

	if (!ret)
		ret = vv_write_fd(t.fd, text, path, err);
	if (!ret && fchmod(t.fd, 0755))
		ret = vv_fail_sys(err, errno, "%s", path);
	if (!ret)
		ret = vv_temp_publish(&t, path, true, err);
	vv_temp_release(&t);
	return ret;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !lstat(a, &x) && !lstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int install(const char *dir, const char *name, unsigned *changed, struct vv_err *err)
{
	struct vv_buf want = VV_BUF_INIT(VV_MAX_TEXT), have = VV_BUF_INIT((size_t)1 << 20);
	char *path = vv_join(dir, name), *old = NULL;
	enum vv_hook_state state;
	struct vv_err ignore = VV_ERR_INIT;
	int ret;

	if (!path || asprintf(&old, "%s.before-varve", path) < 0 || text_of(name, &want)) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	ret = state_of(path, &state, err);
	if (ret)
		goto out;
	if (state == VV_HOOK_OURS && !access(path, X_OK) && !vv_read_file(&have, path, &ignore) &&
		vv_span_eq(vv_buf_view(&have), vv_buf_view(&want)))
		goto out;
	/* Both names of one file: we were killed right after giving it the second. */
	if (state == VV_HOOK_FOREIGN && !same_file(path, old)) {
		if (vv_exists(old)) {
			ret = vv_fail(err, VV_EEXISTS, "%s: neither ours nor replaceable, %s exists", path, old);
			goto out;
		}
		/* A copy by name: the hook never misses, also when we are killed here. */
		if (link(path, old)) {
			ret = vv_fail_sys(err, errno, "%s", old);
			goto out;
		}
	}
	ret = write_hook(dir, path, vv_buf_view(&want), err);
	if (!ret && changed)
		++*changed;
out:
	vv_buf_release(&want);
	vv_buf_release(&have);
	free(path);
	free(old);
	return ret;
}

int vv_hooks_install(const struct vv_repo *r, unsigned *changed, struct vv_err *err)
{
	char *dir = NULL;
	int ret = hooks_dir(r, &dir, err);

	if (!ret)
		ret = vv_mkdirs(dir, err);
	for (size_t i = 0; !ret && vv_hook_names[i]; i++)
		ret = install(dir, vv_hook_names[i], changed, err);
	free(dir);
	return ret;
}

int vv_hooks_remove(const struct vv_repo *r, struct vv_err *err)
{
	char *dir = NULL;
	int ret = hooks_dir(r, &dir, err);

	for (size_t i = 0; !ret && vv_hook_names[i]; i++) {
		char *path = vv_join(dir, vv_hook_names[i]), *old = NULL;
		enum vv_hook_state state = VV_HOOK_ABSENT;

		if (!path || asprintf(&old, "%s.before-varve", path) < 0)
			ret = vv_fail_nomem(err);
		else
			ret = state_of(path, &state, err);
		if (!ret && state == VV_HOOK_OURS)
			ret = vv_exists(old) ? vv_rename(old, path, err) : vv_unlink(path, err);
		free(path);
		free(old);
	}
	free(dir);
	return ret;
}
