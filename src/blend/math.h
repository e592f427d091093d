/*
 * The transcendental functions that merging needs, of our own: a libm may differ from another in the last bit, and a
 * merge is to be repeated bit for bit on any machine. Only +, -, *, / and sqrt of IEEE 754 doubles are used, in the
 * order written. Relative errors are below 1e-15 (tests/unit/blend/test_math.c); near a zero of the function the
 * error is so small against 1.
 */
#ifndef VV_BLEND_MATH_H
#define VV_BLEND_MATH_H

#include <stdint.h>

/* Angles of merging: |x| at most 1000. */
double vv_sin(double x);
double vv_cos(double x);
/* Outside of [-1, 1]: that of the nearer end. */
double vv_acos(double x);
/* 0 below -745, infinite above 709.7. */
double vv_exp(double x);
/* Of a normal positive number. */
double vv_log(double x);

/*
 * A number of [0, 1) for the element `index` of the stream `key`: 53 bits of the SplitMix64 mixing of both. Any element's
 * number is had alone, so that threads need no order.
 */
double vv_unit_random(uint64_t key, uint64_t index);
/* The stream of a tensor, for one model of a merge. FNV-1a of the name, mixed with the others. */
uint64_t vv_random_key(uint64_t seed, const char *name, uint64_t model);

#endif
