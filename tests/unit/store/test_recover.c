#include "fixture.h"

enum { LEN = 30000, BIG = 600000 };

static uint8_t v[5][LEN], text[BIG];

struct made {
	struct vv_id v[5], text;
	char path[300]; /* of the one pack */
	struct vv_id name;
	uint64_t size;
};

static bool all(void *arg VV_UNUSED, const struct vv_id *id VV_UNUSED)
{
	return true;
}

/* A chain of five and a list of chunks, in one pack. */
static struct made make(struct fixture *f)
{
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;
	struct made m;

	for (int i = 0; i < 5; i++)
		m.v[i] = put(f, v[i], LEN, VV_DT_F32, i ? &m.v[i - 1] : NULL);
	m.text = put(f, text, BIG, VV_DT_BYTES, NULL);
	CHECK_OK(vv_store_gc(f->store, all, NULL, &opt, &st, NULL, &f->err), &f->err);
	CHECK_INT(f->store->n_packs, 1);
	snprintf(m.path, sizeof(m.path), "%s", f->store->packs[0]->path);
	m.name = f->store->packs[0]->name;
	m.size = f->store->packs[0]->size;
	chmod(m.path, 0644);
	return m;
}

/* Runs a recovery of the damaged file into the store. */
static size_t run(struct fixture *f, const struct made *m, size_t *left)
{
	struct recovery *r;
	struct pack_writer w;
	struct scratch *s;
	size_t found = 0;

	fx_open(f);
	CHECK_INT(vv_store_bad_packs(f->store), 1);
	r = recovery_new(f->store);
	writer_init(&w, f->store);
	s = scratch_take(f->store, NULL, &f->err);
	CHECK_OK(recovery_add(r, m->path, &m->name, &f->err), &f->err);
	CHECK_OK(recovery_run(r, &w, s, &found, &f->err), &f->err);
	*left = recovery_left(r);
	scratch_give(f->store, s);
	writer_release(&w);
	recovery_free(r);
	return found;
}

static size_t readable(struct fixture *f, const struct made *m)
{
	size_t n = 0;

	for (int i = 0; i < 5; i++)
		n += !get(f->store, &m->v[i], v[i], LEN, &f->err);
	return n + !get(f->store, &m->text, text, BIG, &f->err);
}

/* Without its trailer a pack is found again whole. */
static void test_trailer(void)
{
	struct fixture f;
	struct made m;
	size_t left;

	fx_init(&f);
	m = make(&f);
	size_t n = f.store->packs[0]->n;
	flip(m.path, m.size - 1, 0xff);
	CHECK_INT(run(&f, &m, &left), n);
	CHECK_INT(left, 0);
	CHECK_INT(readable(&f, &m), 6);
	for (int i = 0; i < 5; i++)
		CHECK_INT(info_of(f.store, &m.v[i]).depth, i);
	fx_release(&f);
}

/* What is found may have the bytes that the pack had, so its name: the damaged file makes way. */
static void test_same_name(void)
{
	struct fixture f;
	struct made m;
	struct vv_id id;
	size_t left;

	fx_init(&f);
	id = put(&f, v[0], LEN, VV_DT_F32, NULL);
	m = (struct made){.name = f.store->packs[0]->name, .size = f.store->packs[0]->size};
	snprintf(m.path, sizeof(m.path), "%s", f.store->packs[0]->path);
	flip(m.path, m.size - 1, 0xff);
	CHECK_INT(run(&f, &m, &left), 1);
	CHECK_OK(get(f.store, &id, v[0], LEN, &f.err), &f.err);
	CHECK_OK(pack_verify(m.path, &m.name, &f.err), &f.err);
	CHECK_INT(count_names(&f, "corrupt", NULL), 1);
	fx_release(&f);
}

/* Cut off anywhere: every object whose record is whole, with all it needs, is found. */
static void test_cut(void)
{
	struct fixture f;
	struct made m;
	size_t last = 0;

	for (int step = 1; step < 8; step++) {
		size_t left, found;
		fx_init(&f);
		m = make(&f);
		uint64_t end = f.store->packs[0]->footer_off, cut = end * (uint64_t)step / 7;
		struct entry e;
		size_t whole = 0;
		for (size_t i = 0; i < f.store->packs[0]->n; i++) {
			pack_entry(f.store->packs[0], i, &e);
			whole += e.off + e.stored <= cut;
		}
		CHECK(!truncate(m.path, (off_t)cut));
		found = run(&f, &m, &left);
		CHECK_INT(found + left, whole);
		CHECK(found >= last);
		last = found;
		readable(&f, &m);
		fx_release(&f);
	}
	CHECK(last > 6);
}

/* One record in the middle is damaged as well: its delta waits in vain, the others come. */
static void test_damaged(void)
{
	struct fixture f;
	struct made m;
	struct entry e;
	size_t left, n;

	fx_init(&f);
	m = make(&f);
	n = f.store->packs[0]->n;
	e = entry_of(&f, &m.v[2]);
	flip(m.path, e.off + 100, 4);
	flip(m.path, m.size - 5, 1);
	CHECK_INT(run(&f, &m, &left), n - 3);
	CHECK_INT(left, 3);
	CHECK_INT(readable(&f, &m), 3);
	fx_release(&f);

	/* Its end is damaged: it is not even found. */
	fx_init(&f);
	m = make(&f);
	e = entry_of(&f, &m.v[2]);
	flip(m.path, e.off + e.stored - 3, 4);
	flip(m.path, m.size - 5, 1);
	CHECK_INT(run(&f, &m, &left), n - 3);
	CHECK_INT(left, 2);
	fx_release(&f);
}

/* Files that are no packs at all. */
static void test_garbage(void)
{
	struct fixture f;
	struct made m;
	size_t left;

	fx_init(&f);
	m = make(&f);
	for (size_t len = 0; len < 200; len += 33) {
		uint8_t junk[200];
		memset(junk, 'v', sizeof(junk));
		CHECK_OK(vv_write_file(m.path, vv_span(junk, len), false, &f.err), &f.err);
		CHECK_INT(run(&f, &m, &left), 0);
		CHECK_INT(left, 0);
	}
	struct recovery *r = recovery_new(f.store);
	CHECK_OK(recovery_add(r, "/nonexistent/x.pack", &m.name, &f.err), &f.err);
	recovery_free(r);
	recovery_free(NULL);
	fx_release(&f);
}

int main(void)
{
	fill_weights(v[0], LEN, 4, 1);
	for (int i = 1; i < 5; i++) {
		memcpy(v[i], v[i - 1], LEN);
		nudge(v[i], LEN, 4, (uint64_t)i, 40);
	}
	fill_noise(text, BIG, 3);
	test_trailer();
	test_same_name();
	test_cut();
	test_damaged();
	test_garbage();
	return done();
}
