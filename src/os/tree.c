#define _GNU_SOURCE
#include "os/tree.h"

#include "os/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_PATH = 4096 };

struct listing {
	struct vv_tree *t;
	const char *const *skip, *const *refused;
	size_t max;
	char path[MAX_PATH + 256 + 2]; /* of the folder that is read, with a slash at its end */
	struct vv_err *err;
};

static uint64_t ns(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct vv_tree_stat vv_tree_stat_of(const struct stat *st)
{
	return (struct vv_tree_stat){(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size, ns(st->st_mtim),
		ns(st->st_ctim)};
}

bool vv_tree_stat_eq(const struct vv_tree_stat *a, const struct vv_tree_stat *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
		a->ctime_ns == b->ctime_ns;
}

static int add(struct listing *l, const struct stat *st)
{
	struct vv_tree *t = l->t;

	if (t->n == l->max)
		return vv_fail(l->err, VV_ELIMIT, "more than %zu files", l->max);
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 256;
		struct vv_tree_file *v = realloc(t->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(l->err);
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n] = (struct vv_tree_file){vv_arena_copy(&t->arena, vv_span_str(l->path)), vv_tree_stat_of(st),
		(st->st_mode & 0100) != 0};
	return t->v[t->n++].path ? 0 : vv_fail_nomem(l->err);
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

static const char *kind(mode_t m)
{
	return S_ISLNK(m) ? "a symbolic link" : S_ISFIFO(m) ? "a named pipe" : S_ISSOCK(m) ? "a socket" : "a device";
}

static int list(struct listing *l, int dir, unsigned depth);

static int one_name(struct listing *l, int dir, size_t at, const char *name, unsigned depth)
{
	size_t n = strlen(name);
	struct stat st;
	int sub;

	memcpy(l->path + at, name, n + 1);
	if (at + n > MAX_PATH)
		return vv_fail(l->err, VV_ELIMIT, "%.64s…: a path of more than %d bytes", l->path, MAX_PATH);
	if (vv_is_dotgit(name, n))
		return vv_fail(l->err, VV_ENOTSUP, "%s: a git repository inside", l->path);
	if (is_one_of(name, l->refused))
		return vv_fail(l->err, VV_ENOTSUP, "%s: not a name that varve keeps in a directory", l->path);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : vv_fail_sys(l->err, errno, "%s", l->path);
	if (S_ISREG(st.st_mode))
		return add(l, &st);
	if (!S_ISDIR(st.st_mode))
		return vv_fail(l->err, VV_ENOTSUP, "%s: %s, which varve does not keep", l->path, kind(st.st_mode));
	if (depth == VV_TREE_DEPTH)
		return vv_fail(l->err, VV_ELIMIT, "%.64s…: more than %d folders deep", l->path, VV_TREE_DEPTH);
	sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return vv_fail_sys(l->err, errno, "%s", l->path);
	return list(l, sub, depth + 1);
}

/* Reads the open folder and closes it. */
static int list(struct listing *l, int dir, unsigned depth)
{
	size_t at = strlen(l->path);
	DIR *d = fdopendir(dir);
	struct dirent *e;
	int ret = 0;

	if (!d) {
		ret = vv_fail_sys(l->err, errno, "%s", l->path);
		close(dir);
		return ret;
	}
	if (depth) {
		l->path[at++] = '/';
		l->path[at] = 0;
	}
	while (!ret && (errno = 0, e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || vv_is_draft(e->d_name))
			continue;
		if (depth || !is_one_of(e->d_name, l->skip))
			ret = one_name(l, dirfd(d), at, e->d_name, depth);
	}
	if (!ret && errno)
		ret = vv_fail_sys(l->err, errno, "%s", l->path);
	closedir(d);
	l->path[depth ? at - 1 : at] = 0;
	return ret;
}

int vv_tree_by_path(const void *a, const void *b)
{
	return strcmp(((const struct vv_tree_file *)a)->path, ((const struct vv_tree_file *)b)->path);
}

int vv_tree_list(struct vv_tree *t, int root, const char *const *skip, const char *const *refused, size_t max,
	struct vv_err *err)
{
	struct listing l = {.t = t, .skip = skip, .refused = refused, .max = max, .err = err};
	int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	*t = (struct vv_tree){0};
	ret = dir < 0 ? vv_fail_sys(err, errno, "cannot open the folder") : list(&l, dir, 0);
	if (ret)
		vv_tree_release(t);
	else if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), vv_tree_by_path);
	return ret;
}

void vv_tree_release(struct vv_tree *t)
{
	vv_arena_release(&t->arena);
	free(t->v);
	*t = (struct vv_tree){0};
}

static int changed(const char *path, struct vv_err *err)
{
	return vv_fail(err, VV_ECHANGED, "%s changed while it was read; try again when it is complete", path);
}

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_tree_source *s = (const struct vv_tree_source *)self;
	uint8_t *p = dst;

	while (len) {
		ssize_t n = pread(s->fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", s->path);
		if (!n)
			return changed(s->path, err);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int vv_tree_open(struct vv_tree_source *s, int root, const struct vv_tree_file *f, struct vv_err *err)
{
	struct vv_place place = VV_PLACE_INIT;
	int ret = vv_place_open(&place, root, f->path, err);

	*s = (struct vv_tree_source){.base = {f->st.size, read_at}, .fd = -1, .st = f->st, .path = f->path};
	if (ret)
		return ret;
	s->fd = openat(place.dirfd, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0)
		ret = errno == ENOENT || errno == ELOOP ? changed(f->path, err) : vv_fail_sys(err, errno, "%s", f->path);
	if (!ret)
		ret = vv_tree_unchanged(s, err);
	vv_place_release(&place);
	if (ret)
		vv_tree_close(s);
	return ret;
}

int vv_tree_unchanged(const struct vv_tree_source *s, struct vv_err *err)
{
	struct vv_tree_stat now;
	struct stat st;

	if (fstat(s->fd, &st))
		return vv_fail_sys(err, errno, "%s", s->path);
	now = vv_tree_stat_of(&st);
	return vv_tree_stat_eq(&now, &s->st) ? 0 : changed(s->path, err);
}

void vv_tree_close(struct vv_tree_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
