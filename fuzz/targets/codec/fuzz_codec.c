/*
 * (a) Hostile coded bytes under any parameters: never past a buffer, twice the same, and the oracle
 *     says the same of them. (b) Any data and base under any parameters come back, by both decoders,
 *     and are coded alike by codecs with different pasts.
 * Input: 0 mode, 1 type, 2 shift, 3 kind of classes, 4..6 numbers of elements, then bytes.
 */
#include "../../../tests/unit/codec/oracle.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 7, DECODE = 1, DELTA = 2, PLAN = 4, REPEAT = 8, SAME_BASE = 16, FRESH = 32, SCALED = 64 };

struct in {
	unsigned flags;
	struct vv_codec_params p;
	size_t len;
	const uint8_t *data;
	size_t size;
};

/* Bytes over and over, or once and then zeros. */
static uint8_t *spread(const struct in *in, size_t len, size_t from)
{
	uint8_t *out = calloc(1, len + 1);

	for (size_t i = 0; i < len && in->size; i++)
		if (in->flags & REPEAT)
			out[i] = in->data[(from + i) % in->size];
		else if (from + i < in->size)
			out[i] = in->data[from + i];
	return out;
}

/* A base that does not depend on what is decoded: a few exponents, in no order. */
static uint8_t *some_base(size_t len)
{
	uint8_t *out = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(0x30 + ((uint32_t)i * 0x9e3779b1u >> 27));
	return out;
}

static void decode(struct vv_codec *c, const struct in *in)
{
	uint8_t *base = some_base(in->len * 4), *one = malloc(in->len + 1), *two = malloc(in->len + 1);
	uint8_t *coded = malloc(in->size + !in->size);
	const uint8_t *b = in->flags & DELTA ? base : NULL;
	struct vv_err err = VV_ERR_INIT;
	int r, s, o;

	if (in->size)
		memcpy(coded, in->data, in->size);
	memset(one, 1, in->len);
	memset(two, 2, in->len);
	r = vv_block_decode(c, &in->p, one, in->len, vv_span(coded, in->size), b, &err);
	if (r && (r != VV_ECORRUPT || !err.msg[0]))
		abort();
	s = vv_block_decode(c, &in->p, two, in->len, vv_span(coded, in->size), b, &err);
	if (r != s || (!r && in->len && memcmp(one, two, in->len)))
		abort();
	o = oracle_decode(in->p.dtype, in->p.shift, in->p.classes, in->p.qcast == VV_QCAST_SCALED, two, in->len, coded,
		in->size, b);
	if (!r != !o || (!r && in->len && memcmp(one, two, in->len)))
		abort();
	free(base);
	free(one);
	free(two);
	free(coded);
}

/* Floats of which the numbers could have been made, with a scale for each row; nothing else than that they are bytes. */
static void scaled_base(uint8_t *base, const uint8_t *raw, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float x = (float)(int8_t)raw[i] * (float)(1 + i / 37 % 5) / 64;
		memcpy(base + 4 * i, &x, 4);
	}
}

/* The contract: what is shifted out is zero, in the block and in its base. */
static void clear_low(uint8_t *p, size_t len, enum vv_dtype dt, unsigned shift)
{
	unsigned width = oracle_type(dt).width;

	for (size_t i = 0; i + width <= len; i += width)
		for (unsigned bit = 0; bit < shift; bit++)
			p[i + bit / 8] &= (uint8_t)~(1 << bit % 8);
}

static void encode(struct vv_codec *c, struct in *in)
{
	size_t bound = vv_block_bound(in->len), n, m;
	uint8_t *raw = spread(in, in->len, 0), *base = spread(in, in->len * 4, in->flags & SAME_BASE ? 0 : in->size / 2);
	uint8_t *x = malloc(bound), *y = malloc(bound), *out = malloc(in->len + 1);
	const uint8_t *b = in->flags & DELTA && in->p.dtype != VV_DT_BYTES ? base : NULL, *first = raw;
	static struct vv_codec *other;
	struct vv_err err = VV_ERR_INIT;

	if (!other || in->flags & FRESH) {
		vv_codec_free(other);
		other = vv_codec_new();
	}
	if (in->flags & SAME_BASE)
		for (size_t i = 0; i < in->len; i += 97)
			base[i] ^= 1;
	if (in->p.qcast && in->flags & SAME_BASE)
		scaled_base(base, raw, in->len);
	if (in->flags & PLAN && !in->p.qcast)
		vv_codec_plan(c, &in->p, in->p.dtype, &first, b ? &b : NULL, &in->len, in->len ? 1 : 0);
	in->p.shift = (uint8_t)(in->p.shift % (8 * oracle_type(in->p.dtype).width));
	if (in->len % oracle_type(in->p.dtype).width == 0) {
		clear_low(raw, in->len, in->p.dtype, in->p.shift);
		if (!in->p.qcast)
			clear_low(base, in->len, in->p.dtype, in->p.shift);
	}
	if (in->len)
		vv_codec_cost(c, &in->p, vv_span(raw, in->len), b);
	n = vv_block_encode(c, &in->p, x, vv_span(raw, in->len), b);
	m = vv_block_encode(other, &in->p, y, vv_span(raw, in->len), b);
	if (n > bound || n > in->len + 1 || n != m || memcmp(x, y, n))
		abort();
	if (vv_block_decode(c, &in->p, out, in->len, vv_span(x, n), b, &err) || (in->len && memcmp(out, raw, in->len)))
		abort();
	memset(out, 3, in->len);
	if (oracle_decode(in->p.dtype, in->p.shift, in->p.classes, in->p.qcast == VV_QCAST_SCALED, out, in->len, x, n, b) ||
		(in->len && memcmp(out, raw, in->len)))
		abort();
	free(raw);
	free(base);
	free(x);
	free(y);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vv_codec *c;
	struct in in;

	if (size < HEAD)
		return 0;
	if (!c)
		c = vv_codec_new();
	in = (struct in){.flags = data[0], .p = {.dtype = data[1] % VV_DT_COUNT, .shift = data[2]}};
	if (in.flags & SCALED)
		in.p = (struct vv_codec_params){.dtype = VV_DT_I8, .qcast = VV_QCAST_SCALED, .from = VV_DT_F32};
	for (int e = 0; e < 256; e++)
		in.p.classes[e] = (uint8_t)(data[3] & 1 ? e / (1 + data[3] / 2) : data[3] / 2 * e);
	in.data = data + HEAD;
	in.size = size - HEAD;
	in.len = data[4] | (size_t)data[5] << 8 | (size_t)(data[6] & 1) << 16;
	/* Mostly whole elements; now and then a rest. */
	in.len = in.len / 8 * vv_dtype_width(in.p.dtype) + (in.len % 8 == 7);
	if (in.len > 1 << 18)
		in.len = 1 << 18;
	if (in.flags & DECODE)
		decode(c, &in);
	else
		encode(c, &in);
	return 0;
}
