/*
 * Files that are all numbers and no header: a TensorFlow checkpoint's data, ONNX's external data, dumps of weights.
 * Looked at in fixed places, they are cut on a fixed grid into pieces named after their places, so that the next version
 * has a base for each: training moves every number a little, and content-defined chunks would find none of them again.
 * What stands in a file twice is cut the same way twice, so that it is stored once.
 */
#include "format/formats.h"

#include "base/check.h"
#include "base/le.h"
#include "format/floatrepeat.h"
#include "format/floatsample.h"
#include "format/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A square is cut into fields where its samples disagree. */
enum { SQUARE = 4 << 20, FIELD = 64 << 10, SPOTS = 5, HOLE = 2, LEAST = 64 << 10 };
enum { TAR_MAGIC = 257, MOST_READ = 1 << 30 /* bytes of a file that is read whole, for repeats */ };

/* A field, or a whole square. */
struct cell {
	uint64_t off, len;
	struct vv_sample is;
};

struct grid {
	const struct vv_source *src;
	struct cell *cells;
	size_t n, cap;
	struct vv_sample last; /* numbers seen: what to expect next */
	struct vv_sample_votes votes;
};

static bool is_number(struct vv_sample s)
{
	return s.kind > VV_SAMPLE_PLAIN;
}

static bool same(struct vv_sample a, struct vv_sample b)
{
	return a.kind == b.kind && a.phase == b.phase;
}

static unsigned width(struct vv_sample s)
{
	return s.kind == VV_SAMPLE_HALF ? 2 : s.kind == VV_SAMPLE_F32 ? 4 : 8;
}

/* All 16-bit numbers of a file are of one type. */
static enum vv_dtype dtype_of(const struct grid *g, struct vv_sample s)
{
	if (s.kind != VV_SAMPLE_HALF)
		return s.kind == VV_SAMPLE_F32 ? VV_DT_F32 : VV_DT_F64;
	return g->votes.f16 > g->votes.bf16 ? VV_DT_F16 : VV_DT_BF16;
}

/* --- looking --- */

static int look(struct grid *g, uint64_t off, uint64_t end, struct vv_sample *out, struct vv_err *err)
{
	uint8_t bytes[VV_SAMPLE];
	size_t n = (size_t)vv_min64(VV_SAMPLE, end - off);
	int ret = vv_source_read(g->src, off, bytes, n, err);

	if (ret)
		return ret;
	*out = vv_sample_judge(vv_span(bytes, n), off, g->last, &g->votes);
	if (is_number(*out))
		g->last = *out;
	return 0;
}

static int add(struct grid *g, uint64_t off, uint64_t end, struct vv_sample is, struct vv_err *err)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 64;
		struct cell *c = realloc(g->cells, cap * sizeof(*c));
		if (!c)
			return vv_fail_nomem(err);
		g->cells = c;
		g->cap = cap;
	}
	g->cells[g->n++] = (struct cell){off, end - off, is};
	return 0;
}

/* Its samples agree, but for those that say nothing: one cell. */
static int look_at_square(struct grid *g, uint64_t off, uint64_t end, struct vv_err *err)
{
	struct vv_sample found = {VV_SAMPLE_PLAIN, 0}, is;
	uint64_t room = end - off > VV_SAMPLE ? end - off - VV_SAMPLE : 0;
	bool mixed = false;
	int ret = 0;

	for (unsigned i = 0; i < SPOTS && !ret; i++) {
		ret = look(g, off + room / (SPOTS - 1) * i, end, &is, err);
		if (!ret && is.kind != VV_SAMPLE_PLAIN) {
			mixed |= found.kind != VV_SAMPLE_PLAIN && !same(found, is);
			found = is;
		}
	}
	if (!ret && !mixed)
		return add(g, off, end, found, err);
	for (; off < end && !ret; off += FIELD) {
		uint64_t to = vv_min64(off + FIELD, end), middle = off + (to - off) / 2;
		ret = look(g, middle, to, &is, err);
		if (!ret)
			ret = add(g, off, to, is, err);
	}
	return ret;
}

/* --- what was seen, in order --- */

/* What says nothing is like what is before it; at the start, like what follows. */
static void fill_plain(struct grid *g)
{
	struct vv_sample is = {VV_SAMPLE_OTHER, 0};

	for (size_t i = g->n; i-- > 0;)
		if (g->cells[i].is.kind != VV_SAMPLE_PLAIN)
			is = g->cells[i].is;
	for (size_t i = 0; i < g->n; i++)
		if (g->cells[i].is.kind == VV_SAMPLE_PLAIN)
			g->cells[i].is = is;
		else
			is = g->cells[i].is;
}

/* A few fields that are like neither side, between two that are alike: a sample that met something odd. */
static void fill_holes(struct grid *g)
{
	for (size_t i = 0; i < g->n; i++) {
		size_t to = i + 1;
		if (!is_number(g->cells[i].is))
			continue;
		while (to < g->n && to <= i + HOLE && g->cells[to].len <= FIELD && !same(g->cells[to].is, g->cells[i].is))
			to++;
		if (to < g->n && to > i + 1 && same(g->cells[to].is, g->cells[i].is))
			for (size_t k = i + 1; k < to; k++)
				g->cells[k].is = g->cells[i].is;
	}
}

/* A quarter of it is numbers, and what goes with them. */
static bool is_worth_it(const struct grid *g)
{
	uint64_t numbers = 0, other = 0;

	for (size_t i = 0; i < g->n; i++)
		if (is_number(g->cells[i].is))
			numbers += g->cells[i].len;
		else
			other += g->cells[i].len;
	return numbers && numbers >= other / 3;
}

/* --- pieces --- */

struct piece {
	uint64_t from, to;
	enum vv_dtype dtype;
};

struct pieces {
	struct piece *v;
	size_t n, cap;
	struct vv_repeat *repeats; /* in the file's order */
	size_t n_repeats;
	uint64_t *cuts; /* where repeats begin and end in what they repeat, ascending */
	size_t repeat, cut; /* the next ones: pieces come in the file's order */
};

static int keep(struct pieces *p, struct piece x, struct vv_err *err)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct piece *v = realloc(p->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = x;
	return 0;
}

/* Cuts the piece where a repeat begins or ends in it; what repeats something else is left out. */
static int cut(struct pieces *p, struct piece x, struct vv_err *err)
{
	int ret = 0;

	while (x.from < x.to && !ret) {
		const struct vv_repeat *r = &p->repeats[p->repeat];
		uint64_t to = x.to;

		if (p->repeat < p->n_repeats && x.from >= r->at) {
			/* It may go on in the next piece. */
			if (x.from < r->at + r->len)
				x.from = r->at + r->len;
			else
				p->repeat++;
			continue;
		}
		if (p->cut < 2 * p->n_repeats && p->cuts[p->cut] <= x.from) {
			p->cut++;
			continue;
		}
		if (p->repeat < p->n_repeats)
			to = vv_min64(to, r->at);
		if (p->cut < 2 * p->n_repeats)
			to = vv_min64(to, p->cuts[p->cut]);
		ret = keep(p, (struct piece){x.from, to, x.dtype}, err);
		x.from = to;
	}
	return ret;
}

/* A repeat is in the pieces that what it repeats is in. */
static int repeat(struct pieces *p, const struct vv_repeat *r, size_t n_first, struct vv_err *err)
{
	size_t from = 0, to = n_first;
	int ret = 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (p->v[middle].from < r->from)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from < n_first && p->v[from].to <= r->from + r->len && !ret; from++) {
		struct piece x = p->v[from];
		x.from = x.from - r->from + r->at;
		x.to = x.to - r->from + r->at;
		ret = keep(p, x, err);
	}
	return ret;
}

/* Cells of one kind make a piece, but for the borders of squares: whole elements, from their phase to their phase. */
static int pieces_of(struct pieces *p, const struct grid *g, struct vv_err *err)
{
	size_t n_first;
	int ret = 0;

	for (size_t i = 0, to; i < g->n && !ret; i = to) {
		const struct cell *c = &g->cells[i];
		uint64_t from, end;
		unsigned w = width(c->is);

		for (to = i + 1; to < g->n && g->cells[to].off % SQUARE && same(g->cells[to].is, c->is);)
			to++;
		if (!is_number(c->is))
			continue;
		end = g->cells[to - 1].off + g->cells[to - 1].len;
		from = c->off + (c->is.phase + w - c->off % w) % w;
		end += (c->is.phase + w - end % w) % w;
		if (end > g->src->size || (to < g->n && !same(g->cells[to].is, c->is) && end > g->cells[to].off))
			end -= w;
		ret = cut(p, (struct piece){from, end, dtype_of(g, c->is)}, err);
	}
	n_first = p->n;
	for (size_t i = 0; i < p->n_repeats && !ret; i++)
		ret = repeat(p, &p->repeats[i], n_first, err);
	return ret;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Looked for by the kind of elements that there are most of. */
static int find_repeats(struct pieces *p, const struct grid *g, struct vv_err *err)
{
	struct vv_sample most = {VV_SAMPLE_F32, 0};
	uint64_t len[VV_SAMPLE_F64 + 1][8] = {{0}};
	int ret;

	if (g->src->size > MOST_READ)
		return 0;
	for (size_t i = 0; i < g->n; i++) {
		struct vv_sample is = g->cells[i].is;
		len[is.kind][is.phase] += g->cells[i].len;
		if (is_number(is) && len[is.kind][is.phase] > len[most.kind][most.phase])
			most = is;
	}
	ret = vv_repeats_find(&p->repeats, &p->n_repeats, g->src, width(most), most.phase, err);
	if (ret)
		return ret;
	p->cuts = malloc((2 * p->n_repeats + 1) * sizeof(*p->cuts));
	if (!p->cuts)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < p->n_repeats; i++) {
		p->cuts[2 * i] = p->repeats[i].from;
		p->cuts[2 * i + 1] = p->repeats[i].from + p->repeats[i].len;
	}
	qsort(p->cuts, 2 * p->n_repeats, sizeof(*p->cuts), by_number);
	return 0;
}

/* --- the format --- */

static int report(struct vv_layout_build *b, const struct piece *x, struct vv_err *err)
{
	struct vv_arena *arena = vv_layout_arena(b);
	struct vv_view *v = vv_arena_alloc(arena, sizeof(*v));
	uint64_t *shape = vv_arena_alloc(arena, sizeof(*shape));
	char name[32];

	snprintf(name, sizeof(name), "at %" PRIu64, x->from);
	if (!v || !shape || !(v->name = vv_arena_copy(arena, vv_span_str(name))))
		return vv_fail_nomem(err);
	*shape = (x->to - x->from) / vv_dtype_width(x->dtype);
	v->ndim = 1;
	v->shape = shape;
	return vv_layout_tensor(b, x->from, x->to - x->from, x->dtype, v, 1, err);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct grid g = {.src = src};
	struct pieces p = {.n = 0};
	int ret = 0;

	for (uint64_t off = 0; off < src->size && !ret; off += SQUARE)
		ret = look_at_square(&g, off, vv_min64(off + SQUARE, src->size), err);
	if (!ret) {
		fill_plain(&g);
		fill_holes(&g);
		ret = is_worth_it(&g) ? find_repeats(&p, &g, err) : VV_NOT_THIS;
	}
	if (!ret)
		ret = pieces_of(&p, &g, err);
	for (size_t i = 0; i < p.n && !ret; i++)
		ret = report(b, &p.v[i], err);
	free(g.cells);
	free(p.v);
	free(p.repeats);
	free(p.cuts);
	return ret;
}

/* Archives have their members anywhere, so chunks find more of them again. */
static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	if (size < LEAST || vv_zip_probe(head) || (head.len >= 512 && !memcmp(head.ptr + TAR_MAGIC, "ustar", 5)))
		return VV_PROBE_NO;
	return VV_PROBE_MAYBE;
}

const struct vv_format vv_format_floats = {.name = "floats", .probe = probe, .locate = locate};
