#include "format/torch.h"

#include "tap.h"

enum { N = 48 };

/* Storage of 48 elements of `width` bytes; element i's bytes are all i. */
static void fill(uint8_t *p, unsigned width, uint8_t first)
{
	for (unsigned i = 0; i < N * width; i++)
		p[i] = (uint8_t)(first + i / width);
}

struct view {
	const char *name;
	unsigned ndim;
	uint64_t shape[4], stride[4], offset;
	bool contiguous;
};

static const struct view views[] = {
	{"whole", 1, {N}, {1}, 0, true},
	{"rows", 2, {2, 8}, {8, 1}, 8, true},
	{"transposed", 2, {8, 6}, {1, 8}, 0, false},
	{"columns", 2, {6, 3}, {8, 1}, 2, false},
	{"every", 2, {3, 3}, {16, 3}, 1, false},
	{"three", 3, {2, 3, 2}, {24, 2, 9}, 3, false},
	{"expanded", 2, {5, 3}, {0, 2}, 4, false},
	{"one", 0, {0}, {0}, 17, true},
	{"nothing", 1, {0}, {1}, 9, true},
	{"last", 1, {4}, {5}, 32, false},
};

/* What the storage should be after the view's elements became `part`'s. */
static void expected(uint8_t *p, unsigned width, const struct view *v, const uint8_t *part, uint64_t n)
{
	for (uint64_t e = 0; e < n; e++) {
		uint64_t at = v->offset, rest = e, step = 1;
		for (unsigned i = v->ndim; i-- > 0; rest /= v->shape[i]) {
			at += rest % v->shape[i] * (v->contiguous ? step : v->stride[i]);
			step *= v->shape[i];
		}
		memcpy(p + at * width, part + e * width, width);
	}
}

static void test_view(const struct view *v, enum vv_dtype dt, size_t window)
{
	unsigned width = vv_dtype_width(dt);
	uint8_t old[N * 16 + 3], want[N * 16], got[N * 16], part[64 * 16];
	struct vv_torch_tensor t = {.view = {v->name, v->ndim, v->shape, v->contiguous ? NULL : v->stride, v->offset}, .dtype = dt};
	struct vv_source_mem src, bytes;
	struct vv_err err = VV_ERR_INIT;
	uint64_t n = 1;
	bool ok = true;

	for (unsigned i = 0; i < v->ndim; i++)
		n *= v->shape[i];
	for (uint64_t i = 0; i < n * width; i++)
		part[i] = (uint8_t)(200 + (strcmp(v->name, "expanded") ? i / width : i / width % 3) % 50);
	fill(old + 3, width, 0);
	fill(want, width, 0);
	expected(want, width, v, part, n);
	vv_source_mem_init(&src, vv_span(old, N * width + 3));
	vv_source_mem_init(&bytes, vv_span(part, (size_t)n * width));
	struct vv_part p = {v->name, dt, v->ndim, v->shape, n * width, &bytes.base};
	struct vv_torch_bytes *s = vv_torch_bytes_new(&src.base, 3, N * width);
	if (vv_torch_bytes_add(s, &t, &p, &err))
		ok = false;
	for (size_t at = 0; at < N * width; at += window) {
		size_t len = N * width - at < window ? N * width - at : window;
		ok &= !vv_source_read(vv_torch_bytes_source(s), at, got + at, len, &err);
	}
	printf("# %s width %u window %zu\n", v->name, width, window);
	CHECK(ok && !memcmp(got, want, N * width));
	uint32_t crc, again;
	CHECK_OK(vv_torch_bytes_crc(s, &crc, &err), &err);
	/* Read in order or not, it is the same. */
	ok = !vv_source_read(vv_torch_bytes_source(s), width, got, width, &err) &&
		!vv_source_read(vv_torch_bytes_source(s), 0, got, width, &err);
	CHECK(ok);
	CHECK_OK(vv_torch_bytes_crc(s, &again, &err), &err);
	CHECK(crc == again && crc);
	vv_torch_bytes_free(s);
}

/* Two views that overlap, with bytes that agree or do not, seen through any window. */
static void test_overlap(size_t window, bool agree, bool strided)
{
	uint8_t old[N], got[N], a[16], b[16];
	struct vv_source_mem src, sa, sb;
	struct vv_err err = VV_ERR_INIT;
	const uint64_t shape[] = {16}, stride[] = {2};
	struct vv_torch_tensor ta = {.view = {"a", 1, shape, NULL, 4}, .dtype = VV_DT_U8};
	struct vv_torch_tensor tb = {.view = {"b", 1, shape, strided ? stride : NULL, strided ? 0 : 12}, .dtype = VV_DT_U8};
	int ret = 0;

	fill(old, 1, 0);
	memset(a, 77, sizeof(a));
	memset(b, 77, sizeof(b));
	if (!agree)
		b[strided ? 9 : 7] = 1;
	vv_source_mem_init(&src, vv_span(old, N));
	vv_source_mem_init(&sa, vv_span(a, 16));
	vv_source_mem_init(&sb, vv_span(b, 16));
	struct vv_part pa = {"a", VV_DT_U8, 1, shape, 16, &sa.base}, pb = {"b", VV_DT_U8, 1, shape, 16, &sb.base};
	struct vv_torch_bytes *s = vv_torch_bytes_new(&src.base, 0, N);
	if (vv_torch_bytes_add(s, &ta, &pa, &err) || vv_torch_bytes_add(s, &tb, &pb, &err))
		ret = 1;
	for (size_t at = 0; at < N && !ret; at += window)
		ret = vv_source_read(vv_torch_bytes_source(s), at, got + at, N - at < window ? N - at : window, &err);
	CHECK_INT(ret, agree ? 0 : VV_ENOTSUP);
	CHECK(agree ? got[4] == 77 && got[47] == 47 : strstr(err.msg, "shares bytes") != NULL);
	vv_torch_bytes_free(s);
}

/* A view that says one element too often is refused before anything is read. */
static void test_expanded(void)
{
	const uint64_t shape[] = {(uint64_t)1 << 40, 2}, stride[] = {0, 1};
	struct vv_torch_tensor t = {.view = {"x", 2, shape, stride, 0}, .dtype = VV_DT_U8};
	struct vv_part p = {"x", VV_DT_U8, 2, shape, (uint64_t)2 << 40, NULL};
	struct vv_source_mem src;
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&src, vv_span("ab", 2));
	struct vv_torch_bytes *s = vv_torch_bytes_new(&src.base, 0, 2);
	CHECK_INT(vv_torch_bytes_add(s, &t, &p, &err), VV_ENOTSUP);
	vv_torch_bytes_free(s);
	vv_torch_bytes_free(NULL);
}

int main(void)
{
	static const enum vv_dtype kinds[] = {VV_DT_U8, VV_DT_BF16, VV_DT_F32, VV_DT_C128};
	static const size_t windows[] = {1, 3, 16, 100, N * 16};

	for (size_t i = 0; i < VV_COUNT(views); i++)
		for (size_t k = 0; k < VV_COUNT(kinds); k++)
			for (size_t w = 0; w < VV_COUNT(windows); w++)
				test_view(&views[i], kinds[k], windows[w]);
	for (size_t w = 0; w < VV_COUNT(windows); w++)
		for (int c = 0; c < 4; c++)
			test_overlap(windows[w], c & 1, c & 2);
	test_expanded();
	return done();
}
