#include "format/formats.h"

#include "layouts.h"
#include "mkfloats.h"
#include "tap.h"

enum { SQUARE = 4 << 20, FIELD = 64 << 10 };

/* The layout in words: "at 0 f32 1048576; at 4194304 f32 10; 5 bytes". */
static const char *words(const struct vv_layout *l)
{
	static char text[4096];
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < l->n_segs && n < sizeof(text) - 100; i++) {
		const struct vv_segment *s = &l->segs[i];
		const char *sep = i ? "; " : "";
		if (s->n_views)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s %" PRIu64, sep, s->views->name,
				vv_dtype_info(s->dtype)->name, s->views->shape[0]);
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%" PRIu64 " bytes", sep, s->len);
	}
	return text;
}

static void check(struct vv_buf *b, const char *format, const char *want)
{
	struct located l;
	const char *wrong;

	CHECK_OK(located_bytes(&l, vv_buf_view(b)), &l.err);
	CHECK_STR(l.layout.format->name, format);
	wrong = layout_wrong(&l.layout);
	CHECK_STR(wrong ? wrong : "sound", "sound");
	CHECK_INT(l.layout.n_findings, 0);
	if (want)
		CHECK_STR(words(&l.layout), want);
	located_release(&l);
	vv_buf_clear(b);
}

static void test_kinds(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char want[64];

	for (int k = 0; k < MADE_KINDS; k++) {
		bool is = k <= MADE_FLOAT_SOUND;
		const char *dt = k == MADE_F16 || k == MADE_LARGE_F16 ? "f16"
			: k == MADE_BF16 ? "bf16"
			: k == MADE_F64 || k == MADE_F64_OF_F32 ? "f64" : "f32";
		unsigned w = *dt == 'b' || dt[1] == '1' ? 2 : dt[1] == '6' ? 8 : 4;
		make_kind(&b, (enum made_kind)k, 300000, 1);
		snprintf(want, sizeof(want), is ? "at 0 %s %u" : "300000 bytes", dt, 300000 / w);
		check(&b, is ? "floats" : "opaque", want);
	}
	vv_buf_release(&b);
}

/* What is too small, has a name for itself, or mostly is something else, is left alone. */
static void test_opaque(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	make_kind(&b, MADE_F32, FIELD - 1, 1);
	check(&b, "opaque", "65535 bytes");
	make_kind(&b, MADE_F32, FIELD, 1);
	check(&b, "floats", "at 0 f32 16384");
	make_kind(&b, MADE_F32, 300000, 1);
	memcpy(b.ptr, "PK\3\4", 4);
	check(&b, "opaque", NULL);
	make_kind(&b, MADE_F32, 300000, 1);
	memcpy(b.ptr + 257, "ustar", 5);
	check(&b, "opaque", "300000 bytes");
	make_kind(&b, MADE_NOISE, 10 * FIELD, 1);
	make_kind(&b, MADE_F32, 2 * FIELD, 1);
	check(&b, "opaque", NULL);
	make_kind(&b, MADE_NOISE, 4 * FIELD, 1);
	make_kind(&b, MADE_F32, 8 * FIELD, 1);
	check(&b, "floats", "262144 bytes; at 262144 f32 131072");
	vv_buf_release(&b);
}

/* The borders are the grid's; another kind of numbers, or none, ends a piece between them. */
static void test_grid(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	make_kind(&b, MADE_F32, 2 * SQUARE + 1002, 1);
	check(&b, "floats", "at 0 f32 1048576; at 4194304 f32 1048576; at 8388608 f32 250; 2 bytes");
	vv_buf_add(&b, "a", 1);
	make_kind(&b, MADE_F32, SQUARE + FIELD, 1);
	check(&b, "floats", "1 bytes; at 1 f32 1048576; at 4194305 f32 16384");
	make_kind(&b, MADE_F32, 3 * FIELD, 1);
	make_kind(&b, MADE_TEXT, 3 * FIELD, 1);
	make_kind(&b, MADE_BF16, 4 * FIELD, 1);
	check(&b, "floats", "at 0 f32 49152; 196608 bytes; at 393216 bf16 131072");
	/* Other phases on the two sides: no element is cut in two. */
	make_kind(&b, MADE_F32, SQUARE, 1);
	vv_buf_add(&b, "a", 1);
	make_kind(&b, MADE_F64, SQUARE, 1);
	check(&b, "floats", "at 0 f32 1048576; 1 bytes; at 4194305 f64 524288");
	vv_buf_release(&b);
}

/* Zeros are like what is before them, and a field of something else changes nothing. */
static void test_between(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	make_kind(&b, MADE_ZEROS, 3 * FIELD, 1);
	make_kind(&b, MADE_F32, 4 * FIELD, 1);
	make_kind(&b, MADE_ONES, 3 * FIELD, 1);
	check(&b, "floats", "at 0 f32 163840");
	make_kind(&b, MADE_F32, 4 * FIELD, 1);
	make_kind(&b, MADE_TOKENS32, FIELD, 1);
	make_kind(&b, MADE_F32, 4 * FIELD, 2);
	check(&b, "floats", "at 0 f32 147456");
	make_kind(&b, MADE_F32, 4 * FIELD, 1);
	make_kind(&b, MADE_TOKENS64, 3 * FIELD, 1);
	make_kind(&b, MADE_F32, 4 * FIELD, 2);
	check(&b, "floats", "at 0 f32 65536; 196608 bytes; at 458752 f32 65536");
	make_kind(&b, MADE_ZEROS, SQUARE + FIELD, 1);
	check(&b, "opaque", NULL);
	vv_buf_release(&b);
}

/* Twice in the file, in another order: the same pieces, so the same objects. */
static void test_repeats(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;
	uint64_t once = 0, all = 0;

	make_kind(&b, MADE_F32, SQUARE + 100000, 1);
	make_kind(&b, MADE_F32, 200000, 2);
	make_kind(&b, MADE_F32, 200000, 2);
	make_kind(&b, MADE_F32, 1000, 3);
	make_kind(&b, MADE_F32, SQUARE + 100000, 1);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(!layout_wrong(&l.layout));
	for (size_t i = 0; i < l.layout.n_segs; i++) {
		const struct vv_segment *s = &l.layout.segs[i];
		bool again = false;
		for (size_t k = 0; k < i && !again; k++)
			again = l.layout.segs[k].len == s->len && !memcmp(b.ptr + l.layout.segs[k].off, b.ptr + s->off, s->len);
		once += again ? 0 : s->len;
		all += s->len;
	}
	CHECK_INT(all, b.len);
	CHECK(once < SQUARE + 300000 + 40000);
	CHECK(l.layout.n_segs < 20);
	located_release(&l);
	vv_buf_release(&b);
}

/* One version of a model and the next: names, types and lengths are the same. */
static void test_next(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char first[4096];
	struct located l;

	for (int step = 0; step < 2; step++) {
		uint64_t s = 9;
		vv_buf_clear(&b);
		for (int copy = 0; copy < 2; copy++) {
			size_t at = b.len;
			make_kind(&b, MADE_F32, 3 * 1000000, 4);
			make_kind(&b, step ? MADE_F32 : MADE_ZEROS, 70000, 6);
			for (size_t i = at; step && i + 4 <= b.len; i += 4) {
				float v;
				memcpy(&v, b.ptr + i, 4);
				v += (float)(uniform(&s) * 1e-4);
				memcpy(b.ptr + i, &v, 4);
			}
			s = 9;
			make_kind(&b, MADE_TOKENS64, copy ? 100000 : 8, 5);
		}
		CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
		CHECK_STR(l.layout.format->name, "floats");
		if (step)
			CHECK_STR(words(&l.layout), first);
		else
			snprintf(first, sizeof(first), "%s", words(&l.layout));
		located_release(&l);
	}
	vv_buf_release(&b);
}

int main(void)
{
	test_kinds();
	test_opaque();
	test_grid();
	test_between();
	test_repeats();
	test_next();
	return done();
}
