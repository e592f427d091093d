/* Sorted tables by hand, as LevelDB and TensorFlow write them, and wrong ones. */
#ifndef VV_TESTS_MKTABLE_H
#define VV_TESTS_MKTABLE_H

#include "base/buf.h"
#include "base/le.h"

struct row {
	const char *key, *value;
	size_t key_len, value_len;
};

#define ROW(k, v) {k, v, sizeof(k) - 1, sizeof(v) - 1}

static inline void table_number(struct vv_buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		vv_buf_char(b, (char)(v | 128));
	vv_buf_char(b, (char)v);
}

/* An entry that shares `shared` bytes with the one before. */
static inline void table_entry(struct vv_buf *b, size_t shared, const char *key, size_t key_len, const char *value, size_t n)
{
	table_number(b, shared);
	table_number(b, key_len - shared);
	table_number(b, n);
	vv_buf_add(b, key + shared, key_len - shared);
	vv_buf_add(b, value, n);
}

/* Type and masked CRC-32C of the block that began at `at`. */
static inline void table_trailer(struct vv_buf *b, size_t at, char type)
{
	uint32_t crc = UINT32_MAX;

	vv_buf_char(b, type);
	for (size_t i = at; i < b->len; i++) {
		crc ^= b->ptr[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	vv_buf_le(b, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

/* Restarts at `at` alone, and the trailer. Adds the block's handle to `handle`. */
static inline void table_block_end(struct vv_buf *b, size_t at, struct vv_buf *handle)
{
	vv_buf_le(b, 0, 4);
	vv_buf_le(b, 1, 4);
	table_number(handle, at);
	table_number(handle, b->len - at);
	table_trailer(b, at, 0);
}

static inline void table_footer(struct vv_buf *b, struct vv_buf *handles)
{
	while (handles->len < 40)
		vv_buf_char(handles, 0);
	vv_buf_span(b, vv_buf_view(handles));
	vv_buf_le(b, 0xdb4775248b80fb57, 8);
}

/* A whole table, `per` rows a block. */
static inline void table_make(struct vv_buf *b, const struct row *rows, size_t n, size_t per)
{
	struct vv_buf index = VV_BUF_INIT(VV_MAX_TEXT), handle = VV_BUF_INIT(VV_MAX_TEXT), footer = VV_BUF_INIT(VV_MAX_TEXT);
	size_t at;

	for (size_t i = 0; i < n; i += per) {
		size_t to = i + per < n ? i + per : n;
		at = b->len;
		for (size_t k = i; k < to; k++) {
			size_t shared = 0;
			while (k > i && shared < rows[k].key_len && shared < rows[k - 1].key_len &&
				rows[k].key[shared] == rows[k - 1].key[shared])
				shared++;
			table_entry(b, shared, rows[k].key, rows[k].key_len, rows[k].value, rows[k].value_len);
		}
		vv_buf_clear(&handle);
		table_block_end(b, at, &handle);
		table_entry(&index, 0, rows[to - 1].key, rows[to - 1].key_len, (char *)handle.ptr, handle.len);
	}
	at = b->len;
	table_block_end(b, at, &footer); /* of metadata: empty */
	at = b->len;
	vv_buf_span(b, vv_buf_view(&index));
	table_block_end(b, at, &footer);
	table_footer(b, &footer);
	vv_buf_release(&index);
	vv_buf_release(&handle);
	vv_buf_release(&footer);
}

#endif
