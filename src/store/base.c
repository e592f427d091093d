/*
 * What an object is coded against. An id names bytes, so the copy of a base that is here may have been
 * stored with another type, on another grid or in chunks: its bytes are what counts.
 */
#include "store/internal.h"

#include "base/check.h"

#include <stdlib.h>

bool base_fits(const struct entry *base, const struct entry *e, bool *wide)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype;
	uint64_t bytes;

	*wide = false;
	if (base->size == e->size)
		return true;
	*wide = vv_wider(to) != to && vv_wider_bytes(to, e->size, &bytes) && base->size == bytes;
	return *wide;
}

bool base_serves(const struct entry *base, const struct entry *e)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype;
	bool wide;

	return base_fits(base, e, &wide) && base->kind == KIND_BLOCKS && base->dtype == (wide ? vv_wider(to) : to);
}

/* A range of bytes that is put together from pieces. */
struct range {
	uint64_t off;
	size_t len;
	uint8_t *to;
};

/* Takes what lies in the range of `n` bytes that begin at `at`. */
static void take(const struct range *r, uint64_t at, const uint8_t *bytes, uint64_t n)
{
	uint64_t from = at > r->off ? at : r->off, to = vv_min64(at + n, r->off + r->len);

	if (from < to)
		memcpy(r->to + (from - r->off), bytes + (from - at), (size_t)(to - from));
}

static int wrong(const struct object *o, struct vv_err *err, const char *what)
{
	char hex[VV_ID_HEX + 1];

	return vv_fail(err, VV_ECORRUPT, "object %s: %s", vv_id_hex(&o->e.id, hex), what);
}

static int take_chunks(const struct object *list, const struct range *r, uint8_t *piece, struct scratch *s,
	unsigned level, struct vv_err *err)
{
	uint64_t at = 0;
	int ret = 0;

	for (size_t i = 0; i < list->n_rows && at < r->off + r->len && !ret; i++) {
		struct object *c = NULL;
		struct vv_id id;
		uint32_t size;

		object_chunk(list, i, &id, &size);
		if (at + size > r->off) {
			ret = object_open(&c, list->store, &id, err);
			if (ret == VV_ENOTFOUND)
				ret = wrong(list, err, "a chunk is missing");
			/* A chunk has no base: through one, a list could be made of itself. */
			if (!ret && (c->e.kind != KIND_BLOCKS || c->e.size != size || c->n_rows > 1 || c->e.depth))
				ret = wrong(list, err, "a chunk is not what its list says");
			if (!ret && size)
				ret = object_decode(c, 0, piece, s, level, err);
			if (!ret)
				take(r, at, piece, size);
			object_free(c);
		}
		at += size;
	}
	return !ret && at < r->off + r->len ? wrong(list, err, "its chunks do not add up to its size") : ret;
}

/* Away from the scratch, whose buffers the chain below may need. */
static int take_range(const struct object *o, uint64_t off, uint8_t *dst, size_t len, struct scratch *s, unsigned level,
	struct vv_err *err)
{
	size_t block = vv_block_bytes((enum vv_dtype)o->e.dtype);
	uint8_t *mem = malloc(len + MAX_BLOCK), *piece = mem + len;
	struct range r = {off, len, mem};
	int ret = mem ? 0 : vv_fail_nomem(err);

	if (!ret && o->e.kind == KIND_CHUNKS)
		ret = take_chunks(o, &r, piece, s, level, err);
	for (uint64_t k = off / block; !ret && o->e.kind == KIND_BLOCKS && k * block < off + len; k++) {
		ret = object_decode(o, (size_t)k, piece, s, level, err);
		if (!ret)
			take(&r, k * block, piece, object_block_len(o, (size_t)k));
	}
	if (!ret)
		memcpy(dst, mem, len);
	free(mem);
	return ret;
}

int base_block(const struct object *base, const struct entry *e, size_t k, uint8_t *dst, struct scratch *s,
	unsigned level, struct vv_err *err)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype, from = to;
	size_t block, len;
	bool wide;
	int ret;

	if (!base_fits(&base->e, e, &wide))
		VV_BUG("no base of this object");
	if (wide)
		from = vv_wider(to);
	block = vv_block_bytes(from);
	len = (size_t)vv_min64(block, base->e.size - (uint64_t)k * block);
	if (base->e.kind == KIND_BLOCKS && vv_block_bytes((enum vv_dtype)base->e.dtype) == block)
		ret = object_decode(base, k, dst, s, level, err);
	else
		ret = take_range(base, (uint64_t)k * block, dst, len, s, level, err);
	if (!ret && wide)
		vv_narrow(from, to, dst, len / vv_dtype_width(from));
	return ret;
}
