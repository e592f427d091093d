#define _GNU_SOURCE
#include "os/tempdir.h"

#include "os/file.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

int vv_tempdir_make(char **path, const char *dir, struct vv_err *err)
{
	char *full = realpath(dir, NULL), *made = NULL;
	int ret = 0;

	if (!full)
		return vv_fail_sys(err, errno, "%s", dir);
	made = vv_join(full, ".varve-XXXXXX");
	if (!made)
		ret = vv_fail_nomem(err);
	else if (!mkdtemp(made))
		ret = vv_fail_sys(err, errno, "cannot make a folder in %s", full);
	if (ret)
		free(made);
	else
		*path = made;
	free(full);
	return ret;
}

static int remove_one(const char *path, const struct stat *st VV_UNUSED, int type VV_UNUSED, struct FTW *at VV_UNUSED)
{
	(void)remove(path);
	return 0;
}

void vv_tempdir_remove(const char *path)
{
	enum { OPEN_AT_ONCE = 16 };

	if (path)
		(void)nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS);
}
