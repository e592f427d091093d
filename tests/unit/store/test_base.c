/* A base is its bytes: whatever type and grid its copy was stored with. */
#include "fixture.h"

enum { LEN = 2400000, N = LEN / 4 }; /* more than two blocks of every type */

static uint8_t wide[LEN], next[LEN], narrow[LEN];

static const struct {
	enum vv_dtype dtype;
	bool chunks;
} copies[] = {{VV_DT_F32, false}, {VV_DT_I32, false}, {VV_DT_U8, false}, {VV_DT_U16, false}, {VV_DT_F64, false},
	{VV_DT_C128, false}, {VV_DT_BYTES, true}};

/* `from` has base and child; `to` has the bytes of the base as another type, and gets the child. */
static void test_other_types(bool cast)
{
	for (size_t i = 0; i < VV_COUNT(copies); i++) {
		struct fixture from, to;
		struct vv_id base, child, twin;
		const uint8_t *raw = cast ? narrow : next;
		size_t len = cast ? LEN / 2 : LEN;
		struct vv_fsck_stats st;

		fx_init(&from);
		fx_init(&to);
		base = put(&from, wide, LEN, VV_DT_F32, NULL);
		child = put(&from, raw, len, cast ? VV_DT_BF16 : VV_DT_F32, &base);
		CHECK_INT(info_of(from.store, &child).depth, 1);
		twin = put(&to, wide, LEN, copies[i].dtype, NULL);
		CHECK(vv_id_eq(&twin, &base));
		CHECK_INT(info_of(to.store, &twin).chunked, copies[i].chunks);
		CHECK_OK(vv_store_copy(to.store, from.store, &child, 1, NULL, NULL, &to.err), &to.err);
		CHECK_INT(info_of(to.store, &child).depth, 1);
		CHECK_OK(get(to.store, &child, raw, len, &to.err), &to.err);
		CHECK_OK(vv_store_fsck(to.store, false, NULL, &st, NULL, &to.err), &to.err);
		CHECK_INT(st.bad_objects + st.dependents, 0);
		/* Something more goes against the child, there. */
		twin = put(&to, next, len, cast ? VV_DT_BF16 : VV_DT_F32, &child);
		CHECK_OK(get(to.store, &twin, next, len, &to.err), &to.err);
		/* And on to a third store, which has nothing. */
		CHECK_OK(vv_unlink(pack_of(&from, &base), &from.err), &from.err);
		fx_release(&from);
		fx_init(&from);
		CHECK_OK(vv_store_copy(from.store, to.store, &child, 1, NULL, NULL, &from.err), &from.err);
		CHECK_OK(get(from.store, &child, raw, len, &from.err), &from.err);
		fx_release(&from);
		fx_release(&to);
	}
}

/* One store with two copies of the base: either may be met, and gc may keep either. */
static void test_two_copies(void)
{
	struct fixture f, g;
	struct vv_id base, child, twin;
	char path[300], other[400];
	const char *name;

	fx_init(&f);
	fx_init(&g);
	twin = put(&g, wide, LEN, VV_DT_I32, NULL);
	base = put(&f, wide, LEN, VV_DT_F32, NULL);
	child = put(&f, narrow, LEN / 2, VV_DT_BF16, &base);
	CHECK(vv_id_eq(&base, &twin));
	snprintf(path, sizeof(path), "%s", pack_of(&g, &twin));
	name = strrchr(path, '/');
	snprintf(other, sizeof(other), "%s/packs%s", f.dir, name);
	CHECK(!link(path, other));
	for (int i = 0; i < 2; i++) {
		fx_open(&f);
		CHECK_OK(get(f.store, &child, narrow, LEN / 2, &f.err), &f.err);
		CHECK_OK(get(f.store, &base, wide, LEN, &f.err), &f.err);
		if (!i)
			CHECK(!unlink(pack_of(&f, &base)));
	}
	fx_release(&f);
	fx_release(&g);
}

static bool fits(uint64_t base_size, enum vv_dtype dt, uint64_t size, bool *w)
{
	struct entry base = {.size = base_size, .dtype = VV_DT_F32}, e = {.size = size, .dtype = (uint8_t)dt};

	return base_fits(&base, &e, w);
}

static void test_fits(void)
{
	struct entry base = {.size = 8, .dtype = VV_DT_F32}, e = {.size = 4, .dtype = VV_DT_BF16};
	bool w;

	CHECK(fits(8, VV_DT_I32, 8, &w) && !w);
	CHECK(fits(8, VV_DT_BF16, 8, &w) && !w);
	CHECK(fits(8, VV_DT_BF16, 4, &w) && w);
	CHECK(fits(8, VV_DT_F16, 4, &w) && w);
	CHECK(!fits(8, VV_DT_U16, 4, &w));
	CHECK(!fits(8, VV_DT_F32, 4, &w));
	CHECK(!fits(8, VV_DT_F32, 16, &w));
	CHECK(!fits(9, VV_DT_BF16, 4, &w));
	CHECK(!fits(10, VV_DT_BF16, 5, &w));
	CHECK(!fits(0, VV_DT_BF16, UINT64_MAX / 2 + 1, &w));
	CHECK(base_serves(&base, &e));
	base.dtype = VV_DT_I32;
	CHECK(!base_serves(&base, &e));
	base.dtype = VV_DT_F32;
	base.kind = KIND_CHUNKS;
	CHECK(!base_serves(&base, &e));
}

/* A block of a base alone. */
static void test_block(void)
{
	struct fixture f;
	struct vv_id base, child;
	struct scratch *s;
	struct object *o = NULL;

	fx_init(&f);
	base = put(&f, wide, LEN, VV_DT_F32, NULL);
	child = put(&f, next, LEN, VV_DT_F32, &base);
	s = scratch_take(f.store, NULL, &f.err);
	CHECK_OK(object_open(&o, f.store, &child, &f.err), &f.err);
	CHECK_OK(base_block(o->base, &o->e, 1, s->held, s, 0, &f.err), &f.err);
	CHECK(!memcmp(s->held, wide + VV_BLOCK_ELEMS * 4, VV_BLOCK_ELEMS * 4));
	object_free(o);
	scratch_give(f.store, s);
	fx_release(&f);
}

int main(void)
{
	fill_weights(wide, LEN, 4, 7);
	memcpy(next, wide, LEN);
	nudge(next, LEN, 4, 2, 50);
	memcpy(narrow, wide, LEN);
	vv_narrow(VV_DT_F32, VV_DT_BF16, narrow, N);
	narrow[1000] ^= 1;
	test_fits();
	test_other_types(false);
	test_other_types(true);
	test_two_copies();
	test_block();
	return done();
}
