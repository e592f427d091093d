/* What commands do with directories that are tracked as one. */
#ifndef VV_CLI_DIRS_H
#define VV_CLI_DIRS_H

#include "cli/cli.h"

/* Is the word a directory, or said to be one by a slash at its end? `path`: from the top; owned by the caller, or NULL. */
VV_MUST_CHECK int vv_dir_word(struct vv_ctx *ctx, const char *word, char **path);
/* Adds the tracked directories that the pathspecs name (NULL: all). *n counts them, `list` gets each. */
VV_MUST_CHECK int vv_dirs_add(struct vv_ctx *ctx, const char *const *specs, json_t *list, size_t *n);
/* "12 new, 3 changed, 1 deleted of 400 files" */
char *vv_dir_counts(size_t added, size_t changed, size_t deleted, size_t files, char *text, size_t cap);

#endif
