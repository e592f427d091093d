/* What a tensor's parameters should be, from samples. */
#include "codec/internal.h"

#include <stdlib.h>

unsigned vv_block_dead_bits(enum vv_dtype dt, struct vv_span raw)
{
	unsigned width = shape_of(dt, 0).width;
	uint64_t any = 0;
	size_t i = 0;

	/* Eight bytes at a time: with a width that divides eight, the halves fall on one another below. */
	for (; i + 8 <= raw.len; i += 8)
		any |= load8(raw.ptr + i, 0);
	for (unsigned k = 0; i < raw.len; i++, k++)
		any |= (uint64_t)raw.ptr[i] << 8 * (k % 8);
	for (unsigned bits = 64; bits > 8 * width; bits /= 2)
		any |= any >> bits / 2;
	if (width < 8)
		any &= ((uint64_t)1 << 8 * width) - 1;
	return any ? (unsigned)__builtin_ctzll(any) : 8 * width;
}

/*
 * Classes: neighbouring exponents whose tokens look alike share one. Every exponent that occurs begins
 * as a class of its own; the two neighbours that lose least by being coded together are joined until
 * few enough are left and any further join loses more than a list costs.
 */
enum { RUN_COST = 16 }; /* bits of a run of one scale */
enum { SYMBOL_COST = 4, LIST_COST = 40 }; /* bits of a list's table by symbol, and of all else */

struct group {
	uint32_t *count;   /* of each token */
	int64_t cost;      /* bits of its list */
	unsigned first;    /* exponent */
};

static int64_t list_cost(const uint32_t h[256])
{
	int64_t symbols = 0;

	for (int k = 0; k < 256; k++)
		symbols += h[k] != 0;
	return (int64_t)entropy_bits(h) + SYMBOL_COST * symbols + LIST_COST;
}

static int64_t joined_cost(const struct group *a, const struct group *b, uint32_t sum[256])
{
	for (int k = 0; k < 256; k++)
		sum[k] = a->count[k] + b->count[k];
	return list_cost(sum);
}

static unsigned join_groups(struct group *g, unsigned n)
{
	uint32_t sum[256];
	int64_t loss[256];

	for (unsigned i = 0; i + 1 < n; i++)
		loss[i] = joined_cost(&g[i], &g[i + 1], sum) - g[i].cost - g[i + 1].cost;
	while (n > 1) {
		unsigned best = 0;
		for (unsigned i = 1; i + 1 < n; i++)
			best = loss[i] < loss[best] ? i : best;
		if (n <= CLASSES && loss[best] > 0)
			break;
		g[best].cost = joined_cost(&g[best], &g[best + 1], sum);
		memcpy(g[best].count, sum, sizeof(sum));
		n--;
		for (unsigned i = best + 1; i < n; i++)
			g[i] = g[i + 1];
		for (unsigned i = best + 1; i + 1 < n; i++)
			loss[i] = loss[i + 1];
		for (unsigned i = best ? best - 1 : 0; i <= best && i + 1 < n; i++)
			loss[i] = joined_cost(&g[i], &g[i + 1], sum) - g[i].cost - g[i + 1].cost;
	}
	return n;
}

/* Counts tokens by the base's exponent; rows of `count` that are not `seen` are not yet cleared. */
static void count_tokens(struct vv_codec *c, const struct shape *s, const struct vv_codec_params *p,
	const uint8_t *raw, const uint8_t *base, size_t n, uint32_t (*count)[256], bool seen[256])
{
	size_t kept = split_delta(c, s, p, raw, base, n);

	exponents(s, base, n, c->class);
	mask_squeeze(c->mask, 0, c->class, 1, n);
	for (size_t i = 0; i < kept; i++) {
		uint8_t e = c->class[i];
		if (!seen[e])
			memset(count[e], 0, sizeof(count[e]));
		seen[e] = true;
		count[e][c->token[i]]++;
	}
}

static void plan_classes(struct vv_codec *c, struct vv_codec_params *p, const uint8_t *const *blocks,
	const uint8_t *const *bases, const size_t *len, size_t n)
{
	struct shape s = shape_of(p->dtype, p->shift);
	uint32_t (*count)[256] = (uint32_t(*)[256])(void *)c->stream;
	bool seen[256] = {false};
	struct group g[256];
	unsigned groups = 0, k = 0;

	for (size_t i = 0; i < n; i++) {
		size_t m = len[i] / s.width;
		count_tokens(c, &s, p, blocks[i], bases[i], m < UNITS ? m : UNITS, count, seen);
	}
	for (unsigned e = 0; e < 256; e++)
		if (seen[e])
			g[groups++] = (struct group){count[e], list_cost(count[e]), e};
	groups = join_groups(g, groups);
	/* An exponent that does not occur belongs to the class below it. */
	for (unsigned e = 0; e < 256; e++) {
		k += k + 1 < groups && e >= g[k + 1].first;
		p->classes[e] = (uint8_t)k;
	}
}

void vv_codec_plan(struct vv_codec *c, struct vv_codec_params *params, enum vv_dtype dt, const uint8_t *const *blocks,
	const uint8_t *const *bases, const size_t *len, size_t n)
{
	struct shape s = shape_of(dt, 0);
	unsigned dead = 255;

	*params = (struct vv_codec_params){.dtype = dt};
	for (size_t i = 0; i < n; i++) {
		unsigned d = vv_block_dead_bits(dt, vv_span(blocks[i], len[i]));
		dead = d < dead ? d : dead;
		if (bases) {
			d = vv_block_dead_bits(dt, vv_span(bases[i], len[i]));
			dead = d < dead ? d : dead;
		}
	}
	/* One byte must be left, also of a tensor of zeros. */
	if (n && s.width > 1)
		params->shift = (uint8_t)(dead > 8 * (s.width - 1) ? 8 * (s.width - 1) : dead);
	if (bases && s.is_float)
		plan_classes(c, params, blocks, bases, len, n);
}

size_t vv_codec_cost(struct vv_codec *c, const struct vv_codec_params *p, struct vv_span raw, const uint8_t *base)
{
	struct shape s = shape_of(p->dtype, p->shift);
	size_t n = raw.len / s.width, kept, runs = 0;
	uint32_t h[CLASSES][256];
	uint64_t bits;

	n = n < UNITS ? n : UNITS;
	if (!n)
		return raw.len;
	if (base && p->qcast == VV_QCAST_SCALED) {
		runs = scaled_find(c, raw.ptr, base, n);
		if (!runs)
			return raw.len;
		base = c->predicted;
	}
	kept = base ? split_delta(c, &s, p, raw.ptr, base, n) : split_solo(c, &s, p->shift, raw.ptr, n);
	bits = (kept != n ? n / SEGMENT : 0) + runs * RUN_COST;
	if (base) {
		memset(h, 0, sizeof(h));
		for (size_t i = 0; i < kept; i++)
			h[c->class[i]][c->token[i]]++;
		for (size_t i = 0; i < kept; i++)
			bits += token_parts[c->token[i]].low;
		for (int k = 0; k < CLASSES; k++)
			bits += entropy_bits(h[k]);
	}
	for (unsigned k = 0; !base && k < s.planes; k++) {
		histogram(c->plane + k * PLANE, kept, 1, h[0]);
		uint64_t b = entropy_bits(h[0]);
		bits += b < 8 * kept ? b : 8 * kept;
	}
	return (size_t)(bits / 8);
}
