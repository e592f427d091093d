/*
 * Model file formats. A format locates tensors in a file's bytes; it opens nothing, executes
 * nothing, and allocates no more than the bytes it has seen can back. What it cannot read is kept
 * whole, as opaque bytes with a finding: versioning a file never fails because of its content.
 */
#ifndef VV_FORMAT_FORMAT_H
#define VV_FORMAT_FORMAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/dtype.h"
#include "base/source.h"
#include "format/coding.h"

/* Limits of every reader. */
enum {
	VV_MAX_DIMS = 8,
	VV_MAX_NAME = 4096,          /* bytes of a tensor name */
	VV_MAX_TENSORS = 1000000,
	VV_MAX_HEADER = 100000000,   /* bytes: safetensors' own cap */
	VV_MAX_FINDINGS = 64,
};

/* A named tensor seen through a segment's bytes. */
struct vv_view {
	const char *name;       /* raw bytes from the file, no NUL inside; unique in the layout */
	unsigned ndim;
	const uint64_t *shape;  /* ndim numbers */
	const uint64_t *stride; /* in elements; NULL: contiguous in row-major order */
	uint64_t offset;        /* first element, counted in elements from the segment's start */
	uint64_t padding;       /* elements that fill up a chunk and are none of the array's. Not in manifests: 0 there */
};

/* A run of the file's bytes. The segments of a layout touch and cover the file, in file order. */
struct vv_segment {
	uint64_t off, len; /* bytes */
	enum vv_dtype dtype; /* VV_DT_BYTES: opaque, no views */
	size_t n_views;    /* ≥ 1 for a tensor */
	const struct vv_view *views;
	/*
	 * Not 0: packed. The bytes are one coded stream, opaque to whoever keeps them; decoded they are `skip`
	 * bytes and then the elements, all of which each view sees.
	 */
	uint8_t coding; /* enum vv_coding */
	uint64_t skip;
};

/* Something a careful reader should know: shown by add, kept in the manifest. */
struct vv_finding {
	const char *code;   /* "truncated", "pickle-global", "duplicate-name", …: [a-z0-9-]+ */
	uint64_t off;       /* bytes from the start of the file */
	const char *detail; /* one line, may hold any bytes: quoted when shown */
};

struct vv_layout {
	const struct vv_format *format; /* never NULL after a locate */
	struct vv_arena arena;          /* owns all below */
	struct vv_segment *segs;
	size_t n_segs;
	struct vv_finding findings[VV_MAX_FINDINGS];
	size_t n_findings;
	uint64_t size;
};

/* What a reader reports to. Implemented in format/layout.c. */
struct vv_layout_build;
/* A tensor segment [off, off+len) with its views, in any order. VV_EFORMAT on overlap is decided at the end. */
VV_MUST_CHECK int vv_layout_tensor(struct vv_layout_build *b, uint64_t off, uint64_t len, enum vv_dtype dt,
	const struct vv_view *views, size_t n_views, struct vv_err *err);
/* A packed one. VV_EFORMAT also when such a stream cannot hold it. */
VV_MUST_CHECK int vv_layout_packed(struct vv_layout_build *b, const struct vv_segment *s, struct vv_err *err);
void vv_layout_finding(struct vv_layout_build *b, const char *code, uint64_t off, const char *fmt, ...)
	VV_PRINTF(4, 5);
struct vv_arena *vv_layout_arena(struct vv_layout_build *b);
/* Places that are reported from now on count from `off`: those of a file within the file. */
void vv_layout_within(struct vv_layout_build *b, uint64_t off);

/* A tensor that a file says lies in another one: told by a checkpoint's index, or as external data. */
struct vv_elsewhere {
	const char *file;      /* relative to the file's own folder, '/' between components, none of them ".." */
	bool suffix;           /* `file` stands behind the file's own name less its extension: vv_elsewhere_file */
	const char *name;      /* raw bytes from the file, no NUL inside */
	enum vv_dtype dtype;   /* with ndim and shape: only when `off` is known, and not `within`. VV_DT_BYTES: no dimensions */
	unsigned ndim;
	const uint64_t *shape;
	uint64_t off, len;     /* bytes in that file; off UINT64_MAX: that file's own tensor of this name */
	bool within;           /* what that file knows as its only tensor in these bytes; dtype and shape are its own */
};

/* Names are unique. In the order in which the file tells them. */
struct vv_elsewheres {
	struct vv_arena arena; /* owns all below */
	struct vv_elsewhere *items;
	size_t n;
};

/* A locate's answer: after all the file is none of this format's, and opaque without a finding. */
enum { VV_NOT_THIS = 1 };

enum vv_probe { VV_PROBE_NO, VV_PROBE_MAYBE, VV_PROBE_YES };

/* One tensor of the file that an assembler writes. */
struct vv_part {
	const char *name;
	enum vv_dtype dtype;
	unsigned ndim;
	const uint64_t *shape;
	uint64_t len;                  /* bytes, row-major, contiguous */
	const struct vv_source *bytes; /* exactly `len` long. Borrowed. */
	const char *blocks;            /* GGUF's name of the blocks that the u8 are; NULL: an old tensor must say it */
};

/* The wanted file: like `layout` (whose bytes are `source`), but with these tensors, in this order. */
struct vv_assembly {
	const struct vv_layout *layout;
	const struct vv_source *source;
	const struct vv_part *parts;
	size_t n_parts;
};

struct vv_graph; /* format/graph.h */

struct vv_format {
	const char *name; /* in manifests: never renamed */
	/* Cheap and pure; `head` is the file's first (up to) 4096 bytes. YES: an own signature was seen. */
	enum vv_probe (*probe)(struct vv_span head, uint64_t size);
	/*
	 * Reports tensors and findings. VV_EFORMAT or VV_ELIMIT: the wrapper drops what was reported but
	 * the findings, and keeps the file opaque. VV_NOT_THIS when nothing was reported. Any other code is passed on.
	 * NULL: no tensors.
	 */
	int (*locate)(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err);
	/*
	 * Writes the wanted file. VV_ENOTSUP when this format cannot hold the change. When only payloads
	 * differ from the layout's, the file must equal it in every other byte it does not derive
	 * (checksums, offsets). NULL: whole files only.
	 */
	int (*assemble)(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);
	/* For people: which sets of tensors it can write, where that is not any. */
	const char *sets;
	/*
	 * Appends a file without tensors, that `assemble` can make any other of. `note` says where its tensors come
	 * from, in printable ASCII without quotes: put where the format has a place for such. NULL: a new file is not to be had.
	 */
	void (*empty)(struct vv_buf *out, const char *note);
	/*
	 * Writes a new file with the parts of `a`, whose `source` is another file of this format: all that this one says stays,
	 * but for what the parts make untrue. `note` as above. NULL: `empty` serves, and nothing stays.
	 */
	int (*remake)(const struct vv_assembly *a, const char *note, struct vv_sink *out, struct vv_err *err);
	/*
	 * Reports with vv_elsewhere_add what lies in other files; what leads out of the folder is left out. NULL: this
	 * format names no other file.
	 */
	int (*elsewhere)(struct vv_elsewheres *out, const struct vv_source *src, struct vv_err *err);
	/* Called once chosen: this one, or another that files which begin alike may be of. NULL: this one. */
	const struct vv_format *(*variant)(const struct vv_source *src);
	/*
	 * What the model computes, into a graph that is empty but for its `room`; called by vv_graph_read, whose
	 * codes these are and which releases what a failure leaves. NULL: files of this format carry no graph.
	 */
	int (*graph)(struct vv_graph *out, const struct vv_source *src, struct vv_err *err);
};

/* All formats, strictest probe first; the last is "opaque". Ends with NULL. */
extern const struct vv_format *const vv_formats[];
/* NULL when no format has that name. */
const struct vv_format *vv_format_find(struct vv_span name);

/*
 * Finds the format by content and locates its tensors. Gaps become opaque segments; the result
 * always covers the file. Fails only when the source fails or memory is gone.
 */
VV_MUST_CHECK int vv_layout_locate(struct vv_layout *out, const struct vv_source *src, struct vv_err *err);
void vv_layout_release(struct vv_layout *l);
/* The segment and view of that name; false when there is none. */
bool vv_layout_find(const struct vv_layout *l, const char *name, size_t *seg, size_t *view);
/* The elements of a packed segment that a view must see, and their bytes; 1 when there is no telling. */
VV_MUST_CHECK int vv_packed_size(const struct vv_segment *s, uint64_t *numel, uint64_t *bytes);
/* Do all views of a packed segment see all of what its stream can hold? */
bool vv_packed_fits(const struct vv_segment *s);
/* Is the view's whole segment, contiguous: one tensor, one object. */
bool vv_view_is_whole(const struct vv_segment *s, const struct vv_view *v);
/* Writes a new file of the format with these tensors. VV_ENOTSUP when it cannot, or has none of a type. */
VV_MUST_CHECK int vv_assemble_new(const struct vv_format *f, const char *note, const struct vv_part *parts,
	size_t n_parts, struct vv_sink *out, struct vv_err *err);
/* The same from `like`, a file of the format, which says more than tensors: see the slot `remake`. */
VV_MUST_CHECK int vv_assemble_like(const struct vv_format *f, const struct vv_source *like, const char *note,
	const struct vv_part *parts, size_t n_parts, struct vv_sink *out, struct vv_err *err);
/* Wrapper of the slot: VV_ENOTSUP when it is NULL. Checks parts (unique names, length against shape) first. */
VV_MUST_CHECK int vv_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);

/*
 * Wrapper of the slot, format/elsewhere.c: nothing when it is NULL. Read from the file's bytes whenever it is wanted,
 * and no part of a manifest, which depends on its own file alone. `f` is the format that locating found. A failure
 * leaves `out` empty. Whether such files exist, and are so long, is for the caller to see.
 */
VV_MUST_CHECK int vv_elsewhere_read(
	const struct vv_format *f, const struct vv_source *src, struct vv_elsewheres *out, struct vv_err *err);
void vv_elsewheres_release(struct vv_elsewheres *e);
/* For readers: copies the item. VV_EUNSAFE: a path out of the folder. VV_EFORMAT: its length is not that of its shape. */
VV_MUST_CHECK int vv_elsewhere_add(struct vv_elsewheres *out, const struct vv_elsewhere *item, struct vv_err *err);
/* Why a path may lead out of the folder, as "an absolute path"; NULL: it does not. */
const char *vv_elsewhere_bad(struct vv_span file);
/* Appends the item's file as a path beside `own`, the path of the file that told of it. */
void vv_elsewhere_file(struct vv_buf *out, const struct vv_elsewhere *item, const char *own);

#endif
