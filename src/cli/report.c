#include "cli/report.h"

#include <math.h>
#include <stdlib.h>

static int open_one(struct vv_ctx *ctx, struct vv_outfile *f, const char *path)
{
	return path ? vv_outfile_open(f, path, &ctx->err) : 0;
}

int vv_report_open(struct vv_report *r, struct vv_ctx *ctx, char *const *words)
{
	struct vv_buf title = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	r->ctx = ctx;
	r->html_file = r->md_file = (struct vv_outfile){.fd = -1, .temp = VV_TEMP_INIT};
	vv_buf_init(&r->html, VV_MAX_TEXT);
	vv_buf_init(&r->md, VV_MAX_TEXT);
	if (!vv_report_wanted(r))
		return 0;
	if (r->html_path && r->md_path && !strcmp(r->html_path, r->md_path))
		return vv_fail(&ctx->err, VV_EUSAGE, "--html and --markdown name the same file");
	for (; *words; words++)
		vv_buf_fmt(&title, "%s%s", title.len ? " " : "", *words);
	r->title = title.len ? vv_buf_take(&title) : strdup("worktree");
	vv_buf_release(&title);
	if (!r->title)
		return vv_fail_nomem(&ctx->err);
	ret = open_one(ctx, &r->html_file, r->html_path);
	return ret ? ret : open_one(ctx, &r->md_file, r->md_path);
}

bool vv_report_wanted(const struct vv_report *r)
{
	return r->html_path || r->md_path;
}

/* --- one file --- */

/* Of what changed most; a tensor whose bytes fail is told once, by measuring. */
static int histograms(struct vv_report_part *p, const struct vv_version *a, const struct vv_version *b, struct vv_err *err)
{
	const struct vv_compared *c = p->c;
	int ret = 0;

	for (size_t i = 0; i < c->d->n && p->n_hist < VV_REPORT_HISTOGRAMS && !ret; i++) {
		const struct vv_diff_item *it = &c->d->items[c->order[i]];

		if (!it->measured || !it->delta.numel)
			continue;
		ret = vv_diffhist_make(&p->hist[p->n_hist], it, a, b, err);
		p->hist_of[p->n_hist++] = it;
	}
	return ret;
}

int vv_report_file(
	struct vv_report *r, const struct vv_compared *c, const struct vv_version *a, const struct vv_version *b)
{
	static const struct vv_manifest none = {.format = ""};
	struct vv_report_part *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return vv_fail_nomem(&r->ctx->err);
	p->c = c;
	vv_diff_say(p->what, sizeof(p->what), c);
	ret = vv_grids_make(&p->grids, c->d, c->b->manifest ? c->b->manifest : &none, &r->ctx->err);
	if (!ret && r->html_path && a && b)
		ret = histograms(p, a, b, &r->ctx->err);
	if (!ret && r->html_path)
		vv_html_part(&r->html, p);
	if (!ret && r->md_path)
		vv_md_part(&r->md, p);
	vv_grids_release(&p->grids);
	free(p);
	return ret;
}

/* A file of which there is only a word to say. */
static void say(struct vv_report *r, const char *path, const char *what)
{
	vv_buf_str(&r->html, "<section>\n<h2>");
	vv_svg_escape(&r->html, path, 0);
	vv_buf_fmt(&r->html, "</h2>\n<p class=\"soft\">%s</p>\n</section>\n", what);
	vv_buf_str(&r->md, "### ");
	vv_md_code(&r->md, path);
	vv_buf_fmt(&r->md, "\n\n%s\n\n", what);
}

void vv_report_conflict(struct vv_report *r, const char *path)
{
	say(r, path, "In conflict: nothing is compared before it is settled.");
}

void vv_report_plain(struct vv_report *r, const char *old_path, const char *path)
{
	say(r, path ? path : old_path, !old_path ? "new file" : !path ? "removed" : strcmp(old_path, path) ? "renamed" : "changed");
}

/* --- the files --- */

static int finish(struct vv_outfile *f, const struct vv_buf *text, struct vv_err *err)
{
	int ret = vv_buf_check(text, err);

	if (!ret)
		ret = vv_write_fd(f->fd, vv_buf_view(text), f->name, err);
	return ret ? ret : vv_outfile_commit(f, err);
}

int vv_report_end(struct vv_report *r, const struct vv_diffshow *totals)
{
	struct vv_buf html = VV_BUF_INIT(VV_MAX_TEXT), md = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	r->show = totals;
	if (r->html_path) {
		vv_html_whole(&html, r);
		ret = finish(&r->html_file, &html, &r->ctx->err);
	}
	if (!ret && r->md_path) {
		vv_md_whole(&md, r);
		ret = finish(&r->md_file, &md, &r->ctx->err);
	}
	vv_buf_release(&html);
	vv_buf_release(&md);
	return ret;
}

void vv_report_release(struct vv_report *r)
{
	vv_outfile_release(&r->html_file);
	vv_outfile_release(&r->md_file);
	vv_buf_release(&r->html);
	vv_buf_release(&r->md);
	free(r->title);
}

/* --- words --- */

char *vv_report_relative(double v, char *text)
{
	if (!isfinite(v))
		snprintf(text, 16, "from 0");
	else if (v >= 9.995)
		snprintf(text, 16, "%.2g\xc3\x97", v);
	else if (v >= 0.0995)
		snprintf(text, 16, "%.0f %%", 100 * v);
	else if (v >= 0.00995)
		snprintf(text, 16, "%.1f %%", 100 * v);
	else if (v >= 0.000095)
		snprintf(text, 16, "%.2f %%", 100 * v);
	else
		snprintf(text, 16, v > 0 ? "%.0e" : "0 %%", v);
	return text;
}

void vv_report_type(const struct vv_diff_item *it, char *text, size_t cap)
{
	const struct vv_view *v = it->view_b ? it->view_b : it->view_a;
	const struct vv_manifest_seg *seg = it->seg_b ? it->seg_b : it->seg_a;
	char now[256], was[256];

	vv_shape_text(v->shape, v->ndim, now, sizeof(now));
	if (it->kind != VV_DIFF_RETYPED && it->kind != VV_DIFF_RESHAPED) {
		snprintf(text, cap, "%s %s", vv_dtype_info(seg->seg.dtype)->name, now);
		return;
	}
	vv_shape_text(it->view_a->shape, it->view_a->ndim, was, sizeof(was));
	snprintf(text, cap, "%s %s \xe2\x86\x92 %s %s", vv_dtype_info(it->seg_a->seg.dtype)->name, was,
		vv_dtype_info(seg->seg.dtype)->name, now);
}
