/* Tables: counts sum up, are written and read, and states follow from them. */
#include "codec/ans.h"
#include "data.h"
#include "tap.h"

static uint64_t sum_of(const uint32_t h[256])
{
	uint64_t sum = 0;

	for (int k = 0; k < 256; k++)
		sum += h[k];
	return sum;
}

static void some_counts(uint32_t h[256], int i)
{
	unsigned symbols = 1 + (unsigned)rnd() % (i % 3 ? 20 : 256);

	memset(h, 0, 256 * sizeof(*h));
	for (unsigned k = 0; k < symbols; k++)
		h[i % 2 ? k : rnd() % 256] = (uint32_t)(1 + (rnd() >> (44 + rnd() % 20)));
}

static void test_normalize(void)
{
	uint32_t h[256], q[256];
	int bad = 0, far = 0;

	for (int i = 0; i < 3000; i++) {
		unsigned symbols = 0;
		some_counts(h, i);
		memcpy(q, h, sizeof(q));
		uint64_t n = sum_of(h);
		unsigned log = table_log(n, (const uint32_t(*)[256])h, 1);
		table_normalize(q, n, log);
		bad |= sum_of(q) != 1u << log || log < ANS_MIN_LOG || log > ANS_MAX_LOG;
		for (int k = 0; k < 256; k++)
			symbols += h[k] > 0;
		for (int k = 0; k < 256; k++) {
			bad |= (q[k] == 0) != (h[k] == 0);
			/* Each keeps its share, but for what rounding gave to the others. */
			double share = (double)h[k] / (double)n * (1 << log);
			far += q[k] > share + symbols + 1 || q[k] + symbols + 1 < share;
		}
	}
	CHECK(!bad);
	CHECK_INT(far, 0);
}

static void test_log(void)
{
	uint32_t h[2][256] = {{0}};

	h[0][7] = 5;
	CHECK_INT(table_log(5, (const uint32_t(*)[256])h, 1), 5);
	CHECK_INT(table_log(1, (const uint32_t(*)[256])h, 1), 5);
	CHECK_INT(table_log(1000, (const uint32_t(*)[256])h, 1), 7);
	CHECK_INT(table_log(262144, (const uint32_t(*)[256])h, 1), 10);
	for (int k = 0; k < 256; k++)
		h[1][k] = 1;
	CHECK_INT(table_log(300, (const uint32_t(*)[256])h, 2), 8); /* a place for each symbol */
}

static void test_written(void)
{
	uint32_t h[256], q[256];
	uint8_t out[2048];
	int bad = 0;

	for (int i = 0; i < 3000; i++) {
		some_counts(h, i);
		uint64_t n = sum_of(h);
		unsigned log = table_log(n, (const uint32_t(*)[256])h, 1);
		struct bits b = {.at = out};
		table_normalize(h, n, log);
		table_put(&b, h, log);
		size_t bits = 8 * (size_t)(b.at - out) + b.n, len = (bits + 7) / 8;
		struct bit_reader r = {vv_span(out, len), 0};
		bad |= table_take(&r, q, log) || r.at != bits || memcmp(h, q, sizeof(q));
		/* Cut short it is refused, or there was nothing but zero bits. */
		r = (struct bit_reader){vv_span(out, len - 1), 0};
		bad |= len > 1 && !table_take(&r, q, log) && sum_of(q) != 1u << log;
	}
	CHECK(!bad);
}

static int refused(const char *bits, unsigned log)
{
	uint8_t in[64] = {0};
	struct bit_reader r = {vv_span(in, strlen(bits) / 8 + 1), 0};
	uint32_t q[256];

	for (size_t i = 0; bits[i]; i++)
		in[i / 8] |= (uint8_t)((bits[i] == '1') << i % 8);
	return table_take(&r, q, log);
}

static void test_broken(void)
{
	CHECK(!refused("000001", 5));                 /* symbol 0: 32 of 32 */
	CHECK(refused("100001", 5));                  /* 33 */
	CHECK(refused("000000" "000000001", 5));      /* a run of more than 255 */
	CHECK(!refused("000000" "00000001" "1111111" "000001", 5)); /* symbol 255 */
	CHECK(refused("000000" "00000001" "1111111" "000000" "1" "000001", 5)); /* one after it */
	CHECK(refused("100000", 5));                  /* the end comes too soon */
}

static void test_bits(void)
{
	uint8_t in[3] = {0xb5, 0x01, 0x80};
	struct bit_reader r = {vv_span(in, 3), 0};

	CHECK_INT(bits_take(&r, 4), 5);
	CHECK_INT(bits_take(&r, 0), 0);
	CHECK_INT(bits_take(&r, 5), 0x1b);
	CHECK_INT(bits_take(&r, 15), 0x4000);
	CHECK_INT(bits_take(&r, 16), 0); /* past the end */
	CHECK_INT(r.at, 40);
}

/* A state of the decoder, its bits and the encoder's state belong together. */
static void test_states(void)
{
	static struct ans_tables t;
	uint32_t h[256];
	int bad = 0;

	for (int i = 0; i < 300; i++) {
		some_counts(h, i);
		uint64_t n = sum_of(h);
		unsigned log = table_log(n, (const uint32_t(*)[256])h, 1), size = 1u << log, class = (unsigned)i % CLASSES;
		table_normalize(h, n, log);
		table_decoder(t.entry, h, log, 0);
		table_encoder(&t, class, h, log, 0);
		for (uint32_t state = 0; state < size; state++) {
			struct ans_entry e = t.entry[state];
			bad |= e.base + (1u << e.bits) > size || !h[e.value];
			/* From any state that the next one may be, the encoder comes back here. */
			uint32_t from = size + e.base + (uint32_t)(rnd() % (1u << e.bits));
			struct ans_step s = t.step[class][e.value];
			unsigned bits = (from + s.bits) >> 16 & 255;
			bad |= bits != e.bits || t.next[(int32_t)(from >> bits) + s.find] != size + state;
		}
	}
	CHECK(!bad);
	memset(h, 0, sizeof(h));
	h[40] = 32;
	table_decoder(t.entry, h, 5, 4);
	CHECK_INT(t.entry[0].low, 8);
	CHECK_INT(t.entry[0].value, 4 << 8);
	CHECK_INT(t.entry[7].base, 7);
	table_decoder(t.entry, h, 5, 8);
	CHECK_INT(t.entry[0].value, 4);
}

int main(void)
{
	test_normalize();
	test_log();
	test_written();
	test_broken();
	test_bits();
	test_states();
	return done();
}
