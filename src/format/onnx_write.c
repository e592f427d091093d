/*
 * ONNX models with other tensors. Payloads of the same type and shape are exchanged in place. Another
 * shape or type makes a tensor's fields anew, as raw_data; initializers can go, and come to the model's
 * own graph. All else stays as it is, byte for byte.
 */
#include "format/onnx.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>

/* A part is of a tensor that the file has, or it is not; then it is written. */
enum state { NEW, OLD, WRITTEN };

struct writer {
	struct vv_onnx_walk walk;
	const struct vv_assembly *a;
	struct vv_pb_edits edits;
	struct vv_map parts; /* by name */
	uint8_t *state; /* of each part: enum state */
	size_t seg; /* the layout's segments before it are done */
	struct vv_buf text;
};

/* The segment that the tensor is in the layout; NULL when it is not told there. */
static const struct vv_segment *segment_of(struct writer *w, uint64_t off)
{
	const struct vv_layout *l = w->a->layout;

	while (w->seg < l->n_segs && (l->segs[w->seg].off < off || !l->segs[w->seg].n_views))
		w->seg++;
	return w->seg < l->n_segs && l->segs[w->seg].off == off ? &l->segs[w->seg] : NULL;
}

/* The fields that a type and a shape make. */
static int put_type(struct vv_buf *out, const struct vv_part *p, struct vv_err *err)
{
	unsigned type = vv_onnx_type(p->dtype);

	if (!type)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': ONNX has no type %s", p->name, vv_dtype_info(p->dtype)->name);
	for (unsigned i = 0; i < p->ndim; i++) {
		vv_pb_put_key(out, VV_ONNX_DIMS, VV_PB_NUMBER);
		vv_pb_put_varint(out, p->shape[i]);
	}
	vv_pb_put_key(out, VV_ONNX_TYPE, VV_PB_NUMBER);
	vv_pb_put_varint(out, type);
	return 0;
}

static void put_raw(struct vv_buf *out, const struct vv_part *p)
{
	vv_pb_put_key(out, VV_ONNX_RAW, VV_PB_BYTES);
	vv_pb_put_varint(out, p->len);
}

/* Type, shape and data are made anew; its other fields stay. */
static int change(struct writer *w, const struct vv_onnx_tensor *t, const struct vv_part *p, struct vv_err *err)
{
	struct vv_pb m = *t->message;
	struct vv_pb_field f;
	int ret;

	/* Bytes may stand for narrower elements, before or after. */
	if (t->packed || (p->dtype == VV_DT_U8 && p->ndim == 1 && t->dtype != VV_DT_U8))
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': its shape cannot be told from its bytes", p->name);
	m.at = m.body;
	vv_buf_clear(&w->text);
	ret = put_type(&w->text, p, err);
	if (!ret)
		ret = vv_pb_replace(&w->edits, &m, m.at, m.at, vv_buf_view(&w->text), NULL, err);
	while (!ret && !(ret = vv_pb_next(&m, &f, err)) && f.number) {
		vv_buf_clear(&w->text);
		if (f.number == VV_ONNX_DIMS || f.number == VV_ONNX_TYPE) {
			ret = vv_pb_replace(&w->edits, &m, f.start, m.at, vv_span(NULL, 0), NULL, err);
		} else if (f.number == t->data.number) {
			put_raw(&w->text, p);
			ret = vv_pb_replace(&w->edits, &m, f.start, m.at, vv_buf_view(&w->text), p->bytes, err);
		}
	}
	return ret;
}

static int on_tensor(struct vv_onnx_walk *walk, const struct vv_onnx_tensor *t, struct vv_err *err)
{
	struct writer *w = (struct writer *)walk;
	const struct vv_segment *s = segment_of(w, t->data.off);
	struct vv_pb *around = t->message->parent;
	const struct vv_part *p;
	uint64_t *at;

	if (!s)
		return 0;
	at = vv_map_find(&w->parts, vv_span_str(s->views[0].name));
	if (!at) {
		/* A set without any tensor is asked for what else there is, and not for a model that runs. */
		if (!t->initializer && w->a->n_parts)
			return vv_fail(err, VV_ENOTSUP, "tensor '%s' is a constant of a node, which cannot do without it",
				s->views[0].name);
		return vv_pb_replace(&w->edits, around, t->at->start, t->message->end, vv_span(NULL, 0), NULL, err);
	}
	w->state[*at] = WRITTEN;
	p = &w->a->parts[*at];
	if (p->dtype != t->dtype || p->ndim != t->ndim || memcmp(p->shape, t->shape, p->ndim * sizeof(*p->shape)))
		return change(w, t, p, err);
	return vv_pb_replace(&w->edits, t->message, t->data.off, t->data.off + t->data.len, vv_span(NULL, 0), p->bytes, err);
}

/* The tensors that are new, as the last of the graph's initializers. */
static int on_graph(struct vv_onnx_walk *walk, struct vv_pb *graph, uint64_t at, struct vv_err *err)
{
	struct writer *w = (struct writer *)walk;
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	for (size_t i = 0; i < w->a->n_parts && !ret; i++) {
		const struct vv_part *p = &w->a->parts[i];
		uint64_t len;

		if (w->state[i] != NEW)
			continue;
		w->state[i] = WRITTEN;
		vv_buf_clear(&head);
		vv_buf_clear(&w->text);
		ret = put_type(&w->text, p, err);
		vv_pb_put_bytes(&w->text, VV_ONNX_NAME, vv_span_str(p->name));
		put_raw(&w->text, p);
		vv_pb_put_key(&head, VV_ONNX_GRAPH_INITIALIZER, VV_PB_BYTES);
		if (!ret && vv_add_over((uint64_t)w->text.len, p->len, &len))
			ret = vv_fail(err, VV_ENOTSUP, "tensor '%s' is larger than a file", p->name);
		if (ret)
			break;
		vv_pb_put_varint(&head, len);
		vv_buf_span(&head, vv_buf_view(&w->text));
		ret = vv_buf_check(&head, err);
		if (!ret)
			ret = vv_pb_replace(&w->edits, graph, at, at, vv_buf_view(&head), p->bytes, err);
	}
	vv_buf_release(&head);
	return ret;
}

static int line_up(struct writer *w, struct vv_err *err)
{
	const struct vv_assembly *a = w->a;

	w->state = calloc(a->n_parts ? a->n_parts : 1, sizeof(*w->state));
	if (!w->state)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < a->n_parts; i++)
		if (!vv_map_put(&w->parts, vv_span_str(a->parts[i].name), i, NULL))
			return vv_fail_nomem(err);
	for (size_t i = 0; i < a->layout->n_segs; i++)
		for (size_t k = 0; k < a->layout->segs[i].n_views; k++) {
			uint64_t *at = vv_map_find(&w->parts, vv_span_str(a->layout->segs[i].views[k].name));
			if (at)
				w->state[*at] = OLD;
		}
	return 0;
}

int vv_onnx_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct writer w = {.walk = {.tensor = on_tensor, .graph = on_graph}, .a = a, .edits = VV_PB_EDITS_INIT,
		.text = VV_BUF_INIT(VV_MAX_TEXT)};
	int ret = line_up(&w, err);

	if (!ret)
		ret = vv_onnx_walk(&w.walk, a->source, err);
	for (size_t i = 0; i < a->n_parts && !ret; i++)
		if (w.state[i] != WRITTEN)
			ret = vv_fail(err, VV_ENOTSUP, "tensor '%s': the model has no %s", a->parts[i].name,
				w.state[i] == NEW ? "graph to hold it" : "such tensor any more");
	if (!ret)
		ret = vv_pb_rewrite(&w.edits, a->source, out, err);
	vv_pb_edits_release(&w.edits);
	vv_map_release(&w.parts);
	vv_buf_release(&w.text);
	free(w.state);
	return ret;
}
