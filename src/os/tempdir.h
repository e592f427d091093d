/* A folder that is gone when we are done. */
#ifndef VV_OS_TEMPDIR_H
#define VV_OS_TEMPDIR_H

#include "base/err.h"

/* A new folder in `dir`, for our eyes only; *path is absolute and owned by the caller. */
VV_MUST_CHECK int vv_tempdir_make(char **path, const char *dir, struct vv_err *err);
/* With all that is in it; links are not followed. What cannot be removed stays. NULL: nothing. */
void vv_tempdir_remove(const char *path);

#endif
