#define _GNU_SOURCE
#include "git/roots.h"

#include "base/cursor.h"
#include "git/dirstate.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST_MANIFEST = 100 };

void vv_ids_release(struct vv_ids *ids)
{
	vv_map_release(&ids->set);
	vv_arena_release(&ids->arena);
	free(ids->v);
	*ids = (struct vv_ids){0};
}

bool vv_ids_has(const struct vv_ids *ids, const struct vv_id *id)
{
	return vv_map_find(&ids->set, vv_span(id->b, VV_ID_BYTES)) != NULL;
}

static int add_id(struct vv_ids *ids, const struct vv_id *id, struct vv_err *err)
{
	struct vv_id *key;
	bool added;

	if (vv_ids_has(ids, id))
		return 0;
	key = vv_arena_alloc(&ids->arena, sizeof(*key));
	if (!key)
		return vv_fail_nomem(err);
	*key = *id;
	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 256;
		struct vv_id *v = realloc(ids->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		ids->v = v;
		ids->cap = cap;
	}
	ids->v[ids->n++] = *id;
	return vv_map_put(&ids->set, vv_span(key->b, VV_ID_BYTES), 1, &added) ? 0 : vv_fail_nomem(err);
}

/* Adds the ids of one blob, if it is a manifest. */
static int add_blob(struct vv_blobs *blobs, const char *oid, struct vv_ids *out, struct vv_roots_report *report,
	struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_manifest m = {0};
	struct vv_err why = VV_ERR_INIT;
	int ret = vv_blobs_get(blobs, oid, &b, err);

	/* Listed, and not to be read: damaged, or pruned a moment ago. What it named cannot be told. */
	if ((ret == VV_ENOTFOUND || ret == VV_EGIT) && report) {
		vv_err_clear(err);
		ret = 0;
		report->unreadable++;
		goto out;
	}
	if (ret || vv_manifest_detect(vv_buf_view(&b)) == VV_TEXT_OTHER)
		goto out;
	if (vv_manifest_parse(&m, vv_buf_view(&b), &why)) {
		if (why.code == VV_ENOMEM) {
			ret = vv_fail_nomem(err);
			goto out;
		}
		/* Also a newer one: what it names cannot be told, so nothing may be removed. */
		if (why.code == VV_ENOTSUP && report)
			report->complete = false;
		if (report && report->broken)
			report->broken(report->arg, oid, &why);
		goto out;
	}
	for (size_t i = 0; i < m.n_segs && !ret; i++)
		ret = add_id(out, &m.segs[i].id, err);
	if (!ret && report) {
		report->manifests++;
		if (report->manifest)
			ret = report->manifest(report->arg, oid, &m, err);
	}
out:
	vv_manifest_release(&m);
	vv_buf_release(&b);
	return ret;
}

/* `list`: lines "<oid> <type> <size>". */
static int add_listed(struct vv_repo *r, struct vv_span list, struct vv_ids *out, struct vv_roots_report *report,
	struct vv_err *err)
{
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_cursor c = vv_cursor(list);
	struct vv_span line;
	int ret = vv_blobs_open(&blobs, r, err);

	while (!ret && !vv_take_line(&c, &line)) {
		char text[160], oid[VV_OID_HEX_MAX + 1], type[16];
		unsigned long long size;

		if (line.len >= sizeof(text))
			continue;
		memcpy(text, line.ptr, line.len);
		text[line.len] = 0;
		if (sscanf(text, "%64s %15s %llu", oid, type, &size) != 3) {
			/* "<oid> missing": git has the object and cannot read it. */
			if (report)
				report->unreadable++;
			continue;
		}
		if (strcmp(type, "blob") || size < SMALLEST_MANIFEST || size > VV_MAX_MANIFEST)
			continue;
		ret = add_blob(&blobs, oid, out, report, err);
	}
	vv_blobs_close(&blobs);
	return ret;
}

static bool is_partial(struct vv_repo *r)
{
	char *shallow = vv_join(r->common_dir, "shallow"), *value = NULL;
	struct vv_err ignore = VV_ERR_INIT;
	bool yes = !shallow || vv_exists(shallow);

	if (!VV_GIT_LINE(r, &value, &ignore, "config", "--get-regexp", "^(extensions\\.partialclone|remote\\..*\\.promisor)$"))
		yes = true;
	free(value);
	free(shallow);
	return yes;
}

struct texts {
	struct vv_ids *out;
	const char *dir;
};

static int add_text(void *arg, const char *name, struct vv_err *err)
{
	struct texts *t = arg;
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	char *path = vv_join(t->dir, name);
	struct vv_manifest m;
	int ret = path ? 0 : vv_fail_nomem(err);

	/* One that is gone by now, git has. */
	if (!ret && !vv_read_file(&b, path, &why) && !vv_manifest_parse(&m, vv_buf_view(&b), &why)) {
		for (size_t i = 0; i < m.n_segs && !ret; i++)
			ret = add_id(t->out, &m.segs[i].id, err);
		vv_manifest_release(&m);
	}
	vv_buf_release(&b);
	free(path);
	return ret;
}

/* What lies in a tracked directory, though no commit may have it yet. */
static int add_dir(void *arg, const char *dir VV_UNUSED, const char *file, struct vv_err *err)
{
	struct vv_dirstate s;
	int ret = vv_dirstate_open(&s, file, err);

	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		return 0;
	}
	for (size_t i = 0; i < s.m.n_segs && !ret; i++)
		ret = add_id(arg, &s.m.segs[i].id, err);
	vv_dirstate_release(&s);
	return ret;
}

static int add_dirs(const char *git_dir, struct vv_ids *out, struct vv_err *err)
{
	char *state = vv_join(git_dir, "varve");
	int ret = state ? vv_dirstate_each(state, add_dir, out, err) : vv_fail_nomem(err);

	free(state);
	return ret;
}

/* Of the worktree whose git folder this is. */
static int add_texts(const char *git_dir, struct vv_ids *out, struct vv_err *err)
{
	struct texts t = {out, NULL};
	char *dir = NULL;
	int ret = asprintf(&dir, "%s/varve/texts", git_dir) < 0 ? vv_fail_nomem(err) : 0;

	t.dir = dir;
	if (!ret)
		ret = vv_each_name(dir, add_text, &t, err);
	if (!ret)
		ret = add_dirs(git_dir, out, err);
	free(dir);
	return ret;
}

static int add_worktree(void *arg, const char *name, struct vv_err *err)
{
	const struct texts *t = arg;
	char *git_dir = vv_join(t->dir, name);
	int ret = git_dir ? add_texts(git_dir, t->out, err) : vv_fail_nomem(err);

	free(git_dir);
	return ret;
}

/*
 * What a varve add that is running has stored, and not yet given to git: a text of each lies ready for it. And what
 * lies in tracked directories.
 */
static int add_coming(struct vv_repo *r, struct vv_ids *out, struct vv_err *err)
{
	char *dir = vv_join(r->common_dir, "worktrees");
	struct texts t = {out, dir};
	int ret = dir ? add_texts(r->common_dir, out, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_each_name(dir, add_worktree, &t, err);
	free(dir);
	return ret;
}

int vv_roots_all(struct vv_repo *r, struct vv_ids *out, struct vv_roots_report *report, struct vv_err *err)
{
	struct vv_buf list = VV_BUF_INIT((size_t)4 << 30);
	int ret = add_coming(r, out, err); /* before git is asked: what moves meanwhile is seen there */

	if (!ret)
		ret = VV_GIT(r, &list, err, "cat-file", "--batch-all-objects", "--unordered",
			"--batch-check=%(objectname) %(objecttype) %(objectsize)");
	report->unreadable = 0;
	report->complete = !is_partial(r);
	if (!ret)
		ret = add_listed(r, vv_buf_view(&list), out, report, err);
	report->complete &= !report->unreadable;
	vv_buf_release(&list);
	return ret;
}

/* The next word of a line; empty at its end. */
static struct vv_span word(struct vv_span *line)
{
	const uint8_t *sp = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
	size_t n = sp ? (size_t)(sp - line->ptr) : line->len;
	struct vv_span w = vv_span(line->ptr, n);

	*line = vv_span(line->ptr + n + (sp != NULL), line->len - n - (sp != NULL));
	return w;
}

static bool is_oid(struct vv_span w)
{
	bool zero = true, hex = true;

	for (size_t i = 0; i < w.len; i++) {
		zero &= w.ptr[i] == '0';
		hex &= (w.ptr[i] >= '0' && w.ptr[i] <= '9') || (w.ptr[i] >= 'a' && w.ptr[i] <= 'f');
	}
	return (w.len == 40 || w.len == 64) && hex && !zero;
}

/* "<local ref> <local oid> <remote ref> <remote oid>" per line: the second word, or, after a "^", the fourth. */
static void add_oids(struct vv_span list, bool remote, struct vv_buf *out)
{
	struct vv_cursor c = vv_cursor(list);
	struct vv_span line, oid;

	while (!vv_take_line(&c, &line)) {
		(void)word(&line);
		oid = word(&line);
		if (remote) {
			(void)word(&line);
			oid = word(&line);
		}
		if (!is_oid(oid))
			continue;
		if (remote)
			vv_buf_char(out, '^');
		vv_buf_span(out, oid);
		vv_buf_char(out, '\n');
	}
}

int vv_pushed_tips(struct vv_span list, struct vv_buf *out, struct vv_err *err)
{
	add_oids(list, false, out);
	return vv_buf_check(out, err);
}

int vv_roots_pushed(struct vv_repo *r, const char *remote, struct vv_span list, struct vv_span sent,
	struct vv_ids *out, bool *complete, struct vv_err *err)
{
	/* What is pushed is history as it is, not as refs/replace show it. */
	static const char *const env[] = {"GIT_NO_REPLACE_OBJECTS=1", NULL};
	static const char *const check[] = {"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", NULL};
	struct vv_buf in = VV_BUF_INIT(VV_MAX_TEXT), objects = VV_BUF_INIT((size_t)4 << 30),
		      checked = VV_BUF_INIT((size_t)4 << 30), names = VV_BUF_INIT((size_t)4 << 30);
	struct vv_cursor c;
	struct vv_span line;
	char *not_there = NULL;
	const char *revs[] = {"rev-list", "--objects", "--ignore-missing", "--stdin", NULL, NULL, NULL, NULL};
	size_t n_revs = 4;
	struct vv_roots_report report = {.complete = !is_partial(r)};
	int ret = 0, status = 0;

	*complete = report.complete;
	if (remote) {
		if (asprintf(&not_there, "--remotes=%s", remote) < 0)
			return vv_fail_nomem(err);
		revs[n_revs++] = "--not";
		revs[n_revs++] = not_there;
	}
	/* What a promisor has promised is not ours to send, and asking for it would fetch it, one by one. */
	if (!report.complete)
		revs[n_revs++] = "--exclude-promisor-objects";
	ret = vv_pushed_tips(list, &in, err);
	if (ret || !in.len)
		goto out;
	if (remote)
		add_oids(list, true, &in);
	c = vv_cursor(sent);
	while (!vv_take_line(&c, &line))
		if (is_oid(line)) {
			vv_buf_char(&in, '^');
			vv_buf_span(&in, line);
			vv_buf_char(&in, '\n');
		}
	ret = vv_buf_check(&in, err);
	if (ret)
		goto out;
	ret = vv_git_status(r, revs, env, vv_buf_view(&in), &objects, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git rev-list: %.200s", objects.ptr ? (char *)objects.ptr : "");
	if (ret)
		goto out;
	/* "<oid> <path>": only the oid goes on. */
	c = vv_cursor(vv_buf_view(&objects));
	while (!vv_take_line(&c, &line)) {
		const uint8_t *sp = memchr(line.ptr, ' ', line.len);
		vv_buf_add(&names, line.ptr, sp ? (size_t)(sp - line.ptr) : line.len);
		vv_buf_char(&names, '\n');
	}
	ret = vv_buf_check(&names, err);
	if (!ret && names.len)
		ret = vv_git_status(r, check, env, vv_buf_view(&names), &checked, &status, err);
	if (!ret && checked.len)
		ret = add_listed(r, vv_buf_view(&checked), out, &report, err);
	*complete = report.complete && !report.unreadable;
out:
	free(not_there);
	vv_buf_release(&in);
	vv_buf_release(&objects);
	vv_buf_release(&checked);
	vv_buf_release(&names);
	return ret;
}
