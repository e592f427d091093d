/* Small models in memory, with their manifests: no store, no file. */
#ifndef VV_TESTS_TOY_H
#define VV_TESTS_TOY_H

#include "hash/sha256.h"
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct toy {
	struct vv_manifest m;
	struct vv_buf bytes;
	struct vv_source_mem src;
	struct vv_version v;
};

enum { TOY_SEGS = 64 };

static inline void toy_init(struct toy *t)
{
	memset(t, 0, sizeof(*t));
	vv_buf_init(&t->bytes, VV_MAX_TEXT);
	t->m.format = "toy";
	t->m.segs = vv_arena_array(&t->m.arena, TOY_SEGS, sizeof(*t->m.segs));
}

/* The views of a segment are added afterwards, by toy_view. */
static inline void toy_segment(struct toy *t, enum vv_dtype dt, const void *data, size_t len)
{
	struct vv_manifest_seg *s = &t->m.segs[t->m.n_segs++];

	s->seg = (struct vv_segment){.off = t->bytes.len, .len = len, .dtype = dt,
		.views = vv_arena_array(&t->m.arena, 8, sizeof(struct vv_view))};
	vv_sha256(vv_span(data, len), &s->id);
	vv_buf_add(&t->bytes, data, len);
}

/* stride NULL: contiguous. */
static inline void toy_view(struct toy *t, const char *name, unsigned ndim, const uint64_t *shape,
	const uint64_t *stride, uint64_t offset)
{
	struct vv_segment *s = &t->m.segs[t->m.n_segs - 1].seg;
	uint64_t *dims = vv_arena_array(&t->m.arena, 16, sizeof(*dims));

	for (unsigned i = 0; i < ndim; i++) {
		dims[i] = shape[i];
		dims[8 + i] = stride ? stride[i] : 0;
	}
	((struct vv_view *)(uintptr_t)s->views)[s->n_views++] =
		(struct vv_view){name, ndim, dims, stride ? dims + 8 : NULL, offset};
}

/* The last segment is a coded stream. */
static inline void toy_coded(struct toy *t, unsigned coding, uint64_t skip)
{
	struct vv_segment *s = &t->m.segs[t->m.n_segs - 1].seg;

	s->coding = (uint8_t)coding;
	s->skip = skip;
}

/* A tensor of n elements: shape [n]. */
static inline void toy_tensor(struct toy *t, const char *name, enum vv_dtype dt, uint64_t n, const void *data)
{
	toy_segment(t, dt, data, (size_t)n * vv_dtype_width(dt));
	toy_view(t, name, 1, &n, NULL, 0);
}

/* One f32 tensor of one element, whose content is `x`. */
static inline void toy_f32(struct toy *t, const char *name, float x)
{
	toy_tensor(t, name, VV_DT_F32, 1, &x);
}

static inline void toy_done(struct toy *t)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;

	t->m.size = t->bytes.len;
	vv_sha256(vv_buf_view(&t->bytes), &t->m.sha256);
	if (vv_manifest_emit(&t->m, &text, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	vv_buf_release(&text);
	vv_source_mem_init(&t->src, vv_buf_view(&t->bytes));
	t->v = (struct vv_version){&t->m, &t->src.base};
}

static inline void toy_release(struct toy *t)
{
	vv_manifest_release(&t->m);
	vv_buf_release(&t->bytes);
}

#endif
