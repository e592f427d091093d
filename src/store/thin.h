/*
 * Packs that lie elsewhere. A mirror is a store whose packs are thin: sparse files as long as the real ones, of which
 * the head, the index and the lists of chunks are there, and whatever else was filled in. So whatever asks a store
 * what it has, or copies from it and to it, works on a remote as well. A mirror is a cache: it may be deleted.
 */
#ifndef VV_STORE_THIN_H
#define VV_STORE_THIN_H

#include "store/store.h"

/* Bytes of a pack. */
struct vv_extent {
	struct vv_id pack;
	uint64_t off, len;
};
struct vv_extents {
	struct vv_extent *v;
	size_t n, cap;
};
VV_MUST_CHECK int vv_extents_add(
	struct vv_extents *x, const struct vv_id *pack, uint64_t off, uint64_t len, struct vv_err *err);
/* Sorts by pack and offset, and joins what lies less than `gap` bytes apart. */
void vv_extents_join(struct vv_extents *x, uint64_t gap);
/* How many bytes of that pack are in it, once joined. */
uint64_t vv_extents_of(const struct vv_extents *x, const struct vv_id *pack);
void vv_extents_release(struct vv_extents *x);

/* A thin pack in the making, a temporary file in the mirror's packs/. */
struct vv_thin;
VV_MUST_CHECK int vv_thin_new(
	struct vv_thin **out, const char *mirror, const struct vv_id *name, uint64_t size, struct vv_err *err);
/* Appends the bytes that are to be written next, of this pack alone; when there are none, all is there. */
VV_MUST_CHECK int vv_thin_wants(struct vv_thin *t, struct vv_extents *out, struct vv_err *err);
VV_MUST_CHECK int vv_thin_write(struct vv_thin *t, uint64_t off, struct vv_span bytes, struct vv_err *err);
/* Gives it its name, in the place of what has it. */
VV_MUST_CHECK int vv_thin_publish(struct vv_thin *t, struct vv_err *err);
void vv_thin_free(struct vv_thin *t);
/* A thin pack made from the file at `path`, which may be that of the mirror itself: whatever was filled in goes. */
VV_MUST_CHECK int vv_thin_copy(const char *mirror, const char *path, const struct vv_id *name, struct vv_err *err);
/* Where the mirror has the pack of that name. Owned by the caller; NULL when memory is gone. */
char *vv_thin_path(const char *mirror, const struct vv_id *name);

struct vv_pack_info {
	struct vv_id name;
	uint64_t size;
	const char *path; /* borrowed: during the call */
	bool relied;      /* the last copy into this store relies on it */
};
/* Packs in use. */
VV_MUST_CHECK int vv_store_each_pack(struct vv_store *s,
	int (*fn)(void *arg, const struct vv_pack_info *p, struct vv_err *err), void *arg, struct vv_err *err);

/* These packs are about to be relied upon: young again, and out of the trash. VV_ENOTFOUND when one is gone. */
VV_MUST_CHECK int vv_store_keep_packs(struct vv_store *s, const struct vv_id *packs, size_t n, struct vv_err *err);

/*
 * The records of `from` that `to` lacks to have `ids`: theirs, those of their bases and chunks. VV_ENOTFOUND names what
 * `from` does not have either.
 */
VV_MUST_CHECK int vv_store_wanted(struct vv_store *from, struct vv_store *to, const struct vv_id *ids, size_t n,
	struct vv_extents *out, struct vv_err *err);
/*
 * May the pack of `from` be in `to` as it is? *yes: all that its objects are coded against is in it, or in `to`
 * less deep. Then vv_store_adopt may take it.
 */
VV_MUST_CHECK int vv_store_suits(
	struct vv_store *to, struct vv_store *from, const struct vv_id *pack, bool *yes, struct vv_err *err);
/*
 * Makes the file a pack of the store, on whose file system it lies: synced, linked to its name. First the file's SHA-256
 * is checked, and that of each of its objects, whose bases may be here already. VV_ECORRUPT and VV_ENOTSUP (a newer
 * pack): nothing of it gets into the store. The old name is gone then, also after a failure.
 */
VV_MUST_CHECK int vv_store_adopt(struct vv_store *s, const char *path, const struct vv_id *name, struct vv_err *err);

#endif
