/* Fields lie in their messages; a file whose fields are each replaced by themselves is itself. */
#include "format/protobuf.h"

#include "check.h"

struct pass {
	struct vv_pb_edits *edits; /* NULL: to read only */
	struct vv_source_mem mem[64];
	size_t n;
	bool grow;
};

/* Any field of bytes that reads as a message is taken for one. */
static bool reads(struct vv_pb *m, struct vv_err *err)
{
	struct vv_pb copy = *m;
	struct vv_pb_field f;
	int ret;

	while (!(ret = vv_pb_next(&copy, &f, err)) && f.number) {
		MUST(f.start >= m->at && f.off > f.start && f.off + f.len <= m->end && copy.at == f.off + f.len);
		MUST(f.wire != VV_PB_BYTES || (f.len_at > f.start && f.len_at < f.off));
	}
	MUST(ret ? ret == VV_EFORMAT && err->msg[0] : copy.at == m->end);
	return !ret;
}

static void visit(struct vv_pb *m, struct pass *p, struct vv_span file, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb child;

	while (!vv_pb_next(m, &f, err) && f.number) {
		if (f.wire != VV_PB_BYTES)
			continue;
		if (!vv_pb_enter(&child, m, &f, err) && f.len && reads(&child, err)) {
			visit(&child, p, file, err);
		} else if (p->edits && p->n < VV_COUNT(p->mem) && !p->grow) {
			vv_source_mem_init(&p->mem[p->n], vv_span(file.ptr + f.off, (size_t)f.len));
			MUST(!vv_pb_replace(p->edits, m, f.off, f.off + f.len, vv_span(NULL, 0), &p->mem[p->n++].base, err));
		} else if (p->edits && p->grow) {
			MUST(!vv_pb_replace(p->edits, m, f.start, f.off + f.len, vv_span_str("\x0a\3new"), NULL, err));
		}
	}
}

static void rewrite(struct memsink *out, struct vv_span file, bool grow)
{
	struct vv_pb_edits e = VV_PB_EDITS_INIT;
	struct pass p = {.edits = &e, .grow = grow};
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb m;

	vv_source_mem_init(&mem, file);
	vv_pb_init(&m, &in, &mem.base);
	visit(&m, &p, file, &err);
	MUST(!vv_pb_rewrite(&e, &mem.base, &out->base, &err));
	vv_pb_edits_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memsink same = MEMSINK_INIT, other = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb m;

	vv_source_mem_init(&mem, vv_span(data, size));
	vv_pb_init(&m, &in, &mem.base);
	if (!reads(&m, &err))
		return 0;
	rewrite(&same, vv_span(data, size), false);
	MUST(vv_span_eq(vv_buf_view(&same.bytes), vv_span(data, size)));
	/* With other fields it is a message still. */
	rewrite(&other, vv_span(data, size), true);
	vv_source_mem_init(&mem, vv_buf_view(&other.bytes));
	vv_pb_init(&m, &in, &mem.base);
	MUST(reads(&m, &err));
	vv_buf_release(&same.bytes);
	vv_buf_release(&other.bytes);
	return 0;
}
