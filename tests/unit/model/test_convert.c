#include "model/convert.h"

#include "base/le.h"
#include "memsink.h"
#include "tap.h"
#include "toy.h"

static struct memsink out = MEMSINK_INIT;
static struct vv_err err;

static int convert(const struct toy *t, const char *format, enum vv_dtype to, const char *pattern, size_t *n)
{
	struct vv_convert how = {vv_format_find(vv_span_str(format)), to, &pattern, pattern ? 1 : 0};

	vv_buf_release(&out.bytes);
	out = (struct memsink)MEMSINK_INIT;
	err = (struct vv_err)VV_ERR_INIT;
	return vv_convert(&t->v, &how, &out.base, n, &err);
}

/* The bytes of a tensor in what was written. */
static const uint8_t *found(const char *name, enum vv_dtype dt, size_t len)
{
	static struct vv_layout l;
	struct vv_source_mem mem;
	size_t seg, view;

	vv_layout_release(&l);
	vv_source_mem_init(&mem, vv_buf_view(&out.bytes));
	CHECK_OK(vv_layout_locate(&l, &mem.base, &err), &err);
	if (!vv_layout_find(&l, name, &seg, &view) || l.segs[seg].dtype != dt || l.segs[seg].len != len)
		return NULL;
	return out.bytes.ptr + l.segs[seg].off;
}

/* Every cast, element by element against the other module's, over the pieces' borders. */
static void test_casts(void)
{
	enum { N = 10001 };
	static float f[N];
	static uint16_t h[N];
	struct toy t;
	const uint8_t *p;
	size_t n, bad = 0;

	for (size_t i = 0; i < N; i++) {
		f[i] = ((float)i - 5000) / 7;
		h[i] = (uint16_t)(i * 6);
	}
	toy_init(&t);
	toy_tensor(&t, "f", VV_DT_F32, N, f);
	toy_tensor(&t, "b", VV_DT_BF16, N, h);
	toy_tensor(&t, "h", VV_DT_F16, N, h);
	toy_tensor(&t, "i", VV_DT_I16, N, h);
	toy_done(&t);
	static const enum vv_dtype types[] = {VV_DT_BYTES, VV_DT_F32, VV_DT_F16, VV_DT_BF16};
	for (size_t k = 0; k < VV_COUNT(types); k++) {
		unsigned width = types[k] == VV_DT_F32 ? 4 : 2;
		CHECK_OK(convert(&t, "safetensors", types[k], NULL, &n), &err);
		CHECK_INT(n, 4);
		p = found("i", VV_DT_I16, 2 * N);
		CHECK(p && !memcmp(p, h, 2 * N));
		if (types[k] == VV_DT_BYTES) {
			p = found("f", VV_DT_F32, 4 * N);
			CHECK(p && !memcmp(p, f, 4 * N));
			continue;
		}
		p = found("b", types[k], width * N);
		CHECK(p != NULL);
		for (size_t i = 0; p && i < N; i++) {
			double x = vv_dtype_value(VV_DT_BF16, (uint8_t *)&h[i]), y = vv_dtype_value(types[k], p + i * width);
			bad += types[k] != VV_DT_F16 && x != y && (x == x || y == y);
		}
		p = found("f", types[k], width * N);
		CHECK(p != NULL);
		for (size_t i = 0; p && i < N; i++) {
			double y = vv_dtype_value(types[k], p + i * width), d = y - (double)f[i];
			bad += (d < 0 ? -d : d) > (f[i] < 0 ? -(double)f[i] : (double)f[i]) / (types[k] == VV_DT_BF16 ? 256 : 2048);
		}
	}
	CHECK_INT(bad, 0);
	toy_release(&t);
}

static void test_formats(void)
{
	static const char *const formats[] = {"safetensors", "npz", "torch", "gguf", "onnx", "hdf5", "msgpack"};
	static const float w[6] = {1, 2, 3, 4, 5, 6};
	struct toy t;
	size_t n;

	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head", 4);
	toy_tensor(&t, "a.w", VV_DT_F32, 6, w);
	toy_tensor(&t, "b", VV_DT_F32, 2, w + 4);
	toy_done(&t);
	for (size_t i = 0; i < VV_COUNT(formats); i++) {
		const uint8_t *p;
		CHECK_OK(convert(&t, formats[i], VV_DT_BYTES, NULL, &n), &err);
		p = found("a.w", VV_DT_F32, 24);
		CHECK(p && !memcmp(p, w, 24));
		p = found("b", VV_DT_F32, 8);
		CHECK(p && !memcmp(p, w + 4, 8));
		CHECK_OK(convert(&t, formats[i], VV_DT_BYTES, "a*", &n), &err);
		CHECK_INT(n, 1);
		CHECK(found("a.w", VV_DT_F32, 24) && !found("b", VV_DT_F32, 8));
		/* Wherever there is no room. */
		size_t whole = out.bytes.len, bad = 0;
		for (size_t room = 1; room < whole; room += 7) {
			struct vv_convert how = {vv_format_find(vv_span_str(formats[i])), VV_DT_BYTES, NULL, 0};
			struct memsink small = MEMSINK_INIT;
			small.room = room;
			bad += vv_convert(&t.v, &how, &small.base, &n, &err) != VV_EIO;
			vv_buf_release(&small.bytes);
		}
		CHECK_INT(bad, 0);
	}
	CHECK_INT(convert(&t, "keras", VV_DT_BYTES, NULL, &n), VV_ENOTSUP);
	CHECK_INT(convert(&t, "npz", VV_DT_BF16, NULL, &n), VV_ENOTSUP);
	CHECK_INT(convert(&t, "npz", VV_DT_BYTES, "nothing", &n), VV_ENOTFOUND);
	toy_release(&t);
	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head", 4);
	toy_done(&t);
	CHECK_INT(convert(&t, "npz", VV_DT_BYTES, NULL, &n), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no tensors"));
	toy_release(&t);
}

int main(void)
{
	test_casts();
	test_formats();
	vv_buf_release(&out.bytes);
	return done();
}
