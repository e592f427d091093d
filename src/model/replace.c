/* Restoring some tensors of another version. */
#include "model/assembly.h"
#include "model/lineup.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { INTO, FROM };

static bool matches(const char *name, const char *const *patterns, size_t n, bool *used)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			any = used[i] = true;
	return any;
}

static bool is_packed(const struct vv_lineup *l, size_t row, size_t side)
{
	return l->rows[row].at[side].there && l->m[side]->segs[l->rows[row].at[side].seg].seg.coding;
}

/* A packed tensor is restored with its file, or is the same there already. */
static int pick_rows(struct vv_pick *picks, size_t *n, const struct vv_lineup *l, const struct vv_version *const *v,
	const char *const *patterns, size_t n_patterns, bool *used, size_t *replaced, struct vv_err *err)
{
	*n = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct vv_lineup_row *row = &l->rows[i];
		bool taken = row->at[FROM].there && matches(row->name, patterns, n_patterns, used);
		bool packed = is_packed(l, i, INTO) || is_packed(l, i, FROM);
		size_t side = taken && !packed ? FROM : INTO;

		*replaced += taken;
		if (taken && packed && !vv_lineup_same(l, i, INTO, FROM))
			return vv_fail(err, VV_ENOTSUP, "tensor \"%s\" is compressed: it can only be restored with the whole file",
				row->name);
		if (row->at[side].there && !is_packed(l, i, side))
			picks[(*n)++] = (struct vv_pick){v[side], row->at[side].seg, row->at[side].view, NULL};
	}
	return 0;
}

int vv_model_replace(const struct vv_version *into, const struct vv_version *from, const char *const *patterns,
	size_t n_patterns, int fd, const char *path, size_t *replaced, struct vv_progress *prog,
	struct vv_err *err)
{
	const struct vv_manifest *m[] = {[INTO] = into->m, [FROM] = from->m};
	const struct vv_version *const sides[] = {[INTO] = into, [FROM] = from};
	struct vv_lineup l = {0};
	struct vv_fd_sink sink;
	struct vv_pick *picks = NULL;
	bool *used = NULL;
	size_t n, count = 0;
	int ret = vv_lineup_make(&l, m, VV_COUNT(m), true, err);

	if (ret)
		return ret;
	picks = calloc(l.n ? l.n : 1, sizeof(*picks));
	used = calloc(n_patterns ? n_patterns : 1, sizeof(*used));
	if (!picks || !used) {
		ret = vv_fail_nomem(err);
		goto out;
	}
	ret = pick_rows(picks, &n, &l, sides, patterns, n_patterns, used, &count, err);
	for (size_t i = 0; i < n_patterns && !ret; i++)
		if (!used[i])
			ret = vv_fail(err, VV_ENOTFOUND, "no tensor matches \"%s\"", patterns[i]);
	if (ret)
		goto out;
	vv_fd_sink_init(&sink, fd, path, into->m->size, prog);
	ret = vv_assemble_picks(into, picks, n, &sink.base, err);
	if (!ret && replaced)
		*replaced = count;
out:
	free(picks);
	free(used);
	vv_lineup_release(&l);
	return ret;
}
