/*
 * Input that begins like an archive is one. Any other is the data.pkl of an archive that is right, so
 * that the same tensors must give the same file, every byte of it.
 */
#include "check.h"

#include "format/torch.h"

static void put(struct vv_torch_writer *w, const char *name, struct vv_span bytes)
{
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&mem, bytes);
	MUST(!vv_torch_put(w, name, &mem.base, &err));
}

static void archive(struct memsink *out, struct vv_span pickle)
{
	static const uint8_t storage[64] = {1, 2, 3};
	struct vv_torch_writer w = {.out = &out->base, .align = 64};
	struct vv_err err = VV_ERR_INIT;

	put(&w, "m/data.pkl", pickle);
	put(&w, "m/data/0", vv_span(storage, 64));
	put(&w, "m/data/1", vv_span(storage, 16));
	put(&w, "m/data/2", vv_span(storage, 0));
	put(&w, "m/version", vv_span("3\n", 2));
	MUST(!vv_torch_put_end(&w, &err));
	vv_buf_release(&w.directory);
}

/* One more tensor, wherever it finds a place; then it is there under its name. */
static void check_more(const struct located *l)
{
	static const char *const names[] = {"new", "0", "model.new.weight", "state.7.x"};
	struct memsink out = MEMSINK_INIT;
	struct located second;
	struct parts p;
	size_t seg, view;

	for (size_t i = 0; i < VV_COUNT(names) && !strcmp(l->layout.format->name, "torch"); i++) {
		struct vv_part more = {names[i], VV_DT_U8, 0, NULL, 1, NULL};
		struct vv_source_mem one;
		vv_source_mem_init(&one, vv_span("x", 1));
		more.bytes = &one.base;
		if (vv_layout_find(&l->layout, names[i], &seg, &view))
			continue;
		if (!parts_of(&p, &l->layout, l->file.ptr)) {
			/* parts_of leaves room for one. */
			p.p[p.n] = more;
			struct parts with = {p.p, NULL, NULL, p.n + 1};
			if (assembled(&out, l, &with, 0)) {
				locate_soundly(&second, vv_buf_view(&out.bytes));
				MUST(n_tensors(&second.layout) == p.n + 1 && vv_layout_find(&second.layout, names[i], &seg, &view));
				located_release(&second);
			}
		}
		parts_release(&p);
		vv_buf_release(&out.bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool made = size < 4 || memcmp(data, "PK", 2) != 0;
	struct memsink out = MEMSINK_INIT;
	struct located l;

	if (made)
		archive(&out, vv_span(data, size));
	locate_soundly(&l, made ? vv_buf_view(&out.bytes) : vv_span(data, size));
	check_assemble(&l, !made);
	check_more(&l);
	located_release(&l);
	vv_buf_release(&out.bytes);
	return 0;
}
