#include "format/formats.h"

#include "expected.h"
#include "base/cursor.h"
#include "format/protobuf.h"
#include "mktable.h"

static struct vv_err err;

/* What an index tells, in the words of tests/golden/tf/expected. */
static void told_text(struct vv_buf *out, const char *file, const struct vv_elsewheres *e)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct vv_elsewhere *x = &e->items[i];
		vv_buf_fmt(out, "%s\t%s\t%s\t", file, x->name, vv_dtype_info(x->dtype)->name);
		dims_text(out, x->shape, x->ndim);
		vv_buf_fmt(out, "\t%" PRIu64 "\t%" PRIu64 "\t", x->off, x->len);
		vv_elsewhere_file(out, x, file);
		vv_buf_char(out, '\n');
	}
}

/* In any order. */
static void check_same_lines(struct vv_span have, struct vv_span want)
{
	CHECK_INT(have.len, want.len);
	for (struct vv_cursor c = vv_cursor(have); c.left;) {
		struct vv_span line;
		bool found = false;
		if (vv_take_line(&c, &line))
			break;
		for (struct vv_cursor d = vv_cursor(want); d.left && !found;) {
			struct vv_span other;
			found = !vv_take_line(&d, &other) && vv_span_eq(line, other);
		}
		CHECK(found);
		if (!found)
			printf("# %.*s\n", (int)line.len, (const char *)line.ptr);
	}
}

static void test_golden(void)
{
	static const char *const files[] = {"model.index", "types.index", "parts.index", "shards.index"};
	struct vv_buf table = VV_BUF_INIT(VV_MAX_TEXT);

	golden_read(&table, __FILE__, "tf/expected");
	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_elsewheres told;
		struct located l;
		char path[64];

		snprintf(path, sizeof(path), "tf/%s", files[i]);
		CHECK_OK(located_golden(&l, __FILE__, path), &l.err);
		CHECK_STR(l.layout.format->name, "tf-index");
		CHECK(!n_tensors(&l.layout) && !l.layout.n_findings && l.layout.n_segs == 1);
		CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), &err);
		told_text(&have, files[i], &told);
		table_lines(&want, vv_buf_view(&table), files[i]);
		CHECK(want.len > 0);
		check_same_lines(vv_buf_view(&have), vv_buf_view(&want));
		vv_elsewheres_release(&told);
		located_release(&l);
		vv_buf_release(&have);
		vv_buf_release(&want);
	}
	vv_buf_release(&table);
}

static void test_broken(void)
{
	static const char *const files[] = {"edit-block.index", "edit-crc.index", "edit-footer.index", "edit-short.index"};

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_elsewheres told;
		struct located l;
		char path[64];

		snprintf(path, sizeof(path), "tf/%s", files[i]);
		CHECK_OK(located_golden(&l, __FILE__, path), &l.err);
		CHECK_STR(l.layout.format->name, "opaque");
		CHECK(has_finding(&l.layout, "malformed"));
		CHECK_INT(vv_elsewhere_read(&vv_format_tf_index, &l.mem.base, &told, &err), VV_EFORMAT);
		CHECK(!told.n && !told.items);
		located_release(&l);
	}
}

/* --- indexes by hand --- */

#define HEAD "\x08\x01\x1a\x02\x08\x01"

/* Two entries: the header, and one. */
static void make(struct located *l, const char *head, size_t head_len, const char *key, size_t key_len,
	const struct vv_buf *entry)
{
	struct row rows[] = {{"", head, 0, head_len}, {key, (char *)entry->ptr, key_len, entry->len}};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	table_make(&b, rows, key ? 2 : 1, 2);
	CHECK_OK(located_bytes(l, vv_buf_view(&b)), &l->err);
	vv_buf_release(&b);
}

static void number(struct vv_buf *b, uint32_t field, uint64_t v)
{
	vv_pb_put_key(b, field, VV_PB_NUMBER);
	vv_pb_put_varint(b, v);
}

/* A BundleEntryProto of so many dimensions of 2. */
static void entry(struct vv_buf *b, uint64_t type, unsigned ndim, uint64_t shard, uint64_t off, uint64_t size)
{
	struct vv_buf shape = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_clear(b);
	for (unsigned i = 0; i < ndim; i++)
		vv_pb_put_bytes(&shape, 2, vv_span_str("\x08\x02"));
	number(b, 1, type);
	vv_pb_put_bytes(b, 2, vv_buf_view(&shape));
	number(b, 3, shard);
	number(b, 4, off);
	number(b, 5, size);
	vv_buf_release(&shape);
}

static void test_entries(void)
{
	static const struct {
		uint64_t type;
		unsigned ndim;
		uint64_t shard, off, size;
		const char *dtype; /* NULL: refused */
	} rows[] = {{1, 2, 0, 8, 16, "f32"}, {1, 0, 0, 0, 4, "f32"}, {1, 8, 0, 0, 1024, "f32"}, {1, 9, 0, 0, 2048, "bytes"},
		{20, 2, 0, 0, 7, "bytes"}, {27, 1, 0, 0, 7, "bytes"}, {99, 1, 0, 0, 7, "bytes"}, {UINT64_MAX, 1, 0, 0, 7, "bytes"},
		{0, 1, 0, 0, 7, "bytes"}, {1, 2, 1, 0, 16, NULL}, {1, 2, UINT64_MAX, 0, 16, NULL}, {1, 2, 0, 0, 15, NULL},
		{1, 2, 0, INT64_MAX, 16, NULL}, {1, 2, 0, UINT64_MAX, 16, NULL}, {7, 0, 0, 1, INT64_MAX, NULL},
		{7, 0, 0, 1, INT64_MAX - 1, "bytes"}};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct vv_elsewheres told;
		struct located l;
		entry(&b, rows[i].type, rows[i].ndim, rows[i].shard, rows[i].off, rows[i].size);
		make(&l, HEAD, 6, "w", 1, &b);
		CHECK_STR(l.layout.format->name, rows[i].dtype ? "tf-index" : "opaque");
		CHECK_INT(has_finding(&l.layout, "malformed"), !rows[i].dtype);
		CHECK_INT(vv_elsewhere_read(&vv_format_tf_index, &l.mem.base, &told, &err), rows[i].dtype ? 0 : VV_EFORMAT);
		if (told.n) {
			CHECK_STR(vv_dtype_info(told.items[0].dtype)->name, rows[i].dtype);
			CHECK(told.items[0].off == rows[i].off && told.items[0].len == rows[i].size);
		}
		vv_elsewheres_release(&told);
		located_release(&l);
	}
	vv_buf_release(&b);
}

static void check_name(const char *key, size_t len, const char *name)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_elsewheres told;
	struct located l;

	entry(&b, 1, 0, 0, 0, 4);
	make(&l, HEAD, 6, key, len, &b);
	CHECK_STR(l.layout.format->name, name ? "tf-index" : "opaque");
	CHECK_INT(vv_elsewhere_read(&vv_format_tf_index, &l.mem.base, &told, &err), name ? 0 : VV_EFORMAT);
	if (told.n)
		CHECK_STR(told.items[0].name, name);
	vv_elsewheres_release(&told);
	located_release(&l);
	vv_buf_release(&b);
}

#define NAME(key, name) check_name(key, sizeof(key) - 1, name)

static void test_names(void)
{
	NAME("w", "w");
	NAME("w\0v", NULL);
	NAME("\0w\0\1\0", "w[]");
	/* 255 in a name, and 0, which ends a C string. */
	NAME("\0w\377\0v\0\1\0", "w\377v[]");
	NAME("\0w\0\377v\0\1\0", NULL);
	NAME("\0w\377\1v\0\1\0", NULL);
	NAME("\0w\0\2\0", NULL);
	NAME("\0w\0\1\1\1\x80\x7f", "w[:]");
	NAME("\0w\0\1\1\1\x82\x83", "w[2:5]");
	NAME("\0w\0\1\1\2\x82\x83\xc0\x40\xc1\x00", "w[2:5,64:320]");
	NAME("\0w\0\1\1\1\xe0\x40\x00\x81", "w[16384:16385]");
	/* The longest that are read, and longer ones. */
	NAME("\0w\0\1\1\1\xfe\x80\0\0\0\0\1\x81", "w[140737488355329:140737488355330]");
	NAME("\0w\0\1\1\1\xff\x80\x80\0\0\0\0\1\x81", NULL);
	NAME("\0w\0\1\1\1\x82", NULL);
	NAME("\0w\0\1\1\1\xc0", NULL);
	NAME("\0w\0\1\1\2\x82\x83", NULL);
	NAME("\0w\0\1\1\1\x82\x83\x84", NULL);
	NAME("\0w\0\1\1\377\x82\x83", NULL);
	NAME("\0w\0\1\x8\1\1\1\1\1\1\1\1", NULL);
	NAME("\0w\0\1\x9", NULL);
	NAME("\0w\0\1", NULL);
	NAME("\0w", NULL);
	NAME("\0", NULL);
}

static void test_messages(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_elsewheres told;
	struct located l;

	/* A tensor in parts is told by them. */
	entry(&b, 1, 1, 0, 0, 0);
	vv_pb_put_bytes(&b, 7, vv_span("", 0));
	make(&l, HEAD, 6, "w", 1, &b);
	CHECK_STR(l.layout.format->name, "tf-index");
	CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), &err);
	CHECK_INT(told.n, 0);
	vv_elsewheres_release(&told);
	located_release(&l);
	/* The other byte order: places are told, elements are not. */
	entry(&b, 1, 1, 0, 4, 8);
	make(&l, "\x08\x01\x10\x01\x1a\x02\x08\x01", 8, "w", 1, &b);
	CHECK(has_finding(&l.layout, "big-endian"));
	CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), &err);
	CHECK(told.n == 1 && told.items[0].dtype == VV_DT_BYTES && told.items[0].off == 4);
	vv_elsewheres_release(&told);
	located_release(&l);
	static const struct {
		const char *entry;
		size_t len;
	} bad[] = {{"\x12\x02\x18\x01", 4} /* unknown rank */, {"\x12\x05\x12\x03\x08\xff\x01", 5},
		{"\x12\x0d\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15} /* -1 */, {"\x0a\x00", 2}, {"\x0b", 1},
		{"\x12\x02\x10\x01", 4}};
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		vv_buf_clear(&b);
		vv_buf_add(&b, bad[i].entry, bad[i].len);
		make(&l, HEAD, 6, "w", 1, &b);
		CHECK_STR(l.layout.format->name, "opaque");
		CHECK(has_finding(&l.layout, "malformed"));
		located_release(&l);
	}
	vv_buf_release(&b);
}

static void test_probe(void)
{
	static const struct {
		const char *head;
		size_t len;
		bool is;
	} heads[] = {{HEAD, 6, true}, {"\x1a\x00", 2, true}, {"\x08\x9f\x8d\x06\x10\x00\x1a\x02\x08\x01", 10, true},
		{"\x08\xa0\x8d\x06\x1a\x02\x08\x01", 8, false} /* too many shards */, {"\x08\x01", 2, false}, {"", 0, false},
		{"\x1a\x02\x08\x01\x08\x01", 6, false}, {"\x08\x01\x08\x01\x1a\x02\x08\x01", 8, false},
		{HEAD "\x20\x01", 8, false}, {"\x08\x01\x1a\x03\x08\x01", 6, false}, {"\x0a\x00\x1a\x02\x08\x01", 6, false}};
	struct vv_buf none = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	struct vv_elsewheres told;
	struct row late = ROW("w", "");
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < VV_COUNT(heads); i++) {
		struct located l;
		make(&l, heads[i].head, heads[i].len, NULL, 0, &none);
		CHECK_STR(l.layout.format->name, heads[i].is ? "tf-index" : "opaque");
		CHECK_INT(l.layout.n_findings, 0);
		located_release(&l);
	}
	/* No header, or no entry at all. */
	for (size_t n = 0; n < 2; n++) {
		vv_buf_clear(&b);
		table_make(&b, &late, n, 1);
		vv_source_mem_init(&mem, vv_buf_view(&b));
		CHECK_INT(vv_elsewhere_read(&vv_format_tf_index, &mem.base, &told, &err), VV_EFORMAT);
		CHECK(strstr(err.msg, "header"));
	}
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_broken();
	test_entries();
	test_names();
	test_messages();
	test_probe();
	return done();
}
