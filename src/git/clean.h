/* git's clean and smudge for model files, and what varve add shares with them. */
#ifndef VV_GIT_CLEAN_H
#define VV_GIT_CLEAN_H

#include "git/repo.h"
#include "model/manifest.h"

#include <sys/stat.h>

/*
 * The clean filter: a model on `in` becomes its manifest on `out`, its tensors are in the store
 * before. A manifest passes as it is; conflict markers and hand-merged manifests are refused. `path`
 * is relative to the top. `say` gets one line for each finding; may be NULL.
 */
VV_MUST_CHECK int vv_clean(struct vv_repo *r, const char *path, int in, int out,
	void (*say)(const char *path, const struct vv_finding *f), struct vv_err *err);
/*
 * The smudge filter: everything passes as it is (git would hold a model in memory whole; varve
 * writes it itself afterwards), but for lines of two versions, which `git stash -p` would put in place
 * of a model: that one stays (*mended). The first one in a repository sets it up; *unset tells why it could not
 * (its code is 0 otherwise). Fails only on I/O.
 */
VV_MUST_CHECK int vv_smudge(
	const char *path, int in, int out, bool *mended, struct vv_err *unset, struct vv_err *err);

/*
 * Versions that a file at `path` is likely to resemble: index, HEAD, the sides of a merge, the other shards of
 * a sharded model ("x-00002-of-00005.y"), else the tracked neighbours in its folder that are called most alike.
 */
VV_MUST_CHECK int vv_parents(
	struct vv_repo *r, const char *path, struct vv_manifest **out, size_t *n, struct vv_err *err);
void vv_parents_free(struct vv_manifest *m, size_t n);

/* Refuses a path whose attributes ask for another manifest format than ours: `format` as vv_kept_each gives it. */
VV_MUST_CHECK int vv_check_format(const char *path, const char *format, struct vv_err *err);

/*
 * Is the text what git may have at this path, a model's manifest or a directory's? A model's own bytes are, too. VV_EFORMAT,
 * VV_ECONFLICT or VV_ECORRUPT says why not, without the path.
 */
VV_MUST_CHECK int vv_check_text(const char *path, struct vv_span text, struct vv_err *err);

/* Puts the model file at `path` (below the top) in the store: its manifest's text, and the stat it had. */
struct vv_added {
	struct vv_buf text;
	struct stat st;
	struct vv_put_stats stats;
	struct vv_manifest manifest;
};
VV_MUST_CHECK int vv_add_file(
	struct vv_repo *r, const char *path, struct vv_added *out, struct vv_progress *prog, struct vv_err *err);
void vv_added_release(struct vv_added *a);

#endif
