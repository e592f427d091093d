/* A model's tensors in a new file: of another format, or of another type. */
#ifndef VV_MODEL_CONVERT_H
#define VV_MODEL_CONVERT_H

#include "model/model.h"

struct vv_convert {
	const struct vv_format *format; /* of the new file */
	enum vv_dtype to;               /* floats of f32, f16 and bf16 are cast to this one; VV_DT_BYTES: none is */
	const char *const *patterns;    /* fnmatch: only these tensors; n_patterns 0: all */
	size_t n_patterns;
};
/*
 * Writes it. Casts round to nearest, ties to even (codec/narrow.h); other types stay as they are. Tied
 * tensors are written once each. The note in the new file names the old one's SHA-256 and format.
 * VV_ENOTFOUND: a pattern matches nothing; VV_ENOTSUP: the format cannot hold a tensor, or there is
 * nothing to write. *written counts tensors.
 */
VV_MUST_CHECK int vv_convert(
	const struct vv_version *from, const struct vv_convert *how, struct vv_sink *out, size_t *written, struct vv_err *err);

#endif
