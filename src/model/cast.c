#include "model/cast.h"

#include "base/check.h"
#include "base/le.h"
#include "codec/narrow.h"

#include <inttypes.h>
#include <math.h>

enum { PIECE = 4096 }; /* elements at once */

/* --- floats --- */

bool vv_castable(enum vv_dtype dt)
{
	return dt == VV_DT_F32 || dt == VV_DT_F16 || dt == VV_DT_BF16 || dt == VV_DT_F8_E4M3 || dt == VV_DT_F8_E5M2;
}

/* `over`: the last that is written, for all that would be past it. */
static uint8_t to_f8(uint32_t v, unsigned mant, unsigned bias, uint8_t over, uint8_t nan)
{
	uint32_t sign = v >> 24 & 0x80, a = v & 0x7fffffff, e = a >> 23, shift = 23 - mant, r;

	if (a > 0x7f800000)
		return (uint8_t)(sign | nan);
	if (e > 127 - bias) {
		r = a - ((127 - bias) << 23);
	} else {
		/* Multiples of the smallest number. */
		r = (a & 0x7fffff) | 0x800000;
		shift = 151 - bias - mant - e;
		if (shift > 24)
			return (uint8_t)sign;
	}
	r = (r + ((uint32_t)1 << (shift - 1)) - 1 + (r >> shift & 1)) >> shift;
	return (uint8_t)(sign | (r < over ? r : over));
}

static void from_f32(enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n)
{
	uint8_t wide[PIECE * 4];

	if (to == VV_DT_F32) {
		memcpy(out, in, n * 4);
	} else if (to == VV_DT_F8_E4M3) {
		for (size_t i = 0; i < n; i++)
			out[i] = to_f8(vv_get32(in + 4 * i), 3, 7, 0x7e, 0x7f);
	} else if (to == VV_DT_F8_E5M2) {
		for (size_t i = 0; i < n; i++)
			out[i] = to_f8(vv_get32(in + 4 * i), 2, 15, 0x7c, 0x7f);
	} else {
		memcpy(wide, in, n * 4);
		vv_narrow(VV_DT_F32, to, wide, n);
		memcpy(out, wide, n * 2);
	}
}

static void to_f32(enum vv_dtype from, const uint8_t *in, uint8_t *out, size_t n)
{
	if (from == VV_DT_F32)
		memcpy(out, in, n * 4);
	else if (vv_widens(from, VV_DT_F32))
		vv_widen(from, VV_DT_F32, in, out, n);
	else
		for (size_t i = 0; i < n; i++) {
			float f = (float)vv_dtype_value(from, in + i);
			uint32_t bits;
			memcpy(&bits, &f, 4);
			vv_put32(out + 4 * i, bits);
		}
}

void vv_cast_elements(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n)
{
	uint8_t wide[PIECE * 4];

	for (size_t k; n; n -= k, in += k * vv_dtype_width(from), out += k * vv_dtype_width(to)) {
		k = n < PIECE ? n : PIECE;
		to_f32(from, in, wide, k);
		from_f32(to, wide, out, k);
	}
}

/* Elements as f32. */
static int read_floats(
	const struct vv_source *in, enum vv_dtype from, uint64_t first, float *out, size_t n, struct vv_err *err)
{
	uint8_t raw[PIECE * 4], wide[PIECE * 4];
	unsigned width = vv_dtype_width(from);
	int ret = vv_source_read(in, first * width, raw, n * width, err);

	if (ret)
		return ret;
	to_f32(from, raw, wide, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t bits = vv_get32(wide + 4 * i);
		memcpy(&out[i], &bits, 4);
	}
	return 0;
}

static int read_cast(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_cast *c = (const struct vv_cast *)self;
	unsigned from = vv_dtype_width(c->from), to = vv_dtype_width(c->to);
	uint8_t in[PIECE * 4], out[PIECE * 4], *p = dst;
	int ret = 0;

	while (len && !ret) {
		size_t skip = (size_t)(off % to), n = (size_t)vv_min64(vv_div_up(skip + len, to), PIECE), take = n * to - skip;

		ret = vv_source_read(c->in, off / to * from, in, n * from, err);
		if (ret)
			break;
		vv_cast_elements(c->from, c->to, in, out, n);
		take = take < len ? take : len;
		memcpy(p, out + skip, take);
		p += take;
		off += take;
		len -= take;
	}
	return ret;
}

void vv_cast_init(struct vv_cast *c, const struct vv_source *in, enum vv_dtype from, enum vv_dtype to, uint64_t numel)
{
	*c = (struct vv_cast){{numel * vv_dtype_width(to), read_cast}, in, from, to};
}

/* --- int8 --- */

static float scale_at(const struct vv_int8 *q, uint64_t row)
{
	uint32_t bits = vv_get32(q->scales.ptr + row * 4);
	float f;

	memcpy(&f, &bits, 4);
	return f;
}

static int read_int8(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_int8 *q = (const struct vv_int8 *)self;
	float f[PIECE];
	int8_t *p = dst;
	int ret = 0;

	while (len && !ret) {
		size_t n = (size_t)vv_min64(vv_min64(len, PIECE), q->row - off % q->row);
		float scale = scale_at(q, off / q->row);

		ret = read_floats(q->in, q->from, off, f, n, err);
		for (size_t i = 0; i < n && !ret; i++) {
			/* A scale that is no normal number is too coarse, so that some would be past 127. */
			float x = nearbyintf(f[i] / scale);
			p[i] = (int8_t)(x > 127 ? 127 : x < -127 ? -127 : x);
		}
		p += n;
		off += n;
		len -= n;
	}
	return ret;
}

static int row_scale(struct vv_int8 *q, uint64_t row, const char *name, struct vv_err *err)
{
	float f[PIECE], max = 0, scale;
	uint32_t bits;

	for (uint64_t at = 0, n; at < q->row; at += n) {
		n = vv_min64(PIECE, q->row - at);
		int ret = read_floats(q->in, q->from, row * q->row + at, f, (size_t)n, err);
		if (ret)
			return ret;
		for (size_t i = 0; i < n; i++) {
			if (!isfinite(f[i]))
				return vv_fail(err, VV_ENOTSUP, "tensor '%s': element %" PRIu64 " is not finite, which int8 cannot say",
					name, row * q->row + at + i);
			max = fabsf(f[i]) > max ? fabsf(f[i]) : max;
		}
	}
	scale = max / 127;
	if (scale == 0)
		scale = 1;
	memcpy(&bits, &scale, 4);
	vv_buf_le(&q->scales, bits, 4);
	return vv_buf_check(&q->scales, err);
}

int vv_int8_init(struct vv_int8 *q, const struct vv_source *in, const char *name, enum vv_dtype from, uint64_t rows,
	uint64_t row, struct vv_err *err)
{
	int ret = 0;

	*q = (struct vv_int8){{rows * row, read_int8}, in, from, row, VV_BUF_INIT(VV_MAX_TEXT), {{0}, {0}}};
	for (uint64_t i = 0; i < rows && !ret; i++)
		ret = row_scale(q, i, name, err);
	vv_source_mem_init(&q->scale, vv_buf_view(&q->scales));
	return ret;
}

void vv_int8_release(struct vv_int8 *q)
{
	vv_buf_release(&q->scales);
}

/* --- Q8_0 --- */

static int block(const struct vv_q8_0 *q, uint64_t at, const float *f, uint8_t *out, struct vv_err *err)
{
	for (int i = 0; i < VV_Q8_0_BLOCK; i++)
		if (!isfinite(f[i]))
			return vv_fail(err, VV_ENOTSUP, "tensor '%s': element %" PRIu64 " is not finite, which q8_0 cannot say", q->name,
				at + (unsigned)i);
	vv_q8_0_block(f, out);
	if (vv_get16(out) == 0x7c00)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': numbers from element %" PRIu64 " on are too large for q8_0", q->name,
			at);
	return 0;
}

static int read_q8_0(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	enum { BLOCKS = PIECE / VV_Q8_0_BLOCK };
	const struct vv_q8_0 *q = (const struct vv_q8_0 *)self;
	uint8_t out[BLOCKS * VV_Q8_0_BYTES], *p = dst;
	float f[PIECE];
	int ret = 0;

	while (len && !ret) {
		size_t skip = (size_t)(off % VV_Q8_0_BYTES), take;
		uint64_t first = off / VV_Q8_0_BYTES * VV_Q8_0_BLOCK;
		size_t n = (size_t)vv_min64(vv_div_up(skip + len, VV_Q8_0_BYTES), BLOCKS);

		ret = read_floats(q->in, q->from, first, f, n * VV_Q8_0_BLOCK, err);
		for (size_t i = 0; i < n && !ret; i++)
			ret = block(q, first + i * VV_Q8_0_BLOCK, f + i * VV_Q8_0_BLOCK, out + i * VV_Q8_0_BYTES, err);
		if (ret)
			break;
		take = n * VV_Q8_0_BYTES - skip;
		take = take < len ? take : len;
		memcpy(p, out + skip, take);
		p += take;
		off += take;
		len -= take;
	}
	return ret;
}

void vv_q8_0_init(struct vv_q8_0 *q, const struct vv_source *in, const char *name, enum vv_dtype from, uint64_t numel)
{
	*q = (struct vv_q8_0){{numel / VV_Q8_0_BLOCK * VV_Q8_0_BYTES, read_q8_0}, in, from, name};
}
