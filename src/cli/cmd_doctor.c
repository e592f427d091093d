/* Explains, line by line, whether this machine and this repository are set up, and mends it. */
#include "cli/cli.h"

#include "git/hooks.h"
#include "git/setup.h"
#include "git/sync.h"
#include "model/model.h"

#include <stdlib.h>

struct doctor {
	struct vv_ctx *ctx;
	json_t *list;
	unsigned bad;
};

static void finding(struct doctor *d, bool ok, const char *what, const char *why, const char *mend)
{
	struct vv_ctx *ctx = d->ctx;

	d->bad += !ok;
	json_array_append_new(
		d->list, json_pack("{s:s,s:b,s:o,s:s}", "check", what, "ok", ok, "why", vv_json_name(why), "mend", ok ? "" : mend));
	if (ctx->json || (ok && ctx->quiet))
		return;
	printf("%s%s%s %s\n", vv_color(ctx, ok ? VV_GREEN : VV_RED), ok ? "ok " : "NO ", vv_color(ctx, VV_PLAIN), what);
	if (!ok)
		printf("    %s\n    mend: %s\n", why, mend);
}

static int check_config(struct doctor *d)
{
	bool ok = true;
	char *have = NULL;
	int ret = 0;

	for (const struct vv_setting *s = vv_settings; s->key && !ret; s++) {
		ret = vv_setup_value(&d->ctx->repo, s->key, &have, &d->ctx->err);
		ok &= have && !strcmp(have, s->value);
		free(have);
		have = NULL;
	}
	if (ret)
		return ret;
	finding(d, ok, "git knows varve's filter, merge and diff drivers",
		"without them git add would put whole models into git", "varve init --global (or varve doctor --fix)");
	ret = vv_setup_value(&d->ctx->repo, "core.fsync", &have, &d->ctx->err);
	if (!ret)
		finding(d, have && (strstr(have, "committed") || strstr(have, "all")), "git syncs what it commits",
			"by default git add and git commit sync nothing: after a power cut a manifest may be gone",
			"git config core.fsync committed");
	free(have);
	return ret;
}

static int check_hooks(struct doctor *d)
{
	bool ok = true;
	int ret = 0;

	for (size_t i = 0; vv_hook_names[i] && !ret; i++) {
		enum vv_hook_state state = VV_HOOK_ABSENT;
		ret = vv_hook_state(&d->ctx->repo, vv_hook_names[i], &state, &d->ctx->err);
		ok &= state == VV_HOOK_OURS;
	}
	if (!ret)
		finding(d, ok, "the hooks are installed", "without them manifests stay in the worktree after a git checkout",
			"varve init");
	return ret;
}

/* What the index has where varve keeps models: raw bytes, or manifests whose bytes are not here or near. */
static int check_models(struct doctor *d, bool store)
{
	struct vv_ctx *ctx = d->ctx;
	struct vv_entries all = {0};
	struct vv_blobs blobs = VV_BLOBS_INIT;
	char why[256] = "";
	size_t raw = 0, missing = 0;
	int ret = vv_tracked(&ctx->repo, NULL, &all, &ctx->err);

	if (!ret && all.n)
		ret = vv_blobs_open(&blobs, &ctx->repo, &ctx->err);
	for (size_t i = 0; i < all.n && !ret; i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
		struct vv_err e = VV_ERR_INIT;
		struct vv_manifest m;
		int got = vv_blobs_get(&blobs, all.v[i].oid, &b, &e);

		/* What is larger than any manifest is none. */
		if (got == VV_ELIMIT || (!got && b.len && vv_manifest_detect(vv_buf_view(&b)) == VV_TEXT_OTHER)) {
			raw++;
		} else if (!got && store && !vv_manifest_parse(&m, vv_buf_view(&b), &e)) {
			if (vv_model_has(ctx->repo.store, &m, NULL, &e) && !missing++)
				snprintf(why, sizeof(why), "%s: %.150s", all.v[i].path, e.msg);
			vv_manifest_release(&m);
		}
		vv_buf_release(&b);
	}
	vv_blobs_close(&blobs);
	if (!ret && store)
		finding(d, !missing, "the staged models have their bytes here", why, "varve fsck --repair");
	if (!ret)
		finding(d, !raw, "no tracked model lies in git as raw bytes",
			"somebody committed models without varve: they work, but git carries them whole",
			"git add --renormalize . && git commit");
	vv_entries_release(&all);
	return ret;
}

static int check_repo(struct doctor *d, bool fix)
{
	struct vv_ctx *ctx = d->ctx;
	struct vv_sync_report report = {.prog = ctx->progress};
	struct vv_err e = VV_ERR_INIT;
	int ret;

	if (fix) {
		ret = vv_setup_config(&ctx->repo, false, &ctx->err);
		if (!ret)
			ret = vv_setup_repo(&ctx->repo, &ctx->err);
		if (!ret)
			ret = vv_sync(&ctx->repo, NULL, vv_span(NULL, 0), &report, &ctx->err);
		if (ret)
			return ret;
	}
	ret = check_config(d);
	if (!ret)
		ret = check_hooks(d);
	if (ret)
		return ret;
	ret = vv_repo_store(&ctx->repo, false, &e);
	finding(d, !ret, "the store is there and readable", ret ? e.msg : "models live in it",
		ret == VV_ENOTSUP ? "install a newer varve" : "varve init");
	if (!ret)
		finding(d, !vv_store_bad_packs(ctx->repo.store), "every pack can be opened", "some packs are damaged",
			"varve fsck --repair");
	ret = ctx->repo.top ? check_models(d, !ret) : 0;
	if (!ret && fix && report.left_n)
		finding(d, false, "every model is in the worktree", "some manifests could not become models",
			"varve status names them");
	return ret;
}

int cmd_doctor(struct vv_ctx *ctx, int argc, char **argv)
{
	bool fix = false;
	const struct vv_opt opts[] = {
		{'f', "fix", VV_OPT_FLAG, &fix, NULL, "mend what can be mended"},
		{0},
	};
	struct doctor d = {ctx, json_array(), 0};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err e = VV_ERR_INIT;
	unsigned major = 0, minor = 0;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && !VV_GIT(NULL, &out, &e, "version"))
		(void)sscanf((char *)out.ptr, "git version %u.%u", &major, &minor);
	if (!ret) {
		finding(&d, major > 2 || (major == 2 && minor >= 39), "git is 2.39 or newer",
			"older ones lack hooks that varve needs", "install a newer git");
		if (!vv_repo_open(&ctx->repo, &e))
			ret = check_repo(&d, fix);
		else
			finding(&d, false, "this folder is in a git repository", e.msg, "git init && varve init");
	}
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:b,s:O}", "ok", d.bad == 0, "checks", d.list));
	json_decref(d.list);
	vv_buf_release(&out);
	return ret ? ret : d.bad ? VV_EXIT_NO : VV_EXIT_OK;
}
