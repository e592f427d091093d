#define _GNU_SOURCE
#include "git/inside.h"

#include "git/statcache.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its value is the state folder of the worktree. */
static const char variable[] = "VARVE_INSIDE";

const char *const *vv_inside_env(const struct vv_repo *r)
{
	static char *entry;
	static const char *env[2];

	free(entry);
	entry = NULL;
	if (asprintf(&entry, "%s=%s", variable, r->state_dir) < 0)
		return NULL;
	env[0] = entry;
	return env;
}

bool vv_inside(void)
{
	return getenv(variable) != NULL;
}

/* Not vv_mkdirs: what is put here serves this command or the next, so nothing is synced. */
static int put(const struct vv_repo *r, const char *folder, const char *name, struct vv_span text, struct vv_err *err)
{
	char *dir = vv_join(r->state_dir, folder), *path = dir ? vv_join(dir, name) : NULL;
	int ret = path ? 0 : vv_fail_nomem(err);

	if (!ret && mkdir(dir, 0777) && errno != EEXIST)
		ret = vv_fail_sys(err, errno, "%s", dir);
	if (!ret)
		ret = vv_write_file(path, text, false, err);
	free(dir);
	free(path);
	return ret;
}

int vv_inside_put(const struct vv_repo *r, const char *oid, struct vv_span text, struct vv_err *err)
{
	return put(r, "texts", oid, text, err);
}

int vv_keep_text(const struct vv_repo *r, const char *path, struct vv_span text, struct vv_err *err)
{
	char name[VV_OID_HEX_MAX + 1];

	vv_git_blob_oid(vv_span_str(path), false, name);
	return put(r, "cleaned", name, text, err);
}

int vv_kept_text(const struct vv_repo *r, const char *path, struct vv_buf *text, struct vv_err *err)
{
	char name[VV_OID_HEX_MAX + 1], *file = NULL;
	int ret;

	vv_git_blob_oid(vv_span_str(path), false, name);
	if (asprintf(&file, "%s/cleaned/%s", r->state_dir, name) < 0)
		return vv_fail_nomem(err);
	ret = vv_read_file(text, file, err);
	free(file);
	return ret;
}

static int remove_text(void *arg, const char *name, struct vv_err *err VV_UNUSED)
{
	char *path = vv_join(arg, name);

	if (path)
		unlink(path);
	free(path);
	return 0;
}

void vv_inside_clear(const struct vv_repo *r)
{
	char *dir = vv_join(r->state_dir, "texts");
	struct vv_err ignore = VV_ERR_INIT;

	/* A text that stays behind costs a few kilobytes until the next time. */
	if (dir && !vv_each_name(dir, remove_text, dir, &ignore))
		rmdir(dir);
	free(dir);
}

int vv_inside_clean(const char *path, int out, struct vv_err *err)
{
	struct vv_statcache cache = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err ignore = VV_ERR_INIT;
	const char *state = getenv(variable), *oid = NULL;
	char *file = NULL;
	struct stat st;
	int ret = 1;

	if (!lstat(path, &st) && S_ISREG(st.st_mode) && !vv_statcache_open_in(&cache, state, &ignore))
		oid = vv_statcache_find(&cache, path, &st);
	if (oid && asprintf(&file, "%s/texts/%s", state, oid) > 0 && !vv_read_file(&text, file, &ignore))
		ret = vv_write_fd(out, vv_buf_view(&text), "standard output", err);
	free(file);
	vv_statcache_release(&cache);
	vv_buf_release(&text);
	return ret;
}
