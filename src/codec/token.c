/*
 * Differences from a base, zigzag, each as a token and low bits: 16 tokens for the smallest numbers,
 * then four for every power of two, which leave all bits but the top three to be stored as they are.
 * One short list of tokens is coded instead of a plane per byte.
 */
#include "codec/internal.h"

enum { EXACT = 16 }; /* tokens that are the number itself */

#define FOUR(low) {low, 4}, {low, 5}, {low, 6}, {low, 7}
#define SIXTEEN(low) FOUR(low), FOUR(low + 1), FOUR(low + 2), FOUR(low + 3)
const struct token_part token_parts[256] = {
	{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {0, 7}, {0, 8}, {0, 9}, {0, 10}, {0, 11}, {0, 12},
	{0, 13}, {0, 14}, {0, 15}, SIXTEEN(2), SIXTEEN(6), SIXTEEN(10), SIXTEEN(14), SIXTEEN(18), SIXTEEN(22),
	SIXTEEN(26), SIXTEEN(30), SIXTEEN(34), SIXTEEN(38), SIXTEEN(42), SIXTEEN(46), SIXTEEN(50), SIXTEEN(54),
	SIXTEEN(58),
};

/*
 * The token of a number of up to 32 bits, without a branch. The exponent and the first bits of the
 * mantissa are read off a float, which the vectors of every instruction set can convert to; the number
 * is first made so short that nothing is rounded.
 */
static inline uint8_t token_small(uint32_t v)
{
	uint32_t big = 0u - (uint32_t)(v > 0xffff), exact = 0u - (uint32_t)(v < EXACT), u;
	float f = (float)(int32_t)(v ^ ((v ^ v >> 13) & big));

	memcpy(&u, &f, 4);
	u = (u >> 21) - 4 * (127 + 4) + EXACT + (4 * 13 & big);
	return (uint8_t)(u ^ ((u ^ v) & exact));
}

static inline uint8_t token_large(uint64_t v)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(v | EXACT);

	return (uint8_t)(v < EXACT ? v : EXACT + 4 * (top - 4) + (v >> (top - 2) & 3));
}

#define TOKEN1(v) token_small(v)
#define TOKEN2(v) token_small(v)
#define TOKEN4(v) token_small(v)
#define TOKEN8(v) token_large(v)

#define DEFINE_WIDTH(W, T, S)                                                                      \
	static inline T order##W(T v, T sign)                                                      \
	{                                                                                          \
		return v & sign ? (T)(v ^ (T)(sign - 1)) : v;                                      \
	}                                                                                          \
	VV_INLINE void diff_body##W(const uint8_t *raw, const uint8_t *base, size_t n, T *out, unsigned shift, \
		unsigned bits, bool is_float)                                                      \
	{                                                                                          \
		T sign = is_float ? (T)((T)1 << (bits - 1)) : 0;                                   \
		unsigned top = 8 * (W) - bits;                                                     \
		for (size_t i = 0; i < n; i++) {                                                   \
			T a = order##W((T)(load##W(raw, i) >> shift), sign);                       \
			T b = order##W((T)(load##W(base, i) >> shift), sign);                      \
			T d = (T)((T)(a - b) << top);                                              \
			out[i] = (T)((T)((T)(d << 1) ^ (T)((S)d >> (8 * (W) - 1))) >> top);        \
		}                                                                                  \
	}                                                                                          \
	VV_INLINE void undiff_body##W(uint8_t *raw, const uint8_t *base, size_t n, const T *in, unsigned shift, \
		unsigned bits, bool is_float)                                                      \
	{                                                                                          \
		T sign = is_float ? (T)((T)1 << (bits - 1)) : 0;                                   \
		T keep = (T)((T)~(T)0 >> (8 * (W) - bits));                                        \
		for (size_t i = 0; i < n; i++) {                                                   \
			T d = (T)((T)(in[i] >> 1) ^ (T)(0 - (in[i] & 1)));                         \
			T b = order##W((T)(load##W(base, i) >> shift), sign);                      \
			store##W(raw, i, (T)(order##W((T)((T)(b + d) & keep), sign) << shift));    \
		}                                                                                  \
	}                                                                                          \
	/* Without a shift, vectors need no wider numbers in between. */                           \
	VV_CLONES static void diff##W(const uint8_t *raw, const uint8_t *base, size_t n, T *out, unsigned shift, \
		unsigned bits, bool is_float)                                                      \
	{                                                                                          \
		if (shift)                                                                         \
			diff_body##W(raw, base, n, out, shift, bits, is_float);                    \
		else                                                                               \
			diff_body##W(raw, base, n, out, 0, 8 * (W), is_float);                     \
	}                                                                                          \
	VV_CLONES static void undiff##W(uint8_t *raw, const uint8_t *base, size_t n, const T *in, unsigned shift, \
		unsigned bits, bool is_float)                                                      \
	{                                                                                          \
		if (shift)                                                                         \
			undiff_body##W(raw, base, n, in, shift, bits, is_float);                   \
		else                                                                               \
			undiff_body##W(raw, base, n, in, 0, 8 * (W), is_float);                    \
	}                                                                                          \
	VV_CLONES static void tokens##W(const T *restrict in, size_t n, uint8_t *restrict token)   \
	{                                                                                          \
		for (size_t i = 0; i < n; i++)                                                     \
			token[i] = TOKEN##W(in[i]);                                                \
	}

DEFINE_WIDTH(1, uint8_t, int8_t)
DEFINE_WIDTH(2, uint16_t, int16_t)
DEFINE_WIDTH(4, uint32_t, int32_t)
DEFINE_WIDTH(8, uint64_t, int64_t)

VV_CLONES void exponents(const struct shape *s, const uint8_t *raw, size_t n, uint8_t *out)
{
	if (s->width == 1)
		for (size_t i = 0; i < n; i++)
			out[i] = raw[i] & 0x7f;
	else if (s->width == 2)
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load2(raw, i) >> s->exp_shift);
	else if (s->width == 4)
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load4(raw, i) >> s->exp_shift);
	else
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load8(raw, i) >> s->exp_shift);
}

/* A map of exponents as the places where the class changes: cheap for vectors when there are few. */
struct steps {
	const uint8_t *map;
	unsigned n;
	uint8_t at[CLASSES], by[CLASSES];
};

static struct steps steps_of(const uint8_t map[256])
{
	struct steps s = {.map = map};

	for (unsigned e = 1; e < 256; e++) {
		if (map[e] % CLASSES == map[e - 1] % CLASSES)
			continue;
		if (s.n < CLASSES) {
			s.at[s.n] = (uint8_t)e;
			s.by[s.n] = (uint8_t)(map[e] % CLASSES - map[e - 1] % CLASSES);
		}
		s.n++;
	}
	return s;
}

VV_CLONES static void add_step(const uint8_t *restrict e, uint8_t at, uint8_t by, uint8_t *restrict class, size_t n)
{
	for (size_t i = 0; i < n; i++)
		class[i] = (uint8_t)(class[i] + (by & -(e[i] >= at)));
}

/* The class of each number, by the exponent of the base's. */
static void classify(const struct shape *s, const uint8_t *base, size_t n, const struct steps *steps, uint8_t *out)
{
	uint8_t e[PIECE];

	memset(out, s->is_float ? steps->map[0] % CLASSES : 0, n);
	if (!s->is_float)
		return;
	exponents(s, base, n, e);
	for (unsigned k = 0; k < steps->n && steps->n <= CLASSES; k++)
		add_step(e, steps->at[k], steps->by[k], out, n);
	for (size_t i = 0; i < n && steps->n > CLASSES; i++)
		out[i] = steps->map[e[i]] % CLASSES;
}

unsigned token_limit(const struct shape *s)
{
	return s->bits > 4 ? 4 * s->bits : EXACT;
}

size_t split_delta(struct vv_codec *c, const struct shape *s, const struct vv_codec_params *p, const uint8_t *raw,
	const uint8_t *base, size_t n)
{
	struct steps steps = steps_of(p->classes);
	size_t kept = 0;

	memset(c->mask, 0, SEGMENTS / 8);
	for (size_t at = 0; at < n; at += PIECE) {
		size_t m = n - at < PIECE ? n - at : PIECE, left;
#define BODY(W, T)                                                                                 \
	T *t = (T *)(void *)c->plane + kept;                                                       \
	diff##W(raw + at * (W), base + at * (W), m, t, p->shift, s->bits, s->is_float);            \
	mask_find(c->mask, at, t, (W), m);                                                         \
	left = mask_squeeze(c->mask, at, t, (W), m);                                               \
	tokens##W(t, left, c->token + kept);
		BY_WIDTH(s, BODY);
#undef BODY
		classify(s, base + at * s->width, m, &steps, c->class + kept);
		mask_squeeze(c->mask, at, c->class + kept, 1, m);
		kept += left;
	}
	return kept;
}

int merge_delta(struct vv_codec *c, const struct shape *s, const struct vv_codec_params *p, struct ans_reader *r,
	const uint8_t *base, size_t n, uint8_t *raw)
{
	struct steps steps = steps_of(p->classes);
	uint8_t class[PIECE];

	for (size_t at = 0; at < n; at += PIECE) {
		size_t m = n - at < PIECE ? n - at : PIECE;
		classify(s, base + at * s->width, m, &steps, class);
		mask_squeeze(c->mask, at, class, 1, m);
#define BODY(W, T)                                                                                 \
	T t[PIECE];                                                                                \
	if (ans_read(r, class, t, mask_count(c->mask, at, m)))                                \
		return 1;                                                                          \
	mask_spread(c->mask, at, t, (W), m);                                                       \
	undiff##W(raw + at * (W), base + at * (W), m, t, p->shift, s->bits, s->is_float);
		BY_WIDTH(s, BODY);
#undef BODY
	}
	return ans_close(r);
}
