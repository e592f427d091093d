#include "format/format.h"
#include "model/manifest_text.h"

#include "tap.h"

static int detect(const char *s)
{
	return vv_manifest_detect(vv_span_str(s));
}

static void test_detect(void)
{
	char head[65] = {0};

	CHECK_INT(detect(VV_TEXT_LINE1 "\n"), VV_TEXT_MANIFEST);
	memcpy(head, VV_TEXT_LINE1, 64);
	CHECK_INT(detect(head), VV_TEXT_MANIFEST);
	CHECK_INT(detect("varve 2 - this text stands for a model file or two\n"), VV_TEXT_NEWER);
	CHECK_INT(detect("varve 10 - this text stands for a model file\n"), VV_TEXT_NEWER);
	CHECK_INT(detect("varve 0 - this text stands for a model file\n"), VV_TEXT_OTHER);
	CHECK_INT(detect("varve 1 is out\n"), VV_TEXT_OTHER);
	CHECK_INT(detect("varve 1"), VV_TEXT_OTHER);
	CHECK_INT(detect("varve "), VV_TEXT_OTHER);
	CHECK_INT(detect(""), VV_TEXT_OTHER);
	CHECK_INT(detect("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"), VV_TEXT_OTHER);
	CHECK_INT(detect("<<<<<<< HEAD\n" VV_TEXT_LINE1 "\n"), VV_TEXT_CONFLICTED);
	CHECK_INT(detect("<<<<<<< HEAD\n=======\n" VV_TEXT_LINE1 "\n>>>>>>> x\n"), VV_TEXT_CONFLICTED);
	CHECK_INT(detect(VV_TEXT_LINE1 "\n=======\n"), VV_TEXT_CONFLICTED);
	CHECK_INT(detect(VV_TEXT_LINE1 "\n||||||| base"), VV_TEXT_CONFLICTED);
	CHECK_INT(detect(VV_TEXT_LINE1 "\n <<<<<<<\n======\n"), VV_TEXT_MANIFEST);
}

static void test_number(void)
{
	struct vv_span s = vv_span_str("18446744073709551615 0 007 18446744073709551616");
	uint64_t v = 0;

	CHECK(!vv_text_number(&s, &v) && v == UINT64_MAX);
	CHECK(vv_span_starts(s, " 0"));
	CHECK(vv_text_number(&s, &v));
	s = vv_span(s.ptr + 1, s.len - 1);
	CHECK(!vv_text_number(&s, &v) && v == 0);
	s = vv_span(s.ptr + 1, s.len - 1);
	CHECK(vv_text_number(&s, &v));
	s = vv_span(s.ptr + 4, s.len - 4);
	CHECK(vv_text_number(&s, &v));
}

static void test_views(void)
{
	uint64_t n, big[] = {UINT64_MAX, 2}, shape[] = {4, 3}, rows[] = {1, 4};
	struct vv_view v = {"v", 2, shape, rows, 0};
	struct vv_segment seg = {0, 7, VV_DT_F4, 0, NULL};

	CHECK(!vv_shape_numel(shape, 2, &n) && n == 12);
	CHECK(!vv_shape_numel(NULL, 0, &n) && n == 1);
	CHECK(vv_shape_numel(big, 2, &n));
	CHECK(!vv_view_contiguous(&v));
	CHECK(!vv_view_extent(&v, &n) && n == 12);
	v.stride = (uint64_t[]){10, 2};
	CHECK(!vv_view_extent(&v, &n) && n == 35);
	v.stride = (uint64_t[]){0, 0};
	CHECK(!vv_view_extent(&v, &n) && n == 1);
	v.stride = (uint64_t[]){UINT64_MAX / 2, 1};
	CHECK(vv_view_extent(&v, &n));
	CHECK(!vv_segment_numel(&seg, &n) && n == 14);
	seg.dtype = VV_DT_F6_E2M3;
	CHECK(vv_segment_numel(&seg, &n));
	seg.dtype = VV_DT_F16;
	CHECK(vv_segment_numel(&seg, &n));
	seg.dtype = VV_DT_F4;
	seg.len = UINT64_MAX;
	CHECK(vv_segment_numel(&seg, &n));
}

static void test_find(void)
{
	struct vv_view views[] = {{"a", 0, NULL, NULL, 0}, {"b", 0, NULL, NULL, 0}};
	struct vv_manifest_seg segs[] = {{{0, 4, VV_DT_BYTES, 0, NULL}, {{0}}}, {{4, 4, VV_DT_F32, 2, views}, {{0}}}};
	struct vv_manifest m = {.segs = segs, .n_segs = 2};
	size_t seg = 9, view = 9;

	CHECK(vv_manifest_find(&m, "b", &seg, &view) && seg == 1 && view == 1);
	CHECK(!vv_manifest_find(&m, "c", &seg, &view));
}

static void test_paths(void)
{
	static const char *const good[] = {"a", "a/b", "..a", "a..", ".gitignore/x", "a/.gitignore", "varve", ".varve-x", "\xff", "a b", ":", "-"};
	static const char *const bad[] = {"", "/", "a/", "/a", "a//b", ".", "..", "a/./b", "a/..", ".git", "a/.Git/b", "git~1", ".git. /x",
		".varve", "a/.varve", ".gitignore"};
	char longest[VV_MAX_NAME + 2];

	for (size_t i = 0; i < VV_COUNT(good); i++)
		tap_ok(vv_manifest_path_ok(good[i]), good[i], __FILE__, __LINE__);
	for (size_t i = 0; i < VV_COUNT(bad); i++)
		tap_ok(!vv_manifest_path_ok(bad[i]), bad[i], __FILE__, __LINE__);
	for (size_t i = 0; i + 1 < sizeof(longest); i++)
		longest[i] = i % 128 == 127 ? '/' : 'x';
	longest[VV_MAX_NAME + 1] = 0;
	CHECK(!vv_manifest_path_ok(longest));
	longest[VV_MAX_NAME - 1] = 0;
	CHECK(vv_manifest_path_ok(longest));
	for (size_t i = 0; i < 259; i++)
		longest[i] = i % 2 ? '/' : 'x';
	longest[259] = 0;
	CHECK(!vv_manifest_path_ok(longest));
	longest[257] = 0;
	CHECK(vv_manifest_path_ok(longest)); /* a file in 128 folders */
	memset(longest, 'n', 256);
	longest[256] = 0;
	CHECK(!vv_manifest_path_ok(longest));
}

int main(void)
{
	test_paths();
	test_detect();
	test_number();
	test_views();
	test_find();
	return done();
}
