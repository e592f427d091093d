/* The text for a pull request: a summary, and details that unfold. */
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
	FIRST = 10,   /* tensors in sight */
	ROWS = 150,   /* tensors listed for each file */
	CELLS = 24,   /* layers of a stack that are listed */
	NAME = 160,   /* bytes of a name */
	ROOM = 60000, /* bytes: a comment of GitHub's holds 65,536 characters */
};

/* As it may be shown, and not longer than this. Owned by the caller. */
static char *cut(const char *name)
{
	char *safe = vv_safe(name);
	size_t n = safe ? strlen(safe) : 0;

	if (n <= NAME)
		return safe;
	for (n = NAME - 3; n && ((unsigned char)safe[n] & 0xc0) == 0x80; n--)
		;
	memcpy(safe + n, "\xe2\x80\xa6", 4);
	return safe;
}

/* A name as code in a table: a fence longer than any run of its backticks, and no bar. */
void vv_md_code(struct vv_buf *out, const char *name)
{
	char *safe = cut(name);
	size_t longest = 0, run = 0;

	for (const char *p = safe ? safe : "?"; *p; p++) {
		run = *p == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		vv_buf_char(out, '`');
	vv_buf_str(out, longest ? " " : "");
	for (const char *p = safe ? safe : "?"; *p; p++) {
		if (*p == '|')
			vv_buf_char(out, '\\');
		vv_buf_char(out, *p);
	}
	vv_buf_str(out, longest ? " " : "");
	for (size_t i = 0; i <= longest; i++)
		vv_buf_char(out, '`');
	free(safe);
}

static void put_item(struct vv_buf *out, const struct vv_diff_item *it)
{
	const struct vv_delta *d = &it->delta;
	char share[48], type[600];

	vv_buf_fmt(out, "| %s | ", vv_diff_kind_name(it->kind));
	if (it->old_name) {
		vv_md_code(out, it->old_name);
		vv_buf_str(out, " \xe2\x86\x92 ");
	}
	vv_md_code(out, it->name);
	vv_report_type(it, type, sizeof(type));
	vv_buf_fmt(out, " | %s |", type);
	if (!it->measured) {
		vv_buf_str(out, " | | | | | |\n");
		return;
	}
	vv_buf_fmt(out, " %s | ", vv_relative_text(d->relative, d->estimated, d->relative_error, share));
	if (isfinite(d->cosine))
		vv_buf_str(out, vv_cosine_text(d->cosine, d->estimated, d->cosine_error, share));
	if (d->estimated) {
		vv_buf_str(out, " | | | | |\n");
		return;
	}
	vv_buf_fmt(out, " | %.2e | ", d->max_abs);
	vv_svg_escape(out, vv_share_text(d->changed, d->numel, share), 0);
	vv_buf_str(out, " | ");
	vv_svg_escape(out, vv_share_text(d->flips, d->numel, share), 0);
	vv_buf_str(out, " | ");
	if (isfinite(d->rank))
		vv_buf_fmt(out, "%.1f", d->rank);
	if (d->nan_b > d->nan_a || d->inf_b > d->inf_a)
		vv_buf_fmt(out, " **NaN %" PRIu64 " \xe2\x86\x92 %" PRIu64 ", inf %" PRIu64 " \xe2\x86\x92 %" PRIu64 "**", d->nan_a,
			d->nan_b, d->inf_a, d->inf_b);
	vv_buf_str(out, " |\n");
}

static void put_items(struct vv_buf *out, const struct vv_compared *c, size_t from, size_t to)
{
	vv_buf_str(out,
		"| change | tensor | type | rel. L2 | cosine | max \\|\xce\x94\\| | elements | sign flips | rank of \xce\x94 |\n"
		"| --- | --- | --- | --: | --: | --: | --: | --: | --: |\n");
	for (size_t i = from; i < to && out->len < ROOM; i++)
		put_item(out, &c->d->items[c->order[i]]);
	vv_buf_char(out, '\n');
}

/* The layers of one stack that changed, as they come. */
static void put_layers(struct vv_buf *out, const struct vv_grid *g)
{
	size_t shown = 0, more = 0;
	char text[16];

	if (!vv_delta_sum_any(&g->sum))
		return;
	vv_buf_str(out, "| layer | changed | rel. L2 | max \\|\xce\x94\\| |\n| --- | --: | --: | --: |\n");
	for (size_t r = 0; r < g->n_rows; r++) {
		const struct vv_delta_sum *s = &g->row_sums[r];
		struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT);

		if (!vv_delta_sum_any(s))
			continue;
		if (shown == CELLS) {
			more++;
			continue;
		}
		shown++;
		vv_buf_fmt(&name, "%s%s%s", g->stack, *g->stack ? "." : "", g->rows[r]);
		vv_buf_str(out, "| ");
		vv_md_code(out, name.failed ? "?" : (char *)name.ptr);
		vv_buf_fmt(out, " | %zu of %zu | ", s->changed, s->tensors);
		if (s->measured && s->estimated)
			vv_buf_fmt(out, "~%s | |\n", vv_report_relative(vv_delta_sum_relative(s), text));
		else if (s->measured)
			vv_buf_fmt(out, "%s | %.2e |\n", vv_report_relative(vv_delta_sum_relative(s), text), s->max_abs);
		else
			vv_buf_str(out, " | |\n");
		vv_buf_release(&name);
	}
	vv_buf_char(out, '\n');
	if (more)
		vv_buf_fmt(out, "%zu more layers changed.\n\n", more);
}

void vv_md_part(struct vv_buf *out, const struct vv_report_part *p)
{
	const struct vv_compared *c = p->c;
	size_t n = c->d->n, first = n < FIRST ? n : FIRST, all = n < ROWS ? n : ROWS;
	bool both = c->a->manifest && c->b->manifest, layers = false;

	vv_buf_str(out, "### ");
	if (both && strcmp(c->a->path, c->b->path)) {
		vv_md_code(out, c->a->path);
		vv_buf_str(out, " \xe2\x86\x92 ");
	}
	vv_md_code(out, c->b->path);
	vv_buf_fmt(out, "\n\n%s\n\n", p->what);
	if (!both || !n || out->len >= ROOM)
		return;
	put_items(out, c, 0, first);
	for (size_t i = 0; i < p->grids.n; i++)
		layers |= vv_delta_sum_any(&p->grids.v[i].sum);
	if (layers && out->len < ROOM) {
		vv_buf_str(out, "<details><summary>By layer</summary>\n\n");
		for (size_t i = 0; i < p->grids.n && out->len < ROOM; i++)
			put_layers(out, &p->grids.v[i]);
		vv_buf_str(out, "</details>\n\n");
	}
	if (all > first && out->len < ROOM) {
		vv_buf_fmt(out, "<details><summary>%zu more tensors</summary>\n\n", all - first);
		put_items(out, c, first, all);
		vv_buf_str(out, "</details>\n\n");
	}
	if (n > all)
		vv_buf_fmt(out, "%zu more are not listed here.\n\n", n - all);
}

void vv_md_whole(struct vv_buf *out, const struct vv_report *r)
{
	const struct vv_diffshow *s = r->show;
	char text[16];

	vv_buf_str(out, "## Model changes\n\n");
	if (!s->files) {
		vv_buf_str(out, "Nothing differs.\n");
		return;
	}
	vv_buf_str(out, "| models | tensors changed | added | removed | renamed | moved most |\n| --: | --: | --: | --: | --: | --- |\n");
	vv_buf_fmt(out, "| %zu | %zu | %zu | %zu | %zu | ", s->files, s->changed, s->added, s->removed, s->renamed);
	if (s->largest_name) {
		vv_md_code(out, s->largest_name);
		vv_buf_fmt(out, " by %s%s", s->largest_estimated ? "~" : "", vv_report_relative(s->largest, text));
	}
	vv_buf_str(out, " |\n\n");
	if (s->odd)
		vv_buf_fmt(out, "> **%zu tensor%s gained NaN or infinite values.**\n\n", s->odd, s->odd == 1 ? "" : "s");
	vv_buf_span(out, vv_buf_view(&r->md));
	if (r->md.len >= ROOM)
		vv_buf_str(out, "The rest did not fit here.\n\n");
	vv_buf_str(out, "<sub>rel. L2: norm of the difference over the norm of the old values; rank of \xce\x94: its stable rank; "
		"~: estimated, \xc2\xb1 its standard error.</sub>\n");
}
