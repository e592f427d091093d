/*
 * A place in the user's tree, reached without following a link: every component is opened with
 * O_NOFOLLOW, and none may be "..", empty or a spelling of ".git". varve writes model files itself,
 * so git's rules for paths are kept here again.
 */
#ifndef VV_OS_PLACE_H
#define VV_OS_PLACE_H

#include "base/buf.h"

#include <sys/stat.h>

struct vv_place {
	int dirfd;        /* of the folder that holds it */
	const char *name; /* last component: borrowed from the path */
};
#define VV_PLACE_INIT {-1, NULL}

/* `path` is relative to the folder `root`. VV_EUNSAFE, or VV_ENOTFOUND when a folder is missing. */
VV_MUST_CHECK int vv_place_open(struct vv_place *p, int root, const char *path, struct vv_err *err);
void vv_place_release(struct vv_place *p);
/* Is the name, as any common file system would see it, ".git"? */
bool vv_is_dotgit(const char *name, size_t len);

/* A new file beside it (O_EXCL), locked while it is open; `name` holds 40 bytes. */
VV_MUST_CHECK int vv_place_temp(const struct vv_place *p, char *name, int *fd, struct vv_err *err);
/*
 * Gives that file its mode, an mtime `age_s` ago and the name of the place, once its bytes are durable:
 * the file is old or whole, also after a power cut. `expected` (NULL: whatever) is what stands there;
 * VV_ECHANGED when that is something else by now. *st: what stands there then. fd stays open.
 */
VV_MUST_CHECK int vv_place_publish(const struct vv_place *p, const char *temp, int fd, mode_t mode, unsigned age_s,
	const struct stat *expected, struct stat *st, struct vv_err *err);
/* Removes from the place's folder what a process that was killed has left of vv_place_temp. */
void vv_place_sweep(const struct vv_place *p);

#endif
