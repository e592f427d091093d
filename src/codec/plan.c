/* What a tensor's parameters should be, from samples. */
#include "codec/internal.h"

unsigned vv_block_dead_bits(enum vv_dtype dt, struct vv_span raw)
{
	unsigned width = shape_of(dt, 0).width;
	uint64_t any = 0;
	size_t i = 0;

	/* Eight bytes at a time: with a width that divides eight, the halves fall on one another below. */
	for (; i + 8 <= raw.len; i += 8) {
		uint64_t v;
		memcpy(&v, raw.ptr + i, 8);
		any |= v;
	}
	for (unsigned k = 0; i < raw.len; i++, k++)
		any |= (uint64_t)raw.ptr[i] << 8 * (k % 8);
	for (unsigned bits = 64; bits > 8 * width; bits /= 2)
		any |= any >> bits / 2;
	if (width < 8)
		any &= ((uint64_t)1 << 8 * width) - 1;
	return any ? (unsigned)__builtin_ctzll(any) : 8 * width;
}

void vv_codec_plan(struct vv_codec *c, struct vv_codec_params *params, enum vv_dtype dt, const uint8_t *const *blocks,
	const uint8_t *const *bases, const size_t *len, size_t n)
{
	struct shape s = shape_of(dt, 0);
	uint64_t count[256] = {0}, total = 0, below = 0;
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
	if (!bases || !s.classed)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t m = len[i] / s.width;
		m = m < UNITS ? m : UNITS;
		exponents(&s, bases[i], m, c->class);
		for (size_t k = 0; k < m; k++)
			count[c->class[k]]++;
		total += m;
	}
	/* Classes of equal population, in order of the exponent. */
	for (unsigned k = 0; k < 256; k++) {
		params->classes[k] = (uint8_t)(total ? below * CLASSES / (total + 1) : 0);
		below += count[k];
	}
}

size_t vv_codec_cost(struct vv_codec *c, const struct vv_codec_params *p, struct vv_span raw, const uint8_t *base)
{
	struct shape s = shape_of(p->dtype, p->shift);
	size_t n = raw.len / s.width;
	double bits = 0;

	n = n < UNITS ? n : UNITS;
	if (!n)
		return raw.len;
	if (!base) {
		split_solo(&s, p->shift, raw.ptr, n, c->plane);
		for (unsigned k = 0; k < s.planes; k++)
			bits += list_bits(c->plane[k], n);
		return (size_t)(bits / 8);
	}
	split_delta(&s, p->shift, raw.ptr, base, n, c->plane);
	exponents(&s, base, n, c->class);
	for (unsigned k = 0; k < s.planes; k++) {
		uint8_t *to[CLASSES];
		for (int i = 0; i < CLASSES; i++)
			to[i] = c->list[i];
		for (size_t i = 0; i < n; i++)
			*to[s.classed ? p->classes[c->class[i]] & (CLASSES - 1) : 0]++ = c->plane[k][i];
		for (int i = 0; i < CLASSES; i++)
			bits += list_bits(c->list[i], (size_t)(to[i] - c->list[i]));
	}
	return (size_t)(bits / 8);
}
