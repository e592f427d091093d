/* Reading a part of one object. The scratch remembers what was read last: callers go on from there. */
#include "store/internal.h"

#include "base/check.h"

#include <inttypes.h>

/* Makes *slot the open object of that id. */
static int open_in(struct object **slot, struct vv_store *s, const struct vv_id *id, struct vv_err *err)
{
	if (*slot && vv_id_eq(&(*slot)->e.id, id))
		return 0;
	object_free(*slot);
	*slot = NULL;
	return object_open(slot, s, id, err);
}

/* Part of an object with blocks. */
static int read_blocks(struct scratch *s, uint64_t off, uint8_t *dst, size_t len, struct vv_err *err)
{
	size_t block = vv_block_bytes((enum vv_dtype)s->o->e.dtype);
	int ret = 0;

	while (len && !ret) {
		size_t k = (size_t)(off / block), at = (size_t)(off % block), have = object_block_len(s->o, k) - at;
		size_t take = have < len ? have : len;
		if (!at && take == have && s->block != k) {
			ret = object_block(s->o, k, dst, s, err); /* all of it: no need to hold it */
		} else {
			if (s->block != k) {
				s->block = SIZE_MAX;
				ret = object_block(s->o, k, s->held, s, err);
				s->block = ret ? SIZE_MAX : k;
			}
			if (!ret)
				memcpy(dst, s->held + at, take);
		}
		dst += take;
		off += take;
		len -= take;
	}
	return ret;
}

static int open_plain(struct scratch *s, struct vv_store *store, const struct vv_id *id, struct vv_err *err)
{
	if (!s->o || !vv_id_eq(&s->o->e.id, id))
		s->block = SIZE_MAX;
	return open_in(&s->o, store, id, err);
}

static int read_chunks(struct scratch *s, struct vv_store *store, uint64_t off, uint8_t *dst, size_t len, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1];
	uint64_t at = 0;
	int ret = 0;

	for (size_t i = 0; i < s->list->n_rows && len && !ret; i++) {
		struct vv_id id;
		uint32_t n;
		object_chunk(s->list, i, &id, &n);
		if (off < at + n) {
			uint64_t from = off - at;
			size_t take = (size_t)vv_min64(n - from, len);
			ret = open_plain(s, store, &id, err);
			if (!ret && (s->o->e.kind != KIND_BLOCKS || s->o->e.size != n))
				ret = vv_fail(err, VV_ECORRUPT, "object %s: a chunk is not what its list says",
					vv_id_hex(&s->list->e.id, hex));
			if (!ret)
				ret = read_blocks(s, from, dst, take, err);
			dst += take;
			off += take;
			len -= take;
		}
		at += n;
	}
	if (!ret && len)
		ret = vv_fail(err, VV_ECORRUPT, "object %s: its chunks are shorter than it is", vv_id_hex(&s->list->e.id, hex));
	return ret;
}

static int read_with(struct scratch *s, struct vv_store *store, const struct vv_id *id, uint64_t off, void *dst,
	size_t len, struct vv_err *err)
{
	bool list = s->list && vv_id_eq(&s->list->e.id, id);
	const struct object *o;
	int ret = list ? 0 : open_plain(s, store, id, err);

	if (ret)
		return ret;
	if (!list && s->o->e.kind == KIND_CHUNKS) {
		object_free(s->list);
		s->list = s->o;
		s->o = NULL;
		list = true;
	}
	o = list ? s->list : s->o;
	if (off > o->e.size || len > o->e.size - off)
		return vv_fail(err, VV_ECORRUPT, "%zu bytes at offset %" PRIu64 " lie past the object's end", len, off);
	return list ? read_chunks(s, store, off, dst, len, err) : read_blocks(s, off, dst, len, err);
}

int vv_store_read(struct vv_store *s, const struct vv_id *id, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	unsigned before;
	int ret, tries = 0;

	do {
		struct scratch *scratch = scratch_take(s, tries ? NULL : id, err);
		if (!scratch)
			return VV_ENOMEM;
		before = store_losses(s);
		ret = read_with(scratch, s, id, off, dst, len, err);
		if (ret)
			scratch_forget(scratch); /* it may hold the damaged bytes, which are mended meanwhile */
		scratch_give(s, scratch);
	} while (ret && tries++ < 3 && store_losses(s) != before);
	store_revive(s);
	return ret;
}

static int object_read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct object_source *o = (const struct object_source *)self;

	return vv_store_read(o->store, &o->id, off, dst, len, err);
}

void object_source_init(struct object_source *o, struct vv_store *s, const struct vv_id *id, uint64_t size)
{
	*o = (struct object_source){{size, object_read_at}, s, *id};
}
