/*
 * The wrapper around a reader, with a reader made for the test: this program has its own table of
 * formats, in place of formats.c.
 */
#include "format/format.h"

#include "layouts.h"
#include "tap.h"

/* What the reader of the test reports, and then returns. */
static struct {
	struct {
		uint64_t off, len;
		enum vv_dtype dt;
		struct vv_view views[3];
		size_t n;
	} tensors[8];
	size_t n, n_findings;
	int ret;
} script;
static struct vv_err err;

static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	(void)size;
	return vv_span_starts(head, "TEST") ? VV_PROBE_YES : vv_span_starts(head, "PERHAPS") ? VV_PROBE_MAYBE : VV_PROBE_NO;
}

static enum vv_probe always(struct vv_span head, uint64_t size)
{
	(void)head;
	(void)size;
	return VV_PROBE_MAYBE;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *e)
{
	int ret = 0;

	(void)src;
	for (size_t i = 0; i < script.n_findings; i++)
		vv_layout_finding(b, "note", 0, "finding %zu", i);
	for (size_t i = 0; i < script.n && !ret; i++) {
		struct vv_view *v = vv_arena_alloc(vv_layout_arena(b), sizeof(script.tensors[i].views));
		memcpy(v, script.tensors[i].views, sizeof(script.tensors[i].views));
		ret = vv_layout_tensor(b, script.tensors[i].off, script.tensors[i].len, script.tensors[i].dt, v,
			script.tensors[i].n ? script.tensors[i].n : 1, e);
	}
	return ret || !script.ret ? ret : vv_fail(e, script.ret, "as told");
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *e)
{
	(void)a;
	return out->write(out, vv_span_str("assembled"), e);
}

static const struct vv_format test_format = {"test", probe, locate, assemble}, opaque = {"opaque", always, NULL, NULL};
const struct vv_format *const vv_formats[] = {&test_format, &opaque, NULL};

const struct vv_format *vv_format_find(struct vv_span name)
{
	for (size_t i = 0; vv_formats[i]; i++)
		if (vv_span_is(name, vv_formats[i]->name))
			return vv_formats[i];
	return NULL;
}

static const uint64_t one[] = {1}, two_by_three[] = {2, 3}, turned[] = {1, 2}, none[] = {0, 9};
#define VIEW(name, shape, stride, offset) {name, VV_COUNT(shape), shape, stride, offset}

static int run(struct located *l, const char *file)
{
	int ret = located_bytes(l, vv_span_str(file));
	const char *wrong = ret ? NULL : layout_wrong(&l->layout);

	CHECK_STR(wrong ? wrong : "sound", "sound");
	return ret;
}

static void reset(void)
{
	memset(&script, 0, sizeof(script));
}

static void test_cover(void)
{
	struct located l;
	size_t seg, view;

	reset();
	script.n = 4;
	script.tensors[0].off = 20;
	script.tensors[0].len = 6;
	script.tensors[0].dt = VV_DT_U8;
	script.tensors[0].views[0] = (struct vv_view)VIEW("later", two_by_three, turned, 0);
	script.tensors[1] = script.tensors[0];
	script.tensors[1].off = 4;
	script.tensors[1].views[0].name = "first";
	script.tensors[1].views[1] = (struct vv_view)VIEW("part", one, NULL, 5);
	script.tensors[1].n = 2;
	/* Two empty ones at one place come in the order of their names, before what begins there. */
	script.tensors[2].off = script.tensors[3].off = 20;
	script.tensors[2].dt = script.tensors[3].dt = VV_DT_F32;
	script.tensors[2].views[0] = (struct vv_view)VIEW("y", none, NULL, 0);
	script.tensors[3].views[0] = (struct vv_view)VIEW("x", none, NULL, 0);
	CHECK_OK(run(&l, "TEST............................"), &l.err);
	CHECK_STR(l.layout.format->name, "test");
	CHECK_INT(l.layout.n_segs, 7);
	CHECK_INT(l.layout.segs[0].len, 4);
	CHECK_STR(l.layout.segs[1].views[0].name, "first");
	CHECK_INT(l.layout.segs[2].len, 10);
	CHECK_STR(l.layout.segs[3].views[0].name, "x");
	CHECK_STR(l.layout.segs[4].views[0].name, "y");
	CHECK_STR(l.layout.segs[5].views[0].name, "later");
	CHECK_INT(l.layout.segs[6].off, 26);
	CHECK(vv_layout_find(&l.layout, "part", &seg, &view) && seg == 1 && view == 1);
	CHECK(!vv_layout_find(&l.layout, "nobody", &seg, &view));
	located_release(&l);
	/* A file that is all one tensor, and one that is nothing. */
	script.n = 1;
	script.tensors[0].off = 0;
	CHECK_OK(run(&l, "TEST.."), &l.err);
	CHECK_INT(l.layout.n_segs, 1);
	located_release(&l);
	CHECK_OK(run(&l, ""), &l.err);
	CHECK_INT(l.layout.n_segs, 0);
	CHECK_STR(l.layout.format->name, "opaque");
	located_release(&l);
}

/* One tensor in a file of 16 bytes: fits or not. */
static void check_fit(uint64_t off, uint64_t len, enum vv_dtype dt, struct vv_view v, bool fits)
{
	struct located l;

	reset();
	script.n = 1;
	script.tensors[0].off = off;
	script.tensors[0].len = len;
	script.tensors[0].dt = dt;
	script.tensors[0].views[0] = v;
	CHECK_OK(run(&l, "TEST............"), &l.err);
	CHECK_STR(l.layout.format->name, fits ? "test" : "opaque");
	CHECK_INT(has_finding(&l.layout, "malformed"), !fits);
	located_release(&l);
}

static void test_fits(void)
{
	static const uint64_t three[] = {3}, five[] = {5}, huge[] = {UINT64_MAX}, far[] = {UINT64_MAX / 2, 1},
		minus[] = {UINT64_MAX}, nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, zero[] = {0};
	char name[VV_MAX_NAME + 2] = {0};

	memset(name, 'n', VV_MAX_NAME + 1);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", three, NULL, 0), true);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", one, NULL, 2), true);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", one, NULL, 3), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", three, NULL, 1), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", huge, NULL, 0), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", one, NULL, UINT64_MAX), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", none, NULL, 3), true);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", none, NULL, 4), false);
	check_fit(4, 13, VV_DT_F32, (struct vv_view)VIEW("w", three, NULL, 0), false);
	check_fit(17, 0, VV_DT_F32, (struct vv_view)VIEW("w", none, NULL, 0), false);
	check_fit(UINT64_MAX, 2, VV_DT_U8, (struct vv_view)VIEW("w", one, NULL, 0), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW("w", nine, NULL, 0), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW(name, one, NULL, 0), false);
	check_fit(4, 12, VV_DT_F32, (struct vv_view)VIEW(name + 1, one, NULL, 0), true);
	/* Strides. */
	check_fit(4, 12, VV_DT_U16, (struct vv_view)VIEW("w", two_by_three, turned, 0), true);
	check_fit(4, 12, VV_DT_U16, (struct vv_view)VIEW("w", two_by_three, turned, 1), false);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", five, zero, 11), true);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", five, zero, 12), false);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", two_by_three, far, 0), false);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", three, minus, 0), false);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", one, minus, UINT64_MAX), false);
	check_fit(4, 12, VV_DT_U8, (struct vv_view)VIEW("w", none, far, 99), true);
	/* Narrower than a byte: only whole bytes can be pointed at. */
	check_fit(4, 12, VV_DT_F4, (struct vv_view){"w", 1, (uint64_t[]){4}, NULL, 2}, true);
	check_fit(4, 12, VV_DT_F4, (struct vv_view){"w", 1, (uint64_t[]){4}, NULL, 1}, false);
	check_fit(4, 12, VV_DT_F4, (struct vv_view){"w", 1, (uint64_t[]){3}, NULL, 0}, false);
}

static void test_names(void)
{
	static const char *const names[] = {"w", "w", "v", "w~2", "w"}, *const unique[] = {"w", "w~2", "v", "w~2~2", "w~3"};
	char longest[VV_MAX_NAME + 1] = {0};
	struct located l;

	reset();
	script.n = VV_COUNT(names);
	for (size_t i = 0; i < script.n; i++) {
		script.tensors[i].off = 4 + i;
		script.tensors[i].len = 1;
		script.tensors[i].dt = VV_DT_U8;
		script.tensors[i].views[0] = (struct vv_view)VIEW(names[i], one, NULL, 0);
	}
	CHECK_OK(run(&l, "TEST............"), &l.err);
	for (size_t i = 0; i < script.n; i++)
		CHECK_STR(l.layout.segs[1 + i].views[0].name, unique[i]);
	CHECK(!l.layout.n_findings);
	located_release(&l);
	/* No room for a number behind the longest name. */
	memset(longest, 'n', VV_MAX_NAME);
	script.tensors[0].views[0].name = script.tensors[1].views[0].name = longest;
	CHECK_OK(run(&l, "TEST............"), &l.err);
	CHECK(has_finding(&l.layout, "limit"));
	located_release(&l);
	/* A letter that nobody sees. */
	script.tensors[0].views[0].name = "w\xe2\x80\x8b";
	script.tensors[1].views[0].name = "\xff";
	CHECK_OK(run(&l, "TEST............"), &l.err);
	CHECK_INT(l.layout.n_findings, 1);
	CHECK(has_finding(&l.layout, "odd-name"));
	located_release(&l);
}

static void test_overlap(void)
{
	struct located l;

	reset();
	script.n = 2;
	for (size_t i = 0; i < 2; i++) {
		script.tensors[i].off = 4 + i;
		script.tensors[i].len = 2;
		script.tensors[i].dt = VV_DT_U16;
		script.tensors[i].views[0] = (struct vv_view)VIEW("w", one, NULL, 0);
	}
	CHECK_OK(run(&l, "TEST............"), &l.err);
	CHECK(strstr(l.layout.findings[0].detail, "'w' overlaps another at offset 5"));
	CHECK_INT(l.layout.n_segs, 1);
	located_release(&l);
}

static void test_failures(void)
{
	static const struct {
		int ret;
		const char *code;
	} kept[] = {{VV_EFORMAT, "malformed"}, {VV_ELIMIT, "limit"}};
	struct located l;

	reset();
	script.n_findings = 2;
	for (size_t i = 0; i < VV_COUNT(kept); i++) {
		script.ret = kept[i].ret;
		CHECK_OK(run(&l, "TEST"), &l.err);
		CHECK_STR(l.layout.format->name, "opaque");
		/* What was found before stays. */
		CHECK_INT(l.layout.n_findings, 3);
		CHECK_STR(l.layout.findings[1].detail, "finding 1");
		CHECK_STR(l.layout.findings[2].code, kept[i].code);
		CHECK_STR(l.layout.findings[2].detail, "test: as told");
		located_release(&l);
	}
	script.ret = VV_EIO;
	CHECK_INT(located_bytes(&l, vv_span_str("TEST")), VV_EIO);
	CHECK_STR(l.err.msg, "as told");
	CHECK(!l.layout.segs);
	located_release(&l);
	/* A flood of findings does not hide that there were more. */
	script.ret = 0;
	script.n_findings = VV_MAX_FINDINGS - 1;
	CHECK_OK(run(&l, "TEST"), &l.err);
	CHECK(!has_finding(&l.layout, "more"));
	located_release(&l);
	script.n_findings = 10 * VV_MAX_FINDINGS;
	CHECK_OK(run(&l, "TEST"), &l.err);
	CHECK_INT(l.layout.n_findings, VV_MAX_FINDINGS);
	CHECK_STR(l.layout.findings[VV_MAX_FINDINGS - 1].code, "more");
	located_release(&l);
	CHECK_OK(run(&l, "PERHAPS"), &l.err);
	CHECK_STR(l.layout.format->name, "test");
	located_release(&l);
}

static void test_whole(void)
{
	struct vv_segment s = {0, 6, VV_DT_U8, 1, NULL};
	struct vv_view v = VIEW("w", two_by_three, NULL, 0);

	CHECK(vv_view_is_whole(&s, &v));
	v.stride = (uint64_t[]){3, 1};
	CHECK(vv_view_is_whole(&s, &v));
	v.stride = turned;
	CHECK(!vv_view_is_whole(&s, &v));
	v.stride = NULL;
	s.len = 7;
	CHECK(!vv_view_is_whole(&s, &v));
	s.len = 6;
	v.offset = 1;
	CHECK(!vv_view_is_whole(&s, &v));
	v.offset = 0;
	s.coding = VV_CODE_SHUFFLE;
	CHECK(!vv_view_is_whole(&s, &v));
	s.coding = 0;
	/* Nothing steps along a dimension of one. */
	v = (struct vv_view){"w", 2, (uint64_t[]){1, 6}, (uint64_t[]){99, 1}, 0};
	CHECK(vv_view_is_whole(&s, &v));
}

static void test_assemble(void)
{
	struct memsink out = MEMSINK_INIT;
	struct vv_layout l = {.format = &opaque};
	struct vv_source_mem six;
	struct vv_part parts[2] = {{"w", VV_DT_U8, 2, two_by_three, 6, NULL}};
	struct vv_assembly a = {&l, NULL, parts, 1};

	vv_source_mem_init(&six, vv_span_str("sixsix"));
	parts[0].bytes = &six.base;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_ENOTSUP);
	l.format = &test_format;
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	CHECK(vv_span_is(vv_buf_view(&out.bytes), "assembled"));
	parts[0].len = 5;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	parts[0].len = 6;
	six.base.size = 5;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	six.base.size = 6;
	parts[0].ndim = VV_MAX_DIMS + 1;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	parts[0].ndim = 2;
	parts[1] = parts[0];
	a.n_parts = 2;
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_EFORMAT);
	parts[1].name = "v";
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	vv_buf_release(&out.bytes);
}

int main(void)
{
	test_cover();
	test_fits();
	test_names();
	test_overlap();
	test_failures();
	test_whole();
	test_assemble();
	return done();
}
