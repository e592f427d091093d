#include "fixture.h"

enum { LEN = 600000 };

static uint8_t a[LEN], b[LEN], c[LEN];

/* A base is used when it helps, and only then. */
static void test_choice(void)
{
	struct fixture f;
	struct vv_id ia, ib, ic;
	struct vv_object_info info, solo;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	ic = put(&f, c, LEN, VV_DT_BF16, &ia);
	solo = info_of(f.store, &ia);
	info = info_of(f.store, &ib);
	CHECK(info.depth == 1 && vv_id_eq(&info.base, &ia));
	CHECK(info.stored < solo.stored / 2);
	info = info_of(f.store, &ic);
	CHECK_INT(info.depth, 0); /* noise */
	CHECK(info.stored < LEN + LEN / 100);
	fx_release(&f);
}

/* What cannot be a base is none: another type, another size, one that is not there, nearly nothing. */
static void test_no_base(void)
{
	struct fixture f;
	struct vv_id ia, id, none = {{1}};

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	id = put(&f, b, LEN, VV_DT_F16, &ia);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	id = put(&f, b, LEN - 2, VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	id = put(&f, b + 2, LEN - 2, VV_DT_BF16, &none);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	ia = put(&f, a, 200, VV_DT_BF16, NULL);
	id = put(&f, b, 200, VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	fx_release(&f);
}

/* A narrower copy goes against its original: exact casts cost next to nothing, cut ones a little. */
static void test_cast(enum vv_dtype narrow)
{
	enum { N = LEN / 4 };
	struct fixture f;
	struct vv_object_info info;
	struct vv_id wide, id, next;
	uint8_t *p = malloc(LEN), *q = malloc(LEN);

	fx_init(&f);
	fill_weights(p, LEN, 4, 77);
	wide = put(&f, p, LEN, VV_DT_F32, NULL);
	memcpy(q, p, LEN);
	vv_narrow(VV_DT_F32, narrow, q, N);
	id = put(&f, q, 2 * N, narrow, &wide);
	info = info_of(f.store, &id);
	CHECK_INT(info.depth, 1);
	CHECK(vv_id_eq(&info.base, &wide));
	CHECK(info.stored < 400);
	CHECK_OK(get(f.store, &id, q, 2 * N, &f.err), &f.err);

	/* On from there, against the copy. */
	q[2 * N - 2] ^= 1;
	next = put(&f, q, 2 * N, narrow, &id);
	CHECK_INT(info_of(f.store, &next).depth, 2);
	CHECK_OK(get(f.store, &next, q, 2 * N, &f.err), &f.err);

	for (size_t i = 0; i < N; i++)
		memcpy(q + 2 * i, p + 4 * i + 2, 2);
	id = put(&f, q, 2 * N, narrow, &wide);
	CHECK_INT(info_of(f.store, &id).depth, narrow == VV_DT_BF16);
	CHECK_OK(get(f.store, &id, q, 2 * N, &f.err), &f.err);

	/* Of as many elements it must be, and never the other way. */
	id = put(&f, q + 4, 2 * N - 4, narrow, &wide);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	p[0] ^= 1;
	id = put(&f, p, LEN, VV_DT_F32, &id);
	CHECK_INT(info_of(f.store, &id).depth, 0);
	free(p);
	free(q);
	fx_release(&f);
}

/* A base that is damaged is none, and that it is does not fail the put. */
static void test_damaged_base(void)
{
	struct fixture f;
	struct vv_put_item item;
	struct vv_id ia;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	flip(pack_of(&f, &ia), 1000, 0xff);
	CHECK_OK(try_put(f.store, b, LEN, VV_DT_BF16, &ia, &item, &f.err), &f.err);
	CHECK_INT(info_of(f.store, &item.id).depth, 0);
	CHECK_OK(get(f.store, &item.id, b, LEN, &f.err), &f.err);
	fx_release(&f);
}

/* Low bits that are zero in all but the last element: the samples do not see it, the sums do. */
static void test_dead_bits(void)
{
	struct fixture f;
	struct vv_id id;
	float *v = malloc(LEN);

	fx_init(&f);
	fill_weights((uint8_t *)v, LEN, 4, 5);
	for (size_t i = 0; i < LEN / 4; i++) {
		uint32_t u;
		memcpy(&u, &v[i], 4);
		u &= 0xffff0000u;
		memcpy(&v[i], &u, 4);
	}
	id = put(&f, v, LEN, VV_DT_F32, NULL);
	CHECK(info_of(f.store, &id).stored < LEN / 2);
	CHECK_OK(get(f.store, &id, v, LEN, &f.err), &f.err);
	((uint8_t *)v)[LEN / 2 + 4] |= 1;
	id = put(&f, v, LEN, VV_DT_F32, NULL);
	CHECK_OK(get(f.store, &id, v, LEN, &f.err), &f.err);
	fx_release(&f);
	free(v);
}

/* A source whose bytes change after they were hashed. */
struct fickle {
	struct vv_source base;
	const uint8_t *data;
	_Atomic unsigned reads;
	unsigned change_at;
};

static int fickle_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err VV_UNUSED)
{
	struct fickle *s = (struct fickle *)(uintptr_t)self;
	unsigned n = s->reads++;

	memcpy(dst, s->data + off, len);
	if (n >= s->change_at)
		*(uint8_t *)dst ^= 1;
	return 0;
}

static void test_changed(void)
{
	struct fixture f;
	unsigned ok = 0, changed = 0;

	fx_init(&f);
	for (unsigned at = 1; at < 40; at++) {
		struct fickle src = {{LEN, fickle_read}, a, 0, at};
		struct vv_put_item item = {.len = LEN, .dtype = VV_DT_BF16};
		int ret = vv_store_put(f.store, &src.base, &item, 1, NULL, NULL, NULL, &f.err);
		if (!ret) {
			ok++;
			/* Then what was hashed and stored is one thing, whatever it was. */
			struct vv_get_item get_item = {item.id, LEN, 0};
			CHECK_OK(vv_store_verify(f.store, &get_item, 1, NULL, &f.err), &f.err);
		} else {
			changed += ret == VV_ECHANGED;
			CHECK_INT(count_names(&f, "packs", NULL), ok);
		}
	}
	CHECK(changed > 2);
	fx_release(&f);
}

static void test_again(void)
{
	struct fixture f;
	struct pack_writer w;
	struct vv_source_mem src;
	struct scratch *s;
	struct entry e = {.size = LEN, .dtype = VV_DT_BF16};
	struct vv_id ia;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	vv_sha256(vv_span(b, LEN), &e.id);
	s = scratch_take(f.store, NULL, &f.err);
	writer_init(&w, f.store);
	vv_source_mem_init(&src, vv_span(a, LEN));
	CHECK_INT(encode_again(&w, &src.base, &e, NULL, s, &f.err), VV_ECORRUPT);
	vv_source_mem_init(&src, vv_span(b, LEN));
	CHECK_OK(encode_again(&w, &src.base, &e, &ia, s, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	CHECK_INT(info_of(f.store, &e.id).depth, 1);
	CHECK_OK(get(f.store, &e.id, b, LEN, &f.err), &f.err);
	/* An empty one, and bytes of many blocks. */
	e = (struct entry){.dtype = VV_DT_BYTES};
	vv_sha256(vv_span(NULL, 0), &e.id);
	CHECK_OK(encode_again(&w, &src.base, &e, NULL, s, &f.err), &f.err);
	e = (struct entry){.size = LEN, .dtype = VV_DT_BYTES};
	vv_source_mem_init(&src, vv_span(c, LEN));
	vv_sha256(vv_span(c, LEN), &e.id);
	CHECK_OK(encode_again(&w, &src.base, &e, NULL, s, &f.err), &f.err);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	CHECK_OK(get(f.store, &e.id, c, LEN, &f.err), &f.err);
	writer_release(&w);
	scratch_give(f.store, s);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 2, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 2, 50);
	fill_noise(c, LEN, 3);
	test_choice();
	test_no_base();
	test_cast(VV_DT_BF16);
	test_cast(VV_DT_F16);
	test_damaged_base();
	test_dead_bits();
	test_changed();
	test_again();
	return done();
}
