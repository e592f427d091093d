/*
 * A strict JSON reader that pulls values one by one and keeps nothing: memory does not grow with a
 * header of 100 MB, order and duplicates are visible, offsets are exact. RFC 8259, UTF-8 only.
 */
#ifndef VV_FORMAT_JSONSCAN_H
#define VV_FORMAT_JSONSCAN_H

#include "base/buf.h"

enum { VV_JSON_DEPTH = 512, VV_JSON_END = 2 };

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
/*
 * Any value, stepped over, and its text when `text` is not NULL. Python's NaN and Infinity pass. 1 also
 * when values lie more than VV_JSON_DEPTH deep in each other.
 */
VV_MUST_CHECK int vv_json_value(struct vv_json *j, struct vv_span *text);
/*
 * The members of an object and the items of an array, one by one; *n counts them and begins as 0. After a
 * key its value is next, which the caller takes. VV_JSON_END: there are no more.
 */
VV_MUST_CHECK int vv_json_member(struct vv_json *j, size_t *n, struct vv_buf *key);
VV_MUST_CHECK int vv_json_item(struct vv_json *j, size_t *n);
/* The values of some of an object's keys in one pass; empty where there is none. The last of a key counts. */
VV_MUST_CHECK int vv_json_pick(struct vv_span object, const char *const *keys, struct vv_span *out, size_t n);
/* Nothing but white space is left. */
VV_MUST_CHECK int vv_json_end(struct vv_json *j);

#endif
