/* Shared by the files of a mirror: mirror.c, push.c, fetch.c. */
#ifndef VV_REMOTE_INTERNAL_H
#define VV_REMOTE_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "os/file.h"
#include "remote/mirror.h"

struct vv_mirror {
	struct vv_remote *remote;
	struct vv_store *local, *store;
	struct vv_pool *pool;
	char *dir;
	struct vv_lock lock;
	struct vv_map packs; /* that the remote has: name → size */
	struct vv_arena names;
	bool lost; /* a pack that was there is gone */
};

/* Is so much of a pack wanted that it goes as it is? Nine bytes of ten. */
static inline bool nearly_all(uint64_t wanted, uint64_t size)
{
	return wanted / 9 >= size / 10;
}

/* The remote has this pack too. */
VV_MUST_CHECK int mirror_note(struct vv_mirror *m, const struct vv_id *pack, uint64_t size, struct vv_err *err);
bool mirror_has(const struct vv_mirror *m, const struct vv_id *pack, uint64_t *size);
/* Lists the remote again, and reads the indexes of new packs. */
VV_MUST_CHECK int mirror_sync(struct vv_mirror *m, struct vv_err *err);

#endif
