/* Reading objects: the record's tail, its bases, its blocks. */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

enum { SMALL_RECORD = 8192 }; /* read at once, kept */

static int bad(const struct object *o, struct vv_err *err, const char *what)
{
	char hex[VV_ID_HEX + 1];

	return vv_fail(err, VV_ECORRUPT, "object %s in pack %.16s at offset %" PRIu64 ": %s", vv_id_hex(&o->e.id, hex),
		o->pack->hex, o->e.off, what);
}

/* Where each block begins; together they must fill the record. */
static int place_blocks(struct object *o, struct vv_err *err)
{
	uint64_t at = o->e.off, end = o->e.off + o->e.stored - o->e.tail;

	for (size_t k = 0; k < o->n_rows; k++) {
		o->offs[k] = at;
		at += vv_get32(o->rows + k * BLOCK_ROW);
		if (at > end)
			return bad(o, err, "blocks run past their record");
	}
	return at == end ? 0 : bad(o, err, "blocks do not fill their record");
}

/* The object with room for its tail, or all of a small record, and for the blocks' offsets. */
static struct object *object_new(struct vv_store *s, struct pack *p, const struct entry *e)
{
	size_t bytes = e->stored <= SMALL_RECORD ? (size_t)e->stored : e->tail;
	size_t offs = (bytes + 7) / 8 * 8, n = e->kind == KIND_BLOCKS ? e->tail / BLOCK_ROW : 0;
	struct object *o = malloc(sizeof(*o) + offs + n * sizeof(*o->offs));

	if (!o)
		return NULL;
	*o = (struct object){.store = s, .pack = p, .e = *e};
	o->offs = (uint64_t *)(void *)(o->mem + offs);
	o->record = bytes == e->stored ? o->mem : NULL;
	return o;
}

static int read_tail(struct object *o, struct vv_err *err)
{
	size_t bytes = o->record ? (size_t)o->e.stored : o->e.tail, at = 0;
	int ret = pack_read(o->store, o->pack, o->e.off + o->e.stored - bytes, o->mem, bytes, err);
	const uint8_t *tail = o->mem + bytes - o->e.tail;
	const char *wrong;

	if (ret)
		return ret;
	wrong = tail_parse(vv_span(tail, o->e.tail), &o->e, &o->params, &at, &o->n_rows);
	if (wrong)
		return bad(o, err, wrong);
	o->rows = tail + at;
	return o->e.kind == KIND_BLOCKS ? place_blocks(o, err) : 0;
}

static int open_below(struct object **out, struct vv_store *s, const struct vv_id *id, unsigned below, struct vv_err *err);

/* Reads what o->pack and o->e say; takes ownership of o. */
static int open_found(struct object **out, struct object *o, struct vv_store *s, struct vv_err *err)
{
	int ret = o ? read_tail(o, err) : vv_fail_nomem(err);
	bool wide;

	if (o)
		o->via = s;

	if (!ret && o->e.depth) {
		/* Less deep at each step: a chain ends, whatever the packs say. */
		ret = open_below(&o->base, s, &o->e.base, o->e.depth, err);
		if (ret == VV_ENOTFOUND)
			ret = bad(o, err, "its base is missing");
		if (!ret && !base_fits(&o->base->e, &o->e, &o->params, &wide))
			ret = bad(o, err, "its base has another shape");
	}
	if (ret)
		object_free(o);
	else
		*out = o;
	return ret;
}

static int open_below(struct object **out, struct vv_store *s, const struct vv_id *id, unsigned below, struct vv_err *err)
{
	struct vv_store *where;
	struct pack *p;
	struct entry e;
	int ret = store_locate(s, id, below, &where, &p, &e, err);

	return ret ? ret : open_found(out, object_new(where, p, &e), s, err);
}

int object_open(struct object **out, struct vv_store *s, const struct vv_id *id, struct vv_err *err)
{
	return open_below(out, s, id, ANY_DEPTH, err);
}

int object_open_at(struct object **out, struct vv_store *s, struct pack *p, const struct entry *e, struct vv_err *err)
{
	return open_found(out, object_new(s, p, e), s, err);
}

void object_free(struct object *o)
{
	if (!o)
		return;
	object_free(o->base);
	free(o);
}

size_t object_block_len(const struct object *o, size_t k)
{
	size_t block = vv_block_bytes((enum vv_dtype)o->e.dtype);

	return (size_t)vv_min64(block, o->e.size - (uint64_t)k * block);
}

void object_chunk(const struct object *o, size_t i, struct vv_id *id, uint32_t *len)
{
	memcpy(id->b, o->rows + i * CHUNK_ROW, VV_ID_BYTES);
	*len = vv_get32(o->rows + i * CHUNK_ROW + VV_ID_BYTES);
}

/* The base is decoded into one of two buffers while its own base is in the other. */
int object_decode(
	const struct object *o, size_t k, uint8_t *dst, struct scratch *s, unsigned level, struct vv_err *err)
{
	size_t len = object_block_len(o, k), coded = vv_get32(o->rows + k * BLOCK_ROW);
	const uint8_t *from = o->record ? o->record + (o->offs[k] - o->e.off) : s->coded;
	uint8_t *base = NULL;
	int ret = 0;

	if (coded > s->coded_cap)
		return bad(o, err, "a block is longer than any block can be");
	if (o->base) {
		base = s->base[level & 1];
		ret = base_block(o->base, &o->e, &o->params, k, base, s, level + 1, err);
	}
	if (!ret && !o->record)
		ret = pack_read(o->store, o->pack, o->offs[k], s->coded, coded, err);
	if (!ret && vv_block_decode(s->codec, &o->params, dst, len, vv_span(from, coded), base, err))
		ret = bad(o, err, "a block does not decode");
	if (!ret && XXH64(dst, len, 0) != vv_get64(o->rows + k * BLOCK_ROW + 4))
		ret = bad(o, err, "a block does not match its checksum");
	return ret;
}

int object_block(const struct object *o, size_t k, uint8_t *dst, struct scratch *s, struct vv_err *err)
{
	if (o->e.kind != KIND_BLOCKS || k >= o->n_rows)
		VV_BUG("no such block");
	return object_decode(o, k, dst, s, 0, err);
}

static int hash_blocks(const struct object *o, struct vv_sha256 *sha, struct scratch *s, struct vv_err *err)
{
	int ret = 0;

	for (size_t k = 0; k < o->n_rows && !ret; k++) {
		ret = object_block(o, k, s->held, s, err);
		if (!ret)
			vv_sha256_update(sha, vv_span(s->held, object_block_len(o, k)));
	}
	return ret;
}

static int hash_chunks(const struct object *list, struct vv_sha256 *sha, struct scratch *s, struct vv_err *err)
{
	uint64_t size = 0;
	int ret = 0;

	for (size_t i = 0; i < list->n_rows && !ret; i++) {
		struct object *c = NULL;
		struct vv_id id;
		uint32_t len;
		object_chunk(list, i, &id, &len);
		ret = object_open(&c, list->via, &id, err);
		if (ret == VV_ENOTFOUND)
			ret = bad(list, err, "a chunk is missing");
		if (!ret && (c->e.kind != KIND_BLOCKS || c->e.size != len))
			ret = bad(list, err, "a chunk is not what the list says");
		if (!ret)
			ret = hash_blocks(c, sha, s, err);
		size += ret ? 0 : len;
		object_free(c);
	}
	if (!ret && size != list->e.size)
		ret = bad(list, err, "its chunks do not add up to its size");
	return ret;
}

int object_hash(const struct object *o, struct scratch *s, struct vv_id *out, struct vv_err *err)
{
	struct vv_sha256 sha = {NULL};
	int ret = vv_sha256_init(&sha, err);

	if (ret)
		return ret;
	ret = o->e.kind == KIND_CHUNKS ? hash_chunks(o, &sha, s, err) : hash_blocks(o, &sha, s, err);
	if (!ret)
		vv_sha256_final(&sha, out);
	vv_sha256_release(&sha);
	return ret;
}

int object_verify(const struct object *o, struct scratch *s, struct vv_err *err)
{
	struct vv_id id;
	int ret = object_hash(o, s, &id, err);

	return !ret && !vv_id_eq(&id, &o->e.id) ? bad(o, err, "its bytes have another SHA-256") : ret;
}
