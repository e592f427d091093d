#include "model/convert.h"

#include "base/check.h"
#include "codec/narrow.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 4096 }; /* elements cast at once */

/* A tensor, cast while it is read. */
struct cast {
	struct vv_source base;
	struct vv_tensor_source tensor;
	enum vv_dtype from, to;
};

static void cast(enum vv_dtype from, enum vv_dtype to, const uint8_t *in, uint8_t *out, size_t n)
{
	uint8_t wide[PIECE * 4];

	if (vv_narrows(from, to)) {
		memcpy(wide, in, n * 4);
		vv_narrow(from, to, wide, n);
		memcpy(out, wide, n * 2);
	} else if (vv_widens(from, to)) {
		vv_widen(from, to, in, out, n);
	} else {
		/* bf16 and f16, by way of f32, which holds both. */
		vv_widen(from, VV_DT_F32, in, wide, n);
		vv_narrow(VV_DT_F32, to, wide, n);
		memcpy(out, wide, n * 2);
	}
}

static int read_cast(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct cast *c = (const struct cast *)self;
	unsigned from = vv_dtype_width(c->from), to = vv_dtype_width(c->to);
	uint8_t in[PIECE * 4], out[PIECE * 4], *p = dst;
	int ret = 0;

	while (len && !ret) {
		size_t skip = (size_t)(off % to), n = (size_t)vv_min64(vv_div_up(skip + len, to), PIECE), take = n * to - skip;

		ret = vv_source_read(&c->tensor.base, off / to * from, in, n * from, err);
		if (ret)
			break;
		cast(c->from, c->to, in, out, n);
		take = take < len ? take : len;
		memcpy(p, out + skip, take);
		p += take;
		off += take;
		len -= take;
	}
	return ret;
}

static bool is_castable(enum vv_dtype dt)
{
	return dt == VV_DT_F32 || dt == VV_DT_F16 || dt == VV_DT_BF16;
}

struct work {
	const struct vv_version *from;
	const struct vv_convert *how;
	struct cast *casts;
	struct vv_part *parts;
	size_t n, cap;
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

static int add(struct work *w, size_t seg, size_t view, struct vv_err *err)
{
	struct cast *c = &w->casts[w->n];
	struct vv_tensor t;
	int ret = vv_tensor_at(&t, w->from->m, seg, view, err);

	if (!ret)
		ret = vv_tensor_open(&c->tensor, w->from, &t, err);
	if (ret)
		return ret;
	c->from = c->to = t.seg->seg.dtype;
	if (w->how->to != VV_DT_BYTES && is_castable(c->from))
		c->to = w->how->to;
	c->base = (struct vv_source){t.numel * vv_dtype_width(c->to), read_cast};
	w->parts[w->n++] = (struct vv_part){.name = t.view->name, .dtype = c->to, .ndim = t.view->ndim, .shape = t.view->shape,
		.len = c->from == c->to ? t.len : c->base.size,
		.bytes = c->from == c->to ? &c->tensor.base : &c->base};
	return 0;
}

int vv_convert(
	const struct vv_version *from, const struct vv_convert *how, struct vv_sink *out, size_t *written, struct vv_err *err)
{
	struct work w = {.from = from, .how = how, .used = calloc(how->n_patterns + 1, sizeof(bool))};
	char hex[VV_ID_HEX + 1], note[128];
	int ret = 0;

	for (size_t i = 0; i < from->m->n_segs; i++)
		w.cap += from->m->segs[i].seg.n_views;
	w.casts = calloc(w.cap + 1, sizeof(*w.casts));
	w.parts = calloc(w.cap + 1, sizeof(*w.parts));
	if (!w.casts || !w.parts || !w.used)
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < from->m->n_segs && !ret; i++)
		for (size_t k = 0; k < from->m->segs[i].seg.n_views && !ret; k++)
			if (is_wanted(&w, from->m->segs[i].seg.views[k].name))
				ret = add(&w, i, k, err);
	for (size_t i = 0; i < how->n_patterns && !ret; i++)
		if (!w.used[i])
			ret = vv_fail(err, VV_ENOTFOUND, "no tensor matches '%s'", how->patterns[i]);
	if (!ret && !w.n)
		ret = vv_fail(err, VV_ENOTSUP, "no tensors are seen in this file (%s)", from->m->format);
	snprintf(note, sizeof(note), "from %s sha256:%s", from->m->format, vv_id_hex(&from->m->sha256, hex));
	if (!ret)
		ret = vv_assemble_new(how->format, note, w.parts, w.n, out, err);
	*written = w.n;
	for (size_t i = 0; i < w.n; i++)
		vv_tensor_close(&w.casts[i].tensor);
	free(w.casts);
	free(w.parts);
	free(w.used);
	return ret;
}
