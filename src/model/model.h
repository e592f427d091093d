/*
 * A model file and its version in the store: in (put, hash), out (get, read), and partly out
 * (replace). Comparing is in diff.h, merging in merge.h, describing in describe.h.
 */
#ifndef VV_MODEL_MODEL_H
#define VV_MODEL_MODEL_H

#include "model/manifest.h"
#include "store/store.h"

/*
 * Puts the file into the store, durably, and writes the manifest that stands for it. `parents` are
 * earlier versions, the likeliest first: their tensors are what deltas are tried against. `m_out`
 * (NULL: not wanted) is the caller's to release; `text_out` is appended to; `stats` and `prog` may
 * be NULL. Whatever the bytes are, they can be put: what no format reads is kept as opaque bytes.
 */
VV_MUST_CHECK int vv_model_put(struct vv_store *store, const struct vv_source *src,
	const struct vv_manifest *const *parents, size_t n_parents, struct vv_buf *text_out,
	struct vv_manifest *m_out, struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err);
/* The same manifest without storing anything. */
VV_MUST_CHECK int vv_model_hash(struct vv_pool *pool, const struct vv_source *src, struct vv_buf *text_out,
	struct vv_manifest *m_out, struct vv_progress *prog, struct vv_err *err);
/*
 * The same without reading weights: tensors of floats of 16 bits or more, and the file, have an id of zeros. Never stored.
 */
VV_MUST_CHECK int vv_model_outline(
	struct vv_pool *pool, const struct vv_source *src, struct vv_manifest *m_out, struct vv_err *err);

enum vv_model_flags {
	/* Reads the written file back and checks its SHA-256: every object was checked on its own before. */
	VV_MODEL_CHECK_FILE = 1,
};
/*
 * Writes the whole file to `fd`, which is open for writing (and reading, to check) and empty.
 * `path` names it in messages. On failure its content is undefined.
 */
VV_MUST_CHECK int vv_model_get_fd(struct vv_store *store, const struct vv_manifest *m, int fd, const char *path,
	unsigned flags, struct vv_progress *prog, struct vv_err *err);
/* VV_ENOTFOUND names the first object that no store has; *missing (may be NULL) counts them. */
VV_MUST_CHECK int vv_model_has(
	struct vv_store *store, const struct vv_manifest *m, size_t *missing, struct vv_err *err);

/* The file's bytes read at random from the store. Borrows both; any number of threads may read. */
struct vv_model_source {
	struct vv_source base;
	struct vv_store *store;
	const struct vv_manifest *m;
};
void vv_model_source_init(struct vv_model_source *s, struct vv_store *store, const struct vv_manifest *m);

/*
 * One version of a model: what it is made of, and its bytes, be they in the store (a
 * vv_model_source) or in a file that was only hashed (a vv_file). Borrows both.
 */
struct vv_version {
	const struct vv_manifest *m;
	const struct vv_source *bytes;
};

/* One tensor of a version. Borrowed from its manifest. */
struct vv_tensor {
	const struct vv_manifest_seg *seg;
	const struct vv_view *view;
	uint64_t numel, len; /* elements; bytes when contiguous */
};
/* VV_ENOTFOUND names it. */
VV_MUST_CHECK int vv_tensor_find(
	struct vv_tensor *out, const struct vv_manifest *m, const char *name, struct vv_err *err);
/* VV_ELIMIT when its size does not fit; VV_ENOTSUP when it begins or ends within a byte. */
VV_MUST_CHECK int vv_tensor_at(
	struct vv_tensor *out, const struct vv_manifest *m, size_t seg, size_t view, struct vv_err *err);

/*
 * A tensor's row-major contiguous bytes as a source. Contiguous tensors are read in place; the
 * first read of a strided one loads the part of its storage it spans, which close frees; one of a
 * packed one decodes it, and as many bytes as it has, read in any order, free that again. Any
 * number of threads may read. VV_EFORMAT: what is packed is not what was claimed of it.
 */
struct vv_tensor_source {
	struct vv_source base;
	struct vv_tensor t;
	const struct vv_source *file;
	struct vv_tensor_window *window; /* NULL: contiguous, and not packed */
};
VV_MUST_CHECK int vv_tensor_open(struct vv_tensor_source *s, const struct vv_version *v,
	const struct vv_tensor *t, struct vv_err *err);
void vv_tensor_close(struct vv_tensor_source *s);
/* Appends the bytes of the whole tensor; VV_ELIMIT past out->max. */
VV_MUST_CHECK int vv_tensor_read(
	const struct vv_version *v, const char *name, struct vv_buf *out, struct vv_err *err);

/*
 * Writes to `fd` the file `into` with those tensors of `from` whose names match one of the patterns
 * (fnmatch; '*' crosses dots). Tensors that only `from` has are added after the one they follow
 * there; others that only `into` has stay. VV_ENOTFOUND: a pattern matches nothing in `from`.
 * VV_ENOTSUP: this format can only be restored whole. *replaced (may be NULL) counts tensors.
 */
VV_MUST_CHECK int vv_model_replace(const struct vv_version *into, const struct vv_version *from,
	const char *const *patterns, size_t n_patterns, int fd, const char *path, size_t *replaced,
	struct vv_progress *prog, struct vv_err *err);

#endif
