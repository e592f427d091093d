/* Where kept numbers (diff/kept.h) lie: <store>/stats/<key>. Whatever fails there costs time only. */
#ifndef VV_CLI_KEPTFILE_H
#define VV_CLI_KEPTFILE_H

#include "cli/cli.h"
#include "git/roots.h"
#include "diff/kept.h"

/* Loads what is kept; nothing in a repository without a store. */
void vv_keptfile_load(const struct vv_repo *r, struct vv_kept *k);
/* Keeps it: a file that appears whole. */
void vv_keptfile_save(const struct vv_repo *r, const struct vv_kept *k);
/* Removes what is damaged, or speaks of an object that is not `live`. */
void vv_keptfile_clear(const struct vv_repo *r, const struct vv_ids *live);

#endif
