#define _GNU_SOURCE
#include "cli/whole.h"

#include <stdlib.h>

void vv_whole_drop(struct vv_named *files, size_t n)
{
	for (size_t i = 0; files && i < n; i++)
		vv_named_release(&files[i]);
	free(files);
}

int vv_whole_find(struct vv_ctx *ctx, struct vv_named *n, bool compare)
{
	/* ":2:path" is one file of a conflict. */
	if (n->whole || (n->rev && n->rev[0] == ':'))
		return 0;
	return n->manifest && vv_names_others(n->manifest) ? vv_whole_index(ctx, n, compare) : vv_whole_shards(ctx, n);
}

/* "a/model-*-of-00005.safetensors"; owned by the caller. */
static char *whole_path(const char *path)
{
	const char *rest;
	size_t stem = vv_shard_stem(path, &rest, NULL);
	char *text = NULL;

	return asprintf(&text, "%.*s*%s", (int)stem, path, path + stem + strspn(path + stem, "0123456789")) < 0 ? NULL : text;
}

static int open_bytes(struct vv_ctx *ctx, struct vv_whole *w)
{
	int ret = 0;

	if (w->bytes)
		return 0;
	w->bytes = calloc(w->n, sizeof(*w->bytes));
	if (!w->bytes)
		return vv_fail_nomem(&ctx->err);
	for (size_t i = 0; i < w->n && !ret; i++)
		ret = vv_bytes_open(ctx, &w->files[i], &w->bytes[i]);
	if (ret) {
		free(w->bytes);
		w->bytes = NULL;
	}
	return ret;
}

/* Makes an empty whole of the files, which it takes in any case; `path` is taken too. */
static int take(struct vv_ctx *ctx, struct vv_named *files, size_t n, char *path, struct vv_named *out)
{
	struct vv_whole *w = calloc(1, sizeof(*w));

	*out = (struct vv_named){.path = path, .rev = files[0].rev ? strdup(files[0].rev) : NULL,
		.outside = files[0].outside, .whole = w};
	if (!w) {
		vv_whole_drop(files, n);
		return vv_fail_nomem(&ctx->err);
	}
	w->files = files;
	w->n = n;
	out->manifest = &w->group.m;
	return path && (!files[0].rev || out->rev) ? 0 : vv_fail_nomem(&ctx->err);
}

/* What is known of each file; owned by the caller. NULL when memory is gone. */
static struct vv_version *versions(const struct vv_whole *w)
{
	struct vv_version *v = calloc(w->n, sizeof(*v));

	for (size_t i = 0; v && i < w->n; i++)
		v[i] = w->bytes ? w->bytes[i].version : (struct vv_version){w->files[i].manifest, NULL};
	return v;
}

int vv_whole_make(struct vv_ctx *ctx, struct vv_named *files, size_t n, struct vv_named *out)
{
	int ret = take(ctx, files, n, whole_path(files[0].path), out);
	struct vv_version *v = ret ? NULL : versions(out->whole);

	if (!ret)
		ret = v ? vv_group_make(&out->whole->group, v, n, &ctx->err) : vv_fail_nomem(&ctx->err);
	free(v);
	if (ret)
		vv_named_release(out);
	return ret;
}

int vv_whole_indexed(struct vv_ctx *ctx, struct vv_named *files, size_t n, struct vv_elsewheres *e,
	const size_t *file_of, bool compare, struct vv_named *out)
{
	int ret = take(ctx, files, n, strdup(files[0].path), out);
	struct vv_version *v = NULL;
	size_t left = 0;

	if (!ret) {
		out->whole->index = *e;
		*e = (struct vv_elsewheres){.n = 0};
		ret = compare ? open_bytes(ctx, out->whole) : 0;
	}
	if (!ret && !(v = versions(out->whole)))
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_group_index(&out->whole->group, v, n, &out->whole->index, file_of, &left, &ctx->err);
	if (!ret && left)
		vv_warn("%s: %zu of the tensors that it tells of are left out", out->path, left);
	free(v);
	if (ret)
		vv_named_release(out);
	return ret;
}

int vv_whole_bytes(struct vv_ctx *ctx, struct vv_whole *w)
{
	int ret = open_bytes(ctx, w);

	for (size_t i = 0; i < w->n && !ret; i++)
		w->group.files[i].bytes = w->bytes[i].version.bytes;
	return ret;
}

void vv_whole_free(struct vv_whole *w)
{
	vv_whole_drop(w->files, w->n);
	vv_group_release(&w->group);
	vv_elsewheres_release(&w->index);
	free(w->bytes);
	free(w);
}
