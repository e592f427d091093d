#include "fixture.h"

static void test_pool(void)
{
	struct fixture f;
	struct scratch *a, *b, **all;
	static uint8_t raw[4000];
	struct vv_id ids[2];
	uint8_t one;

	fx_init(&f);
	a = scratch_take(f.store, NULL, &f.err);
	b = scratch_take(f.store, NULL, &f.err);
	CHECK(a && b && a != b);
	scratch_give(f.store, a);
	CHECK(scratch_take(f.store, NULL, &f.err) == a);
	scratch_give(f.store, a);
	scratch_give(f.store, b);
	CHECK_INT(f.store->n_idle, 2);
	/* Which of them read an object last is who is asked for it again. */
	for (int i = 0; i < 2; i++) {
		fill_noise(raw, sizeof(raw), (uint64_t)i);
		ids[i] = put(&f, raw, sizeof(raw), VV_DT_F32, NULL);
	}
	CHECK_OK(vv_store_read(f.store, &ids[0], 5, &one, 1, &f.err), &f.err);
	a = scratch_take(f.store, &ids[0], &f.err);
	CHECK(a->o && vv_id_eq(&a->o->e.id, &ids[0]));
	CHECK_OK(vv_store_read(f.store, &ids[1], 5, &one, 1, &f.err), &f.err);
	scratch_give(f.store, a);
	b = scratch_take(f.store, &ids[1], &f.err);
	CHECK(b != a && b->o && vv_id_eq(&b->o->e.id, &ids[1]));
	scratch_give(f.store, b);
	/* Others get one that remembers nothing. */
	a = scratch_take(f.store, NULL, &f.err);
	CHECK(!a->o && !a->list && a->block == SIZE_MAX);
	scratch_give(f.store, a);
	/* More than are kept. */
	all = scratch_take_all(f.store, 12, &f.err);
	CHECK(all != NULL);
	scratch_give_all(f.store, all, 12);
	CHECK_INT(f.store->n_idle, VV_COUNT(f.store->idle));
	scratch_give_all(f.store, NULL, 0);
	/* Without a store. */
	a = scratch_take(NULL, NULL, &f.err);
	CHECK(a != NULL);
	scratch_give(NULL, a);
	scratch_give(NULL, NULL);
	fx_release(&f);
}

int main(void)
{
	test_pool();
	return done();
}
