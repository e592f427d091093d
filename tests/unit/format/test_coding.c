#include "format/coding.h"

#include "base/le.h"
#include "tap.h"

#include <stdlib.h>
#include <zlib.h>

static struct vv_err err;

/* --- making streams --- */

struct stream {
	uint8_t b[1 << 16];
	size_t len;
};

static void deflated(struct stream *s, bool bare, const void *p, size_t n)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = s->b, .avail_out = sizeof(s->b)};

	CHECK(!deflateInit2(&z, 9, Z_DEFLATED, bare ? -MAX_WBITS : MAX_WBITS, 8, Z_DEFAULT_STRATEGY));
	CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
	s->len = z.total_out;
	deflateEnd(&z);
}

/* HDF5's sum as its specification has it: folded at every step. */
static void summed(struct stream *s)
{
	uint32_t a = 0, b = 0;

	for (size_t i = 0; i < s->len; i += 2) {
		a += (uint32_t)s->b[i] << 8 | (i + 1 < s->len ? s->b[i + 1] : 0);
		a = (a & 0xffff) + (a >> 16);
		b += a;
		b = (b & 0xffff) + (b >> 16);
	}
	vv_put32(s->b + s->len, b << 16 | a);
	s->len += 4;
}

static int decoded(const struct stream *s, unsigned coding, enum vv_dtype dt, uint64_t skip, const void *want, size_t n)
{
	struct vv_source_mem mem;
	uint8_t *out = NULL, *exact = malloc(s->len + 2);
	int ret;

	/* Somewhere in a source, which ends where the stream does. */
	memcpy(exact + 2, s->b, s->len);
	vv_source_mem_init(&mem, vv_span(exact, s->len + 2));
	ret = vv_coding_decode(&out, coding, dt, &mem.base, 2, s->len, skip, n, &err);
	if (!ret)
		CHECK(!memcmp(out, want, n));
	else
		CHECK(err.msg[0] && !out);
	free(out);
	free(exact);
	return ret;
}

/* --- */

static void test_names(void)
{
	size_t n = 0;

	for (unsigned c = 0; c < 256; c++) {
		const char *name = vv_coding_name(c);
		unsigned again = 999;
		if (!name)
			continue;
		CHECK(!vv_coding_find(&again, vv_span_str(name)));
		CHECK_INT(again, c);
		n++;
	}
	CHECK_INT(n, 8);
	CHECK(!vv_coding_name(0));
	unsigned none = 7;
	CHECK(vv_coding_find(&none, vv_span_str("zlib-shuffle")));
	CHECK(vv_coding_find(&none, vv_span_str("")));
	CHECK_INT(none, 7);
}

static void test_holds(void)
{
	CHECK(vv_coding_holds(VV_CODE_DEFLATE, 100, VV_DT_U8, 128, 103200 - 128));
	CHECK(!vv_coding_holds(VV_CODE_DEFLATE, 100, VV_DT_U8, 128, 103201 - 128));
	CHECK(vv_coding_holds(VV_CODE_ZLIB | VV_CODE_FLETCHER32, 104, VV_DT_U8, 0, 103200));
	CHECK(!vv_coding_holds(VV_CODE_ZLIB | VV_CODE_FLETCHER32, 103, VV_DT_U8, 0, 103200));
	CHECK(!vv_coding_holds(VV_CODE_ZLIB | VV_CODE_FLETCHER32, 3, VV_DT_U8, 0, 0));
	CHECK(!vv_coding_holds(VV_CODE_DEFLATE, 100, VV_DT_U8, UINT64_MAX, 1));
	CHECK(vv_coding_holds(VV_CODE_SHUFFLE, 100, VV_DT_F32, 0, 100));
	CHECK(!vv_coding_holds(VV_CODE_SHUFFLE, 101, VV_DT_F32, 0, 101));
	CHECK(!vv_coding_holds(VV_CODE_SHUFFLE, 104, VV_DT_F32, 4, 100));
	CHECK(!vv_coding_holds(0, 100, VV_DT_F32, 0, 100));
}

static void test_decode(void)
{
	enum { N = 3001 };
	static uint8_t raw[N * 4], turned[N * 4];
	static struct stream s;

	for (size_t i = 0; i < N * 4; i++)
		raw[i] = (uint8_t)(i * i >> 7);
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < 4; j++)
			turned[j * N + i] = raw[i * 4 + j];

	deflated(&s, true, raw, sizeof(raw));
	CHECK_OK(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 0, raw, sizeof(raw)), &err);
	CHECK_OK(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 5000, raw + 5000, sizeof(raw) - 5000), &err);
	CHECK_OK(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, sizeof(raw), raw, 0), &err);
	/* More than there is, less than there is, bytes after it, a cut, another coding. */
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 4, raw, sizeof(raw)), VV_EFORMAT);
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, sizeof(raw) + 1, raw, 0), VV_EFORMAT);
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 0, raw, sizeof(raw) - 4), VV_EFORMAT);
	CHECK_INT(decoded(&s, VV_CODE_ZLIB, VV_DT_F32, 0, raw, sizeof(raw)), VV_EFORMAT);
	s.b[s.len++] = 0;
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 0, raw, sizeof(raw)), VV_EFORMAT);
	s.len -= 9;
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_F32, 0, raw, sizeof(raw)), VV_EFORMAT);

	deflated(&s, false, turned, sizeof(turned));
	CHECK_OK(decoded(&s, VV_CODE_SHUFFLE | VV_CODE_ZLIB, VV_DT_F32, 0, raw, sizeof(raw)), &err);
	CHECK_OK(decoded(&s, VV_CODE_ZLIB, VV_DT_F32, 0, turned, sizeof(raw)), &err);
	summed(&s);
	CHECK_OK(decoded(&s, VV_CODE_SHUFFLE | VV_CODE_ZLIB | VV_CODE_FLETCHER32, VV_DT_F32, 0, raw, sizeof(raw)), &err);
	s.b[s.len - 1] ^= 1;
	CHECK_INT(decoded(&s, VV_CODE_SHUFFLE | VV_CODE_ZLIB | VV_CODE_FLETCHER32, VV_DT_F32, 0, raw, sizeof(raw)), VV_EFORMAT);

	/* The sum over several pieces, an odd number of bytes, and all ones, which folds to itself. */
	for (size_t n = 40001; n <= 40002; n++) {
		for (size_t i = 0; i < n; i++)
			s.b[i] = n & 1 ? 0xff : (uint8_t)(i * 7);
		s.len = n;
		summed(&s);
		CHECK_OK(decoded(&s, VV_CODE_FLETCHER32, VV_DT_U8, 1, s.b + 1, n - 1), &err);
	}
	memcpy(s.b, turned, sizeof(turned));
	s.len = sizeof(turned);
	CHECK_OK(decoded(&s, VV_CODE_SHUFFLE, VV_DT_F32, 0, raw, sizeof(raw)), &err);
}

/* Memory grows with what comes out, past the first megabyte; a claim alone takes none. */
static void test_large(void)
{
	enum { N = 40 << 20 };
	uint8_t *raw = calloc(1, N);
	static struct stream s;

	raw[N - 1] = 1;
	deflated(&s, true, raw, N);
	CHECK_OK(decoded(&s, VV_CODE_DEFLATE, VV_DT_U8, 0, raw, N), &err);
	CHECK_INT(decoded(&s, VV_CODE_DEFLATE, VV_DT_U8, 0, raw, N + 100), VV_EFORMAT);
	free(raw);

	/* A file that says that it is a terabyte, and is empty behind. */
	struct vv_source_mem mem;
	uint8_t *out = NULL;
	vv_source_mem_init(&mem, vv_span(s.b, 100));
	CHECK_INT(vv_coding_decode(&out, VV_CODE_SHUFFLE, VV_DT_U8, &mem.base, 0, 1ull << 40, 0, 1ull << 40, &err), VV_EFORMAT);
	CHECK_INT(vv_coding_decode(&out, VV_CODE_DEFLATE, VV_DT_U8, &mem.base, 200, 1, 0, 1, &err), VV_EFORMAT);
	CHECK(!out);
}

static void test_head(void)
{
	static uint8_t raw[3 << 20];
	static struct stream s;
	struct vv_inflated_head h;
	struct vv_source_mem mem;
	uint8_t b[300];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i / 100);
	deflated(&s, true, raw, sizeof(raw));
	vv_source_mem_init(&mem, vv_span(s.b, s.len));
	vv_inflated_head_init(&h, &mem.base, 0, s.len, sizeof(raw) * 2);
	CHECK_OK(vv_source_read(&h.base, 0, b, 12, &err), &err);
	CHECK(!memcmp(b, raw, 12));
	CHECK_OK(vv_source_read(&h.base, 9990, b, 300, &err), &err);
	CHECK(!memcmp(b, raw + 9990, 300));
	CHECK_INT(vv_source_read(&h.base, VV_MAX_INFLATED_HEAD - 5, b, 6, &err), VV_ELIMIT);
	/* Claimed, but not there. */
	deflated(&s, true, raw, 100);
	vv_source_mem_init(&mem, vv_span(s.b, s.len));
	vv_inflated_head_init(&h, &mem.base, 0, s.len, 1000);
	CHECK_INT(vv_source_read(&h.base, 90, b, 20, &err), VV_EFORMAT);
	CHECK_INT(vv_source_read(&h.base, 200, b, 20, &err), VV_EFORMAT);
	CHECK_INT(vv_source_read(&h.base, 990, b, 20, &err), VV_EFORMAT);
}

int main(void)
{
	test_names();
	test_holds();
	test_decode();
	test_large();
	test_head();
	return done();
}
