/* Conflicts of a merge, listed and settled: a tensor is taken from a side, or made of both by a method. */
#include "cli/cli.h"

#include "cli/names.h"
#include "git/resolve.h"

#include <stdlib.h>

enum { NAMES_SHOWN = 20 };

struct resolving {
	struct vv_ctx *ctx;
	const char *how;           /* NULL: only list */
	struct vv_opt_list globs;
	struct vv_buf text;        /* of `how`, with parameters */
	size_t files, left, matched, settled, skipped;
	json_t *list;
};

static void report(struct resolving *v, const struct vv_resolution *res, size_t settled, bool staged)
{
	struct vv_ctx *ctx = v->ctx;
	char *path = vv_safe(res->path);

	v->left += res->n_left;
	vv_progress_end();
	if (ctx->json)
		json_array_append_new(v->list, json_pack("{s:o,s:I,s:o,s:b}", "path", vv_json_name(res->path), "settled",
			(json_int_t)settled, "left", vv_left_json(res), "staged", staged));
	else if (!ctx->quiet && v->how)
		printf("%s: %zu settled, %s\n", path, settled, staged ? "staged" : "not all");
	else if (!ctx->quiet)
		printf("%s: %zu conflict%s\n", path, res->n_left, res->n_left == 1 ? "" : "s");
	if (!ctx->json && !ctx->quiet)
		vv_print_left(res, "  ", NAMES_SHOWN);
	free(path);
}

/* A file that is not settled by tensors, or has a version that is no manifest: told, when it was not asked for by name. */
static int skip(struct resolving *v, int ret, bool named)
{
	if ((ret != VV_ENOTSUP && ret != VV_EFORMAT && ret != VV_ENOTFOUND) || named)
		return ret;
	vv_warn("%s", v->ctx->err.msg);
	vv_err_clear(&v->ctx->err);
	v->skipped++;
	return 0;
}

static int list_one(struct resolving *v, const struct vv_unmerged *u, bool named)
{
	struct vv_resolution res;
	int ret = vv_resolve_left(&v->ctx->repo, u, &res, &v->ctx->err);

	if (ret)
		return skip(v, ret, named);
	report(v, &res, 0, false);
	vv_resolution_release(&res);
	return 0;
}

static void say_kept(void *arg VV_UNUSED, const char *path, const struct vv_err *why)
{
	vv_warn("%s: %s", path, why->msg);
}

static int settle_one(struct resolving *v, const struct vv_unmerged *u, bool named)
{
	static const char *const all[] = {"*"};
	struct vv_ctx *ctx = v->ctx;
	const char *const *globs = v->globs.n ? v->globs.v : all;
	size_t settled = 0, matched = 0;
	struct vv_sync_report report_to = {.left = say_kept, .kept = say_kept, .prog = ctx->progress};
	struct vv_resolve s;
	bool staged = false, over;
	int ret = vv_resolve_open(&s, &ctx->repo, u, &ctx->err);

	if (ret)
		return skip(v, ret, named);
	over = !s.t.plan.n_conflicts; /* settled before, and then something went wrong */
	for (size_t i = 0; i < (v->globs.n ? v->globs.n : 1) && !ret; i++) {
		size_t m, n;
		ret = vv_resolve_rule(&s, vv_span_str(globs[i]), vv_buf_view(&v->text), &m, &n, &ctx->err);
		settled += ret ? 0 : n;
		matched += ret ? 0 : m;
	}
	if (!ret && (settled || over))
		ret = vv_resolve_finish(&s, &staged, &report_to, &ctx->err);
	else if (!ret)
		ret = vv_resolution_left(&s.res, &s.t.plan, &ctx->err);
	if (!ret) {
		v->matched += matched + over;
		v->settled += settled + over;
		report(v, &s.res, settled, staged);
	}
	vv_resolve_release(&s);
	return ret;
}

static int each(struct resolving *v, const struct vv_entries *all, bool named)
{
	struct vv_unmerged u;
	int ret = 0;

	for (size_t i = 0; !ret && vv_unmerged_next(all, &i, &u); v->files++)
		ret = v->how ? settle_one(v, &u, named) : list_one(v, &u, named);
	return ret;
}

/* All conflicts, or those of the files that are named. */
static int each_path(struct resolving *v, char *const *paths, char *const *words)
{
	struct vv_ctx *ctx = v->ctx;
	struct vv_entries all = {0};
	size_t before = v->files;
	int ret = 0;

	if (!paths[0]) {
		ret = vv_tracked(&ctx->repo, NULL, &all, &ctx->err);
		if (!ret)
			ret = each(v, &all, false);
		vv_entries_release(&all);
		return ret;
	}
	for (size_t i = 0; paths[i] && !ret; i++, before = v->files) {
		const char *one[] = {paths[i], NULL};
		ret = vv_tracked(&ctx->repo, one, &all, &ctx->err);
		if (!ret)
			ret = each(v, &all, true);
		if (!ret && v->files == before)
			ret = vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no conflict of a model", words[i]);
		vv_entries_release(&all);
	}
	return ret;
}

/* The one way that was asked for; its rule is checked before any file is looked at. */
static int choose(struct resolving *v, const bool *sides, const char *method, const struct vv_opt_list *set)
{
	static const char *const names[] = {"ours", "theirs", "base"};
	struct vv_err *err = &v->ctx->err;
	struct vv_policy check = {.n = 0};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(names); i++)
		if (sides[i] && v->how)
			return vv_fail(err, VV_EUSAGE, "--%s and --%s are not for one call", v->how, names[i]);
		else if (sides[i])
			v->how = names[i];
	if (method && v->how)
		return vv_fail(err, VV_EUSAGE, "--%s and --method are not for one call", v->how);
	if (set->n && !method)
		return vv_fail(err, VV_EUSAGE, "--set goes with --method");
	if (v->globs.n && !v->how && !method)
		return vv_fail(err, VV_EUSAGE, "--tensor goes with --ours, --theirs, --base or --method");
	v->how = method ? method : v->how;
	if (!v->how)
		return 0;
	vv_buf_str(&v->text, v->how);
	for (size_t i = 0; i < set->n; i++)
		vv_buf_fmt(&v->text, " %s", set->v[i]);
	ret = vv_buf_check(&v->text, err);
	for (size_t i = 0; i < v->globs.n && !ret; i++)
		ret = vv_policy_add(&check, vv_span_str(v->globs.v[i]), vv_buf_view(&v->text), err);
	if (!ret && !v->globs.n)
		ret = vv_policy_add(&check, vv_span_str("*"), vv_buf_view(&v->text), err);
	vv_policy_release(&check);
	return ret;
}

static int conclude(struct resolving *v)
{
	struct vv_ctx *ctx = v->ctx;

	if (ctx->json)
		vv_print_json(json_pack("{s:O}", "files", v->list));
	else if (!v->files && !ctx->quiet)
		puts("no conflicts");
	if (v->how && v->files > v->skipped && !v->matched) {
		vv_say("no tensor in conflict has such a name");
		return VV_EXIT_NO;
	}
	if (v->how && v->matched && !v->settled)
		vv_hint(ctx, "%s does not fit what is left: other shapes, types that are not merged, or no common version", v->how);
	if (v->left && !v->how)
		vv_hint(ctx, "--ours, --theirs, --base or --method NAME settles them; --tensor GLOB some of them");
	return v->left || v->skipped ? VV_EXIT_NO : VV_EXIT_OK;
}

int cmd_resolve(struct vv_ctx *ctx, int argc, char **argv)
{
	bool sides[3] = {false};
	const char *method = NULL;
	struct vv_opt_list set = {0};
	struct resolving v = {.ctx = ctx, .text = VV_BUF_INIT(VV_MAX_TEXT), .list = json_array()};
	const struct vv_opt opts[] = {
		{0, "ours", VV_OPT_FLAG, &sides[VV_MERGE_OURS], NULL, "take the tensors of the branch that was merged into"},
		{0, "theirs", VV_OPT_FLAG, &sides[VV_MERGE_THEIRS], NULL, "take those of the branch that was merged"},
		{0, "base", VV_OPT_FLAG, &sides[VV_MERGE_BASE], NULL, "take those of the common version"},
		{'m', "method", VV_OPT_TEXT, &method, "NAME", "make new ones of both: linear, slerp, ties, ... (varve-merge(1))"},
		{0, "set", VV_OPT_LIST, &set, "NAME=VALUE", "a parameter of the method; V1,V2 for ours and theirs"},
		{'t', "tensor", VV_OPT_LIST, &v.globs, "GLOB", "only such tensors (* crosses dots)"},
		{0},
	};
	char **paths = NULL;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret)
		ret = choose(&v, sides, method, &set);
	if (!ret)
		ret = vv_top_paths(ctx, argv + 1, &paths);
	if (!ret)
		ret = each_path(&v, paths, argv + 1);
	vv_progress_end();
	if (!ret)
		ret = conclude(&v);
	vv_paths_free(paths);
	vv_buf_release(&v.text);
	json_decref(v.list);
	free(v.globs.v);
	free(set.v);
	return ret;
}
