/* Writing a file for the same set of tensors: other payloads where the old ones are, all else as it is. */
#ifndef VV_FORMAT_INPLACE_H
#define VV_FORMAT_INPLACE_H

#include "format/format.h"

/*
 * A format's `assemble` where the rest of the file does not depend on the payloads. Names, types and
 * shapes must be the layout's, in any order; its views must be whole segments. Views of one segment
 * must be given the same bytes. VV_ENOTSUP otherwise.
 */
VV_MUST_CHECK int vv_inplace_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);
/* The part to write for each segment, or NULL where there is no tensor, by the same rules. `of` has room for all. */
VV_MUST_CHECK int vv_inplace_match(const struct vv_assembly *a, const struct vv_part **of, struct vv_err *err);

#endif
