/*
 * .metadata of torch.distributed.checkpoint: a pickle that names the tensors whose archives stand in the .distcp
 * beside it. What loading it would import is told as of any pickle; its structure is read without it.
 */
#include "format/formats.h"

#include "base/check.h"
#include "base/map.h"
#include "format/pickle.h"
#include "format/pickle_ops.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHOWN = 80, VISITS = 4 }; /* chunks that are looked at, for each item of the pickle */

static const char module[] = "torch.distributed.checkpoint.metadata";

/* One walk through an index. */
struct walk {
	struct vv_layout_build *findings; /* NULL: they are not wanted */
	struct vv_elsewheres *out;        /* NULL: only looked at */
	struct vv_pickle p;
	struct vv_map sizes; /* name → its TensorStorageMetadata */
	struct vv_buf name, file;
	uint64_t visits;     /* that are left */
};

static int wrong(const struct walk *w, const char *what, uint32_t node, struct vv_err *err)
{
	return vv_fail(err, VV_EFORMAT, "%s at offset %" PRIu32, what, w->p.nodes[node].off);
}

static int too_long(const struct walk *w, uint32_t node, struct vv_err *err)
{
	return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes at offset %" PRIu32, VV_MAX_NAME, w->p.nodes[node].off);
}

/* The value under a key of a dictionary; of keys that repeat the last counts. 0: none. */
static uint32_t value_of(const struct vv_pickle *p, uint32_t dict, const char *key)
{
	uint32_t found = 0, k;

	if (p->nodes[dict].kind == VV_PK_DICT)
		for (uint32_t i = 0; (k = vv_pickle_item(p, dict, i)); i += 2)
			if (vv_pickle_is_str(p, k, key))
				found = vv_pickle_item(p, dict, i + 1);
	return found;
}

/* An attribute of an object that was made without arguments and then given its state. 0: none. */
static uint32_t field(const struct vv_pickle *p, uint32_t object, const char *name)
{
	const struct vv_pickle_node *n = &p->nodes[object];

	/* A state of many keys would be gone through for each that shares it. */
	if (n->kind != VV_PK_CALL || p->nodes[n->items.state].kind != VV_PK_DICT ||
		p->nodes[n->items.state].items.n > 64)
		return 0;
	return value_of(p, n->items.state, name);
}

/* The numbers of a torch.Size, as a tuple. 0: it is none. */
static uint32_t dims(const struct vv_pickle *p, uint32_t size)
{
	uint32_t tuple;

	if (p->nodes[size].kind != VV_PK_CALL || !vv_pickle_is_global(p, vv_pickle_item(p, size, 0), "torch", "Size"))
		return 0;
	tuple = vv_pickle_item(p, vv_pickle_item(p, size, 1), 0);
	return p->nodes[tuple].kind == VV_PK_TUPLE ? tuple : 0;
}

/* Objects are shared at will: what has been looked at is counted. */
static bool spend(struct walk *w, uint32_t n)
{
	w->visits -= vv_min64(w->visits, n);
	return w->visits > 0;
}

static bool same_dims(struct walk *w, uint32_t a, uint32_t b)
{
	uint32_t n = w->p.nodes[a].items.n;
	uint64_t x, y;

	if (a == b)
		return true;
	if (n != w->p.nodes[b].items.n || !spend(w, n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (vv_pickle_u64(&w->p, vv_pickle_item(&w->p, a, i), &x) ||
			vv_pickle_u64(&w->p, vv_pickle_item(&w->p, b, i), &y) || x != y)
			return false;
	return true;
}

/* The chunk that begins at `at`: most often the one that the key hints at. 0: none. */
static uint32_t find_chunk(struct walk *w, uint32_t chunks, uint32_t at, uint32_t hint)
{
	uint32_t n = w->p.nodes[chunks].kind == VV_PK_LIST ? w->p.nodes[chunks].items.n : 0;
	uint64_t first;

	if (vv_pickle_u64(&w->p, hint, &first) || first >= n)
		first = 0;
	for (uint32_t i = 0; i < n && spend(w, 1); i++) {
		uint32_t chunk = vv_pickle_item(&w->p, chunks, (uint32_t)((first + i) % n));
		uint32_t from = dims(&w->p, field(&w->p, chunk, "offsets"));
		if (from && same_dims(w, from, at))
			return chunk;
	}
	return 0;
}

/* "[0:5,:]" behind the name of a tensor of which this is a part; nothing of one that is whole. */
static int add_part(struct walk *w, uint32_t from, uint32_t len, uint32_t whole)
{
	uint32_t n = w->p.nodes[whole].items.n;
	bool part = false;

	if (w->p.nodes[from].items.n != n || w->p.nodes[len].items.n != n || !spend(w, n))
		return 1;
	for (int pass = 0; pass < 2 && (!pass || part); pass++)
		for (uint32_t i = 0; i < n && !w->name.failed; i++) {
			uint64_t at, count, of, end;
			if (vv_pickle_u64(&w->p, vv_pickle_item(&w->p, from, i), &at) ||
				vv_pickle_u64(&w->p, vv_pickle_item(&w->p, len, i), &count) ||
				vv_pickle_u64(&w->p, vv_pickle_item(&w->p, whole, i), &of) || vv_add_over(at, count, &end) || end > of)
				return 1;
			part |= count != of;
			if (!pass)
				continue;
			vv_buf_char(&w->name, i ? ',' : '[');
			if (count == of)
				vv_buf_char(&w->name, ':');
			else
				vv_buf_fmt(&w->name, "%" PRIu64 ":%" PRIu64, at, end);
		}
	if (part)
		vv_buf_char(&w->name, ']');
	return 0;
}

/* The tensor's name, or "w[0:5,:]" of a part. */
static int read_name(struct walk *w, uint32_t key, uint32_t tensor, struct vv_err *err)
{
	struct vv_span name = vv_pickle_text(&w->p, field(&w->p, key, "fqn"));
	uint32_t at = dims(&w->p, field(&w->p, key, "offset")), whole = dims(&w->p, field(&w->p, tensor, "size"));
	uint32_t chunk = at ? find_chunk(w, field(&w->p, tensor, "chunks"), at, field(&w->p, key, "index")) : 0;
	uint32_t len = dims(&w->p, field(&w->p, chunk, "sizes"));

	if (memchr(name.ptr, 0, name.len))
		return wrong(w, "a name with a NUL", key, err);
	vv_buf_clear(&w->name);
	vv_buf_span(&w->name, name);
	if (at && (!whole || !len || add_part(w, at, len, whole)))
		return w->visits ? wrong(w, "a part of no tensor", key, err) : vv_fail(err, VV_ELIMIT, "too many parts of tensors");
	if (w->name.failed == VV_ELIMIT)
		return too_long(w, key, err);
	return vv_buf_check(&w->name, err);
}

/* A MetadataIndex and its _StorageInfo. Objects that are no tensors have no chunks, and are nobody's concern. */
static int place(struct walk *w, uint32_t key, uint32_t info, struct vv_err *err)
{
	uint32_t name = field(&w->p, key, "fqn"), path = field(&w->p, info, "relative_path");
	uint64_t *tensor, off, len;
	struct vv_span file = vv_pickle_text(&w->p, path);
	const char *bad;
	int ret;

	if (w->p.nodes[name].kind != VV_PK_STR || w->p.nodes[path].kind != VV_PK_STR ||
		vv_pickle_u64(&w->p, field(&w->p, info, "offset"), &off) ||
		vv_pickle_u64(&w->p, field(&w->p, info, "length"), &len))
		return wrong(w, "a tensor's place that is none", key, err);
	if (file.len > VV_MAX_NAME || vv_pickle_text(&w->p, name).len > VV_MAX_NAME)
		return too_long(w, key, err);
	tensor = vv_map_find(&w->sizes, vv_pickle_text(&w->p, name));
	if (!tensor)
		return wrong(w, "the place of an unknown tensor", key, err);
	bad = vv_elsewhere_bad(file);
	if (bad && w->findings)
		vv_layout_finding(w->findings, "external-path", w->p.nodes[path].off, "tensor '%.*s' is in %s",
			(int)vv_min64(vv_pickle_text(&w->p, name).len, SHOWN), vv_pickle_text(&w->p, name).ptr, bad);
	if (!field(&w->p, (uint32_t)*tensor, "chunks"))
		return 0;
	ret = read_name(w, key, (uint32_t)*tensor, err);
	if (ret || bad || !w->out)
		return ret;
	vv_buf_clear(&w->file);
	vv_buf_span(&w->file, file);
	ret = vv_buf_check(&w->file, err);
	return ret ? ret : vv_elsewhere_add(w->out, &(struct vv_elsewhere){.file = (const char *)w->file.ptr,
		.name = (const char *)w->name.ptr, .within = true, .off = off, .len = len}, err);
}

static int places(struct walk *w, struct vv_err *err)
{
	const struct vv_pickle *p = &w->p;
	uint32_t known = field(p, p->root, "state_dict_metadata"), all = field(p, p->root, "storage_data"), key;
	int ret = 0;

	if (p->nodes[known].kind != VV_PK_DICT || p->nodes[all].kind != VV_PK_DICT)
		return vv_fail(err, VV_EFORMAT, "an index that names no tensors");
	for (uint32_t i = 0; (key = vv_pickle_item(p, known, i)); i += 2) {
		uint32_t value = vv_pickle_item(p, known, i + 1);
		uint64_t *at;
		if (p->nodes[key].kind != VV_PK_STR)
			return wrong(w, "a name that is no text", key, err);
		if (vv_pickle_text(p, key).len > VV_MAX_NAME)
			return too_long(w, key, err);
		at = vv_map_put(&w->sizes, vv_pickle_text(p, key), value, NULL);
		if (!at)
			return vv_fail_nomem(err);
		*at = value;
	}
	for (uint32_t i = 0; (key = vv_pickle_item(p, all, i)) && !ret; i += 2)
		ret = place(w, key, vv_pickle_item(p, all, i + 1), err);
	return ret;
}

static int walk(struct walk *w, const struct vv_source *src, struct vv_err *err)
{
	uint8_t *bytes;
	int ret;

	if (src->size > VV_MAX_PICKLE)
		return vv_fail(err, VV_ELIMIT, "an index of more than %d bytes", VV_MAX_PICKLE);
	vv_buf_init(&w->name, VV_MAX_NAME);
	vv_buf_init(&w->file, VV_MAX_NAME);
	bytes = malloc((size_t)src->size + 1);
	ret = bytes ? vv_source_read(src, 0, bytes, (size_t)src->size, err) : vv_fail_nomem(err);
	if (!ret)
		ret = vv_pickle_parse_any(&w->p, vv_span(bytes, (size_t)src->size), err);
	w->visits = VISITS * ((uint64_t)w->p.n_items + 1024);
	if (!ret)
		ret = places(w, err);
	vv_pickle_release(&w->p);
	free(bytes);
	vv_map_release(&w->sizes);
	vv_buf_release(&w->name);
	vv_buf_release(&w->file);
	return ret;
}

/* It has no tensors of its own. A pickle that names none has its findings all the same. */
static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.findings = b};
	int ret = vv_pickle_locate(b, src, err);

	if (!ret)
		ret = walk(&w, src, err);
	if (ret != VV_EFORMAT && ret != VV_ELIMIT)
		return ret;
	vv_err_clear(err);
	return 0;
}

static int elsewhere(struct vv_elsewheres *out, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.out = out};

	return walk(&w, src, err);
}

/* The first that it imports is the class of the whole. */
static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	struct vv_cursor c = vv_cursor(head);
	struct vv_span text[2] = {{0}};
	struct vv_op_at op;
	int n = 0;

	if (!vv_pickle_probe(head))
		return VV_PROBE_NO;
	while (!vv_op_next(&c, &op)) {
		bool is_text = op.code == OP_SHORT_BINUNICODE || op.code == OP_BINUNICODE;
		if (op.code == OP_PROTO || op.code == OP_FRAME || vv_op(op.code)->group == VV_OP_MEMO)
			continue;
		if (op.code == OP_GLOBAL) {
			text[0] = op.text;
			text[1] = op.text2;
		} else if (is_text && n < 2) {
			text[n++] = op.text;
			continue;
		} else if (op.code != OP_STACK_GLOBAL) {
			return VV_PROBE_NO;
		}
		return vv_span_is(text[0], module) && vv_span_is(text[1], "Metadata") ? VV_PROBE_YES : VV_PROBE_NO;
	}
	return VV_PROBE_NO;
}

const struct vv_format vv_format_dcp_index = {
	.name = "torch-dcp-index", .probe = probe, .locate = locate, .elsewhere = elsewhere};
