/*
 * The store: bytes by their SHA-256, coded and delta-coded in immutable packs. It knows element
 * types, not tensors; it knows no git. Layout of the folder and of packs: docs/format/store.md.
 *
 *   varve/format      "varve store 1\n": a newer number is refused for writing, and for reading
 *   varve/packs/      <sha256 of the file>.pack, mode 0444
 *   varve/trash/      packs that gc took out of use; a put or get that finds an object there revives it
 *   varve/corrupt/    packs that fsck took out of use; never deleted by varve
 *   varve/lock        flock: shared by writers, exclusive for the moments in which packs are moved
 *   varve/gc.lock     flock: one gc, merge of packs or repair at a time
 *
 * A store handle may be used by several threads for reading, also while it puts or copies; puts and
 * copies are one at a time per handle (each uses all threads of the pool), gc and fsck want it for
 * themselves. Any number of processes may do any of these at once. A pack that another process moved
 * or merged away is looked for again: readers need no lock.
 */
#ifndef VV_STORE_STORE_H
#define VV_STORE_STORE_H

#include "base/buf.h"
#include "base/dtype.h"
#include "base/err.h"
#include "base/id.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/source.h"

struct vv_store;

enum vv_store_flags {
	VV_STORE_CREATE = 1,   /* make it when missing */
	VV_STORE_READONLY = 2, /* never writes, also not to revive from the trash */
	VV_STORE_MIRROR = 4,   /* its packs are thin (store/thin.h): they are never put together */
};

/*
 * Opens the store in `dir`. The pool is borrowed. A missing store is VV_ENOTFOUND without
 * VV_STORE_CREATE. Packs that cannot be read are skipped and counted (vv_store_bad_packs): objects
 * that have another copy stay readable.
 */
VV_MUST_CHECK int vv_store_open(
	struct vv_store **out, const char *dir, unsigned flags, struct vv_pool *pool, struct vv_err *err);
void vv_store_free(struct vv_store *s);
/* Reads also look into this store (git's alternates, a local remote). Takes ownership of `other`. */
VV_MUST_CHECK int vv_store_add_alternate(struct vv_store *s, struct vv_store *other, struct vv_err *err);
/* Sees packs that other processes published since the open. */
VV_MUST_CHECK int vv_store_refresh(struct vv_store *s, struct vv_err *err);
size_t vv_store_bad_packs(const struct vv_store *s);
/* The folder that it was opened in. */
const char *vv_store_dir(const struct vv_store *s);

/* What one object is. */
struct vv_object_info {
	uint64_t size;     /* raw bytes */
	uint64_t stored;   /* bytes in the pack, headers included */
	enum vv_dtype dtype;
	unsigned depth;    /* 0: solo */
	struct vv_id base; /* of the delta, when depth > 0 */
	bool chunked;      /* a list of chunks */
	bool local;        /* in this store, not an alternate */
};
/* VV_ENOTFOUND names the id. */
VV_MUST_CHECK int vv_store_find(
	struct vv_store *s, const struct vv_id *id, struct vv_object_info *out, struct vv_err *err);
bool vv_store_has(struct vv_store *s, const struct vv_id *id);
/* Adds to *stored what an object takes: of a list of chunks they too, each as often as it stands there. */
VV_MUST_CHECK int vv_store_cost(
	struct vv_store *s, const struct vv_id *id, const struct vv_object_info *info, uint64_t *stored, struct vv_err *err);

/* One run of the source to put: a tensor's payload, or opaque bytes. */
struct vv_put_item {
	uint64_t off, len;   /* bytes in the source */
	enum vv_dtype dtype; /* VV_DT_BYTES: opaque, cut into chunks by content when long */
	bool has_base;       /* `base` is a candidate: an object that is likely to be similar */
	struct vv_id base;
	bool is_base;        /* something will go against this one soon: it is one less deep than it might be */
	struct vv_id id;     /* out */
	bool is_new;         /* out: was not in the store before */
	uint64_t stored;     /* out: bytes this put added for it */
};

/* Set by each call, not added to. */
struct vv_put_stats {
	uint64_t raw, raw_new, stored; /* bytes: put, not there before, added to disk */
	size_t objects, objects_new;
};

/*
 * Puts all items and computes the SHA-256 of the whole source, in one pass with bounded memory.
 * Returns 0 only when everything is durable: files synced, named, folder synced. On failure no item
 * may be relied on; packs that were complete by then stay, for the next try to find or gc to remove.
 * An item is known when this store or an alternate has it whole; then it is kept from gc. Items may be
 * the whole source or part of it; equal items are stored once. `file_id` may be NULL (not computed).
 * `prog` may be NULL. Holds the store's shared lock meanwhile, and at the end may put small packs
 * together.
 */
VV_MUST_CHECK int vv_store_put(struct vv_store *s, const struct vv_source *src, struct vv_put_item *items,
	size_t n, struct vv_id *file_id, struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err);
/* The same ids without storing anything: for status, and to ask what a put would add. */
VV_MUST_CHECK int vv_store_hash(struct vv_pool *pool, const struct vv_source *src, struct vv_put_item *items,
	size_t n, struct vv_id *file_id, struct vv_progress *prog, struct vv_err *err);

struct vv_get_item {
	struct vv_id id;
	uint64_t len; /* expected raw size: another is VV_ECORRUPT */
	uint64_t off; /* where its bytes go in the target file */
};
/*
 * Writes the items' bytes to `fd` with pwrite, decoded in parallel, with bounded memory. The
 * SHA-256 of every object is checked before the call returns 0; on failure the file's content is
 * undefined and the message names the object.
 */
VV_MUST_CHECK int vv_store_get_fd(struct vv_store *s, const struct vv_get_item *items, size_t n, int fd,
	const char *path, struct vv_progress *prog, struct vv_err *err);
/* Checks every object's SHA-256 without writing. The first bad one is named. */
VV_MUST_CHECK int vv_store_verify(
	struct vv_store *s, const struct vv_get_item *items, size_t n, struct vv_progress *prog, struct vv_err *err);
/*
 * Part of one object: whole blocks are decoded and checked by their checksum (not by SHA-256).
 * Several threads may call it.
 */
VV_MUST_CHECK int vv_store_read(struct vv_store *s, const struct vv_id *id, uint64_t off, void *dst, size_t len,
	struct vv_err *err);

/*
 * Copies objects (with the bases and chunks they need) from another store, each checked by SHA-256,
 * as they are coded there; one whose chain would become too long here is coded anew. For local
 * clones and pushes. Ids already here are skipped. After a failure as after a put.
 */
VV_MUST_CHECK int vv_store_copy(struct vv_store *to, struct vv_store *from, const struct vv_id *ids, size_t n,
	struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err);

struct vv_store_usage {
	size_t packs, objects, deltas, trash_packs, corrupt_packs;
	uint64_t disk, trash_disk; /* bytes of pack files */
	uint64_t raw;              /* bytes of all objects, decoded (chunks count, lists of them do not) */
	unsigned max_depth;
};
VV_MUST_CHECK int vv_store_usage(struct vv_store *s, struct vv_store_usage *out, struct vv_err *err);
/* Every object of this store (not of alternates). */
VV_MUST_CHECK int vv_store_each(struct vv_store *s,
	int (*fn)(void *arg, const struct vv_id *id, const struct vv_object_info *info, struct vv_err *err), void *arg,
	struct vv_err *err);

/* --- gc (store/gc.c) --- */
struct vv_gc_options {
	uint64_t grace_s;      /* an unneeded pack leaves use, or the trash, only when older than this */
	bool dry_run;
};
struct vv_gc_stats {
	size_t packs_kept, packs_rewritten, packs_trashed, packs_deleted, packs_revived;
	uint64_t freed; /* bytes deleted */
	uint64_t trashed;
};
/*
 * `live` answers whether an id is needed; what live objects are made of (bases, chunks) is kept by
 * gc itself. Phase 1 moves packs without a live object to the trash and rewrites packs that are
 * mostly dead, and puts small packs together; phase 2 deletes from the trash what has been there
 * for the grace time and is still dead. What one run trashes, another deletes, never the same. Safe
 * beside writers; may be killed at any step and run again. What a pack younger than the grace time
 * holds counts as live: a writer may be about to name it. With a grace of 0 the caller has to know
 * that nobody is between a put and naming what was put. VV_ELOCKED when another gc runs; VV_ECORRUPT,
 * and nothing removed, when a pack or a list of chunks cannot be read: what it needs is not known.
 */
VV_MUST_CHECK int vv_store_gc(struct vv_store *s, bool (*live)(void *arg, const struct vv_id *id), void *arg,
	const struct vv_gc_options *opt, struct vv_gc_stats *stats, struct vv_progress *prog, struct vv_err *err);

/* --- fsck (store/fsck.c) --- */
struct vv_fsck_report {
	/* Called for each problem, one line of text. `id` may be NULL. `repaired`: and by what. */
	void (*problem)(void *arg, const struct vv_id *id, const char *text, bool repaired);
	/*
	 * Repair: finds the raw bytes of `id` elsewhere and says where, in a constant ("its bytes were in the worktree");
	 * VV_ENOTFOUND when it cannot. May be NULL.
	 */
	int (*recover)(void *arg, const struct vv_id *id, uint64_t size, struct vv_buf *out, const char **where,
		struct vv_err *err);
	void *arg;
};
struct vv_fsck_stats {
	size_t packs, objects, bad_packs, bad_objects, repaired, dependents;
	uint64_t bytes; /* raw bytes read and checked */
};
/*
 * Reads everything: pack names against their content, footers, every object's SHA-256. Repair keeps
 * every object that still verifies, also of packs whose index is lost, takes lost ones from another
 * copy, the trash, alternates or `recover`, and only then moves bad packs to corrupt/. Problems are
 * reported, not errors: 0 unless the check itself could not run. Puts may go on beside it. Objects of
 * packs that cannot be opened are not counted as such: without repair it is not known what they were.
 */
VV_MUST_CHECK int vv_store_fsck(struct vv_store *s, bool repair, const struct vv_fsck_report *report,
	struct vv_fsck_stats *stats, struct vv_progress *prog, struct vv_err *err);

#endif
