#define _GNU_SOURCE
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t vv_now_s(void)
{
	return (uint64_t)time(NULL);
}

uint64_t vv_monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t vv_random64(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = vv_monotonic_ms() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
	return v;
}

unsigned vv_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}

/* Parent and program name of a process, from /proc. 1 when it cannot be had. */
static int process_info(pid_t pid, pid_t *parent, char *name, size_t cap)
{
	char path[64], line[512], *open_paren, *close_paren;
	size_t n, len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (!f)
		return 1;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = 0;
	/* "pid (name) state ppid …": the name may hold anything, so look from both ends. */
	open_paren = strchr(line, '(');
	close_paren = strrchr(line, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return 1;
	len = (size_t)(close_paren - open_paren - 1);
	if (len >= cap)
		len = cap - 1;
	memcpy(name, open_paren + 1, len);
	name[len] = 0;
	*parent = (pid_t)strtol(close_paren + 4, NULL, 10);
	return 0;
}

pid_t vv_ancestor(const char *name)
{
	pid_t pid = getppid(), parent, found = 0;
	char have[32];

	for (int i = 0; i < 64 && pid > 1 && !process_info(pid, &parent, have, sizeof(have)); i++, pid = parent)
		if (!strcmp(have, name))
			found = pid;
	return found;
}

/* The word behind this one; `end` when there is none. A NUL stands at `end`. */
static const char *word_after(const char *p, const char *end)
{
	size_t n = strlen(p) + 1;

	return n < (size_t)(end - p) ? p + n : end;
}

/* The word after "git" and its own options, in an argv of `len` bytes with NULs; NULL when there is none. */
static const char *git_word(const char *argv, size_t len)
{
	static const char *const with_value[] = {"-c", "-C", "--git-dir", "--work-tree", "--namespace", "--config-env",
		"--exec-path", "--super-prefix"};
	const char *p = argv, *end = argv + len, *slash = strrchr(argv, '/'), *self = slash ? slash + 1 : argv;

	if (!strncmp(self, "git-", 4))
		return self + 4;
	for (p = word_after(p, end); p[0] == '-'; p = word_after(p, end))
		for (size_t i = 0; i < VV_COUNT(with_value); i++)
			if (!strcmp(p, with_value[i])) {
				p = word_after(p, end);
				break;
			}
	return p < end ? p : NULL;
}

int vv_below_git(const char *const *words)
{
	pid_t pid = getppid(), parent;
	char have[32], path[64], argv[4096];
	bool any = false;

	for (int i = 0; i < 64 && pid > 1 && !process_info(pid, &parent, have, sizeof(have)); i++, pid = parent) {
		const char *word = NULL;
		size_t n = 0;
		FILE *f;

		any = true;
		if (strncmp(have, "git", 3))
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
		f = fopen(path, "re");
		if (!f)
			return -1;
		n = fread(argv, 1, sizeof(argv) - 1, f);
		fclose(f);
		argv[n] = 0;
		word = git_word(argv, n);
		for (size_t k = 0; word && words[k]; k++)
			if (!strcmp(word, words[k]))
				return 1;
	}
	return any ? 0 : -1;
}

void vv_wait_gone(pid_t pid)
{
#ifdef SYS_pidfd_open
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0) {
		struct pollfd p = {fd, POLLIN, 0};
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
		close(fd);
		return;
	}
#endif
	while (!kill(pid, 0) || errno == EPERM)
		usleep(20000);
}

void vv_step_back(void)
{
	(void)setpriority(PRIO_PROCESS, 0, 19);
#ifdef SYS_ioprio_set
	/* Of this process, the idle class: there is no header for these. */
	(void)syscall(SYS_ioprio_set, 1, 0, 3 << 13);
#endif
}

int vv_spawn_detached(const char *const *argv, struct vv_err *err)
{
	pid_t pid = fork();
	int status, fd;

	if (pid < 0)
		return vv_fail_sys(err, errno, "fork");
	if (pid) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return 0;
	}
	/* The child of a child that ends at once belongs to init. */
	setsid();
	if (fork())
		_exit(0);
	fd = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3 && fd >= 0; i++)
		dup2(fd, i);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}
