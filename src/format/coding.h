/*
 * Coded streams that hold a tensor: a deflated member of a zip archive, a filtered chunk of HDF5. They are
 * kept as they are; here is what they are called, what they may claim, and how they are read.
 */
#ifndef VV_FORMAT_CODING_H
#define VV_FORMAT_CODING_H

#include "base/dtype.h"
#include "base/source.h"

/* A coding is some of these steps, or'ed, in the order in which a writer takes them; 0: the bytes are the elements. */
enum vv_coding {
	VV_CODE_SHUFFLE = 1,    /* first all first bytes of the elements, then all second ones, … */
	VV_CODE_DEFLATE = 2,    /* bare, as in a zip archive */
	VV_CODE_ZLIB = 4,       /* deflated, with zlib's header and sum around it */
	VV_CODE_FLETCHER32 = 8, /* HDF5's sum behind it */
};

/* The word in manifests, "shuffle-zlib"; NULL when there is none for it. A constant. */
const char *vv_coding_name(unsigned coding);
/* 1 when no coding has that name. */
VV_MUST_CHECK int vv_coding_find(unsigned *out, struct vv_span name);
/*
 * Can `len` bytes be `skip` bytes and `bytes` of elements of that type? Says no to what no such stream can
 * hold, so that a claim costs no more than the bytes that make it.
 */
bool vv_coding_holds(unsigned coding, uint64_t len, enum vv_dtype dt, uint64_t skip, uint64_t bytes);

/*
 * The elements: exactly `bytes` of them, in memory that is taken as they come out. Owned by the caller.
 * VV_EFORMAT when the stream is broken, or holds more or less.
 */
VV_MUST_CHECK int vv_coding_decode(uint8_t **out, unsigned coding, enum vv_dtype dt, const struct vv_source *src,
	uint64_t off, uint64_t len, uint64_t skip, uint64_t bytes, struct vv_err *err);

/*
 * The start of a deflated stream as a source, for what stands before the elements: each read inflates
 * anew, and none may go past VV_MAX_INFLATED_HEAD.
 */
enum { VV_MAX_INFLATED_HEAD = (1 << 20) + 64 };
struct vv_inflated_head {
	struct vv_source base; /* its size is the one claimed */
	const struct vv_source *src;
	uint64_t off, len;
};
void vv_inflated_head_init(struct vv_inflated_head *h, const struct vv_source *src, uint64_t off, uint64_t len,
	uint64_t claimed);

#endif
