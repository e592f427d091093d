/*
 * Numbers to byte planes and back. Integer maps only: every bit pattern, NaN payloads and signed
 * zeros included, comes back as it was. Planes are top byte first.
 */
#include "codec/internal.h"

struct shape shape_of(enum vv_dtype dt, unsigned shift)
{
	/* A complex number is two numbers. */
	if (dt == VV_DT_C64)
		dt = VV_DT_F32;
	if (dt == VV_DT_C128)
		dt = VV_DT_F64;
	const struct vv_dtype_info *info = vv_dtype_info(dt);
	struct shape s = {.width = vv_dtype_width(dt)};

	s.is_float = info->kind == VV_KIND_FLOAT;
	/* The byte just below the sign, or the low byte of a wide exponent. */
	s.exp_shift = dt == VV_DT_F64 ? 52 : dt == VV_DT_F32 ? 23 : dt == VV_DT_BF16 || dt == VV_DT_F16 ? 7 : 0;
	s.classed = s.is_float;
	s.rotate = dt == VV_DT_BF16 || dt == VV_DT_F32 || dt == VV_DT_F64;
	s.bits = 8 * s.width - (shift < 8 * s.width ? shift : 0);
	s.planes = (s.bits + 7) / 8;
	return s;
}

/*
 * One function per width. T: the number; S: the same, signed. The number is shifted down, so that
 * `bits` are left; `up` aligns them with the top of the planes again.
 */
#define DEFINE_WIDTH(W, T, S)                                                                      \
	static inline T load##W(const uint8_t *p, size_t i)                                        \
	{                                                                                          \
		T v;                                                                               \
		memcpy(&v, p + i * (W), (W));                                                      \
		return v;                                                                          \
	}                                                                                          \
	static inline T order##W(T v, T sign)                                                      \
	{                                                                                          \
		return v & sign ? (T)(v ^ (T)(sign - 1)) : v;                                      \
	}                                                                                          \
	VV_CLONES static void solo##W(const uint8_t *raw, size_t n, T *out, unsigned shift, unsigned bits, int rotate) \
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
	VV_CLONES static void unsolo##W(uint8_t *raw, size_t n, const T *in, unsigned shift, unsigned bits, int rotate) \
	{                                                                                          \
		unsigned up = (bits + 7) / 8 * 8 - bits;                                           \
		T keep = (T)((T)~(T)0 >> (8 * (W) - bits));                                        \
		for (size_t i = 0; i < n; i++) {                                                   \
			T v = (T)(in[i] >> up);                                                    \
			if (rotate)                                                                \
				v = (T)((T)(v >> 1 | (T)(v << (bits - 1))) & keep);                \
			v = (T)(v << shift);                                                       \
			memcpy(raw + i * (W), &v, (W));                                            \
		}                                                                                  \
	}                                                                                          \
	VV_CLONES static void delta##W(const uint8_t *raw, const uint8_t *base, size_t n, T *out, unsigned shift, \
		unsigned bits, int is_float)                                                       \
	{                                                                                          \
		T sign = (T)((T)1 << (bits - 1)), flip = is_float ? sign : 0;                      \
		unsigned top = 8 * (W) - bits;                                                     \
		for (size_t i = 0; i < n; i++) {                                                   \
			T a = order##W((T)(load##W(raw, i) >> shift), flip);                       \
			T b = order##W((T)(load##W(base, i) >> shift), flip);                      \
			T d = (T)((T)(a - b) << top);                                              \
			T z = (T)((T)(d << 1) ^ (T)((S)d >> (8 * (W) - 1)));                       \
			out[i] = (T)(z >> top | ((T)((S)d >> (8 * (W) - 1)) & 1));                 \
		}                                                                                  \
	}                                                                                          \
	VV_CLONES static void undelta##W(uint8_t *raw, const uint8_t *base, size_t n, const T *in, unsigned shift, \
		unsigned bits, int is_float)                                                       \
	{                                                                                          \
		T sign = (T)((T)1 << (bits - 1)), flip = is_float ? sign : 0;                      \
		T keep = (T)((T)~(T)0 >> (8 * (W) - bits));                                        \
		for (size_t i = 0; i < n; i++) {                                                   \
			T z = in[i], d = (T)((T)(z >> 1) ^ (T)(0 - (z & 1)));                      \
			T b = order##W((T)(load##W(base, i) >> shift), flip);                      \
			T v = (T)(order##W((T)((T)(b + d) & keep), flip) << shift);                \
			memcpy(raw + i * (W), &v, (W));                                            \
		}                                                                                  \
	}                                                                                          \
	VV_CLONES static void scatter##W(const T *in, size_t n, uint8_t *const *planes, unsigned np) \
	{                                                                                          \
		for (unsigned p = 0; p < np; p++) {                                                \
			unsigned s = 8 * (np - 1 - p);                                             \
			uint8_t *out = planes[p];                                                  \
			for (size_t i = 0; i < n; i++)                                             \
				out[i] = (uint8_t)(in[i] >> s);                                    \
		}                                                                                  \
	}                                                                                          \
	VV_CLONES static void gather##W(T *out, size_t n, const uint8_t *const *planes, unsigned np) \
	{                                                                                          \
		for (size_t i = 0; i < n; i++)                                                     \
			out[i] = planes[0][i];                                                     \
		for (unsigned p = 1; p < np; p++) {                                                \
			const uint8_t *in = planes[p];                                             \
			for (size_t i = 0; i < n; i++)                                             \
				out[i] = (T)(out[i] << 8 | in[i]);                                 \
		}                                                                                  \
	}

DEFINE_WIDTH(1, uint8_t, int8_t)
DEFINE_WIDTH(2, uint16_t, int16_t)
DEFINE_WIDTH(4, uint32_t, int32_t)
DEFINE_WIDTH(8, uint64_t, int64_t)

/* The loops run over pieces that stay in the first-level cache. */
enum { PIECE = 1024 };

#define EACH_PIECE(W, T, BODY)                                                                     \
	for (size_t at = 0; at < n; at += PIECE) {                                                 \
		T t[PIECE];                                                                        \
		size_t m = n - at < PIECE ? n - at : PIECE;                                        \
		for (unsigned p = 0; p < s->planes; p++)                                           \
			here[p] = planes[p] + at;                                                  \
		BODY;                                                                              \
	}

#define BY_WIDTH(BODY)                                                                             \
	switch (s->width) {                                                                        \
	case 1:                                                                                    \
		BODY(1, uint8_t) break;                                                            \
	case 2:                                                                                    \
		BODY(2, uint16_t) break;                                                           \
	case 4:                                                                                    \
		BODY(4, uint32_t) break;                                                           \
	default:                                                                                   \
		BODY(8, uint64_t) break;                                                           \
	}

void split_solo(const struct shape *s, unsigned shift, const uint8_t *raw, size_t n, uint8_t *const *planes)
{
	uint8_t *here[8];

#define BODY(W, T)                                                                                 \
	EACH_PIECE(W, T, solo##W(raw + at * (W), m, t, shift, s->bits, s->rotate); scatter##W(t, m, here, s->planes))
	BY_WIDTH(BODY)
#undef BODY
}

void merge_solo(const struct shape *s, unsigned shift, uint8_t *raw, size_t n, const uint8_t *const *planes)
{
	const uint8_t *here[8];

#define BODY(W, T)                                                                                 \
	EACH_PIECE(W, T, gather##W(t, m, here, s->planes); unsolo##W(raw + at * (W), m, t, shift, s->bits, s->rotate))
	BY_WIDTH(BODY)
#undef BODY
}

void split_delta(const struct shape *s, unsigned shift, const uint8_t *raw, const uint8_t *base, size_t n,
	uint8_t *const *planes)
{
	uint8_t *here[8];

#define BODY(W, T)                                                                                 \
	EACH_PIECE(W, T, delta##W(raw + at * (W), base + at * (W), m, t, shift, s->bits, s->is_float);     \
		   scatter##W(t, m, here, s->planes))
	BY_WIDTH(BODY)
#undef BODY
}

void merge_delta(const struct shape *s, unsigned shift, uint8_t *raw, const uint8_t *base, size_t n,
	const uint8_t *const *planes)
{
	const uint8_t *here[8];

#define BODY(W, T)                                                                                 \
	EACH_PIECE(W, T, gather##W(t, m, here, s->planes);                                         \
		   undelta##W(raw + at * (W), base + at * (W), m, t, shift, s->bits, s->is_float))
	BY_WIDTH(BODY)
#undef BODY
}

VV_CLONES void exponents(const struct shape *s, const uint8_t *raw, size_t n, uint8_t *out)
{
	switch (s->width) {
	case 1:
		for (size_t i = 0; i < n; i++)
			out[i] = raw[i] & 0x7f;
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load2(raw, i) >> s->exp_shift);
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load4(raw, i) >> s->exp_shift);
		break;
	default:
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)(load8(raw, i) >> s->exp_shift);
	}
}
