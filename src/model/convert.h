/* A model's tensors in a new file: of another format, or of another type. */
#ifndef VV_MODEL_CONVERT_H
#define VV_MODEL_CONVERT_H

#include "model/model.h"

enum vv_quant { VV_QUANT_NONE, VV_QUANT_INT8, VV_QUANT_Q8_0 };

struct vv_convert {
	const struct vv_format *format; /* of the new file */
	enum vv_dtype to;               /* what can be cast is cast to this one; VV_DT_BYTES: nothing is */
	const char *const *patterns;    /* fnmatch: only these tensors; n_patterns 0: all */
	size_t n_patterns;
	enum vv_quant quant;
};
/*
 * Writes it. Casts and rounding are those of model/cast.h; other types stay as they are. Tied tensors are written
 * once each. The note in the new file names the old one's SHA-256 and format, and the new type. A GGUF file made of one
 * keeps its pairs of key and value but for those that are no longer so.
 *
 * VV_QUANT_INT8: of two dimensions and more, by the first; the scales come behind each as "<name>.scale", or
 * "<name>.scale_1" and so on where that is taken. VV_QUANT_Q8_0, for GGUF: of two dimensions and more when rows are
 * blocks; vectors become f32. What else there is stays.
 *
 * VV_ENOTFOUND: a pattern matches nothing; VV_ENOTSUP: the format cannot hold a tensor, a number has no such form,
 * or there is nothing to write. *written counts tensors, scales too.
 */
VV_MUST_CHECK int vv_convert(
	const struct vv_version *from, const struct vv_convert *how, struct vv_sink *out, size_t *written, struct vv_err *err);

#endif
