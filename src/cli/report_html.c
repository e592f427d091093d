/* The page. It needs nothing else: no script, no file, no network. */
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
	STEPS = 9,    /* of the heat map's colour */
	ROWS = 2000,  /* tensors listed */
	OPEN_ROWS = 40, /* listed without being asked for */
};

/* --- the heat map --- */

/* The step of a change between the least and the largest, by orders of magnitude. */
static int heat(double v, double min, double max)
{
	double at = max > min ? log(v / min) / log(max / min) : 1;

	return (int)fmin(STEPS - 1, fmax(0, floor(at * STEPS)));
}

/* Class and text of a cell: how far, or what became of it. A total keeps its number beside a NaN somewhere in it. */
static const char *cell_class(
	const struct vv_delta_sum *s, const struct vv_grids *g, bool total, char *class, char *text)
{
	double v = vv_delta_sum_relative(s);

	text[0] = 0;
	if (!s->tensors && !s->removed)
		return NULL;
	if (s->odd_b > s->odd_a && !(total && v > 0))
		return snprintf(text, 16, "NaN"), "odd";
	if (v > 0) {
		vv_report_relative(v, text);
		snprintf(class, 16, "h%d", isfinite(v) ? heat(v, g->min, g->max) : STEPS - 1);
		return class;
	}
	if (s->changed)
		return snprintf(text, 16, "%s", s->measured == s->changed ? "0 %" : "\xe2\x89\xa0"), "other";
	if (s->added || s->removed)
		return snprintf(text, 16, "%s", s->added ? "+" : "\xe2\x88\x92"), s->added ? "plus" : "minus";
	return snprintf(text, 16, "%s", s->renamed ? "\xe2\x86\xb7" : "\xc2\xb7"), "same";
}

static void put_counts(struct vv_buf *out, const struct vv_delta_sum *s)
{
	vv_buf_fmt(out, "%zu of %zu changed", s->changed, s->tensors);
	if (s->added)
		vv_buf_fmt(out, ", %zu added", s->added);
	if (s->removed)
		vv_buf_fmt(out, ", %zu removed", s->removed);
	if (s->measured) {
		char text[48];

		vv_buf_fmt(out, ", relative L2 %s", vv_relative_text(vv_delta_sum_relative(s), s->estimated > 0,
			vv_delta_sum_relative_error(s), text));
		if (!s->estimated)
			vv_buf_fmt(out, ", max %.2e", s->max_abs);
	}
	if (s->odd_a || s->odd_b)
		vv_buf_fmt(out, ", NaN and infinite %" PRIu64 " \xe2\x86\x92 %" PRIu64, s->odd_a, s->odd_b);
}

static void put_cell(struct vv_buf *out, const struct vv_delta_sum *s, const struct vv_grids *g, bool total, const char *more)
{
	char class[16], text[16];
	const char *c = cell_class(s, g, total, class, text);

	if (!c) {
		vv_buf_fmt(out, *more ? "<td class=\"%s\"></td>" : "<td></td>", more);
		return;
	}
	vv_buf_fmt(out, "<td class=\"%s%s%s\" title=\"", c, *more ? " " : "", more);
	put_counts(out, s);
	vv_buf_fmt(out, "\">%s</td>", text);
}

/* A name, which may be broken after its dots. */
static void put_breakable(struct vv_buf *out, const char *name)
{
	const char *dot;

	for (; (dot = strchr(name, '.')); name = dot + 1) {
		char *part = strndup(name, (size_t)(dot - name));
		vv_svg_escape(out, part ? part : "?", 0);
		vv_buf_str(out, ".<wbr>");
		free(part);
	}
	vv_svg_escape(out, name, 0);
}

static void put_grid(struct vv_buf *out, const struct vv_grid *g, const struct vv_grids *all)
{
	vv_buf_str(out, "<div class=\"scroll\"><table class=\"heat\">\n<caption><span class=\"name\">");
	vv_svg_escape(out, *g->stack ? g->stack : "layers", 0);
	vv_buf_str(out, "</span>: ");
	put_counts(out, &g->sum);
	vv_buf_str(out, "</caption>\n<thead><tr><td></td>");
	for (size_t i = 0; i < g->n_columns; i++) {
		vv_buf_str(out, "<th scope=\"col\"><span>");
		vv_svg_escape(out, g->columns[i], 0);
		vv_buf_str(out, "</span></th>");
	}
	vv_buf_str(out, "<th scope=\"col\" class=\"all\"><span>whole layer</span></th></tr></thead>\n<tbody>\n");
	for (size_t r = 0; r < g->n_rows; r++) {
		vv_buf_str(out, "<tr><th scope=\"row\">");
		vv_svg_escape(out, g->rows[r], 0);
		vv_buf_str(out, "</th>");
		for (size_t i = 0; i < g->n_columns; i++)
			put_cell(out, &g->cells[r * g->n_columns + i], all, false, "");
		put_cell(out, &g->row_sums[r], all, true, "all");
		vv_buf_str(out, "</tr>\n");
	}
	vv_buf_str(out, "</tbody>\n<tfoot><tr><th scope=\"row\">all</th>");
	for (size_t i = 0; i < g->n_columns; i++)
		put_cell(out, &g->column_sums[i], all, true, "");
	put_cell(out, &g->sum, all, true, "all");
	vv_buf_str(out, "</tr></tfoot>\n</table></div>\n");
}

static void put_others(struct vv_buf *out, const struct vv_grids *g)
{
	if (!g->n_others)
		return;
	vv_buf_str(out, "<div class=\"scroll\"><table class=\"heat\">\n<caption>outside of the layers</caption>\n<tbody>\n");
	for (size_t i = 0; i < g->n_others; i++) {
		vv_buf_str(out, "<tr><th scope=\"row\" class=\"name\">");
		vv_svg_escape(out, g->others[i].name, 0);
		vv_buf_str(out, "</th>");
		put_cell(out, &g->others[i].sum, g, false, "");
		vv_buf_str(out, "</tr>\n");
	}
	vv_buf_str(out, "</tbody>\n</table></div>\n");
}

static void put_legend(struct vv_buf *out, const struct vv_grids *g)
{
	char text[16];

	vv_buf_fmt(out, "<p class=\"legend\">");
	if (g->max > 0) {
		vv_buf_fmt(out, "%s ", vv_report_relative(g->min, text));
		for (int i = 0; i < STEPS; i++)
			vv_buf_fmt(out, "<i class=\"h%d\">&nbsp;</i>", i);
		vv_buf_fmt(out, " %s <span>on a logarithmic scale</span>", vv_report_relative(g->max, text));
	}
	vv_buf_fmt(out,
		"<span>\xc2\xb7 unchanged</span><span>+ added</span><span>\xe2\x88\x92 removed</span>"
		"<span>\xe2\x89\xa0 changed, without numbers</span></p>\n");
	if (g->left_out)
		vv_buf_fmt(out, "<p class=\"soft\">%zu more tensors do not fit into the map.</p>\n", g->left_out);
}

static void put_heat(struct vv_buf *out, const struct vv_grids *g)
{
	bool any = g->n_others > 0;

	for (size_t i = 0; i < g->n; i++)
		any |= vv_delta_sum_any(&g->v[i].sum);
	if (!any)
		return;
	vv_buf_str(out,
		"<h3>Where it changed</h3>\n<p class=\"soft\">Norm of the difference over the norm of the old values, of the tensors in "
		"a cell that changed.</p>\n");
	for (size_t i = 0; i < g->n; i++)
		if (vv_delta_sum_any(&g->v[i].sum))
			put_grid(out, &g->v[i], g);
	put_others(out, g);
	put_legend(out, g);
}

/* --- the list --- */

static void put_share(struct vv_buf *out, uint64_t n, uint64_t of)
{
	char text[16];

	vv_share_text(n, of, text);
	vv_buf_str(out, "<td class=\"n\">");
	vv_svg_escape(out, text, 0);
	vv_buf_str(out, "</td>");
}

static void put_numbers(struct vv_buf *out, const struct vv_delta *d, const struct vv_grids *g)
{
	double width = isfinite(d->relative) && g->max > 0 ? 100 * fmin(1, d->relative / g->max) : 100;
	char text[48];

	vv_buf_fmt(out, "<td class=\"n\">%s<span class=\"bar\"><i style=\"width:%.0f%%\">&nbsp;</i></span></td>",
		vv_relative_text(d->relative, d->estimated, d->relative_error, text), width);
	if (isfinite(d->cosine))
		vv_buf_fmt(out, "<td class=\"n\">%s</td>", vv_cosine_text(d->cosine, d->estimated, d->cosine_error, text));
	else
		vv_buf_str(out, "<td class=\"n\">\xe2\x80\x93</td>");
	if (d->estimated) {
		for (int i = 0; i < 3; i++)
			vv_buf_str(out, "<td class=\"n\">\xe2\x80\x93</td>");
	} else {
		vv_buf_fmt(out, "<td class=\"n\">%.2e</td>", d->max_abs);
		put_share(out, d->changed, d->numel);
		put_share(out, d->flips, d->numel);
	}
	if (isfinite(d->rank))
		vv_buf_fmt(out, "<td class=\"n\">%.1f</td>", d->rank);
	else
		vv_buf_str(out, "<td class=\"n\">\xe2\x80\x93</td>");
	vv_buf_fmt(out, "<td class=\"n\">%.3g \xe2\x86\x92 %.3g</td>", d->std_a, d->std_b);
	if (d->zero_a == d->zero_b) {
		put_share(out, d->zero_a, d->numel);
	} else {
		char was[16], is[16];
		vv_share_text(d->zero_a, d->numel, was);
		vv_share_text(d->zero_b, d->numel, is);
		vv_buf_str(out, "<td class=\"n\">");
		vv_svg_escape(out, was, 0);
		vv_buf_str(out, " \xe2\x86\x92 ");
		vv_svg_escape(out, is, 0);
		vv_buf_str(out, "</td>");
	}
}

static void put_odd(struct vv_buf *out, const struct vv_delta *d)
{
	if (d->nan_a || d->nan_b || d->inf_a || d->inf_b)
		vv_buf_fmt(out,
			"<br><span class=\"odd\">NaN %" PRIu64 " \xe2\x86\x92 %" PRIu64 ", inf %" PRIu64 " \xe2\x86\x92 %" PRIu64 "</span>",
			d->nan_a, d->nan_b, d->inf_a, d->inf_b);
}

static void put_item(struct vv_buf *out, const struct vv_diff_item *it, const struct vv_grids *g)
{
	char type[600];

	vv_report_type(it, type, sizeof(type));
	vv_buf_fmt(out, "<tr><td class=\"%s\">%s</td><th scope=\"row\" class=\"name\">", vv_diff_kind_name(it->kind),
		vv_diff_kind_name(it->kind));
	if (it->old_name) {
		put_breakable(out, it->old_name);
		vv_buf_str(out, " \xe2\x86\x92 ");
	}
	put_breakable(out, it->name);
	if (it->measured)
		put_odd(out, &it->delta);
	vv_buf_str(out, "</th><td>");
	vv_svg_escape(out, type, 0);
	vv_buf_str(out, "</td>");
	if (it->measured)
		put_numbers(out, &it->delta, g);
	else
		vv_buf_str(out, "<td colspan=\"8\"></td>");
	vv_buf_str(out, "</tr>\n");
}

static void put_rows(struct vv_buf *out, const struct vv_report_part *p, size_t from, size_t to)
{
	const struct vv_compared *c = p->c;

	vv_buf_str(out,
		"<div class=\"scroll\"><table class=\"list\">\n<thead><tr><th scope=\"col\">change</th><th scope=\"col\">tensor</th>"
		"<th scope=\"col\">type</th><th scope=\"col\" class=\"n\">relative L2</th><th scope=\"col\" class=\"n\">cosine</th>"
		"<th scope=\"col\" class=\"n\">max |\xce\x94|</th><th scope=\"col\" class=\"n\">elements</th>"
		"<th scope=\"col\" class=\"n\">sign flips</th><th scope=\"col\" class=\"n\">rank of \xce\x94</th>"
		"<th scope=\"col\" class=\"n\">deviation</th><th scope=\"col\" class=\"n\">zeros</th></tr>"
		"</thead>\n<tbody>\n");
	for (size_t i = from; i < to; i++)
		put_item(out, &c->d->items[c->order[i]], &p->grids);
	vv_buf_str(out, "</tbody>\n</table></div>\n");
}

static void put_list(struct vv_buf *out, const struct vv_report_part *p)
{
	size_t n = p->c->d->n, shown = n < ROWS ? n : ROWS, first = shown < OPEN_ROWS ? shown : OPEN_ROWS;

	if (!n)
		return;
	vv_buf_str(out, "<h3>Tensors, what changed most first</h3>\n");
	put_rows(out, p, 0, first);
	if (shown > first) {
		vv_buf_fmt(out, "<details><summary>%zu more tensors</summary>\n", shown - first);
		put_rows(out, p, first, shown);
		vv_buf_str(out, "</details>\n");
	}
	if (n > shown)
		vv_buf_fmt(out, "<p class=\"soft\">%zu more are not listed here; varve diff --json has them all.</p>\n", n - shown);
}

void vv_html_part(struct vv_buf *out, const struct vv_report_part *p)
{
	const struct vv_compared *c = p->c;

	vv_buf_str(out, "<section>\n<h2>");
	if (c->a->manifest && c->b->manifest && strcmp(c->a->path, c->b->path)) {
		vv_svg_escape(out, c->a->path, 0);
		vv_buf_str(out, " \xe2\x86\x92 ");
	}
	vv_svg_escape(out, c->b->path, 0);
	vv_buf_str(out, "</h2>\n<p class=\"soft\">");
	vv_svg_escape(out, p->what, 0);
	if (c->a->manifest && c->b->manifest && strcmp(c->d->format_a, c->d->format_b)) {
		vv_buf_str(out, "; format ");
		vv_svg_escape(out, c->d->format_a, 0);
		vv_buf_str(out, " \xe2\x86\x92 ");
		vv_svg_escape(out, c->d->format_b, 0);
	}
	vv_buf_str(out, "</p>\n");
	if (c->a->manifest && c->b->manifest) {
		put_heat(out, &p->grids);
		vv_html_histograms(out, p);
		put_list(out, p);
	}
	vv_buf_str(out, "</section>\n");
}

/* --- the page around them --- */

static void put_tile(struct vv_buf *out, size_t n, const char *what, const char *class)
{
	vv_buf_fmt(out, "<li><b class=\"%s\">%zu</b><span>%s</span></li>\n", n ? class : "soft", n, what);
}

void vv_html_whole(struct vv_buf *out, const struct vv_report *r)
{
	const struct vv_diffshow *s = r->show;
	char text[16];

	vv_buf_str(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Model changes: ");
	vv_svg_escape(out, r->title, 0);
	vv_buf_str(out, "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n");
	vv_buf_str(out, vv_report_style);
	vv_buf_str(out, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>Model changes</h1>\n<p class=\"soft\"><code>varve diff ");
	vv_svg_escape(out, r->title, 0);
	vv_buf_str(out, "</code></p>\n</header>\n<ul class=\"tiles\">\n");
	put_tile(out, s->files, s->files == 1 ? "model differs" : "models differ", "");
	put_tile(out, s->changed, "tensors changed", "");
	put_tile(out, s->added, "added", "added");
	put_tile(out, s->removed, "removed", "removed");
	if (s->renamed)
		put_tile(out, s->renamed, "renamed", "renamed");
	if (s->odd)
		put_tile(out, s->odd, "gained NaN or infinite values", "odd");
	if (s->largest_name) {
		vv_buf_str(out, "<li class=\"wide\"><b class=\"name\">");
		put_breakable(out, s->largest_name);
		vv_buf_fmt(out, "</b><span>moved most: %s%s</span></li>\n", s->largest_estimated ? "~" : "",
			vv_report_relative(s->largest, text));
	}
	vv_buf_str(out, "</ul>\n");
	if (!s->files)
		vv_buf_str(out, "<p>Nothing differs.</p>\n");
	vv_buf_span(out, vv_buf_view(&r->html));
	vv_buf_str(out,
		"<footer>Relative L2: the norm of the difference over the norm of the old values. Rank of \xce\x94: the stable rank, "
		"the squared Frobenius norm over the squared spectral norm. Pairs with a NaN or an infinity are left out of "
		"all but their own count. Made by varve.</footer>\n</main>\n</body>\n</html>\n");
}
