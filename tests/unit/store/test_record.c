#include "fixture.h"

#include <xxhash.h>

static struct vv_codec_params params;

/* A record of one kind, its tail in `out`. */
static struct entry emit(struct vv_buf *out, uint8_t kind, uint8_t depth, uint64_t size, enum vv_dtype dt, uint64_t coded)
{
	struct entry e = {.kind = kind, .depth = depth, .size = size, .dtype = (uint8_t)dt, .off = 1000};
	uint8_t rows[4 * CHUNK_ROW];
	size_t n = kind == KIND_CHUNKS ? 3 : (size_t)((size + vv_block_bytes(dt) - 1) / vv_block_bytes(dt));

	memset(rows, 7, sizeof(rows));
	if (depth)
		memset(e.base.b, 0xbb, VV_ID_BYTES);
	vv_buf_clear(out);
	tail_emit(out, &e, coded, &params, rows, n);
	return e;
}

static void test_round_trip(void)
{
	static const struct {
		uint8_t kind, depth;
		uint64_t size;
		enum vv_dtype dt;
		size_t rows, tail;
	} t[] = {
		{KIND_BLOCKS, 0, 0, VV_DT_BYTES, 0, 1 + 28},
		{KIND_BLOCKS, 0, 10, VV_DT_BYTES, 1, 1 + 12 + 28},
		{KIND_BLOCKS, 0, 300000, VV_DT_BF16, 2, 1 + 24 + 28},
		{KIND_BLOCKS, 3, 300000, VV_DT_BF16, 2, 1 + 1 + 2 * 3 + 24 + 32 + 28},
		{KIND_CHUNKS, 0, 200000, VV_DT_BYTES, 3, 3 * 36 + 28},
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (int i = 0; i < 256; i++)
		params.classes[i] = (uint8_t)(i < 100 ? 1 : i < 200 ? 7 : 0);
	params.shift = 3;
	for (size_t i = 0; i < VV_COUNT(t); i++) {
		struct entry e = emit(&b, t[i].kind, t[i].depth, t[i].size, t[i].dt, t[i].kind == KIND_CHUNKS ? 0 : 77), end;
		struct vv_codec_params back;
		size_t at, n;
		CHECK_INT(e.tail, t[i].tail);
		CHECK_INT(b.len, t[i].tail);
		CHECK(entry_fits(&e));
		CHECK(!tail_parse(vv_buf_view(&b), &e, &back, &at, &n));
		CHECK_INT(n, t[i].rows);
		CHECK(!t[i].depth || (back.shift == 3 && !memcmp(back.classes, params.classes, 256)));
		CHECK(end_parse(b.ptr + b.len - RECORD_END, e.off + e.stored, &end));
		CHECK(end.off == 1000 && end.stored == e.stored && end.size == e.size && !end.depth == !e.depth);
	}
	vv_buf_release(&b);
}

/* How a base is quantised is said, and only what can be is believed. */
static void test_quantised(void)
{
	static const struct {
		enum vv_dtype dt, from;
		enum vv_qcast qcast;
		uint64_t size;
		bool good;
	} t[] = {
		{VV_DT_I8, VV_DT_F32, VV_QCAST_SCALED, 1000, true},
		{VV_DT_I8, VV_DT_F16, VV_QCAST_SCALED, 1000, true},
		{VV_DT_U8, VV_DT_BF16, VV_QCAST_Q8_0, 3400, true},
		{VV_DT_U8, VV_DT_BF16, VV_QCAST_Q8_0, 3401, false},
		{VV_DT_U8, VV_DT_F32, VV_QCAST_SCALED, 1000, false},
		{VV_DT_I8, VV_DT_F64, VV_QCAST_SCALED, 1000, false},
		{VV_DT_I8, VV_DT_COUNT, VV_QCAST_SCALED, 1000, false},
		{VV_DT_I8, VV_DT_F32, VV_QCAST_COUNT, 1000, false},
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	params = (struct vv_codec_params){.shift = 0};
	for (size_t i = 0; i < VV_COUNT(t); i++) {
		struct vv_codec_params back;
		const char *wrong;
		struct entry e, end;
		size_t at, n;

		params.qcast = t[i].qcast;
		params.from = t[i].from;
		e = emit(&b, KIND_BLOCKS, 1, t[i].size, t[i].dt, 77);
		CHECK_INT(e.tail, 1 + 1 + 2 + 2 + 12 + 32 + 28);
		CHECK_INT(b.ptr[b.len - RECORD_END + 3], 3);
		wrong = tail_parse(vv_buf_view(&b), &e, &back, &at, &n);
		CHECK(!wrong == t[i].good);
		CHECK(!t[i].good || (back.qcast == t[i].qcast && back.from == t[i].from));
		CHECK(end_parse(b.ptr + b.len - RECORD_END, e.off + e.stored, &end) && end.depth == 1);
	}
	/* It says so and has nothing; the record's end says of which kind it is. */
	params.qcast = VV_QCAST_NONE;
	struct entry e = emit(&b, KIND_BLOCKS, 1, 1000, VV_DT_I8, 77);
	struct vv_codec_params back;
	size_t at, n;
	b.ptr[b.len - RECORD_END + 3] = 3;
	vv_put64(b.ptr + b.len - 8, XXH64(b.ptr, b.len - 8, 0));
	CHECK(tail_parse(vv_buf_view(&b), &e, &back, &at, &n) != NULL);
	vv_buf_release(&b);
}

/* Any changed byte is noticed. */
static void test_flips(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (int kind = 0; kind < 3; kind++) {
		struct entry e = emit(&b, kind == 1 ? KIND_CHUNKS : KIND_BLOCKS, kind == 2, 200000,
			kind == 1 ? VV_DT_BYTES : VV_DT_F32, kind == 1 ? 0 : 50);
		struct vv_codec_params back;
		size_t at, n, missed = 0;
		for (size_t i = 0; i < b.len * 8; i++) {
			b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
			missed += !tail_parse(vv_buf_view(&b), &e, &back, &at, &n);
			b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		CHECK_INT(missed, 0);
		for (size_t len = 0; len < b.len; len++)
			missed += !tail_parse(vv_span(b.ptr, len), &e, &back, &at, &n);
		CHECK_INT(missed, 0);
	}
	vv_buf_release(&b);
}

/* A checksum that is right makes nothing else true. */
static void test_lies(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct entry e = emit(&b, KIND_BLOCKS, 1, 200000, VV_DT_F32, 50), lie;
	struct vv_codec_params back;
	size_t at, n;

	lie = e, lie.size += 4;
	CHECK(tail_parse(vv_buf_view(&b), &lie, &back, &at, &n) != NULL);
	lie = e, lie.dtype = VV_DT_I32;
	CHECK(tail_parse(vv_buf_view(&b), &lie, &back, &at, &n) != NULL);
	lie = e, lie.depth = 0;
	CHECK(tail_parse(vv_buf_view(&b), &lie, &back, &at, &n) != NULL);
	lie = e, lie.base.b[31] ^= 1;
	CHECK(tail_parse(vv_buf_view(&b), &lie, &back, &at, &n) != NULL);
	lie = e, lie.stored++;
	CHECK(tail_parse(vv_buf_view(&b), &lie, &back, &at, &n) != NULL);
	CHECK(tail_parse(vv_buf_view(&b), &e, &back, &at, &n) == NULL);
	/* Rows that its size needs and its tail has no room for. */
	lie = e, lie.size = (uint64_t)1 << 47;
	CHECK(!entry_fits(&lie));
	lie = (struct entry){.kind = KIND_CHUNKS, .tail = 28 + 36, .stored = 28 + 36, .size = CHUNK_MAX};
	CHECK(entry_fits(&lie));
	lie.size++;
	CHECK(!entry_fits(&lie));
	lie.size = 5, lie.stored++;
	CHECK(!entry_fits(&lie)); /* a list has nothing before its tail */
	vv_buf_release(&b);
}

static void test_48(void)
{
	uint8_t p[6];

	put48(p, 0x123456789abcu);
	CHECK(p[0] == 0xbc && p[5] == 0x12);
	CHECK(get48(p) == 0x123456789abcu);
	put48(p, MAX_48);
	CHECK(get48(p) == MAX_48);
}

int main(void)
{
	test_round_trip();
	test_flips();
	test_quantised();
	test_lies();
	test_48();
	return done();
}
