/* What has to live: the objects that manifests in git's object database name. */
#ifndef VV_GIT_ROOTS_H
#define VV_GIT_ROOTS_H

#include "base/map.h"
#include "git/repo.h"
#include "model/manifest.h"

struct vv_ids {
	struct vv_id *v;
	size_t n, cap;
	struct vv_map set; /* keys live in the arena */
	struct vv_arena arena;
};
void vv_ids_release(struct vv_ids *ids);
bool vv_ids_has(const struct vv_ids *ids, const struct vv_id *id);

struct vv_roots_report {
	/* Called for each manifest. May be NULL. */
	int (*manifest)(void *arg, const char *oid, const struct vv_manifest *m, struct vv_err *err);
	/* A blob that begins like a manifest and is none. May be NULL. */
	void (*broken)(void *arg, const char *oid, const struct vv_err *why);
	void *arg;
	size_t manifests;
	size_t unreadable; /* out: objects that git has and cannot read, or has pruned while we looked */
	bool complete;     /* out: false in a shallow or partial clone, or when something is unreadable */
};

/*
 * The ids of every manifest blob in the object database, reachable or not: refs, reflogs, index,
 * stash and worktrees included. Repositories that borrow objects from this one count too.
 */
VV_MUST_CHECK int vv_roots_all(
	struct vv_repo *r, struct vv_ids *out, struct vv_roots_report *report, struct vv_err *err);
/* What is pushed, an oid a line. `list` is what git gives pre-push on its input. */
VV_MUST_CHECK int vv_pushed_tips(struct vv_span list, struct vv_buf *out, struct vv_err *err);
/*
 * The ids of all that lies behind what is pushed, but for the history of `sent` (an oid a line), and, when
 * `remote` is a remote's name or URL, of what git says that it has. *complete: nothing was hidden from
 * us, as in a shallow or partial clone, in an object that cannot be read, or in a newer manifest.
 */
VV_MUST_CHECK int vv_roots_pushed(struct vv_repo *r, const char *remote, struct vv_span list, struct vv_span sent,
	struct vv_ids *out, bool *complete, struct vv_err *err);

#endif
