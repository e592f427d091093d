/* Lists: the mode that suits, every mode read, frames that are no frames refused. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/internal.h"
#include "data.h"
#include "tap.h"

#include <math.h>
#include <zstd.h>

enum { RAW, CONST, FRAME, TABLES };

static uint8_t *list, *coded;

/* Codes and decodes; the mode, or -1. *len: its length. */
static int mode_of(struct vv_codec *c, size_t n, bool matches, size_t *len)
{
	uint8_t *tight, *out = malloc(n);
	const uint8_t *in;
	int bad;

	*len = list_encode(c, coded, list, n, matches);
	in = tight = malloc(*len);
	memcpy(tight, coded, *len);
	bad = *len > n + 1 || list_decode(c, out, n, &in, tight + *len) || in != tight + *len || memcmp(out, list, n);
	for (size_t cut = 0; cut < *len; cut += *len / 50 + 1) {
		in = tight;
		bad |= !list_decode(c, out, n, &in, tight + cut);
	}
	free(tight);
	free(out);
	return bad ? -1 : coded[0];
}

static void test_modes(struct vv_codec *c)
{
	size_t len;

	CHECK_INT(list_encode(c, coded, list, 0, false), 0);
	memset(list, 7, UNITS);
	CHECK_INT(mode_of(c, 1, false, &len), CONST);
	CHECK_INT(mode_of(c, UNITS, false, &len), CONST);
	CHECK_INT(len, 2);
	for (size_t i = 0; i < UNITS; i++)
		list[i] = (uint8_t)rnd();
	CHECK_INT(mode_of(c, 5, false, &len), RAW);
	CHECK_INT(mode_of(c, UNITS, false, &len), RAW);
	CHECK_INT(mode_of(c, UNITS, true, &len), RAW);
	CHECK_INT(mode_of(c, 300, false, &len), RAW);
	for (size_t i = 0; i < UNITS; i++)
		list[i] = (uint8_t)(100 + rnd() % 2 * 8 + rnd_small() % 8);
	CHECK_INT(mode_of(c, 131072, false, &len), FRAME);
	CHECK(len < 131072 * 3 / 8 + 3000);
	CHECK_INT(mode_of(c, UNITS, false, &len), FRAME);
	CHECK_INT(mode_of(c, 1000, false, &len), TABLES);
	CHECK_INT(mode_of(c, UNITS, true, &len), FRAME);
	for (size_t i = 0; i < UNITS; i++)
		list[i] = (uint8_t)(rnd() % 20 ? 3 : rnd() % 6);
	CHECK_INT(mode_of(c, 131072, false, &len), TABLES);
	CHECK(len < 131072 / 16);
	/* Matches are looked for where they may be. */
	for (size_t i = 100; i < UNITS; i++)
		list[i] = list[i - 100];
	CHECK_INT(mode_of(c, 131072, true, &len), FRAME);
	CHECK(len < 400);
	CHECK_INT(mode_of(c, 131072, false, &len), TABLES);
}

static void test_lengths(struct vv_codec *c)
{
	int bad = 0;
	size_t len;

	for (size_t i = 0; i < 40000; i++)
		list[i] = (uint8_t)(rnd_small() * 3);
	for (size_t n = 1; n < 40000; n += n / 3 + 1)
		bad |= mode_of(c, n, n % 2, &len) < 0;
	CHECK(!bad);
}

static int decodes(struct vv_codec *c, const uint8_t *frame, size_t len, size_t n)
{
	uint8_t *out = malloc(n + 1), *in = malloc(len + 4);
	const uint8_t *p = in;

	in[0] = FRAME;
	in[1] = (uint8_t)len;
	in[2] = (uint8_t)(len >> 8);
	in[3] = (uint8_t)(len >> 16);
	memcpy(in + 4, frame, len);
	int ok = !list_decode(c, out, n, &p, in + 4 + len);
	int text = !text_decode(c, out, n, vv_span(in + 4, len));
	free(out);
	free(in);
	return ok == text ? ok : -1;
}

static size_t frame_of(uint8_t *out, size_t n, int magic, int size, int checksum)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(z, ZSTD_c_format, magic ? 0 : 1);
	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, size);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, checksum);
	size_t len = ZSTD_compress2(z, out, 65536, list, n);
	ZSTD_freeCCtx(z);
	return len;
}

static void test_frames(struct vv_codec *c)
{
	uint8_t f[65536 + 64];
	size_t n = 1000, len;

	for (size_t i = 0; i < n; i++)
		list[i] = (uint8_t)rnd_small();
	len = frame_of(f, n, 0, 0, 0);
	CHECK_INT(decodes(c, f, len, n), 1);
	CHECK_INT(decodes(c, f, len, n - 1), 0);
	CHECK_INT(decodes(c, f, len, n + 1), 0);
	CHECK_INT(decodes(c, f, len - 1, n), 0);
	memcpy(f + len, f, len);
	CHECK_INT(decodes(c, f, 2 * len, 2 * n), 0); /* two frames */
	f[len] = 0;
	CHECK_INT(decodes(c, f, len + 1, n), 0); /* something after it */
	memcpy(f + len, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	CHECK_INT(decodes(c, f, len + 8, n), 0); /* one that would be skipped */
	f[1] = 0x58;
	CHECK_INT(decodes(c, f, len, n), 1); /* a window of 2 MiB */
	f[1] = 0x59;
	CHECK_INT(decodes(c, f, len, n), 0); /* a larger one */
	f[1] = 0xff;
	CHECK_INT(decodes(c, f, len, n), 0);
	len = frame_of(f, n, 0, 1, 0);
	CHECK_INT(decodes(c, f, len, n), 0); /* its size stated */
	len = frame_of(f, n, 0, 0, 1);
	CHECK_INT(decodes(c, f, len, n), 0); /* a checksum */
	len = frame_of(f, n, 1, 0, 0);
	CHECK_INT(decodes(c, f, len, n), 0); /* a magic number */
	CHECK_INT(decodes(c, (const uint8_t *)"\x25\xb5\x2f\xfd\0\0\0\0\0\0", 10, n), 0); /* an ancient one */
	CHECK_INT(decodes(c, (const uint8_t *)"\0\x58\x01\0\0", 5, 0), 1); /* nothing, in a frame */
	CHECK_INT(decodes(c, f, 0, n), 0);
	CHECK_INT(decodes(c, f, 1, n), 0);
}

static void test_text(struct vv_codec *c)
{
	static uint8_t out[200000];

	for (size_t i = 0; i < 131072; i++)
		list[i] = (uint8_t)rnd();
	CHECK_INT(text_encode(c, out, sizeof(out), vv_span(list, 131072)), 0);
	CHECK_INT(text_encode(c, out, sizeof(out), vv_span(list, 20)), 0);
	for (size_t i = 0; i < 131072; i++)
		list[i] = (uint8_t) "a model of text, and "[i % 21];
	size_t len = text_encode(c, out, sizeof(out), vv_span(list, 131072));
	CHECK(len > 0 && len < 200);
	CHECK_INT(text_decode(c, coded, 131072, vv_span(out, len)), 0);
	CHECK(!memcmp(coded, list, 131072));
}

static void test_estimates(void)
{
	uint32_t h[256] = {0};
	int bad = 0;

	for (uint32_t v = 1; v < 1u << 30; v += v / 7 + 1)
		bad |= fabs(log2_fixed(v) / 65536.0 - log2(v)) > 1e-4;
	CHECK(!bad);
	CHECK_INT(log2_fixed(1), 0);
	CHECK_INT(log2_fixed(1u << 31), 31 << 16);
	CHECK_INT(entropy_bits(h), 0);
	h[3] = 1000;
	CHECK_INT(entropy_bits(h), 0);
	h[4] = 1000;
	CHECK(entropy_bits(h) >= 2000 && entropy_bits(h) <= 2002);
	h[4] = 1;
	CHECK(entropy_bits(h) < 14);
	for (size_t i = 0; i < 1000; i++)
		list[i] = (uint8_t)i;
	histogram(list, 1000, 3, h);
	uint32_t n = 0;
	for (int k = 0; k < 256; k++)
		n += h[k];
	CHECK_INT(n, 334);
	CHECK_INT(h[0], 2); /* 0 and 768, not 256 and 512 */
}

int main(void)
{
	struct vv_codec *c = vv_codec_new();

	list = malloc(UNITS);
	coded = malloc(UNITS + 16);
	test_modes(c);
	test_lengths(c);
	test_frames(c);
	test_text(c);
	test_estimates();
	free(list);
	free(coded);
	vv_codec_free(c);
	return done();
}
