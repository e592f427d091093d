/*
 * Zip archives, read as PyTorch and NumPy write them: by the central directory, zip64 included. Where
 * local headers and directory disagree, members overlap or names repeat, that is told: two readers
 * could see two archives. After PKWARE's APPNOTE 6.3.
 */
#ifndef VV_FORMAT_ZIP_H
#define VV_FORMAT_ZIP_H

#include "format/format.h"

enum { VV_MAX_MEMBERS = 1000000 };

struct vv_zip_member {
	const char *name;        /* as in the directory; no NUL inside. Borrowed from the arena */
	uint64_t off, len;       /* where its stored bytes lie in the file */
	uint64_t raw_len;        /* when inflated; len when stored */
	uint64_t header;         /* offset of its local header */
	uint32_t crc;            /* that the directory claims */
	uint16_t method;         /* 0 stored, 8 deflated */
	uint16_t flags;
};

struct vv_zip {
	struct vv_zip_member *members; /* in the directory's order. Borrowed: valid until the arena's release */
	size_t n;
	uint64_t directory;      /* offset of the central directory */
	bool zip64;
};

/* Does the file begin with a local header? */
bool vv_zip_probe(struct vv_span head);
/*
 * Reads the directory and every member's local header. VV_EFORMAT for what is no archive or lies about
 * itself (overlap, names that differ or repeat, members outside the file, encrypted or spanned ones);
 * VV_ELIMIT past VV_MAX_MEMBERS. Nothing larger than the bytes that back it is allocated.
 */
VV_MUST_CHECK int vv_zip_read(
	struct vv_zip *out, const struct vv_source *src, struct vv_arena *arena, struct vv_err *err);
/* NULL when there is none. Linear. */
const struct vv_zip_member *vv_zip_find(const struct vv_zip *z, const char *name);
/* Appends the member's raw bytes, inflated when it is deflated; VV_ELIMIT past out->max. The CRC is checked: *crc_ok tells. */
VV_MUST_CHECK int vv_zip_load(const struct vv_source *src, const struct vv_zip_member *m, struct vv_buf *out,
	bool *crc_ok, struct vv_err *err);

/*
 * Rewrites an archive with other bytes in some members, and nothing else changed: every local header,
 * extra field, padding and directory entry stays, but for CRC-32s, sizes and the offsets that follow
 * from them. `replaced` has one entry per member, in the directory's order: NULL keeps its bytes.
 * VV_ENOTSUP when a replaced member is deflated. A longer or shorter member keeps the next payloads
 * aligned as they were (`align`: 64 for PyTorch, 1 for NumPy), by the length of its padding field.
 */
VV_MUST_CHECK int vv_zip_rewrite(const struct vv_zip *z, const struct vv_source *src,
	const struct vv_source *const *replaced, unsigned align, struct vv_sink *out, struct vv_err *err);

#endif
