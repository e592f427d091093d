#include "fixture.h"

enum { PACKS = 9, EACH = 300, SIZE = 16 };

/* Many packs, so that the table is made: what it finds is what looking pack by pack finds. */
static void test_table(void)
{
	struct fixture f;
	static struct vv_id ids[PACKS * EACH];
	uint8_t raw[EACH * SIZE];
	struct vv_put_item items[EACH];
	struct vv_source_mem src;
	size_t missing = 0, ghosts = 0;
	bool before = false;

	fx_init(&f);
	for (size_t k = 0; k < PACKS; k++) {
		fill_noise(raw, sizeof(raw), k);
		vv_source_mem_init(&src, vv_span(raw, sizeof(raw)));
		for (size_t i = 0; i < EACH; i++)
			items[i] = (struct vv_put_item){.off = i * SIZE, .len = SIZE, .dtype = VV_DT_I64};
		CHECK_OK(vv_store_put(f.store, &src.base, items, EACH, NULL, NULL, NULL, &f.err), &f.err);
		for (size_t i = 0; i < EACH; i++)
			ids[k * EACH + i] = items[i].id;
	}
	fx_open(&f);
	CHECK_INT(f.store->n_packs, PACKS);
	CHECK_INT(f.store->n_entries, PACKS * EACH);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < PACKS * EACH; i++) {
			struct vv_id no = ids[i];
			no.b[31] ^= 1;
			missing += !vv_store_has(f.store, &ids[i]);
			ghosts += vv_store_has(f.store, &no);
		}
		if (!round)
			before = f.store->table.cap != 0;
	}
	CHECK(before && f.store->table.len == PACKS * EACH);
	CHECK_INT(missing, 0);
	CHECK_INT(ghosts, 0);
	/* A pack more is in the table too; a pack less drops it. */
	fill_noise(raw, sizeof(raw), 1000);
	struct vv_id more = put(&f, raw, SIZE, VV_DT_I64, NULL);
	CHECK(f.store->table.cap && f.store->table.len == PACKS * EACH + 1);
	CHECK(vv_store_has(f.store, &more));
	CHECK_OK(vv_unlink(pack_of(&f, &ids[0]), &f.err), &f.err);
	CHECK_OK(vv_store_refresh(f.store, &f.err), &f.err);
	CHECK_INT(f.store->table.cap, 0);
	CHECK(!vv_store_has(f.store, &ids[0]));
	CHECK(vv_store_has(f.store, &more));
	fx_release(&f);
}

/* Puts a second copy of an object, saying how deep it is. */
static void copy_as(struct fixture *f, const struct vv_id *id, uint8_t depth, uint64_t filler)
{
	struct pack_writer w;
	struct vv_store *where;
	struct pack *p;
	struct entry e, other = {.id = {{(uint8_t)filler}}};

	CHECK_OK(store_locate(f->store, id, ANY_DEPTH, &where, &p, &e, &f->err), &f->err);
	e.depth = depth;
	e.base.b[0] = depth ? 0xcc : 0;
	writer_init(&w, f->store);
	CHECK_OK(writer_record(&w, f->store, p, &e, &f->err), &f->err);
	e.id = other.id;
	CHECK_OK(writer_record(&w, f->store, p, &e, &f->err), &f->err);
	CHECK_OK(writer_publish(&w, &f->err), &f->err);
	writer_release(&w);
}

/* Of several copies: less deep than asked, good before suspect, in use before trashed. */
static void test_copies(void)
{
	struct fixture f;
	uint8_t raw[400];
	struct vv_store *where;
	struct vv_id id;
	struct pack *p;
	struct entry e;

	fx_init(&f);
	fill_noise(raw, sizeof(raw), 1);
	id = put(&f, raw, sizeof(raw), VV_DT_F32, NULL);
	copy_as(&f, &id, 3, 2);
	copy_as(&f, &id, 5, 1);
	for (int round = 0; round < 2; round++) {
		CHECK_OK(store_locate(f.store, &id, 3, &where, &p, &e, &f.err), &f.err);
		CHECK_INT(e.depth, 0);
		CHECK_OK(store_locate(f.store, &id, 4, &where, &p, &e, &f.err), &f.err);
		CHECK(e.depth < 4);
		CHECK_INT(store_locate(f.store, &id, 0, &where, &p, &e, &f.err), VV_ENOTFOUND);
		CHECK(store_has_own(f.store, &id, 1));
		CHECK(!store_has_own(f.store, &id, 0));
		for (size_t i = 0; i < f.store->n_packs; i++)
			f.store->packs[i]->suspect = f.store->packs[i]->n == 1;
		CHECK_OK(store_locate(f.store, &id, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
		CHECK(e.depth > 0);
		CHECK_OK(store_locate(f.store, &id, 1, &where, &p, &e, &f.err), &f.err);
		CHECK_INT(e.depth, 0); /* suspect, but the only one */
		CHECK(!store_has_own(f.store, &id, 1));
		for (size_t i = 0; i < f.store->n_packs; i++)
			f.store->packs[i]->suspect = false;
		for (size_t i = 0; i < f.store->n_packs; i++)
			f.store->packs[i]->trashed = f.store->packs[i]->n == 1;
		CHECK_OK(store_locate(f.store, &id, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
		CHECK(e.depth > 0 && !p->wanted);
		CHECK_OK(store_locate(f.store, &id, 1, &where, &p, &e, &f.err), &f.err);
		CHECK(p->trashed && p->wanted && f.store->wanted);
		for (size_t i = 0; i < f.store->n_packs; i++)
			f.store->packs[i]->trashed = f.store->packs[i]->wanted = false;
		f.store->wanted = false;
		/* The same again by the table. */
		fill_noise(raw, sizeof(raw), 5);
		put(&f, raw, sizeof(raw), VV_DT_F32, NULL);
		f.store->searched = 1 << 20;
		vv_store_has(f.store, &(struct vv_id){{9}});
		CHECK(f.store->table.cap > 0);
	}
	fx_release(&f);
}

static void test_alternates(void)
{
	struct fixture f, g;
	uint8_t raw[400];
	struct vv_store *alt = NULL, *where;
	struct vv_object_info info;
	struct vv_id id, own;
	struct pack *p;
	struct entry e;

	fx_init(&f);
	fx_init(&g);
	fill_noise(raw, sizeof(raw), 1);
	id = put(&g, raw, sizeof(raw), VV_DT_F32, NULL);
	own = put(&f, raw, sizeof(raw) / 2, VV_DT_F32, NULL);
	CHECK_OK(vv_store_open(&alt, g.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK_OK(vv_store_add_alternate(f.store, alt, &f.err), &f.err);
	CHECK_OK(store_locate(f.store, &id, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	CHECK(where == alt);
	CHECK_OK(vv_store_find(f.store, &id, &info, &f.err), &f.err);
	CHECK(!info.local && info.size == sizeof(raw) && info.dtype == VV_DT_F32);
	CHECK(info_of(f.store, &own).local);
	CHECK(!store_has_own(f.store, &id, ANY_DEPTH));
	CHECK_OK(get(f.store, &id, raw, sizeof(raw), &f.err), &f.err);
	fx_release(&f);
	fx_release(&g);
}

static void test_cost(void)
{
	enum { LEN = 1 << 20 };
	struct fixture f;
	uint8_t *raw = malloc(LEN);
	struct vv_object_info list, one;
	struct vv_id id, small;
	uint64_t cost = 0, more;

	fx_init(&f);
	fill_noise(raw, LEN, 1);
	id = put(&f, raw, LEN, VV_DT_BYTES, NULL);
	small = put(&f, raw, 100, VV_DT_F32, NULL);
	list = info_of(f.store, &id);
	one = info_of(f.store, &small);
	CHECK(list.chunked && list.stored < 10000 && !one.chunked);
	CHECK_OK(vv_store_cost(f.store, &id, &list, &cost, &f.err), &f.err);
	CHECK(cost > LEN && cost < LEN + LEN / 100);
	more = cost;
	CHECK_OK(vv_store_cost(f.store, &small, &one, &more, &f.err), &f.err);
	CHECK_INT(more - cost, one.stored);
	free(raw);
	fx_release(&f);
}

int main(void)
{
	test_table();
	test_copies();
	test_alternates();
	test_cost();
	return done();
}
