#define _GNU_SOURCE
#include "os/sys.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t vv_now_s(void)
{
	return (uint64_t)time(NULL);
}

uint64_t vv_monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t vv_random64(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = vv_monotonic_ms() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
	return v;
}

unsigned vv_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}
