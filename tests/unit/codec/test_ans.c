/* Symbols and numbers come back, take as many bits as their entropy, and nothing broken is believed. */
#include "codec/ans.h"
#include "data.h"
#include "tap.h"

#include <math.h>

/* Tokens of random numbers of so many bits, small ones likelier; random classes. */
static void some_numbers(struct vv_codec *c, unsigned width, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t z = rnd() >> (64 - 8 * (width ? width : 1)), t;
		z >>= rnd() % (8 * (width ? width : 1));
		unsigned top = 63 - (unsigned)__builtin_clzll(z | 1);
		t = z < 16 ? z : 16 + 4 * (top - 4) + (z >> (top - 2) & 3);
		c->token[i] = (uint8_t)(width ? t : z);
		c->class[i] = (uint8_t)(rnd() % 16 * (rnd() % 2));
		if (width == 1)
			c->plane[i] = (uint8_t)z;
		else if (width == 2)
			((uint16_t *)(void *)c->plane)[i] = (uint16_t)z;
		else if (width == 4)
			((uint32_t *)(void *)c->plane)[i] = (uint32_t)z;
		else if (width == 8)
			((uint64_t *)(void *)c->plane)[i] = z;
	}
}

static int round_trip(struct vv_codec *c, unsigned width, size_t n, size_t *len)
{
	size_t w = width ? width : 1, cap = 10 * n + 65536;
	uint8_t *coded = malloc(cap), *tight, *out = malloc(n * w + 8);
	unsigned limit = width ? 32 * width : 256;
	struct ans_reader r;
	int bad;

	*len = ans_encode(c, coded, cap, c->token, c->plane, width, n);
	tight = malloc(*len + !*len);
	memcpy(tight, coded, *len);
	bad = !*len || ans_open(&r, c, vv_span(tight, *len), width, limit);
	/* In pieces, as a delta is read. */
	for (size_t at = 0; !bad && at < n; at += 64)
		bad = ans_read(&r, c->class + at, out + at * w, n - at < 64 ? n - at : 64);
	bad = bad || ans_close(&r) || memcmp(out, width ? c->plane : c->token, n * w);
	/* One byte less is too little, one number more too many. */
	if (!bad && *len > 1)
		bad = !ans_open(&r, c, vv_span(tight + 1, *len - 1), width, limit) && !ans_read(&r, c->class, out, n) &&
			!ans_close(&r);
	free(coded);
	free(tight);
	free(out);
	return bad;
}

static void test_round_trips(struct vv_codec *c)
{
	static const unsigned widths[] = {0, 1, 2, 4, 8};
	static const size_t counts[] = {1, 2, 7, 8, 9, 64, 100, 1000, 4096, 70001};
	size_t len;

	for (size_t k = 0; k < VV_COUNT(widths); k++) {
		int bad = 0;
		for (size_t i = 0; i < VV_COUNT(counts); i++) {
			some_numbers(c, widths[k], counts[i]);
			bad |= round_trip(c, widths[k], counts[i], &len);
		}
		/* The most bits there can be. */
		for (size_t i = 0; i < UNITS; i++) {
			c->token[i] = (uint8_t)(widths[k] ? 32 * widths[k] - 1 : i * 7);
			c->class[i] = (uint8_t)(i % 16);
		}
		memset(c->plane, 0xff, (size_t)UNITS * 8);
		bad |= round_trip(c, widths[k], UNITS, &len);
		CHECK(!bad);
	}
}

static double entropy_bytes(const uint8_t *s, size_t n)
{
	double h[256] = {0}, bits = 0;

	for (size_t i = 0; i < n; i++)
		h[s[i]]++;
	for (int k = 0; k < 256; k++)
		if (h[k] > 0)
			bits -= h[k] * log2(h[k] / (double)n);
	return bits / 8;
}

/* Close to the entropy, also far below a bit a symbol. */
static void test_length(struct vv_codec *c)
{
	static const unsigned rare[] = {2, 5, 20, 100};
	size_t n = 100000, len;

	for (size_t k = 0; k < VV_COUNT(rare); k++) {
		for (size_t i = 0; i < n; i++)
			c->token[i] = (uint8_t)(rnd() % rare[k] ? 0 : 1 + rnd_small() % 10);
		CHECK(!round_trip(c, 0, n, &len));
		double ideal = entropy_bytes(c->token, n);
		if ((double)len > ideal * 1.01 + 110)
			printf("# %zu bytes, entropy %.0f\n", len, ideal);
		CHECK((double)len <= ideal * 1.01 + 110);
	}
	memset(c->token, 9, n);
	CHECK(!round_trip(c, 0, n, &len));
	CHECK(len < 20);
}

/* Counts by class: the same tokens cost nothing where the class tells them. */
static void test_context(struct vv_codec *c)
{
	size_t n = 65536, len;

	for (size_t i = 0; i < n; i++) {
		c->class[i] = (uint8_t)(rnd() % 16);
		c->token[i] = c->class[i];
		((uint16_t *)(void *)c->plane)[i] = c->token[i];
	}
	CHECK(!round_trip(c, 2, n, &len));
	CHECK(len < 100);
}

static void test_refusals(struct vv_codec *c)
{
	uint8_t out[4096], coded[4096];
	struct ans_reader r;
	size_t len;

	CHECK_INT(ans_encode(c, out, 10, c->token, NULL, 0, 4000), 0); /* no room: nothing is written */
	CHECK(ans_open(&r, c, vv_span("", 0), 0, 256));
	CHECK(ans_open(&r, c, vv_span("\x04\x00\x01", 3), 0, 256)); /* tables of 16 */
	CHECK(ans_open(&r, c, vv_span("\x0b\x00\x01", 3), 0, 256)); /* of 2048 */
	CHECK(ans_open(&r, c, vv_span("\x05", 1), 0, 256));         /* no stream */
	CHECK(ans_open(&r, c, vv_span("\x05\x00", 2), 0, 256));     /* no end mark */
	CHECK(ans_open(&r, c, vv_span("\x05\x01", 2), 0, 256));     /* no states */
	/* All zero: 8 states of 5 bits, then the mark. */
	CHECK(!ans_open(&r, c, vv_span("\x05\0\0\0\0\0\x01", 7), 0, 256));
	CHECK(!ans_read(&r, NULL, out, 100) && !ans_close(&r) && !out[0] && !out[99]);
	CHECK(!ans_open(&r, c, vv_span("\x05\0\0\0\0\0\x02", 7), 0, 256));
	CHECK(!ans_read(&r, NULL, out, 100) && ans_close(&r)); /* a bit is left */
	CHECK(!ans_open(&r, c, vv_span("\x05\0\0\1\0\0\x01", 7), 0, 256));
	CHECK(!ans_read(&r, NULL, out, 100) && ans_close(&r)); /* a state is left */
	/* A token past the limit. */
	for (int i = 0; i < 200; i++) {
		c->token[i] = (uint8_t)(i % 40);
		c->class[i] = 0;
	}
	memset(c->plane, 0, 1000);
	len = ans_encode(c, coded, sizeof(coded), c->token, c->plane, 2, 200);
	CHECK(len && !ans_open(&r, c, vv_span(coded, len), 2, 40));
	CHECK(ans_open(&r, c, vv_span(coded, len), 2, 39));
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	test_round_trips(c);
	test_length(c);
	test_context(c);
	test_refusals(c);
	vv_codec_free(c);
	return done();
}
