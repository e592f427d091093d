/* The numbers of a diff, measured before anybody asks. */
#ifndef VV_CLI_DIFFKEEP_H
#define VV_CLI_DIFFKEEP_H

#include "cli/cli.h"

/*
 * Measures all models that differ between two commits or trees, and sketches them, where that is not kept already.
 * What is not on this machine is passed over.
 */
VV_MUST_CHECK int vv_diff_keep(struct vv_ctx *ctx, const char *a, const char *b);
/* In a hook, after a commit: has that done by a process of its own, later. Whatever fails there costs time only. */
void vv_measure_later(void);

#endif
