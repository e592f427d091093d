/* The bytes of one storage, with new tensors laid over the old bytes. */
#include "format/torch.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

/* A view that says more elements than its storage has is written element by element only up to this. */
#define MAX_EXPANDED ((uint64_t)1 << 28)

struct piece {
	const struct vv_view *view;
	const struct vv_part *part;
	unsigned width;
	uint8_t *loaded; /* a strided part's bytes, while the storage is read */
};

struct vv_torch_bytes {
	struct vv_source base;
	const struct vv_source *old;
	uint64_t off; /* of the old bytes in it */
	struct piece *pieces;
	size_t n, cap;
	uint64_t next; /* how far it was read in order, and the CRC-32 of that */
	uint32_t crc;
};

/* What is being read: bytes [from, to) of the storage. */
struct window {
	uint64_t from, to;
	uint8_t *dst;
	uint8_t *written; /* one byte per byte of dst: some part said what it is */
	const char *name;
};

static int lay(struct window *w, uint64_t at, const uint8_t *bytes, size_t n, struct vv_err *err)
{
	if (at >= w->from && at + n <= w->to && !memchr(w->written + (at - w->from), 1, n)) {
		memcpy(w->dst + (at - w->from), bytes, n);
		memset(w->written + (at - w->from), 1, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++, at++) {
		size_t k;
		if (at < w->from || at >= w->to)
			continue;
		k = (size_t)(at - w->from);
		if (w->written[k] && w->dst[k] != bytes[i])
			return vv_fail(err, VV_ENOTSUP, "tensor '%s' shares bytes with another, and they differ", w->name);
		w->dst[k] = bytes[i];
		w->written[k] = 1;
	}
	return 0;
}

static int lay_contiguous(struct window *w, const struct piece *p, struct vv_err *err)
{
	enum { PIECE = 64 << 10 };
	uint64_t start = p->view->offset * p->width, end = start + p->part->len;
	uint64_t at = start > w->from ? start : w->from, to = vv_min64(end, w->to);
	uint8_t *buf;
	int ret = 0;

	if (at >= to)
		return 0;
	buf = malloc(PIECE);
	if (!buf)
		return vv_fail_nomem(err);
	for (size_t n; at < to && !ret; at += n) {
		n = (size_t)vv_min64(PIECE, to - at);
		ret = vv_source_read(p->part->bytes, at - start, buf, n, err);
		if (!ret)
			ret = lay(w, at, buf, n, err);
	}
	free(buf);
	return ret;
}

/*
 * Dimension `dim` of a strided view: `base` is the storage's element, `index` the part's, at its start.
 * Only steps whose elements can meet the window are taken, so a window costs what it holds.
 */
static int lay_strided(struct window *w, const struct piece *p, unsigned dim, uint64_t base, uint64_t index,
	struct vv_err *err)
{
	const struct vv_view *v = p->view;
	uint64_t lo = w->from / p->width, hi = (w->to - 1) / p->width, reach = 0, first = 0, last;
	int ret = 0;

	if (dim == v->ndim)
		return base < lo || base > hi ? 0
					      : lay(w, base * p->width, p->loaded + index * p->width, p->width, err);
	for (unsigned i = dim + 1; i < v->ndim; i++)
		reach += (v->shape[i] - 1) * v->stride[i];
	if (base > hi)
		return 0;
	last = v->shape[dim] - 1;
	if (v->stride[dim]) {
		if (lo > base + reach)
			first = vv_div_up(lo - base - reach, v->stride[dim]);
		last = vv_min64(last, (hi - base) / v->stride[dim]);
	} else if (base + reach < lo) {
		return 0;
	}
	for (uint64_t i = first; i <= last && !ret; i++)
		ret = lay_strided(w, p, dim + 1, base + i * v->stride[dim], index * v->shape[dim] + i, err);
	return ret;
}

static int lay_piece(struct window *w, struct piece *p, struct vv_err *err)
{
	int ret;

	w->name = p->part->name;
	if (!p->part->len)
		return 0;
	if (!p->view->stride)
		return lay_contiguous(w, p, err);
	if (!p->loaded) {
		p->loaded = malloc((size_t)p->part->len);
		if (!p->loaded)
			return vv_fail_nomem(err);
		ret = vv_source_read(p->part->bytes, 0, p->loaded, (size_t)p->part->len, err);
		if (ret)
			return ret;
	}
	return lay_strided(w, p, 0, p->view->offset, 0, err);
}

static void unload(struct vv_torch_bytes *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->pieces[i].loaded);
		s->pieces[i].loaded = NULL;
	}
}

/* Is there only one part, and is it all of the storage? */
static bool direct(const struct vv_torch_bytes *s)
{
	return s->n == 1 && !s->pieces[0].view->stride && s->pieces[0].part->len == s->base.size;
}

static int compose(struct vv_torch_bytes *s, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	struct window w = {off, off + len, dst, calloc(len, 1), NULL};
	int ret = w.written ? vv_source_read(s->old, s->off + off, dst, len, err) : vv_fail_nomem(err);

	for (size_t i = 0; i < s->n && !ret; i++)
		ret = lay_piece(&w, &s->pieces[i], err);
	free(w.written);
	if (off + len == s->base.size)
		unload(s);
	return ret;
}

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	struct vv_torch_bytes *s = (struct vv_torch_bytes *)(uintptr_t)self;
	int ret;

	if (direct(s))
		ret = vv_source_read(s->pieces[0].part->bytes, off, dst, len, err);
	else
		ret = compose(s, off, dst, len, err);
	if (!off)
		s->next = s->crc = 0;
	if (!ret && off == s->next) {
		s->crc = (uint32_t)crc32_z(s->crc, dst, len);
		s->next += len;
	}
	return ret;
}

struct vv_torch_bytes *vv_torch_bytes_new(const struct vv_source *old, uint64_t off, uint64_t len)
{
	struct vv_torch_bytes *s = calloc(1, sizeof(*s));

	if (s)
		*s = (struct vv_torch_bytes){.base = {len, read_at}, .old = old, .off = off};
	return s;
}

int vv_torch_bytes_add(
	struct vv_torch_bytes *s, const struct vv_torch_tensor *t, const struct vv_part *part, struct vv_err *err)
{
	unsigned width = vv_dtype_width(t->dtype);

	if (t->view.stride && part->len > s->base.size && part->len / width > MAX_EXPANDED)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s' says the same elements too often", part->name);
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 2;
		struct piece *p = realloc(s->pieces, cap * sizeof(*p));
		if (!p)
			return vv_fail_nomem(err);
		s->pieces = p;
		s->cap = cap;
	}
	s->pieces[s->n++] = (struct piece){&t->view, part, width, NULL};
	return 0;
}

void vv_torch_bytes_free(struct vv_torch_bytes *s)
{
	if (!s)
		return;
	unload(s);
	free(s->pieces);
	free(s);
}

const struct vv_source *vv_torch_bytes_source(const struct vv_torch_bytes *s)
{
	return &s->base;
}

static int discard(struct vv_sink *self VV_UNUSED, struct vv_span data VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return 0;
}

int vv_torch_bytes_crc(const struct vv_torch_bytes *s, uint32_t *crc, struct vv_err *err)
{
	struct vv_sink none = {discard};
	int ret = 0;

	if (s->next != s->base.size)
		ret = vv_source_copy(&s->base, 0, s->base.size, &none, err);
	*crc = s->crc;
	return ret;
}
