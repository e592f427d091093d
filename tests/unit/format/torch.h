/* What the tests of PyTorch archives share: golden files, tensors' bytes, assembling with changes. */
#ifndef VV_TESTS_TORCH_H
#define VV_TESTS_TORCH_H

#include "format/format.h"

#include "layouts.h"
#include "memsink.h"
#include "sha256.h"
#include "tap.h"

#include <dirent.h>

static const char *const torch_versions[] = {"1.13.1", "2.13.0"};
static const char *const torch_samples[] = {"state", "checkpoint", "tied", "views", "types", "shapes", "parameter", "list",
	"tensor", "quantized", "sparse", "module", "odd", "attribute", "many", "legacy"};

struct torch_file {
	struct vv_buf bytes;
	struct vv_source_mem src;
	struct vv_layout layout;
};

static inline void torch_open(struct torch_file *f, struct vv_span bytes)
{
	struct vv_err err = VV_ERR_INIT;

	*f = (struct torch_file){.bytes = VV_BUF_INIT(VV_MAX_TEXT)};
	vv_buf_span(&f->bytes, bytes);
	vv_source_mem_init(&f->src, vv_buf_view(&f->bytes));
	if (vv_layout_locate(&f->layout, &f->src.base, &err)) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
}

static inline void torch_golden(struct torch_file *f, const char *file, const char *version, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "torch/%s/%s.pt", version, name);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	golden_read(&b, file, path);
	torch_open(f, vv_buf_view(&b));
	vv_buf_release(&b);
}

static inline void torch_close(struct torch_file *f)
{
	vv_layout_release(&f->layout);
	vv_buf_release(&f->bytes);
}

/* The view's elements, row-major, gathered one by one. */
static inline struct vv_buf torch_bytes(const struct torch_file *f, const struct vv_segment *s, const struct vv_view *v)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	unsigned width = vv_dtype_width(s->dtype);
	uint64_t numel, bytes, step[VV_MAX_DIMS], next = 1;

	if (vv_dtype_bytes(s->dtype, v->shape, v->ndim, &numel, &bytes))
		abort();
	for (unsigned i = v->ndim; i-- > 0; next *= v->shape[i])
		step[i] = v->stride ? v->stride[i] : next;
	for (uint64_t e = 0; e < numel; e++) {
		uint64_t at = v->offset, rest = e;
		for (unsigned i = v->ndim; i-- > 0; rest /= v->shape[i])
			at += rest % v->shape[i] * step[i];
		vv_buf_add(&out, f->bytes.ptr + s->off + at * width, width);
	}
	vv_buf_add(&out, "", 0);
	return out;
}

/* An assembly under construction: all tensors of a file, in its order, each with its own bytes. */
struct torch_want {
	struct vv_part parts[64];
	struct vv_source_mem src[64];
	struct vv_buf bytes[64];
	uint64_t shapes[64][VV_MAX_DIMS];
	size_t n, made; /* parts; sources and shapes, also those that no part uses any more */
};

static inline void torch_want_add(struct torch_want *w, const char *name, enum vv_dtype dt, const uint64_t *shape,
	unsigned ndim, struct vv_span bytes)
{
	size_t i = w->n++, k = w->made++;

	w->bytes[i] = (struct vv_buf)VV_BUF_INIT(VV_MAX_TEXT);
	vv_buf_span(&w->bytes[i], bytes);
	vv_source_mem_init(&w->src[k], vv_buf_view(&w->bytes[i]));
	if (ndim)
		memcpy(w->shapes[k], shape, ndim * sizeof(*shape));
	w->parts[i] = (struct vv_part){name, dt, ndim, w->shapes[k], bytes.len, &w->src[k].base};
}

static inline struct torch_want *torch_want_all(const struct torch_file *f)
{
	struct torch_want *w = calloc(1, sizeof(*w));

	for (size_t i = 0; i < f->layout.n_segs; i++)
		for (size_t k = 0; k < f->layout.segs[i].n_views; k++) {
			const struct vv_view *v = &f->layout.segs[i].views[k];
			struct vv_buf b = torch_bytes(f, &f->layout.segs[i], v);
			torch_want_add(w, v->name, f->layout.segs[i].dtype, v->shape, v->ndim, vv_buf_view(&b));
			vv_buf_release(&b);
		}
	return w;
}

static inline size_t torch_want_find(const struct torch_want *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->parts[i].name, name))
			return i;
	printf("Bail out! no tensor %s\n", name);
	exit(1);
}

static inline void torch_want_drop(struct torch_want *w, const char *name)
{
	size_t i = torch_want_find(w, name);

	vv_buf_release(&w->bytes[i]);
	/* Only the list closes up: sources and shapes stay where the parts point. */
	memmove(w->parts + i, w->parts + i + 1, (w->n - i - 1) * sizeof(*w->parts));
	memmove(w->bytes + i, w->bytes + i + 1, (w->n - i - 1) * sizeof(*w->bytes));
	w->n--;
}

static inline void torch_want_free(struct torch_want *w)
{
	for (size_t i = 0; i < w->n; i++)
		vv_buf_release(&w->bytes[i]);
	free(w);
}

static inline int torch_assemble(
	const struct torch_file *f, const struct torch_want *w, struct memsink *out, struct vv_err *err)
{
	struct vv_assembly a = {&f->layout, &f->src.base, w->parts, w->n};

	*out = (struct memsink)MEMSINK_INIT;
	vv_err_clear(err);
	return vv_assemble(&a, &out->base, err);
}

/* "name type [dims] sha256", as make.py writes it. */
static inline void torch_line(struct vv_buf *out, const char *name, enum vv_dtype dt, const uint64_t *shape, unsigned ndim,
	struct vv_span bytes)
{
	char hex[65];

	vv_buf_fmt(out, "%s %s [", name, vv_dtype_info(dt)->name);
	for (unsigned i = 0; i < ndim; i++)
		vv_buf_fmt(out, "%s%" PRIu64, i ? "," : "", shape[i]);
	vv_buf_fmt(out, "] %s\n", sha256_hex(bytes, hex));
}

static inline int torch_by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in an order of their own: files name tensors in the order of their bytes. Owned by the caller. */
static inline char *torch_sorted(struct vv_buf *text)
{
	static char *lines[4096];
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	size_t n = 0;

	vv_buf_char(text, 0);
	for (char *s = strtok((char *)text->ptr, "\n"); s && n < VV_COUNT(lines); s = strtok(NULL, "\n"))
		lines[n++] = s;
	qsort(lines, n, sizeof(*lines), torch_by_text);
	for (size_t i = 0; i < n; i++)
		vv_buf_fmt(&out, "%s\n", lines[i]);
	vv_buf_release(text);
	return vv_buf_take(&out);
}

static inline char *torch_told(const struct torch_file *f)
{
	struct torch_want *w = torch_want_all(f);
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < w->n; i++)
		torch_line(&out, w->parts[i].name, w->parts[i].dtype, w->parts[i].shape, w->parts[i].ndim,
			vv_buf_view(&w->bytes[i]));
	torch_want_free(w);
	return torch_sorted(&out);
}

static inline const struct vv_finding *torch_finding(const struct torch_file *f, const char *code)
{
	for (size_t i = 0; i < f->layout.n_findings; i++)
		if (!strcmp(f->layout.findings[i].code, code))
			return &f->layout.findings[i];
	return NULL;
}

#endif
