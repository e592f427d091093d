#include "cli/plot.h"

#include "cli/outfile.h"
#include "cli/svg.h"
#include "diff/histogram.h"
#include "diff/layers.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_LAYERS = 96, NAME_CHARS = 35 };

/* The picture's columns and lines, in its own units. */
enum {
	WIDTH = 1180, MARGIN = 36, TOP = 132, ROW = 36, BAR_H = 14, HIST_H = 27,
	BARS = 316, BARS_W = 250,      /* then what a bar stands for, in words */
	HISTS = 720, HISTS_W = 256, NUMBERS = 992,
	FOOT = 84,
};

static const char style[] =
	"text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;fill:#1d2433}\n"
	".title{font-size:21px;font-weight:650}\n.sub{font-size:13.5px;fill:#5b6578}\n"
	".head{font-size:11px;font-weight:600;letter-spacing:.06em;fill:#7a8497}\n"
	".name{font:12.5px ui-monospace,\"SF Mono\",Menlo,Consolas,\"DejaVu Sans Mono\",monospace}\n"
	".small{font-size:11.5px;fill:#5b6578}\n.faint{font-size:11px;fill:#7a8497}\n.bad{font-size:11.5px;font-weight:600;fill:#c2263a}\n"
	".page{fill:#fff}\n.track{fill:#eef1f6}\n.rule{stroke:#e3e7ee}\n.zero{stroke:#9aa5b8;stroke-dasharray:2 2}\n"
	".hist{fill:#7f8fb0}\n"
	".f32{fill:#3973c9}\n.f64{fill:#5a55b8}\n.f16{fill:#3fa34d}\n.bf16{fill:#119a93}\n.f8{fill:#d99a0b}\n.whole{fill:#d9642b}\n"
	".index{fill:#9563b3}\n.other{fill:#8791a3}\n"
	"@media(prefers-color-scheme:dark){\n"
	"text{fill:#e4e8f0}\n.sub,.small{fill:#a3adc0}\n.head,.faint{fill:#8791a5}\n.bad{fill:#ff7b86}\n"
	".page{fill:#14181f}\n.track{fill:#1f2530}\n.rule{stroke:#2a313e}\n.zero{stroke:#5c6880}\n.hist{fill:#7c8db3}\n"
	".f32{fill:#5b93e6}\n.f64{fill:#8f88ea}\n.f16{fill:#5cc069}\n.bf16{fill:#35bdb4}\n.f8{fill:#eab53c}\n.whole{fill:#ee8550}\n"
	".index{fill:#b98ad6}\n.other{fill:#929cae}\n}\n";

/* Types of one kind share a colour. */
static const char *const classes[VV_DT_COUNT] = {[VV_DT_BOOL] = "other", [VV_DT_U8] = "whole", [VV_DT_I8] = "whole",
	[VV_DT_U16] = "whole", [VV_DT_I16] = "whole", [VV_DT_U32] = "index", [VV_DT_I32] = "index", [VV_DT_U64] = "index",
	[VV_DT_I64] = "index", [VV_DT_F16] = "f16", [VV_DT_BF16] = "bf16", [VV_DT_F32] = "f32", [VV_DT_F64] = "f64",
	[VV_DT_F8_E4M3] = "f8", [VV_DT_F8_E5M2] = "f8", [VV_DT_F8_E4M3FNUZ] = "f8", [VV_DT_F8_E5M2FNUZ] = "f8",
	[VV_DT_F6_E2M3] = "f8", [VV_DT_F6_E3M2] = "f8", [VV_DT_F4] = "f8"};

struct plot {
	struct vv_ctx *ctx;
	const struct vv_version *version;
	const struct vv_description *d;
	struct vv_layers layers;
	uint64_t largest; /* bytes of a layer */
	bool sampled;     /* not all values of some layer were read */
	struct vv_buf out, text;
};

static const char *class_of(unsigned dt)
{
	return classes[dt] ? classes[dt] : "other";
}

static const char *text(struct plot *p)
{
	return p->text.len ? (const char *)p->text.ptr : "";
}

/* 12.3 M: as many digits as help. */
static void put_count(struct vv_buf *b, uint64_t n)
{
	static const char units[] = " kMGT";
	double v = (double)n;
	int u = 0;

	for (; v >= 999.5 && u < 4; u++)
		v /= 1000;
	if (!u)
		vv_buf_fmt(b, "%" PRIu64, n);
	else
		vv_buf_fmt(b, v < 9.995 ? "%.2f %c" : v < 99.95 ? "%.1f %c" : "%.0f %c", v, units[u]);
}

/* --- a layer --- */

static void put_bar(struct plot *p, const struct vv_layer_group *g, double y)
{
	double at = BARS, scale = p->largest ? (double)BARS_W / (double)p->largest : 0;
	char bytes[32];

	vv_svg_rect(&p->out, BARS, y, BARS_W, BAR_H, "track");
	for (unsigned i = 0; i < VV_DT_COUNT; i++) {
		double w = (double)g->by_dtype[i] * scale;
		if (!g->by_dtype[i])
			continue;
		/* Of a small layer something is to be seen. */
		w = w < 1.5 ? 1.5 : w;
		vv_svg_rect(&p->out, at, y, w, BAR_H, class_of(i));
		at += w;
	}
	vv_buf_clear(&p->text);
	put_count(&p->text, g->count.elements);
	vv_buf_fmt(&p->text, " · %s", vv_human(g->count.bytes, bytes));
	vv_svg_text(&p->out, BARS + BARS_W + 10, y + BAR_H - 2.5, "small", text(p), 0);
}

/* One path of steps; where zero lies in the range, a line. */
static void put_bins(struct plot *p, const struct vv_histogram *h, double base)
{
	double step = h->n > 1 ? (double)HISTS_W / h->n : 6, at = h->n > 1 ? HISTS : HISTS + (HISTS_W - 6) / 2.0;
	uint64_t most = 1;

	for (unsigned i = 0; i < h->n; i++)
		most = h->bins[i] > most ? h->bins[i] : most;
	vv_buf_fmt(&p->out, "<path class=\"hist\" d=\"M%g %g", at, base);
	for (unsigned i = 0; i < h->n; i++)
		vv_buf_fmt(&p->out, "V%.5gh%.4g", base - (double)h->bins[i] / (double)most * HIST_H, step);
	vv_buf_fmt(&p->out, "V%gz\"/>\n", base);
	if (h->from < 0 && h->to > 0) {
		double x = HISTS + (0 - h->from / 2) / (h->to / 2 - h->from / 2) * HISTS_W;
		vv_svg_line(&p->out, x, base - HIST_H, x, base, "zero");
	}
}

static void put_values(struct plot *p, const struct vv_histogram *h, double y)
{
	double base = y + ROW - 5;

	vv_svg_line(&p->out, HISTS, base, HISTS + HISTS_W, base, "rule");
	if (h->n)
		put_bins(p, h, base);
	else
		vv_svg_text(&p->out, HISTS, y + 22, "faint", h->values ? "no finite value" : "no numbers", 0);
	if (h->n) {
		vv_buf_clear(&p->text);
		vv_buf_fmt(&p->text, "%.3g … %.3g", h->min, h->max);
		vv_svg_text(&p->out, NUMBERS, y + 15, "small", text(p), 0);
		vv_buf_clear(&p->text);
		vv_buf_fmt(&p->text, "%s%.3g ± %.2g", h->seen < h->values ? "≈ " : "", h->mean, h->sigma);
	}
	if (h->nan || h->inf || h->broken) {
		struct vv_buf bad = VV_BUF_INIT(VV_MAX_TEXT);
		vv_buf_str(&bad, h->broken ? "not all readable " : "");
		if (h->nan)
			vv_buf_fmt(&bad, "%" PRIu64 " NaN", h->nan);
		if (h->inf)
			vv_buf_fmt(&bad, "%s%" PRIu64 " Inf", h->nan ? ", " : "", h->inf);
		vv_svg_text(&p->out, NUMBERS, y + 30, "bad", bad.len ? (const char *)bad.ptr : "", 0);
		vv_buf_release(&bad);
	} else if (h->n) {
		vv_svg_text(&p->out, NUMBERS, y + 30, "faint", text(p), 0);
	}
}

static int put_layer(struct plot *p, const struct vv_layer_group *g, double y)
{
	struct vv_histogram h;
	struct vv_buf rest = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = vv_histogram_of(&h, p->version, g->tensors, g->n, &p->ctx->err);
	const char *name;

	if (ret)
		return ret;
	p->sampled |= h.seen < h.values;
	vv_buf_fmt(&rest, "%zu more layers", g->layers);
	name = g->name ? g->name : rest.len ? (const char *)rest.ptr : "";
	vv_buf_clear(&p->text);
	vv_buf_fmt(&p->text, "%s: %zu tensor%s", name, g->n, g->n == 1 ? "" : "s");
	vv_svg_group(&p->out, text(p));
	vv_svg_text(&p->out, MARGIN, y + 22.5, g->name ? "name" : "small", name, NAME_CHARS);
	put_bar(p, g, y + 11);
	put_values(p, &h, y);
	vv_svg_group_end(&p->out);
	vv_buf_release(&rest);
	return 0;
}

/* --- around them --- */

static void put_legend(struct plot *p)
{
	double x = MARGIN;
	char bytes[32];

	for (unsigned i = 0; i < VV_DT_COUNT; i++) {
		uint64_t n = 0;
		for (size_t k = 0; k < p->layers.n; k++)
			n += p->layers.groups[k].by_dtype[i];
		if (!n)
			continue;
		vv_buf_clear(&p->text);
		vv_buf_fmt(&p->text, "%s %s", vv_dtype_info(i)->name, vv_human(n, bytes));
		vv_svg_rect(&p->out, x, 84, 12, 12, class_of(i));
		vv_svg_text(&p->out, x + 18, 94.5, "small", text(p), 0);
		x += 42 + 6.4 * (double)vv_columns(text(p));
	}
}

/* A picture is passed on: the folders of this machine are nobody's business. */
static const char *file_name(const char *path)
{
	return *path == '/' ? strrchr(path, '/') + 1 : path;
}

static void put_head(struct plot *p, const char *name, const char *optimizer)
{
	const struct vv_manifest *m = p->version->m;
	char n[32], bytes[32];

	vv_svg_text(&p->out, MARGIN, 42, "title", name, 80);
	vv_buf_clear(&p->text);
	vv_buf_fmt(&p->text, "%s · %s parameters in %zu tensors · %s", m->format, vv_grouped(p->d->params.elements, n),
		p->d->params.tensors, vv_human(m->size, bytes));
	if (optimizer)
		vv_buf_fmt(&p->text, " · %s", optimizer);
	vv_svg_text(&p->out, MARGIN, 65, "sub", text(p), 140);
	put_legend(p);
	vv_svg_text(&p->out, MARGIN, TOP - 9, "head", "LAYER", 0);
	vv_svg_text(&p->out, BARS, TOP - 9, "head", "PARAMETERS AND BYTES", 0);
	vv_svg_text(&p->out, HISTS, TOP - 9, "head", "VALUES", 0);
	vv_svg_text(&p->out, NUMBERS, TOP - 9, "head", "RANGE, MEAN ± σ", 0);
	vv_svg_line(&p->out, MARGIN, TOP, WIDTH - MARGIN, TOP, "rule");
}

static void put_foot(struct plot *p, double y)
{
	char n[32];

	vv_svg_line(&p->out, MARGIN, y + 6, WIDTH - MARGIN, y + 6, "rule");
	vv_svg_text(&p->out, MARGIN, y + 28, "faint",
		"Histograms reach 4 σ from the mean, what lies beyond is in the outermost bar; the dashed line is zero. "
		"NaN and Inf are counted apart.", 0);
	vv_buf_clear(&p->text);
	if (p->sampled)
		vv_buf_fmt(&p->text, "≈: of a layer of many values %d blocks of %d that lie evenly apart were read. ", VV_HIST_BLOCKS,
			VV_HIST_BLOCK);
	if (p->d->state.tensors)
		vv_buf_fmt(&p->text, "The optimizer's state, %s numbers, is not drawn.", vv_grouped(p->d->state.elements, n));
	if (p->text.len)
		vv_svg_text(&p->out, MARGIN, y + 46, "faint", text(p), 0);
}

static int draw(struct plot *p, const char *name, const char *optimizer)
{
	double height = TOP + (double)p->layers.n * ROW + FOOT, y = TOP + 3;
	char n[32];
	int ret = 0;

	for (size_t i = 0; i < p->layers.n; i++)
		p->largest = p->layers.groups[i].count.bytes > p->largest ? p->layers.groups[i].count.bytes : p->largest;
	vv_buf_fmt(&p->text, "Layers of a model of %s parameters: for each a bar of its bytes, coloured by element type, and a "
		"histogram of its values.", vv_grouped(p->d->params.elements, n));
	vv_svg_begin(&p->out, WIDTH, height, name, text(p), style);
	vv_svg_rect(&p->out, 0, 0, WIDTH, height, "page");
	put_head(p, name, optimizer);
	for (size_t i = 0; i < p->layers.n && !ret; i++, y += ROW) {
		vv_progress(p->ctx->progress, "drawing", i, p->layers.n);
		ret = put_layer(p, &p->layers.groups[i], y);
	}
	vv_progress_end();
	put_foot(p, y);
	vv_svg_end(&p->out);
	return ret ? ret : vv_buf_check(&p->out, &p->ctx->err);
}

static int save(struct vv_ctx *ctx, const struct vv_buf *out, const char *file)
{
	struct vv_outfile o;
	int ret = vv_outfile_open(&o, file, &ctx->err);

	if (ret)
		return ret;
	ret = vv_write_fd(o.fd, vv_buf_view(out), o.name, &ctx->err);
	if (!ret)
		ret = vv_outfile_commit(&o, &ctx->err);
	vv_outfile_release(&o);
	return ret;
}

int vv_plot(struct vv_ctx *ctx, const char *name, const struct vv_version *version, const struct vv_description *d,
	const char *optimizer, const char *file)
{
	struct plot p = {.ctx = ctx, .version = version, .d = d, .out = VV_BUF_INIT(VV_MAX_TEXT), .text = VV_BUF_INIT(VV_MAX_TEXT)};
	int ret = vv_layers_of(&p.layers, d, MAX_LAYERS, &ctx->err);

	if (!ret)
		ret = draw(&p, file_name(name), optimizer);
	if (!ret)
		ret = save(ctx, &p.out, file);
	vv_layers_release(&p.layers);
	vv_buf_release(&p.out);
	vv_buf_release(&p.text);
	return ret;
}
