/*
 * How one file was merged: the three versions, the rules that were followed, the conflicts that are left. As text:
 * docs/format/resolution.md. Emitting is deterministic and parsing is its strict inverse.
 */
#ifndef VV_BLEND_RESOLUTION_H
#define VV_BLEND_RESOLUTION_H

#include "blend/policy.h"
#include "hash/gitoid.h"

enum {
	VV_RESOLUTION = 1, /* the format's version */
	VV_MAX_LEFT = VV_MAX_TENSORS + 1,
};

struct vv_left {
	const char *name; /* of a tensor, or VV_MERGE_FRAME_NAME, VV_MERGE_FILE_NAME */
	enum vv_merge_reason reason;
};
struct vv_resolution {
	struct vv_arena arena;      /* owns what is left, and after parsing the path */
	const char *path;           /* from the top */
	/* Manifests, by git's names: of the sides (base "": none), of what was made of them. */
	char base[VV_OID_HEX_MAX + 1], ours[VV_OID_HEX_MAX + 1], theirs[VV_OID_HEX_MAX + 1], result[VV_OID_HEX_MAX + 1];
	struct vv_policy rules;     /* in the order in which they were asked */
	struct vv_left *left;
	size_t n_left;
};
/* A zeroed one may be released. */
void vv_resolution_release(struct vv_resolution *r);
VV_MUST_CHECK int vv_resolution_emit(const struct vv_resolution *r, struct vv_buf *out, struct vv_err *err);
/* VV_EFORMAT names the line. VV_ENOTSUP: of a newer varve. A failure leaves `r` released. */
VV_MUST_CHECK int vv_resolution_parse(struct vv_resolution *r, struct vv_span text, struct vv_err *err);
/* Fills `left` from the conflicts of a plan. */
VV_MUST_CHECK int vv_resolution_left(struct vv_resolution *r, const struct vv_merge *m, struct vv_err *err);
/* "both-changed": in the text, and for scripts. */
const char *vv_merge_reason_word(enum vv_merge_reason reason);

#endif
