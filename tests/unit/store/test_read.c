#include "fixture.h"

enum { LEN = 1500000 };

static uint8_t a[LEN], b[LEN], noise[LEN];

struct wanted {
	struct vv_id id;
	const uint8_t *raw;
};

static size_t read_ranges(struct vv_store *s, const struct wanted *w, size_t n, uint64_t seed, size_t rounds)
{
	uint8_t *have = malloc(400000);
	struct vv_err err = VV_ERR_INIT;
	size_t wrong = 0;

	for (size_t i = 0; i < rounds; i++) {
		const struct wanted *it = &w[rnd(&seed) % n];
		size_t off = rnd(&seed) % LEN, len = rnd(&seed) % (i % 2 ? 400000 : 50);
		if (len > LEN - off)
			len = LEN - off;
		wrong += vv_store_read(s, &it->id, off, have, len, &err) || memcmp(have, it->raw + off, len);
	}
	free(have);
	return wrong;
}

static void put_all(struct fixture *f, struct wanted *w)
{
	w[0] = (struct wanted){put(f, a, LEN, VV_DT_F32, NULL), a};
	w[1] = (struct wanted){put(f, b, LEN, VV_DT_F32, &w[0].id), b};
	w[2] = (struct wanted){put(f, noise, LEN, VV_DT_BYTES, NULL), noise};
	CHECK_INT(info_of(f->store, &w[1].id).depth, 1);
	CHECK(info_of(f->store, &w[2].id).chunked);
}

static void test_ranges(void)
{
	struct fixture f;
	struct wanted w[3];
	struct vv_id none = {{5}};
	uint8_t one;

	fx_init(&f);
	put_all(&f, w);
	CHECK_INT(read_ranges(f.store, w, 3, 1, 400), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(vv_store_read(f.store, &w[i].id, LEN, &one, 0, &f.err), &f.err);
		CHECK_INT(vv_store_read(f.store, &w[i].id, LEN, &one, 1, &f.err), VV_ECORRUPT);
		CHECK_INT(vv_store_read(f.store, &w[i].id, UINT64_MAX, &one, 2, &f.err), VV_ECORRUPT);
		CHECK_OK(vv_store_read(f.store, &w[i].id, LEN - 1, &one, 1, &f.err), &f.err);
		CHECK_INT(one, w[i].raw[LEN - 1]);
	}
	CHECK_INT(vv_store_read(f.store, &none, 0, &one, 1, &f.err), VV_ENOTFOUND);
	fx_release(&f);
}

/* A flipped bit is never read as if nothing were, also not from what is remembered. */
static void test_damage(void)
{
	struct fixture f;
	struct wanted w[3];
	struct entry e;
	uint8_t *have = malloc(LEN);

	fx_init(&f);
	put_all(&f, w);
	for (int i = 0; i < 2; i++) {
		e = entry_of(&f, &w[i].id);
		flip(pack_of(&f, &w[i].id), e.off + (e.stored - e.tail) / 2, 0x10);
		fx_open(&f);
		CHECK_INT(vv_store_read(f.store, &w[i].id, 0, have, LEN, &f.err), VV_ECORRUPT);
		CHECK_INT(vv_store_read(f.store, &w[i].id, 0, have, LEN, &f.err), VV_ECORRUPT);
		flip(pack_of(&f, &w[i].id), e.off + (e.stored - e.tail) / 2, 0x10);
		CHECK_OK(vv_store_read(f.store, &w[i].id, 0, have, LEN, &f.err), &f.err);
		CHECK(!memcmp(have, w[i].raw, LEN));
	}
	free(have);
	fx_release(&f);
}

struct reader {
	struct vv_store *s;
	const struct wanted *w;
	uint64_t seed;
	size_t wrong;
};

static void *read_main(void *arg)
{
	struct reader *r = arg;

	r->wrong = read_ranges(r->s, r->w, 3, r->seed, 150);
	return NULL;
}

static bool all(void *arg VV_UNUSED, const struct vv_id *id VV_UNUSED)
{
	return true;
}

/* Threads read while the same handle puts and another one merges and moves packs. */
static void test_threads(void)
{
	struct fixture f;
	struct wanted w[3];
	struct reader r[3];
	pthread_t ids[3];
	struct vv_store *other = NULL;
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;

	fx_init(&f);
	put_all(&f, w);
	CHECK_OK(vv_store_open(&other, f.dir, 0, pool, &f.err), &f.err);
	for (int i = 0; i < 3; i++) {
		r[i] = (struct reader){f.store, w, (uint64_t)i, 0};
		if (pthread_create(&ids[i], NULL, read_main, &r[i]))
			exit(1);
	}
	for (int i = 0; i < 12; i++) {
		uint8_t more[3000];
		fill_noise(more, sizeof(more), 50 + (uint64_t)i);
		put(&f, more, sizeof(more), VV_DT_U8, NULL);
		CHECK_OK(vv_store_gc(other, all, NULL, &opt, &st, NULL, &f.err), &f.err);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(ids[i], NULL);
		CHECK_INT(r[i].wrong, 0);
	}
	vv_store_free(other);
	vv_pool_free(pool);
	fx_release(&f);
}

/* An object as a source. */
static void test_source(void)
{
	struct fixture f;
	struct wanted w[3];
	struct object_source src;
	uint8_t have[100];

	fx_init(&f);
	put_all(&f, w);
	object_source_init(&src, f.store, &w[1].id, LEN);
	CHECK_INT(src.base.size, LEN);
	CHECK_OK(vv_source_read(&src.base, 777, have, sizeof(have), &f.err), &f.err);
	CHECK(!memcmp(have, b + 777, sizeof(have)));
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 4, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 4, 2, 50);
	fill_noise(noise, LEN, 3);
	test_ranges();
	test_damage();
	test_threads();
	test_source();
	return done();
}
