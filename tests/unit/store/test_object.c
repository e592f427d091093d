#include "fixture.h"

static uint8_t a[1 << 21], b[1 << 21];

/* Every element type, at the sizes where blocks begin and end, alone and against a base. */
static void test_types(void)
{
	struct fixture f;
	size_t wrong = 0, deltas = 0;

	fx_init(&f);
	for (unsigned dt = 0; dt < VV_DT_COUNT; dt++) {
		size_t w = vv_dtype_width((enum vv_dtype)dt), block = vv_block_bytes((enum vv_dtype)dt);
		size_t sizes[] = {0, w, 300 * w, block - w, block, block + w};
		for (size_t i = 0; i < VV_COUNT(sizes); i++) {
			size_t len = sizes[i];
			if (len > sizeof(a))
				continue;
			fill_weights(a, len, (unsigned)w, dt * 100 + i);
			memcpy(b, a, len);
			nudge(b, len, (unsigned)w, i, 9);
			struct vv_id ia = put(&f, a, len, (enum vv_dtype)dt, NULL);
			struct vv_id ib = put(&f, b, len, (enum vv_dtype)dt, &ia);
			deltas += info_of(f.store, &ib).depth > 0;
			wrong += get(f.store, &ia, a, len, &f.err) != 0;
			wrong += get(f.store, &ib, b, len, &f.err) != 0;
		}
	}
	CHECK_INT(wrong, 0);
	CHECK(deltas > 40);
	fx_release(&f);
}

/* Each bit of a small record and of a delta: never other bytes than those that were put. */
static void test_flips(void)
{
	enum { LEN = 1500 };
	struct fixture f;
	struct vv_id ia, ib;

	fill_weights(a, LEN, 2, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 1, 5);
	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &ib).depth, 1);
	for (int k = 0; k < 2; k++) {
		const struct vv_id *id = k ? &ib : &ia;
		struct entry e = entry_of(&f, id);
		char path[300];
		size_t wrong = 0, noticed = 0, code = 0;
		snprintf(path, sizeof(path), "%s", pack_of(&f, id));
		for (uint64_t i = 0; i < e.stored * 8; i += i < (e.stored - e.tail) * 8 ? 3 : 1) {
			flip(path, e.off + i / 8, (uint8_t)(1 << i % 8));
			struct object *o = NULL;
			struct scratch *s = scratch_take(f.store, NULL, &f.err);
			int ret = object_open(&o, f.store, id, &f.err);
			if (!ret)
				ret = object_verify(o, s, &f.err);
			noticed += ret != 0;
			code += ret && ret != VV_ECORRUPT;
			if (!ret && (object_block(o, 0, s->raw, s, &f.err) || memcmp(s->raw, k ? b : a, LEN)))
				wrong++;
			if (i / 8 >= e.stored - e.tail && !ret)
				wrong++; /* the tail has no bit to spare */
			object_free(o);
			scratch_give(f.store, s);
			flip(path, e.off + i / 8, (uint8_t)(1 << i % 8));
		}
		CHECK_INT(wrong, 0);
		CHECK_INT(code, 0);
		CHECK(noticed > (e.stored - e.tail) * 2);
	}
	CHECK_OK(get(f.store, &ib, b, LEN, &f.err), &f.err);
	fx_release(&f);
}

/* A chain grows to MAX_DEPTH and no further; every version stays readable. */
static void test_chain(void)
{
	enum { LEN = 6000, N = 30 };
	struct fixture f;
	struct vv_id ids[N];
	unsigned deepest = 0, over = 0;
	size_t wrong = 0;

	fx_init(&f);
	fill_weights(a, LEN, 4, 3);
	for (int i = 0; i < N; i++) {
		nudge(a, LEN, 4, (uint64_t)i, 40);
		memcpy(b + (size_t)i * LEN, a, LEN);
		ids[i] = put(&f, a, LEN, VV_DT_F32, i ? &ids[i - 1] : NULL);
		unsigned depth = info_of(f.store, &ids[i]).depth;
		deepest = depth > deepest ? depth : deepest;
		over += depth > MAX_DEPTH;
	}
	CHECK_INT(deepest, MAX_DEPTH);
	CHECK_INT(over, 0);
	for (int i = 0; i < N; i++)
		wrong += get(f.store, &ids[i], b + (size_t)i * LEN, LEN, &f.err) != 0;
	CHECK_INT(wrong, 0);
	fx_release(&f);
}

/* Writes a pack with the records of two objects under other depths and bases. */
static void forge(struct fixture *f, const struct vv_id *id, const struct entry *as)
{
	struct pack_writer w;
	struct vv_store *where;
	struct pack *p;
	struct entry e;

	CHECK_OK(store_locate(f->store, id, ANY_DEPTH, &where, &p, &e, &f->err), &f->err);
	e.id = as->id;
	e.depth = as->depth;
	e.base = as->base;
	writer_init(&w, f->store);
	CHECK_OK(writer_record(&w, f->store, p, &e, &f->err), &f->err);
	CHECK_OK(writer_publish(&w, &f->err), &f->err);
	writer_release(&w);
}

/* What hostile packs may say: a base of equal depth, itself as base, an id that is not its own. */
static void test_hostile(void)
{
	enum { LEN = 4000 };
	struct fixture f;
	struct vv_id ia, ib, fake = {{0xfa}};
	struct object *o = NULL;
	struct entry e;
	struct scratch *s;

	fx_init(&f);
	fill_weights(a, LEN, 2, 7);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 8, 30);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	s = scratch_take(f.store, NULL, &f.err);
	/* Its base is itself, as deep as itself. */
	e = (struct entry){.id = fake, .depth = 1, .base = fake};
	forge(&f, &ib, &e);
	CHECK_INT(object_open(&o, f.store, &fake, &f.err), VV_ECORRUPT);
	/* Right but for its name. */
	fake.b[1] = 1;
	e = (struct entry){.id = fake};
	forge(&f, &ia, &e);
	CHECK_OK(object_open(&o, f.store, &fake, &f.err), &f.err);
	CHECK_INT(object_verify(o, s, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, "another SHA-256") != NULL);
	object_free(o);
	CHECK_INT(get(f.store, &fake, a, LEN, &f.err), VV_ECORRUPT);
	scratch_give(f.store, s);
	CHECK_OK(get(f.store, &ib, b, LEN, &f.err), &f.err);
	fx_release(&f);
}

/* A base that is gone, one of another shape. */
static void test_bases(void)
{
	enum { LEN = 4000 };
	struct fixture f;
	struct vv_id ia, ib, other;
	struct object *o = NULL;
	char path[300];

	fx_init(&f);
	fill_weights(a, LEN, 2, 7);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 8, 30);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	snprintf(path, sizeof(path), "%s", pack_of(&f, &ia));
	CHECK_OK(vv_unlink(path, &f.err), &f.err);
	fx_open(&f);
	CHECK_INT(object_open(&o, f.store, &ib, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, "its base is missing") != NULL);
	/* The base's name on something shorter. */
	other = put(&f, a, LEN / 2, VV_DT_BF16, NULL);
	struct entry e = {.id = ia};
	forge(&f, &other, &e);
	CHECK_INT(object_open(&o, f.store, &ib, &f.err), VV_ECORRUPT);
	CHECK(strstr(f.err.msg, "another shape") != NULL);
	fx_release(&f);
}

static void test_list(void)
{
	struct fixture f;
	struct object *o = NULL;
	struct scratch *s;
	struct vv_id id, hash, chunk;
	uint64_t sum = 0;
	uint32_t len;

	fx_init(&f);
	fill_noise(a, 900000, 5);
	id = put(&f, a, 900000, VV_DT_BYTES, NULL);
	s = scratch_take(f.store, NULL, &f.err);
	CHECK_OK(object_open(&o, f.store, &id, &f.err), &f.err);
	CHECK_INT(o->e.kind, KIND_CHUNKS);
	CHECK(o->n_rows > 4);
	for (size_t i = 0; i < o->n_rows; i++) {
		struct vv_id want;
		object_chunk(o, i, &chunk, &len);
		vv_sha256(vv_span(a + sum, len), &want);
		CHECK(vv_id_eq(&want, &chunk));
		sum += len;
	}
	CHECK_INT(sum, 900000);
	CHECK_OK(object_hash(o, s, &hash, &f.err), &f.err);
	CHECK(vv_id_eq(&hash, &id));
	object_free(o);
	scratch_give(f.store, s);
	fx_release(&f);
}

int main(void)
{
	test_types();
	test_flips();
	test_chain();
	test_hostile();
	test_bases();
	test_list();
	return done();
}
