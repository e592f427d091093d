/* The machine: time, processes, randomness, reflinks. Linux-only calls have a fallback here. */
#ifndef VV_OS_SYS_H
#define VV_OS_SYS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

uint64_t vv_now_s(void);        /* seconds since 1970 */
uint64_t vv_monotonic_ms(void);
uint64_t vv_random64(void);
unsigned vv_cpus(void);

#endif
