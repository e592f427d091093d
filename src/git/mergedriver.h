/* The merge driver: called by git merge, rebase, cherry-pick, revert, stash pop and merge-tree. */
#ifndef VV_GIT_MERGEDRIVER_H
#define VV_GIT_MERGEDRIVER_H

#include "git/repo.h"

struct vv_merge_words {
	const char *base, *ours, *theirs; /* files with the three manifests; base may be empty */
	const char *path;                 /* the model's, relative to the top */
	/*
	 * git makes one merge base out of several: where both sides changed something the new base has what theirs had, so
	 * that the merge proper sees both changes. It never has conflicts, and no rules are asked.
	 */
	bool virtual_base;
	void (*conflict)(void *arg, const char *tensor, const char *reason);
	/* One line for people: a rule that settled something, or one that is not followed. */
	void (*note)(void *arg, const char *text);
	void *arg;
};
/*
 * The result is written to `ours`. VV_ECONFLICT when tensors conflict: `conflict` was told each, and `ours` has of them
 * ours, of all others what was merged. After any other failure it is as it was.
 */
VV_MUST_CHECK int vv_merge_driver(struct vv_repo *r, const struct vv_merge_words *w, struct vv_err *err);

#endif
