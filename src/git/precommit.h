/* The pre-commit hook. */
#ifndef VV_GIT_PRECOMMIT_H
#define VV_GIT_PRECOMMIT_H

#include "git/repo.h"

/* Fails, naming the file, when a manifest that is to be committed is none: lines of two versions. */
VV_MUST_CHECK int vv_precommit(struct vv_repo *r, struct vv_err *err);

#endif
