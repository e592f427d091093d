#define _GNU_SOURCE
#include "git/repo.h"

#include "git/far.h"

#include "base/cursor.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int vv_git_status(const struct vv_repo *r, const char *const *args, const char *const *env, struct vv_span in,
	struct vv_buf *out, int *status, struct vv_err *err)
{
	static const char *const first[] = {"git", "-c", "core.fsync=committed", "-c", "core.quotePath=false"};
	const char *dir = r ? (r->top ? r->top : r->git_dir) : NULL, **argv;
	size_t n = VV_COUNT(first), k = 0;
	int ret;

	while (args[k])
		k++;
	argv = calloc(n + k + 3, sizeof(*argv));
	if (!argv)
		return vv_fail_nomem(err);
	memcpy(argv, first, sizeof(first));
	if (dir) {
		argv[n++] = "-C";
		argv[n++] = dir;
	}
	memcpy(argv + n, args, k * sizeof(*args));
	ret = vv_child_run(argv, env, out ? VV_CHILD_ERR : 0, in, out, status, err);
	free(argv);
	return ret;
}

const char *vv_git_said(struct vv_buf *b)
{
	char *last = NULL, *cause = NULL, *line, *next;

	while (b->len && b->ptr[b->len - 1] == '\n')
		b->ptr[--b->len] = 0;
	for (line = b->len ? (char *)b->ptr : NULL; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		/* Our own filter knew the reason; what git says after it is less. */
		if (!strncmp(line, "varve: ", 7))
			return line + 7;
		/* Advice follows the cause, in several lines. */
		if (!cause && (!strncmp(line, "fatal: ", 7) || !strncmp(line, "error: ", 7)))
			cause = line + 7;
		last = line;
	}
	return cause ? cause : last ? last : "failed";
}

int vv_git(const struct vv_repo *r, struct vv_buf *out, struct vv_err *err, const char *const *args)
{
	struct vv_buf own = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_buf *to = out ? out : &own;
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), to, &status, err);

	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git %s: %s", args[0], vv_git_said(to));
	vv_buf_release(&own);
	return ret;
}

int vv_git_line(const struct vv_repo *r, char **out, struct vv_err *err, const char *const *args)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &b, &status, err);

	if (!ret && status)
		ret = vv_fail(err, VV_ENOTFOUND, "git %s: %s", args[0], vv_git_said(&b));
	if (!ret) {
		while (b.len && b.ptr[b.len - 1] == '\n')
			b.ptr[--b.len] = 0;
		*out = vv_buf_take(&b);
		if (!*out)
			ret = vv_fail_nomem(err);
	}
	vv_buf_release(&b);
	return ret;
}

/* Takes one line of `c` as an owned string. */
static int answer(struct vv_cursor *c, char **out, struct vv_err *err)
{
	struct vv_span s;

	if (vv_take_line(c, &s))
		return vv_fail(err, VV_EGIT, "git rev-parse said too little");
	*out = strndup((const char *)s.ptr, s.len);
	return *out ? 0 : vv_fail_nomem(err);
}

/* What the answers of rev-parse say. `c` may hold fewer of them in a bare repository. */
static int take_answers(struct vv_repo *r, struct vv_cursor *c, struct vv_err *err)
{
	char *format = NULL, *inside = NULL, *bare = NULL;
	int ret;

	if ((ret = answer(c, &r->git_dir, err)) || (ret = answer(c, &r->common_dir, err)) ||
		(ret = answer(c, &format, err)) || (ret = answer(c, &inside, err)) || (ret = answer(c, &bare, err)))
		goto out;
	r->sha256 = !strcmp(format, "sha256");
	if (!strcmp(inside, "true")) {
		if ((ret = answer(c, &r->top, err)) || (ret = answer(c, &r->prefix, err)))
			goto out;
	} else if (strcmp(bare, "true")) {
		/* In the git folder itself (a hook of a plain repository): its worktree is where .. says. */
		char *slash = strrchr(r->git_dir, '/');
		if (slash && !strcmp(slash, "/.git") && !strcmp(r->git_dir, r->common_dir))
			r->top = strndup(r->git_dir, (size_t)(slash - r->git_dir));
	}
	if (!r->prefix)
		r->prefix = strdup("");
	r->state_dir = vv_join(r->git_dir, "varve");
	if (!r->state_dir || !r->prefix)
		ret = vv_fail_nomem(err);
out:
	free(format);
	free(inside);
	free(bare);
	return ret;
}

int vv_repo_open(struct vv_repo *r, struct vv_err *err)
{
	/* Without a worktree the last two are an error, after what stands before them was answered. */
	static const char *const ask[] = {"rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir",
		"--show-object-format", "--is-inside-work-tree", "--is-bare-repository", "--show-toplevel", "--show-prefix",
		NULL};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_cursor c;
	int ret, status = 0;

	*r = (struct vv_repo){0};
	ret = vv_git_status(NULL, ask, NULL, vv_span(NULL, 0), &b, &status, err);
	if (!ret) {
		c = vv_cursor(vv_buf_view(&b));
		ret = c.left && c.ptr[0] == '/' ? take_answers(r, &c, err) : vv_fail(err, VV_EGIT, "%s", vv_git_said(&b));
	}
	vv_buf_release(&b);
	if (ret)
		vv_repo_release(r);
	return ret;
}

void vv_repo_release(struct vv_repo *r)
{
	vv_far_close(r);
	vv_store_free(r->store);
	vv_pool_free(r->pool);
	free(r->git_dir);
	free(r->common_dir);
	free(r->top);
	free(r->prefix);
	free(r->state_dir);
	*r = (struct vv_repo){0};
}

char *vv_repo_path(const struct vv_repo *r, const char *path)
{
	return vv_join(r->top ? r->top : r->git_dir, path);
}

int vv_repo_pool(struct vv_repo *r, struct vv_err *err)
{
	const char *n = getenv("VARVE_THREADS");

	if (!r->pool)
		r->pool = vv_pool_new(n ? (unsigned)strtoul(n, NULL, 10) : 0);
	return r->pool ? 0 : vv_fail_nomem(err);
}

/* The stores of the repositories whose objects git borrows: <objects>/../varve for each alternate. */
static int add_alternates(struct vv_repo *r, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char *list = NULL;
	struct vv_span s;
	struct vv_cursor c;
	int ret = 0;

	if (asprintf(&list, "%s/objects/info/alternates", r->common_dir) < 0)
		return vv_fail_nomem(err);
	if (!vv_exists(list))
		goto out;
	ret = vv_read_file(&b, list, err);
	if (ret)
		goto out;
	vv_buf_char(&b, '\n');
	c = vv_cursor(vv_buf_view(&b));
	while (!vv_take_line(&c, &s)) {
		struct vv_store *other = NULL;
		struct vv_err ignore = VV_ERR_INIT;
		char *dir = NULL;

		if (!s.len || s.ptr[0] == '#')
			continue;
		/* A relative line counts from the objects folder. */
		if (asprintf(&dir, "%s%s%.*s/../varve", s.ptr[0] == '/' ? "" : r->common_dir,
			    s.ptr[0] == '/' ? "" : "/objects/", (int)s.len, s.ptr) < 0) {
			ret = vv_fail_nomem(err);
			goto out;
		}
		/* An alternate without a store has nothing for us. */
		if (!vv_store_open(&other, dir, VV_STORE_READONLY, r->pool, &ignore))
			ret = vv_store_add_alternate(r->store, other, err);
		free(dir);
		if (ret)
			goto out;
	}
out:
	free(list);
	vv_buf_release(&b);
	return ret;
}

bool vv_repo_has_store(const struct vv_repo *r)
{
	char *dir = vv_join(r->common_dir, "varve"), *format = dir ? vv_join(dir, "format") : NULL;
	bool yes = format && vv_exists(format);

	free(dir);
	free(format);
	return yes;
}

/* Says, outside of it, that this repository has a store. */
static char *note_path(const struct vv_repo *r)
{
	return vv_join(r->common_dir, "info/varve");
}

/* Who made the store may have died before its name was durable. */
static int note_store(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	char *info = vv_join(r->common_dir, "info"), *note = note_path(r);
	int ret = info && note ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_exists(note)) {
		ret = vv_sync_dir(dir, err);
		if (!ret)
			ret = vv_sync_dir(r->common_dir, err);
		if (!ret)
			ret = vv_mkdirs(info, err);
		if (!ret)
			ret = vv_write_file(note, vv_span(NULL, 0), true, err);
		/* Where nothing can be written, nothing needs to be durable. */
		if (ret && (err->sys == EROFS || err->sys == EACCES || err->sys == EPERM)) {
			vv_err_clear(err);
			ret = 0;
		}
	}
	free(info);
	free(note);
	return ret;
}

static int open_store(struct vv_repo *r, bool create, struct vv_err *err)
{
	char *dir = vv_join(r->common_dir, "varve");
	int ret = dir ? vv_repo_pool(r, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_store_open(&r->store, dir, create ? VV_STORE_CREATE : 0, r->pool, err);
	if (!ret)
		ret = add_alternates(r, err);
	if (!ret && create)
		ret = note_store(r, dir, err);
	free(dir);
	return ret;
}

static int check_gone(const struct vv_repo *r, struct vv_err *err)
{
	char *note;
	bool gone;

	if (vv_repo_has_store(r))
		return 0;
	note = note_path(r);
	gone = note && vv_exists(note);
	free(note);
	return gone ? vv_fail(err, VV_ENOTFOUND, "%s/varve: the store is gone; is its disk mounted? 'varve init' makes a new one",
			      r->common_dir) : 0;
}

int vv_repo_store(struct vv_repo *r, bool create, struct vv_err *err)
{
	int ret = r->store || !create ? 0 : check_gone(r, err);

	return ret || r->store ? ret : open_store(r, create, err);
}

int vv_repo_state(const struct vv_repo *r, struct vv_err *err)
{
	int ret = check_gone(r, err);

	return ret ? ret : vv_mkdirs(r->state_dir, err);
}

int vv_repo_make_store(struct vv_repo *r, struct vv_err *err)
{
	return r->store ? 0 : open_store(r, true, err);
}

int vv_blobs_open(struct vv_blobs *b, const struct vv_repo *r, struct vv_err *err)
{
	const char *dir = r->top ? r->top : r->git_dir;
	const char *argv[] = {"git", "-C", dir, "cat-file", "--batch", NULL};

	b->repo = r;
	return vv_child_start(&b->child, argv, NULL, VV_CHILD_IN | VV_CHILD_OUT, err);
}

static int read_exact(int fd, uint8_t *p, size_t n, struct vv_err *err)
{
	while (n) {
		ssize_t k = read(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return vv_fail_sys(err, errno, "git cat-file");
		if (!k)
			return vv_fail(err, VV_EGIT, "git cat-file ended early");
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Is the answer's first line "<name> missing", and the like? It repeats the name, which may hold anything. */
static bool is_missing(const struct vv_buf *head)
{
	static const char *const ends[] = {" missing", " ambiguous", " submodule"};
	bool yes = false;

	for (size_t i = 0; i < VV_COUNT(ends); i++) {
		size_t n = strlen(ends[i]);
		yes |= head->len > n && !memcmp(head->ptr + head->len - n, ends[i], n);
	}
	return yes;
}

/* The answer's first line, byte by byte: what follows is the object's. */
static int read_head(struct vv_blobs *b, struct vv_buf *head, struct vv_err *err)
{
	int ret = 0;
	uint8_t c;

	while (!(ret = read_exact(b->child.out, &c, 1, err)) && c != '\n')
		vv_buf_char(head, (char)c);
	return ret ? ret : vv_buf_check(head, err);
}

static void drop(struct vv_blobs *b)
{
	struct vv_err ignore = VV_ERR_INIT;
	int status;

	if (b->child.pid > 0 && vv_child_wait(&b->child, &status, &ignore))
		return; /* nothing to tell: every answer was checked */
	b->child = (struct vv_child)VV_CHILD_INIT;
}

/* One question and the answer's first line. */
static int ask(struct vv_blobs *b, const char *name, struct vv_buf *head, struct vv_err *err)
{
	int ret = b->child.pid > 0 ? 0 : vv_blobs_open(b, b->repo, err);

	if (!ret)
		ret = vv_write_fd(b->child.in, vv_span_str(name), "git cat-file", err);
	if (!ret)
		ret = vv_write_fd(b->child.in, vv_span("\n", 1), "git cat-file", err);
	return ret ? ret : read_head(b, head, err);
}

int vv_blobs_get(struct vv_blobs *b, const char *name, struct vv_buf *out, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	bool in_step = false; /* the answer was read to its end */
	char type[16];
	size_t size;
	uint8_t *p = NULL;
	int ret;

	if (strchr(name, '\n'))
		return vv_fail(err, VV_ENOTSUP, "%s: a line feed in a name", name);
	ret = ask(b, name, &head, err);
	if (ret)
		goto out;
	if (is_missing(&head) || !head.len || sscanf((char *)head.ptr, "%*s %15s %zu", type, &size) != 2) {
		in_step = true;
		ret = vv_fail(err, VV_ENOTFOUND, "%s: git has no such object", name);
	} else if (size >= out->max - out->len) {
		ret = vv_fail(err, VV_ELIMIT, "%s: %zu bytes are more than a manifest has", name, size);
	} else if (!(p = vv_buf_reserve(out, size + 1))) {
		ret = vv_buf_check(out, err);
	} else {
		ret = read_exact(b->child.out, p, size + 1, err);
		in_step = !ret;
	}
	if (!ret && strcmp(type, "blob"))
		ret = vv_fail(err, VV_ENOTFOUND, "%s: is not a file", name);
	if (!ret) {
		out->len += size;
		out->ptr[out->len] = 0;
	}
out:
	/* Else the rest would be taken for the next answer: that one comes from another child. */
	if (!in_step)
		drop(b);
	vv_buf_release(&head);
	return ret;
}

void vv_blobs_close(struct vv_blobs *b)
{
	drop(b);
	b->repo = NULL;
}

static int add_entry(struct vv_entries *out, size_t *cap, struct vv_span rec, struct vv_err *err)
{
	struct vv_entry e = {0};
	const char *tab = memchr(rec.ptr, '\t', rec.len);

	if (!tab || sscanf((const char *)rec.ptr, "%o %64s %d", &e.mode, e.oid, &e.stage) != 3)
		return vv_fail(err, VV_EGIT, "git ls-files said something else than entries");
	/* Links and submodules are git's own. */
	if ((e.mode & 0170000) != 0100000)
		return 0;
	if (out->n == *cap) {
		size_t more = *cap ? *cap * 2 : 64;
		struct vv_entry *v = realloc(out->v, more * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		out->v = v;
		*cap = more;
	}
	e.path = strndup(tab + 1, rec.len - (size_t)(tab + 1 - (const char *)rec.ptr));
	if (!e.path)
		return vv_fail_nomem(err);
	out->v[out->n++] = e;
	return 0;
}

/* git's arguments: list, then one pathspec for each path. The specs from args[first] on are owned. */
static int tracked_args(const char *const *paths, const char ***args, size_t *first, struct vv_err *err)
{
	static const char *const list[] = {"ls-files", "-s", "-z", "--"};
	size_t n = 0;
	char *spec;

	while (paths && paths[n])
		n++;
	*first = VV_COUNT(list);
	*args = calloc(*first + n + 2, sizeof(**args));
	if (!*args)
		return vv_fail_nomem(err);
	memcpy(*args, list, sizeof(list));
	for (size_t i = 0; i < (n ? n : 1); i++) {
		if (asprintf(&spec, ":(top,attr:filter=varve)%s", n ? paths[i] : "") < 0)
			return vv_fail_nomem(err);
		(*args)[*first + i] = spec;
	}
	return 0;
}

int vv_tracked(const struct vv_repo *r, const char *const *paths, struct vv_entries *out, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char **args = NULL;
	size_t first, cap = 0;
	const uint8_t *p, *end;
	int ret = tracked_args(paths, &args, &first, err);

	*out = (struct vv_entries){0};
	if (!ret)
		ret = vv_git(r, &b, err, args);
	p = b.ptr;
	end = b.ptr + b.len;
	while (p < end && !ret) {
		const uint8_t *nul = memchr(p, 0, (size_t)(end - p));
		if (!nul)
			break;
		ret = add_entry(out, &cap, vv_span(p, (size_t)(nul - p)), err);
		p = nul + 1;
	}
	for (size_t i = first; args && args[i]; i++)
		free((void *)(uintptr_t)args[i]);
	free(args);
	vv_buf_release(&b);
	if (ret)
		vv_entries_release(out);
	return ret;
}

void vv_entries_release(struct vv_entries *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i].path);
	free(e->v);
	*e = (struct vv_entries){0};
}

/* The value in the next "<path>\0<attribute>\0<value>\0" of check-attr's answer. NULL at its end. */
static const char *next_value(const char **at, const char *end)
{
	const char *value = *at;

	for (int skip = 0; skip < 2 && value < end; skip++)
		value += strlen(value) + 1;
	if (value >= end)
		return NULL;
	*at = value + strlen(value) + 1;
	return value;
}

int vv_kept_each(const struct vv_repo *r, struct vv_span paths,
	int (*fn)(void *arg, const char *path, const char *format, struct vv_err *err), void *arg, struct vv_err *err)
{
	static const char *const args[] = {"check-attr", "-z", "--stdin", "filter", "varve", NULL};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *p = (const char *)paths.ptr, *end = p + paths.len, *at, *at_end;
	int status = 0, ret = 0;

	if (!paths.len)
		return 0;
	ret = vv_git_status(r, args, NULL, paths, &out, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git check-attr failed");
	at = (const char *)out.ptr;
	at_end = at + out.len;
	for (; !ret && p < end; p += strlen(p) + 1) {
		const char *filter = next_value(&at, at_end), *format = next_value(&at, at_end);
		ret = format ? fn(arg, p, strcmp(filter, "varve") ? NULL : format, err)
			     : vv_fail(err, VV_EGIT, "git check-attr ended early");
	}
	vv_buf_release(&out);
	return ret;
}
