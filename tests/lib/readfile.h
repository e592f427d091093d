/* Whole files of tests/golden, for tests of modules below `os`. */
#ifndef VV_TESTS_READFILE_H
#define VV_TESTS_READFILE_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

/* `file` is __FILE__ of a tests/unit/<module>/test_x.c, `path` below tests/golden. Stops the test when it is not there. */
static inline struct vv_buf golden_file(const char *file, const char *path)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char full[4096], *dir = full;
	size_t n;
	FILE *f;
	void *p;

	snprintf(full, sizeof(full), "%s", file);
	/* From tests/unit/<module>/test_x.c up to tests. */
	for (int i = 0; i < 3 && (dir = strrchr(full, '/')); i++)
		*dir = 0;
	n = strlen(full);
	snprintf(full + n, sizeof(full) - n, "/golden/%s", path);
	f = fopen(full, "rb");
	if (!f) {
		printf("Bail out! no %s\n", full);
		exit(1);
	}
	while ((p = vv_buf_reserve(&b, 65536)) && (n = fread(p, 1, 65536, f)) > 0)
		b.len += n;
	fclose(f);
	return b;
}

#endif
