#include "cli/diffshow.h"

#include "model/manifest.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const char *const kind_names[] = {"added", "removed", "renamed", "retyped", "reshaped", "changed", "moved"};
static const enum vv_color kind_colors[] = {VV_GREEN, VV_RED, VV_CYAN, VV_YELLOW, VV_YELLOW, VV_YELLOW, VV_CYAN};

void vv_diffshow_init(struct vv_diffshow *s, struct vv_ctx *ctx)
{
	s->ctx = ctx;
	s->stats = (struct vv_table)VV_TABLE_INIT(1 << 2);
	s->list = json_array();
}

void vv_diffshow_release(struct vv_diffshow *s)
{
	json_decref(s->list);
	free(s->largest_name);
}

const char *vv_diff_kind_name(enum vv_diff_kind kind)
{
	return kind_names[kind];
}

struct vv_diff_counts vv_diff_count(const struct vv_diff *d)
{
	struct vv_diff_counts c = {.total = d->n_same};

	for (size_t i = 0; i < d->n; i++) {
		c.by_kind[d->items[i].kind]++;
		c.total += d->items[i].kind != VV_DIFF_REMOVED;
	}
	c.reworked = c.by_kind[VV_DIFF_CHANGED] + c.by_kind[VV_DIFF_RETYPED] + c.by_kind[VV_DIFF_RESHAPED];
	return c;
}

static struct vv_diff_counts count(struct vv_diffshow *s, const struct vv_diff *d)
{
	struct vv_diff_counts c = vv_diff_count(d);

	for (size_t i = 0; i < d->n; i++) {
		const struct vv_diff_item *it = &d->items[i];
		s->odd += it->measured && (it->delta.nan_b > it->delta.nan_a || it->delta.inf_b > it->delta.inf_a);
		if (it->measured && isfinite(it->delta.relative) && (!s->largest_name || it->delta.relative > s->largest)) {
			free(s->largest_name);
			s->largest = it->delta.relative;
			s->largest_estimated = it->delta.estimated;
			s->largest_name = strdup(it->name);
		}
	}
	s->files++;
	s->changed += c.reworked;
	s->added += c.by_kind[VV_DIFF_ADDED];
	s->removed += c.by_kind[VV_DIFF_REMOVED];
	s->renamed += c.by_kind[VV_DIFF_RENAMED];
	return c;
}

void vv_diff_say(char *text, size_t cap, const struct vv_compared *cmp)
{
	static const enum vv_diff_kind rest[] = {VV_DIFF_ADDED, VV_DIFF_REMOVED, VV_DIFF_RENAMED, VV_DIFF_MOVED};
	const struct vv_named *a = cmp->a, *b = cmp->b;
	struct vv_diff_counts c = vv_diff_count(cmp->d);
	int n = 0;

	text[0] = 0;
	if (!a->manifest || !b->manifest) {
		snprintf(text, cap, "%s, %zu tensors", a->manifest ? "removed" : "new model",
			c.by_kind[a->manifest ? VV_DIFF_REMOVED : VV_DIFF_ADDED]);
		return;
	}
	if (c.reworked)
		n = snprintf(text, cap, "%zu of %zu tensors changed", c.reworked, c.total);
	for (size_t i = 0; i < VV_COUNT(rest); i++)
		if (c.by_kind[rest[i]])
			n += snprintf(text + n, cap - (size_t)n, "%s%zu %s", n ? ", " : "", c.by_kind[rest[i]], kind_names[rest[i]]);
	if (!n)
		snprintf(text, cap, vv_id_eq(&a->manifest->sha256, &b->manifest->sha256)
			? "renamed, the same bytes" : "no tensor changed, only the bytes around them");
}

/* "bf16 [768,256]"; both when they differ. */
static void put_type(struct vv_table *t, const struct vv_diff_item *it)
{
	const struct vv_view *v = it->view_b ? it->view_b : it->view_a;
	const struct vv_manifest_seg *seg = it->seg_b ? it->seg_b : it->seg_a;
	char now[256], was[256];

	vv_shape_text(v->shape, v->ndim, now, sizeof(now));
	if (it->kind != VV_DIFF_RETYPED && it->kind != VV_DIFF_RESHAPED) {
		vv_table_cell(t, VV_DIM, "%s %s", vv_dtype_info(seg->seg.dtype)->name, now);
		return;
	}
	vv_shape_text(it->view_a->shape, it->view_a->ndim, was, sizeof(was));
	vv_table_cell(t, VV_DIM, "%s %s \xe2\x86\x92 %s %s", vv_dtype_info(it->seg_a->seg.dtype)->name, was,
		vv_dtype_info(seg->seg.dtype)->name, now);
}

char *vv_share_text(uint64_t n, uint64_t of, char *text)
{
	double share = of ? 100.0 * (double)n / (double)of : 0;

	snprintf(text, 16, n && share < 0.1 ? "<0.1 %%" : n < of && share > 99.9 ? ">99.9 %%" : "%.1f %%", share);
	return text;
}

char *vv_relative_text(double v, bool estimated, double error, char *text)
{
	if (estimated)
		snprintf(text, 48, "~%.2e \xc2\xb1%.0e", v, error);
	else
		snprintf(text, 48, "%.2e", v);
	return text;
}

char *vv_cosine_text(double v, bool estimated, double error, char *text)
{
	if (!isfinite(v))
		snprintf(text, 48, "-");
	else if (estimated)
		snprintf(text, 48, "~%.6f \xc2\xb1%.0e", v, error);
	else
		snprintf(text, 48, "%.6f", v);
	return text;
}

/* What is out of the ordinary. */
static void put_notes(struct vv_table *t, const struct vv_delta *d)
{
	uint64_t more = d->zero_b > d->zero_a ? d->zero_b - d->zero_a : d->zero_a - d->zero_b;
	char was[16], is[16];

	if (d->nan_a || d->nan_b || d->inf_a || d->inf_b)
		vv_table_cell(t, VV_RED, "NaN %" PRIu64 " \xe2\x86\x92 %" PRIu64 ", inf %" PRIu64 " \xe2\x86\x92 %" PRIu64,
			d->nan_a, d->nan_b, d->inf_a, d->inf_b);
	else if (more > d->numel / 1000)
		vv_table_cell(t, VV_PLAIN, "zeros %s \xe2\x86\x92 %s", vv_share_text(d->zero_a, d->numel, was),
			vv_share_text(d->zero_b, d->numel, is));
}

static void put_delta(struct vv_table *t, const struct vv_delta *d)
{
	char text[48];

	vv_table_cell(t, VV_PLAIN, "%s", vv_relative_text(d->relative, d->estimated, d->relative_error, text));
	vv_table_cell(t, VV_PLAIN, "%s", vv_cosine_text(d->cosine, d->estimated, d->cosine_error, text));
	if (d->estimated) {
		for (int i = 0; i < 4; i++)
			vv_table_cell(t, VV_PLAIN, "-");
		put_notes(t, d);
		return;
	}
	vv_table_cell(t, VV_PLAIN, "%.2e", d->max_abs);
	vv_table_cell(t, VV_PLAIN, "%s", vv_share_text(d->changed, d->numel, text));
	vv_table_cell(t, VV_PLAIN, "%s", vv_share_text(d->flips, d->numel, text));
	if (isfinite(d->rank))
		vv_table_cell(t, VV_PLAIN, "%.1f", d->rank);
	else
		vv_table_cell(t, VV_PLAIN, "-");
	put_notes(t, d);
}

static void put_item(struct vv_table *t, const struct vv_diff_item *it)
{
	char *name = vv_safe(it->name), *old = it->old_name ? vv_safe(it->old_name) : NULL;

	vv_table_cell(t, kind_colors[it->kind], "%s", kind_names[it->kind]);
	if (old)
		vv_table_cell(t, VV_PLAIN, "%s \xe2\x86\x92 %s", old, name);
	else
		vv_table_cell(t, VV_PLAIN, "%s", name);
	put_type(t, it);
	if (it->measured)
		put_delta(t, &it->delta);
	vv_table_row(t);
	free(name);
	free(old);
}

static void print_items(struct vv_diffshow *s, const struct vv_compared *c)
{
	static const char *const heads[] = {"", "", "", "rel. L2", "cosine", "max |\xce\x94|", "elements", "flips", "rank"};
	struct vv_table t = VV_TABLE_INIT(0x1f8);
	const struct vv_diff *d = c->d;
	bool measured = false;

	for (size_t i = 0; i < d->n; i++)
		measured |= d->items[i].measured;
	for (size_t i = 0; measured && i < VV_COUNT(heads); i++)
		vv_table_cell(&t, VV_DIM, "%s", heads[i]);
	if (measured)
		vv_table_row(&t);
	for (size_t i = 0; i < d->n; i++)
		put_item(&t, &d->items[s->in_order ? i : c->order[i]]);
	vv_table_print(&t, s->ctx, 2);
}

static void print_file(struct vv_diffshow *s, const char *name, const char *what, const struct vv_compared *c)
{
	struct vv_ctx *ctx = s->ctx;

	printf("%s%s%s: %s\n", vv_color(ctx, VV_BOLD), name, vv_color(ctx, VV_PLAIN), what);
	if (!c->a->manifest || !c->b->manifest)
		return;
	if (c->layers)
		vv_difflayers_print(ctx, c->layers, s->depth);
	else
		print_items(s, c);
	if (strcmp(c->d->format_a, c->d->format_b))
		printf("  format %s \xe2\x86\x92 %s\n", c->d->format_a, c->d->format_b);
}

/* --- JSON --- */

/* What is counted by pairs of elements a sketch does not know. */
static json_t *count_or_none(const struct vv_delta *d, uint64_t n)
{
	return d->estimated ? json_null() : json_integer((json_int_t)n);
}

static json_t *json_delta(const struct vv_delta *d)
{
	json_t *j = json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I}", "elements", (json_int_t)d->numel, "changed",
		count_or_none(d, d->changed), "relative_l2", vv_json_real(d->relative), "cosine", vv_json_real(d->cosine), "max_abs",
		vv_json_real(d->max_abs), "norm_old", vv_json_real(d->norm_a), "norm_new", vv_json_real(d->norm_b), "nan_old",
		(json_int_t)d->nan_a, "nan_new", (json_int_t)d->nan_b, "inf_old", (json_int_t)d->inf_a, "inf_new",
		(json_int_t)d->inf_b);
	json_t *more = json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "sign_flips", count_or_none(d, d->flips), "zeros_old",
		(json_int_t)d->zero_a, "zeros_new", (json_int_t)d->zero_b, "mean_old", vv_json_real(d->mean_a), "mean_new",
		vv_json_real(d->mean_b), "std_old", vv_json_real(d->std_a), "std_new", vv_json_real(d->std_b), "stable_rank",
		vv_json_real(d->rank));

	json_object_update(j, more);
	json_decref(more);
	json_object_set_new(j, "estimated", json_boolean(d->estimated));
	if (d->estimated) {
		json_object_set_new(j, "relative_l2_error", vv_json_real(d->relative_error));
		json_object_set_new(j, "cosine_error", vv_json_real(d->cosine_error));
	}
	return j;
}

static void json_side(json_t *row, const char *prefix, const struct vv_manifest_seg *seg, const struct vv_view *v)
{
	char key[32];

	if (!seg)
		return;
	snprintf(key, sizeof(key), "%sdtype", prefix);
	json_object_set_new(row, key, json_string(vv_dtype_info(seg->seg.dtype)->name));
	snprintf(key, sizeof(key), "%sshape", prefix);
	json_object_set_new(row, key, vv_json_shape(v->shape, v->ndim));
}

/* In file order; "order" is 1 for what changed most. */
static json_t *json_items(const struct vv_compared *c)
{
	const struct vv_diff *d = c->d;
	json_t *list = json_array();

	for (size_t i = 0; i < d->n; i++) {
		const struct vv_diff_item *it = &d->items[i];
		json_t *row = json_pack("{s:o,s:s}", "name", vv_json_name(it->name), "change", kind_names[it->kind]);
		if (it->old_name)
			json_object_set_new(row, "old_name", vv_json_name(it->old_name));
		json_side(row, "", it->seg_b, it->view_b);
		json_side(row, "old_", it->seg_a, it->view_a);
		if (it->measured)
			json_object_set_new(row, "delta", json_delta(&it->delta));
		json_array_append_new(list, row);
	}
	for (size_t i = 0; i < d->n; i++)
		json_object_set_new(json_array_get(list, c->order[i]), "order", json_integer((json_int_t)i + 1));
	return list;
}

static json_t *json_file(const struct vv_diffshow *s, const struct vv_compared *cmp, const struct vv_diff_counts *c)
{
	const struct vv_named *a = cmp->a, *b = cmp->b;
	const struct vv_diff *d = cmp->d;
	json_t *row = json_pack("{s:o,s:o,s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "path", vv_json_name(b->path),
		"old_path", vv_json_name(a->path), "change",
		!a->manifest ? "added" : !b->manifest ? "removed" : strcmp(a->path, b->path) ? "renamed" : "changed", "old_format",
		a->manifest ? json_string(a->manifest->format) : json_null(), "format",
		b->manifest ? json_string(b->manifest->format) : json_null(), "tensors", (json_int_t)c->total, "changed",
		(json_int_t)c->reworked, "added", (json_int_t)c->by_kind[VV_DIFF_ADDED], "removed",
		(json_int_t)c->by_kind[VV_DIFF_REMOVED], "renamed", (json_int_t)c->by_kind[VV_DIFF_RENAMED], "moved",
		(json_int_t)c->by_kind[VV_DIFF_MOVED], "same", (json_int_t)d->n_same);

	json_object_set_new(row, "around",
		json_pack("{s:I,s:I,s:I}", "old_bytes", (json_int_t)d->opaque.only_a, "new_bytes", (json_int_t)d->opaque.only_b,
			"same_bytes", (json_int_t)d->opaque.both));
	if (!s->stat)
		json_object_set_new(row, "items", json_items(cmp));
	if (cmp->layers)
		json_object_set_new(row, "layers", vv_difflayers_json(cmp->layers, s->depth));
	return row;
}

/* --- files --- */

void vv_diffshow_file(struct vv_diffshow *s, const struct vv_compared *cmp)
{
	const struct vv_named *a = cmp->a, *b = cmp->b;
	struct vv_diff_counts c = count(s, cmp->d);
	char what[160], size[32];
	char *name = vv_safe(b->path), *old;

	vv_diff_say(what, sizeof(what), cmp);
	if (s->silent) {
		free(name);
		return;
	}
	if (s->ctx->json) {
		json_array_append_new(s->list, json_file(s, cmp, &c));
	} else if (!s->ctx->quiet && s->stat) {
		vv_table_cell(&s->stats, VV_PLAIN, "%s", name);
		vv_table_cell(&s->stats, VV_PLAIN, "%s", what);
		vv_table_cell(&s->stats, VV_PLAIN, "%s", b->manifest ? vv_human(b->manifest->size, size) : "");
		vv_table_row(&s->stats);
	} else if (!s->ctx->quiet) {
		if (a->manifest && b->manifest && strcmp(a->path, b->path)) {
			old = vv_safe(a->path);
			printf("%s \xe2\x86\x92 ", old);
			free(old);
		}
		print_file(s, name, what, cmp);
	}
	free(name);
}

void vv_diffshow_plain(struct vv_diffshow *s, const char *old_path, const char *path, uint64_t old_size, uint64_t size)
{
	bool renamed = old_path && path && strcmp(old_path, path);
	const char *change = !old_path ? "added" : !path ? "removed" : renamed ? "renamed" : "changed";
	char was[32], is[32], *name = vv_safe(path ? path : old_path), *old = renamed ? vv_safe(old_path) : NULL;

	s->files++;
	vv_human(old_size, was);
	vv_human(size, is);
	if (s->silent)
		goto out;
	if (s->ctx->json)
		json_array_append_new(s->list, json_pack("{s:o,s:o,s:s,s:o,s:o}", "path", vv_json_name(path ? path : old_path),
			"old_path", vv_json_name(old_path ? old_path : path), "change", change, "old_size",
			old_path ? json_integer((json_int_t)old_size) : json_null(), "size",
			path ? json_integer((json_int_t)size) : json_null()));
	else if (!s->ctx->quiet)
		printf("%s%s%s%s%s: %s, %s%s%s\n", vv_color(s->ctx, VV_BOLD), old ? old : "", old ? " \xe2\x86\x92 " : "", name,
			vv_color(s->ctx, VV_PLAIN), change, path ? is : was, old_path && path && old_size != size ? ", was " : "",
			old_path && path && old_size != size ? was : "");
out:
	free(name);
	free(old);
}

void vv_diffshow_conflict(struct vv_diffshow *s, const char *path)
{
	char *name = vv_safe(path);

	s->files++;
	if (s->silent)
		goto out;
	if (s->ctx->json)
		json_array_append_new(s->list, json_pack("{s:o,s:s}", "path", vv_json_name(path), "change", "conflict"));
	else if (!s->ctx->quiet)
		printf("%s%s%s: in conflict\n", vv_color(s->ctx, VV_BOLD), name, vv_color(s->ctx, VV_PLAIN));
out:
	free(name);
}

void vv_diffshow_end(struct vv_diffshow *s)
{
	if (s->silent)
		return;
	if (s->ctx->json) {
		vv_print_json(json_pack("{s:O,s:I,s:I,s:I,s:I}", "files", s->list, "changed", (json_int_t)s->changed, "added",
			(json_int_t)s->added, "removed", (json_int_t)s->removed, "renamed", (json_int_t)s->renamed));
		return;
	}
	if (s->ctx->quiet || !s->files)
		return;
	if (s->stat)
		vv_table_print(&s->stats, s->ctx, 1);
	printf("%zu file%s, %zu tensor%s changed, %zu added, %zu removed", s->files, s->files == 1 ? "" : "s", s->changed,
		s->changed == 1 ? "" : "s", s->added, s->removed);
	if (s->renamed)
		printf(", %zu renamed", s->renamed);
	if (s->largest_name) {
		char *name = vv_safe(s->largest_name);
		printf("; most changed: %s (%s%.2e)", name, s->largest_estimated ? "~" : "", s->largest);
		free(name);
	}
	putchar('\n');
}
