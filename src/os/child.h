/* Child processes: always an argument vector, never a shell. */
#ifndef VV_OS_CHILD_H
#define VV_OS_CHILD_H

#include "base/buf.h"

#include <sys/types.h>

enum vv_child_flags {
	VV_CHILD_IN = 1,       /* a pipe to its standard input (else /dev/null) */
	VV_CHILD_OUT = 2,      /* a pipe from its standard output (else ours) */
	VV_CHILD_NOERR = 4,    /* its standard error to /dev/null (else ours) */
	VV_CHILD_INHERIT = 8,  /* our standard input */
	VV_CHILD_ERR = 16,     /* a pipe from its standard error */
	VV_CHILD_TALK = 32,    /* its standard output to our standard error */
	VV_CHILD_GROUP = 64,   /* in a process group of its own, which has its pid */
};

struct vv_child {
	pid_t pid;
	int in, out, err; /* -1 when not asked for */
	const char *name;
};
#define VV_CHILD_INIT {-1, -1, -1, -1, NULL}

/* argv ends with NULL. `env` may be NULL, or NULL-terminated "NAME=value" to add ("NAME" removes). */
VV_MUST_CHECK int vv_child_start(
	struct vv_child *c, const char *const *argv, const char *const *env, unsigned flags, struct vv_err *err);
/* Closes the pipes and waits. *status: the exit status, 128 + n for signal n. */
VV_MUST_CHECK int vv_child_wait(struct vv_child *c, int *status, struct vv_err *err);
/*
 * Runs to the end: writes `in` (may be empty) while reading all output into `out` (may be NULL:
 * the output is ours). Neither side can block the other. With VV_CHILD_ERR its standard error is
 * kept apart, and appended to `out` after the output when it exits nonzero.
 */
VV_MUST_CHECK int vv_child_run(const char *const *argv, const char *const *env, unsigned flags,
	struct vv_span in, struct vv_buf *out, int *status, struct vv_err *err);

#endif
