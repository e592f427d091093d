/*
 * Input that begins like an archive is one; any other is the data.pkl of a right archive with a few
 * storages. What is located as PyTorch's is assembled: the same tensors give the same file; with one
 * gone or one more, a file that has exactly those, or VV_ENOTSUP.
 */
#include "format/torch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	struct vv_sink base;
	struct vv_buf b;
};

static int keep(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct bytes *s = (struct bytes *)self;

	vv_buf_span(&s->b, data);
	return vv_buf_check(&s->b, err);
}

static void put(struct vv_torch_writer *w, const char *name, struct vv_span bytes)
{
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&mem, bytes);
	if (vv_torch_put(w, name, &mem.base, &err))
		abort();
}

static void archive(struct bytes *out, struct vv_span pickle)
{
	static const uint8_t storage[64] = {1, 2, 3};
	struct vv_torch_writer w = {.out = &out->base, .align = 64};
	struct vv_err err = VV_ERR_INIT;

	put(&w, "m/data.pkl", pickle);
	put(&w, "m/data/0", vv_span(storage, 64));
	put(&w, "m/data/1", vv_span(storage, 16));
	put(&w, "m/data/2", vv_span(storage, 0));
	put(&w, "m/version", vv_span("3\n", 2));
	if (vv_torch_put_end(&w, &err))
		abort();
	vv_buf_release(&w.directory);
}

/* A view's bytes as a part's, gathered element by element. 1: too many, an expanded one. */
static int gather(const struct vv_source *src, const struct vv_segment *s, const struct vv_view *v, struct vv_part *part,
	struct vv_source_mem *mem)
{
	unsigned width = vv_dtype_width(s->dtype);
	uint64_t numel, bytes, step[VV_MAX_DIMS], next = 1;
	struct vv_err err = VV_ERR_INIT;
	uint8_t *p;

	if (vv_dtype_bytes(s->dtype, v->shape, v->ndim, &numel, &bytes) || bytes > 1 << 16)
		return 1;
	p = malloc((size_t)bytes + 1);
	for (unsigned i = v->ndim; i-- > 0; next *= v->shape[i])
		step[i] = v->stride ? v->stride[i] : next;
	for (uint64_t e = 0; e < numel; e++) {
		uint64_t at = v->offset, rest = e;
		for (unsigned i = v->ndim; i-- > 0; rest /= v->shape[i])
			at += rest % v->shape[i] * step[i];
		if (vv_source_read(src, s->off + at * width, p + e * width, width, &err))
			abort();
	}
	vv_source_mem_init(mem, vv_span(p, (size_t)bytes));
	*part = (struct vv_part){v->name, s->dtype, v->ndim, v->shape, bytes, &mem->base};
	return 0;
}

/* Do the located tensors have exactly these names? */
static bool has_all(const struct vv_layout *l, const struct vv_part *parts, size_t n)
{
	size_t seg, view, found = 0;

	for (size_t i = 0; i < l->n_segs; i++)
		found += l->segs[i].n_views;
	for (size_t i = 0; i < n; i++)
		if (!vv_layout_find(l, parts[i].name, &seg, &view))
			return false;
	return found == n;
}

static void assemble(
	const struct vv_layout *l, const struct vv_source_mem *src, const struct vv_part *parts, size_t n, bool same)
{
	struct bytes out = {{keep}, VV_BUF_INIT(VV_MAX_TEXT)};
	struct vv_assembly a = {l, &src->base, parts, n};
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;
	struct vv_layout again;
	int ret = vv_assemble(&a, &out.base, &err);

	if (ret && ret != VV_ENOTSUP && ret != VV_ELIMIT)
		abort();
	if (same && (ret || !vv_span_eq(vv_buf_view(&out.b), src->data)))
		abort();
	if (!ret && !same) {
		vv_source_mem_init(&mem, vv_buf_view(&out.b));
		if (vv_layout_locate(&again, &mem.base, &err) || !has_all(&again, parts, n))
			abort();
		vv_layout_release(&again);
	}
	vv_buf_release(&out.b);
}

static void run(struct vv_span file, bool made)
{
	enum { MAX = 64 };
	struct vv_part parts[MAX];
	struct vv_source_mem src, mem[MAX];
	struct vv_err err = VV_ERR_INIT;
	struct vv_layout l;
	size_t n = 0;
	bool whole = true;

	vv_source_mem_init(&src, file);
	if (vv_layout_locate(&l, &src.base, &err))
		abort();
	for (size_t i = 0; i < l.n_segs; i++)
		for (size_t k = 0; k < l.segs[i].n_views; k++)
			if (n == MAX - 1 || gather(&src.base, &l.segs[i], &l.segs[i].views[k], &parts[n], &mem[n]))
				whole = false;
			else
				n++;
	if (!strcmp(l.format->name, "torch") && whole) {
		/* A foreign archive may have wrong CRC-32s, which are put right. */
		if (made)
			assemble(&l, &src, parts, n, true);
		if (n) {
			assemble(&l, &src, parts + 1, n - 1, false);
			parts[n] = parts[0];
			parts[n].name = "new.1.x";
			assemble(&l, &src, parts, n + 1, false);
		}
	}
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)mem[i].data.ptr);
	vv_layout_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes made = {{keep}, VV_BUF_INIT(VV_MAX_TEXT)};

	if (size > 4 && !memcmp(data, "PK", 2)) {
		run(vv_span(data, size), false);
	} else {
		archive(&made, vv_span(data, size));
		run(vv_buf_view(&made.b), true);
	}
	vv_buf_release(&made.b);
	return 0;
}
