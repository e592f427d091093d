/*
 * Several files that are one model: its shards, or an index and what it tells of. They are shown,
 * compared and converted as one version.
 */
#ifndef VV_MODEL_GROUP_H
#define VV_MODEL_GROUP_H

#include "model/model.h"

/*
 * "dir/model-00002-of-00005.safetensors" is a shard's name: returns the bytes before its number, and
 * *rest is what follows the count; 0 when it is none. *number (may be NULL) is the number.
 */
size_t vv_shard_stem(const char *path, const char **rest, unsigned long *number);
/* Do these name shards of one model, however many shards it has? */
bool vv_shard_of_same(const char *a, const char *b);

/* A version made of several: their segments one after the other, and their bytes likewise. */
struct vv_group {
	/*
	 * sha256: that of theirs, joined. A name that an earlier file has gets "~2", "~3", …
	 * Findings are the files' own: their offsets mean nothing here.
	 */
	struct vv_manifest m;
	struct vv_source base; /* needs `bytes` of each */
	size_t n;
	struct vv_group_file {
		const struct vv_manifest *m; /* borrowed */
		uint64_t off;                /* where it begins */
		const struct vv_source *bytes; /* borrowed; NULL until it is known: then `base` is not to be read */
	} *files;
};
/*
 * Borrows the manifests, which must outlive it, of at least one file. `bytes` may be NULL, and set in g->files later.
 * VV_ELIMIT when their sizes do not add up in 64 bits.
 */
VV_MUST_CHECK int vv_group_make(struct vv_group *g, const struct vv_version *files, size_t n, struct vv_err *err);
/*
 * The same for a file that tells of tensors in others: it comes first. Where it gives ranges in a file, those are its
 * tensors, and not what a reader sees that knows this file alone. One `within` names the tensor that such a reader sees
 * there, which keeps its id. `file_of`: the file of each item, never 0; SIZE_MAX: it is not there. *left counts items that
 * are left out: those, what lies past its file's end or across another, and what has not one tensor within. Of files
 * without `bytes` ranges have an id that only tells them from others; of the rest the bytes are read. Borrows `e`.
 */
VV_MUST_CHECK int vv_group_index(struct vv_group *g, const struct vv_version *files, size_t n,
	const struct vv_elsewheres *e, const size_t *file_of, size_t *left, struct vv_err *err);
/* Its sha256 anew, once that of each file is known. */
VV_MUST_CHECK int vv_group_sum(struct vv_group *g, struct vv_err *err);
void vv_group_release(struct vv_group *g);

#endif
