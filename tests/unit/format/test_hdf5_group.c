#include "format/hdf5.h"

#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

/* Names with a space behind each; "!" before one that leads out of the file, "~" before a soft one. */
static int note(void *ctx, const struct vv_hdf5_link *l, struct vv_err *e VV_UNUSED)
{
	static const char *const marks[] = {"", "~", "!", "?"};
	struct vv_buf *b = ctx;

	vv_buf_str(b, marks[l->kind]);
	vv_buf_span(b, l->name);
	vv_buf_char(b, ' ');
	return 0;
}

struct file {
	struct vv_source_mem mem;
	struct vv_hdf5 h;
	struct vv_arena arena;
	struct vv_buf seen;
};

static void open_file(struct file *f, const struct mkh5 *m)
{
	*f = (struct file){.seen = VV_BUF_INIT(VV_MAX_TEXT)};
	vv_source_mem_init(&f->mem, vv_buf_view(&m->out));
	vv_hdf5_init(&f->h, &f->mem.base, 0, m->out.len, &f->arena);
	vv_buf_str(&f->seen, "");
	vv_buf_add(&f->seen, "", 0);
	err = (struct vv_err)VV_ERR_INIT;
}

static void close_file(struct file *f)
{
	vv_hdf5_release(&f->h);
	vv_arena_release(&f->arena);
	vv_buf_release(&f->seen);
}

static void test_links(void)
{
	struct mkh5 m = MKH5_INIT;
	struct vv_hdf5_link l;
	struct file f;

	mkh5_begin(&m);
	open_file(&f, &m);
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\0\1a\7\0\0\0\0\0\0\0"), &l));
	CHECK(l.kind == VV_HDF5_HARD && vv_span_is(l.name, "a") && l.addr == 7);
	/* With a type, an order, a character set, a length of four bytes. */
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x1e\0oooooooo\1\1\0\0\0a\7\0\0\0\0\0\0\0"), &l));
	CHECK(l.kind == VV_HDF5_HARD && vv_span_is(l.name, "a") && l.addr == 7);
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x08\1\1a\2\0/b"), &l));
	CHECK(l.kind == VV_HDF5_SOFT && vv_span_is(l.name, "a"));
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x08\x40\1a\6\0\0f.h\0/"), &l));
	CHECK(l.kind == VV_HDF5_OUTSIDE && vv_span_is(l.target, "f.h"));
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x08\x40\1a\6\0\0f.h"), &l) && vv_span_is(l.target, "f.h"));
	CHECK(!vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x08\x41\1a"), &l) && l.kind == VV_HDF5_USER);
	/* Broken: its version, its length, its address, its file. */
	CHECK(vv_hdf5_link_parse(&f.h, MKH5_SPAN("\2\0\1a\7\0\0\0\0\0\0\0"), &l));
	CHECK(vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\3\xff\xff\xff\xff\xff\xff\xff\xff" "a"), &l));
	CHECK(vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\0\1a\7\0\0\0\0\0\0"), &l));
	CHECK(vv_hdf5_link_parse(&f.h, MKH5_SPAN("\1\x08\x40\1a\6\0"), &l));
	close_file(&f);
	mkh5_release(&m);
}

/* --- old groups --- */

struct old {
	struct mkh5 m;
	uint64_t heap, leaf[3], tree[3];
};

static void symbol(struct mkh5 *m, uint64_t name, uint64_t addr, unsigned cached)
{
	vv_buf_le(&m->out, name, 8);
	vv_buf_le(&m->out, addr, 8);
	vv_buf_le(&m->out, cached, 8);
	vv_buf_le(&m->out, 0, 8);
	vv_buf_le(&m->out, 0, 8);
}

static uint64_t tree(struct mkh5 *m, unsigned level, const uint64_t *children, unsigned n)
{
	uint64_t at = mkh5_add(m, "TREE\0", 5);

	vv_buf_le(&m->out, level, 1);
	vv_buf_le(&m->out, n, 2);
	vv_buf_le(&m->out, VV_HDF5_NONE, 8);
	vv_buf_le(&m->out, VV_HDF5_NONE, 8);
	vv_buf_le(&m->out, 0, 8);
	for (unsigned i = 0; i < n; i++) {
		vv_buf_le(&m->out, children[i], 8);
		vv_buf_le(&m->out, 0, 8);
	}
	return at;
}

/* A tree of two levels: two nodes, of two leaves and one, of two names each. */
static void make_old(struct old *o)
{
	uint64_t names;

	o->m = (struct mkh5)MKH5_INIT;
	mkh5_begin(&o->m);
	names = mkh5_add(&o->m, "\0a\0b\0c\0d\0e\0f", 13);
	o->heap = mkh5_add(&o->m, "HEAP\0\0\0\0", 8);
	vv_buf_le(&o->m.out, 13, 8);
	vv_buf_le(&o->m.out, 1, 8);
	vv_buf_le(&o->m.out, names, 8);
	for (unsigned i = 0; i < 3; i++) {
		o->leaf[i] = mkh5_add(&o->m, "SNOD\1\0\2\0", 8);
		symbol(&o->m, 1 + 4 * i, 7, 0);
		symbol(&o->m, 3 + 4 * i, 7, i == 1 ? 2 : 1);
	}
	o->tree[0] = tree(&o->m, 0, o->leaf, 2);
	o->tree[1] = tree(&o->m, 0, o->leaf + 2, 1);
	o->tree[2] = tree(&o->m, 1, o->tree, 2);
}

static int read_old(struct file *f, const struct old *o)
{
	open_file(f, &o->m);
	return vv_hdf5_symbols(&f->h, o->tree[2], o->heap, note, &f->seen, &err);
}

static void test_old(void)
{
	struct old o;
	struct file f;

	make_old(&o);
	CHECK_OK(read_old(&f, &o), &err);
	CHECK_STR((const char *)f.seen.ptr, "a b c ~d e f ");
	close_file(&f);
	/* The last name without its NUL. */
	o.m.out.ptr[48 + 12] = 'x';
	CHECK_INT(read_old(&f, &o), VV_EFORMAT);
	CHECK(strstr(err.msg, "past its heap"));
	CHECK_STR((const char *)f.seen.ptr, "a b c ~d e ");
	close_file(&f);
	mkh5_release(&o.m);
}

static void test_old_hostile(void)
{
	/* In which structure, where, what: a node of names that leads back, another level, wrong signatures, counts. */
	static const struct {
		int in;
		size_t at;
		uint8_t is;
		const char *says;
	} bad[] = {{2, 0, 't', "no B-tree"}, {2, 4, 1, "no B-tree"}, {2, 5, 2, "no B-tree"}, {2, 5, 32, "no B-tree"},
		{1, 5, 1, "no B-tree"}, {2, 7, 0xff, "past the end"}, {5, 0, 's', "no symbols"}, {5, 7, 1, "past the end"},
		{6, 0, 'h', "no heap"}, {6, 15, 1, "past the end"}, {6, 31, 1, "past the end"}, {5, 8, 0xff, "past its heap"},
		{5, 15, 0xff, "past its heap"}};
	struct old o;
	struct file f;

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		make_old(&o);
		uint64_t at = bad[i].in < 3 ? o.tree[bad[i].in] : bad[i].in < 6 ? o.leaf[bad[i].in - 3] : o.heap;
		o.m.out.ptr[at + bad[i].at] = bad[i].is;
		CHECK_INT(read_old(&f, &o), VV_EFORMAT);
		CHECK(strstr(err.msg, bad[i].says));
		close_file(&f);
		mkh5_release(&o.m);
	}
	/* A leaf of two nodes; a node below itself. */
	make_old(&o);
	memcpy(o.m.out.ptr + o.tree[1] + 32, o.m.out.ptr + o.tree[0] + 32, 8);
	CHECK_INT(read_old(&f, &o), VV_EFORMAT);
	CHECK(strstr(err.msg, "two structures"));
	close_file(&f);
	vv_put64(o.m.out.ptr + o.tree[2] + 32, o.tree[2]);
	CHECK_INT(read_old(&f, &o), VV_EFORMAT);
	CHECK(strstr(err.msg, "two structures"));
	close_file(&f);
	mkh5_release(&o.m);
}

/* --- new groups --- */

/* A heap of blocks of 64 bytes in rows of two, of which the third row has blocks of blocks. */
struct dense {
	struct mkh5 m;
	uint64_t heap, root, inner, block[2], index, node[5];
	size_t link_len;
};

enum { HEAD = 4 + 1 + 8 + 2 + 4 };

/* Two links, `first` and the letter after it, behind the block's head. */
static uint64_t make_block(struct dense *d, char first, uint64_t offset)
{
	uint64_t at = mkh5_add(&d->m, "FHDB\0", 5);
	char name[] = {first, 0};
	uint32_t sum;

	vv_buf_le(&d->m.out, d->heap, 8);
	vv_buf_le(&d->m.out, offset, 2);
	vv_buf_le(&d->m.out, 0, 4);
	for (int i = 0; i < 2; i++, name[0]++)
		mkh5_link_body(&d->m.out, name, 7);
	d->link_len = (size_t)(d->m.out.len - at - HEAD) / 2;
	while (d->m.out.len - at < 64)
		vv_buf_char(&d->m.out, 0);
	sum = vv_hdf5_checksum(vv_span(d->m.out.ptr + at, 64));
	vv_put32(d->m.out.ptr + at + HEAD - 4, sum);
	return at;
}

static void record(struct dense *d, uint64_t offset)
{
	vv_buf_le(&d->m.out, 0, 4);
	vv_buf_le(&d->m.out, 0, 1);
	vv_buf_le(&d->m.out, offset, 2);
	vv_buf_le(&d->m.out, d->link_len, 1);
	vv_buf_le(&d->m.out, 0, 3);
}

static uint64_t leaf(struct dense *d, uint64_t offset)
{
	uint64_t at = mkh5_add(&d->m, "BTLF\0\5", 6);

	record(d, offset);
	mkh5_sum(&d->m.out, at);
	return at;
}

/* A node with one record and a child on each side, which hold one, and `all` in all. */
static uint64_t inner(struct dense *d, uint64_t offset, const uint64_t *children, unsigned all)
{
	uint64_t at = mkh5_add(&d->m, "BTIN\0\5", 6);

	record(d, offset);
	for (int i = 0; i < 2; i++) {
		vv_buf_le(&d->m.out, children[i], 8);
		vv_buf_le(&d->m.out, children[i] == d->node[3] ? 0 : 1, 1);
		if (all)
			vv_buf_le(&d->m.out, all, 1);
	}
	mkh5_sum(&d->m.out, at);
	return at;
}

static void make_heap(struct dense *d)
{
	d->heap = d->m.out.len;
	mkh5_add(&d->m, "FRHP\0\x0b\0\0\0\2", 10);
	d->m.out.ptr[d->heap + 5] = 7;
	vv_buf_le(&d->m.out, 40, 4);
	for (int i = 0; i < 12; i++)
		vv_buf_le(&d->m.out, 0, 8);
	vv_buf_le(&d->m.out, 2, 2);
	vv_buf_le(&d->m.out, 64, 8);
	vv_buf_le(&d->m.out, 64, 8);
	vv_buf_le(&d->m.out, 16 | 1 << 16, 4);
	vv_buf_le(&d->m.out, d->heap + 146, 8);
	vv_buf_le(&d->m.out, 3, 2);
	mkh5_sum(&d->m.out, d->heap);
	/* Six places: the first block, and in the fifth a block of blocks. */
	d->root = mkh5_add(&d->m, "FHIB\0", 5);
	vv_buf_le(&d->m.out, d->heap, 8);
	vv_buf_le(&d->m.out, 0, 2);
	for (uint64_t i = 0, next = d->root + 15 + 48 + 4; i < 6; i++)
		vv_buf_le(&d->m.out, i == 4 ? next : i ? VV_HDF5_NONE : next + 15 + 16 + 4, 8);
	mkh5_sum(&d->m.out, d->root);
	d->inner = mkh5_add(&d->m, "FHIB\0", 5);
	vv_buf_le(&d->m.out, d->heap, 8);
	vv_buf_le(&d->m.out, 256, 2);
	vv_buf_le(&d->m.out, VV_HDF5_NONE, 8);
	vv_buf_le(&d->m.out, d->inner + 15 + 16 + 4 + 64, 8);
	mkh5_sum(&d->m.out, d->inner);
	d->block[0] = make_block(d, 'a', 0);
	d->block[1] = make_block(d, 'c', 256 + 64);
}

static void make_dense(struct dense *d)
{
	uint64_t second = 256 + 64 + HEAD;

	*d = (struct dense){.m = MKH5_INIT};
	mkh5_begin(&d->m);
	make_heap(d);
	d->node[0] = leaf(d, HEAD);
	d->node[1] = leaf(d, second);
	d->node[2] = inner(d, HEAD + d->link_len, d->node, 0);
	d->node[3] = mkh5_add(&d->m, "BTIN\0\5", 6);
	/* No record and one child, a leaf without records. */
	vv_buf_le(&d->m.out, d->m.out.len + 13, 8);
	vv_buf_le(&d->m.out, 0, 1);
	mkh5_sum(&d->m.out, d->node[3]);
	mkh5_sum(&d->m.out, mkh5_add(&d->m, "BTLF\0\5", 6));
	d->node[4] = inner(d, second + d->link_len, d->node + 2, 3);
	d->index = mkh5_add(&d->m, "BTHD\0\5", 6);
	vv_buf_le(&d->m.out, 64, 4);
	vv_buf_le(&d->m.out, 11 | 2 << 16, 4);
	vv_buf_le(&d->m.out, 0, 2);
	vv_buf_le(&d->m.out, d->node[4], 8);
	vv_buf_le(&d->m.out, 1, 2);
	vv_buf_le(&d->m.out, 4, 8);
	mkh5_sum(&d->m.out, d->index);
}

static int read_dense(struct file *f, const struct dense *d)
{
	open_file(f, &d->m);
	return vv_hdf5_dense(&f->h, d->heap, d->index, note, &f->seen, &err);
}

static void test_dense(void)
{
	struct dense d;
	struct file f;
	int taken = 0;

	make_dense(&d);
	CHECK_OK(read_dense(&f, &d), &err);
	CHECK_STR((const char *)f.seen.ptr, "d b a c ");
	close_file(&f);
	/* Each byte is under a checksum, but for blocks that nothing leads to. */
	for (size_t i = d.heap; i < d.m.out.len; i++) {
		d.m.out.ptr[i] ^= 1;
		taken += read_dense(&f, &d) != VV_EFORMAT;
		d.m.out.ptr[i] ^= 1;
		close_file(&f);
	}
	CHECK_INT(taken, 0);
	for (size_t n = d.heap; n < d.m.out.len; n++) {
		size_t whole = d.m.out.len;
		d.m.out.len = n;
		taken += read_dense(&f, &d) != VV_EFORMAT;
		d.m.out.len = whole;
		close_file(&f);
	}
	CHECK_INT(taken, 0);
	mkh5_release(&d.m);
}

static void resum(struct dense *d, uint64_t at, size_t len)
{
	vv_put32(d->m.out.ptr + at + len - 4, vv_hdf5_checksum(vv_span(d->m.out.ptr + at, len - 4)));
}

static void test_dense_hostile(void)
{
	enum { HEAP, INDEX, LEAF, ROOT };
	/* Where, what, under a checksum that is right. */
	static const struct {
		int in;
		size_t at;
		uint8_t is;
		const char *says;
	} bad[] = {{HEAP, 5, 65, "odd numbers"}, {HEAP, 5, 3, "odd numbers"}, {HEAP, 7, 1, "odd numbers"},
		{HEAP, 110, 3, "odd numbers"}, {HEAP, 112, 63, "odd numbers"}, {HEAP, 120, 32, "odd numbers"},
		{HEAP, 125, 1, "odd numbers"}, {HEAP, 128, 65, "odd numbers"}, {HEAP, 128, 2, "odd numbers"},
		{HEAP, 140, 65, "odd numbers"}, {HEAP, 140, 4, "wrong checksum"}, {HEAP, 140, 2, "past its heap"}, {HEAP, 140, 0, "no block"},
		{HEAP, 139, 1, "past the end"}, {INDEX, 9, 0xff, "odd numbers"}, {INDEX, 6, 9, "odd numbers"},
		{INDEX, 6, 18, "odd numbers"}, {INDEX, 10, 12, "odd numbers"}, {INDEX, 12, 32, "odd numbers"},
		{INDEX, 12, 1, "wrong checksum"}, {INDEX, 24, 200, "full node"}, {LEAF, 10, 0x10, "not in its heap's blocks"},
		{LEAF, 10, 0x40, "not in its heap's blocks"}, {LEAF, 11, 3, "past its block"}, {LEAF, 12, 0x80, "past its heap"},
		{LEAF, 11, 64, "past the end"}, {LEAF, 13, 60, "past its block"}, {LEAF, 13, 3, "broken link"},
		{ROOT, 15, 6, "no block"}};

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		struct dense d;
		struct file f;

		make_dense(&d);
		const uint64_t at[] = {d.heap, d.index, d.node[0], d.root};
		const size_t len[] = {146, 38, 21, 67};
		d.m.out.ptr[at[bad[i].in] + bad[i].at] = bad[i].is;
		resum(&d, at[bad[i].in], len[bad[i].in]);
		bool ok = read_dense(&f, &d) == VV_EFORMAT && strstr(err.msg, bad[i].says);
		tap_ok(ok, bad[i].says, __FILE__, __LINE__);
		if (!ok)
			printf("# %zu: %s\n", i, err.msg);
		close_file(&f);
		mkh5_release(&d.m);
	}
}

int main(void)
{
	test_links();
	test_old();
	test_old_hostile();
	test_dense();
	test_dense_hostile();
	return done();
}
