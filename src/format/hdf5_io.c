#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

void vv_hdf5_init(struct vv_hdf5 *h, const struct vv_source *src, uint64_t at, uint64_t len, struct vv_arena *arena)
{
	/* Objects within a heap's block are counted beside the block. */
	*h = (struct vv_hdf5){.src = src, .at = at, .len = len, .room = len * 2, .off_width = 8, .len_width = 8,
		.arena = arena, .heap = VV_BUF_INIT(VV_MAX_TEXT)};
}

void vv_hdf5_release(struct vv_hdf5 *h)
{
	vv_map_release(&h->seen);
	vv_buf_release(&h->heap);
	free(h->ranges);
	h->ranges = NULL;
}

static uint32_t rot(uint32_t x, unsigned k)
{
	return x << k | x >> (32 - k);
}

uint32_t vv_hdf5_checksum(struct vv_span s)
{
	static const uint8_t turns[] = {4, 6, 8, 16, 19, 4}, last[] = {14, 11, 25, 16, 4, 14, 24};
	uint32_t v[3], *a = &v[0], *b = &v[1], *c = &v[2], *t;
	uint8_t tail[12] = {0};

	*a = *b = *c = 0xdeadbeef + (uint32_t)s.len;
	for (; s.len > 12; s = vv_span(s.ptr + 12, s.len - 12)) {
		for (int i = 0; i < 3; i++)
			v[i] += vv_get32(s.ptr + (size_t)i * 4);
		a = &v[0], b = &v[1], c = &v[2];
		for (size_t i = 0; i < VV_COUNT(turns); i++, t = a, a = b, b = c, c = t) {
			*a -= *c;
			*a ^= rot(*c, turns[i]);
			*c += *b;
		}
	}
	if (!s.len)
		return v[2];
	memcpy(tail, s.ptr, s.len);
	for (int i = 0; i < 3; i++)
		v[i] += vv_get32(tail + (size_t)i * 4);
	a = &v[0], b = &v[1], c = &v[2];
	for (size_t i = 0; i < VV_COUNT(last); i++, t = c, c = a, a = b, b = t) {
		*c ^= *b;
		*c -= rot(*b, last[i]);
	}
	return v[2];
}

int vv_hdf5_check(struct vv_span s, uint64_t addr, const char *what, struct vv_err *err)
{
	if (s.len < 4 || vv_hdf5_checksum(vv_span(s.ptr, s.len - 4)) != vv_get32(s.ptr + s.len - 4))
		return vv_fail(err, VV_EFORMAT, "%s: wrong checksum, address %" PRIu64, what, addr);
	return 0;
}

static int inside(const struct vv_hdf5 *h, uint64_t addr, uint64_t len, struct vv_err *err)
{
	if (addr > h->len || len > h->len - addr)
		return vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes at address %" PRIu64 " lie past the end", len, addr);
	return 0;
}

int vv_hdf5_peek(const struct vv_hdf5 *h, uint64_t addr, void *dst, size_t len, struct vv_err *err)
{
	int ret = inside(h, addr, len, err);

	return ret ? ret : vv_source_read(h->src, h->at + addr, dst, len, err);
}

int vv_hdf5_claim(struct vv_hdf5 *h, uint64_t addr, uint64_t len, bool tensor, struct vv_err *err)
{
	if (h->n_ranges == h->cap_ranges) {
		size_t cap = h->cap_ranges ? h->cap_ranges * 2 : 64;
		struct vv_hdf5_range *r = realloc(h->ranges, cap * sizeof(*r));
		if (!r)
			return vv_fail_nomem(err);
		h->ranges = r;
		h->cap_ranges = cap;
	}
	h->ranges[h->n_ranges++] = (struct vv_hdf5_range){addr, len, tensor};
	return inside(h, addr, len, err);
}

int vv_hdf5_load(struct vv_hdf5 *h, uint64_t addr, uint64_t len, struct vv_buf *out, struct vv_err *err)
{
	int ret = vv_hdf5_claim(h, addr, len, false, err);
	uint8_t *p;

	if (ret)
		return ret;
	if (len > h->room)
		return vv_fail(err, VV_EFORMAT, "structures that overlap, at address %" PRIu64, addr);
	h->room -= len;
	vv_buf_clear(out);
	p = vv_buf_reserve(out, (size_t)len);
	if (!p)
		return vv_buf_check(out, err);
	out->len = (size_t)len;
	return vv_source_read(h->src, h->at + addr, p, out->len, err);
}

int vv_hdf5_see(struct vv_hdf5 *h, uint64_t addr, bool *added, struct vv_err *err)
{
	uint8_t *key = vv_arena_alloc(h->arena, 8);

	if (!key)
		return vv_fail_nomem(err);
	vv_put64(key, addr);
	return vv_map_put(&h->seen, vv_span(key, 8), 0, added) ? 0 : vv_fail_nomem(err);
}

int vv_hdf5_once(struct vv_hdf5 *h, uint64_t addr, struct vv_err *err)
{
	bool added;
	int ret = vv_hdf5_see(h, addr, &added, err);

	if (!ret && !added)
		ret = vv_fail(err, VV_EFORMAT, "two structures at address %" PRIu64, addr);
	return ret;
}

static int by_place(const void *a, const void *b)
{
	const struct vv_hdf5_range *x = a, *y = b;

	return x->off != y->off ? (x->off < y->off ? -1 : 1) : x->tensor - y->tensor;
}

int vv_hdf5_disjoint(struct vv_hdf5 *h, struct vv_err *err)
{
	uint64_t any = 0, tensor = 0;

	if (h->n_ranges)
		qsort(h->ranges, h->n_ranges, sizeof(*h->ranges), by_place);
	for (size_t i = 0; i < h->n_ranges; i++) {
		const struct vv_hdf5_range *r = &h->ranges[i];
		uint64_t end = r->off + r->len;

		if (r->len && r->off < (r->tensor ? any : tensor))
			return vv_fail(err, VV_EFORMAT, "a tensor overlaps something else at address %" PRIu64, r->off);
		any = end > any ? end : any;
		if (r->tensor)
			tensor = end;
	}
	return 0;
}

unsigned vv_hdf5_log2(uint64_t v)
{
	return v ? 63u - (unsigned)__builtin_clzll(v) : 0;
}

int vv_hdf5_number(struct vv_cursor *c, unsigned width, uint64_t *v)
{
	struct vv_span s;

	if (vv_take(c, width, &s))
		return 1;
	*v = 0;
	while (width--)
		*v = *v << 8 | s.ptr[width];
	return 0;
}

int vv_hdf5_addr(const struct vv_hdf5 *h, struct vv_cursor *c, uint64_t *v)
{
	if (vv_hdf5_number(c, h->off_width, v))
		return 1;
	if (*v == UINT64_MAX >> (64 - 8 * h->off_width))
		*v = VV_HDF5_NONE;
	return 0;
}

int vv_hdf5_length(const struct vv_hdf5 *h, struct vv_cursor *c, uint64_t *v)
{
	return vv_hdf5_number(c, h->len_width, v);
}

int vv_hdf5_skip(struct vv_cursor *c, size_t n)
{
	struct vv_span s;

	return vv_take(c, n, &s);
}
