#include "format/graph.h"

#include "graphs.h"

static struct vv_err err;

/* --- a format whose graphs are what the test wants --- */

static int two_names(struct vv_graph *g, const struct vv_source *src, struct vv_err *e)
{
	struct vv_graph_node n = {.name = ""};
	uint8_t bytes[16];
	int ret = vv_source_read(src, 0, bytes, (size_t)src->size, e);

	if (!ret)
		ret = vv_graph_text(g, vv_span(bytes, (size_t)src->size), &n.op, e);
	if (!ret)
		ret = vv_graph_add(g, &n, e);
	if (!ret && src->size == 3)
		ret = vv_graph_text(g, vv_span(bytes, 1), &n.op, e);
	return ret;
}

static void test_read(void)
{
	static const struct vv_format f = {.name = "x", .graph = two_names}, none = {.name = "y"};
	struct vv_source_mem mem;
	struct vv_graph g = {0};

	vv_source_mem_init(&mem, vv_span_str("Relu"));
	CHECK(vv_graph_read(&g, &none, &mem.base, &err) == VV_ENOTSUP && strstr(err.msg, "format y"));
	CHECK_OK(vv_graph_read(&g, &f, &mem.base, &err), &err);
	CHECK(g.n_nodes == 1 && !strcmp(g.nodes[0].op, "Relu") && !g.room);
	vv_graph_release(&g);
	CHECK(!g.nodes && !g.n_nodes);
	vv_source_mem_init(&mem, vv_span_str("abc"));
	CHECK(vv_graph_read(&g, &f, &mem.base, &err) == VV_EFORMAT && strstr(err.msg, "more bytes than the file"));
	CHECK(!g.nodes);
	vv_source_mem_init(&mem, vv_span("a\0b", 3));
	CHECK(vv_graph_read(&g, &f, &mem.base, &err) == VV_EFORMAT && strstr(err.msg, "NUL"));
}

static void test_limits(void)
{
	struct vv_graph g = {.room = 1000};
	struct vv_graph_node n = {.name = "", .op = "Add"};
	struct vv_graph_value v = {.name = "x"};
	int ret = 0;

	for (size_t i = 0; i < VV_MAX_FACTS + 3; i++)
		CHECK(!vv_graph_add_fact(&g, "key", vv_span_str("v"), &err));
	CHECK_INT(g.n_facts, VV_MAX_FACTS);
	CHECK(!vv_graph_add_fact(&g, "key", vv_span_str(""), &err) && g.n_facts == VV_MAX_FACTS);
	for (size_t i = 0; i < VV_MAX_NODES && !ret; i++)
		ret = vv_graph_add(&g, &n, &err);
	CHECK(!ret && vv_graph_add(&g, &n, &err) == VV_ELIMIT && strstr(err.msg, "1000000 nodes"));
	for (size_t i = 0; i < VV_MAX_NODES && !ret; i++)
		ret = vv_graph_add_value(&g, i & 1, &v, &err);
	CHECK(!ret && g.n_inputs == VV_MAX_NODES / 2 && g.n_outputs == VV_MAX_NODES / 2);
	for (size_t i = 0; i < VV_MAX_NODES / 2 && !ret; i++)
		ret = vv_graph_add_value(&g, true, &v, &err);
	CHECK(!ret && vv_graph_add_value(&g, true, &v, &err) == VV_ELIMIT);
	vv_graph_release(&g);
}

/* By how often, then by name; what has no activation is not counted as one. */
static void test_counts(void)
{
	static const char *const ops[] = {"Relu", "Conv", "Add", "Relu", "Conv", "Relu"};
	struct vv_graph g = {0};
	struct vv_graph_count *c;
	size_t n;

	CHECK(!vv_graph_counts(&g, false, &c, &n, &err) && !n);
	for (size_t i = 0; i < VV_COUNT(ops); i++)
		CHECK(!vv_graph_add(&g, &(struct vv_graph_node){.name = "", .op = ops[i],
			.activation = *ops[i] == 'R' ? ops[i] : NULL}, &err));
	CHECK_OK(vv_graph_counts(&g, false, &c, &n, &err), &err);
	CHECK(n == 3 && !strcmp(c[0].what, "Relu") && c[0].n == 3 && !strcmp(c[1].what, "Conv") && c[1].n == 2 &&
		!strcmp(c[2].what, "Add") && c[2].n == 1);
	CHECK(!vv_graph_counts(&g, true, &c, &n, &err) && n == 1 && c[0].n == 3);
	vv_graph_release(&g);
}

int main(void)
{
	test_read();
	test_limits();
	test_counts();
	return done();
}
