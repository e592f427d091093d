/*
 * HDF5 files of varve's own: a superblock of version 2, all headers, then the elements of each dataset in one
 * piece, in the order of the parts. What was made so, and only that, can be made again with any other tensors.
 */
#include "base/check.h"
#include "format/hdf5.h"
#include "format/nametree.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	ROOT = 48,         /* the superblock is as long */
	NOTE = ROOT + 10 + 22 + 6 + 4, /* where the attribute's message has its body */
	NOTE_TEXT = 9 + 6 + 8 + 4,     /* and that its text */
	ALIGN = 8,
	MAX_LEVELS = 64,   /* groups in each other */
	MAX_NOTE = 1024,
};

enum { M_SPACE = 1, M_LINKS = 2, M_TYPE = 3, M_FILL = 5, M_LINK = 6, M_LAYOUT = 8, M_GROUP = 10, M_ATTRIBUTE = 12 };

/* Integers have no exponent. F8_E4M3 is missing: HDF5 takes its largest exponent for infinities. */
static const struct {
	enum vv_dtype dt;
	uint8_t exp, mant;
	uint16_t bias;
	bool is_signed;
} types[] = {{VV_DT_F64, 11, 52, 1023, true}, {VV_DT_F32, 8, 23, 127, true}, {VV_DT_BF16, 8, 7, 127, true}, {VV_DT_F16, 5, 10, 15, true},
	{VV_DT_F8_E5M2, 5, 2, 15, true}, {VV_DT_I8, 0, 0, 0, true}, {VV_DT_I16, 0, 0, 0, true},
	{VV_DT_I32, 0, 0, 0, true}, {VV_DT_I64, 0, 0, 0, true}, {VV_DT_U8, 0, 0, 0, false}, {VV_DT_U16, 0, 0, 0, false},
	{VV_DT_U32, 0, 0, 0, false}, {VV_DT_U64, 0, 0, 0, false}};

struct writer {
	struct vv_nametree tree; /* addr: of the header; data: of the elements */
	struct vv_buf head;
	uint64_t end; /* of the file */
};

/* --- messages --- */

/* Their bodies are short; *at: where the length is to go. */
static size_t open_message(struct vv_buf *b, unsigned kind, unsigned flags)
{
	vv_buf_le(b, kind, 1);
	vv_buf_le(b, 0, 2);
	vv_buf_le(b, flags, 1);
	return b->len;
}

static void close_message(struct vv_buf *b, size_t from)
{
	if (!b->failed)
		vv_put16(b->ptr + from - 3, (uint16_t)(b->len - from));
}

static size_t open_header(struct vv_buf *b)
{
	enum { LEN_OF_4 = 2 };
	size_t from = b->len;

	vv_buf_str(b, "OHDR");
	vv_buf_le(b, 2, 1);
	vv_buf_le(b, LEN_OF_4, 1);
	vv_buf_le(b, 0, 4);
	return from;
}

static void put_sum(struct vv_buf *b, size_t from)
{
	vv_buf_le(b, b->failed ? 0 : vv_hdf5_checksum(vv_span(b->ptr + from, b->len - from)), 4);
}

static void close_header(struct vv_buf *b, size_t from)
{
	if (!b->failed)
		vv_put32(b->ptr + from + 6, (uint32_t)(b->len - from - 10));
	put_sum(b, from);
}

static void put_space(struct vv_buf *b, const uint64_t *shape, unsigned ndim)
{
	vv_buf_le(b, 2, 1);
	vv_buf_le(b, ndim, 1);
	vv_buf_le(b, 0, 1);
	vv_buf_le(b, ndim != 0, 1); /* a scalar, or simple */
	for (unsigned i = 0; i < ndim; i++)
		vv_buf_le(b, shape[i], 8);
}

static void put_number_type(struct vv_buf *b, unsigned width, bool is_signed)
{
	vv_buf_le(b, 0x10, 1);
	vv_buf_le(b, is_signed ? 8 : 0, 3);
	vv_buf_le(b, width, 4);
	vv_buf_le(b, 0, 2);
	vv_buf_le(b, 8 * width, 2);
}

static void put_float_type(struct vv_buf *b, unsigned exp, unsigned mant, uint32_t bias)
{
	unsigned bits = 1 + exp + mant;

	vv_buf_le(b, 0x11, 1);
	vv_buf_le(b, 2 << 4, 1); /* the mantissa's first bit is implied */
	vv_buf_le(b, bits - 1, 2);
	vv_buf_le(b, bits / 8, 4);
	vv_buf_le(b, 0, 2);
	vv_buf_le(b, bits, 2);
	vv_buf_le(b, mant, 1);
	vv_buf_le(b, exp, 1);
	vv_buf_le(b, 0, 1);
	vv_buf_le(b, mant, 1);
	vv_buf_le(b, bias, 4);
}

/* h5py's. */
static void put_bool_type(struct vv_buf *b)
{
	vv_buf_le(b, 0x38, 1);
	vv_buf_le(b, 2, 3);
	vv_buf_le(b, 1, 4);
	put_number_type(b, 1, true);
	vv_buf_add(b, "FALSE\0TRUE\0\0\1", 13);
}

/* false: HDF5 has none. */
static bool put_type(struct vv_buf *b, enum vv_dtype dt)
{
	if (dt == VV_DT_BOOL) {
		put_bool_type(b);
		return true;
	}
	for (size_t i = 0; i < VV_COUNT(types); i++) {
		if (types[i].dt != dt)
			continue;
		if (types[i].exp)
			put_float_type(b, types[i].exp, types[i].mant, types[i].bias);
		else
			put_number_type(b, vv_dtype_width(dt), types[i].is_signed);
		return true;
	}
	return false;
}

/* --- objects --- */

static int put_dataset(struct vv_buf *b, const struct vv_name_node *n, struct vv_err *err)
{
	enum { CONTIGUOUS = 1, CONSTANT = 1 };
	size_t from = open_header(b), m = open_message(b, M_SPACE, 0);

	put_space(b, n->part->shape, n->part->ndim);
	close_message(b, m);
	m = open_message(b, M_TYPE, CONSTANT);
	if (!put_type(b, n->part->dtype))
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': HDF5 has no type %s", n->part->name,
			vv_dtype_info(n->part->dtype)->name);
	close_message(b, m);
	m = open_message(b, M_FILL, CONSTANT);
	vv_buf_le(b, 3, 1);
	vv_buf_le(b, 2 | 2 << 2, 1); /* late, and only if there is one: as libhdf5 does by itself */
	close_message(b, m);
	m = open_message(b, M_LAYOUT, 0);
	vv_buf_le(b, 3, 1);
	vv_buf_le(b, CONTIGUOUS, 1);
	vv_buf_le(b, n->part->len ? n->data : VV_HDF5_NONE, 8);
	vv_buf_le(b, n->part->len, 8);
	close_message(b, m);
	close_header(b, from);
	return 0;
}

static void put_note(struct vv_buf *b, const char *note)
{
	size_t m = open_message(b, M_ATTRIBUTE, 0), n = strlen(note) + 1;

	vv_buf_le(b, 3, 2); /* version, flags */
	vv_buf_le(b, sizeof("varve"), 2);
	vv_buf_le(b, 8, 2); /* bytes of the type */
	vv_buf_le(b, 4, 2); /* and of the shape */
	vv_buf_le(b, 0, 1); /* ASCII */
	vv_buf_add(b, "varve", sizeof("varve"));
	vv_buf_le(b, 0x13, 4); /* text that ends with a NUL */
	vv_buf_le(b, n, 4);
	put_space(b, NULL, 0);
	vv_buf_add(b, note, n);
	close_message(b, m);
}

static bool is_ascii(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 0x80)
			return false;
	return true;
}

static void put_link(struct vv_buf *b, const struct vv_name_node *n)
{
	enum { LEN_OF_2 = 1, HAS_CHARSET = 16, UTF8 = 1 };
	size_t m = open_message(b, M_LINK, 0);

	vv_buf_le(b, 1, 1);
	vv_buf_le(b, LEN_OF_2 | HAS_CHARSET, 1);
	vv_buf_le(b, is_ascii(n->name) ? 0 : UTF8, 1);
	vv_buf_le(b, n->name.len, 2);
	vv_buf_span(b, n->name);
	vv_buf_le(b, n->addr, 8);
	close_message(b, m);
}

static void put_group(struct writer *w, const struct vv_name_node *g, const char *note)
{
	struct vv_buf *b = &w->head;
	size_t from = open_header(b), m = open_message(b, M_LINKS, 0);

	vv_buf_le(b, 0, 2); /* version, flags */
	vv_buf_le(b, VV_HDF5_NONE, 8);
	vv_buf_le(b, VV_HDF5_NONE, 8);
	close_message(b, m);
	m = open_message(b, M_GROUP, 0);
	vv_buf_le(b, 0, 2);
	close_message(b, m);
	if (note)
		put_note(b, note);
	for (size_t i = g->first; i; i = w->tree.nodes[i].next)
		put_link(b, &w->tree.nodes[i]);
	close_header(b, from);
}

static void put_superblock(struct vv_buf *b, uint64_t end)
{
	size_t from = b->len;

	vv_buf_add(b, "\x89HDF\r\n\x1a\n", 8);
	vv_buf_le(b, 2, 1);
	vv_buf_le(b, 8, 1);
	vv_buf_le(b, 8, 2); /* and no flags */
	vv_buf_le(b, 0, 8);
	vv_buf_le(b, VV_HDF5_NONE, 8);
	vv_buf_le(b, end, 8);
	vv_buf_le(b, ROOT, 8);
	put_sum(b, from);
}

/* --- the head --- */

static int put_all(struct writer *w, const char *note, struct vv_err *err)
{
	int ret = 0;

	vv_buf_clear(&w->head);
	put_superblock(&w->head, w->end);
	for (size_t i = 0; i < w->tree.n && !ret; i++) {
		w->tree.nodes[i].addr = w->head.len;
		if (w->tree.nodes[i].part)
			ret = put_dataset(&w->head, &w->tree.nodes[i], err);
		else
			put_group(w, &w->tree.nodes[i], i ? NULL : note);
	}
	return ret ? ret : vv_buf_check(&w->head, err);
}

static int place_data(struct writer *w, struct vv_err *err)
{
	w->end = w->head.len;
	for (size_t i = 0; i < w->tree.n; i++) {
		struct vv_name_node *n = &w->tree.nodes[i];
		if (!n->part || !n->part->len)
			continue;
		n->data = vv_div_up(w->end, ALIGN) * ALIGN;
		if (vv_add_over(n->data, n->part->len, &w->end) || w->end > UINT64_MAX / 2)
			return vv_fail(err, VV_ELIMIT, "tensor '%s' ends past any file", n->part->name);
	}
	return 0;
}

/* Twice: no length depends on an address, so the first time says where all is. Released by the caller. */
static int plan(struct writer *w, const char *note, const struct vv_part *parts, size_t n, struct vv_err *err)
{
	int ret;

	*w = (struct writer){.head = VV_BUF_INIT(VV_MAX_HEADER)};
	ret = vv_nametree_make(&w->tree, "HDF5", MAX_LEVELS, parts, n, err);
	for (size_t i = 0; i < w->tree.n && !ret; i++)
		if (vv_span_is(w->tree.nodes[i].name, ".")) /* the group itself */
			ret = vv_fail(err, VV_ENOTSUP, "HDF5 cannot call a group or a dataset '.'");
	if (!ret)
		ret = put_all(w, note, err);
	if (!ret)
		ret = place_data(w, err);
	return ret ? ret : put_all(w, note, err);
}

static void release(struct writer *w)
{
	vv_nametree_release(&w->tree);
	vv_buf_release(&w->head);
}

static int zeros(struct vv_sink *out, uint64_t n, struct vv_err *err)
{
	static const uint8_t none[ALIGN];

	return n ? out->write(out, vv_span(none, (size_t)n), err) : 0;
}

static int write_all(struct writer *w, struct vv_sink *out, struct vv_err *err)
{
	uint64_t at = w->head.len;
	int ret = out->write(out, vv_buf_view(&w->head), err);

	for (size_t i = 0; i < w->tree.n && !ret; i++) {
		const struct vv_name_node *n = &w->tree.nodes[i];
		if (!n->part || !n->part->len)
			continue;
		ret = zeros(out, n->data - at, err);
		if (!ret)
			ret = vv_source_copy(n->part->bytes, 0, n->part->len, out, err);
		at = n->data + n->part->len;
	}
	return ret;
}

/* --- old files --- */

enum { NOT_OURS = 1 };

/* The text of the attribute, where our own files have it. */
static int read_note(const struct vv_source *src, char *note, struct vv_err *err)
{
	uint8_t len[2];
	int ret = src->size < NOTE + NOTE_TEXT ? NOT_OURS : vv_source_read(src, NOTE - 3, len, 2, err);
	size_t n = ret ? 0 : vv_get16(len);

	if (ret)
		return ret;
	if (n <= NOTE_TEXT || n - NOTE_TEXT > MAX_NOTE || src->size - NOTE < n)
		return NOT_OURS;
	ret = vv_source_read(src, NOTE + NOTE_TEXT, note, n - NOTE_TEXT, err);
	note[n - NOTE_TEXT] = 0;
	return ret;
}

/* Is the range of the source these bytes? */
static int same(const struct vv_source *src, uint64_t off, struct vv_span want, struct vv_err *err)
{
	uint8_t b[4096];
	int ret = off > src->size || want.len > src->size - off ? NOT_OURS : 0;

	while (want.len && !ret) {
		size_t n = want.len < sizeof(b) ? want.len : sizeof(b);
		ret = vv_source_read(src, off, b, n, err);
		if (!ret && memcmp(b, want.ptr, n) != 0)
			ret = NOT_OURS;
		off += n;
		want = vv_span(want.ptr + n, want.len - n);
	}
	return ret;
}

/* Would the file's own tensors and note yield it again? What lies between its tensors is compared, they are not. */
static int check_old(const struct vv_assembly *a, const char *note, struct vv_err *err)
{
	static const uint8_t none[ALIGN];
	struct vv_part *parts = calloc(a->layout->n_segs + 1, sizeof(*parts));
	struct writer w = {0};
	uint64_t at;
	size_t n = 0;
	int ret = parts ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < a->layout->n_segs && !ret; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		if (s->n_views > 1 || s->coding)
			ret = NOT_OURS;
		else if (s->n_views)
			parts[n++] = (struct vv_part){.name = s->views->name, .dtype = s->dtype, .ndim = s->views->ndim,
				.shape = s->views->shape, .len = s->len};
	}
	if (!ret)
		ret = plan(&w, note, parts, n, err);
	if (ret == VV_ENOTSUP)
		ret = NOT_OURS; /* no name or type of ours */
	if (!ret)
		ret = w.end == a->source->size ? same(a->source, 0, vv_buf_view(&w.head), err) : NOT_OURS;
	at = w.head.len;
	for (size_t i = 0; i < w.tree.n && !ret; i++)
		if (w.tree.nodes[i].part) {
			ret = same(a->source, at, vv_span(none, (size_t)(w.tree.nodes[i].data - at)), err);
			at = w.tree.nodes[i].data + w.tree.nodes[i].part->len;
		}
	release(&w);
	free(parts);
	return ret;
}

/* --- what is called --- */

int vv_hdf5_rewrite(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	char note[MAX_NOTE + 1];
	struct writer w = {0};
	int ret = read_note(a->source, note, err);

	if (!ret)
		ret = check_old(a, note, err);
	if (!ret)
		ret = plan(&w, note, a->parts, a->n_parts, err);
	if (!ret)
		ret = write_all(&w, out, err);
	release(&w);
	return ret;
}

void vv_hdf5_empty(struct vv_buf *out, const char *note)
{
	struct vv_err err = VV_ERR_INIT;
	struct writer w;

	if (plan(&w, note, NULL, 0, &err))
		out->failed = err.code;
	else
		vv_buf_span(out, vv_buf_view(&w.head));
	release(&w);
}
