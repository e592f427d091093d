/* New MessagePack: maps in each other, as the '/' in names part them, with arrays at their ends. */
#include "format/msgpack.h"

#include "base/check.h"
#include "format/nametree.h"

#include <stdlib.h>

/* Float4 and its like are one to a byte here: not as our types have them. */
static const struct {
	const char *name;
	enum vv_dtype dt;
} types[] = {{"float32", VV_DT_F32}, {"bfloat16", VV_DT_BF16}, {"float16", VV_DT_F16}, {"float64", VV_DT_F64},
	{"int32", VV_DT_I32}, {"int64", VV_DT_I64}, {"int16", VV_DT_I16}, {"int8", VV_DT_I8}, {"uint32", VV_DT_U32},
	{"uint64", VV_DT_U64}, {"uint16", VV_DT_U16}, {"uint8", VV_DT_U8}, {"bool", VV_DT_BOOL}, {"complex64", VV_DT_C64},
	{"complex128", VV_DT_C128}, {"float8_e4m3fn", VV_DT_F8_E4M3}, {"float8_e5m2", VV_DT_F8_E5M2},
	{"float8_e4m3fnuz", VV_DT_F8_E4M3FNUZ}, {"float8_e5m2fnuz", VV_DT_F8_E5M2FNUZ},
	{"float8_e8m0fnu", VV_DT_F8_E8M0}};

const char *vv_msgpack_word(enum vv_dtype dt)
{
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (types[i].dt == dt)
			return types[i].name;
	return NULL;
}

enum vv_dtype vv_msgpack_type(const char *word)
{
	for (size_t i = 0; i < VV_COUNT(types); i++)
		if (!strcmp(word, types[i].name))
			return types[i].dt;
	return VV_DT_BYTES;
}

int vv_msgpack_check(const struct vv_part *p, struct vv_err *err)
{
	if (!vv_msgpack_word(p->dtype))
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': NumPy has no type %s", p->name, vv_dtype_info(p->dtype)->name);
	if (p->len > VV_MSGPACK_ARRAY)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s' is so large that Flax would cut it", p->name);
	return 0;
}

/* --- tokens --- */

/* The smallest form for `n`, as msgpack's packers choose; `leads`: of 1, 2, 4 and 8 bytes. */
static void put_number(struct vv_buf *out, const char leads[4], uint64_t n)
{
	unsigned k = n <= UINT8_MAX ? 0 : n <= UINT16_MAX ? 1 : n <= UINT32_MAX ? 2 : 3;

	vv_buf_char(out, leads[k]);
	for (unsigned i = 1U << k; i-- > 0;)
		vv_buf_char(out, (char)(n >> 8 * i));
}

void vv_msgpack_head(struct vv_buf *out, const struct vv_part *p)
{
	struct vv_buf in = VV_BUF_INIT(256);
	const char *type = vv_msgpack_word(p->dtype);
	uint64_t n;

	vv_buf_char(&in, (char)0x93);
	vv_buf_char(&in, (char)(0x90 | p->ndim));
	for (unsigned i = 0; i < p->ndim; i++)
		if (p->shape[i] < 0x80)
			vv_buf_char(&in, (char)p->shape[i]);
		else
			put_number(&in, "\xcc\xcd\xce\xcf", p->shape[i]);
	vv_buf_char(&in, (char)(0xa0 | strlen(type)));
	vv_buf_str(&in, type);
	put_number(&in, "\xc4\xc5\xc6", p->len);
	n = in.len + p->len;
	if (n == 16) /* the fixed lengths below are too short for any array */
		vv_buf_char(out, (char)0xd8);
	else
		put_number(out, "\xc7\xc8\xc9", n);
	vv_buf_char(out, 1);
	vv_buf_span(out, vv_buf_view(&in));
	if (in.failed)
		out->failed = in.failed;
	vv_buf_release(&in);
}

/* A length or count below `fixed` stands in the lead byte itself. `leads`: of 1, 2 and 4 bytes; 0: there is none. */
static void put_length(struct vv_buf *out, uint8_t lead, size_t fixed, const char leads[3], size_t n)
{
	unsigned k = n <= UINT8_MAX && leads[0] ? 0 : n <= UINT16_MAX ? 1 : 2;

	if (n < fixed) {
		vv_buf_char(out, (char)(lead | n));
		return;
	}
	vv_buf_char(out, leads[k]);
	for (unsigned i = 1U << k; i-- > 0;)
		vv_buf_char(out, (char)(n >> 8 * i));
}

static void put_map(struct vv_buf *out, size_t n)
{
	put_length(out, 0x80, 16, "\0\xde\xdf", n);
}

static void put_key(struct vv_buf *out, struct vv_span key)
{
	put_length(out, 0xa0, 32, "\xd9\xda\xdb", key.len);
	vv_buf_span(out, key);
}

/* --- the file --- */

/* Takes what stands before an array, and the array's bytes; or what follows the last one, none. */
typedef int piece_fn(void *ctx, struct vv_span head, const struct vv_part *p, struct vv_err *err);

/* The member after it: its own first, the next one, or that of a group around it. 0: it was the last. */
static size_t after(const struct vv_nametree *t, size_t i)
{
	if (t->nodes[i].first)
		return t->nodes[i].first;
	while (i && !t->nodes[i].next)
		i = t->nodes[i].group;
	return t->nodes[i].next;
}

static int emit(const struct vv_nametree *t, piece_fn *fn, void *ctx, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	put_map(&head, t->nodes[0].n);
	for (size_t i = after(t, 0); i && !ret; i = after(t, i)) {
		const struct vv_name_node *n = &t->nodes[i];

		put_key(&head, n->name);
		if (!n->part) {
			put_map(&head, n->n);
			continue;
		}
		vv_msgpack_head(&head, n->part);
		ret = vv_buf_check(&head, err);
		if (!ret)
			ret = fn(ctx, vv_buf_view(&head), n->part, err);
		vv_buf_clear(&head);
	}
	if (!ret && head.len)
		ret = fn(ctx, vv_buf_view(&head), NULL, err);
	vv_buf_release(&head);
	return ret;
}

static int write_piece(void *ctx, struct vv_span head, const struct vv_part *p, struct vv_err *err)
{
	struct vv_sink *out = ctx;
	int ret = out->write(out, head, err);

	return ret || !p ? ret : vv_source_copy(p->bytes, 0, p->len, out, err);
}

/* --- the old file --- */

enum { OTHER = 1 };

struct old {
	const struct vv_assembly *a;
	size_t seg;
	uint64_t at;
};

/* Is that what stands there? The array's bytes are passed over: they are those of its segment. */
static int compare_piece(void *ctx, struct vv_span head, const struct vv_part *p, struct vv_err *err)
{
	struct old *o = ctx;
	const struct vv_source *src = o->a->source;
	uint8_t b[1024];
	int ret = head.len > src->size - o->at ? OTHER : 0;

	while (head.len && !ret) {
		size_t n = head.len < sizeof(b) ? head.len : sizeof(b);
		ret = vv_source_read(src, o->at, b, n, err);
		if (!ret && memcmp(b, head.ptr, n) != 0)
			ret = OTHER;
		o->at += n;
		head = vv_span(head.ptr + n, head.len - n);
	}
	if (ret || !p)
		return ret;
	if (p->len > src->size - o->at)
		return OTHER;
	o->at += p->len;
	return 0;
}

/* 0: these tensors are all that the file holds. */
static int check_old(const struct vv_assembly *a, struct vv_err *err)
{
	struct vv_part *parts = calloc(a->layout->n_segs + 1, sizeof(*parts));
	struct vv_nametree t = {0};
	struct old o = {.a = a};
	size_t n = 0;
	int ret = parts ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < a->layout->n_segs && !ret; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		if (s->n_views > 1 || s->coding)
			ret = OTHER;
		else if (s->n_views)
			parts[n++] = (struct vv_part){.name = s->views->name, .dtype = s->dtype, .ndim = s->views->ndim,
				.shape = s->views->shape, .len = s->len};
	}
	if (!ret)
		ret = vv_nametree_make(&t, "msgpack", VV_MSGPACK_DEPTH - 1, parts, n, err);
	if (ret == VV_ENOTSUP)
		ret = OTHER; /* odd keys */
	if (!ret)
		ret = emit(&t, compare_piece, &o, err);
	if (!ret && o.at != a->source->size)
		ret = OTHER;
	vv_nametree_release(&t);
	free(parts);
	return ret;
}

/* Could the reader not take it? Its probe has the file's head only, in which there must be an array. */
static int check_new(const struct vv_assembly *a, const struct vv_nametree *t, struct vv_err *err)
{
	enum { HEAD = 3500 };
	uint64_t names = 0, first = 0;
	int ret = 0;

	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		names += strlen(a->parts[i].name);
		ret = names > VV_MSGPACK_NAMES ? vv_fail(err, VV_ENOTSUP, "more than %d bytes of names", VV_MSGPACK_NAMES)
					       : vv_msgpack_check(&a->parts[i], err);
	}
	for (size_t i = 0; i < t->n && !ret; i++)
		if (vv_span_is(t->nodes[i].name, VV_MSGPACK_CHUNKED))
			ret = vv_fail(err, VV_ENOTSUP, "Flax has a meaning of its own for the name " VV_MSGPACK_CHUNKED);
	for (size_t i = after(t, 0); i && !ret; i = after(t, i)) {
		first += t->nodes[i].name.len;
		if (first > HEAD)
			ret = vv_fail(err, VV_ENOTSUP, "names so long that msgpack would not be known again");
		if (t->nodes[i].part)
			break;
	}
	return ret;
}

int vv_msgpack_rewrite(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct vv_nametree t = {0};
	int ret = check_old(a, err);

	if (!ret)
		ret = vv_nametree_make(&t, "msgpack", VV_MSGPACK_DEPTH - 1, a->parts, a->n_parts, err);
	if (!ret)
		ret = check_new(a, &t, err);
	if (!ret)
		ret = emit(&t, write_piece, out, err);
	vv_nametree_release(&t);
	return ret;
}
