/* Every type, alone and against a base, over lengths, shifts, classes and kinds of data. */
#include "codec/codec.h"
#include "data.h"
#include "oracle.h"
#include "tap.h"

#include <pthread.h>

struct block {
	struct vv_codec_params p;
	uint8_t *raw, *base, *coded;
	size_t len, coded_len;
	bool delta;
};

static void make(struct block *b, enum vv_dtype dt, enum kind kind, size_t len, bool delta)
{
	*b = (struct block){{.dtype = dt}, malloc(len + 1), malloc(len + 1), malloc(vv_block_bound(len)), len, 0, delta};
	data_fill(kind, b->raw, b->base, len, vv_dtype_width(dt));
}

static void drop(struct block *b)
{
	free(b->raw);
	free(b->base);
	free(b->coded);
}

static void plan(struct vv_codec *c, struct block *b)
{
	const uint8_t *raw = b->raw, *base = b->base;

	vv_codec_plan(c, &b->p, b->p.dtype, &raw, b->delta ? &base : NULL, &b->len, b->len ? 1 : 0);
}

/* Decodes n coded bytes by both decoders from memory of exactly that size: 0 when they agree. */
static int agree(struct vv_codec *c, const struct block *b, const uint8_t *coded, size_t n, int *bad_code)
{
	uint8_t *tight = malloc(n), *one = malloc(b->len + 1), *two = malloc(b->len + 1);
	const uint8_t *base = b->delta ? b->base : NULL;
	struct vv_err err = VV_ERR_INIT;
	int r, s;

	memcpy(tight, coded, n);
	memset(one, 1, b->len);
	memset(two, 2, b->len);
	r = vv_block_decode(c, &b->p, one, b->len, vv_span(tight, n), base, &err);
	s = oracle_decode(b->p.dtype, b->p.shift, b->p.classes, b->p.qcast == VV_QCAST_SCALED, two, b->len, tight, n, base);
	*bad_code = r;
	r = r ? r != VV_ECORRUPT || !s : s || memcmp(one, two, b->len);
	free(tight);
	free(one);
	free(two);
	return r;
}

static int round_trip(struct vv_codec *c, struct block *b)
{
	const uint8_t *base = b->delta ? b->base : NULL;
	size_t bound = vv_block_bound(b->len), again;
	uint8_t *out = malloc(bound);
	struct vv_err err = VV_ERR_INIT;
	int bad, r;

	b->coded_len = vv_block_encode(c, &b->p, b->coded, vv_span(b->raw, b->len), base);
	again = vv_block_encode(c, &b->p, out, vv_span(b->raw, b->len), base);
	bad = b->coded_len > bound || b->coded_len > b->len + 1 || again != b->coded_len || memcmp(out, b->coded, again);
	bad |= vv_block_decode(c, &b->p, out, b->len, vv_span(b->coded, b->coded_len), base, &err) != 0;
	bad |= b->len && memcmp(out, b->raw, b->len);
	bad |= agree(c, b, b->coded, b->coded_len, &r);
	bad |= r != 0;
	if (bad)
		printf("# %s length %zu %s shift %u mode %u\n", vv_dtype_info(b->p.dtype)->name, b->len,
			b->delta ? "delta" : "solo", b->p.shift, b->coded[0]);
	free(out);
	return bad;
}

/* A byte changed, the end cut off: both decoders say the same of it. */
static int hurt(struct vv_codec *c, const struct block *b, int times)
{
	uint8_t *coded = malloc(b->coded_len);
	int bad = 0, r;

	for (int i = 0; i < times; i++) {
		memcpy(coded, b->coded, b->coded_len);
		/* The beginning, with modes and tables, is where most can go wrong. */
		size_t at = rnd() % (i % 2 && b->coded_len > 64 ? 64 : b->coded_len);
		coded[at] ^= (uint8_t)(1 << rnd() % 8);
		bad |= agree(c, b, coded, i % 3 ? b->coded_len : 1 + rnd() % b->coded_len, &r);
	}
	free(coded);
	return bad;
}

static void test_type(struct vv_codec *c, enum vv_dtype dt)
{
	static const size_t counts[] = {0, 1, 2, 7, 31, 63, 64, 65, 1000, 1025, 40000, VV_BLOCK_ELEMS};
	unsigned width = vv_dtype_width(dt);
	int bad = 0;

	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < VV_COUNT(counts) - (kind % 3 != 1); i++)
			for (int delta = 0; delta < 2 - (dt == VV_DT_BYTES); delta++) {
				struct block b;
				make(&b, dt, kind, counts[i] * width, delta);
				plan(c, &b);
				bad |= round_trip(c, &b);
				if (counts[i] <= 1025)
					bad |= hurt(c, &b, 6);
				drop(&b);
			}
	tap_ok(!bad, vv_dtype_info(dt)->name, __FILE__, __LINE__);
}

static void test_odd_lengths(struct vv_codec *c)
{
	static const enum vv_dtype types[] = {VV_DT_BF16, VV_DT_F32, VV_DT_F64, VV_DT_C128, VV_DT_U16};
	int bad = 0;

	for (size_t i = 0; i < VV_COUNT(types); i++)
		for (size_t len = 1; len < 600; len += 37) {
			struct block b;
			make(&b, types[i], WEIGHTS, len, len % 2);
			bad |= round_trip(c, &b);
			drop(&b);
		}
	CHECK(!bad);
}

/* A shift that the data allow, up to the last bit; for a delta, whatever bits the base has below. */
static void test_shifts(struct vv_codec *c)
{
	static const enum vv_dtype types[] = {
		VV_DT_U8, VV_DT_F8_E4M3, VV_DT_I16, VV_DT_F16, VV_DT_BF16, VV_DT_U32, VV_DT_F32, VV_DT_F64, VV_DT_I64};
	int bad = 0;

	for (size_t i = 0; i < VV_COUNT(types); i++)
		for (unsigned shift = 0; shift < 8 * vv_dtype_width(types[i]); shift++)
			for (int kind = 0; kind < KINDS; kind++) {
				unsigned width = vv_dtype_width(types[i]);
				struct block b;
				make(&b, types[i], kind, 333 * width, kind % 2 || shift % 3);
				for (size_t k = 0; k < b.len; k += width)
					for (unsigned bit = 0; bit < shift; bit++)
						b.raw[k + bit / 8] &= (uint8_t)~(1 << bit % 8);
				b.p.shift = (uint8_t)shift;
				bad |= round_trip(c, &b) || hurt(c, &b, 3);
				drop(&b);
			}
	CHECK(!bad);
}

/* Any map of exponents to classes, sensible or not. */
static void test_classes(struct vv_codec *c)
{
	int bad = 0;

	for (int i = 0; i < 200; i++) {
		static const enum vv_dtype types[] = {VV_DT_BF16, VV_DT_F32, VV_DT_F16, VV_DT_F8_E5M2, VV_DT_I32, VV_DT_F64};
		enum vv_dtype dt = types[i % (int)VV_COUNT(types)];
		struct block b;
		make(&b, dt, i % 4 ? WEIGHTS : (enum kind)(i / 4 % KINDS), (1 + rnd() % 3000) * vv_dtype_width(dt), true);
		for (int e = 0; e < 256; e++)
			b.p.classes[e] = (uint8_t)(i % 3 == 0 ? rnd() : i % 3 == 1 ? (uint64_t)e / 16 : rnd() % 2 * 15);
		bad |= round_trip(c, &b) || hurt(c, &b, 3);
		drop(&b);
	}
	CHECK(!bad);
}

static size_t coded_size(struct vv_codec *c, enum vv_dtype dt, enum kind kind, size_t len, bool delta)
{
	struct block b;
	size_t n;

	make(&b, dt, kind, len, delta);
	plan(c, &b);
	n = vv_block_encode(c, &b.p, b.coded, vv_span(b.raw, len), delta ? b.base : NULL);
	drop(&b);
	return n;
}

static void test_sizes(struct vv_codec *c)
{
	CHECK_INT(coded_size(c, VV_DT_BF16, RANDOM, 65536, false), 65537); /* noise is stored raw */
	CHECK_INT(coded_size(c, VV_DT_F32, RANDOM, 65536, true), 65537);
	CHECK_INT(coded_size(c, VV_DT_BYTES, RANDOM, 131072, false), 131073);
	CHECK(coded_size(c, VV_DT_BYTES, RUNS, 131072, false) < 200);
	CHECK(coded_size(c, VV_DT_I64, RUNS, 131072, false) < 2000);
	CHECK(coded_size(c, VV_DT_BF16, ZEROS, 65536, false) < 8);
	CHECK(coded_size(c, VV_DT_BF16, EQUAL, 65536, true) < 8);
	CHECK(coded_size(c, VV_DT_BF16, SPARSE, 65536, true) < 65536 / 60);
	CHECK(coded_size(c, VV_DT_BF16, WEIGHTS, 65536, false) < 65536 * 7 / 10);
	CHECK(coded_size(c, VV_DT_BF16, WEIGHTS, 65536, true) < 65536 / 4);
	CHECK(coded_size(c, VV_DT_F32, WEIGHTS, 65536, true) < 65536 / 8);
	CHECK(coded_size(c, VV_DT_F32, ZERO_ROWS, 65536, false) < 65536 * 9 / 20);
	CHECK(coded_size(c, VV_DT_F32, WIDENED, 65536, false) < 65536 * 11 / 20);
}

static void test_refusals(struct vv_codec *c)
{
	uint8_t raw[128] = {0}, coded[128] = {2, 1, 0, 1, 0};
	struct vv_codec_params p = {.dtype = VV_DT_BF16};
	struct vv_err err = VV_ERR_INIT;
	int taken = 0;

	CHECK_OK(vv_block_decode(c, &p, raw, 128, vv_span(coded, 5), NULL, &err), &err);
	CHECK_INT(vv_block_decode(c, &p, raw, 128, vv_span(coded, 6), NULL, &err), VV_ECORRUPT); /* one too many */
	CHECK_INT(vv_block_decode(c, &p, raw, 128, vv_span(coded, 4), NULL, &err), VV_ECORRUPT);
	CHECK_INT(vv_block_decode(c, &p, raw, 127, vv_span(coded, 5), NULL, &err), VV_ECORRUPT); /* half a number */
	CHECK_INT(vv_block_decode(c, &p, raw, 0, vv_span(coded, 5), NULL, &err), VV_ECORRUPT);
	CHECK_INT(vv_block_decode(c, &p, raw, 128, vv_span(coded, 0), NULL, &err), VV_ECORRUPT);
	coded[0] = 3;
	CHECK_INT(vv_block_decode(c, &p, raw, 128, vv_span(coded, 5), NULL, &err), VV_ECORRUPT); /* no base */
	for (int mode = 4; mode < 256; mode++) {
		coded[0] = (uint8_t)mode;
		if (mode != 0x12 && mode != 0x13)
			taken += !vv_block_decode(c, &p, raw, 128, vv_span(coded, 5), raw, &err);
	}
	CHECK_INT(taken, 0);
	coded[0] = 0;
	p.shift = 16;
	CHECK_INT(vv_block_decode(c, &p, raw, 4, vv_span(coded, 5), NULL, &err), VV_ECORRUPT);
	CHECK(strstr(err.msg, "shift") != NULL);
}

/* --- the same bytes, whatever was coded before and on whichever thread --- */

enum { JOBS = 40, THREADS = 4 };

struct worker {
	pthread_t thread;
	struct block *jobs;
	int first, bad;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct vv_codec *c = vv_codec_new();

	for (int k = 0; k < JOBS; k++) {
		struct block *b = &w->jobs[(w->first + k * 7) % JOBS];
		uint8_t *out = malloc(vv_block_bound(b->len));
		size_t n = vv_block_encode(c, &b->p, out, vv_span(b->raw, b->len), b->delta ? b->base : NULL);
		w->bad |= n != b->coded_len || memcmp(out, b->coded, n);
		free(out);
	}
	vv_codec_free(c);
	return NULL;
}

static void test_threads(void)
{
	static struct block jobs[JOBS];
	struct worker w[THREADS];
	int bad = 0;

	for (int i = 0; i < JOBS; i++) {
		/* A fresh codec for each: the others have a past. */
		struct vv_codec *c = vv_codec_new();
		enum vv_dtype dt = (enum vv_dtype)(i % VV_DT_COUNT);
		make(&jobs[i], dt, (enum kind)(i % KINDS), (size_t)vv_dtype_width(dt) * (1 + rnd() % 20000), i % 2 && dt);
		plan(c, &jobs[i]);
		bad |= round_trip(c, &jobs[i]);
		vv_codec_free(c);
	}
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.jobs = jobs, .first = i * 11};
		bad |= pthread_create(&w[i].thread, NULL, work, &w[i]) != 0;
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		bad |= w[i].bad;
	}
	for (int i = 0; i < JOBS; i++)
		drop(&jobs[i]);
	CHECK(!bad);
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	CHECK(c != NULL);
	for (int dt = 0; dt < VV_DT_COUNT; dt++)
		test_type(c, (enum vv_dtype)dt);
	test_odd_lengths(c);
	test_shifts(c);
	test_classes(c);
	test_sizes(c);
	test_refusals(c);
	test_threads();
	vv_codec_free(c);
	vv_codec_free(NULL);
	return done();
}
