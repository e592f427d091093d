#include "model/lineup.h"

#include "tap.h"
#include "toy.h"

static void make(struct toy *t, const char *names, float x)
{
	static char kept[64][8];
	static size_t n;

	toy_init(t);
	for (; *names; names++) {
		kept[n][0] = *names;
		toy_f32(t, kept[n++], x);
	}
	toy_done(t);
}

static void test_order(void)
{
	struct toy a, b, c;
	struct vv_lineup l = {0};
	struct vv_err err = VV_ERR_INIT;
	char order[32] = "";

	make(&a, "abcd", 1);
	make(&b, "xaydcz", 1);
	make(&c, "wcv", 2);
	const struct vv_manifest *m[] = {&a.m, &b.m, &c.m}, *two[] = {NULL, &b.m};
	CHECK_OK(vv_lineup_make(&l, m, 3, true, &err), &err);
	for (size_t i = 0; i < l.n; i++)
		strcat(order, l.rows[i].name);
	CHECK_STR(order, "wxaybcvzd");
	CHECK(l.rows[2].at[0].there && l.rows[2].at[1].there && !l.rows[2].at[2].there);
	CHECK_INT(l.rows[2].at[1].rank, 1);
	CHECK(vv_lineup_same(&l, 2, 0, 1));
	CHECK(!vv_lineup_same(&l, 2, 0, 2));
	CHECK(vv_lineup_same(&l, 0, 0, 1));
	CHECK(!vv_lineup_same(&l, 5, 0, 2));
	vv_lineup_release(&l);
	CHECK_OK(vv_lineup_make(&l, two, 2, true, &err), &err);
	CHECK_INT(l.n, 6);
	CHECK(!l.rows[0].at[0].there);
	vv_lineup_release(&l);
	toy_release(&a);
	toy_release(&b);
	toy_release(&c);
}

static void test_same_tensor(void)
{
	uint64_t shape[] = {2, 3}, other[] = {3, 2}, turned[] = {1, 2}, plain[] = {3, 1}, wide[] = {1, 3};
	struct vv_view a = {"a", 2, shape, NULL, 0}, b = a;
	struct vv_manifest_seg s = {{0, 24, VV_DT_F32, 1, &a}, {{1}}}, t = s;

	CHECK(vv_same_tensor(&s, &a, &t, &b));
	b.stride = plain;
	CHECK(vv_same_tensor(&s, &a, &t, &b));
	b.stride = turned;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
	a.stride = wide;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
	a.stride = b.stride = NULL;
	b.shape = other;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
	b.shape = shape;
	b.offset = 1;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
	b.offset = 0;
	t.seg.dtype = VV_DT_I32;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
	t = s;
	t.id.b[31] = 1;
	CHECK(!vv_same_tensor(&s, &a, &t, &b));
}

int main(void)
{
	test_order();
	test_same_tensor();
	return done();
}
