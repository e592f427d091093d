/* Differences from a base: tokens, classes, and back. */
#include "codec/ans.h"
#include "data.h"
#include "tap.h"

/* The token of z by its definition. */
static unsigned token_of(uint64_t z)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(z | 1);

	return z < 16 ? (unsigned)z : 16 + 4 * (top - 4) + (unsigned)(z >> (top - 2) & 3);
}

static void test_parts(void)
{
	int bad = 0;

	for (unsigned t = 0; t < 256; t++) {
		uint64_t first = (uint64_t)token_parts[t].top << token_parts[t].low;
		uint64_t last = first + ((uint64_t)1 << token_parts[t].low) - 1;
		bad |= token_of(first) != t || token_of(last) != t;
	}
	CHECK(!bad);
	CHECK_INT(token_parts[255].low, 61);
	struct shape s = shape_of(VV_DT_F64, 0);
	CHECK_INT(token_limit(&s), 256);
	s = shape_of(VV_DT_BF16, 0);
	CHECK_INT(token_limit(&s), token_of(0xffff) + 1);
	s = shape_of(VV_DT_U8, 6);
	CHECK_INT(token_limit(&s), 16);
}

/* Differences of integers from 0 are their zigzag: every z of a width can be made. */
static int tokens_of(struct vv_codec *c, enum vv_dtype dt, uint64_t z)
{
	struct vv_codec_params p = {.dtype = dt};
	struct shape s = shape_of(dt, 0);
	uint8_t base[8] = {0}, raw[8];
	uint64_t d;

	if (s.bits < 64)
		z &= ((uint64_t)1 << s.bits) - 1;
	d = z & 1 ? ~(z >> 1) : z >> 1;
	for (int i = 0; i < 8; i++)
		raw[i] = (uint8_t)(d >> 8 * i);
	if (!z)
		return 0;
	return split_delta(c, &s, &p, raw, base, 1) != 1 || c->token[0] != token_of(z);
}

static void test_tokens(struct vv_codec *c)
{
	static const enum vv_dtype types[] = {VV_DT_U8, VV_DT_U16, VV_DT_U32, VV_DT_U64};
	int bad = 0;

	for (size_t i = 0; i < VV_COUNT(types); i++) {
		unsigned bits = 8 * vv_dtype_width(types[i]);
		for (uint64_t z = 0; z < 70000 && z >> (bits - 1) <= 1; z++)
			bad |= tokens_of(c, types[i], z);
		for (unsigned k = 0; k < bits; k++)
			for (uint64_t near = 0; near < 5; near++)
				bad |= tokens_of(c, types[i], ((uint64_t)1 << k) + near - 2);
		for (int k = 0; k < 1000; k++)
			bad |= tokens_of(c, types[i], rnd() >> rnd() % 64);
	}
	CHECK(!bad);
}

static void test_order(struct vv_codec *c)
{
	/* +0 and -0 lie side by side; so do the numbers on both sides of a power of two. */
	uint8_t raw[] = {0x00, 0x00, 0x00, 0x80, 0x80, 0x3f, 0x01, 0x80};
	uint8_t base[] = {0x00, 0x80, 0x00, 0x80, 0x7f, 0x3f, 0x00, 0x00};
	struct vv_codec_params p = {.dtype = VV_DT_BF16};
	struct shape s = shape_of(VV_DT_BF16, 0);
	const uint16_t *z = (const uint16_t *)(const void *)c->plane;

	CHECK_INT(split_delta(c, &s, &p, raw, base, 4), 4);
	CHECK_INT(z[0], 2); /* +1 */
	CHECK_INT(z[1], 0);
	CHECK_INT(z[2], 2);
	CHECK_INT(z[3], 3); /* -2 */
}

static void test_classes(struct vv_codec *c)
{
	static const enum vv_dtype types[] = {VV_DT_F8_E4M3, VV_DT_F16, VV_DT_BF16, VV_DT_F32, VV_DT_F64};
	uint8_t raw[3000 * 8], base[3000 * 8], e[3000];
	int bad = 0;

	for (int i = 0; i < 100; i++) {
		struct vv_codec_params p = {.dtype = types[i % (int)VV_COUNT(types)]};
		struct shape s = shape_of(p.dtype, 0);
		/* Few steps and many, up and down; values beyond the classes wrap. */
		for (int k = 0; k < 256; k++)
			p.classes[k] = (uint8_t)(i % 4 ? (uint64_t)(k / (1 + i % 7 * 9) * (i % 3 + 1)) : rnd());
		data_fill(RANDOM, raw, base, sizeof(raw), 1);
		size_t n = 1 + rnd() % 3000;
		bad |= split_delta(c, &s, &p, raw, base, n) != n;
		exponents(&s, base, n, e);
		for (size_t k = 0; k < n; k++)
			bad |= c->class[k] != p.classes[e[k]] % 16;
	}
	CHECK(!bad);
	/* Types without exponents have no classes, whatever the map says. */
	struct vv_codec_params p = {.dtype = VV_DT_I32};
	struct shape s = shape_of(VV_DT_I32, 0);
	memset(p.classes, 5, 256);
	CHECK_INT(split_delta(c, &s, &p, raw, base, 100), 100);
	CHECK_INT(c->class[0] | c->class[99], 0);
}

static void test_exponents(void)
{
	uint8_t e[2];
	struct shape s = shape_of(VV_DT_BF16, 0);

	exponents(&s, (const uint8_t *)"\x80\xbf\x00\x40", 2, e);
	CHECK_INT(e[0], 127);
	CHECK_INT(e[1], 128);
	s = shape_of(VV_DT_F32, 0);
	exponents(&s, (const uint8_t *)"\0\0\x80\xbf", 1, e);
	CHECK_INT(e[0], 127);
	s = shape_of(VV_DT_F8_E4M3, 0);
	exponents(&s, (const uint8_t *)"\xff", 1, e);
	CHECK_INT(e[0], 127);
	s = shape_of(VV_DT_F64, 0);
	exponents(&s, (const uint8_t *)"\0\0\0\0\0\0\xf0\xbf", 1, e);
	CHECK_INT(e[0], 255);
}

static int round_trip(struct vv_codec *c, enum vv_dtype dt, enum kind kind, size_t n)
{
	struct vv_codec_params p = {.dtype = dt};
	struct shape s = shape_of(dt, 0);
	size_t len = n * s.width, kept, k;
	uint8_t *a = malloc(len), *base = malloc(len), *out = malloc(len), *coded = malloc(2 * len + 4096);
	struct ans_reader r = {0};
	int bad;

	data_fill(kind, a, base, len, s.width);
	for (int e = 0; e < 256; e++)
		p.classes[e] = (uint8_t)(e / 16);
	kept = split_delta(c, &s, &p, a, base, n);
	k = kept ? ans_encode(c, coded, 2 * len + 4096, c->token, c->plane, s.width, kept) : 0;
	bad = kept && (!k || ans_open(&r, c, vv_span(coded, k), s.width, token_limit(&s)));
	bad = bad || merge_delta(c, &s, &p, &r, base, n, out) || memcmp(a, out, len);
	if (bad)
		printf("# %s kind %d, %zu numbers\n", vv_dtype_info(dt)->name, kind, n);
	free(a);
	free(base);
	free(out);
	free(coded);
	return bad;
}

int main(void)
{
	static const size_t counts[] = {1, 8, 63, 64, 65, 1024, 1031, 5000};
	struct vv_codec *c = vv_codec_new();
	int bad = 0;

	test_parts();
	test_tokens(c);
	test_order(c);
	test_classes(c);
	test_exponents();
	for (int dt = 1; dt < VV_DT_COUNT; dt++)
		for (int kind = 0; kind < KINDS; kind++)
			for (size_t i = 0; i < VV_COUNT(counts); i++)
				bad |= round_trip(c, (enum vv_dtype)dt, (enum kind)kind, counts[i]);
	CHECK(!bad);
	vv_codec_free(c);
	return done();
}
