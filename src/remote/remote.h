/*
 * A place that keeps packs, each under its SHA-256: a folder, the far end of an ssh connection. It knows no objects and
 * no git, and cannot be asked to think: what lies in its packs is known from a mirror (mirror.h).
 */
#ifndef VV_REMOTE_REMOTE_H
#define VV_REMOTE_REMOTE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/pool.h"
#include "base/progress.h"
#include "store/thin.h"

struct vv_remote;

/* One call at a time. Messages name the remote. */
struct vv_remote_ops {
	/* Calls fn for each pack in use, in any order; none when there is no store yet. */
	int (*list)(struct vv_remote *r, int (*fn)(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err),
		void *arg, struct vv_err *err);
	/*
	 * Reads these parts, whose order the remote may choose; `take` gets the bytes of part i from offset `off` of its
	 * pack on, piece by piece and in order. VV_ENOTFOUND: a pack is not there any more.
	 */
	int (*get)(struct vv_remote *r, const struct vv_extent *parts, size_t n,
		int (*take)(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err), void *arg,
		struct vv_err *err);
	/*
	 * Stores the file as the pack of that name; durable when it returns 0, or not there at all. What an earlier call
	 * has sent of it may be used. The remote checks its SHA-256. A pack that is there is no error.
	 */
	int (*put)(struct vv_remote *r, const struct vv_id *pack, const char *path, struct vv_progress *prog,
		struct vv_err *err);
	/* The packs are about to be relied upon: they are young from now on. VV_ENOTFOUND when one is gone. */
	int (*keep)(struct vv_remote *r, const struct vv_id *packs, size_t n, struct vv_err *err);
	void (*close)(struct vv_remote *r);
};

struct vv_remote {
	const struct vv_remote_ops *ops;
	char *name; /* its URL without secrets */
};

/* A folder with a store, made by the first put. */
VV_MUST_CHECK int vv_remote_folder(struct vv_remote **out, const char *dir, struct vv_err *err);
/* In memory: the twin that the others are tested against. */
VV_MUST_CHECK int vv_remote_memory(struct vv_remote **out, struct vv_err *err);
/*
 * A process that speaks to us as vv_remote_serve does. argv ends with NULL. VV_ENOTSUP when it does not: `what` then
 * says who was asked. Closing the remote ends it.
 */
VV_MUST_CHECK int vv_remote_pipe(
	struct vv_remote **out, const char *name, const char *const *argv, const char *what, struct vv_err *err);
/* The same over descriptors, which are closed with it, also after a failure. */
VV_MUST_CHECK int vv_remote_wired(struct vv_remote **out, const char *name, int in, int out_fd, struct vv_err *err);
/*
 * The store of the git repository at an ssh URL (ssh://[user@]host[:port]/path, [user@]host:path), by the varve there
 * and the user's own ssh (GIT_SSH_COMMAND, GIT_SSH; `command`: core.sshCommand, may be NULL). VV_ENOTSUP: no such URL.
 */
VV_MUST_CHECK int vv_remote_ssh(struct vv_remote **out, const char *url, const char *command, struct vv_err *err);
/* Is it a URL for vv_remote_ssh? */
bool vv_is_ssh_url(const char *url);
static inline void vv_remote_close(struct vv_remote *r)
{
	if (r)
		r->ops->close(r);
}

/*
 * The far end: answers what comes in on `in` until it ends, from the store in `dir`. Bad requests end it with
 * VV_EFORMAT. `readonly`: refuses put and keep. The words are in docs/format/pipe.md.
 */
VV_MUST_CHECK int vv_remote_serve(const char *dir, int in, int out, bool readonly, struct vv_err *err);

#endif
