#define _GNU_SOURCE
#include "git/dirtrack.h"

#include "git/diradd.h"
#include "git/setup.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The manifests of all directories: "git mv" of one needs no other line. */
static const char pattern[] = VV_DIR_MANIFEST;
static const char ignore[] = "# varve keeps these files as one: see .varve\n*\n!.gitignore\n!.varve\n";

/* "<top>/<dir>/<name>" */
static char *inside(const struct vv_repo *r, const char *dir, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s/%s", r->top, dir, name) < 0 ? NULL : path;
}

bool vv_dir_has_ignore(const struct vv_repo *r, const char *dir)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err why = VV_ERR_INIT;
	char *path = inside(r, dir, VV_DIR_IGNORE);
	bool yes = path && !vv_read_file(&have, path, &why) && vv_span_is(vv_buf_view(&have), ignore);

	vv_buf_release(&have);
	free(path);
	return yes;
}

/* Is a folder on the way, or the one given, a link, or tracked itself? */
static int check_around(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	for (const char *slash = strchr(dir, '/');; slash = strchr(slash + 1, '/')) {
		char *part = slash ? strndup(dir, (size_t)(slash - dir)) : strdup(dir);
		char *path = part ? vv_repo_path(r, part) : NULL, *text = part ? inside(r, part, VV_DIR_MANIFEST) : NULL;
		struct stat st;
		int ret = 0;

		if (!path || !text)
			ret = vv_fail_nomem(err);
		else if (!lstat(path, &st) && !S_ISDIR(st.st_mode))
			ret = vv_fail(err, VV_EUNSAFE, "%s: not a folder of this worktree", part);
		else if (slash && vv_exists(text))
			ret = vv_fail(err, VV_EEXISTS, "%s: is in %s, which is tracked as a directory", dir, part);
		free(part);
		free(path);
		free(text);
		if (ret || !slash)
			return ret;
	}
}

/* Does git have files in it that are not varve's? */
static int check_inside(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	struct vv_buf list = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t n = strlen(dir);
	char *spec = NULL;
	int ret = asprintf(&spec, ":(top,literal)%s", dir) < 0 ? vv_fail_nomem(err) : 0;

	if (!ret)
		ret = VV_GIT(r, &list, err, "ls-files", "-z", "--", spec);
	for (const char *p = (const char *)list.ptr, *end = p + list.len; !ret && p < end; p += strlen(p) + 1)
		if (strcmp(p + n + 1, VV_DIR_MANIFEST) && strcmp(p + n + 1, VV_DIR_IGNORE))
			ret = vv_fail(err, VV_EEXISTS, "%s: git has files in it; 'git rm -r --cached %s' first leaves them to varve", dir,
				dir);
	vv_buf_release(&list);
	free(spec);
	return ret;
}

/* What git ignores from above it could never be added. */
static int check_ignored(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	char *path = NULL;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	int status = 1, ret = asprintf(&path, "%s/%s", dir, VV_DIR_MANIFEST) < 0 ? vv_fail_nomem(err) : 0;
	const char *const args[] = {"check-ignore", "-v", "--no-index", "--", path, NULL};

	if (!ret)
		ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &out, &status, err);
	/* A rule that begins with "!" takes it in. */
	if (!ret && !status) {
		const char *rule = out.len ? strchr((const char *)out.ptr, '\t') : NULL;
		size_t n = rule ? (size_t)(rule - (const char *)out.ptr) : 0;
		if (!memmem(out.ptr, n, ":!", 2))
			ret = vv_fail(err, VV_EUSAGE, "%s: git ignores it, by %.*s", dir, (int)n, (const char *)out.ptr);
	}
	vv_buf_release(&out);
	free(path);
	return ret;
}

/* Writes a file of varve's own. One that says something else is in the way. */
static int write_own(const char *path, struct vv_span text, bool keep, bool *changed, struct vv_err *err)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	int ret = 0;

	if (!vv_read_file(&have, path, &why)) {
		if (!keep && !vv_span_eq(vv_buf_view(&have), text))
			ret = vv_fail(err, VV_EEXISTS, "%s: is there already and says something else", path);
	} else if (why.code == VV_ENOTFOUND) {
		ret = vv_write_file(path, text, false, err);
		*changed = true;
	} else {
		*err = why;
		ret = why.code;
	}
	vv_buf_release(&have);
	return ret;
}

int vv_dir_track(struct vv_repo *r, const char *dir, bool *changed, struct vv_err *err)
{
	struct vv_dir_build none = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	char *full = vv_repo_path(r, dir), *manifest = inside(r, dir, VV_DIR_MANIFEST), *own = inside(r, dir, VV_DIR_IGNORE);
	bool attributes = false;
	int ret = full && manifest && own ? 0 : vv_fail_nomem(err);

	*changed = false;
	if (!ret && !strcmp(dir, "."))
		ret = vv_fail(err, VV_EUSAGE, "the whole worktree cannot be tracked as one directory");
	if (!ret)
		ret = check_around(r, dir, err);
	if (!ret)
		ret = check_inside(r, dir, err);
	if (!ret)
		ret = vv_mkdirs(full, err);
	if (!ret)
		ret = check_ignored(r, dir, err);
	if (!ret)
		ret = vv_dir_build_end(&none, &text, NULL, err);
	if (!ret)
		ret = write_own(own, vv_span_str(ignore), false, changed, err);
	if (!ret)
		ret = write_own(manifest, vv_buf_view(&text), true, changed, err);
	if (!ret)
		ret = vv_track(r, pattern, &attributes, err);
	vv_dir_build_release(&none);
	vv_buf_release(&text);
	free(full);
	free(manifest);
	free(own);
	return ret;
}

int vv_dir_untrack(struct vv_repo *r, const char *dir, struct vv_err *err)
{
	char *manifest = inside(r, dir, VV_DIR_MANIFEST), *own = inside(r, dir, VV_DIR_IGNORE);
	struct vv_buf left = VV_BUF_INIT(VV_MAX_MANIFEST);
	bool changed;
	int ret = manifest && own ? 0 : vv_fail_nomem(err);

	if (!ret)
		ret = vv_unlink(manifest, err);
	if (ret == VV_ENOTFOUND)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: is not tracked as a directory", dir);
	if (!ret)
		vv_dirstate_forget(r, dir);
	/* One that was edited is the user's own by now. */
	if (!ret && vv_dir_has_ignore(r, dir))
		ret = vv_unlink(own, err);
	if (!ret)
		ret = vv_dirs_list(NULL, &left, err);
	for (const char *p = (const char *)left.ptr, *end = p + left.len; !ret && p < end; p += strlen(p) + 1) {
		char *path = vv_repo_path(r, p);
		bool there = path && vv_exists(path);
		free(path);
		if (there)
			goto out; /* another one needs the pattern */
	}
	if (!ret)
		ret = vv_untrack(r, pattern, &changed, err);
out:
	vv_buf_release(&left);
	free(manifest);
	free(own);
	return ret;
}
