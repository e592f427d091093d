#define _GNU_SOURCE
#include "git/conflict.h"

#include "base/map.h"
#include "hash/sha256.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool vv_unmerged_next(const struct vv_entries *e, size_t *i, struct vv_unmerged *out)
{
	static const enum vv_merge_side sides[] = {[1] = VV_MERGE_BASE, [2] = VV_MERGE_OURS, [3] = VV_MERGE_THEIRS};

	while (*i < e->n && !e->v[*i].stage)
		++*i;
	if (*i == e->n)
		return false;
	*out = (struct vv_unmerged){.path = e->v[*i].path};
	for (; *i < e->n && e->v[*i].stage && !strcmp(e->v[*i].path, out->path); ++*i)
		if (e->v[*i].stage <= 3)
			out->oid[sides[e->v[*i].stage]] = e->v[*i].oid;
	return true;
}

/* The name of the record: of the path and the two sides. NULL when memory is gone. */
static char *key_of(const char *path, const char *ours, const char *theirs)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char *hex = malloc(VV_ID_HEX + 1);
	struct vv_id id;

	vv_buf_fmt(&b, "%s\n%s\n%s", ours, theirs, path);
	if (hex && !b.failed) {
		vv_sha256(vv_buf_view(&b), &id);
		vv_id_hex(&id, hex);
	} else {
		free(hex);
		hex = NULL;
	}
	vv_buf_release(&b);
	return hex;
}

static char *folder(const struct vv_repo *r)
{
	return vv_join(r->state_dir, "conflicts");
}

static char *file_of(const struct vv_repo *r, const char *path, const char *ours, const char *theirs)
{
	char *dir = folder(r), *key = key_of(path, ours, theirs), *file = dir && key ? vv_join(dir, key) : NULL;

	free(dir);
	free(key);
	return file;
}

int vv_conflict_save(const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	char *dir = folder(r), *file = file_of(r, res->path, res->ours, res->theirs);
	int ret = dir && file ? vv_resolution_emit(res, &text, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_repo_state(r, err);
	if (!ret)
		ret = vv_mkdirs(dir, err);
	if (!ret)
		ret = vv_write_file(file, vv_buf_view(&text), true, err);
	vv_buf_release(&text);
	free(dir);
	free(file);
	return ret;
}

int vv_conflict_over(const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err)
{
	char *file = file_of(r, res->path, res->ours, res->theirs);
	bool there = file && vv_exists(file);
	int ret = file ? 0 : vv_fail_nomem(err);

	free(file);
	return there ? vv_conflict_save(r, res, err) : ret;
}

int vv_conflict_load(
	const struct vv_repo *r, const struct vv_unmerged *u, struct vv_resolution *out, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *ours = u->oid[VV_MERGE_OURS], *theirs = u->oid[VV_MERGE_THEIRS], *base = u->oid[VV_MERGE_BASE];
	char *file = NULL;
	int ret;

	*out = (struct vv_resolution){.path = NULL};
	if (!ours || !theirs)
		return vv_fail(err, VV_ENOTFOUND, "%s: one side has no such file", u->path);
	file = file_of(r, u->path, ours, theirs);
	ret = file ? vv_read_file(&text, file, err) : vv_fail_nomem(err);
	if (!ret && (ret = vv_resolution_parse(out, vv_buf_view(&text), err)))
		vv_err_in(err, "%s", file);
	/* Another merge base is another merge. */
	if (!ret && (strcmp(out->path, u->path) || strcmp(out->ours, ours) || strcmp(out->theirs, theirs) ||
			    (base && out->base[0] && strcmp(out->base, base)))) {
		vv_resolution_release(out);
		ret = vv_fail(err, VV_ENOTFOUND, "%s: no record of this merge", u->path);
	}
	vv_buf_release(&text);
	free(file);
	return ret;
}

struct visiting {
	const char *dir;
	int (*fn)(void *arg, const struct vv_resolution *res, struct vv_err *err);
	void *arg;
};

static int visit(void *arg, const char *name, struct vv_err *err)
{
	const struct visiting *v = arg;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_resolution res = {.path = NULL};
	struct vv_err ignore = VV_ERR_INIT;
	char *file = vv_join(v->dir, name);
	int ret = file ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_read_file(&text, file, &ignore) && !vv_resolution_parse(&res, vv_buf_view(&text), &ignore))
		ret = v->fn(v->arg, &res, err);
	vv_resolution_release(&res);
	vv_buf_release(&text);
	free(file);
	return ret;
}

int vv_conflict_each(const struct vv_repo *r,
	int (*fn)(void *arg, const struct vv_resolution *res, struct vv_err *err), void *arg, struct vv_err *err)
{
	char *dir = folder(r);
	struct visiting v = {dir, fn, arg};
	int ret = !dir ? vv_fail_nomem(err) : vv_exists(dir) ? vv_each_name(dir, visit, &v, err) : 0;

	free(dir);
	return ret;
}

struct pruning {
	const char *dir;
	struct vv_map keep;
};

static int prune_one(void *arg, const char *name, struct vv_err *err VV_UNUSED)
{
	const struct pruning *p = arg;
	char *file = vv_map_find(&p->keep, vv_span_str(name)) ? NULL : vv_join(p->dir, name);

	/* One that stays does no harm: it is looked at only for the versions it names. */
	if (file)
		unlink(file);
	free(file);
	return 0;
}

void vv_conflict_prune(const struct vv_repo *r, const struct vv_entries *all)
{
	char *dir = folder(r), **keys = calloc(all->n + 1, sizeof(*keys));
	struct pruning p = {.dir = dir};
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_unmerged u;
	bool known = dir && keys && vv_exists(dir);
	size_t n = 0;

	for (size_t i = 0; known && vv_unmerged_next(all, &i, &u);) {
		if (!u.oid[VV_MERGE_OURS] || !u.oid[VV_MERGE_THEIRS])
			continue;
		keys[n] = key_of(u.path, u.oid[VV_MERGE_OURS], u.oid[VV_MERGE_THEIRS]);
		known = keys[n] && vv_map_put(&p.keep, vv_span_str(keys[n]), 1, NULL);
		n++;
	}
	if (known && vv_each_name(dir, prune_one, &p, &ignore))
		vv_err_clear(&ignore);
	for (size_t i = 0; i < n; i++)
		free(keys[i]);
	vv_map_release(&p.keep);
	free(keys);
	free(dir);
}

/* git reads the notes before it locks them: of two that write at once one would be lost. */
static int lock_notes(const struct vv_repo *r, struct vv_lock *lock, struct vv_err *err)
{
	char *dir = vv_join(r->common_dir, "varve"), *file = dir ? vv_join(dir, "notes.lock") : NULL;
	int ret = file ? vv_repo_state(r, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_mkdirs(dir, err);
	if (!ret)
		ret = vv_lock(lock, file, VV_LOCK_EXCLUSIVE, err);
	free(dir);
	free(file);
	return ret;
}

int vv_resolution_note(
	const struct vv_repo *r, const struct vv_resolution *res, struct vv_err *err)
{
	static const char *const hash[] = {"hash-object", "-w", "--stdin", NULL};
	static const char *const nobody[] = {"GIT_AUTHOR_NAME=varve", "GIT_AUTHOR_EMAIL=varve", "GIT_COMMITTER_NAME=varve",
		"GIT_COMMITTER_EMAIL=varve", NULL};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST), said = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_lock lock = VV_LOCK_INIT;
	char blob[VV_OID_HEX_MAX + 1];
	const char *const note[] = {"notes", "--ref=varve-merge", "add", "-f", "-C", blob, res->result, NULL};
	int status = 0, ret = vv_resolution_emit(res, &text, err);

	vv_git_blob_oid(vv_buf_view(&text), r->sha256, blob);
	if (!ret)
		ret = vv_git_status(r, hash, NULL, vv_buf_view(&text), &said, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git hash-object: %.300s", vv_git_said(&said));
	if (!ret)
		ret = lock_notes(r, &lock, err);
	/* A note needs an author where git knows of none. */
	status = 1;
	for (int i = 0; i < 2 && !ret && status; i++) {
		vv_buf_clear(&said);
		ret = vv_git_status(r, note, i ? nobody : NULL, vv_span(NULL, 0), &said, &status, err);
	}
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git notes: %.300s", vv_git_said(&said));
	vv_unlock(&lock);
	vv_buf_release(&text);
	vv_buf_release(&said);
	return ret;
}

int vv_resolution_noted(const struct vv_repo *r, const char *oid, struct vv_resolution *out, struct vv_err *err)
{
	const char *const args[] = {"notes", "--ref=varve-merge", "show", oid, NULL};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &text, &status, err);

	*out = (struct vv_resolution){.path = NULL};
	if (!ret && status)
		ret = vv_fail(err, VV_ENOTFOUND, "%.12s: no note says how it was merged", oid);
	if (!ret && (ret = vv_resolution_parse(out, vv_buf_view(&text), err)))
		vv_err_in(err, "the note on %.12s", oid);
	if (!ret && strcmp(out->result, oid) != 0) {
		vv_resolution_release(out);
		ret = vv_fail(err, VV_EFORMAT, "the note on %.12s is of another manifest", oid);
	}
	vv_buf_release(&text);
	return ret;
}
