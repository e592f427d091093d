#include "format/formats.h"

#include "expected.h"
#include "fbmake.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"model.tflite", "model-changed.tflite", "model-int8.tflite", "model-f16.tflite",
		"model-behind.tflite", "types.tflite", "loop.tflite", "edit-odd.tflite", "edit-stripped.tflite",
		"image.tflite"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "tflite", files[i], "tflite");
	/* One model's weights in the other's file: what the converter wrote. */
	check_becomes(__FILE__, "tflite/model.tflite", "tflite/model-changed.tflite");
	check_becomes(__FILE__, "tflite/model-changed.tflite", "tflite/model.tflite");
}

/* --- models by hand --- */

struct tensor {
	const char *name; /* NULL: left out */
	int type;
	uint32_t buffer;
	uint32_t ndim, shape[10];
	bool sparse;
};

/* Bytes in the FlatBuffer, or a place behind it. */
struct buffer {
	const char *data;
	uint64_t off, size;
};

struct model {
	const struct tensor *tensors;
	size_t n_tensors;
	const struct buffer *buffers;
	size_t n_buffers;
	unsigned subgraphs; /* that share the tensors; 0: 1 */
};

/* Where the parts are that tests change. */
struct made {
	size_t root, graph, graphs, tensors, tensor[16], buffers, buffer[16];
};

static void make_tensor(struct vv_buf *b, size_t at, const struct tensor *t)
{
	size_t v;

	vv_put64(b->ptr + fb_field(at, 1), (uint64_t)t->type);
	vv_put64(b->ptr + fb_field(at, 2), t->buffer);
	fb_here(b, fb_field(at, 0));
	v = fb_vector(b, t->ndim, 4);
	for (unsigned d = 0; d < t->ndim; d++)
		vv_put32(b->ptr + v + 4 * d, t->shape[d]);
	if (t->name) {
		fb_here(b, fb_field(at, 3));
		fb_text(b, t->name);
	} else {
		fb_leave_out(b, at, 3);
	}
	if (t->sparse)
		fb_here(b, fb_field(at, 6));
	else
		fb_leave_out(b, at, 6);
}

static void make_buffer(struct vv_buf *b, size_t at, const struct buffer *x)
{
	vv_put64(b->ptr + fb_field(at, 1), x->off);
	vv_put64(b->ptr + fb_field(at, 2), x->size);
	if (x->data) {
		fb_here(b, fb_field(at, 0));
		fb_text(b, x->data);
	} else {
		fb_leave_out(b, at, 0);
	}
}

/* A table that element `i` of the vector leads to. */
static size_t table_in(struct vv_buf *b, size_t vector, size_t i, unsigned fields)
{
	size_t from = vector + 4 * i, at = b->len + 4 + 2 * fields;

	vv_put32(b->ptr + from, (uint32_t)(at - from));
	return fb_table(b, fields);
}

static struct made make(struct vv_buf *b, const struct model *m)
{
	struct made out = {0};
	unsigned graphs = m->subgraphs ? m->subgraphs : 1;

	vv_buf_clear(b);
	vv_buf_le(b, 0, 4);
	vv_buf_str(b, "TFL3");
	out.root = fb_table(b, 5);
	vv_put32(b->ptr, (uint32_t)out.root);
	fb_here(b, fb_field(out.root, 2));
	out.graphs = fb_vector(b, graphs, 4);
	out.graph = table_in(b, out.graphs, 0, 1);
	for (unsigned i = 1; i < graphs; i++)
		vv_put32(b->ptr + out.graphs + (size_t)4 * i, (uint32_t)(out.graph - out.graphs - (size_t)4 * i));
	fb_here(b, fb_field(out.graph, 0));
	out.tensors = fb_vector(b, (uint32_t)m->n_tensors, 4);
	for (size_t i = 0; i < m->n_tensors; i++) {
		out.tensor[i] = table_in(b, out.tensors, i, 7);
		make_tensor(b, out.tensor[i], &m->tensors[i]);
	}
	fb_here(b, fb_field(out.root, 4));
	out.buffers = fb_vector(b, (uint32_t)m->n_buffers, 4);
	for (size_t i = 0; i < m->n_buffers; i++) {
		out.buffer[i] = table_in(b, out.buffers, i, 3);
		make_buffer(b, out.buffer[i], &m->buffers[i]);
	}
	return out;
}

#define MODEL(tensors, buffers) {tensors, VV_COUNT(tensors), buffers, VV_COUNT(buffers), 0}

/* Locates: a sound layout, as the words `is` ("malformed: …" for what is kept as bytes). */
static void check(const char *what, const struct vv_buf *b, const char *is)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	CHECK_OK(located_bytes(&l, vv_buf_view(b)), &l.err);
	CHECK(!layout_wrong(&l.layout));
	if (strcmp(l.layout.format->name, "tflite") != 0)
		vv_buf_fmt(&have, "%s: %s", l.layout.findings[0].code, l.layout.findings[0].detail);
	for (size_t i = 0; i < l.layout.n_segs; i++)
		for (size_t k = 0; k < l.layout.segs[i].n_views; k++) {
			const struct vv_view *v = &l.layout.segs[i].views[k];
			vv_buf_fmt(&have, "%s %s", v->name, vv_dtype_info(l.layout.segs[i].dtype)->name);
			dims_text(&have, v->shape, v->ndim);
			vv_buf_fmt(&have, " '%.*s'; ", (int)l.layout.segs[i].len, l.file.ptr + l.layout.segs[i].off);
		}
	vv_buf_add(&have, "", 1);
	bool ok = *is ? strstr((const char *)have.ptr, is) != NULL : have.len == 1;
	tap_ok(ok, what, __FILE__, __LINE__);
	if (!ok)
		printf("# %s\n# not %s\n", have.ptr, is);
	vv_buf_release(&have);
	located_release(&l);
}

static const struct buffer some[] = {{0}, {"12345678", 0, 0}, {"abcd", 0, 0}};

/* Types and shapes. */
static void test_tensors(void)
{
	static const struct {
		struct tensor t;
		const char *is;
	} rows[] = {
		{{"w", 0, 1, 1, {2}, false}, "w f32[2] '12345678'; "},
		{{"w", 0, 1, 2, {2, 1}, false}, "w f32[2,1] '12345678'; "},
		{{"w", 10, 1, 0, {0}, false}, "w f64[] '12345678'; "},
		{{"w", 21, 1, 1, {8}, false}, "w f8_e4m3[8] '12345678'; "},
		{{"w", 22, 2, 1, {4}, false}, "w f8_e5m2[4] 'abcd'; "},
		{{NULL, 3, 2, 1, {4}, false}, "tensor0 u8[4] 'abcd'; "},
		{{"", 3, 2, 1, {4}, false}, "tensor0 u8[4] 'abcd'; "},
		/* Packed, sparse, unknown: so many bytes. */
		{{"w", 17, 1, 1, {15}, false}, "w u8[8] '12345678'; "},
		{{"w", 19, 1, 1, {32}, false}, "w u8[8] '12345678'; "},
		{{"w", 20, 1, 1, {16}, false}, "w u8[8] '12345678'; "},
		{{"w", 0, 1, 2, {100, 100}, true}, "w u8[8] '12345678'; "},
		{{"w", 99, 1, 1, {3}, false}, "w u8[8] '12345678'; "},
		{{"w", 255, 1, 1, {3}, true}, "w u8[8] '12345678'; "},
		/* No numbers; no bytes. */
		{{"w", 5, 1, 1, {1}, false}, ""},
		{{"w", 13, 1, 1, {1}, true}, ""},
		{{"w", 0, 0, 1, {1000}, false}, ""},
		/* What does not agree. */
		{{"w", 0, 1, 1, {3}, false}, "malformed: tflite: tensor 'w': its shape and its 8 bytes do not agree"},
		{{"w", 0, 1, 2, {0, 2}, false}, "do not agree"},
		{{"w", 0, 1, 2, {0x40000000, 0x7fffffff}, false}, "do not agree"},
		{{"w", 0, 1, 4, {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff}, false}, "do not agree"},
		{{"w", 0, 1, 1, {0xffffffff}, false}, "negative dimension"},
		{{"w", 0, 1, 8, {1, 1, 1, 1, 1, 1, 1, 2}, false}, "w f32[1,1,1,1,1,1,1,2] '12345678'; "},
		{{"w", 0, 1, 9, {1, 1, 1, 1, 1, 1, 1, 1, 2}, false}, "limit: tflite: tensor 'w' has more than 8 dimensions"},
		{{"w", 0, 3, 1, {2}, false}, "malformed: tflite: there is no buffer 3"},
		{{"w", 0, 0xffffffff, 1, {2}, false}, "there is no buffer 4294967295"},
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct model m = {&rows[i].t, 1, some, VV_COUNT(some), 0};
		make(&b, &m);
		check(rows[i].is, &b, rows[i].is);
	}
	vv_buf_release(&b);
}

static void test_findings(void)
{
	static const struct tensor tensors[] = {{"v", 99, 1, 1, {1}, false}, {"w", 100, 2, 1, {1}, false}};
	struct model m = MODEL(tensors, some);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	make(&b, &m);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK_INT(l.layout.n_findings, 1);
	CHECK(has_finding(&l.layout, "unknown-dtype"));
	located_release(&l);
	vv_buf_release(&b);
}

/* Several tensors of one buffer, several buffers of one run of bytes, several subgraphs. */
static void test_shared(void)
{
	static const struct tensor tied[] = {{"a", 0, 1, 1, {2}, false}, {"b", 0, 1, 2, {1, 2}, false}};
	static const struct tensor mixed[] = {{"a", 0, 1, 1, {2}, false}, {"b", 2, 1, 1, {2}, false}, {"c", 17, 1, 1, {16}, false}};
	static const struct tensor text[] = {{"a", 0, 1, 1, {2}, false}, {"b", 5, 1, 1, {2}, false}, {"c", 3, 2, 1, {4}, false}};
	static const struct tensor two[] = {{"a", 0, 1, 1, {2}, false}, {"b", 3, 2, 1, {4}, false}};
	struct model m = MODEL(tied, some);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct made at;

	make(&b, &m);
	check("tied", &b, "a f32[2] '12345678'; b f32[1,2] '12345678'; ");
	m = (struct model)MODEL(mixed, some);
	make(&b, &m);
	check("mixed", &b, "a u8[8] '12345678'; b u8[8] '12345678'; c u8[8] '12345678'; ");
	m = (struct model)MODEL(text, some);
	make(&b, &m);
	check("text", &b, "c u8[4] 'abcd'; ");
	m = (struct model)MODEL(two, some);
	m.subgraphs = 3;
	make(&b, &m);
	check("subgraphs", &b, "a f32[2] '12345678'; subgraph1/a f32[2] '12345678'; subgraph2/a f32[2] '12345678'; "
		"b u8[4] 'abcd'; subgraph1/b u8[4] 'abcd'; subgraph2/b u8[4] 'abcd'; ");
	m.subgraphs = 1;
	at = make(&b, &m);
	vv_put32(b.ptr + at.buffers + 8, (uint32_t)(at.buffer[1] - at.buffers - 8));
	check("one table for two buffers", &b, "malformed: tflite: tensor 'b': its shape and its 8 bytes");
	at = make(&b, &m);
	vv_put32(b.ptr + fb_field(at.buffer[2], 0), 0);
	check("a vector that leads nowhere", &b, "leads nowhere");
	vv_buf_release(&b);
}

/* Bytes behind the FlatBuffer. */
static void test_behind(void)
{
	static const struct tensor tensors[] = {{"a", 0, 1, 1, {2}, false}, {"b", 3, 2, 1, {4}, false}};
	static const struct {
		uint64_t off, size; /* of a; off counts from the FlatBuffer's end, unless it is small or wild */
		const char *is;
	} rows[] = {
		{100, 8, "a f32[2] 'ABCDEFGH'; "}, {104, 4, "do not agree"}, {93, 8, "past the end"},
		{0, 8, "b u8[4] 'abcd'; "}, {1, 1, "b u8[4] 'abcd'; "}, {UINT64_MAX, 8, "past the end"},
		{UINT64_MAX - 7, 8, "past the end"}, {100, UINT64_MAX, "do not agree"}, {100, 0, "b u8[4] 'abcd'; "},
	};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct buffer buffers[] = {{0}, {NULL, rows[i].off, rows[i].size}, {"abcd", 0, 0}};
		struct model m = MODEL(tensors, buffers);

		for (int pass = 0; pass < 2; pass++) {
			make(&b, &m);
			if (rows[i].off > 1 && rows[i].off < 200)
				buffers[1].off = b.len + rows[i].off - 100;
			if (rows[i].off == 93)
				buffers[1].off = b.len + 7;
		}
		vv_buf_str(&b, "ABCDEFGH");
		check(rows[i].is, &b, rows[i].is);
	}
	/* Into the other's bytes. */
	struct buffer buffers[] = {{0}, {NULL, 2, 8}, {"abcd", 0, 0}};
	struct model m = MODEL(tensors, buffers);
	struct made at = make(&b, &m);
	vv_put64(b.ptr + fb_field(at.buffer[1], 1), b.len - 7);
	vv_buf_str(&b, "ABCDEFGH");
	check("overlap", &b, "overlaps another");
	vv_buf_release(&b);
}

static void test_names(void)
{
	struct tensor t = {"w", 0, 1, 1, {2}, false}, many[16];
	struct model m = {&t, 1, some, VV_COUNT(some), 0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char name[VV_MAX_NAME + 2] = {0};
	struct located l;
	struct made at;

	memset(name, 'n', VV_MAX_NAME);
	t.name = name;
	make(&b, &m);
	check("the longest name", &b, "n f32[2]");
	name[VV_MAX_NAME] = 'n';
	make(&b, &m);
	check("a longer name", &b, "limit: tflite: a name of more than 4096 bytes");
	/* With its subgraph before it. */
	name[VV_MAX_NAME - 2] = 0;
	m.subgraphs = 2;
	make(&b, &m);
	check("a longer name", &b, "limit: tflite: a name of more than 4096 bytes");
	m.subgraphs = 1;
	t.name = "w\x01\xff";
	make(&b, &m);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "odd-name"));
	located_release(&l);
	t.name = "w-x";
	at = make(&b, &m);
	*(uint8_t *)memchr(b.ptr + at.tensor[0], '-', b.len - at.tensor[0]) = 0;
	check("a NUL", &b, "malformed: tflite: a name with a NUL");
	/* One long text that is everybody's name, again and again. */
	for (size_t i = 0; i < VV_COUNT(many); i++)
		many[i] = (struct tensor){i ? "" : name, 0, 1, 1, {2}, false};
	name[1000] = 0;
	m = (struct model)MODEL(many, some);
	at = make(&b, &m);
	for (size_t i = 1; i < VV_COUNT(many); i++)
		vv_put32(b.ptr + at.tensors + 4 * i, (uint32_t)(at.tensor[0] - at.tensors - 4 * i));
	check("a name for all", &b, "names of more bytes than the file");
	vv_buf_release(&b);
}

/* Row M30, and limits. */
static void test_wild(void)
{
	static const struct tensor t = {"w", 0, 1, 1, {2}, false};
	static const struct buffer none[] = {{0}};
	struct model m = {&t, 1, some, VV_COUNT(some), 0};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct made at = make(&b, &m);

	vv_put32(b.ptr, (uint32_t)b.len);
	check("root past the end", &b, "malformed: tflite: 4 bytes at offset");
	at = make(&b, &m);
	vv_put32(b.ptr + at.tensor[0], 0);
	check("a vtable that is its table", &b, "a broken table");
	at = make(&b, &m);
	vv_put32(b.ptr + at.tensors - 4, UINT32_MAX);
	check("a vector of 2^32-1", &b, "past the end");
	at = make(&b, &m);
	vv_put32(b.ptr + fb_field(at.root, 4), UINT32_MAX);
	check("buffers past the end", &b, "past the end");
	make(&b, &m);
	fb_leave_out(&b, at.root, 4);
	check("no buffers", &b, "there is no buffer 1");
	make(&b, &m);
	fb_leave_out(&b, at.root, 2);
	check("no subgraphs", &b, "");
	make(&b, &m);
	fb_leave_out(&b, at.graph, 0);
	check("no tensors", &b, "");
	/* The same subgraph a hundred times, with the same tensor ten thousand times each. */
	m = (struct model){&t, 1, none, 1, 2000};
	at = make(&b, &m);
	vv_put32(b.ptr + fb_field(at.graph, 0), (uint32_t)(b.len - fb_field(at.graph, 0)));
	size_t v = fb_vector(&b, 2000, 4);
	for (size_t i = 0; i < 2000; i++)
		vv_put32(b.ptr + v + 4 * i, (uint32_t)(at.tensor[0] - v - 4 * i)); /* before it: wraps, past the end */
	check("an offset backwards", &b, "past the end");
	for (size_t i = 0; i < 2000; i++)
		fb_here(&b, v + 4 * i);
	fb_table(&b, 0);
	for (size_t i = 0; i < 2000; i++)
		vv_put32(b.ptr + v + 4 * i, vv_get32(b.ptr + v + 4 * i) + 4);
	check("too many tensors", &b, "limit: tflite: more than 1000000 tensors");
	vv_buf_release(&b);
}

/* Any beginning of a file, any byte of it changed, any number of it wild: a sound layout. */
static void test_broken(void)
{
	static const uint32_t wild[] = {0, 1, 4, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 64, 1000};
	static const struct tensor tensors[] = {{"a", 0, 1, 1, {2}, false}, {"b", 3, 2, 1, {4}, false}, {"c", 5, 1, 1, {1}, false}};
	struct model m = MODEL(tensors, some);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT), was = VV_BUF_INIT(VV_MAX_TEXT);
	int bad = 0, opaque = 0;
	struct located l;

	make(&was, &m);
	vv_buf_span(&b, vv_buf_view(&was));
	for (size_t n = 0; n < b.len; n++) {
		bad += located_bytes(&l, vv_span(b.ptr, n)) || layout_wrong(&l.layout);
		opaque += !strcmp(l.layout.format->name, "opaque");
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	CHECK_INT(opaque, b.len - 1); /* the last byte ends a text and is nobody's */
	for (size_t at = 0; at < b.len; at++)
		for (size_t k = 0; k < 8 + VV_COUNT(wild); k++) {
			memcpy(b.ptr, was.ptr, b.len);
			if (k < 8)
				b.ptr[at] ^= (uint8_t)(1 << k);
			else if (at + 4 <= b.len)
				vv_put32(b.ptr + at, wild[k - 8]);
			bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
			located_release(&l);
		}
	CHECK_INT(bad, 0);
	vv_buf_release(&b);
	vv_buf_release(&was);
}

/* A source as large as it says, of which only the beginning is anything. */
struct huge {
	struct vv_source base;
	struct vv_span head;
	uint64_t *read;
};

static int huge_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e VV_UNUSED)
{
	const struct huge *h = (const struct huge *)self;

	*h->read += len;
	memset(dst, 0, len);
	if (off < h->head.len)
		memcpy(dst, h->head.ptr + off, len < h->head.len - off ? len : (size_t)(h->head.len - off));
	return 0;
}

static void test_large(void)
{
	static const struct tensor t[] = {{"a", 0, 1, 2, {1 << 20, 1 << 10}, false}, {"b", 3, 2, 1, {4}, false}};
	static const struct buffer buffers[] = {{0}, {NULL, 1 << 20, (uint64_t)4 << 30}, {"abcd", 0, 0}};
	struct model m = MODEL(t, buffers);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_layout l;
	uint64_t read = 0;

	make(&b, &m);
	struct huge h = {{((uint64_t)4 << 30) + (1 << 20), huge_read}, vv_buf_view(&b), &read};
	CHECK_OK(vv_layout_locate(&l, &h.base, &err), &err);
	CHECK_STR(l.format->name, "tflite");
	CHECK_INT(l.segs[l.n_segs - 1].len, (long long)4 << 30);
	CHECK_STR(l.segs[l.n_segs - 1].views[0].name, "a");
	CHECK(read < 200000);
	vv_layout_release(&l);
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_tensors();
	test_findings();
	test_shared();
	test_behind();
	test_names();
	test_wild();
	test_broken();
	test_large();
	return done();
}
