/*
 * Errors. A function that can fail returns 0 or one negative enum vv_code and takes `err` last.
 * The innermost function writes the one-line message, naming object and offset; outer functions
 * only prefix it. The library never prints, exits or aborts on data.
 */
#ifndef VV_BASE_ERR_H
#define VV_BASE_ERR_H

#include "base/compiler.h"

/* Each code is a different thing for the caller to do. Exit statuses: cli/exit.h. */
enum vv_code {
	VV_OK = 0,
	VV_ENOTFOUND = -1, /* the named thing is not there */
	VV_EEXISTS = -2,   /* it is there already */
	VV_EFORMAT = -3,   /* the user's file is wrong */
	VV_ECORRUPT = -4,  /* our own store is wrong: run fsck */
	VV_ELIMIT = -5,    /* larger than a documented limit */
	VV_ENOTSUP = -6,   /* not possible here, or written by a newer varve */
	VV_EIO = -7,       /* the system said no; `sys` is errno */
	VV_ELOCKED = -8,   /* somebody else holds it: try again */
	VV_ECONFLICT = -9, /* both sides changed */
	VV_ENOMEM = -10,
	VV_ECHANGED = -11, /* the file changed while it was read */
	VV_EUSAGE = -12,   /* the call's words are wrong */
	VV_EGIT = -13,     /* git said no */
	VV_EUNSAFE = -14,  /* a path or link that would leave its folder */
};

struct vv_err {
	int code;
	int sys; /* errno, or 0 */
	char msg[512];
};

#define VV_ERR_INIT {0, 0, ""}

/* Writes the message, sets the code and returns it. */
int vv_fail(struct vv_err *err, int code, const char *fmt, ...) VV_PRINTF(3, 4);
/* The same with VV_EIO (VV_ENOTFOUND for ENOENT), and ": <strerror>" appended. */
int vv_fail_sys(struct vv_err *err, int sys, const char *fmt, ...) VV_PRINTF(3, 4);
int vv_fail_nomem(struct vv_err *err);
/* Puts "<text>: " before the message; returns err->code. */
int vv_err_in(struct vv_err *err, const char *fmt, ...) VV_PRINTF(2, 3);
void vv_err_clear(struct vv_err *err);
/* "not-found", "corrupt", …: for --json. */
const char *vv_code_name(int code);

#endif
