#include "format/onnx.h"

#include "graphs.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"symbols.onnx", "old-inputs.onnx", "nested.onnx", "torch.onnx", "empty.onnx"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_graph(__FILE__, "onnx", files[i], "onnx");
	check_graph_broken(__FILE__, "onnx/symbols.onnx", "onnx");
	check_graph_broken(__FILE__, "onnx/nested.onnx", "onnx");
}

/* --- models, made field by field --- */

static void put(struct vv_buf *out, uint32_t field, const struct vv_buf *message)
{
	vv_pb_put_bytes(out, field, vv_buf_view(message));
}

static void number(struct vv_buf *out, uint32_t field, uint64_t v)
{
	vv_pb_put_key(out, field, VV_PB_NUMBER);
	vv_pb_put_varint(out, v);
}

/* In place of what it held: the message in a field of a message around it. */
static void wrap(struct vv_buf *m, uint32_t field)
{
	struct vv_buf around = VV_BUF_INIT(VV_MAX_TEXT);

	put(&around, field, m);
	vv_buf_release(m);
	*m = around;
}

/* An input with `dims` bytes as its shape's dimensions. */
static int input(struct vv_graph *g, struct vv_span dims)
{
	struct vv_buf m = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	vv_buf_span(&m, dims);
	wrap(&m, 2); /* shape */
	number(&m, 1, 99);
	wrap(&m, 1); /* tensor type */
	wrap(&m, 2);
	wrap(&m, 11);
	wrap(&m, 7);
	ret = graph_of(g, "onnx", vv_buf_view(&m), &err);
	vv_buf_release(&m);
	return ret;
}

static void test_shapes(void)
{
	struct vv_buf dims = VV_BUF_INIT(VV_MAX_TEXT), d = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g;

	number(&d, 1, (uint64_t)-1);
	put(&dims, 1, &d);
	vv_buf_clear(&d);
	number(&d, 1, 0);
	put(&dims, 1, &d);
	number(&dims, 9, 1); /* a field of the future */
	CHECK_OK(input(&g, vv_buf_view(&dims)), &err);
	CHECK(g.n_inputs == 1 && g.inputs[0].ranked && g.inputs[0].ndim == 2 && !g.inputs[0].dtype);
	CHECK_STR(g.inputs[0].dims[0].symbol, "?");
	CHECK(!g.inputs[0].dims[1].symbol && !g.inputs[0].dims[1].size);
	vv_graph_release(&g);
	for (unsigned i = 2; i <= VV_MAX_GRAPH_DIMS; i++)
		put(&dims, 1, &d);
	CHECK(input(&g, vv_buf_view(&dims)) == VV_ELIMIT && strstr(err.msg, "64 dimensions"));
	vv_buf_release(&dims);
	vv_buf_release(&d);
}

/* Graphs in graphs: as deep as messages may lie in each other. */
static void test_depth(void)
{
	struct vv_buf m = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g;
	unsigned n;

	for (n = 0; n < 100; n++) {
		struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
		int ret;

		put(&file, 7, &m);
		ret = graph_of(&g, "onnx", vv_buf_view(&file), &err);
		vv_buf_release(&file);
		if (ret)
			break;
		CHECK(g.subgraphs == n && (!n || g.nodes[n - 1].depth == n - 1));
		vv_graph_release(&g);
		wrap(&m, 6); /* attribute */
		wrap(&m, 5); /* node */
		wrap(&m, 1);
	}
	CHECK(n > 10 && n < 30 && err.code == VV_ELIMIT);
	vv_buf_release(&m);
}

/* A domain that is ONNX's own, by its name; names that are no texts; a NUL. */
static void test_names(void)
{
	static const struct {
		const char *node;
		size_t len;
		const char *op; /* NULL: refused */
	} cases[] = {{"\x22\1A\x3a\7ai.onnx", 12, "A"}, {"\x22\1A\x3a\1d", 6, "d.A"}, {"\x3a\1d", 3, "d."}, {"", 0, ""},
		{"\x20\1", 2, NULL}, {"\x22\2A\0", 4, NULL}, {"\x0a\1x\x0a\0\x22\1A", 8, "A"}, {"\x08\1", 2, NULL}};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_buf m = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_graph g;
		int ret;

		vv_buf_add(&m, cases[i].node, cases[i].len);
		wrap(&m, 1);
		wrap(&m, 7);
		ret = graph_of(&g, "onnx", vv_buf_view(&m), &err);
		CHECK_INT(ret, cases[i].op ? 0 : VV_EFORMAT);
		if (!ret)
			CHECK_STR(g.nodes[0].op, cases[i].op);
		if (!ret)
			vv_graph_release(&g);
		vv_buf_release(&m);
	}
}

int main(void)
{
	test_golden();
	test_shapes();
	test_depth();
	test_names();
	return done();
}
