#include "fixture.h"

#include <xxhash.h>

enum { LEN = 3000 };

static uint8_t data[LEN];

/* A pack with three objects, one a delta; its path and bytes. */
static struct vv_buf make(struct fixture *f, char *path, size_t cap)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_put_item items[3];
	struct vv_source_mem src;
	struct names n = {.n = 0};
	struct vv_id base = put(f, data, LEN / 3, VV_DT_BF16, NULL);

	vv_source_mem_init(&src, vv_span(data, LEN));
	for (size_t i = 0; i < 3; i++)
		items[i] = (struct vv_put_item){.off = i * LEN / 3, .len = LEN / 3, .dtype = VV_DT_BF16, .has_base = true, .base = base};
	CHECK_OK(vv_store_put(f->store, &src.base, items, 3, NULL, NULL, NULL, &f->err), &f->err);
	snprintf(path, cap, "%s", pack_of(f, &items[1].id));
	CHECK_OK(vv_read_file(&b, path, &f->err), &f->err);
	CHECK_INT(count_names(f, "packs", &n), 2);
	return b;
}

/* Opens these bytes as a pack. */
static int open_bytes(struct fixture *f, const struct vv_buf *b, struct pack **out)
{
	char path[200];
	struct vv_id id;

	snprintf(path, sizeof(path), "%s/a.pack", f->root);
	vv_sha256(vv_buf_view(b), &id);
	if (vv_write_file(path, vv_buf_view(b), false, &f->err))
		return f->err.code;
	return pack_open(out, path, &id, &f->err);
}

/* Makes the index's checksum right again. */
static void seal(struct vv_buf *b)
{
	uint64_t off = vv_get64(b->ptr + b->len - 32);

	vv_put64(b->ptr + b->len - 16, XXH64(b->ptr + off, b->len - 32 - off, 0));
}

static void test_flips(void)
{
	struct fixture f;
	char path[300];
	struct vv_buf b;
	struct pack *p = NULL;
	uint64_t footer;
	size_t opened = 0, wrong = 0;

	fx_init(&f);
	b = make(&f, path, sizeof(path));
	CHECK_OK(open_bytes(&f, &b, &p), &f.err);
	footer = p->footer_off;
	CHECK_INT(p->n, 2);
	CHECK_INT(p->n_bases, 1);
	pack_free(p);
	for (size_t i = 0; i < b.len; i++) {
		if (i == PACK_HEAD)
			i = footer; /* records are not read when a pack is opened */
		for (int bit = 0; bit < 8; bit++) {
			b.ptr[i] ^= (uint8_t)(1 << bit);
			p = NULL;
			int ret = open_bytes(&f, &b, &p);
			opened += !ret && i >= 8; /* the last 8 bytes of the head say nothing yet */
			wrong += ret && ret != VV_ECORRUPT && !(ret == VV_ENOTSUP && (i == 6 || i == 7));
			pack_free(ret ? NULL : p);
			b.ptr[i] ^= (uint8_t)(1 << bit);
		}
	}
	CHECK_INT(opened, 64);
	CHECK_INT(wrong, 0);
	for (size_t len = 0; len < b.len; len += 13) {
		struct vv_buf shorter = b;
		shorter.len = len;
		wrong += open_bytes(&f, &shorter, &p) != VV_ECORRUPT;
	}
	CHECK_INT(wrong, 0);
	vv_buf_release(&b);
	fx_release(&f);
}

/* Entries that lie under a right checksum. */
static void test_lies(void)
{
	static const struct {
		size_t at;
		uint8_t bytes[6], n;
	} lies[] = {
		{32, {0, 0, 0, 0, 0, 0}, 6},                   /* begins in the head */
		{32, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 6}, /* behind the end */
		{38, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 6}, /* longer than the file */
		{38, {1, 0, 0, 0, 0, 0}, 6},                   /* shorter than its tail */
		{44, {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 6}, /* more blocks than rows */
		{50, {0xff, 0xff, 0xff, 0x7f}, 4},
		{50, {1, 0, 0, 0}, 4},
		{54, {9, 0, 0, 0}, 4}, /* no such base */
		{58, {VV_DT_COUNT}, 1},
		{59, {2}, 1},
		{60, {MAX_DEPTH + 1}, 1},
		{61, {1}, 1},
		{62, {1}, 1},
		{63, {1}, 1},
	};
	struct fixture f;
	char path[300];
	struct vv_buf b;
	struct pack *p = NULL;
	uint8_t *row;

	fx_init(&f);
	b = make(&f, path, sizeof(path));
	row = b.ptr + vv_get64(b.ptr + b.len - 32);
	for (size_t i = 0; i < VV_COUNT(lies); i++) {
		uint8_t keep[PACK_ENTRY];
		memcpy(keep, row, PACK_ENTRY);
		memcpy(row + lies[i].at, lies[i].bytes, lies[i].n);
		seal(&b);
		CHECK_INT(open_bytes(&f, &b, &p), VV_ECORRUPT);
		memcpy(row, keep, PACK_ENTRY);
	}
	/* Not in order; twice the same. */
	uint8_t one[PACK_ENTRY];
	memcpy(one, row, PACK_ENTRY);
	memcpy(row, row + PACK_ENTRY, PACK_ENTRY);
	seal(&b);
	CHECK_INT(open_bytes(&f, &b, &p), VV_ECORRUPT);
	memcpy(row + PACK_ENTRY, one, PACK_ENTRY);
	seal(&b);
	CHECK_INT(open_bytes(&f, &b, &p), VV_ECORRUPT);
	memcpy(row + PACK_ENTRY, row, PACK_ENTRY);
	memcpy(row, one, PACK_ENTRY);
	seal(&b);
	CHECK_OK(open_bytes(&f, &b, &p), &f.err);
	pack_free(p);
	vv_buf_release(&b);
	fx_release(&f);
}

/* Short indexes are read, long ones mapped: both find all, and nothing else. */
static void test_find(void)
{
	static const size_t sizes[] = {1, 10, 1000};
	struct fixture f;
	struct vv_id none = {{1, 2, 3}};

	fx_init(&f);
	for (size_t k = 0; k < VV_COUNT(sizes); k++) {
		size_t n = sizes[k], found = 0, at;
		uint8_t *raw = malloc(n * 16);
		struct vv_put_item *items = calloc(n, sizeof(*items));
		struct vv_source_mem src;
		struct pack *p = NULL;
		fill_noise(raw, n * 16, 100 + k);
		vv_source_mem_init(&src, vv_span(raw, n * 16));
		for (size_t i = 0; i < n; i++)
			items[i] = (struct vv_put_item){.off = i * 16, .len = 16, .dtype = VV_DT_I32};
		CHECK_OK(vv_store_put(f.store, &src.base, items, n, NULL, NULL, NULL, &f.err), &f.err);
		p = f.store->packs[f.store->n_packs - 1];
		CHECK_INT(p->n, n);
		CHECK_INT(p->mapped, n == 1000);
		for (size_t i = 0; i < n; i++)
			found += pack_find(p, &items[i].id, &at) && !memcmp(p->index.ptr + at * PACK_ENTRY, items[i].id.b, 32);
		CHECK_INT(found, n);
		CHECK(!pack_find(p, &none, &at));
		free(raw);
		free(items);
	}
	fx_release(&f);
}

/* A pack that moves is followed; one that is gone is counted. */
static void test_read(void)
{
	struct fixture f;
	char path[300], to[400], dir[300];
	struct vv_buf b;
	struct pack *p;
	uint8_t head[8];

	fx_init(&f);
	b = make(&f, path, sizeof(path));
	p = f.store->packs[f.store->n_packs - 1];
	CHECK_STR(p->path, path);
	CHECK_OK(pack_verify(path, &p->name, &f.err), &f.err);
	CHECK_INT(pack_read(f.store, p, p->size - 7, head, 8, &f.err), VV_ECORRUPT);
	CHECK_INT(pack_read(f.store, p, UINT64_MAX, head, 8, &f.err), VV_ECORRUPT);
	snprintf(dir, sizeof(dir), "%s/trash/7", f.dir);
	CHECK_OK(vv_mkdirs(dir, &f.err), &f.err);
	snprintf(to, sizeof(to), "%s/%s.pack", dir, p->hex);
	CHECK_OK(vv_rename(path, to, &f.err), &f.err);
	CHECK_OK(pack_read(f.store, p, 0, head, 8, &f.err), &f.err);
	CHECK(!memcmp(head, "VVPACK", 6));
	CHECK(p->trashed && p->trashed_s == 7);
	CHECK_INT(store_losses(f.store), 0);
	fx_open(&f);
	for (size_t i = 0; i < f.store->n_packs; i++)
		if (f.store->packs[i]->trashed)
			p = f.store->packs[i];
	CHECK_OK(vv_unlink(to, &f.err), &f.err);
	CHECK_INT(pack_read(f.store, p, 0, head, 8, &f.err), VV_ENOTFOUND);
	CHECK_INT(store_losses(f.store), 1);
	vv_buf_release(&b);
	fx_release(&f);
}

static void test_verify(void)
{
	struct fixture f;
	struct vv_id id;
	struct pack *p;

	fx_init(&f);
	id = put(&f, data, LEN, VV_DT_F32, NULL);
	p = f.store->packs[0];
	CHECK_OK(pack_verify(p->path, &p->name, &f.err), &f.err);
	flip(pack_of(&f, &id), 10, 1);
	CHECK_INT(pack_verify(p->path, &p->name, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, p->hex) != NULL);
	fx_release(&f);
}

int main(void)
{
	fill_weights(data, LEN, 2, 1);
	memcpy(data + LEN / 3, data, LEN / 3);
	nudge(data + LEN / 3, LEN / 3, 2, 4, 20);
	test_flips();
	test_lies();
	test_find();
	test_read();
	test_verify();
	return done();
}
