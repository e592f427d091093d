/* Lists of tensors below a line: the first few, and how many more there are. */
#ifndef VV_CLI_NAMES_H
#define VV_CLI_NAMES_H

#include "blend/resolution.h"
#include "cli/cli.h"

/* `names`: texts. */
void vv_print_names(const json_t *names, size_t most);
/* Tensors that are in conflict, and why. */
void vv_print_left(const struct vv_resolution *res, const char *indent, size_t most);
/* A list of {"tensor", "reason"}; empty for NULL. New. */
json_t *vv_left_json(const struct vv_resolution *res);

#endif
