/* A store's folder, as the far end of a remote sees it: packs by name, taken in and handed out as files. */
#ifndef VV_REMOTE_DEPOT_H
#define VV_REMOTE_DEPOT_H

#include "os/file.h"
#include "store/thin.h"

struct vv_depot {
	char *dir;
	struct vv_store *store; /* NULL: there is none yet, or nobody asked */
};
VV_MUST_CHECK int vv_depot_init(struct vv_depot *d, const char *dir, struct vv_err *err);
void vv_depot_release(struct vv_depot *d);

VV_MUST_CHECK int vv_depot_list(struct vv_depot *d,
	int (*fn)(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err), void *arg, struct vv_err *err);
/* VV_ENOTFOUND: the pack is not in use; VV_EUSAGE: it has no such bytes. */
VV_MUST_CHECK int vv_depot_read(struct vv_depot *d, const struct vv_extent *part,
	int (*take)(void *arg, struct vv_span bytes, struct vv_err *err), void *arg, struct vv_err *err);
VV_MUST_CHECK int vv_depot_keep(struct vv_depot *d, const struct vv_id *packs, size_t n, struct vv_err *err);

/* A pack that comes in: one at a time, whoever else sends the same one waits. */
struct vv_arrival {
	struct vv_id pack;
	char *path;
	int fd;
	uint64_t have; /* bytes from its beginning on that are here */
	bool there;    /* it is in the store: nothing is to be sent */
};
#define VV_ARRIVAL_INIT {{{0}}, NULL, -1, 0, false}
VV_MUST_CHECK int vv_arrival_begin(struct vv_arrival *a, struct vv_depot *d, const struct vv_id *pack, struct vv_err *err);
/* Drops all that lies past `have`. */
VV_MUST_CHECK int vv_arrival_from(struct vv_arrival *a, uint64_t have, struct vv_err *err);
VV_MUST_CHECK int vv_arrival_write(struct vv_arrival *a, struct vv_span bytes, struct vv_err *err);
/* All is here: VV_ECORRUPT, and nothing of it is left, when it is not the pack of that name. Durable when it returns 0. */
VV_MUST_CHECK int vv_arrival_end(struct vv_arrival *a, struct vv_depot *d, struct vv_err *err);
/* What came in stays for the next try. */
void vv_arrival_release(struct vv_arrival *a);

#endif
