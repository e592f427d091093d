#include "report.h"

enum { LEN = 40000, BIG = 600000 };

static uint8_t v[7][LEN], text[BIG];
static struct said said;

static void put_chain(struct fixture *f, struct vv_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ids[i] = put(f, v[i], LEN, VV_DT_BF16, i ? &ids[i - 1] : NULL);
}

static void damage(struct fixture *f, const struct vv_id *id)
{
	struct entry e = entry_of(f, id);

	flip(pack_of(f, id), e.off + (e.stored - e.tail) / 2, 0x24);
}

static size_t count_good(struct fixture *f, const struct vv_id *ids, size_t n)
{
	size_t good = 0;

	fx_open(f);
	for (size_t i = 0; i < n; i++)
		good += !get(f->store, &ids[i], v[i], LEN, &f->err);
	return good;
}

/* After a repair nothing is wrong any more. */
static void check_clean(struct fixture *f)
{
	struct vv_fsck_stats st = fsck(f, false, &said);

	CHECK_INT(st.bad_packs + st.bad_objects + st.dependents, 0);
	CHECK_INT(vv_store_bad_packs(f->store), 0);
}

/* One pack with a chain of seven, the third damaged: its bytes, offered, bring back all; base first. */
static void test_offer(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ids[7];
	char path[300];

	fx_init(&f);
	put_chain(&f, ids, 7);
	into_one(&f, path, sizeof(path));
	damage(&f, &ids[2]);
	said.offers[0] = (struct offer){ids[2], v[2], LEN};
	said.n_offers = 1;
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(st.dependents, 4);
	CHECK_INT(st.repaired, 5);
	CHECK_INT(said.asked, 1);
	for (int i = 2; i < 7; i++)
		CHECK(said_of(&said, &ids[i], "("));
	CHECK(said_of(&said, &ids[2], "somebody had it"));
	CHECK_INT(count_good(&f, ids, 7), 7);
	CHECK_INT(count_names(&f, "corrupt", NULL), 1);
	check_clean(&f);
	fx_release(&f);
}

static int is_good(struct fixture *f, const struct vv_id *id, const uint8_t *raw)
{
	fx_open(f);
	return !get(f->store, id, raw, LEN, &f->err);
}

/* The pack of a base is gone, and that base was the wider original of what is left. */
static void test_offer_original(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	uint8_t *p = malloc(2 * LEN), *q = malloc(LEN);
	struct vv_id wide, narrow;

	fx_init(&f);
	fill_weights(p, 2 * LEN, 4, 99);
	wide = put(&f, p, 2 * LEN, VV_DT_F32, NULL);
	said.offers[0] = (struct offer){wide, p, 2 * LEN};
	said.n_offers = 1;
	for (size_t i = 0; i < LEN / 2; i++)
		memcpy(q + 2 * i, p + 4 * i + 2, 2); /* cut, not rounded: some work is left */
	narrow = put(&f, q, LEN, VV_DT_BF16, &wide);
	CHECK_INT(info_of(f.store, &narrow).depth, 1);
	CHECK(!unlink(pack_of(&f, &wide)));
	CHECK_INT(is_good(&f, &narrow, q), 0);
	st = fsck(&f, true, &said);
	CHECK_INT(st.repaired, 1);
	CHECK(said_of(&said, &narrow, "somebody had it"));
	CHECK_INT(is_good(&f, &narrow, q), 1);
	check_clean(&f);
	free(p);
	free(q);
	fx_release(&f);
}

/* Wrong bytes are not taken, nor ones of another length; what still verifies is kept all the same. */
static void test_wrong_offer(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ids[7];
	char path[300];

	for (int round = 0; round < 2; round++) {
		fx_init(&f);
		put_chain(&f, ids, 7);
		into_one(&f, path, sizeof(path));
		damage(&f, &ids[5]);
		said.offers[0] = (struct offer){ids[5], v[4], round ? LEN - 2 : LEN};
		said.n_offers = 1;
		st = fsck(&f, true, &said);
		CHECK_INT(st.repaired, 0);
		CHECK_INT(said.asked, 4); /* 5, then 6 and again its base, of its type and of a wider one */
		CHECK_INT(count_good(&f, ids, 7), 5);
		CHECK_INT(get(f.store, &ids[5], v[5], LEN, &f.err), VV_ENOTFOUND);
		CHECK_INT(count_names(&f, "corrupt", NULL), 1);
		fx_release(&f);
	}
	said.n_offers = 0;
}

/* From an alternate; from the trash; from another pack. */
static void test_others(void)
{
	struct fixture f, g;
	struct vv_fsck_stats st;
	struct vv_store *alt = NULL;
	struct vv_id ids[7], other[7];
	char path[500], gen[300];

	fx_init(&f);
	fx_init(&g);
	put_chain(&f, ids, 7);
	into_one(&f, path, sizeof(path));
	put_chain(&g, other, 7);
	CHECK_OK(vv_store_open(&alt, g.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK_OK(vv_store_add_alternate(f.store, alt, &f.err), &f.err);
	damage(&f, &ids[0]);
	damage(&f, &ids[4]);
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_objects + st.dependents, 7);
	CHECK_INT(st.repaired, 7);
	CHECK(said_of(&said, &ids[0], "in an alternate"));
	CHECK_INT(count_good(&f, ids, 7), 7);
	check_clean(&f);
	/* The trash: g's packs as a generation of f's. */
	into_one(&g, path, sizeof(path));
	damage(&f, &ids[0]);
	snprintf(gen, sizeof(gen), "%s/trash/5", f.dir);
	CHECK_OK(vv_mkdirs(gen, &f.err), &f.err);
	for (size_t i = 0; i < g.store->n_packs; i++) {
		snprintf(path, sizeof(path), "%s/%s.pack", gen, g.store->packs[i]->hex);
		CHECK_OK(vv_rename(g.store->packs[i]->path, path, &f.err), &f.err);
	}
	fx_open(&f);
	st = fsck(&f, true, &said);
	CHECK(st.repaired > 0 && st.repaired == st.bad_objects + st.dependents);
	CHECK(said_of(&said, &ids[0], "in the trash"));
	CHECK_INT(count_good(&f, ids, 7), 7);
	check_clean(&f);
	fx_release(&f);
	fx_release(&g);
}

static void test_another_copy(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct pack_writer w;
	struct vv_store *where;
	struct vv_id id;
	struct pack *p;
	struct entry e;

	fx_init(&f);
	id = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	CHECK_OK(store_locate(f.store, &id, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	writer_init(&w, f.store);
	CHECK_OK(writer_begin(&w, &f.err), &f.err);
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	e.id.b[0] ^= 1; /* and something else, or it would be the same pack */
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	writer_release(&w);
	/* The false one is a damaged object of the second pack; the first pack's is good. */
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_OK(get(f.store, &id, v[0], LEN, &f.err), &f.err);
	check_clean(&f);
	fx_release(&f);
}

/* A pack that is gone with a base in it: its deltas bring it back when somebody has it. */
static void test_missing_base(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ids[7];

	fx_init(&f);
	put_chain(&f, ids, 3);
	CHECK_OK(vv_unlink(pack_of(&f, &ids[0]), &f.err), &f.err);
	fx_open(&f);
	st = fsck(&f, false, &said);
	CHECK_INT(st.dependents, 2);
	said.offers[0] = (struct offer){ids[0], v[0], LEN};
	said.n_offers = 1;
	st = fsck(&f, true, &said);
	CHECK_INT(st.repaired, 2);
	said.n_offers = 0;
	CHECK_INT(count_good(&f, ids, 3), 3);
	check_clean(&f);
	fx_release(&f);
}

/* Indexes that are lost, of two packs that need each other; then one that lacks everything. */
static void test_lost_index(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ids[7], list;
	char path[300];

	fx_init(&f);
	put_chain(&f, ids, 7);
	list = put(&f, text, BIG, VV_DT_BYTES, NULL);
	for (int i = 0; i < 7; i += 2) {
		struct pack *p = f.store->packs[i];
		flip(p->path, p->size - 20, 0xff);
	}
	snprintf(path, sizeof(path), "%s", pack_of(&f, &list));
	flip(path, f.store->packs[7]->footer_off + 3, 1);
	fx_open(&f);
	CHECK_INT(vv_store_bad_packs(f.store), 5);
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_packs, 5);
	CHECK(st.repaired >= 5);
	CHECK(said_of(&said, NULL, "found again"));
	CHECK(said_of(&said, NULL, "moved to corrupt"));
	CHECK_INT(count_good(&f, ids, 7), 7);
	CHECK_OK(get(f.store, &list, text, BIG, &f.err), &f.err);
	CHECK_INT(count_names(&f, "corrupt", NULL), 5);
	check_clean(&f);
	/* Emptied. */
	snprintf(path, sizeof(path), "%s", pack_of(&f, &ids[6]));
	chmod(path, 0644);
	CHECK(!truncate(path, 0));
	fx_open(&f);
	size_t before = count_names(&f, "corrupt", NULL);
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_packs, 1);
	CHECK_INT(count_names(&f, "corrupt", NULL), before + 1);
	check_clean(&f);
	fx_release(&f);
}

/* A second repair finds nothing to do; two at once do not meet. */
static void test_again(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_lock lock = VV_LOCK_INIT;
	struct vv_id ids[2];

	fx_init(&f);
	put_chain(&f, ids, 2);
	damage(&f, &ids[1]);
	CHECK_OK(store_lock_gc(f.store, &lock, &f.err), &f.err);
	CHECK_INT(vv_store_fsck(f.store, true, NULL, &st, NULL, &f.err), VV_ELOCKED);
	CHECK_OK(vv_store_fsck(f.store, false, NULL, &st, NULL, &f.err), &f.err);
	vv_unlock(&lock);
	st = fsck(&f, true, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	st = fsck(&f, true, &said);
	CHECK_INT(said.n, 0);
	CHECK_INT(count_names(&f, "corrupt", NULL), 1);
	/* Put again, it is as if nothing had been. */
	put_chain(&f, ids, 2);
	CHECK_INT(count_good(&f, ids, 2), 2);
	fx_release(&f);
}

int main(void)
{
	fill_weights(v[0], LEN, 2, 1);
	for (int i = 1; i < 7; i++) {
		memcpy(v[i], v[i - 1], LEN);
		nudge(v[i], LEN, 2, (uint64_t)i, 60);
	}
	fill_noise(text, BIG, 3);
	test_offer();
	test_offer_original();
	test_wrong_offer();
	test_others();
	test_another_copy();
	test_missing_base();
	test_lost_index();
	test_again();
	return done();
}
