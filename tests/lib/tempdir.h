/* A folder of the test's own, gone at its end. */
#ifndef VV_TESTS_TEMPDIR_H
#define VV_TESTS_TEMPDIR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw */
#endif

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char tempdir_path[4096];

static inline int tempdir_drop(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	return remove(path);
}

static inline void tempdir_remove(void)
{
	if (tempdir_path[0])
		nftw(tempdir_path, tempdir_drop, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes it, goes there, and has it removed at exit. */
static inline void tempdir_enter(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(tempdir_path, sizeof(tempdir_path), "%s/varve-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(tempdir_path) || chdir(tempdir_path)) {
		printf("Bail out! no temporary folder\n");
		exit(1);
	}
	atexit(tempdir_remove);
}

#endif
