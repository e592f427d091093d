#include "format/hdf5.h"

#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

/* A tree of two levels with records of three bytes: "mid" between the leaves "low" and "top". */
struct trees {
	struct mkh5 m;
	uint64_t head, root, leaf[2];
};

static uint64_t leaf(struct mkh5 *m, const char *record)
{
	uint64_t at = mkh5_add(m, "BTLF\0\7", 6);

	vv_buf_str(&m->out, record);
	mkh5_sum(&m->out, at);
	return at;
}

static void make(struct trees *t)
{
	*t = (struct trees){.m = MKH5_INIT};
	mkh5_begin(&t->m);
	t->leaf[0] = leaf(&t->m, "low");
	t->leaf[1] = leaf(&t->m, "top");
	t->root = mkh5_add(&t->m, "BTIN\0\7mid", 9);
	for (int i = 0; i < 2; i++) {
		vv_buf_le(&t->m.out, t->leaf[i], 8);
		vv_buf_le(&t->m.out, 1, 1);
	}
	mkh5_sum(&t->m.out, t->root);
	t->head = mkh5_add(&t->m, "BTHD\0\7", 6);
	vv_buf_le(&t->m.out, 64, 4);
	vv_buf_le(&t->m.out, 3 | 1 << 16, 4);
	vv_buf_le(&t->m.out, 0, 2);
	vv_buf_le(&t->m.out, t->root, 8);
	vv_buf_le(&t->m.out, 1, 2);
	vv_buf_le(&t->m.out, 3, 8);
	mkh5_sum(&t->m.out, t->head);
}

static int note(void *ctx, struct vv_span record, struct vv_err *e)
{
	struct vv_buf *seen = ctx;

	vv_buf_span(seen, record);
	vv_buf_char(seen, ' ');
	return seen->len > 8 && seen->ptr[0] == '!' ? vv_fail(e, VV_ENOTFOUND, "enough") : 0;
}

static int records(const struct trees *t, struct vv_buf *seen, unsigned type, unsigned record)
{
	struct vv_source_mem mem;
	struct vv_arena arena = {0};
	struct vv_hdf5 h;
	int ret;

	vv_source_mem_init(&mem, vv_buf_view(&t->m.out));
	vv_hdf5_init(&h, &mem.base, 0, t->m.out.len, &arena);
	ret = vv_hdf5_records(&h, t->head, type, record, note, seen, &err);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	return ret;
}

int main(void)
{
	/* Where, what, under a checksum that is right. */
	enum { HEAD, ROOT, LEAF };
	static const struct {
		int in;
		size_t at;
		uint8_t is;
		const char *says;
	} bad[] = {{HEAD, 5, 8, "no such B-tree"}, {HEAD, 6, 9, "odd numbers"}, {HEAD, 6, 18, "odd numbers"},
		{HEAD, 10, 4, "odd numbers"}, {HEAD, 12, 32, "odd numbers"}, {HEAD, 12, 0, "no node"}, {HEAD, 24, 200, "full node"},
		{HEAD, 17, 0xff, "past the end"}, {ROOT, 5, 5, "no node"}, {ROOT, 17, 2, "checksum"}, {LEAF, 3, 'X', "no node"}};
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct trees t;
	int taken = 0;

	make(&t);
	CHECK_OK(records(&t, &seen, 7, 3), &err);
	CHECK_STR((const char *)seen.ptr, "mid low top ");
	vv_buf_clear(&seen);
	CHECK_INT(records(&t, &seen, 6, 3), VV_EFORMAT);
	CHECK_INT(records(&t, &seen, 7, 4), VV_EFORMAT);
	CHECK_INT(seen.len, 0);
	/* What the caller says goes up. */
	vv_buf_str(&seen, "!");
	CHECK_INT(records(&t, &seen, 7, 3), VV_ENOTFOUND);
	/* A tree without records. */
	vv_buf_clear(&seen);
	memset(t.m.out.ptr + t.head + 16, 0xff, 8);
	vv_put32(t.m.out.ptr + t.head + 34, vv_hdf5_checksum(vv_span(t.m.out.ptr + t.head, 34)));
	CHECK_OK(records(&t, &seen, 7, 3), &err);
	CHECK_INT(seen.len, 0);
	mkh5_release(&t.m);

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		make(&t);
		const uint64_t at[] = {t.head, t.root, t.leaf[0]};
		const size_t len[] = {38, 31, 13};
		uint8_t *p = t.m.out.ptr + at[bad[i].in];
		p[bad[i].at] = bad[i].is;
		vv_put32(p + len[bad[i].in] - 4, vv_hdf5_checksum(vv_span(p, len[bad[i].in] - 4)));
		bool ok = records(&t, &seen, 7, 3) == VV_EFORMAT && strstr(err.msg, bad[i].says);
		tap_ok(ok, bad[i].says, __FILE__, __LINE__);
		if (!ok)
			printf("# %zu: %s\n", i, err.msg);
		mkh5_release(&t.m);
	}
	make(&t);
	for (size_t n = 48; n < t.m.out.len; n++) {
		size_t whole = t.m.out.len;
		t.m.out.ptr[n] ^= 1;
		taken += records(&t, &seen, 7, 3) != VV_EFORMAT;
		t.m.out.ptr[n] ^= 1;
		t.m.out.len = n;
		taken += records(&t, &seen, 7, 3) != VV_EFORMAT;
		t.m.out.len = whole;
	}
	CHECK_INT(taken, 0);
	mkh5_release(&t.m);
	vv_buf_release(&seen);
	return done();
}
