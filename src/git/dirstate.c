#define _GNU_SOURCE
#include "git/dirstate.h"

#include "base/cursor.h"
#include "base/le.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROW = 40 };

static const char magic[] = "varve dir 1\n";

bool vv_is_dir_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash != path && !strcmp(slash + 1, VV_DIR_MANIFEST);
}

bool vv_is_dir_manifest(const char *path)
{
	return vv_is_dir_path(path) || !strcmp(path, VV_DIR_MANIFEST);
}

char *vv_dir_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash ? (size_t)(slash - path) : 0);
}

static char *file_of(const struct vv_repo *r, const char *dir)
{
	char name[VV_OID_HEX_MAX + 1], *path = NULL;

	vv_git_blob_oid(vv_span_str(dir), false, name);
	return asprintf(&path, "%s/dirs/%s", r->state_dir, name) < 0 ? NULL : path;
}

/* Beside it: "next", the text that the files are being brought to; "let-go", a mark. */
static char *beside(const struct vv_repo *r, const char *dir, const char *what)
{
	char *file = file_of(r, dir), *path = NULL;

	if (file && asprintf(&path, "%s.%s", file, what) < 0)
		path = NULL;
	free(file);
	return path;
}

static char *next_of(const struct vv_repo *r, const char *dir)
{
	return beside(r, dir, "next");
}

int vv_dirstate_begin(const struct vv_repo *r, const char *dir, struct vv_span text, struct vv_err *err)
{
	char *next = next_of(r, dir), *folder = vv_join(r->state_dir, "dirs");
	int ret = next && folder ? vv_mkdirs(folder, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_write_file(next, text, false, err);
	free(next);
	free(folder);
	return ret;
}

bool vv_dirstate_begun(const struct vv_repo *r, const char *dir, struct vv_buf *text)
{
	char *next = next_of(r, dir);
	struct vv_err ignore = VV_ERR_INIT;
	bool yes = next && vv_exists(next) && !vv_read_file(text, next, &ignore);

	free(next);
	return yes;
}

static void drop(const struct vv_repo *r, const char *dir, const char *what)
{
	char *path = beside(r, dir, what);

	if (path)
		unlink(path);
	free(path);
}

static void end(const struct vv_repo *r, const char *dir)
{
	drop(r, dir, "next");
	drop(r, dir, "let-go");
}

bool vv_dirstate_is_let_go(const struct vv_repo *r, const char *dir)
{
	char *mark = beside(r, dir, "let-go");
	bool yes = mark && vv_exists(mark);

	free(mark);
	return yes;
}

int vv_dirstate_let_go(const struct vv_repo *r, const char *dir, bool yes, struct vv_err *err)
{
	char *mark = beside(r, dir, "let-go");
	int ret = mark ? 0 : vv_fail_nomem(err);

	if (!ret && yes && !vv_exists(mark))
		ret = vv_write_file(mark, vv_span(NULL, 0), false, err);
	else if (!ret && !yes)
		unlink(mark);
	free(mark);
	return ret;
}

bool vv_dirstate_has(const struct vv_repo *r, const char *dir)
{
	char *file = file_of(r, dir);
	bool yes = !file || vv_exists(file);

	free(file);
	return yes;
}

/* Takes `n` bytes from the start of `in`; 1 when there are fewer. */
static int take(struct vv_span *in, uint64_t n, struct vv_span *out)
{
	if (n > in->len)
		return 1;
	*out = vv_span(in->ptr, (size_t)n);
	*in = vv_span(in->ptr + n, in->len - (size_t)n);
	return 0;
}

/* magic, path length (8), path, text length (8), text, a row for each file. 1: it is something else. */
static int parse(struct vv_dirstate *s, struct vv_span in, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct vv_span head, n, dir, text;

	if (take(&in, strlen(magic), &head) || !vv_span_is(head, magic) || take(&in, 8, &n) ||
		take(&in, vv_get64(n.ptr), &dir) || take(&in, 8, &n) || take(&in, vv_get64(n.ptr), &text))
		return 1;
	s->dir = strndup((const char *)dir.ptr, dir.len);
	vv_buf_span(&s->text, text);
	if (!s->dir || s->text.failed)
		return vv_fail_nomem(err);
	if (vv_manifest_parse(&s->m, vv_buf_view(&s->text), &why))
		return why.code == VV_ENOMEM ? vv_fail_nomem(err) : 1;
	if (!vv_manifest_is_dir(&s->m) || in.len != s->m.n_files * ROW)
		return 1;
	s->stat = calloc(s->m.n_files + 1, sizeof(*s->stat));
	if (!s->stat)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < s->m.n_files; i++) {
		const uint8_t *p = in.ptr + i * ROW;
		s->stat[i] = (struct vv_tree_stat){
			vv_get64(p), vv_get64(p + 8), vv_get64(p + 16), vv_get64(p + 24), vv_get64(p + 32)};
	}
	return 0;
}

int vv_dirstate_open(struct vv_dirstate *s, const char *file, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST + VV_MAX_TEXT);
	int ret;

	*s = (struct vv_dirstate)VV_DIRSTATE_INIT;
	ret = vv_read_file(&b, file, err);
	if (!ret)
		ret = parse(s, vv_buf_view(&b), err);
	if (ret == 1)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: nothing is known", file);
	vv_buf_release(&b);
	if (ret)
		vv_dirstate_release(s);
	return ret;
}

int vv_dirstate_read(struct vv_dirstate *s, const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	char *file = file_of(r, dir);
	int ret = file ? vv_dirstate_open(s, file, err) : vv_fail_nomem(err);

	if (!file)
		*s = (struct vv_dirstate)VV_DIRSTATE_INIT;
	/* Two paths of one hash would be a wonder. */
	if (!ret && strcmp(s->dir, dir)) {
		vv_dirstate_release(s);
		ret = vv_fail(err, VV_ENOTFOUND, "%s: nothing is known", dir);
	}
	free(file);
	return ret;
}

enum { HEAD = 8192 }; /* a path, and a header without findings */

/* What stands before the empty line. */
static struct vv_span header_of(struct vv_span text)
{
	const uint8_t *end = text.len ? memmem(text.ptr, text.len, "\n\n", 2) : NULL;

	return vv_span(text.ptr, end ? (size_t)(end - text.ptr) : 0);
}

/* Of a state's beginning: the directory, and the text as far as it is there. 1: it is none. */
static int read_head(const char *file, uint8_t *b, struct vv_span *dir, struct vv_span *text)
{
	struct vv_file f = {.fd = -1};
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_span word;
	int ret = vv_file_open(&f, file, &ignore) ? 1 : 0;

	if (!ret) {
		*text = vv_span(b, f.base.size < HEAD ? (size_t)f.base.size : HEAD);
		ret = vv_source_read(&f.base, 0, b, text->len, &ignore) || take(text, strlen(magic), &word) ||
			!vv_span_is(word, magic) || take(text, 8, &word) || take(text, vv_get64(word.ptr), dir) || take(text, 8, &word);
	}
	vv_file_close(&f);
	return ret;
}

bool vv_dirstate_is(const struct vv_repo *r, const char *dir, struct vv_span head)
{
	char *file = file_of(r, dir), *next = next_of(r, dir);
	uint8_t b[HEAD];
	struct vv_span known, text, want = header_of(head);
	bool yes = file && next && !vv_exists(next) && want.len && !read_head(file, b, &known, &text) && vv_span_is(known, dir) &&
		vv_span_eq(header_of(text), want);

	free(file);
	free(next);
	return yes;
}

int vv_dirstate_write(const struct vv_repo *r, const char *dir, struct vv_span text, const struct vv_tree_stat *stat,
	size_t n, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST + VV_MAX_TEXT);
	char *file = file_of(r, dir), *folder = vv_join(r->state_dir, "dirs");
	int ret = file && folder ? vv_mkdirs(folder, err) : vv_fail_nomem(err);

	vv_buf_str(&b, magic);
	vv_buf_le(&b, strlen(dir), 8);
	vv_buf_str(&b, dir);
	vv_buf_le(&b, text.len, 8);
	vv_buf_span(&b, text);
	for (size_t i = 0; i < n; i++) {
		vv_buf_le(&b, stat[i].dev, 8);
		vv_buf_le(&b, stat[i].ino, 8);
		vv_buf_le(&b, stat[i].size, 8);
		vv_buf_le(&b, stat[i].mtime_ns, 8);
		vv_buf_le(&b, stat[i].ctime_ns, 8);
	}
	if (!ret)
		ret = vv_buf_check(&b, err);
	if (!ret)
		ret = vv_write_file(file, vv_buf_view(&b), false, err);
	if (!ret)
		end(r, dir);
	vv_buf_release(&b);
	free(file);
	free(folder);
	return ret;
}

void vv_dirstate_forget(const struct vv_repo *r, const char *dir)
{
	char *file = file_of(r, dir);

	if (file)
		unlink(file);
	free(file);
	end(r, dir);
}

struct each {
	const char *folder;
	int (*fn)(void *arg, const char *dir, const char *file, struct vv_err *err);
	void *arg;
};

static int one(void *arg, const char *name, struct vv_err *err)
{
	struct each *e = arg;
	struct vv_span known, text;
	uint8_t b[HEAD];
	char *file = vv_join(e->folder, name), *dir = NULL;
	int ret = file ? 0 : vv_fail_nomem(err);

	if (!ret && !read_head(file, b, &known, &text)) {
		dir = strndup((const char *)known.ptr, known.len);
		ret = dir ? e->fn(e->arg, dir, file, err) : vv_fail_nomem(err);
	}
	free(dir);
	free(file);
	return ret;
}

int vv_dirstate_each(const char *state_dir, int (*fn)(void *, const char *, const char *, struct vv_err *), void *arg,
	struct vv_err *err)
{
	char *folder = vv_join(state_dir, "dirs");
	struct each e = {folder, fn, arg};
	int ret = folder ? vv_each_name(folder, one, &e, err) : vv_fail_nomem(err);

	free(folder);
	return ret;
}

struct vv_tree_stat vv_dirstate_kept(const struct vv_tree_stat *st)
{
	struct vv_tree_stat row = *st;

	row.size = UINT64_MAX;
	return row;
}

bool vv_dirstate_is_kept(const struct vv_tree_stat *row, const struct vv_tree_stat *st)
{
	struct vv_tree_stat same = vv_dirstate_kept(st);

	return vv_tree_stat_eq(row, &same);
}

struct adopting {
	const struct vv_repo *r;
	struct vv_span text;
	struct vv_dirstate *s; /* once found, it has a text */
};

static int adopt(void *arg, const char *dir, const char *file, struct vv_err *err)
{
	struct adopting *a = arg;
	char *full = NULL;
	struct vv_err why = VV_ERR_INIT;
	struct stat st;
	int ret = 0;

	if (a->s->dir || !vv_dirstate_is(a->r, dir, a->text))
		return 0;
	if (asprintf(&full, "%s/%s/%s", a->r->top, dir, VV_DIR_MANIFEST) < 0)
		return vv_fail_nomem(err);
	if (lstat(full, &st) && vv_dirstate_open(a->s, file, &why) == VV_ENOMEM)
		ret = vv_fail_nomem(err);
	free(full);
	return ret;
}

int vv_dirstate_adopt(
	struct vv_dirstate *s, const struct vv_repo *r, const char *dir, struct vv_span text, struct vv_err *err)
{
	struct adopting a = {r, text, s};
	int ret;

	*s = (struct vv_dirstate)VV_DIRSTATE_INIT;
	ret = vv_dirstate_each(r->state_dir, adopt, &a, err);
	if (!ret && s->dir) {
		free(s->dir);
		s->dir = strdup(dir);
		ret = s->dir ? 0 : vv_fail_nomem(err);
	} else if (!ret) {
		ret = vv_fail(err, VV_ENOTFOUND, "%s: nothing is known", dir);
	}
	if (ret)
		vv_dirstate_release(s);
	return ret;
}

void vv_dirstate_release(struct vv_dirstate *s)
{
	free(s->dir);
	vv_buf_release(&s->text);
	vv_manifest_release(&s->m);
	free(s->stat);
	*s = (struct vv_dirstate)VV_DIRSTATE_INIT;
}
