/* Three versions of one file, merged by rules into a fourth. The merge driver, `varve resolve` and `varve status` use it. */
#ifndef VV_GIT_THREEWAY_H
#define VV_GIT_THREEWAY_H

#include "blend/policy.h"
#include "git/repo.h"

struct vv_threeway_side {
	struct vv_buf text;
	struct vv_manifest m;
	struct vv_model_source bytes;
	struct vv_version v;
	char oid[VV_OID_HEX_MAX + 1]; /* of the text as git's blob; "" when there is none */
};
struct vv_threeway {
	struct vv_repo *repo;
	const char *path;
	struct vv_threeway_side side[3]; /* by vv_merge_side; a base that there is not has no text */
	struct vv_merge plan;
	bool dirs;             /* all sides are manifests of directories */
	struct vv_err unmixed; /* why tensors that a rule wanted to be mixed are conflicts all the same */
};
/* Borrows both. The caller fills the texts, before it calls anything below. */
void vv_threeway_init(struct vv_threeway *t, struct vv_repo *r, const char *path);
void vv_threeway_release(struct vv_threeway *t);
VV_MUST_CHECK int vv_threeway_parse(struct vv_threeway *t, struct vv_err *err);
/* False, too, of what is not parsed. */
bool vv_threeway_is_dir(const struct vv_threeway *t, enum vv_merge_side side);
/*
 * Fills t->plan. Of weights nothing is read, but where the format knows no better. A directory's items are its files in
 * conflict, without a lineup. VV_ECONFLICT: a directory on one side, a model on the other.
 */
VV_MUST_CHECK int vv_threeway_plan(struct vv_threeway *t, struct vv_err *err);
/*
 * Makes the file, into the store: its manifest's text. Conflicts that are left are ours in it. What is read is fetched
 * before, and nothing else. Where numbers cannot be mixed (a NaN) the rules that mix are dropped from `p`, the others are
 * asked again, and t->unmixed tells why. VV_ECONFLICT: a file of one side lies where the other has a folder.
 */
VV_MUST_CHECK int vv_threeway_make(
	struct vv_threeway *t, struct vv_policy *p, struct vv_buf *text, struct vv_err *err);

#endif
