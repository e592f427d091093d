/*
 * Manifests by name ("<oid>", "REV:path"), read through one git cat-file; the last few stay. For walks
 * over history, where the new side of one commit is the old side of the next.
 */
#ifndef VV_CLI_SHELF_H
#define VV_CLI_SHELF_H

#include "git/repo.h"
#include "model/manifest.h"

enum { VV_SHELF_SLOTS = 4 };

struct vv_shelf_slot {
	char *name;
	struct vv_manifest *m; /* NULL: there is none, or it is no manifest */
	uint64_t used;
};
struct vv_shelf {
	const struct vv_repo *repo;
	struct vv_blobs blobs;
	struct vv_shelf_slot slots[VV_SHELF_SLOTS];
	uint64_t clock;
};
#define VV_SHELF_INIT(repo) {(repo), VV_BLOBS_INIT, {{0}}, 0}

/*
 * *out is NULL when git has no such blob, or it is no manifest that we read. Borrowed: valid for the next
 * three calls.
 */
VV_MUST_CHECK int vv_shelf_get(
	struct vv_shelf *s, const char *name, const struct vv_manifest **out, struct vv_err *err);
void vv_shelf_release(struct vv_shelf *s);
/* Only zeros: git's word for "nothing", or "not known yet". */
bool vv_oid_is_zero(const char *oid);

#endif
