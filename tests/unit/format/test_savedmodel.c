#include "format/savedmodel.h"
#include "format/protobuf.h"

#include "layouts.h"
#include "tap.h"

static struct seen {
	size_t n;
	uint64_t nodes;
	const char *names[64];
	uint64_t offs[64];
} seen;

static void op(void *ctx, const char *name, uint64_t off)
{
	struct seen *s = ctx;

	s->offs[s->n] = off;
	s->names[s->n++] = name;
}

static int walk(struct vv_span file)
{
	struct vv_savedmodel s = {.op = op, .ctx = &seen};
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;
	int ret;

	seen = (struct seen){.n = 0};
	vv_source_mem_init(&mem, file);
	ret = vv_savedmodel_walk(&s, &mem.base, &err);
	seen.nodes = s.nodes;
	return ret;
}

static bool told(const char *name)
{
	for (size_t i = 0; i < seen.n; i++)
		if (!strcmp(seen.names[i], name))
			return true;
	return false;
}

/* --- making graphs: each message is a buffer of its own --- */

static void field(struct vv_buf *out, uint32_t number, const struct vv_buf *message)
{
	vv_pb_put_bytes(out, number, vv_buf_view(message));
}

static void text(struct vv_buf *out, uint32_t number, const char *s)
{
	vv_pb_put_bytes(out, number, vv_span_str(s));
}

/* A NodeDef; `place` as a text of an attribute, or in a list of one. */
static void node(struct vv_buf *out, uint32_t number, const char *name, const char *place, bool list)
{
	struct vv_buf n = VV_BUF_INIT(4096), entry = VV_BUF_INIT(4096), value = VV_BUF_INIT(4096), items = VV_BUF_INIT(4096);

	text(&n, 1, "a name");
	if (place) {
		text(list ? &items : &value, 2, place);
		if (list)
			field(&value, 1, &items);
		text(&entry, 1, "key");
		field(&entry, 2, &value);
		field(&n, 5, &entry);
	}
	text(&n, 2, name);
	field(out, number, &n);
	vv_buf_release(&n);
	vv_buf_release(&entry);
	vv_buf_release(&value);
	vv_buf_release(&items);
}

/* The GraphDef's bytes at the depth of a file of this kind: 0 GraphDef, 1 MetaGraphDef, 2 SavedModel. */
static void wrap(struct vv_buf *file, struct vv_buf *graph, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		vv_buf_clear(file);
		if (i == 1)
			vv_buf_add(file, "\x08\x01", 2);
		field(file, 2, graph);
		vv_buf_clear(graph);
		vv_buf_span(graph, vv_buf_view(file));
	}
}

static void test_places(void)
{
	for (unsigned depth = 0; depth < 3; depth++) {
		struct vv_buf graph = VV_BUF_INIT(1 << 16), file = VV_BUF_INIT(1 << 16), library = VV_BUF_INIT(4096);
		struct vv_buf function = VV_BUF_INIT(4096);
		struct located l;

		node(&graph, 1, "MatMul", NULL, false);
		node(&graph, 1, "WriteFile", NULL, false);
		node(&graph, 1, "WriteFile", NULL, false);
		node(&graph, 1, "RestoreV2", NULL, false);
		text(&function, 1, "");
		node(&function, 3, "ReadFile", NULL, false);
		field(&library, 1, &function);
		field(&graph, 2, &library);
		wrap(&file, &graph, depth);
		CHECK_INT(walk(vv_buf_view(&graph)), 0);
		CHECK(told("WriteFile") && told("ReadFile"));
		CHECK_INT(seen.n, 2);
		CHECK_INT(seen.nodes, 5);
		CHECK(!memcmp(graph.ptr + seen.offs[0], "WriteFile", 9) && !memcmp(graph.ptr + seen.offs[1], "ReadFile", 8));
		/* It is a format of its own only as TensorFlow writes it. */
		CHECK_OK(located_bytes(&l, vv_buf_view(&graph)), &l.err);
		CHECK_INT(!strcmp(l.layout.format->name, "savedmodel"), depth == 2);
		CHECK_INT(has_finding(&l.layout, "tf-op"), depth == 2);
		located_release(&l);
		/* Cut off: what was seen before is told. */
		CHECK_INT(walk(vv_span(graph.ptr, graph.len - 3)), depth ? 0 : VV_EFORMAT);
		CHECK_INT(seen.n, depth ? 0 : 1);
		vv_buf_release(&graph);
		vv_buf_release(&file);
		vv_buf_release(&library);
		vv_buf_release(&function);
	}
}

/* Printing is harmless but for where to; in either place that an attribute has texts. */
static void test_urls(void)
{
	static const struct {
		const char *op, *place;
		bool list, told;
	} rows[] = {{"PrintV2", "file:///tmp/x", false, true}, {"PrintV2", "stderr", false, false}, {"PrintV2", NULL, false, false},
		{"DebugIdentityV2", "grpc://h", true, true}, {"DebugIdentityV2", "", true, false}, {"MatMul", "file:///x", false, false}};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct vv_buf graph = VV_BUF_INIT(1 << 16);

		node(&graph, 1, rows[i].op, rows[i].place, rows[i].list);
		CHECK_INT(walk(vv_buf_view(&graph)), 0);
		CHECK_INT(seen.n, rows[i].told);
		CHECK_INT(seen.nodes, 1);
		vv_buf_release(&graph);
	}
}

/* What a reader of ours refuses, and TensorFlow's steps over: nothing hides behind it. */
static void test_groups(void)
{
	struct vv_buf graph = VV_BUF_INIT(1 << 16), inner = VV_BUF_INIT(1 << 16);

	vv_buf_add(&graph, "\x7b\x08\x01\x7c", 4);
	node(&graph, 1, "PyFunc", NULL, false);
	CHECK_INT(walk(vv_buf_view(&graph)), 0);
	CHECK(told("PyFunc"));
	/* Two names: the last counts for TensorFlow, both for us; of another wire type neither. */
	text(&inner, 2, "PyFunc");
	vv_buf_add(&inner, "\x10\x07", 2);
	text(&inner, 2, "Add");
	vv_buf_clear(&graph);
	field(&graph, 1, &inner);
	CHECK_INT(walk(vv_buf_view(&graph)), 0);
	CHECK(told("PyFunc"));
	CHECK_INT(seen.nodes, 2);
	vv_buf_release(&graph);
	vv_buf_release(&inner);
}

static void test_none(void)
{
	static const char *const names[] = {"", "2op", "a b", "\x01\x02"};

	CHECK_INT(walk(vv_span(NULL, 0)), 0);
	CHECK_INT(walk(vv_span_str("a text, no graph")), 0);
	CHECK_INT(seen.nodes, 0);
	for (size_t i = 0; i < VV_COUNT(names); i++) {
		struct vv_buf graph = VV_BUF_INIT(4096);
		node(&graph, 1, names[i], NULL, false);
		CHECK_INT(walk(vv_buf_view(&graph)), 0);
		CHECK_INT(seen.nodes, 0);
		vv_buf_release(&graph);
	}
}

static int no_read(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst VV_UNUSED,
	size_t len VV_UNUSED, struct vv_err *err)
{
	return vv_fail(err, VV_EIO, "no");
}

int main(void)
{
	struct vv_savedmodel s = {.op = op, .ctx = &seen};
	struct vv_source broken = {100, no_read};
	struct vv_err err = VV_ERR_INIT;
	struct located l;

	/* Written by TensorFlow: its own loading and saving is no finding. */
	CHECK_OK(located_golden(&l, __FILE__, "savedmodel/plain.pb"), &l.err);
	CHECK_STR(l.layout.format->name, "savedmodel");
	CHECK_INT(l.layout.n_findings, 0);
	CHECK_INT(walk(vv_buf_view(&l.file)), 0);
	CHECK(seen.nodes > 20);
	located_release(&l);
	test_places();
	test_urls();
	test_groups();
	test_none();
	CHECK_INT(vv_savedmodel_walk(&s, &broken, &err), VV_EIO);
	return done();
}
