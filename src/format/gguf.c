/*
 * GGUF, llama.cpp's files: counts, pairs of key and value, one info a tensor, then the tensors' bytes, each
 * at a multiple of an alignment. After ggml's docs/gguf.md, its gguf.cpp and the Python package gguf.
 */
#include "format/formats.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/le.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	WINDOW = 64 << 10,        /* of the header, which is read in pieces */
	MAX_KEY = 65535,          /* the format's own */
	MAX_PAIRS = 65536,        /* their keys are kept; models have some dozens */
	MAX_ARRAYS = 16,          /* one in another */
	MAX_DIMS = 4,             /* ggml's: more can be read, not written */
	MAX_ALIGNMENT = 16 << 20, /* what lies between tensors is written */
	FIXED = 24,               /* magic, version, two counts */
	MIN_PAIR = 8 + 4 + 1,
	MIN_INFO = 8 + 4 + 4 + 8,
};

static const char magic[] = "GGUF";

/* By ggml's number: elements of a block and its bytes. The quantised are seen as the bytes of their blocks. */
static const struct {
	enum vv_dtype dt;
	uint16_t block, size; /* block: 0 is no type, 1 is not quantised */
} types[] = {
	[0] = {VV_DT_F32, 1, 4},
	[1] = {VV_DT_F16, 1, 2},
	[2] = {VV_DT_U8, 32, 18},    /* Q4_0 */
	[3] = {VV_DT_U8, 32, 20},    /* Q4_1 */
	[6] = {VV_DT_U8, 32, 22},    /* Q5_0 */
	[7] = {VV_DT_U8, 32, 24},    /* Q5_1 */
	[8] = {VV_DT_U8, 32, 34},    /* Q8_0 */
	[9] = {VV_DT_U8, 32, 40},    /* Q8_1 */
	[10] = {VV_DT_U8, 256, 84},  /* Q2_K */
	[11] = {VV_DT_U8, 256, 110}, /* Q3_K */
	[12] = {VV_DT_U8, 256, 144}, /* Q4_K */
	[13] = {VV_DT_U8, 256, 176}, /* Q5_K */
	[14] = {VV_DT_U8, 256, 210}, /* Q6_K */
	[15] = {VV_DT_U8, 256, 292}, /* Q8_K */
	[16] = {VV_DT_U8, 256, 66},  /* IQ2_XXS */
	[17] = {VV_DT_U8, 256, 74},  /* IQ2_XS */
	[18] = {VV_DT_U8, 256, 98},  /* IQ3_XXS */
	[19] = {VV_DT_U8, 256, 50},  /* IQ1_S */
	[20] = {VV_DT_U8, 32, 18},   /* IQ4_NL */
	[21] = {VV_DT_U8, 256, 110}, /* IQ3_S */
	[22] = {VV_DT_U8, 256, 82},  /* IQ2_S */
	[23] = {VV_DT_U8, 256, 136}, /* IQ4_XS */
	[24] = {VV_DT_I8, 1, 1},
	[25] = {VV_DT_I16, 1, 2},
	[26] = {VV_DT_I32, 1, 4},
	[27] = {VV_DT_I64, 1, 8},
	[28] = {VV_DT_F64, 1, 8},
	[29] = {VV_DT_U8, 256, 56}, /* IQ1_M */
	[30] = {VV_DT_BF16, 1, 2},
	[34] = {VV_DT_U8, 256, 54}, /* TQ1_0 */
	[35] = {VV_DT_U8, 256, 66}, /* TQ2_0 */
	[39] = {VV_DT_U8, 32, 17},  /* MXFP4 */
	[40] = {VV_DT_U8, 64, 36},  /* NVFP4 */
	[41] = {VV_DT_U8, 128, 18}, /* Q1_0 */
};

enum { Q8_0 = 8 }; /* the one that convert makes */

/* Types of values, and the bytes of those that have a width. */
enum { VALUE_U32 = 4, VALUE_STRING = 8, VALUE_ARRAY = 9 };
static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, [VALUE_STRING] = 0, [VALUE_ARRAY] = 0, 8, 8, 8};

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	return head.len >= 8 && vv_span_starts(head, magic) ? VV_PROBE_YES : VV_PROBE_NO;
}

/* Pairs that speak of what a new file with the same others may have otherwise. */
enum about { OF_SOURCE, OF_TYPES, OF_SHARDS, N_ABOUT };
static const struct {
	const char *key;
	enum about about;
} told[] = {
	{"varve.source", OF_SOURCE},
	{"general.file_type", OF_TYPES},
	{"split.no", OF_SHARDS},
	{"split.count", OF_SHARDS},
	{"split.tensors.count", OF_SHARDS},
};

/* Where such a pair stands. */
struct pair {
	uint64_t at, end;
	enum about about;
};

struct info {
	uint32_t type;
	uint64_t off, len; /* of its bytes, from the data's start */
	struct vv_view *view;
};

struct gguf {
	const struct vv_source *src;
	uint64_t at;     /* the next byte */
	uint64_t from;   /* what the window holds */
	size_t len;
	uint8_t *window;
	bool big_endian; /* nothing else was read */
	uint64_t n_tensors, n_pairs;
	uint64_t infos_at, data; /* where the infos begin, and the tensors */
	uint64_t alignment;
	struct info *infos;
	size_t n, cap;
	struct pair told[VV_COUNT(told)]; /* in their order */
	size_t n_told;
	struct vv_map keys, names; /* names: the number of the info */
	struct vv_arena *arena;
};

/* --- the header's bytes --- */

static int moved(const struct gguf *g, struct vv_err *err)
{
	return g->at <= VV_MAX_HEADER ? 0 : vv_fail(err, VV_ELIMIT, "a header of more than %d bytes", VV_MAX_HEADER);
}

static uint64_t left(const struct gguf *g)
{
	return g->src->size - g->at;
}

static int skip(struct gguf *g, uint64_t n, struct vv_err *err)
{
	if (n > left(g))
		return vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes at offset %" PRIu64 " lie past the end", n, g->at);
	g->at += n;
	return moved(g, err);
}

/* The next n bytes, at most WINDOW. Borrowed: valid until the next take. */
static int take(struct gguf *g, uint64_t n, const uint8_t **p, struct vv_err *err)
{
	uint64_t at = g->at, in = at - g->from;
	int ret = skip(g, n, err);

	if (ret)
		return ret;
	if (in > g->len || n > g->len - in) {
		g->from = at;
		g->len = (size_t)vv_min64(WINDOW, g->src->size - at);
		in = 0;
		ret = vv_source_read(g->src, at, g->window, g->len, err);
	}
	*p = g->window + in;
	return ret;
}

static int take32(struct gguf *g, uint32_t *v, struct vv_err *err)
{
	const uint8_t *p;
	int ret = take(g, 4, &p, err);

	if (!ret)
		*v = vv_get32(p);
	return ret;
}

static int take64(struct gguf *g, uint64_t *v, struct vv_err *err)
{
	const uint8_t *p;
	int ret = take(g, 8, &p, err);

	if (!ret)
		*v = vv_get64(p);
	return ret;
}

/* A key or a name, kept, with `value` under it; each may stand there once. */
static int take_name(
	struct gguf *g, unsigned max, struct vv_map *seen, uint64_t value, const char **out, struct vv_err *err)
{
	uint64_t n, at = g->at;
	const uint8_t *p;
	bool added;
	int ret = take64(g, &n, err);

	if (!ret && n > max && n <= left(g))
		ret = vv_fail(err, VV_ELIMIT, "a name of %" PRIu64 " bytes at offset %" PRIu64, n, at);
	if (!ret)
		ret = take(g, n, &p, err);
	if (ret)
		return ret;
	if (memchr(p, 0, (size_t)n))
		return vv_fail(err, VV_EFORMAT, "a name with a NUL at offset %" PRIu64, at);
	*out = vv_arena_copy(g->arena, vv_span(p, (size_t)n));
	if (!*out || !vv_map_put(seen, vv_span_str(*out), value, &added))
		return vv_fail_nomem(err);
	return added ? 0 : vv_fail(err, VV_EFORMAT, "'%s' stands twice, at offset %" PRIu64, *out, at);
}

/* --- pairs --- */

static int step_over(struct gguf *g, uint32_t type, unsigned depth, struct vv_err *err);

static int step_over_array(struct gguf *g, unsigned depth, struct vv_err *err)
{
	uint64_t n, bytes, at = g->at;
	uint32_t type;
	int ret;

	if (depth == MAX_ARRAYS)
		return vv_fail(err, VV_ELIMIT, "arrays in arrays at offset %" PRIu64, at);
	ret = take32(g, &type, err);
	if (!ret)
		ret = take64(g, &n, err);
	if (!ret && type >= VV_COUNT(widths))
		ret = vv_fail(err, VV_EFORMAT, "an array of type %" PRIu32 " at offset %" PRIu64, type, at);
	if (ret)
		return ret;
	if (widths[type])
		return vv_mul_over(n, (uint64_t)widths[type], &bytes)
			? vv_fail(err, VV_EFORMAT, "an array of %" PRIu64 " values at offset %" PRIu64, n, at)
			: skip(g, bytes, err);
	/* Each takes bytes of the file, so that a count that lies ends with them. */
	while (n-- && !ret)
		ret = step_over(g, type, depth + 1, err);
	return ret;
}

static int step_over(struct gguf *g, uint32_t type, unsigned depth, struct vv_err *err)
{
	uint64_t n;
	int ret;

	if (type == VALUE_ARRAY)
		return step_over_array(g, depth, err);
	if (type == VALUE_STRING) {
		ret = take64(g, &n, err);
		return ret ? ret : skip(g, n, err);
	}
	if (type >= VV_COUNT(widths))
		return vv_fail(err, VV_EFORMAT, "a value of type %" PRIu32 " at offset %" PRIu64, type, g->at);
	return skip(g, widths[type], err);
}

static int take_alignment(struct gguf *g, uint32_t type, struct vv_err *err)
{
	uint64_t at = g->at;
	uint32_t v;
	int ret;

	if (type != VALUE_U32)
		return vv_fail(err, VV_EFORMAT, "an alignment of type %" PRIu32 " at offset %" PRIu64, type, at);
	ret = take32(g, &v, err);
	if (ret)
		return ret;
	if (!v || (v & (v - 1)))
		return vv_fail(err, VV_EFORMAT, "an alignment of %" PRIu32 " at offset %" PRIu64, v, at);
	if (v > MAX_ALIGNMENT)
		return vv_fail(err, VV_ELIMIT, "an alignment of %" PRIu32 " at offset %" PRIu64, v, at);
	g->alignment = v;
	return 0;
}

static int take_pair(struct gguf *g, struct vv_err *err)
{
	const char *key;
	uint64_t at = g->at;
	uint32_t type;
	int ret = take_name(g, MAX_KEY, &g->keys, 0, &key, err);

	if (!ret)
		ret = take32(g, &type, err);
	if (!ret)
		ret = strcmp(key, "general.alignment") ? step_over(g, type, 0, err) : take_alignment(g, type, err);
	/* A key stands there once. */
	for (size_t i = 0; i < VV_COUNT(told) && !ret; i++)
		if (!strcmp(key, told[i].key))
			g->told[g->n_told++] = (struct pair){at, g->at, told[i].about};
	return ret;
}

/* --- infos --- */

/* Is there a type before it with blocks of the same elements and bytes? Q4_0 and IQ4_NL. */
static bool is_twin(uint32_t type)
{
	for (uint32_t i = 0; i < type; i++)
		if (types[i].block == types[type].block && types[i].size == types[type].size)
			return true;
	return false;
}

/*
 * The view's shape is the file's, outermost first. A quantised row is so many blocks of so many bytes, and
 * the second of two types that agree in both has a last dimension of 1: the shape tells all types apart,
 * so that no tensor is taken for one that was quantised otherwise.
 */
static int take_shape(struct gguf *g, struct info *in, struct vv_err *err)
{
	struct vv_view *v = in->view;
	uint64_t at = g->at, *shape;
	uint32_t n;
	int ret = take32(g, &n, err);

	if (ret)
		return ret;
	if (n > VV_MAX_DIMS)
		return vv_fail(err, VV_ELIMIT, "tensor '%s': %" PRIu32 " dimensions at offset %" PRIu64, v->name, n, at);
	v->ndim = n;
	v->shape = shape = vv_arena_array(g->arena, n + 2, sizeof(*shape));
	if (!shape)
		return vv_fail_nomem(err);
	while (n-- && !ret)
		ret = take64(g, &shape[n], err);
	if (!ret)
		ret = take32(g, &in->type, err);
	if (ret || in->type >= VV_COUNT(types) || types[in->type].block <= 1)
		return ret;
	n = types[in->type].block;
	if (!v->ndim || shape[v->ndim - 1] % n)
		return vv_fail(err, VV_EFORMAT, "tensor '%s': rows that are not blocks of %" PRIu32 " at offset %" PRIu64,
			v->name, n, at);
	if (v->ndim > MAX_DIMS)
		return vv_fail(err, VV_ELIMIT, "tensor '%s': %u dimensions at offset %" PRIu64, v->name, v->ndim, at);
	shape[v->ndim - 1] /= n;
	shape[v->ndim++] = types[in->type].size;
	if (is_twin(in->type))
		shape[v->ndim++] = 1;
	return 0;
}

static int take_info(struct gguf *g, struct vv_layout_build *b, struct info *in, struct vv_err *err)
{
	uint64_t at = g->at, numel;
	int ret;

	in->view = vv_arena_alloc(g->arena, sizeof(*in->view));
	if (!in->view)
		return vv_fail_nomem(err);
	ret = take_name(g, VV_MAX_NAME, &g->names, g->n, &in->view->name, err);
	if (!ret)
		ret = take_shape(g, in, err);
	if (!ret)
		ret = take64(g, &in->off, err);
	if (ret)
		return ret;
	if (in->type >= VV_COUNT(types) || !types[in->type].block) {
		if (b)
			vv_layout_finding(b, "unknown-dtype", at, "%s has a type that this varve does not know", in->view->name);
		return vv_fail(err, VV_EFORMAT, "tensor '%s': type %" PRIu32 " at offset %" PRIu64, in->view->name, in->type, at);
	}
	if (vv_dtype_bytes(types[in->type].dt, in->view->shape, in->view->ndim, &numel, &in->len))
		return vv_fail(err, VV_EFORMAT, "tensor '%s': a shape too large at offset %" PRIu64, in->view->name, at);
	if (in->off % g->alignment)
		return vv_fail(err, VV_EFORMAT, "tensor '%s': %" PRIu64 " is no multiple of the alignment, at offset %" PRIu64,
			in->view->name, in->off, at);
	return 0;
}

/* Room for one more: grown as infos are read, not as their count claims. */
static struct info *next_info(struct gguf *g)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		struct info *p = realloc(g->infos, cap * sizeof(*p));
		if (!p)
			return NULL;
		g->infos = p;
		g->cap = cap;
	}
	g->infos[g->n] = (struct info){0};
	return &g->infos[g->n];
}

/* --- the whole header --- */

static int take_head(struct gguf *g, struct vv_err *err)
{
	uint32_t version;
	int ret = skip(g, 4, err);

	if (!ret)
		ret = take32(g, &version, err);
	if (ret)
		return ret;
	g->big_endian = version && !(version & 0xffff);
	if (g->big_endian)
		return 0;
	if (version != 2 && version != 3)
		return vv_fail(err, VV_EFORMAT, "version %" PRIu32 " at offset 4, of which 2 and 3 are known", version);
	ret = take64(g, &g->n_tensors, err);
	if (!ret)
		ret = take64(g, &g->n_pairs, err);
	if (!ret && (g->n_pairs > left(g) / MIN_PAIR || g->n_tensors > left(g) / MIN_INFO))
		ret = vv_fail(err, VV_EFORMAT, "%" PRIu64 " tensors and %" PRIu64 " pairs in %" PRIu64 " bytes at offset 8",
			g->n_tensors, g->n_pairs, g->src->size);
	if (!ret && (g->n_pairs > MAX_PAIRS || g->n_tensors > VV_MAX_TENSORS))
		ret = vv_fail(err, VV_ELIMIT, "%" PRIu64 " tensors and %" PRIu64 " pairs", g->n_tensors, g->n_pairs);
	return ret;
}

/* `b` is told of unknown types; it may be NULL. Released by the caller in any case. */
static int read_header(struct gguf *g, const struct vv_source *src, struct vv_layout_build *b, struct vv_arena *arena,
	struct vv_err *err)
{
	int ret;

	*g = (struct gguf){.src = src, .alignment = 32, .arena = arena, .window = malloc(WINDOW)};
	ret = g->window ? take_head(g, err) : vv_fail_nomem(err);
	for (uint64_t i = 0; i < g->n_pairs && !ret; i++)
		ret = take_pair(g, err);
	g->infos_at = g->at;
	for (; g->n < g->n_tensors && !ret; g->n += !ret) {
		struct info *in = next_info(g);
		ret = in ? take_info(g, b, in, err) : vv_fail_nomem(err);
	}
	g->data = vv_div_up(g->at, g->alignment) * g->alignment;
	return ret;
}

static void release(struct gguf *g)
{
	free(g->window);
	free(g->infos);
	vv_map_release(&g->keys);
	vv_map_release(&g->names);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct gguf g;
	uint64_t off;
	int ret = read_header(&g, src, b, vv_layout_arena(b), err);

	if (!ret && g.big_endian)
		vv_layout_finding(b, "big-endian", 4, "its numbers are in the other byte order, it is not looked into");
	for (size_t i = 0; i < g.n && !ret; i++) {
		const struct info *in = &g.infos[i];
		/* An offset past any end is past this one. */
		if (vv_add_over(g.data, in->off, &off))
			off = UINT64_MAX;
		ret = vv_layout_tensor(b, off, in->len, types[in->type].dt, in->view, 1, err);
	}
	release(&g);
	return ret;
}

/* --- writing --- */

static bool same_shape(const struct vv_part *p, const struct vv_view *v)
{
	return p->ndim == v->ndim && !strcmp(p->name, v->name) &&
		(!p->ndim || !memcmp(p->shape, v->shape, p->ndim * sizeof(*p->shape)));
}

/* Are the wanted tensors the layout's, in its order? Then all around them serves as it is. */
static bool same_set(const struct vv_assembly *a)
{
	size_t k = 0;

	for (size_t i = 0; i < a->layout->n_segs; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		if (!s->n_views)
			continue;
		if (k == a->n_parts || a->parts[k].dtype != s->dtype || !same_shape(&a->parts[k], s->views))
			return false;
		k++;
	}
	return k == a->n_parts;
}

static int other_payloads(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	const struct vv_part *p = a->parts;
	int ret = 0;

	for (size_t i = 0; i < a->layout->n_segs && !ret; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		if (s->n_views)
			ret = vv_source_copy(p->bytes, 0, p->len, out, err), p++;
		else
			ret = vv_source_copy(a->source, s->off, s->len, out, err);
	}
	return ret;
}

/* Bytes do not say how they were quantised: the old info of that name must. */
static int type_of(const struct gguf *old, const struct vv_part *p, uint32_t *type, struct vv_err *err)
{
	const uint64_t *at;

	for (*type = 0; *type < VV_COUNT(types); ++*type)
		if (types[*type].block == 1 && types[*type].dt == p->dtype)
			return 0;
	if (p->dtype != VV_DT_U8)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': GGUF has no type %s", p->name, vv_dtype_info(p->dtype)->name);
	if (p->blocks && !strcmp(p->blocks, "q8_0") && p->ndim > 1 && p->shape[p->ndim - 1] == types[Q8_0].size) {
		*type = Q8_0;
		return 0;
	}
	at = vv_map_find(&old->names, vv_span_str(p->name));
	if (!at || types[old->infos[*at].type].block == 1 || !same_shape(p, old->infos[*at].view))
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': the file has no quantised tensor of that name and shape", p->name);
	*type = old->infos[*at].type;
	return 0;
}

static int put_info(
	struct vv_buf *out, const struct gguf *old, const struct vv_part *p, uint64_t off, struct vv_err *err)
{
	uint32_t type;
	unsigned ndim = p->ndim;
	int ret = type_of(old, p, &type, err);

	if (ret)
		return ret;
	if (types[type].block > 1)
		ndim -= 1u + is_twin(type);
	if (ndim > MAX_DIMS)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': GGUF has %d dimensions", p->name, MAX_DIMS);
	vv_buf_le(out, strlen(p->name), 8);
	vv_buf_str(out, p->name);
	vv_buf_le(out, ndim, 4);
	for (unsigned d = ndim; d-- > 0;)
		vv_buf_le(out, p->shape[d] * (d + 1 == ndim ? types[type].block : 1), 8);
	vv_buf_le(out, type, 4);
	vv_buf_le(out, off, 8);
	return 0;
}

/* Zeros from `at` up to the alignment. */
static int pad(struct vv_sink *out, const struct gguf *g, uint64_t at, struct vv_err *err)
{
	static const uint8_t zeros[4096];
	uint64_t n = vv_div_up(at, g->alignment) * g->alignment - at;
	int ret = 0;

	for (size_t k; n && !ret; n -= k) {
		k = (size_t)vv_min64(n, sizeof(zeros));
		ret = out->write(out, vv_span(zeros, k), err);
	}
	return ret;
}

static void put_string(struct vv_buf *out, const char *s)
{
	vv_buf_le(out, strlen(s), 8);
	vv_buf_str(out, s);
}

static void put_note(struct vv_buf *out, const char *note)
{
	put_string(out, told[0].key);
	vv_buf_le(out, VALUE_STRING, 4);
	put_string(out, note);
}

/* What the parts make untrue of the old pairs. */
static int find_untrue(const struct vv_assembly *a, const struct gguf *old, bool untrue[N_ABOUT], struct vv_err *err)
{
	int ret = 0;

	untrue[OF_SOURCE] = true;
	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		const uint64_t *at = vv_map_find(&old->names, vv_span_str(a->parts[i].name));
		uint32_t type;
		ret = type_of(old, &a->parts[i], &type, err);
		untrue[OF_TYPES] |= !ret && at && old->infos[*at].type != type;
		/* From another shard: these are one file now. */
		untrue[OF_SHARDS] |= !at;
	}
	return ret;
}

/* The old pairs but for what is untrue, and `note`; without one all of them. *len: bytes. */
static int copy_pairs(const struct vv_assembly *a, const struct gguf *old, const bool untrue[N_ABOUT], const char *note,
	uint64_t *len, struct vv_sink *out, struct vv_err *err)
{
	struct vv_buf pair = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t at = FIXED;
	int ret = 0;

	*len = 0;
	for (size_t i = 0; i <= old->n_told && !ret; i++) {
		bool last = i == old->n_told;
		uint64_t end = last ? old->infos_at : old->told[i].at;
		if (!last && !untrue[old->told[i].about])
			continue;
		ret = vv_source_copy(a->source, at, end - at, out, err);
		*len += end - at;
		at = last ? end : old->told[i].end;
	}
	if (note)
		put_note(&pair, note);
	*len += pair.len;
	if (!ret)
		ret = vv_buf_check(&pair, err);
	if (!ret)
		ret = out->write(out, vv_buf_view(&pair), err);
	vv_buf_release(&pair);
	return ret;
}

static int new_header(const struct vv_assembly *a, const struct gguf *old, const char *note, struct vv_sink *out,
	struct vv_err *err)
{
	struct vv_buf infos = VV_BUF_INIT(VV_MAX_HEADER);
	bool untrue[N_ABOUT] = {false};
	uint8_t head[FIXED];
	uint64_t off = 0, len = 0, n_pairs = old->n_pairs + (note != NULL);
	int ret = vv_source_read(a->source, 0, head, FIXED, err);

	if (!ret && note)
		ret = find_untrue(a, old, untrue, err);
	for (size_t i = 0; i < old->n_told; i++)
		n_pairs -= untrue[old->told[i].about];
	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		ret = put_info(&infos, old, &a->parts[i], off, err);
		off += vv_div_up(a->parts[i].len, old->alignment) * old->alignment;
	}
	if (!ret)
		ret = vv_buf_check(&infos, err);
	vv_put64(head + 8, a->n_parts);
	vv_put64(head + 16, n_pairs);
	if (!ret)
		ret = out->write(out, vv_span(head, FIXED), err);
	if (!ret)
		ret = copy_pairs(a, old, untrue, note, &len, out, err);
	if (!ret)
		ret = out->write(out, vv_buf_view(&infos), err);
	if (!ret)
		ret = pad(out, old, FIXED + len + infos.len, err);
	vv_buf_release(&infos);
	return ret;
}

/*
 * Two files may differ in how a tensor was quantised and in nothing that a file without it has. Those who
 * compare frames by such files are told that there is none, and then compare whole files.
 */
static bool names_types(const struct gguf *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (types[g->infos[i].type].block > 1)
			return true;
	return false;
}

static int other_set(const struct vv_assembly *a, const struct gguf *old, const char *note, struct vv_sink *out,
	struct vv_err *err)
{
	int ret;

	if (!a->n_parts && names_types(old))
		return vv_fail(err, VV_ENOTSUP, "without tensors a GGUF file does not say how they were quantised");
	ret = new_header(a, old, note, out, err);
	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		ret = vv_source_copy(a->parts[i].bytes, 0, a->parts[i].len, out, err);
		if (!ret)
			ret = pad(out, old, a->parts[i].len, err);
	}
	return ret;
}

/* With a note: a new file. */
static int write_like(const struct vv_assembly *a, const char *note, struct vv_sink *out, struct vv_err *err)
{
	struct vv_arena arena = {0};
	struct gguf old;
	int ret = read_header(&old, a->source, NULL, &arena, err);

	if (!ret && old.big_endian)
		ret = vv_fail(err, VV_ENOTSUP, "the file is in the other byte order, and kept as bytes");
	if (!ret)
		ret = !note && same_set(a) ? other_payloads(a, out, err) : other_set(a, &old, note, out, err);
	release(&old);
	vv_arena_release(&arena);
	return ret;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	return write_like(a, NULL, out, err);
}

static void empty(struct vv_buf *out, const char *note)
{
	vv_buf_str(out, magic);
	vv_buf_le(out, 3, 4); /* version */
	vv_buf_le(out, 0, 8); /* tensors */
	vv_buf_le(out, 1, 8); /* pairs */
	put_note(out, note);
}

const struct vv_format vv_format_gguf = {
	.name = "gguf", .probe = probe, .locate = locate, .assemble = assemble, .empty = empty, .remake = write_like};
