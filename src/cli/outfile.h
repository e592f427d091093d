/* Where -o FILE goes: a file that appears whole or not at all, or standard output. */
#ifndef VV_CLI_OUTFILE_H
#define VV_CLI_OUTFILE_H

#include "format/format.h"
#include "os/file.h"

struct vv_outfile {
	int fd;
	const char *name; /* for messages */
	struct vv_temp temp;
	const char *path; /* NULL: fd is written to as it is */
};

/* `path` NULL or "-": standard output. What exists and is no plain file (a pipe, a device) is written to directly. */
VV_MUST_CHECK int vv_outfile_open(struct vv_outfile *o, const char *path, struct vv_err *err);
/* The format whose new files end so, in any case of letters; NULL when there is none. */
const struct vv_format *vv_outfile_format(const char *path);
/* Gives the file its name. */
VV_MUST_CHECK int vv_outfile_commit(struct vv_outfile *o, struct vv_err *err);
/* Safe after a commit; removes what was not committed. */
void vv_outfile_release(struct vv_outfile *o);

#endif
