/* The pre-commit hook. */
#ifndef VV_GIT_PRECOMMIT_H
#define VV_GIT_PRECOMMIT_H

#include "git/repo.h"

/*
 * Fails, naming the file, when a manifest that is to be committed is none: lines of two versions. `warn` (may be NULL) is
 * told of directories with files that their manifests do not have, and of files with conflicts that nobody settled.
 */
VV_MUST_CHECK int vv_precommit(struct vv_repo *r, void (*warn)(void *arg, const char *path, const struct vv_err *why),
	void *arg, struct vv_err *err);

#endif
