#include "model/directory.h"

#include "fixture.h"

static struct vv_err err;

static void hash(struct fixture *f, const char *bytes, struct vv_manifest *m)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem src;

	vv_source_mem_init(&src, vv_span_str(bytes));
	CHECK_OK(vv_model_hash(f->pool, &src.base, &text, m, NULL, &err), &err);
	vv_buf_release(&text);
}

/* Files in any order, models and others, and all of them out again. */
static void test_build(struct fixture *f)
{
	struct vv_dir_build b = {0}, again = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), second = VV_BUF_INIT(VV_MAX_TEXT);
	struct mem_version model;
	struct vv_manifest plain = {0}, empty = {0}, dir = {0}, file = {0};
	size_t at = 99;

	mem_st(&model, f->pool, NULL, "a.weight=1 b=2");
	hash(f, "hello", &plain);
	hash(f, "", &empty);
	CHECK_OK(vv_dir_build_put(&b, "z/m.safetensors", 0644, &model.m, &err), &err);
	CHECK_OK(vv_dir_build_put(&b, "run.sh", 0100755, &plain, &err), &err);
	CHECK_OK(vv_dir_build_put(&b, "none", 0644, &empty, &err), &err);
	CHECK_OK(vv_dir_build_end(&b, &text, &dir, &err), &err);
	CHECK_INT(dir.n_files, 3);
	CHECK_INT(dir.size, model.m.size + 5);
	CHECK_STR(dir.files[1].path, "run.sh");
	CHECK(strstr((char *)text.ptr, "\nfile \"run.sh\" 755 opaque 5 2cf24dba5fb0a30e") != NULL);
	CHECK(strstr((char *)text.ptr, "\ntensor \"a.weight\" f32 [4] ") != NULL);

	CHECK(vv_dir_find(&dir, "z/m.safetensors", &at) && at == 2);
	CHECK(vv_dir_find(&dir, "none", &at) && at == 0);
	CHECK(!vv_dir_find(&dir, "z", &at) && !vv_dir_find(&dir, "zz", &at) && !vv_dir_find(&dir, "", &at));

	CHECK_OK(vv_dir_file(&dir, 2, &file, &err), &err);
	CHECK_STR(file.format, "safetensors");
	CHECK_INT(file.n_segs, 3);
	CHECK_INT(file.segs[0].seg.off, 0);
	CHECK_STR(file.segs[1].seg.views[0].name, "a.weight");
	CHECK(vv_id_eq(&file.sha256, &model.m.sha256));
	vv_buf_clear(&second);
	CHECK_OK(vv_manifest_emit(&file, &second, &err), &err);
	CHECK(buf_eq(&second, &model.text));
	vv_manifest_release(&file);

	/* Taken over as they are, it is the same text. */
	for (size_t i = 3; i-- > 0;)
		CHECK_OK(vv_dir_build_take(&again, &dir, i, &err), &err);
	vv_buf_clear(&second);
	CHECK_OK(vv_dir_build_end(&again, &second, NULL, &err), &err);
	CHECK(buf_eq(&second, &text));

	vv_manifest_release(&dir);
	vv_manifest_release(&plain);
	vv_manifest_release(&empty);
	mem_release(&model);
	vv_buf_release(&text);
	vv_buf_release(&second);
	vv_dir_build_release(&b);
	vv_dir_build_release(&again);
}

static void test_refused(struct fixture *f)
{
	static const char *const pairs[][2] = {{"a", "a"}, {"a", "a/b"}};
	struct vv_manifest plain = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);

	hash(f, "x", &plain);
	for (size_t i = 0; i < VV_COUNT(pairs); i++) {
		struct vv_dir_build b = {0};
		CHECK_OK(vv_dir_build_put(&b, pairs[i][0], 0644, &plain, &err), &err);
		CHECK_OK(vv_dir_build_put(&b, pairs[i][1], 0644, &plain, &err), &err);
		CHECK_INT(vv_dir_build_end(&b, &text, NULL, &err), VV_EFORMAT);
		CHECK_INT(vv_dir_build_put(&b, ".git/config", 0644, &plain, &err), VV_EUNSAFE);
		vv_dir_build_release(&b);
	}
	vv_manifest_release(&plain);
	vv_buf_release(&text);
}

int main(void)
{
	struct fixture f;

	fixture_init(&f);
	test_build(&f);
	test_refused(&f);
	fixture_release(&f);
	return done();
}
