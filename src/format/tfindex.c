/*
 * The index of a TensorFlow checkpoint or SavedModel, "variables.index": a table whose first entry says how many
 * files hold the data, and whose others each say where a tensor lies in them. After tensor_bundle.proto.
 */
#include "format/formats.h"

#include "base/check.h"
#include "base/cursor.h"
#include "format/protobuf.h"
#include "format/sstable.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_SHARDS = 99999, SHOWN = 80, RANK_UNKNOWN = 3 };

/* By DataType of types.proto. Quantised types are their numbers, those of less than a byte take one each. */
static const enum vv_dtype types[] = {
	[1] = VV_DT_F32, [2] = VV_DT_F64, [3] = VV_DT_I32, [4] = VV_DT_U8, [5] = VV_DT_I16, [6] = VV_DT_I8,
	[7] = VV_DT_BYTES /* string */, [8] = VV_DT_C64, [9] = VV_DT_I64, [10] = VV_DT_BOOL, [11] = VV_DT_I8,
	[12] = VV_DT_U8, [13] = VV_DT_I32, [14] = VV_DT_BF16, [15] = VV_DT_I16, [16] = VV_DT_U16, [17] = VV_DT_U16,
	[18] = VV_DT_C128, [19] = VV_DT_F16, [22] = VV_DT_U32, [23] = VV_DT_U64, [24] = VV_DT_F8_E5M2,
	[25] = VV_DT_F8_E4M3, [26] = VV_DT_F8_E4M3FNUZ, [28] = VV_DT_F8_E5M2FNUZ, [29] = VV_DT_I8, [30] = VV_DT_U8,
	[31] = VV_DT_I8, [32] = VV_DT_U8};

/* One walk through an index. */
struct walk {
	struct vv_layout_build *findings; /* NULL: they are not wanted */
	struct vv_elsewheres *out;        /* NULL: only looked at */
	bool header;                      /* was seen */
	bool swapped;                     /* elements are big-endian */
	uint64_t shards;
	struct vv_pb_input in;
	struct vv_source_mem value;
	struct vv_buf name;
};

/* BundleEntryProto. */
struct entry {
	uint64_t type, shard, off, size;
	uint64_t shape[VV_MAX_DIMS];
	size_t ndim; /* may be more than there is room for */
	bool sliced;
};

/* --- messages --- */

static void message(struct walk *w, struct vv_pb *m, struct vv_span value)
{
	vv_source_mem_init(&w->value, value);
	vv_pb_init(m, &w->in, &w->value.base);
}

static int wrong(struct vv_err *err, const char *what, uint64_t off)
{
	return vv_fail(err, VV_EFORMAT, "%s at offset %" PRIu64, what, off);
}

static int read_header(struct walk *w, struct vv_span value, uint64_t off, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb m;
	int ret;

	message(w, &m, value);
	while (!(ret = vv_pb_next(&m, &f, err)) && f.number) {
		if (f.number == 1 && f.wire == VV_PB_NUMBER)
			w->shards = f.value;
		else if (f.number == 2 && f.wire == VV_PB_NUMBER)
			w->swapped = f.value != 0;
	}
	w->header = true;
	if (!ret && w->shards > MAX_SHARDS)
		ret = wrong(err, "a header of too many shards", off);
	if (!ret && w->swapped && w->findings)
		vv_layout_finding(w->findings, "big-endian", off, "the checkpoint was written in the other byte order");
	return ret;
}

static int read_shape(struct entry *e, struct vv_pb *around, const struct vv_pb_field *at, struct vv_err *err)
{
	struct vv_pb shape, dim;
	struct vv_pb_field f, g;
	int ret = vv_pb_enter(&shape, around, at, err);

	while (!ret && !(ret = vv_pb_next(&shape, &f, err)) && f.number) {
		uint64_t n = 0;
		if (f.number == RANK_UNKNOWN)
			return vv_fail(err, VV_EFORMAT, "a shape of unknown rank");
		if (f.number != 2)
			continue;
		ret = vv_pb_enter(&dim, &shape, &f, err);
		while (!ret && !(ret = vv_pb_next(&dim, &g, err)) && g.number)
			if (g.number == 1 && g.wire == VV_PB_NUMBER)
				n = g.value;
		if (!ret && n > INT64_MAX)
			return vv_fail(err, VV_EFORMAT, "a negative dimension");
		if (e->ndim < VV_MAX_DIMS)
			e->shape[e->ndim] = n;
		e->ndim++;
	}
	return ret;
}

static int read_entry(struct walk *w, struct entry *e, struct vv_span value, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb m;
	int ret;

	*e = (struct entry){.type = 0};
	message(w, &m, value);
	while (!(ret = vv_pb_next(&m, &f, err)) && f.number) {
		uint64_t *number = f.number == 1 ? &e->type : f.number == 3 ? &e->shard : f.number == 4 ? &e->off
			: f.number == 5 ? &e->size : NULL;
		if (number) {
			ret = vv_pb_want(&f, VV_PB_NUMBER, err);
			*number = f.value;
		} else if (f.number == 2) {
			ret = read_shape(e, &m, &f, err);
		} else if (f.number == 7) {
			e->sliced = true;
		}
		if (ret)
			return ret;
	}
	return ret;
}

/* --- names --- */

/* A number as the slices' keys have it: so many high bits as it has bytes, the first of them the other way round. */
static int take_signed(struct vv_cursor *c, int64_t *v)
{
	struct vv_span s;
	uint64_t bits = 0;
	unsigned n = 0, first;

	if (!c->left)
		return 1;
	first = c->ptr[0] & 0x80 ? c->ptr[0] : ~c->ptr[0] & 0xffu;
	while (n < 8 && first << n & 0x80)
		n++;
	if (n > 7 || vv_take(c, n, &s))
		return 1;
	for (unsigned i = 0; i < n; i++)
		bits = bits << 8 | s.ptr[i];
	/* 7 * n bits of two's complement. */
	bits <<= 64 - 7 * n;
	*v = (int64_t)bits >> (64 - 7 * n);
	return 0;
}

static int take_unsigned(struct vv_cursor *c, uint64_t *v)
{
	struct vv_span s;
	uint8_t n;

	if (vv_take8(c, &n) || n > 8 || vv_take(c, n, &s))
		return 1;
	*v = 0;
	for (unsigned i = 0; i < n; i++)
		*v = *v << 8 | s.ptr[i];
	return 0;
}

/* Ends with 0 1; 0 255 is a zero, 255 0 is 255. */
static int take_text(struct vv_cursor *c, struct vv_buf *out)
{
	uint8_t a, b = 0;

	for (;;) {
		if (vv_take8(c, &a) || ((!a || a == 0xff) && vv_take8(c, &b)))
			return 1;
		if (!a && b == 1)
			return 0;
		if ((!a && b != 0xff) || (a == 0xff && b))
			return 1;
		vv_buf_char(out, (char)a);
	}
}

/* A part of a tensor: its key holds 0, the tensor's name, and for each dimension where the part is. */
static int slice_name(struct vv_buf *out, struct vv_span key)
{
	struct vv_cursor c = vv_cursor(key);
	uint64_t zero, ndim;

	if (take_unsigned(&c, &zero) || zero || take_text(&c, out) || take_unsigned(&c, &ndim) || ndim > c.left)
		return 1;
	for (uint64_t i = 0; i < ndim; i++) {
		int64_t start, len, end;
		if (take_signed(&c, &start) || take_signed(&c, &len) || vv_add_over(start, len, &end))
			return 1;
		vv_buf_char(out, i ? ',' : '[');
		if (len < 0)
			vv_buf_char(out, ':');
		else
			vv_buf_fmt(out, "%" PRId64 ":%" PRId64, start, end);
	}
	vv_buf_str(out, ndim ? "]" : "[]");
	return c.left != 0;
}

/* Its own name, or "w[0:5,:]" of a part. */
static int read_name(struct walk *w, struct vv_span key, uint64_t off, struct vv_err *err)
{
	vv_buf_clear(&w->name);
	if (key.len && !key.ptr[0]) {
		if (slice_name(&w->name, key) && !w->name.failed)
			return wrong(err, "a wrong name of a part", off);
	} else {
		vv_buf_span(&w->name, key);
	}
	if (w->name.failed == VV_ELIMIT)
		return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes at offset %" PRIu64, VV_MAX_NAME, off);
	if (w->name.len && memchr(w->name.ptr, 0, w->name.len))
		return wrong(err, "a name with a NUL", off);
	return vv_buf_check(&w->name, err);
}

/* --- the index --- */

static const char *shown(const struct walk *w, char *buf)
{
	snprintf(buf, SHOWN, "%s", (const char *)w->name.ptr);
	return buf;
}

/* Elements when it has such: strings have their lengths before them, and an unknown type is bytes. */
static int place(struct walk *w, const struct entry *e, uint64_t off, struct vv_err *err)
{
	enum vv_dtype dt = e->type < VV_COUNT(types) ? types[e->type] : VV_DT_BYTES;
	char name[SHOWN], file[64];
	uint64_t numel, bytes;

	if (e->shard >= w->shards)
		return vv_fail(err, VV_EFORMAT, "tensor '%s' is in shard %" PRIu64 " of %" PRIu64 ", at offset %" PRIu64,
			shown(w, name), e->shard, w->shards, off);
	if (e->off > INT64_MAX || e->size > INT64_MAX - e->off)
		return vv_fail(err, VV_EFORMAT, "tensor '%s' lies past any end, at offset %" PRIu64, shown(w, name), off);
	if (w->swapped || e->ndim > VV_MAX_DIMS)
		dt = VV_DT_BYTES;
	if (dt != VV_DT_BYTES &&
		(vv_dtype_bytes(dt, e->shape, (unsigned)e->ndim, &numel, &bytes) || bytes != e->size))
		return vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree, at offset %"
			PRIu64, shown(w, name), e->size, off);
	if (!w->out)
		return 0;
	snprintf(file, sizeof(file), ".data-%05" PRIu64 "-of-%05" PRIu64, e->shard, w->shards);
	return vv_elsewhere_add(w->out, &(struct vv_elsewhere){file, true, (const char *)w->name.ptr, dt,
		dt == VV_DT_BYTES ? 0 : (unsigned)e->ndim, e->shape, e->off, e->size}, err);
}

static int each(void *arg, struct vv_span key, struct vv_span value, uint64_t off, struct vv_err *err)
{
	struct walk *w = arg;
	struct entry e;
	int ret;

	/* Its key is empty, so it is the first. */
	if (!key.len)
		return read_header(w, value, off, err);
	if (!w->header)
		return wrong(err, "an index without a header, before its entry", off);
	ret = read_name(w, key, off, err);
	if (!ret && (ret = read_entry(w, &e, value, err)))
		return vv_err_in(err, "the entry at offset %" PRIu64, off);
	/* A tensor in parts has none of its bytes itself. */
	return ret || e.sliced ? ret : place(w, &e, off, err);
}

static int walk(struct walk *w, const struct vv_source *src, struct vv_err *err)
{
	int ret;

	vv_buf_init(&w->name, VV_MAX_NAME);
	ret = vv_sstable_each(src, each, w, err);
	if (!ret && !w->header)
		ret = vv_fail(err, VV_EFORMAT, "an index without a header");
	vv_buf_release(&w->name);
	return ret;
}

/* It has no tensors of its own. */
static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.findings = b};

	return walk(&w, src, err);
}

static int elsewhere(struct vv_elsewheres *out, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.out = out};

	return walk(&w, src, err);
}

/* The table's name is at its end. Its first entry is that of an empty key, with a BundleHeaderProto and no more. */
static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	struct vv_cursor c = vv_cursor(head);
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb_field f;
	struct vv_pb m;
	struct vv_err err = VV_ERR_INIT;
	struct vv_span value;
	uint8_t shared, more, len;
	bool version = false;

	if (vv_take8(&c, &shared) || vv_take8(&c, &more) || vv_take8(&c, &len) || shared || more || len > 127 ||
		len > size || vv_take(&c, len, &value))
		return VV_PROBE_NO;
	vv_source_mem_init(&mem, value);
	vv_pb_init(&m, &in, &mem.base);
	for (uint32_t last = 0;; last = f.number) {
		if (vv_pb_next(&m, &f, &err) || (f.number && f.number <= last))
			return VV_PROBE_NO;
		if (!f.number)
			break;
		version |= f.number == 3;
		if (f.number > 3 || (f.number == 3 ? f.wire != VV_PB_BYTES : f.wire != VV_PB_NUMBER || f.value > MAX_SHARDS))
			return VV_PROBE_NO;
	}
	return version ? VV_PROBE_YES : VV_PROBE_NO;
}

const struct vv_format vv_format_tf_index = {
	.name = "tf-index", .probe = probe, .locate = locate, .elsewhere = elsewhere};
