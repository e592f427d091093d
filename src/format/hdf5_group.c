/*
 * The links of groups. Old ones keep names in a local heap and links in a B-tree; new ones have link
 * messages, which lie in the header while they are few, and then in a fractal heap with a B-tree of hashes.
 */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

int vv_hdf5_link_parse(const struct vv_hdf5 *h, struct vv_span body, struct vv_hdf5_link *out)
{
	enum { ORDERED = 4, TYPED = 8, CHARSET = 16, SOFT = 1, EXTERNAL = 64 };
	struct vv_cursor c = vv_cursor(body);
	uint8_t version, flags, kind = 0;
	uint64_t len;
	uint16_t n;

	*out = (struct vv_hdf5_link){.kind = VV_HDF5_USER};
	if (vv_take8(&c, &version) || version != 1 || vv_take8(&c, &flags) || (flags & TYPED && vv_take8(&c, &kind)) ||
		(flags & ORDERED && vv_hdf5_skip(&c, 8)) || (flags & CHARSET && vv_hdf5_skip(&c, 1)) ||
		vv_hdf5_number(&c, 1u << (flags & 3), &len) || len > c.left || vv_take(&c, (size_t)len, &out->name))
		return 1;
	if (!kind) {
		out->kind = VV_HDF5_HARD;
		return vv_hdf5_addr(h, &c, &out->addr);
	}
	if (kind == SOFT)
		out->kind = VV_HDF5_SOFT;
	if (kind != EXTERNAL)
		return 0;
	/* A byte of flags, the file's name, the object's. */
	out->kind = VV_HDF5_OUTSIDE;
	if (vv_take16(&c, &n) || vv_hdf5_skip(&c, 1))
		return 1;
	const uint8_t *nul = c.left ? memchr(c.ptr, 0, c.left) : NULL;
	out->target = vv_span(c.ptr, nul ? (size_t)(nul - c.ptr) : c.left);
	return 0;
}

/* --- old groups --- */

struct symbols {
	struct vv_hdf5 *h;
	struct vv_buf names; /* the local heap */
	vv_hdf5_link_fn *fn;
	void *ctx;
};

static int names(struct symbols *s, uint64_t addr, struct vv_err *err)
{
	uint8_t head[8 + 3 * 8];
	size_t n = 8 + 2 * (size_t)s->h->len_width + s->h->off_width;
	struct vv_cursor c = vv_cursor(vv_span(head, n));
	uint64_t len = 0, at = 0, list;
	int ret = vv_hdf5_peek(s->h, addr, head, n, err);

	if (ret)
		return ret;
	if (memcmp(head, "HEAP", 5) || vv_hdf5_skip(&c, 8) || vv_hdf5_length(s->h, &c, &len) ||
		vv_hdf5_length(s->h, &c, &list) || vv_hdf5_addr(s->h, &c, &at))
		return vv_fail(err, VV_EFORMAT, "no heap of names at address %" PRIu64, addr);
	return vv_hdf5_load(s->h, at, len, &s->names, err);
}

static int symbol(struct symbols *s, struct vv_cursor *c, struct vv_err *err)
{
	enum { SOFT = 2 };
	struct vv_hdf5_link link = {.kind = VV_HDF5_HARD};
	uint32_t cached;
	uint64_t name;
	const uint8_t *p, *nul;

	/* A number that says where a name is has the width of an address. */
	if (vv_hdf5_number(c, s->h->off_width, &name) || vv_hdf5_addr(s->h, c, &link.addr) || vv_take32(c, &cached) ||
		vv_hdf5_skip(c, 20))
		return vv_fail(err, VV_EFORMAT, "a short symbol");
	if (name >= s->names.len || !(nul = memchr(p = s->names.ptr + name, 0, s->names.len - (size_t)name)))
		return vv_fail(err, VV_EFORMAT, "a name past its heap, at %" PRIu64, name);
	link.name = vv_span(p, (size_t)(nul - p));
	if (cached == SOFT)
		link.kind = VV_HDF5_SOFT;
	return s->fn(s->ctx, &link, err);
}

static int leaf(struct symbols *s, uint64_t addr, struct vv_buf *node, struct vv_err *err)
{
	uint8_t head[8];
	struct vv_cursor c;
	size_t n;
	int ret = vv_hdf5_once(s->h, addr, err);

	if (!ret)
		ret = vv_hdf5_peek(s->h, addr, head, sizeof(head), err);
	if (!ret && memcmp(head, "SNOD\1", 5))
		ret = vv_fail(err, VV_EFORMAT, "no symbols at address %" PRIu64, addr);
	if (ret)
		return ret;
	n = vv_get16(head + 6);
	ret = vv_hdf5_load(s->h, addr, 8 + n * (24 + 2 * (uint64_t)s->h->off_width), node, err);
	c = vv_cursor(vv_buf_view(node));
	if (!ret && vv_hdf5_skip(&c, 8))
		ret = vv_fail(err, VV_EFORMAT, "no symbols at address %" PRIu64, addr);
	while (n-- && !ret)
		ret = symbol(s, &c, err);
	return ret;
}

/* `above` is the level of the node that led here, which is one more. */
static int tree(struct symbols *s, uint64_t addr, unsigned above, struct vv_err *err)
{
	struct vv_buf node = VV_BUF_INIT(VV_MAX_TEXT), below = VV_BUF_INIT(VV_MAX_TEXT);
	size_t prefix = 8 + 2 * (size_t)s->h->off_width, n;
	struct vv_cursor c;
	uint64_t child = 0;
	uint8_t head[8];
	int ret = vv_hdf5_once(s->h, addr, err);

	if (!ret)
		ret = vv_hdf5_peek(s->h, addr, head, sizeof(head), err);
	if (!ret && (memcmp(head, "TREE", 5) || head[5] >= VV_HDF5_LEVELS || (above < VV_HDF5_LEVELS && head[5] + 1u != above)))
		ret = vv_fail(err, VV_EFORMAT, "no B-tree of names at address %" PRIu64, addr);
	if (ret)
		return ret;
	n = vv_get16(head + 6);
	ret = vv_hdf5_load(
		s->h, addr, prefix + n * (uint64_t)(s->h->off_width + s->h->len_width) + s->h->len_width, &node, err);
	c = vv_cursor(vv_buf_view(&node));
	for (size_t i = 0; i < n && !ret; i++) {
		if (vv_hdf5_skip(&c, i ? s->h->len_width : prefix + s->h->len_width) || vv_hdf5_addr(s->h, &c, &child))
			ret = vv_fail(err, VV_EFORMAT, "a short B-tree at address %" PRIu64, addr);
		else
			ret = head[5] ? tree(s, child, head[5], err) : leaf(s, child, &below, err);
	}
	vv_buf_release(&node);
	vv_buf_release(&below);
	return ret;
}

int vv_hdf5_symbols(struct vv_hdf5 *h, uint64_t at, uint64_t heap, vv_hdf5_link_fn *fn, void *ctx, struct vv_err *err)
{
	struct symbols s = {h, VV_BUF_INIT(VV_MAX_TEXT), fn, ctx};
	int ret = names(&s, heap, err);

	if (!ret)
		ret = tree(&s, at, VV_HDF5_LEVELS, err);
	vv_buf_release(&s.names);
	return ret;
}

/* --- a fractal heap --- */

/* Blocks stand in rows of `width`; those of the first two rows have `start` bytes, then twice as many a row. */
struct fractal {
	struct vv_hdf5 *h;
	uint64_t root;
	unsigned rows;            /* of the root; 0: it is a block of objects itself */
	unsigned direct_rows;     /* rows of blocks of objects: below them are blocks of blocks */
	uint64_t width, start, max_direct;
	unsigned at_width, size_width; /* bytes of an object's offset and length in its name */
	unsigned id_len;
	bool summed;              /* blocks of objects have a checksum */
};

static bool is_power(uint64_t v)
{
	return v && !(v & (v - 1));
}

static int fractal_numbers(struct fractal *f, struct vv_cursor *c)
{
	struct vv_hdf5 *h = f->h;
	uint16_t id_len, filters, width, bits, rows;
	uint8_t flags;
	uint32_t max_object;

	/* Huge objects, free space, and what counts them, come between. */
	if (vv_hdf5_skip(c, 5) || vv_take16(c, &id_len) || vv_take16(c, &filters) || vv_take8(c, &flags) ||
		vv_take32(c, &max_object) || vv_hdf5_skip(c, 2 * (size_t)h->off_width + 10 * (size_t)h->len_width) ||
		vv_take16(c, &width) || vv_hdf5_length(h, c, &f->start) || vv_hdf5_length(h, c, &f->max_direct) ||
		vv_take16(c, &bits) || vv_hdf5_skip(c, 2) || vv_hdf5_addr(h, c, &f->root) || vv_take16(c, &rows))
		return 1;
	if (filters || !is_power(width) || !is_power(f->start) || !is_power(f->max_direct) || f->start > f->max_direct ||
		f->max_direct > UINT32_MAX || bits > 64 || bits < vv_hdf5_log2(f->start) || rows > 64 || id_len > 64 || !id_len)
		return 1;
	f->width = width;
	f->rows = rows;
	f->direct_rows = vv_hdf5_log2(f->max_direct) - vv_hdf5_log2(f->start) + 2;
	f->id_len = id_len;
	f->summed = flags & 2;
	f->at_width = (bits + 7u) / 8;
	f->size_width = vv_hdf5_log2(max_object) / 8 + 1;
	if (f->size_width > (vv_hdf5_log2(f->max_direct) + 7) / 8)
		f->size_width = (vv_hdf5_log2(f->max_direct) + 7) / 8;
	return f->at_width < 1 || f->size_width < 1 || 1 + f->at_width + f->size_width > id_len;
}

static int fractal_open(struct fractal *f, uint64_t addr, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_cursor c;
	int ret = vv_hdf5_load(f->h, addr, 26 + 3 * (uint64_t)f->h->off_width + 12 * (uint64_t)f->h->len_width, &head, err);

	if (!ret && memcmp(head.ptr, "FRHP", 5))
		ret = vv_fail(err, VV_EFORMAT, "no heap of links at address %" PRIu64, addr);
	c = vv_cursor(vv_buf_view(&head));
	/* One with filters is longer. */
	if (!ret && fractal_numbers(f, &c))
		ret = vv_fail(err, VV_EFORMAT, "a heap of links with odd numbers at address %" PRIu64, addr);
	if (!ret)
		ret = vv_hdf5_check(vv_buf_view(&head), addr, "heap of links", err);
	vv_buf_release(&head);
	return ret;
}

/* Bytes before what a block of either kind holds. */
static uint64_t block_head(const struct fractal *f, bool direct)
{
	return 5 + f->h->off_width + f->at_width + (direct && f->summed ? 4 : 0);
}

/* The first time a block is come upon, it is read whole and checked. */
static int block(struct fractal *f, uint64_t addr, uint64_t len, bool direct, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	bool first;
	int ret = vv_hdf5_see(f->h, addr, &first, err);

	if (ret || !first)
		return ret;
	ret = vv_hdf5_load(f->h, addr, len, &b, err);
	if (!ret && (len < block_head(f, direct) || memcmp(b.ptr, direct ? "FHDB" : "FHIB", 5)))
		ret = vv_fail(err, VV_EFORMAT, "no block of links at address %" PRIu64, addr);
	if (!ret && !direct)
		ret = vv_hdf5_check(vv_buf_view(&b), addr, "block of links", err);
	if (!ret && direct && f->summed) {
		uint8_t *p = b.ptr + block_head(f, true) - 4;
		uint32_t sum = vv_get32(p);

		memset(p, 0, 4);
		if (vv_hdf5_checksum(vv_buf_view(&b)) != sum)
			ret = vv_fail(err, VV_EFORMAT, "block of links: wrong checksum, address %" PRIu64, addr);
	}
	vv_buf_release(&b);
	return ret;
}

/* Where a block of blocks leads for the offset *at, which becomes one in the block below. */
static int descend(struct fractal *f, uint64_t *addr, unsigned *rows, uint64_t *at, uint64_t *size, bool *direct,
	struct vv_err *err)
{
	uint64_t line = f->start * f->width, first;
	unsigned row = *at < line ? 0 : vv_hdf5_log2(*at / line) + 1;
	uint8_t entry[8];
	struct vv_cursor c = vv_cursor(vv_span(entry, f->h->off_width));
	int ret;

	if (row >= *rows)
		return vv_fail(err, VV_EFORMAT, "a link past its heap, at %" PRIu64, *at);
	ret = block(f, *addr, block_head(f, false) + *rows * f->width * f->h->off_width + 4, false, err);
	if (ret)
		return ret;
	first = row ? line << (row - 1) : 0;
	*size = row ? f->start << (row - 1) : f->start;
	uint64_t column = (*at - first) / *size;
	ret = vv_hdf5_peek(f->h, *addr + block_head(f, false) + (row * f->width + column) * f->h->off_width, entry,
		f->h->off_width, err);
	if (!ret && vv_hdf5_addr(f->h, &c, addr))
		ret = vv_fail(err, VV_EFORMAT, "a short block of links");
	*at -= first + column * *size;
	*direct = row < f->direct_rows;
	*rows = *direct || *size < line ? 0 : vv_hdf5_log2(*size) - vv_hdf5_log2(line) + 1;
	return ret;
}

/* The object that the heap has under that name, in place of what `out` held. */
static int object(struct fractal *f, struct vv_span id, struct vv_buf *out, struct vv_err *err)
{
	struct vv_cursor c = vv_cursor(id);
	uint64_t at, len, addr = f->root, size = f->start;
	unsigned rows = f->rows;
	bool direct = !rows;
	uint8_t kind;
	int ret = 0;

	/* Outside of the blocks are names of 4 KiB and more. */
	if (vv_take8(&c, &kind) || kind & 0xf0 || vv_hdf5_number(&c, f->at_width, &at) ||
		vv_hdf5_number(&c, f->size_width, &len))
		return vv_fail(err, VV_EFORMAT, "a link that is not in its heap's blocks");
	for (unsigned level = 0; !direct && !ret; level++) {
		if (level == VV_HDF5_LEVELS)
			return vv_fail(err, VV_EFORMAT, "a heap of too many levels");
		ret = descend(f, &addr, &rows, &at, &size, &direct, err);
	}
	if (!ret)
		ret = block(f, addr, size, true, err);
	if (ret)
		return ret;
	if (at < block_head(f, true) || at > size || len > size - at || len > f->h->room)
		return vv_fail(err, VV_EFORMAT, "a link past its block, at address %" PRIu64, addr);
	f->h->room -= len;
	vv_buf_clear(out);
	uint8_t *p = vv_buf_reserve(out, (size_t)len);
	if (!p)
		return vv_buf_check(out, err);
	out->len = (size_t)len;
	return vv_hdf5_peek(f->h, addr + at, p, out->len, err);
}

/* --- its B-tree --- */

struct index {
	struct fractal heap;
	struct vv_buf link;
	vv_hdf5_link_fn *fn;
	void *ctx;
};

/* A name's hash, then its place in the heap. */
static int record(void *ctx, struct vv_span s, struct vv_err *err)
{
	struct index *x = ctx;
	struct vv_hdf5_link link;
	int ret = object(&x->heap, vv_span(s.ptr + 4, s.len - 4), &x->link, err);

	if (!ret && vv_hdf5_link_parse(x->heap.h, vv_buf_view(&x->link), &link))
		ret = vv_fail(err, VV_EFORMAT, "a broken link in a heap");
	return ret ? ret : x->fn(x->ctx, &link, err);
}

int vv_hdf5_dense(struct vv_hdf5 *h, uint64_t heap, uint64_t at, vv_hdf5_link_fn *fn, void *ctx, struct vv_err *err)
{
	enum { LINKS = 5 };
	struct index x = {.heap = {.h = h}, .link = VV_BUF_INIT(VV_MAX_TEXT), .fn = fn, .ctx = ctx};
	int ret = fractal_open(&x.heap, heap, err);

	if (!ret)
		ret = vv_hdf5_records(h, at, LINKS, 4 + x.heap.id_len, record, &x, err);
	vv_buf_release(&x.link);
	return ret;
}
