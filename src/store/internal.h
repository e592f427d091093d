/* Shared by the files of store/ only. The formats are specified in docs/format/store.md. */
#ifndef VV_STORE_INTERNAL_H
#define VV_STORE_INTERNAL_H

#include "base/map.h"
#include "codec/codec.h"
#include "hash/sha256.h"
#include "os/file.h"
#include "store/store.h"

#include <pthread.h>
#include <time.h>

enum {
	PACK_HEAD = 16,          /* magic and version */
	PACK_ENTRY = 96,
	PACK_TRAILER = 32,
	PACK_TARGET = 64 << 20,  /* a new pack is begun past this */
	BLOCK_ROW = 12,          /* coded length u32, XXH64 of the raw block */
	CHUNK_ROW = 36,          /* id, length u32 */
	CHUNK_MIN = 16 << 10,
	CHUNK_MAX = 128 << 10,
	CHUNK_SPAN = 8 << 20,   /* an object of bytes is cut here in any case, so that spans are cut in parallel */
	MAX_DEPTH = 8,           /* then one against the chain's root, or alone */
	WINDOW = 32 << 20,       /* raw bytes worked on at once, per stage */
	FD_CACHE = 64,
};

enum entry_kind { KIND_BLOCKS = 0, KIND_CHUNKS = 1 };

/* One object of a pack, as the footer has it. */
struct entry {
	struct vv_id id, base; /* base: zeros when depth is 0 */
	uint64_t off, stored, size;
	uint32_t tail;         /* bytes of the record's end that hold parameters and block rows */
	uint8_t dtype, kind, depth;
};

struct pack {
	char *path;
	struct vv_id name;
	uint64_t size, footer_off;
	struct timespec mtime;
	size_t n;
	struct vv_map_file index; /* n entries, sorted by id */
	uint32_t fanout[257];     /* first entry whose id begins with this byte, or more */
	bool trashed;             /* it lies in the trash: found only to be revived */
	uint64_t trashed_s;       /* since then */
	bool seen;                /* by the refresh that runs */
	bool touched;             /* made young since the last refresh */
	bool corrupt;             /* it was moved to corrupt/ */
	int fd, refs;             /* under the store's lock */
};

struct vv_store {
	char *dir;
	struct vv_pool *pool;
	bool readonly;
	struct pack **packs;
	size_t n_packs, cap_packs, bad_packs;
	struct vv_map names;      /* name → struct pack */
	struct pack **gone;       /* no longer there, but an open object may still point to one */
	size_t n_gone, cap_gone;
	struct vv_store **alternates;
	size_t n_alternates;
	pthread_mutex_t lock; /* packs' descriptors */
	unsigned open_fds;
};

/* --- pack.c --- */
/* Reads and checks the footer. VV_ECORRUPT names file and offset. */
VV_MUST_CHECK int pack_open(struct pack **out, const char *path, const struct vv_id *name, struct vv_err *err);
void pack_free(struct pack *p);
void pack_entry(const struct pack *p, size_t i, struct entry *out);
bool pack_find(const struct pack *p, const struct vv_id *id, size_t *at);
/* VV_ECORRUPT unless the file's SHA-256 is its name. */
VV_MUST_CHECK int pack_verify(const char *path, const struct vv_id *name, struct vv_err *err);
/* Reads from the pack's file; the range is checked against its size. */
VV_MUST_CHECK int pack_read(
	struct vv_store *s, struct pack *p, uint64_t off, void *dst, size_t len, struct vv_err *err);
/* Parses the entry at `row`. Nonzero when it cannot be one of a pack whose records end at `end`. */
int entry_parse(const uint8_t *row, uint64_t end, struct entry *out);
void entry_emit(struct vv_buf *out, const struct entry *e);

/* --- packwrite.c: making a pack --- */
struct pack_writer {
	struct vv_store *store;
	struct vv_temp temp;
	struct vv_sha256 sha;
	struct vv_buf buf;
	uint64_t at;            /* bytes so far */
	struct entry *entries;
	size_t n, cap;
	bool open;
};
void writer_init(struct pack_writer *w, struct vv_store *s);
VV_MUST_CHECK int writer_bytes(struct pack_writer *w, struct vv_span data, struct vv_err *err);
/* Notes the object whose record ends here. */
VV_MUST_CHECK int writer_entry(struct pack_writer *w, const struct entry *e, struct vv_err *err);
/* Footer, fsync, name, folder. *out: the pack, for the caller to add; NULL when there were no objects. */
VV_MUST_CHECK int writer_finish(struct pack_writer *w, struct pack **out, struct vv_err *err);
void writer_release(struct pack_writer *w);

/* Appends a record of another pack as it is coded there (copy.c). */
VV_MUST_CHECK int writer_record(
	struct pack_writer *w, struct vv_store *s, struct pack *p, const struct entry *from, struct vv_err *err);

/* --- store.c --- */
/* Where an object is: here first, then in alternates. VV_ENOTFOUND names it. */
VV_MUST_CHECK int store_locate(struct vv_store *s, const struct vv_id *id, struct vv_store **where,
	struct pack **pack, struct entry *e, struct vv_err *err);
VV_MUST_CHECK int store_add_pack(struct vv_store *s, struct pack *p, struct vv_err *err);
char *store_path(const struct vv_store *s, const char *sub, const char *name);
/* The writers' lock: shared; gc takes it exclusively. */
VV_MUST_CHECK int store_lock(struct vv_store *s, struct vv_lock *l, unsigned flags, struct vv_err *err);
/*
 * Moves a damaged pack file to corrupt/, where nothing of the same name is replaced. `p`: what is
 * known as this file, or NULL; its path follows.
 */
VV_MUST_CHECK int store_quarantine(struct vv_store *s, const char *path, struct pack *p, struct vv_err *err);
/* One gc, fsck --repair or merge at a time. VV_ELOCKED when another is at work. */
VV_MUST_CHECK int store_lock_gc(struct vv_store *s, struct vv_lock *l, struct vv_err *err);
/* If the pack that holds a live object is old or in the trash: makes it young, or takes it back. */
VV_MUST_CHECK int store_freshen(struct vv_store *s, struct pack *p, struct vv_err *err);
/* Moves a pack's file to sub/<its name>; p->path is then that. */
VV_MUST_CHECK int store_move_pack(struct vv_store *s, struct pack *p, const char *sub, struct vv_err *err);

/* --- object.c: reading objects --- */
struct object {
	struct vv_store *store; /* that has it */
	struct pack *pack;
	struct entry e;
	struct vv_codec_params params;
	uint8_t *rows;          /* BLOCK_ROW or CHUNK_ROW each */
	size_t n_rows;
	uint64_t *offs;         /* where each block's coded bytes begin */
	struct object *base;
};
/* With its bases; a cycle or a chain deeper than MAX_DEPTH is VV_ECORRUPT. */
VV_MUST_CHECK int object_open(struct object **out, struct vv_store *s, const struct vv_id *id, struct vv_err *err);
/* The same for the copy that entry `i` of pack `p` is. */
VV_MUST_CHECK int object_open_at(
	struct object **out, struct vv_store *s, struct pack *p, size_t i, struct vv_err *err);
void object_free(struct object *o);
size_t object_block_len(const struct object *o, size_t k);

/* Scratch of one thread. */
struct scratch {
	struct vv_codec *codec;
	uint8_t *coded, *base[2], *raw, *held; /* held: a decoded base block, while it is used */
	size_t coded_cap;
};
VV_MUST_CHECK int scratch_init(struct scratch *s, struct vv_err *err);
void scratch_release(struct scratch *s);
enum { MAX_BLOCK = VV_BLOCK_ELEMS * 16 };
/* Decodes block k into dst and checks its XXH64. */
VV_MUST_CHECK int object_block(
	const struct object *o, size_t k, uint8_t *dst, struct scratch *s, struct vv_err *err);

/* --- encode.c: objects on their way into a pack --- */
struct target {
	struct target *next;           /* in a queue */
	struct target *live_next, **live_link; /* among all that a put has made */
	const struct vv_source *src;
	uint64_t src_off;
	struct vv_put_item *item;      /* whose `stored` it counts for */
	struct entry e;                /* id, size, dtype, kind known; the rest is filled */
	bool has_base;
	struct vv_id base_id;          /* the candidate */
	unsigned dead;                 /* low bits that are zero everywhere */
	struct vv_codec_params params;
	struct object *base;           /* chosen */
	uint64_t *sums;                /* XXH64 of each block, as hashed */
	uint8_t *rows;
	size_t n_rows, given, written; /* blocks handed to jobs; blocks appended */
};
/* A target whose `rows` hold nothing yet, put on the list `live`. NULL when memory is gone. */
struct target *target_new(struct target **live, const struct vv_source *src, uint64_t off, uint64_t len,
	enum vv_dtype dtype, const struct vv_id *id);
void target_free(struct target *t);
/* Notes what block k is, before it is planned: its XXH64, its dead bits. `dead` starts at 255. */
void target_sum(struct target *t, size_t k, struct vv_span raw);
/* Chooses base and parameters from samples. */
VV_MUST_CHECK int target_plan(struct vv_store *s, struct target *t, struct scratch *scratch, struct vv_err *err);
struct coded {
	struct target *target;
	size_t k, len;
	uint8_t *bytes; /* owned */
};
/* Encodes block c->k. VV_ECHANGED when its bytes are no longer those that were hashed. */
VV_MUST_CHECK int target_encode(struct coded *c, struct scratch *scratch, struct vv_err *err);
/* Appends blocks, in order; *done: the record is complete. A KIND_CHUNKS target has its rows already. */
VV_MUST_CHECK int target_append(struct pack_writer *w, struct coded *c, bool *done, struct vv_err *err);

/* --- chunk.c --- */
/* Length of the next chunk of the `len` bytes at p: len when no cut is found; cuts at content. */
size_t chunk_cut(const uint8_t *p, size_t len);

/* --- records --- */
/* The tail of a blocks record: parameters and rows. */
void tail_emit(struct vv_buf *out, const struct vv_codec_params *p, const uint8_t *rows, size_t n_rows);
/* Nonzero when it is none. Yields where the rows begin. */
int tail_parse(struct vv_span tail, enum vv_dtype dtype, size_t n_rows, struct vv_codec_params *p, size_t *rows_at);

#endif
