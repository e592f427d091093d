/* How differences are shown: a table for people, or JSON. */
#ifndef VV_CLI_DIFFSHOW_H
#define VV_CLI_DIFFSHOW_H

#include "cli/cli.h"
#include "cli/table.h"
#include "model/diff.h"

struct vv_diffshow {
	struct vv_ctx *ctx;
	bool stat;      /* a line for each file */
	size_t files;   /* that differ */
	size_t changed, added, removed, renamed; /* tensors, of all files */
	double largest; /* relative change, and where */
	char *largest_name;
	struct vv_table stats;
	json_t *list;
};

void vv_diffshow_init(struct vv_diffshow *s, struct vv_ctx *ctx);
void vv_diffshow_release(struct vv_diffshow *s);
/* A side without a manifest has no model there. */
void vv_diffshow_file(
	struct vv_diffshow *s, const struct vv_named *a, const struct vv_named *b, const struct vv_diff *d);
/* A file of a directory that is no model on both sides. `old_path` or `path` NULL: it is not there. */
void vv_diffshow_plain(struct vv_diffshow *s, const char *old_path, const char *path, uint64_t old_size, uint64_t size);
/* A file that cannot be compared before somebody settles it. */
void vv_diffshow_conflict(struct vv_diffshow *s, const char *path);
/* The summary; all of the JSON. */
void vv_diffshow_end(struct vv_diffshow *s);

#endif
