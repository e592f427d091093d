#include "git/mergedriver.h"

#include "git/peer.h"
#include "model/dirmerge.h"
#include "model/merge.h"
#include "os/file.h"

#include <stdlib.h>

/* One side: its text, its manifest, its bytes. */
struct side {
	struct vv_buf text;
	struct vv_manifest m;
	struct vv_model_source bytes;
	struct vv_version version;
};

static int read_side(struct side *s, const char *file, struct vv_err *err)
{
	int ret = vv_read_file(&s->text, file, err);

	if (!ret && s->text.len)
		ret = vv_manifest_parse(&s->m, vv_buf_view(&s->text), err);
	return ret;
}

/* What only lies on another machine or in a local remote is copied here before weights are read. */
static int fetch_side(struct vv_repo *r, struct side *s, struct vv_err *err)
{
	struct vv_id *ids = malloc((s->m.n_segs ? s->m.n_segs : 1) * sizeof(*ids));
	int ret;

	if (!ids)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < s->m.n_segs; i++)
		ids[i] = s->m.segs[i].id;
	ret = vv_peers_fetch(r, ids, s->m.n_segs, NULL, err);
	if (!ret)
		ret = vv_model_has(r->store, &s->m, NULL, err);
	vv_model_source_init(&s->bytes, r->store, &s->m);
	s->version = (struct vv_version){&s->m, &s->bytes.base};
	free(ids);
	return ret;
}

/* Writes the merged file beside the store and puts it, as varve add would: only new tensors cost anything. */
static int assemble(struct vv_repo *r, const struct vv_merge *merge, const char *path, const struct side *ours,
	const struct side *theirs, struct vv_buf *text, struct vv_err *err)
{
	const struct vv_manifest *parents[] = {&ours->m, &theirs->m};
	struct vv_temp t = VV_TEMP_INIT;
	struct vv_file f = {.fd = -1};
	int ret = vv_repo_state(r, err);

	if (!ret)
		ret = vv_temp_open_private(&t, r->state_dir, err);
	if (!ret)
		ret = vv_merge_write(merge, t.fd, path, NULL, err);
	if (!ret)
		ret = vv_file_open_temp(&f, &t, err);
	if (!ret)
		ret = vv_model_put(r->store, &f.base, parents, 2, text, NULL, NULL, NULL, err);
	vv_file_close(&f);
	vv_temp_release(&t);
	return ret;
}

static int write_result(const char *file, struct vv_span text, struct vv_err *err)
{
	/* git made this file for us and reads it afterwards: its name must stay the same file. */
	return vv_write_file(file, text, false, err);
}

/* Directories: their files' lines are all that it takes. */
static int merge_dirs(struct side *s, const char *file, const char *path,
	void (*conflict)(void *arg, const char *name, const char *reason), void *arg, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t n = 0;
	int ret = vv_dir_merge(&build, s[2].text.len ? &s[2].m : NULL, &s[0].m, &s[1].m, conflict, arg, &n, err);

	if (!ret && n)
		ret = vv_fail(err, VV_ECONFLICT, "%s: %zu conflicts", path, n);
	/* A file of one side may lie where the other has a folder. */
	if (!ret && vv_dir_build_end(&build, &text, NULL, err)) {
		ret = err->code == VV_EFORMAT ? VV_ECONFLICT : err->code;
		if (ret == VV_ECONFLICT)
			conflict(arg, "(folders)", "a file of one side lies where the other has a folder");
	}
	if (!ret)
		ret = write_result(file, vv_buf_view(&text), err);
	vv_dir_build_release(&build);
	vv_buf_release(&text);
	return ret;
}

static bool is_dir(const struct side *s)
{
	return s->text.len && vv_manifest_is_dir(&s->m);
}

int vv_merge_driver(struct vv_repo *r, const char *base, const char *ours, const char *theirs, const char *path,
	void (*conflict)(void *arg, const char *tensor, const char *reason), void *arg, struct vv_err *err)
{
	struct side s[3];
	const char *files[3] = {ours, theirs, base};
	struct vv_merge merge = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = 0;

	for (int i = 0; i < 3; i++)
		s[i] = (struct side){.text = VV_BUF_INIT(VV_MAX_MANIFEST)};
	for (int i = 0; i < 3 && !ret; i++)
		if ((ret = read_side(&s[i], files[i], err)))
			vv_err_in(err, "%s: %s", path, i == 0 ? "ours" : i == 1 ? "theirs" : "the merge base");
	if (!ret && is_dir(&s[0]) && is_dir(&s[1]) && (is_dir(&s[2]) || !s[2].text.len)) {
		ret = merge_dirs(s, ours, path, conflict, arg, err);
		goto out;
	}
	if (!ret && (is_dir(&s[0]) || is_dir(&s[1]) || is_dir(&s[2])))
		ret = vv_fail(err, VV_ECONFLICT, "%s: a directory on one side, a model on the other", path);
	if (!ret)
		ret = vv_repo_store(r, true, err);
	for (int i = 0; i < 3 && !ret; i++)
		if (s[i].text.len && (ret = fetch_side(r, &s[i], err)))
			vv_err_in(err, "%s", path);
	if (!ret && (!s[0].text.len || !s[1].text.len))
		ret = vv_fail(err, VV_ECONFLICT, "%s: one side is empty", path);
	if (!ret)
		ret = vv_merge_plan(&merge, s[2].text.len ? &s[2].version : NULL, &s[0].version, &s[1].version, err);
	if (ret)
		goto out;
	if (merge.n_conflicts) {
		if (merge.frame.reason)
			conflict(arg, "(metadata)", vv_merge_reason_text(merge.frame.reason));
		for (size_t i = 0; i < merge.n; i++)
			if (merge.items[i].reason)
				conflict(arg, merge.items[i].name, vv_merge_reason_text(merge.items[i].reason));
		ret = vv_fail(err, VV_ECONFLICT, "%s: %zu conflicts", path, merge.n_conflicts);
	} else if (merge.result == VV_MERGE_IS_THEIRS) {
		ret = write_result(ours, vv_buf_view(&s[1].text), err);
	} else if (merge.result == VV_MERGE_ASSEMBLED) {
		ret = assemble(r, &merge, path, &s[0], &s[1], &text, err);
		if (!ret)
			ret = write_result(ours, vv_buf_view(&text), err);
	}
out:
	vv_merge_release(&merge);
	for (int i = 0; i < 3; i++) {
		vv_manifest_release(&s[i].m);
		vv_buf_release(&s[i].text);
	}
	vv_buf_release(&text);
	return ret;
}
