#define _GNU_SOURCE
#include "cli/diffwhole.h"

#include "cli/shelf.h"
#include "cli/whole.h"

#include <stdlib.h>

/* Unchanged indexes that are asked whether a changed file is theirs. */
enum { MAX_ASKED = 64 };

struct finder {
	struct vv_ctx *ctx;
	const char *rev_a, *rev_b; /* as for vv_named_at */
	const struct vv_changes *all;
	bool *taken;
	int (*compare)(void *arg, const struct vv_named *a, const struct vv_named *b);
	void *arg;
};

/* A side that has no such model gets the other's name. */
static int compare(const struct finder *f, struct vv_named *a, struct vv_named *b)
{
	struct vv_named *none = a->manifest ? b : a, *other = a->manifest ? a : b;

	if (!none->path && !(none->path = strdup(other->path)))
		return vv_fail_nomem(&f->ctx->err);
	return a->manifest || b->manifest ? f->compare(f->arg, a, b) : 0;
}

/* --- shards --- */

static bool same_model(const struct vv_change *a, const struct vv_change *b)
{
	return a->status != 'U' && b->status != 'U' && vv_shard_of_same(a->path_b, b->path_b);
}

/* One side of the changed shards that changes[first] is one of. */
static int shards(const struct finder *f, size_t first, bool b, struct vv_named *out)
{
	struct vv_ctx *ctx = f->ctx;
	const struct vv_changes *all = f->all;
	struct vv_named *files = calloc(all->n - first, sizeof(*files));
	size_t n = 0;
	int ret = files ? 0 : vv_fail_nomem(&ctx->err);

	for (size_t i = first; i < all->n && !ret; i++) {
		const struct vv_change *c = &all->v[i];
		const char *oid = b ? c->oid_b : c->oid_a, *path = b ? c->path_b : c->path_a;

		if (!same_model(&all->v[first], c) || c->status == (b ? 'D' : 'A'))
			continue;
		/* No name of a blob yet: it is the worktree's. */
		ret = vv_oid_is_zero(oid) ? vv_named_at(ctx, NULL, path, &files[n++])
			: vv_named_blob(ctx, oid, path, &files[n++]);
	}
	if (!ret && n)
		return vv_whole_make(ctx, files, n, out);
	vv_whole_drop(files, n);
	return ret;
}

/* Tensors may have moved between shards. */
static int compare_shards(const struct finder *f, size_t first)
{
	struct vv_named a = {0}, b = {0};
	int ret = shards(f, first, false, &a);

	if (!ret)
		ret = shards(f, first, true, &b);
	if (!ret)
		ret = compare(f, &a, &b);
	vv_named_release(&a);
	vv_named_release(&b);
	return ret;
}

static int all_shards(const struct finder *f)
{
	int ret = 0;

	for (size_t i = 0; i < f->all->n && !ret; i++) {
		bool mates = false;

		if (f->taken[i] || !same_model(&f->all->v[i], &f->all->v[i]))
			continue;
		for (size_t k = i + 1; k < f->all->n; k++)
			if (!f->taken[k] && same_model(&f->all->v[i], &f->all->v[k]))
				mates = f->taken[k] = true;
		f->taken[i] = mates;
		if (mates)
			ret = compare_shards(f, i);
	}
	return ret;
}

/* --- indexes --- */

/* Names that tools give to files that tell of tensors in others. Whether they do, their bytes say. */
static bool like_index(const char *path)
{
	static const char *const ends[] = {".index", ".index.json", ".onnx", ".metadata"};
	size_t len = strlen(path);

	for (size_t i = 0; i < VV_COUNT(ends); i++) {
		size_t n = strlen(ends[i]);
		if (len >= n && !strcmp(path + len - n, ends[i]))
			return true;
	}
	return false;
}

/* The model at `path` on one side, in all its files; empty when there is none, or it is one file. */
static int open_side(const struct finder *f, const char *rev, const char *path, bool read, struct vv_named *out)
{
	struct vv_ctx *ctx = f->ctx;
	int ret = vv_named_at(ctx, rev, path, out);

	if (!ret && vv_names_others(out->manifest))
		ret = vv_whole_find(ctx, out, read);
	if (ret == VV_ENOMEM)
		return ret;
	if (ret)
		vv_err_clear(&ctx->err);
	if (ret || !out->whole)
		vv_named_release(out);
	return 0;
}

/* Takes the changes of the files of this model; false when there are none. */
static bool take(const struct finder *f, const struct vv_named *model)
{
	bool any = false;

	for (size_t k = 0; model->whole && k < model->whole->n; k++)
		for (size_t i = 0; i < f->all->n; i++)
			if (!strcmp(f->all->v[i].path_b, model->whole->files[k].path) ||
				!strcmp(f->all->v[i].path_a, model->whole->files[k].path))
				any = f->taken[i] = true;
	return any;
}

static int compare_index(const struct finder *f, const char *path_a, const char *path_b)
{
	struct vv_named a = {0}, b = {0};
	bool any;
	int ret = open_side(f, f->rev_a, path_a, true, &a);

	if (!ret)
		ret = open_side(f, f->rev_b, path_b, true, &b);
	any = take(f, &a);
	if (!ret && (take(f, &b) || any))
		ret = compare(f, &a, &b);
	vv_named_release(&a);
	vv_named_release(&b);
	return ret;
}

static bool beside_change(const struct finder *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash ? (size_t)(slash + 1 - path) : 0;

	for (size_t i = 0; i < f->all->n; i++)
		if (!f->taken[i] && !strncmp(f->all->v[i].path_b, path, dir) && strcmp(f->all->v[i].path_b, path) &&
			!like_index(f->all->v[i].path_b))
			return true;
	return false;
}

/* Weights may change where what tells of them does not. */
static int unchanged_indexes(const struct finder *f)
{
	static const char *const globs[] = {"*.index", "*.index.json", "*.onnx", "*.metadata", NULL};
	struct vv_entries all = {0};
	struct vv_named model = {0};
	size_t asked = 0;
	int ret = vv_tracked(&f->ctx->repo, globs, &all, &f->ctx->err);

	for (size_t i = 0; i < all.n && !ret && asked < MAX_ASKED; i++) {
		const char *path = all.v[i].path;

		if (!like_index(path) || !beside_change(f, path))
			continue;
		asked++;
		ret = open_side(f, f->rev_b, path, false, &model);
		if (!ret && take(f, &model))
			ret = compare_index(f, path, path);
		vv_named_release(&model);
	}
	vv_entries_release(&all);
	return ret;
}

int vv_diffwhole(struct vv_ctx *ctx, const struct vv_sides *s, const struct vv_changes *all, bool *taken,
	int (*compare_fn)(void *arg, const struct vv_named *a, const struct vv_named *b), void *arg)
{
	/* Without revisions: the index and the worktree. With --cached: a revision and the index. */
	struct finder f = {ctx, s->a ? s->a : "", s->index ? "" : s->b, all, taken, compare_fn, arg};
	bool other = false;
	int ret = 0;

	for (size_t i = 0; i < all->n && !ret; i++) {
		const struct vv_change *c = &all->v[i];

		if (c->status != 'U' && !taken[i] && like_index(c->path_b))
			ret = compare_index(&f, c->path_a, c->path_b);
		else
			other |= !like_index(c->path_b);
	}
	if (!ret && other && ctx->repo.top)
		ret = unchanged_indexes(&f);
	return ret ? ret : all_shards(&f);
}
