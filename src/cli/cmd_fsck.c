/*
 * Checks the store, and that it has what every manifest in git names. What is damaged or missing is
 * told by commit, file and tensor.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/arena.h"
#include "base/map.h"
#include "cli/gitlines.h"
#include "cli/recover.h"
#include "git/peer.h"
#include "git/roots.h"
#include "git/sent.h"
#include "hash/sha256.h"
#include "model/directory.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	MAX_TOLD = 1000,  /* affected tensors named one by one */
	SMALL = 4 << 20,  /* bytes of a directory's file that is put together here: checkout does that of larger ones */
};

/* A tensor, or bytes around tensors, whose object is damaged or missing. */
struct affected {
	const char *manifest, *tensor; /* tensor NULL: opaque bytes */
	struct vv_id id;
	bool damaged;                  /* else missing */
	const char *commit, *path;     /* NULL while not found */
};

/* A text that begins like a manifest and is none. */
struct broken {
	const char *oid, *why;
	const char *commit, *path; /* NULL while not found */
	bool kept;                 /* varve keeps files there: a model was to be */
};

struct checker {
	struct vv_ctx *ctx;
	struct vv_arena arena;
	struct vv_recover recover;
	struct vv_map bad;        /* ids that did not verify and could not be repaired */
	struct vv_id *missing;    /* that no store here has, sorted */
	struct affected *list;
	size_t n, cap, n_all;
	struct vv_map files;      /* of directories: what was put together once */
	struct vv_map by_manifest; /* oid → 1: has affected tensors */
	struct broken *broken;
	size_t n_broken, cap_broken;
	size_t n_problems, n_missing, n_elsewhere, n_found, n_lost; /* n_lost: broken ones that were to be models */
	json_t *problems;
	bool failed; /* memory ran out in a callback that cannot say so */
};

/* --- what is wrong --- */

static void on_problem(void *arg, const struct vv_id *id, const char *text, bool repaired)
{
	struct checker *c = arg;
	char hex[VV_ID_HEX + 1];
	struct vv_id *key;

	vv_progress_end();
	c->n_problems += !repaired;
	json_array_append_new(c->problems, json_pack("{s:o,s:o,s:b}", "text", vv_json_name(text), "object",
		id ? json_string(vv_id_hex(id, hex)) : json_null(), "repaired", repaired));
	if (!c->ctx->json) {
		char *safe = vv_safe(text);
		printf("%s%s%s: %s\n", vv_color(c->ctx, repaired ? VV_GREEN : VV_RED), repaired ? "repaired" : "damaged",
			vv_color(c->ctx, VV_PLAIN), safe);
		free(safe);
	}
	if (!id || repaired)
		return;
	key = vv_arena_alloc(&c->arena, sizeof(*key));
	if (key)
		*key = *id;
	c->failed |= !key || !vv_map_put(&c->bad, vv_span(key->b, VV_ID_BYTES), 1, NULL);
}

static int add_affected(struct checker *c, const char *manifest, const struct vv_manifest_seg *s, bool damaged,
	struct vv_err *err)
{
	struct affected *a;

	c->n_all++;
	if (c->n == MAX_TOLD)
		return 0;
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		a = realloc(c->list, cap * sizeof(*a));
		if (!a)
			return vv_fail_nomem(err);
		c->list = a;
		c->cap = cap;
	}
	a = &c->list[c->n];
	*a = (struct affected){.id = s->id, .damaged = damaged};
	a->manifest = vv_arena_copy(&c->arena, vv_span_str(manifest));
	if (s->seg.n_views)
		a->tensor = vv_arena_copy(&c->arena, vv_span_str(s->seg.views[0].name));
	if (!a->manifest || (s->seg.n_views && !a->tensor) ||
		!vv_map_put(&c->by_manifest, vv_span_str(a->manifest), 1, NULL))
		return vv_fail_nomem(err);
	c->n++;
	return 0;
}

/* Takes out what this store has: what is left of ids was not put there, or got lost. */
static int ask_peer(void *arg, struct vv_store *peer, struct vv_err *err VV_UNUSED)
{
	struct checker *c = arg;
	size_t k = 0;

	for (size_t i = 0; i < c->n_missing; i++)
		if (!vv_store_has(peer, &c->missing[i]))
			c->missing[k++] = c->missing[i];
	c->n_elsewhere += c->n_missing - k;
	c->n_missing = k;
	return k == 0;
}

static int id_cmp(const void *a, const void *b)
{
	return vv_id_cmp(a, b);
}

/* Keeps of `missing` what the store has not. */
static void still_missing(struct checker *c)
{
	size_t k = 0;

	for (size_t i = 0; i < c->n_missing; i++)
		if (!vv_store_has(c->ctx->repo.store, &c->missing[i]))
			c->missing[k++] = c->missing[i];
	c->n_missing = k;
}

/* What a remote on this machine has is not missing: it comes when it is needed. */
static int find_missing(struct checker *c, const struct vv_ids *ids, bool repair)
{
	struct vv_id empty;
	size_t had;
	int ret;

	vv_sha256(vv_span(NULL, 0), &empty);
	c->missing = calloc(ids->n + 1, sizeof(*c->missing));
	if (!c->missing)
		return vv_fail_nomem(&c->ctx->err);
	for (size_t i = 0; i < ids->n; i++)
		if (!vv_id_eq(&ids->v[i], &empty))
			c->missing[c->n_missing++] = ids->v[i];
	still_missing(c);
	if (!c->n_missing)
		return 0;
	qsort(c->missing, c->n_missing, sizeof(*c->missing), id_cmp);
	ret = vv_peers_each(&c->ctx->repo, ask_peer, c, &c->ctx->err);
	if (ret || !repair || !c->n_missing)
		return ret;
	had = c->n_missing;
	ret = vv_recover_missing(&c->recover, c->missing, c->n_missing, &c->ctx->err);
	still_missing(c);
	c->n_found = had - c->n_missing;
	vv_progress_end();
	if (!c->ctx->json && c->n_found)
		printf("%srepaired%s: %zu missing objects are stored again, from the worktree\n", vv_color(c->ctx, VV_GREEN),
			vv_color(c->ctx, VV_PLAIN), c->n_found);
	return ret;
}

static int on_manifest(void *arg, const char *oid, const struct vv_manifest *m, struct vv_err *err)
{
	struct checker *c = arg;
	int ret = 0;

	for (size_t i = 0; i < m->n_segs && !ret; i++) {
		const struct vv_manifest_seg *s = &m->segs[i];
		bool bad = vv_map_find(&c->bad, vv_span(s->id.b, VV_ID_BYTES));

		if (bad || (s->seg.len && bsearch(&s->id, c->missing, c->n_missing, sizeof(*c->missing), id_cmp)))
			ret = add_affected(c, oid, s, bad, err);
	}
	return ret;
}

/* A text that was merged or edited by hand: git has it, no model can come of it. */
static void on_broken(void *arg, const char *oid, const struct vv_err *why)
{
	struct checker *c = arg;
	struct broken *b;

	if (c->n_broken == c->cap_broken) {
		size_t cap = c->cap_broken ? 2 * c->cap_broken : 16;
		b = realloc(c->broken, cap * sizeof(*b));
		c->failed |= !b;
		if (!b)
			return;
		c->broken = b;
		c->cap_broken = cap;
	}
	b = &c->broken[c->n_broken];
	*b = (struct broken){vv_arena_copy(&c->arena, vv_span_str(oid)), vv_arena_copy(&c->arena, vv_span_str(why->msg)),
		NULL, NULL, false};
	c->failed |= !b->oid || !b->why;
	c->n_broken += b->oid && b->why;
}

/* Is the file made of these segments one that was put together already? */
static int is_known(struct checker *c, const struct vv_manifest *m, bool *known, struct vv_err *err)
{
	struct vv_sha256 h;
	struct vv_id *key = vv_arena_alloc(&c->arena, sizeof(*key));
	bool added = false;
	int ret = key ? vv_sha256_init(&h, err) : vv_fail_nomem(err);

	if (ret)
		return ret;
	vv_sha256_update(&h, vv_span(m->sha256.b, VV_ID_BYTES));
	for (size_t i = 0; i < m->n_segs; i++)
		vv_sha256_update(&h, vv_span(m->segs[i].id.b, VV_ID_BYTES));
	vv_sha256_final(&h, key);
	vv_sha256_release(&h);
	if (!vv_map_put(&c->files, vv_span(key->b, VV_ID_BYTES), 1, &added))
		return vv_fail_nomem(err);
	*known = !added;
	return 0;
}

/* *lies: all parts are there and right, and are not the file that the directory's line names. */
static int check_file(struct checker *c, const struct vv_manifest *dir, size_t i, bool *lies, struct vv_err *err)
{
	struct vv_manifest m;
	struct vv_model_source src;
	struct vv_err why = VV_ERR_INIT;
	struct vv_id id;
	bool known = false;
	int ret = vv_dir_file(dir, i, &m, err);

	if (ret)
		return ret;
	ret = is_known(c, &m, &known, err);
	vv_model_source_init(&src, c->ctx->repo.store, &m);
	/* What is missing or damaged is told as that. */
	if (!ret && !known && !vv_model_has(c->ctx->repo.store, &m, NULL, &why) && !vv_sha256_source(&src.base, &id, &why))
		*lies = !vv_id_eq(&id, &m.sha256);
	vv_manifest_release(&m);
	return ret;
}

/* A directory's files of several parts. The others are one object each, whose id is the file's. */
static int check_files(void *arg, const char *oid, const struct vv_manifest *m, struct vv_err *err)
{
	struct checker *c = arg;
	struct vv_err why = VV_ERR_INIT;
	int ret = 0;

	for (size_t i = 0; i < m->n_files && !ret; i++) {
		const struct vv_manifest_file *f = &m->files[i];
		bool lies = false;

		if (f->size <= SMALL && strcmp(f->format, "opaque"))
			ret = check_file(c, m, i, &lies, err);
		if (lies) {
			char *path = vv_safe(f->path);
			(void)vv_fail(&why, VV_ECORRUPT, "%s: its parts are not the file that its line names", path);
			free(path);
			on_broken(c, oid, &why);
			break;
		}
	}
	return ret;
}

static int see_kept(void *arg, const char *path, const char *format, struct vv_err *err VV_UNUSED)
{
	struct checker *c = arg;

	for (size_t i = 0; i < c->n_broken; i++)
		if (format && c->broken[i].path && !strcmp(c->broken[i].path, path) && !c->broken[i].kept) {
			c->broken[i].kept = true;
			c->n_lost++;
		}
	return 0;
}

/* A text where varve keeps models is a version that nobody can have; anywhere else it is a text. */
static int judge_broken(struct checker *c)
{
	struct vv_buf paths = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret;

	for (size_t i = 0; i < c->n_broken; i++)
		if (c->broken[i].path)
			vv_buf_add(&paths, c->broken[i].path, strlen(c->broken[i].path) + 1);
	ret = vv_buf_check(&paths, &c->ctx->err);
	if (!ret && c->ctx->repo.top)
		ret = vv_kept_each(&c->ctx->repo, vv_buf_view(&paths), see_kept, c, &c->ctx->err);
	vv_buf_release(&paths);
	return ret;
}

/* --- whose it is --- */

static void found(struct checker *c, const char *oid, const char *commit, const char *path)
{
	for (size_t i = 0; i < c->n_broken; i++)
		if (!c->broken[i].path && !strcmp(c->broken[i].oid, oid)) {
			c->broken[i].commit = vv_arena_copy(&c->arena, vv_span_str(commit));
			c->broken[i].path = vv_arena_copy(&c->arena, vv_span_str(path));
		}
	if (!vv_map_find(&c->by_manifest, vv_span_str(oid)))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (!c->list[i].path && !strcmp(c->list[i].manifest, oid)) {
			c->list[i].commit = vv_arena_copy(&c->arena, vv_span_str(commit));
			c->list[i].path = vv_arena_copy(&c->arena, vv_span_str(path));
		}
}

/* The newest commit that brought each affected manifest, and its path. */
static int find_commits(struct checker *c)
{
	static const char *const words[] = {"log", "--all", "--reflog", "-m", "--raw", "--no-abbrev", "--no-renames",
		"--no-color", "--no-show-signature", "--format=%x01%H", NULL};
	struct vv_err *err = &c->ctx->err;
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	char commit[VV_OID_HEX_MAX + 1] = "", oid[VV_OID_HEX_MAX + 1];
	const char *rec;
	int ret;

	vv_args_all(&args, words);
	ret = vv_lines_open(&lines, &args, err);
	while (!ret && !(ret = vv_lines_next(&lines, '\n', &rec, err))) {
		char *path, *tab = strchr(rec, '\t');
		if (rec[0] == '\1')
			snprintf(commit, sizeof(commit), "%s", rec + 1);
		if (rec[0] != ':' || !tab || sscanf(rec, ":%*s %*s %*s %64s", oid) != 1)
			continue;
		path = strdup(tab + 1);
		if (!path) {
			ret = vv_fail_nomem(err);
			break;
		}
		vv_git_unquote(path);
		found(c, oid, commit, path);
		free(path);
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	vv_args_release(&args);
	return ret;
}

static int find_staged(struct checker *c)
{
	struct vv_entries all = {0};
	int ret = c->ctx->repo.top ? vv_tracked(&c->ctx->repo, NULL, &all, &c->ctx->err) : 0;

	for (size_t i = 0; i < all.n && !ret; i++)
		found(c, all.v[i].oid, "", all.v[i].path);
	vv_entries_release(&all);
	return ret;
}

/* --- output --- */

static void print_affected(const struct checker *c)
{
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < c->n; i++) {
		const struct affected *a = &c->list[i];
		char *path = vv_safe(a->path ? a->path : a->manifest), *tensor = a->tensor ? vv_safe(a->tensor) : NULL;
		printf("%s%s%s: %s%.12s%s%s: %s%s%s: object %.12s\n", vv_color(c->ctx, VV_RED), a->damaged ? "damaged" : "missing",
			vv_color(c->ctx, VV_PLAIN), a->commit && a->commit[0] ? "commit " : a->path ? "index" : "blob",
			a->commit ? a->commit : "", " ", path, tensor ? "tensor \"" : "bytes around the tensors", tensor ? tensor : "",
			tensor ? "\"" : "", vv_id_hex(&a->id, hex));
		free(path);
		free(tensor);
	}
	if (c->n_all > c->n)
		printf("and %zu more\n", c->n_all - c->n);
	for (size_t i = 0; i < c->n_broken; i++) {
		const struct broken *b = &c->broken[i];
		char *path = vv_safe(b->path ? b->path : "");
		if (b->kept)
			printf("%sbroken%s: %s%.12s %s: %s\n", vv_color(c->ctx, VV_RED), vv_color(c->ctx, VV_PLAIN),
				b->commit && b->commit[0] ? "commit " : "index", b->commit ? b->commit : "", path, b->why);
		else if (!c->ctx->quiet)
			vv_warn("blob %.12s begins like a manifest: %s", b->oid, b->why);
		free(path);
	}
}

static json_t *json_affected(const struct checker *c)
{
	json_t *list = json_array();
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < c->n; i++) {
		const struct affected *a = &c->list[i];
		json_array_append_new(list,
			json_pack("{s:s,s:s,s:o,s:o,s:o,s:s}", "state", a->damaged ? "damaged" : "missing", "manifest", a->manifest,
				"commit", a->commit && a->commit[0] ? json_string(a->commit) : json_null(), "path",
				a->path ? vv_json_name(a->path) : json_null(), "tensor", a->tensor ? vv_json_name(a->tensor) : json_null(),
				"object", vv_id_hex(&a->id, hex)));
	}
	for (size_t i = 0; i < c->n_broken; i++) {
		const struct broken *b = &c->broken[i];
		if (b->kept)
			json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:n,s:n}", "state", "broken", "manifest", b->oid, "commit",
				b->commit && b->commit[0] ? json_string(b->commit) : json_null(), "path", vv_json_name(b->path),
				"tensor", "object"));
	}
	return list;
}

static void print_all(struct checker *c, const struct vv_fsck_stats *s, const struct vv_roots_report *r, bool ok)
{
	char size[32];

	if (c->ctx->json) {
		vv_print_json(json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:o}", "ok", ok, "packs",
			(json_int_t)s->packs, "objects", (json_int_t)s->objects, "bytes", (json_int_t)s->bytes, "manifests",
			(json_int_t)r->manifests, "bad_packs", (json_int_t)s->bad_packs, "bad_objects",
			(json_int_t)(s->bad_objects + s->dependents), "repaired", (json_int_t)(s->repaired + c->n_found), "missing",
			(json_int_t)c->n_missing, "elsewhere", (json_int_t)c->n_elsewhere, "broken_manifests",
			(json_int_t)c->n_broken, "unreadable", (json_int_t)r->unreadable, "problems", c->problems,
			"affected", json_affected(c)));
		return;
	}
	print_affected(c);
	if (r->unreadable)
		printf("%sdamaged%s: git cannot read %zu of its objects, be they manifests or not; 'git fsck' names them\n",
			vv_color(c->ctx, VV_RED), vv_color(c->ctx, VV_PLAIN), r->unreadable);
	if (c->ctx->quiet)
		return;
	if (c->n_elsewhere)
		printf("%zu objects are in a remote's store on this machine and come when they are needed\n", c->n_elsewhere);
	printf("%s: %zu packs, %zu objects, %s checked; %zu manifests\n", ok ? "all is well" : "problems found", s->packs,
		s->objects, vv_human(s->bytes, size), r->manifests);
}

static int on_lost(
	void *arg, const struct vv_id *id, uint64_t size, struct vv_buf *out, const char **where, struct vv_err *err)
{
	struct checker *c = arg;

	return vv_recover_bytes(&c->recover, id, size, out, where, err);
}

static int check(struct checker *c, bool repair, struct vv_fsck_stats *stats, struct vv_roots_report *roots)
{
	struct vv_ctx *ctx = c->ctx;
	const struct vv_fsck_report report = {on_problem, on_lost, c};
	struct vv_roots_report again = {.manifest = on_manifest, .arg = c};
	struct vv_ids ids = {0};
	int ret;

	/* Who asks has a doubt: let the next push look at everything. */
	vv_sent_clear(vv_store_dir(ctx->repo.store));
	ret = vv_store_fsck(ctx->repo.store, repair, &report, stats, ctx->progress, &ctx->err);

	vv_progress_end();
	if (!ret && c->failed)
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_roots_all(&ctx->repo, &ids, roots, &ctx->err);
	if (!ret)
		ret = find_missing(c, &ids, repair);
	vv_ids_release(&ids);
	/* Only what is wrong costs a second look at history. */
	if (!ret && (c->n_missing || c->bad.len))
		ret = vv_roots_all(&ctx->repo, &ids, &again, &ctx->err);
	vv_ids_release(&ids);
	if (!ret && c->failed)
		ret = vv_fail_nomem(&ctx->err);
	if (!ret && (c->n || c->n_broken))
		ret = find_commits(c);
	if (!ret && (c->n || c->n_broken))
		ret = find_staged(c);
	if (!ret && c->n_broken)
		ret = judge_broken(c);
	return ret;
}

int cmd_fsck(struct vv_ctx *ctx, int argc, char **argv)
{
	bool repair = false, ok;
	const struct vv_opt opts[] = {
		{'r', "repair", VV_OPT_FLAG, &repair, NULL, "mend what has another copy: trash, worktree, alternates, local remotes"},
		{0},
	};
	struct checker c = {.ctx = ctx, .recover = {.ctx = ctx}, .problems = json_array()};
	struct vv_roots_report roots = {.manifest = check_files, .broken = on_broken, .arg = &c};
	struct vv_fsck_stats stats = {0};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc > 1)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "fsck takes no path");
	if (!ret)
		ret = check(&c, repair, &stats, &roots);
	ok = !c.n_problems && !c.n_all && !c.n_lost && !roots.unreadable;
	if (!ret) {
		print_all(&c, &stats, &roots, ok);
		if (!ok && !repair && (c.n_problems || c.n_all))
			vv_hint(ctx, "'varve fsck --repair' mends what has another copy");
	}
	vv_recover_release(&c.recover);
	vv_map_release(&c.bad);
	free(c.missing);
	free(c.broken);
	vv_map_release(&c.files);
	vv_map_release(&c.by_manifest);
	vv_arena_release(&c.arena);
	json_decref(c.problems);
	free(c.list);
	return ret ? ret : ok ? VV_EXIT_OK : VV_EXIT_NO;
}
