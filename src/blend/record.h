/*
 * The record of a merge: what it was made of and how, as JSON in the new file. Format: docs/format/merge.md.
 * It lies in the metadata of safetensors, under the key "varve.merge".
 */
#ifndef VV_BLEND_RECORD_H
#define VV_BLEND_RECORD_H

#include "base/buf.h"
#include "blend/recipe.h"

enum { VV_MERGE_RECORD = 1 }; /* its version */

/* One model of it. Borrowed. */
struct vv_record_input {
	const char *path;      /* as it was named */
	const char *manifest;  /* git's name of its manifest; "" when it has none */
	struct vv_id sha256;   /* of the file */
};

/* Its text; `in` has r->n_models. A name that is not UTF-8 is "?". */
VV_MUST_CHECK int vv_record_emit(
	struct vv_buf *out, const struct vv_recipe *r, const struct vv_record_input *in, struct vv_err *err);

struct vv_record {
	struct vv_arena arena; /* owns all below */
	const char *text;      /* as it lies in the file */
	const char *made_by;   /* the version of varve */
	struct vv_record_input *in; /* r.n_models */
	struct vv_recipe r;    /* its models are called "0", "1", … */
};
/* Of a safetensors file. VV_ENOTFOUND: it has none. VV_ENOTSUP: one of a newer varve. VV_EFORMAT: it is not well-formed. */
VV_MUST_CHECK int vv_record_read(struct vv_record *out, const struct vv_version *v, struct vv_err *err);
void vv_record_release(struct vv_record *r);
/*
 * A safetensors file without tensors, with the record in its metadata beside what `like` has there ("format": "pt" when it
 * has none, or is of another format). vv_blend_write makes the others of it.
 */
VV_MUST_CHECK int vv_record_head(
	struct vv_buf *out, const struct vv_version *like, const char *text, struct vv_err *err);

#endif
