/* Which rules are asked for a file: from git's configuration and attributes. */
#ifndef VV_GIT_MERGEPOLICY_H
#define VV_GIT_MERGEPOLICY_H

#include "blend/policy.h"
#include "git/repo.h"

/*
 * Rules in the order in which they are asked: those of varve.merge (the command line's, the worktree's, the repository's,
 * the user's, the system's), then what the attribute varve-merge names: a method, or a section [varve-merge "NAME"]. None
 * when the attribute is unset. VV_EUSAGE: a rule is none, and where it stands. `p` is the caller's to release.
 *
 * .gitattributes come with branches, and git may already have those of the other side: an attribute counts only when the
 * user's own side, as it was before the command, says the same. Otherwise foreign->code is set, and what was passed over.
 */
VV_MUST_CHECK int vv_merge_policy(
	const struct vv_repo *r, const char *path, struct vv_policy *p, struct vv_err *foreign, struct vv_err *err);

#endif
