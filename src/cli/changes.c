#define _GNU_SOURCE
#include "cli/changes.h"

#include "cli/gitlines.h"

#include <stdlib.h>
#include <unistd.h>

/* --- the sides --- */

/* "A..B" and "A...B"; an empty end is HEAD. */
static int parse_range(struct vv_ctx *ctx, const char *word, const char *dots, struct vv_sides *out)
{
	bool three = dots[2] == '.';
	const char *end = dots + 2 + three;
	char *a = dots == word ? strdup("HEAD") : strndup(word, (size_t)(dots - word)), *base = NULL;
	int ret = a ? vv_rev_commit(ctx, a, &out->a) : vv_fail_nomem(&ctx->err);

	if (!ret)
		ret = vv_rev_commit(ctx, *end ? end : "HEAD", &out->b);
	if (!ret && three) {
		ret = VV_GIT_LINE(&ctx->repo, &base, &ctx->err, "merge-base", out->a, out->b);
		if (ret)
			ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: the two have no common ancestor", word);
		free(out->a);
		out->a = base;
	}
	free(a);
	return ret;
}

/* 1: the word names no revision. */
static int parse_rev(struct vv_ctx *ctx, const char *word, struct vv_sides *out)
{
	const char *dots = strstr(word, "..");
	struct vv_sides s = {0};
	int ret;

	if (dots && (!out->a && !out->b) && strcmp(word, "..") && strncmp(word, "../", 3))
		ret = parse_range(ctx, word, dots, &s);
	else
		ret = vv_rev_commit(ctx, word, out->a ? &s.b : &s.a);
	if (ret) {
		vv_sides_release(&s);
		return ret == VV_ENOTFOUND ? 1 : ret;
	}
	out->a = s.a ? s.a : out->a;
	out->b = s.b ? s.b : out->b;
	return 0;
}

int vv_sides_parse(struct vv_ctx *ctx, char **words, int n, int dash, struct vv_sides *out, int *n_revs)
{
	int limit = dash >= 0 ? dash : n, i, ret = 0;

	for (i = 0; i < limit && !out->b; i++) {
		bool file = dash < 0 && ctx->repo.top && !access(words[i], F_OK);
		ret = parse_rev(ctx, words[i], out);
		if (!ret && file)
			ret = vv_fail(&ctx->err, VV_EUSAGE, "'%s' is a revision and a file: put -- before files", words[i]);
		if (ret)
			break;
	}
	/* The words that are left are paths. One that is nothing at all is a mistake, as for git. */
	if (ret == 1 && dash < 0 && (access(words[i], F_OK) == 0 || strpbrk(words[i], "*?[") || words[i][0] == ':')) {
		vv_err_clear(&ctx->err);
		ret = 0;
	} else if (ret == 1) {
		ret = dash < 0 ? vv_fail(&ctx->err, VV_ENOTFOUND, "'%s' names no commit and no file here", words[i])
			       : ctx->err.code;
	}
	if (!ret && dash >= 0 && i < dash)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "at most two revisions");
	*n_revs = i;
	return ret;
}

void vv_sides_release(struct vv_sides *s)
{
	free(s->a);
	free(s->b);
	*s = (struct vv_sides){0};
}

/* --- the files --- */

static int add(struct vv_changes *c, const struct vv_change *one, struct vv_err *err)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct vv_change *v = realloc(c->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = *one;
	return 0;
}

/* ":<mode> <mode> <oid> <oid> <status><score>\0<path>\0", and for a rename one more path. */
static int read_changes(struct vv_lines *l, struct vv_changes *out, struct vv_err *err)
{
	const char *rec;
	int ret;

	while (!(ret = vv_lines_next(l, 0, &rec, err))) {
		struct vv_change c = {0};
		if (sscanf(rec, ":%*o %*o %64s %64s %c", c.oid_a, c.oid_b, &c.status) != 3)
			return vv_fail(err, VV_EGIT, "git %s said something else than changes", l->what);
		ret = vv_lines_next(l, 0, &rec, err);
		if (ret)
			return ret < 0 ? ret : vv_fail(err, VV_EGIT, "git %s ended early", l->what);
		c.path_a = strdup(rec);
		ret = c.status == 'R' || c.status == 'C' ? vv_lines_next(l, 0, &rec, err) : 0;
		c.path_b = ret ? NULL : strdup(rec);
		if (!c.path_a || !c.path_b || (ret = add(out, &c, err))) {
			free(c.path_a);
			free(c.path_b);
			return ret ? ret : vv_fail_nomem(err);
		}
	}
	return ret < 0 ? ret : 0;
}

static void drop(struct vv_change *c)
{
	free(c->path_a);
	free(c->path_b);
}

struct keeping {
	struct vv_changes *c;
	size_t seen, kept;
};

static int keep_or_drop(void *arg, const char *path VV_UNUSED, const char *format, struct vv_err *err VV_UNUSED)
{
	struct keeping *k = arg;
	struct vv_change *c = &k->c->v[k->seen++];

	if (format)
		k->c->v[k->kept++] = *c;
	else
		drop(c);
	return 0;
}

/* Keeps the files whose attributes name varve; in a bare repository, where git reads none, all. */
static int only_kept(struct vv_ctx *ctx, struct vv_changes *c)
{
	struct vv_buf in = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct keeping k = {c, 0, 0};
	int ret;

	if (!c->n || !ctx->repo.top)
		return 0;
	for (size_t j = 0; j < c->n; j++)
		vv_buf_add(&in, c->v[j].path_b, strlen(c->v[j].path_b) + 1);
	ret = vv_buf_check(&in, &ctx->err);
	if (!ret)
		ret = vv_kept_each(&ctx->repo, vv_buf_view(&in), keep_or_drop, &k, &ctx->err);
	while (k.seen < c->n)
		drop(&c->v[k.seen++]);
	c->n = k.kept;
	vv_buf_release(&in);
	return ret;
}

/* git's command for these sides. Renames only between trees: elsewhere git would read models to find them. */
static int command(struct vv_ctx *ctx, const struct vv_sides *s, struct vv_args *args, char **empty)
{
	static const char *const files[] = {"diff-files", "--no-renames", NULL};
	static const char *const trees[] = {"diff-tree", "-r", "-M", NULL};
	static const char *const index[] = {"diff-index", "--cached", "-M", NULL};
	static const char *const worktree[] = {"diff-index", "--no-renames", NULL};
	static const char *const all[] = {"--raw", "-z", "--no-abbrev", NULL};
	int ret = 0;

	vv_args_all(args, s->index ? index : s->b ? trees : s->a ? worktree : files);
	vv_args_all(args, all);
	if (s->index && !s->a) {
		ret = VV_GIT_LINE(&ctx->repo, empty, &ctx->err, "hash-object", "-t", "tree", "/dev/null");
		vv_args_add(args, ret ? "" : *empty);
	}
	if (s->a)
		vv_args_add(args, s->a);
	if (s->b)
		vv_args_add(args, s->b);
	vv_args_add(args, "--");
	return ret;
}

int vv_changes_list(struct vv_ctx *ctx, const struct vv_sides *s, char **paths, struct vv_changes *out)
{
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	char *empty = NULL;
	int ret = command(ctx, s, &args, &empty);

	vv_args_all(&args, (const char *const *)paths);
	if (!ret)
		ret = vv_lines_open(&lines, &args, &ctx->err);
	if (!ret)
		ret = read_changes(&lines, out, &ctx->err);
	if (!ret)
		ret = vv_lines_close(&lines, &ctx->err);
	if (!ret)
		ret = only_kept(ctx, out);
	vv_lines_release(&lines);
	vv_args_release(&args);
	free(empty);
	return ret;
}

void vv_changes_release(struct vv_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		drop(&c->v[i]);
	free(c->v);
	*c = (struct vv_changes){0};
}
