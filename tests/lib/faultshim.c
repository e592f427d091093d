/*
 * Loaded with LD_PRELOAD: counts calls of some classes made by one program, and at the n-th does
 * harm; or notes what the program does below a folder, so that a power cut can be played through.
 *
 *   FAULT_STATE=file    shared by all processes: the count (made by the driver, see struct shared)
 *   FAULT_PROGRAM=name  whose calls count: "varve" (also when git starts it) unless told otherwise
 *   FAULT_CLASS=a,b     of the names below
 *   FAULT_UNDER=folder  only for files below it (calls without a file always count)
 *   FAULT_AT=n          the call that is hit; 0: only count
 *   FAULT_DO=what       EIO, ENOSPC, …: it fails; short; eintr; kill, killafter, killgroup; stop
 *   FAULT_KEEP=1        so are all later ones
 *   FAULT_NOSYNC=what   file, dir or all: fsync does nothing and says it did
 *   FAULT_JOURNAL=file  below FAULT_UNDER: what is written, named and synced, see journal()
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum class {
	C_OPEN = 1 << 0,
	C_READ = 1 << 1,
	C_WRITE = 1 << 2,
	C_SYNC = 1 << 3,
	C_NAME = 1 << 4, /* rename and link */
	C_UNLINK = 1 << 5,
	C_CLOSE = 1 << 6,
	C_MAP = 1 << 7,
	C_ALLOC = 1 << 8,
	C_MKDIR = 1 << 9,
	C_META = 1 << 10, /* mode, times, length */
	C_LOCK = 1 << 11,
	C_PIPE = 1 << 12,
	C_SPAWN = 1 << 13,
	C_THREAD = 1 << 14,
	C_CREATE = 1 << 15, /* those of open that may make a file */
};

static const struct {
	const char *name;
	unsigned bit;
} classes[] = {{"open", C_OPEN}, {"read", C_READ}, {"write", C_WRITE}, {"sync", C_SYNC}, {"name", C_NAME},
	{"unlink", C_UNLINK}, {"close", C_CLOSE}, {"map", C_MAP}, {"alloc", C_ALLOC}, {"mkdir", C_MKDIR},
	{"meta", C_META}, {"lock", C_LOCK}, {"pipe", C_PIPE}, {"spawn", C_SPAWN}, {"thread", C_THREAD}, {"create", C_CREATE}};

static const struct {
	const char *name;
	int sys;
} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM},
	{"EACCES", EACCES}, {"EROFS", EROFS}, {"EAGAIN", EAGAIN}, {"ENOENT", ENOENT}, {"EPERM", EPERM}};

enum verdict { PASS, FAIL, SHORT, DIE_AFTER };

/* The state file: 512 bytes. */
struct shared {
	_Atomic uint64_t calls, hits;
	char what[496]; /* the last call that was hit */
};

static struct {
	struct shared *shared;
	unsigned classes;
	uint64_t at;
	enum verdict verdict;
	bool kill, group, stop, eintr, keep, no_file_sync, no_dir_sync;
	int sys, journal;
	char under[1024];
	size_t under_len;
} cfg = {.journal = -1};

static pthread_mutex_t journal_mutex = PTHREAD_MUTEX_INITIALIZER;

/* --- what the environment asks for --- */

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v ? v : "";
}

static bool is_the_program(void)
{
	char exe[4096], *slash;
	const char *want = *env("FAULT_PROGRAM") ? env("FAULT_PROGRAM") : "varve";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return false;
	exe[n] = 0;
	slash = strrchr(exe, '/');
	return slash && !strcmp(slash + 1, want);
}

static void choose_harm(const char *what)
{
	cfg.verdict = FAIL;
	cfg.eintr = !strcmp(what, "eintr");
	cfg.group = !strcmp(what, "killgroup");
	cfg.kill = cfg.group || !strcmp(what, "kill");
	cfg.stop = !strcmp(what, "stop");
	cfg.sys = cfg.eintr ? EINTR : EIO;
	if (!strcmp(what, "short"))
		cfg.verdict = SHORT;
	if (!strcmp(what, "killafter"))
		cfg.verdict = DIE_AFTER;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (!strcmp(what, errors[i].name))
			cfg.sys = errors[i].sys;
}

static void choose_classes(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
			if (strlen(classes[i].name) == n && !strncmp(list, classes[i].name, n))
				cfg.classes |= classes[i].bit;
		list += n + (list[n] == ',');
	}
}

__attribute__((constructor)) static void begin(void)
{
	static __typeof__(&open) real_open;
	int fd;
	void *p;

	if (!*env("FAULT_STATE") || !is_the_program())
		return;
	real_open = (__typeof__(real_open))dlsym(RTLD_NEXT, "open");
	fd = real_open(env("FAULT_STATE"), O_RDWR | O_CLOEXEC);
	p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "faultshim: %s: %s\n", env("FAULT_STATE"), strerror(errno));
		_exit(99);
	}
	close(fd);
	cfg.at = strtoull(env("FAULT_AT"), NULL, 10);
	cfg.keep = *env("FAULT_KEEP");
	cfg.no_file_sync = !strcmp(env("FAULT_NOSYNC"), "file") || !strcmp(env("FAULT_NOSYNC"), "all");
	cfg.no_dir_sync = !strcmp(env("FAULT_NOSYNC"), "dir") || !strcmp(env("FAULT_NOSYNC"), "all");
	snprintf(cfg.under, sizeof(cfg.under), "%s", env("FAULT_UNDER"));
	cfg.under_len = strlen(cfg.under);
	choose_harm(env("FAULT_DO"));
	choose_classes(env("FAULT_CLASS"));
	if (*env("FAULT_JOURNAL"))
		cfg.journal = real_open(env("FAULT_JOURNAL"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	cfg.shared = p;
}

/* --- which file --- */

/* The absolute name of `path` from folder `fd`, or of `fd` itself when path is NULL. "" when it has none. */
static void full_name(int fd, const char *path, char *out, size_t cap)
{
	char link[64];
	ssize_t n = 0;

	out[0] = 0;
	if (!path || path[0] != '/') {
		if (fd == AT_FDCWD)
			snprintf(link, sizeof(link), "/proc/self/cwd");
		else
			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, out, cap - 1);
		out[n > 0 ? n : 0] = 0;
		n = n > 0 ? n : 0;
	}
	if (path)
		snprintf(out + n, cap - (size_t)n, "%s%s", n ? "/" : "", path);
}

/* The name below FAULT_UNDER; NULL when it lies elsewhere. */
static const char *name_below(const char *name)
{
	if (strncmp(name, cfg.under, cfg.under_len) || (name[cfg.under_len] && name[cfg.under_len] != '/'))
		return NULL;
	return name[cfg.under_len] ? name + cfg.under_len + 1 : ".";
}

/* --- harm --- */

static void die(void)
{
	kill(cfg.group ? 0 : getpid(), SIGKILL);
	pause();
}

/* `fd` < -1 and no path: a call without a file. */
enum { NO_FILE = -1000 };

static enum verdict strike(unsigned class, const char *call, int fd, const char *path)
{
	char name[2048] = "";
	int sys = errno;
	uint64_t n;

	if (!cfg.shared || !(cfg.classes & class))
		return PASS;
	if (cfg.under_len && fd != NO_FILE) {
		full_name(fd, path, name, sizeof(name));
		errno = sys;
		if (!name_below(name))
			return PASS;
	}
	n = atomic_fetch_add(&cfg.shared->calls, 1) + 1;
	if (!cfg.at || (cfg.keep ? n < cfg.at : n != cfg.at))
		return PASS;
	/* A storm, not an endless loop. */
	if (cfg.keep && cfg.eintr && (n & 1))
		return PASS;
	if (!name[0] && fd != NO_FILE)
		full_name(fd, path, name, sizeof(name));
	if (!atomic_fetch_add(&cfg.shared->hits, 1))
		snprintf(cfg.shared->what, sizeof(cfg.shared->what), "%s %.400s", call, name);
	if (cfg.kill)
		die();
	if (cfg.stop) {
		/* Somebody changes things now, and lets us go on. */
		raise(SIGSTOP);
		errno = sys;
		return PASS;
	}
	errno = cfg.verdict == FAIL ? cfg.sys : sys;
	return cfg.verdict;
}

/* The next function of this name. */
#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (!real)                                                                                 \
		real = (__typeof__(real))dlsym(RTLD_NEXT, #name)

#define STRIKE(class, fd, path, failed)                                                            \
	enum verdict verdict = strike(class, __func__, fd, path);                                  \
	if (verdict == FAIL)                                                                       \
		return failed

#define RETURN(value)                                                                              \
	do {                                                                                       \
		if (verdict == DIE_AFTER)                                                          \
			die();                                                                     \
		return value;                                                                      \
	} while (0)

/* --- the journal --- */

/*
 * A record: kind, inode, offset, length, then a name (two for r and l) with its NUL, then `length`
 * bytes. Kinds: c created, w written, t cut to offset, s file synced, S folder synced, r renamed,
 * l linked, u unlinked, m folder made, d folder removed, a: what was told to others (name: to whom).
 */
struct record {
	char kind;
	char pad[3];
	uint32_t names;
	uint64_t ino, off, len;
};

static bool journalled(int fd, const char *path, char *name, size_t cap)
{
	const char *below;
	int sys = errno;

	if (!cfg.shared || cfg.journal < 0)
		return false;
	full_name(fd, path, name, cap);
	errno = sys;
	below = name_below(name);
	if (!below)
		return false;
	memmove(name, below, strlen(below) + 1);
	return true;
}

/* Order in the journal is order in time. */
static void journal_lock(void)
{
	pthread_mutex_lock(&journal_mutex);
	flock(cfg.journal, LOCK_EX);
}

static void journal_unlock(void)
{
	flock(cfg.journal, LOCK_UN);
	pthread_mutex_unlock(&journal_mutex);
}

static void journal(char kind, uint64_t ino, uint64_t off, const char *name, const char *second, const void *data,
	size_t len)
{
	struct record r = {kind, {0}, 0, ino, off, len};
	struct iovec v[4] = {{&r, sizeof(r)}, {(void *)(uintptr_t)name, strlen(name) + 1},
		{(void *)(uintptr_t)second, second ? strlen(second) + 1 : 0}, {(void *)(uintptr_t)data, len}};
	int sys = errno;

	r.names = (uint32_t)(v[1].iov_len + v[2].iov_len);
	if (writev(cfg.journal, v, 4) != (ssize_t)(sizeof(r) + r.names + len)) {
		fprintf(stderr, "faultshim: cannot write the journal\n");
		_exit(99);
	}
	errno = sys;
}

static uint64_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (uint64_t)st.st_ino;
}

/* --- opening --- */

static int opened(int fd, bool created, bool cut, const char *name)
{
	if (fd >= 0 && created)
		journal('c', inode(fd), 0, name, NULL, NULL, 0);
	else if (fd >= 0 && cut)
		journal('t', inode(fd), 0, name, NULL, NULL, 0);
	journal_unlock();
	return fd;
}

#define OPENING(call, dir, path, flags)                                                            \
	char name[2048];                                                                           \
	bool noted = (flags) & (O_CREAT | O_TRUNC) && journalled(dir, path, name, sizeof(name));   \
	struct stat before;                                                                        \
	bool there = false;                                                                        \
	int fd;                                                                                    \
	if (noted) {                                                                               \
		journal_lock();                                                                    \
		there = !fstatat(dir, path, &before, 0);                                           \
	}                                                                                          \
	fd = call;                                                                                 \
	if (noted)                                                                                 \
		opened(fd, !there, (flags) & O_TRUNC, name);                                       \
	RETURN(fd)

static unsigned opening(int flags)
{
	return flags & O_CREAT ? C_OPEN | C_CREATE : C_OPEN;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

#define OPEN(f)                                                                                    \
	int f(const char *path, int flags, ...)                                                    \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		REAL(f);                                                                           \
		STRIKE(opening(flags), AT_FDCWD, path, -1);                                        \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		OPENING(real(path, flags, mode), AT_FDCWD, path, flags);                           \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(f)                                                                                  \
	int f(int dir, const char *path, int flags, ...)                                           \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		REAL(f);                                                                           \
		STRIKE(opening(flags), dir, path, -1);                                             \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		OPENING(real(dir, path, flags, mode), dir, path, flags);                           \
	}
OPENAT(openat)
OPENAT(openat64)

#define MKOSTEMP(f)                                                                                \
	int f(char *path, int flags)                                                               \
	{                                                                                          \
		REAL(f);                                                                           \
		char dir[2048];                                                                    \
		bool noted;                                                                        \
		int fd;                                                                            \
		STRIKE(C_OPEN | C_CREATE, AT_FDCWD, path, -1);                                     \
		noted = journalled(AT_FDCWD, path, dir, sizeof(dir));                              \
		if (noted)                                                                         \
			journal_lock();                                                            \
		fd = real(path, flags);                                                            \
		if (noted && journalled(AT_FDCWD, path, dir, sizeof(dir)))                         \
			opened(fd, true, false, dir);                                              \
		RETURN(fd);                                                                        \
	}
MKOSTEMP(mkostemp)
MKOSTEMP(mkostemp64)

#define FOPEN(f)                                                                                   \
	FILE *f(const char *path, const char *mode)                                                \
	{                                                                                          \
		REAL(f);                                                                           \
		FILE *file;                                                                        \
		STRIKE(C_OPEN, AT_FDCWD, path, NULL);                                              \
		file = real(path, mode);                                                           \
		RETURN(file);                                                                      \
	}
FOPEN(fopen)
FOPEN(fopen64)

DIR *opendir(const char *path)
{
	REAL(opendir);
	DIR *d;
	STRIKE(C_OPEN, AT_FDCWD, path, NULL);
	d = real(path);
	RETURN(d);
}

/* --- reading and writing --- */

static size_t shorter(enum verdict v, size_t n)
{
	return v == SHORT && n > 1 ? n / 2 : n;
}

ssize_t read(int fd, void *buf, size_t len)
{
	REAL(read);
	ssize_t n;
	STRIKE(C_READ, fd, NULL, -1);
	n = real(fd, buf, shorter(verdict, len));
	RETURN(n);
}

#define PREAD(f, type)                                                                             \
	ssize_t f(int fd, void *buf, size_t len, type off)                                         \
	{                                                                                          \
		REAL(f);                                                                           \
		ssize_t n;                                                                         \
		STRIKE(C_READ, fd, NULL, -1);                                                      \
		n = real(fd, buf, shorter(verdict, len), off);                                     \
		RETURN(n);                                                                         \
	}
PREAD(pread, off_t)
PREAD(pread64, off64_t)

static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	REAL(write);
	char name[2048];
	bool noted;
	ssize_t n;
	STRIKE(C_WRITE, fd, NULL, -1);
	noted = journalled(fd, NULL, name, sizeof(name));
	if (cfg.shared && cfg.journal >= 0 && !noted && fd == 1 && is_pipe(fd)) {
		journal_lock();
		journal('a', 0, 0, "stdout", NULL, NULL, 0);
		journal_unlock();
	}
	if (noted)
		journal_lock();
	n = real(fd, buf, shorter(verdict, len));
	if (noted) {
		if (n > 0)
			journal('w', inode(fd), (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)n, name, NULL, buf, (size_t)n);
		journal_unlock();
	}
	RETURN(n);
}

#define PWRITE(f, type)                                                                            \
	ssize_t f(int fd, const void *buf, size_t len, type off)                                   \
	{                                                                                          \
		REAL(f);                                                                           \
		char name[2048];                                                                   \
		bool noted;                                                                        \
		ssize_t n;                                                                         \
		STRIKE(C_WRITE, fd, NULL, -1);                                                     \
		noted = journalled(fd, NULL, name, sizeof(name));                                  \
		if (noted)                                                                         \
			journal_lock();                                                            \
		n = real(fd, buf, shorter(verdict, len), off);                                     \
		if (noted) {                                                                       \
			if (n > 0)                                                                 \
				journal('w', inode(fd), (uint64_t)off, name, NULL, buf, (size_t)n); \
			journal_unlock();                                                          \
		}                                                                                  \
		RETURN(n);                                                                         \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* --- durability and names --- */

#define FSYNC(f)                                                                                   \
	int f(int fd)                                                                              \
	{                                                                                          \
		REAL(f);                                                                           \
		char name[2048];                                                                   \
		struct stat st;                                                                    \
		int ret;                                                                           \
		STRIKE(C_SYNC, fd, NULL, -1);                                                      \
		if (cfg.shared && (cfg.no_file_sync || cfg.no_dir_sync) && !fstat(fd, &st) &&      \
			(S_ISDIR(st.st_mode) ? cfg.no_dir_sync : cfg.no_file_sync))                \
			return 0;                                                                  \
		ret = real(fd);                                                                    \
		if (!ret && journalled(fd, NULL, name, sizeof(name)) && !fstat(fd, &st)) {         \
			journal_lock();                                                            \
			journal(S_ISDIR(st.st_mode) ? 'S' : 's', (uint64_t)st.st_ino, 0, name, NULL, NULL, 0); \
			journal_unlock();                                                          \
		}                                                                                  \
		RETURN(ret);                                                                       \
	}
FSYNC(fsync)
FSYNC(fdatasync)
FSYNC(syncfs)

/* A change of names: the call, and its record when it worked. */
#define NAMED(call, kind, noted, from, to)                                                         \
	int ret;                                                                                   \
	if (noted)                                                                                 \
		journal_lock();                                                                    \
	ret = call;                                                                                \
	if (noted) {                                                                               \
		if (!ret)                                                                          \
			journal(kind, 0, 0, from, to, NULL, 0);                                    \
		journal_unlock();                                                                  \
	}                                                                                          \
	RETURN(ret)

#define TWO_NAMES(fd1, path1, fd2, path2)                                                          \
	char from[2048], to[2048];                                                                 \
	bool noted = journalled(fd1, path1, from, sizeof(from)) && journalled(fd2, path2, to, sizeof(to))

int rename(const char *a, const char *b)
{
	REAL(rename);
	STRIKE(C_NAME, AT_FDCWD, b, -1);
	TWO_NAMES(AT_FDCWD, a, AT_FDCWD, b);
	NAMED(real(a, b), 'r', noted, from, to);
}

int renameat(int da, const char *a, int db, const char *b)
{
	REAL(renameat);
	STRIKE(C_NAME, db, b, -1);
	TWO_NAMES(da, a, db, b);
	NAMED(real(da, a, db, b), 'r', noted, from, to);
}

int link(const char *a, const char *b)
{
	REAL(link);
	STRIKE(C_NAME, AT_FDCWD, b, -1);
	TWO_NAMES(AT_FDCWD, a, AT_FDCWD, b);
	NAMED(real(a, b), 'l', noted, from, to);
}

#define WITH_FLAGS(f, kind, type)                                                                  \
	int f(int da, const char *a, int db, const char *b, type flags)                            \
	{                                                                                          \
		REAL(f);                                                                           \
		STRIKE(C_NAME, db, b, -1);                                                         \
		TWO_NAMES(da, a, db, b);                                                           \
		NAMED(real(da, a, db, b, flags), kind, noted, from, to);                           \
	}
WITH_FLAGS(linkat, 'l', int)
WITH_FLAGS(renameat2, 'r', unsigned)

#define ONE_NAME(fd, path)                                                                         \
	char from[2048];                                                                           \
	bool noted = journalled(fd, path, from, sizeof(from))

int unlink(const char *path)
{
	REAL(unlink);
	STRIKE(C_UNLINK, AT_FDCWD, path, -1);
	ONE_NAME(AT_FDCWD, path);
	NAMED(real(path), 'u', noted, from, NULL);
}

int unlinkat(int dir, const char *path, int flags)
{
	REAL(unlinkat);
	STRIKE(C_UNLINK, dir, path, -1);
	ONE_NAME(dir, path);
	NAMED(real(dir, path, flags), flags & AT_REMOVEDIR ? 'd' : 'u', noted, from, NULL);
}

int rmdir(const char *path)
{
	REAL(rmdir);
	STRIKE(C_UNLINK, AT_FDCWD, path, -1);
	ONE_NAME(AT_FDCWD, path);
	NAMED(real(path), 'd', noted, from, NULL);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);
	STRIKE(C_MKDIR, AT_FDCWD, path, -1);
	ONE_NAME(AT_FDCWD, path);
	NAMED(real(path, mode), 'm', noted, from, NULL);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(mkdirat);
	STRIKE(C_MKDIR, dir, path, -1);
	ONE_NAME(dir, path);
	NAMED(real(dir, path, mode), 'm', noted, from, NULL);
}

/* --- the rest --- */

int close(int fd)
{
	REAL(close);
	enum verdict verdict = strike(C_CLOSE, __func__, fd, NULL);
	int sys = errno, ret = real(fd);

	/* The descriptor is gone all the same, as Linux has it. */
	if (verdict == FAIL) {
		errno = sys;
		return -1;
	}
	RETURN(ret);
}

#define MMAP(f, type)                                                                              \
	void *f(void *at, size_t len, int prot, int flags, int fd, type off)                       \
	{                                                                                          \
		REAL(f);                                                                           \
		void *p;                                                                           \
		STRIKE(C_MAP, fd < 0 ? NO_FILE : fd, NULL, MAP_FAILED);                            \
		p = real(at, len, prot, flags, fd, off);                                           \
		RETURN(p);                                                                         \
	}
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

int chmod(const char *path, mode_t mode)
{
	REAL(chmod);
	int ret;
	STRIKE(C_META, AT_FDCWD, path, -1);
	ret = real(path, mode);
	RETURN(ret);
}

int fchmod(int fd, mode_t mode)
{
	REAL(fchmod);
	int ret;
	STRIKE(C_META, fd, NULL, -1);
	ret = real(fd, mode);
	RETURN(ret);
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	REAL(fchmodat);
	int ret;
	STRIKE(C_META, dir, path, -1);
	ret = real(dir, path, mode, flags);
	RETURN(ret);
}

int futimens(int fd, const struct timespec times[2])
{
	REAL(futimens);
	int ret;
	STRIKE(C_META, fd, NULL, -1);
	ret = real(fd, times);
	RETURN(ret);
}

int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
	REAL(utimensat);
	int ret;
	STRIKE(C_META, dir, path, -1);
	ret = real(dir, path, times, flags);
	RETURN(ret);
}

#define FTRUNCATE(f, type)                                                                         \
	int f(int fd, type len)                                                                    \
	{                                                                                          \
		REAL(f);                                                                           \
		char name[2048];                                                                   \
		bool noted;                                                                        \
		int ret;                                                                           \
		STRIKE(C_META, fd, NULL, -1);                                                      \
		noted = journalled(fd, NULL, name, sizeof(name));                                  \
		if (noted)                                                                         \
			journal_lock();                                                            \
		ret = real(fd, len);                                                               \
		if (noted) {                                                                       \
			journal('t', inode(fd), (uint64_t)len, name, NULL, NULL, 0);               \
			journal_unlock();                                                          \
		}                                                                                  \
		RETURN(ret);                                                                       \
	}
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

int flock(int fd, int op)
{
	REAL(flock);
	int ret;
	STRIKE(C_LOCK, fd, NULL, -1);
	ret = real(fd, op);
	RETURN(ret);
}

int pipe2(int fds[2], int flags)
{
	REAL(pipe2);
	int ret;
	STRIKE(C_PIPE, NO_FILE, NULL, -1);
	ret = real(fds, flags);
	RETURN(ret);
}

/* It returns its error. A child that git is told by its words is on record: what it was told counts as said. */
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr,
	char *const argv[], char *const envp[])
{
	REAL(posix_spawnp);
	int ret;
	STRIKE(C_SPAWN, NO_FILE, NULL, cfg.sys);
	for (size_t i = 0; cfg.shared && cfg.journal >= 0 && argv[i]; i++)
		if (!strcmp(argv[i], "hash-object")) {
			journal_lock();
			journal('a', 0, 0, argv[i], NULL, NULL, 0);
			journal_unlock();
		}
	ret = real(pid, file, fa, attr, argv, envp);
	RETURN(ret);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	REAL(pthread_create);
	int ret;
	STRIKE(C_THREAD, NO_FILE, NULL, EAGAIN);
	ret = real(t, attr, fn, arg);
	RETURN(ret);
}

/* glibc's own names: dlsym allocates, so it cannot be asked for these. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	STRIKE(C_ALLOC, NO_FILE, NULL, NULL);
	RETURN(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	STRIKE(C_ALLOC, NO_FILE, NULL, NULL);
	RETURN(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	STRIKE(C_ALLOC, NO_FILE, NULL, NULL);
	RETURN(__libc_realloc(p, n));
}
