#include "format/floatrepeat.h"

#include "mkfloats.h"
#include "tap.h"

static struct vv_err err;

static int find(struct vv_repeat **r, size_t *n, const struct vv_buf *b, unsigned width, unsigned phase)
{
	struct vv_source_mem mem;

	vv_source_mem_init(&mem, vv_buf_view(b));
	return vv_repeats_find(r, n, &mem.base, width, phase, &err);
}

static bool sound(const struct vv_repeat *r, size_t n, const struct vv_buf *b, unsigned phase)
{
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (r[i].at < last || r[i].from + r[i].len > r[i].at || r[i].at + r[i].len > b->len || r[i].len % VV_REPEAT_GRID ||
			r[i].from % VV_REPEAT_GRID != phase || memcmp(b->ptr + r[i].from, b->ptr + r[i].at, r[i].len) != 0)
			return false;
		last = r[i].at + r[i].len;
		for (size_t k = 0; k < n; k++)
			if (r[i].from < r[k].at + r[k].len && r[k].at < r[i].from + r[i].len)
				return false;
	}
	return true;
}

/* Four parts of other lengths, then again in another order, one of them a third time. */
static void test_order(void)
{
	static const size_t len[] = {300000, 1 << 20, 80000, 1000}, order[] = {2, 0, 3, 1, 0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_repeat *r;
	size_t n, start[4];

	for (size_t i = 0; i < 4; i++) {
		start[i] = b.len;
		make_kind(&b, MADE_F32, len[i], i + 1);
	}
	for (size_t i = 0; i < 5; i++)
		make_kind(&b, MADE_F32, len[order[i]], order[i] + 1);
	CHECK_OK(find(&r, &n, &b, 4, 0), &err);
	CHECK_INT(n, 4);
	CHECK(sound(r, n, &b, 0));
	for (size_t i = 0, k = 0; i < 5 && k < n; i++)
		if (len[order[i]] > 1000) {
			CHECK(r[k].from >= start[order[i]] && r[k].from < start[order[i]] + VV_REPEAT_GRID);
			CHECK(r[k].len + 2 * VV_REPEAT_GRID > len[order[i]] && r[k].len <= len[order[i]]);
			k++;
		}
	free(r);
	vv_buf_release(&b);
}

static void test_widths(void)
{
	static const enum made_kind kinds[] = {MADE_BF16, MADE_F32, MADE_F64};

	for (unsigned i = 0; i < 3; i++)
		for (unsigned phase = 0; phase < 2u << i; phase++) {
			struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
			struct vv_repeat *r;
			size_t n;
			vv_buf_add(&b, "abcdefgh", phase);
			make_kind(&b, kinds[i], 200000, 7);
			make_kind(&b, kinds[i], 8 * (100 + phase), 8);
			make_kind(&b, kinds[i], 200000, 7);
			vv_buf_add(&b, "tail", 3);
			CHECK_OK(find(&r, &n, &b, 2u << i, phase), &err);
			CHECK(n == 1 && sound(r, n, &b, phase) && r[0].len > 190000);
			free(r);
			vv_buf_release(&b);
		}
}

/* Nothing to find: noise, zeros, one block over and over, what is too short or no file at all. */
static void test_none(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_repeat *r;
	size_t n;

	CHECK_OK(find(&r, &n, &b, 4, 0), &err);
	CHECK(!n);
	free(r);
	vv_buf_add(&b, "abc", 3);
	CHECK_OK(find(&r, &n, &b, 4, 3), &err);
	CHECK(!n);
	free(r);
	make_kind(&b, MADE_F32, 1 << 20, 1);
	make_kind(&b, MADE_ZEROS, 1 << 20, 1);
	make_kind(&b, MADE_ONES, 1 << 20, 1);
	make_kind(&b, MADE_ZEROS, 1 << 20, 1);
	make_kind(&b, MADE_F32, 50000, 1);
	CHECK_OK(find(&r, &n, &b, 4, 3), &err);
	CHECK(!n);
	free(r);
	vv_buf_clear(&b);
	for (int i = 0; i < 40; i++)
		make_kind(&b, MADE_F32, 40000, 1);
	CHECK_OK(find(&r, &n, &b, 4, 0), &err);
	CHECK(sound(r, n, &b, 0));
	free(r);
	vv_buf_release(&b);
}

struct failing {
	struct vv_source base;
	const struct vv_source *real;
	int *left;
};

static int fail_later(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	const struct failing *f = (const struct failing *)self;

	if (!(*f->left)--)
		return vv_fail(e, VV_EIO, "no more");
	return vv_source_read(f->real, off, dst, len, e);
}

/* Each read that fails ends it, with nothing to free. */
static void test_failing(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	struct vv_repeat *r;
	size_t n, fails = 0;
	int ret = VV_EIO;

	make_kind(&b, MADE_F32, 150000, 1);
	make_kind(&b, MADE_F32, 150000, 1);
	vv_source_mem_init(&mem, vv_buf_view(&b));
	for (int reads = 0; ret; reads++, fails++) {
		int left = reads;
		struct failing f = {{b.len, fail_later}, &mem.base, &left};
		ret = vv_repeats_find(&r, &n, &f.base, 4, 0, &err);
		if (ret && (ret != VV_EIO || r || n))
			CHECK_INT(ret, VV_EIO);
		free(r);
	}
	CHECK(fails > 4);
	CHECK_INT(n, 1);
	vv_buf_release(&b);
}

int main(void)
{
	test_order();
	test_widths();
	test_none();
	test_failing();
	return done();
}
