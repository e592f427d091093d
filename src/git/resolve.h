/* Conflicts of one file, settled tensor by tensor until the file can be staged. */
#ifndef VV_GIT_RESOLVE_H
#define VV_GIT_RESOLVE_H

#include "git/conflict.h"
#include "git/sync.h"
#include "git/threeway.h"

struct vv_resolve {
	struct vv_threeway t;
	struct vv_resolution res; /* the rules so far; what is left is in t.plan */
};
/*
 * Takes up where the last one stopped, or begins with the rules of the configuration. VV_ENOTSUP: a file
 * that one side does not have, or that is a directory on one side. `u` is borrowed until the release; a failure is released.
 */
VV_MUST_CHECK int vv_resolve_open(
	struct vv_resolve *s, struct vv_repo *r, const struct vv_unmerged *u, struct vv_err *err);
void vv_resolve_release(struct vv_resolve *s);
/*
 * Settles by one more rule what is left. *matched counts the conflicts that its pattern fits, *settled those that it
 * settled; a rule that settles none is not kept.
 */
VV_MUST_CHECK int vv_resolve_rule(struct vv_resolve *s, struct vv_span pattern, struct vv_span how, size_t *matched,
	size_t *settled, struct vv_err *err);
/*
 * Puts the model, or a directory's files, into the worktree, and stages it when nothing is left (*staged). VV_ECHANGED:
 * what stands there is neither what the merge put there nor one of its sides. A note that cannot be written is told
 * report->kept. Nothing is changed before the new model is in
 * the store.
 */
VV_MUST_CHECK int vv_resolve_finish(
	struct vv_resolve *s, bool *staged, struct vv_sync_report *report, struct vv_err *err);

/* What is left of a file, from its record when there is one: nothing is read of models then. Codes as of open. */
VV_MUST_CHECK int vv_resolve_left(
	struct vv_repo *r, const struct vv_unmerged *u, struct vv_resolution *out, struct vv_err *err);

/*
 * Merges the three versions again, by the same rules. *same: that makes the manifest that it made then. `sha256`: of the
 * sides' files, by vv_merge_side.
 */
VV_MUST_CHECK int vv_resolution_replay(struct vv_repo *r, struct vv_resolution *res, bool *same,
	struct vv_id sha256[3], struct vv_err *err);

#endif
