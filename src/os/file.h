/*
 * Files. Every call retries EINTR and short counts, and reports the path. All writing varve does to
 * its own store goes through here: the fault tests fail and kill these calls one by one from outside.
 */
#ifndef VV_OS_FILE_H
#define VV_OS_FILE_H

#include "base/buf.h"
#include "base/source.h"

#include <sys/stat.h>

/* A file read at offsets, from any thread. */
struct vv_file {
	struct vv_source base;
	int fd;
	struct stat st; /* at open */
};

/* Opens a regular file for reading (O_NOFOLLOW, never blocks on a FIFO). */
VV_MUST_CHECK int vv_file_open(struct vv_file *f, const char *path, struct vv_err *err);
void vv_file_close(struct vv_file *f);
/* VV_ECHANGED when size, times or inode are no longer those of the open. */
VV_MUST_CHECK int vv_file_unchanged(const struct vv_file *f, const char *path, struct vv_err *err);

/* The whole of a small file; VV_ELIMIT past out->max. Follows links. */
VV_MUST_CHECK int vv_read_file(struct vv_buf *out, const char *path, struct vv_err *err);
VV_MUST_CHECK int vv_read_fd(struct vv_buf *out, int fd, const char *what, struct vv_err *err);
VV_MUST_CHECK int vv_write_fd(int fd, struct vv_span data, const char *what, struct vv_err *err);
/* Asks the system to begin writing this part to the disk, so that a later fsync has less to wait for. */
void vv_write_behind(int fd, uint64_t off, uint64_t len);
VV_MUST_CHECK int vv_pwrite_fd(int fd, struct vv_span data, uint64_t off, const char *what, struct vv_err *err);

/*
 * A file being made: a temporary in `dir` with O_EXCL, mode 0666 less umask. It becomes `final` by
 * one of the two publish calls, or disappears in vv_temp_release.
 */
struct vv_temp {
	int fd;
	char *path, *dir;
};
#define VV_TEMP_INIT {-1, NULL, NULL}
VV_MUST_CHECK int vv_temp_open(struct vv_temp *t, const char *dir, struct vv_err *err);
/* One without a name, for our eyes only: it is gone when we are, however we end. `path` is NULL. */
VV_MUST_CHECK int vv_temp_open_private(struct vv_temp *t, const char *dir, struct vv_err *err);
/* Reads what was written to one. */
VV_MUST_CHECK int vv_file_open_temp(struct vv_file *f, const struct vv_temp *t, struct vv_err *err);
/* fsync, close, link to `final` in the same folder (never replaces: VV_EEXISTS), unlink, fsync the folder. */
VV_MUST_CHECK int vv_temp_publish_new(struct vv_temp *t, const char *final, mode_t mode, struct vv_err *err);
/* As above, but replaces. `durable` false: no fsync (caches; worktree files). */
VV_MUST_CHECK int vv_temp_publish(struct vv_temp *t, const char *final, bool durable, struct vv_err *err);
/* Safe to call twice and after a publish. */
void vv_temp_release(struct vv_temp *t);

VV_MUST_CHECK int vv_write_file(const char *path, struct vv_span data, bool durable, struct vv_err *err);
VV_MUST_CHECK int vv_sync_dir(const char *dir, struct vv_err *err);
/* Makes `path` and missing parents, each made durable in its parent. */
VV_MUST_CHECK int vv_mkdirs(const char *path, struct vv_err *err);
VV_MUST_CHECK int vv_rename(const char *from, const char *to, struct vv_err *err);
VV_MUST_CHECK int vv_unlink(const char *path, struct vv_err *err);
bool vv_exists(const char *path);

/* Calls fn for each name but . and .., in byte order. A missing folder has none. */
VV_MUST_CHECK int vv_each_name(
	const char *dir, int (*fn)(void *arg, const char *name, struct vv_err *err), void *arg, struct vv_err *err);

/* A read-only mapping of a whole file. */
struct vv_map_file {
	const uint8_t *ptr;
	size_t len;
};
VV_MUST_CHECK int vv_map_range(
	struct vv_map_file *m, int fd, uint64_t off, size_t len, const char *what, struct vv_err *err);
void vv_unmap(struct vv_map_file *m, uint64_t off);

/* An advisory lock on `path`, made when missing; freed by close and by death. */
struct vv_lock {
	int fd;
};
#define VV_LOCK_INIT {-1}
enum vv_lock_flags { VV_LOCK_SHARED = 0, VV_LOCK_EXCLUSIVE = 1, VV_LOCK_NOWAIT = 2 };
/* VV_ELOCKED when it is held and VV_LOCK_NOWAIT is set. */
VV_MUST_CHECK int vv_lock(struct vv_lock *l, const char *path, unsigned flags, struct vv_err *err);
void vv_unlock(struct vv_lock *l);

/* "<a>/<b>"; owned by the caller; NULL when memory is gone. */
char *vv_join(const char *a, const char *b);

#endif
