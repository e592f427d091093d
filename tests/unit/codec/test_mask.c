/* Segments are found, left out and put back. */
#include "codec/internal.h"
#include "data.h"
#include "tap.h"

static void test_known(void)
{
	uint16_t words[200] = {0};
	uint8_t mask[SEGMENTS / 8] = {0};

	words[64] = 1;
	words[199] = 0x8000;
	mask_find(mask, 0, words, 2, 200);
	CHECK_INT(mask[0], 2 | 8);
	CHECK_INT(mask_count(mask, 0, 200), 64 + 8);
	CHECK(mask_fits(mask, 200));
	CHECK_INT(mask_squeeze(mask, 0, words, 2, 200), 72);
	CHECK_INT(words[0], 1);
	CHECK_INT(words[71], 0x8000);
	mask_spread(mask, 0, words, 2, 200);
	CHECK_INT(words[64], 1);
	CHECK_INT(words[0], 0);
	CHECK_INT(words[199], 0x8000);
	/* At a place further on in the block. */
	memset(mask, 0, sizeof(mask));
	mask_find(mask, 1024, words, 2, 200);
	CHECK_INT(mask[0], 0);
	CHECK_INT(mask[2], 2 | 8);
	CHECK_INT(mask_count(mask, 1024, 200), 72);
}

static void test_fits(void)
{
	uint8_t mask[2] = {0x1f, 0xff};

	CHECK(mask_fits(mask, 64 * 5));
	CHECK(mask_fits(mask, 64 * 4 + 1));
	CHECK(!mask_fits(mask, 64 * 4));
	CHECK(mask_fits(mask, 64 * 8)); /* the byte is full */
	CHECK(!mask_fits(mask, 64 * 15));
}

static void test_random(void)
{
	int bad = 0;

	for (int i = 0; i < 2000; i++) {
		unsigned width = 1u << rnd() % 4;
		size_t n = 1 + rnd() % PIECE, kept;
		uint8_t *a = calloc(PIECE, width), *b = malloc(PIECE * width), mask[SEGMENTS / 8] = {0};
		for (size_t k = rnd() % 20; k; k--)
			a[rnd() % (n * width)] |= (uint8_t)(1 << rnd() % 8);
		memcpy(b, a, PIECE * width);
		mask_find(mask, 0, b, width, n);
		for (size_t g = 0; g * 64 < n; g++) {
			uint8_t any = 0;
			for (size_t k = g * 64 * width; k < (g + 1) * 64 * width && k < n * width; k++)
				any |= a[k];
			bad |= (mask[g / 8] >> g % 8 & 1) != (any != 0);
		}
		kept = mask_squeeze(mask, 0, b, width, n);
		bad |= kept != mask_count(mask, 0, n) || !mask_fits(mask, n);
		/* What lay behind the squeezed words does not matter. */
		memset(b + kept * width, 0xee, (PIECE - kept) * width);
		mask_spread(mask, 0, b, width, n);
		bad |= memcmp(a, b, n * width) != 0;
		free(a);
		free(b);
	}
	CHECK(!bad);
}

int main(void)
{
	test_known();
	test_fits();
	test_random();
	return done();
}
