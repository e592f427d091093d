/* B-trees of version 2: records in the order of their keys, of which here nothing is known. */
#include "format/hdf5.h"

#include "base/check.h"

#include <inttypes.h>

struct tree {
	struct vv_hdf5 *h;
	unsigned type;
	uint64_t node_size;
	unsigned record;               /* bytes */
	unsigned count_width;          /* of a node's number of records */
	unsigned total_width[VV_HDF5_LEVELS]; /* of the number in all below a node of that depth */
	vv_hdf5_record_fn *fn;
	void *ctx;
};

static int node(struct tree *t, uint64_t addr, uint64_t n, unsigned depth, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_hdf5 *h = t->h;
	uint64_t pointer = depth ? h->off_width + t->count_width + (depth > 1 ? t->total_width[depth - 1] : 0) : 0;
	uint64_t len = 6 + n * t->record + (n + 1) * pointer + 4, child = 0, count = 0, total;
	struct vv_span s;
	struct vv_cursor c;
	int ret = vv_hdf5_once(h, addr, err);

	if (!ret && len > t->node_size)
		ret = vv_fail(err, VV_EFORMAT, "a full node at address %" PRIu64, addr);
	if (!ret)
		ret = vv_hdf5_load(h, addr, len, &b, err);
	if (!ret && (memcmp(b.ptr, depth ? "BTIN" : "BTLF", 5) || b.ptr[5] != t->type))
		ret = vv_fail(err, VV_EFORMAT, "no node of its B-tree at address %" PRIu64, addr);
	if (!ret)
		ret = vv_hdf5_check(vv_buf_view(&b), addr, "node of a B-tree", err);
	c = vv_cursor(vv_buf_view(&b));
	if (!ret && vv_hdf5_skip(&c, 6))
		ret = vv_fail(err, VV_EFORMAT, "a short node");
	for (uint64_t i = 0; i < n && !ret; i++)
		ret = vv_take(&c, t->record, &s) ? vv_fail(err, VV_EFORMAT, "a short node") : t->fn(t->ctx, s, err);
	for (uint64_t i = 0; depth && i <= n && !ret; i++) {
		if (vv_hdf5_addr(h, &c, &child) || vv_hdf5_number(&c, t->count_width, &count) ||
			(depth > 1 && vv_hdf5_number(&c, t->total_width[depth - 1], &total)))
			ret = vv_fail(err, VV_EFORMAT, "a short node");
		else
			ret = node(t, child, count, depth - 1, err);
	}
	vv_buf_release(&b);
	return ret;
}

/* How wide the counts in the nodes are follows from how many records a node can hold. */
static int widths(struct tree *t, unsigned depth)
{
	uint64_t most = (t->node_size - 10) / t->record, all = most;

	t->count_width = vv_hdf5_log2(most) / 8 + 1;
	t->total_width[0] = 0;
	for (unsigned i = 1; i <= depth; i++) {
		uint64_t pointer = t->h->off_width + t->count_width + t->total_width[i - 1];

		if (t->node_size < 10 + pointer)
			return 1;
		most = (t->node_size - 10 - pointer) / (t->record + pointer);
		if (vv_mul_over(most + 1, all, &all) || vv_add_over(all, most, &all))
			return 1;
		t->total_width[i] = vv_hdf5_log2(all) / 8 + 1;
	}
	return 0;
}

int vv_hdf5_records(struct vv_hdf5 *h, uint64_t at, unsigned type, unsigned record, vv_hdf5_record_fn *fn, void *ctx,
	struct vv_err *err)
{
	struct tree t = {.h = h, .type = type, .fn = fn, .ctx = ctx};
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t root = 0;
	uint16_t depth = 0, n = 0;
	struct vv_cursor c;
	int ret = vv_hdf5_load(h, at, 22 + (uint64_t)h->off_width + h->len_width, &head, err);

	if (!ret && (memcmp(head.ptr, "BTHD", 5) || head.ptr[5] != type))
		ret = vv_fail(err, VV_EFORMAT, "no such B-tree at address %" PRIu64, at);
	if (!ret)
		ret = vv_hdf5_check(vv_buf_view(&head), at, "B-tree", err);
	if (ret)
		goto out;
	c = vv_cursor(vv_span(head.ptr + 12, head.len - 12));
	t.node_size = vv_get32(head.ptr + 6);
	t.record = vv_get16(head.ptr + 10);
	if (vv_take16(&c, &depth) || vv_hdf5_skip(&c, 2) || vv_hdf5_addr(h, &c, &root) || vv_take16(&c, &n) ||
		depth >= VV_HDF5_LEVELS || t.node_size < 10 || t.record != record || widths(&t, depth))
		ret = vv_fail(err, VV_EFORMAT, "a B-tree with odd numbers at address %" PRIu64, at);
	else if (root != VV_HDF5_NONE)
		ret = node(&t, root, n, depth, err);
out:
	vv_buf_release(&head);
	return ret;
}
