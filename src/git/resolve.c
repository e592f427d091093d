#define _GNU_SOURCE
#include "git/resolve.h"

#include "git/inside.h"
#include "git/mergepolicy.h"
#include "git/peer.h"
#include "git/statcache.h"
#include "os/file.h"
#include "os/place.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- one file taken up --- */

static int load_texts(struct vv_threeway *t, const struct vv_unmerged *u, struct vv_err *err)
{
	struct vv_blobs blobs = VV_BLOBS_INIT;
	int ret = vv_blobs_open(&blobs, t->repo, err);

	for (size_t i = 0; i < VV_COUNT(t->side) && !ret; i++)
		if (u->oid[i])
			ret = vv_blobs_get(&blobs, u->oid[i], &t->side[i].text, err);
	vv_blobs_close(&blobs);
	return ret;
}

/* Without a record: as the driver begins. Where the configuration has a rule that is none, none is followed. */
static int begin(struct vv_resolve *s, struct vv_repo *r, const struct vv_unmerged *u, struct vv_err *err)
{
	const struct vv_threeway_side *side = s->t.side;
	struct vv_err foreign = VV_ERR_INIT; /* a conflict: it is listed */
	int ret;

	s->res = (struct vv_resolution){.path = u->path};
	memcpy(s->res.base, side[VV_MERGE_BASE].oid, sizeof(s->res.base));
	memcpy(s->res.ours, side[VV_MERGE_OURS].oid, sizeof(s->res.ours));
	memcpy(s->res.theirs, side[VV_MERGE_THEIRS].oid, sizeof(s->res.theirs));
	ret = vv_merge_policy(r, u->path, &s->res.rules, &foreign, err);
	if (ret == VV_EUSAGE || ret == VV_ELIMIT) {
		vv_err_clear(err);
		ret = 0;
	}
	return ret;
}

/* What the driver put into the worktree, made once more. */
static int find_result(struct vv_resolve *s, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = vv_threeway_make(&s->t, &s->res.rules, &text, err);

	if (!ret)
		vv_git_blob_oid(vv_buf_view(&text), s->t.repo->sha256, s->res.result);
	/* The configuration's rules did not fit: they are dropped, and what they left is settled now. */
	vv_err_clear(&s->t.unmixed);
	vv_buf_release(&text);
	return ret;
}

static int open_file(
	struct vv_resolve *s, struct vv_repo *r, const struct vv_unmerged *u, bool *recorded, struct vv_err *err)
{
	size_t n;
	int ret = 0;

	*s = (struct vv_resolve){.res = {.path = NULL}};
	vv_threeway_init(&s->t, r, u->path);
	if (!u->oid[VV_MERGE_OURS] || !u->oid[VV_MERGE_THEIRS])
		ret = vv_fail(err, VV_ENOTSUP, "%s: one side has no such file; 'git add' or 'git rm' settles that", u->path);
	if (!ret)
		ret = load_texts(&s->t, u, err);
	if (!ret)
		ret = vv_threeway_parse(&s->t, err);
	if (!ret && (ret = vv_conflict_load(r, u, &s->res, err)) && ret != VV_ENOMEM) {
		*recorded = false;
		vv_err_clear(err);
		ret = begin(s, r, u, err);
	}
	if (!ret && (ret = vv_threeway_plan(&s->t, err)) == VV_ECONFLICT)
		ret = err->code = VV_ENOTSUP; /* nothing that is settled in parts */
	if (!ret)
		ret = vv_policy_apply(&s->res.rules, u->path, &s->t.plan, &n, err);
	if (ret)
		vv_resolve_release(s);
	return ret;
}

int vv_resolve_open(struct vv_resolve *s, struct vv_repo *r, const struct vv_unmerged *u, struct vv_err *err)
{
	bool recorded = true;
	int ret = open_file(s, r, u, &recorded, err);

	if (!ret && !recorded && (ret = find_result(s, err)))
		vv_resolve_release(s);
	return ret;
}

void vv_resolve_release(struct vv_resolve *s)
{
	vv_threeway_release(&s->t);
	vv_resolution_release(&s->res);
}

int vv_resolve_left(struct vv_repo *r, const struct vv_unmerged *u, struct vv_resolution *out, struct vv_err *err)
{
	struct vv_resolve s;
	struct vv_err none = VV_ERR_INIT;
	bool recorded = true;
	int ret = vv_conflict_load(r, u, out, &none);

	if (!ret)
		return 0;
	*out = (struct vv_resolution){.path = u->path};
	ret = open_file(&s, r, u, &recorded, err);
	if (!ret) {
		ret = vv_resolution_left(out, &s.t.plan, err);
		vv_resolve_release(&s);
	}
	if (ret)
		vv_resolution_release(out);
	return ret;
}

static size_t count_matches(const struct vv_merge *m, const struct vv_rule *r, const char *path)
{
	const char *frame = m->frame.reason == VV_MERGE_WHOLE ? VV_MERGE_FILE_NAME : VV_MERGE_FRAME_NAME;
	size_t n = m->frame.reason && !fnmatch(r->tensor, frame, 0);

	for (size_t i = 0; i < m->n; i++)
		n += m->items[i].reason && !fnmatch(r->tensor, m->items[i].name, 0);
	return r->file && fnmatch(r->file, path, 0) ? 0 : n;
}

int vv_resolve_rule(struct vv_resolve *s, struct vv_span pattern, struct vv_span how, size_t *matched, size_t *settled,
	struct vv_err *err)
{
	struct vv_policy *p = &s->res.rules;
	int ret = vv_policy_add(p, pattern, how, err);

	if (ret)
		return ret;
	*matched = count_matches(&s->t.plan, &p->v[p->n - 1], s->t.path);
	ret = vv_policy_apply(p, s->t.path, &s->t.plan, settled, err);
	if (!*settled)
		p->n--;
	return ret;
}

/* --- into the worktree --- */

struct target {
	struct vv_place place;
	struct vv_statcache cache;
	struct stat st;
	bool there, text; /* text: a manifest, not the model */
	int root;
	char oid[VV_OID_HEX_MAX + 1]; /* of what stands there, as a manifest; "" when nothing does */
};

static void target_release(struct target *g)
{
	vv_place_release(&g->place);
	vv_statcache_release(&g->cache);
	if (g->root >= 0)
		close(g->root);
}

/* Which manifest the file is: by what was noted of it, or by reading it. */
static int identify(struct vv_resolve *s, struct target *g, const char *full, struct vv_err *err)
{
	struct vv_repo *r = s->t.repo;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *known = vv_statcache_find(&g->cache, s->t.path, &g->st);
	struct vv_file f = {.fd = -1};
	struct vv_err none = VV_ERR_INIT;
	uint8_t head[64];
	int ret;

	if (known) {
		memcpy(g->oid, known, strlen(known) + 1);
		return 0;
	}
	ret = vv_file_open(&f, full, err);
	g->text = !ret && f.base.size >= sizeof(head) && f.base.size < VV_MAX_MANIFEST &&
		!vv_source_read(&f.base, 0, head, sizeof(head), &none) &&
		vv_manifest_detect(vv_span(head, sizeof(head))) != VV_TEXT_OTHER;
	if (g->text)
		ret = vv_read_fd(&text, f.fd, full, err);
	else if (!ret)
		ret = vv_model_hash(r->pool, &f.base, &text, NULL, NULL, err);
	if (!ret)
		vv_git_blob_oid(vv_buf_view(&text), r->sha256, g->oid);
	vv_file_close(&f);
	vv_buf_release(&text);
	return ret;
}

static int target_open(struct vv_resolve *s, struct target *g, struct vv_err *err)
{
	struct vv_repo *r = s->t.repo;
	char *full = vv_repo_path(r, s->t.path);
	int ret = full ? vv_statcache_open(&g->cache, r, err) : vv_fail_nomem(err);

	if (!ret && (g->root = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		ret = vv_fail_sys(err, errno, "%s", r->top);
	if (!ret)
		ret = vv_place_open(&g->place, g->root, s->t.path, err);
	if (!ret) {
		g->there = !fstatat(g->place.dirfd, g->place.name, &g->st, AT_SYMLINK_NOFOLLOW);
		if (g->there)
			ret = identify(s, g, full, err);
	}
	free(full);
	return ret;
}

/* Is what stands there the merge's own? Anything else is somebody's work. */
static bool is_ours_to_replace(const struct vv_resolve *s, const struct target *g, const char *result)
{
	const char *const known[] = {s->res.result, s->res.base, s->res.ours, s->res.theirs, result};

	for (size_t i = 0; i < VV_COUNT(known); i++)
		if (!strcmp(g->oid, known[i]))
			return true;
	return false;
}

/* What only lies on another machine is copied here. */
static int fetch(struct vv_repo *r, const struct vv_manifest *m, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_id *ids = calloc(m->n_segs + 1, sizeof(*ids));
	int ret = ids ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < m->n_segs && !ret; i++)
		ids[i] = m->segs[i].id;
	if (!ret)
		ret = vv_peers_fetch(r, ids, m->n_segs, prog, err);
	free(ids);
	return ret;
}

/* A directory's manifest is a text; its files are brought to it, as after any command of git's. */
static int put_dir(struct vv_resolve *s, struct target *g, struct vv_span text, const char *oid,
	struct vv_sync_report *report, struct vv_err *err)
{
	const char *const paths[] = {s->t.path, NULL};
	struct vv_draft draft = VV_DRAFT_INIT;
	struct stat st;
	int ret = 0;

	if (!g->there || strcmp(g->oid, oid) != 0) {
		ret = vv_draft_begin(s->t.repo, &g->place, &draft, err);
		if (!ret)
			ret = vv_write_fd(draft.fd, text, s->t.path, err);
		if (!ret)
			ret = vv_draft_publish(
				&draft, &g->place, g->there ? g->st.st_mode & 07777 : 0644, 0, g->there ? &g->st : NULL, &st, err);
		vv_draft_release(&draft);
	}
	return ret ? ret : vv_sync(s->t.repo, paths, vv_span(NULL, 0), report, err);
}

/* The model at its place, and noted which one it is. */
static int put_model(struct vv_resolve *s, struct target *g, struct vv_span text, const char *oid,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_repo *r = s->t.repo;
	struct vv_manifest m = {0};
	struct stat st = g->st;
	int ret = 0;

	if (!g->there || g->text || strcmp(g->oid, oid) != 0) {
		ret = vv_manifest_parse(&m, text, err);
		if (!ret)
			ret = fetch(r, &m, prog, err);
		if (!ret)
			ret = vv_write_model(r, &m, &g->place, s->t.path, true, g->there ? &g->st : NULL, &st, prog, err);
	}
	if (!ret)
		ret = vv_statcache_set(&g->cache, s->t.path, &st, oid, err);
	if (!ret)
		ret = vv_statcache_write(&g->cache, err);
	vv_manifest_release(&m);
	return ret;
}

/* git's own add, whose filter answers from the stat cache. */
static int stage(struct vv_resolve *s, struct vv_span text, const char *oid, struct vv_err *err)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	const char *const *env = vv_inside_env(s->t.repo);
	const char *args[] = {"add", "--", NULL, NULL};
	char *spec = NULL;
	int status = 0, ret = env && asprintf(&spec, ":(top,literal)%s", s->t.path) >= 0 ? 0 : vv_fail_nomem(err);

	args[2] = spec;
	if (!ret)
		ret = vv_inside_put(s->t.repo, oid, text, err);
	if (!ret)
		ret = vv_git_status(s->t.repo, args, env, vv_span(NULL, 0), &out, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git add %s: %.300s", s->t.path, vv_git_said(&out));
	vv_inside_clear(s->t.repo);
	vv_buf_release(&out);
	free(spec);
	return ret;
}

static void note(struct vv_resolve *s, const struct vv_sync_report *report)
{
	struct vv_err why = VV_ERR_INIT;

	if (vv_resolution_note(s->t.repo, &s->res, &why) && report->kept)
		report->kept(report->arg, s->t.path, &why);
}

int vv_resolve_finish(struct vv_resolve *s, bool *staged, struct vv_sync_report *report, struct vv_err *err)
{
	struct target g = {.place = VV_PLACE_INIT, .root = -1};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	char oid[VV_OID_HEX_MAX + 1];
	int ret = vv_repo_state(s->t.repo, err);

	if (!ret)
		ret = vv_threeway_make(&s->t, &s->res.rules, &text, err);
	if (!ret && s->t.unmixed.code) {
		*err = s->t.unmixed;
		ret = err->code;
	}
	vv_git_blob_oid(vv_buf_view(&text), s->t.repo->sha256, oid);
	if (!ret)
		ret = target_open(s, &g, err);
	if (!ret && g.there && !is_ours_to_replace(s, &g, oid))
		ret = vv_fail(err, VV_ECHANGED,
			"%s was changed since the merge; 'git add' takes it as it is, 'git checkout -m' begins anew", s->t.path);
	if (!ret)
		ret = s->t.dirs ? put_dir(s, &g, vv_buf_view(&text), oid, report, err)
				: put_model(s, &g, vv_buf_view(&text), oid, report->prog, err);
	memcpy(s->res.result, oid, sizeof(oid));
	/* What was settled is kept before it is staged: git may say no. */
	if (!ret)
		ret = vv_resolution_left(&s->res, &s->t.plan, err);
	if (!ret)
		ret = vv_conflict_save(s->t.repo, &s->res, err);
	*staged = !ret && !s->t.plan.n_conflicts;
	if (*staged)
		note(s, report);
	if (*staged)
		ret = stage(s, vv_buf_view(&text), oid, err);
	target_release(&g);
	vv_buf_release(&text);
	return ret;
}

int vv_resolution_replay(
	struct vv_repo *r, struct vv_resolution *res, bool *same, struct vv_id sha256[3], struct vv_err *err)
{
	const struct vv_unmerged u = {res->path, {[VV_MERGE_OURS] = res->ours, [VV_MERGE_THEIRS] = res->theirs,
		[VV_MERGE_BASE] = res->base[0] ? res->base : NULL}};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	char oid[VV_OID_HEX_MAX + 1];
	struct vv_threeway t;
	size_t n;
	int ret;

	vv_threeway_init(&t, r, res->path);
	ret = load_texts(&t, &u, err);
	if (!ret)
		ret = vv_threeway_parse(&t, err);
	if (!ret)
		ret = vv_threeway_plan(&t, err);
	if (!ret)
		ret = vv_policy_apply(&res->rules, res->path, &t.plan, &n, err);
	if (!ret)
		ret = vv_threeway_make(&t, &res->rules, &text, err);
	if (!ret) {
		vv_git_blob_oid(vv_buf_view(&text), r->sha256, oid);
		*same = !t.plan.n_conflicts && !strcmp(oid, res->result);
		for (size_t i = 0; i < VV_COUNT(t.side); i++)
			sha256[i] = t.side[i].m.sha256;
	}
	vv_threeway_release(&t);
	vv_buf_release(&text);
	return ret;
}
