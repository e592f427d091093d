/* After doc/table_format.md of LevelDB. */
#include "format/sstable.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/cursor.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum { FOOTER = 48, TRAILER = 5, MAX_BLOCK = 64 << 20 };

static const uint64_t magic = 0xdb4775248b80fb57;

/* Called for each entry of a block. */
typedef int entry_fn(void *arg, struct vv_span key, struct vv_span value, uint64_t off, struct vv_err *err);

struct handle {
	uint64_t off, len; /* of a block, without its trailer */
};

/* --- CRC-32C --- */

static uint32_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int k = 0; k < 8; k++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78 : 0);
	}
}

/* Stored checksums are turned and moved, so that one over bytes that hold one is not weak. */
static uint32_t masked_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	pthread_once(&once, fill);
	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
	crc = ~crc;
	return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* --- blocks --- */

static int take_varint(struct vv_cursor *c, uint64_t *v)
{
	uint8_t b;

	*v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (vv_take8(c, &b) || (shift == 63 && b > 1))
			return 1;
		*v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return 0;
	}
	return 1;
}

static int take_handle(struct vv_cursor *c, struct handle *h)
{
	return take_varint(c, &h->off) || take_varint(c, &h->len);
}

/* Reads a block that ends, with its trailer, by `end`. `out` is cleared. */
static int read_block(
	const struct vv_source *src, struct handle h, uint64_t end, struct vv_buf *out, struct vv_err *err)
{
	uint64_t after;
	uint8_t *p;
	int ret;

	vv_buf_clear(out);
	if (vv_add_over(h.off, h.len, &after) || vv_add_over(after, (uint64_t)TRAILER, &after) || after > end)
		return vv_fail(err, VV_EFORMAT, "table: a block at offset %" PRIu64 " lies past its end", h.off);
	if (h.len > MAX_BLOCK)
		return vv_fail(err, VV_ELIMIT, "table: the block at offset %" PRIu64 " has more than %d bytes", h.off,
			MAX_BLOCK);
	p = vv_buf_reserve(out, (size_t)h.len + TRAILER);
	if (!p)
		return vv_fail_nomem(err);
	ret = vv_source_read(src, h.off, p, (size_t)h.len + TRAILER, err);
	if (ret)
		return ret;
	if (masked_crc(p, (size_t)h.len + 1) != vv_get32(p + h.len + 1))
		return vv_fail(err, VV_EFORMAT, "table: the block at offset %" PRIu64 " has another checksum", h.off);
	if (p[h.len])
		return vv_fail(err, VV_EFORMAT, "table: the block at offset %" PRIu64 " is compressed", h.off);
	out->len = (size_t)h.len;
	return 0;
}

/* What an entry's key does not share with the one before it is taken from `c`. */
static int next_key(struct vv_cursor *c, struct vv_buf *key, uint64_t shared, uint64_t more, bool first,
	struct vv_err *err)
{
	uint8_t old[VV_SSTABLE_KEY];
	struct vv_span rest;
	size_t n = key->len;

	if (shared > n || more > c->left || vv_take(c, (size_t)more, &rest))
		return vv_fail(err, VV_EFORMAT, "table: a key's length is wrong");
	if (shared + more > VV_SSTABLE_KEY)
		return vv_fail(err, VV_ELIMIT, "table: a key of more than %d bytes", VV_SSTABLE_KEY);
	if (n)
		memcpy(old, key->ptr, n);
	key->len = (size_t)shared;
	vv_buf_span(key, rest);
	int order = memcmp(old, key->ptr ? key->ptr : old, n < key->len ? n : key->len);
	if (!first && (order > 0 || (!order && n >= key->len)))
		return vv_fail(err, VV_EFORMAT, "table: keys are out of order");
	return vv_buf_check(key, err);
}

/* The entries of the block that is in `block` and began at `at`. `key` is the one before, unless `first`. */
static int each_entry(const struct vv_buf *block, uint64_t at, struct vv_buf *key, bool first, entry_fn *entry,
	void *arg, struct vv_err *err)
{
	struct vv_cursor c = vv_cursor(vv_buf_view(block));
	uint32_t restarts;
	int ret = 0;

	if (c.left < 4)
		return vv_fail(err, VV_EFORMAT, "table: no room for restarts in the block at offset %" PRIu64, at);
	restarts = vv_get32(block->ptr + block->len - 4);
	if (restarts > (c.left - 4) / 4)
		return vv_fail(err, VV_EFORMAT, "table: too many restarts in the block at offset %" PRIu64, at);
	c.left -= 4 + 4 * (size_t)restarts;
	for (bool begins = true; c.left && !ret; begins = false) {
		uint64_t shared, more, len, here = at + c.off;
		struct vv_span value;

		if (take_varint(&c, &shared) || take_varint(&c, &more) || take_varint(&c, &len))
			return vv_fail(err, VV_EFORMAT, "table: the block at offset %" PRIu64 " ends within an entry", at);
		ret = begins && shared ? vv_fail(err, VV_EFORMAT, "table: a block's first key is not whole")
				       : next_key(&c, key, shared, more, first, err);
		first = false;
		if (ret)
			return vv_err_in(err, "at offset %" PRIu64, here);
		here = at + c.off;
		if (len > c.left || vv_take(&c, (size_t)len, &value))
			return vv_fail(err, VV_EFORMAT, "table: a value ends past its block, at offset %" PRIu64, here);
		ret = entry(arg, vv_buf_view(key), value, here, err);
	}
	return ret;
}

/* --- the table --- */

struct walk {
	const struct vv_source *src;
	struct vv_buf block, key;
	uint64_t end; /* of the blocks that were read */
	uint64_t limit; /* where the index begins */
	bool first;
	entry_fn *entry;
	void *arg;
};

/* A row of the index: the entries of one block, which no other row may name too. */
static int index_row(void *arg, struct vv_span key, struct vv_span value, uint64_t off, struct vv_err *err)
{
	struct vv_cursor c = vv_cursor(value);
	struct walk *w = arg;
	struct handle h;
	int ret;

	if (take_handle(&c, &h) || c.left || h.off < w->end)
		return vv_fail(err, VV_EFORMAT, "table: a wrong row of the index at offset %" PRIu64, off);
	ret = read_block(w->src, h, w->limit, &w->block, err);
	if (ret)
		return ret;
	w->end = h.off + h.len + TRAILER;
	ret = each_entry(&w->block, h.off, &w->key, w->first, w->entry, w->arg, err);
	w->first = false;
	/* The row's key is at or behind the block's last. */
	size_t n = key.len < w->key.len ? key.len : w->key.len;
	int order = n ? memcmp(key.ptr, w->key.ptr, n) : 0;
	if (!ret && (order < 0 || (!order && key.len < w->key.len)))
		ret = vv_fail(err, VV_EFORMAT, "table: a wrong key in the index at offset %" PRIu64, off);
	return ret;
}

int vv_sstable_each(const struct vv_source *src, entry_fn *entry, void *arg, struct vv_err *err)
{
	struct walk w = {src, VV_BUF_INIT(MAX_BLOCK + TRAILER), VV_BUF_INIT(VV_SSTABLE_KEY), 0, 0, true, entry, arg};
	struct vv_buf index = VV_BUF_INIT(MAX_BLOCK + TRAILER), key = VV_BUF_INIT(VV_SSTABLE_KEY);
	struct handle meta, at = {0, 0};
	uint8_t footer[FOOTER];
	int ret;

	if (src->size < FOOTER)
		return vv_fail(err, VV_EFORMAT, "table: %" PRIu64 " bytes are too few", src->size);
	ret = vv_source_read(src, src->size - FOOTER, footer, FOOTER, err);
	struct vv_cursor c = vv_cursor(vv_span(footer, FOOTER - 8));
	if (!ret && (vv_get64(footer + FOOTER - 8) != magic || take_handle(&c, &meta) || take_handle(&c, &at)))
		ret = vv_fail(err, VV_EFORMAT, "table: no footer at offset %" PRIu64, src->size - FOOTER);
	w.limit = at.off;
	if (!ret)
		ret = read_block(src, at, src->size - FOOTER, &index, err);
	if (!ret)
		ret = each_entry(&index, at.off, &key, true, index_row, &w, err);
	vv_buf_release(&index);
	vv_buf_release(&key);
	vv_buf_release(&w.block);
	vv_buf_release(&w.key);
	return ret;
}
