#define _GNU_SOURCE
#include "git/diradd.h"

#include "git/dirsync.h"
#include "git/inside.h"
#include "hash/sha256.h"
#include "os/file.h"
#include "os/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	SETTLE_MS = 20,  /* a file written this recently may be written again with the same times */
	MTIME_AGE_S = 2, /* git re-reads a file that is as young as its index */
};

static const char *const skipped[] = {VV_DIR_MANIFEST, VV_DIR_IGNORE, NULL};
static const char *const refused[] = {VV_DIR_MANIFEST, NULL};

int vv_dirs_list(const char *const *specs, struct vv_buf *out, struct vv_err *err)
{
	static const char *const list[] = {"git", "ls-files", "-z", "--full-name", "--cached", "--others", "--deduplicate",
		"--exclude-standard", "--"};
	struct vv_buf all = VV_BUF_INIT((size_t)4 << 30);
	size_t n = 0;
	const char **args;
	int status = 0, ret;

	while (specs && specs[n])
		n++;
	args = calloc(VV_COUNT(list) + n + 2, sizeof(*args));
	if (!args)
		return vv_fail_nomem(err);
	memcpy(args, list, sizeof(list));
	if (n)
		memcpy(args + VV_COUNT(list), specs, n * sizeof(*args));
	else
		args[VV_COUNT(list)] = ":/";
	ret = vv_child_run(args, NULL, VV_CHILD_ERR, vv_span(NULL, 0), &all, &status, err);
	if (!ret && status)
		ret = vv_fail(err, VV_EGIT, "git ls-files: %.300s", vv_git_said(&all));
	for (const char *p = (const char *)all.ptr, *end = p + all.len; !ret && p < end; p += strlen(p) + 1)
		if (vv_is_dir_path(p))
			vv_buf_add(out, p, strlen(p) + 1);
	vv_buf_release(&all);
	free(args);
	return ret ? ret : vv_buf_check(out, err);
}

/* --- looking --- */

static int open_top(const struct vv_repo *r, const char *dir, struct vv_err *err)
{
	struct vv_place place = VV_PLACE_INIT;
	int root = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char *name = NULL;

	if (root < 0) {
		(void)vv_fail_sys(err, errno, "%s", r->top);
	} else if (asprintf(&name, "%s/x", dir) < 0) {
		(void)vv_fail_nomem(err);
	} else if (!vv_place_open(&place, root, name, err)) {
		fd = fcntl(place.dirfd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			(void)vv_fail_sys(err, errno, "%s", dir);
	}
	vv_place_release(&place);
	free(name);
	if (root >= 0)
		close(root);
	return fd;
}

/* The manifest in the worktree, if there is one, be it in a conflict. Appends nothing otherwise. */
static int worktree_text(const struct vv_repo *r, const char *dir, struct vv_buf *text, struct vv_err *err)
{
	char *path = NULL;
	struct vv_err why = VV_ERR_INIT;
	int ret = asprintf(&path, "%s/%s/%s", r->top, dir, VV_DIR_MANIFEST) < 0 ? vv_fail_nomem(err) : 0;

	if (!ret && vv_read_file(text, path, &why) && why.code != VV_ENOTFOUND) {
		*err = why;
		ret = why.code;
	}
	if (!ret && vv_manifest_detect(vv_buf_view(text)) == VV_TEXT_OTHER)
		vv_buf_clear(text);
	free(path);
	return ret;
}

/* Without a state the worktree's manifest says what there ought to be, and nothing of times. */
static int find_state(struct vv_dirlook *l, struct vv_repo *r, const char *dir, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = worktree_text(r, dir, &text, err);
	bool known;

	if (!ret)
		ret = vv_dirstate_read(&l->state, r, dir, err);
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		ret = vv_dirstate_adopt(&l->state, r, dir, vv_buf_view(&text), err);
	}
	known = !ret;
	if (ret == VV_ENOTFOUND) {
		vv_err_clear(err);
		ret = 0;
	}
	if (!ret && text.len && !vv_span_eq(vv_buf_view(&text), vv_buf_view(&l->state.text))) {
		/* One in a conflict, or edited: what is known still holds. */
		l->behind = vv_manifest_detect(vv_buf_view(&text)) != VV_TEXT_CONFLICTED;
		if (!known && l->behind) {
			ret = vv_manifest_parse(&l->state.m, vv_buf_view(&text), err);
			if (!ret && !vv_manifest_is_dir(&l->state.m))
				ret = vv_fail(err, VV_EFORMAT, "is not the manifest of a directory");
			if (ret)
				vv_err_in(err, VV_DIR_MANIFEST);
			if (!ret && !(l->state.stat = calloc(l->state.m.n_files + 1, sizeof(*l->state.stat))))
				ret = vv_fail_nomem(err);
		}
	}
	vv_buf_release(&text);
	return ret;
}

/* Is the file of the tree, whose times differ, the one of the manifest all the same? */
static bool same_bytes(int fd, const struct vv_tree_file *t, const struct vv_manifest_file *f)
{
	struct vv_tree_source src;
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_id id;
	bool yes;

	if (vv_tree_open(&src, fd, t, &ignore))
		return false;
	yes = !vv_sha256_source(&src.base, &id, &ignore) && vv_id_eq(&id, &f->sha256) && !vv_tree_unchanged(&src, &ignore);
	vv_tree_close(&src);
	return yes;
}

static bool is_same(const struct vv_dirlook *l, int fd, size_t i, size_t k, bool deep)
{
	const struct vv_tree_file *t = &l->tree.v[i];
	const struct vv_manifest_file *f = &l->state.m.files[k];

	if (t->exec != (f->mode == 0755) || t->st.size != f->size || vv_dirstate_is_kept(&l->state.stat[k], &t->st))
		return false;
	return (l->state.stat[k].ino && vv_tree_stat_eq(&t->st, &l->state.stat[k])) || (deep && same_bytes(fd, t, f));
}

static int compare(struct vv_dirlook *l, int fd, bool deep, struct vv_err *err)
{
	const struct vv_manifest *m = &l->state.m;
	size_t k = 0;

	l->of_tree = calloc(l->tree.n + 1, sizeof(*l->of_tree));
	l->same = calloc(l->tree.n + 1, sizeof(*l->same));
	if (!l->of_tree || !l->same)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < l->tree.n; i++) {
		const char *path = l->tree.v[i].path;
		int cmp = 1;
		while (k < m->n_files && (cmp = strcmp(m->files[k].path, path)) < 0)
			l->deleted += l->state.stat[k++].ino != 0;
		if (k < m->n_files && !cmp) {
			l->of_tree[i] = k;
			l->same[i] = is_same(l, fd, i, k++, deep);
			l->changed += !l->same[i];
		} else {
			l->of_tree[i] = SIZE_MAX;
			l->added++;
		}
		if (!l->same[i])
			l->bytes += l->tree.v[i].st.size;
	}
	for (; k < m->n_files; k++)
		l->deleted += l->state.stat[k].ino != 0;
	return 0;
}

static int look(struct vv_dirlook *l, struct vv_repo *r, const char *dir, int fd, bool deep, struct vv_err *err)
{
	int ret;

	*l = (struct vv_dirlook){.state = VV_DIRSTATE_INIT};
	ret = find_state(l, r, dir, err);
	if (!ret)
		ret = vv_tree_list(&l->tree, fd, skipped, refused, VV_MAX_FILES, err);
	if (!ret)
		ret = compare(l, fd, deep, err);
	if (ret)
		vv_dirlook_release(l);
	return ret ? vv_err_in(err, "%s", dir) : 0;
}

int vv_dirlook(struct vv_dirlook *l, struct vv_repo *r, const char *dir, bool deep, struct vv_err *err)
{
	int fd = open_top(r, dir, err), ret = fd < 0 ? err->code : look(l, r, dir, fd, deep, err);

	if (fd >= 0)
		close(fd);
	else
		*l = (struct vv_dirlook){.state = VV_DIRSTATE_INIT};
	return ret;
}

void vv_dirlook_release(struct vv_dirlook *l)
{
	vv_dirstate_release(&l->state);
	vv_tree_release(&l->tree);
	free(l->of_tree);
	free(l->same);
	*l = (struct vv_dirlook){.state = VV_DIRSTATE_INIT};
}

/* Is file `k` of what is known neither there nor ever put there? */
static bool never_here(const struct vv_dirlook *l, size_t k)
{
	return !l->state.stat[k].ino && bsearch(&(struct vv_tree_file){.path = l->state.m.files[k].path}, l->tree.v, l->tree.n,
		sizeof(*l->tree.v), vv_tree_by_path) == NULL;
}

/* --- adding --- */

static int put_changed(const struct vv_dirlook *l, int fd, struct vv_dir_put *put, struct vv_diradded *out, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < l->tree.n && !ret; i++) {
		const struct vv_tree_file *t = &l->tree.v[i];
		struct vv_tree_source src;

		if (l->same[i]) {
			ret = vv_dir_build_take(put->build, &l->state.m, l->of_tree[i], err);
			continue;
		}
		ret = vv_tree_open(&src, fd, t, err);
		if (ret)
			break;
		ret = vv_dir_put_file(put, t->path, t->exec ? 0755 : 0644, &src.base, err);
		if (!ret)
			ret = vv_tree_unchanged(&src, err);
		vv_tree_close(&src);
		out->put++;
	}
	/* What was never put here is not gone. */
	for (size_t k = 0; k < l->state.m.n_files && !ret; k++)
		if (never_here(l, k))
			ret = vv_dir_build_take(put->build, &l->state.m, k, err);
	return ret ? ret : vv_dir_put_end(put, err);
}

static int hash_file(struct vv_repo *r, int fd, const struct vv_tree_file *t, struct vv_dir_build *build,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_manifest m = {0};
	struct vv_tree_source src;
	int ret = vv_tree_open(&src, fd, t, err);

	if (ret)
		return ret;
	ret = vv_model_hash(r->pool, &src.base, &text, &m, prog, err);
	if (!ret)
		ret = vv_tree_unchanged(&src, err);
	if (!ret)
		ret = vv_dir_build_put(build, t->path, t->exec ? 0755 : 0644, &m, err);
	vv_tree_close(&src);
	vv_manifest_release(&m);
	vv_buf_release(&text);
	return ret;
}

int vv_dirhash(struct vv_repo *r, const char *dir, struct vv_manifest *out, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_dirlook l = {.state = VV_DIRSTATE_INIT};
	int fd = open_top(r, dir, err), ret = fd < 0 ? err->code : vv_repo_pool(r, err);

	if (!ret)
		ret = look(&l, r, dir, fd, true, err);
	for (size_t i = 0; !ret && i < l.tree.n; i++)
		ret = l.same[i] ? vv_dir_build_take(&build, &l.state.m, l.of_tree[i], err)
				: hash_file(r, fd, &l.tree.v[i], &build, prog, err);
	for (size_t k = 0; !ret && k < l.state.m.n_files; k++)
		if (never_here(&l, k))
			ret = vv_dir_build_take(&build, &l.state.m, k, err);
	if (!ret)
		ret = vv_dir_build_end(&build, &text, out, err);
	vv_dir_build_release(&build);
	vv_dirlook_release(&l);
	vv_buf_release(&text);
	if (fd >= 0)
		close(fd);
	return ret;
}

static void settle(const struct vv_dirlook *l)
{
	struct timespec now;
	uint64_t t;

	clock_gettime(CLOCK_REALTIME, &now);
	t = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	for (size_t i = 0; i < l->tree.n; i++)
		if (!l->same[i] && l->tree.v[i].st.mtime_ns + SETTLE_MS * 1000000ull > t) {
			usleep(SETTLE_MS * 1000);
			return;
		}
}

static int write_text(const struct vv_repo *r, const char *dir, int fd, struct vv_span text, struct vv_err *err)
{
	struct vv_place place = {fd, VV_DIR_MANIFEST};
	struct vv_draft d = VV_DRAFT_INIT;
	char *drafts = vv_join(r->state_dir, "drafts");
	struct stat st;
	int ret = drafts ? vv_draft_open(&d, &place, drafts, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_write_fd(d.fd, text, dir, err);
	if (!ret)
		ret = vv_draft_publish(&d, &place, 0644, MTIME_AGE_S, NULL, &st, err);
	vv_draft_release(&d);
	free(drafts);
	return ret;
}

/* The rows of the new manifest: the tree's stat data for what is there. */
static int note(struct vv_repo *r, const char *dir, const struct vv_dirlook *l, struct vv_span text,
	const struct vv_manifest *m, struct vv_err *err)
{
	struct vv_tree_stat *stat = calloc(m->n_files + 1, sizeof(*stat));
	size_t i = 0;
	int ret;

	if (!stat)
		return vv_fail_nomem(err);
	for (size_t k = 0; k < m->n_files; k++) {
		while (i < l->tree.n && strcmp(l->tree.v[i].path, m->files[k].path) < 0)
			i++;
		if (i < l->tree.n && !strcmp(l->tree.v[i].path, m->files[k].path))
			stat[k] = l->tree.v[i].st;
	}
	ret = vv_dirstate_write(r, dir, text, stat, m->n_files, err);
	free(stat);
	return ret;
}

static int add(struct vv_repo *r, const char *dir, int fd, struct vv_dirlook *l, struct vv_diradded *out,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_dir_put put;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST), have = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = 0;

	vv_dir_put_init(&put, r->store, &l->state.m, &build, prog);
	if (l->behind && l->state.dir)
		ret = vv_fail(err, VV_ECONFLICT, "its manifest is another than its files are, and they could not be brought to it");
	settle(l);
	if (!ret)
		ret = put_changed(l, fd, &put, out, err);
	if (!ret)
		ret = vv_dir_build_end(&build, &text, &out->m, err);
	if (!ret)
		ret = worktree_text(r, dir, &have, err);
	if (!ret)
		vv_git_blob_oid(vv_buf_view(&text), r->sha256, out->oid);
	/* Until git has it, gc finds here what it names. */
	if (!ret)
		ret = vv_inside_put(r, out->oid, vv_buf_view(&text), err);
	out->changed = !vv_span_eq(vv_buf_view(&have), vv_buf_view(&text));
	if (!ret && out->changed)
		ret = write_text(r, dir, fd, vv_buf_view(&text), err);
	if (!ret)
		ret = note(r, dir, l, vv_buf_view(&text), &out->m, err);
	out->stats = put.stats;
	out->files = out->m.n_files;
	out->size = out->m.size;
	vv_dir_put_release(&put);
	vv_dir_build_release(&build);
	vv_buf_release(&text);
	vv_buf_release(&have);
	return ret;
}

static int check_text(struct vv_span text, struct vv_err *err)
{
	struct vv_manifest m;
	int ret = vv_manifest_parse(&m, text, err);

	if (!ret)
		vv_manifest_release(&m);
	return ret;
}

/* Brings the files to the manifest in the worktree, as a hook would. */
static int catch_up(struct vv_repo *r, const char *dir, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_sync_report report = {.prog = prog};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int root = open(r->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = root < 0 ? vv_fail_sys(err, errno, "%s", r->top) : worktree_text(r, dir, &text, err);

	if (!ret && (ret = check_text(vv_buf_view(&text), err)))
		vv_err_in(err, "%s/" VV_DIR_MANIFEST, dir);
	if (!ret)
		ret = vv_dirsync(r, root, dir, vv_buf_view(&text), 0, &report, err);
	if (root >= 0)
		close(root);
	vv_buf_release(&text);
	return ret;
}

int vv_diradd(struct vv_repo *r, const char *dir, struct vv_diradded *out, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_dirlook l;
	int fd = open_top(r, dir, err), ret = fd < 0 ? err->code : 0;

	*out = (struct vv_diradded){0};
	if (!ret)
		ret = vv_repo_store(r, true, err);
	if (!ret)
		ret = vv_repo_state(r, err);
	if (!ret)
		ret = look(&l, r, dir, fd, true, err);
	if (!ret && l.behind && l.state.dir) {
		/* A checkout that is not done, or an add that ended between manifest and state. */
		ret = catch_up(r, dir, prog, err);
		vv_dirlook_release(&l);
		if (!ret)
			ret = look(&l, r, dir, fd, true, err);
	}
	if (!ret) {
		ret = add(r, dir, fd, &l, out, prog, err);
		vv_dirlook_release(&l);
		if (ret)
			vv_err_in(err, "%s", dir);
	}
	if (fd >= 0)
		close(fd);
	if (ret)
		vv_manifest_release(&out->m);
	return ret;
}
