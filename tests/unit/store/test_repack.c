#include "fixture.h"

enum { LEN = 3000 };

static uint8_t raw[LEN];

/* A chain of versions, each put by a handle of its own as git add does. */
static void put_versions(struct fixture *f, struct vv_id *ids, size_t n, size_t *most)
{
	fill_weights(raw, LEN, 4, 9);
	for (size_t i = 0; i < n; i++) {
		nudge(raw, LEN, 4, i, 30);
		fx_open(f);
		ids[i] = put(f, raw, LEN, VV_DT_F32, i ? &ids[i - 1] : NULL);
		size_t packs = count_names(f, "packs", NULL);
		*most = packs > *most ? packs : *most;
	}
}

static size_t check_versions(struct fixture *f, const struct vv_id *ids, size_t n)
{
	size_t wrong = 0;

	fill_weights(raw, LEN, 4, 9);
	for (size_t i = 0; i < n; i++) {
		nudge(raw, LEN, 4, i, 30);
		wrong += get(f->store, &ids[i], raw, LEN, &f->err) != 0;
	}
	return wrong;
}

/* However many versions come, packs stay few, and all of them readable. */
static void test_many(void)
{
	enum { N = 300 };
	struct fixture f;
	static struct vv_id ids[N];
	struct vv_store *early = NULL;
	struct vv_store_usage u;
	size_t most = 0;

	fx_init(&f);
	put_versions(&f, ids, 10, &most);
	CHECK_OK(vv_store_open(&early, f.dir, 0, f.pool, &f.err), &f.err);
	put_versions(&f, ids, N, &most);
	CHECK(most <= 33);
	CHECK_INT(check_versions(&f, ids, N), 0);
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK_INT(u.objects, N);
	CHECK_INT(u.trash_packs, 0);
	/* A handle from before all the merges. */
	fill_weights(raw, LEN, 4, 9);
	nudge(raw, LEN, 4, 0, 30);
	CHECK_OK(get(early, &ids[0], raw, LEN, &f.err), &f.err);
	vv_store_free(early);
	struct vv_fsck_stats st;
	CHECK_OK(vv_store_fsck(f.store, false, NULL, &st, NULL, &f.err), &f.err);
	CHECK_INT(st.bad_packs + st.bad_objects + st.dependents, 0);
	fx_release(&f);
}

/* What is merged is as old as the youngest of it, no younger. */
static void test_age(void)
{
	enum { N = 15 };
	struct fixture f;
	struct vv_id ids[N + 1];
	size_t most = 0;
	struct stat st;

	fx_init(&f);
	put_versions(&f, ids, N, &most);
	CHECK_INT(count_names(&f, "packs", NULL), N);
	age_all(&f, "packs", 70000);
	fx_open(&f);
	fill_noise(raw, LEN, 1);
	/* No put: that would be a young pack among the old ones. */
	struct pack_writer w;
	struct vv_store *where;
	struct pack *p;
	struct entry e;
	CHECK_OK(store_locate(f.store, &ids[0], ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	writer_init(&w, f.store);
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	e.id.b[0] ^= 1;
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	writer_release(&w);
	age(f.store->packs[N]->path, 50000);
	store_merge_small(f.store);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK(!stat(pack_of(&f, &ids[0]), &st));
	CHECK(st.st_mtim.tv_sec < time(NULL) - 49000 && st.st_mtim.tv_sec > time(NULL) - 51000);
	CHECK_INT(check_versions(&f, ids, N), 0);
	fx_release(&f);
}

/* Puts 15 small packs that are not merged yet, then breaks or locks something. */
static void test_not_now(void)
{
	enum { N = 15 };
	struct fixture f;
	struct vv_id ids[N + 8];
	struct vv_lock lock = VV_LOCK_INIT;
	size_t most = 0;
	uint8_t more[100];
	char path[300];

	fx_init(&f);
	put_versions(&f, ids, N, &most);
	/* Another gc is at work; another writer is. */
	CHECK_OK(store_lock_gc(f.store, &lock, &f.err), &f.err);
	fill_noise(more, sizeof(more), 1);
	put(&f, more, sizeof(more), VV_DT_U8, NULL);
	CHECK_INT(count_names(&f, "packs", NULL), N + 1);
	vv_unlock(&lock);
	CHECK_OK(store_lock(f.store, &lock, VV_LOCK_SHARED, &f.err), &f.err);
	fill_noise(more, sizeof(more), 2);
	put(&f, more, sizeof(more), VV_DT_U8, NULL);
	CHECK_INT(count_names(&f, "packs", NULL), N + 2);
	vv_unlock(&lock);
	/* A damaged pack is left for fsck. */
	snprintf(path, sizeof(path), "%s", pack_of(&f, &ids[3]));
	flip(path, 40, 1);
	fill_noise(more, sizeof(more), 3);
	put(&f, more, sizeof(more), VV_DT_U8, NULL);
	CHECK_INT(count_names(&f, "packs", NULL), 2);
	CHECK(vv_exists(path));
	flip(path, 40, 1);
	CHECK_INT(check_versions(&f, ids, N), 0);
	fx_release(&f);
}

/* Of two copies the one with the shorter chain must stay: deltas rely on it. */
static void test_duplicates(void)
{
	enum { N = 8 };
	struct fixture f;
	struct vv_id ids[N], x;
	size_t most = 0;
	struct pack_writer w;
	struct vv_store *where;
	struct pack *p;
	struct entry e;
	uint8_t more[100];

	fx_init(&f);
	put_versions(&f, ids, N, &most);
	x = ids[0];
	/* Copies of each record in packs of their own, said to be deeper, among them ids[0] as a false delta. */
	for (int i = 0; i < N; i++) {
		CHECK_OK(store_locate(f.store, &ids[i], ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
		if (e.depth)
			e.depth = MAX_DEPTH;
		struct entry other = e;
		other.id.b[0] ^= 0xff;
		writer_init(&w, f.store);
		CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
		CHECK_OK(writer_record(&w, f.store, p, &other, &f.err), &f.err);
		CHECK_OK(writer_publish(&w, &f.err), &f.err);
		writer_release(&w);
	}
	fill_noise(more, sizeof(more), 3);
	put(&f, more, sizeof(more), VV_DT_U8, NULL);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_INT(f.store->n_entries, N + N + 1);
	for (unsigned i = 0; i < N; i++)
		CHECK_INT(info_of(f.store, &ids[i]).depth, i);
	CHECK_INT(info_of(f.store, &x).depth, 0);
	CHECK_INT(check_versions(&f, ids, N), 0);
	fx_release(&f);
}

int main(void)
{
	test_many();
	test_age();
	test_not_now();
	test_duplicates();
	return done();
}
