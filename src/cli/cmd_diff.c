/* What changed between versions, tensor by tensor. */
#include "cli/cli.h"

#include "cli/bytes.h"
#include "cli/changes.h"
#include "cli/diffkeep.h"
#include "cli/diffwhole.h"
#include "cli/keptfile.h"
#include "cli/report.h"
#include "cli/shelf.h"
#include "cli/whole.h"
#include "git/diradd.h"
#include "diff/dirdiff.h"
#include "os/file.h"

#include <stdlib.h>
#include <unistd.h>

struct differ {
	struct vv_ctx *ctx;
	struct vv_shelf shelf;
	struct vv_diffshow show;
	struct vv_report report;
	struct vv_opt_list tensors, layers; /* patterns */
	struct vv_diff_filter filter;
	bool by_layer, exact;
	bool keep; /* measure, sketch and keep; show nothing */
};

/* The bytes of both sides, once they are there. */
struct sides {
	bool there;
	struct vv_bytes from, to;
};

/* The bytes of both; those that are not on this machine leave the names, shapes and what is kept. */
static int open_sides(struct differ *k, const struct vv_named *a, const struct vv_named *b, bool needed, struct sides *s)
{
	struct vv_ctx *ctx = k->ctx;
	int ret = vv_repo_pool(&ctx->repo, &ctx->err);

	if (!ret)
		ret = vv_bytes_open(ctx, a, &s->from);
	if (!ret)
		ret = vv_bytes_open(ctx, b, &s->to);
	s->there = !ret;
	if (ret == VV_ENOTFOUND) {
		if (needed)
			vv_warn("%s: compared by name only: %s", b->path, ctx->err.msg);
		vv_err_clear(&ctx->err);
		ret = 0;
	}
	return ret;
}

/* What was kept of this pair is not measured again, but with --exact. Bytes are opened only for what is left. */
static int measure(struct differ *k, struct vv_diff *d, struct vv_kept *kept, const struct vv_named *a,
	const struct vv_named *b, struct sides *s)
{
	struct vv_ctx *ctx = k->ctx;
	bool lacks = k->exact || vv_kept_lacks(kept, d);
	int ret;

	/* Histograms are not kept. */
	if (!lacks && !k->report.html_path)
		return 0;
	ret = open_sides(k, a, b, lacks, s);
	if (ret || !lacks || !s->there)
		return ret;
	ret = vv_diff_measure(d, &s->from.version, &s->to.version, k->exact ? VV_MEASURE_RANKS : 0, ctx->repo.pool,
		ctx->progress, &ctx->err);
	vv_progress_end();
	if (!ret) {
		vv_kept_take(kept, d);
		vv_keptfile_save(&ctx->repo, kept);
	}
	return ret;
}

/* What nobody measured, by sketches that are there. */
static int estimate(struct differ *k, struct vv_diff *d, const struct vv_named *a, const struct vv_named *b)
{
	struct vv_sketches s = {.n = 0};
	size_t n;
	int ret;

	vv_sketchfile_load(&k->ctx->repo, a, &s);
	vv_sketchfile_load(&k->ctx->repo, b, &s);
	ret = vv_sketches_estimate(&s, d, &n, &k->ctx->err);
	vv_sketches_release(&s);
	return ret;
}

/* Sketches of both versions, for comparisons with others. */
static int sketch(struct differ *k, const struct vv_named *a, const struct vv_named *b)
{
	struct vv_sketches s = {.n = 0};
	int ret = 0;

	vv_sketchfile_load(&k->ctx->repo, a, &s);
	vv_sketchfile_load(&k->ctx->repo, b, &s);
	if (vv_bytes_here(k->ctx, a))
		ret = vv_sketchfile_make(k->ctx, a, &s);
	if (!ret && vv_bytes_here(k->ctx, b))
		ret = vv_sketchfile_make(k->ctx, b, &s);
	vv_sketches_release(&s);
	return ret;
}

static int show(struct differ *k, const struct vv_named *a, const struct vv_named *b, const struct vv_diff *d, struct sides *s)
{
	struct vv_err *err = &k->ctx->err;
	struct vv_rollup layers = {0};
	size_t *order = NULL;
	int ret = vv_diff_order(d, &order, err);

	if (!ret && k->by_layer && b->manifest)
		ret = vv_rollup_make(&layers, d, b->manifest, err);
	if (!ret && layers.root && !k->show.in_order)
		ret = vv_rollup_sort(&layers, err);
	if (!ret) {
		struct vv_compared c = {a, b, d, order, layers.root ? &layers : NULL};
		vv_diffshow_file(&k->show, &c);
		if (vv_report_wanted(&k->report))
			ret = vv_report_file(&k->report, &c, s->there ? &s->from.version : NULL, s->there ? &s->to.version : NULL);
	}
	vv_rollup_release(&layers);
	free(order);
	return ret;
}

/* Narrows it down, and measures what can be; *kept is released by the caller. */
static int fill(struct differ *k, struct vv_diff *d, struct vv_kept *kept, const struct vv_named *a,
	const struct vv_named *b, const struct vv_manifest *to, struct sides *s)
{
	bool here = !k->keep || (vv_bytes_here(k->ctx, a) && vv_bytes_here(k->ctx, b));
	bool wanted = k->keep || vv_report_wanted(&k->report) || (!k->show.stat && !k->ctx->quiet);
	bool numbers = a->manifest && b->manifest && wanted && here;
	struct vv_err *err = &k->ctx->err;
	int ret = 0;

	if (numbers) {
		ret = vv_kept_init(kept, d, err);
		if (!ret)
			vv_keptfile_load(&k->ctx->repo, kept);
		if (!ret && !k->exact)
			vv_kept_apply(kept, d);
	}
	if (!ret && (k->tensors.n || k->layers.n))
		ret = vv_diff_pick(d, &k->filter, to, err);
	if (!ret && numbers && !k->exact && !k->keep && vv_kept_lacks(kept, d))
		ret = estimate(k, d, a, b);
	return ret || !numbers ? ret : measure(k, d, kept, a, b, s);
}

/* `a` or `b` without a manifest: no model on that side. `renamed`: their names differ, and that is told. */
static int compare(struct differ *k, const struct vv_named *a, const struct vv_named *b, bool renamed)
{
	const struct vv_manifest none = {.format = ""}, *from = a->manifest ? a->manifest : &none,
		*to = b->manifest ? b->manifest : &none;
	struct sides sides = {.there = false};
	struct vv_kept kept = {.n = 0};
	struct vv_diff d;
	int ret;

	if ((!a->manifest && !b->manifest) ||
		(!renamed && a->manifest && b->manifest && vv_id_eq(&a->manifest->sha256, &b->manifest->sha256)))
		return 0;
	ret = vv_diff_make(&d, from, to, &k->ctx->err);
	if (ret)
		return ret;
	ret = fill(k, &d, &kept, a, b, to, &sides);
	if (!ret && k->keep)
		ret = sketch(k, a, b);
	else if (!ret && (d.n || !d.filter))
		ret = show(k, a, b, &d, &sides);
	vv_kept_release(&kept);
	vv_diff_release(&d);
	return ret;
}

/* A file of the directory `dir` as something to compare; in the worktree its own bytes are read. */
static int open_inner(struct differ *k, const struct vv_manifest *m, size_t i, const char *dir, bool worktree, struct vv_named *out)
{
	struct vv_ctx *ctx = k->ctx;
	char *full;
	int ret;

	*out = (struct vv_named){.path = vv_join(dir, m->files[i].path), .manifest = calloc(1, sizeof(*out->manifest))};
	if (!out->path || !out->manifest)
		return vv_fail_nomem(&ctx->err);
	ret = vv_dir_file(m, i, out->manifest, &ctx->err);
	if (ret || !worktree)
		return ret;
	full = vv_repo_path(&ctx->repo, out->path);
	out->file = full ? calloc(1, sizeof(*out->file)) : NULL;
	ret = out->file ? vv_file_open(out->file, full, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (ret) {
		free(out->file);
		out->file = NULL;
	}
	free(full);
	return ret;
}

static int one_inner(struct differ *k, const struct vv_manifest *a, size_t i, const struct vv_manifest *b, size_t j,
	const char *dir, bool worktree)
{
	const struct vv_manifest_file *f = i != SIZE_MAX ? &a->files[i] : NULL, *g = j != SIZE_MAX ? &b->files[j] : NULL;
	struct vv_named from = {0}, to = {0};
	char *old_path = f ? vv_join(dir, f->path) : NULL, *path = g ? vv_join(dir, g->path) : NULL;
	bool models = f && g && strcmp(f->format, "opaque") && strcmp(g->format, "opaque");
	int ret = (f && !old_path) || (g && !path) ? vv_fail_nomem(&k->ctx->err) : 0;

	if (!ret && models && !vv_id_eq(&f->sha256, &g->sha256)) {
		ret = open_inner(k, a, i, dir, false, &from);
		if (!ret)
			ret = open_inner(k, b, j, dir, worktree, &to);
		if (!ret)
			ret = compare(k, &from, &to, false);
		vv_named_release(&from);
		vv_named_release(&to);
	} else if (!ret && !k->tensors.n && !k->layers.n) {
		vv_diffshow_plain(&k->show, old_path, path, f ? f->size : 0, g ? g->size : 0);
		if (vv_report_wanted(&k->report))
			vv_report_plain(&k->report, old_path, path);
	}
	free(old_path);
	free(path);
	return ret;
}

/* Directories: each file that differs, as if it stood alone. Either may be NULL: none. */
static int compare_dirs(
	struct differ *k, const struct vv_manifest *a, const struct vv_manifest *b, const char *dir, bool worktree)
{
	struct vv_dirdiff d;
	int ret = vv_dirdiff_make(&d, a, b, &k->ctx->err);

	if (ret)
		return ret;
	for (size_t i = 0; i < d.n && !ret; i++)
		ret = one_inner(k, a, d.v[i].a, b, d.v[i].b, dir, worktree);
	vv_dirdiff_release(&d);
	return ret;
}

static int compare_dir_texts(struct differ *k, const char *path, const struct vv_manifest *a, const struct vv_manifest *b)
{
	char *dir = vv_dir_of_path(path);
	int ret = dir ? compare_dirs(k, a, b, dir, false) : vv_fail_nomem(&k->ctx->err);

	free(dir);
	return ret;
}

/* A directory in the worktree, of whose files git knows nothing. `rev` "": the index. */
static int worktree_dir(struct differ *k, const char *rev, const char *path)
{
	struct vv_ctx *ctx = k->ctx;
	struct vv_named was = {0};
	struct vv_manifest now = {0};
	char *dir = vv_dir_of_path(path), *full = vv_repo_path(&ctx->repo, path);
	bool there = full && vv_exists(full);
	int ret = dir && full ? 0 : vv_fail_nomem(&ctx->err);

	if (!ret && there)
		ret = vv_dirhash(&ctx->repo, dir, &now, ctx->progress, &ctx->err);
	vv_progress_end();
	if (!ret)
		ret = vv_named_at(ctx, rev, path, &was);
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(&ctx->err);
		ret = 0; /* new since then */
	}
	if (!ret)
		ret = compare_dirs(k, was.manifest, there ? &now : NULL, dir, true);
	vv_named_release(&was);
	vv_manifest_release(&now);
	free(dir);
	free(full);
	return ret;
}

struct dirs {
	struct differ *k;
	const char *rev;
};

static int one_dir(void *arg, const char *path, const char *format, struct vv_err *err VV_UNUSED)
{
	const struct dirs *d = arg;

	return format ? worktree_dir(d->k, d->rev, path) : 0;
}

static int worktree_dirs(struct differ *k, const char *rev, char **words)
{
	struct vv_buf list = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct dirs d = {k, rev};
	int ret = vv_dirs_list((const char *const *)words, &list, &k->ctx->err);

	if (!ret)
		ret = vv_kept_each(&k->ctx->repo, vv_buf_view(&list), one_dir, &d, &k->ctx->err);
	vv_buf_release(&list);
	return ret;
}

static void conflict(struct differ *k, const char *path)
{
	vv_diffshow_conflict(&k->show, path);
	if (vv_report_wanted(&k->report))
		vv_report_conflict(&k->report, path);
}

/* One file that git says differs. */
static int one_file(struct differ *k, const struct vv_change *c, bool worktree)
{
	struct vv_ctx *ctx = k->ctx;
	const struct vv_manifest *ma, *mb = NULL;
	struct vv_named a = {.path = c->path_a}, b = {.path = c->path_b}, opened = {0};
	int ret;

	if (worktree && vv_is_dir_path(c->path_b) && c->status != 'U')
		return 0; /* by its files: worktree_dirs */
	if (c->status == 'U') {
		conflict(k, c->path_b);
		return 0;
	}
	ret = vv_shelf_get(&k->shelf, c->oid_a, &ma, &ctx->err);
	if (!ret)
		ret = vv_shelf_get(&k->shelf, c->oid_b, &mb, &ctx->err);
	/* The shelf's manifests are its own: never released through these. */
	a.manifest = (struct vv_manifest *)(uintptr_t)ma;
	b.manifest = (struct vv_manifest *)(uintptr_t)mb;
	if (!ret && worktree && c->status != 'D' && vv_oid_is_zero(c->oid_b)) {
		ret = vv_named_at(ctx, NULL, c->path_b, &opened);
		if (ret == VV_ECONFLICT || ret == VV_ECORRUPT || ret == VV_EFORMAT || ret == VV_ENOTSUP) {
			vv_warn("%s", ctx->err.msg);
			vv_err_clear(&ctx->err);
			conflict(k, c->path_b);
			return 0;
		}
		b = opened;
	}
	if (!ret && vv_is_dir_path(c->path_b))
		ret = compare_dir_texts(k, c->path_b, ma, mb);
	else if (!ret)
		ret = compare(k, &a, &b, c->status == 'R');
	vv_named_release(&opened);
	return ret;
}

static int compare_whole(void *arg, const struct vv_named *a, const struct vv_named *b)
{
	return compare(arg, a, b, strcmp(a->path, b->path) != 0);
}

static int all_files(struct differ *k, const struct vv_sides *sides, char **paths)
{
	struct vv_ctx *ctx = k->ctx;
	struct vv_changes changes = {0};
	struct vv_err ignore = VV_ERR_INIT;
	bool *taken, worktree = !sides->index && !sides->b;
	int ret = 0;

	if (vv_repo_store(&ctx->repo, false, &ignore) && ignore.code != VV_ENOTFOUND) {
		ctx->err = ignore;
		return ignore.code;
	}
	ret = vv_changes_list(ctx, sides, paths, &changes);
	taken = calloc(changes.n + 1, sizeof(*taken));
	if (!ret && !taken)
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_diffwhole(ctx, sides, &changes, taken, compare_whole, k);
	for (size_t i = 0; i < changes.n && !ret; i++)
		if (!taken[i])
			ret = one_file(k, &changes.v[i], worktree);
	free(taken);
	if (!ret && worktree)
		ret = worktree_dirs(k, sides->a ? sides->a : "", paths);
	vv_changes_release(&changes);
	return ret;
}

static int in_git(struct differ *k, char **words, int n, int dash, bool cached)
{
	struct vv_ctx *ctx = k->ctx;
	struct vv_sides sides = {0};
	int n_revs = 0, ret = vv_sides_parse(ctx, words, n, dash, &sides, &n_revs);

	sides.index = cached;
	if (!ret && cached && sides.b)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--cached compares the index with one revision");
	/* Without a commit yet everything in the index is new. */
	if (!ret && cached && !sides.a && vv_rev_commit(ctx, "HEAD", &sides.a) == VV_ENOTFOUND)
		vv_err_clear(&ctx->err);
	if (!ret && !cached && !sides.b && !ctx->repo.top)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "a bare repository has no worktree: name two revisions");
	if (!ret)
		ret = all_files(k, &sides, words + n_revs);
	vv_sides_release(&sides);
	return ret;
}

int vv_diff_keep(struct vv_ctx *ctx, const char *a, const char *b)
{
	struct differ k = {.ctx = ctx, .shelf = VV_SHELF_INIT(&ctx->repo), .show.silent = true, .keep = true};
	struct vv_sides sides = {.a = strdup(a), .b = strdup(b)};
	char *none[] = {NULL};
	int ret = sides.a && sides.b ? all_files(&k, &sides, none) : vv_fail_nomem(&ctx->err);

	vv_diffshow_release(&k.show);
	vv_shelf_release(&k.shelf);
	vv_sides_release(&sides);
	return ret;
}

static int two_files(struct differ *k, const char *a, const char *b)
{
	struct vv_named from = {0}, to = {0};
	int ret = vv_named_open(k->ctx, a, &from);

	if (!ret)
		ret = vv_named_open(k->ctx, b, &to);
	if (!ret)
		ret = vv_whole_find(k->ctx, &from, true);
	if (!ret)
		ret = vv_whole_find(k->ctx, &to, true);
	if (!ret)
		ret = compare(k, &from, &to, false);
	vv_named_release(&from);
	vv_named_release(&to);
	return ret;
}

/* "REV:FILE", and no file of that name? */
static bool is_blob(const char *word)
{
	return strchr(word, ':') && word[0] != ':' && access(word, F_OK);
}

/* A report there is all that standard output gets. */
static void to_stdout(struct differ *k)
{
	const char *const paths[] = {k->report.html_path, k->report.md_path};

	for (size_t i = 0; i < VV_COUNT(paths); i++)
		k->show.silent |= paths[i] && !strcmp(paths[i], "-");
}

static int check_options(struct differ *k, const char *order, bool depth)
{
	struct vv_err *err = &k->ctx->err;

	if (order && strcmp(order, "change") && strcmp(order, "file"))
		return vv_fail(err, VV_EUSAGE, "--order is change or file, not '%s'", order);
	k->show.in_order = order && !strcmp(order, "file");
	if (depth && !k->by_layer)
		return vv_fail(err, VV_EUSAGE, "--depth goes with --layers");
	if (k->show.stat && k->by_layer)
		return vv_fail(err, VV_EUSAGE, "--stat and --layers are two ways to show it");
	to_stdout(k);
	if (k->show.silent && k->ctx->json)
		return vv_fail(err, VV_EUSAGE, "--json and a report both want standard output");
	k->filter = (struct vv_diff_filter){k->tensors.v, k->layers.v, k->tensors.n, k->layers.n};
	return 0;
}

int cmd_diff(struct vv_ctx *ctx, int argc, char **argv)
{
	struct differ k = {.ctx = ctx, .shelf = VV_SHELF_INIT(&ctx->repo), .show.depth = UINT64_MAX,
		.report.html_file.fd = -1, .report.md_file.fd = -1};
	bool cached = false, exit_code = false, no_index = false, repo;
	const char *order = NULL;
	const struct vv_opt opts[] = {
		{0, "stat", VV_OPT_FLAG, &k.show.stat, NULL, "a line for each file; no weights are read"},
		{0, "order", VV_OPT_TEXT, &order, "KEY", "change: what changed most first (the default); file"},
		{'t', "tensor", VV_OPT_LIST, &k.tensors, "GLOB", "only tensors of such a name"},
		{0, "layer", VV_OPT_LIST, &k.layers, "GLOB", "only tensors below such a layer"},
		{0, "layers", VV_OPT_FLAG, &k.by_layer, NULL, "layers instead of tensors, added up"},
		{0, "depth", VV_OPT_COUNT, &k.show.depth, "N", "N levels of layers"},
		{0, "exact", VV_OPT_FLAG, &k.exact, NULL, "also the rank of large matrices"},
		{0, "html", VV_OPT_TEXT, &k.report.html_path, "FILE", "a page with maps and histograms; '-': standard output"},
		{0, "markdown", VV_OPT_TEXT, &k.report.md_path, "FILE", "a text for a pull request; '-': standard output"},
		{0, "cached", VV_OPT_FLAG, &cached, NULL, "the index against REV, or HEAD"},
		{0, "staged", VV_OPT_FLAG, &cached, NULL, "the same"},
		{0, "no-index", VV_OPT_FLAG, &no_index, NULL, "two files, wherever they are"},
		{0, "exit-code", VV_OPT_FLAG, &exit_code, NULL, "1 when something differs (as with --quiet)"},
		{0},
	};
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret)
		ret = check_options(&k, order, k.show.depth != UINT64_MAX);
	if (!ret)
		ret = vv_report_open(&k.report, ctx, argv + 1);
	if (ret)
		goto out;
	vv_diffshow_init(&k.show, ctx);
	repo = !vv_repo_open(&ctx->repo, &ctx->err);
	if (!repo && argc == 3)
		vv_err_clear(&ctx->err);
	if (argc == 3 && (!repo || no_index || (dash < 0 && is_blob(argv[1]) && is_blob(argv[2]))))
		ret = two_files(&k, argv[1], argv[2]);
	else if (no_index)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--no-index takes two files");
	else
		ret = repo ? in_git(&k, argv + 1, argc - 1, dash, cached) : ctx->err.code;
	if (!ret && vv_report_wanted(&k.report))
		ret = vv_report_end(&k.report, &k.show);
	if (!ret)
		vv_diffshow_end(&k.show);
	vv_diffshow_release(&k.show);
	vv_shelf_release(&k.shelf);
out:
	vv_report_release(&k.report);
	free(k.tensors.v);
	free(k.layers.v);
	return ret ? ret : (exit_code || ctx->quiet) && k.show.files ? VV_EXIT_NO : VV_EXIT_OK;
}
