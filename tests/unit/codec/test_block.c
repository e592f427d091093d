/* Every type, alone and against a base, over lengths and kinds of data: what goes in comes out. */
#include "codec/codec.h"
#include "tap.h"

static uint64_t state = 88172645463325252u;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

enum kind { RANDOM, ZEROS, SAME, WEIGHTS, SPECIALS, EQUAL, SPARSE, ZERO_ROWS, WIDENED, KINDS };

static void fill(enum kind kind, uint8_t *a, uint8_t *base, size_t len, unsigned width)
{
	for (size_t i = 0; i < len; i++) {
		a[i] = (uint8_t)rnd();
		base[i] = (uint8_t)rnd();
	}
	if (kind == ZEROS)
		memset(a, 0, len), memset(base, 0, len);
	if (kind == SAME)
		memset(a, 0x3c, len);
	if (kind == WEIGHTS || kind == SPARSE || kind == EQUAL || kind == ZERO_ROWS)
		for (size_t i = 0; i + width <= len; i += width) {
			a[i + width - 1] = (uint8_t)(0x3c + rnd() % 2);
			memcpy(base + i, a + i, width);
			if (kind == WEIGHTS)
				base[i] = (uint8_t)(base[i] + rnd() % 5);
		}
	if (kind == SPARSE)
		for (size_t k = 0; k < len / 500; k++)
			a[rnd() % len] ^= 1;
	if (kind == ZERO_ROWS)
		memset(a, 0, len / 2);
	if (kind == SPECIALS)
		for (size_t i = 0; i + width <= len; i += width) {
			memset(a + i, rnd() % 3 ? 0 : 0xff, width);
			a[i + width - 1] = (uint8_t)(rnd() % 4 * 0x7f);
			memset(base + i, rnd() % 2 ? 0x80 : 0, width);
		}
	if (kind == WIDENED)
		for (size_t i = 0; i + width <= len; i += width) {
			memset(a + i, 0, width / 2);
			memset(base + i, 0, width / 2);
		}
}

static int round_trip(struct vv_codec *c, enum vv_dtype dt, enum kind kind, size_t len, bool delta)
{
	uint8_t *a = malloc(len + 1), *base = malloc(len + 1), *out = malloc(len + 1), *x, *y;
	size_t bound = vv_block_bound(len), n, m;
	const uint8_t *one, *two;
	struct vv_codec_params p;
	struct vv_err err = VV_ERR_INIT;
	int bad = 0;

	x = malloc(bound);
	y = malloc(bound);
	fill(kind, a, base, len, vv_dtype_width(dt));
	one = a;
	two = base;
	vv_codec_plan(c, &p, dt, &one, delta ? &two : NULL, &len, len ? 1 : 0);
	n = vv_block_encode(c, &p, x, vv_span(a, len), delta ? base : NULL);
	m = vv_block_encode(c, &p, y, vv_span(a, len), delta ? base : NULL);
	bad |= n > bound || n != m || memcmp(x, y, n);
	/* Exactly as long as it is, so that a sanitizer sees a read past it. */
	uint8_t *tight = malloc(n);
	memcpy(tight, x, n);
	bad |= vv_block_decode(c, &p, out, len, vv_span(tight, n), delta ? base : NULL, &err) != 0;
	bad |= len && memcmp(a, out, len);
	/* Hurt: an error or other bytes, nothing worse. */
	for (int i = 0; i < 6 && n; i++) {
		memcpy(tight, x, n);
		tight[rnd() % n] ^= (uint8_t)(1 << rnd() % 8);
		size_t cut = i % 2 ? n : rnd() % n;
		if (vv_block_decode(c, &p, out, len, vv_span(tight, cut), delta ? base : NULL, &err))
			bad |= err.code != VV_ECORRUPT;
	}
	free(a), free(base), free(out), free(x), free(y), free(tight);
	if (bad)
		printf("# %s kind %d length %zu %s\n", vv_dtype_info(dt)->name, kind, len, delta ? "delta" : "solo");
	return bad;
}

static void test_round_trips(struct vv_codec *c)
{
	static const size_t counts[] = {0, 1, 2, 31, 63, 64, 65, 1000, 40000, VV_BLOCK_ELEMS};

	for (int dt = 0; dt < VV_DT_COUNT; dt++) {
		int bad = 0;
		for (int kind = 0; kind < KINDS; kind++)
			for (size_t i = 0; i < VV_COUNT(counts) - (kind % 3 != 0); i++)
				for (int delta = 0; delta < 2; delta++)
					bad |= round_trip(c, (enum vv_dtype)dt, kind, counts[i] * vv_dtype_width(dt),
						delta && dt != VV_DT_BYTES);
		/* A length that is not a whole number of elements. */
		bad |= round_trip(c, (enum vv_dtype)dt, WEIGHTS, 1001 * vv_dtype_width(dt) - (vv_dtype_width(dt) > 1), false);
		tap_ok(!bad, vv_dtype_info(dt)->name, __FILE__, __LINE__);
	}
}

static size_t coded_size(struct vv_codec *c, enum vv_dtype dt, enum kind kind, size_t len, bool delta)
{
	uint8_t *a = malloc(len), *base = malloc(len), *x = malloc(vv_block_bound(len));
	const uint8_t *one = a, *two = base;
	struct vv_codec_params p;

	fill(kind, a, base, len, vv_dtype_width(dt));
	vv_codec_plan(c, &p, dt, &one, delta ? &two : NULL, &len, 1);
	size_t n = vv_block_encode(c, &p, x, vv_span(a, len), delta ? base : NULL);
	free(a), free(base), free(x);
	return n;
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	CHECK(c != NULL);
	test_round_trips(c);
	CHECK_INT(coded_size(c, VV_DT_BF16, RANDOM, 65536, false), 65537); /* noise is stored raw */
	CHECK(coded_size(c, VV_DT_BF16, ZEROS, 65536, false) < 20);
	CHECK(coded_size(c, VV_DT_BF16, EQUAL, 65536, true) < 20);
	CHECK(coded_size(c, VV_DT_BF16, SPARSE, 65536, true) < 65536 / 20);
	CHECK(coded_size(c, VV_DT_BF16, WEIGHTS, 65536, false) < 65536 * 3 / 4);
	CHECK(coded_size(c, VV_DT_F32, WIDENED, 65536, false) < 65536 * 11 / 20);
	CHECK_INT(vv_block_dead_bits(VV_DT_F32, vv_span("\0\0\x80\x3f", 4)), 23);
	CHECK_INT(vv_block_dead_bits(VV_DT_BF16, vv_span("\0\0\0\0\0\0", 6)), 16);
	CHECK_INT(vv_block_dead_bits(VV_DT_F64, vv_span("\0\0\0\0\0\0\x10\0", 8)), 52);
	vv_codec_free(c);
	return done();
}
