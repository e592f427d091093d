/* Arithmetic on sizes that come from files. Each returns nonzero when the result does not fit. */
#ifndef VV_BASE_CHECK_H
#define VV_BASE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define vv_add_over(a, b, out) __builtin_add_overflow((a), (b), (out))
#define vv_sub_over(a, b, out) __builtin_sub_overflow((a), (b), (out))
#define vv_mul_over(a, b, out) __builtin_mul_overflow((a), (b), (out))

static inline int vv_to_size(uint64_t v, size_t *out)
{
	*out = (size_t)v;
	return (uint64_t)*out != v;
}

static inline uint64_t vv_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t vv_div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

#endif
