#define _GNU_SOURCE
#include "git/mergepolicy.h"

#include <stdio.h>
#include <stdlib.h>

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
			if (!strcmp(scope, scopes[i]) && (ret = vv_policy_add_line(p, vv_span_str(value), err)))
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

/* The attribute's value, owned by the caller; NULL when it is unspecified. */
static int attribute_of(const struct vv_repo *r, const char *path, char **value, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	const char *at, *end;
	int ret = VV_GIT(r, &b, err, "check-attr", "-z", "varve-merge", "--", path);

	*value = NULL;
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
	free(key);
	return ret ? vv_err_in(err, "attribute varve-merge") : 0;
}

int vv_merge_policy(const struct vv_repo *r, const char *path, struct vv_policy *p, struct vv_err *err)
{
	char *value = NULL;
	bool found;
	int ret;

	*p = (struct vv_policy){.n = 0};
	ret = attribute_of(r, path, &value, err);
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
