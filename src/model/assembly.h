/* A new file out of the tensors of several versions, by the format's assembler. */
#ifndef VV_MODEL_ASSEMBLY_H
#define VV_MODEL_ASSEMBLY_H

#include "base/progress.h"
#include "hash/sha256.h"
#include "model/model.h"

/* One wanted tensor. */
struct vv_pick {
	const struct vv_version *from;
	size_t seg, view;
	const char *name; /* in the new file; NULL: as it is called there */
};

/*
 * Writes the file that is like `skeleton` but has these tensors, in this order. VV_ENOTSUP: the
 * format has no assembler, is unknown here, or cannot hold the change.
 */
VV_MUST_CHECK int vv_assemble_picks(const struct vv_version *skeleton, const struct vv_pick *picks, size_t n,
	struct vv_sink *out, struct vv_err *err);
/* Does this varve know the format, and can it assemble? */
bool vv_can_assemble(const struct vv_manifest *m);
/* Which sets of tensors, in words; NULL: any. */
const char *vv_assembly_sets(const struct vv_manifest *m);

/* Writes to a file from its start. `len` counts the bytes so far. */
struct vv_fd_sink {
	struct vv_sink base;
	int fd;
	const char *path;
	uint64_t len, expected; /* expected: for progress only */
	struct vv_progress *prog;
};
void vv_fd_sink_init(
	struct vv_fd_sink *s, int fd, const char *path, uint64_t expected, struct vv_progress *prog);

/* Only hashes. */
struct vv_hash_sink {
	struct vv_sink base;
	struct vv_sha256 sha;
};
VV_MUST_CHECK int vv_hash_sink_init(struct vv_hash_sink *s, struct vv_err *err);

#endif
