#include "git/mergedriver.h"

#include "git/conflict.h"
#include "git/mergepolicy.h"
#include "git/threeway.h"
#include "model/dirmerge.h"
#include "os/file.h"
#include "os/sys.h"

static int write_result(const struct vv_merge_words *w, struct vv_span text, struct vv_err *err)
{
	/* git made this file for us and reads it afterwards: its name must stay the same file. */
	return vv_write_file(w->ours, text, false, err);
}

/* Directories: their files' lines are all that it takes. */
static int merge_dirs(const struct vv_threeway *t, const struct vv_merge_words *w, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	const struct vv_threeway_side *base = &t->side[VV_MERGE_BASE];
	size_t n = 0;
	int ret = vv_dir_merge(&build, base->text.len ? &base->m : NULL, &t->side[VV_MERGE_OURS].m, &t->side[VV_MERGE_THEIRS].m,
		w->conflict, w->arg, &n, err);

	if (!ret && n)
		ret = vv_fail(err, VV_ECONFLICT, "%s: %zu conflicts", w->path, n);
	/* A file of one side may lie where the other has a folder. */
	if (!ret && vv_dir_build_end(&build, &text, NULL, err)) {
		ret = err->code == VV_EFORMAT ? VV_ECONFLICT : err->code;
		if (ret == VV_ECONFLICT)
			w->conflict(w->arg, "(folders)", "a file of one side lies where the other has a folder");
	}
	if (!ret)
		ret = write_result(w, vv_buf_view(&text), err);
	vv_dir_build_release(&build);
	vv_buf_release(&text);
	return ret;
}

static int fill(struct vv_threeway *t, const struct vv_merge_words *w, struct vv_err *err)
{
	const char *const files[] = {[VV_MERGE_OURS] = w->ours, [VV_MERGE_THEIRS] = w->theirs, [VV_MERGE_BASE] = w->base};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(files) && !ret; i++)
		if ((ret = vv_read_file(&t->side[i].text, files[i], err)))
			vv_err_in(err, "%s", w->path);
	return ret ? ret : vv_threeway_parse(t, err);
}

/* --- a base out of several --- */

static int make_base(struct vv_threeway *t, const struct vv_merge_words *w, struct vv_err *err)
{
	const struct vv_policy none = {.n = 0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t n;
	bool based = t->side[VV_MERGE_BASE].text.len && t->side[VV_MERGE_OURS].text.len && t->side[VV_MERGE_THEIRS].text.len;
	int ret = based && !vv_threeway_is_dir(t, VV_MERGE_OURS) && !vv_threeway_is_dir(t, VV_MERGE_THEIRS) &&
			!vv_threeway_is_dir(t, VV_MERGE_BASE)
		? vv_threeway_plan(t, err) : VV_ECONFLICT;

	if (!ret && t->plan.frame.reason == VV_MERGE_WHOLE)
		ret = VV_ECONFLICT;
	if (!ret)
		ret = vv_merge_settle(&t->plan, NULL, VV_MERGE_BASE, &n, err);
	if (!ret)
		ret = vv_threeway_make(t, &none, &text, err);
	/* What cannot be made is the older base, as it is for any file that git does not merge. */
	if (ret && ret != VV_ENOMEM) {
		vv_err_clear(err);
		ret = write_result(w, vv_buf_view(&t->side[VV_MERGE_BASE].text), err);
	} else if (!ret) {
		ret = write_result(w, vv_buf_view(&text), err);
	}
	vv_buf_release(&text);
	return ret;
}

/* --- a model --- */

/* Commands that merge for their own sake: what they find is nobody's to settle. */
static bool is_for_show(void)
{
	static const char *const commands[] = {"merge-tree", "log", "show", "diff", "whatchanged", "format-patch", "replay", NULL};

	return vv_below_git(commands) > 0;
}

static void tell(const struct vv_merge_words *w, const struct vv_merge *m, const struct vv_err *unmixed)
{
	if (m->frame.reason)
		w->conflict(w->arg, m->frame.reason == VV_MERGE_WHOLE ? VV_MERGE_FILE_NAME : VV_MERGE_FRAME_NAME,
			vv_merge_reason_text(m->frame.reason));
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].reason)
			w->conflict(w->arg, m->items[i].name, vv_merge_reason_text(m->items[i].reason));
	if (unmixed->code)
		w->conflict(w->arg, "not merged by rule", unmixed->msg);
}

static void name_sides(struct vv_resolution *res, const struct vv_threeway *t)
{
	memcpy(res->base, t->side[VV_MERGE_BASE].oid, sizeof(res->base));
	memcpy(res->ours, t->side[VV_MERGE_OURS].oid, sizeof(res->ours));
	memcpy(res->theirs, t->side[VV_MERGE_THEIRS].oid, sizeof(res->theirs));
}

static int merge_model(struct vv_threeway *t, const struct vv_merge_words *w, struct vv_err *err)
{
	struct vv_resolution res = {.path = w->path};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t asked = 0;
	int ret = vv_threeway_plan(t, err);

	if (!ret && t->plan.n_conflicts && (ret = vv_merge_policy(t->repo, w->path, &res.rules, err)))
		vv_err_in(err, "%s", w->path);
	if (!ret)
		ret = vv_policy_apply(&res.rules, w->path, &t->plan, &asked, err);
	name_sides(&res, t);
	if (!ret)
		ret = vv_threeway_make(t, &res.rules, &text, err);
	if (!ret)
		vv_git_blob_oid(vv_buf_view(&text), t->repo->sha256, res.result);
	if (!ret && t->plan.n_conflicts && !is_for_show()) {
		ret = vv_resolution_left(&res, &t->plan, err);
		if (!ret)
			ret = vv_conflict_save(t->repo, &res, err);
	} else if (!ret && !t->plan.n_conflicts && asked && !is_for_show()) {
		ret = vv_resolution_note(t->repo, &res, err);
	}
	if (!ret)
		ret = write_result(w, vv_buf_view(&text), err);
	if (!ret && t->plan.n_conflicts) {
		tell(w, &t->plan, &t->unmixed);
		ret = vv_fail(err, VV_ECONFLICT, "%s: %zu conflicts", w->path, t->plan.n_conflicts);
	}
	vv_buf_release(&text);
	vv_resolution_release(&res);
	return ret;
}

int vv_merge_driver(struct vv_repo *r, const struct vv_merge_words *w, struct vv_err *err)
{
	struct vv_threeway t;
	bool ours, theirs, base;
	int ret;

	vv_threeway_init(&t, r, w->path);
	ret = fill(&t, w, err);
	ours = vv_threeway_is_dir(&t, VV_MERGE_OURS);
	theirs = vv_threeway_is_dir(&t, VV_MERGE_THEIRS);
	base = vv_threeway_is_dir(&t, VV_MERGE_BASE);
	if (w->virtual_base)
		ret = ret == VV_ENOMEM ? ret : make_base(&t, w, err);
	else if (!ret && ours && theirs && (base || !t.side[VV_MERGE_BASE].text.len))
		ret = merge_dirs(&t, w, err);
	else if (!ret && (ours || theirs || base))
		ret = vv_fail(err, VV_ECONFLICT, "%s: a directory on one side, a model on the other", w->path);
	else if (!ret)
		ret = merge_model(&t, w, err);
	vv_threeway_release(&t);
	return ret;
}
