/*
 * TensorFlow Lite: a FlatBuffer whose tensors name buffers by number, each a vector of bytes in the
 * file, or, where that would pass 2 GiB, a place behind the FlatBuffer. After tflite's schema.fbs.
 */
#include "base/check.h"
#include "format/flatbuf.h"
#include "format/formats.h"
#include "format/inplace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Fields, by their numbers in the schema. */
enum { MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4, SUBGRAPH_TENSORS = 0 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_BUFFER = 2, TENSOR_NAME = 3, TENSOR_SPARSITY = 6 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1, BUFFER_SIZE = 2 };

/* Elements narrower than a byte, or of a type that only a newer varve knows: kept as so many u8. */
enum { PACKED = VV_DT_COUNT };

/* By TensorType. Text, resources and variants are no numbers. */
static const uint8_t types[] = {VV_DT_F32, VV_DT_F16, VV_DT_I32, VV_DT_U8, VV_DT_I64, VV_DT_BYTES, VV_DT_BOOL,
	VV_DT_I16, VV_DT_C64, VV_DT_I8, VV_DT_F64, VV_DT_C128, VV_DT_U64, VV_DT_BYTES, VV_DT_BYTES, VV_DT_U32,
	VV_DT_U16, PACKED, VV_DT_BF16, PACKED, PACKED, VV_DT_F8_E4M3, VV_DT_F8_E5M2};

/* A tensor that has bytes. */
struct use {
	uint64_t off, len;
	size_t rank; /* among the uses: a stable order */
	enum vv_dtype dt;
	bool packed;
	struct vv_view view;
};

struct model {
	struct vv_flatbuf fb;
	struct vv_layout_build *build;
	struct vv_fb_vector buffers;
	struct use *uses;
	size_t n, cap;
	size_t tensors;      /* seen, with bytes or not */
	uint64_t name_bytes; /* of all names: shared texts may not add up to more than the file */
	bool unknown;
};

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	return head.len >= 8 && !memcmp(head.ptr + 4, "TFL3", 4) ? VV_PROBE_YES : VV_PROBE_NO;
}

/* Where the bytes of buffer `i` are; *len is 0 when it has none. */
static int buffer(struct model *m, uint64_t i, uint64_t *off, uint64_t *len, struct vv_err *err)
{
	struct vv_fb_vector data;
	struct vv_fb_table t;
	int ret;

	if (i >= m->buffers.n)
		return vv_fail(err, VV_EFORMAT, "there is no buffer %" PRIu64, i);
	ret = vv_fb_table_in(&m->fb, &m->buffers, (uint32_t)i, &t, err);
	if (!ret)
		ret = vv_fb_vector(&m->fb, &t, BUFFER_DATA, 1, &data, err);
	if (ret)
		return ret;
	*off = data.at;
	*len = data.n;
	if (data.n)
		return 0;
	/* 0 and 1 are placeholders: no bytes. */
	*off = 0;
	ret = vv_fb_number(&m->fb, &t, BUFFER_OFFSET, 8, off, err);
	if (!ret && *off > 1)
		ret = vv_fb_number(&m->fb, &t, BUFFER_SIZE, 8, len, err);
	return ret;
}

/* `subgraph`: its number, told in names of all but the first. `index`: the name of a tensor that has none. */
static int name(struct model *m, const struct vv_fb_table *t, uint32_t subgraph, uint32_t index, const char **out,
	struct vv_err *err)
{
	char text[VV_MAX_NAME + 32], *at = text;
	struct vv_fb_vector v;
	int ret = vv_fb_vector(&m->fb, t, TENSOR_NAME, 1, &v, err);

	if (ret)
		return ret;
	if (subgraph)
		at += snprintf(text, sizeof(text), "subgraph%" PRIu32 "/", subgraph);
	if (v.n > VV_MAX_NAME - (size_t)(at - text))
		return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
	m->name_bytes += v.n;
	if (m->name_bytes > m->fb.src->size)
		return vv_fail(err, VV_EFORMAT, "names of more bytes than the file has");
	if (v.n)
		ret = vv_fb_read(&m->fb, v.at, at, v.n, err);
	else
		v.n = (uint32_t)snprintf(at, 16, "tensor%" PRIu32, index);
	if (!ret && memchr(at, 0, v.n))
		ret = vv_fail(err, VV_EFORMAT, "a name with a NUL at offset %" PRIu64, v.at);
	if (ret)
		return ret;
	*out = vv_arena_copy(vv_layout_arena(m->build), vv_span(text, (size_t)(at - text) + v.n));
	return *out ? 0 : vv_fail_nomem(err);
}

/* As so many bytes. */
static int flat(struct model *m, struct use *u, struct vv_err *err)
{
	uint64_t *shape = vv_arena_array(vv_layout_arena(m->build), 1, sizeof(*shape));

	if (!shape)
		return vv_fail_nomem(err);
	*shape = u->len;
	u->dt = VV_DT_U8;
	u->view.ndim = 1;
	u->view.shape = shape;
	return 0;
}

static int shape(struct model *m, const struct vv_fb_table *t, struct use *u, struct vv_err *err)
{
	uint64_t *dims, numel, bytes;
	struct vv_fb_vector v;
	int ret = vv_fb_vector(&m->fb, t, TENSOR_SHAPE, 4, &v, err);

	if (ret)
		return ret;
	if (v.n > VV_MAX_DIMS)
		return vv_fail(err, VV_ELIMIT, "tensor '%s' has more than %d dimensions", u->view.name, VV_MAX_DIMS);
	dims = vv_arena_array(vv_layout_arena(m->build), v.n + 1, sizeof(*dims));
	if (!dims)
		return vv_fail_nomem(err);
	for (uint32_t i = 0; i < v.n && !ret; i++) {
		ret = vv_fb_element(&m->fb, &v, i, 4, &dims[i], err);
		if (!ret && dims[i] > INT32_MAX)
			ret = vv_fail(err, VV_EFORMAT, "tensor '%s' has a negative dimension", u->view.name);
	}
	if (!ret && (vv_dtype_bytes(u->dt, dims, v.n, &numel, &bytes) || bytes != u->len))
		ret = vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree", u->view.name,
			u->len);
	u->view.ndim = v.n;
	u->view.shape = dims;
	return ret;
}

static int type(struct model *m, const struct vv_fb_table *t, struct use *u, struct vv_err *err)
{
	uint64_t type = 0, sparse;
	int ret = vv_fb_number(&m->fb, t, TENSOR_TYPE, 1, &type, err);

	if (!ret)
		ret = vv_fb_field(&m->fb, t, TENSOR_SPARSITY, 4, &sparse, err);
	if (ret)
		return ret;
	if (type >= VV_COUNT(types) && !m->unknown) {
		vv_layout_finding(m->build, "unknown-dtype", t->at, "%s has a type that this varve does not know", u->view.name);
		m->unknown = true;
	}
	/* Of a sparse tensor only some elements are there. */
	u->packed = type >= VV_COUNT(types) || types[type] == PACKED || (sparse && types[type] != VV_DT_BYTES);
	u->dt = u->packed ? VV_DT_U8 : (enum vv_dtype)types[type];
	return 0;
}

static struct use *add(struct model *m)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct use *uses = realloc(m->uses, cap * sizeof(*uses));
		if (!uses)
			return NULL;
		m->uses = uses;
		m->cap = cap;
	}
	m->uses[m->n] = (struct use){.rank = m->n};
	return &m->uses[m->n++];
}

static int tensor(struct model *m, const struct vv_fb_table *t, uint32_t subgraph, uint32_t index, struct vv_err *err)
{
	uint64_t number = 0, off = 0, len = 0;
	struct use *u;
	int ret;

	if (++m->tensors > VV_MAX_TENSORS)
		return vv_fail(err, VV_ELIMIT, "more than %d tensors", VV_MAX_TENSORS);
	ret = vv_fb_number(&m->fb, t, TENSOR_BUFFER, 4, &number, err);
	if (!ret)
		ret = buffer(m, number, &off, &len, err);
	if (ret || !len)
		return ret;
	u = add(m);
	if (!u)
		return vv_fail_nomem(err);
	u->off = off;
	u->len = len;
	ret = name(m, t, subgraph, index, &u->view.name, err);
	if (!ret)
		ret = type(m, t, u, err);
	if (ret || u->dt == VV_DT_BYTES)
		return ret;
	return u->packed ? flat(m, u, err) : shape(m, t, u, err);
}

static int subgraphs(struct model *m, const struct vv_fb_vector *graphs, struct vv_err *err)
{
	int ret = 0;

	for (uint32_t g = 0; g < graphs->n && !ret; g++) {
		struct vv_fb_vector tensors = {0};
		struct vv_fb_table t;

		ret = vv_fb_table_in(&m->fb, graphs, g, &t, err);
		if (!ret)
			ret = vv_fb_vector(&m->fb, &t, SUBGRAPH_TENSORS, 4, &tensors, err);
		for (uint32_t i = 0; i < tensors.n && !ret; i++) {
			ret = vv_fb_table_in(&m->fb, &tensors, i, &t, err);
			if (!ret)
				ret = tensor(m, &t, g, i, err);
		}
	}
	return ret;
}

static int by_place(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The `n` tensors of one run of bytes: a segment, unless one of them says that these are no numbers. */
static int report(struct model *m, struct use *u, size_t n, struct vv_err *err)
{
	struct vv_view *views = vv_arena_array(vv_layout_arena(m->build), n, sizeof(*views));
	bool mixed = false;
	int ret = views ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i++) {
		if (u[i].dt == VV_DT_BYTES)
			return 0;
		mixed |= u[i].dt != u[0].dt;
	}
	for (size_t i = 0; i < n && !ret; i++) {
		if (mixed)
			ret = flat(m, &u[i], err);
		views[i] = u[i].view;
	}
	return ret ? ret : vv_layout_tensor(m->build, u->off, u->len, u->dt, views, n, err);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct model m = {.build = b};
	struct vv_fb_vector graphs;
	struct vv_fb_table root;
	size_t n;
	int ret = vv_fb_init(&m.fb, src, err);

	if (!ret)
		ret = vv_fb_root(&m.fb, &root, err);
	if (!ret)
		ret = vv_fb_vector(&m.fb, &root, MODEL_SUBGRAPHS, 4, &graphs, err);
	if (!ret)
		ret = vv_fb_vector(&m.fb, &root, MODEL_BUFFERS, 4, &m.buffers, err);
	if (!ret)
		ret = subgraphs(&m, &graphs, err);
	if (!ret && m.n)
		qsort(m.uses, m.n, sizeof(*m.uses), by_place);
	for (size_t i = 0; i < m.n && !ret; i += n) {
		for (n = 1; i + n < m.n && m.uses[i + n].off == m.uses[i].off && m.uses[i + n].len == m.uses[i].len;)
			n++;
		ret = report(&m, &m.uses[i], n, err);
	}
	free(m.uses);
	vv_fb_release(&m.fb);
	return ret;
}

const struct vv_format vv_format_tflite = {.name = "tflite", .probe = probe, .locate = locate,
	.assemble = vv_inplace_assemble, .sets = "the same tensors, with other values", .graph = vv_tflite_graph};
