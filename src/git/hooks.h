/*
 * The hooks by which model files follow git: post-index-change, post-checkout, post-merge,
 * post-rewrite, post-applypatch, post-commit, pre-push. Installed beside what is there: an existing
 * hook is kept as <name>.before-varve and called first.
 */
#ifndef VV_GIT_HOOKS_H
#define VV_GIT_HOOKS_H

#include "git/repo.h"

/* NULL-terminated. */
extern const char *const vv_hook_names[];

enum vv_hook_state { VV_HOOK_ABSENT, VV_HOOK_OURS, VV_HOOK_FOREIGN };
/* What stands in this repository's hooks folder (core.hooksPath counts) under that name. */
VV_MUST_CHECK int vv_hook_state(
	const struct vv_repo *r, const char *name, enum vv_hook_state *state, struct vv_err *err);
/* Installs what is missing; *changed counts the files written (may be NULL). */
VV_MUST_CHECK int vv_hooks_install(const struct vv_repo *r, unsigned *changed, struct vv_err *err);
/* Puts back what was there before. */
VV_MUST_CHECK int vv_hooks_remove(const struct vv_repo *r, struct vv_err *err);

#endif
