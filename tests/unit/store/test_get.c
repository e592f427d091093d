#include "fixture.h"

enum { LEN = 500000 };

static uint8_t a[LEN], b[LEN], text[LEN];

struct three {
	struct vv_id a, b, text;
};

static struct three put_three(struct fixture *f)
{
	struct three t;

	t.a = put(f, a, LEN, VV_DT_BF16, NULL);
	t.b = put(f, b, LEN, VV_DT_BF16, &t.a);
	t.text = put(f, text, LEN, VV_DT_BYTES, NULL);
	return t;
}

/* Several at once, each at its place; with nothing between them touched. */
static void test_places(void)
{
	struct fixture f;
	struct three t;
	uint8_t *have = malloc(4 * LEN);
	FILE *tmp = tmpfile();

	fx_init(&f);
	t = put_three(&f);
	struct vv_get_item items[] = {{t.text, LEN, 3 * LEN}, {t.a, LEN, 0}, {t.b, LEN, LEN + 7}, {t.a, LEN, 2 * LEN + 7}};
	memset(have, 'x', 4 * LEN);
	CHECK(pwrite(fileno(tmp), have, 4 * LEN, 0) == 4 * LEN);
	CHECK_OK(vv_store_get_fd(f.store, items, 3, fileno(tmp), "out", NULL, &f.err), &f.err);
	CHECK(pread(fileno(tmp), have, 4 * LEN, 0) == 4 * LEN);
	CHECK(!memcmp(have, a, LEN) && !memcmp(have + LEN + 7, b, LEN) && !memcmp(have + 3 * LEN, text, LEN));
	CHECK(!memcmp(have + LEN, "xxxxxxx", 7) && have[2 * LEN + 7] == 'x' && have[3 * LEN - 1] == 'x');
	CHECK_OK(vv_store_verify(f.store, items, 4, NULL, &f.err), &f.err);
	CHECK_OK(vv_store_verify(f.store, NULL, 0, NULL, &f.err), &f.err);
	free(have);
	fclose(tmp);
	fx_release(&f);
}

static void test_refusals(void)
{
	struct fixture f;
	struct three t;
	struct vv_id none = {{0xab, 1}};
	char path[300];
	int ro;

	fx_init(&f);
	t = put_three(&f);
	CHECK_INT(get(f.store, &t.a, a, LEN - 2, &f.err), VV_ECORRUPT);
	CHECK_INT(get(f.store, &t.text, text, LEN - 2, &f.err), VV_ECORRUPT);
	CHECK_INT(get(f.store, &t.text, text, LEN + 2, &f.err), VV_ECORRUPT);
	CHECK_INT(get(f.store, &none, a, LEN, &f.err), VV_ENOTFOUND);
	CHECK(strstr(f.err.msg, "ab01") != NULL);
	/* A file that cannot be written. */
	snprintf(path, sizeof(path), "%s/ro", f.root);
	CHECK_OK(vv_write_file(path, vv_span("x", 1), false, &f.err), &f.err);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	struct vv_get_item item = {t.a, LEN, 0};
	CHECK_INT(vv_store_get_fd(f.store, &item, 1, ro, "out", NULL, &f.err), VV_EIO);
	CHECK(!strncmp(f.err.msg, "out", 3));
	close(ro);
	fx_release(&f);
}

/* A chunk that is gone is the list's fault, by name. */
static void test_missing_chunk(void)
{
	struct fixture f;
	struct vv_put_item item;
	struct vv_id chunk;
	struct object *o = NULL;
	char hex[VV_ID_HEX + 1];
	uint32_t len;

	fx_init(&f);
	/* One chunk first, in a pack of its own. */
	chunk = put(&f, text, chunk_cut(text, LEN), VV_DT_BYTES, NULL);
	CHECK_OK(try_put(f.store, text, LEN, VV_DT_BYTES, NULL, &item, &f.err), &f.err);
	CHECK_OK(object_open(&o, f.store, &item.id, &f.err), &f.err);
	struct vv_id first;
	object_chunk(o, 0, &first, &len);
	CHECK(vv_id_eq(&first, &chunk));
	object_free(o);
	CHECK_OK(vv_unlink(pack_of(&f, &chunk), &f.err), &f.err);
	fx_open(&f);
	CHECK_INT(get(f.store, &item.id, text, LEN, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, vv_id_hex(&item.id, hex)) != NULL);
	fx_release(&f);
}

/* Random bits of random packs: each is noticed, or the bytes are right. Never wrong ones. */
static void test_random_flips(void)
{
	struct fixture f;
	struct three t;
	struct names packs;
	uint64_t seed = 99;
	size_t wrong = 0, noticed = 0, codes = 0;

	fx_init(&f);
	t = put_three(&f);
	count_names(&f, "packs", &packs);
	for (int i = 0; i < 150; i++) {
		char path[300];
		struct stat st;
		struct vv_store *s = NULL;
		snprintf(path, sizeof(path), "%s/packs/%s", f.dir, packs.name[rnd(&seed) % packs.n]);
		if (stat(path, &st))
			exit(1);
		uint64_t at = rnd(&seed) % (uint64_t)st.st_size;
		uint8_t bit = (uint8_t)(1 << rnd(&seed) % 8);
		flip(path, at, bit);
		if (!vv_store_open(&s, f.dir, VV_STORE_READONLY, f.pool, &f.err)) {
			const struct vv_id *ids[] = {&t.a, &t.b, &t.text};
			const uint8_t *want[] = {a, b, text};
			int bad = 0;
			for (int k = 0; k < 3; k++) {
				int ret = get(s, ids[k], want[k], LEN, &f.err);
				wrong += ret > 0;
				codes += ret < 0 && ret != VV_ECORRUPT && ret != VV_ENOTFOUND;
				bad |= ret != 0;
			}
			noticed += bad;
		}
		vv_store_free(s);
		flip(path, at, bit);
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(codes, 0);
	CHECK(noticed > 140); /* reserved bytes of a head, spare bits of a code */
	fx_release(&f);
}

static bool all(void *arg VV_UNUSED, const struct vv_id *id VV_UNUSED)
{
	return true;
}

/* Another process merges the packs while they are read: the read goes on. */
static void test_merged_away(void)
{
	struct fixture f;
	struct vv_store *other = NULL;
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;
	struct three t;

	fx_init(&f);
	t = put_three(&f);
	fx_open(&f); /* knows three packs, has none open */
	CHECK_OK(vv_store_open(&other, f.dir, 0, f.pool, &f.err), &f.err);
	CHECK_OK(vv_store_gc(other, all, NULL, &opt, &st, NULL, &f.err), &f.err);
	CHECK_INT(st.packs_rewritten, 3);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_OK(get(f.store, &t.b, b, LEN, &f.err), &f.err);
	CHECK(store_losses(f.store) > 0);
	CHECK_OK(get(f.store, &t.text, text, LEN, &f.err), &f.err);
	vv_store_free(other);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 2, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 2, 50);
	for (size_t i = 0; i < LEN; i++)
		text[i] = (uint8_t)("the quick brown fox, "[i % 21] ^ (i / 977 * 31 & 255));
	test_places();
	test_refusals();
	test_missing_chunk();
	test_random_flips();
	test_merged_away();
	return done();
}
