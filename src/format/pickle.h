/*
 * Python pickles, read without Python: a symbolic machine builds nodes and never imports, calls or
 * evaluates. Structure comes only from the 34 opcodes that PyTorch's own weights-only reader takes;
 * of the other 34 the lengths and effects on the stack are known, so that the globals behind them
 * are still told. Memory is bounded by the bytes seen. Findings: docs/internals/pickle.md.
 */
#ifndef VV_FORMAT_PICKLE_H
#define VV_FORMAT_PICKLE_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	VV_MAX_PICKLE = 100000000,     /* bytes of one pickle */
	VV_MAX_PICKLE_NODES = 1 << 22, /* about 300,000 tensors */
	VV_MAX_PICKLE_ITEMS = 1 << 24, /* of all containers, and of the stack */
	VV_MAX_PICKLE_DEPTH = 64,      /* of open marks, and of containers on a path */
	VV_MAX_PICKLE_FINDINGS = 64,
};

enum vv_pickle_kind {
	VV_PK_NONE = 1,
	VV_PK_BOOL,
	VV_PK_INT,   /* fits int64 */
	VV_PK_BIG,   /* does not: its little-endian two's complement bytes are the text */
	VV_PK_FLOAT,
	VV_PK_STR,
	VV_PK_BYTES,
	VV_PK_TUPLE,
	VV_PK_LIST,
	VV_PK_DICT,   /* items: key, value, key, value, … */
	VV_PK_SET,    /* only empty: no listed opcode adds to one */
	VV_PK_GLOBAL, /* a name that Python would import */
	VV_PK_CALL,   /* items: what, arguments, and whatever was added to the result */
	VV_PK_PERSID, /* items: the id */
};

enum vv_pickle_flags {
	VV_PK_ORDERED = 1 << 0, /* DICT: an OrderedDict */
	VV_PK_NEW = 1 << 1,     /* CALL: by NEWOBJ */
	VV_PK_OLD_STR = 1 << 2, /* STR: a Python 2 byte string */
	VV_PK_TRUSTED = 1 << 3, /* GLOBAL: on the list of those that PyTorch itself writes */
};

struct vv_pickle_node {
	uint8_t kind, flags;
	uint32_t off; /* of its opcode in the pickle */
	union {
		int64_t num; /* BOOL, INT */
		double real;
		struct {
			uint32_t at, len;
		} text; /* STR, BYTES, BIG: vv_pickle_text() */
		struct {
			uint32_t module, module_len, name, name_len;
		} global;
		struct {
			uint32_t first, n, cap;
			uint32_t state; /* what BUILD gave, or 0. DICT and CALL */
		} items; /* all others */
	};
};

struct vv_pickle_finding {
	const char *code;
	uint64_t off; /* from the start of the pickle */
	const char *detail;
};

struct vv_pickle {
	struct vv_span bytes;  /* borrowed */
	struct vv_buf added;   /* text of nodes that were made, not read */
	struct vv_pickle_node *nodes; /* [0] is none */
	uint32_t n_nodes, cap_nodes;
	uint32_t *items;
	uint32_t n_items, cap_items;
	uint32_t root;
	uint32_t ordered; /* the GLOBAL collections.OrderedDict, or 0 */
	struct vv_arena arena; /* owns the findings' texts */
	struct vv_pickle_finding findings[VV_MAX_PICKLE_FINDINGS];
	size_t n_findings;
	bool arrays; /* joblib would read bytes between the opcodes that Python does not */
};

/*
 * Reads one pickle and walks over whatever follows it. VV_EFORMAT: broken, or no structure can be
 * trusted; VV_ELIMIT: too large. `p` then still holds the findings. Released by the caller in any
 * case. The bytes are borrowed: valid until the release.
 */
VV_MUST_CHECK int vv_pickle_parse(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err);
/* The same for the first of several in a row; *used: bytes up to the next one, or of all when this is cut off. */
VV_MUST_CHECK int vv_pickle_parse_first(struct vv_pickle *p, struct vv_span bytes, size_t *used, struct vv_err *err);
/* With the structure that opcodes of all protocols give; None stands for numbers of those that are not listed. */
VV_MUST_CHECK int vv_pickle_parse_any(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err);
/* As joblib.load would: the bytes of arrays lie behind the objects that stand for them, and are stepped over. */
VV_MUST_CHECK int vv_pickle_parse_joblib(struct vv_pickle *p, struct vv_span bytes, struct vv_err *err);
/*
 * What loading these bytes would import, by Python's reader and by joblib's: calls `fn` with each finding on a global,
 * once. `sure`: they begin like a pickle. `vague`: perhaps no opcode at all, but numbers or text. Broken bytes are no
 * error.
 */
typedef void vv_pickle_global_fn(void *ctx, const struct vv_pickle_finding *f, bool vague);
VV_MUST_CHECK int vv_pickle_globals(
	struct vv_span bytes, bool sure, vv_pickle_global_fn *fn, void *ctx, struct vv_err *err);
/* Has "module.name" only characters that names have? */
bool vv_pickle_is_name(const char *s);
void vv_pickle_release(struct vv_pickle *p);
/* Do these bytes begin like a binary pickle (protocol 2 to 5)? */
bool vv_pickle_probe(struct vv_span head);

static inline const struct vv_pickle_node *vv_pickle_node(const struct vv_pickle *p, uint32_t node)
{
	return &p->nodes[node];
}
/* The item's node; 0 when there is no such item. */
uint32_t vv_pickle_item(const struct vv_pickle *p, uint32_t node, uint32_t i);
/* Borrowed: valid until a node is made. */
struct vv_span vv_pickle_text(const struct vv_pickle *p, uint32_t node);
bool vv_pickle_is_str(const struct vv_pickle *p, uint32_t node, const char *s);
bool vv_pickle_is_global(const struct vv_pickle *p, uint32_t node, const char *module, const char *name);
/* 1 when it is no int, or negative. */
VV_MUST_CHECK int vv_pickle_u64(const struct vv_pickle *p, uint32_t node, uint64_t *out);

/* Making nodes; 0 when memory is gone or a limit reached. */
uint32_t vv_pickle_new(struct vv_pickle *p, enum vv_pickle_kind kind, unsigned flags, uint32_t off);
uint32_t vv_pickle_new_int(struct vv_pickle *p, int64_t v);
uint32_t vv_pickle_new_str(struct vv_pickle *p, struct vv_span s);
uint32_t vv_pickle_new_global(struct vv_pickle *p, const char *module, const char *name);
/* A tuple, call, … of these items. */
uint32_t vv_pickle_new_of(struct vv_pickle *p, enum vv_pickle_kind kind, const uint32_t *items, uint32_t n);
/* Appends to the node's items; 1 when memory is gone. */
VV_MUST_CHECK int vv_pickle_append(struct vv_pickle *p, uint32_t node, const uint32_t *items, uint32_t n);
/* Is the name one that PyTorch writes and its weights-only reader takes? Exact. */
bool vv_pickle_trusted(struct vv_span module, struct vv_span name);
/* Is it one whose result is a value that BUILD may complete: numpy's arrays, tensors with attributes? */
bool vv_pickle_buildable(struct vv_span module, struct vv_span name);

/*
 * Writes the pickle of `root` as Python's pickler does with protocol 2: a tree that it wrote and
 * nobody changed yields the same bytes. VV_ENOTSUP: what no listed opcode can say.
 */
VV_MUST_CHECK int vv_pickle_emit(
	const struct vv_pickle *p, uint32_t root, struct vv_buf *out, struct vv_err *err);

#endif
