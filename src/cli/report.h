/* What differs, as a page (--html) and as text for a pull request (--markdown): both from the same data. */
#ifndef VV_CLI_REPORT_H
#define VV_CLI_REPORT_H

#include "cli/diffshow.h"
#include "cli/outfile.h"
#include "cli/svg.h"
#include "diff/hist.h"
#include "diff/grid.h"

enum { VV_REPORT_HISTOGRAMS = 6 };

struct vv_report {
	struct vv_ctx *ctx;
	const char *html_path, *md_path; /* NULL: not wanted; "-": standard output. Borrowed */
	struct vv_outfile html_file, md_file;
	char *title;              /* "v1 v2": what was asked to be compared */
	struct vv_buf html, md;   /* the files so far */
	const struct vv_diffshow *show; /* has the totals */
};

/* One file's part, gathered once for both. */
struct vv_report_part {
	const struct vv_compared *c;
	char what[160];              /* vv_diff_say's */
	struct vv_grids grids;
	struct vv_diffhist hist[VV_REPORT_HISTOGRAMS];
	const struct vv_diff_item *hist_of[VV_REPORT_HISTOGRAMS];
	size_t n_hist;
};

/* Opens the files: one that cannot be written is told before anything is read. `words`: what was compared. */
VV_MUST_CHECK int vv_report_open(struct vv_report *r, struct vv_ctx *ctx, char *const *words);
bool vv_report_wanted(const struct vv_report *r);
/* `a` and `b`: the bytes of both, or NULL: then there are no histograms. */
VV_MUST_CHECK int vv_report_file(
	struct vv_report *r, const struct vv_compared *c, const struct vv_version *a, const struct vv_version *b);
/* One that cannot be compared before somebody settles it. */
void vv_report_conflict(struct vv_report *r, const char *path);
/* A file of a directory that is no model. `old_path` or `path` NULL: it is not there. */
void vv_report_plain(struct vv_report *r, const char *old_path, const char *path);
/* Writes them. */
VV_MUST_CHECK int vv_report_end(struct vv_report *r, const struct vv_diffshow *totals);
void vv_report_release(struct vv_report *r);

/* --- shared by the two --- */
/* "12 %", "0.31 %", "4.0e-05": how far, to be read at a glance. `text` holds 16 bytes; returns it. */
char *vv_report_relative(double relative, char *text);
/* "f32 [2,2]", or "f32 [4] → f32 [2,2]". */
void vv_report_type(const struct vv_diff_item *it, char *text, size_t cap);

void vv_html_part(struct vv_buf *out, const struct vv_report_part *p);
void vv_html_whole(struct vv_buf *out, const struct vv_report *r);
void vv_html_histograms(struct vv_buf *out, const struct vv_report_part *p);
/* A name as code, also in a table. */
void vv_md_code(struct vv_buf *out, const char *name);
void vv_md_part(struct vv_buf *out, const struct vv_report_part *p);
void vv_md_whole(struct vv_buf *out, const struct vv_report *r);
extern const char vv_report_style[];

#endif
