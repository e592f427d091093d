#include "fixture.h"

enum { LEN = 20000 };

static uint8_t a[LEN], b[LEN];

/* Moves every pack to a generation of the trash. */
static void trash_all(struct fixture *f, const char *generation)
{
	struct names n = {.n = 0};
	char sub[64], dir[200];

	snprintf(sub, sizeof(sub), "trash/%s", generation);
	snprintf(dir, sizeof(dir), "%s/%s", f->dir, sub);
	CHECK_OK(vv_mkdirs(dir, &f->err), &f->err);
	for (size_t i = 0; i < f->store->n_packs; i++)
		CHECK_OK(store_move_pack(f->store, f->store->packs[i], sub, &f->err), &f->err);
	CHECK_INT(count_names(f, "packs", &n), 0);
	fx_open(f);
}

static struct timespec mtime(struct fixture *f, const struct vv_id *id)
{
	struct stat st = {0};

	if (stat(pack_of(f, id), &st))
		printf("# no pack\n");
	return st.st_mtim;
}

/* Whoever needs what is in the trash takes it out: by a get, a find, a put. A base comes along for a put. */
static void test_revival(void)
{
	struct fixture f;
	struct vv_store *ro = NULL;
	struct vv_put_item item;
	struct vv_id ia, ib;
	uint8_t one;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	trash_all(&f, "1");
	/* Not by one who may not write. */
	CHECK_OK(vv_store_open(&ro, f.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK(vv_store_has(ro, &ia));
	CHECK_OK(get(ro, &ib, b, LEN, &f.err), &f.err);
	vv_store_free(ro);
	CHECK_INT(count_trash(&f), 2);
	CHECK(vv_store_has(f.store, &ia));
	CHECK_INT(count_trash(&f), 1);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_OK(get(f.store, &ib, b, LEN, &f.err), &f.err);
	CHECK_INT(count_trash(&f), 0);
	trash_all(&f, "2");
	CHECK_OK(vv_store_read(f.store, &ia, 0, &one, 1, &f.err), &f.err);
	CHECK_INT(count_trash(&f), 1);
	trash_all(&f, "3");
	CHECK_OK(try_put(f.store, b, LEN, VV_DT_BF16, NULL, &item, &f.err), &f.err);
	CHECK(!item.is_new);
	CHECK_INT(count_trash(&f), 0); /* ib and its base */
	/* A base that was chosen from the trash. */
	trash_all(&f, "4");
	b[0] ^= 1;
	CHECK_OK(try_put(f.store, b, LEN, VV_DT_BF16, &ia, &item, &f.err), &f.err);
	CHECK_INT(info_of(f.store, &item.id).depth, 1);
	CHECK_INT(count_trash(&f), 1);
	b[0] ^= 1;
	/* Two handles at once. */
	trash_all(&f, "5");
	struct vv_store *other = NULL;
	CHECK_OK(vv_store_open(&other, f.dir, 0, f.pool, &f.err), &f.err);
	CHECK_OK(get(other, &ib, b, LEN, &f.err), &f.err);
	CHECK_OK(try_put(f.store, b, LEN, VV_DT_BF16, NULL, &item, &f.err), &f.err);
	CHECK(!item.is_new);
	vv_store_free(other);
	fx_release(&f);
}

/* A put of what is known makes young what holds it, with its base, and only once. */
static void test_young(void)
{
	struct fixture f;
	struct vv_put_item item;
	struct vv_id ia, ib;
	struct timespec t;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	age_all(&f, "packs", 100000);
	CHECK(mtime(&f, &ia).tv_sec < time(NULL) - 50000);
	CHECK_OK(get(f.store, &ib, b, LEN, &f.err), &f.err);
	CHECK(mtime(&f, &ib).tv_sec < time(NULL) - 50000); /* reading does not */
	CHECK_OK(try_put(f.store, b, LEN, VV_DT_BF16, NULL, &item, &f.err), &f.err);
	CHECK(mtime(&f, &ia).tv_sec > time(NULL) - 100);
	CHECK(mtime(&f, &ib).tv_sec > time(NULL) - 100);
	t = mtime(&f, &ia);
	CHECK_OK(store_keep(f.store, &ia, &f.err), &f.err);
	CHECK(mtime(&f, &ia).tv_nsec == t.tv_nsec); /* touched since the last refresh */
	CHECK_OK(vv_store_refresh(f.store, &f.err), &f.err);
	CHECK_OK(store_keep(f.store, &ia, &f.err), &f.err);
	CHECK(mtime(&f, &ia).tv_nsec != t.tv_nsec || mtime(&f, &ia).tv_sec != t.tv_sec);
	CHECK_INT(store_keep(f.store, &(struct vv_id){{7}}, &f.err), VV_ENOTFOUND);
	fx_release(&f);
}

/* Of a list of chunks, all. */
static void test_chunks(void)
{
	enum { BIG = 600000 };
	struct fixture f;
	uint8_t *raw = malloc(BIG);
	struct vv_id id, part;

	fx_init(&f);
	fill_noise(raw, BIG, 4);
	part = put(&f, raw, chunk_cut(raw, BIG), VV_DT_BYTES, NULL);
	id = put(&f, raw, BIG, VV_DT_BYTES, NULL);
	trash_all(&f, "1");
	CHECK_OK(store_keep(f.store, &id, &f.err), &f.err);
	CHECK_INT(count_trash(&f), 0);
	CHECK_OK(vv_unlink(pack_of(&f, &part), &f.err), &f.err);
	fx_open(&f);
	CHECK_INT(store_keep(f.store, &id, &f.err), VV_ENOTFOUND);
	fx_release(&f);
	free(raw);
}

static void test_quarantine(void)
{
	struct fixture f;
	struct vv_id ia;
	struct pack *p;
	struct names n;

	fx_init(&f);
	for (int i = 0; i < 3; i++) {
		ia = put(&f, a, LEN, VV_DT_BF16, NULL);
		p = f.store->packs[0];
		CHECK_OK(store_quarantine(f.store, p->path, i == 1 ? NULL : p, &f.err), &f.err);
		CHECK_INT(p->corrupt, i != 1);
		fx_open(&f);
		CHECK(!vv_store_has(f.store, &ia));
	}
	CHECK_INT(count_names(&f, "corrupt", &n), 3); /* none replaced another */
	fx_release(&f);
}

static void test_locks(void)
{
	struct fixture f;
	struct vv_lock one = VV_LOCK_INIT, two = VV_LOCK_INIT;

	fx_init(&f);
	CHECK_OK(store_lock_gc(f.store, &one, &f.err), &f.err);
	CHECK_INT(store_lock_gc(f.store, &two, &f.err), VV_ELOCKED);
	vv_unlock(&one);
	CHECK_OK(store_lock(f.store, &one, VV_LOCK_SHARED, &f.err), &f.err);
	CHECK_OK(store_lock(f.store, &two, VV_LOCK_SHARED, &f.err), &f.err);
	vv_unlock(&two);
	CHECK_INT(store_lock(f.store, &two, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, &f.err), VV_ELOCKED);
	vv_unlock(&one);
	CHECK_OK(store_lock(f.store, &two, VV_LOCK_EXCLUSIVE | VV_LOCK_NOWAIT, &f.err), &f.err);
	vv_unlock(&two);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 2, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 2, 50);
	test_revival();
	test_young();
	test_chunks();
	test_quarantine();
	test_locks();
	return done();
}
