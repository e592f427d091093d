/*
 * HDF5 files, as h5py and Keras write them: which datasets there are, and where their elements lie.
 * After the HDF5 File Format Specification, version 3. Structures that have a checksum are checked.
 */
#ifndef VV_FORMAT_HDF5_H
#define VV_FORMAT_HDF5_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "format/format.h"

/* More levels than any file's trees have. */
enum { VV_HDF5_LEVELS = 32 };
/* An address that points nowhere: nothing was written. */
#define VV_HDF5_NONE UINT64_MAX

/* --- hdf5_io.c: the bytes --- */

/* A range of the file, in addresses. */
struct vv_hdf5_range {
	uint64_t off, len;
	bool tensor;
};

/* A file within a source. Addresses count from its superblock. */
struct vv_hdf5 {
	const struct vv_source *src;
	uint64_t at, len;             /* where the superblock lies in `src`, and the bytes from there on */
	uint64_t room;                /* bytes of structures that may still be read */
	unsigned off_width, len_width; /* bytes of an address and of a length */
	struct vv_arena *arena;
	struct vv_map seen;           /* addresses of structures, each of which may be come upon once */
	struct vv_hdf5_range *ranges; /* of structures that were read */
	size_t n_ranges, cap_ranges;
	struct vv_buf heap;           /* the heap of attributes that was read last, which lies at: */
	uint64_t heap_at;
	/* Attribute messages of the objects that are read go there, as they come. NULL: they are not wanted. */
	int (*attribute)(struct vv_hdf5 *h, struct vv_span body, struct vv_err *err);
	void *attribute_ctx;
};

void vv_hdf5_init(struct vv_hdf5 *h, const struct vv_source *src, uint64_t at, uint64_t len, struct vv_arena *arena);
void vv_hdf5_release(struct vv_hdf5 *h);
/* Jenkins' lookup3. */
uint32_t vv_hdf5_checksum(struct vv_span s);
/* Are the last four bytes the checksum of the others? `addr` is for the message. */
VV_MUST_CHECK int vv_hdf5_check(struct vv_span s, uint64_t addr, const char *what, struct vv_err *err);
/* A few bytes. */
VV_MUST_CHECK int vv_hdf5_peek(const struct vv_hdf5 *h, uint64_t addr, void *dst, size_t len, struct vv_err *err);
/*
 * A whole structure, in place of what `out` held. Structures do not overlap, so that together they are
 * no longer than the file: VV_EFORMAT past twice that. Nothing is allocated for bytes that are not there.
 */
VV_MUST_CHECK int vv_hdf5_load(struct vv_hdf5 *h, uint64_t addr, uint64_t len, struct vv_buf *out, struct vv_err *err);
/* *added: it was not seen before. */
VV_MUST_CHECK int vv_hdf5_see(struct vv_hdf5 *h, uint64_t addr, bool *added, struct vv_err *err);
/* VV_EFORMAT when it was seen before. */
VV_MUST_CHECK int vv_hdf5_once(struct vv_hdf5 *h, uint64_t addr, struct vv_err *err);
VV_MUST_CHECK int vv_hdf5_claim(struct vv_hdf5 *h, uint64_t addr, uint64_t len, bool tensor, struct vv_err *err);
/* VV_EFORMAT when a tensor shares a byte with a structure or another tensor. */
VV_MUST_CHECK int vv_hdf5_disjoint(struct vv_hdf5 *h, struct vv_err *err);
/* A number of 1 to 8 bytes; an address; a length. 1 when too few are left. */
VV_MUST_CHECK int vv_hdf5_number(struct vv_cursor *c, unsigned width, uint64_t *v);
VV_MUST_CHECK int vv_hdf5_addr(const struct vv_hdf5 *h, struct vv_cursor *c, uint64_t *v);
VV_MUST_CHECK int vv_hdf5_length(const struct vv_hdf5 *h, struct vv_cursor *c, uint64_t *v);
VV_MUST_CHECK int vv_hdf5_skip(struct vv_cursor *c, size_t n);
/* Rounded down; 0 of 0. */
unsigned vv_hdf5_log2(uint64_t v);

/* --- hdf5_header.c: one object --- */

/* Why a dataset has no tensor. */
enum vv_hdf5_why {
	VV_HDF5_OK,
	VV_HDF5_BIG_ENDIAN,
	VV_HDF5_TYPE,   /* no type of varve's */
	VV_HDF5_DIMS,   /* more than VV_MAX_DIMS */
	VV_HDF5_CHUNKED, /* through filters, or in an order, that varve does not read */
	VV_HDF5_LAYOUT, /* of a version that varve does not read */
	VV_HDF5_EXTERNAL,
	VV_HDF5_WHY_COUNT
};

/* Where chunks are looked up. Version 4 of the layout numbers them so. */
enum vv_hdf5_index {
	VV_HDF5_TREE, /* of version 1 */
	VV_HDF5_SINGLE,
	VV_HDF5_IMPLICIT,
	VV_HDF5_FIXED,
	VV_HDF5_EXTENSIBLE,
	VV_HDF5_TREE2,
};

enum { VV_HDF5_FILTERS = 3 }; /* that varve reads: each may stand there once */

struct vv_hdf5_object {
	bool has_space, has_type, has_layout; /* all three: a dataset */
	enum vv_hdf5_why why;    /* of a dataset; in `type_why` and `place_why` what each message says */
	enum vv_hdf5_why type_why, place_why;
	unsigned ndim;
	uint64_t shape[VV_MAX_DIMS], max[VV_MAX_DIMS]; /* UINT64_MAX: without limit */
	bool null;               /* a dataset without any element */
	enum vv_dtype dtype;
	uint32_t width;          /* bytes of an element */
	bool opaque;             /* whose meaning HDF5 does not know */
	bool says_bf16;          /* but an attribute does */
	uint64_t addr, len;      /* where the elements are, or the chunks' index is; VV_HDF5_NONE: never written */
	bool compact;            /* they are in the header */
	uint64_t sum_from, sum_at; /* then: from where to where the checksum behind them counts; equal: there is none */
	unsigned n_chunk;        /* 0: not in chunks */
	uint64_t chunk[VV_MAX_DIMS + 1]; /* shape of a chunk, then the bytes of an element */
	enum vv_hdf5_index chunk_index;
	bool wide_lengths;       /* the index has lengths as wide as any */
	bool odd_edges;          /* chunks that reach past the shape are not filtered */
	uint32_t single_mask;    /* of the only chunk when it is filtered; its bytes are in `len` */
	bool has_filters;
	unsigned n_filters;
	uint32_t shuffled;       /* bytes of what is shuffled */
	uint8_t filters[VV_HDF5_FILTERS]; /* steps of a coding, in the order in which they are taken */
	bool is_group;
	uint64_t tree, heap;     /* old groups: the names' B-tree and heap, or VV_HDF5_NONE */
	uint64_t links, index;   /* new ones: the fractal heap of links and its B-tree, or VV_HDF5_NONE */
};

/* A link message's body. Borrowed. */
typedef int vv_hdf5_body_fn(void *ctx, struct vv_span body, struct vv_err *err);
/* Reads the object's header. Its links go to `link` as they come, so before it is known to be sound. */
VV_MUST_CHECK int vv_hdf5_object(struct vv_hdf5 *h, uint64_t addr, struct vv_hdf5_object *out, vv_hdf5_body_fn *link,
	void *ctx, struct vv_err *err);

/* --- hdf5_attribute.c --- */

struct vv_hdf5_attribute {
	struct vv_span name, type; /* the name with its NUL */
	struct vv_cursor value;
};
/* 1: one that is not read, of another version, or with parts that stand elsewhere. VV_EFORMAT: cut short. */
VV_MUST_CHECK int vv_hdf5_attribute_parse(struct vv_span body, struct vv_hdf5_attribute *out, struct vv_err *err);
bool vv_hdf5_attribute_is(const struct vv_hdf5_attribute *a, const char *name);
/* Its text, or the first of several, in place of what `out` held: nothing when it is no text. */
VV_MUST_CHECK int vv_hdf5_attribute_text(
	struct vv_hdf5 *h, const struct vv_hdf5_attribute *a, struct vv_buf *out, struct vv_err *err);
/*
 * *is: it says that opaque elements are bfloat16, as Keras has it, which HDF5's makers had no name for: two opaque
 * bytes, and beside them `dtype`. Untouched otherwise.
 */
VV_MUST_CHECK int vv_hdf5_says_bf16(struct vv_hdf5 *h, struct vv_span body, bool *is, struct vv_err *err);

/* --- hdf5_chunks.c: a dataset in chunks --- */

struct vv_hdf5_chunk {
	uint64_t at[VV_MAX_DIMS]; /* its first element */
	uint64_t addr, len;
	uint32_t mask;            /* filters that were left out, by bit */
};
typedef int vv_hdf5_chunk_fn(void *ctx, const struct vv_hdf5_chunk *chunk, struct vv_err *err);
/* Every chunk that was written and has elements of the dataset, which must be VV_HDF5_OK. */
VV_MUST_CHECK int vv_hdf5_chunks(
	struct vv_hdf5 *h, const struct vv_hdf5_object *o, vv_hdf5_chunk_fn *fn, void *ctx, struct vv_err *err);

/* --- hdf5_tree.c: B-trees of version 2 --- */

/* Borrowed: valid until it returns. */
typedef int vv_hdf5_record_fn(void *ctx, struct vv_span record, struct vv_err *err);
/* Every record of the tree at `at`, whose records must be of that type and length. */
VV_MUST_CHECK int vv_hdf5_records(struct vv_hdf5 *h, uint64_t at, unsigned type, unsigned record, vv_hdf5_record_fn *fn,
	void *ctx, struct vv_err *err);

/* --- hdf5_group.c: what a group holds --- */

enum vv_hdf5_link_kind { VV_HDF5_HARD, VV_HDF5_SOFT, VV_HDF5_OUTSIDE, VV_HDF5_USER };

struct vv_hdf5_link {
	enum vv_hdf5_link_kind kind;
	struct vv_span name;
	uint64_t addr;         /* of the object: VV_HDF5_HARD */
	struct vv_span target; /* the other file's name: VV_HDF5_OUTSIDE */
};

typedef int vv_hdf5_link_fn(void *ctx, const struct vv_hdf5_link *link, struct vv_err *err);
/* 1 for a broken one. Borrowed from `body`. */
VV_MUST_CHECK int vv_hdf5_link_parse(const struct vv_hdf5 *h, struct vv_span body, struct vv_hdf5_link *out);
/* The links of an old group, and those that a new one keeps in a heap. */
VV_MUST_CHECK int vv_hdf5_symbols(
	struct vv_hdf5 *h, uint64_t tree, uint64_t heap, vv_hdf5_link_fn *fn, void *ctx, struct vv_err *err);
VV_MUST_CHECK int vv_hdf5_dense(
	struct vv_hdf5 *h, uint64_t heap, uint64_t index, vv_hdf5_link_fn *fn, void *ctx, struct vv_err *err);

/* --- hdf5_texts.c: texts that hang on the root --- */

struct vv_hdf5_text {
	const char *name;
	struct vv_buf text; /* stays empty when there is no such attribute, or it is no text */
	bool seen;
};
/*
 * Reads these attributes of the file's root. Only those in its header: a file of the newest kind that has
 * more than a few keeps them in a heap. VV_EFORMAT, VV_ELIMIT: they, or the header, cannot be read.
 */
VV_MUST_CHECK int vv_hdf5_texts(struct vv_hdf5_text *texts, size_t n, const struct vv_source *src, struct vv_err *err);

/* --- hdf5.c: the file --- */

/* Begins to read the file that lies there in the source. `h` is released by the caller in any case. */
VV_MUST_CHECK int vv_hdf5_open(struct vv_hdf5 *h, const struct vv_source *src, uint64_t off, uint64_t len,
	struct vv_arena *arena, uint64_t *root, struct vv_err *err);

/* Reports the tensors of the file that lies there in the source, a user block before it included. */
VV_MUST_CHECK int vv_hdf5_locate(
	struct vv_layout_build *b, const struct vv_source *src, uint64_t off, uint64_t len, struct vv_err *err);

/* That file with other elements in its datasets. */
struct vv_hdf5_patched {
	struct vv_source base;
	const struct vv_source *old;
	uint64_t off;
	struct vv_hdf5_patch *patches; /* sorted */
	size_t n;
};
/* VV_ENOTSUP for any other set of tensors than the layout's. Released by the caller in any case. */
VV_MUST_CHECK int vv_hdf5_patch(
	struct vv_hdf5_patched *p, const struct vv_assembly *a, uint64_t off, uint64_t len, struct vv_err *err);
void vv_hdf5_patched_release(struct vv_hdf5_patched *p);

/* --- hdf5_write.c: files of our own --- */

/* Groups by the '/' in names; `note` is the attribute "varve" of the first. */
void vv_hdf5_empty(struct vv_buf *out, const char *note);
/* Any tensors in a file that was made so; 1: this one was not. VV_ENOTSUP: names or types that HDF5 has not. */
VV_MUST_CHECK int vv_hdf5_rewrite(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);

#endif
