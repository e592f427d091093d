#include "base/dtype.h"

#include "base/check.h"
#include "base/le.h"

static const struct vv_dtype_info infos[VV_DT_COUNT] = {
	[VV_DT_BYTES] = {"bytes", 8, VV_KIND_BYTES, 0, 0},
	[VV_DT_BOOL] = {"bool", 8, VV_KIND_UINT, 0, 0},
	[VV_DT_U8] = {"u8", 8, VV_KIND_UINT, 0, 0},
	[VV_DT_I8] = {"i8", 8, VV_KIND_INT, 0, 0},
	[VV_DT_U16] = {"u16", 16, VV_KIND_UINT, 0, 0},
	[VV_DT_I16] = {"i16", 16, VV_KIND_INT, 0, 0},
	[VV_DT_U32] = {"u32", 32, VV_KIND_UINT, 0, 0},
	[VV_DT_I32] = {"i32", 32, VV_KIND_INT, 0, 0},
	[VV_DT_U64] = {"u64", 64, VV_KIND_UINT, 0, 0},
	[VV_DT_I64] = {"i64", 64, VV_KIND_INT, 0, 0},
	[VV_DT_F16] = {"f16", 16, VV_KIND_FLOAT, 5, 10},
	[VV_DT_BF16] = {"bf16", 16, VV_KIND_FLOAT, 8, 7},
	[VV_DT_F32] = {"f32", 32, VV_KIND_FLOAT, 8, 23},
	[VV_DT_F64] = {"f64", 64, VV_KIND_FLOAT, 11, 52},
	[VV_DT_F8_E4M3] = {"f8_e4m3", 8, VV_KIND_FLOAT, 4, 3},
	[VV_DT_F8_E5M2] = {"f8_e5m2", 8, VV_KIND_FLOAT, 5, 2},
	[VV_DT_F8_E8M0] = {"f8_e8m0", 8, VV_KIND_OTHER, 0, 0},
	[VV_DT_C64] = {"c64", 64, VV_KIND_OTHER, 0, 0},
	[VV_DT_C128] = {"c128", 128, VV_KIND_OTHER, 0, 0},
	[VV_DT_F6_E2M3] = {"f6_e2m3", 6, VV_KIND_OTHER, 0, 0},
	[VV_DT_F6_E3M2] = {"f6_e3m2", 6, VV_KIND_OTHER, 0, 0},
	[VV_DT_F4] = {"f4", 4, VV_KIND_OTHER, 0, 0},
	[VV_DT_F8_E4M3FNUZ] = {"f8_e4m3fnuz", 8, VV_KIND_OTHER, 0, 0},
	[VV_DT_F8_E5M2FNUZ] = {"f8_e5m2fnuz", 8, VV_KIND_OTHER, 0, 0},
};

const struct vv_dtype_info *vv_dtype_info(enum vv_dtype dt)
{
	if (dt >= VV_DT_COUNT)
		VV_BUG("unknown element type");
	return &infos[dt];
}

int vv_dtype_find(enum vv_dtype *out, struct vv_span name)
{
	for (int i = 0; i < VV_DT_COUNT; i++)
		if (vv_span_is(name, infos[i].name)) {
			*out = (enum vv_dtype)i;
			return 0;
		}
	return 1;
}

unsigned vv_dtype_width(enum vv_dtype dt)
{
	unsigned bits = vv_dtype_info(dt)->bits;

	return bits < 8 ? 1 : bits / 8;
}

int vv_dtype_bytes(enum vv_dtype dt, const uint64_t *shape, unsigned ndim, uint64_t *numel, uint64_t *bytes)
{
	uint64_t n = 1, bits;
	bool zero = false;

	/* A zero dimension makes the tensor empty whatever the others claim. */
	for (unsigned i = 0; i < ndim; i++)
		zero |= !shape[i];
	for (unsigned i = 0; i < ndim; i++)
		if (vv_mul_over(n, zero ? 0 : shape[i], &n))
			return 1;
	if (vv_mul_over(n, (uint64_t)vv_dtype_info(dt)->bits, &bits) || bits % 8)
		return 1;
	*numel = n;
	*bytes = bits / 8;
	return 0;
}

static double f64_of(uint64_t u)
{
	double d;

	memcpy(&d, &u, 8);
	return d;
}

static double f32_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return (double)f;
}

/*
 * The narrow floats are moved to the top of a double's fields, and their bias is made its own. No
 * branch, so that loops are vectors: below the smallest exponent the hidden one is put in and
 * subtracted again, which is exact; the largest exponent becomes a double's largest.
 */
static double f16_of(unsigned v)
{
	unsigned e = v >> 10 & 31;
	uint64_t bits = ((uint64_t)(v & 0x7fff) << 42) + ((uint64_t)(1023 - 15 + !e + (e == 31 ? 1008 : 0)) << 52), u;
	double d = f64_of(bits) - (e ? 0.0 : 0x1p-14);

	memcpy(&u, &d, 8);
	return f64_of(u | (uint64_t)(v & 0x8000) << 48);
}

/* E4M3 has no infinity: all ones is NaN, the rest of the largest exponent are numbers. */
static double f8_e4m3_of(unsigned v)
{
	unsigned e = v >> 3 & 15;
	uint64_t bits = ((uint64_t)(v & 0x7f) << 49) + ((uint64_t)(1023 - 7 + !e) << 52), u;
	double d = f64_of(bits) - (e ? 0.0 : 0x1p-6);

	memcpy(&u, &d, 8);
	u |= (v & 0x7f) == 0x7f ? (uint64_t)0x7ff8 << 48 : 0;
	return f64_of(u | (uint64_t)(v & 0x80) << 56);
}

/* The upper half of an f16. */
static double f8_e5m2_of(unsigned v)
{
	return f16_of(v << 8);
}

double vv_dtype_value(enum vv_dtype dt, const uint8_t *p)
{
	switch (dt) {
	case VV_DT_I8:
		return (int8_t)p[0];
	case VV_DT_U16:
		return vv_get16(p);
	case VV_DT_I16:
		return (int16_t)vv_get16(p);
	case VV_DT_U32:
		return vv_get32(p);
	case VV_DT_I32:
		return (int32_t)vv_get32(p);
	case VV_DT_U64:
		return (double)vv_get64(p);
	case VV_DT_I64:
		return (double)(int64_t)vv_get64(p);
	case VV_DT_F16:
		return f16_of(vv_get16(p));
	case VV_DT_BF16:
		return f32_of((uint32_t)vv_get16(p) << 16);
	case VV_DT_F32:
	case VV_DT_C64:
		return f32_of(vv_get32(p));
	case VV_DT_F64:
	case VV_DT_C128:
		return f64_of(vv_get64(p));
	case VV_DT_F8_E4M3:
		return f8_e4m3_of(p[0]);
	case VV_DT_F8_E5M2:
		return f8_e5m2_of(p[0]);
	default:
		return p[0];
	}
}

#define EACH(width, value)                         \
	for (size_t i = 0; i < n; i++, p += (width)) \
		out[i] = (value);                    \
	break

VV_CLONES void vv_dtype_values(enum vv_dtype dt, const uint8_t *p, size_t n, double *out)
{
	switch (dt) {
	case VV_DT_F16:
		EACH(2, f16_of(vv_get16(p)));
	case VV_DT_BF16:
		EACH(2, f32_of((uint32_t)vv_get16(p) << 16));
	case VV_DT_F32:
		EACH(4, f32_of(vv_get32(p)));
	case VV_DT_F64:
		EACH(8, f64_of(vv_get64(p)));
	case VV_DT_F8_E4M3:
		EACH(1, f8_e4m3_of(*p));
	case VV_DT_F8_E5M2:
		EACH(1, f8_e5m2_of(*p));
	default:
		EACH(vv_dtype_width(dt), vv_dtype_value(dt, p));
	}
}
