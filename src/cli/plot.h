/* A model as a picture: a bar for each layer, and how its values are spread. For `show --plot`. */
#ifndef VV_CLI_PLOT_H
#define VV_CLI_PLOT_H

#include "cli/bytes.h"
#include "model/describe.h"

/* Writes it to the file, whole or not at all; "-" is standard output. Values are read from `version`. */
VV_MUST_CHECK int vv_plot(struct vv_ctx *ctx, const char *name, const struct vv_version *version,
	const struct vv_description *d, const char *optimizer, const char *file);

#endif
