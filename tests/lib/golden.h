/* The files of tests/golden, found from this source's own path. */
#ifndef VV_TESTS_GOLDEN_H
#define VV_TESTS_GOLDEN_H

#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Owned by the caller. `file` is __FILE__ of a tests/unit/<module>/test_x.c. */
static inline char *golden_dir(const char *file, const char *sub)
{
	char *dir = strdup(file), *path;
	const char *slash = NULL;

	/* From tests/unit/<module>/test_x.c up to tests. */
	for (int i = 0; i < 3; i++) {
		char *s = strrchr(dir, '/');
		if (s)
			*s = 0;
		slash = s;
	}
	if (!slash)
		return NULL;
	size_t n = strlen(dir) + strlen(sub) + sizeof("/golden/");
	path = malloc(n);
	snprintf(path, n, "%s/golden/%s", dir, sub);
	free(dir);
	return path;
}

#endif
