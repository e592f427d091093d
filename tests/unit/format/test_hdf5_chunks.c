#include "format/hdf5.h"

#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

static int note(void *ctx, const struct vv_hdf5_chunk *c, struct vv_err *e VV_UNUSED)
{
	vv_buf_fmt(ctx, "%u,%u@%u+%u/%u ", (unsigned)c->at[0], (unsigned)c->at[1], (unsigned)c->addr, (unsigned)c->len, c->mask);
	return 0;
}

static int walk(struct vv_buf *seen, const struct mkh5 *m, const struct vv_hdf5_object *o)
{
	struct vv_source_mem mem;
	struct vv_arena arena = {0};
	struct vv_hdf5 h;
	int ret;

	vv_source_mem_init(&mem, vv_buf_view(&m->out));
	vv_hdf5_init(&h, &mem.base, 0, m->out.len, &arena);
	vv_buf_clear(seen);
	ret = vv_hdf5_chunks(&h, o, note, seen, &err);
	vv_buf_add(seen, "", 0);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	return ret;
}

#define SEEN(m, o, text)                                                                                               \
	do {                                                                                                           \
		CHECK_OK(walk(&seen, m, o), &err);                                                                     \
		CHECK_STR((const char *)seen.ptr, text);                                                               \
	} while (0)

/* 3 × 5 elements of a byte in chunks of 2 × 2. */
static struct vv_hdf5_object object(enum vv_hdf5_index index, uint64_t addr)
{
	return (struct vv_hdf5_object){.ndim = 2, .shape = {3, 5}, .max = {3, 5}, .dtype = VV_DT_U8, .width = 1, .addr = addr,
		.n_chunk = 3, .chunk = {2, 2, 1}, .chunk_index = index};
}

static void addresses(struct mkh5 *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vv_buf_le(&m->out, i == 1 ? VV_HDF5_NONE : 100 + i, 8);
}

static void test_without(void)
{
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_hdf5_object o = object(VV_HDF5_SINGLE, 7);
	struct mkh5 m = MKH5_INIT;

	mkh5_begin(&m);
	SEEN(&m, &o, "0,0@7+4/0 ");
	o.n_filters = 1;
	o.len = 9;
	o.single_mask = 1;
	SEEN(&m, &o, "0,0@7+9/1 ");
	o.addr = VV_HDF5_NONE;
	SEEN(&m, &o, "");
	o = object(VV_HDF5_SINGLE, 7);
	o.shape[1] = 0;
	SEEN(&m, &o, "");
	o.shape[1] = 6;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o = object(VV_HDF5_SINGLE, 7);
	o.chunk[0] = 0;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o.chunk[0] = o.chunk[1] = 1ull << 40;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	/* One after the other, for as many as there may be. */
	o = object(VV_HDF5_IMPLICIT, 8);
	SEEN(&m, &o, "0,0@8+4/0 0,2@12+4/0 0,4@16+4/0 2,0@20+4/0 2,2@24+4/0 2,4@28+4/0 ");
	o.max[1] = 7;
	SEEN(&m, &o, "0,0@8+4/0 0,2@12+4/0 0,4@16+4/0 2,0@24+4/0 2,2@28+4/0 2,4@32+4/0 ");
	o.max[0] = 11;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o.max[0] = o.max[1] = UINT64_MAX;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o.max[1] = 5;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	mkh5_release(&m);
	vv_buf_release(&seen);
}

static uint64_t old_node(struct mkh5 *m, unsigned level, unsigned n, const uint64_t (*keys)[3])
{
	uint64_t at = mkh5_add(m, "TREE\1", 5);

	vv_buf_le(&m->out, level, 1);
	vv_buf_le(&m->out, n, 2);
	vv_buf_le(&m->out, VV_HDF5_NONE, 8);
	vv_buf_le(&m->out, VV_HDF5_NONE, 8);
	for (unsigned i = 0; i <= n; i++) {
		vv_buf_le(&m->out, 4, 4);
		vv_buf_le(&m->out, i, 4);
		vv_buf_le(&m->out, i < n ? keys[i][0] : 9, 8);
		vv_buf_le(&m->out, i < n ? keys[i][1] : 9, 8);
		vv_buf_le(&m->out, 0, 8);
		if (i < n)
			vv_buf_le(&m->out, keys[i][2], 8);
	}
	return at;
}

static void test_old(void)
{
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkh5 m = MKH5_INIT;

	mkh5_begin(&m);
	uint64_t a = old_node(&m, 0, 2, (const uint64_t[][3]){{0, 0, 50}, {0, 4, 60}});
	uint64_t b = old_node(&m, 0, 3, (const uint64_t[][3]){{2, 0, 70}, {2, 6, 80}, {4, 0, 90}});
	uint64_t root = old_node(&m, 1, 2, (const uint64_t[][3]){{0, 0, a}, {2, 0, b}});
	struct vv_hdf5_object o = object(VV_HDF5_TREE, root);
	SEEN(&m, &o, "0,0@50+4/0 0,4@60+4/1 2,0@70+4/0 ");
	/* Where no chunk begins; a node of another level, or kind; one that is its own child. */
	struct mkh5 x = MKH5_INIT;
	static const struct {
		int in;
		size_t at;
		uint8_t is;
		const char *says;
	} bad[] = {{0, 32, 1, "not where chunks are"}, {0, 5, 1, "no B-tree of chunks"}, {0, 4, 0, "no B-tree of chunks"},
		{1, 5, 32, "no B-tree of chunks"}, {1, 7, 1, "past the end"}, {0, 6, 200, "past the end"}};
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		vv_buf_clear(&x.out);
		vv_buf_span(&x.out, vv_buf_view(&m.out));
		x.out.ptr[(bad[i].in ? root : a) + bad[i].at] = bad[i].is;
		CHECK_INT(walk(&seen, &x, &o), VV_EFORMAT);
		CHECK(strstr(err.msg, bad[i].says));
	}
	vv_put64(m.out.ptr + root + 24 + 32, root);
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	mkh5_release(&x);
	mkh5_release(&m);
	vv_buf_release(&seen);
}

static uint64_t fixed(struct mkh5 *m, unsigned client, unsigned element, unsigned page_bits, uint64_t n, uint64_t block)
{
	uint64_t at = mkh5_add(m, "FAHD\0", 5);

	vv_buf_le(&m->out, client, 1);
	vv_buf_le(&m->out, element, 1);
	vv_buf_le(&m->out, page_bits, 1);
	vv_buf_le(&m->out, n, 8);
	vv_buf_le(&m->out, block, 8);
	mkh5_sum(&m->out, at);
	return at;
}

static void test_fixed(void)
{
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkh5 m = MKH5_INIT;

	mkh5_begin(&m);
	uint64_t plain = mkh5_add(&m, "FADB\0\0hhhhhhhh", 14);
	addresses(&m, 6);
	mkh5_sum(&m.out, plain);
	struct vv_hdf5_object o = object(VV_HDF5_FIXED, fixed(&m, 0, 8, 10, 6, plain));
	SEEN(&m, &o, "0,0@100+4/0 0,4@102+4/0 2,0@103+4/0 2,2@104+4/0 2,4@105+4/0 ");
	uint64_t packed = mkh5_add(&m, "FADB\0\1hhhhhhhh", 14);
	for (unsigned i = 0; i < 6; i++) {
		vv_buf_le(&m.out, 100 + i, 8);
		vv_buf_le(&m.out, i, 2);
		vv_buf_le(&m.out, i % 2, 4);
	}
	mkh5_sum(&m.out, packed);
	o = object(VV_HDF5_FIXED, fixed(&m, 1, 14, 10, 6, packed));
	o.n_filters = 1;
	SEEN(&m, &o, "0,0@100+0/0 0,2@101+1/1 0,4@102+2/0 2,0@103+3/1 2,2@104+4/0 2,4@105+5/1 ");
	/* Pages of four; the first was never written, the second is short. */
	uint64_t pages = mkh5_add(&m, "FADB\0\0hhhhhhhh\x40", 15);
	mkh5_sum(&m.out, pages);
	for (int i = 0; i < 36; i++)
		vv_buf_char(&m.out, 'x');
	uint64_t page = m.out.len;
	addresses(&m, 2);
	mkh5_sum(&m.out, page);
	o = object(VV_HDF5_FIXED, fixed(&m, 0, 8, 2, 6, pages));
	SEEN(&m, &o, "2,2@100+4/0 ");
	m.out.ptr[page] ^= 1;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o.addr = fixed(&m, 0, 8, 10, 6, VV_HDF5_NONE);
	SEEN(&m, &o, "");

	/* Elements of another width, pages of any length, more than the file's bytes, filters or none against the header. */
	const uint64_t bad[] = {fixed(&m, 0, 9, 10, 6, plain), fixed(&m, 0, 8, 64, 6, plain), fixed(&m, 0, 8, 10, 1 << 20, plain),
		fixed(&m, 1, 8, 10, 6, plain), fixed(&m, 0, 8, 10, 7, plain), fixed(&m, 0, 8, 10, 6, plain + 1), plain};
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		o.addr = bad[i];
		CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	}
	o = object(VV_HDF5_FIXED, fixed(&m, 1, 12, 10, 6, packed));
	o.n_filters = 1;
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	o.addr = fixed(&m, 1, 21, 10, 6, packed);
	CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	mkh5_release(&m);
	vv_buf_release(&seen);
}

/* An array with one element in the index block, data blocks of two and more, pages of four: where its parts are. */
struct grown {
	struct mkh5 m;
	uint64_t head, index, first, group, paged;
};

static void make_grown(struct grown *g, const uint8_t *numbers)
{
	*g = (struct grown){.m = MKH5_INIT};
	mkh5_begin(&g->m);
	/* Elements 1 and 2; in group 3, blocks of eight: 15 to 22, of which the second page was written, and 23 to 30. */
	g->first = mkh5_add(&g->m, "EADB\0\0hhhhhhhho", 15);
	vv_buf_le(&g->m.out, 301, 8);
	vv_buf_le(&g->m.out, 302, 8);
	mkh5_sum(&g->m.out, g->first);
	g->paged = mkh5_add(&g->m, "EADB\0\0hhhhhhhho", 15);
	mkh5_sum(&g->m.out, g->paged);
	for (int i = 0; i < 36; i++)
		vv_buf_char(&g->m.out, 'x');
	uint64_t page = g->m.out.len;
	for (unsigned i = 0; i < 4; i++)
		vv_buf_le(&g->m.out, 309 + i, 8);
	mkh5_sum(&g->m.out, page);
	g->group = mkh5_add(&g->m, "EASB\0\0hhhhhhhho\x40\0", 17);
	vv_buf_le(&g->m.out, g->paged, 8);
	vv_buf_le(&g->m.out, VV_HDF5_NONE, 8);
	mkh5_sum(&g->m.out, g->group);
	g->index = mkh5_add(&g->m, "EAIB\0\0hhhhhhhh", 14);
	vv_buf_le(&g->m.out, 300, 8);
	vv_buf_le(&g->m.out, g->first, 8);
	vv_buf_le(&g->m.out, VV_HDF5_NONE, 8);
	vv_buf_le(&g->m.out, VV_HDF5_NONE, 8);
	vv_buf_le(&g->m.out, g->group, 8);
	mkh5_sum(&g->m.out, g->index);
	g->head = mkh5_add(&g->m, "EAHD\0\0", 6);
	vv_buf_add(&g->m.out, numbers, 6);
	for (int i = 0; i < 6; i++)
		vv_buf_le(&g->m.out, 0, 8);
	vv_buf_le(&g->m.out, g->index, 8);
	mkh5_sum(&g->m.out, g->head);
}

static void test_growing(void)
{
	/* Bytes of an element, bits of its number, elements in the index block, in a block, addresses, bits of a page. */
	static const uint8_t good[6] = {8, 4, 1, 2, 2, 2};
	static const uint8_t bad[][6] = {{9, 4, 1, 2, 2, 1}, {8, 63, 1, 2, 2, 1}, {8, 4, 1, 3, 2, 1}, {8, 4, 1, 2, 3, 1},
		{8, 4, 1, 2, 0, 1}, {8, 4, 1, 2, 2, 63}, {8, 0, 1, 2, 2, 1}, {8, 4, 1, 2, 32, 1}, {8, 4, 1, 2, 2, 0}, {8, 4, 200, 2, 2, 1},
		{0, 4, 1, 2, 2, 1}, {8, 62, 1, 1, 2, 1}};
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct grown g;
	int taken = 0;

	make_grown(&g, good);
	/* Three chunks a column, and columns come first: the second dimension has no limit. */
	struct vv_hdf5_object o = object(VV_HDF5_EXTENSIBLE, g.head);
	o.shape[0] = o.max[0] = 6;
	o.shape[1] = 20;
	o.max[1] = UINT64_MAX;
	SEEN(&g.m, &o, "0,0@300+4/0 2,0@301+4/0 4,0@302+4/0 2,12@309+4/0 4,12@310+4/0 0,14@311+4/0 2,14@312+4/0 ");
	o.shape[0] = 20;
	o.max[0] = UINT64_MAX;
	o.shape[1] = o.max[1] = 6;
	SEEN(&g.m, &o, "0,0@300+4/0 0,2@301+4/0 0,4@302+4/0 12,2@309+4/0 12,4@310+4/0 14,0@311+4/0 14,2@312+4/0 ");
	o.shape[0] = 2;
	SEEN(&g.m, &o, "0,0@300+4/0 0,2@301+4/0 0,4@302+4/0 ");
	/* All of it is under a checksum but the page that was never written, and what came before. */
	for (size_t i = g.first; i < g.m.out.len; i++) {
		if (i >= g.paged + 19 && i < g.paged + 55)
			continue;
		g.m.out.ptr[i] ^= 1;
		taken += walk(&seen, &g.m, &o) != VV_EFORMAT;
		g.m.out.ptr[i] ^= 1;
	}
	CHECK_INT(taken, 0);
	mkh5_release(&g.m);
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		make_grown(&g, bad[i]);
		o.addr = g.head;
		CHECK_INT(walk(&seen, &g.m, &o), VV_EFORMAT);
		mkh5_release(&g.m);
	}
	vv_buf_release(&seen);
}

static void test_tree(void)
{
	struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);
	struct mkh5 m = MKH5_INIT;

	for (unsigned filtered = 0; filtered < 3; filtered++) {
		unsigned width = filtered == 2 ? 8 : 2;

		mkh5_begin(&m);
		uint64_t leaf = mkh5_add(&m, filtered ? "BTLF\0\13" : "BTLF\0\12", 6);
		for (unsigned i = 0; i < 2; i++) {
			vv_buf_le(&m.out, 60 + i, 8);
			if (filtered) {
				vv_buf_le(&m.out, 17, width);
				vv_buf_le(&m.out, 5, 4);
			}
			vv_buf_le(&m.out, i, 8);
			vv_buf_le(&m.out, 2 - i, 8);
		}
		mkh5_sum(&m.out, leaf);
		uint64_t head = mkh5_add(&m, filtered ? "BTHD\0\13" : "BTHD\0\12", 6);
		vv_buf_le(&m.out, 512, 4);
		vv_buf_le(&m.out, 24 + (filtered ? width + 4 : 0), 4);
		vv_buf_le(&m.out, 0, 2);
		vv_buf_le(&m.out, leaf, 8);
		vv_buf_le(&m.out, 2, 2);
		vv_buf_le(&m.out, 2, 8);
		mkh5_sum(&m.out, head);
		struct vv_hdf5_object o = object(VV_HDF5_TREE2, head);
		o.n_filters = filtered != 0;
		o.wide_lengths = filtered == 2;
		SEEN(&m, &o, filtered ? "0,4@60+17/5 2,2@61+17/5 " : "0,4@60+4/0 2,2@61+4/0 ");
		o.wide_lengths = filtered == 1;
		o.n_filters = filtered == 0 ? 1 : o.n_filters;
		CHECK_INT(walk(&seen, &m, &o), VV_EFORMAT);
	}
	mkh5_release(&m);
	vv_buf_release(&seen);
}

int main(void)
{
	test_without();
	test_old();
	test_fixed();
	test_growing();
	test_tree();
	return done();
}
