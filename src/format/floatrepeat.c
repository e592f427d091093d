/*
 * A rolling hash over elements marks places by what stands before them, about one in 4096; where a mark comes
 * again, bytes are compared both ways.
 */
#include "format/floatrepeat.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/le.h"
#include "base/map.h"

#include <stdlib.h>

enum { WINDOW = 64 /* elements */, PIECE = 64 << 10, READ = 1 << 20 };

struct finder {
	const struct vv_source *src;
	unsigned width, phase;
	struct vv_map marks; /* hash: where its window ends */
	struct vv_arena arena;
	struct vv_repeat *found;
	size_t n, cap;
	uint8_t *bytes, *one, *other;
};

static uint64_t mix(uint64_t v)
{
	v *= 0x9e3779b97f4a7c15u;
	return v ^ v >> 32;
}

/* --- comparing --- */

/* So many bytes are the same behind `a` and `b`, at most `most`. */
static int same_behind(struct finder *f, uint64_t a, uint64_t b, uint64_t most, uint64_t *len, struct vv_err *err)
{
	for (*len = 0; *len < most;) {
		size_t n = (size_t)vv_min64(PIECE, most - *len), i = 0;
		int ret = vv_source_read(f->src, a + *len, f->one, n, err);
		if (!ret)
			ret = vv_source_read(f->src, b + *len, f->other, n, err);
		if (ret)
			return ret;
		while (i < n && f->one[i] == f->other[i])
			i++;
		*len += i;
		if (i < n)
			break;
	}
	return 0;
}

static int same_before(struct finder *f, uint64_t a, uint64_t b, uint64_t most, uint64_t *len, struct vv_err *err)
{
	for (*len = 0; *len < most;) {
		size_t n = (size_t)vv_min64(PIECE, most - *len), i = n;
		int ret = vv_source_read(f->src, a - *len - n, f->one, n, err);
		if (!ret)
			ret = vv_source_read(f->src, b - *len - n, f->other, n, err);
		if (ret)
			return ret;
		while (i && f->one[i - 1] == f->other[i - 1])
			i--;
		*len += n - i;
		if (i)
			break;
	}
	return 0;
}

/* The bytes around `a` that are in no repeat. */
static void bounds(const struct finder *f, uint64_t a, uint64_t *low, uint64_t *high)
{
	size_t from = 0, to = f->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (f->found[middle].at < a)
			from = middle + 1;
		else
			to = middle;
	}
	*low = from ? f->found[from - 1].at + f->found[from - 1].len : 0;
	*high = from < f->n ? f->found[from].at : UINT64_MAX;
}

static int keep(struct finder *f, struct vv_repeat r, struct vv_err *err)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;
		struct vv_repeat *p = realloc(f->found, cap * sizeof(*p));
		if (!p)
			return vv_fail_nomem(err);
		f->found = p;
		f->cap = cap;
	}
	f->found[f->n++] = r;
	return 0;
}

/* The same mark at `a`, and now at `b`. *end: where to go on, when it is a repeat. */
static int try_repeat(struct finder *f, uint64_t a, uint64_t b, uint64_t *end, struct vv_err *err)
{
	uint64_t before, behind, low, high, last = f->n ? f->found[f->n - 1].at + f->found[f->n - 1].len : 0, from, to;
	int ret;

	bounds(f, a, &low, &high);
	ret = same_before(f, a, b, vv_min64(a - low, b - last), &before, err);
	if (ret)
		return ret;
	/* The two must not overlap. */
	before = vv_min64(before, b - a);
	high = vv_min64(high, b - before);
	ret = same_behind(f, a, b, vv_min64(high - a, f->src->size - b), &behind, err);
	if (ret || before + behind < VV_REPEAT_LEAST)
		return ret;
	from = vv_div_up(a - before, VV_REPEAT_GRID) * VV_REPEAT_GRID + f->phase;
	to = (a + behind - f->phase) / VV_REPEAT_GRID * VV_REPEAT_GRID + f->phase;
	if (to - from < VV_REPEAT_LEAST / 2)
		return 0;
	*end = b + behind;
	return keep(f, (struct vv_repeat){from, b + (from - a), to - from}, err);
}

/* --- marks --- */

/* Is `h`, the hash of what ends at `at`, new? Otherwise a repeat may be there. */
static int mark(struct finder *f, uint64_t h, uint64_t at, uint64_t *end, struct vv_err *err)
{
	struct vv_span key = {(const uint8_t *)&h, sizeof(h)};
	const uint64_t *old = vv_map_find(&f->marks, key);
	char *kept;

	if (old)
		return try_repeat(f, *old, at, end, err);
	kept = vv_arena_copy(&f->arena, key);
	if (!kept || !vv_map_put(&f->marks, vv_span(kept, sizeof(h)), at, NULL))
		return vv_fail_nomem(err);
	return 0;
}

static int find(struct finder *f, struct vv_err *err)
{
	uint64_t h = 0, last = 0;
	unsigned run = 0; /* elements in a row that are unlike the one before: zeros are no mark */

	for (uint64_t off = f->phase; off + f->width <= f->src->size;) {
		size_t n = (size_t)vv_min64(READ, (f->src->size - off) / f->width * f->width);
		uint64_t end = 0;
		int ret = vv_source_read(f->src, off, f->bytes, n, err);
		if (ret)
			return ret;
		for (size_t i = 0; i < n && !end; i += f->width) {
			const uint8_t *p = f->bytes + i;
			uint64_t v = f->width == 2 ? vv_get16(p) : f->width == 4 ? vv_get32(p) : vv_get64(p);
			run = v == last ? 0 : run + 1;
			last = v;
			h = (h << 1) + mix(v);
			if (h >> 52 || run < WINDOW)
				continue;
			ret = mark(f, h, off + i + f->width, &end, err);
			if (ret)
				return ret;
		}
		off = end ? vv_div_up(end - f->phase, f->width) * f->width + f->phase : off + n;
		run = end ? 0 : run;
	}
	return 0;
}

int vv_repeats_find(struct vv_repeat **out, size_t *n, const struct vv_source *src, unsigned width, unsigned phase,
	struct vv_err *err)
{
	struct finder f = {.src = src, .width = width, .phase = phase};
	int ret;

	f.bytes = malloc(READ);
	f.one = malloc(PIECE);
	f.other = malloc(PIECE);
	ret = f.bytes && f.one && f.other ? find(&f, err) : vv_fail_nomem(err);
	free(f.bytes);
	free(f.one);
	free(f.other);
	vv_map_release(&f.marks);
	vv_arena_release(&f.arena);
	if (ret) {
		free(f.found);
		f.found = NULL;
		f.n = 0;
	}
	*out = f.found;
	*n = f.n;
	return ret;
}
