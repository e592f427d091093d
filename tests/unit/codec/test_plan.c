/* Parameters from samples, and what blocks are said to cost. */
#include "codec/internal.h"
#include "data.h"
#include "tap.h"

static void test_dead_bits(void)
{
	CHECK_INT(vv_block_dead_bits(VV_DT_F32, vv_span("\0\0\x80\x3f", 4)), 23);
	CHECK_INT(vv_block_dead_bits(VV_DT_BF16, vv_span("\0\0\0\0\0\0", 6)), 16);
	CHECK_INT(vv_block_dead_bits(VV_DT_F64, vv_span("\0\0\0\0\0\0\x10\0", 8)), 52);
	CHECK_INT(vv_block_dead_bits(VV_DT_F64, vv_span("\0\0\0\0\0\0\x10\0" "\0\0\0\0\1\0\0\0", 16)), 32);
	CHECK_INT(vv_block_dead_bits(VV_DT_U8, vv_span("\x10\x40\x80", 3)), 4);
	CHECK_INT(vv_block_dead_bits(VV_DT_C64, vv_span("\0\0\0\x40\0\0\x80\x3f", 8)), 23); /* both parts */
	CHECK_INT(vv_block_dead_bits(VV_DT_U16, vv_span("\0\x10\0\x20\0\x40\0\x80\0\x08", 10)), 11);
	CHECK_INT(vv_block_dead_bits(VV_DT_U32, vv_span("", 0)), 32);
}

static struct vv_codec_params plan(struct vv_codec *c, enum vv_dtype dt, const uint8_t *raw, const uint8_t *base,
	size_t len)
{
	struct vv_codec_params p;

	memset(&p, 0xff, sizeof(p));
	vv_codec_plan(c, &p, dt, &raw, base ? &base : NULL, &len, len ? 1 : 0);
	return p;
}

static void test_shift(struct vv_codec *c)
{
	uint8_t raw[4096], base[4096];

	data_fill(WIDENED, raw, base, 4096, 4);
	CHECK_INT(plan(c, VV_DT_F32, raw, NULL, 4096).shift, 16);
	CHECK_INT(plan(c, VV_DT_F32, raw, base, 4096).shift, 16);
	base[400] = 1;
	CHECK_INT(plan(c, VV_DT_F32, raw, base, 4096).shift, 0); /* the base's bits count too */
	memset(raw, 0, sizeof(raw));
	CHECK_INT(plan(c, VV_DT_F32, raw, NULL, 4096).shift, 24); /* a byte is left */
	CHECK_INT(plan(c, VV_DT_U8, raw, NULL, 4096).shift, 0);
	CHECK_INT(plan(c, VV_DT_F32, raw, NULL, 0).shift, 0);
	CHECK_INT(plan(c, VV_DT_F32, raw, NULL, 0).dtype, VV_DT_F32);
}

static unsigned classes_of(const struct vv_codec_params *p, int *bad)
{
	*bad |= p->classes[0] != 0;
	for (int e = 1; e < 256; e++)
		*bad |= p->classes[e] != p->classes[e - 1] && p->classes[e] != p->classes[e - 1] + 1;
	return p->classes[255] + 1u;
}

/* Numbers by exponent, whose difference from the base is `spread` of the exponent wide. */
static void exponents_with(uint8_t *raw, uint8_t *base, size_t n, unsigned (*spread)(unsigned e), unsigned exponents)
{
	for (size_t i = 0; i < n; i++) {
		unsigned e = 100 + (unsigned)rnd() % exponents, w = spread(e);
		uint16_t v = (uint16_t)(e << 7 | rnd() % 128), b = (uint16_t)(v + (w ? rnd() % w : 0));
		vv_put16(base + 2 * i, v);
		vv_put16(raw + 2 * i, b);
	}
}

static unsigned alike(unsigned e)
{
	return 5 + e % 1;
}

static unsigned halves(unsigned e)
{
	return e < 110 ? 2 : 60;
}

static unsigned all_differ(unsigned e)
{
	return 1u << (e % 50) / 4;
}

static void test_classes(struct vv_codec *c)
{
	enum { N = 32768 };
	static uint8_t raw[2 * N], base[2 * N];
	struct vv_codec_params p;
	int bad = 0;

	exponents_with(raw, base, N, alike, 20);
	p = plan(c, VV_DT_BF16, raw, base, sizeof(raw));
	CHECK_INT(classes_of(&p, &bad), 1); /* nothing to tell apart */
	exponents_with(raw, base, N, halves, 20);
	p = plan(c, VV_DT_BF16, raw, base, sizeof(raw));
	CHECK_INT(classes_of(&p, &bad), 2);
	CHECK_INT(p.classes[109], 0);
	CHECK_INT(p.classes[110], 1);
	CHECK_INT(p.classes[255], 1);
	exponents_with(raw, base, N, all_differ, 50);
	p = plan(c, VV_DT_BF16, raw, base, sizeof(raw));
	CHECK(classes_of(&p, &bad) > 4 && classes_of(&p, &bad) <= CLASSES);
	p = plan(c, VV_DT_BF16, raw, base, 200);
	CHECK(classes_of(&p, &bad) < 4); /* too little for many tables */
	p = plan(c, VV_DT_U16, raw, base, sizeof(raw));
	CHECK_INT(classes_of(&p, &bad), 1); /* no exponent */
	p = plan(c, VV_DT_BF16, raw, NULL, sizeof(raw));
	CHECK_INT(classes_of(&p, &bad), 1);
	data_fill(RANDOM, raw, base, sizeof(raw), 2);
	p = plan(c, VV_DT_F16, raw, base, sizeof(raw));
	CHECK(classes_of(&p, &bad) <= CLASSES);
	CHECK(!bad);
}

/* The estimate against the truth: within some percent where it matters. */
static int off(struct vv_codec *c, enum vv_dtype dt, enum kind kind, bool delta)
{
	size_t len = vv_block_bytes(dt), cost, n;
	uint8_t *raw = malloc(len), *base = malloc(len), *coded = malloc(vv_block_bound(len));
	struct vv_codec_params p;
	int bad;

	data_fill(kind, raw, base, len, vv_dtype_width(dt));
	p = plan(c, dt, raw, delta ? base : NULL, len);
	cost = vv_codec_cost(c, &p, vv_span(raw, len), delta ? base : NULL);
	n = vv_block_encode(c, &p, coded, vv_span(raw, len), delta ? base : NULL);
	/* A delta may be said to cost more than raw: then it is not chosen. */
	bad = n > len ? cost < len * 98 / 100 : cost > n * 102 / 100 + 600 || n > cost * 103 / 100 + 600;
	if (bad)
		printf("# %s kind %d %s: cost %zu, coded %zu\n", vv_dtype_info(dt)->name, kind, delta ? "delta" : "solo", cost, n);
	free(raw);
	free(base);
	free(coded);
	return bad;
}

static void test_cost(struct vv_codec *c)
{
	static const enum vv_dtype types[] = {VV_DT_BF16, VV_DT_F16, VV_DT_F32, VV_DT_F64, VV_DT_F8_E4M3, VV_DT_I32, VV_DT_C64};
	int bad = 0;

	for (size_t i = 0; i < VV_COUNT(types); i++)
		for (int kind = 0; kind < RUNS; kind++)
			for (int delta = 0; delta < 2; delta++)
				bad += off(c, types[i], (enum kind)kind, delta);
	CHECK_INT(bad, 0);
	struct vv_codec_params p = {.dtype = VV_DT_F32};
	CHECK_INT(vv_codec_cost(c, &p, vv_span("abc", 3), NULL), 3);
}

/* What the choice between alone and delta needs. */
static void test_choice(struct vv_codec *c)
{
	enum { LEN = 16384 };
	static uint8_t raw[LEN], base[LEN];
	struct vv_codec_params solo, delta;

	for (int kind = 0; kind < KINDS; kind++) {
		if (kind != EQUAL && kind != SPARSE && kind != WEIGHTS && kind != RANDOM)
			continue;
		data_fill((enum kind)kind, raw, base, LEN, 2);
		solo = plan(c, VV_DT_BF16, raw, NULL, LEN);
		delta = plan(c, VV_DT_BF16, raw, base, LEN);
		size_t a = vv_codec_cost(c, &solo, vv_span(raw, LEN), NULL), b = vv_codec_cost(c, &delta, vv_span(raw, LEN), base);
		CHECK(kind == RANDOM ? b * 100 > a * 97 : b * 2 < a);
	}
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	test_dead_bits();
	test_shift(c);
	test_classes(c);
	test_cost(c);
	test_choice(c);
	vv_codec_free(c);
	return done();
}
