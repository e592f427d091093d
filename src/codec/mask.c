/* The mask: one bit per segment of 64 numbers, clear where all of them are zero and left out. */
#include "codec/internal.h"

/* Numbers of segment g among the first n. */
static size_t segment_len(size_t g, size_t n)
{
	return n - g * SEGMENT < SEGMENT ? n - g * SEGMENT : SEGMENT;
}

static bool stays(const uint8_t *mask, size_t g)
{
	return mask[g / 8] >> g % 8 & 1;
}

/* 64 bytes at p. */
static inline uint64_t any_of_line(const uint8_t *p)
{
	return load8(p, 0) | load8(p, 1) | load8(p, 2) | load8(p, 3) | load8(p, 4) | load8(p, 5) | load8(p, 6) | load8(p, 7);
}

VV_CLONES void mask_find(uint8_t *mask, size_t at, const void *words, unsigned width, size_t n)
{
	const uint8_t *p = words;

	for (size_t g = 0; g * SEGMENT < n; g++) {
		size_t len = segment_len(g, n) * width, k = 0;
		uint64_t any = 0;
		for (; k + 64 <= len; k += 64)
			any |= any_of_line(p + k);
		for (; k < len; k++)
			any |= p[k];
		p += len;
		mask[(at / SEGMENT + g) / 8] |= (uint8_t)((any != 0) << (at / SEGMENT + g) % 8);
	}
}

size_t mask_count(const uint8_t *mask, size_t at, size_t n)
{
	size_t kept = 0;

	for (size_t g = 0; g * SEGMENT < n; g++)
		kept += stays(mask, at / SEGMENT + g) ? segment_len(g, n) : 0;
	return kept;
}

bool mask_fits(const uint8_t *mask, size_t n)
{
	size_t segments = (n + SEGMENT - 1) / SEGMENT;

	return segments % 8 == 0 || mask[segments / 8] >> segments % 8 == 0;
}

size_t mask_squeeze(const uint8_t *mask, size_t at, void *words, unsigned width, size_t n)
{
	uint8_t *p = words;
	size_t kept = 0;

	for (size_t g = 0; g * SEGMENT < n; g++) {
		size_t len = segment_len(g, n);
		if (!stays(mask, at / SEGMENT + g))
			continue;
		if (kept != g * SEGMENT)
			memmove(p + kept * width, p + g * SEGMENT * width, len * width);
		kept += len;
	}
	return kept;
}

void mask_spread(const uint8_t *mask, size_t at, void *words, unsigned width, size_t n)
{
	uint8_t *p = words;
	size_t kept = mask_count(mask, at, n), g = (n + SEGMENT - 1) / SEGMENT;

	if (kept == n)
		return;
	while (g--) {
		size_t len = segment_len(g, n);
		if (stays(mask, at / SEGMENT + g)) {
			kept -= len;
			memmove(p + g * SEGMENT * width, p + kept * width, len * width);
		} else {
			memset(p + g * SEGMENT * width, 0, len * width);
		}
	}
}
