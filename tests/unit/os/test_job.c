#define _GNU_SOURCE
#include "os/job.h"

#include "base/compiler.h"
#include "os/child.h"
#include "tap.h"
#include "tempdir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct vv_err err;

static int sh(const char *script, int *status)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	return vv_job_run(argv, NULL, 0, status, &err);
}

static void test_run(void)
{
	const char *no[] = {"/nonexistent/program", NULL};
	int status = -1;

	vv_job_begin();
	CHECK_OK(sh("exit 5", &status), &err);
	CHECK_INT(status, 5);
	/* It leads its group, and has nothing to read. */
	CHECK_OK(sh("[ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ] && ! read x", &status), &err);
	CHECK_INT(status, 0);
	CHECK_INT(vv_job_run(no, NULL, 0, &status, &err), VV_ENOTFOUND);
	CHECK_INT(vv_job_caught(), 0);
	vv_job_end();
}

/* A job that starts another process; we get the signal. */
static void test_signal(const char *script, int sig, int times)
{
	static const char pids[] = "pids";
	char full[512];
	pid_t pid = fork();
	int st = 0, alive = 0;
	long grandchild = 0;

	unlink(pids);
	snprintf(full, sizeof(full), "%s sleep 60 & echo $! >new; mv new pids; wait; wait", script);
	if (!pid) {
		int status = 0;
		vv_job_begin();
		int ret = sh(full, &status);
		int good = !ret && status >= 128 && vv_job_caught() == sig;
		vv_job_end();
		_exit(good ? 3 : 4); /* not come to */
	}
	for (int i = 0; i < 500 && access(pids, F_OK); i++)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	for (int i = 0; i < times; i++) {
		kill(pid, sig);
		nanosleep(&(struct timespec){0, 200000000}, NULL);
	}
	waitpid(pid, &st, 0);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == sig);
	FILE *f = fopen(pids, "r");
	CHECK(f && fscanf(f, "%ld", &grandchild) == 1);
	if (f)
		fclose(f);
	for (int i = 0; i < 300; i++) {
		alive = grandchild && !kill((pid_t)grandchild, 0);
		/* Without anybody to reap it, it is a zombie for good in some containers. */
		if (alive) {
			char name[64], state = 0;
			snprintf(name, sizeof(name), "/proc/%ld/stat", grandchild);
			FILE *s = fopen(name, "r");
			if (s && fscanf(s, "%*d %*s %c", &state) == 1 && state == 'Z')
				alive = 0;
			if (s)
				fclose(s);
		}
		if (!alive)
			break;
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	}
	CHECK(!alive);
}

/* In a terminal of its own: a job that reads it stays in our group. */
static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), st = -1;
	pid_t pid;

	CHECK(master >= 0 && !grantpt(master) && !unlockpt(master));
	pid = fork();
	if (!pid) {
		static const char *const argv[] = {
			"sh", "-c", "read x && [ $x = hi ] && [ \"$(cut -d' ' -f5 /proc/$$/stat)\" != $$ ]", NULL};
		int status = -1, fd;

		setsid();
		fd = open(ptsname(master), O_RDWR);
		dup2(fd, STDIN_FILENO);
		vv_job_begin();
		if (vv_job_run(argv, NULL, VV_CHILD_INHERIT, &status, &err))
			status = 99;
		_exit(status);
	}
	CHECK_INT(write(master, "hi\n", 3), 3);
	waitpid(pid, &st, 0);
	CHECK_INT(st, 0);
	close(master);
}

int main(void)
{
	tempdir_enter();
	test_run();
	test_terminal();
	test_signal("", SIGTERM, 1);
	test_signal("", SIGHUP, 1);
	/* One that does not listen is killed at the second. */
	test_signal("trap '' TERM;", SIGTERM, 2);
	return done();
}
