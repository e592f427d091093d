/* What the store holds and what it costs; with --files, for each path over all of history. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/arena.h"
#include "base/map.h"
#include "cli/gitlines.h"
#include "cli/keptfile.h"
#include "cli/shelf.h"
#include "cli/table.h"
#include "git/roots.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHARED = -1 };

/* One path that has, or had, a model. */
struct path_use {
	const char *path;
	size_t versions;
	uint64_t raw, own; /* bytes: of all versions; in the store, of objects that no other path has */
};

struct user {
	struct vv_ctx *ctx;
	struct vv_arena arena;
	struct version {
		const char *oid;
		size_t path;          /* 1 + index into paths; 0: no commit has it */
	} *versions;
	size_t n_versions, cap_versions;
	struct vv_map by_oid, by_path;
	struct path_use *paths;
	size_t n, cap;
	struct vv_map owners;     /* object id → path, or SHARED */
	uint64_t shared;
	uint64_t raw;             /* bytes of every version of every file */
};

static int note_manifest(void *arg, const char *oid, const struct vv_manifest *m, struct vv_err *err)
{
	struct user *u = arg;
	char *key = vv_arena_copy(&u->arena, vv_span_str(oid));

	if (u->n_versions == u->cap_versions) {
		size_t cap = u->cap_versions ? u->cap_versions * 2 : 64;
		struct version *v = realloc(u->versions, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		u->versions = v;
		u->cap_versions = cap;
	}
	if (!key || !vv_map_put(&u->by_oid, vv_span_str(key), u->n_versions, NULL))
		return vv_fail_nomem(err);
	u->versions[u->n_versions++] = (struct version){key, 0};
	u->raw += m->size;
	return 0;
}

static int path_of(struct user *u, const char *path, size_t *out)
{
	const uint64_t *at = vv_map_find(&u->by_path, vv_span_str(path));
	char *kept;

	if (at) {
		*out = (size_t)*at;
		return 0;
	}
	if (u->n == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 64;
		struct path_use *v = realloc(u->paths, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(&u->ctx->err);
		u->paths = v;
		u->cap = cap;
	}
	kept = vv_arena_copy(&u->arena, vv_span_str(path));
	if (!kept || !vv_map_put(&u->by_path, vv_span_str(kept), u->n, NULL))
		return vv_fail_nomem(&u->ctx->err);
	*out = u->n;
	u->paths[u->n++] = (struct path_use){.path = kept};
	return 0;
}

/* Gives every manifest the path under which history has it first. */
static int find_paths(struct user *u)
{
	static const char *const words[] = {"rev-list", "--objects", "--all", "--reflog", "--indexed-objects", NULL};
	struct vv_err *err = &u->ctx->err;
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	const char *rec;
	int ret;

	vv_args_all(&args, words);
	ret = vv_lines_open(&lines, &args, err);
	while (!ret && !(ret = vv_lines_next(&lines, '\n', &rec, err))) {
		const char *space = strchr(rec, ' ');
		const uint64_t *at = space ? vv_map_find(&u->by_oid, vv_span(rec, (size_t)(space - rec))) : NULL;
		size_t path = 0;
		if (!at || u->versions[*at].path)
			continue;
		ret = path_of(u, space[1] ? space + 1 : "?", &path);
		u->versions[*at].path = path + 1;
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	return ret;
}

/* Whose is each object of this version? */
static int own_objects(struct user *u, const struct vv_manifest *m, size_t path)
{
	for (size_t i = 0; i < m->n_segs; i++) {
		uint64_t *owner = vv_map_find(&u->owners, vv_span(m->segs[i].id.b, VV_ID_BYTES));
		struct vv_id *key;

		if (owner) {
			*owner = *owner == path ? path : (uint64_t)SHARED;
			continue;
		}
		key = vv_arena_alloc(&u->arena, sizeof(*key));
		if (key)
			*key = m->segs[i].id;
		if (!key || !vv_map_put(&u->owners, vv_span(key->b, VV_ID_BYTES), path, NULL))
			return vv_fail_nomem(&u->ctx->err);
	}
	return 0;
}

static int sum_objects(void *arg, const struct vv_id *id, const struct vv_object_info *info, struct vv_err *err VV_UNUSED)
{
	struct user *u = arg;
	const uint64_t *owner = vv_map_find(&u->owners, vv_span(id->b, VV_ID_BYTES));

	if (owner && *owner == (uint64_t)SHARED)
		u->shared += info->stored;
	else if (owner)
		u->paths[*owner].own += info->stored;
	return 0;
}

/* Reads each manifest once more, now that its path is known. */
static int sum_paths(struct user *u)
{
	struct vv_shelf shelf = VV_SHELF_INIT(&u->ctx->repo);
	int ret = 0;

	for (size_t i = 0; i < u->n_versions && !ret; i++) {
		const struct vv_manifest *m = NULL;
		size_t path = u->versions[i].path;
		if (path)
			ret = vv_shelf_get(&shelf, u->versions[i].oid, &m, &u->ctx->err);
		if (ret || !m)
			continue;
		u->paths[path - 1].versions++;
		u->paths[path - 1].raw += m->size;
		ret = own_objects(u, m, path - 1);
	}
	vv_shelf_release(&shelf);
	return ret ? ret : vv_store_each(u->ctx->repo.store, sum_objects, u, &u->ctx->err);
}

static int by_cost(const void *a, const void *b)
{
	const struct path_use *x = a, *y = b;

	return x->own != y->own ? (x->own < y->own ? 1 : -1) : strcmp(x->path, y->path);
}

/* --- output --- */

static void print_usage(const struct vv_ctx *ctx, const struct vv_store_usage *s, uint64_t kept)
{
	char a[32], b[32];

	printf("objects    %zu, of which %zu are deltas, up to %u deep\n", s->objects, s->deltas, s->max_depth);
	printf("raw        %s\n", vv_human(s->raw, a));
	printf("on disk    %s in %zu pack%s, %.3f of raw\n", vv_human(s->disk, a), s->packs, s->packs == 1 ? "" : "s",
		s->raw ? (double)s->disk / (double)s->raw : 0);
	printf("trash      %s in %zu pack%s\n", vv_human(s->trash_disk, b), s->trash_packs, s->trash_packs == 1 ? "" : "s");
	printf("kept       %s of numbers and sketches of what changed\n", vv_human(kept, a));
	if (s->corrupt_packs)
		printf("%scorrupt    %zu pack%s set aside by fsck%s\n", vv_color(ctx, VV_RED), s->corrupt_packs,
			s->corrupt_packs == 1 ? "" : "s", vv_color(ctx, VV_PLAIN));
}

static void print_paths(struct user *u, const struct vv_store_usage *s)
{
	struct vv_table t = VV_TABLE_INIT(1 | 2 | 4);
	char a[32];

	printf("versions   %zu, %s as whole files; the store takes %.3f of that\n\n", u->n_versions, vv_human(u->raw, a),
		u->raw ? (double)s->disk / (double)u->raw : 0);
	vv_table_cell(&t, VV_DIM, "versions");
	vv_table_cell(&t, VV_DIM, "raw");
	vv_table_cell(&t, VV_DIM, "own stored");
	vv_table_row(&t);
	for (size_t i = 0; i < u->n; i++) {
		char *name = vv_safe(u->paths[i].path);
		vv_table_cell(&t, VV_PLAIN, "%zu", u->paths[i].versions);
		vv_table_cell(&t, VV_PLAIN, "%s", vv_human(u->paths[i].raw, a));
		vv_table_cell(&t, VV_PLAIN, "%s", vv_human(u->paths[i].own, a));
		vv_table_cell(&t, VV_PLAIN, "%s", name);
		vv_table_row(&t);
		free(name);
	}
	if (u->shared) {
		vv_table_cell(&t, VV_PLAIN, "%s", "");
		vv_table_cell(&t, VV_PLAIN, "%s", "");
		vv_table_cell(&t, VV_PLAIN, "%s", vv_human(u->shared, a));
		vv_table_cell(&t, VV_DIM, "(shared by several)");
		vv_table_row(&t);
	}
	vv_table_print(&t, u->ctx, 0);
}

static void print_json(const struct user *u, const struct vv_store_usage *s, uint64_t kept, bool files)
{
	json_t *list = json_array(), *root;

	root = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "packs", (json_int_t)s->packs, "objects",
		(json_int_t)s->objects, "deltas", (json_int_t)s->deltas, "max_depth", (json_int_t)s->max_depth, "raw",
		(json_int_t)s->raw, "disk", (json_int_t)s->disk, "trash_packs", (json_int_t)s->trash_packs, "trash_disk",
		(json_int_t)s->trash_disk, "corrupt_packs", (json_int_t)s->corrupt_packs, "kept",
		(json_int_t)kept);
	for (size_t i = 0; i < u->n; i++)
		json_array_append_new(list,
			json_pack("{s:o,s:I,s:I,s:I}", "path", vv_json_name(u->paths[i].path), "versions",
				(json_int_t)u->paths[i].versions, "raw", (json_int_t)u->paths[i].raw, "stored",
				(json_int_t)u->paths[i].own));
	if (files) {
		json_object_set(root, "files", list);
		json_object_set_new(root, "shared", json_integer((json_int_t)u->shared));
		json_object_set_new(root, "versions", json_integer((json_int_t)u->n_versions));
		json_object_set_new(root, "versions_raw", json_integer((json_int_t)u->raw));
	}
	json_decref(list);
	vv_print_json(root);
}

int cmd_du(struct vv_ctx *ctx, int argc, char **argv)
{
	bool files = false;
	const struct vv_opt opts[] = {
		{'f', "files", VV_OPT_FLAG, &files, NULL, "for each path, over all of history"},
		{0},
	};
	struct user u = {.ctx = ctx};
	struct vv_roots_report report = {.manifest = note_manifest, .arg = &u};
	struct vv_store_usage usage;
	struct vv_ids ids = {0};
	uint64_t kept = vv_keptfile_usage(&ctx->repo);
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc > 1)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "du takes no path");
	if (!ret)
		ret = vv_store_usage(ctx->repo.store, &usage, &ctx->err);
	if (!ret && files)
		ret = vv_roots_all(&ctx->repo, &ids, &report, &ctx->err);
	vv_ids_release(&ids);
	if (!ret && files)
		ret = find_paths(&u);
	if (!ret && files)
		ret = sum_paths(&u);
	if (!ret && u.n)
		qsort(u.paths, u.n, sizeof(*u.paths), by_cost);
	if (!ret && ctx->json) {
		print_json(&u, &usage, kept, files);
	} else if (!ret) {
		print_usage(ctx, &usage, kept);
		if (files)
			print_paths(&u, &usage);
	}
	vv_map_release(&u.by_oid);
	vv_map_release(&u.by_path);
	vv_map_release(&u.owners);
	vv_arena_release(&u.arena);
	free(u.versions);
	free(u.paths);
	return ret;
}
