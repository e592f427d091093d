/*
 * Where what was measured lies, beside the store: kept numbers (diff/kept.h) in stats/<key>, sketches (diff/sketch.h) in
 * sketches/<key>. Whatever fails there costs time only.
 */
#ifndef VV_CLI_KEPTFILE_H
#define VV_CLI_KEPTFILE_H

#include "cli/cli.h"
#include "cli/whole.h"
#include "git/roots.h"
#include "diff/kept.h"
#include "diff/sketch.h"

/* Loads what is kept; nothing in a repository without a store. */
void vv_keptfile_load(const struct vv_repo *r, struct vv_kept *k);
/* Keeps it: a file that appears whole. */
void vv_keptfile_save(const struct vv_repo *r, const struct vv_kept *k);
/* Adds the sketches of a model, of all its files. */
void vv_sketchfile_load(const struct vv_repo *r, const struct vv_named *n, struct vv_sketches *s);
/*
 * Makes and keeps those sketches of a model that are not in `s` yet, of a version whose bytes are in the store. VV_ENOTFOUND:
 * they are not.
 */
VV_MUST_CHECK int vv_sketchfile_make(struct vv_ctx *ctx, const struct vv_named *n, struct vv_sketches *s);
/* Removes what is damaged, or speaks of an object that is not `live`. */
void vv_keptfile_clear(const struct vv_repo *r, const struct vv_ids *live);
/* How many bytes all of it takes. */
uint64_t vv_keptfile_usage(const struct vv_repo *r);

#endif
