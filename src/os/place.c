#define _GNU_SOURCE
#include "os/place.h"

#include "base/quote.h"
#include "os/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Code points that HFS+ ignores in names. */
static bool ignored(uint32_t c)
{
	return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x206a && c <= 0x206f) ||
		c == 0xfeff;
}

bool vv_is_dotgit(const char *name, size_t len)
{
	char s[8];
	size_t n = 0;
	struct vv_span in = vv_span(name, len);

	while (in.len) {
		uint32_t c = 0;
		size_t k = vv_utf8(in, &c);
		if (!k) {
			k = 1;
			c = 0xfffd;
		}
		if (c == ':')
			break; /* an NTFS stream */
		if (!ignored(c)) {
			if (n + 1 >= sizeof(s) && c != '.' && c != ' ')
				return false;
			if (n + 1 < sizeof(s))
				s[n++] = c < 0x80 ? (char)c : '?';
		}
		in.ptr += k;
		in.len -= k;
	}
	while (n && (s[n - 1] == '.' || s[n - 1] == ' '))
		n--;
	s[n] = 0;
	return !strcasecmp(s, ".git") || !strcasecmp(s, "git~1");
}

int vv_place_open(struct vv_place *p, int root, const char *path, struct vv_err *err)
{
	int dir = fcntl(root, F_DUPFD_CLOEXEC, 0), ret;
	const char *part = path;

	if (dir < 0)
		return vv_fail_sys(err, errno, "%s", path);
	for (;;) {
		size_t len = strcspn(part, "/");
		char name[256];
		int next;

		if (!len || len > 255 || (len == 1 && part[0] == '.') || (len == 2 && !memcmp(part, "..", 2)) ||
			vv_is_dotgit(part, len)) {
			ret = vv_fail(err, VV_EUNSAFE, "%s: not a path that varve will write to", path);
			break;
		}
		if (!part[len]) {
			*p = (struct vv_place){dir, part};
			return 0;
		}
		memcpy(name, part, len);
		name[len] = 0;
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			struct stat st;
			/* A symbolic link to a folder answers ENOTDIR; to anything, ELOOP. */
			if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode))
				ret = vv_fail(err, VV_EUNSAFE, "%s: a folder on the way is a symbolic link", path);
			else
				ret = vv_fail_sys(err, errno, "%s", path);
			break;
		}
		close(dir);
		dir = next;
		part += len + 1;
	}
	close(dir);
	return ret;
}

void vv_place_release(struct vv_place *p)
{
	if (p->dirfd >= 0 && p->name)
		close(p->dirfd);
	*p = (struct vv_place)VV_PLACE_INIT;
}

static const char prefix[] = ".varve-tmp-";

/* May a file be renamed from one of these folders to the other? */
static bool same_mount(int a, int b)
{
	struct stat x, y;
#ifdef STATX_MNT_ID
	struct statx p = {0}, q = {0};

	if (!statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &p) && !statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &q) &&
		p.stx_mask & q.stx_mask & STATX_MNT_ID && p.stx_mnt_id != q.stx_mnt_id)
		return false;
#endif
	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev;
}

bool vv_is_draft(const char *name)
{
	return !strncmp(name, prefix, sizeof(prefix) - 1);
}

/* Without a folder of our own it goes beside the place: that is never wrong, only seen. */
int vv_drafts_open(const char *elsewhere, int to)
{
	int dir = -1;

	if (elsewhere && (!mkdir(elsewhere, 0777) || errno == EEXIST))
		dir = open(elsewhere, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && same_mount(dir, to))
		return dir;
	if (dir >= 0)
		close(dir);
	return fcntl(to, F_DUPFD_CLOEXEC, 0);
}

/* Makes the file in d->dirfd. */
static int make_draft(struct vv_draft *d, const char *path, struct vv_err *err)
{
	struct stat st;

	for (int i = 0; i < 100 && d->dirfd >= 0; i++) {
		snprintf(d->name, sizeof(d->name), "%s%016" PRIx64, prefix, vv_random64());
		d->fd = openat(d->dirfd, d->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (d->fd < 0 && errno == EEXIST)
			continue;
		if (d->fd < 0)
			break;
		/* The lock tells a sweep that we live; one that came first removes the file, or has done so. */
		if ((!flock(d->fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK) && !fstat(d->fd, &st) && st.st_nlink)
			return 0;
		close(d->fd);
		d->fd = -1;
	}
	(void)vv_fail_sys(err, errno, "cannot make a temporary file for %s", path);
	d->name[0] = 0;
	vv_draft_release(d);
	return err->code;
}

int vv_draft_open(struct vv_draft *d, const struct vv_place *p, const char *elsewhere, struct vv_err *err)
{
	*d = (struct vv_draft){-1, vv_drafts_open(elsewhere, p->dirfd), ""};
	return make_draft(d, p->name, err);
}

int vv_draft_open_at(struct vv_draft *d, int dirfd, const char *path, struct vv_err *err)
{
	*d = (struct vv_draft){-1, fcntl(dirfd, F_DUPFD_CLOEXEC, 0), ""};
	return make_draft(d, path, err);
}

static int dress(struct vv_draft *d, const struct vv_place *p, mode_t mode, unsigned age_s, struct vv_err *err)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	if (fchmod(d->fd, mode))
		return vv_fail_sys(err, errno, "%s: chmod", p->name);
	if (futimens(d->fd, times))
		return vv_fail_sys(err, errno, "%s: utime", p->name);
	return 0;
}

/* Did somebody write the file while we wrote ours? Theirs stays. */
static bool changed(const struct vv_place *p, const struct stat *expected)
{
	struct stat now;

	return fstatat(p->dirfd, p->name, &now, AT_SYMLINK_NOFOLLOW) || now.st_ino != expected->st_ino ||
		now.st_size != expected->st_size || now.st_mtim.tv_sec != expected->st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != expected->st_mtim.tv_nsec;
}

int vv_draft_publish(struct vv_draft *d, const struct vv_place *p, mode_t mode, unsigned age_s,
	const struct stat *expected, struct stat *st, struct vv_err *err)
{
	if (dress(d, p, mode, age_s, err))
		return err->code;
	/* git's index and ours will say that this file is right, by its stat data alone. */
	if (fsync(d->fd))
		return vv_fail_sys(err, errno, "%s: fsync", p->name);
	if (expected && changed(p, expected))
		return vv_fail(err, VV_ECHANGED, "was changed meanwhile; left alone");
	if (renameat(d->dirfd, d->name, p->dirfd, p->name))
		return vv_fail_sys(err, errno, "%s", p->name);
	d->name[0] = 0;
	if (fstatat(p->dirfd, p->name, st, AT_SYMLINK_NOFOLLOW))
		return vv_fail_sys(err, errno, "%s", p->name);
	return 0;
}

/* Gives it its name where nothing has that. */
static int rename_new(struct vv_draft *d, const struct vv_place *p)
{
	if (!renameat2(d->dirfd, d->name, p->dirfd, p->name, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that cannot do it at once. */
	return linkat(d->dirfd, d->name, p->dirfd, p->name, 0) || unlinkat(d->dirfd, d->name, 0) ? -1 : 0;
}

int vv_draft_place(struct vv_draft *d, const struct vv_place *p, mode_t mode, unsigned age_s,
	const struct stat *expected, struct stat *st, struct vv_err *err)
{
	if (dress(d, p, mode, age_s, err))
		return err->code;
	if (expected && changed(p, expected))
		return vv_fail(err, VV_ECHANGED, "was changed meanwhile; left alone");
	if (expected ? renameat(d->dirfd, d->name, p->dirfd, p->name) : rename_new(d, p))
		return errno == EEXIST ? vv_fail(err, VV_EEXISTS, "something is there already")
				       : vv_fail_sys(err, errno, "%s", p->name);
	d->name[0] = 0;
	if (fstatat(p->dirfd, p->name, st, AT_SYMLINK_NOFOLLOW))
		return vv_fail_sys(err, errno, "%s", p->name);
	return 0;
}

void vv_draft_release(struct vv_draft *d)
{
	if (d->name[0])
		unlinkat(d->dirfd, d->name, 0);
	if (d->fd >= 0)
		close(d->fd);
	if (d->dirfd >= 0)
		close(d->dirfd);
	*d = (struct vv_draft)VV_DRAFT_INIT;
}

void vv_drafts_sweep(int dirfd)
{
	int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	DIR *d = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *e;
	struct stat st;

	if (!d && dir >= 0)
		close(dir);
	while (d && (e = readdir(d))) {
		if (!vv_is_draft(e->d_name))
			continue;
		fd = openat(dirfd, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd, e->d_name, 0);
		close(fd);
	}
	if (d)
		closedir(d);
}
