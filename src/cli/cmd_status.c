/* What varve knows beyond git status: tensors changed, bytes that add would store, what is missing. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/map.h"
#include "cli/dirs.h"
#include "cli/gitlines.h"
#include "cli/names.h"
#include "cli/shelf.h"
#include "git/diradd.h"
#include "git/resolve.h"
#include "git/statcache.h"
#include "git/sync.h"
#include "diff/diff.h"
#include "model/model.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CONFLICTS_SHOWN = 20 };
enum state { CLEAN, STAGED, MODIFIED, MANIFEST, CONFLICT, DELETED, UNTRACKED };
static const char *const state_names[] = {"clean", "staged", "modified", "manifest", "conflict", "deleted", "new"};

struct row {
	enum state state;
	bool staged;               /* the index differs from HEAD */
	size_t changed, total;     /* tensors, against the older of the two compared */
	uint64_t size, bytes_new;  /* of the file; raw bytes that the store does not have yet */
	size_t objects_new;
	struct vv_resolution *left; /* CONFLICT: what is left of it; NULL: it goes by the whole file */
};

struct looking {
	struct vv_ctx *ctx;
	struct vv_statcache cache;
	struct vv_shelf shelf;
	json_t *list, *dirs;
	size_t n[VV_COUNT(state_names)];
};

/* Sums what the store lacks of a manifest. */
static void count_new(struct vv_ctx *ctx, const struct vv_manifest *m, struct row *row)
{
	for (size_t i = 0; i < m->n_segs; i++)
		if (!ctx->repo.store || !vv_store_has(ctx->repo.store, &m->segs[i].id)) {
			row->objects_new++;
			row->bytes_new += m->segs[i].seg.len;
		}
}

/* Compares two manifests: how many tensors differ, of how many. */
static int count_changed(const struct vv_manifest *a, const struct vv_manifest *b, struct row *row, struct vv_err *err)
{
	struct vv_diff d;
	int ret = vv_diff_make(&d, a, b, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < d.n; i++)
		row->changed += d.items[i].kind != VV_DIFF_MOVED;
	row->total = d.n_same + d.n;
	vv_diff_release(&d);
	return 0;
}

/* The version at "REV:path"; NULL when there is no model. Borrowed from the shelf. */
static int manifest_at(struct looking *l, const char *rev, const char *path, const struct vv_manifest **m)
{
	char *name = NULL;
	int ret;

	if (asprintf(&name, "%s:%s", rev, path) < 0)
		return vv_fail_nomem(&l->ctx->err);
	ret = vv_shelf_get(&l->shelf, name, m, &l->ctx->err);
	free(name);
	return ret;
}

static int hash_worktree(struct vv_ctx *ctx, const char *full, struct vv_manifest *m)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_file f = {.fd = -1};
	int ret = vv_file_open(&f, full, &ctx->err);

	if (!ret)
		ret = vv_repo_pool(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_model_hash(ctx->repo.pool, &f.base, &text, m, ctx->progress, &ctx->err);
	vv_file_close(&f);
	vv_buf_release(&text);
	vv_progress_end();
	return ret;
}

/* Is the worktree file a manifest's text? */
static bool is_text(const char *full, uint64_t size)
{
	uint8_t head[64];
	struct vv_file f;
	struct vv_err ignore = VV_ERR_INIT;
	bool yes;

	if (size > VV_MAX_MANIFEST || vv_file_open(&f, full, &ignore))
		return false;
	yes = size >= sizeof(head) && !vv_source_read(&f.base, 0, head, sizeof(head), &ignore) &&
		vv_manifest_detect(vv_span(head, sizeof(head))) != VV_TEXT_OTHER;
	vv_file_close(&f);
	return yes;
}

static void print_row(struct looking *l, const char *path, const struct row *row)
{
	struct vv_ctx *ctx = l->ctx;
	char size[32], bytes[32], *name = vv_safe(path);

	l->n[row->state]++;
	if (ctx->json) {
		json_array_append_new(l->list,
			json_pack("{s:o,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:o}", "path", vv_json_name(path), "state",
				state_names[row->state], "staged", row->staged, "tensors_changed", (json_int_t)row->changed,
				"tensors", (json_int_t)row->total, "size", (json_int_t)row->size, "objects_new",
				(json_int_t)row->objects_new, "bytes_new", (json_int_t)row->bytes_new, "conflicts",
				vv_left_json(row->left)));
	} else if (row->state != CLEAN) {
		printf("  %s%-9s%s %s", vv_color(ctx, row->state == STAGED ? VV_GREEN : VV_RED), state_names[row->state],
			vv_color(ctx, VV_PLAIN), name);
		if (row->total)
			printf("  %zu of %zu tensors", row->changed, row->total);
		if (row->state != MANIFEST && row->state != DELETED && row->state != CONFLICT)
			printf("  %s%s%s%s", vv_human(row->size, size), row->bytes_new ? ", " : "",
				row->bytes_new ? vv_human(row->bytes_new, bytes) : "", row->bytes_new ? " not stored yet" : "");
		if (row->left)
			printf("  %zu tensor%s", row->left->n_left, row->left->n_left == 1 ? "" : "s");
		putchar('\n');
		if (row->left)
			vv_print_left(row->left, "      ", CONFLICTS_SHOWN);
	}
	free(name);
}

/* Compares with what an earlier version had; NULL: nothing. */
static int compare(struct looking *l, const struct vv_manifest *old, const struct vv_manifest *now, struct row *row)
{
	const struct vv_manifest none = {.format = ""};

	count_new(l->ctx, now, row);
	return count_changed(old ? old : &none, now, row, &l->ctx->err);
}

/* The worktree file may differ from the index (`e` NULL: it is not there): by its content. */
static int look_inside(struct looking *l, const struct vv_entry *e, const char *path, const char *full, struct row *row)
{
	struct vv_manifest now = {0};
	const struct vv_manifest *old = NULL;
	int ret = hash_worktree(l->ctx, full, &now);

	if (!ret && e)
		ret = manifest_at(l, "", path, &old);
	if (!ret)
		ret = compare(l, old, &now, row);
	if (!ret && old && vv_id_eq(&old->sha256, &now.sha256))
		row->state = row->staged ? STAGED : CLEAN;
	vv_manifest_release(&now);
	return ret;
}

/* What is staged, against HEAD. */
static int look_staged(struct looking *l, const char *path, struct row *row)
{
	const struct vv_manifest *now, *old;
	int ret = manifest_at(l, "", path, &now);

	if (!ret)
		ret = manifest_at(l, "HEAD", path, &old);
	return ret || !now ? ret : compare(l, old, now, row);
}

static void print_dir(struct looking *l, const char *dir, enum state state, bool staged, const struct vv_dirlook *k,
	const struct vv_resolution *left)
{
	struct vv_ctx *ctx = l->ctx;
	size_t files = k->tree.n;
	char text[96], bytes[32], *name = vv_safe(dir);

	l->n[state]++;
	if (ctx->json) {
		json_array_append_new(l->dirs, json_pack("{s:o,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:o}", "path", vv_json_name(dir), "state",
			state_names[state], "staged", staged, "files", (json_int_t)files, "new", (json_int_t)k->added, "changed",
			(json_int_t)k->changed, "deleted", (json_int_t)k->deleted, "bytes", (json_int_t)k->bytes, "conflicts",
			vv_left_json(left)));
	} else if (state != CLEAN) {
		printf("  %s%-9s%s %s/", vv_color(ctx, state == STAGED ? VV_GREEN : VV_RED), state_names[state],
			vv_color(ctx, VV_PLAIN), name);
		if (state != DELETED)
			printf("  %s", vv_dir_counts(k->added, k->changed, k->deleted, files, text, sizeof(text)));
		if (k->bytes)
			printf("  %s", vv_human(k->bytes, bytes));
		putchar('\n');
		if (left)
			vv_print_left(left, "      ", CONFLICTS_SHOWN);
	}
	free(name);
}

/* A directory, by its manifest's path: what its files are, beside what the manifest says. */
static int look_dir(struct looking *l, const struct vv_entry *e, const char *path, bool dirty, bool staged,
	const struct vv_unmerged *u)
{
	struct vv_ctx *ctx = l->ctx;
	struct vv_dirlook k = {.state = VV_DIRSTATE_INIT};
	struct vv_resolution left;
	struct vv_err why = VV_ERR_INIT;
	bool known = u && !vv_resolve_left(&ctx->repo, u, &left, &why);
	enum state state = e ? staged ? STAGED : CLEAN : UNTRACKED;
	char *dir = vv_dir_of_path(path), *full = vv_repo_path(&ctx->repo, path);
	int ret = dir && full ? 0 : vv_fail_nomem(&ctx->err);

	if (!ret && !vv_exists(full)) {
		state = dirty ? DELETED : CLEAN;
	} else if (!ret) {
		ret = vv_dirlook(&k, &ctx->repo, dir, true, &ctx->err);
		/* What is wrong with one says nothing of the others. */
		if (ret && ret != VV_ENOMEM) {
			vv_warn("%s", ctx->err.msg);
			vv_err_clear(&ctx->err);
			dirty = true;
			ret = 0;
		}
		if (e && e->stage)
			state = CONFLICT;
		else if (k.behind)
			state = MANIFEST;
		else if (e && (dirty || k.added || k.changed || k.deleted))
			state = MODIFIED;
	}
	if (!ret)
		print_dir(l, dir, state, staged, &k, known ? &left : NULL);
	if (known)
		vv_resolution_release(&left);
	vv_dirlook_release(&k);
	free(dir);
	free(full);
	return ret;
}

/* What is left of a conflict; what cannot be told by tensors is told by the file alone. */
static int look_conflict(struct looking *l, const struct vv_unmerged *u)
{
	struct vv_resolution left;
	struct row row = {.state = CONFLICT};
	struct vv_err why = VV_ERR_INIT;
	bool known = !vv_resolve_left(&l->ctx->repo, u, &left, &why);

	if (known)
		row.left = &left;
	print_row(l, u->path, &row);
	if (known)
		vv_resolution_release(&left);
	return why.code == VV_ENOMEM ? vv_fail_nomem(&l->ctx->err) : 0;
}

/* One path of the index (entry) or, without entry, an untracked file. */
static int look(struct looking *l, const struct vv_entry *e, const char *path, bool dirty, bool staged)
{
	struct row row = {.state = e ? CLEAN : UNTRACKED, .staged = staged};
	char *full = vv_repo_path(&l->ctx->repo, path);
	const char *known = NULL;
	struct stat st;
	int ret = 0;

	if (!full)
		return vv_fail_nomem(&l->ctx->err);
	if (vv_is_dir_path(path)) {
		free(full);
		return look_dir(l, e, path, dirty, staged, NULL);
	}
	if (lstat(full, &st)) {
		row.state = dirty ? DELETED : CLEAN; /* not dirty: sparse */
	} else if (is_text(full, (uint64_t)st.st_size)) {
		row.state = MANIFEST;
	} else {
		row.size = (uint64_t)st.st_size;
		known = vv_statcache_find(&l->cache, path, &st);
		if (!e || (dirty && (!known || strcmp(known, e->oid)))) {
			row.state = e ? MODIFIED : UNTRACKED;
			ret = look_inside(l, e, path, full, &row);
		} else if (staged) {
			row.state = STAGED;
		}
	}
	if (!ret && row.state == STAGED && !row.total)
		ret = look_staged(l, path, &row);
	if (!ret)
		print_row(l, path, &row);
	free(full);
	return ret;
}

/* A set of NUL-separated paths. `buf` must outlive it. */
static int set_of(struct vv_map *set, const struct vv_buf *buf, struct vv_err *err)
{
	for (const char *p = (char *)buf->ptr, *end = p + buf->len; p < end; p += strlen(p) + 1)
		if (!vv_map_put(set, vv_span_str(p), 1, NULL))
			return vv_fail_nomem(err);
	return 0;
}

/* Paths that are not in the index: new ones, and removed ones that HEAD has. */
static int look_new(void *arg, const char *path, const char *format, struct vv_err *err VV_UNUSED)
{
	return format ? look(arg, NULL, path, true, false) : 0;
}

static int look_gone(void *arg, const char *path, const char *format, struct vv_err *err VV_UNUSED)
{
	if (format)
		print_row(arg, path, &(struct row){.state = DELETED, .staged = true});
	return 0;
}

static void say_hints(const struct looking *l)
{
	struct vv_ctx *ctx = l->ctx;
	size_t n = 0;

	for (size_t i = 0; i < VV_COUNT(l->n); i++)
		n += l->n[i];
	if (!ctx->json && !ctx->quiet && !n)
		puts("no models kept yet");
	else if (!ctx->json && !ctx->quiet && n == l->n[CLEAN])
		printf(n == 1 ? "the model is clean\n" : "all %zu models are clean\n", n);
	if (l->n[MODIFIED] || l->n[UNTRACKED])
		vv_hint(ctx, "'varve add FILE' (or git add) stores and stages what is new");
	if (l->n[MANIFEST])
		vv_hint(ctx, "'varve checkout' puts the models themselves where manifests stand");
	if (l->n[CONFLICT])
		vv_hint(ctx, "'varve resolve --ours|--theirs|--base|--method NAME [FILE]' settles conflicts, with --tensor some of them");
}

/* What git can tell by stat data: NUL-separated paths. */
struct lists {
	struct vv_buf dirty, staged, others, gone;
	struct vv_map dirty_set, staged_set, index_set;
};

static int list_all(struct vv_ctx *ctx, const struct vv_entries *all, char *const *words, struct lists *s)
{
	struct vv_err ignore = VV_ERR_INIT;
	int ret = VV_GIT(
		&ctx->repo, &s->dirty, &ctx->err, "diff-files", "-z", "--name-only", "--", ":(top,attr:filter=varve)");

	/* Without a commit everything in the index is new. */
	if (!ret && VV_GIT(&ctx->repo, &s->staged, &ignore, "diff-index", "--cached", "-z", "--name-only", "HEAD", "--")) {
		vv_buf_clear(&s->staged);
		for (size_t i = 0; i < all->n; i++)
			vv_buf_add(&s->staged, all->v[i].path, strlen(all->v[i].path) + 1);
	}
	if (!ret)
		ret = vv_untracked(words, false, &s->others, &ctx->err);
	if (!ret)
		ret = set_of(&s->dirty_set, &s->dirty, &ctx->err);
	if (!ret)
		ret = set_of(&s->staged_set, &s->staged, &ctx->err);
	for (size_t i = 0; i < all->n && !ret; i++)
		if (!vv_map_put(&s->index_set, vv_span_str(all->v[i].path), 1, NULL))
			ret = vv_fail_nomem(&ctx->err);
	/* With paths, what else was removed was not asked for. */
	for (const char *p = (char *)s->staged.ptr, *end = p + s->staged.len; !words[0] && !ret && p < end; p += strlen(p) + 1)
		if (!vv_map_find(&s->index_set, vv_span_str(p)))
			vv_buf_add(&s->gone, p, strlen(p) + 1);
	return ret ? ret : vv_buf_check(&s->gone, &ctx->err);
}

static void release_lists(struct lists *s)
{
	vv_buf_release(&s->dirty);
	vv_buf_release(&s->staged);
	vv_buf_release(&s->others);
	vv_buf_release(&s->gone);
	vv_map_release(&s->dirty_set);
	vv_map_release(&s->staged_set);
	vv_map_release(&s->index_set);
}

static int look_all(struct looking *l, const struct vv_entries *all, const struct lists *s)
{
	struct vv_ctx *ctx = l->ctx;
	int ret = 0;

	for (size_t i = 0; i < all->n && !ret; i++) {
		struct vv_span path = vv_span_str(all->v[i].path);
		size_t k = i;
		struct vv_unmerged u;

		if (all->v[i].stage && i && !strcmp(all->v[i].path, all->v[i - 1].path))
			continue; /* stages of a conflict */
		if (all->v[i].stage && vv_unmerged_next(all, &k, &u))
			ret = vv_is_dir_path(u.path) ? look_dir(l, &all->v[i], u.path, true, true, &u) : look_conflict(l, &u);
		else
			ret = look(l, &all->v[i], all->v[i].path, vv_map_find(&s->dirty_set, path),
				vv_map_find(&s->staged_set, path));
	}
	if (!ret)
		ret = vv_kept_each(&ctx->repo, vv_buf_view(&s->gone), look_gone, l, &ctx->err);
	return ret ? ret : vv_kept_each(&ctx->repo, vv_buf_view(&s->others), look_new, l, &ctx->err);
}

int cmd_status(struct vv_ctx *ctx, int argc, char **argv)
{
	struct looking l = {.ctx = ctx, .shelf = VV_SHELF_INIT(&ctx->repo), .list = json_array(),
		.dirs = json_array()};
	struct lists s = {VV_BUF_INIT(VV_MAX_MANIFEST), VV_BUF_INIT(VV_MAX_MANIFEST), VV_BUF_INIT(VV_MAX_MANIFEST),
		VV_BUF_INIT(VV_MAX_MANIFEST), {0}, {0}, {0}};
	struct vv_entries all = {0};
	struct vv_err why = VV_ERR_INIT;
	char **paths = NULL;
	int ret = vv_opt_parse(ctx, NULL, &argc, argv, NULL);

	if (!ret)
		ret = vv_top_paths(ctx, argv + 1, &paths);
	if (!ret && vv_repo_store(&ctx->repo, false, &why) && why.code != VV_ENOTFOUND) {
		ctx->err = why;
		ret = why.code;
	}
	if (!ret)
		ret = vv_tracked(&ctx->repo, argc > 1 ? (const char *const *)paths : NULL, &all, &ctx->err);
	if (!ret)
		ret = list_all(ctx, &all, argv + 1, &s);
	if (!ret)
		ret = vv_statcache_open(&l.cache, &ctx->repo, &ctx->err);
	if (!ret)
		ret = look_all(&l, &all, &s);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O,s:O}", "files", l.list, "directories", l.dirs));
	if (!ret)
		say_hints(&l);
	vv_shelf_release(&l.shelf);
	vv_statcache_release(&l.cache);
	vv_entries_release(&all);
	release_lists(&s);
	json_decref(l.list);
	json_decref(l.dirs);
	vv_paths_free(paths);
	return ret;
}
