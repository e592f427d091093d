/*
 * Zip archives, read as PyTorch and NumPy write them: by the central directory, zip64 included. Where
 * local headers and directory disagree, members overlap or names repeat, that is told: two readers
 * could see two archives. After PKWARE's APPNOTE 6.3.
 */
#ifndef VV_FORMAT_ZIP_H
#define VV_FORMAT_ZIP_H

#include "base/buf.h"
#include "format/format.h"

enum { VV_MAX_MEMBERS = 1000000, VV_MAX_SALVAGED = 1 << 17 };

struct vv_zip_member {
	const char *name;        /* as in the directory; no NUL inside. Borrowed from the arena */
	uint64_t off, len;       /* where its stored bytes lie in the file */
	uint64_t raw_len;        /* when inflated; len when stored */
	uint64_t header;         /* offset of its local header */
	uint64_t end;            /* where its record ends: after the data descriptor, if it has one */
	uint64_t entry;          /* offset of its directory entry */
	uint32_t crc;            /* that the directory claims */
	uint16_t method;         /* 0 stored, 8 deflated */
	uint16_t flags;          /* in the directory */
	uint16_t local_flags;    /* in the local header: a difference is worth a finding */
};

struct vv_zip {
	struct vv_zip_member *members; /* in the directory's order. Borrowed: valid until the arena's release */
	size_t n;
	uint64_t directory;      /* offset of the central directory */
	uint64_t directory_end;  /* after its last entry: end records follow */
	uint64_t stray;          /* bytes before the directory that belong to no member */
	uint64_t stray_at;       /* the first of them */
	bool zip64;
};

/* Does the file begin with a local header? */
bool vv_zip_probe(struct vv_span head);
/* Would a reader that begins at the end, and minds no bytes before or after, take it for an archive? */
bool vv_zip_trails(const struct vv_source *src);
/*
 * Reads the directory and every member's local header. VV_EFORMAT for what is no archive or lies about
 * itself (overlap, names that differ or repeat, members outside the file, encrypted or spanned ones);
 * VV_ELIMIT past VV_MAX_MEMBERS. Nothing larger than the bytes that back it is allocated. After a
 * failure *out has the members read so far, each inside the file, for those who look for what hides there.
 */
VV_MUST_CHECK int vv_zip_read(
	struct vv_zip *out, const struct vv_source *src, struct vv_arena *arena, struct vv_err *err);
/*
 * After such a failure: every member that some directory entry of the file leads to, whatever its end records, names and
 * flags say, for those who look for what hides there. They may overlap. *all: there are no more. Reads the whole file.
 */
VV_MUST_CHECK int vv_zip_salvage(
	struct vv_zip *out, const struct vv_source *src, struct vv_arena *arena, bool *all, struct vv_err *err);
/* Findings on an archive of another format than PyTorch's: bytes of nobody, flags that differ, a pickle of PyTorch. */
void vv_zip_report(const struct vv_zip *z, struct vv_layout_build *b);
/* NULL when there is none. Linear. */
const struct vv_zip_member *vv_zip_find(const struct vv_zip *z, const char *name);
/*
 * Appends the member's raw bytes, inflated when it is deflated; VV_ELIMIT past out->max, and nothing
 * is appended after a failure. The CRC is checked: *crc_ok tells.
 */
VV_MUST_CHECK int vv_zip_load(const struct vv_source *src, const struct vv_zip_member *m, struct vv_buf *out,
	bool *crc_ok, struct vv_err *err);
/* Only whether the CRC is right, of a member of any size: it is read, and inflated, piece by piece. */
VV_MUST_CHECK int vv_zip_check(
	const struct vv_source *src, const struct vv_zip_member *m, bool *crc_ok, struct vv_err *err);

/*
 * Rewrites an archive with other bytes in some members, and nothing else changed: every local header,
 * extra field, padding and directory entry stays, but for CRC-32s, sizes and the offsets that follow
 * from them. `replaced` has one entry per member, in the directory's order: NULL keeps its bytes.
 * VV_ENOTSUP when a replaced member is deflated. A longer or shorter member keeps the next payloads
 * aligned as they were (`align`, a power of two: 64 for PyTorch, 1 for NumPy), by the length of its
 * padding field. VV_ENOTSUP also when there is no such field, or when a size or an offset outgrows 32
 * bits where the archive has no zip64 field for it.
 */
VV_MUST_CHECK int vv_zip_rewrite(const struct vv_zip *z, const struct vv_source *src,
	const struct vv_source *const *replaced, unsigned align, struct vv_sink *out, struct vv_err *err);

/* A new archive, member by member, byte for byte as Python's zipfile writes one for np.savez. */
struct vv_zip_writer {
	struct vv_sink *out;
	uint64_t at, n; /* bytes and members so far */
	struct vv_buf dir;
	struct zip_window *old; /* over the directory that members are kept of */
};
void vv_zip_writer_init(struct vv_zip_writer *w, struct vv_sink *out);
/* Stores `bytes`, which are read twice. Nothing checks that the name is new. */
VV_MUST_CHECK int vv_zip_writer_add(
	struct vv_zip_writer *w, const char *name, const struct vv_source *bytes, struct vv_err *err);
/* A member of another archive, as it is. */
VV_MUST_CHECK int vv_zip_writer_keep(struct vv_zip_writer *w, const struct vv_zip_member *m,
	const struct vv_source *src, struct vv_err *err);
VV_MUST_CHECK int vv_zip_writer_end(struct vv_zip_writer *w, struct vv_err *err);
void vv_zip_writer_release(struct vv_zip_writer *w);

#endif
