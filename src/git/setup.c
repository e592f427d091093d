#define _GNU_SOURCE
#include "git/setup.h"

#include "base/cursor.h"
#include "git/hooks.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

const struct vv_setting vv_settings[] = {
	{"filter.varve.clean", "varve clean -- %f", "git add turns a model into its manifest"},
	{"filter.varve.smudge", "varve smudge -- %f", "git checkout calls varve, which then writes the model"},
	{"filter.varve.required", "true", "a failed clean must fail git add"},
	{"merge.varve.name", "varve tensor merge", "shown by git"},
	{"merge.varve.driver", "varve merge-driver %O %A %B %L %P", "git merge goes tensor by tensor"},
	{"merge.varve.recursive", "varve-base", "several merge bases become one, tensor by tensor"},
	{"merge.varve-base.name", "varve tensor merge of merge bases", "shown by git"},
	{"merge.varve-base.driver", "varve merge-driver --virtual %O %A %B %L %P", "the driver for that"},
	{"diff.varve.xfuncname", "^(tensor|storage|opaque) .*$", "git diff shows manifests as text"},
	{NULL, NULL, NULL},
};

/* What varve writes behind a tracked pattern. varve=1 names the manifest's format version. */
static const char attributes[] = "filter=varve diff=varve merge=varve varve=1 -text";

int vv_setup_config(const struct vv_repo *r, bool global, struct vv_err *err)
{
	size_t n = 0;
	int ret = 0;

	while (vv_settings[n].key)
		n++;
	/* The clean filter, first in the list, comes last: whoever finds it set may rely on the others. */
	while (n-- > 0 && !ret)
		ret = VV_GIT(r, NULL, err, "config", global ? "--global" : "--local", vv_settings[n].key, vv_settings[n].value);
	return ret;
}

int vv_setup_value(const struct vv_repo *r, const char *key, char **value, struct vv_err *err)
{
	struct vv_err e = VV_ERR_INIT;
	int ret = VV_GIT_LINE(r, value, &e, "config", "--get", key);

	if (ret == VV_ENOTFOUND) {
		*value = NULL;
		return 0;
	}
	if (ret)
		*err = e;
	return ret;
}

int vv_setup_repo(struct vv_repo *r, struct vv_err *err)
{
	char *have = NULL;
	int ret = vv_setup_value(r, "filter.varve.clean", &have, err);

	if (!ret && !have)
		ret = vv_setup_config(r, false, err);
	free(have);
	if (!ret)
		ret = VV_GIT(r, NULL, err, "config", "--local", "core.fsync", "committed");
	if (!ret)
		ret = vv_repo_make_store(r, err);
	if (!ret)
		ret = vv_repo_state(r, err);
	if (!ret)
		ret = vv_hooks_install(r, NULL, err);
	return ret;
}

int vv_setup_first(struct vv_repo *r, struct vv_err *err)
{
	int ret;

	if (vv_exists(r->state_dir))
		return 0;
	/* The folder that is asked for comes last: what is cut short is begun anew. */
	ret = vv_hooks_install(r, NULL, err);
	if (!ret)
		ret = VV_GIT(r, NULL, err, "config", "--local", "core.fsync", "committed");
	if (!ret)
		ret = vv_repo_store(r, true, err);
	return ret ? ret : vv_repo_state(r, err);
}

/* A section that is not there is as good as removed. */
static int remove_section(const struct vv_repo *r, const char *where, const char *section, const char *keys, struct vv_err *err)
{
	char *have = NULL;
	int ret = VV_GIT_LINE(r, &have, err, "config", where, "--get-regexp", keys);

	free(have);
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		return 0;
	}
	return ret ? ret : VV_GIT(r, NULL, err, "config", where, "--remove-section", section);
}

int vv_setup_remove(struct vv_repo *r, bool global, struct vv_err *err)
{
	static const char *const sections[][2] = {{"filter.varve", "^filter\\.varve\\."},
		{"merge.varve", "^merge\\.varve\\."},
		{"merge.varve-base", "^merge\\.varve-base\\."}, {"diff.varve", "^diff\\.varve\\."}};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(sections) && !ret; i++)
		ret = remove_section(r, global ? "--global" : "--local", sections[i][0], sections[i][1], err);
	return ret || global ? ret : vv_hooks_remove(r, err);
}

/* Splits an attributes line into pattern and rest; false for comments and blanks. */
static bool split(struct vv_span line, struct vv_span *pattern, struct vv_span *rest)
{
	size_t i = 0, start;

	while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'))
		i++;
	if (i == line.len || line.ptr[i] == '#')
		return false;
	start = i;
	if (line.ptr[i] == '"') {
		for (i++; i < line.len && line.ptr[i] != '"'; i++)
			i += line.ptr[i] == '\\';
		i += i < line.len;
	} else {
		while (i < line.len && line.ptr[i] != ' ' && line.ptr[i] != '\t')
			i++;
	}
	*pattern = vv_span(line.ptr + start, i - start);
	*rest = vv_span(line.ptr + i, line.len - i);
	return true;
}

static bool names_varve(struct vv_span rest)
{
	return rest.len && memmem(rest.ptr, rest.len, "filter=varve", 12);
}

/* A pattern as git reads it: with a blank or quote inside, or what begins a comment, in C quotes. */
static void put_pattern(struct vv_buf *out, const char *pattern)
{
	if (!strpbrk(pattern, " \t\"") && *pattern != '#') {
		vv_buf_str(out, pattern);
		return;
	}
	vv_buf_char(out, '"');
	for (; *pattern; pattern++) {
		if (*pattern == '"' || *pattern == '\\')
			vv_buf_char(out, '\\');
		vv_buf_char(out, *pattern);
	}
	vv_buf_char(out, '"');
}

/*
 * Rewrites one .gitattributes without the pattern's varve line (NULL: every varve line), and with a
 * new one when `add`.
 */
static int edit(
	const struct vv_repo *r, const char *file, const char *pattern, bool add, bool *changed, struct vv_err *err)
{
	struct vv_buf in = VV_BUF_INIT(VV_MAX_TEXT), out = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err none = VV_ERR_INIT;
	struct vv_span line, pat, rest;
	struct vv_cursor c;
	char *path = vv_repo_path(r, file);
	bool there = false;
	int ret = 0;

	*changed = false;
	if (!path)
		return vv_fail_nomem(err);
	if (pattern)
		put_pattern(&want, pattern);
	if (vv_read_file(&in, path, &none) && none.code != VV_ENOTFOUND) {
		*err = none;
		ret = none.code;
		goto out;
	}
	if (in.len && in.ptr[in.len - 1] != '\n')
		vv_buf_char(&in, '\n');
	c = vv_cursor(vv_buf_view(&in));
	while (!vv_take_line(&c, &line)) {
		if (split(line, &pat, &rest) && names_varve(rest) &&
			(!pattern || vv_span_eq(pat, vv_buf_view(&want)))) {
			there = true;
			if (!add)
				continue;
		}
		vv_buf_span(&out, line);
		vv_buf_char(&out, '\n');
	}
	if (there == add)
		goto out;
	if (add) {
		vv_buf_span(&out, vv_buf_view(&want));
		vv_buf_fmt(&out, " %s\n", attributes);
	}
	ret = vv_buf_check(&out, err);
	if (!ret)
		ret = vv_write_file(path, vv_buf_view(&out), false, err);
	*changed = !ret;
out:
	free(path);
	vv_buf_release(&in);
	vv_buf_release(&out);
	vv_buf_release(&want);
	return ret;
}

int vv_track(const struct vv_repo *r, const char *pattern, bool *changed, struct vv_err *err)
{
	return edit(r, ".gitattributes", pattern, true, changed, err);
}

int vv_untrack(const struct vv_repo *r, const char *pattern, bool *changed, struct vv_err *err)
{
	return edit(r, ".gitattributes", pattern, false, changed, err);
}

static int each_in(const struct vv_repo *r, const char *file,
	int (*fn)(void *, const char *, const char *, struct vv_err *), void *arg, struct vv_err *err)
{
	struct vv_buf in = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err none = VV_ERR_INIT;
	char *path = vv_repo_path(r, file);
	struct vv_span line, pat, rest;
	struct vv_cursor c;
	int ret = 0;

	if (!path)
		return vv_fail_nomem(err);
	if (!path || vv_read_file(&in, path, &none)) {
		/* Gone from the worktree, or none at the top. */
		if (!path || none.code != VV_ENOTFOUND)
			ret = path ? vv_fail(err, none.code, "%s", none.msg) : vv_fail_nomem(err);
		goto out;
	}
	vv_buf_char(&in, '\n');
	c = vv_cursor(vv_buf_view(&in));
	while (!ret && !vv_take_line(&c, &line))
		if (split(line, &pat, &rest) && names_varve(rest)) {
			char *s = strndup((const char *)pat.ptr, pat.len);
			ret = s ? fn(arg, file, s, err) : vv_fail_nomem(err);
			free(s);
		}
out:
	free(path);
	vv_buf_release(&in);
	return ret;
}

int vv_track_each(const struct vv_repo *r, int (*fn)(void *, const char *, const char *, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct vv_buf list = VV_BUF_INIT(VV_MAX_TEXT);
	bool top = false;
	int ret = VV_GIT(r, &list, err, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
		".gitattributes", "**/.gitattributes");

	for (const char *p = (char *)list.ptr, *end = p + list.len; !ret && p < end; p += strlen(p) + 1) {
		top |= !strcmp(p, ".gitattributes");
		ret = each_in(r, p, fn, arg, err);
	}
	if (!ret && !top)
		ret = each_in(r, ".gitattributes", fn, arg, err);
	vv_buf_release(&list);
	return ret;
}

static int untrack_in(void *arg, const char *file, const char *pattern VV_UNUSED, struct vv_err *err)
{
	bool changed;

	return edit(arg, file, NULL, false, &changed, err);
}

int vv_untrack_all(const struct vv_repo *r, struct vv_err *err)
{
	return vv_track_each(r, untrack_in, (void *)(uintptr_t)r, err);
}
