#include "fixture.h"

enum { LEN = 30000, BIG = 700000 };

static uint8_t v[16][LEN], text[BIG];

static struct vv_put_stats copy(struct fixture *to, struct fixture *from, const struct vv_id *ids, size_t n)
{
	struct vv_put_stats st = {.stored = 77};

	CHECK_OK(vv_store_copy(to->store, from->store, ids, n, &st, NULL, &to->err), &to->err);
	return st;
}

/* An object comes with its base and its chunks, as they are coded; a second time nothing comes. */
static void test_parts(void)
{
	struct fixture f, g;
	struct vv_id ids[3], base;
	struct vv_put_stats st;
	struct vv_object_info there, here;

	fx_init(&f);
	fx_init(&g);
	base = put(&f, v[0], LEN, VV_DT_F32, NULL);
	ids[0] = put(&f, v[1], LEN, VV_DT_F32, &base);
	ids[1] = put(&f, text, BIG, VV_DT_BYTES, NULL);
	ids[2] = put(&f, NULL, 0, VV_DT_F32, NULL);
	st = copy(&g, &f, ids, 3);
	CHECK(st.objects_new > 7);
	CHECK_INT(st.raw_new, 2 * LEN + 2 * BIG);
	CHECK_OK(get(g.store, &ids[0], v[1], LEN, &g.err), &g.err);
	CHECK_OK(get(g.store, &ids[1], text, BIG, &g.err), &g.err);
	CHECK_OK(get(g.store, &ids[2], NULL, 0, &g.err), &g.err);
	CHECK_OK(get(g.store, &base, v[0], LEN, &g.err), &g.err);
	there = info_of(f.store, &ids[0]);
	here = info_of(g.store, &ids[0]);
	CHECK(here.depth == 1 && here.stored == there.stored && vv_id_eq(&here.base, &base));
	st = copy(&g, &f, ids, 3);
	CHECK_INT(st.objects_new, 0);
	CHECK_INT(st.stored, 0);
	CHECK_INT(count_names(&g, "packs", NULL), 1);
	fx_release(&f);
	fx_release(&g);
}

/* The base lies deeper in the target: depths there go by the target's, and no chain gets too long. */
static void test_depths(void)
{
	struct fixture f, g;
	struct vv_id there[16], here[16];
	unsigned deepest = 0;

	fx_init(&f);
	fx_init(&g);
	/* In g versions 0 to 8 are a chain; in f version 8 begins another, 9 to 15. */
	for (int i = 0; i < 9; i++)
		here[i] = put(&g, v[i], LEN, VV_DT_F32, i ? &here[i - 1] : NULL);
	CHECK_INT(info_of(g.store, &here[7]).depth, 7);
	unsigned at = info_of(g.store, &here[8]).depth;
	for (int i = 8; i < 16; i++)
		there[i] = put(&f, v[i], LEN, VV_DT_F32, i > 8 ? &there[i - 1] : NULL);
	CHECK_INT(info_of(f.store, &there[8]).depth, 0);
	CHECK_INT(info_of(f.store, &there[15]).depth, 7);
	copy(&g, &f, &there[15], 1);
	for (int i = 8; i < 16; i++) {
		struct vv_object_info info = info_of(g.store, &there[i]);
		struct vv_object_info base = info.depth ? info_of(g.store, &info.base) : info;
		CHECK(info.depth <= MAX_DEPTH);
		CHECK(!info.depth || base.depth < info.depth);
		deepest = info.depth > deepest ? info.depth : deepest;
		CHECK_OK(get(g.store, &there[i], v[i], LEN, &g.err), &g.err);
	}
	CHECK(at > 0 && deepest == MAX_DEPTH);
	fx_release(&f);
	fx_release(&g);
}

/* Stores that each have what the other codes against it: no cycle, whatever is copied and merged. */
static void test_cycle(void)
{
	struct fixture f, g, h;
	struct vv_id x, y;

	fx_init(&f);
	fx_init(&g);
	fx_init(&h);
	x = put(&f, v[0], LEN, VV_DT_F32, NULL);
	y = put(&f, v[1], LEN, VV_DT_F32, &x);
	y = put(&g, v[1], LEN, VV_DT_F32, NULL);
	x = put(&g, v[0], LEN, VV_DT_F32, &y);
	CHECK_INT(info_of(f.store, &y).depth + info_of(g.store, &x).depth, 2);
	/* h gets the packs of both, as if two processes had copied at once. */
	for (int i = 0; i < 2; i++) {
		struct fixture *from = i ? &g : &f;
		for (size_t k = 0; k < from->store->n_packs; k++) {
			char to[300];
			snprintf(to, sizeof(to), "%s/packs/%s.pack", h.dir, from->store->packs[k]->hex);
			CHECK_OK(vv_rename(from->store->packs[k]->path, to, &h.err), &h.err);
		}
	}
	fx_open(&h);
	CHECK_INT(h.store->n_packs, 4);
	CHECK_OK(get(h.store, &x, v[0], LEN, &h.err), &h.err);
	CHECK_OK(get(h.store, &y, v[1], LEN, &h.err), &h.err);
	for (int round = 0; round < 4; round++) {
		/* Whatever order the packs are met in. */
		struct pack *first = h.store->packs[0];
		memmove(h.store->packs, h.store->packs + 1, 3 * sizeof(struct pack *));
		h.store->packs[3] = first;
		CHECK_OK(get(h.store, &x, v[0], LEN, &h.err), &h.err);
		CHECK_OK(get(h.store, &y, v[1], LEN, &h.err), &h.err);
	}
	fx_release(&f);
	fx_release(&g);
	fx_release(&h);
}

/* What cannot be proved in the source does not come, nor what needs it; no half of it is named. */
static void test_damaged(void)
{
	struct fixture f, g;
	struct vv_id base, id, fake = {{0xfe}};
	struct vv_store *where;
	struct pack_writer w;
	struct pack *p;
	struct entry e;

	fx_init(&f);
	fx_init(&g);
	base = put(&f, v[0], LEN, VV_DT_F32, NULL);
	id = put(&f, v[1], LEN, VV_DT_F32, &base);
	e = entry_of(&f, &base);
	flip(pack_of(&f, &base), e.off + 500, 2);
	CHECK_INT(vv_store_copy(g.store, f.store, &id, 1, NULL, NULL, &g.err), VV_ECORRUPT);
	CHECK_INT(count_names(&g, "packs", NULL), 0);
	flip(pack_of(&f, &base), e.off + 500, 2);
	/* A record that decodes, under a name that is not its own: as itself, and as a base. */
	CHECK_OK(store_locate(f.store, &base, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	writer_init(&w, f.store);
	e.id = fake;
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	writer_release(&w);
	CHECK_INT(vv_store_copy(g.store, f.store, &fake, 1, NULL, NULL, &g.err), VV_ECORRUPT);
	CHECK_INT(count_names(&g, "packs", NULL), 0);
	CHECK(!vv_store_has(g.store, &fake));
	fake.b[5] = 1;
	CHECK_INT(vv_store_copy(g.store, f.store, &fake, 1, NULL, NULL, &g.err), VV_ENOTFOUND);
	CHECK_OK(vv_store_copy(g.store, f.store, &id, 1, NULL, NULL, &g.err), &g.err);
	CHECK_OK(get(g.store, &id, v[1], LEN, &g.err), &g.err);
	fx_release(&f);
	fx_release(&g);
}

/* An alternate of the target may keep what was asked for, but not what a copy is made of. */
static void test_alternate(void)
{
	struct fixture f, g, h;
	struct vv_store *alt = NULL;
	struct vv_id base, id, ids[2];

	fx_init(&f);
	fx_init(&g);
	fx_init(&h);
	base = put(&f, v[0], LEN, VV_DT_F32, NULL);
	id = put(&f, v[1], LEN, VV_DT_F32, &base);
	put(&h, v[0], LEN, VV_DT_F32, NULL);
	CHECK_OK(vv_store_open(&alt, h.dir, VV_STORE_READONLY, g.pool, &g.err), &g.err);
	CHECK_OK(vv_store_add_alternate(g.store, alt, &g.err), &g.err);
	copy(&g, &f, &base, 1);
	CHECK(!info_of(g.store, &base).local);
	ids[0] = base;
	ids[1] = id;
	copy(&g, &f, ids, 2);
	CHECK(info_of(g.store, &base).local && info_of(g.store, &id).local);
	fx_open(&g); /* without the alternate */
	CHECK_OK(get(g.store, &id, v[1], LEN, &g.err), &g.err);
	fx_release(&f);
	fx_release(&g);
	fx_release(&h);
}

static bool all(void *arg VV_UNUSED, const struct vv_id *id VV_UNUSED)
{
	return true;
}

/* The source's packs are merged away meanwhile; a target that may not be written refuses. */
static void test_moving(void)
{
	struct fixture f, g;
	struct vv_store *other = NULL, *ro = NULL;
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;
	struct vv_id ids[4];

	fx_init(&f);
	fx_init(&g);
	for (int i = 0; i < 4; i++)
		ids[i] = put(&f, v[i], LEN, VV_DT_F32, i ? &ids[i - 1] : NULL);
	fx_open(&f);
	CHECK_OK(vv_store_open(&other, f.dir, 0, f.pool, &f.err), &f.err);
	CHECK_OK(vv_store_gc(other, all, NULL, &opt, &st, NULL, &f.err), &f.err);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	copy(&g, &f, ids, 4);
	for (int i = 0; i < 4; i++)
		CHECK_OK(get(g.store, &ids[i], v[i], LEN, &g.err), &g.err);
	CHECK_OK(vv_store_open(&ro, g.dir, VV_STORE_READONLY, g.pool, &g.err), &g.err);
	CHECK_INT(vv_store_copy(ro, f.store, ids, 1, NULL, NULL, &g.err), VV_ENOTSUP);
	vv_store_free(ro);
	vv_store_free(other);
	fx_release(&f);
	fx_release(&g);
}

int main(void)
{
	fill_weights(v[0], LEN, 4, 1);
	for (int i = 1; i < 16; i++) {
		memcpy(v[i], v[i - 1], LEN);
		nudge(v[i], LEN, 4, (uint64_t)i, 40);
	}
	fill_noise(text, BIG, 3);
	test_parts();
	test_depths();
	test_cycle();
	test_damaged();
	test_alternate();
	test_moving();
	return done();
}
