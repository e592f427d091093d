#include "format/hdf5.h"

#include "layouts.h"
#include "tap.h"

static struct vv_err err;
static const uint64_t three[] = {3}, six[] = {2, 3}, none[] = {0, 4};
static const float f[6] = {1, 2, 3, 4, 5, 6};

struct want {
	const char *name;
	enum vv_dtype dt;
	unsigned ndim;
	const uint64_t *shape;
};

enum { MAX_WANT = 600 };

/* A file of our own with these tensors, in the frame of `old` (NULL: a new one). */
static int made(struct vv_buf *file, const struct vv_buf *old, const struct want *w, size_t n, size_t room)
{
	static struct vv_source_mem mem[MAX_WANT];
	static struct vv_part parts[MAX_WANT];
	static const uint8_t bytes[64] = {1, 2, 3, 4, 5};
	struct memsink out = MEMSINK_INIT;
	struct located l = {0};
	int ret;

	for (size_t i = 0; i < n; i++) {
		uint64_t numel, len;
		if (vv_dtype_bytes(w[i].dt, w[i].shape, w[i].ndim, &numel, &len))
			return 1;
		vv_source_mem_init(&mem[i], vv_span(w[i].dt == VV_DT_F32 ? (const void *)f : bytes, (size_t)len));
		parts[i] = (struct vv_part){.name = w[i].name, .dtype = w[i].dt, .ndim = w[i].ndim, .shape = w[i].shape,
			.len = len, .bytes = &mem[i].base};
	}
	err = (struct vv_err)VV_ERR_INIT;
	out.room = room;
	if (old) {
		ret = located_bytes(&l, vv_buf_view(old));
		if (!ret)
			ret = vv_assemble(&(struct vv_assembly){&l.layout, &l.mem.base, parts, n}, &out.base, &err);
		located_release(&l);
	} else {
		ret = vv_assemble_new(vv_format_find(vv_span_str("hdf5")), "from toy sha256:00", parts, n, &out.base, &err);
	}
	vv_buf_clear(file);
	vv_buf_span(file, vv_buf_view(&out.bytes));
	vv_buf_release(&out.bytes);
	return ret;
}

static size_t tensors(const struct vv_buf *file, const char *name, enum vv_dtype dt)
{
	struct located l;
	size_t n = 0, seg = 0, view = 0;

	CHECK_OK(located_bytes(&l, vv_buf_view(file)), &l.err);
	CHECK_STR(l.layout.format->name, "hdf5");
	CHECK_INT(l.layout.n_findings, 0);
	CHECK(!layout_wrong(&l.layout));
	n = n_tensors(&l.layout);
	CHECK(!name || (vv_layout_find(&l.layout, name, &seg, &view) && l.layout.segs[seg].dtype == dt));
	located_release(&l);
	return n;
}

/* Each type that the reader knows, but the one that libhdf5 would read wrongly. */
static void test_types(void)
{
	static const enum vv_dtype types[] = {VV_DT_BOOL, VV_DT_U8, VV_DT_I8, VV_DT_U16, VV_DT_I16, VV_DT_U32, VV_DT_I32,
		VV_DT_U64, VV_DT_I64, VV_DT_F16, VV_DT_BF16, VV_DT_F32, VV_DT_F64, VV_DT_F8_E5M2};
	static const enum vv_dtype not[] = {VV_DT_F8_E4M3, VV_DT_C64, VV_DT_F4};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(types); i++) {
		CHECK_OK(made(&file, NULL, &(struct want){"a/b.c", types[i], 1, three}, 1, 0), &err);
		CHECK_INT(tensors(&file, "a/b.c", types[i]), 1);
	}
	for (size_t i = 0; i < VV_COUNT(not); i++) {
		CHECK_INT(made(&file, NULL, &(struct want){"a", not[i], 2, (const uint64_t[]){2, 2}}, 1, 0), VV_ENOTSUP);
		CHECK(strstr(err.msg, "'a': HDF5 has no type") && !file.len);
	}
	CHECK_OK(made(&file, NULL, &(struct want){"s", VV_DT_U8, 0, NULL}, 1, 0), &err);
	CHECK_INT(tensors(&file, "s", VV_DT_U8), 1);
	vv_buf_release(&file);
}

static void test_names(void)
{
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
	static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "a/./b", "x/y/z", "x"};
	static char deep[200];

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		struct want w[] = {{"x/y", VV_DT_F32, 1, three}, {bad[i], VV_DT_F32, 1, three}};
		CHECK_INT(made(&file, NULL, w, 2, 0), VV_ENOTSUP);
		CHECK(strstr(err.msg, "HDF5 "));
	}
	for (size_t i = 0; i < 64; i++)
		memcpy(deep + 2 * i, "d/", 2);
	deep[128] = 'e';
	CHECK_OK(made(&file, NULL, &(struct want){deep, VV_DT_F32, 1, three}, 1, 0), &err);
	CHECK_INT(tensors(&file, deep, VV_DT_F32), 1);
	memcpy(deep + 128, "d/e", 3);
	CHECK_INT(made(&file, NULL, &(struct want){deep, VV_DT_F32, 1, three}, 1, 0), VV_ENOTSUP);
	CHECK_OK(made(&file, NULL, &(struct want){"\xc3\xbc/\xc3\xa4", VV_DT_F32, 1, three}, 1, 0), &err);
	CHECK_INT(tensors(&file, "\xc3\xbc/\xc3\xa4", VV_DT_F32), 1);
	vv_buf_release(&file);
}

/* A file of our own takes any other set, and is again what it was when it gets its own back. */
static void test_other_sets(void)
{
	const struct want one[] = {{"a/w", VV_DT_F32, 2, six}, {"a/b", VV_DT_U8, 1, three}, {"c", VV_DT_F32, 1, three}};
	const struct want two[] = {{"c", VV_DT_F32, 2, six}, {"d/e", VV_DT_F32, 1, three}};
	struct vv_buf first = VV_BUF_INIT(VV_MAX_TEXT), second = VV_BUF_INIT(VV_MAX_TEXT), third = VV_BUF_INIT(VV_MAX_TEXT);
	size_t bad = 0;

	CHECK_OK(made(&first, NULL, one, 3, 0), &err);
	CHECK_INT(tensors(&first, "a/b", VV_DT_U8), 3);
	CHECK_OK(made(&second, &first, two, 2, 0), &err);
	CHECK_INT(tensors(&second, "d/e", VV_DT_F32), 2);
	CHECK_OK(made(&third, &second, one, 3, 0), &err);
	CHECK(vv_span_eq(vv_buf_view(&first), vv_buf_view(&third)));
	CHECK_OK(made(&third, &second, NULL, 0, 0), &err);
	CHECK_INT(tensors(&third, NULL, 0), 0);
	CHECK_OK(made(&second, &third, one, 3, 0), &err);
	CHECK(vv_span_eq(vv_buf_view(&first), vv_buf_view(&second)));
	for (size_t room = 1; room < first.len; room += 7)
		bad += made(&third, &second, one, 3, room) != VV_EIO;
	CHECK_INT(bad, 0);
	/* A tensor without elements is there, though no segment shows it: its file is no longer made anew. */
	CHECK_OK(made(&first, NULL, (struct want[]){one[0], {"z", VV_DT_F32, 2, none}, one[1]}, 3, 0), &err);
	CHECK_INT(tensors(&first, "a/b", VV_DT_U8), 2);
	CHECK_INT(made(&second, &first, two, 2, 0), VV_ENOTSUP);
	vv_buf_release(&first);
	vv_buf_release(&second);
	vv_buf_release(&third);
}

/* Whatever byte of the frame is another: it is not ours, or nothing of it is lost. */
static void test_not_ours(void)
{
	const struct want one[] = {{"a/w", VV_DT_F32, 2, six}, {"bb", VV_DT_U8, 1, three}, {"c", VV_DT_F32, 1, three}};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT), out = VV_BUF_INIT(VV_MAX_TEXT);
	size_t head, taken = 0, bad = 0;

	CHECK_OK(made(&file, NULL, one, 3, 0), &err);
	head = file.len - 24 - 8 - 12;
	for (size_t i = 0; i < file.len; i++) {
		file.ptr[i] ^= 0x10;
		int ret = made(&out, &file, one, 2, 0);
		taken += !ret;
		bad += ret && ret != VV_ENOTSUP;
		bad += !ret && i < head;
		file.ptr[i] ^= 0x10;
	}
	CHECK_INT(bad, 0);
	CHECK_INT(taken, 24 + 3 + 12);
	vv_buf_add(&file, "", 1);
	CHECK_INT(made(&out, &file, one, 2, 0), VV_ENOTSUP);
	vv_buf_release(&file);
	for (size_t i = 0; i < 3; i++) {
		static const char *const files[] = {"hdf5/new.h5", "hdf5/old.h5", "hdf5/v108.h5"};
		golden_read(&file, __FILE__, files[i]);
		CHECK_INT(made(&out, &file, one, 2, 0), VV_ENOTSUP);
		CHECK(strstr(err.msg, "hdf5 keeps its tensors"));
		vv_buf_clear(&file);
	}
	vv_buf_release(&file);
	vv_buf_release(&out);
}

/* As many as make every table grow. */
static void test_many(void)
{
	static struct want w[MAX_WANT];
	static char names[MAX_WANT][32];
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < MAX_WANT; i++) {
		snprintf(names[i], sizeof(names[i]), "g%zu/t%zu", i % 7, i);
		w[i] = (struct want){names[i], VV_DT_F32, 1, three};
	}
	CHECK_OK(made(&file, NULL, w, MAX_WANT, 0), &err);
	CHECK_INT(tensors(&file, "g4/t599", VV_DT_F32), MAX_WANT);
	vv_buf_release(&file);
}

int main(void)
{
	test_types();
	test_names();
	test_other_sets();
	test_not_ours();
	test_many();
	return done();
}
