#include "blend/math.h"

#include "tap.h"

#include <math.h>
#include <stdbool.h>

/* The largest error, in units of 1e-16: relative, and against 1 near the function's zero. */
static double worst(double (*f)(double), long double (*g)(long double), double from, double to, bool relative)
{
	double most = 0;

	for (int i = 0; i <= 20000; i++) {
		double x = from + (to - from) * i / 20000;
		long double want = g((long double)x), off = fabsl((long double)f(x) - want);
		if (relative)
			off /= fabsl(want);
		most = (double)off * 1e16 > most ? (double)off * 1e16 : most;
	}
	return most;
}

int main(void)
{
	double sum = 0;

	CHECK(worst(vv_sin, sinl, -4, 4, false) < 10);
	CHECK(worst(vv_sin, sinl, 1e-9, 3, true) < 10);
	CHECK(worst(vv_sin, sinl, -1000, 1000, false) < 1000);
	CHECK(worst(vv_cos, cosl, -4, 4, false) < 10);
	CHECK(worst(vv_acos, acosl, -1, 1, false) < 10);
	CHECK(worst(vv_acos, acosl, 0.9, 0.9999999, true) < 10);
	CHECK(worst(vv_exp, expl, -700, 700, true) < 10);
	CHECK(worst(vv_log, logl, 1e-300, 1e-290, true) < 10);
	CHECK(worst(vv_log, logl, 1.5, 1e9, true) < 10);
	CHECK(worst(vv_log, logl, 0.5, 2, false) < 10);
	CHECK(vv_acos(1.5) == 0 && vv_acos(1) == 0 && vv_acos(-2) == vv_acos(-1) && vv_acos(-1) > 3.14159);
	CHECK(vv_sin(0) == 0 && vv_cos(0) == 1 && vv_log(1) == 0 && vv_exp(0) == 1);
	CHECK(vv_exp(-800) == 0 && vv_exp(-740) > 0 && isinf(vv_exp(710)) && isnan(vv_exp((double)NAN)));
	/* As tests/interop/t_mergekit.py makes them from their description. */
	CHECK(vv_random_key(7, "w", 1) == 0xd539575129c5e6da);
	CHECK(vv_unit_random(0xd539575129c5e6da, 0) == 0.050070380636956791);
	CHECK(vv_unit_random(0xd539575129c5e6da, 3) == 0.32459048807119661);
	for (uint64_t i = 0; i < 100000; i++)
		sum += vv_unit_random(vv_random_key(0, "", 0), i);
	CHECK(fabs(sum / 100000 - 0.5) < 0.004);
	CHECK(vv_random_key(1, "a", 0) != vv_random_key(0, "a", 0) && vv_random_key(1, "a", 0) != vv_random_key(1, "a", 1) &&
		vv_random_key(1, "a", 0) != vv_random_key(1, "b", 0));
	return done();
}
