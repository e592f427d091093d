/* Object headers of both versions, and those of their messages that say where a dataset's elements are. */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

enum message { M_SPACE = 1, M_LINKS = 2, M_TYPE = 3, M_LINK = 6, M_EXTERNAL = 7, M_LAYOUT = 8, M_FILTERS = 11,
	M_ATTRIBUTE = 12, M_CONTINUED = 16, M_SYMBOLS = 17 };
/* The message stands elsewhere, for several objects. */
enum { SHARED = 2 };

struct reader {
	struct vv_hdf5 *h;
	struct vv_hdf5_object *o;
	vv_hdf5_body_fn *link;
	void *ctx;
	struct vv_buf chunk; /* the one that is read */
	struct vv_buf more;  /* those that follow: address and length, 8 bytes each */
	unsigned version;
	bool ordered;        /* messages have two more bytes, the order of creation */
};

/* --- element types --- */

static const struct {
	uint8_t width, exp_at, exp, mant;
	uint32_t bias;
	enum vv_dtype dt;
} floats[] = {{2, 10, 5, 10, 15, VV_DT_F16}, {2, 7, 8, 7, 127, VV_DT_BF16}, {4, 23, 8, 23, 127, VV_DT_F32},
	{8, 52, 11, 52, 1023, VV_DT_F64}, {1, 3, 4, 3, 7, VV_DT_F8_E4M3}, {1, 2, 5, 2, 15, VV_DT_F8_E5M2}};

static int fixed_type(struct vv_hdf5_object *o, uint32_t bits, struct vv_cursor *c)
{
	static const enum vv_dtype types[4][2] = {{VV_DT_U8, VV_DT_I8}, {VV_DT_U16, VV_DT_I16}, {VV_DT_U32, VV_DT_I32},
		{VV_DT_U64, VV_DT_I64}};
	uint16_t at, precision;

	if (vv_take16(c, &at) || vv_take16(c, &precision))
		return 1;
	for (unsigned i = 0; i < VV_COUNT(types); i++)
		if (o->width == 1u << i && !at && precision == 8 * o->width) {
			o->dtype = types[i][bits >> 3 & 1];
			o->type_why = bits & 1 && i ? VV_HDF5_BIG_ENDIAN : VV_HDF5_OK;
		}
	return 0;
}

static int float_type(struct vv_hdf5_object *o, uint32_t bits, struct vv_cursor *c)
{
	uint16_t at, precision;
	uint8_t exp_at, exp, mant_at, mant;
	uint32_t bias;

	if (vv_take16(c, &at) || vv_take16(c, &precision) || vv_take8(c, &exp_at) || vv_take8(c, &exp) ||
		vv_take8(c, &mant_at) || vv_take8(c, &mant) || vv_take32(c, &bias))
		return 1;
	/* The first bit of the mantissa is implied, the sign is the top bit; not in VAX order. */
	if (at || mant_at || precision != 8 * o->width || (bits >> 4 & 3) != 2 || (bits >> 8 & 0xff) != precision - 1u ||
		bits & 1 << 6)
		return 0;
	for (size_t i = 0; i < VV_COUNT(floats); i++)
		if (o->width == floats[i].width && exp_at == floats[i].exp_at && exp == floats[i].exp &&
			mant == floats[i].mant && bias == floats[i].bias) {
			o->dtype = floats[i].dt;
			o->type_why = bits & 1 && o->width > 1 ? VV_HDF5_BIG_ENDIAN : VV_HDF5_OK;
		}
	return 0;
}

/* h5py's bool: FALSE and TRUE, of one byte. */
static int enum_type(struct vv_hdf5_object *o, uint32_t bits, unsigned version, struct vv_cursor *c)
{
	static const char *const names[] = {"FALSE", "TRUE"};
	struct vv_span base, values;

	if (o->width != 1 || (bits & 0xffff) != 2)
		return 0;
	if (vv_take(c, 12, &base))
		return 1;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(names[i]) + 1;
		if (c->left < n || memcmp(c->ptr, names[i], n))
			return 0;
		if (vv_hdf5_skip(c, version < 3 ? (n + 7) / 8 * 8 : n))
			return 1;
	}
	if (vv_take(c, 2, &values))
		return 1;
	if (!(base.ptr[0] & 15) && vv_get32(base.ptr + 4) == 1 && !values.ptr[0] && values.ptr[1] == 1) {
		o->dtype = VV_DT_BOOL;
		o->type_why = VV_HDF5_OK;
	}
	return 0;
}

static int type(struct vv_hdf5_object *o, struct vv_cursor *c)
{
	enum { FIXED = 0, FLOAT = 1, OPAQUE = 5, ENUM = 8 };
	uint32_t head;

	if (vv_take32(c, &head) || vv_take32(c, &o->width))
		return 1;
	o->type_why = VV_HDF5_TYPE;
	switch (head & 15) {
	case FIXED:
		return fixed_type(o, head >> 8, c);
	case FLOAT:
		return float_type(o, head >> 8, c);
	case OPAQUE:
		o->opaque = true;
		return 0;
	case ENUM:
		return enum_type(o, head >> 8, head >> 4 & 15, c);
	default:
		return 0;
	}
}

/* --- shape and place --- */

static int space(const struct vv_hdf5 *h, struct vv_hdf5_object *o, struct vv_cursor *c)
{
	enum { HAS_MAX = 1 };
	uint8_t version, rank, flags, kind = 1;
	uint64_t dim;

	if (vv_take8(c, &version) || vv_take8(c, &rank) || vv_take8(c, &flags) || vv_take8(c, &kind))
		return 1;
	if (version < 1 || version > 2 || (version == 1 && vv_hdf5_skip(c, 4)))
		return 1;
	o->null = version == 2 && kind == 2;
	o->ndim = rank;
	for (unsigned i = 0; i < rank; i++) {
		if (vv_hdf5_length(h, c, &dim))
			return 1;
		if (i < VV_MAX_DIMS)
			o->shape[i] = o->max[i] = dim;
	}
	for (unsigned i = 0; i < rank && flags & HAS_MAX; i++) {
		if (vv_hdf5_length(h, c, &dim))
			return 1;
		if (i < VV_MAX_DIMS)
			o->max[i] = dim == UINT64_MAX >> (64 - 8 * h->len_width) ? UINT64_MAX : dim;
	}
	return 0;
}

static int chunk_dims(struct vv_hdf5_object *o, struct vv_cursor *c, unsigned width)
{
	uint64_t dim;

	for (unsigned i = 0; i < o->n_chunk; i++) {
		if (vv_hdf5_number(c, width, &dim))
			return 1;
		if (i <= VV_MAX_DIMS)
			o->chunk[i] = dim;
	}
	return 0;
}

/* What stands before the index's address: what it was made with, which it says itself again. */
static int index_made_with(const struct vv_hdf5 *h, struct vv_hdf5_object *o, unsigned flags, struct vv_cursor *c)
{
	enum { FILTERED = 2 };

	switch (o->chunk_index) {
	case VV_HDF5_SINGLE:
		return flags & FILTERED && (vv_hdf5_length(h, c, &o->len) || vv_take32(c, &o->single_mask));
	case VV_HDF5_IMPLICIT:
		return 0;
	case VV_HDF5_FIXED:
		return vv_hdf5_skip(c, 1);
	case VV_HDF5_EXTENSIBLE:
		return vv_hdf5_skip(c, 5);
	case VV_HDF5_TREE2:
		return vv_hdf5_skip(c, 6);
	default:
		return 1;
	}
}

static int chunked(const struct vv_hdf5 *h, struct vv_hdf5_object *o, unsigned version, struct vv_cursor *c)
{
	enum { ODD_EDGES = 1 };
	uint8_t flags = 0, n, width, index;

	if ((version > 3 && vv_take8(c, &flags)) || vv_take8(c, &n) || !n)
		return 1;
	o->n_chunk = n;
	o->odd_edges = flags & ODD_EDGES;
	o->wide_lengths = version > 4;
	if (version == 3)
		return vv_hdf5_addr(h, c, &o->addr) || chunk_dims(o, c, 4);
	if (vv_take8(c, &width) || width < 1 || width > 8 || chunk_dims(o, c, width) || vv_take8(c, &index))
		return 1;
	o->chunk_index = (enum vv_hdf5_index)index;
	return index_made_with(h, o, flags, c) || vv_hdf5_addr(h, c, &o->addr);
}

/* Steps that are known, each once, in the order in which everyone takes them; others leave the dataset as bytes. */
static int filters(struct vv_hdf5_object *o, struct vv_cursor *c)
{
	enum { DEFLATE = 1, SHUFFLE = 2, FLETCHER32 = 3, NAMED = 256 };
	static const uint8_t steps[] = {[DEFLATE] = VV_CODE_ZLIB, [SHUFFLE] = VV_CODE_SHUFFLE, [FLETCHER32] = VV_CODE_FLETCHER32};
	uint8_t version, n;
	uint16_t id, name, flags, values;
	uint32_t value;

	if (vv_take8(c, &version) || version < 1 || version > 2 || vv_take8(c, &n) || (version == 1 && vv_hdf5_skip(c, 6)))
		return 1;
	o->has_filters = n != 0;
	for (unsigned i = 0; i < n; i++) {
		name = 0;
		if (vv_take16(c, &id) || ((version == 1 || id >= NAMED) && vv_take16(c, &name)) || vv_take16(c, &flags) ||
			vv_take16(c, &values) || vv_hdf5_skip(c, version == 1 ? (name + 7u) / 8 * 8 : name))
			return 1;
		unsigned step = id < VV_COUNT(steps) ? steps[id] : 0, last = i && o->n_filters == i ? o->filters[i - 1] : 0;
		for (unsigned k = 0; k < values; k++) {
			if (vv_take32(c, &value))
				return 1;
			if (id == SHUFFLE && !k)
				o->shuffled = value;
		}
		if (version == 1 && values % 2 && vv_hdf5_skip(c, 4))
			return 1;
		if (step > last && o->n_filters == i && i < VV_HDF5_FILTERS)
			o->filters[o->n_filters++] = (uint8_t)step;
	}
	if (o->n_filters < n)
		o->place_why = o->place_why ? o->place_why : VV_HDF5_CHUNKED;
	return 0;
}

static int layout(const struct reader *r, struct vv_cursor *c, uint64_t at)
{
	enum { COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL };
	struct vv_hdf5_object *o = r->o;
	uint8_t version, class;
	uint16_t n;

	if (vv_take8(c, &version) || vv_take8(c, &class))
		return 1;
	/* 5 is 4 with wider sizes of compressed chunks. */
	if (version < 3 || version > 5) {
		o->place_why = VV_HDF5_LAYOUT;
		return 0;
	}
	switch (class) {
	case COMPACT:
		if (vv_take16(c, &n) || n > c->left)
			return 1;
		o->compact = true;
		o->addr = at + c->off;
		o->len = n;
		return 0;
	case CONTIGUOUS:
		return vv_hdf5_addr(r->h, c, &o->addr) || vv_hdf5_length(r->h, c, &o->len);
	case CHUNKED:
		return chunked(r->h, o, version, c);
	case VIRTUAL:
		o->place_why = VV_HDF5_EXTERNAL;
		return 0;
	default:
		return 1;
	}
}

/* --- messages --- */

static int group_links(struct reader *r, struct vv_cursor *c)
{
	enum { HAS_LAST = 1 };
	uint8_t version, flags;

	r->o->is_group = true;
	return vv_take8(c, &version) || version || vv_take8(c, &flags) || (flags & HAS_LAST && vv_hdf5_skip(c, 8)) ||
		vv_hdf5_addr(r->h, c, &r->o->links) || vv_hdf5_addr(r->h, c, &r->o->index);
}

static int continued(struct reader *r, struct vv_cursor *c)
{
	uint64_t addr, len;

	if (vv_hdf5_addr(r->h, c, &addr) || vv_hdf5_length(r->h, c, &len))
		return 1;
	vv_buf_le(&r->more, addr, 8);
	vv_buf_le(&r->more, len, 8);
	return 0;
}

/* A message whose content is elsewhere leaves the dataset as bytes. Each stands in a header once. */
static int once(bool *has, bool shared, struct vv_hdf5_object *o)
{
	if (*has)
		return 1;
	*has = true;
	if (shared)
		o->place_why = VV_HDF5_LAYOUT;
	return 0;
}

/* 1: broken. `at` is the body's address. */
static int message(struct reader *r, unsigned kind, unsigned flags, struct vv_span body, uint64_t at)
{
	struct vv_hdf5_object *o = r->o;
	struct vv_cursor c = vv_cursor(body);
	bool shared = flags & SHARED;

	switch (kind) {
	case M_SPACE:
		return once(&o->has_space, shared, o) || (!shared && space(r->h, o, &c));
	case M_TYPE:
		return once(&o->has_type, shared, o) || (!shared && type(o, &c));
	case M_LAYOUT:
		return once(&o->has_layout, shared, o) || (!shared && layout(r, &c, at));
	case M_EXTERNAL:
		o->place_why = VV_HDF5_EXTERNAL;
		return 0;
	case M_FILTERS:
		if (shared)
			o->place_why = VV_HDF5_LAYOUT;
		return o->has_filters || (!shared && filters(o, &c));
	case M_LINKS:
		return group_links(r, &c);
	case M_SYMBOLS:
		o->is_group = true;
		return vv_hdf5_addr(r->h, &c, &o->tree) || vv_hdf5_addr(r->h, &c, &o->heap);
	case M_CONTINUED:
		return continued(r, &c);
	default:
		return 0;
	}
}

/* The messages from `from` on in the chunk that was read of `addr`; `end` is where they end. */
static int messages(struct reader *r, uint64_t addr, size_t from, size_t end, struct vv_err *err)
{
	struct vv_cursor c = vv_cursor(vv_span(r->chunk.ptr + from, end - from));
	size_t head = r->version == 1 ? 8 : r->ordered ? 6 : 4;
	int ret = 0;

	while (c.left >= head && !ret) {
		const uint8_t *p = c.ptr;
		unsigned kind = r->version == 1 ? vv_get16(p) : p[0], flags = r->version == 1 ? p[4] : p[3];
		uint16_t len = vv_get16(p + (r->version == 1 ? 2 : 1));
		bool had_layout = r->o->has_layout;
		uint64_t at = addr + from + c.off + head;
		struct vv_span body;

		if (vv_hdf5_skip(&c, head) || vv_take(&c, len, &body) || message(r, kind, flags, body, at))
			return vv_fail(err, VV_EFORMAT, "broken message %u at address %" PRIu64, kind, at - head);
		if (!had_layout && r->o->has_layout && r->version > 1) {
			r->o->sum_from = addr;
			r->o->sum_at = addr + end;
		}
		if (kind == M_ATTRIBUTE && !(flags & SHARED))
			ret = r->h->attribute ? r->h->attribute(r->h, body, err)
					      : vv_hdf5_says_bf16(r->h, body, &r->o->says_bf16, err);
		if (kind == M_LINK) {
			r->o->is_group = true;
			ret = r->link(r->ctx, body, err);
		}
	}
	return ret;
}

/* --- chunks --- */

static int first_v1(struct reader *r, uint64_t addr, const uint8_t *head, struct vv_err *err)
{
	enum { PREFIX = 16 };
	int ret = vv_hdf5_load(r->h, addr, (uint64_t)PREFIX + vv_get32(head + 8), &r->chunk, err);

	r->version = 1;
	return ret ? ret : messages(r, addr, PREFIX, r->chunk.len, err);
}

static int first_v2(struct reader *r, uint64_t addr, const uint8_t *head, struct vv_err *err)
{
	enum { ORDERED = 4, LIMITS = 16, TIMES = 32 };
	unsigned flags = head[5], width = 1u << (flags & 3);
	size_t at = 6 + (flags & TIMES ? 16 : 0) + (flags & LIMITS ? 4 : 0);
	uint8_t size[8] = {0};
	uint64_t len;
	int ret = vv_hdf5_peek(r->h, addr + at, size, width, err);

	if (ret)
		return ret;
	r->version = 2;
	r->ordered = flags & ORDERED;
	at += width;
	if (vv_add_over(vv_get64(size), (uint64_t)at + 4, &len))
		return vv_fail(err, VV_EFORMAT, "object header of any length at address %" PRIu64, addr);
	ret = vv_hdf5_load(r->h, addr, len, &r->chunk, err);
	if (!ret)
		ret = vv_hdf5_check(vv_buf_view(&r->chunk), addr, "object header", err);
	return ret ? ret : messages(r, addr, at, r->chunk.len - 4, err);
}

static int next(struct reader *r, uint64_t addr, uint64_t len, struct vv_err *err)
{
	int ret = vv_hdf5_once(r->h, addr, err);

	if (!ret)
		ret = vv_hdf5_load(r->h, addr, len, &r->chunk, err);
	if (ret || r->version == 1)
		return ret ? ret : messages(r, addr, 0, r->chunk.len, err);
	if (len < 8 || memcmp(r->chunk.ptr, "OCHK", 4))
		return vv_fail(err, VV_EFORMAT, "no continued header at address %" PRIu64, addr);
	ret = vv_hdf5_check(vv_buf_view(&r->chunk), addr, "object header", err);
	return ret ? ret : messages(r, addr, 4, r->chunk.len - 4, err);
}

/* --- the whole --- */

/* Can the chunks be told, each as a tensor of its own? */
static bool good_chunks(const struct vv_hdf5_object *o)
{
	uint64_t numel, bytes;

	for (unsigned i = 0; i < o->ndim; i++)
		if (!o->chunk[i])
			return false;
	for (unsigned i = 0; i < o->n_filters; i++)
		if (o->filters[i] == VV_CODE_SHUFFLE && o->shuffled != o->width)
			return false;
	return o->ndim && o->n_chunk == o->ndim + 1 && o->chunk[o->ndim] == o->width && !(o->odd_edges && o->has_filters) &&
		!vv_dtype_bytes(o->dtype, o->chunk, o->ndim, &numel, &bytes);
}

static int settle(struct vv_hdf5_object *o, struct vv_err *err)
{
	if (!o->has_space || !o->has_type || !o->has_layout)
		return 0;
	if (o->opaque && o->says_bf16 && o->width == 2) {
		o->dtype = VV_DT_BF16;
		o->type_why = VV_HDF5_OK;
	}
	if (o->is_group)
		return vv_fail(err, VV_EFORMAT, "an object that is a group and a dataset");
	o->why = o->place_why ? o->place_why : o->type_why ? o->type_why : o->ndim > VV_MAX_DIMS ? VV_HDF5_DIMS : VV_HDF5_OK;
	if (!o->why && (o->n_chunk ? !good_chunks(o) : o->has_filters))
		o->why = VV_HDF5_CHUNKED;
	return 0;
}

int vv_hdf5_object(struct vv_hdf5 *h, uint64_t addr, struct vv_hdf5_object *out, vv_hdf5_body_fn *link, void *ctx,
	struct vv_err *err)
{
	struct reader r = {.h = h, .o = out, .link = link, .ctx = ctx, .chunk = VV_BUF_INIT(VV_MAX_TEXT),
		.more = VV_BUF_INIT(VV_MAX_TEXT)};
	uint8_t head[12];
	int ret = vv_hdf5_peek(h, addr, head, sizeof(head), err);

	*out = (struct vv_hdf5_object){.addr = VV_HDF5_NONE, .tree = VV_HDF5_NONE, .heap = VV_HDF5_NONE,
		.links = VV_HDF5_NONE, .index = VV_HDF5_NONE};
	if (ret)
		return ret;
	if (!memcmp(head, "OHDR\2", 5))
		ret = first_v2(&r, addr, head, err);
	else if (head[0] == 1)
		ret = first_v1(&r, addr, head, err);
	else
		ret = vv_fail(err, VV_EFORMAT, "no object header at address %" PRIu64, addr);
	for (size_t i = 0; i < r.more.len && !ret; i += 16)
		ret = next(&r, vv_get64(r.more.ptr + i), vv_get64(r.more.ptr + i + 8), err);
	if (!ret)
		ret = vv_buf_check(&r.more, err);
	if (!ret)
		ret = settle(out, err);
	vv_buf_release(&r.chunk);
	vv_buf_release(&r.more);
	return ret;
}
