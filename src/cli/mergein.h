/* The models that a merge takes: files, folders, versions. */
#ifndef VV_CLI_MERGEIN_H
#define VV_CLI_MERGEIN_H

#include "cli/bytes.h"
#include "blend/plan.h"
#include "blend/record.h"

struct vv_mergein {
	size_t n;
	struct vv_named *named;
	struct vv_bytes *bytes;
	struct vv_blend_model *models; /* for a plan */
	struct vv_record_input *record;
	char **folder; /* of each, when a folder was named, with a slash at its end; else NULL */
};
/* A zeroed one may be released; so is one that failed. `names` are borrowed until then. */
VV_MUST_CHECK int vv_mergein_open(struct vv_ctx *ctx, struct vv_mergein *m, const char *const *names, size_t n);
/* The same, and all tensors have ids: of a file outside of git they are not known else, and reading it takes twice as long. */
VV_MUST_CHECK int vv_mergein_open_ids(struct vv_ctx *ctx, struct vv_mergein *m, const char *const *names, size_t n);
/*
 * Those of a record, by their SHA-256: among `given`, or by git's name of the manifest. VV_ENOTFOUND names one that is in
 * neither.
 */
VV_MUST_CHECK int vv_mergein_recorded(
	struct vv_ctx *ctx, struct vv_mergein *m, const struct vv_record *r, char *const *given, size_t n_given);
/* VV_ECHANGED when a file is not what it was when it was opened. */
VV_MUST_CHECK int vv_mergein_unchanged(struct vv_ctx *ctx, const struct vv_mergein *m);
void vv_mergein_release(struct vv_mergein *m);

#endif
