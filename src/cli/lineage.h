/*
 * FILE.lineage.json: what `convert --with` ran to make FILE, out of what. It lies beside the file, for the user to
 * commit. A record counts for the file whose SHA-256 it names, and for no other.
 */
#ifndef VV_CLI_LINEAGE_H
#define VV_CLI_LINEAGE_H

#include "cli/cli.h"

#define VV_LINEAGE_ENDING ".lineage.json"

/* What stays to be added: "inputs", "output", "beside". `env` names variables whose values are kept. New. */
json_t *vv_lineage_new(const char *command, int status, const char *const *env, size_t n_env);
/* {"file", "size", "sha256"}: new. */
VV_MUST_CHECK int vv_lineage_file(json_t **out, const char *path, const char *name, struct vv_err *err);
VV_MUST_CHECK int vv_lineage_write(const json_t *record, const char *path, struct vv_err *err);
/* The record beside the file of that SHA-256; NULL when there is none, or it is another's. New. */
json_t *vv_lineage_read(const char *file, const struct vv_id *sha256);

#endif
