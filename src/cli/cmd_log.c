/*
 * The commits that changed a model, or some of its tensors, and how far; a directory, or a file in one. Reads manifests
 * and what is kept, no weights.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/diffshow.h"
#include "cli/dirlog.h"
#include "cli/gitlines.h"
#include "cli/keptfile.h"
#include "cli/rawlog.h"
#include "cli/shelf.h"
#include "diff/diff.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* git begins each commit's line with MARK and parts its fields with SEP. */
#define MARK '\1'
#define SEP "\037"

enum { AUTHOR_WIDTH = 16, CHANGE_WIDTH = 24, FAR_WIDTH = 9, SHORT_MIN = 7 };

struct commit {
	char *line; /* owns the fields */
	const char *hash, *date, *author, *email, *subject;
};

struct logger {
	struct vv_ctx *ctx;
	struct vv_shelf shelf;
	struct vv_opt_list globs;
	uint64_t max, shown;
	bool names, any;
	int short_len;
	json_t *list;
	struct vv_shardlog shards; /* path NULL: it is one file */
	bool dir;   /* the path is the manifest of a directory */
	char *file; /* the file in it that is asked for, as older commits call it; NULL: all */
};

/* What one commit did to the tensors that are asked for. */
struct change {
	size_t changed, added, removed, renamed, moved, total;
	size_t files;  /* shards that changed; 0: it is one file */
	bool same;     /* nor any other byte of the file */
	struct vv_delta_sum sum; /* of what is kept */
	size_t unmeasured;       /* of what is not */
	json_t *names; /* NULL: not asked for */
	struct vv_dirlog dirs;
	char *was;     /* owned; the file of a directory had that path before; NULL: the same */
};

static bool wanted(const struct logger *l, const char *name)
{
	size_t n = l->file ? strlen(l->file) : 0;

	/* "<file>//<tensor>" */
	if (n && (strncmp(name, l->file, n) || strncmp(name + n, "//", 2)))
		return false;
	name += n ? n + 2 : 0;
	for (size_t i = 0; i < l->globs.n; i++)
		if (!fnmatch(l->globs.v[i], name, 0))
			return true;
	return !l->globs.n;
}

static const char *const kind_names[] = {"added", "removed", "renamed", "retyped", "reshaped", "changed", "moved"};

/* "1.3e-02", "~1.3e-02"; "" when not all of it was measured. `text` holds 16 bytes; returns it. */
static char *say_far(double relative, bool estimated, bool known, char *text)
{
	text[0] = 0;
	if (known)
		snprintf(text, 16, "%s%.1e", estimated ? "~" : "", relative);
	return text;
}

static void name_item(json_t *names, const struct vv_diff_item *it)
{
	json_t *row = json_pack("{s:o,s:s}", "name", vv_json_name(it->name), "change", kind_names[it->kind]);

	if (it->measured) {
		json_object_set_new(row, "relative_l2", vv_json_real(it->delta.relative));
		json_object_set_new(row, "estimated", json_boolean(it->delta.estimated));
	}
	json_array_append_new(names, row);
}

static void count_item(struct change *c, const struct vv_diff_item *it)
{
	switch (it->kind) {
	case VV_DIFF_ADDED:
		c->added++;
		break;
	case VV_DIFF_REMOVED:
		c->removed++;
		break;
	case VV_DIFF_RENAMED:
		c->renamed++;
		break;
	case VV_DIFF_MOVED:
		c->moved++;
		break;
	default:
		c->changed++;
	}
	vv_delta_sum_add(&c->sum, it->view_b, it);
	c->unmeasured += !it->measured && vv_diff_measurable(it);
	if (c->names && !c->dirs.names && it->kind != VV_DIFF_MOVED)
		name_item(c->names, it);
}

/* Gives the items the numbers that are kept, or what sketches tell. */
static int take_kept(const struct logger *l, struct vv_diff *d, const struct vv_named *a, const struct vv_named *b)
{
	struct vv_sketches s = {.n = 0};
	struct vv_kept kept;
	size_t n;
	int ret = vv_kept_init(&kept, d, &l->ctx->err);

	if (ret)
		return ret;
	vv_keptfile_load(&l->ctx->repo, &kept);
	vv_kept_apply(&kept, d);
	if (vv_kept_lacks(&kept, d)) {
		vv_sketchfile_load(&l->ctx->repo, a, &s);
		vv_sketchfile_load(&l->ctx->repo, b, &s);
		ret = vv_sketches_estimate(&s, d, &n, &l->ctx->err);
	}
	vv_sketches_release(&s);
	vv_kept_release(&kept);
	return ret;
}

/* Without a manifest: no model on that side. */
static int compare(const struct logger *l, const struct vv_named *from, const struct vv_named *to, struct change *c)
{
	const struct vv_manifest none = {.format = ""}, *a = from->manifest, *b = to->manifest;
	struct vv_diff d;
	int ret = vv_diff_make(&d, a ? a : &none, b ? b : &none, &l->ctx->err);

	if (ret)
		return ret;
	if (a && b)
		ret = take_kept(l, &d, from, to);
	c->same = d.same_file;
	for (size_t i = 0; i < d.n; i++)
		if (wanted(l, d.items[i].name) || (d.items[i].old_name && wanted(l, d.items[i].old_name)))
			count_item(c, &d.items[i]);
	for (size_t i = 0; b && i < b->n_segs; i++)
		for (size_t j = 0; j < b->segs[i].seg.n_views; j++)
			c->total += wanted(l, b->segs[i].seg.views[j].name);
	vv_diff_release(&d);
	return ret;
}

static int compare_files(const struct logger *l, const struct vv_manifest *a, const struct vv_manifest *b, struct change *c)
{
	const char *was = NULL;
	int ret = vv_dirlog_compare(&c->dirs, a, b, l->file, &was, &l->ctx->err);

	if (!ret && was && !(c->was = strdup(was)))
		ret = vv_fail_nomem(&l->ctx->err);
	return ret;
}

static size_t touched(const struct change *c)
{
	return c->changed + c->added + c->removed + c->renamed;
}

/* Did the commit anything of what is asked for? */
static bool counts(const struct logger *l, const struct change *c)
{
	return !l->globs.n && l->dir ? vv_dirlog_touched(&c->dirs) : touched(c) > 0;
}

static void release_change(struct change *c)
{
	json_decref(c->names);
	free(c->was);
	*c = (struct change){0};
}

/* "3 of 12 tensors, +1 -2" */
static void say_change(char *text, size_t cap, const struct change *c, bool model, char status)
{
	int n = 0;

	if (!model)
		n = snprintf(text, cap, status == 'D' ? "removed" : "kept whole by git");
	else if (c->changed && c->files)
		n = snprintf(text, cap, "%zu tensor%s, %zu file%s", c->changed, c->changed == 1 ? "" : "s", c->files,
			c->files == 1 ? "" : "s");
	else if (c->changed)
		n = snprintf(text, cap, "%zu of %zu tensors", c->changed, c->total);
	else if (!touched(c))
		n = snprintf(text, cap, c->moved ? "order of tensors" : status == 'R' ? "renamed" : c->same ? "file mode" : "no tensor");
	if (c->added)
		n += snprintf(text + n, cap - (size_t)n, n ? ", +%zu" : "+%zu", c->added);
	if (c->removed)
		n += snprintf(text + n, cap - (size_t)n, !n ? "-%zu" : c->added ? " -%zu" : ", -%zu", c->removed);
	if (c->renamed)
		n += snprintf(text + n, cap - (size_t)n, n ? ", %zu renamed" : "%zu renamed", c->renamed);
	if (!c->changed && (c->added || c->removed))
		snprintf(text + n, cap - (size_t)n, " tensors");
}

static void print_text(const struct logger *l, const struct commit *k, const struct change *c, const char *what)
{
	const struct vv_ctx *ctx = l->ctx;
	char *author = vv_safe(k->author), *subject = vv_safe(k->subject), far[16];

	printf("%s%.*s%s  %.10s  ", vv_color(ctx, VV_YELLOW), l->short_len, k->hash, vv_color(ctx, VV_PLAIN), k->date);
	vv_put_padded(author, AUTHOR_WIDTH);
	printf("  %s", vv_color(ctx, VV_CYAN));
	vv_put_padded(what, CHANGE_WIDTH);
	printf("%s  ", vv_color(ctx, VV_PLAIN));
	vv_put_padded(say_far(vv_delta_sum_relative(&c->sum), c->sum.estimated, c->sum.measured && !c->unmeasured, far), FAR_WIDTH);
	printf("  %s\n", subject);
	for (size_t i = 0; c->names && i < json_array_size(c->names); i++) {
		const json_t *it = json_array_get(c->names, i);
		char *name = vv_safe(json_string_value(json_object_get(it, "name")));
		const json_t *known = json_object_get(it, "relative_l2");
		bool guess = json_is_true(json_object_get(it, "estimated"));

		say_far(json_is_null(known) ? INFINITY : json_number_value(known), guess, known, far);
		printf("    %-8s  %s%s%s\n", json_string_value(json_object_get(it, "change")), name, *far ? "  " : "", far);
		free(name);
	}
	free(author);
	free(subject);
}

static void print_commit(struct logger *l, const struct commit *k, struct change *c, bool model, char status,
	const char *path, const char *old_path)
{
	char what[128];
	json_t *row;

	l->shown++;
	if (!l->ctx->json) {
		if (l->dir && !l->globs.n && vv_dirlog_touched(&c->dirs) && !(l->file && c->dirs.changed && touched(c)))
			vv_dirlog_say(&c->dirs, l->file != NULL, what, sizeof(what));
		else
			say_change(what, sizeof(what), c, model, status);
		print_text(l, k, c, what);
		return;
	}
	row = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:b,s:I,s:I,s:I,s:I,s:I}", "commit", k->hash, "date", k->date, "author",
		vv_json_name(k->author), "email", vv_json_name(k->email), "subject", vv_json_name(k->subject), "path",
		vv_json_name(path), "model", model, "tensors", (json_int_t)c->total, "changed", (json_int_t)c->changed,
		"added", (json_int_t)c->added, "removed", (json_int_t)c->removed, "renamed", (json_int_t)c->renamed);
	if (c->sum.measured && !c->unmeasured) {
		json_object_set_new(row, "relative_l2", vv_json_real(vv_delta_sum_relative(&c->sum)));
		json_object_set_new(row, "relative_l2_error", vv_json_real(vv_delta_sum_relative_error(&c->sum)));
		json_object_set_new(row, "cosine", vv_json_real(vv_delta_sum_cosine(&c->sum)));
		json_object_set_new(row, "estimated", json_boolean(c->sum.estimated > 0));
	}
	if (c->files)
		json_object_set_new(row, "files_changed", json_integer((json_int_t)c->files));
	if (old_path)
		json_object_set_new(row, "old_path", vv_json_name(old_path));
	if (c->names)
		json_object_set(row, "names", c->names);
	if (l->dir)
		json_object_update_new(row, json_pack("{s:I,s:I,s:I,s:I,s:I}", "files", (json_int_t)c->dirs.total, "files_changed",
			(json_int_t)c->dirs.changed, "files_added", (json_int_t)c->dirs.added, "files_removed",
			(json_int_t)c->dirs.removed, "files_renamed", (json_int_t)c->dirs.renamed));
	json_array_append_new(l->list, row);
}

static int one_change(struct logger *l, const struct commit *k, char *line)
{
	const struct vv_manifest *a, *b;
	struct change c = {0};
	struct vv_raw raw;
	bool every = true;
	int ret = vv_raw_parse(line, &raw, &l->ctx->err);

	if (ret)
		return ret < 0 ? ret : 0;
	l->any = true;
	for (size_t i = raw.parents; i-- > 0;) {
		/* Last comes the first parent: it is what the counts are against. */
		release_change(&c);
		c.names = l->names ? json_array() : NULL;
		c.dirs.names = l->dir && !l->globs.n ? c.names : NULL;
		ret = vv_shelf_get(&l->shelf, raw.oids[raw.parents], &b, &l->ctx->err);
		if (!ret)
			ret = vv_shelf_get(&l->shelf, raw.oids[i], &a, &l->ctx->err);
		if (!ret)
			ret = compare(l, &(struct vv_named){.manifest = (struct vv_manifest *)(uintptr_t)a},
				&(struct vv_named){.manifest = (struct vv_manifest *)(uintptr_t)b}, &c);
		if (!ret && l->dir)
			ret = compare_files(l, a, b, &c);
		if (ret)
			goto out;
		every &= counts(l, &c);
	}
	ret = 0;
	if (every || (!l->globs.n && !l->file))
		print_commit(l, k, &c, a || b, raw.status[0], raw.path, raw.old_path);
	if (c.was) {
		free(l->file);
		l->file = c.was;
		c.was = NULL;
	}
out:
	release_change(&c);
	return ret;
}

/* The shards that the commit changed, as one model. */
static int shard_changes(struct logger *l, const struct commit *k)
{
	struct vv_ctx *ctx = l->ctx;
	struct vv_named a = {0}, b = {0};
	struct change c = {0};
	size_t parents = l->shards.n ? l->shards.raw[0].parents : 0;
	bool every = true;
	int ret = 0;

	if (!parents)
		return 0;
	l->any = true;
	ret = vv_shardlog_side(ctx, &l->shards, parents, &b);
	for (size_t i = parents; i-- > 0 && !ret;) {
		json_decref(c.names);
		c = (struct change){.names = l->names ? json_array() : NULL, .files = l->shards.n};
		vv_named_release(&a);
		ret = vv_shardlog_side(ctx, &l->shards, i, &a);
		if (!ret)
			ret = compare(l, &a, &b, &c);
		every &= touched(&c) > 0;
	}
	if (!ret && (every || !l->globs.n))
		print_commit(l, k, &c, a.manifest || b.manifest, b.manifest ? 'M' : 'D',
			b.path ? b.path : a.path ? a.path : l->shards.path, NULL);
	vv_shardlog_clear(&l->shards);
	vv_named_release(&a);
	vv_named_release(&b);
	json_decref(c.names);
	return ret;
}

static int parse_commit(struct commit *k, const char *rec, struct vv_err *err)
{
	char *rest;

	free(k->line);
	k->line = strdup(rec + 1);
	if (!k->line)
		return vv_fail_nomem(err);
	rest = k->line;
	k->hash = strsep(&rest, SEP);
	k->date = rest ? strsep(&rest, SEP) : "";
	k->author = rest ? strsep(&rest, SEP) : "";
	k->email = rest ? strsep(&rest, SEP) : "";
	k->subject = rest ? rest : "";
	return 0;
}

static int walk(struct logger *l, const char *const *revs, size_t n_revs, const char *path)
{
	static const char *const first[] = {"log", "-c", "--raw", "--no-abbrev", "--no-color",
		"--no-show-signature", "--format=%x01%H%x1f%aI%x1f%aN%x1f%aE%x1f%s", NULL};
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	struct commit k = {0};
	const char *rec;
	char *spec = NULL, *copy;
	int ret;

	vv_args_all(&args, first);
	vv_args_add(&args, l->shards.path ? "--no-renames" : "--follow");
	for (size_t i = 0; i < n_revs; i++)
		vv_args_add(&args, revs[i]);
	vv_args_add(&args, "--");
	if (l->shards.path)
		spec = vv_shardlog_spec(path);
	else if (asprintf(&spec, ":(top,literal)%s", path) < 0)
		spec = NULL;
	vv_args_add(&args, spec);
	ret = spec ? vv_lines_open(&lines, &args, &l->ctx->err) : vv_fail_nomem(&l->ctx->err);
	while (!ret && (!l->max || l->shown < l->max) && !(ret = vv_lines_next(&lines, '\n', &rec, &l->ctx->err))) {
		if (rec[0] == MARK) {
			ret = shard_changes(l, &k);
			if (ret || (l->max && l->shown >= l->max))
				break;
			ret = parse_commit(&k, rec, &l->ctx->err);
		} else if (rec[0] == ':' && k.line && l->shards.path) {
			ret = vv_shardlog_add(&l->shards, rec, &l->ctx->err);
		} else if (rec[0] == ':' && k.line) {
			copy = strdup(rec);
			ret = copy ? one_change(l, &k, copy) : vv_fail_nomem(&l->ctx->err);
			free(copy);
		}
	}
	if (ret >= 0 && (!l->max || l->shown < l->max) && shard_changes(l, &k))
		ret = l->ctx->err.code;
	if (ret >= 0)
		ret = vv_lines_close(&lines, &l->ctx->err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	free(k.line);
	free(spec);
	return ret;
}

int cmd_log(struct vv_ctx *ctx, int argc, char **argv)
{
	struct logger l = {.ctx = ctx, .shelf = VV_SHELF_INIT(&ctx->repo), .list = json_array()};
	bool one_file = false;
	const struct vv_opt opts[] = {
		{'t', "tensor", VV_OPT_LIST, &l.globs, "GLOB", "only commits that changed such a tensor (* crosses dots)"},
		{'n', "max-count", VV_OPT_COUNT, &l.max, "N", "the newest N only"},
		{0, "one-file", VV_OPT_FLAG, &one_file, NULL, "only this file of several"},
		{0, "names", VV_OPT_FLAG, &l.names, NULL, "name the tensors under each commit"},
		{0},
	};
	const char *rest;
	char *path = NULL, *manifest = NULL;
	const char *file = NULL, *const *revs = (const char *const *)argv + 1;
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret && (argc < 2 || (dash >= 0 && argc != dash + 2)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "log takes one file, after the revisions");
	if (!ret)
		ret = vv_top_path(ctx, argv[argc - 1], &path);
	if (!ret)
		ret = vv_rev_short(ctx, &l.short_len);
	if (!ret && !one_file && vv_shard_stem(path, &rest, NULL))
		l.shards.path = path;
	if (!ret)
		ret = vv_dirlog_find(ctx, revs, (size_t)argc - 2, path, &manifest, &file);
	l.dir = manifest != NULL;
	if (!ret && file && !(l.file = strdup(file)))
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = walk(&l, revs, (size_t)argc - 2, l.dir ? manifest : path);
	if (!ret && (!l.any || (l.file && !l.globs.n && !l.shown)))
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no version in this history", path);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:o,s:O}", "path", vv_json_name(path), "commits", l.list));
	vv_shelf_release(&l.shelf);
	vv_shardlog_release(&l.shards);
	json_decref(l.list);
	free(l.globs.v);
	free(l.file);
	free(manifest);
	free(path);
	return ret;
}
