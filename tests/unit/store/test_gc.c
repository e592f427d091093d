#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { GRACE = 1000, OLD = 5000, LEN = 40000, BIG = 600000 };

struct live {
	struct vv_id v[64];
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

static uint8_t v[8][LEN], text[BIG];

/* What is dead and old goes to the trash, later away; nothing else does. */
static void test_two_phases(void)
{
	struct fixture f;
	struct live live = {.n = 1};
	struct vv_gc_stats st;
	struct vv_id ia, ib;

	fx_init(&f);
	ia = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	ib = put(&f, v[1], LEN, VV_DT_BF16, NULL);
	live.v[0] = ia;
	age_all(&f, "packs", OLD);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_trashed, 1);
	CHECK_INT(st.packs_kept, 1);
	CHECK_INT(st.packs_deleted, 0);
	CHECK_INT(count_trash(&f), 1);
	CHECK_OK(get(f.store, &ia, v[0], LEN, &f.err), &f.err);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_deleted + st.packs_trashed, 0); /* young in the trash */
	st = gc(&f, &live, 0);
	CHECK_INT(st.packs_deleted, 1);
	CHECK(st.freed > 0);
	CHECK_INT(count_trash(&f), 0);
	CHECK_INT(get(f.store, &ib, v[1], LEN, &f.err), VV_ENOTFOUND);
	CHECK_OK(get(f.store, &ia, v[0], LEN, &f.err), &f.err);
	fx_release(&f);
}

/* Not even without a grace time does one run both trash and delete. */
static void test_no_grace(void)
{
	struct fixture f;
	struct live none = {.n = 0};
	struct vv_gc_stats st;

	fx_init(&f);
	put(&f, v[0], LEN, VV_DT_BF16, NULL);
	st = gc(&f, &none, 0);
	CHECK_INT(st.packs_trashed, 1);
	CHECK_INT(count_trash(&f), 1);
	st = gc(&f, &none, 0);
	CHECK_INT(st.packs_deleted, 1);
	CHECK_INT(count_names(&f, "packs", NULL) + count_names(&f, "trash", NULL), 0);
	fx_release(&f);
}

/* A chain's bases and a list's chunks live with what needs them, in their own packs or not. */
static void test_parts(void)
{
	struct fixture f;
	struct live live = {.n = 2};
	struct vv_gc_stats st;
	struct vv_id ids[4], part, list;

	fx_init(&f);
	for (int i = 0; i < 4; i++)
		ids[i] = put(&f, v[i], LEN, VV_DT_BF16, i ? &ids[i - 1] : NULL);
	CHECK_INT(info_of(f.store, &ids[3]).depth, 3);
	part = put(&f, text, chunk_cut(text, BIG), VV_DT_BYTES, NULL);
	list = put(&f, text, BIG, VV_DT_BYTES, NULL);
	live.v[0] = ids[2];
	live.v[1] = list;
	age_all(&f, "packs", OLD);
	for (int round = 0; round < 3; round++) {
		st = gc(&f, &live, round ? 0 : GRACE);
		CHECK_INT(st.packs_trashed, round ? 0 : 1);
		for (int i = 0; i < 3; i++)
			CHECK_OK(get(f.store, &ids[i], v[i], LEN, &f.err), &f.err);
		CHECK_OK(get(f.store, &list, text, BIG, &f.err), &f.err);
		CHECK(vv_store_has(f.store, &part));
	}
	CHECK_INT(get(f.store, &ids[3], v[3], LEN, &f.err), VV_ENOTFOUND);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	fx_release(&f);
}

/* A pack that is mostly dead is written anew without the dead; the old one stays in the trash meanwhile. */
static void test_rewrite(void)
{
	enum { N = 10 };
	struct fixture f;
	struct live live = {.n = 1};
	struct vv_gc_stats st;
	struct vv_put_item items[N];
	struct vv_source_mem src;
	struct vv_store_usage u;
	uint8_t *raw = malloc((size_t)N * (2 << 20));

	fx_init(&f);
	fill_noise(raw, (size_t)N * (2 << 20), 6);
	for (size_t i = 0; i < N; i++)
		items[i] = (struct vv_put_item){.off = i * (2 << 20), .len = 2 << 20, .dtype = VV_DT_F32};
	vv_source_mem_init(&src, vv_span(raw, (size_t)N * (2 << 20)));
	CHECK_OK(vv_store_put(f.store, &src.base, items, N, NULL, NULL, NULL, &f.err), &f.err);
	live.v[0] = items[3].id;
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_rewritten, 0); /* young: all of it may be needed in a moment */
	age_all(&f, "packs", OLD);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_rewritten, 1);
	CHECK_INT(st.packs_trashed, 0);
	CHECK(st.trashed > N * (2 << 20));
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK_INT(u.objects, 1);
	CHECK_INT(u.trash_packs, 1);
	CHECK_OK(get(f.store, &items[3].id, raw + (size_t)3 * (2 << 20), 2 << 20, &f.err), &f.err);
	/* A dead one that is asked for brings the old pack back; then nothing is rewritten while it is young. */
	CHECK_OK(get(f.store, &items[5].id, raw + (size_t)5 * (2 << 20), 2 << 20, &f.err), &f.err);
	CHECK_INT(count_trash(&f), 0);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_trashed + st.packs_deleted, 0);
	CHECK_OK(get(f.store, &items[5].id, raw + (size_t)5 * (2 << 20), 2 << 20, &f.err), &f.err);
	free(raw);
	fx_release(&f);
}

/* What became live again leaves the trash, with what it is made of, before anything is deleted. */
static void test_resurrection(void)
{
	struct fixture f;
	struct live none = {.n = 0}, live = {.n = 1};
	struct vv_gc_stats st;
	struct vv_id ids[3];

	fx_init(&f);
	for (int i = 0; i < 3; i++)
		ids[i] = put(&f, v[i], LEN, VV_DT_BF16, i ? &ids[i - 1] : NULL);
	st = gc(&f, &none, 0);
	CHECK_INT(st.packs_trashed, 3);
	live.v[0] = ids[1];
	st = gc(&f, &live, 0);
	CHECK_INT(st.packs_revived, 2);
	CHECK_INT(st.packs_deleted, 1);
	CHECK_OK(get(f.store, &ids[1], v[1], LEN, &f.err), &f.err);
	CHECK_INT(get(f.store, &ids[2], v[2], LEN, &f.err), VV_ENOTFOUND);
	fx_release(&f);
}

/* A young delta keeps its base, though neither is named anywhere yet. */
static void test_young(void)
{
	struct fixture f;
	struct live none = {.n = 0};
	struct vv_gc_stats st;
	struct vv_id ia, ib;

	fx_init(&f);
	ia = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	st = gc(&f, &none, 0);
	CHECK_INT(st.packs_trashed, 1);
	age_all(&f, "trash", OLD);
	/* A writer uses the doomed one as base: it comes back by that alone. */
	ib = put(&f, v[1], LEN, VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &ib).depth, 1);
	CHECK_INT(count_trash(&f), 0);
	age_all(&f, "packs", OLD);
	CHECK(!utimensat(AT_FDCWD, pack_of(&f, &ib), NULL, 0));
	st = gc(&f, &none, GRACE);
	CHECK_INT(st.packs_trashed + st.packs_deleted, 0);
	CHECK_OK(get(f.store, &ib, v[1], LEN, &f.err), &f.err);
	fx_release(&f);
}

/* Clocks that are wrong by ten years, either way, for packs and for the trash. */
static void test_clocks(void)
{
	enum { YEARS = 10 * 365 * 86400 };
	struct fixture f;
	struct live live = {.n = 1};
	struct vv_gc_stats st;
	struct vv_id ia, ib;
	struct names gens;
	char from[300], to[300];

	fx_init(&f);
	ia = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	ib = put(&f, v[1], LEN, VV_DT_BF16, NULL);
	live.v[0] = ia;
	/* Of the future: young, and its time is put right. */
	age_all(&f, "packs", -(long)YEARS);
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_trashed, 0);
	CHECK_OK(get(f.store, &ib, v[1], LEN, &f.err), &f.err);
	struct stat s;
	CHECK(!stat(pack_of(&f, &ib), &s) && s.st_mtim.tv_sec <= time(NULL) + 86400);
	/* As if gc ran ten years later: the dead one goes to the trash, the live one stays. */
	age_all(&f, "packs", YEARS);
	st = gc(&f, &live, GRACE);
	CHECK_OK(get(f.store, &ia, v[0], LEN, &f.err), &f.err);
	CHECK(vv_store_has(f.store, &ib)); /* out of the trash, if it was there */
	/* A generation of the future is one of today, so it neither stays for ever nor goes at once. */
	age_all(&f, "packs", OLD);
	live.n = 0;
	gc(&f, &live, GRACE);
	CHECK(count_trash(&f) > 0);
	CHECK_INT(count_names(&f, "trash", &gens), 1);
	snprintf(from, sizeof(from), "%s/trash/%s", f.dir, gens.name[0]);
	snprintf(to, sizeof(to), "%s/trash/%020llu", f.dir, (unsigned long long)time(NULL) + YEARS);
	CHECK_OK(vv_rename(from, to, &f.err), &f.err);
	live.n = 1;
	st = gc(&f, &live, GRACE);
	CHECK_INT(st.packs_deleted, 0);
	CHECK_OK(get(f.store, &ia, v[0], LEN, &f.err), &f.err);
	count_names(&f, "trash", &gens);
	CHECK(!gens.n || strtoull(gens.name[0], NULL, 10) <= (unsigned long long)time(NULL));
	fx_release(&f);
}

static void test_temporary_files(void)
{
	struct fixture f;
	struct live live = {.n = 1};
	char old[300], young[300];

	fx_init(&f);
	live.v[0] = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	snprintf(old, sizeof(old), "%s/packs/.varve-tmp-aaaaaa", f.dir);
	snprintf(young, sizeof(young), "%s/packs/.varve-tmp-bbbbbb", f.dir);
	CHECK_OK(vv_write_file(old, vv_span("x", 1), false, &f.err), &f.err);
	CHECK_OK(vv_write_file(young, vv_span("x", 1), false, &f.err), &f.err);
	age(old, OLD);
	gc(&f, &live, GRACE);
	CHECK(!vv_exists(old));
	CHECK(vv_exists(young));
	CHECK_OK(get(f.store, &live.v[0], v[0], LEN, &f.err), &f.err);
	fx_release(&f);
}

/* A pack or a list that cannot be read may need anything: nothing goes, and it says what to do. */
static void test_damaged(void)
{
	struct fixture f;
	struct live live = {.n = 1};
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;
	struct vv_id list;
	struct entry e;
	char path[300];

	fx_init(&f);
	put(&f, v[0], LEN, VV_DT_BF16, NULL);
	list = put(&f, text, BIG, VV_DT_BYTES, NULL);
	live.v[0] = list;
	snprintf(path, sizeof(path), "%s", pack_of(&f, &list));
	e = entry_of(&f, &list);
	flip(path, e.off + 40, 1);
	CHECK_INT(vv_store_gc(f.store, is_live, &live, &opt, &st, NULL, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, "fsck") != NULL);
	flip(path, e.off + 40, 1);
	flip(path, f.store->packs[1]->size - 1, 1);
	fx_open(&f);
	CHECK_INT(vv_store_gc(f.store, is_live, &live, &opt, &st, NULL, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, "fsck") != NULL);
	CHECK_INT(count_names(&f, "packs", NULL), 2);
	CHECK_INT(count_trash(&f), 0);
	fx_release(&f);
}

/* A pack whose bytes changed is not copied from, and not removed. */
static void test_rotten_source(void)
{
	struct fixture f;
	struct live live = {.n = 2};
	struct vv_gc_stats st;
	struct entry e;
	char path[300];

	fx_init(&f);
	live.v[0] = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	live.v[1] = put(&f, v[4], LEN, VV_DT_BF16, NULL);
	snprintf(path, sizeof(path), "%s", pack_of(&f, &live.v[0]));
	e = entry_of(&f, &live.v[0]);
	flip(path, e.off + 3000, 1);
	st = gc(&f, &live, 0);
	CHECK(vv_exists(path));
	CHECK_INT(st.packs_deleted + st.packs_trashed, 0);
	flip(path, e.off + 3000, 1);
	for (int i = 0; i < 2; i++)
		CHECK_OK(get(f.store, &live.v[i], v[i * 4], LEN, &f.err), &f.err);
	fx_release(&f);
}

/* Telling what would be done changes nothing; two at once do not meet; a reader's handle may not. */
static void test_modes(void)
{
	struct fixture f;
	struct live none = {.n = 0};
	struct vv_gc_options opt = {.grace_s = 0, .dry_run = true};
	struct vv_gc_stats st;
	struct vv_store *ro = NULL;
	struct vv_lock lock = VV_LOCK_INIT;

	fx_init(&f);
	put(&f, v[0], LEN, VV_DT_BF16, NULL);
	CHECK_OK(vv_store_gc(f.store, is_live, &none, &opt, &st, NULL, &f.err), &f.err);
	CHECK_INT(st.packs_trashed, 1);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_INT(count_names(&f, "trash", NULL), 0);
	CHECK_OK(store_lock_gc(f.store, &lock, &f.err), &f.err);
	opt.dry_run = false;
	CHECK_INT(vv_store_gc(f.store, is_live, &none, &opt, &st, NULL, &f.err), VV_ELOCKED);
	vv_unlock(&lock);
	CHECK_OK(vv_store_open(&ro, f.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK_INT(vv_store_gc(ro, is_live, &none, &opt, &st, NULL, &f.err), VV_ENOTSUP);
	vv_store_free(ro);
	CHECK_OK(vv_store_gc(f.store, is_live, &none, &opt, NULL, NULL, &f.err), &f.err);
	CHECK_INT(count_trash(&f), 1);
	fx_release(&f);
}

/* Copies that are all in one of the packs to be merged: that pack is the result, and stays. */
static void test_same_result(void)
{
	struct fixture f;
	struct live live = {.n = 2};
	struct pack_writer w;
	struct vv_put_item items[2];
	struct vv_source_mem src;
	struct vv_store *where;
	struct pack *p;
	struct entry e;

	fx_init(&f);
	vv_source_mem_init(&src, vv_span(v, 2 * LEN));
	for (size_t i = 0; i < 2; i++)
		items[i] = (struct vv_put_item){.off = i * LEN, .len = LEN, .dtype = VV_DT_BF16};
	CHECK_OK(vv_store_put(f.store, &src.base, items, 2, NULL, NULL, NULL, &f.err), &f.err);
	live.v[0] = items[0].id;
	live.v[1] = items[1].id;
	CHECK_OK(store_locate(f.store, &live.v[0], ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	writer_init(&w, f.store);
	CHECK_OK(writer_record(&w, f.store, p, &e, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	writer_release(&w);
	for (int round = 0; round < 3; round++) {
		gc(&f, &live, 0);
		CHECK_OK(get(f.store, &live.v[0], v[0], LEN, &f.err), &f.err);
		CHECK_OK(get(f.store, &live.v[1], v[1], LEN, &f.err), &f.err);
		CHECK_INT(count_names(&f, "packs", NULL), 1);
	}
	fx_release(&f);
}

/* In a child: its own pool, its own handle. */
static int gc_once(struct fixture *f, struct live *live, uint64_t grace)
{
	struct vv_gc_options opt = {.grace_s = grace};
	struct vv_gc_stats st;
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_store *s = NULL;
	int ret = vv_store_open(&s, f->dir, 0, pool, &f->err);

	if (!ret)
		ret = vv_store_gc(s, is_live, live, &opt, &st, NULL, &f->err);
	vv_store_free(s);
	vv_pool_free(pool);
	return ret == VV_ELOCKED ? 0 : ret;
}

/* Killed anywhere, again and again: what is live stays, and a run that is not killed ends it. */
static void test_killed(void)
{
	struct fixture f;
	struct live live = {.n = 0};
	uint64_t seed = 3;
	size_t wrong = 0, killed = 0;
	static uint8_t raw[64][3000];
	struct vv_gc_stats st;

	fx_init(&f);
	for (int round = 0; round < 30; round++) {
		size_t k = (size_t)round;
		fill_noise(raw[k], sizeof(raw[k]), 500 + k);
		struct vv_id id = put(&f, raw[k], sizeof(raw[k]), VV_DT_F32, NULL);
		live.v[live.n++] = id;
		uint8_t dead[2000];
		fill_noise(dead, sizeof(dead), 900 + k);
		put(&f, dead, sizeof(dead), VV_DT_F32, NULL);
		fflush(stdout);
		pid_t pid = fork();
		if (!pid)
			_exit(gc_once(&f, &live, 0) != 0);
		usleep((useconds_t)(rnd(&seed) % 6000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		killed += WIFSIGNALED(status);
		fx_open(&f);
		for (size_t i = 0; i < live.n; i++)
			wrong += get(f.store, &live.v[i], raw[i], sizeof(raw[i]), &f.err) != 0;
	}
	CHECK_INT(wrong, 0);
	CHECK(killed > 5);
	for (int i = 0; i < 2; i++)
		st = gc(&f, &live, 0);
	CHECK_INT(st.packs_trashed, 0);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_INT(count_trash(&f), 0);
	for (size_t i = 0; i < live.n; i++)
		wrong += get(f.store, &live.v[i], raw[i], sizeof(raw[i]), &f.err) != 0;
	CHECK_INT(wrong, 0);
	fx_release(&f);
}

/* gc after gc, with nothing live, while a writer puts the same doomed objects again and reads them. */
static void test_beside_writer(void)
{
	struct fixture f;
	struct live none = {.n = 0};
	size_t failed = 0, doomed = 0;
	uint64_t seed = 8;
	pid_t pid;

	fx_init(&f);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		for (;;)
			if (gc_once(&f, &none, 1))
				_exit(1);
	}
	for (int round = 0; round < 60; round++) {
		struct vv_id ids[4];
		if (round % 12 == 11)
			usleep((useconds_t)(rnd(&seed) % 400000) + 900000); /* all gets old meanwhile, or nearly */
		doomed += count_trash(&f) || !count_names(&f, "packs", NULL);
		for (int i = 0; i < 4; i++)
			ids[i] = put(&f, v[i], LEN, VV_DT_BF16, i ? &ids[i - 1] : NULL);
		for (int i = 0; i < 4; i++)
			failed += get(f.store, &ids[i], v[i], LEN, &f.err) != 0;
	}
	CHECK_INT(failed, 0);
	if (failed)
		printf("# %s\n", f.err.msg);
	int status = 0;
	CHECK_INT(waitpid(pid, &status, WNOHANG), 0); /* it did not fail */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK(doomed > 0);
	fx_release(&f);
}

int main(void)
{
	fill_weights(v[0], LEN, 2, 1);
	for (int i = 1; i < 8; i++) {
		memcpy(v[i], v[i - 1], LEN);
		nudge(v[i], LEN, 2, (uint64_t)i, 40);
	}
	fill_noise(text, BIG, 3);
	test_two_phases();
	test_no_grace();
	test_parts();
	test_rewrite();
	test_resurrection();
	test_young();
	test_clocks();
	test_temporary_files();
	test_damaged();
	test_rotten_source();
	test_modes();
	test_same_result();
	test_killed();
	test_beside_writer();
	return done();
}
