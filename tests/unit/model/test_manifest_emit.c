#include "model/manifest_text.h"

#include "tap.h"

#define ID "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

static struct vv_id id(void)
{
	struct vv_id v = {{0}};

	CHECK(!vv_id_parse(&v, vv_span_str(ID)));
	return v;
}

/* The lines after the header. */
static const char *segment_text(const struct vv_buf *b)
{
	return strstr((const char *)b->ptr, "\n\n") + 2;
}

static void test_golden(void)
{
	uint64_t shape[] = {2, 3}, flat[] = {6};
	struct vv_view views[] = {{"part", 1, (uint64_t[]){2}, NULL, 4}, {"a.weight", 2, shape, NULL, 0},
		{"turned", 2, (uint64_t[]){3, 2}, (uint64_t[]){1, 3}, 0}, {"flat", 1, flat, NULL, 0}};
	struct vv_finding f = {"pickle-global", 12, "os\nsystem"};
	struct vv_manifest_seg segs[] = {{{0, 10, VV_DT_BYTES, 0, NULL}, id()}, {{10, 24, VV_DT_F32, 4, views}, id()}};
	struct vv_manifest m = {.format = "torch", .size = 34, .sha256 = id(), .findings = &f, .n_findings = 1,
		.segs = segs, .n_segs = 2};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT), again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct vv_manifest back = {0};

	CHECK_OK(vv_manifest_emit(&m, &out, &err), &err);
	CHECK_STR((char *)out.ptr,
		"varve 1 - this text stands for a model file; \"varve checkout\" puts the file itself here\n"
		"format torch\n"
		"size 34\n"
		"sha256 " ID "\n"
		"root 77e1aa64638c99f0bd9936aee9963930c261af8046fc2d08c338864ad9addff8\n"
		"finding \"pickle-global\" 12 \"os\\u000asystem\"\n"
		"\n"
		"opaque 10 " ID "\n"
		"tensor \"a.weight\" f32 [2,3] " ID "\n"
		"view \"part\" f32 [2] - 4\n"
		"view \"turned\" f32 [3,2] [1,3] 0\n"
		"view \"flat\" f32 [6] - 0\n");
	CHECK_OK(vv_manifest_parse(&back, vv_buf_view(&out), &err), &err);
	CHECK(vv_id_eq(&back.root, &m.root));
	/* Appends, and the root is over its own text only. */
	vv_buf_str(&again, "before\n");
	CHECK_OK(vv_manifest_emit(&back, &again, &err), &err);
	CHECK(vv_span_eq(vv_span(again.ptr + 7, again.len - 7), vv_buf_view(&out)));
	vv_manifest_release(&back);
	vv_buf_release(&out);
	vv_buf_release(&again);
}

/* Strides that only spell out row-major order, or of dimensions nothing steps along, are not kept. */
static void test_strides(void)
{
	struct vv_view views[] = {{"plain", 2, (uint64_t[]){2, 3}, (uint64_t[]){3, 1}, 0},
		{"ones", 3, (uint64_t[]){1, 3, 1}, (uint64_t[]){99, 1, 7}, 1},
		{"none", 2, (uint64_t[]){0, 3}, (uint64_t[]){5, 5}, 0},
		{"scalar", 0, (uint64_t[]){0}, (uint64_t[]){0}, 5}};
	struct vv_manifest_seg seg = {{0, 24, VV_DT_I32, 4, views}, id()};
	struct vv_manifest m = {.format = "torch", .size = 24, .segs = &seg, .n_segs = 1};
	struct vv_manifest back = {0};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_manifest_emit(&m, &out, &err), &err);
	CHECK_STR(segment_text(&out),
		"tensor \"plain\" i32 [2,3] " ID "\n"
		"view \"ones\" i32 [1,3,1] - 1\n"
		"view \"none\" i32 [0,3] - 0\n"
		"view \"scalar\" i32 [] - 5\n");
	CHECK_OK(vv_manifest_parse(&back, vv_buf_view(&out), &err), &err);
	vv_manifest_release(&back);
	vv_buf_release(&out);
}

static void test_storage(void)
{
	struct vv_view v = {"half", 1, (uint64_t[]){2}, NULL, 0};
	struct vv_manifest_seg seg = {{0, 16, VV_DT_F32, 1, &v}, id()};
	struct vv_manifest m = {.format = "torch", .size = 16, .segs = &seg, .n_segs = 1};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT), small = VV_BUF_INIT(100);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_manifest_emit(&m, &out, &err), &err);
	CHECK_STR(segment_text(&out), "storage f32 4 " ID "\nview \"half\" f32 [2] - 0\n");
	CHECK_INT(vv_manifest_emit(&m, &small, &err), VV_ELIMIT);
	seg.seg.len = 15;
	CHECK_INT(vv_manifest_emit(&m, &out, &err), VV_EFORMAT);
	seg.seg = (struct vv_segment){0, 2, VV_DT_F6_E2M3, 1, &v};
	CHECK_INT(vv_manifest_emit(&m, &out, &err), VV_EFORMAT);
	vv_buf_release(&out);
	vv_buf_release(&small);
}

int main(void)
{
	test_golden();
	test_strides();
	test_storage();
	return done();
}
