/* What emitting and parsing a manifest share: words, numbers, and the arithmetic of views. */
#ifndef VV_MODEL_MANIFEST_TEXT_H
#define VV_MODEL_MANIFEST_TEXT_H

#include "base/check.h"
#include "hash/sha256.h"
#include "model/manifest.h"

/* Every version's first line begins with these two and the version between them. */
#define VV_TEXT_MAGIC "varve "
#define VV_TEXT_STANDS " - this text stands for a model file"
#define VV_TEXT_LINE1 \
	VV_TEXT_MAGIC "1" VV_TEXT_STANDS "; \"varve checkout\" puts the file itself here"

/* The format's name of a directory. */
#define VV_TEXT_DIRECTORY "directory"
/* Between a file's path and its tensor's name, and before a finding's detail: two characters each. */
#define VV_TEXT_TENSOR_IN "//"
#define VV_TEXT_FINDING_IN ": "

enum {
	VV_TEXT_DETAIL = 4096, /* bytes of a finding's detail */
	VV_TEXT_WORD = 64,     /* bytes of a format's name or a finding's code */
};

/* Canonical decimal (no sign, no leading zero, fits 64 bits) at the start; moves past it. 1 when it is not. */
VV_MUST_CHECK int vv_text_number(struct vv_span *s, uint64_t *out);
/* The root of a text: what stands before and after its root line. */
VV_MUST_CHECK int vv_text_root(
	struct vv_span before, struct vv_span after, struct vv_id *root, struct vv_err *err);

/* Product of the dimensions; 1 on overflow. */
VV_MUST_CHECK int vv_shape_numel(const uint64_t *shape, unsigned ndim, uint64_t *numel);
/* Row-major without gaps, whether or not strides spell it out. */
bool vv_view_contiguous(const struct vv_view *v);
/* Elements from the view's first to its last, both included; 1 on overflow. */
VV_MUST_CHECK int vv_view_extent(const struct vv_view *v, uint64_t *extent);
/* Elements of a typed segment, packed or not; 1 when its bytes are no whole number of them. */
VV_MUST_CHECK int vv_segment_numel(const struct vv_segment *s, uint64_t *numel);

#endif
