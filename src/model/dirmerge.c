#include "model/dirmerge.h"

/* A version's files, as they are walked. */
struct walk {
	const struct vv_manifest *m; /* NULL: none */
	size_t at;
};

static const char *next_path(const struct walk *w)
{
	return w->m && w->at < w->m->n_files ? w->m->files[w->at].path : NULL;
}

/* The version's file of this path, which is taken; NULL when it has none. */
static const struct vv_manifest_file *take(struct walk *w, const char *path)
{
	const char *next = next_path(w);

	return next && !strcmp(next, path) ? &w->m->files[w->at++] : NULL;
}

static bool same(const struct vv_manifest_file *a, const struct vv_manifest_file *b)
{
	if (!a || !b)
		return a == b;
	return a->mode == b->mode && a->size == b->size && vv_id_eq(&a->sha256, &b->sha256);
}

static enum vv_merge_reason why(const struct vv_manifest_file *base, const struct vv_manifest_file *ours)
{
	if (!base)
		return VV_MERGE_BOTH_ADDED;
	return ours ? VV_MERGE_CHANGED_REMOVED : VV_MERGE_REMOVED_CHANGED;
}

int vv_dir_merge(struct vv_dir_build *out, const struct vv_manifest *base, const struct vv_manifest *ours,
	const struct vv_manifest *theirs,
	enum vv_merge_side (*conflict)(void *arg, const char *path, enum vv_merge_reason reason), void *arg, size_t *n_conflicts,
	struct vv_err *err)
{
	static const int column[] = {[VV_MERGE_BASE] = 0, [VV_MERGE_OURS] = 1, [VV_MERGE_THEIRS] = 2};
	struct walk w[3] = {{base, 0}, {ours, 0}, {theirs, 0}};
	int ret = 0;

	*n_conflicts = 0;
	while (!ret) {
		const struct vv_manifest_file *f[3], *pick;
		const char *path = NULL;
		int side;

		for (int i = 0; i < 3; i++) {
			const char *next = next_path(&w[i]);
			if (next && (!path || strcmp(next, path) < 0))
				path = next;
		}
		if (!path)
			break;
		for (int i = 0; i < 3; i++)
			f[i] = take(&w[i], path);
		side = same(f[0], f[1]) ? 2 : 1;
		if (side == 1 && !same(f[0], f[2]) && !same(f[1], f[2])) {
			++*n_conflicts;
			if (conflict)
				side = column[conflict(arg, path, f[0] && f[1] && f[2] ? VV_MERGE_BOTH_CHANGED : why(f[0], f[1]))];
		}
		pick = f[side];
		if (pick)
			ret = vv_dir_build_take(out, w[side].m, (size_t)(pick - w[side].m->files), err);
	}
	return ret;
}
