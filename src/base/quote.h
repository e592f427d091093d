/*
 * Names from files, as one line of text. Quoted form: a JSON string in which control, bidirectional,
 * zero-width and other invisible characters are \uXXXX, and bytes that are not UTF-8 are \xNN.
 * Unquoting is the strict inverse: it accepts exactly what quoting yields.
 */
#ifndef VV_BASE_QUOTE_H
#define VV_BASE_QUOTE_H

#include "base/buf.h"

void vv_quote(struct vv_buf *out, struct vv_span name);
/* Reads one quoted name at the start of `*text` and moves past it. 1 when it is not one. */
VV_MUST_CHECK int vv_unquote(struct vv_buf *out, struct vv_span *text);
/* The same text for a terminal: no quotes around it, everything unsafe escaped. */
void vv_printable(struct vv_buf *out, struct vv_span name);
/* Length in bytes of the UTF-8 character at the start, and its code point; 0 when invalid. */
size_t vv_utf8(struct vv_span s, uint32_t *cp);
/* The UTF-8 of a code point up to 0x10ffff. */
void vv_put_utf8(struct vv_buf *out, uint32_t cp);
/* Does it hold a character that quoting hides, or bytes that are not UTF-8? */
bool vv_has_unseen(struct vv_span name);

#endif
