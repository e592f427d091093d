#define _GNU_SOURCE
#include "git/clean.h"

#include "git/dirstate.h"
#include "git/hook.h"
#include "git/inside.h"
#include "git/marks.h"
#include "git/setup.h"
#include "git/statcache.h"
#include "model/group.h"
#include "model/model.h"
#include "os/file.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_BYTES = 4096,
	PIECE = 1 << 20,
	/* Smaller files are hashed sooner than the stat cache is rewritten. */
	STATCACHE_MIN = 4 << 20,
	SETTLE_MS = 20, /* a file written this recently may be written again with the same times */
};

int vv_check_format(const char *path, const char *format, struct vv_err *err)
{
	if (!*format || strspn(format, "0123456789") != strlen(format) || strtoul(format, NULL, 10) == VV_MANIFEST_VERSION)
		return 0;
	return vv_fail(err, VV_ENOTSUP, "%s: .gitattributes asks for manifest format %s; this varve writes %d", path,
		format, VV_MANIFEST_VERSION);
}

/* --- parents --- */

enum { MAX_PARENTS = 4, MAX_SHARDS = 1000 };

struct parents {
	struct vv_manifest *v;
	size_t n, cap;
};

/* What does not exist or does not parse is no parent. */
static int add_parent(struct parents *p, struct vv_blobs *blobs, const char *name, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err e = VV_ERR_INIT;
	struct vv_manifest m;
	int ret = 0;

	if (p->n == p->cap)
		return 0;
	if (vv_blobs_get(blobs, name, &b, &e)) {
		ret = e.code == VV_ENOTFOUND || e.code == VV_ELIMIT || e.code == VV_ENOTSUP ? 0 : vv_fail(err, e.code, "%s", e.msg);
	} else if (vv_manifest_detect(vv_buf_view(&b)) == VV_TEXT_MANIFEST &&
		!vv_manifest_parse(&m, vv_buf_view(&b), &e)) {
		bool known = false;
		for (size_t i = 0; i < p->n; i++)
			known |= vv_id_eq(&p->v[i].root, &m.root);
		if (known)
			vv_manifest_release(&m);
		else
			p->v[p->n++] = m;
	}
	vv_buf_release(&b);
	return ret;
}

/* How much two file names have in common: the length of their common start. */
static size_t alike(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

struct neighbour {
	const char *path;
	size_t alike;
};

/* The more alike first; of equals, the last in version order. */
static int by_likeness(const void *x, const void *y)
{
	const struct neighbour *a = x, *b = y;

	return a->alike != b->alike ? (a->alike < b->alike ? 1 : -1) : strverscmp(b->path, a->path);
}

/* The tracked files in the same folder whose names are most alike: what this one was made from may be among them. */
static int add_neighbours(
	struct vv_repo *r, struct parents *p, struct vv_blobs *blobs, const char *path, struct vv_err *err)
{
	const char *slash = strrchr(path, '/');
	struct vv_entries all = {0};
	char *dir = slash ? strndup(path, (size_t)(slash - path)) : strdup("");
	const char *paths[] = {dir, NULL};
	size_t n = 0, from = slash ? (size_t)(slash + 1 - path) : 0;
	struct neighbour *list = NULL;
	int ret;

	if (!dir)
		return vv_fail_nomem(err);
	ret = vv_tracked(r, slash ? paths : NULL, &all, err);
	if (!ret && !(list = calloc(all.n + 1, sizeof(*list))))
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < all.n && !ret; i++) {
		const char *other = all.v[i].path;
		if (!strncmp(other, path, from) && !strchr(other + from, '/') && strcmp(other, path))
			list[n++] = (struct neighbour){other, alike(other + from, path + from)};
	}
	if (n)
		qsort(list, n, sizeof(*list), by_likeness);
	for (size_t i = 0; i < n && i < MAX_PARENTS && !ret; i++) {
		char *name = NULL;
		ret = asprintf(&name, ":%s", list[i].path) < 0 ? vv_fail_nomem(err) : add_parent(p, blobs, name, err);
		free(name);
	}
	free(list);
	vv_entries_release(&all);
	free(dir);
	return ret;
}

/* The other shards of the model: a tensor may have moved, and there may have been more or fewer of them. */
static int add_shards(
	struct vv_repo *r, struct parents *p, struct vv_blobs *blobs, const char *path, struct vv_err *err)
{
	const char *rest, *slash = strrchr(path, '/');
	size_t stem = vv_shard_stem(path, &rest, NULL);
	char *dir = stem && slash ? strndup(path, (size_t)(slash - path)) : NULL;
	const char *paths[] = {dir, NULL};
	struct vv_entries all = {0};
	struct vv_manifest *v;
	int ret = 0;

	if (!stem)
		return 0;
	ret = slash && !dir ? vv_fail_nomem(err) : vv_tracked(r, dir ? paths : NULL, &all, err);
	v = ret ? NULL : realloc(p->v, (p->cap + MAX_SHARDS) * sizeof(*v));
	if (!ret && !v)
		ret = vv_fail_nomem(err);
	if (!ret) {
		p->v = v;
		p->cap += MAX_SHARDS;
	}
	for (size_t i = 0; i < all.n && !ret; i++) {
		char *name = NULL;
		if (!vv_shard_of_same(all.v[i].path, path) || !strcmp(all.v[i].path, path))
			continue;
		ret = asprintf(&name, ":%s", all.v[i].path) < 0 ? vv_fail_nomem(err) : add_parent(p, blobs, name, err);
		free(name);
	}
	vv_entries_release(&all);
	free(dir);
	return ret;
}

int vv_parents(struct vv_repo *r, const char *path, struct vv_manifest **out, size_t *n, struct vv_err *err)
{
	static const char *const places[] = {":0:", "HEAD:", ":2:", ":3:"};
	struct parents p = {calloc(MAX_PARENTS, sizeof(*p.v)), 0, MAX_PARENTS};
	struct vv_blobs blobs = VV_BLOBS_INIT;
	int ret;

	if (!p.v)
		return vv_fail_nomem(err);
	ret = vv_blobs_open(&blobs, r, err);
	for (size_t i = 0; i < VV_COUNT(places) && !ret; i++) {
		char *name = NULL;
		if (asprintf(&name, "%s%s", places[i], path) < 0)
			ret = vv_fail_nomem(err);
		else
			ret = add_parent(&p, &blobs, name, err);
		free(name);
	}
	if (!ret)
		ret = add_shards(r, &p, &blobs, path, err);
	if (!ret && !p.n)
		ret = add_neighbours(r, &p, &blobs, path, err);
	vv_blobs_close(&blobs);
	if (ret) {
		vv_parents_free(p.v, p.n);
		return ret;
	}
	*out = p.v;
	*n = p.n;
	return 0;
}

void vv_parents_free(struct vv_manifest *m, size_t n)
{
	for (size_t i = 0; m && i < n; i++)
		vv_manifest_release(&m[i]);
	free(m);
}

/* --- putting a model --- */

/* Stores what `src` holds as the file at `path`. */
static int put_model(struct vv_repo *r, const char *path, const struct vv_source *src, struct vv_added *out,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_manifest *parents = NULL;
	const struct vv_manifest **list = NULL;
	size_t n = 0;
	int ret = vv_repo_store(r, true, err);

	if (!ret)
		ret = vv_parents(r, path, &parents, &n, err);
	if (!ret && !(list = calloc(n + 1, sizeof(*list))))
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < n && list; i++)
		list[i] = &parents[i];
	if (!ret)
		ret = vv_model_put(r->store, src, list, n, &out->text, &out->manifest, &out->stats, prog, err);
	vv_parents_free(parents, n);
	free(list);
	return ret;
}

static uint64_t age_ms(const struct stat *st)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (int64_t)(now.tv_sec - st->st_mtim.tv_sec) * 1000 + (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
	return ms < 0 ? SETTLE_MS : (uint64_t)ms;
}

int vv_add_file(
	struct vv_repo *r, const char *path, struct vv_added *out, struct vv_progress *prog, struct vv_err *err)
{
	char *full = vv_repo_path(r, path);
	struct vv_file f = {.fd = -1};
	int ret;

	*out = (struct vv_added){.text = VV_BUF_INIT(VV_MAX_MANIFEST)};
	if (!full)
		return vv_fail_nomem(err);
	ret = vv_file_open(&f, full, err);
	if (ret)
		goto out;
	if (age_ms(&f.st) < SETTLE_MS)
		usleep(SETTLE_MS * 1000);
	ret = put_model(r, path, &f.base, out, prog, err);
	if (!ret)
		ret = vv_file_unchanged(&f, path, err);
	out->st = f.st;
out:
	vv_file_close(&f);
	free(full);
	if (ret)
		vv_added_release(out);
	return ret;
}

void vv_added_release(struct vv_added *a)
{
	vv_buf_release(&a->text);
	vv_manifest_release(&a->manifest);
	*a = (struct vv_added){.text = VV_BUF_INIT(VV_MAX_MANIFEST)};
}

/* --- clean --- */

static int read_some(int fd, uint8_t *p, size_t max, size_t *n, struct vv_err *err)
{
	*n = 0;
	while (*n < max) {
		ssize_t k = read(fd, p + *n, max - *n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return vv_fail_sys(err, errno, "standard input");
		if (!k)
			break;
		*n += (size_t)k;
	}
	return 0;
}

/*
 * Compares the rest of `in` with the open worktree file, of which `*same` bytes are known to be
 * equal. *equal: it is that file, whole. Otherwise `buf` holds the *n bytes after *same.
 */
static int compare(int in, const struct vv_file *f, uint64_t *same, uint8_t *buf, uint8_t *mine, size_t *n,
	bool *equal, struct vv_err *err)
{
	int ret;

	*equal = false;
	for (;;) {
		ret = read_some(in, buf, PIECE, n, err);
		if (ret)
			return ret;
		if (!*n) {
			*equal = *same == f->base.size;
			return 0;
		}
		if (*n > f->base.size - *same)
			return 0;
		ret = vv_source_read(&f->base, *same, mine, *n, err);
		if (ret)
			return ret;
		if (memcmp(buf, mine, *n))
			return 0;
		*same += *n;
	}
}

/* Content that is not the worktree file's: kept in a temporary file while it is read. */
static int spool(struct vv_repo *r, const struct vv_file *f, uint64_t same, const uint8_t *head, size_t head_n,
	uint8_t *buf, int in, struct vv_temp *t, struct vv_err *err)
{
	uint64_t off = 0;
	size_t n;
	int ret = vv_repo_state(r, err);

	if (!ret)
		ret = vv_temp_open_private(t, r->state_dir, err);
	while (!ret && off < same) {
		uint8_t piece[65536];
		n = (size_t)(same - off < sizeof(piece) ? same - off : sizeof(piece));
		ret = vv_source_read(&f->base, off, piece, n, err);
		if (!ret)
			ret = vv_write_fd(t->fd, vv_span(piece, n), t->dir, err);
		off += n;
	}
	if (!ret)
		ret = vv_write_fd(t->fd, vv_span(head, head_n), t->dir, err);
	while (!ret) {
		ret = read_some(in, buf, PIECE, &n, err);
		if (ret || !n)
			break;
		ret = vv_write_fd(t->fd, vv_span(buf, n), t->dir, err);
	}
	return ret;
}

static void remember(struct vv_repo *r, const char *path, const struct vv_added *a)
{
	struct vv_statcache cache;
	struct vv_err ignore = VV_ERR_INIT;
	char oid[VV_OID_HEX_MAX + 1];

	if (a->st.st_size < STATCACHE_MIN)
		return;
	vv_git_blob_oid(vv_buf_view(&a->text), r->sha256, oid);
	/* A cache: what cannot be noted is read again. */
	if (!vv_statcache_open(&cache, r, &ignore) && !vv_statcache_set(&cache, path, &a->st, oid, &ignore) &&
		vv_statcache_write(&cache, &ignore))
		vv_err_clear(&ignore);
	vv_statcache_release(&cache);
}

static int check_one(void *arg VV_UNUSED, const char *path, const char *format, struct vv_err *err)
{
	return format ? vv_check_format(path, format, err) : 0;
}

/* Puts the model whose first bytes are `head` and whose rest is on `in`. */
static int clean_model(struct vv_repo *r, const char *path, struct vv_span head, int in, struct vv_added *a,
	struct vv_err *err)
{
	struct vv_file f = {.fd = -1}, spooled = {.fd = -1};
	struct vv_temp t = VV_TEMP_INIT;
	struct vv_err none = VV_ERR_INIT;
	uint8_t *buf = malloc(2 * PIECE), *mine = buf + PIECE;
	char *full = vv_repo_path(r, path);
	uint64_t same = 0;
	size_t n = head.len;
	bool equal = false, there;
	int ret = 0;

	if (!buf || !full) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	ret = vv_kept_each(r, vv_span(path, strlen(path) + 1), check_one, NULL, err);
	if (ret)
		goto out;
	memcpy(buf, head.ptr, head.len);
	there = !vv_file_open(&f, full, &none) && f.base.size >= n && !vv_source_read(&f.base, 0, mine, n, &none) &&
		!memcmp(buf, mine, n);
	if (there) {
		same = n;
		n = 0;
		ret = compare(in, &f, &same, buf, mine, &n, &equal, err);
		if (ret)
			goto out;
	}
	if (equal) {
		ret = put_model(r, path, &f.base, a, NULL, err);
		a->st = f.st;
	} else {
		/* The same beginning, another end: either it is being written, or git gave us something else. */
		if (there && (ret = vv_file_unchanged(&f, path, err)))
			goto out;
		ret = spool(r, &f, same, buf, n, mine, in, &t, err);
		if (!ret)
			ret = vv_file_open_temp(&spooled, &t, err);
		if (!ret)
			ret = put_model(r, path, &spooled.base, a, NULL, err);
	}
	if (!ret && equal)
		ret = vv_file_unchanged(&f, path, err);
	if (!ret && equal)
		remember(r, path, a);
	/* git may only have asked for a diff, or be about to take the model apart. */
	if (!ret && vv_keep_text(r, path, vv_buf_view(&a->text), &none))
		vv_err_clear(&none);
out:
	vv_file_close(&f);
	vv_file_close(&spooled);
	vv_temp_release(&t);
	free(buf);
	free(full);
	return ret;
}

/* Is this text what git has for the path already? Then it may pass, however broken. */
static bool is_committed(struct vv_repo *r, const char *path, struct vv_span text)
{
	static const char *const places[] = {":0:", "HEAD:"};
	char oid[VV_OID_HEX_MAX + 1];
	struct vv_err ignore = VV_ERR_INIT;
	bool found = false;

	vv_git_blob_oid(text, r->sha256, oid);
	for (size_t i = 0; i < VV_COUNT(places) && !found; i++) {
		char *name = NULL, *have = NULL;
		if (asprintf(&name, "%s%s", places[i], path) >= 0 &&
			!VV_GIT_LINE(r, &have, &ignore, "rev-parse", "--verify", "-q", name))
			found = !strcmp(have, oid);
		free(have);
		free(name);
	}
	return found;
}

int vv_check_text(const char *path, struct vv_span text, struct vv_err *err)
{
	bool want = vv_is_dir_manifest(path), is = false;
	enum vv_manifest_kind kind = vv_manifest_detect(text);
	struct vv_manifest m;
	int ret = 0;

	/* A newer one is a newer varve's affair. */
	if (kind == VV_TEXT_NEWER || (kind == VV_TEXT_OTHER && !want))
		return 0;
	if (kind == VV_TEXT_OTHER)
		return vv_fail(err, VV_EFORMAT, "is not the manifest of a directory; 'varve add' writes it");
	ret = vv_manifest_parse(&m, text, err);
	if (!ret) {
		is = vv_manifest_is_dir(&m);
		vv_manifest_release(&m);
	}
	if (!ret && is != want)
		ret = vv_fail(err, VV_EFORMAT, want ? "is not the manifest of a directory; 'varve add' writes it"
			: "is the manifest of a directory, which belongs in a file .varve in it");
	return ret;
}

static int clean_text(struct vv_repo *r, const char *path, struct vv_span text, int out, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	int ret = 0;

	if (vv_manifest_detect(text) == VV_TEXT_CONFLICTED)
		ret = vv_fail(&why, VV_ECONFLICT, "has conflict markers; settle it with 'git checkout --ours|--theirs' first");
	else
		ret = vv_check_text(path, text, &why);
	if (ret && !is_committed(r, path, text)) {
		*err = why;
		return vv_err_in(err, "%s", path);
	}
	return vv_write_fd(out, text, "standard output", err);
}

int vv_clean(struct vv_repo *r, const char *path, int in, int out,
	void (*say)(const char *path, const struct vv_finding *f), struct vv_err *err)
{
	struct vv_added a = {.text = VV_BUF_INIT(VV_MAX_MANIFEST)};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	uint8_t head[HEAD_BYTES];
	size_t n;
	int ret;

	ret = read_some(in, head, sizeof(head), &n, err);
	if (ret || (!n && !vv_is_dir_manifest(path)))
		return ret; /* an empty file is its own manifest */
	(void)fcntl(in, F_SETPIPE_SZ, PIECE);
	if (vv_is_dir_manifest(path) || vv_manifest_detect(vv_span(head, n)) != VV_TEXT_OTHER) {
		vv_buf_add(&text, head, n);
		ret = vv_read_fd(&text, in, path, err);
		if (!ret)
			ret = clean_text(r, path, vv_buf_view(&text), out, err);
	} else {
		ret = clean_model(r, path, vv_span(head, n), in, &a, err);
		for (size_t i = 0; !ret && say && i < a.manifest.n_findings; i++)
			say(path, &a.manifest.findings[i]);
		if (!ret)
			ret = vv_write_fd(out, vv_buf_view(&a.text), "standard output", err);
	}
	vv_buf_release(&text);
	vv_added_release(&a);
	return ret;
}

/*
 * Lines of two versions, as `git stash -p` and `git checkout -p` would put them in place of a model that
 * nobody else has: its own text, which clean has kept, is put there instead. Anything else stays as it is.
 */
static int mend_smudged(const char *path, struct vv_buf *text, bool *mended, struct vv_err *err)
{
	struct vv_buf kept = VV_BUF_INIT(VV_MAX_MANIFEST);
	static const char *const by_lines[] = {"apply", NULL};
	struct vv_err why = VV_ERR_INIT;
	struct vv_manifest m;
	struct vv_repo r;
	int ret = vv_manifest_parse(&m, vv_buf_view(text), &why);

	if (!ret)
		vv_manifest_release(&m);
	/* An old mistake that is checked out comes another way, and must not fail. */
	if (!ret || ret == VV_ENOTSUP || ret == VV_ENOMEM || !vv_below_git(by_lines) || vv_repo_open(&r, &why))
		return 0;
	ret = 0;
	if (!vv_kept_text(&r, path, &kept, &why) &&
		!vv_manifest_parse(&m, vv_buf_view(&kept), &why)) {
		vv_manifest_release(&m);
		*mended = true;
		vv_buf_clear(text);
		vv_buf_span(text, vv_buf_view(&kept));
		ret = vv_buf_check(text, err);
	}
	vv_buf_release(&kept);
	vv_repo_release(&r);
	return ret;
}

int vv_smudge(const char *path, int in, int out, bool *mended, struct vv_err *unset, struct vv_err *err)
{
	/* They write files without the index, or after their last word on it: no hook tells. */
	static const char *const no_word[] = {"apply", "stash", "checkout-index", NULL};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_repo r;
	uint8_t buf[65536];
	size_t n;
	int ret = read_some(in, buf, sizeof(buf), &n, err);

	*mended = false;
	if (!ret && n && vv_manifest_detect(vv_span(buf, n)) == VV_TEXT_MANIFEST) {
		vv_buf_add(&text, buf, n);
		ret = vv_read_fd(&text, in, path, err);
		if (!ret)
			ret = mend_smudged(path, &text, mended, err);
		if (!ret)
			ret = vv_write_fd(out, vv_buf_view(&text), "standard output", err);
		n = 0;
	}
	while (!ret && n) {
		ret = vv_write_fd(out, vv_span(buf, n), "standard output", err);
		if (!ret)
			ret = read_some(in, buf, sizeof(buf), &n, err);
	}
	vv_buf_release(&text);
	/* What cannot be noted or set up here, varve init, checkout and doctor can. */
	if (!vv_mark_smudged_here(path) && !vv_repo_open(&r, unset)) {
		if (!vv_setup_first(&r, unset))
			vv_err_clear(unset);
		if (r.top && vv_mark_set(&r, VV_MARK_SMUDGED, &ignore))
			vv_err_clear(&ignore);
		vv_repo_release(&r);
	}
	/* After the set-up, which takes a folder of varve's for its own mark. */
	if ((*mended || vv_below_git(no_word)) && !vv_repo_open(&r, &ignore)) {
		if (vv_hook_later(&r, &ignore))
			vv_err_clear(&ignore);
		vv_repo_release(&r);
	}
	return ret;
}
