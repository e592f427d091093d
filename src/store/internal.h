/* Shared by the files of store/ only. The formats are specified in docs/format/store.md. */
#ifndef VV_STORE_INTERNAL_H
#define VV_STORE_INTERNAL_H

#include "base/map.h"
#include "codec/codec.h"
#include "codec/narrow.h"
#include "hash/sha256.h"
#include "os/file.h"
#include "store/store.h"

#include <pthread.h>
#include <time.h>

enum {
	PACK_HEAD = 16,         /* magic and version */
	PACK_ENTRY = 64,
	PACK_TRAILER = 32,
	PACK_TARGET = 64 << 20, /* a new pack is begun past this */
	RECORD_END = 28,        /* what every record ends with */
	BLOCK_ROW = 12,         /* coded length u32, XXH64 of the raw block */
	CHUNK_ROW = 36,         /* id, length u32 */
	CHUNK_MIN = 16 << 10,
	CHUNK_MAX = 128 << 10,
	CHUNK_SPAN = 8 << 20,   /* an object of bytes is cut here in any case, so that spans are cut in parallel */
	MAX_DEPTH = 8,          /* then one against the chain's root, or alone */
	ANY_DEPTH = MAX_DEPTH + 1,
	WINDOW = 32 << 20,      /* raw bytes worked on at once, per stage */
	FD_CACHE = 64,
};
#define MAX_48 (((uint64_t)1 << 48) - 1)

enum entry_kind { KIND_BLOCKS = 0, KIND_CHUNKS = 1 };

/* One object of a pack, as the footer has it. */
struct entry {
	struct vv_id id, base; /* base: zeros when depth is 0 */
	uint64_t off, stored, size;
	uint32_t tail;         /* bytes of the record's end that hold parameters and rows */
	uint8_t dtype, kind, depth;
};

/* A pack lives as long as its store's handle, so that an open object may point to it. */
struct pack {
	struct vv_id name;
	char hex[VV_ID_HEX + 1];  /* of the name: for messages */
	uint64_t size, footer_off;
	size_t n, n_bases;
	struct vv_map_file index; /* n entries, sorted by id, then the bases */
	bool mapped;              /* it is; else memory of our own */
	uint32_t fanout[257];     /* first entry whose id begins with this byte, or more */
	/* below: under the store's lock */
	char *path;
	struct timespec mtime;
	bool trashed;             /* it lies in the trash: found only to be revived */
	uint64_t trashed_s;       /* since then */
	bool wanted;              /* it should leave the trash */
	bool touched;             /* made young since the last refresh */
	bool suspect;             /* damaged: another copy is better */
	bool corrupt;             /* it was moved to corrupt/ */
	bool seen;                /* by the last refresh */
	int fd, refs;
};

/* Where each id is, over all packs: made when looking pack by pack has cost as much. */
struct table {
	struct table_slot *slots;
	size_t cap, len;
};

struct vv_store {
	char *dir;
	struct vv_pool *pool;
	bool readonly, mirror;
	struct vv_store **alternates;
	size_t n_alternates;
	pthread_mutex_t refreshing; /* one refresh at a time; before `lock` */
	pthread_mutex_t lock;       /* all below */
	struct pack **packs, **gone; /* gone: merged or deleted by somebody else */
	size_t n_packs, cap_packs, n_gone, cap_gone, bad_packs;
	struct vv_map names;        /* name → struct pack */
	struct table table;
	size_t n_entries;           /* of all packs */
	uint64_t searched;          /* packs looked into since the table was dropped */
	unsigned open_fds, losses;  /* losses: reads from a pack that is gone */
	bool wanted;                /* a pack is */
	bool relied;                /* on a pack whose name its writer may not have synced */
	struct scratch *idle[8];
	size_t n_idle;
};

/* --- pack.c --- */
/* Reads and checks the footer. VV_ECORRUPT names file and offset; VV_ENOTSUP: a newer version. */
VV_MUST_CHECK int pack_open(struct pack **out, const char *path, const struct vv_id *name, struct vv_err *err);
void pack_free(struct pack *p);
void pack_entry(const struct pack *p, size_t i, struct entry *out);
bool pack_find(const struct pack *p, const struct vv_id *id, size_t *at);
/* VV_ECORRUPT unless the file's SHA-256 is its name. */
VV_MUST_CHECK int pack_verify(const char *path, const struct vv_id *name, struct vv_err *err);
/* Reads from the pack's file, wherever it was moved to; the range is checked against its size. */
VV_MUST_CHECK int pack_read(
	struct vv_store *s, struct pack *p, uint64_t off, void *dst, size_t len, struct vv_err *err);
/* Parses an entry. Nonzero when it cannot be one of a pack whose records end at `end`. */
int entry_parse(const uint8_t *row, const uint8_t *bases, size_t n_bases, uint64_t end, struct entry *out);
/* `base`: the row among the bases, when depth > 0. */
void entry_emit(struct vv_buf *out, const struct entry *e, uint32_t base);

/* --- record.c: what a record ends with --- */
/* Appends the whole tail; fills e->tail and e->stored: `coded` bytes lie before it. */
void tail_emit(struct vv_buf *out, struct entry *e, uint64_t coded, const struct vv_codec_params *p,
	const uint8_t *rows, size_t n_rows);
/* Checks the tail against its checksum and the entry. Says what is wrong, or yields NULL. */
const char *tail_parse(
	struct vv_span tail, const struct entry *e, struct vv_codec_params *p, size_t *rows_at, size_t *n_rows);
/* Does the tail have room for the rows of what the entry claims to be? */
bool entry_fits(const struct entry *e);
/*
 * Are the RECORD_END bytes at `end`, which end at offset `end_off` of a pack, a record's? Fills all
 * of the entry but its id, its base, and its depth, which is 1 for any delta.
 */
bool end_parse(const uint8_t *end, uint64_t end_off, struct entry *e);
void put48(uint8_t *p, uint64_t v);
uint64_t get48(const uint8_t *p);

/* --- packwrite.c: making a pack --- */
struct pack_writer {
	struct vv_store *store;
	struct vv_temp temp;
	struct vv_sha256 sha;
	struct vv_buf buf;
	uint64_t at, behind;    /* bytes so far; of these, given to the disk */
	struct entry *entries;
	size_t n, cap;
	bool open;
};
void writer_init(struct pack_writer *w, struct vv_store *s);
/* Opens the file, so that w->at is where the next record begins. */
VV_MUST_CHECK int writer_begin(struct pack_writer *w, struct vv_err *err);
VV_MUST_CHECK int writer_bytes(struct pack_writer *w, struct vv_span data, struct vv_err *err);
/* Notes the object whose record ends here. */
VV_MUST_CHECK int writer_entry(struct pack_writer *w, const struct entry *e, struct vv_err *err);
/* Appends a record of another pack as it is coded there; from->depth is what the new entry says. */
VV_MUST_CHECK int writer_record(
	struct pack_writer *w, struct vv_store *s, struct pack *p, const struct entry *from, struct vv_err *err);
/* Footer, fsync, name, folder. *out: the pack, for the caller to add; NULL when there were no objects. */
VV_MUST_CHECK int writer_finish(struct pack_writer *w, struct pack **out, struct vv_err *err);
/* The same, added to the store that it was made for. */
VV_MUST_CHECK int writer_publish(struct pack_writer *w, struct vv_err *err);
void writer_release(struct pack_writer *w);
/* The file, which is the pack of that name, becomes one of the store's; its old name is gone then. */
VV_MUST_CHECK int pack_take(struct vv_store *s, const char *path, const struct vv_id *name, struct vv_err *err);

/* --- store.c --- */
/* Takes ownership of p. A pack that is known already is freed. */
VV_MUST_CHECK int store_add_pack(struct vv_store *s, struct pack *p, struct vv_err *err);
char *store_path(const struct vv_store *s, const char *sub, const char *name);
/* Is this the name of a pack's file? */
bool pack_name_parse(const char *name, struct vv_id *out);
/* Grows an array to hold `need` items of `size`. */
VV_MUST_CHECK int grow(void *array, size_t *cap, size_t need, size_t size, struct vv_err *err);

/* --- locate.c --- */
/*
 * A copy of an object with a depth below `below`: here first, then in alternates. VV_ENOTFOUND
 * names it. What a delta is coded against must be less deep than it, so every chain ends.
 */
VV_MUST_CHECK int store_locate(struct vv_store *s, const struct vv_id *id, unsigned below,
	struct vv_store **where, struct pack **pack, struct entry *e, struct vv_err *err);
/* Does this store itself have a copy in use? */
bool store_has_own(struct vv_store *s, const struct vv_id *id, unsigned below);
/* Under the lock: a pack was added at the end of the list; packs were removed or moved in it. */
void table_add(struct vv_store *s, size_t pack);
void table_drop(struct vv_store *s);

/* --- keep.c: packs that stay, move, or leave --- */
/* The writers' lock: shared; gc takes it exclusively. */
VV_MUST_CHECK int store_lock(struct vv_store *s, struct vv_lock *l, unsigned flags, struct vv_err *err);
/* One gc, fsck --repair or merge at a time. VV_ELOCKED when another is at work. */
VV_MUST_CHECK int store_lock_gc(struct vv_store *s, struct vv_lock *l, struct vv_err *err);
/*
 * Holding the lock: what the object and all it is made of lie in becomes young, or leaves the
 * trash. VV_ENOTFOUND unless this store itself has it.
 */
VV_MUST_CHECK int store_keep(struct vv_store *s, const struct vv_id *id, struct vv_err *err);
/* One pack of it. */
VV_MUST_CHECK int store_freshen(struct vv_store *s, struct pack *p, struct vv_err *err);
/* Makes durable the names of packs that were freshened: who gave them may have died before that. */
VV_MUST_CHECK int store_settle(struct vv_store *s, struct vv_err *err);
/* Takes out of the trash what was read from there. Called without locks, at the end of a read. */
void store_revive(struct vv_store *s);
/* Reads from packs that are gone, here and in alternates: when more, look again. */
unsigned store_losses(struct vv_store *s);
/* Moves a pack's file to sub/<its name>. */
VV_MUST_CHECK int store_move_pack(struct vv_store *s, struct pack *p, const char *sub, struct vv_err *err);
/*
 * Moves a damaged pack file to corrupt/, where nothing of the same name is replaced. `p`: what is
 * known as this file, or NULL.
 */
VV_MUST_CHECK int store_quarantine(struct vv_store *s, const char *path, struct pack *p, struct vv_err *err);

/* --- object.c: reading objects --- */
struct object {
	struct vv_store *store; /* that has it */
	struct vv_store *via;   /* through which it was opened: what it is made of is looked for there */
	struct pack *pack;
	struct entry e;
	struct vv_codec_params params;
	struct object *base;
	size_t n_rows;
	const uint8_t *rows;    /* BLOCK_ROW or CHUNK_ROW each */
	const uint8_t *record;  /* all of it, when it is small; else NULL */
	uint64_t *offs;         /* where each block's coded bytes begin */
	uint8_t mem[];          /* what these point into */
};
/* With its bases. */
VV_MUST_CHECK int object_open(struct object **out, struct vv_store *s, const struct vv_id *id, struct vv_err *err);
/* The copy in pack `p` that `e` says. */
VV_MUST_CHECK int object_open_at(
	struct object **out, struct vv_store *s, struct pack *p, const struct entry *e, struct vv_err *err);
void object_free(struct object *o);
size_t object_block_len(const struct object *o, size_t k);
/* Chunk i of a list. */
void object_chunk(const struct object *o, size_t i, struct vv_id *id, uint32_t *len);

/* Scratch of one thread. */
struct scratch {
	struct vv_codec *codec;
	uint8_t *coded, *base[2], *raw, *held; /* held: a decoded base block, while it is used */
	uint8_t *samples;
	size_t coded_cap;
	/* what vv_store_read read last */
	struct object *list, *o;
	size_t block;  /* of o, in held; SIZE_MAX: none */
};
enum { MAX_BLOCK = VV_BLOCK_ELEMS * 16, SAMPLES = 8, SAMPLE_ELEMS = 4096 };
/* Decodes block k into dst and checks its XXH64. */
VV_MUST_CHECK int object_block(
	const struct object *o, size_t k, uint8_t *dst, struct scratch *s, struct vv_err *err);
/* The same, `level` bases below what is asked for: `dst` is no scratch->base[level & 1]. */
VV_MUST_CHECK int object_decode(
	const struct object *o, size_t k, uint8_t *dst, struct scratch *s, unsigned level, struct vv_err *err);
/* Decodes all of it. VV_ECORRUPT unless its SHA-256 is its id. */
VV_MUST_CHECK int object_verify(const struct object *o, struct scratch *s, struct vv_err *err);
/* Its SHA-256, whatever its id is. */
VV_MUST_CHECK int object_hash(const struct object *o, struct scratch *s, struct vv_id *out, struct vv_err *err);

/* --- base.c: what an object is coded against --- */
/*
 * Has it the bytes of one: those that p->qcast needs; without, as many, or (*wide) those of as many elements of
 * the wider type?
 */
bool base_fits(const struct entry *base, const struct entry *e, const struct vv_codec_params *p, bool *wide);
/* And is it stored as such, on its type's grid: what a writer asks of a base? Sets qcast and from. */
bool base_serves(const struct entry *base, const struct entry *e, struct vv_codec_params *p);
/* The i-th type and size that a base may have of which only the name is known. False: there are no more. */
bool base_guess(const struct entry *e, size_t i, enum vv_dtype *dtype, uint64_t *size);
/* Bytes of base_block for `len` bytes of e. */
size_t base_room(const struct vv_codec_params *p, size_t len);
/* What block k is coded against: a base that fits, as e's type or as p->qcast asks. `level`, `dst`: as for object_decode. */
VV_MUST_CHECK int base_block(const struct object *base, const struct entry *e, const struct vv_codec_params *p, size_t k,
	uint8_t *dst, struct scratch *s, unsigned level, struct vv_err *err);

/* --- scratch.c --- */
/* One, or an array with one for each thread. `s` keeps some between calls; it may be NULL. */
struct scratch *scratch_take(struct vv_store *s, const struct vv_id *id, struct vv_err *err);
void scratch_give(struct vv_store *s, struct scratch *scratch);
/* Drops the objects it remembers. */
void scratch_forget(struct scratch *s);
struct scratch **scratch_take_all(struct vv_store *s, unsigned n, struct vv_err *err);
void scratch_give_all(struct vv_store *s, struct scratch **all, unsigned n);
void scratch_free(struct scratch *s);

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
	uint64_t one_sum;
	uint8_t one_row[BLOCK_ROW];
};
/* A target with room for rows and sums, put on the list `live`. NULL when memory is gone. */
struct target *target_new(struct target **live, const struct vv_source *src, uint64_t off, uint64_t len,
	enum vv_dtype dtype, const struct vv_id *id);
void target_free(struct target *t);
/* Notes what block k is, before it is planned: its XXH64, its dead bits. */
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
/*
 * Appends an object of `e`'s size and type from a source, against `base` when that is not NULL and
 * pays, whatever the store has already. VV_ECORRUPT unless the bytes' SHA-256 is e->id.
 */
VV_MUST_CHECK int encode_again(struct pack_writer *w, const struct vv_source *src, const struct entry *e,
	const struct vv_id *base, struct scratch *scratch, struct vv_err *err);

/* --- chunk.c --- */
/* Length of the next chunk of the `len` bytes at p: len when no cut is found; cuts at content. */
size_t chunk_cut(const uint8_t *p, size_t len);

/* --- read.c --- */
/* An object of a store as a source. */
struct object_source {
	struct vv_source base;
	struct vv_store *store;
	struct vv_id id;
};
void object_source_init(struct object_source *o, struct vv_store *s, const struct vv_id *id, uint64_t size);

/* --- recover.c: packs that lost their footer --- */
struct recovery;
struct recovery *recovery_new(struct vv_store *s);
void recovery_free(struct recovery *r);
/* Searches a file for records. */
VV_MUST_CHECK int recovery_add(struct recovery *r, const char *path, const struct vv_id *name, struct vv_err *err);
/* Writes and publishes what decodes now; *found: how many. May be called again when more bases are there. */
VV_MUST_CHECK int recovery_run(
	struct recovery *r, struct pack_writer *w, struct scratch *s, size_t *found, struct vv_err *err);
/* Records that were found and do not decode. */
size_t recovery_left(const struct recovery *r);

/* --- repack.c --- */
/*
 * At the end of a put: puts small packs together when there are many. Does nothing when others are
 * at work. Its failure is none of the put's: what was there is still there.
 */
void store_merge_small(struct vv_store *s);

#endif
