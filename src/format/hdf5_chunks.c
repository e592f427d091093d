/* Where a dataset's chunks are: the old B-tree, and the five indexes that took its place. */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

struct chunks {
	struct vv_hdf5 *h;
	const struct vv_hdf5_object *o;
	uint64_t bytes;                 /* of a chunk that is not filtered */
	uint64_t count[VV_MAX_DIMS];    /* chunks in each dimension, as far as there are elements */
	uint64_t down[VV_MAX_DIMS];     /* how far apart, in an array's index, neighbours of that dimension are */
	unsigned order[VV_MAX_DIMS];    /* of dimensions in that index: one without limit comes first */
	unsigned element;               /* bytes of an array's element, or of a record */
	unsigned client;                /* what arrays say of their elements: 1 when there are filters */
	vv_hdf5_chunk_fn *fn;
	void *ctx;
};

/* A chunk by its scaled place. Those outside are left over from when there were more elements. */
static int emit(const struct chunks *x, const uint64_t *scaled, struct vv_hdf5_chunk *c, struct vv_err *err)
{
	if (c->addr == VV_HDF5_NONE)
		return 0;
	for (unsigned i = 0; i < x->o->ndim; i++) {
		if (scaled[i] >= x->count[i])
			return 0;
		c->at[i] = scaled[i] * x->o->chunk[i];
	}
	return x->fn(x->ctx, c, err);
}

/* --- old: a B-tree --- */

static int old_key(struct chunks *x, struct vv_cursor *c, struct vv_err *err)
{
	struct vv_hdf5_chunk chunk = {.len = 0};
	uint64_t scaled[VV_MAX_DIMS], at;
	uint32_t len;

	if (vv_take32(c, &len) || vv_take32(c, &chunk.mask))
		return vv_fail(err, VV_EFORMAT, "a short B-tree of chunks");
	chunk.len = len;
	for (unsigned i = 0; i < x->o->ndim; i++) {
		if (vv_hdf5_number(c, 8, &at) || at % x->o->chunk[i])
			return vv_fail(err, VV_EFORMAT, "a chunk that is not where chunks are");
		scaled[i] = at / x->o->chunk[i];
	}
	if (vv_hdf5_skip(c, 8) || vv_hdf5_addr(x->h, c, &chunk.addr))
		return vv_fail(err, VV_EFORMAT, "a short B-tree of chunks");
	return emit(x, scaled, &chunk, err);
}

/* `above` is the level of the node that led here, which is one more. */
static int old_tree(struct chunks *x, uint64_t addr, unsigned above, struct vv_err *err)
{
	struct vv_buf node = VV_BUF_INIT(VV_MAX_TEXT);
	size_t key = 8 + 8 * (size_t)x->o->n_chunk, prefix = 8 + 2 * (size_t)x->h->off_width, n;
	struct vv_cursor c;
	uint8_t head[8];
	uint64_t child = 0;
	int ret = vv_hdf5_once(x->h, addr, err);

	if (!ret)
		ret = vv_hdf5_peek(x->h, addr, head, sizeof(head), err);
	if (!ret && (memcmp(head, "TREE\1", 5) || head[5] >= VV_HDF5_LEVELS || (above < VV_HDF5_LEVELS && head[5] + 1u != above)))
		ret = vv_fail(err, VV_EFORMAT, "no B-tree of chunks at address %" PRIu64, addr);
	if (ret)
		return ret;
	n = vv_get16(head + 6);
	ret = vv_hdf5_load(x->h, addr, prefix + n * (uint64_t)(key + x->h->off_width) + key, &node, err);
	c = vv_cursor(vv_buf_view(&node));
	if (!ret && vv_hdf5_skip(&c, prefix))
		ret = vv_fail(err, VV_EFORMAT, "a short B-tree of chunks");
	for (size_t i = 0; i < n && !ret; i++) {
		if (!head[5])
			ret = old_key(x, &c, err);
		else if (vv_hdf5_skip(&c, key) || vv_hdf5_addr(x->h, &c, &child))
			ret = vv_fail(err, VV_EFORMAT, "a short B-tree of chunks");
		else
			ret = old_tree(x, child, head[5], err);
	}
	vv_buf_release(&node);
	return ret;
}

/* --- arrays --- */

/* A chunk's address and, when there are filters, its bytes and which of them were left out. */
static int place(const struct chunks *x, struct vv_cursor *c, struct vv_hdf5_chunk *chunk)
{
	*chunk = (struct vv_hdf5_chunk){.len = x->bytes};
	if (vv_hdf5_addr(x->h, c, &chunk->addr))
		return 1;
	return x->client && (vv_hdf5_number(c, x->element - x->h->off_width - 4, &chunk->len) || vv_take32(c, &chunk->mask));
}

static int by_index(const struct chunks *x, uint64_t index, struct vv_hdf5_chunk *chunk, struct vv_err *err)
{
	uint64_t scaled[VV_MAX_DIMS];

	for (unsigned i = 0; i < x->o->ndim; i++) {
		scaled[x->order[i]] = index / x->down[i];
		index %= x->down[i];
	}
	return emit(x, scaled, chunk, err);
}

/* `n` elements from the array's number `first` on. */
static int elements(const struct chunks *x, struct vv_cursor *c, uint64_t first, uint64_t n, struct vv_err *err)
{
	struct vv_hdf5_chunk chunk;
	int ret = 0;

	for (uint64_t i = 0; i < n && !ret; i++)
		ret = place(x, c, &chunk) ? vv_fail(err, VV_EFORMAT, "a short array of chunks")
					  : by_index(x, first + i, &chunk, err);
	return ret;
}

/* A structure that begins with these four letters, version 0 and the arrays' client; `c` is behind that. */
static int load(struct chunks *x, uint64_t addr, uint64_t len, const char *magic, struct vv_buf *b, struct vv_cursor *c,
	struct vv_err *err)
{
	int ret = vv_hdf5_once(x->h, addr, err);

	if (!ret)
		ret = vv_hdf5_load(x->h, addr, len, b, err);
	if (ret)
		return ret;
	if (len < 10 || memcmp(b->ptr, magic, 5) || b->ptr[5] != x->client)
		return vv_fail(err, VV_EFORMAT, "no %s of chunks at address %" PRIu64, magic, addr);
	*c = vv_cursor(vv_span(b->ptr + 6, b->len - 6));
	return vv_hdf5_check(vv_buf_view(b), addr, "array of chunks", err);
}

/* Elements in pages of `page`, each with a checksum; those that were never written have no bit, from number `bit` on. */
static int pages(struct chunks *x, uint64_t addr, const uint8_t *written, uint64_t bit, uint64_t first, uint64_t n,
	uint64_t page, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	for (uint64_t at = 0; at < n && !ret; at += page, bit++) {
		uint64_t count = vv_min64(page, n - at), len = count * x->element + 4;
		struct vv_cursor c;

		if (written[bit / 8] >> (7 - bit % 8) & 1) {
			ret = vv_hdf5_load(x->h, addr, len, &b, err);
			c = vv_cursor(vv_buf_view(&b));
			if (!ret)
				ret = vv_hdf5_check(vv_buf_view(&b), addr, "page of chunks", err);
			if (!ret)
				ret = elements(x, &c, first + at, count, err);
		}
		addr += len;
	}
	vv_buf_release(&b);
	return ret;
}

/* Is the element as wide as one must be? */
static bool good_element(const struct chunks *x)
{
	unsigned w = x->h->off_width;

	return x->client ? x->element > w + 4 && x->element <= w + 12 : x->element == w;
}

static int fixed(struct chunks *x, uint64_t addr, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT), b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t n = 0, at = 0, size, page;
	struct vv_cursor c = {0};
	uint8_t element = 0, page_bits = 0;
	int ret = load(x, addr, 12 + (uint64_t)x->h->len_width + x->h->off_width, "FAHD", &head, &c, err);

	if (!ret && (vv_take8(&c, &element) || vv_take8(&c, &page_bits) || vv_hdf5_length(x->h, &c, &n) ||
			vv_hdf5_addr(x->h, &c, &at) || !(x->element = element) || !good_element(x) || page_bits > 63 ||
			n > x->h->len))
		ret = vv_fail(err, VV_EFORMAT, "an array of chunks with odd numbers at address %" PRIu64, addr);
	if (ret || at == VV_HDF5_NONE)
		goto out;
	page = (uint64_t)1 << page_bits;
	size = 6 + x->h->off_width + (n > page ? (vv_div_up(n, page) + 7) / 8 : n * x->element) + 4;
	ret = load(x, at, size, "FADB", &b, &c, err);
	if (!ret && vv_hdf5_skip(&c, x->h->off_width))
		ret = vv_fail(err, VV_EFORMAT, "a short array of chunks");
	if (!ret)
		ret = n > page ? pages(x, at + size, c.ptr, 0, 0, n, page, err) : elements(x, &c, 0, n, err);
out:
	vv_buf_release(&head);
	vv_buf_release(&b);
	return ret;
}

/* --- an array that grows --- */

/*
 * Data blocks come in groups ("secondary blocks"), each of twice as many blocks, or blocks twice as large, as the
 * one before. The first groups' blocks are listed in the index block, those of the others in blocks of their own.
 */
struct growing {
	struct chunks *x;
	uint8_t bits, in_index, min_elements, min_pointers, page_bits;
	unsigned at_width;  /* of a block's place in the array */
	unsigned n_groups, first_group; /* the first that has a block of its own */
};

static uint64_t group_blocks(unsigned group)
{
	return (uint64_t)1 << (group / 2);
}

static uint64_t group_elements(const struct growing *g, unsigned group)
{
	return ((uint64_t)1 << ((group + 1) / 2)) * g->min_elements;
}

static bool paged(const struct growing *g, uint64_t n)
{
	return n > (uint64_t)1 << g->page_bits;
}

static int data_block(const struct growing *g, uint64_t addr, uint64_t first, uint64_t n, const uint8_t *written,
	uint64_t bit, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t head = 6 + (uint64_t)g->x->h->off_width + g->at_width, size = head + (paged(g, n) ? 0 : n * g->x->element) + 4;
	struct vv_cursor c = {0};
	int ret;

	if (addr == VV_HDF5_NONE)
		return 0;
	ret = load(g->x, addr, size, "EADB", &b, &c, err);
	if (!ret && vv_hdf5_skip(&c, (size_t)head - 6))
		ret = vv_fail(err, VV_EFORMAT, "a short array of chunks");
	if (!ret)
		ret = paged(g, n) ? pages(g->x, addr + size, written, bit, first, n, (uint64_t)1 << g->page_bits, err)
				  : elements(g->x, &c, first, n, err);
	vv_buf_release(&b);
	return ret;
}

static int secondary_block(const struct growing *g, uint64_t addr, unsigned group, uint64_t first, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t blocks = group_blocks(group), n = group_elements(g, group), at = 0;
	/* Which pages were written, a bit each, with bytes for each block as if it had its own. */
	uint64_t n_pages = paged(g, n) ? n >> g->page_bits : 0, bitmap = (n_pages + 7) / 8;
	uint64_t head = 6 + (uint64_t)g->x->h->off_width + g->at_width;
	struct vv_cursor c = {0};
	const uint8_t *bits;
	int ret;

	if (addr == VV_HDF5_NONE)
		return 0;
	/* Before it is multiplied: each block takes an address of the file. */
	if (blocks > g->x->h->len || bitmap > g->x->h->len)
		return vv_fail(err, VV_EFORMAT, "more blocks of chunks than there are bytes, at address %" PRIu64, addr);
	if (vv_mul_over(blocks, bitmap + g->x->h->off_width, &at) || vv_add_over(at, head + 4, &at))
		return vv_fail(err, VV_EFORMAT, "more blocks of chunks than there are bytes, at address %" PRIu64, addr);
	ret = load(g->x, addr, at, "EASB", &b, &c, err);
	if (!ret && vv_hdf5_skip(&c, (size_t)(head - 6 + blocks * bitmap)))
		ret = vv_fail(err, VV_EFORMAT, "a short array of chunks");
	bits = b.ptr + head;
	for (uint64_t i = 0; i < blocks && !ret; i++)
		ret = vv_hdf5_addr(g->x->h, &c, &at) ? vv_fail(err, VV_EFORMAT, "a short array of chunks")
						     : data_block(g, at, first + i * n, n, bits, i * n_pages, err);
	vv_buf_release(&b);
	return ret;
}

static int index_block(const struct growing *g, uint64_t addr, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	const struct vv_hdf5 *h = g->x->h;
	uint64_t listed = 2 * ((uint64_t)g->min_pointers - 1) + (g->n_groups - g->first_group), first = g->in_index, at = 0;
	struct vv_cursor c = {0};
	int ret = load(g->x, addr, 6 + h->off_width + (uint64_t)g->in_index * g->x->element + listed * h->off_width + 4, "EAIB",
		&b, &c, err);

	if (!ret && vv_hdf5_skip(&c, h->off_width))
		ret = vv_fail(err, VV_EFORMAT, "a short array of chunks");
	if (!ret)
		ret = elements(g->x, &c, 0, g->in_index, err);
	for (unsigned group = 0; group < g->n_groups && !ret; group++) {
		uint64_t blocks = group_blocks(group), n = group_elements(g, group);

		for (uint64_t i = 0; i < blocks && group < g->first_group && !ret; i++)
			ret = vv_hdf5_addr(h, &c, &at) ? vv_fail(err, VV_EFORMAT, "a short array of chunks")
						       : data_block(g, at, first + i * n, n, NULL, 0, err);
		if (!ret && group >= g->first_group)
			ret = vv_hdf5_addr(h, &c, &at) ? vv_fail(err, VV_EFORMAT, "a short array of chunks")
						       : secondary_block(g, at, group, first, err);
		first += blocks * n;
	}
	vv_buf_release(&b);
	return ret;
}

static bool is_power(unsigned v)
{
	return v && !(v & (v - 1));
}

static int growing(struct chunks *x, uint64_t addr, struct vv_err *err)
{
	struct growing g = {.x = x};
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_cursor c = {0};
	uint8_t element = 0;
	uint64_t at = 0;
	int ret = load(x, addr, 16 + 6 * (uint64_t)x->h->len_width + x->h->off_width, "EAHD", &head, &c, err);

	if (!ret && (vv_take8(&c, &element) || vv_take8(&c, &g.bits) || vv_take8(&c, &g.in_index) ||
			vv_take8(&c, &g.min_elements) || vv_take8(&c, &g.min_pointers) || vv_take8(&c, &g.page_bits) ||
			vv_hdf5_skip(&c, 6 * (size_t)x->h->len_width) || vv_hdf5_addr(x->h, &c, &at) ||
			!(x->element = element) || !good_element(x) || !is_power(g.min_elements) || !is_power(g.min_pointers) ||
			g.bits > 62 || g.page_bits > 62 || g.bits < vv_hdf5_log2(g.min_elements)))
		ret = vv_fail(err, VV_EFORMAT, "an array of chunks with odd numbers at address %" PRIu64, addr);
	if (!ret && at != VV_HDF5_NONE) {
		g.at_width = (g.bits + 7u) / 8;
		g.n_groups = 1 + g.bits - vv_hdf5_log2(g.min_elements);
		g.first_group = 2 * vv_hdf5_log2(g.min_pointers);
		/* Pages would be told of in the blocks of groups only. */
		if (g.first_group > g.n_groups || (g.first_group && paged(&g, group_elements(&g, g.first_group - 1))))
			ret = vv_fail(err, VV_EFORMAT, "an array of chunks with odd numbers at address %" PRIu64, addr);
		else
			ret = index_block(&g, at, err);
	}
	vv_buf_release(&head);
	return ret;
}

/* --- the other new ones --- */

static int record(void *ctx, struct vv_span s, struct vv_err *err)
{
	struct chunks *x = ctx;
	struct vv_cursor c = vv_cursor(s);
	struct vv_hdf5_chunk chunk;
	uint64_t scaled[VV_MAX_DIMS];

	if (place(x, &c, &chunk))
		return vv_fail(err, VV_EFORMAT, "a short record of a chunk");
	for (unsigned i = 0; i < x->o->ndim; i++)
		if (vv_hdf5_number(&c, 8, &scaled[i]))
			return vv_fail(err, VV_EFORMAT, "a short record of a chunk");
	return emit(x, scaled, &chunk, err);
}

/* How wide a filtered chunk's length is written: as bytes of an unfiltered one need, and a byte more. */
static unsigned length_width(const struct chunks *x)
{
	unsigned n = 1 + (vv_hdf5_log2(x->bytes) + 8) / 8;

	return x->o->wide_lengths ? x->h->len_width : n < 8 ? n : 8;
}

static int tree(struct chunks *x, uint64_t addr, struct vv_err *err)
{
	enum { PLAIN = 10, FILTERED = 11 };
	unsigned n = x->h->off_width + 8 * x->o->ndim;

	x->element = x->h->off_width + (x->client ? 4 + length_width(x) : 0);
	return vv_hdf5_records(x->h, addr, x->client ? FILTERED : PLAIN, n + (x->element - x->h->off_width), record, x, err);
}

/* All of them one after the other, written or not. */
static int implicit(struct chunks *x, uint64_t addr, struct vv_err *err)
{
	uint64_t n = 1, all;
	int ret = 0;

	for (unsigned i = 0; i < x->o->ndim; i++)
		ret |= vv_mul_over(n, vv_div_up(x->o->max[i], x->o->chunk[i]), &n);
	if (ret || vv_mul_over(n, x->bytes, &all) || addr > x->h->len || all > x->h->len - addr)
		return vv_fail(err, VV_EFORMAT, "chunks past the end, at address %" PRIu64, addr);
	for (uint64_t i = 0; i < n && !ret; i++)
		ret = by_index(x, i, &(struct vv_hdf5_chunk){.addr = addr + i * x->bytes, .len = x->bytes}, err);
	return ret;
}

static int only(struct chunks *x, uint64_t addr, struct vv_err *err)
{
	static const uint64_t first[VV_MAX_DIMS];
	struct vv_hdf5_chunk chunk = {.addr = addr, .len = x->client ? x->o->len : x->bytes, .mask = x->o->single_mask};

	return emit(x, first, &chunk, err);
}

/* --- all --- */

/* The numbers of an array's elements. It is laid out for as many elements as there may once be. */
static int array_order(struct chunks *x)
{
	const struct vv_hdf5_object *o = x->o;
	uint64_t step = 1;
	unsigned n = 0;

	for (unsigned i = 0; i < o->ndim; i++)
		if (o->max[i] == UINT64_MAX && o->chunk_index == VV_HDF5_EXTENSIBLE && !n)
			x->order[n++] = i;
	for (unsigned i = 0; i < o->ndim; i++)
		if (!n || x->order[0] != i || o->chunk_index != VV_HDF5_EXTENSIBLE)
			x->order[n++] = i;
	if (n != o->ndim)
		return 1;
	for (unsigned i = o->ndim; i-- > 0;) {
		unsigned d = x->order[i];

		x->down[i] = step;
		if (i && vv_mul_over(step, vv_div_up(o->max[d], o->chunk[d]), &step))
			return 1;
	}
	return 0;
}

int vv_hdf5_chunks(
	struct vv_hdf5 *h, const struct vv_hdf5_object *o, vv_hdf5_chunk_fn *fn, void *ctx, struct vv_err *err)
{
	struct chunks x = {.h = h, .o = o, .client = o->n_filters != 0, .fn = fn, .ctx = ctx};
	uint64_t numel;

	if (o->addr == VV_HDF5_NONE)
		return 0;
	for (unsigned i = 0; i < o->ndim; i++) {
		if (!o->shape[i])
			return 0;
		if (!o->chunk[i] || o->max[i] < o->shape[i])
			return vv_fail(err, VV_EFORMAT, "chunks of no elements, or more of them than there may be");
		x.count[i] = vv_div_up(o->shape[i], o->chunk[i]);
	}
	if (vv_dtype_bytes(o->dtype, o->chunk, o->ndim, &numel, &x.bytes))
		return vv_fail(err, VV_EFORMAT, "chunks of any size");
	if (o->chunk_index != VV_HDF5_TREE && o->chunk_index != VV_HDF5_TREE2 && array_order(&x))
		return vv_fail(err, VV_EFORMAT, "more chunks than can be counted");
	switch (o->chunk_index) {
	case VV_HDF5_TREE:
		return old_tree(&x, o->addr, VV_HDF5_LEVELS, err);
	case VV_HDF5_SINGLE:
		return only(&x, o->addr, err);
	case VV_HDF5_IMPLICIT:
		return implicit(&x, o->addr, err);
	case VV_HDF5_FIXED:
		return fixed(&x, o->addr, err);
	case VV_HDF5_EXTENSIBLE:
		return growing(&x, o->addr, err);
	case VV_HDF5_TREE2:
		return tree(&x, o->addr, err);
	}
	VV_BUG("an index that the header's reader let pass");
}
