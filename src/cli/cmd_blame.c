/*
 * The commit that last changed each tensor, or each file of a directory. As git blame does it, but by name instead of by
 * line: what a parent has alike is the parent's, so a tensor that only moved in the file keeps its commit.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/map.h"
#include "cli/dirlog.h"
#include "cli/gitlines.h"
#include "cli/shelf.h"
#include "cli/table.h"
#include "model/lineup.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { NOBODY = UINT32_MAX };

/* One commit that changed the file, or (commit NULL) the worktree. */
struct node {
	const char *commit, *path; /* the arena's */
	uint32_t *parents;
	size_t n_parents;
	size_t suspects;           /* tensors, or files, that are laid on it for now */
	bool is_origin;            /* the walk ends here: the file may have had another name before */
	const char *author, *email, *date, *subject;
};

struct blamer {
	struct vv_ctx *ctx;
	struct vv_shelf shelf;
	struct vv_arena arena;
	struct vv_map by_key;      /* "commit:path" → index into nodes */
	struct node *nodes;
	size_t n_nodes, cap;
	const struct vv_manifest *target;
	bool by_file;              /* of a directory; else by tensor */
	const char *file;          /* the one in it that is asked for; NULL: all */
	uint32_t *at;              /* n-th tensor or file of the target → its node, or NOBODY */
	size_t n;
	struct vv_opt_list globs;
};

static int node_of(struct blamer *b, const char *commit, const char *path, uint32_t *out)
{
	struct vv_err *err = &b->ctx->err;
	char *key = NULL, *kept;
	const uint64_t *at;
	bool added;

	if (asprintf(&key, "%s:%s", commit, path) < 0)
		return vv_fail_nomem(err);
	kept = vv_arena_copy(&b->arena, vv_span_str(key));
	free(key);
	at = kept ? vv_map_put(&b->by_key, vv_span_str(kept), b->n_nodes, &added) : NULL;
	if (!at)
		return vv_fail_nomem(err);
	*out = (uint32_t)*at;
	if (!added)
		return 0;
	if (b->n_nodes == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		struct node *v = realloc(b->nodes, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		b->nodes = v;
		b->cap = cap;
	}
	b->nodes[b->n_nodes++] = (struct node){
		.commit = vv_arena_copy(&b->arena, vv_span_str(commit)), .path = vv_arena_copy(&b->arena, vv_span_str(path))};
	return b->nodes[*out].commit && b->nodes[*out].path ? 0 : vv_fail_nomem(err);
}

/* "<commit> <parents, rewritten to those that changed the file>…" */
static int add_line(struct blamer *b, char *line, const char *path, uint32_t *me)
{
	size_t n = 0;
	uint32_t parent, *list;
	char *word = strsep(&line, " ");
	int ret = node_of(b, word, path, me);

	for (const char *p = line; p && *p; p++)
		n += *p == ' ';
	list = vv_arena_array(&b->arena, n + 1, sizeof(*list));
	if (ret || !list)
		return ret ? ret : vv_fail_nomem(&b->ctx->err);
	for (n = 0; !ret && (word = strsep(&line, " "));) {
		ret = node_of(b, word, path, &parent);
		list[n++] = parent;
	}
	b->nodes[*me].parents = list;
	b->nodes[*me].n_parents = n;
	b->nodes[*me].is_origin = !n;
	return ret;
}

/* The history of `path` up to `commit`, children first. *first: its newest node, or NOBODY. */
static int add_history(struct blamer *b, const char *commit, const char *path, uint32_t *first)
{
	struct vv_err *err = &b->ctx->err;
	static const char *const words[] = {"rev-list", "--parents", "--topo-order", NULL};
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	char *spec = NULL, *copy;
	const char *rec;
	uint32_t me;
	int ret;

	*first = NOBODY;
	if (asprintf(&spec, ":(top,literal)%s", path) < 0)
		return vv_fail_nomem(err);
	vv_args_all(&args, words);
	vv_args_add(&args, commit);
	vv_args_add(&args, "--");
	vv_args_add(&args, spec);
	ret = vv_lines_open(&lines, &args, err);
	while (!ret && !(ret = vv_lines_next(&lines, '\n', &rec, err))) {
		copy = strdup(rec);
		ret = copy ? add_line(b, copy, path, &me) : vv_fail_nomem(err);
		*first = *first == NOBODY ? me : *first;
		free(copy);
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	free(spec);
	return ret;
}

/* The file was new in this commit: did it have another name in its parent? Then the walk goes on there. */
static int follow(struct blamer *b, uint32_t me)
{
	static const char *const words[] = {"diff-tree", "-r", "-z", "-M", "--raw", "--no-commit-id",
		"--diff-filter=R", NULL};
	struct vv_err *err = &b->ctx->err;
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	const char *rec;
	char *old = NULL, *parent = NULL;
	uint32_t next = NOBODY;
	int ret;

	vv_args_all(&args, words);
	vv_args_add(&args, b->nodes[me].commit);
	ret = vv_lines_open(&lines, &args, err);
	/* ":<modes> <oids> R<score>\0<old>\0<new>\0" */
	while (!ret && !(ret = vv_lines_next(&lines, 0, &rec, err))) {
		if (rec[0] != ':')
			continue;
		ret = vv_lines_next(&lines, 0, &rec, err);
		free(old);
		old = ret ? NULL : strdup(rec);
		if (!ret)
			ret = vv_lines_next(&lines, 0, &rec, err);
		if (!ret && old && !strcmp(rec, b->nodes[me].path))
			break;
		free(old);
		old = NULL;
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	if (!ret && old && asprintf(&parent, "%s^", b->nodes[me].commit) >= 0)
		ret = add_history(b, parent, old, &next);
	if (!ret && next != NOBODY) {
		uint32_t *list = vv_arena_alloc(&b->arena, sizeof(*list));
		if (!list)
			ret = vv_fail_nomem(err);
		else
			*list = next;
		b->nodes[me].parents = list;
		b->nodes[me].n_parents = list ? 1 : 0;
	}
	b->nodes[me].is_origin = false;
	free(old);
	free(parent);
	return ret;
}

static void lay(struct blamer *b, size_t i, uint32_t me, uint32_t parent)
{
	b->at[i] = parent;
	b->nodes[me].suspects--;
	b->nodes[parent].suspects++;
}

static void pass_files(struct blamer *b, uint32_t me, uint32_t parent, const struct vv_manifest *other)
{
	size_t at;

	for (size_t i = 0; i < b->n; i++) {
		const struct vv_manifest_file *f = &b->target->files[i];
		if (b->at[i] == me && vv_dir_find(other, f->path, &at) && other->files[at].mode == f->mode &&
			vv_id_eq(&other->files[at].sha256, &f->sha256))
			lay(b, i, me, parent);
	}
}

/* Lays on the parent what it has alike of what is laid on `me`. */
static int pass(struct blamer *b, uint32_t me, uint32_t parent)
{
	const struct vv_manifest *sides[] = {b->target, NULL};
	struct vv_lineup l;
	char *name = NULL;
	int ret;

	if (asprintf(&name, "%s:%s", b->nodes[parent].commit, b->nodes[parent].path) < 0)
		return vv_fail_nomem(&b->ctx->err);
	ret = vv_shelf_get(&b->shelf, name, &sides[1], &b->ctx->err);
	free(name);
	if (ret || !sides[1])
		return ret;
	if (b->by_file) {
		pass_files(b, me, parent, sides[1]);
		return 0;
	}
	ret = vv_lineup_make(&l, sides, VV_COUNT(sides), true, &b->ctx->err);
	if (ret)
		return ret;
	for (size_t i = 0; i < l.n; i++) {
		size_t rank = l.rows[i].at[0].rank;
		if (l.rows[i].at[0].there && b->at[rank] == me && vv_lineup_same(&l, i, 0, 1))
			lay(b, rank, me, parent);
	}
	vv_lineup_release(&l);
	return 0;
}

/* Nodes come children first; only a rename leads into a part of history that was seen before. */
static int walk(struct blamer *b)
{
	int ret = 0;

	for (size_t i = 0; i < b->n_nodes && !ret;) {
		uint32_t me = (uint32_t)i;
		size_t next = ++i;

		if (b->nodes[me].suspects && b->nodes[me].is_origin)
			ret = follow(b, me);
		for (size_t k = 0; k < b->nodes[me].n_parents && b->nodes[me].suspects && !ret; k++) {
			uint32_t parent = b->nodes[me].parents[k];
			size_t had = b->nodes[parent].suspects;
			ret = pass(b, me, parent);
			if (b->nodes[parent].suspects > had && parent < next)
				next = parent;
		}
		i = next;
	}
	return ret;
}

static bool wanted(const struct blamer *b, const char *name)
{
	size_t n = b->file ? strlen(b->file) : 0;
	bool yes = !b->globs.n;

	/* "<file>//<tensor>" */
	if (n && (strncmp(name, b->file, n) || strncmp(name + n, "//", 2)))
		return false;
	for (size_t g = 0; g < b->globs.n && !yes; g++)
		yes = !fnmatch(b->globs.v[g], name + (n ? n + 2 : 0), 0);
	return yes;
}

/* What is asked for is laid on the first node. */
static int accuse(struct blamer *b, uint32_t first)
{
	const struct vv_manifest *m = b->target;
	size_t n = 0;

	for (size_t i = 0; i < m->n_segs && !b->by_file; i++)
		b->n += m->segs[i].seg.n_views;
	b->n += b->by_file ? m->n_files : 0;
	b->at = calloc(b->n ? b->n : 1, sizeof(*b->at));
	if (!b->at)
		return vv_fail_nomem(&b->ctx->err);
	for (size_t i = 0; i < m->n_segs && !b->by_file; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views; j++)
			b->at[n++] = wanted(b, m->segs[i].seg.views[j].name) ? first : NOBODY;
	for (; n < b->n; n++)
		b->at[n] = !b->file || !strcmp(b->file, m->files[n].path) ? first : NOBODY;
	for (size_t i = 0; i < b->n; i++)
		b->nodes[first].suspects += b->at[i] == first;
	return 0;
}

/* A directory is blamed by file, but where tensors are asked for: by pattern, or of a model in it. */
static int choose(struct blamer *b)
{
	size_t at;

	if (b->file && !vv_dir_find(b->target, b->file, &at))
		return vv_fail(&b->ctx->err, VV_ENOTFOUND, "%s: not in that version of the directory", b->file);
	b->by_file = vv_manifest_is_dir(b->target) && !b->globs.n;
	if (b->by_file && b->file)
		for (size_t i = 0; i < b->target->files[at].n_segs; i++)
			b->by_file &= !b->target->segs[b->target->files[at].seg + i].seg.n_views;
	return 0;
}

/* The worktree, as a commit to come: its parents are HEAD and, in a merge, the other side. */
static int add_worktree(struct blamer *b, const char *path, uint32_t *me)
{
	static const char *const heads[] = {"HEAD", "MERGE_HEAD"};
	struct vv_err ignore = VV_ERR_INIT;
	uint32_t *list = vv_arena_array(&b->arena, VV_COUNT(heads), sizeof(*list));
	size_t n = 0;
	int ret = list ? node_of(b, "", path, me) : vv_fail_nomem(&b->ctx->err);

	for (size_t i = 0; i < VV_COUNT(heads) && !ret; i++) {
		char *oid = NULL;
		if (!VV_GIT_LINE(&b->ctx->repo, &oid, &ignore, "rev-parse", "--verify", "-q", heads[i]))
			ret = add_history(b, oid, path, &list[n]);
		n += oid && !ret && list[n] != NOBODY;
		free(oid);
	}
	if (ret)
		return ret;
	b->nodes[*me].parents = list;
	b->nodes[*me].n_parents = n;
	return 0;
}

/* Author, date and subject of every commit that is to blame. */
static int ask_commits(struct blamer *b)
{
	static const char *const args[] = {"log", "--no-walk=unsorted", "--stdin", "--no-color", "--no-show-signature",
		"--format=%H%x1f%aN%x1f%aE%x1f%aI%x1f%s", NULL};
	struct vv_err *err = &b->ctx->err;
	struct vv_buf in = VV_BUF_INIT(VV_MAX_MANIFEST), out = VV_BUF_INIT(VV_MAX_MANIFEST);
	int status = 0, ret;
	char *all, *line;

	for (size_t i = 0; i < b->n_nodes; i++)
		if (b->nodes[i].suspects && b->nodes[i].commit[0])
			vv_buf_fmt(&in, "%s\n", b->nodes[i].commit);
	if (!in.len)
		return vv_buf_check(&in, err);
	ret = vv_git_status(&b->ctx->repo, args, NULL, vv_buf_view(&in), &out, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git log failed");
	all = ret ? NULL : vv_arena_copy(&b->arena, vv_buf_view(&out));
	while ((line = strsep(&all, "\n"))) {
		const char *hash = strsep(&line, "\037"), *author = strsep(&line, "\037"), *email = strsep(&line, "\037"),
			   *date = strsep(&line, "\037");
		for (size_t i = 0; line && i < b->n_nodes; i++)
			if (b->nodes[i].suspects && !strcmp(b->nodes[i].commit, hash)) {
				b->nodes[i].author = author;
				b->nodes[i].email = email;
				b->nodes[i].date = date;
				b->nodes[i].subject = line;
			}
	}
	vv_buf_release(&in);
	vv_buf_release(&out);
	return ret;
}

static void put_row(struct vv_table *t, const struct node *k, int len, const char *what, const char *more)
{
	char *author = vv_safe(k->author ? k->author : "not committed yet"), *name = vv_safe(what);

	vv_table_cell(t, VV_YELLOW, "%.*s", len, k->commit[0] ? k->commit : "0000000000000000");
	vv_table_cell(t, VV_PLAIN, "%.10s", k->date ? k->date : "");
	vv_table_cell(t, VV_PLAIN, "%s", author);
	vv_table_cell(t, VV_PLAIN, "%s", name);
	vv_table_cell(t, VV_DIM, "%s", more);
	vv_table_row(t);
	free(author);
	free(name);
}

static void print_text(const struct blamer *b)
{
	const struct vv_manifest *m = b->target;
	struct vv_table t = VV_TABLE_INIT(0);
	int len = 7;
	size_t n = 0, skip = b->file ? strlen(b->file) + 2 : 0;
	char text[256], more[300];

	if (vv_rev_short(b->ctx, &len))
		vv_err_clear(&b->ctx->err);
	for (size_t i = 0; i < m->n_segs && !b->by_file; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views; j++) {
			const struct vv_segment *s = &m->segs[i].seg;
			const struct vv_view *v = &s->views[j];

			if (b->at[n++] == NOBODY)
				continue;
			snprintf(more, sizeof(more), "%s %s", vv_dtype_info(s->dtype)->name,
				vv_shape_text(v->shape, v->ndim, text, sizeof(text)));
			put_row(&t, &b->nodes[b->at[n - 1]], len, v->name + skip, more);
		}
	for (; n < b->n; n++)
		if (b->at[n] != NOBODY)
			put_row(&t, &b->nodes[b->at[n]], len, m->files[n].path, vv_human(m->files[n].size, text));
	vv_table_print(&t, b->ctx, 0);
}

static json_t *json_commit(const struct blamer *b, size_t i)
{
	const char *commit = b->nodes[b->at[i]].commit;

	return commit[0] ? json_string(commit) : json_null();
}

static void print_json(const struct blamer *b, const char *path)
{
	const struct vv_manifest *m = b->target;
	json_t *commits = json_object(), *tensors = json_array(), *files = json_array(), *all;
	size_t n = 0, skip = b->file ? strlen(b->file) + 2 : 0;

	for (size_t i = 0; i < b->n_nodes; i++)
		if (b->nodes[i].suspects && b->nodes[i].author)
			json_object_set_new(commits, b->nodes[i].commit,
				json_pack("{s:o,s:o,s:s,s:o,s:o}", "author", vv_json_name(b->nodes[i].author), "email",
					vv_json_name(b->nodes[i].email), "date", b->nodes[i].date, "subject",
					vv_json_name(b->nodes[i].subject), "path", vv_json_name(b->nodes[i].path)));
	for (size_t i = 0; i < m->n_segs && !b->by_file; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views; j++) {
			const struct vv_segment *s = &m->segs[i].seg;
			if (b->at[n++] == NOBODY)
				continue;
			json_array_append_new(tensors, json_pack("{s:o,s:s,s:o,s:o}", "name", vv_json_name(s->views[j].name + skip),
				"dtype", vv_dtype_info(s->dtype)->name, "shape",
				vv_json_shape(s->views[j].shape, s->views[j].ndim), "commit", json_commit(b, n - 1)));
		}
	for (; n < b->n; n++)
		if (b->at[n] != NOBODY)
			json_array_append_new(files, json_pack("{s:o,s:I,s:o}", "path", vv_json_name(m->files[n].path), "size",
				(json_int_t)m->files[n].size, "commit", json_commit(b, n)));
	all = json_pack("{s:o,s:o,s:o}", "path", vv_json_name(path), "commits", commits, "tensors", tensors);
	if (b->by_file)
		json_object_set(all, "files", files);
	json_decref(files);
	vv_print_json(all);
}

int cmd_blame(struct vv_ctx *ctx, int argc, char **argv)
{
	struct blamer b = {.ctx = ctx, .shelf = VV_SHELF_INIT(&ctx->repo)};
	const struct vv_opt opts[] = {
		{'t', "tensor", VV_OPT_LIST, &b.globs, "GLOB", "only such tensors (* crosses dots)"},
		{0},
	};
	struct vv_named named = {0};
	char *path = NULL, *commit = NULL, *manifest = NULL;
	const char *of;
	uint32_t first = NOBODY;
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret && (argc < 2 || argc > 3 || (dash >= 0 && argc != dash + 2)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "blame takes one file, after a revision");
	if (!ret && argc == 2 && !ctx->repo.top)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "a bare repository has no worktree: name a revision");
	if (!ret)
		ret = vv_top_path(ctx, argv[argc - 1], &path);
	if (!ret && argc == 3)
		ret = vv_rev_commit(ctx, argv[1], &commit);
	if (!ret)
		ret = vv_dirlog_find(ctx, (const char *const *)&commit, commit != NULL, path, &manifest, &b.file);
	of = manifest ? manifest : path;
	if (!ret)
		ret = vv_named_at(ctx, commit ? argv[1] : NULL, of, &named);
	b.target = named.manifest;
	if (!ret)
		ret = choose(&b);
	if (!ret)
		ret = commit ? add_history(&b, commit, of, &first) : add_worktree(&b, of, &first);
	if (!ret && first == NOBODY)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no version in this history", path);
	if (!ret)
		ret = accuse(&b, first);
	if (!ret)
		ret = walk(&b);
	if (!ret)
		ret = ask_commits(&b);
	if (!ret && ctx->json)
		print_json(&b, path);
	else if (!ret)
		print_text(&b);
	vv_shelf_release(&b.shelf);
	vv_map_release(&b.by_key);
	vv_arena_release(&b.arena);
	vv_named_release(&named);
	free(b.nodes);
	free(b.at);
	free(b.globs.v);
	free(path);
	free(commit);
	free(manifest);
	return ret;
}
