#include "fixture.h"

static void put(struct fixture *f, const struct vv_buf *file, struct vv_manifest *m)
{
	struct vv_source_mem src;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&src, vv_buf_view(file));
	CHECK_OK(vv_model_put(f->store, &src.base, NULL, 0, &text, m, NULL, NULL, &err), &err);
	vv_buf_release(&text);
}

static int get(struct fixture *f, const struct vv_manifest *m, unsigned flags, struct vv_buf *out)
{
	struct vv_temp t = VV_TEMP_INIT;
	struct vv_err err = VV_ERR_INIT;
	int ret;

	CHECK_OK(vv_temp_open(&t, f->dir, &err), &err);
	ret = vv_model_get_fd(f->store, m, t.fd, "model.x", flags, NULL, &err);
	if (ret)
		printf("# %s\n", err.msg);
	fd_bytes(t.fd, out);
	vv_temp_release(&t);
	return ret;
}

static void test_whole(struct fixture *f)
{
	struct vv_buf file, back;
	struct vv_manifest m = {0};
	struct vv_err err = VV_ERR_INIT;
	size_t missing = 9;

	st_file(&file, "\"format\":\"pt\"", "a=1 b=2 c=3");
	put(f, &file, &m);
	CHECK_INT(get(f, &m, VV_MODEL_CHECK_FILE, &back), 0);
	CHECK(buf_eq(&file, &back));
	CHECK_OK(vv_model_has(f->store, &m, &missing, &err), &err);
	CHECK_INT(missing, 0);
	vv_buf_release(&back);

	/* Right parts, wrong whole: seen when asked. */
	m.sha256.b[0] ^= 1;
	CHECK_INT(get(f, &m, 0, &back), 0);
	vv_buf_release(&back);
	CHECK_INT(get(f, &m, VV_MODEL_CHECK_FILE, &back), VV_ECORRUPT);
	vv_buf_release(&back);
	m.segs[2].id.b[0] ^= 1;
	CHECK_INT(get(f, &m, 0, &back), VV_ENOTFOUND);
	vv_buf_release(&back);
	CHECK_INT(vv_model_has(f->store, &m, &missing, &err), VV_ENOTFOUND);
	CHECK_INT(missing, 1);
	CHECK(strstr(err.msg, "(b)") != NULL);
	vv_manifest_release(&m);
	vv_buf_release(&file);
}

static void test_empty(struct fixture *f)
{
	struct vv_buf file = VV_BUF_INIT(10), back;
	struct vv_manifest m = {0};

	put(f, &file, &m);
	CHECK_INT(get(f, &m, VV_MODEL_CHECK_FILE, &back), 0);
	CHECK_INT(back.len, 0);
	vv_buf_release(&back);
	vv_manifest_release(&m);
}

/* Any range, over segment borders and around tensors without bytes. */
static void test_source(struct fixture *f)
{
	struct vv_buf file;
	struct vv_manifest m = {0};
	struct vv_model_source src;
	struct vv_err err = VV_ERR_INIT;
	uint8_t part[300];
	size_t wrong = 0;
	struct st s;

	st_init(&s, NULL);
	st_f32(&s, "a", 1);
	st_add(&s, "none", "F32", "[0]", "", 0);
	st_add(&s, "byte", "U8", "[3]", "xyz", 3);
	st_add(&s, "nothing", "F32", "[0,5]", "", 0);
	st_done(&s, &file);
	put(f, &file, &m);
	vv_model_source_init(&src, f->store, &m);
	CHECK_INT(src.base.size, file.len);
	CHECK(file.len < sizeof(part));
	for (size_t off = 0; off <= file.len; off += 3)
		for (size_t n = 0; off + n <= file.len; n += 5)
			wrong += vv_source_read(&src.base, off, part, n, &err) || memcmp(part, file.ptr + off, n) != 0;
	CHECK_INT(wrong, 0);
	CHECK_OK(vv_source_read(&src.base, file.len - 3, part, 3, &err), &err);
	CHECK(!memcmp(part, "xyz", 3));
	CHECK_INT(vv_source_read(&src.base, 1, part, file.len, &err), VV_EFORMAT);
	vv_manifest_release(&m);
	vv_buf_release(&file);
}

int main(void)
{
	struct fixture f;

	fixture_init(&f);
	test_whole(&f);
	test_empty(&f);
	test_source(&f);
	fixture_release(&f);
	return done();
}
