#include "format/floatsample.h"

#include "mkfloats.h"
#include "tap.h"

static const struct vv_sample nothing = {VV_SAMPLE_OTHER, 0};

static const struct {
	enum made_kind made;
	enum vv_sample_kind want;
	const char *name;
} rows[] = {{MADE_F32, VV_SAMPLE_F32, "f32"}, {MADE_F16, VV_SAMPLE_HALF, "f16"}, {MADE_BF16, VV_SAMPLE_HALF, "bf16"},
	{MADE_F64, VV_SAMPLE_F64, "f64"}, {MADE_F32_OF_BF16, VV_SAMPLE_F32, "f32 of bf16"},
	{MADE_F64_OF_F32, VV_SAMPLE_F64, "f64 of f32"}, {MADE_SQUARES, VV_SAMPLE_F32, "squares"},
	{MADE_SPARSE, VV_SAMPLE_F32, "sparse"}, {MADE_LARGE_F16, VV_SAMPLE_HALF, "large f16"},
	{MADE_FLOAT_SOUND, VV_SAMPLE_F32, "float sound"}, {MADE_ZEROS, VV_SAMPLE_PLAIN, "zeros"},
	{MADE_ONES, VV_SAMPLE_PLAIN, "ones"}, {MADE_NOISE, VV_SAMPLE_OTHER, "noise"}, {MADE_TEXT, VV_SAMPLE_OTHER, "text"},
	{MADE_DIGITS, VV_SAMPLE_OTHER, "digits"}, {MADE_BASE64, VV_SAMPLE_OTHER, "base64"},
	{MADE_UTF16, VV_SAMPLE_OTHER, "utf-16"}, {MADE_CYRILLIC, VV_SAMPLE_OTHER, "cyrillic"},
	{MADE_TOKENS32, VV_SAMPLE_OTHER, "int32 tokens"}, {MADE_TOKENS64, VV_SAMPLE_OTHER, "int64 tokens"},
	{MADE_TOKENS16, VV_SAMPLE_OTHER, "uint16 tokens"}, {MADE_PCM16, VV_SAMPLE_OTHER, "pcm"},
	{MADE_LOUD16, VV_SAMPLE_OTHER, "loud pcm"}, {MADE_RGB, VV_SAMPLE_OTHER, "rgb"},
	{MADE_GREY16, VV_SAMPLE_OTHER, "16-bit grey"}, {MADE_INT8, VV_SAMPLE_OTHER, "int8"},
	{MADE_UINT8, VV_SAMPLE_OTHER, "uint8"}, {MADE_INT4, VV_SAMPLE_OTHER, "int4"}, {MADE_E4M3, VV_SAMPLE_OTHER, "e4m3"},
	{MADE_E5M2, VV_SAMPLE_OTHER, "e5m2"}, {MADE_TIMES, VV_SAMPLE_OTHER, "times"},
	{MADE_Q8, VV_SAMPLE_OTHER, "quantised blocks"}};

/* Of many samples: what is no float is not taken for one, what is one is missed at most once in a hundred. */
static void test_kinds(void)
{
	enum { N = 400 };

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_sample_votes votes = {0, 0};
		unsigned got[5] = {0};

		make_kind(&b, rows[i].made, N * VV_SAMPLE, 1);
		for (size_t k = 0; k < N; k++) {
			struct vv_sample s = vv_sample_judge(
				vv_span(b.ptr + k * VV_SAMPLE, VV_SAMPLE), k * VV_SAMPLE, nothing, &votes);
			got[s.kind]++;
			if (s.phase)
				CHECK_INT(s.phase, 0);
		}
		bool is_float = rows[i].want > VV_SAMPLE_PLAIN;
		bool right = is_float ? got[rows[i].want] * 100 >= N * 99 : !got[VV_SAMPLE_HALF] && !got[VV_SAMPLE_F32] &&
				!got[VV_SAMPLE_F64] && (rows[i].want == VV_SAMPLE_OTHER || got[VV_SAMPLE_PLAIN] == N);
		tap_ok(right, rows[i].name, __FILE__, __LINE__);
		if (!right)
			printf("# other %u, plain %u, half %u, f32 %u, f64 %u\n", got[0], got[1], got[2], got[3], got[4]);
		if (rows[i].want == VV_SAMPLE_HALF)
			CHECK(rows[i].made == MADE_BF16 ? votes.bf16 > 20 * votes.f16 : votes.f16 > 20 * votes.bf16);
		else
			CHECK(is_float ? votes.f16 + votes.bf16 <= N / 100 : !votes.f16 && !votes.bf16);
		vv_buf_release(&b);
	}
}

/* Elements anywhere, found with a hint and without, wherever the sample begins. */
static void test_phases(void)
{
	static const enum made_kind made[] = {MADE_F32, MADE_BF16, MADE_F64};
	static const struct vv_sample want[] = {{VV_SAMPLE_F32, 0}, {VV_SAMPLE_HALF, 0}, {VV_SAMPLE_F64, 0}};
	static const unsigned widths[] = {4, 2, 8};

	for (unsigned i = 0; i < 3; i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_sample_votes votes = {0, 0};
		make_kind(&b, made[i], 4096, 3);
		for (unsigned shift = 0; shift < widths[i]; shift++)
			for (unsigned off = 100; off < 108; off++) {
				/* The bytes at 100 + shift begin an element; the sample starts at `off`. */
				const uint8_t *p = b.ptr + 800 + off - 100 - shift;
				unsigned phase = (100 + shift) % widths[i];
				struct vv_sample s = vv_sample_judge(vv_span(p, VV_SAMPLE), off, nothing, &votes);
				struct vv_sample hinted = vv_sample_judge(vv_span(p, VV_SAMPLE), off, s, &votes);
				if (s.kind != want[i].kind || s.phase != phase || memcmp(&s, &hinted, sizeof(s)) != 0)
					CHECK_INT(s.phase, phase);
			}
		CHECK(true);
		vv_buf_release(&b);
	}
}

static void test_short(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_sample_votes votes = {0, 0};

	make_kind(&b, MADE_F32, VV_SAMPLE, 5);
	for (size_t n = 0; n <= VV_SAMPLE; n++) {
		uint8_t *copy = malloc(n + !n);
		memcpy(copy, b.ptr, n);
		struct vv_sample s = vv_sample_judge(vv_span(copy, n), 0, nothing, &votes);
		if (s.kind != (n < 64 ? VV_SAMPLE_PLAIN : VV_SAMPLE_F32) && n < 96 + 64)
			CHECK(s.kind == VV_SAMPLE_OTHER);
		else if (n >= 160 && s.kind != VV_SAMPLE_F32)
			CHECK_INT(n, 0);
		free(copy);
	}
	vv_buf_release(&b);
}

int main(void)
{
	test_kinds();
	test_phases();
	test_short();
	return done();
}
