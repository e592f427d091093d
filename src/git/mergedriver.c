#include "git/mergedriver.h"

#include "git/conflict.h"
#include "git/mergepolicy.h"
#include "git/threeway.h"
#include "os/file.h"
#include "os/sys.h"

#include <stdio.h>

static int write_result(const struct vv_merge_words *w, struct vv_span text, struct vv_err *err)
{
	/* git made this file for us and reads it afterwards: its name must stay the same file. */
	return vv_write_file(w->ours, text, false, err);
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
	struct vv_policy none = {.n = 0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t n;
	bool based = t->side[VV_MERGE_BASE].m.format && t->side[VV_MERGE_OURS].m.format && t->side[VV_MERGE_THEIRS].m.format;
	int ret = based ? vv_threeway_plan(t, err) : VV_ECONFLICT;

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

/* --- a model, or a directory --- */

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

/* A rule decides without asking: nobody shall have to guess that it did. */
static void tell_rules(const struct vv_merge_words *w, const struct vv_policy *p)
{
	char text[512];

	for (size_t k = 0; k < p->n; k++) {
		const struct vv_rule *r = &p->v[k];
		if (!r->settled)
			continue;
		snprintf(text, sizeof(text), "%.200s: %zu conflict%s settled by the rule '%.80s %.80s' (%s)", w->path, r->settled,
			r->settled == 1 ? "" : "s", r->pattern, r->how, r->from ? r->from : "varve.merge");
		w->note(w->arg, text);
	}
}

static int merge_file(struct vv_threeway *t, const struct vv_merge_words *w, struct vv_err *err)
{
	struct vv_resolution res = {.path = w->path};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err foreign = VV_ERR_INIT, unnoted = VV_ERR_INIT;
	size_t asked = 0;
	int ret = vv_threeway_plan(t, err);

	if (!ret && t->plan.n_conflicts && (ret = vv_merge_policy(t->repo, w->path, &res.rules, &foreign, err)))
		vv_err_in(err, "%s", w->path);
	if (foreign.code)
		w->note(w->arg, foreign.msg);
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
	} else if (!ret && !is_for_show()) {
		ret = vv_conflict_over(t->repo, &res, err);
		if (!ret && asked && vv_resolution_note(t->repo, &res, &unnoted))
			w->note(w->arg, unnoted.msg);
	}
	if (!ret)
		ret = write_result(w, vv_buf_view(&text), err);
	if (!ret)
		tell_rules(w, &res.rules);
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
	struct vv_err none = VV_ERR_INIT;
	int ret;

	vv_threeway_init(&t, r, w->path);
	ret = fill(&t, w, err);
	if (!w->virtual_base && !ret)
		ret = merge_file(&t, w, err);
	else if (w->virtual_base && ret != VV_ENOMEM)
		ret = make_base(&t, w, err);
	/* No base is safe. One side's version as the base is not: its changes would count for nothing. */
	if (w->virtual_base && ret && write_result(w, vv_span(NULL, 0), &none))
		vv_err_clear(&none);
	vv_threeway_release(&t);
	return ret;
}
