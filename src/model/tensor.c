/* One tensor's bytes, row-major and contiguous, wherever and however the file holds them. */
#include "model/manifest_text.h"
#include "model/model.h"

#include <pthread.h>
#include <stdlib.h>

/* What a strided tensor spans of its storage, or a packed one's elements; loaded by the first read. */
struct vv_tensor_window {
	pthread_mutex_t lock;
	uint8_t *data;    /* under lock; of a strided one that is not packed, until it is set */
	uint64_t off;     /* bytes in the file */
	size_t len;
	uint64_t read;    /* of a packed one: bytes handed out since it was loaded */
};

int vv_tensor_at(
	struct vv_tensor *out, const struct vv_manifest *m, size_t seg, size_t view, struct vv_err *err)
{
	struct vv_tensor t = {.seg = &m->segs[seg], .view = &m->segs[seg].seg.views[view]};
	enum vv_dtype dt = t.seg->seg.dtype;
	uint64_t bits;

	if (vv_shape_numel(t.view->shape, t.view->ndim, &t.numel) ||
		vv_mul_over(t.numel, (uint64_t)vv_dtype_info(dt)->bits, &bits))
		return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", t.view->name);
	if (bits % 8 || t.view->offset * vv_dtype_info(dt)->bits % 8)
		return vv_fail(err, VV_ENOTSUP, "tensor \"%s\" begins or ends within a byte", t.view->name);
	t.len = bits / 8;
	*out = t;
	return 0;
}

int vv_tensor_find(struct vv_tensor *out, const struct vv_manifest *m, const char *name, struct vv_err *err)
{
	size_t seg, view;

	if (!vv_manifest_find(m, name, &seg, &view))
		return vv_fail(err, VV_ENOTFOUND, "no tensor \"%s\"", name);
	return vv_tensor_at(out, m, seg, view, err);
}

static int read_contiguous(
	const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_tensor_source *s = (const struct vv_tensor_source *)self;
	const struct vv_segment *seg = &s->t.seg->seg;
	uint64_t start = seg->off + s->t.view->offset * vv_dtype_info(seg->dtype)->bits / 8;

	return vv_source_read(s->file, start + off, dst, len, err);
}

static int load_window(const struct vv_tensor_source *s, struct vv_err *err)
{
	struct vv_tensor_window *w = s->window;
	uint8_t last;
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	if (!w->data) {
		/* Memory is only taken for bytes that are there: a manifest may claim any size. */
		ret = vv_source_read(s->file, w->off + w->len - 1, &last, 1, err);
		uint8_t *data = ret ? NULL : malloc(w->len);
		if (!ret && !data)
			ret = vv_fail_nomem(err);
		if (!ret)
			ret = vv_source_read(s->file, w->off, data, w->len, err);
		if (ret)
			free(data);
		else
			w->data = data;
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

/* Where element `e` in row-major order lies, in elements; *run: how many follow it in the last dimension. */
static uint64_t element_at(const struct vv_view *v, uint64_t e, uint64_t *run)
{
	uint64_t at = 0;

	*run = v->shape[v->ndim - 1] - e % v->shape[v->ndim - 1];
	for (unsigned i = v->ndim; i-- > 0; e /= v->shape[i])
		at += e % v->shape[i] * v->stride[i];
	return at;
}

static void gather(const struct vv_tensor_source *s, uint64_t off, uint8_t *out, size_t len)
{
	const struct vv_view *v = s->t.view;
	unsigned width = vv_dtype_width(s->t.seg->seg.dtype);
	uint64_t step = v->stride[v->ndim - 1] * width;

	while (len) {
		uint64_t run;
		const uint8_t *from = s->window->data + element_at(v, off / width, &run) * width;
		size_t skip = (size_t)(off % width), n = width - skip;

		if (skip || len < width) {
			n = n < len ? n : len;
			memcpy(out, from + skip, n);
		} else {
			run = vv_min64(run, len / width);
			n = (size_t)run * width;
			for (size_t i = 0; i < run; i++)
				memcpy(out + i * width, from + i * step, width);
		}
		out += n;
		off += n;
		len -= n;
	}
}

static int read_strided(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_tensor_source *s = (const struct vv_tensor_source *)self;
	int ret = load_window(s, err);

	if (!ret)
		gather(s, off, dst, len);
	return ret;
}

/* Once as much was read as there is, the elements are let go: whoever reads all tensors of a file holds few. */
static int read_packed(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_tensor_source *s = (const struct vv_tensor_source *)self;
	const struct vv_segment *seg = &s->t.seg->seg;
	struct vv_tensor_window *w = s->window;
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	if (!w->data) {
		ret = vv_coding_decode(&w->data, seg->coding, seg->dtype, s->file, w->off, seg->len, seg->skip, w->len, err);
		if (ret)
			vv_err_in(err, "tensor \"%s\"", s->t.view->name);
		w->read = 0;
	}
	if (!ret) {
		if (vv_view_contiguous(s->t.view))
			memcpy(dst, w->data + off, len);
		else
			gather(s, off, dst, len);
		w->read += len;
		if (w->read >= s->t.len) {
			free(w->data);
			w->data = NULL;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

static int window_of(struct vv_tensor_window *w, const struct vv_tensor *t)
{
	const struct vv_segment *seg = &t->seg->seg;
	uint64_t width = vv_dtype_width(seg->dtype), extent, numel;

	w->off = seg->off + (seg->coding ? 0 : t->view->offset * width);
	if (seg->coding)
		return vv_packed_size(seg, &numel, &extent) || vv_to_size(extent, &w->len);
	return vv_view_extent(t->view, &extent) || vv_mul_over(extent, width, &extent) || vv_to_size(extent, &w->len);
}

int vv_tensor_open(
	struct vv_tensor_source *s, const struct vv_version *v, const struct vv_tensor *t, struct vv_err *err)
{
	const struct vv_segment *seg = &t->seg->seg;
	struct vv_tensor_window *w;

	*s = (struct vv_tensor_source){.base = {t->len, read_contiguous}, .t = *t, .file = v->bytes};
	if (vv_view_contiguous(t->view) && !seg->coding)
		return 0;
	if (!vv_view_contiguous(t->view) && vv_dtype_info(seg->dtype)->bits < 8)
		return vv_fail(err, VV_ENOTSUP, "tensor \"%s\" is strided within bytes", t->view->name);
	w = calloc(1, sizeof(*w));
	if (!w)
		return vv_fail_nomem(err);
	if (window_of(w, t)) {
		free(w);
		return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", t->view->name);
	}
	pthread_mutex_init(&w->lock, NULL);
	s->base.read_at = seg->coding ? read_packed : read_strided;
	s->window = w;
	return 0;
}

void vv_tensor_close(struct vv_tensor_source *s)
{
	if (s->window) {
		pthread_mutex_destroy(&s->window->lock);
		free(s->window->data);
		free(s->window);
	}
	s->window = NULL;
}

int vv_tensor_read(const struct vv_version *v, const char *name, struct vv_buf *out, struct vv_err *err)
{
	struct vv_tensor_source s = {0};
	struct vv_tensor t;
	size_t len;
	void *p;
	int ret = vv_tensor_find(&t, v->m, name, err);

	if (!ret)
		ret = vv_tensor_open(&s, v, &t, err);
	if (ret)
		return ret;
	p = vv_to_size(t.len, &len) ? NULL : vv_buf_reserve(out, len);
	if (p) {
		ret = vv_source_read(&s.base, 0, p, len, err);
		out->len += ret ? 0 : len;
	} else {
		ret = vv_fail(err, out->failed == VV_ENOMEM ? VV_ENOMEM : VV_ELIMIT,
			"tensor \"%s\" is too large to hold in memory", name);
	}
	vv_tensor_close(&s);
	return ret;
}
