/* What a PyTorch archive holds. Private to torch*.c: readers of models use format.h. */
#ifndef VV_FORMAT_TORCH_H
#define VV_FORMAT_TORCH_H

#include "base/map.h"
#include "format/format.h"
#include "format/pickle.h"
#include "format/zip.h"

/* A storage: the bytes of one member <top>/data/<key>, seen by any number of tensors. */
struct vv_torch_storage {
	struct vv_span key; /* borrowed from the pickle */
	uint32_t type;      /* the node that names its type */
	enum vv_dtype dtype; /* of its elements; VV_DT_BYTES: of none that we know, or of several */
	bool untyped;       /* its size is in bytes, and its type that of its tensors */
	uint64_t bytes;
	size_t member;      /* in the archive; SIZE_MAX: not looked for */
	bool opaque;        /* no tensor of it is told */
	size_t n_tensors;
};

struct vv_torch_tensor {
	struct vv_view view;
	enum vv_dtype dtype;
	size_t storage;
	uint32_t value;  /* the node that stands for it in its container: the call, or a Parameter's around it */
	uint32_t parent; /* the list, tuple or dictionary it is an item of; 0: something else */
	uint32_t slot;   /* its place among the items there */
};

/* All tensors of a pickle, in its order, and their storages in the order of first mention. */
struct vv_torch_tree {
	struct vv_torch_tensor *tensors;
	size_t n_tensors, cap_tensors;
	struct vv_torch_storage *storages;
	size_t n_storages, cap_storages;
	struct vv_map keys; /* of storages */
};

struct vv_torch {
	struct vv_zip zip;
	struct vv_buf text; /* data.pkl */
	struct vv_pickle pickle;
	struct vv_torch_tree tree;
	size_t top;      /* length of the name before the slash that all members begin with */
	size_t data_pkl; /* the member */
};

/*
 * Reads the archive. Findings go to `b`, which may be NULL. VV_EFORMAT: broken, or it lies about itself.
 * Released by the caller in any case; tensors' names and shapes are borrowed from the arena.
 */
VV_MUST_CHECK int vv_torch_read(struct vv_torch *t, const struct vv_source *src, struct vv_arena *arena,
	struct vv_layout_build *b, struct vv_err *err);
void vv_torch_release(struct vv_torch *t);
/* The views of each storage, in the pickle's order. */
VV_MUST_CHECK int vv_torch_report(const struct vv_torch *t, struct vv_layout_build *b, struct vv_err *err);
/* The member's name after the common folder, or NULL for one outside it. */
const char *vv_torch_member(const struct vv_torch *t, size_t i);

/* VV_EFORMAT names what is wrong, *off where in the pickle. */
VV_MUST_CHECK int vv_torch_tree_make(struct vv_torch_tree *tree, const struct vv_pickle *p, struct vv_arena *arena,
	uint32_t *off, struct vv_err *err);
/*
 * Which tensors each storage has: storage i's are numbers [g[i], g[i + 1]) of the list that follows,
 * g + n_storages + 1. Owned by the caller; NULL when memory is gone.
 */
size_t *vv_torch_tree_group(const struct vv_torch_tree *tree);
void vv_torch_tree_release(struct vv_torch_tree *tree);

/* The tensor's rebuild call within its value, and the place of that call's arguments; 0: it is a bare storage. */
uint32_t vv_torch_call(const struct vv_pickle *p, uint32_t value, uint32_t *args);
/* The name of its legacy storage class, or NULL; and of its type: "float8_e5m2". */
const char *vv_torch_storage_name(enum vv_dtype dt);
const char *vv_torch_type_name(enum vv_dtype dt);

/* --- writing --- */

/* The part for each tensor of the tree (NULL: not wanted), and which parts no tensor took. */
struct vv_torch_match {
	const struct vv_part **of_tensor;
	bool *taken;      /* by part */
	bool same;        /* all tensors are wanted as they are, and no others */
};

/*
 * A storage's new bytes: the old ones, with the parts of its tensors laid over. Overlapping parts must
 * agree: VV_ENOTSUP while reading. Keeps a CRC-32 of what was read in order. Not for several threads.
 */
struct vv_torch_bytes;
/* Borrows all. `n` tensors of the tree with parts for them. NULL when memory is gone. */
struct vv_torch_bytes *vv_torch_bytes_new(const struct vv_source *old, uint64_t off, uint64_t len);
VV_MUST_CHECK int vv_torch_bytes_add(struct vv_torch_bytes *s, const struct vv_torch_tensor *t,
	const struct vv_part *part, struct vv_err *err);
void vv_torch_bytes_free(struct vv_torch_bytes *s);
const struct vv_source *vv_torch_bytes_source(const struct vv_torch_bytes *s);
VV_MUST_CHECK int vv_torch_bytes_crc(const struct vv_torch_bytes *s, uint32_t *crc, struct vv_err *err);

/* PyTorch's way to add up CRC-32s, and names, to the id of a file. */
uint64_t vv_torch_combine(uint64_t seed, uint64_t value);
enum { VV_TORCH_ID = 40 }; /* bytes of that id: two decimal numbers of 20 digits */

/* The alignment of payloads that the archive asks for. */
VV_MUST_CHECK int vv_torch_align(
	const struct vv_torch *t, const struct vv_source *src, unsigned *align, struct vv_err *err);
/* Is the part what the tensor is, but for its bytes? */
bool vv_torch_same_kind(const struct vv_torch_tensor *t, const struct vv_part *p);

/* A storage of a new archive: an old one's, or a part's own. */
struct vv_torch_payload {
	size_t old; /* SIZE_MAX: a part's */
	const struct vv_part *part;
};
/*
 * Appends to `pickle` the one for another tensor set, and lists the storages that it names, whose keys
 * are their numbers. `payloads` has room for all old ones and all parts. Changes t->pickle.
 */
VV_MUST_CHECK int vv_torch_edit(struct vv_torch *t, const struct vv_assembly *a, const struct vv_torch_match *match,
	struct vv_arena *arena, struct vv_buf *pickle, struct vv_torch_payload *payloads, size_t *n_payloads,
	struct vv_err *err);
/* Writes the archive with that pickle and these storages. */
VV_MUST_CHECK int vv_torch_archive(const struct vv_torch *t, const struct vv_assembly *a,
	const struct vv_torch_match *match, struct vv_span pickle, const struct vv_torch_payload *payloads,
	size_t n_payloads, struct vv_arena *arena, struct vv_sink *out, struct vv_err *err);
int vv_torch_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);
/* The same, but VV_ENOTSUP unless only bytes differ, so that the length stays. */
VV_MUST_CHECK int vv_torch_assemble_same(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err);

/* --- torch_dcp.c: archives one after the other --- */

/* An archive of a run, as a source of its own. */
struct vv_torch_part {
	struct vv_source base;
	const struct vv_source *of;
	uint64_t off;
};
/* Does another archive end where the last one begins? Reads a few hundred bytes. */
bool vv_torch_is_run(const struct vv_source *src);
/* All of them, in the file's order. Owned by the caller. VV_EFORMAT when there is anything else between them. */
VV_MUST_CHECK int vv_torch_run(
	struct vv_torch_part **out, size_t *n, const struct vv_source *src, struct vv_err *err);

/* Members of a new archive, as PyTorch lays them out. */
struct vv_torch_writer {
	struct vv_sink *out;
	unsigned align;
	uint64_t at; /* bytes written */
	size_t n;
	uint64_t ids[2]; /* the file's id so far: of names, of payloads */
	struct vv_buf directory;
};
VV_MUST_CHECK int vv_torch_put(
	struct vv_torch_writer *w, const char *name, const struct vv_source *bytes, struct vv_err *err);
VV_MUST_CHECK int vv_torch_put_end(struct vv_torch_writer *w, struct vv_err *err);
/* What torch.save({}) is, but for what newer versions add. */
void vv_torch_empty(struct vv_buf *out, const char *note);

#endif
