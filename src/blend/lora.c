/* Adapters' products added to a model's weights: which tensors they are (a plan), and the sum (a method). */
#include "base/check.h"
#include "base/map.h"
#include "blend/adapter.h"
#include "blend/pass.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- the sum --- */

/* One product: left (rows, rank) times right (rank, cols). */
struct product {
	double *left, *right;
	size_t rank;
};
struct lora {
	struct product *of;
	size_t n;
};

/* The whole tensor as doubles, (rows, cols) or turned. */
static int load(const struct vv_blend_in *in, bool turned, double **out, struct vv_err *err)
{
	struct vv_tensor_source src = {.window = NULL};
	struct vv_tensor t;
	uint8_t *raw = NULL;
	double *v = NULL;
	size_t len = 0, n = 0, rows, cols;
	int ret = vv_tensor_at(&t, in->from->m, in->seg, in->view, err);

	/* As of any input: no more than its storage backs. */
	if (!ret && (t.len > t.seg->seg.len || vv_to_size(t.len, &len) || vv_to_size(t.numel, &n)))
		ret = vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", t.view->name);
	if (!ret)
		ret = vv_tensor_open(&src, in->from, &t, err);
	if (!ret) {
		raw = malloc(len + 1);
		v = calloc(n + 1, sizeof(*v));
		ret = raw && v ? vv_source_read(&src.base, 0, raw, len, err) : vv_fail_nomem(err);
	}
	if (!ret) {
		rows = (size_t)t.view->shape[0];
		cols = (size_t)t.view->shape[1];
		vv_dtype_values(t.seg->seg.dtype, raw, n, v);
		for (size_t i = 0; i < n && !ret; i++)
			if (v[i] != v[i])
				ret = vv_fail(err, VV_EFORMAT, "tensor \"%s\" has a NaN", t.view->name);
	}
	if (!ret && turned) {
		double *w = calloc(n + 1, sizeof(*w));
		for (size_t i = 0; w && i < rows; i++)
			for (size_t k = 0; k < cols; k++)
				w[k * rows + i] = v[i * cols + k];
		ret = w ? 0 : vv_fail_nomem(err);
		free(v);
		v = w;
	}
	vv_tensor_close(&src);
	free(raw);
	if (ret) {
		free(v);
		return vv_err_in(err, "%s", in->file);
	}
	*out = v;
	return 0;
}

static int lora_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct lora *l = j->state = calloc(1, sizeof(*l));
	int ret = 0;

	if (!l || !(l->of = calloc(j->t->n_low + 1, sizeof(*l->of))))
		return vv_fail_nomem(err);
	l->n = j->t->n_low;
	for (size_t i = 0; i < l->n && !ret; i++) {
		const struct vv_blend_low *low = &j->t->low[i];
		l->of[i].rank = (size_t)low->rank;
		ret = load(low->turned ? &low->a : &low->b, low->turned, &l->of[i].left, err);
		if (!ret)
			ret = load(low->turned ? &low->b : &low->a, low->turned, &l->of[i].right, err);
	}
	return ret;
}

static void lora_release(struct vv_blend_job *j)
{
	struct lora *l = j->state;

	for (size_t i = 0; i < l->n; i++) {
		free(l->of[i].left);
		free(l->of[i].right);
	}
	free(l->of);
	free(l);
}

static VV_CLONES void add_times(double *restrict out, const double *restrict v, double by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] += by * v[i];
}

static void lora_mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	const struct lora *l = j->state;
	size_t cols = (size_t)j->cols;

	memcpy(out, p->x[0], p->n * sizeof(*out));
	for (size_t i = 0, m; i < p->n; i += m) {
		size_t row = (size_t)((p->at + i) / cols), col = (size_t)((p->at + i) % cols);
		m = cols - col < p->n - i ? cols - col : p->n - i;
		for (size_t k = 0; k < l->n; k++)
			for (size_t r = 0; r < l->of[k].rank; r++)
				add_times(out + i, l->of[k].right + r * cols + col,
					j->t->low[k].scale * l->of[k].left[row * l->of[k].rank + r], m);
	}
}

const struct vv_blend_method vv_blend_lora = {.name = "lora", .summary = "what LoRA adapters add to a base (--lora)",
	.base = VV_BLEND_BASE_APART, .min = 1, .params = VV_BP(SCALE) | VV_BP(FAN_IN_FAN_OUT), .prepare = lora_prepare,
	.mix = lora_mix, .release = lora_release};

/* --- the plan --- */

struct planner {
	struct vv_blend_plan *out;
	const struct vv_recipe *r;
	const struct vv_blend_model *base;
	struct vv_map names; /* of the new tensors: the number of each */
	struct vv_err *err;
};

static const struct vv_view *view_of(const struct vv_blend_in *in)
{
	return &in->from->m->segs[in->seg].seg.views[in->view];
}

static enum vv_dtype type_of(const struct vv_blend_in *in)
{
	return in->from->m->segs[in->seg].seg.dtype;
}

/* All tensors of the base, as they are or in the type that is wanted. */
static int add_base(struct planner *pl)
{
	const struct vv_manifest *m = pl->base->v.m;
	size_t n = 0;

	for (size_t i = 0; i < m->n_segs; i++)
		n += m->segs[i].seg.n_views;
	pl->out->t = vv_arena_array(&pl->out->arena, n + 1, sizeof(*pl->out->t));
	if (!pl->out->t)
		return vv_fail_nomem(pl->err);
	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views; k++) {
			const struct vv_view *v = &m->segs[i].seg.views[k];
			enum vv_dtype dt = m->segs[i].seg.dtype;
			struct vv_blend_in *in = vv_arena_array(&pl->out->arena, 1, sizeof(*in));
			bool change = pl->r->to != VV_DT_BYTES && pl->r->to != dt && vv_blend_takes(dt);
			uint64_t numel, bytes;
			bool added;

			if (!in || !vv_map_put(&pl->names, vv_span_str(v->name), pl->out->n, &added))
				return vv_fail_nomem(pl->err);
			*in = (struct vv_blend_in){.from = &pl->base->v, .file = pl->base->file, .seg = i, .view = k};
			in->p[VV_BP_SCALE] = 1;
			pl->out->t[pl->out->n] = (struct vv_blend_tensor){.name = v->name, .in = in, .n = 1,
				.method = change ? &vv_blend_passthrough : NULL, .to = change ? pl->r->to : dt};
			if (vv_dtype_bytes(pl->out->t[pl->out->n++].to, v->shape, v->ndim, &numel, &bytes) ||
				vv_add_over(pl->out->bytes, bytes, &pl->out->bytes))
				return vv_fail(pl->err, VV_ELIMIT, "tensor \"%s\" is too large", v->name);
		}
	return 0;
}

/* Shapes that fit: A (rank, in), B (out, rank), and the base's. */
static int check_shapes(struct planner *pl, const struct vv_blend_low *low, const struct vv_blend_in *to)
{
	const struct vv_view *a = view_of(&low->a), *b = view_of(&low->b), *w = view_of(to);

	if (a->ndim != 2 || b->ndim != 2 || b->shape[1] != a->shape[0] || !a->shape[0] || a->shape[0] > VV_MAX_LORA_RANK)
		return vv_fail(pl->err, VV_EFORMAT, "%s: tensors \"%s\" and \"%s\" make no product", low->a.file, a->name, b->name);
	if (!vv_blend_takes(type_of(&low->a)) || !vv_blend_takes(type_of(&low->b)))
		return vv_fail(pl->err, VV_ENOTSUP, "%s: tensor \"%s\" of type %s cannot be merged", low->a.file, a->name,
			vv_dtype_info(type_of(&low->a))->name);
	if (!vv_blend_takes(type_of(to)))
		return vv_fail(pl->err, VV_ENOTSUP, "%s: tensor \"%s\" of type %s cannot be merged", to->file, w->name,
			vv_dtype_info(type_of(to))->name);
	if (w->ndim != 2 || w->shape[low->turned] != b->shape[0] || w->shape[!low->turned] != a->shape[1])
		return vv_fail(pl->err, VV_EFORMAT, "tensor \"%s\" of %s does not fit \"%s\" of %s", a->name, low->a.file, w->name,
			to->file);
	return 0;
}

/* One product of an adapter, on top of its tensor. */
static int add_product(struct planner *pl, const struct vv_recipe_source *s, const struct vv_adapter_part *part,
	struct vv_blend_low *low)
{
	char name[VV_MAX_NAME + 16];
	const uint64_t *at;
	struct vv_blend_tensor *t;
	struct vv_blend_low *all;
	int ret;

	snprintf(name, sizeof(name), "%s.weight", part->module);
	at = vv_map_find(&pl->names, vv_span_str(name));
	if (!at)
		return vv_fail(pl->err, VV_EFORMAT, "%s has no tensor \"%s\", which an adapter in %s changes", pl->base->file, name,
			low->a.file);
	t = &pl->out->t[*at];
	low->scale = vv_recipe_number(pl->r, &pl->r->slices[0], s, VV_BP_SCALE, name, 0);
	low->turned = part->embedding || vv_recipe_number(pl->r, &pl->r->slices[0], s, VV_BP_FAN_IN_FAN_OUT, name, 0) != 0;
	ret = check_shapes(pl, low, t->in);
	if (ret)
		return ret;
	low->rank = view_of(&low->a)->shape[0];
	all = vv_arena_array(&pl->out->arena, t->n_low + 1, sizeof(*all));
	if (!all)
		return vv_fail_nomem(pl->err);
	if (t->n_low)
		memcpy(all, t->low, t->n_low * sizeof(*all));
	all[t->n_low++] = *low;
	t->low = all;
	t->method = &vv_blend_lora;
	t->to = pl->r->to != VV_DT_BYTES ? pl->r->to : type_of(t->in);
	return 0;
}

static int put_names(struct vv_map *names, const struct vv_manifest *m, struct vv_err *err)
{
	bool added;

	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views; k++)
			if (!vv_map_put(names, vv_span_str(m->segs[i].seg.views[k].name), (uint64_t)i << 32 | k, &added))
				return vv_fail_nomem(err);
	return 0;
}

static int add_adapter(struct planner *pl, const struct vv_recipe_source *s, const struct vv_blend_model *model)
{
	const struct vv_manifest *m = model->v.m;
	struct vv_adapter_part part;
	struct vv_map names = {0};
	size_t products = 0;
	int ret = put_names(&names, m, pl->err);

	for (size_t i = 0; i < m->n_segs && !ret; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views && !ret; k++) {
			const char *name = m->segs[i].seg.views[k].name;
			const uint64_t *other;
			struct vv_blend_low low = {.a = {.from = &model->v, .file = model->file, .seg = i, .view = k}};

			if (!vv_adapter_part(&part, name)) {
				ret = vv_fail(pl->err, VV_ENOTSUP, "%s: tensor \"%s\" is no part of a LoRA", model->file, name);
			} else if (!(other = vv_map_find(&names, vv_span_str(part.other)))) {
				ret = vv_fail(pl->err, VV_EFORMAT, "%s: tensor \"%s\" lacks \"%s\"", model->file, name, part.other);
			} else if (part.a) {
				low.b = low.a;
				low.b.seg = (size_t)(*other >> 32);
				low.b.view = (size_t)(*other & UINT32_MAX);
				ret = add_product(pl, s, &part, &low);
				products++;
			}
		}
	vv_map_release(&names);
	if (!ret && !products)
		ret = vv_fail(pl->err, VV_EFORMAT, "%s has no tensors of an adapter", model->file);
	return ret;
}

int vv_lora_plan(struct vv_blend_plan *out, const struct vv_recipe *r, const struct vv_blend_model *models, struct vv_err *err)
{
	struct planner pl = {.out = out, .r = r, .err = err};
	int ret;

	if (r->base == SIZE_MAX || r->n_slices != 1 || r->slices[0].sources[0].ranged)
		return vv_fail(err, VV_EUSAGE, "lora takes a base, adapters and no slices");
	pl.base = &models[r->base];
	ret = add_base(&pl);
	for (size_t i = 0; i < r->slices[0].n && !ret; i++)
		ret = add_adapter(&pl, &r->slices[0].sources[i], &models[r->slices[0].sources[i].model]);
	vv_map_release(&pl.names);
	return ret;
}
