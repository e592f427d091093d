#include "blend/extract.h"

#include "base/check.h"
#include "base/map.h"
#include "blend/lowrank.h"
#include "blend/pass.h"
#include "model/lineup.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

struct vv_extract_item {
	const char *module;        /* its tensor is "<module>.weight" */
	struct vv_blend_in tuned, base;
	size_t rank;
	uint64_t shape_a[2], shape_b[2];
};

/* --- the plan --- */

static const struct vv_manifest_seg *seg_of(const struct vv_blend_in *in)
{
	return &in->from->m->segs[in->seg];
}

static const struct vv_view *view_of(const struct vv_blend_in *in)
{
	return &seg_of(in)->seg.views[in->view];
}

/* Is it the matrix of a linear layer, as far as its name and shape tell? */
static bool is_linear(const struct vv_blend_in *in)
{
	const struct vv_view *v = view_of(in);
	size_t n = strlen(v->name);

	return vv_blend_takes(seg_of(in)->seg.dtype) && v->ndim == 2 && v->shape[0] && v->shape[1] && n > 7 &&
		!strcmp(v->name + n - 7, ".weight") && !vv_blend_comes_first(v->name);
}

static int add_item(struct vv_extract_plan *p, const struct vv_extract *x, struct vv_extract_item *item, struct vv_err *err)
{
	const struct vv_view *v = view_of(&item->tuned);
	uint64_t side = vv_min64(v->shape[0], v->shape[1]), numel, width = vv_dtype_width(x->to);

	item->module = vv_arena_copy(&p->arena, vv_span(v->name, strlen(v->name) - 7));
	if (!item->module)
		return vv_fail_nomem(err);
	item->rank = side < x->rank ? (size_t)side : x->rank;
	item->shape_a[0] = item->shape_b[1] = item->rank;
	item->shape_a[1] = v->shape[1];
	item->shape_b[0] = v->shape[0];
	if (vv_add_over(v->shape[0], v->shape[1], &numel) || vv_mul_over(numel, (uint64_t)item->rank * width, &numel) ||
		vv_add_over(p->bytes, numel, &p->bytes))
		return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", v->name);
	p->items[p->n++] = *item;
	return 0;
}

static int look_at(struct vv_extract_plan *p, const struct vv_extract *x, size_t seg, size_t view, const struct vv_map *names,
	struct vv_err *err)
{
	struct vv_extract_item item = {.tuned = {.from = &x->tuned->v, .file = x->tuned->file, .seg = seg, .view = view}};
	const struct vv_view *v = view_of(&item.tuned);
	const uint64_t *at = vv_map_find(names, vv_span_str(v->name));

	if (!at)
		return vv_fail(err, VV_EFORMAT, "%s has no tensor \"%s\", which %s has", x->base->file, v->name, x->tuned->file);
	item.base = (struct vv_blend_in){.from = &x->base->v, .file = x->base->file, .seg = (size_t)(*at >> 32),
		.view = (size_t)(*at & UINT32_MAX)};
	if (vv_same_tensor(seg_of(&item.base), view_of(&item.base), seg_of(&item.tuned), v))
		return 0;
	if (!vv_same_shape(view_of(&item.base), v))
		return vv_fail(err, VV_EFORMAT, "tensor \"%s\" of %s has another shape than that of %s", v->name, x->tuned->file,
			x->base->file);
	if (is_linear(&item.tuned) && vv_blend_takes(seg_of(&item.base)->seg.dtype))
		return add_item(p, x, &item, err);
	p->first_left_out = p->left_out++ ? p->first_left_out : v->name;
	return 0;
}

int vv_extract_plan_make(struct vv_extract_plan *out, const struct vv_extract *x, struct vv_err *err)
{
	const struct vv_manifest *b = x->base->v.m, *t = x->tuned->v.m;
	struct vv_map names = {0};
	size_t n = 0;
	bool added;
	int ret = 0;

	*out = (struct vv_extract_plan){.n = 0};
	if (!x->rank || x->rank > VV_MAX_LOWRANK)
		return vv_fail(err, VV_EUSAGE, "a rank has to be from 1 to %d", VV_MAX_LOWRANK);
	for (size_t i = 0; i < b->n_segs && !ret; i++)
		for (size_t k = 0; k < b->segs[i].seg.n_views && !ret; k++)
			if (!vv_map_put(&names, vv_span_str(b->segs[i].seg.views[k].name), (uint64_t)i << 32 | k, &added))
				ret = vv_fail_nomem(err);
	for (size_t i = 0; i < t->n_segs; i++)
		n += t->segs[i].seg.n_views;
	out->items = vv_arena_array(&out->arena, n + 1, sizeof(*out->items));
	if (!ret && !out->items)
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < t->n_segs && !ret; i++)
		for (size_t k = 0; k < t->segs[i].seg.n_views && !ret; k++)
			ret = look_at(out, x, i, k, &names, err);
	if (!ret && !out->n)
		ret = vv_fail(err, VV_EFORMAT, "%s and %s differ in no matrix of a linear layer", x->base->file, x->tuned->file);
	vv_map_release(&names);
	if (ret)
		vv_extract_plan_release(out);
	return ret;
}

void vv_extract_plan_release(struct vv_extract_plan *p)
{
	vv_arena_release(&p->arena);
	*p = (struct vv_extract_plan){.n = 0};
}

/* --- the weights --- */

/* Parts are read in order: one matrix is worked on at a time. */
struct extractor {
	struct vv_extract_plan *p;
	const struct vv_extract *x;
	struct vv_pool *pool;
	size_t current;   /* SIZE_MAX: none */
	uint8_t *a, *b;   /* in the adapter's type */
};
struct part {
	struct vv_source base;
	struct extractor *e;
	size_t item;
	bool is_b;
};

static void take_change(void *arg, const struct vv_blend_job *j VV_UNUSED, const struct vv_blend_piece *p)
{
	float *d = arg;

	for (size_t i = 0; i < p->n; i++)
		d[p->at + i] = (float)(p->x[0][i] - p->base[i]);
}

/* tuned - base. *out is the caller's. */
static int read_change(const struct vv_extract_item *item, struct vv_pool *pool, float **out, struct vv_err *err)
{
	struct vv_blend_tensor t = {.name = item->module, .method = &vv_blend_linear, .to = VV_DT_F32, .in = &item->tuned, .n = 1,
		.base = &item->base};
	struct vv_blend_job j = {0};
	float *d = NULL;
	size_t n = 0;
	int ret = vv_blend_open(&j, &t, pool, err);

	if (!ret && (vv_to_size(j.numel, &n) || !(d = calloc(n, sizeof(*d)))))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_blend_pass(&j, take_change, d, err);
	for (size_t i = 0; i < n && !ret; i++)
		if (!isfinite(d[i]))
			ret = vv_fail(err, VV_EFORMAT, "%s: tensor \"%s\" has an infinite number", item->tuned.file,
				view_of(&item->tuned)->name);
	vv_blend_end(&j);
	if (ret)
		free(d);
	else
		*out = d;
	return ret;
}

/* Floats in the adapter's type; `f` is taken. */
static uint8_t *in_type(float *f, size_t n, enum vv_dtype to)
{
	double d[VV_BLEND_CHUNK];
	uint8_t *out = malloc(n * vv_dtype_width(to) + 1);

	for (size_t i = 0, m; out && i < n; i += m) {
		m = n - i < VV_BLEND_CHUNK ? n - i : VV_BLEND_CHUNK;
		for (size_t k = 0; k < m; k++)
			d[k] = (double)f[i + k];
		(void)vv_blend_narrow(to, d, m, out + i * vv_dtype_width(to));
	}
	free(f);
	return out;
}

static int work(struct extractor *e, size_t i, struct vv_err *err)
{
	const struct vv_extract_item *item = &e->p->items[i];
	struct vv_matrix m = {NULL, (size_t)item->shape_b[0], (size_t)item->shape_a[1]};
	float *d = NULL, *left, *right;
	double kept, all = 0;
	int ret;

	if (e->current == i)
		return 0;
	free(e->a);
	free(e->b);
	e->a = e->b = NULL;
	e->current = SIZE_MAX;
	ret = read_change(item, e->pool, &d, err);
	if (ret)
		return ret;
	m.v = d;
	left = malloc(m.rows * item->rank * sizeof(*left));
	right = malloc(m.cols * item->rank * sizeof(*right));
	ret = left && right ? vv_lowrank(&m, item->rank, e->pool, left, right, &kept, err) : vv_fail_nomem(err);
	if (ret) {
		free(left);
		free(right);
	} else {
		for (size_t k = 0; k < m.rows * m.cols; k++)
			all += (double)d[k] * (double)d[k];
		e->p->all += all;
		e->p->kept += all * kept;
		e->b = in_type(left, m.rows * item->rank, e->x->to);
		e->a = in_type(right, m.cols * item->rank, e->x->to);
		ret = e->a && e->b ? 0 : vv_fail_nomem(err);
	}
	free(d);
	e->current = ret ? SIZE_MAX : i;
	return ret;
}

static int read_part(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct part *p = (const struct part *)self;
	int ret = work(p->e, p->item, err);

	if (!ret)
		memcpy(dst, (p->is_b ? p->e->b : p->e->a) + off, len);
	return ret;
}

int vv_extract_write(struct vv_extract_plan *p, const struct vv_extract *x, struct vv_pool *pool, struct vv_sink *out,
	struct vv_err *err)
{
	struct extractor e = {p, x, pool, SIZE_MAX, NULL, NULL};
	struct part *sources = calloc(2 * p->n, sizeof(*sources));
	struct vv_part *parts = calloc(2 * p->n, sizeof(*parts));
	int ret = sources && parts ? 0 : vv_fail_nomem(err);

	p->all = p->kept = 0;
	for (size_t i = 0; i < 2 * p->n && !ret; i++) {
		const struct vv_extract_item *item = &p->items[i / 2];
		const uint64_t *shape = i % 2 ? item->shape_b : item->shape_a;
		size_t n = strlen(item->module) + 48;
		char *name = vv_arena_alloc(&p->arena, n);

		if (!name) {
			ret = vv_fail_nomem(err);
			break;
		}
		snprintf(name, n, "base_model.model.%s.lora_%c.weight", item->module, "AB"[i % 2]);
		sources[i] = (struct part){{shape[0] * shape[1] * vv_dtype_width(x->to), read_part}, &e, i / 2, i % 2};
		parts[i] = (struct vv_part){.name = name, .dtype = x->to, .ndim = 2, .shape = shape, .len = sources[i].base.size,
			.bytes = &sources[i].base};
	}
	if (!ret)
		ret = vv_assemble_new(vv_format_find(vv_span_str("safetensors")), "varve merge --extract-lora", parts, 2 * p->n, out, err);
	free(e.a);
	free(e.b);
	free(sources);
	free(parts);
	return ret;
}

/* --- the config --- */

int vv_extract_config(const struct vv_extract_plan *p, const struct vv_extract *x, struct vv_buf *out, struct vv_err *err)
{
	json_t *modules = json_array(), *ranks = json_object(), *name = json_string(x->base->file), *o;
	char *text;

	for (size_t i = 0; i < p->n; i++) {
		json_array_append_new(modules, json_string(p->items[i].module));
		if (p->items[i].rank != x->rank)
			json_object_set_new(ranks, p->items[i].module, json_integer((json_int_t)p->items[i].rank));
	}
	/* alpha is the rank: the product counts as it is. */
	o = json_pack("{s:s,s:n,s:o,s:b,s:I,s:I,s:s,s:b,s:b,s:o,s:O,s:O}", "peft_type", "LORA", "task_type",
		"base_model_name_or_path", name ? name : json_null(), "inference_mode", 1, "r", (json_int_t)x->rank, "lora_alpha",
		(json_int_t)x->rank, "bias", "none", "fan_in_fan_out", 0, "use_rslora", 0, "target_modules", modules, "rank_pattern",
		ranks, "alpha_pattern", ranks);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(ranks);
	json_decref(o);
	if (!text)
		return vv_fail_nomem(err);
	vv_buf_str(out, text);
	vv_buf_char(out, '\n');
	free(text);
	return vv_buf_check(out, err);
}
