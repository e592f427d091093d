#include "model/cast_pick.h"

#include "codec/narrow.h"
#include "tap.h"
#include "toy.h"

enum { N = 40 };

static const size_t none = SIZE_MAX;

int main(void)
{
	static float a[N], b[N], same[N];
	static uint8_t a_bf16[4 * N], b_f16[4 * N], a_cut[4 * N], same_bf16[4 * N];
	struct toy t;
	struct vv_segment segs[TOY_SEGS];
	struct vv_layout l;
	struct vv_err err = VV_ERR_INIT;
	size_t original[TOY_SEGS], n;

	for (int i = 0; i < N; i++) {
		a[i] = 1.0f + (float)i / 7;
		b[i] = -3.0f + (float)i / 9;
		same[i] = 0.125f;
	}
	memcpy(a_bf16, a, sizeof(a));
	vv_narrow(VV_DT_F32, VV_DT_BF16, a_bf16, N);
	memcpy(b_f16, b, sizeof(b));
	vv_narrow(VV_DT_F32, VV_DT_F16, b_f16, N);
	memcpy(same_bf16, same, sizeof(same));
	vv_narrow(VV_DT_F32, VV_DT_BF16, same_bf16, N);
	for (int i = 0; i < N; i++)
		memcpy(a_cut + 2 * i, (uint8_t *)&a[i] + 2, 2);

	toy_init(&t);
	toy_tensor(&t, "half.b", VV_DT_F16, N, b_f16); /* before its original */
	toy_tensor(&t, "master.a", VV_DT_F32, N, a);
	toy_tensor(&t, "master.b", VV_DT_F32, N, b);
	toy_tensor(&t, "half.a", VV_DT_BF16, N, a_bf16);
	toy_tensor(&t, "half.b as bf16", VV_DT_BF16, N, b_f16);
	toy_tensor(&t, "fewer", VV_DT_BF16, N - 1, a_bf16);
	toy_tensor(&t, "few", VV_DT_BF16, 4, a_bf16);
	toy_tensor(&t, "cut", VV_DT_BF16, N, a_cut);
	toy_tensor(&t, "words", VV_DT_U16, N, a_bf16);
	toy_tensor(&t, "flat", VV_DT_F32, N, same);
	toy_tensor(&t, "half.flat", VV_DT_BF16, N, same_bf16);
	toy_segment(&t, VV_DT_BYTES, a_bf16, 2 * N);
	toy_tensor(&t, "packed", VV_DT_BF16, N, a_bf16);
	toy_coded(&t, VV_CODE_SHUFFLE, 0);
	toy_done(&t);
	for (size_t i = 0; i < t.m.n_segs; i++)
		segs[i] = t.m.segs[i].seg;
	l = (struct vv_layout){.segs = segs, .n_segs = t.m.n_segs, .size = t.m.size};
	CHECK_OK(vv_pick_casts(&t.src.base, &l, original, &n, &err), &err);
	CHECK_INT(n, 2);
	CHECK_INT(original[0], 2);
	CHECK_INT(original[3], 1);
	for (size_t i = 0; i < l.n_segs; i++)
		if (i != 0 && i != 3)
			CHECK(original[i] == none);

	/* Nothing wide, nothing narrow, nothing at all. */
	l.segs = segs + 3;
	l.n_segs = 2;
	CHECK_OK(vv_pick_casts(&t.src.base, &l, original, &n, &err), &err);
	CHECK_INT(n, 0);
	l.segs = segs + 1;
	CHECK_OK(vv_pick_casts(&t.src.base, &l, original, &n, &err), &err);
	CHECK_INT(n, 0);
	l.n_segs = 0;
	CHECK_OK(vv_pick_casts(&t.src.base, &l, original, &n, &err), &err);
	CHECK_INT(n, 0);
	toy_release(&t);
	return done();
}
