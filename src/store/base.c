/*
 * What an object is coded against. An id names bytes, so the copy of a base that is here may have been
 * stored with another type, on another grid or in chunks: its bytes are what counts.
 */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <stdlib.h>

bool base_fits(const struct entry *base, const struct entry *e, const struct vv_codec_params *p, bool *wide)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype;
	uint64_t bytes;

	*wide = false;
	if (p->qcast)
		return vv_quant_original(p->qcast, p->from, to, e->size, &bytes) && base->size == bytes;
	if (base->size == e->size)
		return true;
	*wide = vv_wider(to) != to && vv_wider_bytes(to, e->size, &bytes) && base->size == bytes;
	return *wide;
}

bool base_serves(const struct entry *base, const struct entry *e, struct vv_codec_params *p)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype, from = (enum vv_dtype)base->dtype;
	bool wide;

	p->qcast = vv_quantizes(from, base->size, to, e->size);
	p->from = from;
	if (base->kind != KIND_BLOCKS || !base_fits(base, e, p, &wide))
		return false;
	return p->qcast || from == (wide ? vv_wider(to) : to);
}

bool base_guess(const struct entry *e, size_t i, enum vv_dtype *dtype, uint64_t *size)
{
	static const enum vv_dtype originals[] = {VV_DT_F32, VV_DT_F16, VV_DT_BF16};
	enum vv_dtype to = (enum vv_dtype)e->dtype;

	*dtype = to;
	*size = e->size;
	if (i && vv_wider(to) != to && i-- == 1) {
		*dtype = vv_wider(to);
		return vv_wider_bytes(to, e->size, size);
	}
	for (int q = VV_QCAST_NONE + 1; i && q < VV_QCAST_COUNT; q++)
		for (size_t k = 0; i && k < VV_COUNT(originals); k++)
			if (vv_quant_original((enum vv_qcast)q, originals[k], to, e->size, size) && !--i)
				*dtype = originals[k];
	return !i;
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
			ret = object_open(&c, list->via, &id, err);
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

/* Raw bytes of a base. */
static int read_range(const struct object *base, enum vv_dtype as, uint64_t off, uint8_t *dst, size_t len,
	struct scratch *s, unsigned level, struct vv_err *err)
{
	size_t block = vv_block_bytes(as);

	/* As it was coded, most often. */
	if (base->e.kind == KIND_BLOCKS && vv_block_bytes((enum vv_dtype)base->e.dtype) == block && off % block == 0 &&
		len == (size_t)vv_min64(block, base->e.size - off))
		return object_decode(base, (size_t)(off / block), dst, s, level, err);
	return take_range(base, off, dst, len, s, level, err);
}

/* Elements of a base as f32, in place. */
static int read_floats(const struct object *base, enum vv_dtype from, uint64_t first, uint8_t *dst, size_t n,
	struct scratch *s, unsigned level, struct vv_err *err)
{
	unsigned width = vv_dtype_width(from);
	uint8_t *at = dst + n * (4 - width), piece[1024];
	int ret = read_range(base, from, first * width, dst, n * width, s, level, err);

	if (ret || width == 4)
		return ret;
	memmove(at, dst, n * width);
	for (size_t i = 0, k; i < n; i += k) {
		k = n - i < sizeof(piece) / width ? n - i : sizeof(piece) / width;
		memcpy(piece, at + i * width, k * width);
		vv_widen(from, VV_DT_F32, piece, dst + 4 * i, k);
	}
	return 0;
}

/* Bytes off … off + len of the Q8_0 that is made of a base, whose blocks end anywhere. */
static int read_q8_0(const struct object *base, enum vv_dtype from, uint64_t off, uint8_t *dst, size_t len,
	struct scratch *s, unsigned level, struct vv_err *err)
{
	uint64_t first = off / VV_Q8_0_BYTES;
	size_t n = (size_t)(vv_div_up(off + len, VV_Q8_0_BYTES) - first), skip = (size_t)(off % VV_Q8_0_BYTES);
	uint8_t *mem = malloc(n * VV_Q8_0_BLOCK * 4 + n * VV_Q8_0_BYTES), *out = mem + n * VV_Q8_0_BLOCK * 4;
	int ret = mem ? 0 : vv_fail_nomem(err);

	if (!ret)
		ret = read_floats(base, from, first * VV_Q8_0_BLOCK, mem, n * VV_Q8_0_BLOCK, s, level, err);
	for (size_t i = 0; i < n && !ret; i++) {
		float x[VV_Q8_0_BLOCK];
		for (size_t j = 0; j < VV_Q8_0_BLOCK; j++) {
			uint32_t bits = vv_get32(mem + (i * VV_Q8_0_BLOCK + j) * 4);
			memcpy(&x[j], &bits, 4);
		}
		vv_q8_0_block(x, out + i * VV_Q8_0_BYTES);
	}
	if (!ret)
		memcpy(dst, out + skip, len);
	free(mem);
	return ret;
}

size_t base_room(const struct vv_codec_params *p, size_t len)
{
	return p->qcast == VV_QCAST_SCALED ? len * 4 : len;
}

int base_block(const struct object *base, const struct entry *e, const struct vv_codec_params *p, size_t k,
	uint8_t *dst, struct scratch *s, unsigned level, struct vv_err *err)
{
	enum vv_dtype to = (enum vv_dtype)e->dtype, from = to;
	size_t block = vv_block_bytes(to), len, n;
	uint64_t off = (uint64_t)k * block;
	bool wide;
	int ret;

	if (!base_fits(&base->e, e, p, &wide))
		VV_BUG("no base of this object");
	len = (size_t)vv_min64(block, e->size - off);
	n = len / vv_dtype_width(to);
	if (p->qcast == VV_QCAST_SCALED)
		return read_floats(base, p->from, off, dst, n, s, level, err);
	if (p->qcast == VV_QCAST_Q8_0)
		return read_q8_0(base, p->from, off, dst, len, s, level, err);
	if (!wide)
		return read_range(base, to, off, dst, len, s, level, err);
	from = vv_wider(to);
	ret = read_range(base, from, off / vv_dtype_width(to) * vv_dtype_width(from), dst, n * vv_dtype_width(from), s, level,
		err);
	if (!ret)
		vv_narrow(from, to, dst, n);
	return ret;
}
