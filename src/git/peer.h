/*
 * Other stores on this machine: those of remotes that are local paths. Objects missing here are
 * copied from them, and pushes to them carry the objects first.
 */
#ifndef VV_GIT_PEER_H
#define VV_GIT_PEER_H

#include "git/repo.h"

/*
 * Calls fn with each store of a local remote, and of their local remotes, four deep, until it returns
 * not 0; only a negative return is an error. One store may come twice.
 */
VV_MUST_CHECK int vv_peers_each(struct vv_repo *r, int (*fn)(void *arg, struct vv_store *peer, struct vv_err *err),
	void *arg, struct vv_err *err);
/* Those of `ids` that are not in our store, to `out`, which may be `ids`; how many there are. */
size_t vv_missing(struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_id *out);
/*
 * Copies what is missing of `ids` from the stores of local remotes, and of their local remotes, four
 * deep, then from those of other remotes (git/far.h). What none of them has stays missing: the caller looks again.
 * An error when something is missing and a remote that may have it did not answer.
 */
VV_MUST_CHECK int vv_peers_fetch(
	struct vv_repo *r, const struct vv_id *ids, size_t n, struct vv_progress *prog, struct vv_err *err);
/*
 * The store of the repository at `url`, when that is a local path; made when `create`. VV_ENOTSUP for
 * any other URL, VV_ENOTFOUND when it has none. Owned by the caller.
 */
VV_MUST_CHECK int vv_peer_open(
	struct vv_repo *r, const char *url, bool create, struct vv_store **out, struct vv_err *err);

/* The common git folder of the repository at `path`, owned by the caller. VV_ENOTFOUND when there is none. */
VV_MUST_CHECK int vv_git_dir_at(const char *path, char **out, struct vv_err *err);

#endif
