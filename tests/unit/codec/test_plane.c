/* Numbers alone: known planes, and every bit pattern comes back. */
#include "codec/internal.h"
#include "data.h"
#include "tap.h"

static void test_known(struct vv_codec *c)
{
	struct shape bf16 = shape_of(VV_DT_BF16, 0), f32 = shape_of(VV_DT_F32, 16), i32 = shape_of(VV_DT_I32, 0);
	uint8_t minus_one[2] = {0x80, 0xbf}, wide[4] = {0, 0, 0x80, 0xbf}, number[4] = {1, 2, 3, 0x84}, back[4];

	CHECK_INT(split_solo(c, &bf16, 0, minus_one, 1), 1);
	CHECK_INT(c->plane[0], 0x7f);     /* the exponent, whole */
	CHECK_INT(c->plane[PLANE], 0x01); /* mantissa and sign */
	CHECK_INT(split_solo(c, &f32, 16, wide, 1), 1);
	CHECK_INT(f32.planes, 2);
	CHECK_INT(c->plane[0], 0x7f);
	CHECK_INT(c->plane[PLANE], 0x01);
	memset(back, 0xee, 4);
	merge_solo(c, &f32, 16, back, 1);
	CHECK(!memcmp(back, wide, 4));
	split_solo(c, &i32, 0, number, 1);
	CHECK_INT(c->plane[0], 0x84); /* no sign is moved; top byte first */
	CHECK_INT(c->plane[3 * PLANE], 1);
}

static void test_shapes(void)
{
	CHECK_INT(shape_of(VV_DT_C64, 0).width, 4);
	CHECK_INT(shape_of(VV_DT_C128, 0).width, 8);
	CHECK(shape_of(VV_DT_C64, 0).is_float);
	CHECK(!shape_of(VV_DT_F16, 0).rotate);
	CHECK_INT(shape_of(VV_DT_F4, 0).width, 1);
	CHECK(!shape_of(VV_DT_F8_E5M2FNUZ, 0).is_float);
	CHECK_INT(shape_of(VV_DT_F32, 9).bits, 23);
	CHECK_INT(shape_of(VV_DT_F32, 9).planes, 3);
	CHECK_INT(shape_of(VV_DT_F64, 52).exp_shift, 52);
}

static int round_trip(struct vv_codec *c, enum vv_dtype dt, unsigned shift, enum kind kind, size_t n)
{
	struct shape s = shape_of(dt, shift);
	size_t len = n * s.width, kept;
	uint8_t *a = malloc(len + 1), *b = malloc(len + 1);
	int bad;

	data_fill(kind, a, b, len, s.width);
	for (size_t i = 0; i < len; i += s.width)
		for (unsigned bit = 0; bit < shift; bit++)
			a[i + bit / 8] &= (uint8_t)~(1 << bit % 8);
	kept = split_solo(c, &s, shift, a, n);
	merge_solo(c, &s, shift, b, n);
	bad = kept != mask_count(c->mask, 0, n) || memcmp(a, b, len) || (kind == ZEROS && kept);
	free(a);
	free(b);
	return bad;
}

int main(void)
{
	static const size_t counts[] = {1, 63, 64, 65, 1023, 1024, 1025, 5000, UNITS};
	struct vv_codec *c = vv_codec_new();
	int bad = 0;

	test_shapes();
	test_known(c);
	for (int dt = 1; dt < VV_DT_COUNT; dt++)
		for (int kind = 0; kind < KINDS; kind++)
			for (size_t i = 0; i < VV_COUNT(counts) - (kind % 4 != 0); i++)
				bad |= round_trip(c, (enum vv_dtype)dt, kind % 2 ? 0 : (unsigned)(rnd() % (8 * shape_of(dt, 0).width)),
					(enum kind)kind, counts[i]);
	CHECK(!bad);
	vv_codec_free(c);
	return done();
}
