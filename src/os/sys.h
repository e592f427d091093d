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

/*
 * The highest process above us whose program's name is `name`: for a hook, the git command that the
 * user typed. 0 when there is none, or the system does not tell.
 */
pid_t vv_ancestor(const char *name);
/*
 * Is a process above us `git WORD …` (or git-WORD) for one of the NULL-terminated words? -1 when the
 * system does not tell.
 */
int vv_below_git(const char *const *words);
/* Returns when that process, which need not be our child, has ended. */
void vv_wait_gone(pid_t pid);
/* From now on others go first, on processors and disks. */
void vv_step_back(void);
/* Runs argv on its own, in a session of its own, with no input or output. */
VV_MUST_CHECK int vv_spawn_detached(const char *const *argv, struct vv_err *err);

#endif
