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

/* Is it a draft's name (below)? */
bool vv_is_draft(const char *name);

/* A file that is being written and will get the name of a place. */
struct vv_draft {
	int fd, dirfd; /* locked while it is open; the folder it lies in */
	char name[40]; /* "": it has none any more */
};
#define VV_DRAFT_INIT {-1, -1, ""}
/*
 * Makes one (O_EXCL) in the folder `elsewhere`, where nobody looks, if that is on the same file system;
 * otherwise, or when it is NULL, beside the place.
 */
VV_MUST_CHECK int vv_draft_open(
	struct vv_draft *d, const struct vv_place *p, const char *elsewhere, struct vv_err *err);
/*
 * Gives it its mode, an mtime `age_s` ago and the name of the place, once its bytes are durable: the
 * file is old or whole, also after a power cut. `expected` (NULL: whatever) is what stands there;
 * VV_ECHANGED when that is something else by now. *st: what stands there then. d->fd stays open.
 */
VV_MUST_CHECK int vv_draft_publish(struct vv_draft *d, const struct vv_place *p, mode_t mode, unsigned age_s,
	const struct stat *expected, struct stat *st, struct vv_err *err);
/* One in the open folder `dirfd`, of which it takes a copy: for many at once. */
VV_MUST_CHECK int vv_draft_open_at(struct vv_draft *d, int dirfd, const char *path, struct vv_err *err);
/*
 * The same for one of many files: nothing is synced, the caller does that for all of them before anyone relies on
 * it. `expected` NULL: nothing may stand there.
 */
VV_MUST_CHECK int vv_draft_place(struct vv_draft *d, const struct vv_place *p, mode_t mode, unsigned age_s,
	const struct stat *expected, struct stat *st, struct vv_err *err);
/* Opens the folder of drafts `dir`, made when missing, if files can be renamed from it to `to`; else a copy of `to`. */
int vv_drafts_open(const char *dir, int to);
/* Removes what was not published. Safe to call twice. */
void vv_draft_release(struct vv_draft *d);
/* Removes from a folder what a process that was killed has left of its drafts. */
void vv_drafts_sweep(int dirfd);

#endif
