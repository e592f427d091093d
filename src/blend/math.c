#include "blend/math.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
/* pi/2 as a double and what is left of it. */
#define HALF_PI_HI 1.57079632679489655800e+00
#define HALF_PI_LO 6.12323399573676603587e-17
/* ln 2: the upper part has zeros in its lowest bits, so that a small multiple is exact. */
#define LN2_HI 6.93147180369123816490e-01
#define LN2_LO 1.90821492927058770002e-10

/* For |x| up to pi/4, by their series. */
static double sin_series(double x)
{
	double z = x * x, s = 0;

	for (int n = 19; n > 1; n -= 2)
		s = (1 + s) * (-z / (double)(n * (n - 1)));
	return x + x * s;
}

static double cos_series(double x)
{
	double z = x * x, s = 0;

	for (int n = 20; n > 2; n -= 2)
		s = (1 + s) * (-z / (double)(n * (n - 1)));
	return 1 - z / 2 * (1 + s);
}

/* The sine of x and a quarter turns. */
static double sin_turned(double x, int quarters)
{
	double k = floor(x / HALF_PI_HI + 0.5), r = (x - k * HALF_PI_HI) - k * HALF_PI_LO;
	int q = ((int)k + quarters) & 3;
	double v = q & 1 ? cos_series(r) : sin_series(r);

	return q & 2 ? -v : v;
}

double vv_sin(double x)
{
	return sin_turned(x, 0);
}

double vv_cos(double x)
{
	return sin_turned(x, 1);
}

/* For x of [0, 1]: halved twice by atan x = 2 atan(x / (1 + sqrt(1 + x^2))), then the series. */
static double atan_small(double x)
{
	double z, s = 0;

	x = x / (1 + sqrt(1 + x * x));
	x = x / (1 + sqrt(1 + x * x));
	z = x * x;
	for (int n = 27; n > 1; n -= 2)
		s = -z * (1 / (double)n + s);
	return 4 * (x + x * s);
}

double vv_acos(double x)
{
	double y, a;

	if (x >= 1)
		return 0;
	if (x <= -1)
		return PI;
	y = sqrt((1 - x) * (1 + x));
	a = fabs(x) > y ? atan_small(y / fabs(x)) : HALF_PI_HI - atan_small(fabs(x) / y);
	return x < 0 ? PI - a : a;
}

/* 2^k for k of -1022 to 1023. */
static double power_of_two(int k)
{
	uint64_t bits = (uint64_t)(k + 1023) << 52;
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

double vv_exp(double x)
{
	double k, r, s = 0;

	if (x != x)
		return x;
	if (x > 709.7)
		return INFINITY;
	if (x < -745)
		return 0;
	k = floor(x / (LN2_HI + LN2_LO) + 0.5);
	r = (x - k * LN2_HI) - k * LN2_LO;
	for (int n = 14; n > 0; n--)
		s = (1 + s) * (r / (double)n);
	/* In two steps, so that a result may be subnormal. */
	return (1 + s) * power_of_two((int)k / 2) * power_of_two((int)k - (int)k / 2);
}

double vv_log(double x)
{
	uint64_t bits;
	double k, f, z, s = 0;

	memcpy(&bits, &x, sizeof(bits));
	k = (double)((int)(bits >> 52) - 1023);
	bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
	memcpy(&x, &bits, sizeof(x));
	if (x > 1.4142135623730951) {
		x /= 2;
		k += 1;
	}
	f = (x - 1) / (x + 1);
	z = f * f;
	for (int n = 23; n > 1; n -= 2)
		s = z * (1 / (double)n + s);
	return k * LN2_HI + (2 * (f + f * s) + k * LN2_LO);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

double vv_unit_random(uint64_t key, uint64_t index)
{
	return (double)(mix(key + (index + 1) * 0x9e3779b97f4a7c15ull) >> 11) * 0x1p-53;
}

uint64_t vv_random_key(uint64_t seed, const char *name, uint64_t model)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return mix(mix(seed + 0x9e3779b97f4a7c15ull) ^ h ^ mix(model + 0x632be59bd9b4e019ull));
}
