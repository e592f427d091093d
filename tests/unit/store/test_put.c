#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { LEN = 3 << 20 };

/* ThreadSanitizer cannot start threads in the child of a process that has some. */
#ifdef __SANITIZE_THREAD__
enum { THREADS = 1 };
#else
enum { THREADS = 2 };
#endif

static uint8_t data[LEN];

static struct vv_id sha(const void *p, size_t len)
{
	struct vv_id id;

	vv_sha256(vv_span(p, len), &id);
	return id;
}

/* Items in any order, twice the same, empty, overlapping; the hash of all; what is new and what not. */
static void test_items(void)
{
	struct fixture f;
	struct vv_put_item items[] = {
		{.off = 1 << 20, .len = 700000, .dtype = VV_DT_F32},
		{.off = 0, .len = 1000, .dtype = VV_DT_BYTES},
		{.off = 1000, .len = 0, .dtype = VV_DT_BF16},
		{.off = 0, .len = 1000, .dtype = VV_DT_BYTES},
		{.off = 500, .len = 400000, .dtype = VV_DT_BYTES},
		{.off = LEN, .len = 0, .dtype = VV_DT_BYTES},
	}, hashed[VV_COUNT(items)];
	struct vv_put_stats st = {.raw = 99};
	struct vv_source_mem src;
	struct vv_id file, all = sha(data, LEN), again;

	fx_init(&f);
	vv_source_mem_init(&src, vv_span(data, LEN));
	memcpy(hashed, items, sizeof(items));
	CHECK_OK(vv_store_put(f.store, &src.base, items, VV_COUNT(items), &file, &st, NULL, &f.err), &f.err);
	CHECK(vv_id_eq(&file, &all));
	for (size_t i = 0; i < VV_COUNT(items); i++) {
		struct vv_id want = sha(data + items[i].off, items[i].len);
		CHECK(vv_id_eq(&want, &items[i].id));
		CHECK_OK(get(f.store, &want, data + items[i].off, items[i].len, &f.err), &f.err);
	}
	CHECK_INT(items[1].is_new + items[3].is_new, 1);
	CHECK_INT(items[2].is_new + items[5].is_new, 1);
	CHECK_INT(st.objects, 6);
	CHECK_INT(st.objects_new, 4);
	CHECK_INT(st.raw, 700000 + 1000 + 1000 + 400000);
	CHECK_INT(st.raw_new, 700000 + 1000 + 400000);
	/* Hashing alone says the same. */
	CHECK_OK(vv_store_hash(f.pool, &src.base, hashed, VV_COUNT(items), &again, NULL, &f.err), &f.err);
	CHECK(vv_id_eq(&again, &all));
	for (size_t i = 0; i < VV_COUNT(items); i++)
		CHECK(vv_id_eq(&hashed[i].id, &items[i].id));
	/* Nothing new the second time, also for another handle. */
	size_t packs = count_names(&f, "packs", NULL);
	fx_open(&f);
	CHECK_OK(vv_store_put(f.store, &src.base, items, VV_COUNT(items), NULL, &st, NULL, &f.err), &f.err);
	CHECK_INT(st.objects_new, 0);
	CHECK_INT(st.stored, 0);
	CHECK_INT(count_names(&f, "packs", NULL), packs);
	fx_release(&f);
}

/* A change in the middle of a long run of bytes costs a few chunks. */
static void test_chunks(void)
{
	struct fixture f;
	struct vv_put_stats st;
	struct vv_put_item item = {.len = LEN, .dtype = VV_DT_BYTES};
	struct vv_source_mem src;
	uint8_t *changed = malloc(LEN + 5);
	struct vv_id file;

	fx_init(&f);
	memcpy(changed, data, LEN / 2);
	memcpy(changed + LEN / 2, "hello", 5);
	memcpy(changed + LEN / 2 + 5, data + LEN / 2, LEN / 2);
	vv_source_mem_init(&src, vv_span(data, LEN));
	CHECK_OK(vv_store_put(f.store, &src.base, &item, 1, &file, &st, NULL, &f.err), &f.err);
	CHECK(vv_id_eq(&file, &item.id)); /* the whole file is the item */
	CHECK(info_of(f.store, &item.id).chunked);
	CHECK_OK(get(f.store, &item.id, data, LEN, &f.err), &f.err);
	item = (struct vv_put_item){.len = LEN + 5, .dtype = VV_DT_BYTES};
	vv_source_mem_init(&src, vv_span(changed, LEN + 5));
	CHECK_OK(vv_store_put(f.store, &src.base, &item, 1, NULL, &st, NULL, &f.err), &f.err);
	CHECK(st.stored < 4 * CHUNK_MAX);
	CHECK_OK(get(f.store, &item.id, changed, LEN + 5, &f.err), &f.err);
	free(changed);
	fx_release(&f);
}

static int no_read(const struct vv_source *self VV_UNUSED, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	if (off >= 1 << 20)
		return vv_fail(err, VV_EIO, "no");
	memset(dst, 1, len);
	return 0;
}

static void test_refusals(void)
{
	struct fixture f;
	struct vv_store *ro = NULL;
	struct vv_put_item item = {.off = LEN - 1, .len = 2, .dtype = VV_DT_BYTES};
	struct vv_put_item whole = {.len = LEN, .dtype = VV_DT_U8};
	struct vv_source bad = {LEN, no_read};
	struct vv_source_mem src;

	fx_init(&f);
	vv_source_mem_init(&src, vv_span(data, LEN));
	CHECK_INT(vv_store_put(f.store, &src.base, &item, 1, NULL, NULL, NULL, &f.err), VV_EFORMAT);
	item = (struct vv_put_item){.off = UINT64_MAX, .len = 2};
	CHECK_INT(vv_store_put(f.store, &src.base, &item, 1, NULL, NULL, NULL, &f.err), VV_EFORMAT);
	CHECK_INT(vv_store_put(f.store, &bad, &whole, 1, NULL, NULL, NULL, &f.err), VV_EIO);
	CHECK_INT(count_names(&f, "packs", NULL), 0);
	CHECK_OK(vv_store_open(&ro, f.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK_INT(vv_store_put(ro, &src.base, &whole, 1, NULL, NULL, NULL, &f.err), VV_ENOTSUP);
	vv_store_free(ro);
	/* No items: the file's hash alone. */
	struct vv_id file, want = sha(data, LEN);
	CHECK_OK(vv_store_put(f.store, &src.base, NULL, 0, &file, NULL, NULL, &f.err), &f.err);
	CHECK(vv_id_eq(&file, &want));
	vv_source_mem_init(&src, vv_span(NULL, 0));
	want = sha(NULL, 0);
	CHECK_OK(vv_store_put(f.store, &src.base, NULL, 0, &file, NULL, NULL, &f.err), &f.err);
	CHECK(vv_id_eq(&file, &want));
	fx_release(&f);
}

/* Thousands of small tensors: an index entry and a tail each, no more. */
static void test_tiny(void)
{
	enum { N = 20000, EACH = 128 };
	struct fixture f;
	uint8_t *raw = malloc(N * EACH);
	struct vv_put_item *items = calloc(N, sizeof(*items));
	struct vv_get_item *gets = calloc(N, sizeof(*gets));
	struct vv_put_stats st;
	struct vv_source_mem src;
	struct vv_id file, want;
	struct vv_store_usage u;
	FILE *tmp = tmpfile();
	uint8_t *have = malloc(N * EACH);

	fx_init(&f);
	fill_noise(raw, N * EACH, 77);
	for (size_t i = 0; i < N; i++)
		items[i] = (struct vv_put_item){.off = i * EACH, .len = EACH, .dtype = VV_DT_BF16};
	vv_source_mem_init(&src, vv_span(raw, N * EACH));
	CHECK_OK(vv_store_put(f.store, &src.base, items, N, &file, &st, NULL, &f.err), &f.err);
	want = sha(raw, N * EACH);
	CHECK(vv_id_eq(&file, &want));
	CHECK_INT(st.objects_new, N);
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK(u.disk <= N * (EACH + 1 + 41 + PACK_ENTRY) + 48); /* mode byte, tail, entry */
	for (size_t i = 0; i < N; i++)
		gets[i] = (struct vv_get_item){items[i].id, EACH, i * EACH};
	CHECK_OK(vv_store_get_fd(f.store, gets, N, fileno(tmp), "a file", NULL, &f.err), &f.err);
	CHECK(pread(fileno(tmp), have, N * EACH, 0) == N * EACH && !memcmp(have, raw, N * EACH));
	fclose(tmp);
	free(have);
	free(raw);
	free(items);
	free(gets);
	fx_release(&f);
}

/* Objects of more than one pack. */
static void test_large(void)
{
	enum { N = 5, EACH = 16 << 20, BIG = N * EACH };
	struct fixture f;
	uint8_t *raw = malloc(BIG);
	struct vv_put_item items[N];
	struct vv_source_mem src;

	fx_init(&f);
	fill_noise(raw, BIG, 5);
	for (size_t i = 0; i < N; i++)
		items[i] = (struct vv_put_item){.off = i * EACH, .len = EACH, .dtype = VV_DT_F32};
	vv_source_mem_init(&src, vv_span(raw, BIG));
	CHECK_OK(vv_store_put(f.store, &src.base, items, N, NULL, NULL, NULL, &f.err), &f.err);
	CHECK_INT(count_names(&f, "packs", NULL), 2);
	for (size_t i = 0; i < N; i++)
		CHECK_OK(get(f.store, &items[i].id, raw + i * EACH, EACH, &f.err), &f.err);
	free(raw);
	fx_release(&f);
}

/* Killed anywhere: what was acknowledged is there, the rest is absent or whole, and the next put works. */
static void test_killed(void)
{
	enum { EACH = 200000, N = 8, ROUNDS = 25 };
	struct fixture f;
	uint64_t seed = 4;
	size_t wrong = 0, killed = 0;

	fx_init(&f);
	for (int round = 0; round < ROUNDS; round++) {
		int acks[2];
		char got[N];
		ssize_t n = 0, more;
		pid_t pid;

		fill_noise(data, EACH * N, 1000 + (uint64_t)round);
		if (pipe(acks))
			exit(1);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			/* Threads do not survive a fork: a pool and a handle of its own. */
			struct vv_pool *pool = vv_pool_new(THREADS);
			struct vv_store *s = NULL;
			struct vv_put_item item;
			if (vv_store_open(&s, f.dir, 0, pool, &f.err))
				_exit(1);
			for (int i = 0; i < N; i++)
				if (try_put(s, data + i * EACH, EACH, VV_DT_F32, NULL, &item, &f.err) || write(acks[1], "a", 1) != 1)
					_exit(1);
			_exit(0);
		}
		close(acks[1]);
		usleep((useconds_t)(rnd(&seed) % 25000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		killed += WIFSIGNALED(status);
		while ((more = read(acks[0], got, sizeof(got))) > 0)
			n += more;
		close(acks[0]);
		fx_open(&f);
		CHECK_INT(vv_store_bad_packs(f.store), 0);
		for (int i = 0; i < N; i++) {
			struct vv_id id = sha(data + i * EACH, EACH);
			int ret = get(f.store, &id, data + i * EACH, EACH, &f.err);
			wrong += i < n ? ret != 0 : ret != 0 && ret != VV_ENOTFOUND;
		}
		struct vv_id id = put(&f, data, EACH, VV_DT_F32, NULL);
		wrong += get(f.store, &id, data, EACH, &f.err) != 0;
	}
	CHECK_INT(wrong, 0);
	CHECK(killed > 0);
	fx_release(&f);
}

/* Two processes put the same at the same moment. */
static void test_two_writers(void)
{
	enum { EACH = 100000, ROUNDS = 10 };
	struct fixture f;
	size_t failed = 0;

	fx_init(&f);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pids[2];
		fill_noise(data, EACH, 2000 + (uint64_t)round);
		fflush(stdout);
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				struct vv_pool *pool = vv_pool_new(1);
				struct vv_store *s = NULL;
				struct vv_put_item item;
				_exit(vv_store_open(&s, f.dir, 0, pool, &f.err) ||
					try_put(s, data, EACH, VV_DT_F32, NULL, &item, &f.err) ||
					get(s, &item.id, data, EACH, &f.err));
			}
		}
		for (int i = 0; i < 2; i++) {
			int status;
			waitpid(pids[i], &status, 0);
			failed += status != 0;
		}
	}
	CHECK_INT(failed, 0);
	CHECK(count_names(&f, "packs", NULL) <= ROUNDS);
	fx_release(&f);
}

/* An object that lost a part is put again, though its id is there. */
static void test_heals(void)
{
	struct fixture f;
	struct vv_put_item item;
	struct vv_id ia, ib;
	static uint8_t b[40000];

	fx_init(&f);
	fill_weights(data, sizeof(b), 2, 1);
	memcpy(b, data, sizeof(b));
	nudge(b, sizeof(b), 2, 3, 30);
	ia = put(&f, data, sizeof(b), VV_DT_BF16, NULL);
	ib = put(&f, b, sizeof(b), VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &ib).depth, 1);
	CHECK_OK(vv_unlink(pack_of(&f, &ia), &f.err), &f.err);
	fx_open(&f);
	CHECK_INT(get(f.store, &ib, b, sizeof(b), &f.err), VV_ECORRUPT);
	CHECK_OK(try_put(f.store, b, sizeof(b), VV_DT_BF16, NULL, &item, &f.err), &f.err);
	CHECK(item.is_new);
	CHECK_OK(get(f.store, &ib, b, sizeof(b), &f.err), &f.err);
	fx_open(&f);
	CHECK_OK(get(f.store, &ib, b, sizeof(b), &f.err), &f.err);
	fx_release(&f);
}

int main(void)
{
	fill_noise(data, LEN, 11);
	test_items();
	test_chunks();
	test_refusals();
	test_tiny();
	test_large();
	test_killed();
	test_two_writers();
	test_heals();
	return done();
}
