#include "format/graph.h"

#include "fbmake.h"
#include "graphs.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"model.tflite", "model-int8.tflite", "image.tflite", "loop.tflite",
		"edit-stripped.tflite", "edit-custom.tflite"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_graph(__FILE__, "tflite", files[i], "tflite");
	check_graph_broken(__FILE__, "tflite/model.tflite", "tflite");
	check_graph_broken(__FILE__, "tflite/loop.tflite", "tflite");
}

/*
 * A model of one operator whose code is `builtin` and whose input is `input`, of a graph with one tensor that has
 * so many dimensions and is the graph's input and output `times` times.
 */
static void make(struct vv_buf *b, uint32_t builtin, uint32_t input, uint32_t dims, uint32_t times)
{
	size_t model, codes, code, graphs, graph, v, tensors, tensor, op;

	vv_buf_clear(b);
	vv_buf_le(b, 0, 4);
	vv_buf_str(b, "TFL3");
	model = fb_table(b, 5);
	vv_put32(b->ptr, (uint32_t)model);
	fb_here(b, fb_field(model, 1));
	codes = fb_vector(b, 1, 4);
	code = fb_table(b, 4);
	vv_put32(b->ptr + codes, (uint32_t)(code - codes));
	fb_leave_out(b, code, 1);
	vv_put32(b->ptr + fb_field(code, 3), builtin);
	fb_here(b, fb_field(model, 2));
	graphs = fb_vector(b, 1, 4);
	graph = fb_table(b, 4);
	vv_put32(b->ptr + graphs, (uint32_t)(graph - graphs));
	fb_here(b, fb_field(graph, 0));
	tensors = fb_vector(b, 1, 4);
	tensor = fb_table(b, 9);
	vv_put32(b->ptr + tensors, (uint32_t)(tensor - tensors));
	fb_here(b, fb_field(tensor, 0));
	v = fb_vector(b, dims, 4);
	for (uint32_t i = 0; i < dims; i++)
		vv_put32(b->ptr + v + 4 * (size_t)i, i);
	for (unsigned i = 3; i < 8; i++)
		fb_leave_out(b, tensor, i);
	fb_here(b, fb_field(graph, 1));
	vv_put32(b->ptr + fb_field(graph, 2), (uint32_t)(b->len - fb_field(graph, 2)));
	fb_vector(b, times, 4);
	fb_here(b, fb_field(graph, 3));
	v = fb_vector(b, 1, 4);
	op = fb_table(b, 5);
	vv_put32(b->ptr + v, (uint32_t)(op - v));
	fb_here(b, fb_field(op, 1));
	v = fb_vector(b, 1, 4);
	vv_put32(b->ptr + v, input);
	fb_leave_out(b, op, 2);
	fb_leave_out(b, op, 4);
	fb_leave_out(b, model, 3);
	fb_leave_out(b, model, 4);
}

static void test_made(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g;

	make(&b, 0, UINT32_MAX, 3, 1);
	CHECK_OK(graph_of(&g, "tflite", vv_buf_view(&b), &err), &err);
	CHECK_STR(g.nodes[0].op, "ADD");
	CHECK(g.nodes[0].n_inputs == 1 && !*g.nodes[0].inputs[0]);
	CHECK(g.n_inputs == 1 && g.n_outputs == 1 && g.inputs[0].ndim == 3 && g.inputs[0].dims[2].size == 2);
	CHECK_STR(g.inputs[0].name, "tensor0");
	vv_graph_release(&g);
	/* An operator of the future, one without a name, one that the old field has too. */
	make(&b, 1000, 0, 0, 1);
	CHECK_OK(graph_of(&g, "tflite", vv_buf_view(&b), &err), &err);
	CHECK_STR(g.nodes[0].op, "operator 1000");
	vv_graph_release(&g);
	make(&b, 32, 0, 0, 1);
	CHECK_OK(graph_of(&g, "tflite", vv_buf_view(&b), &err), &err);
	CHECK_STR(g.nodes[0].op, "CUSTOM");
	vv_graph_release(&g);
	make(&b, 0, 1, 0, 1);
	CHECK(graph_of(&g, "tflite", vv_buf_view(&b), &err) == VV_EFORMAT && strstr(err.msg, "no tensor 1"));
	make(&b, 0, 0, VV_MAX_GRAPH_DIMS + 1, 1);
	CHECK(graph_of(&g, "tflite", vv_buf_view(&b), &err) == VV_ELIMIT && strstr(err.msg, "dimensions"));
	/* A shape that is told again and again. */
	make(&b, 0, 0, VV_MAX_GRAPH_DIMS, 100);
	CHECK(graph_of(&g, "tflite", vv_buf_view(&b), &err) == VV_EFORMAT && strstr(err.msg, "more dimensions than"));
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_made();
	return done();
}
