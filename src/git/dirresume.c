/* Taking up a sync that was cut short. */
#include "git/dirwork.h"

#include <stdlib.h>

/*
 * Of two versions' files at one path (either may be NULL) the one that stands there: takes it as known. What is neither is
 * still the old one's, which the user has changed.
 */
static int take_standing(struct vv_dirwork *w, struct vv_dir_build *build, const struct vv_manifest *next, size_t k, size_t i,
	size_t *n, struct vv_err *err)
{
	struct vv_tree_stat st = {0}, was = k == SIZE_MAX ? st : w->was[k];
	struct stat seen;
	bool is_next = false;

	if (k == SIZE_MAX || i == SIZE_MAX || !vv_dirwork_same(&w->old->files[k], &next->files[i])) {
		bool there = vv_dirwork_look(w, k == SIZE_MAX ? next->files[i].path : w->old->files[k].path, &seen) == VV_FILE_THERE;
		if (there)
			st = vv_tree_stat_of(&seen);
		else
			was = st; /* it may be that sync which removed it */
		is_next = there && i != SIZE_MAX && (k == SIZE_MAX || !vv_tree_stat_eq(&st, &was)) &&
			vv_dirwork_is_file(w, &next->files[i], &seen) && vv_dirwork_mode_is(&seen, &next->files[i]);
	}
	if (!is_next && k == SIZE_MAX)
		return 0;
	w->now[(*n)++] = is_next ? st : was;
	return is_next ? vv_dir_build_take(build, next, i, err) : vv_dir_build_take(build, w->old, k, err);
}

int vv_dirwork_resume(struct vv_repo *r, int root, const char *dir, struct vv_err *err)
{
	static const struct vv_manifest none = {.format = ""};
	struct vv_buf begun = VV_BUF_INIT(VV_MAX_MANIFEST), text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_sync_report quiet = {0};
	struct vv_dir_build build = {0};
	struct vv_manifest next = {0};
	struct vv_dirstate old;
	struct vv_err why = VV_ERR_INIT;
	struct vv_dirwork w = vv_dirwork(r, dir, NULL, &quiet, 0);
	size_t n = 0, i = 0, k = 0;
	int ret;

	/* One that cannot be read was not begun. */
	if (!vv_dirstate_begun(r, dir, &begun) || vv_manifest_parse(&next, vv_buf_view(&begun), &why) ||
		!vv_manifest_is_dir(&next)) {
		vv_manifest_release(&next);
		vv_buf_release(&begun);
		return 0;
	}
	ret = vv_dirwork_known(&w, &old, err);
	w.old = w.old ? w.old : &none;
	w.now = calloc(w.old->n_files + next.n_files + 1, sizeof(*w.now));
	if (!ret && !w.now)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_repo_store(r, true, err);
	if (!ret && vv_dirwork_open(&w, root, &why))
		i = next.n_files, k = w.old->n_files; /* the directory is gone: so is what was brought */
	while (!ret && (k < w.old->n_files || i < next.n_files)) {
		int order = k == w.old->n_files ? 1 : i == next.n_files ? -1 : strcmp(w.old->files[k].path, next.files[i].path);

		ret = take_standing(&w, &build, &next, order <= 0 ? k : SIZE_MAX, order >= 0 ? i : SIZE_MAX, &n, err);
		k += order <= 0;
		i += order >= 0;
	}
	/* What could not be looked at is looked at another time. */
	if (!ret && w.fd >= 0 && !w.failed)
		ret = vv_dir_build_end(&build, &text, NULL, err);
	if (!ret && text.len)
		ret = vv_dirstate_write(r, dir, vv_buf_view(&text), w.now, n, err);
	vv_dirwork_release(&w);
	vv_dir_build_release(&build);
	vv_dirstate_release(&old);
	vv_manifest_release(&next);
	vv_buf_release(&begun);
	vv_buf_release(&text);
	return ret;
}
