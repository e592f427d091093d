#include "format/npy.h"
#include "format/formats.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of lists and tuples in the description of a record. */
enum { MAX_DEPTH = 16 };
static const char magic[] = "\x93NUMPY";
/* The name that the only tensor of an .npy file has. */
static const char only[] = "array";

static const struct {
	char kind;
	uint8_t width;
	enum vv_dtype dt;
} types[] = {{'b', 1, VV_DT_BOOL}, {'u', 1, VV_DT_U8}, {'i', 1, VV_DT_I8}, {'u', 2, VV_DT_U16}, {'i', 2, VV_DT_I16},
	{'u', 4, VV_DT_U32}, {'i', 4, VV_DT_I32}, {'u', 8, VV_DT_U64}, {'i', 8, VV_DT_I64}, {'f', 2, VV_DT_F16},
	{'f', 4, VV_DT_F32}, {'f', 8, VV_DT_F64}, {'c', 8, VV_DT_C64}, {'c', 16, VV_DT_C128}};

/* --- the header's text --- */

struct text {
	struct vv_span s;
	size_t at;
};

static bool peek(struct text *t, char c)
{
	while (t->at < t->s.len && t->s.ptr[t->at] && strchr(" \t\r\n", t->s.ptr[t->at]))
		t->at++;
	return t->at < t->s.len && t->s.ptr[t->at] == (uint8_t)c;
}

static int skip(struct text *t, char c)
{
	if (!peek(t, c))
		return 1;
	t->at++;
	return 0;
}

/* Its bytes as they stand between the quotes: a name with an escape is none of those looked for. */
static int string(struct text *t, struct vv_span *out)
{
	char quote = peek(t, '"') ? '"' : '\'';
	size_t from;

	if (skip(t, quote))
		return 1;
	for (from = t->at; t->at < t->s.len && t->s.ptr[t->at] != (uint8_t)quote; t->at++)
		if (t->s.ptr[t->at] == '\\')
			t->at++;
	if (t->at >= t->s.len)
		return 1;
	*out = vv_span(t->s.ptr + from, t->at++ - from);
	return 0;
}

static int word(struct text *t, const char *w)
{
	peek(t, *w);
	if (!vv_span_starts(vv_span(t->s.ptr + t->at, t->s.len - t->at), w))
		return 1;
	t->at += strlen(w);
	return 0;
}

/* Python 2 wrote 3L. */
static int number(struct text *t, uint64_t *v)
{
	size_t from;

	peek(t, '0');
	for (from = t->at, *v = 0; t->at < t->s.len && t->s.ptr[t->at] >= '0' && t->s.ptr[t->at] <= '9'; t->at++)
		if (vv_mul_over(*v, (uint64_t)10, v) || vv_add_over(*v, (uint64_t)(t->s.ptr[t->at] - '0'), v))
			return 1;
	if (t->at == from || (t->s.ptr[from] == '0' && t->at > from + 1))
		return 1;
	if (t->at < t->s.len && t->s.ptr[t->at] == 'L')
		t->at++;
	return 0;
}

static int shape(struct text *t, struct vv_npy *h, bool *too_many)
{
	bool comma = false;
	uint64_t v;

	if (skip(t, '('))
		return 1;
	for (h->ndim = 0; !peek(t, ')'); h->ndim++) {
		if ((h->ndim && !comma) || number(t, &v))
			return 1;
		*too_many = h->ndim >= VV_MAX_DIMS;
		if (*too_many)
			return 1;
		h->shape[h->ndim] = v;
		comma = !skip(t, ',');
	}
	/* (3) is a number, not a tuple. */
	return skip(t, ')') || (h->ndim == 1 && !comma);
}

static bool is_object(struct vv_span s)
{
	size_t i = s.len && strchr("|<>=", s.ptr[0]) && s.ptr[0] ? 1 : 0;

	return i < s.len && s.ptr[i] == 'O' && (i + 1 == s.len || (s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9'));
}

/* A record's description is stepped over; whether an object is in it matters. */
static int composite(struct text *t, unsigned depth, bool *object)
{
	struct vv_span s;
	uint64_t v;
	char close;

	if (peek(t, '\'') || peek(t, '"')) {
		if (string(t, &s))
			return 1;
		*object |= is_object(s);
		return 0;
	}
	if (!peek(t, '[') && !peek(t, '('))
		return number(t, &v) && word(t, "None");
	close = peek(t, '[') ? ']' : ')';
	if (depth == MAX_DEPTH)
		return 1;
	t->at++;
	while (!peek(t, close))
		if (composite(t, depth + 1, object) || (skip(t, ',') && !peek(t, close)))
			return 1;
	return skip(t, close);
}

/* "<f4": order, kind, width. *width: bytes of one element, left alone when it is not known. */
static void type(struct vv_npy *h, struct vv_span s, uint64_t *width)
{
	struct text t = {s, 2};
	uint64_t w;
	char kind;

	if (is_object(s)) {
		h->finding = "pickle";
		return;
	}
	if (s.len < 3 || !memchr("<>|", s.ptr[0], 3) || !memchr("biufcVSUMm", s.ptr[1], 10) || number(&t, &w))
		return;
	kind = (char)s.ptr[1];
	/* Dates have a unit behind the width: <M8[ns]. */
	if ((t.at != s.len && ((kind != 'M' && kind != 'm') || s.ptr[t.at] != '[')) ||
		(kind == 'U' && vv_mul_over(w, (uint64_t)4, &w)))
		return;
	*width = w;
	for (size_t i = 0; i < VV_COUNT(types); i++) {
		if (types[i].kind != kind || types[i].width != w)
			continue;
		if (s.ptr[0] == '<' || w == 1)
			h->dtype = types[i].dt;
		else if (s.ptr[0] == '>')
			h->finding = "big-endian";
	}
}

static int entry(struct text *t, struct vv_npy *h, uint64_t *width, unsigned *seen, bool *too_many)
{
	struct vv_span key, s;
	bool object = false;
	unsigned bit;

	if (string(t, &key) || skip(t, ':'))
		return 1;
	if (vv_span_is(key, "descr")) {
		bit = 1;
		if (peek(t, '[') || peek(t, '(')) {
			if (composite(t, 0, &object))
				return 1;
			h->finding = object ? "pickle" : NULL;
		} else {
			if (string(t, &s))
				return 1;
			type(h, s, width);
		}
	} else if (vv_span_is(key, "fortran_order")) {
		bit = 2;
		h->fortran = !word(t, "True");
		if (!h->fortran && word(t, "False"))
			return 1;
	} else if (vv_span_is(key, "shape")) {
		bit = 4;
		if (shape(t, h, too_many))
			return 1;
	} else {
		return 1;
	}
	if (*seen & bit)
		return 1;
	*seen |= bit;
	return 0;
}

/* All three keys, each once, in any order; a comma may come last. */
static int dict(struct text *t, struct vv_npy *h, uint64_t *width, bool *too_many)
{
	unsigned seen = 0;

	if (skip(t, '{'))
		return 1;
	while (!peek(t, '}'))
		if (entry(t, h, width, &seen, too_many) || (skip(t, ',') && !peek(t, '}')))
			return 1;
	t->at++;
	peek(t, 0);
	return seen != 7 || t->at != t->s.len;
}

/* --- reading --- */

/* Length of the header's text; *data: where it ends. */
static int preamble(struct vv_npy *h, const struct vv_source *src, uint64_t off, uint64_t size, size_t *start,
	struct vv_err *err)
{
	uint8_t b[12];
	int ret;

	if (size < sizeof(b))
		return vv_fail(err, VV_EFORMAT, "npy: %" PRIu64 " bytes at offset %" PRIu64 " are no array", size, off);
	ret = vv_source_read(src, off, b, sizeof(b), err);
	if (ret)
		return ret;
	if (memcmp(b, magic, 6) || b[6] < 1 || b[6] > 3 || b[7])
		return vv_fail(err, VV_EFORMAT, "npy: not an array of version 1 to 3 at offset %" PRIu64, off);
	*start = b[6] == 1 ? 10 : 12;
	h->data = *start + (uint64_t)(b[6] == 1 ? vv_get16(b + 8) : vv_get32(b + 8));
	if (h->data > size)
		return vv_fail(err, VV_EFORMAT, "npy: a header of %" PRIu64 " bytes at offset %" PRIu64, h->data, off);
	if (h->data > VV_MAX_NPY_HEADER)
		return vv_fail(err, VV_ELIMIT, "npy: a header of %" PRIu64 " bytes at offset %" PRIu64, h->data, off);
	return 0;
}

int vv_npy_read(struct vv_npy *out, const struct vv_source *src, uint64_t off, uint64_t size, struct vv_err *err)
{
	struct vv_npy h = {.dtype = VV_DT_BYTES};
	uint64_t width = 0, bytes = 1;
	uint8_t *text = NULL;
	bool too_many = false;
	size_t start = 0;
	int ret = preamble(&h, src, off, size, &start, err);

	if (ret)
		return ret;
	struct text t = {{NULL, (size_t)h.data - start}, 0};
	t.s.ptr = text = malloc(t.s.len + 1);
	ret = text ? vv_source_read(src, off + start, text, t.s.len, err) : vv_fail_nomem(err);
	if (!ret && dict(&t, &h, &width, &too_many))
		ret = too_many ? vv_fail(err, VV_ELIMIT, "npy: more than %d dimensions at offset %" PRIu64, VV_MAX_DIMS, off)
			       : vv_fail(err, VV_EFORMAT, "npy: broken header at offset %" PRIu64, off + start + t.at);
	h.len = size - h.data;
	for (unsigned i = 0; i < h.ndim && !ret; i++)
		if (vv_mul_over(bytes, h.shape[i], &bytes))
			ret = vv_fail(err, VV_EFORMAT, "npy: a shape too large at offset %" PRIu64, off);
	if (!ret && width && (vv_mul_over(bytes, width, &bytes) || bytes != h.len))
		ret = vv_fail(err, VV_EFORMAT, "npy: its shape and its %" PRIu64 " bytes do not agree at offset %" PRIu64,
			h.len, off);
	free(text);
	if (!ret)
		*out = h;
	return ret;
}

/* Is the order of indices visible at all? */
static bool turned(const struct vv_npy *h)
{
	unsigned wide = 0;

	for (unsigned i = 0; i < h->ndim; i++)
		wide += h->shape[i] != 1;
	return h->fortran && wide > 1 && h->len;
}

/* *out: its view, or NULL where its elements stay opaque. */
static int view(struct vv_layout_build *b, const struct vv_npy *npy, uint64_t off, const char *name, struct vv_view **out,
	struct vv_err *err)
{
	struct vv_arena *arena = vv_layout_arena(b);
	struct vv_view *v;
	uint64_t *n;

	*out = NULL;
	if (npy->finding)
		vv_layout_finding(b, npy->finding, off, "array '%s' %s, its elements are not looked into", name,
			strcmp(npy->finding, "pickle") ? "has its bytes in the other order" : "holds pickled objects");
	if (npy->dtype == VV_DT_BYTES)
		return 0;
	v = vv_arena_alloc(arena, sizeof(*v));
	n = vv_arena_array(arena, 2 * VV_MAX_DIMS, sizeof(*n));
	if (!v || !n)
		return vv_fail_nomem(err);
	memcpy(n, npy->shape, npy->ndim * sizeof(*n));
	*v = (struct vv_view){name, npy->ndim, n, NULL, 0};
	if (turned(npy)) {
		uint64_t step = 1;
		v->stride = n + VV_MAX_DIMS;
		for (unsigned i = 0; i < npy->ndim; i++) {
			n[VV_MAX_DIMS + i] = step;
			step *= npy->shape[i];
		}
	}
	*out = v;
	return 0;
}

int vv_npy_report(
	struct vv_layout_build *b, const struct vv_npy *npy, uint64_t off, const char *name, struct vv_err *err)
{
	struct vv_view *v;
	int ret = view(b, npy, off, name, &v, err);

	return ret || !v ? ret : vv_layout_tensor(b, off + npy->data, npy->len, npy->dtype, v, 1, err);
}

int vv_npy_report_deflated(struct vv_layout_build *b, const struct vv_npy *npy, uint64_t off, uint64_t len,
	const char *name, struct vv_err *err)
{
	struct vv_view *v;
	int ret = view(b, npy, off, name, &v, err);

	return ret || !v ? ret
			 : vv_layout_packed(b, &(struct vv_segment){.off = off, .len = len, .dtype = npy->dtype, .n_views = 1,
				 .views = v, .coding = VV_CODE_DEFLATE, .skip = npy->data}, err);
}

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	return head.len >= 8 && !memcmp(head.ptr, magic, 6) && head.ptr[6] >= 1 && head.ptr[6] <= 3 && !head.ptr[7]
		? VV_PROBE_YES
		: VV_PROBE_NO;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_npy npy;
	int ret = vv_npy_read(&npy, src, 0, src->size, err);

	return ret ? ret : vv_npy_report(b, &npy, 0, only, err);
}

/* --- writing --- */

/* As np.save does, with its room for the first dimension to grow and its end on a multiple of 64. */
static int new_head(struct vv_buf *out, const struct vv_part *p, struct vv_err *err)
{
	char digits[24];
	size_t len;

	vv_buf_add(out, magic, 6);
	vv_buf_le(out, 1, 2);
	vv_buf_le(out, 0, 2);
	for (size_t i = 0;; i++) {
		if (i == VV_COUNT(types))
			return vv_fail(err, VV_ENOTSUP, "tensor '%s': NumPy has no type %s", p->name, vv_dtype_info(p->dtype)->name);
		if (types[i].dt == p->dtype) {
			vv_buf_fmt(out, "{'descr': '%c%c%u', 'fortran_order': False, 'shape': (", types[i].width == 1 ? '|' : '<',
				types[i].kind, types[i].width);
			break;
		}
	}
	for (unsigned i = 0; i < p->ndim; i++)
		vv_buf_fmt(out, "%s%" PRIu64, i ? ", " : "", p->shape[i]);
	vv_buf_str(out, p->ndim == 1 ? ",), }" : "), }");
	if (p->ndim)
		for (int n = snprintf(digits, sizeof(digits), "%" PRIu64, p->shape[0]); n < 21; n++)
			vv_buf_char(out, ' ');
	for (len = 64 - (out->len + 1) % 64; len--;)
		vv_buf_char(out, ' ');
	vv_buf_char(out, '\n');
	if (!out->failed)
		vv_put16(out->ptr + 8, (uint16_t)(out->len - 10));
	return vv_buf_check(out, err);
}

/* Row-major elements from `in` with the first index running fastest. */
static void turn(uint8_t *out, const uint8_t *in, const struct vv_part *p, size_t width)
{
	uint64_t at[VV_MAX_DIMS] = {0}, step[VV_MAX_DIMS], from = 0;
	unsigned d;

	for (uint64_t s = width, i = p->ndim; i-- > 0; s *= p->shape[i])
		step[i] = s;
	for (uint64_t done = 0; done < p->len; done += width) {
		memcpy(out + done, in + from, width);
		for (d = 0; d < p->ndim; d++) {
			from += step[d];
			if (++at[d] < p->shape[d])
				break;
			from -= step[d] * p->shape[d];
			at[d] = 0;
		}
	}
}

static int turn_part(struct vv_npy_bytes *n, const struct vv_part *p, uint64_t *room, struct vv_err *err)
{
	uint8_t *rows, last;
	int ret;

	if (p->len > *room)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': too large to be written in Fortran order", p->name);
	*room -= p->len;
	/* A length that was only claimed fails here, before memory is taken. */
	ret = vv_source_read(p->bytes, p->len - 1, &last, 1, err);
	if (ret)
		return ret;
	rows = malloc((size_t)p->len);
	n->owned = malloc((size_t)p->len);
	ret = rows && n->owned ? vv_source_read(p->bytes, 0, rows, (size_t)p->len, err) : vv_fail_nomem(err);
	if (!ret)
		turn(n->owned, rows, p, vv_dtype_width(p->dtype));
	free(rows);
	vv_source_mem_init(&n->turned, vv_span(n->owned, (size_t)p->len));
	n->data = &n->turned.base;
	return ret;
}

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_npy_bytes *n = (const struct vv_npy_bytes *)self;
	size_t k = 0;

	if (off < n->head.len) {
		k = (size_t)vv_min64(len, n->head.len - off);
		memcpy(dst, n->head.ptr + off, k);
	}
	return k == len ? 0 : vv_source_read(n->data, off + k - n->head.len, (uint8_t *)dst + k, len - k, err);
}

int vv_npy_bytes_init(struct vv_npy_bytes *n, const struct vv_part *part, const struct vv_npy *old,
	const struct vv_source *src, uint64_t off, uint64_t *room, struct vv_err *err)
{
	uint8_t *p;
	int ret = 0;

	*n = (struct vv_npy_bytes){.head = VV_BUF_INIT(VV_MAX_NPY_HEADER), .data = part->bytes};
	if (old && old->dtype == part->dtype && old->ndim == part->ndim &&
		!memcmp(old->shape, part->shape, part->ndim * sizeof(*part->shape))) {
		p = vv_buf_reserve(&n->head, (size_t)old->data);
		ret = p ? vv_source_read(src, off, p, (size_t)old->data, err) : vv_buf_check(&n->head, err);
		if (!ret)
			n->head.len = (size_t)old->data;
		if (!ret && turned(old))
			ret = turn_part(n, part, room, err);
	} else {
		ret = new_head(&n->head, part, err);
	}
	n->base = (struct vv_source){n->head.len + part->len, read_at};
	if (ret)
		vv_npy_bytes_release(n);
	return ret;
}

void vv_npy_bytes_release(struct vv_npy_bytes *n)
{
	vv_buf_release(&n->head);
	free(n->owned);
	n->owned = NULL;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	uint64_t room = VV_MAX_NPY_TURNED;
	struct vv_npy_bytes bytes;
	struct vv_npy old;
	int ret;

	if (a->n_parts != 1 || strcmp(a->parts[0].name, only))
		return vv_fail(err, VV_ENOTSUP, "an npy file holds one tensor, '%s'", only);
	ret = vv_npy_read(&old, a->source, 0, a->source->size, err);
	if (!ret && old.dtype == VV_DT_BYTES)
		ret = vv_fail(err, VV_ENOTSUP, "the array is kept as bytes");
	if (!ret)
		ret = vv_npy_bytes_init(&bytes, &a->parts[0], &old, a->source, 0, &room, err);
	if (ret)
		return ret;
	ret = vv_source_copy(&bytes.base, 0, bytes.base.size, out, err);
	vv_npy_bytes_release(&bytes);
	return ret;
}

const struct vv_format vv_format_npy = {.name = "npy", .probe = probe, .locate = locate, .assemble = assemble};
