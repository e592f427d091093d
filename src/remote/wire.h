/* Lines and bytes over two descriptors. What the other side claims is read piece by piece, never allocated. */
#ifndef VV_REMOTE_WIRE_H
#define VV_REMOTE_WIRE_H

#include "base/err.h"
#include "base/span.h"

#include <stdarg.h>

#define VV_WIRE_GREETING "varve store 1"
enum { VV_WIRE_LINE = 640, VV_WIRE_BUFFER = 256 << 10 };

struct vv_wire {
	int in, out;
	const char *name; /* borrowed: of the other side, for messages */
	size_t from, to;  /* of what was read and not yet taken */
	uint8_t *buf;
};
VV_MUST_CHECK int vv_wire_init(struct vv_wire *w, int in, int out, const char *name, struct vv_err *err);
void vv_wire_release(struct vv_wire *w);
/* A line without its LF; valid until the next read. VV_ENOTFOUND at the end, VV_EFORMAT when it is too long or has a NUL. */
VV_MUST_CHECK int vv_wire_line(struct vv_wire *w, char **line, struct vv_err *err);
/* The next n bytes, in pieces. */
VV_MUST_CHECK int vv_wire_bytes(struct vv_wire *w, uint64_t n,
	int (*take)(void *arg, struct vv_span bytes, struct vv_err *err), void *arg, struct vv_err *err);
VV_MUST_CHECK int vv_wire_say(struct vv_wire *w, struct vv_err *err, const char *fmt, ...) VV_PRINTF(3, 4);
VV_MUST_CHECK int vv_wire_write(struct vv_wire *w, struct vv_span bytes, struct vv_err *err);
/* Up to `max` words of a line, which is cut up; one more than max when there are more. */
size_t vv_wire_words(char *line, char **words, size_t max);
/* A decimal number that an object or pack can have as its size. */
VV_MUST_CHECK int vv_wire_number(const char *word, uint64_t *out);

#endif
