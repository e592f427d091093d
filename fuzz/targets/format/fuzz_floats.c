/*
 * Files of numbers are large, so the input is a recipe: each four bytes say of which kind of bytes a part is, how long
 * it is and where in that kind's pool it begins. The same part twice is a repeat. The input itself is judged as a sample.
 */
#include "check.h"
#include "format/floatrepeat.h"
#include "format/floatsample.h"
#include "mkfloats.h"

enum { POOL = 1 << 20, LARGEST = 5 << 20 };

static const enum made_kind kinds[] = {MADE_F32, MADE_BF16, MADE_F16, MADE_F64, MADE_F32, MADE_SPARSE, MADE_NOISE,
	MADE_TEXT, MADE_TOKENS64, MADE_ZEROS, MADE_F32_OF_BF16, MADE_GREY16, MADE_ONES, MADE_Q8, MADE_F32, MADE_SQUARES};
static struct vv_buf pools[VV_COUNT(kinds)];

static void make(struct vv_buf *file, const uint8_t *data, size_t size)
{
	for (; size >= 4 && file->len < LARGEST; data += 4, size -= 4) {
		struct vv_buf *pool = &pools[data[0] % VV_COUNT(kinds)];
		/* 0 to 15 bytes more or less than a power of two. */
		size_t len = ((size_t)1 << data[1] % 21) + data[2] % 16, from = (size_t)data[3] * 1000;

		if (!pool->ptr) {
			vv_buf_init(pool, VV_MAX_TEXT);
			make_kind(pool, kinds[data[0] % VV_COUNT(kinds)], POOL, data[0] % VV_COUNT(kinds) + 1u);
		}
		for (size_t n; len; len -= n) {
			n = len < POOL - from ? len : POOL - from;
			vv_buf_add(file, pool->ptr + from, n);
			from = 0;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_sample_votes votes = {0, 0};
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_sample s = {VV_SAMPLE_OTHER, 0};
	struct vv_repeat *r = NULL;
	struct vv_err err = VV_ERR_INIT;
	struct located l;
	size_t n = 0;

	for (uint64_t off = 0; off < 2; off++) {
		s = vv_sample_judge(vv_span(data, size), off, s, &votes);
		MUST(s.kind <= VV_SAMPLE_F64 && s.phase < 8);
	}
	make(&file, data, size);
	locate_soundly(&l, vv_buf_view(&file));
	MUST(strcmp(l.layout.format->name, "floats") != 0 || n_tensors(&l.layout));
	for (size_t i = 0; i < l.layout.n_findings; i++)
		MUST(!strstr(l.layout.findings[i].detail, "floats:"));
	if (file.len && file.len < 1 << 20) {
		MUST(!vv_repeats_find(&r, &n, &l.mem.base, 4, data[0] % 4, &err));
		for (size_t i = 0; i < n; i++)
			MUST(r[i].from + r[i].len <= r[i].at && (!i || r[i].at >= r[i - 1].at + r[i - 1].len) &&
				!memcmp(file.ptr + r[i].from, file.ptr + r[i].at, (size_t)r[i].len));
		free(r);
	}
	located_release(&l);
	vv_buf_release(&file);
	return 0;
}
