/*
 * MessagePack as Flax writes it: nested maps; an array is the extension 1, whose payload is again
 * MessagePack: shape, NumPy's name of the type, bytes. After flax.serialization and msgpack's spec.md.
 */
#include "base/buf.h"
#include "base/check.h"
#include "base/map.h"
#include "format/formats.h"
#include "format/msgpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_TYPE_NAME = 64,
	MAX_ITEMS = 1 << 24, /* of all maps and lists */
};

/* --- tokens --- */

/* Forward through a source, which may end before the file does: then a probe has only its head. */
struct in {
	const struct vv_source *src;
	uint64_t at, size; /* of the file */
	uint64_t from;     /* what the window holds */
	size_t have;
	uint8_t window[4096];
};

static int take(struct in *in, void *dst, size_t n, struct vv_err *err)
{
	uint8_t *to = dst;

	if (n > in->size - in->at)
		return vv_fail(err, VV_EFORMAT, "cut off at offset %" PRIu64, in->at);
	while (n) {
		size_t k;
		if (in->at < in->from || in->at - in->from >= in->have) {
			size_t have = in->at < in->src->size ? (size_t)vv_min64(sizeof(in->window), in->src->size - in->at) : 1;
			int ret = vv_source_read(in->src, in->at, in->window, have, err);
			if (ret)
				return ret;
			in->from = in->at;
			in->have = have;
		}
		k = (size_t)vv_min64(n, in->from + in->have - in->at);
		memcpy(to, in->window + (in->at - in->from), k);
		to += k;
		in->at += k;
		n -= k;
	}
	return 0;
}

enum kind { WRONG, OTHER, UINT, STR, BIN, EXT, ARRAY, MAP };

/* What follows a lead byte: a big-endian number of `width` bytes, which is the value, length or count. */
struct form {
	uint8_t kind, width;
};

/* 0xc0 to 0xdf. */
static const struct form forms[32] = {{OTHER, 0}, {WRONG, 0}, {OTHER, 0}, {OTHER, 0}, {BIN, 1}, {BIN, 2}, {BIN, 4},
	{EXT, 1}, {EXT, 2}, {EXT, 4}, {OTHER, 4}, {OTHER, 8}, {UINT, 1}, {UINT, 2}, {UINT, 4}, {UINT, 8}, {OTHER, 1},
	{OTHER, 2}, {OTHER, 4}, {OTHER, 8}, {EXT, 0}, {EXT, 0}, {EXT, 0}, {EXT, 0}, {EXT, 0}, {STR, 1}, {STR, 2}, {STR, 4},
	{ARRAY, 2}, {ARRAY, 4}, {MAP, 2}, {MAP, 4}};

struct token {
	enum kind kind;
	uint64_t at; /* its lead byte */
	uint64_t n;  /* UINT: the value; ARRAY, MAP: items; STR, BIN, EXT: bytes that follow, all in the file */
	uint8_t type; /* of EXT */
};

static struct form form_of(uint8_t lead, uint64_t *n)
{
	*n = lead;
	if (lead < 0x80)
		return (struct form){UINT, 0};
	if (lead >= 0xe0)
		return (struct form){OTHER, 0};
	*n = lead & (lead < 0xa0 ? 15 : 31);
	if (lead < 0xc0)
		return (struct form){lead < 0x90 ? MAP : lead < 0xa0 ? ARRAY : STR, 0};
	*n = 0;
	if (lead >= 0xd4 && lead <= 0xd8)
		*n = (uint64_t)1 << (lead - 0xd4);
	return forms[lead - 0xc0];
}

static int next(struct in *in, struct token *t, struct vv_err *err)
{
	uint8_t lead = 0, number[8];
	struct form f;
	int ret;

	*t = (struct token){.at = in->at};
	ret = take(in, &lead, 1, err);
	if (ret)
		return ret;
	f = form_of(lead, &t->n);
	t->kind = f.kind;
	if (t->kind == WRONG)
		return vv_fail(err, VV_EFORMAT, "a byte of no meaning at offset %" PRIu64, t->at);
	ret = take(in, number, f.width, err);
	for (unsigned i = 0; i < f.width && !ret; i++)
		t->n = t->n << 8 | number[i];
	if (!ret && t->kind == EXT)
		ret = take(in, &t->type, 1, err);
	/* An item is a byte at least, an entry of a map two. */
	if (!ret && t->kind >= STR && t->n > (in->size - in->at) / (t->kind == MAP ? 2 : 1))
		ret = vv_fail(err, VV_EFORMAT, "more than the file holds at offset %" PRIu64, t->at);
	return ret;
}

static int want(struct in *in, struct token *t, enum kind kind, const char *what, struct vv_err *err)
{
	int ret = next(in, t, err);

	if (!ret && t->kind != kind)
		ret = vv_fail(err, VV_EFORMAT, "an array with a wrong %s at offset %" PRIu64, what, t->at);
	return ret;
}

/* --- the walk --- */

struct array {
	uint64_t at;        /* its lead byte */
	uint64_t data, len; /* its bytes */
	enum vv_dtype dt;   /* VV_DT_BYTES: not known */
	bool chunk;         /* of a larger one: not told */
	unsigned ndim;
	uint64_t shape[VV_MAX_DIMS];
	struct vv_span name; /* borrowed: valid during the call */
	char type[MAX_TYPE_NAME + 1];
};

struct walk {
	struct in in;
	/* What is done with each array; not 0 ends the walk. */
	int (*each)(struct walk *w, const struct array *a, struct vv_err *err);
	char path[VV_MAX_NAME];
	struct {
		uint64_t n, left; /* items */
		size_t path;      /* length */
		bool map, chunks;
	} levels[VV_MSGPACK_DEPTH];
	unsigned depth;
	uint32_t items;
};

static int type_of(struct in *in, struct array *a, struct vv_err *err)
{
	struct token t;
	int ret = want(in, &t, STR, "type", err);

	if (ret)
		return ret;
	if (!t.n || t.n > MAX_TYPE_NAME)
		return vv_fail(err, VV_EFORMAT, "an array with a wrong type at offset %" PRIu64, t.at);
	ret = take(in, a->type, (size_t)t.n, err);
	a->type[ret ? 0 : t.n] = 0;
	if (!ret && strspn(a->type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_[]") != t.n)
		ret = vv_fail(err, VV_EFORMAT, "an array with a wrong type at offset %" PRIu64, t.at);
	a->dt = ret ? VV_DT_BYTES : vv_msgpack_type(a->type);
	return ret;
}

/* The payload of extension 1, which must fill it exactly. Afterwards the walk is at its bytes. */
static int read_array(struct in *in, const struct token *ext, struct array *a, struct vv_err *err)
{
	uint64_t end = in->at + ext->n;
	struct token t;
	int ret = want(in, &t, ARRAY, "form", err);

	if (!ret && t.n != 3)
		ret = vv_fail(err, VV_EFORMAT, "an array of %" PRIu64 " parts at offset %" PRIu64, t.n, t.at);
	if (!ret)
		ret = want(in, &t, ARRAY, "shape", err);
	if (!ret && t.n > VV_MAX_DIMS)
		ret = vv_fail(err, VV_ELIMIT, "an array of %" PRIu64 " dimensions at offset %" PRIu64, t.n, t.at);
	a->at = ext->at;
	a->ndim = ret ? 0 : (unsigned)t.n;
	for (unsigned i = 0; i < a->ndim && !ret; i++) {
		ret = want(in, &t, UINT, "shape", err);
		a->shape[i] = t.n;
	}
	if (!ret)
		ret = type_of(in, a, err);
	if (!ret)
		ret = want(in, &t, BIN, "payload", err);
	if (ret)
		return ret;
	a->data = in->at;
	a->len = t.n;
	if (in->at > end || t.n != end - in->at)
		return vv_fail(err, VV_EFORMAT, "an array of two lengths at offset %" PRIu64, a->at);
	return 0;
}

/* Adds the next item's key to the path: text, or a number. */
static int step(struct walk *w, size_t *len, struct vv_err *err)
{
	const size_t top = w->depth - 1;
	struct token t = {.kind = UINT, .n = w->levels[top].n - w->levels[top].left};
	int ret = w->levels[top].map ? next(&w->in, &t, err) : 0;
	char digits[24], *name;
	size_t n;

	if (!ret && t.kind != STR && t.kind != UINT)
		ret = vv_fail(err, VV_EFORMAT, "a key that is neither text nor a number at offset %" PRIu64, t.at);
	if (ret)
		return ret;
	*len = w->levels[top].path;
	n = t.kind == STR ? (size_t)t.n : (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, t.n);
	if (n + !!top > sizeof(w->path) - *len)
		return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
	if (top)
		w->path[(*len)++] = '/';
	name = w->path + *len;
	*len += n;
	if (t.kind == UINT)
		memcpy(name, digits, n);
	else
		ret = take(&w->in, name, n, err);
	if (!ret && memchr(name, 0, n))
		ret = vv_fail(err, VV_EFORMAT, "a name with a NUL at offset %" PRIu64, t.at);
	if (!ret && w->levels[top].map && vv_span_is(vv_span(name, n), VV_MSGPACK_CHUNKED))
		w->levels[top].chunks = true;
	return ret;
}

static int enter(struct walk *w, const struct token *t, size_t path, struct vv_err *err)
{
	bool chunks = w->depth && w->levels[w->depth - 1].chunks;

	if (w->depth == VV_MSGPACK_DEPTH)
		return vv_fail(err, VV_ELIMIT, "more than %d maps in each other at offset %" PRIu64, VV_MSGPACK_DEPTH, t->at);
	w->levels[w->depth].n = w->levels[w->depth].left = t->n;
	w->levels[w->depth].path = path;
	w->levels[w->depth].map = t->kind == MAP;
	w->levels[w->depth++].chunks = chunks;
	return 0;
}

static int value(struct walk *w, size_t path, struct vv_err *err)
{
	struct array a = {.name = vv_span(w->path, path), .chunk = w->levels[w->depth - 1].chunks};
	struct token t;
	int ret = next(&w->in, &t, err);

	if (ret || t.kind < STR)
		return ret;
	if (t.kind >= ARRAY)
		return enter(w, &t, path, err);
	if (t.kind == EXT && t.type == 1) {
		ret = read_array(&w->in, &t, &a, err);
		if (!ret)
			ret = w->each(w, &a, err);
		t.n = a.len;
	}
	w->in.at += ret ? 0 : t.n;
	return ret;
}

/* `w` says in `each` what for. The source is the file's beginning; it must be all of it to come to the end. */
static int walk(struct walk *w, const struct vv_source *src, uint64_t size, struct vv_err *err)
{
	struct token t;
	size_t path = 0;
	int ret;

	w->in.src = src;
	w->in.size = size;
	ret = next(&w->in, &t, err);
	if (!ret && t.kind != MAP)
		ret = vv_fail(err, VV_EFORMAT, "no map at offset 0");
	if (!ret)
		ret = enter(w, &t, 0, err);
	while (!ret && w->depth) {
		if (!w->levels[w->depth - 1].left) {
			w->depth--;
			continue;
		}
		if (++w->items > MAX_ITEMS)
			return vv_fail(err, VV_ELIMIT, "more than %d items", MAX_ITEMS);
		ret = step(w, &path, err);
		w->levels[w->depth - 1].left--;
		if (!ret)
			ret = value(w, path, err);
	}
	if (!ret && w->in.at != size)
		ret = vv_fail(err, VV_EFORMAT, "bytes after the end at offset %" PRIu64, w->in.at);
	return ret;
}

/* --- reading --- */

enum { SEEN = 1 };

static int seen(struct walk *w VV_UNUSED, const struct array *a VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return SEEN;
}

/* No signature, but a map with an array in it, which is whole and has two lengths that agree. */
static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	struct vv_err err = VV_ERR_INIT;
	struct walk w = {.each = seen};
	struct vv_source_mem mem;

	if (head.len < 8 || !((head.ptr[0] > 0x80 && head.ptr[0] < 0x90) || head.ptr[0] == 0xde || head.ptr[0] == 0xdf))
		return VV_PROBE_NO;
	vv_source_mem_init(&mem, head);
	return walk(&w, &mem.base, size, &err) == SEEN ? VV_PROBE_MAYBE : VV_PROBE_NO;
}

struct locating {
	struct walk w;
	struct vv_layout_build *build;
	size_t name_bytes;
	bool unknown;
};

static int report(struct walk *w, const struct array *a, struct vv_err *err)
{
	struct locating *l = (struct locating *)w;
	struct vv_arena *arena = vv_layout_arena(l->build);
	struct vv_view *v;
	uint64_t *shape, numel, bytes;
	char *name;

	if (a->chunk)
		return 0;
	if (!a->dt) {
		if (!l->unknown)
			vv_layout_finding(l->build, "unknown-dtype", a->at, "%.*s is of type %s, which this varve does not know",
				(int)vv_min64(a->name.len, 256), (const char *)a->name.ptr, a->type);
		l->unknown = true;
		return 0;
	}
	if (vv_dtype_bytes(a->dt, a->shape, a->ndim, &numel, &bytes) || bytes != a->len)
		return vv_fail(err, VV_EFORMAT, "an array whose shape and %" PRIu64 " bytes do not agree at offset %" PRIu64,
			a->len, a->at);
	l->name_bytes += a->name.len;
	if (l->name_bytes > VV_MSGPACK_NAMES)
		return vv_fail(err, VV_ELIMIT, "more than %d bytes of names", VV_MSGPACK_NAMES);
	v = vv_arena_alloc(arena, sizeof(*v));
	shape = vv_arena_array(arena, a->ndim + 1, sizeof(*shape));
	name = vv_arena_copy(arena, a->name);
	if (!v || !shape || !name)
		return vv_fail_nomem(err);
	memcpy(shape, a->shape, a->ndim * sizeof(*shape));
	*v = (struct vv_view){name, a->ndim, shape, NULL, 0};
	return vv_layout_tensor(l->build, a->data, a->len, a->dt, v, 1, err);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct locating l = {.w.each = report, .build = b};

	return walk(&l.w, src, src->size, err);
}

/* --- writing --- */

struct writing {
	struct walk w;
	const struct vv_assembly *a;
	struct vv_map names;
	struct vv_sink *out;
	size_t seg;    /* the next one of the layout */
	uint64_t from; /* of the old file: what is not written yet */
};

/* The next segment that is a tensor, and its part. NULL: there is none. */
static const struct vv_part *next_part(struct writing *x, const struct vv_segment **s)
{
	const struct vv_layout *l = x->a->layout;
	const uint64_t *at;

	while (x->seg < l->n_segs && !l->segs[x->seg].n_views)
		x->seg++;
	*s = x->seg < l->n_segs ? &l->segs[x->seg++] : NULL;
	at = *s ? vv_map_find(&x->names, vv_span_str((*s)->views[0].name)) : NULL;
	return at ? &x->a->parts[*at] : NULL;
}

enum { OTHER_SET = 1 };

/* Before a byte is written: are these the layout's tensors, whatever their shapes? */
static int check_set(struct writing *x, struct vv_err *err)
{
	const struct vv_segment *s;
	size_t n = 0;

	for (const struct vv_part *p; (p = next_part(x, &s)); n++) {
		int ret = vv_msgpack_check(p, err);
		if (ret)
			return ret;
	}
	if (s || n != x->a->n_parts)
		return OTHER_SET;
	x->seg = 0;
	return 0;
}

static int write_array(struct walk *w, const struct array *a, struct vv_err *err)
{
	struct writing *x = (struct writing *)w;
	struct vv_buf head = VV_BUF_INIT(512);
	const struct vv_segment *s;
	const struct vv_part *p;
	bool same;
	int ret;

	if (a->chunk || !a->dt)
		return 0;
	p = next_part(x, &s);
	if (!p || s->off != a->data || s->len != a->len)
		return vv_fail(err, VV_EFORMAT, "the file is not its layout's at offset %" PRIu64, a->at);
	same = p->dtype == a->dt && p->ndim == a->ndim &&
		(!p->ndim || !memcmp(p->shape, a->shape, p->ndim * sizeof(*p->shape)));
	ret = vv_source_copy(x->a->source, x->from, (same ? a->data : a->at) - x->from, x->out, err);
	if (!ret && !same) {
		vv_msgpack_head(&head, p);
		ret = vv_buf_check(&head, err);
		if (!ret)
			ret = x->out->write(x->out, vv_buf_view(&head), err);
		vv_buf_release(&head);
	}
	x->from = a->data + a->len;
	return ret ? ret : vv_source_copy(p->bytes, 0, p->len, x->out, err);
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct writing x = {.w.each = write_array, .a = a, .out = out};
	int ret = 0;

	for (size_t i = 0; i < a->n_parts && !ret; i++)
		if (!vv_map_put(&x.names, vv_span_str(a->parts[i].name), i, NULL))
			ret = vv_fail_nomem(err);
	if (!ret)
		ret = check_set(&x, err);
	if (!ret)
		ret = walk(&x.w, a->source, a->source->size, err);
	if (!ret)
		ret = vv_source_copy(a->source, x.from, a->source->size - x.from, out, err);
	vv_map_release(&x.names);
	if (ret == OTHER_SET)
		ret = vv_msgpack_rewrite(a, out, err);
	return ret <= 0 ? ret : vv_fail(err, VV_ENOTSUP, "msgpack keeps its tensors, for it holds more than maps of arrays");
}

/* Flax restores what is there into a tree of its own: there is no place for a note. */
static void empty(struct vv_buf *out, const char *note VV_UNUSED)
{
	vv_buf_char(out, (char)0x80);
}

const struct vv_format vv_format_msgpack = {
	.name = "msgpack", .probe = probe, .locate = locate, .assemble = assemble,
	.sets = "the same names, any where it holds arrays alone", .empty = empty};
