#define _GNU_SOURCE
#include "git/mergepolicy.h"

#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_SECTION = 64 };

/* The values of one key, NUL-ended each, after their scopes. Nothing when it is not set. */
static int values_of(const struct vv_repo *r, const char *key, struct vv_buf *out, struct vv_err *err)
{
	const char *const args[] = {"config", "-z", "--show-scope", "--get-all", key, NULL};
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), out, &status, err);

	if (!ret && status > 1)
		ret = vv_fail(err, VV_EGIT, "git config %s: %.300s", key, vv_git_said(out));
	if (!ret && status)
		vv_buf_clear(out);
	return ret;
}

/* Says of the newest rule where it stands. */
static int name_origin(struct vv_policy *p, const char *key, const char *where, struct vv_err *err)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, %s", key, where);
	p->v[p->n - 1].from = vv_arena_copy(&p->arena, vv_span_str(text));
	return p->v[p->n - 1].from ? 0 : vv_fail_nomem(err);
}

/* The nearest scope first; within one, as they stand. */
static int add_config(const struct vv_repo *r, const char *key, struct vv_policy *p, bool *found, struct vv_err *err)
{
	static const char *const scopes[] = {"command", "worktree", "local", "global", "system"};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = values_of(r, key, &b, err);
	const char *end = ret ? NULL : (const char *)b.ptr + b.len;

	for (size_t i = 0; i < VV_COUNT(scopes) && !ret; i++)
		for (const char *scope = (const char *)b.ptr, *value; scope < end && !ret; scope = value + strlen(value) + 1) {
			value = scope + strlen(scope) + 1;
			if (value >= end)
				break;
			*found = true;
			if (strcmp(scope, scopes[i]) != 0)
				continue;
			ret = vv_policy_add_line(p, vv_span_str(value), err);
			if (!ret)
				ret = name_origin(p, key, scopes[i], err);
			else
				vv_err_in(err, "%s", key);
		}
	vv_buf_release(&b);
	return ret;
}

/* Only such names are put into a key: attributes come with the repository. */
static bool is_section(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n && !name[n] && n <= MAX_SECTION;
}

/* The attribute's value, owned by the caller; NULL when it is unspecified. `env`: of the index that is asked, or NULL. */
static int attribute_of(
	const struct vv_repo *r, const char *path, const char *const *env, char **value, struct vv_err *err)
{
	/* Without an index of its own, -z is just said twice. */
	const char *const args[] = {"check-attr", env ? "--cached" : "-z", "-z", "varve-merge", "--", path, NULL};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	const char *at, *end;
	int status = 0, ret = vv_git_status(r, args, env, vv_span(NULL, 0), &b, &status, err);

	*value = NULL;
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git check-attr: %.300s", vv_git_said(&b));
	at = (const char *)b.ptr;
	end = at ? at + b.len : NULL;
	/* "<path>\0varve-merge\0<value>\0" */
	for (int skip = 0; skip < 2 && at && at < end; skip++)
		at += strlen(at) + 1;
	if (!ret && at && at < end && strcmp(at, "unspecified") != 0 && !(*value = strdup(at)))
		ret = vv_fail_nomem(err);
	vv_buf_release(&b);
	return ret;
}

/* What the user had before the command that merges: a sequence moves HEAD to what it has made so far. */
static int own_side(const struct vv_repo *r, struct vv_buf *out, struct vv_err *err)
{
	static const char *const notes[] = {"rebase-merge/orig-head", "rebase-apply/orig-head", "sequencer/head"};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(notes) && !ret && !out->len; i++) {
		char *file = vv_join(r->git_dir, notes[i]);
		if (!file)
			return vv_fail_nomem(err);
		if (vv_exists(file))
			ret = vv_read_file(out, file, err);
		free(file);
	}
	if (!ret && !out->len) {
		char *am = vv_join(r->git_dir, "rebase-apply");
		if (!am)
			return vv_fail_nomem(err);
		vv_buf_str(out, vv_exists(am) ? "ORIG_HEAD" : "HEAD");
		free(am);
	}
	while (out->len && out->ptr[out->len - 1] == '\n')
		out->ptr[--out->len] = 0;
	vv_buf_char(out, 0);
	return ret ? ret : vv_buf_check(out, err);
}

/* The value by the .gitattributes of that side, which are read through an index of their own. */
static int own_attribute(const struct vv_repo *r, const char *path, char **value, struct vv_err *err)
{
	struct vv_buf side = VV_BUF_INIT(VV_MAX_TEXT), said = VV_BUF_INIT(VV_MAX_TEXT);
	char *index = NULL, *set = NULL;
	int status = 0, ret = own_side(r, &side, err);

	*value = NULL;
	if (!ret)
		ret = vv_repo_state(r, err);
	if (!ret && (asprintf(&index, "%s/attributes.%ld", r->state_dir, (long)getpid()) < 0 ||
			    asprintf(&set, "GIT_INDEX_FILE=%s", index) < 0))
		ret = vv_fail_nomem(err);
	if (!ret) {
		const char *const env[] = {set, NULL}, *const read[] = {"read-tree", (const char *)side.ptr, NULL};

		ret = vv_git_status(r, read, env, vv_span(NULL, 0), &said, &status, err);
		/* No commit yet: nothing of it is one's own. */
		if (!ret && !status)
			ret = attribute_of(r, path, env, value, err);
		unlink(index);
	}
	free(index);
	free(set);
	vv_buf_release(&side);
	vv_buf_release(&said);
	return ret;
}

/* The attribute that counts. */
static int trusted(const struct vv_repo *r, const char *path, char **value, struct vv_err *foreign, struct vv_err *err)
{
	char *now = NULL;
	int ret = attribute_of(r, path, NULL, &now, err);

	*value = NULL;
	if (!ret && now)
		ret = own_attribute(r, path, value, err);
	if (!ret && now && (!*value || strcmp(*value, now) != 0)) {
		(void)vv_fail(foreign, VV_EUSAGE, "%s: the attribute varve-merge=%.100s is not of your side before this: not followed",
			path, now);
		/* Of no rules at all one may be sure. */
		if (*value && strcmp(*value, "unset") != 0) {
			free(*value);
			*value = NULL;
		}
	}
	free(now);
	return ret;
}

static int add_attribute(const struct vv_repo *r, const char *value, struct vv_policy *p, struct vv_err *err)
{
	char *key = NULL;
	bool found = false;
	int ret;

	if (vv_policy_is_method(vv_span_str(value)))
		ret = vv_policy_add(p, vv_span_str("*"), vv_span_str(value), err);
	else if (!is_section(value))
		ret = vv_fail(err, VV_EUSAGE, "'%.100s' is neither a method nor the name of a section", value);
	else if (asprintf(&key, "varve-merge.%s.tensor", value) < 0)
		ret = vv_fail_nomem(err);
	else
		ret = add_config(r, key, p, &found, err);
	if (!ret && key && !found)
		ret = vv_fail(err, VV_EUSAGE, "no method '%s', and the configuration has no %s", value, key);
	if (!ret && !key)
		p->v[p->n - 1].from = "the attribute varve-merge";
	free(key);
	return ret ? vv_err_in(err, "attribute varve-merge") : 0;
}

int vv_merge_policy(
	const struct vv_repo *r, const char *path, struct vv_policy *p, struct vv_err *foreign, struct vv_err *err)
{
	char *value = NULL;
	bool found;
	int ret;

	*p = (struct vv_policy){.n = 0};
	ret = trusted(r, path, &value, foreign, err);
	if (!ret && value && !strcmp(value, "unset"))
		goto out;
	if (!ret)
		ret = add_config(r, "varve.merge", p, &found, err);
	if (!ret && value)
		ret = add_attribute(r, value, p, err);
out:
	free(value);
	if (ret)
		vv_policy_release(p);
	return ret;
}
