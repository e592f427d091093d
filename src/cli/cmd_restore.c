/* A model, or some of its tensors, as they were in a version: into the worktree, not into the index. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/bytes.h"
#include "cli/gitlines.h"
#include "cli/names.h"
#include "cli/partial.h"
#include "cli/putback.h"
#include "git/dirsync.h"
#include "git/sync.h"
#include "diff/diff.h"
#include "os/file.h"
#include "os/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	NAMES_SHOWN = 8,
	SMALLEST = 100,
	/* A larger file that nothing is known of is not hashed just to say what was replaced. */
	HASHED_TO_SAY = 64 << 20,
};

struct restorer {
	struct vv_ctx *ctx;
	const char *rev;
	struct vv_opt_list globs, paths; /* tensors; files of directories */
	struct vv_putback put;
	size_t files;
	json_t *list;
};

/* --- what is told of it --- */

static void print_names(const char *path, const json_t *names, const struct vv_diff *d)
{
	char *safe = vv_safe(path);
	size_t n = json_array_size(names);

	if (n)
		printf("%s: %zu of %zu tensors replaced\n", safe, n, d->n_same + d->n);
	else
		printf("%s: %s\n", safe, d->same_file ? "is that version already" : "its tensors are those already");
	free(safe);
	vv_print_names(names, NAMES_SHOWN);
}

/* What became different by it; `was` NULL: there was nothing, or nothing is known of it. */
static int say(struct restorer *r, const char *path, const struct vv_manifest *was, const struct vv_manifest *is)
{
	const struct vv_manifest none = {.format = ""};
	json_t *names = json_array();
	struct vv_diff d;
	char size[32], *safe = vv_safe(path);
	int ret = vv_diff_make(&d, was ? was : &none, is, &r->ctx->err);

	for (size_t i = 0; !ret && i < d.n; i++)
		if (d.items[i].kind != VV_DIFF_MOVED)
			json_array_append_new(names, vv_json_name(d.items[i].name));
	if (ret)
		goto out;
	vv_progress_end();
	r->files++;
	if (r->ctx->json)
		json_array_append_new(r->list, json_pack("{s:o,s:I,s:b,s:o}", "path", vv_json_name(path), "size",
			(json_int_t)is->size, "whole", !r->globs.n, "tensors", was ? json_incref(names) : json_null()));
	else if (!r->ctx->quiet && was)
		print_names(path, names, &d);
	else if (!r->ctx->quiet)
		printf("%s: put there, %s\n", safe, vv_human(is->size, size));
	vv_diff_release(&d);
out:
	free(safe);
	json_decref(names);
	return ret;
}

/* --- one file --- */

/* Folders on the way that are missing are made; none is a link. */
static int make_folders(int root, const char *path, struct vv_err *err)
{
	int ret = 0;

	for (const char *slash = strchr(path, '/'); slash && !ret; slash = strchr(slash + 1, '/')) {
		struct vv_place p = VV_PLACE_INIT;
		char *dir = strndup(path, (size_t)(slash - path));

		ret = dir ? vv_place_open(&p, root, dir, err) : vv_fail_nomem(err);
		if (!ret && mkdirat(p.dirfd, p.name, 0777) && errno != EEXIST)
			ret = vv_fail_sys(err, errno, "%s", dir);
		vv_place_release(&p);
		free(dir);
	}
	return ret;
}

static int restore_whole(struct restorer *r, const struct vv_place *place, struct vv_named *from,
	const struct vv_named *was, const struct stat *seen, unsigned mode)
{
	struct vv_ctx *ctx = r->ctx;
	bool in_index = vv_putback_in_index(ctx, from->path, from->oid);
	struct vv_bytes bytes;
	struct stat st;
	int ret = vv_bytes_open(ctx, from, &bytes);

	if (!ret)
		ret = vv_write_model(&ctx->repo, from->manifest, place, from->path, in_index, seen, &st, ctx->progress, &ctx->err);
	if (!ret && !seen && mode & 0111) {
		/* A new file is made without it; its change of mode is a change of its stat data. */
		if (fchmodat(place->dirfd, place->name, (st.st_mode & 0777) | (st.st_mode & 0444) >> 2, 0) ||
			fstatat(place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW))
			ret = vv_fail_sys(&ctx->err, errno, "%s: chmod", from->path);
	}
	if (!ret)
		ret = vv_putback_note(&r->put, from->path, &st, from->oid, from->manifest, in_index);
	return ret ? ret : say(r, from->path, was->manifest, from->manifest);
}

static int restore_tensors(struct restorer *r, const struct vv_place *place, struct vv_named *from,
	struct vv_named *into, const struct stat *seen)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_partial p = {.place = place, .path = from->path, .seen = seen, .draft = VV_DRAFT_INIT};
	char oid[VV_OID_HEX_MAX + 1];
	bool in_index;
	struct stat st;
	int ret = vv_partial_write(ctx, &p, into, from, &r->globs);

	if (!ret) {
		vv_git_blob_oid(vv_buf_view(&p.text), ctx->repo.sha256, oid);
		in_index = vv_putback_in_index(ctx, from->path, oid);
		ret = vv_partial_publish(ctx, &p, in_index, &st);
	}
	if (!ret)
		ret = vv_putback_note(&r->put, from->path, &st, oid, &p.manifest, in_index);
	if (!ret)
		ret = say(r, from->path, into->manifest, &p.manifest);
	vv_partial_release(&p);
	return ret;
}

static int restore_file(struct restorer *r, const char *path, unsigned mode)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_named from = {0}, was = {0};
	struct vv_place place = VV_PLACE_INIT;
	struct vv_err none = VV_ERR_INIT;
	struct stat st;
	bool there = false;
	int ret = vv_named_at(ctx, r->rev, path, &from);

	if (!ret)
		ret = make_folders(r->put.root, path, &ctx->err);
	if (!ret)
		ret = vv_place_open(&place, r->put.root, path, &ctx->err);
	if (ret)
		goto out;
	there = !fstatat(place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode);
	if (there && (r->globs.n || st.st_size <= HASHED_TO_SAY || vv_statcache_find(&r->put.cache, path, &st)) &&
		vv_named_at(ctx, NULL, path, &was)) {
		/* What cannot be read can still be replaced whole. */
		none = ctx->err;
		vv_err_clear(&ctx->err);
	}
	if (r->globs.n && none.code) {
		ctx->err = none;
		ret = none.code;
	} else if (r->globs.n && !there) {
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s is not in the worktree: restore it whole first", path);
	} else if (r->globs.n) {
		ret = restore_tensors(r, &place, &from, &was, &st);
	} else if (was.manifest && vv_id_eq(&was.manifest->sha256, &from.manifest->sha256) &&
		(uint64_t)st.st_size == was.manifest->size) {
		ret = say(r, path, was.manifest, from.manifest); /* and not a manifest's text, by its size */
	} else {
		ret = restore_whole(r, &place, &from, &was, there ? &st : NULL, mode);
	}
out:
	vv_place_release(&place);
	vv_named_release(&from);
	vv_named_release(&was);
	return ret;
}

/* --- one directory --- */

static void say_kept(void *arg VV_UNUSED, const char *path, const struct vv_err *why)
{
	vv_warn("%s: %s", path, why->msg);
}

/* `patterns`: files in it, or none for all. */
static int restore_dir(struct restorer *r, const char *path, const char *const *patterns, size_t n)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_sync_report report = {.kept = say_kept, .prog = ctx->progress};
	struct vv_named from = {0};
	char *dir = vv_dir_of_path(path), *name = dir ? vv_safe(dir) : NULL, *full = vv_repo_path(&ctx->repo, path), size[32];
	int ret = name && full ? 0 : vv_fail_nomem(&ctx->err);

	if (!ret && r->globs.n)
		ret = vv_fail(&ctx->err, VV_ENOTSUP, "%s: a directory is restored by files: --path GLOB", dir);
	if (!ret && !vv_exists(full))
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s is not in the worktree: 'git restore --source %s %s' brings it", dir, r->rev,
			dir);
	if (!ret)
		ret = vv_named_at(ctx, r->rev, path, &from);
	if (!ret)
		ret = vv_dirsync_restore(&ctx->repo, r->put.root, dir, from.manifest, patterns, n, &report, &ctx->err);
	vv_progress_end();
	if (!ret) {
		r->files++;
		if (ctx->json)
			json_array_append_new(r->list, json_pack("{s:o,s:I,s:b,s:I,s:I,s:I}", "path", vv_json_name(dir), "size",
				(json_int_t)report.bytes, "whole", !n, "written", (json_int_t)report.files, "removed",
				(json_int_t)report.removed, "left", (json_int_t)report.left_n));
		else if (!ctx->quiet)
			printf("%s/: %zu file%s written, %zu removed, %s\n", name, report.files, report.files == 1 ? "" : "s",
				report.removed, vv_human(report.bytes, size));
	}
	vv_named_release(&from);
	free(dir);
	free(name);
	free(full);
	return ret;
}

/* The pattern that matches this path alone, and all below it; owned by the caller. */
static char *literal(const char *path)
{
	char *out = malloc(2 * strlen(path) + 1), *to = out;

	for (; out && *path; *to++ = *path++)
		if (strchr("\\*?[", *path))
			*to++ = '\\';
	if (out)
		*to = 0;
	return out;
}

/* A word of which git knows nothing may be a file in a directory. 1: it is none. */
static int restore_inside(struct restorer *r, const char *top)
{
	char *path = NULL;
	int ret = 1;

	for (const char *slash = strrchr(top, '/'); slash && ret == 1;) {
		struct vv_named dir = {0};
		char *rest = literal(slash + 1);
		const char *next = memrchr(top, '/', (size_t)(slash - top));

		if (!rest || asprintf(&path, "%.*s/%s", (int)(slash - top), top, VV_DIR_MANIFEST) < 0) {
			free(rest);
			return vv_fail_nomem(&r->ctx->err);
		}
		if (!vv_named_at(r->ctx, r->rev, path, &dir))
			ret = restore_dir(r, path, (const char *const *)&rest, 1);
		else
			vv_err_clear(&r->ctx->err);
		vv_named_release(&dir);
		free(path);
		free(rest);
		slash = next;
	}
	return ret;
}

/* --- which files --- */

/*
 * One word: a file, or a folder, of which all models are meant. "<mode> <type> <oid> <size>\t<path>"
 * for each file that the version has there.
 */
static int restore_word(struct restorer *r, const char *commit, const char *word)
{
	static const char *const words[] = {"ls-tree", "-r", "-l", "-z", "--full-name", NULL};
	struct vv_ctx *ctx = r->ctx;
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	const char *rec;
	char *top = NULL;
	size_t found = 0, models = r->files;
	int ret = vv_top_path(ctx, word, &top);

	vv_args_all(&args, words);
	vv_args_add(&args, commit);
	vv_args_add(&args, "--");
	vv_args_add(&args, word);
	if (!ret)
		ret = vv_lines_open(&lines, &args, &ctx->err);
	while (!ret && !(ret = vv_lines_next(&lines, 0, &rec, &ctx->err))) {
		const char *path = strchr(rec, '\t');
		unsigned long long size = 0;
		unsigned mode = 0;
		bool named;

		if (!path || sscanf(rec, "%o blob %*s %llu", &mode, &size) != 2 || (mode & 0170000) != 0100000)
			continue;
		found++;
		named = !strcmp(++path, top);
		if (!named && (size < SMALLEST || size > VV_MAX_MANIFEST))
			continue;
		ret = vv_is_dir_path(path) ? restore_dir(r, path, r->paths.v, r->paths.n) : restore_file(r, path, mode);
		if (!named && ret == VV_ENOTFOUND && strstr(ctx->err.msg, "no model that varve keeps")) {
			vv_err_clear(&ctx->err);
			ret = 0;
		}
	}
	if (ret >= 0)
		ret = vv_lines_close(&lines, &ctx->err);
	if (!ret && !found)
		ret = restore_inside(r, top);
	else if (!ret && r->files == models)
		ret = 1;
	if (ret == 1)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, found ? "%s: %s has no model there" : "%s: %s has no such file", word,
			r->rev);
	vv_lines_release(&lines);
	vv_args_release(&args);
	free(top);
	return ret;
}

int cmd_restore(struct vv_ctx *ctx, int argc, char **argv)
{
	struct restorer r = {.ctx = ctx, .put.root = -1, .list = json_array()};
	const struct vv_opt opts[] = {
		{'t', "tensor", VV_OPT_LIST, &r.globs, "GLOB", "only such tensors, a layer is 'h.3.*' (* crosses dots)"},
		{'p', "path", VV_OPT_LIST, &r.paths, "GLOB", "only such files of a directory (* crosses slashes)"},
		{0},
	};
	struct vv_err first;
	char *commit = NULL;
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret && (argc < 3 || (dash >= 0 && dash != 1)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "restore takes a revision and the files to restore");
	if (!ret) {
		r.rev = argv[1];
		ret = vv_rev_commit(ctx, r.rev, &commit);
	}
	if (!ret)
		ret = vv_putback_open(&r.put, ctx);
	for (int i = 2; i < argc && !ret; i++)
		ret = restore_word(&r, commit, argv[i]);
	/* What was written before a failure is told to git all the same. */
	first = ctx->err;
	if ((r.files || r.put.refresh.len) && vv_putback_end(&r.put) && !ret)
		ret = ctx->err.code;
	else if (ret < 0)
		ctx->err = first;
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:s,s:O}", "commit", commit, "files", r.list));
	vv_putback_release(&r.put);
	json_decref(r.list);
	free(r.globs.v);
	free(r.paths.v);
	free(commit);
	return ret;
}
