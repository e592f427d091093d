/* The page's histograms: old and new over each other, and what lies between them. */
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>

enum { WIDTH = 264, HEIGHT = 116, BASE = 96, TOP = 6 };

static uint64_t highest(const struct vv_bins *h)
{
	uint64_t max = 0;

	for (int i = 0; i < VV_DIFFHIST_BINS; i++)
		max = h->bins[i] > max ? h->bins[i] : max;
	return max;
}

/* Roots of counts: the tails are what training changes, and in a linear plot one would not see them. */
static void put_steps(struct vv_buf *out, const struct vv_bins *h, uint64_t max, const char *class)
{
	double step = (double)WIDTH / VV_DIFFHIST_BINS;

	vv_buf_fmt(out, "<path class=\"%s\" d=\"M0 %d", class, BASE);
	for (int i = 0; i < VV_DIFFHIST_BINS; i++)
		vv_buf_fmt(out, "V%.1fH%.1f", BASE - (max ? sqrt((double)h->bins[i] / (double)max) : 0) * (BASE - TOP), step * (i + 1));
	vv_buf_fmt(out, "V%dZ\"/>", BASE);
}

static void put_axis(struct vv_buf *out, const struct vv_bins *h)
{
	vv_buf_fmt(out,
		"<path class=\"axis\" d=\"M0 %d.5H%d\"/><text x=\"0\" y=\"%d\">%.3g</text>"
		"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.3g</text>", BASE, WIDTH, HEIGHT - 4, h->lo, WIDTH, HEIGHT - 4, h->hi);
	if (h->lo < 0 && h->hi > 0) {
		double zero = -h->lo / (h->hi - h->lo) * WIDTH;
		vv_buf_fmt(out, "<path class=\"axis\" d=\"M%.1f %dV%d\"/>", zero, TOP, BASE);
		if (zero > WIDTH / 4.0 && zero < WIDTH * 0.75)
			vv_buf_fmt(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">0</text>", zero, HEIGHT - 4);
	}
}

static void open_svg(struct vv_buf *out, const char *what, const struct vv_bins *h)
{
	vv_buf_fmt(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s, from %.3g to %.3g\">", WIDTH, HEIGHT, what,
		h->lo, h->hi);
	put_axis(out, h);
}

static void put_pair(struct vv_buf *out, const struct vv_diffhist *h)
{
	uint64_t old = highest(&h->a), new = highest(&h->b), max = old > new ? old : new;

	vv_buf_str(out, "<div class=\"pair\">");
	open_svg(out, "Histogram of old and new values", &h->a);
	put_steps(out, &h->b, max, "new");
	put_steps(out, &h->a, max, "old");
	vv_buf_fmt(out, "<text class=\"t-old\" x=\"2\" y=\"14\">old</text><text class=\"t-new\" x=\"2\" y=\"28\">new</text></svg>\n");
	open_svg(out, "Histogram of the differences", &h->delta);
	put_steps(out, &h->delta, highest(&h->delta), "delta");
	vv_buf_fmt(out, "<text x=\"2\" y=\"14\">new \xe2\x88\x92 old</text></svg></div>\n");
}

void vv_html_histograms(struct vv_buf *out, const struct vv_report_part *p)
{
	if (!p->n_hist)
		return;
	vv_buf_fmt(out,
		"<h3>Values of what changed most</h3>\n<p class=\"soft\">Four standard deviations to either side; heights are the square "
		"roots of counts.</p>\n<div class=\"hists\">\n");
	for (size_t i = 0; i < p->n_hist; i++) {
		const struct vv_delta *d = &p->hist_of[i]->delta;
		const struct vv_diffhist *h = &p->hist[i];
		uint64_t outside = h->a.outside + h->b.outside;
		char text[16], n[32];

		vv_buf_str(out, "<figure>\n<figcaption><span class=\"name\">");
		vv_svg_escape(out, p->hist_of[i]->name, 0);
		vv_buf_fmt(out, "</span><br>moved by %s; standard deviation %.3g \xe2\x86\x92 %.3g", vv_report_relative(d->relative, text),
			d->std_a, d->std_b);
		if (h->seen < d->numel)
			vv_buf_fmt(out, "; %s elements looked at", vv_grouped(h->seen, n));
		if (outside)
			vv_buf_fmt(out, "; %s outside", vv_grouped(outside, n));
		vv_buf_str(out, "</figcaption>\n");
		put_pair(out, h);
		vv_buf_str(out, "</figure>\n");
	}
	vv_buf_str(out, "</div>\n");
}
