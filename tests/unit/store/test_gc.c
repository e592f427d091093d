#include "fixture.h"

enum { GRACE = 1000, OLD = 5000, LEN = 40000 };

struct live {
	struct vv_id v[16];
	size_t n;
};

static bool is_live(void *arg, const struct vv_id *id)
{
	const struct live *l = arg;

	for (size_t i = 0; i < l->n; i++)
		if (vv_id_eq(&l->v[i], id))
			return true;
	return false;
}

static struct vv_gc_stats gc(struct fixture *f, struct live *live, uint64_t grace)
{
	struct vv_gc_options opt = {.grace_s = grace};
	struct vv_gc_stats stats = {0};

	CHECK_OK(vv_store_gc(f->store, is_live, live, &opt, &stats, NULL, &f->err), &f->err);
	return stats;
}

static uint8_t a[LEN], b[LEN], c[LEN];

/* What is dead and old goes to the trash, later away; nothing else does. */
static void test_two_phases(void)
{
	struct fixture f;
	struct live live = {.n = 1};
	struct vv_gc_stats st;
	struct vv_id ia, ib;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, NULL);
	live.v[0] = ia;
	age_all(&f, "packs", OLD);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_trashed, 1);
	CHECK_INT(st.packs_deleted, 0);
	CHECK_INT(count_trash(&f), 1);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_deleted, 0); /* young in the trash */
	st = gc(&f, &live, 0);
	CHECK_INT(st.packs_deleted, 1);
	CHECK(st.freed > 0);
	CHECK_INT(count_trash(&f), 0);
	CHECK_INT(get(f.store, &ib, b, LEN, &f.err), VV_ENOTFOUND);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 2, 1);
	fill_weights(b, LEN, 2, 2);
	fill_weights(c, LEN, 2, 3);
	test_two_phases();
	return done();
}
