#define _GNU_SOURCE
#include "git/far.h"

#include "git/peer.h"
#include "git/sent.h"
#include "os/file.h"
#include "remote/mirror.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct vv_far {
	struct vv_far *next;
	char *url;
	struct vv_remote *remote; /* NULL: it did not answer */
	bool listed;              /* the mirror was brought up to date by us */
};

static const char NONE[] = "none"; /* no place at all */

/* The value of a setting; *out NULL when there is none. */
static int setting(struct vv_repo *r, const char *key, char **out, struct vv_err *err)
{
	int ret = VV_GIT_LINE(r, out, err, "config", "--get", key);

	if (ret != VV_ENOTFOUND)
		return ret;
	*out = NULL;
	vv_err_clear(err);
	return 0;
}

/* Where the objects of a git remote lie: what is set for it, else its own URL. */
static int store_url(struct vv_repo *r, const char *remote, const char *url, char **out, struct vv_err *err)
{
	char *key = NULL;
	int ret = asprintf(&key, "remote.%s.varve", remote) < 0 ? vv_fail_nomem(err) : setting(r, key, out, err);

	if (!ret && !*out && !(*out = strdup(url)))
		ret = vv_fail_nomem(err);
	free(key);
	return ret;
}

/* The folder of a store that is set as a path. A relative one counts from the top. */
static char *folder_of(const struct vv_repo *r, const char *url)
{
	if (!strncmp(url, "file://", 7))
		url += 7;
	return url[0] == '/' ? strdup(url) : vv_repo_path(r, url);
}

static bool is_path(const char *url)
{
	if (!strcmp(url, NONE))
		return false;
	return !strncmp(url, "file:///", 8) || (!strstr(url, "://") && !vv_is_ssh_url(url));
}

static int connect_to(struct vv_repo *r, const char *url, struct vv_remote **out, struct vv_err *err)
{
	char *command = NULL, *dir;
	int ret;

	if (is_path(url)) {
		dir = folder_of(r, url);
		ret = dir ? vv_remote_folder(out, dir, err) : vv_fail_nomem(err);
		free(dir);
		return ret;
	}
	if (!vv_is_ssh_url(url))
		return vv_fail(err, VV_ENOTSUP, "%s: varve cannot keep objects there", url);
	ret = setting(r, "core.sshCommand", &command, err);
	if (!ret)
		ret = vv_remote_ssh(out, url, command, err);
	free(command);
	return ret;
}

/* The connection to it; VV_EIO and the like, once, when there is none. *out NULL: it has failed before. */
static int far_of(struct vv_repo *r, const char *url, struct vv_far **out, struct vv_err *err)
{
	struct vv_far *f = r->far;
	int ret;

	while (f && strcmp(f->url, url))
		f = f->next;
	if (f) {
		*out = f->remote ? f : NULL;
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f || !(f->url = strdup(url))) {
		free(f);
		return vv_fail_nomem(err);
	}
	f->next = r->far;
	r->far = f;
	ret = connect_to(r, url, &f->remote, err);
	*out = f;
	return ret;
}

void vv_far_close(struct vv_repo *r)
{
	while (r->far) {
		struct vv_far *f = r->far;
		r->far = f->next;
		vv_remote_close(f->remote);
		free(f->url);
		free(f);
	}
}

/* --- fetching --- */

/* From what is known of it; when that is not enough, or out of date, again after asking: gc there may move packs twice. */
static int fetch_from(struct vv_repo *r, struct vv_far *f, struct vv_id *ids, size_t *n, struct vv_progress *prog,
	struct vv_err *err)
{
	int ret = 0;

	for (int ask = f->listed ? 0 : 1; ask < 4 && *n && !ret; ask++) {
		struct vv_mirror *m = NULL;
		bool gone;
		ret = vv_mirror_open(&m, f->remote, r->store, r->pool, ask > 0, err);
		f->listed |= !ret && ask > 0;
		if (!ret)
			ret = vv_mirror_fetch(m, ids, *n, NULL, prog, err);
		vv_mirror_close(m);
		gone = ret == VV_ENOTFOUND && ask < 3;
		if (gone) {
			vv_err_clear(err);
			ret = 0;
		}
		*n = vv_missing(r, ids, *n, ids);
		if (ask && !gone)
			break;
	}
	return ret;
}

struct fetching {
	struct vv_repo *r;
	struct vv_id *ids;
	size_t n;
	struct vv_progress *prog;
	struct vv_err why; /* of the first that failed */
};

static int fetch_remote(struct fetching *f, const char *remote, const char *git_url, struct vv_err *err)
{
	struct vv_far *far = NULL;
	char *url = NULL;
	struct vv_err why = VV_ERR_INIT;
	int ret = store_url(f->r, remote, git_url, &url, err);

	/* Repositories on this machine were asked already. */
	if (!ret && strcmp(url, NONE) && (strcmp(url, git_url) || vv_is_ssh_url(url))) {
		if (far_of(f->r, url, &far, &why) || (far && fetch_from(f->r, far, f->ids, &f->n, f->prog, &why))) {
			if (far && why.code == VV_EIO) {
				vv_remote_close(far->remote);
				far->remote = NULL;
			}
			if (!f->why.code)
				f->why = why;
		}
	}
	free(url);
	return ret;
}

int vv_far_fetch(struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_progress *prog, struct vv_err *err)
{
	const char *args[] = {"config", "-z", "--get-regexp", "^remote\\..*\\.url$", NULL};
	struct vv_buf urls = VV_BUF_INIT(VV_MAX_TEXT);
	struct fetching f = {r, malloc((n + 1) * sizeof(*f.ids)), 0, prog, VV_ERR_INIT};
	int status = 0, ret = f.ids ? 0 : vv_fail_nomem(err);

	if (!ret)
		f.n = vv_missing(r, ids, n, f.ids);
	if (!ret && f.n)
		ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &urls, &status, err);
	for (char *p = (char *)urls.ptr, *end = p ? p + urls.len : p; !ret && !status && p < end && f.n;) {
		char *next = p + strlen(p) + 1, *url = strchr(p, '\n');
		size_t len = strlen("remote."), tail = strlen(".url");
		if (url && url > p + len + tail) {
			char *real = NULL;
			url[-(ptrdiff_t)tail] = 0;
			/* As git rewrites it (url.<base>.insteadOf). */
			ret = VV_GIT_LINE(r, &real, err, "remote", "get-url", p + len);
			if (!ret)
				ret = fetch_remote(&f, p + len, real, err);
			free(real);
		}
		p = next;
	}
	/* Something is still missing, and somebody who might have it could not say. */
	if (!ret && f.n && f.why.code) {
		*err = f.why;
		ret = err->code;
	}
	free(f.ids);
	vv_buf_release(&urls);
	return ret;
}

/* --- pushing --- */

bool vv_far_unwanted(struct vv_repo *r, const char *remote)
{
	struct vv_err why = VV_ERR_INIT;
	char *url = NULL;
	bool none = !store_url(r, remote, "", &url, &why) && !strcmp(url, NONE);

	free(url);
	return none;
}

/* The mirror of what lies there, up to date. VV_EIO when it did not answer before either. */
static int open_mirror(struct vv_repo *r, const char *remote, const char *git_url, struct vv_mirror **m, struct vv_err *err)
{
	struct vv_far *f = NULL;
	char *url = NULL;
	int ret = store_url(r, remote, git_url, &url, err);

	if (!ret)
		ret = far_of(r, url, &f, err);
	if (!ret && !f)
		ret = vv_fail(err, VV_EIO, "%s: did not answer", url);
	if (!ret)
		ret = vv_mirror_open(m, f->remote, r->store, r->pool, true, err);
	free(url);
	return ret;
}

/* What is known of what was sent there counts for nothing once something is gone. */
int vv_far_check(struct vv_repo *r, const char *remote, const char *git_url, const char *notes, struct vv_err *err)
{
	struct vv_mirror *m = NULL;
	int ret = open_mirror(r, remote, git_url, &m, err);

	if (!ret && vv_mirror_lost(m))
		vv_sent_clear(notes);
	vv_mirror_close(m);
	return ret;
}

int vv_far_notes(struct vv_repo *r, const char *remote, const char *git_url, char **dir, struct vv_err *err)
{
	char *url = NULL;
	int ret = store_url(r, remote, git_url, &url, err);

	if (!ret && is_path(url) && !strcmp(url, git_url))
		ret = vv_fail(err, VV_ENOTSUP, "%s: a git repository on this machine", url);
	if (!ret && !is_path(url) && !vv_is_ssh_url(url))
		ret = vv_fail(err, VV_ENOTSUP, "%s: varve cannot keep objects there", url);
	if (!ret)
		ret = vv_repo_store(r, true, err);
	if (!ret && !(*dir = vv_mirror_dir(r->store, url)))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_mkdirs(*dir, err);
	free(url);
	return ret;
}

int vv_far_push(struct vv_repo *r, const char *remote, const char *git_url, const struct vv_id *ids, size_t n,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_mirror *m = NULL;
	int ret = open_mirror(r, remote, git_url, &m, err);

	if (!ret)
		ret = vv_mirror_push(m, ids, n, NULL, prog, err);
	vv_mirror_close(m);
	return ret;
}

/* --- the far end --- */

/* "~", "~/x" and "~user/x", as a shell would read them. Owned by the caller. */
static char *at_home(const char *path)
{
	const char *slash = strchrnul(path, '/'), *home = NULL;
	char *user = strndup(path + 1, (size_t)(slash - path - 1)), *out = NULL;
	struct passwd *pw;

	if (user && !*user)
		home = getenv("HOME");
	else if (user && (pw = getpwnam(user)))
		home = pw->pw_dir;
	if (home && asprintf(&out, "%s%s", home, slash) < 0)
		out = NULL;
	free(user);
	return out ? out : strdup(path);
}

/* core.sharedRepository, as git reads it: who else may write what we make, and read it. Their group is the folder's. */
static int share(const char *git_dir, struct vv_err *err)
{
	const char *args[] = {"--git-dir", git_dir, "config", "--get", "core.sharedRepository", NULL};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	int status = 0, ret = vv_git_status(NULL, args, NULL, vv_span(NULL, 0), &out, &status, err);
	mode_t mask = umask(077);
	struct vv_span v = vv_buf_view(&out);

	if (v.len && v.ptr[v.len - 1] == '\n')
		v.len--;
	if (!ret && !status) {
		if (vv_span_is(v, "group") || vv_span_is(v, "true") || vv_span_is(v, "1"))
			mask &= (mode_t)~070;
		else if (vv_span_is(v, "all") || vv_span_is(v, "world") || vv_span_is(v, "everybody") || vv_span_is(v, "2"))
			mask &= (mode_t)~075;
		else if (v.len == 4 && v.ptr[0] == '0')
			mask = (mode_t)(0777 & ~strtoul((char *)out.ptr, NULL, 8) & ~0111u);
	}
	umask(mask);
	vv_buf_release(&out);
	return ret;
}

int vv_far_find(const char *path, char **store_dir, struct vv_err *err)
{
	char *at = path[0] == '~' ? at_home(path) : strdup(path), *format = at ? vv_join(at, "format") : NULL, *git_dir = NULL;
	struct vv_err why = VV_ERR_INIT;
	int ret = format ? 0 : vv_fail_nomem(err);

	if (!ret && (ret = vv_git_dir_at(at, &git_dir, &why)) == VV_ENOTFOUND && vv_exists(format)) {
		*store_dir = at;
		at = NULL;
		ret = 0;
	} else if (ret) {
		*err = why;
	} else if (!(*store_dir = vv_join(git_dir, "varve"))) {
		ret = vv_fail_nomem(err);
	} else {
		ret = share(git_dir, err);
	}
	free(at);
	free(format);
	free(git_dir);
	return ret;
}
