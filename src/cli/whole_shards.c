/* The shards beside one. */
#define _GNU_SOURCE
#include "cli/whole.h"

#include <dirent.h>
#include <stdlib.h>

struct siblings {
	const char *path; /* the one that was named */
	char **v;
	size_t n, cap;
};

static int add(struct siblings *s, const char *path, struct vv_err *err)
{
	char **v = s->v;

	if (!vv_shard_of_same(path, s->path))
		return 0;
	if (s->n == s->cap) {
		v = realloc(v, (s->cap + 64) * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		s->v = v;
		s->cap += 64;
	}
	v[s->n] = strdup(path);
	return v[s->n] ? (s->n++, 0) : vv_fail_nomem(err);
}

/* "a/b/" of "a/b/c"; owned by the caller. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup("");
}

static int list_git(struct vv_ctx *ctx, const char *rev, const char *dir, struct siblings *s)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	const char *const tree[] = {"ls-tree", "-z", "--name-only", "--full-tree", rev, dir[0] ? "--" : NULL, dir, NULL};
	const char *const index[] = {"ls-files", "-z", "--full-name", dir[0] ? "--" : NULL, dir, NULL};
	int ret = vv_git(&ctx->repo, &out, &ctx->err, rev[0] ? tree : index);

	for (size_t at = 0; at < out.len && !ret; at += strlen((char *)out.ptr + at) + 1)
		ret = add(s, (char *)out.ptr + at, &ctx->err);
	vv_buf_release(&out);
	return ret;
}

static int list_folder(struct vv_ctx *ctx, const struct vv_named *n, const char *dir, struct siblings *s)
{
	char *full = n->outside ? strdup(dir[0] ? dir : ".") : vv_repo_path(&ctx->repo, dir), *path = NULL;
	DIR *d = full ? opendir(full) : NULL;
	int ret = full ? 0 : vv_fail_nomem(&ctx->err);

	for (const struct dirent *e; d && !ret && (e = readdir(d));) {
		ret = asprintf(&path, "%s%s", dir, e->d_name) < 0 ? vv_fail_nomem(&ctx->err) : add(s, path, &ctx->err);
		free(path);
	}
	if (d)
		closedir(d);
	free(full);
	return ret;
}

static unsigned long number_of(const char *path)
{
	const char *rest;
	unsigned long n = 0;

	vv_shard_stem(path, &rest, &n);
	return n;
}

static int by_number(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	unsigned long m = number_of(x), n = number_of(y);

	return m < n ? -1 : m > n ? 1 : strcmp(x, y);
}

/* How many there should be: the number before what follows it. */
static unsigned long count_of(const char *path)
{
	const char *rest;

	vv_shard_stem(path, &rest, NULL);
	while (rest > path && rest[-1] >= '0' && rest[-1] <= '9')
		rest--;
	return strtoul(rest, NULL, 10);
}

/* Opens the shards where `n` was, and puts the model that they are in its place. */
static int replace(struct vv_ctx *ctx, struct vv_named *n, const struct siblings *s)
{
	struct vv_named *files = calloc(s->n, sizeof(*files)), whole;
	int ret = files ? 0 : vv_fail_nomem(&ctx->err);

	for (size_t i = 0; i < s->n && !ret; i++)
		ret = n->outside ? vv_named_open(ctx, s->v[i], &files[i]) : vv_named_at(ctx, n->rev, s->v[i], &files[i]);
	if (ret) {
		vv_whole_drop(files, s->n);
		return ret;
	}
	ret = vv_whole_make(ctx, files, s->n, &whole);
	if (!ret) {
		vv_named_release(n);
		*n = whole;
	}
	return ret;
}

int vv_whole_shards(struct vv_ctx *ctx, struct vv_named *n)
{
	struct siblings s = {.path = n->path};
	unsigned long count;
	const char *rest;
	size_t have = 0;
	char *dir;
	int ret;

	if (!vv_shard_stem(n->path, &rest, NULL))
		return 0;
	dir = folder_of(n->path);
	if (!dir)
		return vv_fail_nomem(&ctx->err);
	ret = n->rev ? list_git(ctx, n->rev, dir, &s) : list_folder(ctx, n, dir, &s);
	count = count_of(n->path);
	/* What another split of the same model left beside it is another model. */
	for (size_t i = 0; i < s.n; i++) {
		if (count_of(s.v[i]) == count)
			s.v[have++] = s.v[i];
		else
			free(s.v[i]);
	}
	s.n = have;
	if (!ret && s.n > 1) {
		qsort(s.v, s.n, sizeof(*s.v), by_number);
		ret = replace(ctx, n, &s);
	}
	if (!ret && have < count)
		vv_warn("%s: %zu of the model's %lu files are here", n->path, have, count);
	for (size_t i = 0; i < s.n; i++)
		free(s.v[i]);
	free(s.v);
	free(dir);
	return ret;
}
