/*
 * A directory as one manifest: its files taken out one by one, and put together to another. Comparing is in
 * dirdiff.h, merging in dirmerge.h.
 */
#ifndef VV_MODEL_DIRECTORY_H
#define VV_MODEL_DIRECTORY_H

#include "model/model.h"

/* What a tracked directory's manifest is called in it, and what keeps git from its other files. */
#define VV_DIR_MANIFEST ".varve"
#define VV_DIR_IGNORE ".gitignore"

/* The file of that path; false when there is none. */
bool vv_dir_find(const struct vv_manifest *dir, const char *path, size_t *at);
/*
 * One file's manifest as if it were tracked on its own, but for the root, which is not set. Borrows from `dir`.
 */
VV_MUST_CHECK int vv_dir_file(
	const struct vv_manifest *dir, size_t i, struct vv_manifest *out, struct vv_err *err);

/* A directory's manifest while it is put together, in any order. A zeroed struct is an empty one. */
struct vv_dir_build {
	struct vv_arena arena;
	struct vv_dir_entry *v;
	size_t n, cap;
};
/* A file as it is in `dir`, which is borrowed until the build's release. */
VV_MUST_CHECK int vv_dir_build_take(
	struct vv_dir_build *b, const struct vv_manifest *dir, size_t i, struct vv_err *err);
/* A file whose manifest is `file`: copied. */
VV_MUST_CHECK int vv_dir_build_put(
	struct vv_dir_build *b, const char *path, unsigned mode, const struct vv_manifest *file, struct vv_err *err);
/*
 * Appends the text. `m_out` may be NULL; else it is the caller's to release. Two files of one path, or one
 * where another has a folder, are VV_EFORMAT.
 */
VV_MUST_CHECK int vv_dir_build_end(
	struct vv_dir_build *b, struct vv_buf *text, struct vv_manifest *m_out, struct vv_err *err);
void vv_dir_build_release(struct vv_dir_build *b);
/* A directory of those files that one of the patterns matches (fnmatch; a folder's name means all in it). VV_ENOTFOUND: none. */
VV_MUST_CHECK int vv_dir_choose(struct vv_manifest *out, const struct vv_manifest *from, const char *const *patterns,
	size_t n, struct vv_err *err);

/*
 * Files on their way into the store: small ones are gathered and put many at a time, so that 100,000 of them
 * take a few writes to the disk and not one each. Models among them are located as on their own.
 */
struct vv_dir_put {
	struct vv_store *store;           /* borrowed, as the next two */
	const struct vv_manifest *parent; /* the directory's last version; may be NULL */
	struct vv_dir_build *build;       /* gets each file */
	struct vv_progress *prog;         /* may be NULL */
	struct vv_put_stats stats;        /* out */
	struct vv_buf bytes;
	struct vv_put_item *items;
	struct vv_dir_waiting *waiting;
	size_t n_items, cap_items, n_waiting, cap_waiting;
};
void vv_dir_put_init(struct vv_dir_put *p, struct vv_store *store, const struct vv_manifest *parent,
	struct vv_dir_build *build, struct vv_progress *prog);
/* `src` and `path` are needed during the call only. */
VV_MUST_CHECK int vv_dir_put_file(struct vv_dir_put *p, const char *path, unsigned mode,
	const struct vv_source *src, struct vv_err *err);
/* Puts what is waiting: all files are durable when this returns 0. */
VV_MUST_CHECK int vv_dir_put_end(struct vv_dir_put *p, struct vv_err *err);
void vv_dir_put_release(struct vv_dir_put *p);

#endif
