/* What must hold for any file, whatever it holds: shared by the targets that go through vv_layout_locate. */
#ifndef VV_FUZZ_CHECK_H
#define VV_FUZZ_CHECK_H

#include "format/graph.h"
#include "layouts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                                     \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* What is packed decodes, or is said to be broken. */
static inline void try_packed(const struct located *l)
{
	for (size_t i = 0, n = 0; i < l->layout.n_segs && n < 16; i++) {
		const struct vv_segment *s = &l->layout.segs[i];
		struct vv_err err = VV_ERR_INIT;
		uint64_t numel, bytes;
		uint8_t *out = NULL;

		if (!s->coding || vv_packed_size(s, &numel, &bytes) || bytes > 1 << 20)
			continue;
		int ret = vv_coding_decode(&out, s->coding, s->dtype, &l->mem.base, s->off, s->len, s->skip, bytes, &err);
		MUST(!ret || (ret == VV_EFORMAT && err.msg[0]));
		if (!ret)
			free(out);
		n++;
	}
}

static inline void locate_soundly(struct located *l, struct vv_span bytes)
{
	const char *wrong;

	MUST(!located_bytes(l, bytes));
	wrong = layout_wrong(&l->layout);
	if (wrong)
		fprintf(stderr, "%s\n", wrong);
	MUST(!wrong);
	try_packed(l);
}

/* The file with these tensors, from `skip` on; false when its format cannot say that. */
static inline bool assembled(struct memsink *out, const struct located *l, const struct parts *p, size_t skip)
{
	struct vv_assembly a = {&l->layout, &l->mem.base, p->p + skip, p->n - skip};
	struct vv_err err = VV_ERR_INIT;
	int ret = vv_assemble(&a, &out->base, &err);

	MUST(!ret || (ret == VV_ENOTSUP && err.msg[0]));
	return !ret;
}

/* A new file like it, with its own tensors, is one of the format that has them. */
static inline void check_remake(const struct located *l)
{
	struct memsink out = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct located second;
	struct parts p;
	int ret;

	if (!l->layout.format->remake || !n_plain(&l->layout))
		return;
	ret = parts_of(&p, &l->layout, l->file.ptr);
	if (!ret) {
		ret = vv_assemble_like(l->layout.format, &l->mem.base, "a note", p.p, p.n, &out.base, &err);
		MUST(!ret || (ret == VV_ENOTSUP && err.msg[0]));
	}
	if (!ret) {
		locate_soundly(&second, vv_buf_view(&out.bytes));
		MUST(second.layout.format == l->layout.format && n_plain(&second.layout) == p.n);
		located_release(&second);
	}
	vv_buf_release(&out.bytes);
	parts_release(&p);
}

/*
 * Written with its own tensors a file is itself, but for wrong checksums of what is written anew, so
 * that the second time it is. Written with fewer it reads as the same format, with fewer.
 */
static inline void check_assemble(const struct located *l, bool has_checksums)
{
	struct memsink once = MEMSINK_INIT, again = MEMSINK_INIT, fewer = MEMSINK_INIT;
	struct located second;
	struct parts p, q;

	if (!l->layout.format->assemble || !n_plain(&l->layout))
		return;
	if (!parts_of(&p, &l->layout, l->file.ptr) && assembled(&once, l, &p, 0)) {
		MUST(once.bytes.len == l->file.len);
		MUST(has_checksums || vv_span_eq(vv_buf_view(&once.bytes), vv_buf_view(&l->file)));
		locate_soundly(&second, vv_buf_view(&once.bytes));
		MUST(second.layout.format == l->layout.format && n_plain(&second.layout) == p.n);
		MUST(!parts_of(&q, &second.layout, second.file.ptr));
		for (size_t i = 0; i < p.n; i++)
			MUST(!strcmp(p.p[i].name, q.p[i].name) && p.p[i].len == q.p[i].len &&
				!memcmp(p.bytes[i], q.bytes[i], (size_t)p.p[i].len));
		MUST(assembled(&again, &second, &q, 0));
		MUST(vv_span_eq(vv_buf_view(&again.bytes), vv_buf_view(&once.bytes)));
		parts_release(&q);
		located_release(&second);
		if (p.n > 1 && assembled(&fewer, l, &p, 1)) {
			locate_soundly(&second, vv_buf_view(&fewer.bytes));
			MUST(second.layout.format == l->layout.format && n_plain(&second.layout) == p.n - 1);
			located_release(&second);
		}
	}
	parts_release(&p);
	vv_buf_release(&once.bytes);
	vv_buf_release(&again.bytes);
	vv_buf_release(&fewer.bytes);
}

/* Whatever the file is, it has a sound graph or none, which it counts. */
static inline void check_graph(const struct vv_format *f, struct vv_span bytes)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_graph_count *counts;
	struct vv_source_mem mem;
	struct vv_graph g;
	uint64_t sum = 0, headings = 0;
	size_t n;
	int ret;

	vv_source_mem_init(&mem, bytes);
	ret = vv_graph_read(&g, f, &mem.base, &err);
	MUST(!ret || err.msg[0]);
	if (ret)
		return;
	for (size_t i = 0; i < g.n_nodes; i++) {
		const struct vv_graph_node *k = &g.nodes[i];
		headings += k->heading;
		MUST(k->name && k->op && (k->inputs || !k->n_inputs) && (k->outputs || !k->n_outputs));
		for (unsigned j = 0; j < k->n_inputs; j++)
			MUST(k->inputs[j]);
		for (unsigned j = 0; j < k->n_outputs; j++)
			MUST(k->outputs[j]);
	}
	for (size_t i = 0; i < g.n_inputs; i++)
		MUST(g.inputs[i].name && (g.inputs[i].dims || !g.inputs[i].ranked));
	for (size_t i = 0; i < g.n_outputs; i++)
		MUST(g.outputs[i].name && (g.outputs[i].dims || !g.outputs[i].ranked));
	MUST(!vv_graph_counts(&g, false, &counts, &n, &err));
	for (size_t i = 0; i < n; i++)
		sum += counts[i].n;
	MUST(sum + headings == g.n_nodes);
	MUST(!vv_graph_counts(&g, true, &counts, &n, &err));
	vv_graph_release(&g);
}

#define FUZZ_GRAPH(format)                                                                                             \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                   \
	{                                                                                                              \
		check_graph(&(format), vv_span(data, size));                                                           \
		return 0;                                                                                              \
	}

/* A target for a format that is found by its content: located soundly, and assembled. */
#define FUZZ_FORMAT(has_checksums)                                                                                     \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                   \
	{                                                                                                              \
		struct located l;                                                                                      \
                                                                                                                       \
		locate_soundly(&l, vv_span(data, size));                                                               \
		check_assemble(&l, has_checksums);                                                                     \
		check_remake(&l);                                                                                      \
		located_release(&l);                                                                                   \
		return 0;                                                                                              \
	}

#endif
