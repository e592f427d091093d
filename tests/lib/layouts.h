/* Files, their layouts, and their tensors as parts for an assembler: for tests of formats. */
#ifndef VV_TESTS_LAYOUTS_H
#define VV_TESTS_LAYOUTS_H

#include "base/map.h"
#include "format/format.h"

#include "memsink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends tests/golden/<path>. `test` is __FILE__ of a tests/unit/<module>/test_x.c; stops the test on failure. */
static inline void golden_read(struct vv_buf *out, const char *test, const char *path)
{
	char name[4096];
	size_t n;
	FILE *f;

	snprintf(name, sizeof(name), "%s/../../../golden/%s", test, path);
	/* A file is no folder: first drop its own name. */
	const char *slash = strrchr(test, '/');
	if (slash)
		snprintf(name, sizeof(name), "%.*s/../../golden/%s", (int)(slash - test), test, path);
	f = fopen(name, "rb");
	if (!f) {
		printf("Bail out! cannot read %s\n", name);
		exit(1);
	}
	for (uint8_t piece[4096]; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
		vv_buf_add(out, piece, n);
	fclose(f);
}

struct located {
	struct vv_buf file;
	struct vv_source_mem mem;
	struct vv_layout layout;
	struct vv_err err;
};

static inline int located_bytes(struct located *l, struct vv_span bytes)
{
	*l = (struct located){.file = VV_BUF_INIT(VV_MAX_TEXT)};
	vv_buf_span(&l->file, bytes);
	/* Exactly as large as the file, so that a sanitizer sees a read past it. */
	uint8_t *copy = malloc(bytes.len + !bytes.len);
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	vv_buf_release(&l->file);
	l->file.ptr = copy;
	l->file.len = bytes.len;
	vv_source_mem_init(&l->mem, vv_span(copy, bytes.len));
	return vv_layout_locate(&l->layout, &l->mem.base, &l->err);
}

static inline int located_golden(struct located *l, const char *test, const char *path)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	golden_read(&b, test, path);
	ret = located_bytes(l, vv_buf_view(&b));
	vv_buf_release(&b);
	return ret;
}

static inline void located_release(struct located *l)
{
	vv_layout_release(&l->layout);
	vv_buf_release(&l->file);
}

static inline bool has_finding(const struct vv_layout *l, const char *code)
{
	for (size_t i = 0; i < l->n_findings; i++)
		if (!strcmp(l->findings[i].code, code))
			return true;
	return false;
}

static inline size_t n_tensors(const struct vv_layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_segs; i++)
		n += l->segs[i].n_views;
	return n;
}

/* Those that an assembler writes: all but the packed ones. */
static inline size_t n_plain(const struct vv_layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_segs; i++)
		n += l->segs[i].coding ? 0 : l->segs[i].n_views;
	return n;
}

/* What holds for every layout: NULL, or what does not. */
static inline const char *layout_wrong(const struct vv_layout *l)
{
	struct vv_map names = {0};
	const char *wrong = NULL;
	uint64_t at = 0;

	for (size_t i = 0; i < l->n_segs && !wrong; i++) {
		const struct vv_segment *s = &l->segs[i];
		if (s->off != at)
			wrong = "segments do not touch";
		at += s->len;
		if ((s->dtype == VV_DT_BYTES) != !s->n_views || (!s->n_views && !s->len))
			wrong = "an opaque segment with views or nothing in it";
		if (s->coding && !vv_packed_fits(s))
			wrong = "a stream that cannot hold its tensor";
		uint64_t numel = 0, bytes = s->len;
		if (s->coding && vv_packed_size(s, &numel, &bytes))
			wrong = "a packed tensor of no size";
		for (size_t k = 0; k < s->n_views && !wrong; k++) {
			const struct vv_view *v = &s->views[k];
			uint64_t last = v->offset, n = 1, bits = vv_dtype_info(s->dtype)->bits, step = 1;
			bool added;

			for (unsigned d = v->ndim; d-- > 0;) {
				n *= v->shape[d];
				last += v->shape[d] ? (v->shape[d] - 1) * (v->stride ? v->stride[d] : step) : 0;
				step *= v->shape[d];
			}
			if (v->ndim > VV_MAX_DIMS || strlen(v->name) > VV_MAX_NAME)
				wrong = "a view past the limits";
			else if (n && (last + 1) * bits > bytes * 8)
				wrong = "a view outside its segment";
			vv_map_put(&names, vv_span_str(v->name), 1, &added);
			if (!added)
				wrong = "a name that stands twice";
		}
	}
	if (!wrong && at != l->size)
		wrong = "segments do not cover the file";
	for (size_t i = 0; i < l->n_findings && !wrong; i++)
		if (l->findings[i].off > l->size || strspn(l->findings[i].code, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
				strlen(l->findings[i].code))
			wrong = "a broken finding";
	vv_map_release(&names);
	return wrong;
}

struct parts {
	struct vv_part *p;
	struct vv_source_mem *mem;
	uint8_t **bytes;
	size_t n;
};

/* A view's elements in row-major order, gathered one by one; NULL when they are too many. */
static inline uint8_t *gathered(const struct vv_segment *s, const struct vv_view *v, const uint8_t *file, size_t *len)
{
	size_t w = vv_dtype_width(s->dtype);
	uint64_t n, bytes;
	uint8_t *out;

	if (vv_dtype_bytes(s->dtype, v->shape, v->ndim, &n, &bytes) || bytes > 64 << 20)
		return NULL;
	*len = (size_t)bytes;
	out = calloc(1, *len + !*len);
	if (!v->stride) {
		memcpy(out, file + s->off + v->offset * vv_dtype_info(s->dtype)->bits / 8, *len);
		return out;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = v->offset, left = i;
		for (unsigned d = v->ndim; d-- > 0; left /= v->shape[d])
			at += left % v->shape[d] * v->stride[d];
		memcpy(out + i * w, file + s->off + at * w, w);
	}
	return out;
}

/* All tensors of a file but packed ones, in its order. Release with parts_release. 1 when they are too many. */
static inline int parts_of(struct parts *out, const struct vv_layout *l, const uint8_t *file)
{
	size_t n = n_tensors(l);
	int ret = 0;

	*out = (struct parts){calloc(n + 1, sizeof(*out->p)), calloc(n + 1, sizeof(*out->mem)),
		calloc(n + 1, sizeof(*out->bytes)), 0};
	for (size_t i = 0; i < l->n_segs && !ret; i++)
		for (size_t k = 0; k < l->segs[i].n_views && !l->segs[i].coding && !ret; k++) {
			const struct vv_view *v = &l->segs[i].views[k];
			struct vv_part *p = &out->p[out->n];
			size_t len = 0;

			out->bytes[out->n] = gathered(&l->segs[i], v, file, &len);
			ret = !out->bytes[out->n];
			vv_source_mem_init(&out->mem[out->n], vv_span(out->bytes[out->n], len));
			*p = (struct vv_part){v->name, l->segs[i].dtype, v->ndim, v->shape, len, &out->mem[out->n].base};
			out->n++;
		}
	return ret;
}

static inline void parts_release(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->bytes[i]);
	free(p->bytes);
	free(p->mem);
	free(p->p);
}

/* The frame of `frame` with the tensors of `from`. */
static inline int reassemble(
	struct memsink *out, const struct located *frame, const struct located *from, struct vv_err *err)
{
	struct parts parts;
	int ret = parts_of(&parts, &from->layout, from->file.ptr);

	if (!ret) {
		struct vv_assembly a = {&frame->layout, &frame->mem.base, parts.p, parts.n};
		ret = vv_assemble(&a, &out->base, err);
	}
	parts_release(&parts);
	return ret;
}

#endif
