/* What changed, by layer. */
#include "cli/diffshow.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const char *kind_of(const struct vv_rollup_layer *l)
{
	return l->item ? vv_diff_kind_name(l->item->kind) : "";
}

/* "3 of 12 changed, 1 added" */
static void say(const struct vv_delta_sum *s, char *text, size_t cap)
{
	const struct {
		size_t n;
		const char *what;
	} rest[] = {{s->added, "added"}, {s->removed, "removed"}, {s->renamed, "renamed"}};
	int n = 0;

	text[0] = 0;
	if (s->changed)
		n = snprintf(text, cap, "%zu of %zu changed", s->changed, s->tensors);
	for (size_t i = 0; i < VV_COUNT(rest); i++)
		if (rest[i].n)
			n += snprintf(text + n, cap - (size_t)n, "%s%zu %s", n ? ", " : "", rest[i].n, rest[i].what);
}

static void put_numbers(struct vv_table *t, const struct vv_delta_sum *s)
{
	bool guess = s->estimated > 0;
	char text[48];

	if (!s->measured)
		return;
	vv_table_cell(t, VV_PLAIN, "%s", vv_relative_text(vv_delta_sum_relative(s), guess, vv_delta_sum_relative_error(s), text));
	vv_table_cell(t, VV_PLAIN, "%s", vv_cosine_text(vv_delta_sum_cosine(s), guess, vv_delta_sum_cosine_error(s), text));
	if (guess) {
		for (int i = 0; i < 3; i++)
			vv_table_cell(t, VV_PLAIN, "-");
	} else {
		vv_table_cell(t, VV_PLAIN, "%.2e", s->max_abs);
		vv_table_cell(t, VV_PLAIN, "%s", vv_share_text(s->changed_elements, s->elements, text));
		vv_table_cell(t, VV_PLAIN, "%s", vv_share_text(s->flips, s->elements, text));
	}
	if (s->odd_a || s->odd_b)
		vv_table_cell(t, VV_RED, "NaN, inf %" PRIu64 " \xe2\x86\x92 %" PRIu64, s->odd_a, s->odd_b);
}

/* A layer and what is below; one with nothing but one child is told together with it. `prefix`: of those above. */
static void put_layer(struct vv_table *t, const struct vv_rollup_layer *l, const char *prefix, unsigned indent, uint64_t depth)
{
	struct vv_buf label = VV_BUF_INIT(VV_MAX_TEXT);
	char *name = vv_safe(l->name), what[160];

	if (!vv_delta_sum_any(&l->sum))
		goto out;
	if (l->child && !l->child->next) {
		vv_buf_fmt(&label, "%s%s.", prefix, name);
		if (!label.failed)
			put_layer(t, l->child, (char *)label.ptr, indent, depth);
		goto out;
	}
	vv_buf_fmt(&label, "%*s%s%s", (int)indent * 2, "", prefix, name);
	if (label.failed)
		goto out;
	vv_table_cell(t, l->child ? VV_BOLD : VV_PLAIN, "%s", (char *)label.ptr);
	say(&l->sum, what, sizeof(what));
	vv_table_cell(t, VV_DIM, "%s", l->child ? what : kind_of(l));
	put_numbers(t, &l->sum);
	vv_table_row(t);
	for (const struct vv_rollup_layer *c = indent + 1 < depth ? l->child : NULL; c; c = c->next)
		put_layer(t, c, "", indent + 1, depth);
out:
	free(name);
	vv_buf_release(&label);
}

void vv_difflayers_print(const struct vv_ctx *ctx, const struct vv_rollup *r, uint64_t depth)
{
	static const char *const heads[] = {"", "", "rel. L2", "cosine", "max |\xce\x94|", "elements", "flips"};
	struct vv_table t = VV_TABLE_INIT(0x7c);

	for (size_t i = 0; r->root->sum.measured && i < VV_COUNT(heads); i++)
		vv_table_cell(&t, VV_DIM, "%s", heads[i]);
	if (r->root->sum.measured)
		vv_table_row(&t);
	for (const struct vv_rollup_layer *l = r->root->child; l; l = l->next)
		put_layer(&t, l, "", 0, depth);
	vv_table_print(&t, ctx, 2);
}

/* --- JSON --- */

static json_t *json_layer(const struct vv_delta_sum *s, const char *name)
{
	bool all = s->measured && !s->estimated;
	json_t *row = json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:b}", "layer", vv_json_name(name), "tensors",
		(json_int_t)s->tensors, "changed", (json_int_t)s->changed, "added", (json_int_t)s->added, "removed",
		(json_int_t)s->removed, "renamed", (json_int_t)s->renamed, "elements", (json_int_t)s->elements, "changed_elements",
		s->estimated ? json_null() : json_integer((json_int_t)s->changed_elements), "sign_flips",
		s->estimated ? json_null() : json_integer((json_int_t)s->flips), "relative_l2",
		s->measured ? vv_json_real(vv_delta_sum_relative(s)) : json_null(), "cosine", vv_json_real(vv_delta_sum_cosine(s)),
		"max_abs", all ? vv_json_real(s->max_abs) : json_null(), "estimated", s->estimated > 0);

	if (s->estimated) {
		json_object_set_new(row, "relative_l2_error", vv_json_real(vv_delta_sum_relative_error(s)));
		json_object_set_new(row, "cosine_error", vv_json_real(vv_delta_sum_cosine_error(s)));
	}
	return row;
}

static void add_layer(json_t *list, const struct vv_rollup_layer *l, const char *prefix, uint64_t depth)
{
	const struct vv_delta_sum *s = &l->sum;
	struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT);

	if (!vv_delta_sum_any(s))
		return;
	vv_buf_fmt(&name, "%s%s%s", prefix, *prefix ? "." : "", l->name);
	if (!name.failed) {
		json_array_append_new(list, json_layer(s, (char *)name.ptr));
		for (const struct vv_rollup_layer *c = depth > 1 ? l->child : NULL; c; c = c->next)
			add_layer(list, c, (char *)name.ptr, depth - 1);
	}
	vv_buf_release(&name);
}

json_t *vv_difflayers_json(const struct vv_rollup *r, uint64_t depth)
{
	json_t *list = json_array();

	for (const struct vv_rollup_layer *l = depth ? r->root->child : NULL; l; l = l->next)
		add_layer(list, l, "", depth);
	return list;
}
