#include "format/formats.h"

#include "tap.h"

static struct vv_err err = VV_ERR_INIT;
static const struct vv_elsewhere *told;
static size_t n_told;

/* A format that tells what the test wants told. */
static int tell(struct vv_elsewheres *out, const struct vv_source *src VV_UNUSED, struct vv_err *e)
{
	int ret = 0;

	for (size_t i = 0; i < n_told && !ret; i++)
		ret = vv_elsewhere_add(out, &told[i], e);
	return ret;
}

static const struct vv_format teller = {.name = "teller", .elsewhere = tell};

static int read_told(struct vv_elsewheres *out, const struct vv_elsewhere *items, size_t n)
{
	struct vv_source_mem nothing;

	vv_source_mem_init(&nothing, vv_span("", 0));
	told = items;
	n_told = n;
	return vv_elsewhere_read(&teller, &nothing.base, out, &err);
}

static int read_one(struct vv_elsewhere item)
{
	struct vv_elsewheres out;
	int ret = read_told(&out, &item, 1);

	if (ret)
		CHECK(!out.n && !out.items && !out.arena.blocks);
	vv_elsewheres_release(&out);
	return ret;
}

static void test_items(void)
{
	uint64_t shape[] = {2, 3};
	const struct vv_elsewhere items[] = {
		{"data.bin", false, "w", VV_DT_F32, 2, shape, 100, 24, false},
		{"./sub//data.bin", false, "w", VV_DT_BYTES, 0, NULL, 0, 7, false},
		{"model-2.safetensors", false, "v", VV_DT_F32, 2, shape, UINT64_MAX, 5, false},
		{".data-0", true, "scalar", VV_DT_I64, 0, NULL, 8, 8, false},
		{"a.distcp", false, "part", VV_DT_F32, 2, shape, 100, 1000, true},
		{"a.distcp", false, "own", VV_DT_F32, 0, NULL, UINT64_MAX, 5, true},
	};
	struct vv_elsewheres out;

	CHECK_OK(read_told(&out, items, VV_COUNT(items)), &err);
	CHECK_INT(out.n, 6);
	CHECK_STR(out.items[0].file, "data.bin");
	CHECK_INT(out.items[0].ndim, 2);
	CHECK(out.items[0].shape != shape && out.items[0].shape[1] == 3);
	CHECK_INT(out.items[0].off, 100);
	CHECK_STR(out.items[1].file, "sub/data.bin");
	CHECK_STR(out.items[1].name, "w~2");
	CHECK(out.items[2].off == UINT64_MAX && !out.items[2].len && out.items[2].dtype == VV_DT_BYTES &&
		!out.items[2].ndim);
	CHECK(out.items[3].suffix && !out.items[3].ndim);
	/* What lies within has no type of its own; what is known by its name does not lie within. */
	CHECK(out.items[4].within && out.items[4].dtype == VV_DT_BYTES && !out.items[4].ndim && out.items[4].len == 1000);
	CHECK(!out.items[5].within && out.items[5].off == UINT64_MAX && !out.items[5].len);
	CHECK_INT(read_one((struct vv_elsewhere){.file = "a", .name = "w", .off = INT64_MAX, .len = 1, .within = true}), VV_EFORMAT);
	vv_elsewheres_release(&out);
	CHECK(!out.n && !out.items);
	CHECK_OK(vv_elsewhere_read(vv_format_find(vv_span_str("opaque")), NULL, &out, &err), &err);
	CHECK(!out.n);
}

/* The array grows, and what was told before stays. */
static void test_many(void)
{
	enum { N = 1000 };
	static struct vv_elsewhere items[N];
	static char names[N][8];
	struct vv_elsewheres out;
	bool right = true, shared = true;

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		items[i] = (struct vv_elsewhere){"f", false, names[i], VV_DT_U8, 0, NULL, (uint64_t)i, 1};
	}
	CHECK_OK(read_told(&out, items, N), &err);
	CHECK_INT(out.n, N);
	for (size_t i = 0; i < out.n; i++) {
		right &= !strcmp(out.items[i].name, names[i]) && out.items[i].off == i;
		shared &= out.items[i].file == out.items[0].file;
	}
	CHECK(right);
	CHECK(shared);
	vv_elsewheres_release(&out);
}

static void test_refused(void)
{
	static const char *const outside[] = {"", "/etc/passwd", "..", "../w", "a/../w", "a/..", "a\\b", "c:w", "C:/w", ".",
		"a/", "a/."};
	static char longest[VV_MAX_NAME + 2];
	uint64_t shape[VV_MAX_DIMS + 1] = {2, 3, 1, 1, 1, 1, 1, 1, 1}, huge[] = {UINT64_MAX, 2};

	for (size_t i = 0; i < VV_COUNT(outside); i++)
		CHECK_INT(read_one((struct vv_elsewhere){outside[i], false, "w", VV_DT_U8, 0, NULL, 0, 1}), VV_EUNSAFE);
	CHECK(vv_elsewhere_bad(vv_span("a\0b", 3)) != NULL);
	CHECK(!vv_elsewhere_bad(vv_span_str("a/..b/c..")));
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_F32, 2, shape, 0, 23}), VV_EFORMAT);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_F32, 2, huge, 0, 24}), VV_EFORMAT);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_U8, 9, shape, 0, 6}), VV_EFORMAT);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_BYTES, 1, shape, 0, 2}), VV_EFORMAT);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_BYTES, 0, NULL, INT64_MAX, 2}), VV_EFORMAT);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, "w", VV_DT_BYTES, 0, NULL, 2, UINT64_MAX}), VV_EFORMAT);
	memset(longest, 'x', VV_MAX_NAME + 1);
	CHECK_INT(read_one((struct vv_elsewhere){"f", false, longest, VV_DT_U8, 0, NULL, 0, 1}), VV_ELIMIT);
	CHECK_INT(read_one((struct vv_elsewhere){longest, false, "w", VV_DT_U8, 0, NULL, 0, 1}), VV_ELIMIT);
}

static void check_file(const char *file, bool suffix, const char *own, const char *want)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_elsewhere_file(&b, &(struct vv_elsewhere){.file = file, .suffix = suffix}, own);
	vv_buf_add(&b, "", 0);
	CHECK_STR((const char *)b.ptr, want);
	vv_buf_release(&b);
}

static void test_file(void)
{
	check_file("w.bin", false, "model.onnx", "w.bin");
	check_file("w.bin", false, "a.b/model.onnx", "a.b/w.bin");
	check_file(".data-00000-of-00001", true, "variables.index", "variables.data-00000-of-00001");
	check_file(".data-00000-of-00001", true, "a.b/ckpt-1.index", "a.b/ckpt-1.data-00000-of-00001");
	check_file(".data-00000-of-00001", true, "a.b/ckpt", "a.b/ckpt.data-00000-of-00001");
	check_file(".data-00000-of-00001", true, ".index", ".index.data-00000-of-00001");
}

int main(void)
{
	test_items();
	test_many();
	test_refused();
	test_file();
	return done();
}
