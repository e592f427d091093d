/*
 * A command of the user's, as a job: in a process group of its own, which ends when SIGINT, SIGTERM or SIGHUP comes
 * to us. We go on until vv_job_end, to clean up. One at a time in a process.
 */
#ifndef VV_OS_JOB_H
#define VV_OS_JOB_H

#include "base/err.h"

/* From here on these signals are only noted. */
void vv_job_begin(void);
/* The signal that came, or 0. */
int vv_job_caught(void);
/*
 * Runs argv to its end, its output on our standard error. `flags` is 0, or VV_CHILD_INHERIT: it reads what we would. A signal
 * goes to its whole group, a second one kills that; what is left of the group then is killed. Only a job that reads from
 * a terminal stays in our group, which the terminal knows: it gets the signals alone. *status as in os/child.h.
 */
VV_MUST_CHECK int vv_job_run(
	const char *const *argv, const char *const *env, unsigned flags, int *status, struct vv_err *err);
/* Signals do again what they did; then the one that was caught, if any, is raised. */
void vv_job_end(void);

#endif
