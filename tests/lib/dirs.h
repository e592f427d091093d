/* Directories of a few letters: "a=1 b/c=2" is file a with the bytes "1" and b/c with "2". */
#ifndef VV_TESTS_MODEL_DIRS_H
#define VV_TESTS_MODEL_DIRS_H

#include "hash/sha256.h"
#include "model/directory.h"
#include "tap.h"

#include <stdio.h>

/* "x" after the bytes: may be run. */
static inline void dir_of(struct vv_manifest *m, const char *spec)
{
	struct vv_dir_build b = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	char path[64], bytes[64];
	int n;

	while (sscanf(spec, " %63[^=]=%63[^ ]%n", path, bytes, &n) == 2) {
		size_t len = strlen(bytes);
		unsigned mode = bytes[len - 1] == 'x' ? 0755 : 0644;
		struct vv_manifest_seg seg = {0};
		struct vv_manifest file = {.format = "opaque", .segs = &seg, .n_segs = 1};

		len -= mode == 0755;
		file.size = seg.seg.len = len;
		vv_sha256(vv_span(bytes, len), &file.sha256);
		seg.id = file.sha256;
		CHECK_OK(vv_dir_build_put(&b, path, mode, &file, &err), &err);
		spec += n;
	}
	CHECK_OK(vv_dir_build_end(&b, &text, m, &err), &err);
	vv_dir_build_release(&b);
	vv_buf_release(&text);
}

#endif
