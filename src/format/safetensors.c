/*
 * safetensors: u64 header length, a JSON header, then the tensors' bytes without gap or overlap.
 * After the format's own description (huggingface/safetensors, README).
 */
#include "format/formats.h"
#include "format/jsonscan.h"

#include "base/check.h"
#include "base/le.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum vv_dtype dt;
} types[] = {{"F32", VV_DT_F32}, {"BF16", VV_DT_BF16}, {"F16", VV_DT_F16}, {"F64", VV_DT_F64}, {"I64", VV_DT_I64},
	{"I32", VV_DT_I32}, {"I16", VV_DT_I16}, {"I8", VV_DT_I8}, {"U8", VV_DT_U8}, {"BOOL", VV_DT_BOOL},
	{"U16", VV_DT_U16}, {"U32", VV_DT_U32}, {"U64", VV_DT_U64}, {"F8_E4M3", VV_DT_F8_E4M3},
	{"F8_E5M2", VV_DT_F8_E5M2}, {"F8_E8M0", VV_DT_F8_E8M0}, {"C64", VV_DT_C64}, {"F4", VV_DT_F4},
	{"F6_E2M3", VV_DT_F6_E2M3}, {"F6_E3M2", VV_DT_F6_E3M2}};

static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	uint64_t n;

	if (head.len < 10 || head.ptr[8] != '{')
		return VV_PROBE_NO;
	n = vv_get64(head.ptr);
	return n <= VV_MAX_HEADER && n <= size - 8 ? VV_PROBE_YES : VV_PROBE_NO;
}

struct header {
	struct vv_json j;
	uint64_t data;  /* where the tensors begin */
	uint64_t total; /* bytes of all tensors */
	struct vv_buf key, text;
	struct vv_map keys;
	struct vv_layout_build *build;
	struct vv_arena *arena;
	bool unknown;  /* a type that this varve does not know */
};

static int wrong(const struct header *h, struct vv_err *err, const char *what)
{
	return vv_fail(err, VV_EFORMAT, "%s at offset %zu", what, h->j.at + 8);
}

static int metadata(struct header *h, struct vv_err *err)
{
	if (vv_json_char(&h->j, '{'))
		return wrong(h, err, "__metadata__ is not an object");
	while (!vv_json_peek(&h->j, '}')) {
		if (vv_json_string(&h->j, &h->text) || vv_json_char(&h->j, ':') || vv_json_string(&h->j, &h->text))
			return wrong(h, err, "__metadata__ holds something else than strings");
		if (!vv_json_peek(&h->j, '}') && (vv_json_char(&h->j, ',') || vv_json_peek(&h->j, '}')))
			return wrong(h, err, "broken __metadata__");
	}
	return vv_json_char(&h->j, '}') ? wrong(h, err, "broken __metadata__") : 0;
}

static int numbers(struct header *h, uint64_t *out, unsigned max, unsigned *n)
{
	if (vv_json_char(&h->j, '['))
		return 1;
	for (*n = 0; !vv_json_peek(&h->j, ']'); ++*n) {
		if (*n == max || (*n && vv_json_char(&h->j, ',')) || vv_json_u64(&h->j, &out[*n]))
			return 1;
	}
	return vv_json_char(&h->j, ']');
}

/* {"dtype": …, "shape": […], "data_offsets": [begin, end]}, each once. */
static int tensor(struct header *h, const char *name, struct vv_err *err)
{
	uint64_t shape[VV_MAX_DIMS], range[2] = {0, 0}, numel, bytes, *copy;
	unsigned ndim = 0, n = 0, seen = 0;
	enum vv_dtype dt = VV_DT_U8;
	bool known = false;
	struct vv_view *v;

	if (vv_json_char(&h->j, '{'))
		return wrong(h, err, "a tensor that is not an object");
	for (int i = 0; i < 3; i++) {
		unsigned bit;
		if ((i && vv_json_char(&h->j, ',')) || vv_json_string(&h->j, &h->text) || vv_json_char(&h->j, ':'))
			return wrong(h, err, "broken tensor entry");
		if (vv_span_is(vv_buf_view(&h->text), "dtype")) {
			bit = 1;
			if (vv_json_string(&h->j, &h->text))
				return wrong(h, err, "dtype is not a string");
			for (size_t k = 0; k < VV_COUNT(types) && !known; k++)
				if (vv_span_is(vv_buf_view(&h->text), types[k].name)) {
					dt = types[k].dt;
					known = true;
				}
		} else if (vv_span_is(vv_buf_view(&h->text), "shape")) {
			bit = 2;
			if (numbers(h, shape, VV_MAX_DIMS, &ndim))
				return wrong(h, err, "broken shape");
		} else if (vv_span_is(vv_buf_view(&h->text), "data_offsets")) {
			bit = 4;
			if (numbers(h, range, 2, &n) || n != 2 || range[0] > range[1])
				return wrong(h, err, "broken data_offsets");
		} else {
			return wrong(h, err, "unknown key in a tensor entry");
		}
		if (seen & bit)
			return wrong(h, err, "a key that stands twice");
		seen |= bit;
	}
	if (vv_json_char(&h->j, '}'))
		return wrong(h, err, "broken tensor entry");
	if (!known) {
		if (!h->unknown)
			vv_layout_finding(h->build, "unknown-dtype", h->j.at + 8, "%s has a type that this varve does not know", name);
		h->unknown = true;
		ndim = 1;
		shape[0] = range[1] - range[0];
	}
	if (vv_dtype_bytes(dt, shape, ndim, &numel, &bytes) || bytes != range[1] - range[0])
		return vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree", name,
			range[1] - range[0]);
	v = vv_arena_alloc(h->arena, sizeof(*v));
	copy = vv_arena_array(h->arena, ndim ? ndim : 1, sizeof(*copy));
	if (!v || !copy || vv_add_over(range[0], h->data, &range[0]))
		return vv_fail_nomem(err);
	h->total += bytes; /* each lies within the file; 2^20 of them cannot wrap */
	memcpy(copy, shape, ndim * sizeof(*copy));
	*v = (struct vv_view){name, ndim, copy, NULL, 0};
	return vv_layout_tensor(h->build, range[0], bytes, dt, v, 1, err);
}

static int entries(struct header *h, struct vv_err *err)
{
	int ret = 0;

	if (vv_json_char(&h->j, '{'))
		return wrong(h, err, "the header is not an object");
	for (size_t i = 0; !ret && !vv_json_peek(&h->j, '}'); i++) {
		bool added;
		char *name;
		if ((i && vv_json_char(&h->j, ',')) || vv_json_string(&h->j, &h->key) || vv_json_char(&h->j, ':'))
			return wrong(h, err, "broken header");
		if (h->key.len && memchr(h->key.ptr, 0, h->key.len))
			return wrong(h, err, "a name with a NUL");
		name = vv_arena_copy(h->arena, vv_buf_view(&h->key));
		if (!name || !vv_map_put(&h->keys, vv_span_str(name), 1, &added))
			return vv_fail_nomem(err);
		if (!added)
			return wrong(h, err, "a name that stands twice");
		ret = strcmp(name, "__metadata__") ? tensor(h, name, err) : metadata(h, err);
	}
	if (!ret && (vv_json_char(&h->j, '}') || vv_json_end(&h->j)))
		ret = wrong(h, err, "bytes after the header's end");
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct header h = {.build = b, .arena = vv_layout_arena(b), .key = VV_BUF_INIT(VV_MAX_NAME),
		.text = VV_BUF_INIT(VV_MAX_HEADER)};
	uint8_t len[8], *text = NULL;
	uint64_t n;
	int ret = vv_source_read(src, 0, len, 8, err);

	if (ret)
		return ret;
	n = vv_get64(len);
	if (n > VV_MAX_HEADER || n > src->size - 8)
		return vv_fail(err, VV_EFORMAT, "header of %" PRIu64 " bytes", n);
	text = malloc((size_t)n + 1);
	if (!text)
		return vv_fail_nomem(err);
	ret = vv_source_read(src, 8, text, (size_t)n, err);
	h.j = (struct vv_json){vv_span(text, (size_t)n), 0};
	h.data = 8 + n;
	if (!ret)
		ret = entries(&h, err);
	if (!ret && h.unknown)
		ret = vv_fail(err, VV_EFORMAT, "tensors of an unknown type");
	/* They may not overlap either, which the wrapper checks: so they fill the file without a hole. */
	if (!ret && h.total != src->size - h.data)
		ret = vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes of tensors in a body of %" PRIu64, h.total,
			src->size - h.data);
	free(text);
	vv_buf_release(&h.key);
	vv_buf_release(&h.text);
	vv_map_release(&h.keys);
	return ret;
}

/* --- writing --- */

static bool same_shape(const struct vv_part *p, const struct vv_segment *s)
{
	const struct vv_view *v = &s->views[0];

	return p->dtype == s->dtype && p->ndim == v->ndim && !strcmp(p->name, v->name) &&
		!memcmp(p->shape, v->shape, p->ndim * sizeof(*p->shape));
}

/* Are the wanted tensors the layout's, in its order? Then its header serves as it is. */
static bool same_set(const struct vv_assembly *a)
{
	size_t k = 0;

	for (size_t i = 0; i < a->layout->n_segs; i++) {
		const struct vv_segment *s = &a->layout->segs[i];
		if (!s->n_views)
			continue;
		if (k == a->n_parts || !same_shape(&a->parts[k], s))
			return false;
		k++;
	}
	return k == a->n_parts;
}

static void json_name(struct vv_buf *out, const char *name)
{
	vv_buf_char(out, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			vv_buf_char(out, '\\');
		if ((uint8_t)*name < 0x20)
			vv_buf_fmt(out, "\\u%04x", (unsigned)*name);
		else
			vv_buf_char(out, *name);
	}
	vv_buf_char(out, '"');
}

/* The text of the old header's __metadata__ value, or an empty span. */
static struct vv_span old_metadata(struct vv_span text)
{
	struct header h = {.j = {text, 0}, .key = VV_BUF_INIT(VV_MAX_NAME), .text = VV_BUF_INIT(VV_MAX_HEADER)};
	struct vv_span found = {NULL, 0};
	struct vv_err ignore = VV_ERR_INIT;

	/* It comes first in files of the reference library; a header that put it elsewhere is searched. */
	for (size_t i = 0; i + 14 < text.len && !found.len; i++) {
		h.j.at = i;
		if (text.ptr[i] != '"' || vv_json_string(&h.j, &h.key) || !vv_span_is(vv_buf_view(&h.key), "__metadata__") ||
			vv_json_char(&h.j, ':') || !vv_json_peek(&h.j, '{'))
			continue;
		size_t from = h.j.at;
		if (!metadata(&h, &ignore))
			found = vv_span(text.ptr + from, h.j.at - from);
	}
	vv_buf_release(&h.key);
	vv_buf_release(&h.text);
	return found;
}

static const char *type_name(enum vv_dtype dt)
{
	for (size_t k = 0; k < VV_COUNT(types); k++)
		if (types[k].dt == dt)
			return types[k].name;
	return NULL;
}

static int new_header(const struct vv_assembly *a, struct vv_buf *out, struct vv_err *err)
{
	uint64_t old = a->layout->n_segs ? a->layout->segs[0].len : 0, off = 0;
	uint8_t *text = malloc((size_t)old + 1);
	struct vv_span meta = {NULL, 0};
	int ret = text ? vv_source_read(a->source, 0, text, (size_t)old, err) : vv_fail_nomem(err);

	if (ret)
		goto out;
	if (old > 8)
		meta = old_metadata(vv_span(text + 8, (size_t)old - 8));
	vv_buf_char(out, '{');
	if (meta.len) {
		vv_buf_str(out, "\"__metadata__\":");
		vv_buf_span(out, meta);
	}
	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		const struct vv_part *p = &a->parts[i];
		const char *type = type_name(p->dtype);
		if (!type) {
			ret = vv_fail(err, VV_ENOTSUP, "tensor '%s': safetensors has no type %s", p->name,
				vv_dtype_info(p->dtype)->name);
			break;
		}
		if (i || meta.len)
			vv_buf_char(out, ',');
		json_name(out, p->name);
		vv_buf_fmt(out, ":{\"dtype\":\"%s\",\"shape\":[", type);
		for (unsigned d = 0; d < p->ndim; d++)
			vv_buf_fmt(out, "%s%" PRIu64, d ? "," : "", p->shape[d]);
		vv_buf_fmt(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", off, off + p->len);
		off += p->len;
	}
	vv_buf_char(out, '}');
	while (out->len % 8 && !out->failed)
		vv_buf_char(out, ' ');
	if (!ret)
		ret = vv_buf_check(out, err);
out:
	free(text);
	return ret;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_HEADER);
	uint8_t len[8];
	int ret;

	if (same_set(a) && a->layout->n_segs && !a->layout->segs[0].n_views) {
		ret = vv_source_copy(a->source, 0, a->layout->segs[0].len, out, err);
	} else {
		ret = new_header(a, &head, err);
		vv_put64(len, head.len);
		if (!ret)
			ret = out->write(out, vv_span(len, 8), err);
		if (!ret)
			ret = out->write(out, vv_buf_view(&head), err);
	}
	for (size_t i = 0; i < a->n_parts && !ret; i++)
		ret = vv_source_copy(a->parts[i].bytes, 0, a->parts[i].len, out, err);
	vv_buf_release(&head);
	return ret;
}

const struct vv_format vv_format_safetensors = {
	.name = "safetensors", .probe = probe, .locate = locate, .assemble = assemble};
