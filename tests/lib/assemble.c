/*
 * Writes OUT: the file FRAME with the tensors that DONOR has, in DONOR's order.
 *
 * usage: assemble FRAME DONOR OUT [KEEP…]
 *
 * With KEEP words only DONOR's tensors whose name begins with one of them are taken, and beside them
 * FRAME's others. Exit status 2 when the format cannot hold that, and 1 on any other failure.
 */
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 100000 };

struct file {
	uint8_t *bytes;
	struct vv_source_mem src;
	struct vv_layout layout;
};

static int fail(const char *what, const struct vv_err *err)
{
	fprintf(stderr, "assemble: %s: %s\n", what, err->msg);
	return err->code == VV_ENOTSUP ? 2 : 1;
}

static int load(struct file *f, const char *path, struct vv_err *err)
{
	FILE *in = fopen(path, "rb");
	long n;

	if (!in || fseek(in, 0, SEEK_END) || (n = ftell(in)) < 0 || fseek(in, 0, SEEK_SET))
		return vv_fail(err, VV_EIO, "cannot read");
	f->bytes = malloc((size_t)n + 1);
	if (!f->bytes || fread(f->bytes, 1, (size_t)n, in) != (size_t)n)
		return vv_fail(err, VV_EIO, "cannot read");
	fclose(in);
	vv_source_mem_init(&f->src, vv_span(f->bytes, (size_t)n));
	return vv_layout_locate(&f->layout, &f->src.base, err);
}

/* Row-major and contiguous. */
static void gather(const struct file *f, const struct vv_segment *s, const struct vv_view *v, struct vv_part *part,
	struct vv_source_mem *mem)
{
	unsigned width = vv_dtype_width(s->dtype);
	uint64_t numel, bytes, step[VV_MAX_DIMS], next = 1;
	uint8_t *out;

	if (vv_dtype_bytes(s->dtype, v->shape, v->ndim, &numel, &bytes) || !(out = malloc((size_t)bytes + 1)))
		exit(1);
	for (unsigned i = v->ndim; i-- > 0; next *= v->shape[i])
		step[i] = v->stride ? v->stride[i] : next;
	for (uint64_t e = 0; e < numel; e++) {
		uint64_t at = v->offset, rest = e;
		for (unsigned i = v->ndim; i-- > 0; rest /= v->shape[i])
			at += rest % v->shape[i] * step[i];
		memcpy(out + e * width, f->bytes + s->off + at * width, width);
	}
	vv_source_mem_init(mem, vv_span(out, (size_t)bytes));
	*part = (struct vv_part){v->name, s->dtype, v->ndim, v->shape, bytes, &mem->base};
}

static bool begins(const char *name, char **words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strncmp(name, words[i], strlen(words[i])))
			return true;
	return !n;
}

static int file_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct out {
		struct vv_sink base;
		FILE *f;
	} *o = (struct out *)self;

	return fwrite(data.ptr, 1, data.len, o->f) == data.len ? 0 : vv_fail(err, VV_EIO, "cannot write");
}

int main(int argc, char **argv)
{
	static struct vv_part parts[MAX];
	static struct vv_source_mem mem[MAX];
	struct vv_err err = VV_ERR_INIT;
	struct file frame = {0}, donor = {0};
	struct {
		struct vv_sink base;
		FILE *f;
	} out = {{file_write}, NULL};
	size_t n = 0, seg, view;

	if (argc < 4)
		return 1;
	if (load(&frame, argv[1], &err))
		return fail(argv[1], &err);
	if (load(&donor, argv[2], &err))
		return fail(argv[2], &err);
	for (size_t i = 0; argc > 4 && i < frame.layout.n_segs; i++)
		for (size_t k = 0; k < frame.layout.segs[i].n_views && n < MAX; k++) {
			const struct vv_view *v = &frame.layout.segs[i].views[k];
			if (!begins(v->name, argv + 4, argc - 4))
				gather(&frame, &frame.layout.segs[i], v, &parts[n], &mem[n]), n++;
			else if (vv_layout_find(&donor.layout, v->name, &seg, &view))
				gather(&donor, &donor.layout.segs[seg], &donor.layout.segs[seg].views[view], &parts[n], &mem[n]), n++;
		}
	for (size_t i = 0; i < donor.layout.n_segs; i++)
		for (size_t k = 0; k < donor.layout.segs[i].n_views && n < MAX; k++) {
			const struct vv_view *v = &donor.layout.segs[i].views[k];
			if (argc == 4 || (begins(v->name, argv + 4, argc - 4) && !vv_layout_find(&frame.layout, v->name, &seg, &view)))
				gather(&donor, &donor.layout.segs[i], v, &parts[n], &mem[n]), n++;
		}
	out.f = fopen(argv[3], "wb");
	struct vv_assembly a = {&frame.layout, &frame.src.base, parts, n};
	if (!out.f || vv_assemble(&a, &out.base, &err) || fclose(out.f))
		return fail(argv[3], &err);
	return 0;
}
