#include "format/sstable.h"

#include "mktable.h"
#include "tap.h"

static struct vv_err err;
static struct vv_buf seen = VV_BUF_INIT(VV_MAX_TEXT);

static int see(void *arg, struct vv_span key, struct vv_span value, uint64_t off, struct vv_err *e)
{
	const struct vv_buf *file = arg;

	if (vv_span_is(value, "stop"))
		return vv_fail(e, VV_EEXISTS, "stopped");
	if (off > file->len || value.len > file->len - off || memcmp(file->ptr + off, value.ptr, value.len) != 0)
		return vv_fail(e, VV_ECORRUPT, "a wrong place");
	vv_buf_span(&seen, key);
	vv_buf_char(&seen, '=');
	vv_buf_span(&seen, value);
	vv_buf_char(&seen, ' ');
	return 0;
}

static int read_table(struct vv_buf *file)
{
	struct vv_source_mem mem;

	vv_source_mem_init(&mem, vv_buf_view(file));
	vv_buf_clear(&seen);
	vv_err_clear(&err);
	return vv_sstable_each(&mem.base, see, file, &err);
}

static const struct row rows[] = {ROW("", "head"), ROW("ab", ""), ROW("abc", "x"), ROW("abd", "yy"), ROW("b", "z")};

static void test_good(void)
{
	for (size_t per = 1; per <= 5; per++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
		table_make(&b, rows, 5, per);
		CHECK_OK(read_table(&b), &err);
		CHECK_STR((char *)seen.ptr, "=head ab= abc=x abd=yy b=z ");
		vv_buf_release(&b);
	}
	struct vv_buf none = VV_BUF_INIT(VV_MAX_TEXT);
	table_make(&none, rows, 0, 1);
	CHECK_OK(read_table(&none), &err);
	CHECK_INT(seen.len, 0);
	vv_buf_release(&none);
}

/* Each byte that is changed is seen, but for padding of the footer and the block of metadata. */
static void test_changed(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	size_t unseen = 0;

	table_make(&b, rows, 5, 2);
	for (size_t i = 0; i < b.len; i++) {
		b.ptr[i] ^= 0x40;
		int ret = read_table(&b);
		unseen += !ret;
		if (ret && ret != VV_EFORMAT && ret != VV_ELIMIT)
			CHECK_INT(ret, VV_EFORMAT);
		b.ptr[i] ^= 0x40;
	}
	/* The metadata with its trailer, and in the footer all but the index's handle, before the name. */
	CHECK_INT(unseen, 8 + 5 + 40 - 2);
	for (size_t n = 0; n < b.len; n++) {
		size_t len = b.len;
		b.len = n;
		int ret = read_table(&b);
		if (ret != VV_EFORMAT)
			CHECK_INT(ret, VV_EFORMAT);
		b.len = len;
	}
	CHECK_OK(read_table(&b), &err);
	vv_buf_release(&b);
}

/* A table of one block of these entries, all else in order. */
static int one_block(const struct vv_buf *entries, char type, uint32_t restarts, const char *last)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT), handle = VV_BUF_INIT(VV_MAX_TEXT), footer = VV_BUF_INIT(VV_MAX_TEXT);
	size_t at;
	int ret;

	vv_buf_span(&b, vv_buf_view(entries));
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, restarts, 4);
	table_number(&handle, 0);
	table_number(&handle, b.len);
	table_trailer(&b, 0, type);
	table_block_end(&b, b.len, &footer);
	at = b.len;
	table_entry(&b, 0, last, strlen(last), (char *)handle.ptr, handle.len);
	table_block_end(&b, at, &footer);
	table_footer(&b, &footer);
	ret = read_table(&b);
	vv_buf_release(&b);
	vv_buf_release(&handle);
	vv_buf_release(&footer);
	return ret;
}

static void test_entries(void)
{
	static char longest[VV_SSTABLE_KEY + 1];
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	memset(longest, 'k', sizeof(longest));
	table_entry(&b, 0, "a", 1, "1", 1);
	CHECK_OK(one_block(&b, 0, 1, "a"), &err);
	CHECK_OK(one_block(&b, 0, 1, "b"), &err);
	/* The index says that all is before it. */
	CHECK_INT(one_block(&b, 0, 1, "0"), VV_EFORMAT);
	CHECK_INT(one_block(&b, 0, 1, ""), VV_EFORMAT);
	CHECK_INT(one_block(&b, 0, 3, "a"), VV_EFORMAT);
	CHECK_INT(one_block(&b, 0, UINT32_MAX, "a"), VV_EFORMAT);
	CHECK_INT(one_block(&b, 1, 1, "a"), VV_EFORMAT);
	CHECK(strstr(err.msg, "compressed"));
	/* Twice, backwards, more shared than there is. */
	table_entry(&b, 1, "a", 1, "2", 1);
	CHECK_INT(one_block(&b, 0, 1, "a"), VV_EFORMAT);
	CHECK(strstr(err.msg, "order"));
	b.len = 5;
	table_entry(&b, 0, "A", 1, "2", 1);
	CHECK_INT(one_block(&b, 0, 1, "a"), VV_EFORMAT);
	b.len = 5;
	table_entry(&b, 2, "abc", 3, "2", 1);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	/* Values and keys past the block's end, numbers that do not end. */
	b.len = 5;
	vv_buf_add(&b, "\0\1\2b1", 5);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	b.len = 5;
	vv_buf_add(&b, "\0\377\377\377\377\377\377\377\377\377\1\1b1", 14);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	b.len = 5;
	vv_buf_add(&b, "\0\377\377\377\377\377\377\377\377\377\2\1b1", 14);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	b.len = 5;
	vv_buf_add(&b, "\0\1\200", 3);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	vv_buf_clear(&b);
	table_entry(&b, 0, "a", 1, "stop", 4);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EEXISTS);
	vv_buf_clear(&b);
	vv_buf_add(&b, "\1\1\1ab1", 5);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_EFORMAT);
	vv_buf_clear(&b);
	table_entry(&b, 0, longest, VV_SSTABLE_KEY, "1", 1);
	CHECK_OK(one_block(&b, 0, 1, "z"), &err);
	vv_buf_clear(&b);
	table_entry(&b, 0, longest, VV_SSTABLE_KEY + 1, "1", 1);
	CHECK_INT(one_block(&b, 0, 1, "z"), VV_ELIMIT);
	vv_buf_release(&b);
}

/* The index names a block twice, or one that is none. */
static void test_index(void)
{
	static const struct {
		uint64_t off, len;
	} handles[] = {{0, 13}, {0, UINT64_MAX}, {UINT64_MAX, 13}, {18, 13}, {0, 12}, {1, 13}, {0, 0}};

	for (size_t i = 0; i < 2 * VV_COUNT(handles); i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT), handle = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_buf footer = VV_BUF_INIT(VV_MAX_TEXT);
		size_t at;

		table_entry(&b, 0, "a", 1, "1", 1);
		table_block_end(&b, 0, &handle);
		vv_buf_clear(&handle);
		table_number(&handle, handles[i / 2].off);
		table_number(&handle, handles[i / 2].len);
		table_block_end(&b, b.len, &footer);
		at = b.len;
		table_entry(&b, 0, "a", 1, (char *)handle.ptr, handle.len);
		if (i % 2)
			table_entry(&b, 0, "b", 1, (char *)handle.ptr, handle.len);
		table_block_end(&b, at, &footer);
		table_footer(&b, &footer);
		CHECK_INT(read_table(&b), i ? VV_EFORMAT : 0);
		vv_buf_release(&b);
		vv_buf_release(&handle);
		vv_buf_release(&footer);
	}
}

int main(void)
{
	test_good();
	test_changed();
	test_entries();
	test_index();
	vv_buf_release(&seen);
	return done();
}
