/*
 * Content-defined chunks by a gear hash: a cut falls where the hash of the last 64 bytes has 16 high
 * bits clear, so that an insertion moves cuts only near itself. After W. Xia et al., "FastCDC", 2016,
 * without its two masks.
 */
#include "store/internal.h"

static uint64_t gear(uint8_t b)
{
	/* splitmix64 of the byte: the table needs no file, and is the same for ever. */
	uint64_t z = ((uint64_t)b + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (int i = 0; i < 256; i++)
		table[i] = gear((uint8_t)i);
}

size_t chunk_cut(const uint8_t *p, size_t len)
{
	size_t end = len < CHUNK_MAX ? len : CHUNK_MAX;
	uint64_t h = 0;

	pthread_once(&once, fill);
	if (len <= CHUNK_MIN)
		return len;
	for (size_t i = CHUNK_MIN - 64; i < end; i++) {
		h = (h << 1) + table[p[i]];
		if (i >= CHUNK_MIN && !(h >> 48))
			return i + 1;
	}
	return end;
}
