/* Made-up tensors: kinds of bytes, and bases more or less like them. The same on every run. */
#ifndef VV_TESTS_CODEC_DATA_H
#define VV_TESTS_CODEC_DATA_H

#include "base/dtype.h"

#include <string.h>

static uint64_t data_state = 88172645463325252u;

static inline uint64_t rnd(void)
{
	data_state ^= data_state << 13;
	data_state ^= data_state >> 7;
	return data_state ^= data_state << 17;
}

/* Small numbers are likelier: about 2^-k for k. */
static inline unsigned rnd_small(void)
{
	return (unsigned)__builtin_ctzll(rnd() | (uint64_t)1 << 40);
}

enum kind {
	RANDOM,    /* noise, and a base that has nothing to do with it */
	ZEROS,
	SAME,      /* one byte all over */
	WEIGHTS,   /* few exponents; the base is a little off, less where exponents are small */
	SPECIALS,  /* NaN, infinities, denormals, signed zeros */
	EQUAL,     /* the base is the same */
	SPARSE,    /* the base differs in one number of 500 */
	ZERO_ROWS, /* a half of zeros */
	WIDENED,   /* the lower half of every number is zero */
	FAR,       /* the base differs in sign and exponent too */
	RUNS,      /* long repetitions */
	KINDS
};

static inline void data_number(enum kind kind, uint8_t *a, uint8_t *base, unsigned width)
{
	static const uint8_t tops[] = {0x00, 0x80, 0x7f, 0xff, 0x7c, 0xfc, 0x78, 0x01};
	unsigned top = width - 1;

	switch (kind) {
	case WEIGHTS:
	case EQUAL:
	case SPARSE:
	case ZERO_ROWS:
	case FAR:
		a[top] = (uint8_t)((rnd() & 0x80) | (0x3d - rnd_small() % 8));
		memcpy(base, a, width);
		if (kind == WEIGHTS && rnd() % 4)
			base[0] = (uint8_t)(base[0] + rnd_small() % 7 * (a[top] & 1 ? 5 : 1));
		if (kind == FAR)
			base[top] ^= (uint8_t)(1 << rnd() % 8);
		break;
	case SPECIALS:
		memset(a, rnd() % 3 ? 0 : 0xff, width);
		memset(base, rnd() % 2 ? 0 : 0xff, width);
		a[top] = tops[rnd() % 8];
		base[top] = tops[rnd() % 8];
		if (rnd() % 4 == 0)
			a[0] = (uint8_t)rnd();
		break;
	case WIDENED:
		memset(a, 0, width / 2);
		memset(base, 0, width / 2);
		break;
	default:
		break;
	}
}

static inline void data_fill(enum kind kind, uint8_t *a, uint8_t *base, size_t len, unsigned width)
{
	for (size_t i = 0; i < len; i++) {
		a[i] = (uint8_t)rnd();
		base[i] = (uint8_t)rnd();
	}
	for (size_t i = 0; i + width <= len; i += width)
		data_number(kind, a + i, base + i, width);
	if (kind == ZEROS || kind == SAME) {
		memset(a, kind == ZEROS ? 0 : 0x3c, len);
		memset(base, 0, kind == ZEROS ? len : len / 2);
	}
	if (kind == RUNS)
		for (size_t i = 16; i < len; i++)
			a[i] = a[i - 16];
	for (size_t k = 0; kind == SPARSE && k < len / width / 500 + 1; k++)
		if (len)
			a[rnd() % len] ^= 1;
	if (kind == ZERO_ROWS)
		memset(a, 0, len / 2);
}

#endif
