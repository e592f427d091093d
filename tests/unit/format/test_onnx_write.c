#include "expected.h"

static struct vv_err err;

/* Between files of the same graph: what the package onnx wrote. */
static void test_becomes(void)
{
	static const char *const files[] = {"onnx/model.onnx", "onnx/model-changed.onnx", "onnx/model-reshaped.onnx",
		"onnx/model-fewer.onnx", "onnx/model-more.onnx"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		for (size_t k = 0; k < VV_COUNT(files); k++) {
			/* One that comes is the last, and here it was not. */
			if (i == 3 && k != 3)
				continue;
			check_becomes(__FILE__, files[i], files[k]);
		}
	check_becomes(__FILE__, "onnx/nested.onnx", "onnx/nested.onnx");
}

static struct located l;
static struct parts p;

static void open_golden(const char *file)
{
	CHECK_OK(located_golden(&l, __FILE__, file), &l.err);
	if (parts_of(&p, &l.layout, l.file.ptr))
		abort();
	err = (struct vv_err)VV_ERR_INIT;
}

static void close_golden(void)
{
	parts_release(&p);
	located_release(&l);
}

static struct vv_part *part(const char *name)
{
	for (size_t i = 0; i < p.n; i++)
		if (!strcmp(p.p[i].name, name))
			return &p.p[i];
	abort();
}

static int write_to(struct memsink *out, size_t n)
{
	struct vv_assembly a = {&l.layout, &l.mem.base, p.p, n};

	return vv_assemble(&a, &out->base, &err);
}

static void check_written(const struct memsink *out, const char *name, enum vv_dtype dt, uint64_t numel, size_t n)
{
	struct located now;
	size_t seg, view;

	CHECK_OK(located_bytes(&now, vv_buf_view(&out->bytes)), &now.err);
	CHECK_STR(now.layout.format->name, "onnx");
	CHECK(!layout_wrong(&now.layout) && !now.layout.n_findings);
	CHECK_INT(n_tensors(&now.layout), n);
	CHECK(vv_layout_find(&now.layout, name, &seg, &view));
	CHECK(now.layout.segs[seg].dtype == dt && now.layout.segs[seg].views[view].ndim == 2);
	CHECK_INT(now.layout.segs[seg].views[view].shape[1], numel);
	located_release(&now);
}

/* Another shape in a subgraph of a subgraph, of a constant, and of what was float_data. */
static void test_shapes(void)
{
	static const char *const names[][2] = {{"onnx/nested.onnx", "deep"}, {"onnx/nested.onnx", "c"},
		{"onnx/nested.onnx", "inner~2"}, {"onnx/nested.onnx", "odd.tables.1"}, {"onnx/nested.onnx", "start"},
		{"onnx/nested.onnx", "fo"}, {"onnx/fields.onnx", "float"}, {"onnx/fields.onnx", "double"},
		{"onnx/types.onnx", "int8"}, {"onnx/types.onnx", "float4e2m1"}};
	static const uint64_t shape[] = {1, 1000};
	static const uint8_t bytes[2000];

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		struct memsink out = MEMSINK_INIT;
		struct vv_source_mem mem;

		open_golden(names[i][0]);
		vv_source_mem_init(&mem, vv_span(bytes, 2000));
		*part(names[i][1]) = (struct vv_part){names[i][1], VV_DT_BF16, 2, shape, 2000, &mem.base};
		CHECK_OK(write_to(&out, p.n), &err);
		check_written(&out, names[i][1], VV_DT_BF16, 1000, p.n);
		vv_buf_release(&out.bytes);
		close_golden();
	}
}

static void test_refuses(void)
{
	static const uint64_t shape[] = {1}, none[] = {0};
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem mem;

	vv_source_mem_init(&mem, vv_span_str("x"));
	open_golden("onnx/nested.onnx");
	p.p[0].name = "another";
	CHECK_OK(write_to(&out, p.n), &err);
	check_written(&out, "another", VV_DT_F32, 1, p.n);
	close_golden();
	open_golden("onnx/nested.onnx");
	*part("c") = p.p[p.n - 1];
	CHECK_INT(write_to(&out, p.n - 1), VV_ENOTSUP);
	CHECK(strstr(err.msg, "'c' is a constant of a node"));
	close_golden();
	/* A shape of int4 is not known here, nor what bytes are that come for floats. */
	open_golden("onnx/types.onnx");
	*part("int4") = (struct vv_part){"int4", VV_DT_U8, 1, shape, 1, &mem.base};
	CHECK_INT(write_to(&out, p.n), VV_ENOTSUP);
	CHECK(strstr(err.msg, "'int4': its shape"));
	close_golden();
	open_golden("onnx/types.onnx");
	*part("float") = (struct vv_part){"float", VV_DT_U8, 1, shape, 1, &mem.base};
	CHECK_INT(write_to(&out, p.n), VV_ENOTSUP);
	close_golden();
	open_golden("onnx/types.onnx");
	*part("float") = (struct vv_part){"float", VV_DT_C64, 1, none, 0, &mem.base};
	mem.base.size = 0;
	CHECK_OK(write_to(&out, p.n), &err);
	close_golden();
	vv_buf_release(&out.bytes);
}

/* Without tensors two models say the same, whatever their tensors were. */
static void test_none(void)
{
	static const char *const files[] = {"onnx/model.onnx", "onnx/model-changed.onnx", "onnx/model-reshaped.onnx",
		"onnx/model-more.onnx", "onnx/model-fewer.onnx", "onnx/nested.onnx"};
	struct memsink out[VV_COUNT(files)];

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		out[i] = (struct memsink)MEMSINK_INIT;
		open_golden(files[i]);
		CHECK_OK(write_to(&out[i], 0), &err);
		CHECK_INT(vv_span_eq(vv_buf_view(&out[0].bytes), vv_buf_view(&out[i].bytes)), i < 5);
		close_golden();
	}
	/* And tensors come to a graph that has none, in its canonical place. */
	open_golden("onnx/model.onnx");
	vv_layout_release(&l.layout);
	vv_source_mem_init(&l.mem, vv_buf_view(&out[0].bytes));
	CHECK_OK(vv_layout_locate(&l.layout, &l.mem.base, &err), &err);
	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct memsink again = MEMSINK_INIT;
		struct located want;
		struct parts parts;

		CHECK_OK(located_golden(&want, __FILE__, files[i]), &want.err);
		if (parts_of(&parts, &want.layout, want.file.ptr))
			abort();
		struct vv_assembly a = {&l.layout, &l.mem.base, parts.p, parts.n};
		CHECK_OK(vv_assemble(&a, &again.base, &err), &err);
		CHECK_INT(vv_span_eq(vv_buf_view(&again.bytes), vv_buf_view(&want.file)), i < 5);
		parts_release(&parts);
		located_release(&want);
		vv_buf_release(&again.bytes);
	}
	/* parts_of borrowed names from the layout that went. */
	parts_release(&p);
	located_release(&l);
	for (size_t i = 0; i < VV_COUNT(files); i++)
		vv_buf_release(&out[i].bytes);
}

/* No graph to hold one. */
static void test_no_graph(void)
{
	static const uint64_t shape[] = {1};
	struct vv_layout layout = {.format = vv_format_find(vv_span_str("onnx"))};
	struct memsink out = MEMSINK_INIT;
	struct vv_source_mem file, mem;
	struct vv_part one = {"w", VV_DT_U8, 1, shape, 1, &mem.base};
	struct vv_assembly a = {&layout, &file.base, &one, 1};

	vv_source_mem_init(&file, vv_span("\x08\x0a\x28\1", 4));
	vv_source_mem_init(&mem, vv_span_str("x"));
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "'w': the model has no graph"));
	/* A file that is none any more, and a sink that is full. */
	vv_source_mem_init(&file, vv_span("\x08\x0a\x3a\1", 4));
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	vv_source_mem_init(&file, vv_span("\x08\x0a\x3a\0", 4));
	out.room = 5;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EIO);
	out.room = 0;
	vv_buf_clear(&out.bytes);
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_span("\x08\x0a\x3a\x0c\x2a\x0a\x08\1\x10\2\x42\1w\x4a\1x", 16)));
	vv_buf_release(&out.bytes);
}

int main(void)
{
	test_becomes();
	test_shapes();
	test_refuses();
	test_none();
	test_no_graph();
	return done();
}
