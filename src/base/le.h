/* Little-endian numbers at unaligned addresses. */
#ifndef VV_BASE_LE_H
#define VV_BASE_LE_H

#include <stdint.h>
#include <string.h>

static inline uint16_t vv_get16(const void *p)
{
	const uint8_t *b = p;
	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t vv_get32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t vv_get64(const void *p)
{
	const uint8_t *b = p;
	return vv_get32(b) | (uint64_t)vv_get32(b + 4) << 32;
}

static inline void vv_put16(void *p, uint16_t v)
{
	/* One store, where it is one: loops of two for each number are not made vectors of. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(p, &v, 2);
#else
	uint8_t *b = p;
	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
#endif
}

static inline void vv_put32(void *p, uint32_t v)
{
	vv_put16(p, (uint16_t)v);
	vv_put16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void vv_put64(void *p, uint64_t v)
{
	vv_put32(p, (uint32_t)v);
	vv_put32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

#endif
