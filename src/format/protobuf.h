/*
 * The wire format of Protocol Buffers, without schemas: a reader that pulls fields one by one and
 * keeps nothing, and an editor that replaces ranges of a file and mends the lengths around them.
 * Bytes of a field are never read unless they are asked for, so large ones are stepped over.
 */
#ifndef VV_FORMAT_PROTOBUF_H
#define VV_FORMAT_PROTOBUF_H

#include "base/buf.h"
#include "base/source.h"

enum {
	VV_PB_DEPTH = 64, /* of messages in messages */
	VV_PB_WINDOW = 4096,
	VV_PB_VARINT = 10, /* bytes of the longest */
};

/* The wire types in use; groups (3, 4) are refused. */
enum vv_pb_wire { VV_PB_NUMBER = 0, VV_PB_FIXED64 = 1, VV_PB_BYTES = 2, VV_PB_FIXED32 = 5 };

/* A file and the piece of it that was read last. Shared by all its messages, used by one thread. */
struct vv_pb_input {
	const struct vv_source *src; /* borrowed */
	uint64_t at;
	size_t n;
	uint8_t window[VV_PB_WINDOW];
};

/* What is left of a message: [at, end) of the file. A copy of it is a second place in it. */
struct vv_pb {
	struct vv_pb_input *in;
	struct vv_pb *parent; /* the message it is a field of; NULL: the file */
	uint64_t at, end;
	uint64_t len_at, body; /* where its length stands, and where it began */
	unsigned depth;
	size_t edit; /* of its length, plus 1; private to the editor */
};

struct vv_pb_field {
	uint32_t number; /* 0: there is no field */
	enum vv_pb_wire wire;
	uint64_t value;       /* of the three numeric types */
	uint64_t off, len;    /* the bytes, or the number's own */
	uint64_t start, len_at; /* where its key stands, and its length */
};

/* The whole of `src` as a message. `in` and `src` are borrowed. */
void vv_pb_init(struct vv_pb *m, struct vv_pb_input *in, const struct vv_source *src);
/* The next field; number 0 at the message's end. VV_EFORMAT: broken, or longer than the message. */
VV_MUST_CHECK int vv_pb_next(struct vv_pb *m, struct vv_pb_field *f, struct vv_err *err);
/*
 * The field, of type VV_PB_BYTES, as a message or a run of packed numbers. VV_EFORMAT: it is of another
 * type. VV_ELIMIT: too deep. `child` borrows `parent`, which stays where it is.
 */
VV_MUST_CHECK int vv_pb_enter(
	struct vv_pb *child, struct vv_pb *parent, const struct vv_pb_field *f, struct vv_err *err);
/* One number of a packed run. */
VV_MUST_CHECK int vv_pb_varint(struct vv_pb *m, uint64_t *v, struct vv_err *err);
/* The field's bytes, in the place of what `out` held; VV_ELIMIT when they pass out's maximum. */
VV_MUST_CHECK int vv_pb_bytes(
	const struct vv_pb *m, const struct vv_pb_field *f, struct vv_buf *out, struct vv_err *err);
/* VV_EFORMAT when the field has another type. */
VV_MUST_CHECK int vv_pb_want(const struct vv_pb_field *f, enum vv_pb_wire wire, struct vv_err *err);

/* --- writing --- */

void vv_pb_put_varint(struct vv_buf *out, uint64_t v);
void vv_pb_put_key(struct vv_buf *out, uint32_t number, enum vv_pb_wire wire);
void vv_pb_put_bytes(struct vv_buf *out, uint32_t number, struct vv_span bytes);

/* Replacements in a file, collected in the file's order. Begins as VV_PB_EDITS_INIT. */
struct vv_pb_edits {
	struct vv_pb_edit *v;
	size_t n, cap;
	struct vv_buf text;
};

#define VV_PB_EDITS_INIT {NULL, 0, 0, VV_BUF_INIT(VV_MAX_TEXT)}

/*
 * In place of [at, end), a range of whole fields of `m` or all bytes of one of them, comes `text` and
 * behind it `bytes` (borrowed; may be NULL). `m` and the messages around it must stay where they are
 * until the last edit within them.
 */
VV_MUST_CHECK int vv_pb_replace(struct vv_pb_edits *e, struct vv_pb *m, uint64_t at, uint64_t end, struct vv_span text,
	const struct vv_source *bytes, struct vv_err *err);
/* Writes the file as edited, once. VV_ENOTSUP: it would become larger than any reader takes. */
VV_MUST_CHECK int vv_pb_rewrite(
	struct vv_pb_edits *e, const struct vv_source *src, struct vv_sink *out, struct vv_err *err);
void vv_pb_edits_release(struct vv_pb_edits *e);

#endif
