/* A base is its bytes: whatever type and grid its copy was stored with. */
#include "fixture.h"

enum { LEN = 2400000, N = LEN / 4 }; /* more than two blocks of every type */

static uint8_t wide[LEN], next[LEN], narrow[LEN], halves[LEN], scaled[LEN], q8_0[LEN];

/* What is coded against `wide`, or against its cast in bf16, and how many bytes of it there are. */
static const struct {
	const uint8_t *raw, *base;
	size_t len, base_len;
	enum vv_dtype dtype, base_dtype;
} kinds[] = {
	{next, wide, LEN, LEN, VV_DT_F32, VV_DT_F32},
	{narrow, wide, LEN / 2, LEN, VV_DT_BF16, VV_DT_F32},
	{scaled, wide, N, LEN, VV_DT_I8, VV_DT_F32},
	{scaled, halves, N, LEN / 2, VV_DT_I8, VV_DT_BF16},
	{q8_0, wide, N / 32 * 34, LEN, VV_DT_U8, VV_DT_F32},
	{q8_0, halves, N / 32 * 34, LEN / 2, VV_DT_U8, VV_DT_BF16},
};

static const struct {
	enum vv_dtype dtype;
	bool chunks;
} copies[] = {{VV_DT_F32, false}, {VV_DT_I32, false}, {VV_DT_U8, false}, {VV_DT_U16, false}, {VV_DT_F64, false},
	{VV_DT_C128, false}, {VV_DT_BYTES, true}};

/* `from` has base and child; `to` has the bytes of the base as another type, and gets the child. */
static void test_other_types(size_t kind)
{
	enum vv_dtype dtype = kinds[kind].dtype;

	/* Of what is quantised, a few: the bytes are read by the same function. */
	for (size_t i = 0; i < VV_COUNT(copies); i += kind < 2 ? 1 : 3) {
		struct fixture from, to;
		struct vv_id base, child, twin;
		const uint8_t *raw = kinds[kind].raw;
		size_t len = kinds[kind].len, base_len = kinds[kind].base_len;
		struct vv_fsck_stats st;

		fx_init(&from);
		fx_init(&to);
		base = put(&from, kinds[kind].base, base_len, kinds[kind].base_dtype, NULL);
		child = put(&from, raw, len, dtype, &base);
		CHECK_INT(info_of(from.store, &child).depth, 1);
		CHECK_OK(get(from.store, &child, raw, len, &from.err), &from.err);
		twin = put(&to, kinds[kind].base, base_len, copies[i].dtype, NULL);
		CHECK(vv_id_eq(&twin, &base));
		CHECK_INT(info_of(to.store, &twin).chunked, copies[i].chunks);
		CHECK_OK(vv_store_copy(to.store, from.store, &child, 1, NULL, NULL, &to.err), &to.err);
		CHECK_INT(info_of(to.store, &child).depth, 1);
		CHECK_OK(get(to.store, &child, raw, len, &to.err), &to.err);
		CHECK_OK(vv_store_fsck(to.store, false, NULL, &st, NULL, &to.err), &to.err);
		CHECK_INT(st.bad_objects + st.dependents, 0);
		/* Something more goes against the child, there. */
		twin = put(&to, next, len, dtype, &child);
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

	struct vv_codec_params p = {.dtype = dt};

	return base_fits(&base, &e, &p, w);
}

static void test_fits(void)
{
	struct entry base = {.size = 8, .dtype = VV_DT_F32}, e = {.size = 4, .dtype = VV_DT_BF16};
	struct vv_codec_params p = {.dtype = VV_DT_BF16};
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
	CHECK(base_serves(&base, &e, &p));
	base.dtype = VV_DT_I32;
	CHECK(!base_serves(&base, &e, &p));
	base.dtype = VV_DT_F32;
	base.kind = KIND_CHUNKS;
	CHECK(!base_serves(&base, &e, &p));
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
	CHECK_OK(base_block(o->base, &o->e, &o->params, 1, s->held, s, 0, &f.err), &f.err);
	CHECK(!memcmp(s->held, wide + VV_BLOCK_ELEMS * 4, VV_BLOCK_ELEMS * 4));
	object_free(o);
	scratch_give(f.store, s);
	fx_release(&f);
}

/* Of bf16 copies, which serve as bases too: both are then exact. */
static void make_quantised(void)
{
	memcpy(halves, wide, LEN);
	vv_narrow(VV_DT_F32, VV_DT_BF16, halves, N);
	for (size_t i = 0; i + 32 <= N; i += 32) {
		uint8_t bytes[128];
		float x[32];
		vv_widen(VV_DT_BF16, VV_DT_F32, halves + 2 * i, bytes, 32);
		memcpy(x, bytes, sizeof(x));
		vv_q8_0_block(x, q8_0 + i / 32 * 34);
		for (size_t j = 0; j < 32; j++)
			scaled[i + j] = (uint8_t)vv_quantize(x[j], i / 1000 % 2 ? 0.001f : 0.0007f);
	}
}

/* A base that is gone is asked for by what it may have been. */
static void test_quantised_repair(void)
{
	enum vv_dtype dt;
	uint64_t size;
	struct entry i8 = {.size = 100, .dtype = VV_DT_I8}, u8 = {.size = 68, .dtype = VV_DT_U8};
	struct entry bf16 = {.size = 4, .dtype = VV_DT_BF16};

	CHECK(base_guess(&i8, 0, &dt, &size) && dt == VV_DT_I8 && size == 100);
	CHECK(base_guess(&i8, 1, &dt, &size) && dt == VV_DT_F32 && size == 400);
	CHECK(base_guess(&i8, 3, &dt, &size) && dt == VV_DT_BF16 && size == 200);
	CHECK(!base_guess(&i8, 4, &dt, &size));
	CHECK(base_guess(&u8, 2, &dt, &size) && dt == VV_DT_F16 && size == 128);
	CHECK(base_guess(&bf16, 1, &dt, &size) && dt == VV_DT_F32 && size == 8);
	CHECK(!base_guess(&bf16, 2, &dt, &size));
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
	make_quantised();
	for (size_t i = 0; i < VV_COUNT(kinds); i++)
		test_other_types(i);
	test_quantised_repair();
	test_two_copies();
	test_block();
	return done();
}
