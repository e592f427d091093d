/* The records of a zip archive, for zip.c and zip_rewrite.c. */
#ifndef VV_FORMAT_ZIP_RECORDS_H
#define VV_FORMAT_ZIP_RECORDS_H

#include "base/le.h"
#include "format/zip.h"

/* Lengths of the records' fixed parts. */
enum { ZIP_LOCAL = 30, ZIP_CENTRAL = 46, ZIP_END = 22, ZIP_LOCATOR = 20, ZIP_END64 = 56 };

#define ZIP_SIG_LOCAL 0x04034b50u
#define ZIP_SIG_CENTRAL 0x02014b50u
#define ZIP_SIG_END 0x06054b50u
#define ZIP_SIG_LOCATOR 0x07064b50u
#define ZIP_SIG_END64 0x06064b50u
#define ZIP_SIG_DESCRIPTOR 0x08074b50u
/* In place of a number that stands in the zip64 field or record. */
#define ZIP_IN64 0xffffffffu
#define ZIP_IN64_COUNT 0xffffu

enum zip_flags { ZIP_HAS_DESCRIPTOR = 1 << 3, ZIP_UTF8 = 1 << 11 };

/* A sink that adds up a CRC-32 and hands on, unless `to` is NULL. */
struct zip_crc {
	struct vv_sink base;
	struct vv_sink *to;
	uint32_t crc;
};
void vv_zip_crc_init(struct zip_crc *c, struct vv_sink *to);

/* A window over the source that moves forward. */
enum { ZIP_WINDOW = 256 << 10 };
struct zip_window {
	const struct vv_source *src;
	uint8_t *buf; /* ZIP_WINDOW bytes. Owned. */
	uint64_t off;
	size_t len;
};
/* `n` ≤ ZIP_WINDOW bytes at `off`. Borrowed: valid until the next call. */
VV_MUST_CHECK int vv_zip_at(
	struct zip_window *w, uint64_t off, size_t n, const uint8_t **out, struct vv_err *err);

/* Fixed part and the lengths of the three texts behind it: the entry at `off`, which ends by `end`. */
VV_MUST_CHECK int vv_zip_entry(struct zip_window *w, uint64_t off, uint64_t end, const uint8_t **out, size_t *len,
	struct vv_err *err);
/* The field's own bytes; .ptr is NULL when there is none. 1 when the fields are broken or it is there twice. */
VV_MUST_CHECK int vv_zip_extra(struct vv_span extra, uint16_t id, struct vv_span *out);
/* Fills in, from the zip64 field and in their order, the numbers that the record says are there. 1: they are not. */
int vv_zip_numbers64(struct vv_span extra, uint64_t *const *numbers, size_t n);

#endif
