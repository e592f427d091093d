#include "model/model.h"

#include "tap.h"
#include "toy.h"

/* A storage of 0, 1, 2, … and a view of it must read as the indices say. */
static void check_gather(struct toy *t, const char *name)
{
	struct vv_tensor_source s;
	struct vv_tensor x;
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf whole = VV_BUF_INIT(VV_MAX_TEXT);
	const struct vv_view *v;
	uint8_t part[64];
	size_t wrong = 0;

	CHECK_OK(vv_tensor_find(&x, &t->m, name, &err), &err);
	v = x.view;
	CHECK_OK(vv_tensor_read(&t->v, name, &whole, &err), &err);
	CHECK_INT(whole.len, x.numel * 4);
	for (uint64_t e = 0; e < x.numel; e++) {
		uint64_t at = v->offset, rest = e, step = 1;
		for (unsigned i = v->ndim; i-- > 0; rest /= v->shape[i]) {
			at += rest % v->shape[i] * (v->stride ? v->stride[i] : step);
			step *= v->shape[i];
		}
		wrong += ((const uint32_t *)(const void *)whole.ptr)[e] != at;
	}
	CHECK_INT(wrong, 0);
	/* Any part of it, at any byte. */
	CHECK_OK(vv_tensor_open(&s, &t->v, &x, &err), &err);
	for (size_t off = 0; off <= whole.len; off++)
		for (size_t n = 0; n <= 23 && off + n <= whole.len; n++) {
			memset(part, 0xee, sizeof(part));
			wrong += vv_source_read(&s.base, off, part, n, &err) != 0 ||
				memcmp(part, whole.ptr + off, n) != 0 || part[n] != 0xee;
		}
	CHECK_INT(wrong, 0);
	CHECK_INT(vv_source_read(&s.base, whole.len, part, 1, &err), VV_EFORMAT);
	vv_tensor_close(&s);
	vv_tensor_close(&s);
	vv_buf_release(&whole);
}

#define DIMS(...) ((uint64_t[]){__VA_ARGS__})

static void test_gather(void)
{
	uint32_t count[200];
	struct toy t;

	for (uint32_t i = 0; i < 200; i++)
		count[i] = i;
	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head!", 5);
	toy_segment(&t, VV_DT_U32, count, sizeof(count));
	toy_view(&t, "all", 2, DIMS(20, 10), NULL, 0);
	toy_view(&t, "slice", 1, DIMS(7), NULL, 13);
	toy_view(&t, "turned", 2, DIMS(10, 20), DIMS(1, 10), 0);
	toy_view(&t, "columns", 2, DIMS(20, 3), DIMS(10, 1), 5);
	toy_view(&t, "every-third", 1, DIMS(5), DIMS(3), 2);
	toy_view(&t, "cube", 3, DIMS(2, 3, 4), DIMS(4, 40, 1), 7);
	toy_view(&t, "expanded", 2, DIMS(6, 3), DIMS(0, 2), 9);
	toy_view(&t, "scalar", 0, NULL, NULL, 199);
	toy_done(&t);
	check_gather(&t, "all");
	check_gather(&t, "slice");
	check_gather(&t, "turned");
	check_gather(&t, "columns");
	check_gather(&t, "every-third");
	check_gather(&t, "cube");
	check_gather(&t, "expanded");
	check_gather(&t, "scalar");
	toy_release(&t);
}

static void test_refused(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf out = VV_BUF_INIT(10);
	struct vv_tensor_source s;
	struct vv_tensor x;
	uint8_t b;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_F4, "12345678", 8);
	toy_view(&t, "mid-byte", 1, DIMS(2), NULL, 1);
	toy_view(&t, "half", 1, DIMS(3), NULL, 0);
	toy_view(&t, "strided", 2, DIMS(2, 2), DIMS(4, 1), 0);
	toy_view(&t, "fine", 1, DIMS(4), NULL, 2);
	toy_segment(&t, VV_DT_F32, "12345678abcdefgh", 16);
	toy_view(&t, "big", 1, DIMS(4), NULL, 0);
	toy_view(&t, "claims", 2, DIMS(1ull << 40, 2), DIMS(0, 1), 0);
	toy_view(&t, "overflow", 2, DIMS(1ull << 40, 1ull << 40), DIMS(0, 0), 0);
	toy_done(&t);
	CHECK_INT(vv_tensor_find(&x, &t.m, "missing", &err), VV_ENOTFOUND);
	CHECK_INT(vv_tensor_find(&x, &t.m, "mid-byte", &err), VV_ENOTSUP);
	CHECK_INT(vv_tensor_find(&x, &t.m, "half", &err), VV_ENOTSUP);
	CHECK_OK(vv_tensor_find(&x, &t.m, "strided", &err), &err);
	CHECK_INT(vv_tensor_open(&s, &t.v, &x, &err), VV_ENOTSUP);
	CHECK_OK(vv_tensor_read(&t.v, "fine", &out, &err), &err);
	CHECK(out.len == 2 && !memcmp(out.ptr, "23", 2));
	CHECK_INT(vv_tensor_read(&t.v, "big", &out, &err), VV_ELIMIT);
	vv_buf_clear(&out);
	CHECK_INT(vv_tensor_read(&t.v, "claims", &out, &err), VV_ELIMIT);
	vv_buf_clear(&out);
	CHECK_INT(vv_tensor_read(&t.v, "overflow", &out, &err), VV_ELIMIT);
	/* A manifest that claims more storage than there is costs no memory. */
	t.m.segs[1].seg.len = 1ull << 60;
	t.m.segs[1].seg.off = 1ull << 50;
	struct vv_view far = {"far", 2, DIMS(2, 2), DIMS(1ull << 57, 1), 0};
	x = (struct vv_tensor){&t.m.segs[1], &far, 4, 16};
	CHECK_OK(vv_tensor_open(&s, &t.v, &x, &err), &err);
	CHECK_INT(vv_source_read(&s.base, 0, &b, 1, &err), VV_EFORMAT);
	vv_tensor_close(&s);
	far.stride = DIMS(1ull << 62, 1);
	CHECK_INT(vv_tensor_open(&s, &t.v, &x, &err), VV_ELIMIT);
	vv_buf_release(&out);
	toy_release(&t);
}

static void test_packed(void)
{
	uint8_t turned[8] = {1, 2, 3, 4, 0, 0, 0, 0}, b[8];
	static const uint8_t want[8] = {1, 0, 2, 0, 3, 0, 4, 0}, columns[8] = {1, 0, 3, 0, 2, 0, 4, 0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_tensor_source s = {0};
	struct vv_tensor x;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head!", 5);
	toy_segment(&t, VV_DT_U16, turned, sizeof(turned));
	toy_coded(&t, VV_CODE_SHUFFLE, 0);
	toy_view(&t, "rows", 2, DIMS(2, 2), NULL, 0);
	toy_view(&t, "columns", 2, DIMS(2, 2), DIMS(1, 2), 0);
	toy_segment(&t, VV_DT_U16, "no stream at all", 16);
	toy_coded(&t, VV_CODE_DEFLATE, 2);
	toy_view(&t, "lie", 1, DIMS(40), NULL, 0);
	toy_done(&t);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(vv_tensor_find(&x, &t.m, i ? "columns" : "rows", &err), &err);
		CHECK_INT(x.len, 8);
		CHECK_OK(vv_tensor_open(&s, &t.v, &x, &err), &err);
		/* The whole twice, then in parts: it is decoded again each time. */
		for (int k = 0; k < 2; k++) {
			memset(b, 0xee, sizeof(b));
			CHECK_OK(vv_source_read(&s.base, 0, b, 8, &err), &err);
			CHECK(!memcmp(b, i ? columns : want, 8));
		}
		for (size_t off = 0; off < 8; off++) {
			CHECK_OK(vv_source_read(&s.base, off, b, 1, &err), &err);
			CHECK_INT(b[0], i ? columns[off] : want[off]);
		}
		vv_tensor_close(&s);
	}
	CHECK_OK(vv_tensor_find(&x, &t.m, "lie", &err), &err);
	CHECK_OK(vv_tensor_open(&s, &t.v, &x, &err), &err);
	CHECK_INT(vv_source_read(&s.base, 0, b, 8, &err), VV_EFORMAT);
	CHECK(!strncmp(err.msg, "tensor \"lie\": ", 14));
	vv_tensor_close(&s);
	toy_release(&t);
}

int main(void)
{
	test_packed();
	test_gather();
	test_refused();
	return done();
}
