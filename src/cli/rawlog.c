#define _GNU_SOURCE
#include "cli/rawlog.h"

#include "cli/gitlines.h"
#include "cli/shelf.h"

#include <stdlib.h>

int vv_raw_parse(char *line, struct vv_raw *out, struct vv_err *err)
{
	char *word = line + strspn(line, ":");

	*out = (struct vv_raw){.parents = (size_t)(word - line)};
	if (out->parents + 1 > VV_RAW_SIDES)
		return 1;
	for (size_t i = 0; i <= out->parents; i++)
		(void)strsep(&word, " ");
	for (size_t i = 0; i <= out->parents && word; i++)
		out->oids[i] = strsep(&word, " ");
	out->status = word ? strsep(&word, "\t") : NULL;
	out->path = word ? strsep(&word, "\t") : NULL;
	if (!out->path)
		return vv_fail(err, VV_EGIT, "git log said something else than changes");
	if (word) {
		out->old_path = out->path;
		out->path = word;
	}
	vv_git_unquote(out->path);
	if (out->old_path)
		vv_git_unquote(out->old_path);
	return 0;
}

int vv_shardlog_add(struct vv_shardlog *s, const char *line, struct vv_err *err)
{
	struct vv_raw raw;
	char *copy;
	int ret;

	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		char **lines = realloc(s->lines, cap * sizeof(*lines));
		struct vv_raw *v;

		if (!lines)
			return vv_fail_nomem(err);
		s->lines = lines;
		v = realloc(s->raw, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		s->raw = v;
		s->cap = cap;
	}
	copy = strdup(line);
	if (!copy)
		return vv_fail_nomem(err);
	ret = vv_raw_parse(copy, &raw, err);
	if (ret || !vv_shard_of_same(raw.path, s->path)) {
		free(copy);
		return ret < 0 ? ret : 0;
	}
	s->lines[s->n] = copy;
	s->raw[s->n++] = raw;
	return 0;
}

/* One shard; 1: it is not there, or git has it whole. */
static int open_shard(struct vv_ctx *ctx, struct vv_shardlog *s, const char *oid, const char *path, struct vv_named *out)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = 0;

	if (!oid || vv_oid_is_zero(oid))
		return 1;
	if (!s->open)
		ret = vv_blobs_open(&s->blobs, &ctx->repo, &ctx->err);
	s->open |= !ret;
	if (!ret)
		ret = vv_blobs_get(&s->blobs, oid, &text, &ctx->err);
	if (!ret && vv_manifest_detect(vv_buf_view(&text)) != VV_TEXT_MANIFEST) {
		ret = 1;
	} else if (!ret) {
		*out = (struct vv_named){.path = strdup(path), .manifest = calloc(1, sizeof(*out->manifest))};
		ret = out->path && out->manifest ? vv_manifest_parse(out->manifest, vv_buf_view(&text), &ctx->err)
						 : vv_fail_nomem(&ctx->err);
		if (ret)
			vv_named_release(out);
	}
	vv_buf_release(&text);
	return ret;
}

int vv_shardlog_side(struct vv_ctx *ctx, struct vv_shardlog *s, size_t side, struct vv_named *out)
{
	struct vv_named *files = calloc(s->n ? s->n : 1, sizeof(*files));
	size_t n = 0;
	int ret = files ? 0 : vv_fail_nomem(&ctx->err);

	for (size_t i = 0; i < s->n && !ret; i++) {
		ret = side <= s->raw[i].parents ? open_shard(ctx, s, s->raw[i].oids[side], s->raw[i].path, &files[n]) : 1;
		n += !ret;
		ret = ret == 1 ? 0 : ret;
	}
	if (!ret && n)
		return vv_whole_make(ctx, files, n, out);
	vv_whole_drop(files, n);
	return ret;
}

void vv_shardlog_clear(struct vv_shardlog *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i]);
	s->n = 0;
}

void vv_shardlog_release(struct vv_shardlog *s)
{
	vv_shardlog_clear(s);
	free(s->lines);
	free(s->raw);
	if (s->open)
		vv_blobs_close(&s->blobs);
}

char *vv_shardlog_spec(const char *path)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	const char *rest;
	size_t stem = vv_shard_stem(path, &rest, NULL);

	if (!stem)
		return NULL;
	vv_buf_str(&out, ":(top,glob)");
	for (size_t i = 0; i < stem; i++) {
		if (strchr("\\*?[", path[i]))
			vv_buf_char(&out, '\\');
		vv_buf_char(&out, path[i]);
	}
	vv_buf_str(&out, "[0-9]*-of-[0-9]*");
	for (; *rest; rest++) {
		if (strchr("\\*?[", *rest))
			vv_buf_char(&out, '\\');
		vv_buf_char(&out, *rest);
	}
	if (out.failed) {
		vv_buf_release(&out);
		return NULL;
	}
	return vv_buf_take(&out);
}
