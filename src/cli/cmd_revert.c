/* Undoes in the worktree what one commit changed in a model, or in some of its tensors: a merge whose base is that commit. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "cli/bytes.h"
#include "cli/names.h"
#include "cli/partial.h"
#include "cli/putback.h"
#include "diff/diff.h"
#include "git/sync.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAMES_SHOWN = 8 };

struct reverter {
	struct vv_ctx *ctx;
	struct vv_opt_list globs;
	const char *rev;     /* as it was given */
	char *commit, *parent;
	struct vv_putback put;
	size_t written, conflicts;
	json_t *list;
};

/* One file: what it is now, what the commit made of it, what it was before. */
struct one {
	const char *path;
	struct vv_named ours, base, theirs;
	struct vv_bytes bytes[3];
	struct vv_place place;
	struct stat st;
	struct vv_merge merge;
};

/* --- the commit --- */

/* `mainline` 0: not given. */
static int find_parent(struct reverter *r, uint64_t mainline)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_err ignore = VV_ERR_INIT;
	char *name = NULL, *second = NULL;
	int ret = 0;

	if (asprintf(&name, "%s^2", r->commit) < 0)
		return vv_fail_nomem(&ctx->err);
	if (!VV_GIT_LINE(&ctx->repo, &second, &ignore, "rev-parse", "--verify", "-q", name) && !mainline)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "%s is a merge: -m 1 undoes it against its first parent", r->rev);
	else if (!second && mainline)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "%s is no merge: it takes no -m", r->rev);
	free(name);
	free(second);
	if (ret)
		return ret;
	if (asprintf(&name, "%s^%llu", r->commit, mainline ? (unsigned long long)mainline : 1) < 0)
		return vv_fail_nomem(&ctx->err);
	if (VV_GIT_LINE(&ctx->repo, &r->parent, &ignore, "rev-parse", "--verify", "-q", name))
		ret = mainline ? vv_fail(&ctx->err, VV_ENOTFOUND, "%s has no parent %llu", r->rev, (unsigned long long)mainline)
			       : vv_fail(&ctx->err, VV_ENOTFOUND, "%s has no parent: nothing came before it", r->rev);
	free(name);
	return ret;
}

/* --- what is told of it --- */

static const char *reason_text(enum vv_merge_reason reason)
{
	switch (reason) {
	case VV_MERGE_REMOVED_CHANGED:
		return "removed since";
	case VV_MERGE_CHANGED_REMOVED:
		return "was new then, changed since";
	case VV_MERGE_BOTH_ADDED:
		return "was removed then, added anew since";
	case VV_MERGE_RENAMED:
		return "renamed or removed since";
	default:
		return "changed since";
	}
}

static void say_conflict(struct reverter *r, json_t *list, const char *path, const char *name, enum vv_merge_reason reason)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);

	r->conflicts++;
	json_array_append_new(list,
		json_pack("{s:o,s:s}", "name", name ? vv_json_name(name) : json_null(), "reason", reason_text(reason)));
	if (r->ctx->json)
		return;
	vv_buf_fmt(&text, "%s: %s: %s", path, name ? name : "(metadata)", reason_text(reason));
	if (!text.failed)
		vv_say((char *)text.ptr);
	vv_buf_release(&text);
}

static void say_names(const struct one *o, const json_t *names)
{
	char *safe = vv_safe(o->path);
	size_t n = json_array_size(names);

	if (!n)
		printf("%s: nothing to undo\n", safe);
	else
		printf("%s: %zu tensor%s as before\n", safe, n, n == 1 ? "" : "s");
	free(safe);
	vv_print_names(names, NAMES_SHOWN);
}

static void say(struct reverter *r, const struct one *o, json_t *names, json_t *conflicts, bool written)
{
	vv_progress_end();
	if (r->ctx->json)
		json_array_append_new(r->list, json_pack("{s:o,s:b,s:O,s:O}", "path", vv_json_name(o->path), "written", written,
			"tensors", names, "conflicts", conflicts));
	else if (!r->ctx->quiet && !json_array_size(conflicts))
		say_names(o, names);
}

/* --- one file --- */

static int open_one(struct reverter *r, struct one *o)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_named *sides[] = {&o->ours, &o->theirs, &o->base};
	int ret = vv_named_at(ctx, r->commit, o->path, &o->base);

	if (!ret)
		ret = vv_named_at(ctx, r->parent, o->path, &o->theirs);
	if (ret == VV_ENOTFOUND)
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no model %s %s", o->path, o->base.manifest ? "before" : "in", r->rev);
	if (!ret && vv_manifest_is_dir(o->base.manifest))
		ret = vv_fail(&ctx->err, VV_ENOTSUP, "%s: a directory is not undone by tensors", o->path);
	if (!ret)
		ret = vv_place_open(&o->place, r->put.root, o->path, &ctx->err);
	if (!ret && (fstatat(o->place.dirfd, o->place.name, &o->st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(o->st.st_mode)))
		ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s is not in the worktree: restore it first", o->path);
	if (!ret)
		ret = vv_named_at(ctx, NULL, o->path, &o->ours);
	for (size_t i = 0; i < VV_COUNT(sides) && !ret; i++)
		ret = vv_bytes_open(ctx, sides[i], &o->bytes[i]);
	return ret;
}

static int plan(struct reverter *r, struct one *o)
{
	const struct vv_version *ours = &o->bytes[0].version, *theirs = &o->bytes[1].version, *base = &o->bytes[2].version;
	struct vv_err *err = &r->ctx->err;
	size_t matched = 0;
	int ret;

	if (!r->globs.n)
		return vv_merge_plan(&o->merge, base, ours, theirs, err);
	ret = vv_merge_plan_some(&o->merge, base, ours, theirs, r->globs.v, r->globs.n, &matched, err);
	if (!ret && !matched)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: no such tensor, now or then", o->path);
	return ret ? vv_err_in(err, "%s", o->path) : 0;
}

/* Whatever is as the commit made it becomes what it was before. */
static int write_one(struct reverter *r, struct one *o)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_partial p = {.place = &o->place, .path = o->path, .seen = &o->st, .draft = VV_DRAFT_INIT};
	char oid[VV_OID_HEX_MAX + 1];
	bool in_index;
	struct stat st;
	int ret;

	if (o->merge.result == VV_MERGE_IS_THEIRS) {
		in_index = vv_putback_in_index(ctx, o->path, o->theirs.oid);
		ret = vv_write_model(&ctx->repo, o->theirs.manifest, &o->place, o->path, in_index, &o->st, &st, ctx->progress,
			&ctx->err);
		return ret ? ret : vv_putback_note(&r->put, o->path, &st, o->theirs.oid, o->theirs.manifest, in_index);
	}
	ret = vv_partial_merge(ctx, &p, &o->merge, &o->ours);
	if (!ret) {
		vv_git_blob_oid(vv_buf_view(&p.text), ctx->repo.sha256, oid);
		in_index = vv_putback_in_index(ctx, o->path, oid);
		ret = vv_partial_publish(ctx, &p, in_index, &st);
		if (!ret)
			ret = vv_putback_note(&r->put, o->path, &st, oid, &p.manifest, in_index);
	}
	vv_partial_release(&p);
	return ret;
}

/* The names that change by it. */
static int name_changes(struct reverter *r, const struct one *o, json_t *names, json_t *conflicts)
{
	const struct vv_merge *m = &o->merge;
	struct vv_diff d;
	int ret;

	if (m->frame.reason)
		say_conflict(r, conflicts, o->path, NULL, m->frame.reason);
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].reason)
			say_conflict(r, conflicts, o->path, m->items[i].name, m->items[i].reason);
		else if (m->items[i].take == VV_MERGE_THEIRS || m->items[i].row != i)
			json_array_append_new(names, vv_json_name(m->items[i].name));
	if (m->result != VV_MERGE_IS_THEIRS)
		return 0;
	ret = vv_diff_make(&d, o->ours.manifest, o->theirs.manifest, &r->ctx->err);
	for (size_t i = 0; !ret && i < d.n; i++)
		if (d.items[i].kind != VV_DIFF_MOVED)
			json_array_append_new(names, vv_json_name(d.items[i].name));
	if (!ret)
		vv_diff_release(&d);
	return ret;
}

static int revert_one(struct reverter *r, const char *path)
{
	struct one o = {.path = path, .place = VV_PLACE_INIT};
	json_t *names = json_array(), *conflicts = json_array();
	bool written;
	int ret = open_one(r, &o);

	if (!ret)
		ret = plan(r, &o);
	if (!ret)
		ret = name_changes(r, &o, names, conflicts);
	written = !ret && !json_array_size(conflicts) && !o.merge.n_conflicts && o.merge.result != VV_MERGE_IS_OURS &&
		(json_array_size(names) || o.merge.frame.take == VV_MERGE_THEIRS || o.merge.result == VV_MERGE_IS_THEIRS);
	if (written) {
		ret = write_one(r, &o);
		r->written += !ret;
	}
	if (!ret)
		say(r, &o, names, conflicts, written);
	vv_merge_release(&o.merge);
	vv_place_release(&o.place);
	vv_named_release(&o.ours);
	vv_named_release(&o.base);
	vv_named_release(&o.theirs);
	json_decref(names);
	json_decref(conflicts);
	return ret;
}

int cmd_revert(struct vv_ctx *ctx, int argc, char **argv)
{
	struct reverter r = {.ctx = ctx, .put.root = -1, .list = json_array()};
	uint64_t mainline = 0;
	const struct vv_opt opts[] = {
		{'t', "tensor", VV_OPT_LIST, &r.globs, "GLOB", "only such tensors, a layer is 'h.3.*' (* crosses dots)"},
		{'m', "mainline", VV_OPT_COUNT, &mainline, "N", "of a merge, undo what it changed against its parent N"},
		{0},
	};
	struct vv_err first;
	char **paths = NULL;
	int dash, ret = vv_opt_parse(ctx, opts, &argc, argv, &dash);

	if (!ret && (argc < 3 || (dash >= 0 && dash != 1)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "revert takes a commit and the files in which to undo it");
	if (!ret) {
		r.rev = argv[1];
		ret = vv_rev_commit(ctx, r.rev, &r.commit);
	}
	if (!ret)
		ret = find_parent(&r, mainline);
	if (!ret)
		ret = vv_top_paths(ctx, argv + 2, &paths);
	if (!ret)
		ret = vv_putback_open(&r.put, ctx);
	for (size_t i = 0; !ret && paths[i]; i++)
		ret = revert_one(&r, paths[i]);
	first = ctx->err;
	if ((r.written || r.put.refresh.len) && vv_putback_end(&r.put) && !ret)
		ret = ctx->err.code;
	else if (ret < 0)
		ctx->err = first;
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:s,s:s,s:O}", "commit", r.commit, "parent", r.parent, "files", r.list));
	else if (!ret && r.conflicts)
		vv_hint(ctx, "a file with a conflict stays as it is; 'varve restore %s^ --tensor NAME FILE' takes what was before", r.rev);
	vv_putback_release(&r.put);
	vv_paths_free(paths);
	json_decref(r.list);
	free(r.globs.v);
	free(r.commit);
	free(r.parent);
	return ret ? ret : r.conflicts ? VV_EXIT_NO : VV_EXIT_OK;
}
