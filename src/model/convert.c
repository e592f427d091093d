#include "model/convert.h"

#include "base/check.h"
#include "base/map.h"
#include "model/cast.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

/* A tensor on its way. */
struct item {
	struct vv_tensor_source tensor;
	struct vv_cast cast;
	struct vv_int8 int8;
	struct vv_q8_0 q8_0;
	uint64_t shape[VV_MAX_DIMS]; /* of the blocks */
	uint64_t rows;
	char *scale; /* its name */
};

struct work {
	const struct vv_version *from;
	const struct vv_convert *how;
	struct item *items;
	struct vv_part *parts;
	size_t n, n_parts, cap;
	struct vv_map names;
	bool *used; /* by pattern */
};

static bool is_wanted(struct work *w, const char *name)
{
	bool yes = !w->how->n_patterns;

	for (size_t i = 0; i < w->how->n_patterns; i++)
		if (!fnmatch(w->how->patterns[i], name, 0))
			yes = w->used[i] = true;
	return yes;
}

static void cast(struct item *x, struct vv_part *p, enum vv_dtype to, uint64_t numel)
{
	if (p->dtype == to)
		return;
	vv_cast_init(&x->cast, p->bytes, p->dtype, to, numel);
	p->dtype = to;
	p->len = x->cast.base.size;
	p->bytes = &x->cast.base;
}

/* A name that no tensor has, neither of the wanted nor of the scales. */
static int name_scale(struct work *w, struct item *x, const char *name, struct vv_err *err)
{
	size_t room = strlen(name) + 32;
	bool added = false;

	x->scale = malloc(room);
	if (!x->scale)
		return vv_fail_nomem(err);
	snprintf(x->scale, room, "%s.scale", name);
	for (size_t k = 1;; k++) {
		if (!vv_map_put(&w->names, vv_span_str(x->scale), 0, &added))
			return vv_fail_nomem(err);
		if (added)
			return 0;
		snprintf(x->scale, room, "%s.scale_%zu", name, k);
	}
}

static int quantise_int8(struct work *w, struct item *x, struct vv_part *p, uint64_t numel, struct vv_err *err)
{
	int ret = name_scale(w, x, p->name, err);

	if (ret)
		return ret;
	x->rows = p->shape[0];
	ret = vv_int8_init(&x->int8, p->bytes, p->name, p->dtype, x->rows, numel / x->rows, err);
	if (ret)
		return ret;
	p->dtype = VV_DT_I8;
	p->len = numel;
	p->bytes = &x->int8.base;
	w->parts[w->n_parts++] = (struct vv_part){.name = x->scale, .dtype = VV_DT_F32, .ndim = 1, .shape = &x->rows,
		.len = 4 * x->rows, .bytes = &x->int8.scale.base};
	return 0;
}

static void quantise_q8_0(struct item *x, struct vv_part *p, uint64_t numel)
{
	unsigned last = p->ndim - 1;

	if (p->ndim < 2) {
		cast(x, p, VV_DT_F32, numel);
		return;
	}
	if (p->ndim >= VV_MAX_DIMS || p->shape[last] % VV_Q8_0_BLOCK)
		return;
	memcpy(x->shape, p->shape, p->ndim * sizeof(*p->shape));
	x->shape[last] /= VV_Q8_0_BLOCK;
	x->shape[last + 1] = VV_Q8_0_BYTES;
	vv_q8_0_init(&x->q8_0, p->bytes, p->name, p->dtype, numel);
	*p = (struct vv_part){.name = p->name, .dtype = VV_DT_U8, .ndim = p->ndim + 1, .shape = x->shape,
		.len = x->q8_0.base.size, .bytes = &x->q8_0.base, .blocks = "q8_0"};
}

static int add(struct work *w, size_t seg, size_t view, struct vv_err *err)
{
	struct item *x = &w->items[w->n];
	struct vv_part *p = &w->parts[w->n_parts];
	struct vv_tensor t;
	int ret = vv_tensor_at(&t, w->from->m, seg, view, err);

	if (!ret)
		ret = vv_tensor_open(&x->tensor, w->from, &t, err);
	if (ret)
		return ret;
	w->n++;
	w->n_parts++;
	*p = (struct vv_part){.name = t.view->name, .dtype = t.seg->seg.dtype, .ndim = t.view->ndim,
		.shape = t.view->shape, .len = t.len, .bytes = &x->tensor.base};
	if (!vv_castable(p->dtype))
		return 0;
	if (w->how->quant == VV_QUANT_INT8)
		return p->ndim > 1 && t.numel ? quantise_int8(w, x, p, t.numel, err) : 0;
	if (w->how->quant == VV_QUANT_Q8_0)
		quantise_q8_0(x, p, t.numel);
	else if (w->how->to != VV_DT_BYTES)
		cast(x, p, w->how->to, t.numel);
	return 0;
}

/* `fn` for each tensor that is wanted. */
static int each_wanted(struct work *w, int (*fn)(struct work *, size_t, size_t, struct vv_err *), struct vv_err *err)
{
	const struct vv_manifest *m = w->from->m;
	int ret = 0;

	for (size_t i = 0; i < m->n_segs && !ret; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views && !ret; k++)
			if (is_wanted(w, m->segs[i].seg.views[k].name))
				ret = fn(w, i, k, err);
	return ret;
}

static int count(struct work *w, size_t seg, size_t view, struct vv_err *err)
{
	w->cap++;
	return vv_map_put(&w->names, vv_span_str(w->from->m->segs[seg].seg.views[view].name), 0, NULL) ? 0
													: vv_fail_nomem(err);
}

static int plan(struct work *w, struct vv_err *err)
{
	int ret = each_wanted(w, count, err);

	for (size_t i = 0; i < w->how->n_patterns && !ret; i++)
		if (!w->used[i])
			ret = vv_fail(err, VV_ENOTFOUND, "no tensor matches '%s'", w->how->patterns[i]);
	if (!ret && !w->cap)
		ret = vv_fail(err, VV_ENOTSUP, "no tensors are seen in this file (%s)", w->from->m->format);
	if (ret)
		return ret;
	w->items = calloc(w->cap, sizeof(*w->items));
	w->parts = calloc(w->cap, 2 * sizeof(*w->parts));
	if (!w->items || !w->parts)
		return vv_fail_nomem(err);
	return each_wanted(w, add, err);
}

static void note_of(char *note, size_t cap, const struct work *w)
{
	static const char *const forms[] = {[VV_QUANT_INT8] = "int8 by rows", [VV_QUANT_Q8_0] = "q8_0"};
	const char *to = forms[w->how->quant] ? forms[w->how->quant] : vv_dtype_info(w->how->to)->name;
	char hex[VV_ID_HEX + 1];
	bool other = w->how->quant || w->how->to != VV_DT_BYTES;

	snprintf(note, cap, "from %s sha256:%s%s%s", w->from->m->format, vv_id_hex(&w->from->m->sha256, hex),
		other ? " as " : "", other ? to : "");
}

int vv_convert(
	const struct vv_version *from, const struct vv_convert *how, struct vv_sink *out, size_t *written, struct vv_err *err)
{
	struct work w = {.from = from, .how = how, .used = calloc(how->n_patterns + 1, sizeof(bool))};
	char note[160];
	int ret = w.used ? plan(&w, err) : vv_fail_nomem(err);

	note_of(note, sizeof(note), &w);
	if (!ret && !strcmp(from->m->format, how->format->name))
		ret = vv_assemble_like(how->format, from->bytes, note, w.parts, w.n_parts, out, err);
	else if (!ret)
		ret = vv_assemble_new(how->format, note, w.parts, w.n_parts, out, err);
	*written = w.n_parts;
	for (size_t i = 0; i < w.n; i++) {
		vv_int8_release(&w.items[i].int8);
		vv_tensor_close(&w.items[i].tensor);
		free(w.items[i].scale);
	}
	vv_map_release(&w.names);
	free(w.items);
	free(w.parts);
	free(w.used);
	return ret;
}
