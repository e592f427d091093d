/*
 * NumPy's array format, alone in a file or as a member of an .npz: magic, version, header length, a
 * Python dict in a tiny literal grammar, the elements. After numpy/lib/format.py.
 */
#ifndef VV_FORMAT_NPY_H
#define VV_FORMAT_NPY_H

#include "base/buf.h"
#include "format/format.h"

enum { VV_MAX_NPY_HEADER = 1 << 20 };

struct vv_npy {
	enum vv_dtype dtype;  /* VV_DT_BYTES: elements that stay opaque (records, text, dates, objects) */
	bool fortran;         /* the first index runs fastest */
	unsigned ndim;
	uint64_t shape[VV_MAX_DIMS];
	uint64_t data;        /* bytes of all that precedes the elements */
	uint64_t len;         /* bytes of the elements */
	const char *finding;  /* code of what the reader should know: "pickle", "big-endian"; or NULL */
};

/*
 * Reads the header of the array in [off, off + size). VV_EFORMAT also when the elements do not fill
 * the rest exactly; only pickled objects and records may have any length.
 */
VV_MUST_CHECK int vv_npy_read(
	struct vv_npy *out, const struct vv_source *src, uint64_t off, uint64_t size, struct vv_err *err);
/* Reports the array at `off` to a layout: its tensor, its finding. */
VV_MUST_CHECK int vv_npy_report(
	struct vv_layout_build *b, const struct vv_npy *npy, uint64_t off, const char *name, struct vv_err *err);
/* The same of one that is deflated in the `len` bytes at `off`. */
VV_MUST_CHECK int vv_npy_report_deflated(struct vv_layout_build *b, const struct vv_npy *npy, uint64_t off, uint64_t len,
	const char *name, struct vv_err *err);

/* An array with other elements, as a source of its file's bytes. */
struct vv_npy_bytes {
	struct vv_source base;
	struct vv_buf head;
	const struct vv_source *data; /* the part's, or `turned` */
	uint8_t *owned;               /* the elements in Fortran order, when that was asked for */
	struct vv_source_mem turned;
};
/*
 * The array at `off` of `src`, with the part's elements: under its old header when type and shape are
 * the same, else under the header that np.save would write. `old` NULL: a new array. VV_ENOTSUP for
 * a type that NumPy does not have, and for more than `*room` bytes that would have to be turned into
 * Fortran order in memory; *room is lessened by those that were. Borrows the part's source.
 */
VV_MUST_CHECK int vv_npy_bytes_init(struct vv_npy_bytes *n, const struct vv_part *part, const struct vv_npy *old,
	const struct vv_source *src, uint64_t off, uint64_t *room, struct vv_err *err);
void vv_npy_bytes_release(struct vv_npy_bytes *n);
#define VV_MAX_NPY_TURNED ((uint64_t)256 << 20)

#endif
