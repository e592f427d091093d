/*
 * What a remote has, and carrying objects there and back. The mirror of a remote is kept between calls in a folder of
 * the user's store; deleting it costs reading the remote's indexes again.
 */
#ifndef VV_REMOTE_MIRROR_H
#define VV_REMOTE_MIRROR_H

#include "remote/remote.h"

struct vv_mirror;

/*
 * Opens the mirror of `remote`, which is borrowed, and brings it up to date when `ask`. It lies in the folder of `local`,
 * and one process at a time works with it: others wait.
 */
VV_MUST_CHECK int vv_mirror_open(struct vv_mirror **out, struct vv_remote *remote, struct vv_store *local,
	struct vv_pool *pool, bool ask, struct vv_err *err);
void vv_mirror_close(struct vv_mirror *m);
/* Packs that the remote had are gone, by its gc or by a loss; or it has none at all. After an open with `ask`. */
bool vv_mirror_lost(const struct vv_mirror *m);
/* As a store: what it has can be asked; its bytes cannot be read. Borrowed. */
struct vv_store *vv_mirror_store(struct vv_mirror *m);
/* The folder of the mirror of a remote of that name. Owned by the caller; NULL when memory is gone. */
char *vv_mirror_dir(struct vv_store *local, const char *name);

struct vv_transfer {
	uint64_t bytes;  /* over the wire, indexes not counted */
	size_t packs, parts;
};
/*
 * Sends what the remote lacks of `ids`: when it returns 0 they are there, whole and durable, and stay for a while.
 * What was sent before a failure is not sent again.
 */
VV_MUST_CHECK int vv_mirror_push(struct vv_mirror *m, const struct vv_id *ids, size_t n, struct vv_transfer *stats,
	struct vv_progress *prog, struct vv_err *err);
/* Fetches what is missing here of `ids` and is there; what is not there stays missing. */
VV_MUST_CHECK int vv_mirror_fetch(struct vv_mirror *m, const struct vv_id *ids, size_t n, struct vv_transfer *stats,
	struct vv_progress *prog, struct vv_err *err);

#endif
