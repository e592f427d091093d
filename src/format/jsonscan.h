/*
 * A strict JSON reader that pulls values one by one and keeps nothing: memory does not grow with a
 * header of 100 MB, order and duplicates are visible, offsets are exact. RFC 8259, UTF-8 only.
 */
#ifndef VV_FORMAT_JSONSCAN_H
#define VV_FORMAT_JSONSCAN_H

#include "base/buf.h"

enum { VV_JSON_DEPTH = 64 };

struct vv_json {
	struct vv_span text;
	size_t at;
};

/* All return 0, or 1 when the next thing is not that: then `at` is where it went wrong. */
VV_MUST_CHECK int vv_json_char(struct vv_json *j, char c); /* white space before it is skipped */
bool vv_json_peek(struct vv_json *j, char c);
/* Replaces `out`; VV_MAX_NAME-like limits are out's maximum. */
VV_MUST_CHECK int vv_json_string(struct vv_json *j, struct vv_buf *out);
/* Digits only: no sign, fraction, exponent or leading zero. */
VV_MUST_CHECK int vv_json_u64(struct vv_json *j, uint64_t *out);
/* Any value, of at most VV_JSON_DEPTH objects and arrays in each other. `text` takes one string at a time. */
VV_MUST_CHECK int vv_json_skip(struct vv_json *j, struct vv_buf *text);
/* Nothing but white space is left. */
VV_MUST_CHECK int vv_json_end(struct vv_json *j);

#endif
