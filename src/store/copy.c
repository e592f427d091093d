/* Copying objects between stores as they are coded, with all they are made of. */
#include "store/internal.h"

#include "base/arena.h"

#include <stdlib.h>

struct copy {
	struct vv_store *to, *from;
	struct pack_writer writer;
	struct vv_map seen;
	struct vv_arena ids;
	struct vv_put_stats *stats;
};

static int add_pack_of(struct copy *c, struct vv_err *err)
{
	struct pack *made = NULL;
	int ret = writer_finish(&c->writer, &made, err);

	return !ret && made ? store_add_pack(c->to, made, err) : ret;
}

/* Appends the record as it is. */
int writer_record(struct pack_writer *w, struct vv_store *s, struct pack *p, const struct entry *from, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	struct entry e = *from;
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? writer_bytes(w, vv_span(NULL, 0), err) : vv_fail_nomem(err);

	e.off = w->at;
	for (uint64_t at = 0; at < e.stored && !ret; at += PIECE) {
		size_t len = e.stored - at < PIECE ? (size_t)(e.stored - at) : PIECE;
		ret = pack_read(s, p, from->off + at, buf, len, err);
		if (!ret)
			ret = writer_bytes(w, vv_span(buf, len), err);
	}
	if (!ret)
		ret = writer_entry(w, &e, err);
	free(buf);
	return ret;
}

static int copy_one(struct copy *c, const struct vv_id *id, unsigned depth, struct vv_err *err)
{
	struct vv_id *key = vv_arena_alloc(&c->ids, sizeof(*key));
	struct vv_err none = VV_ERR_INIT;
	struct vv_store *where;
	struct object *o = NULL;
	struct pack *pack;
	struct entry e;
	bool added;
	int ret;

	if (!key)
		return vv_fail_nomem(err);
	*key = *id;
	if (!vv_map_put(&c->seen, vv_span(key->b, VV_ID_BYTES), 1, &added))
		return vv_fail_nomem(err);
	if (!added)
		return 0;
	if (!store_locate(c->to, id, &where, &pack, &e, &none))
		return where == c->to ? store_freshen(c->to, pack, err) : 0;
	ret = object_open(&o, c->from, id, err);
	if (ret)
		return ret;
	if (depth > MAX_DEPTH + 1)
		ret = vv_fail(err, VV_ECORRUPT, "objects are nested too deep");
	if (!ret && o->base)
		ret = copy_one(c, &o->base->e.id, depth + 1, err);
	for (size_t i = 0; !ret && o->e.kind == KIND_CHUNKS && i < o->n_rows; i++) {
		struct vv_id chunk;
		memcpy(chunk.b, o->rows + i * CHUNK_ROW, VV_ID_BYTES);
		ret = copy_one(c, &chunk, depth + 1, err);
	}
	if (!ret)
		ret = writer_record(&c->writer, o->store, o->pack, &o->e, err);
	if (!ret && c->stats) {
		c->stats->objects_new++;
		c->stats->raw_new += o->e.size;
		c->stats->stored += o->e.stored;
	}
	if (!ret && c->writer.at >= PACK_TARGET)
		ret = add_pack_of(c, err);
	object_free(o);
	return ret;
}

/* Only what the source can prove is copied: every object is decoded and hashed there first. */
static int verify_missing(struct vv_store *to, struct vv_store *from, const struct vv_id *ids, size_t n,
	struct vv_progress *prog, struct vv_err *err)
{
	struct vv_get_item *items = malloc((n ? n : 1) * sizeof(*items));
	size_t k = 0;
	int ret = items ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_object_info info;
		if (vv_store_has(to, &ids[i]))
			continue;
		ret = vv_store_find(from, &ids[i], &info, err);
		items[k++] = (struct vv_get_item){ids[i], info.size, 0};
	}
	if (!ret)
		ret = vv_store_verify(from, items, k, prog, err);
	free(items);
	return ret;
}

int vv_store_copy(struct vv_store *to, struct vv_store *from, const struct vv_id *ids, size_t n,
	struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct copy c = {.to = to, .from = from, .stats = stats};
	struct vv_lock lock = VV_LOCK_INIT;
	int ret;

	if (to->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", to->dir);
	writer_init(&c.writer, to);
	ret = store_lock(to, &lock, VV_LOCK_SHARED, err);
	if (!ret)
		ret = vv_store_refresh(to, err);
	if (!ret)
		ret = verify_missing(to, from, ids, n, prog, err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = copy_one(&c, &ids[i], 0, err);
	if (!ret)
		ret = add_pack_of(&c, err);
	writer_release(&c.writer);
	vv_unlock(&lock);
	vv_map_release(&c.seen);
	vv_arena_release(&c.ids);
	return ret;
}
