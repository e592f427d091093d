/*
 * Numbers to byte planes and back. Integer maps only: every bit pattern, NaN payloads and signed
 * zeros included, comes back as it was.
 */
#include "codec/internal.h"

struct shape shape_of(enum vv_dtype dt, unsigned shift)
{
	/* A complex number is two numbers. */
	if (dt == VV_DT_C64)
		dt = VV_DT_F32;
	if (dt == VV_DT_C128)
		dt = VV_DT_F64;
	struct shape s = {.width = vv_dtype_width(dt)};

	s.is_float = vv_dtype_info(dt)->kind == VV_KIND_FLOAT;
	/* The byte just below the sign, or the low byte of a wide exponent. */
	s.exp_shift = dt == VV_DT_F64 ? 52 : dt == VV_DT_F32 ? 23 : s.width == 2 ? 7 : 0;
	s.rotate = dt == VV_DT_BF16 || dt == VV_DT_F32 || dt == VV_DT_F64;
	s.bits = 8 * s.width - (shift < 8 * s.width ? shift : 0);
	s.planes = (s.bits + 7) / 8;
	return s;
}

/*
 * One function per width. A number is shifted down, so that `bits` are left, its sign rotated to the
 * end, and shifted up to fill the planes from the top.
 */
#define DEFINE_WIDTH(W, T)                                                                         \
	VV_INLINE void turn_body##W(const uint8_t *raw, size_t n, T *out, unsigned shift, unsigned bits, bool rotate) \
	{                                                                                          \
		unsigned up = (bits + 7) / 8 * 8 - bits;                                           \
		T keep = (T)((T)~(T)0 >> (8 * (W) - bits));                                        \
		for (size_t i = 0; i < n; i++) {                                                   \
			T v = (T)(load##W(raw, i) >> shift);                                       \
			if (rotate)                                                                \
				v = (T)((T)(v << 1 | v >> (bits - 1)) & keep);                     \
			out[i] = (T)(v << up);                                                     \
		}                                                                                  \
	}                                                                                          \
	VV_INLINE void unturn_body##W(uint8_t *raw, size_t n, const T *in, unsigned shift, unsigned bits, bool rotate) \
	{                                                                                          \
		unsigned up = (bits + 7) / 8 * 8 - bits;                                           \
		T keep = (T)((T)~(T)0 >> (8 * (W) - bits));                                        \
		for (size_t i = 0; i < n; i++) {                                                   \
			T v = (T)(in[i] >> up);                                                    \
			if (rotate)                                                                \
				v = (T)((T)(v >> 1 | (T)(v << (bits - 1))) & keep);                \
			store##W(raw, i, (T)(v << shift));                                         \
		}                                                                                  \
	}                                                                                          \
	/* Without a shift, vectors need no wider numbers in between. */                           \
	VV_CLONES static void turn##W(const uint8_t *raw, size_t n, T *out, unsigned shift, unsigned bits, bool rotate) \
	{                                                                                          \
		if (shift)                                                                         \
			turn_body##W(raw, n, out, shift, bits, rotate);                            \
		else                                                                               \
			turn_body##W(raw, n, out, 0, 8 * (W), rotate);                             \
	}                                                                                          \
	VV_CLONES static void unturn##W(uint8_t *raw, size_t n, const T *in, unsigned shift, unsigned bits, bool rotate) \
	{                                                                                          \
		if (shift)                                                                         \
			unturn_body##W(raw, n, in, shift, bits, rotate);                           \
		else                                                                               \
			unturn_body##W(raw, n, in, 0, 8 * (W), rotate);                            \
	}                                                                                          \
	VV_CLONES static void scatter##W(const T *in, size_t n, uint8_t *plane, unsigned planes)   \
	{                                                                                          \
		for (unsigned p = 0; p < planes; p++) {                                            \
			unsigned down = 8 * (planes - 1 - p);                                      \
			for (size_t i = 0; i < n; i++)                                             \
				plane[p * PLANE + i] = (uint8_t)(in[i] >> down);                   \
		}                                                                                  \
	}                                                                                          \
	VV_CLONES static void gather##W(T *out, size_t n, const uint8_t *plane, unsigned planes)   \
	{                                                                                          \
		for (size_t i = 0; i < n; i++)                                                     \
			out[i] = plane[i];                                                         \
		for (unsigned p = 1; p < planes; p++)                                              \
			for (size_t i = 0; i < n; i++)                                             \
				out[i] = (T)(out[i] << 8 | plane[p * PLANE + i]);                  \
	}

DEFINE_WIDTH(1, uint8_t)
DEFINE_WIDTH(2, uint16_t)
DEFINE_WIDTH(4, uint32_t)
DEFINE_WIDTH(8, uint64_t)

size_t split_solo(struct vv_codec *c, const struct shape *s, unsigned shift, const uint8_t *raw, size_t n)
{
	size_t kept = 0;

	memset(c->mask, 0, SEGMENTS / 8);
	for (size_t at = 0; at < n; at += PIECE) {
		size_t m = n - at < PIECE ? n - at : PIECE;
#define BODY(W, T)                                                                                 \
	T t[PIECE];                                                                                \
	turn##W(raw + at * (W), m, t, shift, s->bits, s->rotate);                                  \
	mask_find(c->mask, at, t, (W), m);                                                         \
	m = mask_squeeze(c->mask, at, t, (W), m);                                                  \
	scatter##W(t, m, c->plane + kept, s->planes);
		BY_WIDTH(s, BODY);
#undef BODY
		kept += m;
	}
	return kept;
}

void merge_solo(const struct vv_codec *c, const struct shape *s, unsigned shift, uint8_t *raw, size_t n)
{
	size_t from = 0;

	for (size_t at = 0; at < n; at += PIECE) {
		size_t m = n - at < PIECE ? n - at : PIECE, kept = mask_count(c->mask, at, m);
#define BODY(W, T)                                                                                 \
	T t[PIECE];                                                                                \
	gather##W(t, kept, c->plane + from, s->planes);                                            \
	mask_spread(c->mask, at, t, (W), m);                                                       \
	unturn##W(raw + at * (W), m, t, shift, s->bits, s->rotate);
		BY_WIDTH(s, BODY);
#undef BODY
		from += kept;
	}
}
