/* How differences are shown: a table for people, or JSON. */
#ifndef VV_CLI_DIFFSHOW_H
#define VV_CLI_DIFFSHOW_H

#include "cli/cli.h"
#include "cli/table.h"
#include "diff/rollup.h"

struct vv_diffshow {
	struct vv_ctx *ctx;
	bool stat;      /* a line for each file */
	bool silent;    /* counts only */
	bool in_order;  /* as they come in the file, not by change */
	uint64_t depth; /* of layers */
	size_t files;   /* that differ */
	size_t changed, added, removed, renamed; /* tensors, of all files */
	size_t odd;     /* tensors that gained a NaN or an infinity */
	double largest; /* relative change, and where */
	char *largest_name;
	bool largest_estimated;
	struct vv_table stats;
	json_t *list;
};

/* One file on two sides. A side without a manifest has no model there. */
struct vv_compared {
	const struct vv_named *a, *b;
	const struct vv_diff *d;
	const size_t *order;           /* vv_diff_order's */
	const struct vv_rollup *layers; /* NULL: tensors, not layers, are shown */
};

/* The options are set already. */
void vv_diffshow_init(struct vv_diffshow *s, struct vv_ctx *ctx);
void vv_diffshow_release(struct vv_diffshow *s);
void vv_diffshow_file(struct vv_diffshow *s, const struct vv_compared *c);
/* A file of a directory that is no model on both sides. `old_path` or `path` NULL: it is not there. */
void vv_diffshow_plain(struct vv_diffshow *s, const char *old_path, const char *path, uint64_t old_size, uint64_t size);
/* A file that cannot be compared before somebody settles it. */
void vv_diffshow_conflict(struct vv_diffshow *s, const char *path);
/* The summary; all of the JSON. */
void vv_diffshow_end(struct vv_diffshow *s);

/* How many tensors of each kind. */
struct vv_diff_counts {
	size_t by_kind[VV_DIFF_MOVED + 1];
	size_t total;    /* in b */
	size_t reworked; /* changed, retyped, reshaped */
};
struct vv_diff_counts vv_diff_count(const struct vv_diff *d);
/* "3 of 12 tensors changed, 1 added" */
void vv_diff_say(char *text, size_t cap, const struct vv_compared *c);
const char *vv_diff_kind_name(enum vv_diff_kind kind);
/*
 * "1.32e-02", or "~1.3e-02 ±5.8e-04" of an estimate; a cosine likewise, "-" when there is none. `text` holds 48 bytes; both
 * return it.
 */
char *vv_relative_text(double v, bool estimated, double error, char *text);
char *vv_cosine_text(double v, bool estimated, double error, char *text);
/* "12.3 %"; one element of a million is not 0 %, and all but one are not 100 %. `text` holds 16 bytes; returns it. */
char *vv_share_text(uint64_t n, uint64_t of, char *text);

/* --- what changed by layer (cli/difflayers.c) --- */
void vv_difflayers_print(const struct vv_ctx *ctx, const struct vv_rollup *r, uint64_t depth);
/* A list of the layers in which something changed. New. */
json_t *vv_difflayers_json(const struct vv_rollup *r, uint64_t depth);

#endif
