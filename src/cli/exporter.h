/* The user's own exporter, run on versions of models: `convert --with`. */
#ifndef VV_CLI_EXPORTER_H
#define VV_CLI_EXPORTER_H

#include "cli/cli.h"

struct vv_exporter {
	const char *command; /* for sh -c: from the command line, never from a repository */
	const char *file;    /* that it is to make */
	char *const *inputs; /* as vv_named_open takes them */
	size_t n_inputs;
	struct vv_opt_list env; /* variables whose values the record keeps */
};
/*
 * Runs it in the folder where we are, with VARVE_INPUT and VARVE_OUTPUT set and the inputs as "$1" and so on. What it
 * makes is moved to its place, and the record beside it, once it has ended well. *status: how it ended; not 0: nothing
 * was written, and that was said. *output: the record's, new. May end the process by the signal that came.
 */
VV_MUST_CHECK int vv_exporter_run(struct vv_ctx *ctx, const struct vv_exporter *e, int *status, json_t **output);

#endif
