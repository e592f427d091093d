/* What varve knows beyond git status: tensors changed, bytes that add would store, what is missing. */
#include "cli/cli.h"

#include "base/map.h"
#include "git/statcache.h"
#include "git/sync.h"
#include "model/diff.h"
#include "model/model.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

enum state { CLEAN, STAGED, MODIFIED, MANIFEST, CONFLICT, DELETED, UNTRACKED };
static const char *const state_names[] = {"clean", "staged", "modified", "manifest", "conflict", "deleted", "new"};

struct row {
	enum state state;
	bool staged;               /* the index differs from HEAD */
	size_t changed, total;     /* tensors, against the older of the two compared */
	uint64_t size, bytes_new;  /* of the file; raw bytes that the store does not have yet */
	size_t objects_new;
};

struct looking {
	struct vv_ctx *ctx;
	struct vv_statcache cache;
	json_t *list;
	size_t n[VV_COUNT(state_names)];
	bool store;
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

/* The manifest at `name`; 1 when there is none, or it is no manifest. */
static int manifest_at(struct vv_blobs *blobs, const char *rev, const char *path, struct vv_manifest *m, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST), name = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err why = VV_ERR_INIT;
	int ret = 1;

	vv_buf_fmt(&name, "%s:%s", rev, path);
	if (!name.failed && !vv_blobs_get(blobs, (char *)name.ptr, &b, &why) &&
		vv_manifest_detect(vv_buf_view(&b)) == VV_TEXT_MANIFEST && !vv_manifest_parse(m, vv_buf_view(&b), &why))
		ret = 0;
	vv_buf_release(&b);
	vv_buf_release(&name);
	return why.code == VV_ENOMEM ? vv_fail_nomem(err) : ret;
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
			json_pack("{s:o,s:s,s:b,s:I,s:I,s:I,s:I,s:I}", "path", vv_json_name(path), "state", state_names[row->state], "staged",
				row->staged, "tensors_changed", (json_int_t)row->changed, "tensors", (json_int_t)row->total,
				"size", (json_int_t)row->size, "objects_new", (json_int_t)row->objects_new, "bytes_new",
				(json_int_t)row->bytes_new));
	} else if (row->state != CLEAN) {
		printf("  %s%-9s%s %s", vv_color(ctx, row->state == STAGED ? VV_GREEN : VV_RED), state_names[row->state],
			vv_color(ctx, VV_PLAIN), name);
		if (row->total)
			printf("  %zu of %zu tensors", row->changed, row->total);
		if (row->state != MANIFEST && row->state != DELETED && row->state != CONFLICT)
			printf("  %s%s%s%s", vv_human(row->size, size), row->bytes_new ? ", " : "",
				row->bytes_new ? vv_human(row->bytes_new, bytes) : "", row->bytes_new ? " not stored yet" : "");
		putchar('\n');
	}
	free(name);
}

/* One path of the index (entry) or, without entry, an untracked file. */
static int look(struct looking *l, struct vv_blobs *blobs, const struct vv_entry *e, const char *path, bool dirty,
	bool staged)
{
	struct vv_ctx *ctx = l->ctx;
	struct vv_manifest old = {0}, now = {0};
	struct row row = {.state = e ? CLEAN : UNTRACKED, .staged = staged};
	char *full = vv_repo_path(&ctx->repo, path);
	const char *known;
	struct stat st;
	int ret = 0, found = 1;

	if (!full)
		return vv_fail_nomem(&ctx->err);
	if (e && e->stage) {
		row.state = CONFLICT;
	} else if (lstat(full, &st)) {
		row.state = dirty ? DELETED : CLEAN; /* not dirty: sparse */
	} else if (is_text(full, (uint64_t)st.st_size)) {
		row.state = MANIFEST;
	} else if (!e || (dirty && (!(known = vv_statcache_find(&l->cache, path, &st)) || strcmp(known, e->oid)))) {
		row.state = e ? MODIFIED : UNTRACKED;
		row.size = (uint64_t)st.st_size;
		ret = hash_worktree(ctx, full, &now);
		if (!ret) {
			count_new(ctx, &now, &row);
			found = e ? manifest_at(blobs, "", path, &old, &ctx->err) : 1;
			ret = found < 0 ? found : count_changed(found ? &(struct vv_manifest){.format = ""} : &old, &now, &row, &ctx->err);
			if (!ret && !found && vv_id_eq(&old.sha256, &now.sha256))
				row.state = staged ? STAGED : CLEAN;
		}
	} else if (staged) {
		row.state = STAGED;
		row.size = (uint64_t)st.st_size;
	}
	if (!ret && row.state == STAGED && !row.total) {
		found = manifest_at(blobs, "", path, &now, &ctx->err);
		if (!found) {
			int had = manifest_at(blobs, "HEAD", path, &old, &ctx->err);
			ret = had < 0 ? had : count_changed(had ? &(struct vv_manifest){.format = ""} : &old, &now, &row, &ctx->err);
			count_new(ctx, &now, &row);
		}
	}
	if (!ret)
		print_row(l, path, &row);
	vv_manifest_release(&old);
	vv_manifest_release(&now);
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

static int look_untracked(struct looking *l, struct vv_blobs *blobs, const struct vv_buf *others)
{
	static const char *const args[] = {"check-attr", "-z", "--stdin", "filter", NULL};
	struct vv_ctx *ctx = l->ctx;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_MANIFEST);
	int status = 0, ret = 0;

	if (others->len)
		ret = vv_git_status(&ctx->repo, args, NULL, vv_buf_view(others), &out, &status, &ctx->err);
	for (const char *p = (char *)out.ptr, *end = p + out.len; !ret && p < end;) {
		const char *path = p;
		p += strlen(p) + 1;
		p += strlen(p) + 1;
		if (!strcmp(p, "varve"))
			ret = look(l, blobs, NULL, path, true, false);
		p += strlen(p) + 1;
	}
	vv_buf_release(&out);
	return ret;
}

static void say_hints(const struct looking *l)
{
	struct vv_ctx *ctx = l->ctx;

	if (!ctx->json && !ctx->quiet && l->n[CLEAN] + l->n[UNTRACKED] == 0 && !l->n[STAGED] && !l->n[MODIFIED] &&
		!l->n[MANIFEST] && !l->n[CONFLICT] && !l->n[DELETED])
		puts("no models kept yet");
	else if (!ctx->json && !ctx->quiet && !l->n[UNTRACKED] && !l->n[STAGED] && !l->n[MODIFIED] && !l->n[MANIFEST] &&
		!l->n[CONFLICT] && !l->n[DELETED])
		printf("all %zu models clean\n", l->n[CLEAN]);
	if (l->n[MODIFIED] || l->n[UNTRACKED])
		vv_hint(ctx, "'varve add FILE' (or git add) stores and stages what is new");
	if (l->n[MANIFEST])
		vv_hint(ctx, "'varve checkout' puts the models themselves where manifests stand");
	if (l->n[CONFLICT])
		vv_hint(ctx, "'git checkout --ours|--theirs FILE', then 'git add FILE', settles a conflict");
}

int cmd_status(struct vv_ctx *ctx, int argc, char **argv)
{
	const struct vv_opt none[] = {{0}};
	struct looking l = {.ctx = ctx, .list = json_array()};
	struct vv_buf dirty = VV_BUF_INIT(VV_MAX_MANIFEST), staged = VV_BUF_INIT(VV_MAX_MANIFEST),
		      others = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_map dirty_set = {0}, staged_set = {0};
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_entries all = {0};
	struct vv_err ignore = VV_ERR_INIT;
	const char **paths = calloc((size_t)argc + 1, sizeof(*paths));
	int ret = paths ? vv_opt_parse(ctx, none, &argc, argv, NULL) : vv_fail_nomem(&ctx->err);

	for (int i = 1; i < argc && !ret; i++)
		ret = vv_top_path(ctx, argv[i], (char **)&paths[i - 1]);
	if (!ret && vv_repo_store(&ctx->repo, false, &ignore) && ignore.code != VV_ENOTFOUND) {
		ctx->err = ignore;
		ret = ignore.code;
	}
	if (!ret)
		ret = vv_tracked(&ctx->repo, argc > 1 ? paths : NULL, &all, &ctx->err);
	if (!ret)
		ret = VV_GIT(&ctx->repo, &dirty, &ctx->err, "diff-files", "-z", "--name-only", "--", ":(top,attr:filter=varve)");
	/* Without a commit everything in the index is new: no list is needed, look() finds no HEAD. */
	if (!ret && VV_GIT(&ctx->repo, &staged, &ignore, "diff-index", "--cached", "-z", "--name-only", "HEAD", "--")) {
		vv_buf_clear(&staged);
		for (size_t i = 0; i < all.n; i++)
			vv_buf_add(&staged, all.v[i].path, strlen(all.v[i].path) + 1);
	}
	if (!ret && argc < 2)
		ret = VV_GIT(&ctx->repo, &others, &ctx->err, "ls-files", "-z", "-o", "--exclude-standard");
	if (!ret)
		ret = set_of(&dirty_set, &dirty, &ctx->err);
	if (!ret)
		ret = set_of(&staged_set, &staged, &ctx->err);
	if (!ret)
		ret = vv_statcache_open(&l.cache, &ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_blobs_open(&blobs, &ctx->repo, &ctx->err);
	for (size_t i = 0; i < all.n && !ret; i++) {
		struct vv_span path = vv_span_str(all.v[i].path);
		if (i && !strcmp(all.v[i].path, all.v[i - 1].path))
			continue; /* stages of a conflict */
		ret = look(&l, &blobs, &all.v[i], all.v[i].path, vv_map_find(&dirty_set, path), vv_map_find(&staged_set, path));
	}
	if (!ret)
		ret = look_untracked(&l, &blobs, &others);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O}", "files", l.list));
	if (!ret)
		say_hints(&l);
	vv_blobs_close(&blobs);
	vv_statcache_release(&l.cache);
	vv_entries_release(&all);
	vv_map_release(&dirty_set);
	vv_map_release(&staged_set);
	vv_buf_release(&dirty);
	vv_buf_release(&staged);
	vv_buf_release(&others);
	json_decref(l.list);
	for (int i = 1; paths && i < argc; i++)
		free((void *)(uintptr_t)paths[i - 1]);
	free(paths);
	return ret;
}
