#include "format/inplace.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>

enum { PIECE = 1 << 16 };

static int same_bytes(const struct vv_part *p, const struct vv_part *q, struct vv_err *err)
{
	uint8_t *x = malloc(PIECE), *y = malloc(PIECE);
	int ret = x && y ? 0 : vv_fail_nomem(err);

	for (uint64_t at = 0; at < p->len && !ret; at += PIECE) {
		size_t n = (size_t)vv_min64(PIECE, p->len - at);
		ret = vv_source_read(p->bytes, at, x, n, err);
		if (!ret)
			ret = vv_source_read(q->bytes, at, y, n, err);
		if (!ret && memcmp(x, y, n) != 0)
			ret = vv_fail(err, VV_ENOTSUP, "tensors '%s' and '%s' are one in the file, but differ", p->name,
				q->name);
	}
	free(x);
	free(y);
	return ret;
}

/* The part for a view: NULL when it has another type or shape, or is not there. */
static const struct vv_part *part_of(const struct vv_assembly *a, const struct vv_map *names,
	const struct vv_segment *s, const struct vv_view *v)
{
	const uint64_t *at = vv_map_find(names, vv_span_str(v->name));
	const struct vv_part *p = at ? &a->parts[*at] : NULL;
	bool same = p && vv_view_is_whole(s, v) && p->dtype == s->dtype && p->ndim == v->ndim && p->len == s->len &&
		(!p->ndim || !memcmp(p->shape, v->shape, p->ndim * sizeof(*p->shape)));

	return same ? p : NULL;
}

int vv_inplace_match(const struct vv_assembly *a, const struct vv_part **of, struct vv_err *err)
{
	struct vv_map names = {0};
	size_t n = 0;
	int ret = 0;

	for (size_t i = 0; i < a->n_parts && !ret; i++)
		if (!vv_map_put(&names, vv_span_str(a->parts[i].name), i, NULL))
			ret = vv_fail_nomem(err);
	for (size_t i = 0; i < a->layout->n_segs && !ret; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		of[i] = NULL;
		/* What is packed stays as it is. */
		for (size_t k = 0; k < s->n_views && !s->coding && !ret; k++, n++) {
			const struct vv_part *p = part_of(a, &names, s, &s->views[k]);
			if (!p)
				ret = vv_fail(err, VV_ENOTSUP, "%s keeps its tensors: '%s' is missing, or of another type or shape",
					a->layout->format->name, s->views[k].name);
			else if (k)
				ret = same_bytes(of[i], p, err);
			else
				of[i] = p;
		}
	}
	if (!ret && n != a->n_parts)
		ret = vv_fail(err, VV_ENOTSUP, "%s takes no other tensors than it has", a->layout->format->name);
	vv_map_release(&names);
	return ret;
}

int vv_inplace_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	const struct vv_part **of = malloc((a->layout->n_segs + 1) * sizeof(struct vv_part *));
	int ret = of ? vv_inplace_match(a, of, err) : vv_fail_nomem(err);

	for (size_t i = 0; i < a->layout->n_segs && !ret; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		ret = of[i] ? vv_source_copy(of[i]->bytes, 0, of[i]->len, out, err)
			    : vv_source_copy(a->source, s->off, s->len, out, err);
	}
	free(of);
	return ret;
}
