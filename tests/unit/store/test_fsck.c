#include "report.h"

enum { LEN = 40000, BIG = 600000 };

static uint8_t v[7][LEN], text[BIG];
static struct said said;

/* A base with five deltas on it, one of them with one more on top. */
static void put_tree(struct fixture *f, struct vv_id *ids)
{
	ids[0] = put(f, v[0], LEN, VV_DT_BF16, NULL);
	for (int i = 1; i < 6; i++)
		ids[i] = put(f, v[i], LEN, VV_DT_BF16, &ids[0]);
	ids[6] = put(f, v[6], LEN, VV_DT_BF16, &ids[5]);
	for (int i = 1; i < 7; i++)
		CHECK_INT(info_of(f->store, &ids[i]).depth, i == 6 ? 2 : 1);
}

static void test_clean(void)
{
	struct fixture f;
	struct vv_id ids[7];
	struct vv_fsck_stats st;

	fx_init(&f);
	st = fsck(&f, true, &said);
	CHECK_INT(st.packs + st.objects + said.n, 0);
	put_tree(&f, ids);
	put(&f, text, BIG, VV_DT_BYTES, NULL);
	st = fsck(&f, false, &said);
	CHECK_INT(said.n, 0);
	CHECK_INT(st.packs, 8);
	CHECK(st.objects > 7 + 1 + BIG / CHUNK_MAX);
	CHECK_INT(st.bytes, 7 * LEN + 2 * BIG);
	CHECK_INT(st.bad_packs + st.bad_objects + st.dependents + st.repaired, 0);
	/* Also for those who may only read. */
	struct vv_store *ro = NULL;
	CHECK_OK(vv_store_open(&ro, f.dir, VV_STORE_READONLY, f.pool, &f.err), &f.err);
	CHECK_OK(vv_store_fsck(ro, false, NULL, &st, NULL, &f.err), &f.err);
	CHECK_INT(vv_store_fsck(ro, true, NULL, &st, NULL, &f.err), VV_ENOTSUP);
	vv_store_free(ro);
	fx_release(&f);
}

/* A bad base: it is named with its place, and so is everything that needs it. Nothing is changed. */
static void test_dependents(void)
{
	struct fixture f;
	struct vv_id ids[7];
	struct vv_fsck_stats st;
	struct entry e;
	char where[100], hex[VV_ID_HEX + 1];

	fx_init(&f);
	put_tree(&f, ids);
	e = entry_of(&f, &ids[0]);
	flip(pack_of(&f, &ids[0]), e.off + 1000, 4);
	for (int round = 0; round < 2; round++) {
		st = fsck(&f, false, &said);
		CHECK_INT(st.bad_packs, 1);
		CHECK_INT(st.bad_objects, 1);
		CHECK_INT(st.dependents, 6);
		CHECK_INT(st.repaired, 0);
		CHECK_INT(said.n, 8);
		snprintf(where, sizeof(where), "pack %.16s at offset %" PRIu64, f.store->packs[0]->hex, e.off);
		CHECK(said_of(&said, &ids[0], where));
		CHECK(said_of(&said, &ids[0], "checksum") || said_of(&said, &ids[0], "does not decode"));
		for (int i = 1; i < 6; i++)
			CHECK(said_of(&said, &ids[i], vv_id_hex(&ids[0], hex)));
		CHECK(said_of(&said, &ids[6], vv_id_hex(&ids[5], hex)));
		CHECK(said_of(&said, NULL, "another SHA-256"));
	}
	CHECK_INT(count_names(&f, "corrupt", NULL), 0);
	CHECK_INT(count_names(&f, "packs", NULL), 7);
	fx_release(&f);
}

/* Every place of a pack, byte by byte through its head, footer and trailer and bit by bit here and there. */
static void test_every_place(void)
{
	struct fixture f;
	char path[300];
	struct vv_id ids[2];
	size_t missed = 0, tried = 0;
	uint64_t size;

	fx_init(&f);
	ids[0] = put(&f, v[0], 1000, VV_DT_BF16, NULL);
	ids[1] = put(&f, v[1], 1000, VV_DT_BF16, &ids[0]);
	into_one(&f, path, sizeof(path));
	size = f.store->packs[0]->size;
	for (uint64_t i = 0; i < size; i += i < 16 || i + 250 > size ? 1 : 23) {
		flip(path, i, (uint8_t)(1 << i % 8));
		vv_store_free(f.store);
		f.store = NULL;
		CHECK_OK(vv_store_open(&f.store, f.dir, 0, f.pool, &f.err), &f.err);
		struct vv_fsck_report report = {note, NULL, &said};
		struct vv_fsck_stats st;
		said.n = 0;
		if (vv_store_fsck(f.store, false, &report, &st, NULL, &f.err) || !st.bad_packs || !said.n)
			missed++;
		tried++;
		flip(path, i, (uint8_t)(1 << i % 8));
	}
	CHECK(tried > 200);
	CHECK_INT(missed, 0);
	fx_release(&f);
}

/* Two packs with each other's name, a pack filled with zeros in part. */
static void test_swapped(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ia, ib;
	char pa[300], pb[300], tmp[300];
	int fd;
	static uint8_t zeros[4096];

	fx_init(&f);
	ia = put(&f, v[0], LEN, VV_DT_BF16, NULL);
	ib = put(&f, v[1], LEN - 2, VV_DT_BF16, NULL);
	snprintf(pa, sizeof(pa), "%s", pack_of(&f, &ia));
	snprintf(pb, sizeof(pb), "%s", pack_of(&f, &ib));
	snprintf(tmp, sizeof(tmp), "%s/x", f.root);
	CHECK_OK(vv_rename(pa, tmp, &f.err), &f.err);
	CHECK_OK(vv_rename(pb, pa, &f.err), &f.err);
	CHECK_OK(vv_rename(tmp, pb, &f.err), &f.err);
	fx_open(&f);
	st = fsck(&f, false, &said);
	CHECK_INT(st.bad_packs, 2);
	CHECK_INT(st.bad_objects, 0);
	CHECK_OK(get(f.store, &ia, v[0], LEN, &f.err), &f.err);
	chmod(pb, 0644);
	fd = open(pb, O_WRONLY | O_CLOEXEC);
	CHECK(pwrite(fd, zeros, 4096, 8192) == 4096);
	close(fd);
	st = fsck(&f, false, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(get(f.store, &ia, v[0], LEN, &f.err), VV_ECORRUPT);
	fx_release(&f);
}

/* A bad chunk: its list is a dependent. */
static void test_chunk(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct object *o = NULL;
	struct vv_id id, chunk;
	struct entry e;
	uint32_t len;

	fx_init(&f);
	id = put(&f, text, BIG, VV_DT_BYTES, NULL);
	CHECK_OK(object_open(&o, f.store, &id, &f.err), &f.err);
	object_chunk(o, 2, &chunk, &len);
	object_free(o);
	e = entry_of(&f, &chunk);
	flip(pack_of(&f, &chunk), e.off + 9, 4);
	st = fsck(&f, false, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(st.dependents, 1);
	CHECK(said_of(&said, &id, "needs object"));
	/* The list itself. */
	flip(pack_of(&f, &chunk), e.off + 9, 4);
	e = entry_of(&f, &id);
	flip(pack_of(&f, &chunk), e.off + 9, 4);
	st = fsck(&f, false, &said);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(st.dependents, 0);
	fx_release(&f);
}

int main(void)
{
	fill_weights(v[0], LEN, 2, 1);
	for (int i = 1; i < 7; i++) {
		memcpy(v[i], v[i == 6 ? 5 : 0], LEN);
		nudge(v[i], LEN, 2, (uint64_t)i, 60);
	}
	fill_noise(text, BIG, 3);
	test_clean();
	test_dependents();
	test_every_place();
	test_swapped();
	test_chunk();
	return done();
}
