/* Thin packs: as long as the real ones, and all that is known of them is there. */
#include "store/thin.h"

#include "fixture.h"

enum { LEN = 300000 };

static uint8_t a[LEN];

static void test_extents(void)
{
	struct vv_extents x = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_id p = {{1}}, q = {{2}}, none = {{3}};

	CHECK_OK(vv_extents_add(&x, &q, 10, 10, &err), &err);
	CHECK_OK(vv_extents_add(&x, &p, 100, 50, &err), &err);
	CHECK_OK(vv_extents_add(&x, &p, 0, 40, &err), &err);
	CHECK_OK(vv_extents_add(&x, &p, 10, 5, &err), &err);
	CHECK_OK(vv_extents_add(&x, &p, 60, 40, &err), &err);
	vv_extents_join(&x, 0);
	CHECK_INT(x.n, 3);
	CHECK(vv_id_eq(&x.v[0].pack, &p) && x.v[0].off == 0 && x.v[0].len == 40);
	CHECK(x.v[1].off == 60 && x.v[1].len == 90);
	CHECK(vv_id_eq(&x.v[2].pack, &q));
	CHECK_INT(vv_extents_of(&x, &p), 130);
	CHECK_INT(vv_extents_of(&x, &q), 10);
	CHECK_INT(vv_extents_of(&x, &none), 0);
	vv_extents_join(&x, 20);
	CHECK_INT(x.n, 2);
	CHECK(x.v[0].off == 0 && x.v[0].len == 150);
	vv_extents_release(&x);
	vv_extents_join(&x, 0);
	CHECK_INT(x.n, 0);
}

static int name_of(void *arg, const struct vv_pack_info *info, struct vv_err *e)
{
	struct vv_id *out = arg;

	(void)e;
	*out = info->name;
	return 0;
}

/* A store of tensors and bytes in chunks, and its thin twin: the same objects, none of their bytes. */
static void test_copy(void)
{
	struct fixture f, thin;
	struct vv_id tensor, bytes, name;
	struct vv_object_info info, twin;
	struct stat st, want;
	char *path;
	uint8_t one;

	fx_init(&f);
	fx_init(&thin);
	tensor = put(&f, a, LEN, VV_DT_F32, NULL);
	CHECK_OK(vv_store_each_pack(f.store, name_of, &name, &f.err), &f.err);
	CHECK_OK(vv_thin_copy(thin.dir, pack_of(&f, &tensor), &name, &f.err), &f.err);
	CHECK(!stat(pack_of(&f, &tensor), &want));
	bytes = put(&f, a + 1, LEN - 1, VV_DT_BYTES, NULL);
	{
		char *real = strdup(pack_of(&f, &bytes)), hex[VV_ID_HEX + 1];
		struct vv_id other;
		snprintf(hex, sizeof(hex), "%.64s", strrchr(real, '/') + 1);
		CHECK(!vv_id_parse(&other, vv_span_str(hex)));
		CHECK_OK(vv_thin_copy(thin.dir, real, &other, &f.err), &f.err);
		free(real);
	}
	path = vv_thin_path(thin.dir, &name);
	CHECK(!stat(path, &st) && st.st_size == want.st_size && st.st_blocks * 512 < 16384);
	fx_open(&thin);
	CHECK_OK(vv_store_find(f.store, &tensor, &info, &f.err), &f.err);
	CHECK_OK(vv_store_find(thin.store, &tensor, &twin, &f.err), &f.err);
	CHECK(twin.size == info.size && twin.stored == info.stored && twin.dtype == info.dtype);
	CHECK_OK(vv_store_find(thin.store, &bytes, &twin, &f.err), &f.err);
	CHECK(twin.chunked);
	CHECK_INT(vv_store_read(thin.store, &tensor, 0, &one, 1, &f.err), VV_ECORRUPT);
	free(path);
	fx_release(&f);
	fx_release(&thin);
}

/* What is no pack is found out; nothing gets a name. */
static void test_bad(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_extents x = {0};
	struct vv_thin *t = NULL;
	struct vv_id name = {{7}};
	struct fixture f;
	uint8_t zero[4096] = {0};
	char *path;

	fx_init(&f);
	path = vv_thin_path(f.dir, &name);
	CHECK_INT(vv_thin_new(&t, f.dir, &name, 10, &err), VV_ECORRUPT);
	CHECK_INT(vv_thin_new(&t, f.dir, &name, UINT64_MAX, &err), VV_ECORRUPT);
	vv_err_clear(&err);
	CHECK_OK(vv_thin_new(&t, f.dir, &name, 1 << 20, &err), &err);
	CHECK_OK(vv_thin_wants(t, &x, &err), &err);
	CHECK_INT(x.n, 2);
	CHECK_INT(vv_thin_write(t, (1 << 20) - 1, vv_span(zero, 2), &err), VV_ECORRUPT);
	vv_err_clear(&err);
	for (size_t i = 0; i < x.n; i++)
		CHECK_OK(vv_thin_write(t, x.v[i].off, vv_span(zero, (size_t)x.v[i].len), &err), &err);
	CHECK_INT(vv_thin_wants(t, &x, &err), VV_ECORRUPT);
	vv_thin_free(t);
	CHECK(access(path, F_OK));
	vv_extents_release(&x);
	free(path);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 4, 3);
	test_extents();
	test_copy();
	test_bad();
	return done();
}
