#define _GNU_SOURCE
#include "os/file.h"

#include "os/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IO_MAX = 1 << 30 };

char *vv_join(const char *a, const char *b)
{
	char *s = NULL;

	return asprintf(&s, "%s/%s", a, b) < 0 ? NULL : s;
}

static int file_read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_file *f = (const struct vv_file *)self;
	uint8_t *p = dst;

	while (len) {
		ssize_t n = pread(f->fd, p, len > IO_MAX ? IO_MAX : len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "read at %" PRIu64, off);
		if (!n)
			return vv_fail(err, VV_ECHANGED, "the file became shorter while it was read (offset %" PRIu64 ")", off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int vv_file_open(struct vv_file *f, const char *path, struct vv_err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ELOOP)
		return vv_fail(err, VV_EUNSAFE, "%s: is a symbolic link", path);
	if (fd < 0)
		return vv_fail_sys(err, errno, "%s", path);
	if (fstat(fd, &st)) {
		vv_fail_sys(err, errno, "%s", path);
		close(fd);
		return err->code;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return vv_fail(err, VV_EUNSAFE, "%s: is not a regular file", path);
	}
	*f = (struct vv_file){{(uint64_t)st.st_size, file_read_at}, fd, st};
	return 0;
}

void vv_file_close(struct vv_file *f)
{
	if (f->fd >= 0 && f->base.read_at)
		close(f->fd);
	f->fd = -1;
	f->base.read_at = NULL;
}

int vv_file_unchanged(const struct vv_file *f, const char *path, struct vv_err *err)
{
	struct stat a = f->st, b;

	if (fstat(f->fd, &b))
		return vv_fail_sys(err, errno, "%s", path);
	if (a.st_size != b.st_size || a.st_mtim.tv_sec != b.st_mtim.tv_sec ||
		a.st_mtim.tv_nsec != b.st_mtim.tv_nsec || (!lstat(path, &b) && b.st_ino != a.st_ino))
		return vv_fail(err, VV_ECHANGED, "%s: changed while it was read; try again when it is written", path);
	return 0;
}

int vv_read_fd(struct vv_buf *out, int fd, const char *what, struct vv_err *err)
{
	for (;;) {
		size_t want = out->max - out->len < 65536 ? out->max - out->len + 1 : 65536;
		uint8_t tail[1];
		uint8_t *p = want > out->max - out->len ? tail : vv_buf_reserve(out, want);
		ssize_t n;

		if (!p)
			return vv_buf_check(out, err);
		n = read(fd, p, p == tail ? 1 : want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", what);
		if (!n)
			return 0;
		if (p == tail) {
			/* Less than 64 KiB of room: byte by byte is slow but exact at the limit. */
			if (out->len == out->max)
				return vv_fail(err, VV_ELIMIT, "%s: larger than %zu bytes", what, out->max);
			vv_buf_add(out, tail, 1);
			continue;
		}
		out->len += (size_t)n;
		out->ptr[out->len] = 0;
	}
}

int vv_read_file(struct vv_buf *out, const char *path, struct vv_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return vv_fail_sys(err, errno, "%s", path);
	ret = vv_read_fd(out, fd, path, err);
	close(fd);
	return ret;
}

int vv_write_fd(int fd, struct vv_span data, const char *what, struct vv_err *err)
{
	while (data.len) {
		ssize_t n = write(fd, data.ptr, data.len > IO_MAX ? IO_MAX : data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", what);
		data.ptr += n;
		data.len -= (size_t)n;
	}
	return 0;
}

void vv_write_behind(int fd VV_UNUSED, uint64_t off VV_UNUSED, uint64_t len VV_UNUSED)
{
#ifdef SYNC_FILE_RANGE_WRITE
	(void)sync_file_range(fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
#endif
}

int vv_pwrite_fd(int fd, struct vv_span data, uint64_t off, const char *what, struct vv_err *err)
{
	while (data.len) {
		ssize_t n = pwrite(fd, data.ptr, data.len > IO_MAX ? IO_MAX : data.len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", what);
		data.ptr += n;
		off += (uint64_t)n;
		data.len -= (size_t)n;
	}
	return 0;
}

/* Its mode is the kernel's business: reading the umask would change it for other threads. */
int vv_temp_open(struct vv_temp *t, const char *dir, struct vv_err *err)
{
	struct vv_temp n = VV_TEMP_INIT;

	n.dir = strdup(dir);
	for (int i = 0; i < 100 && n.fd < 0; i++) {
		free(n.path);
		if (!n.dir || asprintf(&n.path, "%s/.varve-tmp-%016" PRIx64, dir, vv_random64()) < 0) {
			free(n.dir);
			return vv_fail_nomem(err);
		}
		n.fd = open(n.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (n.fd < 0 && errno != EEXIST)
			break;
	}
	if (n.fd < 0) {
		vv_fail_sys(err, errno, "cannot make a temporary file in %s", dir);
		free(n.path);
		free(n.dir);
		return err->code;
	}
	*t = n;
	return 0;
}

int vv_temp_open_private(struct vv_temp *t, const char *dir, struct vv_err *err)
{
	int ret = vv_temp_open(t, dir, err);

	if (ret)
		return ret;
	if (unlink(t->path)) {
		vv_fail_sys(err, errno, "%s", t->path);
		vv_temp_release(t);
		return err->code;
	}
	free(t->path);
	t->path = NULL;
	return 0;
}

int vv_file_open_temp(struct vv_file *f, const struct vv_temp *t, struct vv_err *err)
{
	struct stat st;
	int fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return vv_fail_sys(err, errno, "%s", t->dir);
	if (fstat(fd, &st)) {
		vv_fail_sys(err, errno, "%s", t->dir);
		close(fd);
		return err->code;
	}
	*f = (struct vv_file){{(uint64_t)st.st_size, file_read_at}, fd, st};
	return 0;
}

void vv_temp_release(struct vv_temp *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->path)
		unlink(t->path);
	free(t->path);
	free(t->dir);
	*t = (struct vv_temp)VV_TEMP_INIT;
}

/* A failed fsync or close is final: the kernel may already have dropped the pages. */
static int sync_close(struct vv_temp *t, bool durable, struct vv_err *err)
{
	int fd = t->fd;

	if (durable && fsync(fd))
		return vv_fail_sys(err, errno, "%s: fsync", t->path);
	t->fd = -1;
	if (close(fd))
		return vv_fail_sys(err, errno, "%s: close", t->path);
	return 0;
}

int vv_sync_dir(const char *dir, struct vv_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return vv_fail_sys(err, errno, "%s", dir);
	/* Some network file systems cannot sync a folder; they order names themselves. */
	if (fsync(fd) && errno != EINVAL && errno != ENOTSUP)
		ret = vv_fail_sys(err, errno, "%s: fsync", dir);
	close(fd);
	return ret;
}

int vv_temp_publish_new(struct vv_temp *t, const char *final, mode_t mode, struct vv_err *err)
{
	int ret;

	if (fchmod(t->fd, mode))
		return vv_fail_sys(err, errno, "%s: chmod", t->path);
	ret = sync_close(t, true, err);
	if (ret)
		return ret;
	if (link(t->path, final)) {
		struct stat a, b;
		/* On NFS the reply to a link that worked may be lost. */
		bool made = !stat(t->path, &a) && !stat(final, &b) && a.st_ino == b.st_ino;
		if (!made && errno == EEXIST)
			return vv_fail(err, VV_EEXISTS, "%s: exists", final);
		if (!made && (errno == EPERM || errno == ENOTSUP || errno == EMLINK)) {
			/* A file system without hard links. Names of packs are hashes: a race replaces equals. */
			if (rename(t->path, final))
				return vv_fail_sys(err, errno, "%s", final);
			free(t->path);
			t->path = NULL;
			return vv_sync_dir(t->dir, err);
		}
		if (!made)
			return vv_fail_sys(err, errno, "%s", final);
	}
	ret = vv_sync_dir(t->dir, err);
	if (ret)
		return ret;
	if (unlink(t->path))
		return vv_fail_sys(err, errno, "%s", t->path);
	free(t->path);
	t->path = NULL;
	return 0;
}

int vv_temp_publish(struct vv_temp *t, const char *final, bool durable, struct vv_err *err)
{
	int ret = sync_close(t, durable, err);

	if (ret)
		return ret;
	if (rename(t->path, final))
		return vv_fail_sys(err, errno, "%s", final);
	free(t->path);
	t->path = NULL;
	return durable ? vv_sync_dir(t->dir, err) : 0;
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int vv_write_file(const char *path, struct vv_span data, bool durable, struct vv_err *err)
{
	struct vv_temp t = VV_TEMP_INIT;
	char *dir = dir_of(path);
	int ret;

	if (!dir)
		return vv_fail_nomem(err);
	ret = vv_temp_open(&t, dir, err);
	if (!ret)
		ret = vv_write_fd(t.fd, data, path, err);
	if (!ret)
		ret = vv_temp_publish(&t, path, durable, err);
	vv_temp_release(&t);
	free(dir);
	return ret;
}

int vv_mkdirs(const char *path, struct vv_err *err)
{
	struct stat st;
	char *parent;
	int ret;

	if (!stat(path, &st))
		return S_ISDIR(st.st_mode) ? 0 : vv_fail(err, VV_EIO, "%s: is not a folder", path);
	parent = dir_of(path);
	if (!parent)
		return vv_fail_nomem(err);
	ret = strcmp(parent, path) ? vv_mkdirs(parent, err) : 0;
	if (!ret && mkdir(path, 0777) && errno != EEXIST)
		ret = vv_fail_sys(err, errno, "%s", path);
	if (!ret)
		ret = vv_sync_dir(parent, err);
	free(parent);
	return ret;
}

int vv_rename(const char *from, const char *to, struct vv_err *err)
{
	return rename(from, to) ? vv_fail_sys(err, errno, "rename %s to %s", from, to) : 0;
}

int vv_unlink(const char *path, struct vv_err *err)
{
	return unlink(path) ? vv_fail_sys(err, errno, "%s", path) : 0;
}

bool vv_exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int vv_each_name(
	const char *dir, int (*fn)(void *arg, const char *name, struct vv_err *err), void *arg, struct vv_err *err)
{
	DIR *d = opendir(dir);
	char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *e;
	int ret = 0;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return vv_fail_sys(err, errno, "%s", dir);
	while (errno = 0, (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (n == cap) {
			size_t more = cap ? cap * 2 : 32;
			char **p = realloc(names, more * sizeof(*p));
			if (!p) {
				ret = vv_fail_nomem(err);
				goto out;
			}
			names = p;
			cap = more;
		}
		names[n] = strdup(e->d_name);
		if (!names[n]) {
			ret = vv_fail_nomem(err);
			goto out;
		}
		n++;
	}
	if (errno) {
		ret = vv_fail_sys(err, errno, "%s", dir);
		goto out;
	}
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n && !ret; i++)
		ret = fn(arg, names[i], err);
out:
	closedir(d);
	while (n)
		free(names[--n]);
	free(names);
	return ret;
}

int vv_map_range(struct vv_map_file *m, int fd, uint64_t off, size_t len, const char *what, struct vv_err *err)
{
	size_t slack = (size_t)(off & (uint64_t)(sysconf(_SC_PAGESIZE) - 1));
	uint8_t *p;

	if (!len) {
		*m = (struct vv_map_file){0};
		return 0;
	}
	p = mmap(NULL, len + slack, PROT_READ, MAP_PRIVATE, fd, (off_t)(off - slack));
	if (p == MAP_FAILED)
		return vv_fail_sys(err, errno, "%s: mmap", what);
	*m = (struct vv_map_file){p + slack, len};
	return 0;
}

void vv_unmap(struct vv_map_file *m, uint64_t off)
{
	size_t slack = (size_t)(off & (uint64_t)(sysconf(_SC_PAGESIZE) - 1));

	if (m->ptr)
		munmap((void *)(uintptr_t)(m->ptr - slack), m->len + slack);
	*m = (struct vv_map_file){0};
}

int vv_lock(struct vv_lock *l, const char *path, unsigned flags, struct vv_err *err)
{
	int op = flags & VV_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 && (errno == EACCES || errno == EROFS) && !(flags & VV_LOCK_EXCLUSIVE))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return vv_fail_sys(err, errno, "%s", path);
	while (flock(fd, flags & VV_LOCK_NOWAIT ? op | LOCK_NB : op)) {
		int sys = errno;
		if (sys == EINTR)
			continue;
		close(fd);
		if (sys == EWOULDBLOCK)
			return vv_fail(err, VV_ELOCKED, "%s: another varve holds this lock", path);
		return vv_fail_sys(err, sys, "%s: lock", path);
	}
	l->fd = fd;
	return 0;
}

void vv_unlock(struct vv_lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
