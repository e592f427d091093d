#define _GNU_SOURCE
#include "os/child.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool names(const char *entry, const char *var)
{
	size_t n = strcspn(var, "=");

	return !strncmp(entry, var, n) && entry[n] == '=';
}

/* The environment with `add` laid over it; owned array of borrowed strings. */
static char **merge_env(const char *const *add)
{
	size_t n = 0, m = 0, k = 0;
	char **out;

	while (environ && environ[n])
		n++;
	while (add && add[m])
		m++;
	out = calloc(n + m + 1, sizeof(*out));
	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool over = false;
		for (size_t j = 0; j < m; j++)
			over |= names(environ[i], add[j]);
		if (!over)
			out[k++] = environ[i];
	}
	for (size_t j = 0; j < m; j++)
		if (strchr(add[j], '='))
			out[k++] = (char *)(uintptr_t)add[j];
	return out;
}

static void close_pair(int *p)
{
	for (int i = 0; i < 2; i++)
		if (p[i] >= 0)
			close(p[i]);
}

/* What cannot be noted here would leave the child with our own input and output. */
static int redirect(posix_spawn_file_actions_t *fa, unsigned flags, int in, int out, int err)
{
	int sys = 0;

	if (flags & VV_CHILD_IN)
		sys = posix_spawn_file_actions_adddup2(fa, in, 0);
	else if (!(flags & VV_CHILD_INHERIT))
		sys = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
	if (!sys && flags & VV_CHILD_OUT)
		sys = posix_spawn_file_actions_adddup2(fa, out, 1);
	else if (!sys && flags & VV_CHILD_TALK)
		sys = posix_spawn_file_actions_adddup2(fa, 2, 1);
	if (!sys && flags & VV_CHILD_ERR)
		sys = posix_spawn_file_actions_adddup2(fa, err, 2);
	else if (!sys && flags & VV_CHILD_NOERR)
		sys = posix_spawn_file_actions_addopen(fa, 2, "/dev/null", O_WRONLY, 0);
	return sys;
}

int vv_child_start(
	struct vv_child *c, const char *const *argv, const char *const *env, unsigned flags, struct vv_err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, errs[2] = {-1, -1}, ret = 0, sys;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t defaults;
	char **e = merge_env(env);

	*c = (struct vv_child)VV_CHILD_INIT;
	if (!e)
		return vv_fail_nomem(err);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	/* varve ignores SIGPIPE; its children must not inherit that. */
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGDEF | (flags & VV_CHILD_GROUP ? POSIX_SPAWN_SETPGROUP : 0)));
	if ((flags & VV_CHILD_IN && pipe2(in, O_CLOEXEC)) || (flags & VV_CHILD_OUT && pipe2(out, O_CLOEXEC)) ||
		(flags & VV_CHILD_ERR && pipe2(errs, O_CLOEXEC))) {
		ret = vv_fail_sys(err, errno, "pipe");
		goto out;
	}
	sys = redirect(&fa, flags, in[0], out[1], errs[1]);
	if (!sys)
		sys = posix_spawnp(&c->pid, argv[0], &fa, &attr, (char *const *)(uintptr_t)argv, e);
	if (sys) {
		c->pid = -1;
		ret = vv_fail_sys(err, sys, "cannot run %s", argv[0]);
		goto out;
	}
	c->name = argv[0];
	c->in = in[1];
	c->out = out[0];
	c->err = errs[0];
	in[1] = out[0] = errs[0] = -1;
out:
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	close_pair(in);
	close_pair(out);
	close_pair(errs);
	free(e);
	return ret;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int vv_child_wait(struct vv_child *c, int *status, struct vv_err *err)
{
	int st;

	close_end(&c->in);
	close_end(&c->out);
	close_end(&c->err);
	if (c->pid < 0)
		return vv_fail(err, VV_EIO, "no such child");
	while (waitpid(c->pid, &st, 0) < 0)
		if (errno != EINTR)
			return vv_fail_sys(err, errno, "wait for %s", c->name);
	c->pid = -1;
	*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	return 0;
}

static int feed(struct vv_child *c, struct vv_span *in, struct vv_err *err)
{
	ssize_t n = write(c->in, in->ptr, in->len);

	if (n >= 0)
		*in = vv_span(in->ptr + n, in->len - (size_t)n);
	else if (errno == EPIPE)
		in->len = 0; /* it has read enough */
	else if (errno != EINTR && errno != EAGAIN)
		return vv_fail_sys(err, errno, "write to %s", c->name);
	return 0;
}

/* Reads what is there. `to` NULL, or no longer taking anything: it is dropped. Closes *fd at its end. */
static int drain(struct vv_child *c, int *fd, struct vv_buf *to, bool must, struct vv_err *err)
{
	uint8_t skip[4096], *p = to ? vv_buf_reserve(to, 65536) : NULL;
	ssize_t n;

	if (to && !p && must)
		return vv_buf_check(to, err);
	n = read(*fd, p ? p : skip, p ? 65536 : sizeof(skip));
	if (n < 0 && errno != EINTR)
		return vv_fail_sys(err, errno, "read from %s", c->name);
	if (!n)
		close_end(fd);
	if (n > 0 && p) {
		to->len += (size_t)n;
		to->ptr[to->len] = 0;
	}
	return 0;
}

static int pump(struct vv_child *c, struct vv_span in, struct vv_buf *out, struct vv_buf *said, struct vv_err *err)
{
	int ret = 0;

	if (c->in >= 0)
		(void)fcntl(c->in, F_SETFL, O_NONBLOCK);
	while (!ret && (c->in >= 0 || c->out >= 0 || c->err >= 0)) {
		struct pollfd p[3] = {{c->in, POLLOUT, 0}, {c->out, POLLIN, 0}, {c->err, POLLIN, 0}};

		if (c->in >= 0 && !in.len) {
			close_end(&c->in);
			continue;
		}
		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return vv_fail_sys(err, errno, "poll");
		}
		if (p[0].revents)
			ret = feed(c, &in, err);
		if (p[1].revents && !ret)
			ret = drain(c, &c->out, out, true, err);
		if (p[2].revents && !ret)
			ret = drain(c, &c->err, said, false, err);
	}
	return ret;
}

int vv_child_run(const char *const *argv, const char *const *env, unsigned flags, struct vv_span in,
	struct vv_buf *out, int *status, struct vv_err *err)
{
	struct vv_child c = VV_CHILD_INIT;
	struct vv_buf said = VV_BUF_INIT((size_t)1 << 20);
	struct vv_err later = VV_ERR_INIT;
	int ret;

	if (in.len)
		flags |= VV_CHILD_IN;
	if (out)
		flags |= VV_CHILD_OUT;
	ret = vv_child_start(&c, argv, env, flags, err);
	if (ret)
		return ret;
	ret = pump(&c, in, out, &said, err);
	if (vv_child_wait(&c, status, &later) && !ret) {
		*err = later;
		ret = later.code;
	}
	if (!ret && *status && out)
		vv_buf_span(out, vv_buf_view(&said));
	vv_buf_release(&said);
	return ret;
}
