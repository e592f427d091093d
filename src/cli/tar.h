/* The few words of tar (POSIX ustar with pax headers) that are needed to replace a file in git's archive. */
#ifndef VV_CLI_TAR_H
#define VV_CLI_TAR_H

#include "base/buf.h"

enum { VV_TAR_BLOCK = 512, VV_TAR_RECORD = 20 * VV_TAR_BLOCK };

/* A header as it lies in the archive. */
struct vv_tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
		owner[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct vv_tar_header) == VV_TAR_BLOCK, "a tar header is one block");

/* 1 when it is no ustar header, or its size is no number. */
VV_MUST_CHECK int vv_tar_parse(const struct vv_tar_header *h, uint64_t *size);
/* The "size" record of a pax header's content; false when it has none. */
bool vv_tar_pax_size(struct vv_span pax, uint64_t *size);
/* "<prefix>/<name>" or, where pax has it, the long path; owned by the caller, NULL without memory. */
char *vv_tar_path(const struct vv_tar_header *h, struct vv_span pax);
/*
 * Appends the headers of a file that is like this one but `size` bytes long: a pax header when
 * `pax` (the records it had, may be empty) is not empty or the size needs one, then its own.
 */
void vv_tar_emit(struct vv_buf *out, const struct vv_tar_header *h, struct vv_span pax, uint64_t size,
	const char *pax_name);
/* Gives a header another path and mode; appends to `pax` what does not fit. */
void vv_tar_set(struct vv_tar_header *h, const char *path, unsigned mode, struct vv_buf *pax);
/* Bytes to the end of the block. */
size_t vv_tar_padding(uint64_t size);

#endif
