#include "codec/narrow.h"

#include "base/check.h"
#include "base/le.h"

bool vv_narrows(enum vv_dtype from, enum vv_dtype to)
{
	return from == VV_DT_F32 && (to == VV_DT_BF16 || to == VV_DT_F16);
}

enum vv_dtype vv_wider(enum vv_dtype to)
{
	return vv_narrows(VV_DT_F32, to) ? VV_DT_F32 : to;
}

bool vv_wider_bytes(enum vv_dtype to, uint64_t len, uint64_t *bytes)
{
	unsigned width = vv_dtype_width(to);

	return len % width == 0 && !vv_mul_over(len / width, (uint64_t)vv_dtype_width(vv_wider(to)), bytes);
}

static uint16_t to_bf16(uint32_t v)
{
	if ((v & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(v >> 16 | 0x40);
	return (uint16_t)((v + 0x7fff + (v >> 16 & 1)) >> 16);
}

static uint16_t to_f16(uint32_t v)
{
	uint32_t sign = v >> 16 & 0x8000, a = v & 0x7fffffff;

	if (a > 0x7f800000)
		return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
	if (a >= 0x47800000) /* 2^16 */
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x33000000) /* 2^-25: half of the smallest */
		return (uint16_t)sign;
	if (a < 0x38800000) { /* 2^-14: below it numbers are multiples of 2^-24 */
		uint32_t m = (a & 0x7fffff) | 0x800000, shift = 126 - (a >> 23);
		return (uint16_t)(sign | ((m + ((uint32_t)1 << (shift - 1)) - 1 + (m >> shift & 1)) >> shift));
	}
	return (uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13));
}

VV_CLONES void vv_narrow_to(enum vv_dtype from, enum vv_dtype to, const uint8_t *restrict in, uint8_t *restrict out, size_t n)
{
	if (!vv_narrows(from, to))
		VV_BUG("no such cast");
	if (to == VV_DT_BF16)
		for (size_t i = 0; i < n; i++)
			vv_put16(out + 2 * i, to_bf16(vv_get32(in + 4 * i)));
	else
		for (size_t i = 0; i < n; i++)
			vv_put16(out + 2 * i, to_f16(vv_get32(in + 4 * i)));
}

void vv_narrow(enum vv_dtype from, enum vv_dtype to, uint8_t *p, size_t n)
{
	enum { PIECE = 1024 };
	uint8_t piece[4 * PIECE];

	for (size_t i = 0, m; i < n; i += m) {
		m = n - i < PIECE ? n - i : PIECE;
		memcpy(piece, p + 4 * i, 4 * m);
		vv_narrow_to(from, to, piece, p + 2 * i, m);
	}
}

bool vv_widens(enum vv_dtype from, enum vv_dtype to)
{
	return vv_narrows(to, from);
}

static uint32_t from_f16(uint16_t v)
{
	uint32_t sign = (uint32_t)(v & 0x8000) << 16, e = v >> 10 & 31, m = v & 0x3ff;

	if (e == 31)
		return sign | 0x7f800000 | m << 13;
	if (e)
		return sign | (e + 112) << 23 | m << 13;
	if (!m)
		return sign;
	/* A multiple of 2^-24: it is normal in f32. */
	for (e = 113; !(m & 0x400); e--)
		m <<= 1;
	return sign | e << 23 | (m & 0x3ff) << 13;
}

void vv_widen(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n)
{
	if (!vv_widens(from, to))
		VV_BUG("no such cast");
	for (size_t i = 0; i < n; i++)
		vv_put32(out + 4 * i, from == VV_DT_BF16 ? (uint32_t)vv_get16(in + 2 * i) << 16 : from_f16(vv_get16(in + 2 * i)));
}
