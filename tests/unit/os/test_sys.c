#define _GNU_SOURCE
#include "os/sys.h"

#include "tap.h"
#include "tempdir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static struct vv_err err;

static void test_time(void)
{
	uint64_t a = vv_monotonic_ms(), b;

	usleep(20000);
	b = vv_monotonic_ms();
	CHECK(b >= a + 19 && b < a + 10000);
	CHECK(vv_now_s() + 2 > (uint64_t)time(NULL) && vv_now_s() <= (uint64_t)time(NULL));
	CHECK(vv_random64() != vv_random64());
	CHECK(vv_cpus() >= 1);
}

/* In a child of a process that is called `name`: what the function says there. */
static int below(const char *name, const char *wanted)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		prctl(PR_SET_NAME, name);
		pid_t self = getpid(), child = fork();
		if (!child)
			_exit(vv_ancestor(wanted) == self);
		waitpid(child, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_ancestor(void)
{
	CHECK_INT(below("varve-parent", "varve-parent"), 1);
	/* The name may hold what /proc puts around it. */
	CHECK_INT(below("a) R 1 (", "a) R 1 ("), 1);
	CHECK_INT(below("varve-parent", "varve-other"), 0);
	CHECK_INT(vv_ancestor("no process has this"), 0);
}

/* The test runs itself under the names and words of git. */
static int child_of(const char *const *argv, const char *self)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		setenv("VARVE_TEST_BELOW", self, 1);
		execv("./git", (char *const *)(uintptr_t)argv);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_below_git(const char *self)
{
	static const struct {
		const char *argv[8];
		bool found;
	} cases[] = {{{"git", "commit", "-m", "rebase"}, true}, {{"git", "-C", "commit", "status"}, false},
		{{"git", "-c", "a=b", "-p", "--git-dir", "x", "commit"}, true}, {{"git", "--git-dir=x", "commit"}, true},
		{{"/usr/libexec/git-commit", "x"}, true}, {{"git", "status", "commit"}, false}, {{"git"}, false},
		{{"git", "-c"}, false}, {{"git", "-p"}, false}, {{"git", ""}, false}};
	static char huge[6000];
	const char *huge_argv[] = {"git", "-c", huge, "commit", NULL}, *cut[] = {"git", "-c", huge, "-c", "x", "commit", NULL};
	int wrong = 0;

	CHECK(!symlink(self, "git"));
	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		int found = child_of(cases[i].argv, self);
		tap_ok(found == cases[i].found, cases[i].argv[1] ? cases[i].argv[1] : "", __FILE__, __LINE__);
	}
	/* Of very long words 4095 bytes are read: "commit" is seen whole, or not at all. */
	for (size_t n = 4070; n < 4100; n++) {
		memset(huge, 'h', n);
		huge[n] = 0;
		wrong += child_of(huge_argv, self) != (n <= 4095 - 14);
		/* An option cut off from its value. */
		wrong += child_of(cut, self) != (n <= 4095 - 19);
	}
	CHECK_INT(wrong, 0);
}

/* As "git": asks from a child of its own, whose parent it is. */
static int as_git(void)
{
	static const char *const words[] = {"rebase", "commit", NULL};
	pid_t pid;
	int status = -1;

	prctl(PR_SET_NAME, "git");
	pid = fork();
	if (!pid)
		_exit(vv_below_git(words) == 1);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_wait_gone(void)
{
	uint64_t start = vv_monotonic_ms();
	pid_t pid = fork();

	if (!pid) {
		usleep(100000);
		_exit(0);
	}
	/* Our own child is gone for others when it has ended, waited for or not. */
	vv_wait_gone(pid);
	CHECK(vv_monotonic_ms() - start >= 95);
	waitpid(pid, NULL, 0);
	vv_wait_gone(pid);
	CHECK(vv_monotonic_ms() - start < 10000);
}

static void test_detached(void)
{
	static const char *const argv[] = {"sh", "-c", "sleep 0.2; ls -l /proc/$$/fd/0 > t; ps -o ppid= -p $$ >> t; mv t done", NULL};
	static const char *const missing[] = {"varve-no-such-program", NULL};
	struct stat st;
	uint64_t start = vv_monotonic_ms();

	CHECK_OK(vv_spawn_detached(argv, &err), &err);
	/* It does not keep us, and goes on by itself. */
	CHECK(vv_monotonic_ms() - start < 5000);
	CHECK(waitpid(-1, NULL, WNOHANG) == -1);
	for (int i = 0; i < 500 && stat("done", &st); i++)
		usleep(20000);
	CHECK(!stat("done", &st));
	CHECK_OK(vv_spawn_detached(missing, &err), &err);
}

static void test_step_back(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		vv_step_back();
		_exit(getpriority(PRIO_PROCESS, 0));
	}
	waitpid(pid, &status, 0);
	CHECK_INT(WEXITSTATUS(status), 19);
}

int main(int argc, char **argv)
{
	char self[4096];

	(void)argc;
	(void)argv;
	if (getenv("VARVE_TEST_BELOW"))
		return as_git();
	if (!realpath("/proc/self/exe", self))
		return 1;
	tempdir_enter();
	test_time();
	test_ancestor();
	test_below_git(self);
	test_wait_gone();
	test_detached();
	test_step_back();
	return done();
}
