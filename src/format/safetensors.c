/*
 * safetensors: u64 header length, a JSON header, then the tensors' bytes without gap or overlap.
 * After the format's own description (huggingface/safetensors, README).
 */
#include "format/formats.h"
#include "format/jsonscan.h"
#include "format/pickle_ops.h"

#include "base/check.h"
#include "base/le.h"
#include "base/map.h"
#include "base/quote.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum vv_dtype dt;
} types[] = {{"F32", VV_DT_F32}, {"BF16", VV_DT_BF16}, {"F16", VV_DT_F16}, {"F64", VV_DT_F64}, {"I64", VV_DT_I64},
	{"I32", VV_DT_I32}, {"I16", VV_DT_I16}, {"I8", VV_DT_I8}, {"U8", VV_DT_U8}, {"BOOL", VV_DT_BOOL},
	{"U16", VV_DT_U16}, {"U32", VV_DT_U32}, {"U64", VV_DT_U64}, {"F8_E4M3", VV_DT_F8_E4M3},
	{"F8_E5M2", VV_DT_F8_E5M2}, {"F8_E4M3FNUZ", VV_DT_F8_E4M3FNUZ}, {"F8_E5M2FNUZ", VV_DT_F8_E5M2FNUZ},
	{"F8_E8M0", VV_DT_F8_E8M0}, {"C64", VV_DT_C64}, {"F4", VV_DT_F4}, {"F6_E2M3", VV_DT_F6_E2M3},
	{"F6_E3M2", VV_DT_F6_E3M2}};

static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	uint64_t n;

	if (head.len < 10 || head.ptr[8] != '{')
		return VV_PROBE_NO;
	n = vv_get64(head.ptr);
	/* A header that is cut off is to be told, so it counts when it begins as one. */
	return n <= VV_MAX_HEADER && (n <= size - 8 || head.ptr[9] == '"') ? VV_PROBE_YES : VV_PROBE_NO;
}

struct header {
	struct vv_json j;
	uint8_t *bytes;
	uint64_t data;  /* where the tensors begin */
	uint64_t total; /* bytes of all tensors */
	struct vv_buf key, text;
	struct vv_map keys, meta_keys;
	struct vv_arena *arena;
	struct vv_layout_build *build; /* NULL: only the metadata is wanted */
	struct vv_span metadata;       /* its value, as it stands; empty when there is none */
	bool unknown;                  /* a type that this varve does not know */
};

static int wrong(const struct header *h, struct vv_err *err, const char *what)
{
	return vv_fail(err, VV_EFORMAT, "%s at offset %zu", what, h->j.at + 8);
}

/* A key of an object, kept; each may stand there once. */
static int key(struct header *h, struct vv_map *seen, char **out, struct vv_err *err)
{
	bool added;

	if (vv_json_string(&h->j, &h->key) || vv_json_char(&h->j, ':')) {
		if (h->key.failed == VV_ENOMEM)
			return vv_fail_nomem(err);
		return h->key.failed == VV_ELIMIT ? vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME)
						  : wrong(h, err, "broken header");
	}
	if (h->key.len && memchr(h->key.ptr, 0, h->key.len))
		return wrong(h, err, "a name with a NUL");
	*out = vv_arena_copy(h->arena, vv_buf_view(&h->key));
	if (!*out || !vv_map_put(seen, vv_span_str(*out), 1, &added))
		return vv_fail_nomem(err);
	return added ? 0 : wrong(h, err, "a name that stands twice");
}

static int metadata(struct header *h, struct vv_err *err)
{
	size_t from;
	char *name;

	if (!vv_json_peek(&h->j, '{'))
		return wrong(h, err, "__metadata__ is not an object");
	from = h->j.at++;
	for (size_t i = 0; !vv_json_peek(&h->j, '}'); i++) {
		int ret = i && vv_json_char(&h->j, ',') ? wrong(h, err, "broken __metadata__") : key(h, &h->meta_keys, &name, err);
		if (ret)
			return ret;
		if (vv_json_string(&h->j, &h->text))
			return h->text.failed == VV_ENOMEM ? vv_fail_nomem(err)
							   : wrong(h, err, "__metadata__ holds something else than strings");
	}
	h->j.at++;
	h->metadata = vv_span(h->j.text.ptr + from, h->j.at - from);
	return 0;
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

/* What a tensor's entry says. */
struct entry {
	enum vv_dtype dt;
	bool known; /* the type */
	unsigned ndim;
	uint64_t shape[VV_MAX_DIMS], range[2];
};

static int field(struct header *h, struct entry *e, unsigned *seen, struct vv_err *err)
{
	unsigned bit, n;

	if (vv_json_string(&h->j, &h->text) || vv_json_char(&h->j, ':'))
		return wrong(h, err, "broken tensor entry");
	if (vv_span_is(vv_buf_view(&h->text), "dtype")) {
		bit = 1;
		if (vv_json_string(&h->j, &h->text))
			return wrong(h, err, "dtype is not a string");
		for (size_t k = 0; k < VV_COUNT(types) && !e->known; k++)
			if (vv_span_is(vv_buf_view(&h->text), types[k].name)) {
				e->dt = types[k].dt;
				e->known = true;
			}
	} else if (vv_span_is(vv_buf_view(&h->text), "shape")) {
		bit = 2;
		if (numbers(h, e->shape, VV_MAX_DIMS, &e->ndim))
			return wrong(h, err, "broken shape");
	} else if (vv_span_is(vv_buf_view(&h->text), "data_offsets")) {
		bit = 4;
		if (numbers(h, e->range, 2, &n) || n != 2 || e->range[0] > e->range[1])
			return wrong(h, err, "broken data_offsets");
	} else {
		return wrong(h, err, "unknown key in a tensor entry");
	}
	if (*seen & bit)
		return wrong(h, err, "a key that stands twice");
	*seen |= bit;
	return 0;
}

static int report(struct header *h, const char *name, struct entry *e, struct vv_err *err)
{
	uint64_t len = e->range[1] - e->range[0], off, numel, bytes, *shape;
	struct vv_view *v;

	if (!e->known) {
		if (!h->unknown)
			vv_layout_finding(h->build, "unknown-dtype", h->j.at + 8, "%s has a type that this varve does not know", name);
		h->unknown = true;
		/* Its range is checked all the same, as so many bytes. */
		e->dt = VV_DT_U8;
		e->ndim = 1;
		e->shape[0] = len;
	}
	if (vv_dtype_bytes(e->dt, e->shape, e->ndim, &numel, &bytes) || bytes != len)
		return vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree", name, len);
	if (vv_add_over(e->range[0], h->data, &off))
		return vv_fail(err, VV_EFORMAT, "tensor '%s' lies past any end", name);
	v = vv_arena_alloc(h->arena, sizeof(*v));
	shape = vv_arena_array(h->arena, e->ndim ? e->ndim : 1, sizeof(*shape));
	if (!v || !shape)
		return vv_fail_nomem(err);
	h->total += len; /* each lies within the file; 2^20 of them cannot wrap */
	memcpy(shape, e->shape, e->ndim * sizeof(*shape));
	*v = (struct vv_view){name, e->ndim, shape, NULL, 0};
	return vv_layout_tensor(h->build, off, len, e->dt, v, 1, err);
}

/* {"dtype": …, "shape": […], "data_offsets": [begin, end]}, each once. */
static int tensor(struct header *h, const char *name, struct vv_err *err)
{
	struct entry e = {.ndim = 0};
	unsigned seen = 0;

	if (vv_json_char(&h->j, '{'))
		return wrong(h, err, "a tensor that is not an object");
	for (int i = 0; i < 3; i++) {
		int ret = i && vv_json_char(&h->j, ',') ? wrong(h, err, "broken tensor entry") : field(h, &e, &seen, err);
		if (ret)
			return ret;
	}
	if (vv_json_char(&h->j, '}'))
		return wrong(h, err, "broken tensor entry");
	return h->build ? report(h, name, &e, err) : 0;
}

static int entries(struct header *h, struct vv_err *err)
{
	int ret = 0;

	if (vv_json_char(&h->j, '{'))
		return wrong(h, err, "the header is not an object");
	for (size_t i = 0; !ret && !vv_json_peek(&h->j, '}'); i++) {
		char *name;
		if (i && vv_json_char(&h->j, ','))
			return wrong(h, err, "broken header");
		ret = key(h, &h->keys, &name, err);
		if (!ret)
			ret = strcmp(name, "__metadata__") ? tensor(h, name, err) : metadata(h, err);
	}
	if (!ret && (vv_json_char(&h->j, '}') || vv_json_end(&h->j)))
		ret = wrong(h, err, "bytes after the header's end");
	return ret;
}

/* Reads the header; its tensors go to `build`. Released by the caller in any case. */
static int read_header(struct header *h, const struct vv_source *src, struct vv_layout_build *build,
	struct vv_arena *arena, struct vv_err *err)
{
	uint8_t len[8] = {0};
	uint64_t n;
	int ret;

	*h = (struct header){.build = build, .arena = arena, .key = VV_BUF_INIT(VV_MAX_NAME),
		.text = VV_BUF_INIT(VV_MAX_HEADER)};
	ret = vv_source_read(src, 0, len, 8, err);
	if (ret)
		return ret;
	n = vv_get64(len);
	if (n > VV_MAX_HEADER || n > src->size - 8)
		return vv_fail(err, VV_EFORMAT, "header of %" PRIu64 " bytes in a file of %" PRIu64, n, src->size);
	h->bytes = malloc((size_t)n + 1);
	if (!h->bytes)
		return vv_fail_nomem(err);
	h->j = (struct vv_json){vv_span(h->bytes, (size_t)n), 0};
	h->data = 8 + n;
	ret = vv_source_read(src, 8, h->bytes, (size_t)n, err);
	return ret ? ret : entries(h, err);
}

static void release(struct header *h)
{
	free(h->bytes);
	vv_buf_release(&h->key);
	vv_buf_release(&h->text);
	vv_map_release(&h->keys);
	vv_map_release(&h->meta_keys);
}

/* A word of the kind that Python imports: what random bytes behind an opcode are not. */
static bool is_import(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("._", s.ptr[i]) && !((s.ptr[i] | 32) >= 'a' && (s.ptr[i] | 32) <= 'z') &&
			!(s.ptr[i] >= '0' && s.ptr[i] <= '9'))
			return false;
	return s.len && !memchr(s.ptr, 0, s.len);
}

/* The length may be a pickle's first opcodes, the JSON its first string: would Python come to an import? */
static int look_for_pickle(struct vv_layout_build *b, const struct vv_source *src, uint64_t data, struct vv_err *err)
{
	enum { BEHIND = 64 << 10 };
	size_t n = (size_t)vv_min64(src->size, data + BEHIND);
	uint8_t *bytes = malloc(n);
	struct vv_cursor c = vv_cursor(vv_span(bytes, n));
	struct vv_op_at op;
	int ret = bytes ? vv_source_read(src, 0, bytes, n, err) : vv_fail_nomem(err);

	while (!ret && !vv_op_next(&c, &op) && op.code != OP_STOP) {
		bool named = (op.code == OP_GLOBAL || op.code == OP_INST) && is_import(op.text) && is_import(op.text2);
		if (named || op.code == OP_STACK_GLOBAL) {
			vv_layout_finding(b, "polyglot", op.off, "read from its start, the file is a pickle too");
			break;
		}
	}
	free(bytes);
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct header h;
	int ret = read_header(&h, src, b, vv_layout_arena(b), err);

	if (!ret && h.unknown)
		ret = vv_fail(err, VV_EFORMAT, "tensors of an unknown type");
	/* They may not overlap either, which the wrapper checks: so they fill the file without a hole. */
	if (!ret && h.total != src->size - h.data)
		ret = vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes of tensors in a body of %" PRIu64, h.total,
			src->size - h.data);
	release(&h);
	return ret ? ret : look_for_pickle(b, src, h.data, err);
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

/* As serde_json writes it. */
static void json_name(struct vv_buf *out, const char *name)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";

	vv_buf_char(out, '"');
	for (const char *at; *name; name++) {
		if ((at = strchr(from, *name)))
			vv_buf_fmt(out, "\\%c", to[at - from]);
		else if ((uint8_t)*name < 0x20)
			vv_buf_fmt(out, "\\u%04x", (unsigned)*name);
		else
			vv_buf_char(out, *name);
	}
	vv_buf_char(out, '"');
}

static const char *type_name(enum vv_dtype dt)
{
	for (size_t k = 0; k < VV_COUNT(types); k++)
		if (types[k].dt == dt)
			return types[k].name;
	return NULL;
}

/* Can a header hold the tensor? *type: its word there. */
static int check_part(const struct vv_part *p, const char **type, struct vv_err *err)
{
	struct vv_span name = vv_span_str(p->name);
	uint32_t c;

	*type = type_name(p->dtype);
	if (!*type)
		return vv_fail(err, VV_ENOTSUP, "tensor '%s': safetensors has no type %s", p->name,
			vv_dtype_info(p->dtype)->name);
	if (vv_span_is(name, "__metadata__"))
		return vv_fail(err, VV_ENOTSUP, "safetensors cannot call a tensor __metadata__");
	for (size_t n; name.len; name = vv_span(name.ptr + n, name.len - n))
		if (!(n = vv_utf8(name, &c)))
			return vv_fail(err, VV_ENOTSUP, "tensor '%s': safetensors takes names in UTF-8 only", p->name);
	return 0;
}

static int new_header(const struct vv_assembly *a, struct vv_buf *out, struct vv_err *err)
{
	struct vv_arena arena = {0};
	struct header old;
	uint64_t off = 0;
	int ret = read_header(&old, a->source, NULL, &arena, err);

	vv_buf_char(out, '{');
	if (!ret && old.metadata.len) {
		vv_buf_str(out, "\"__metadata__\":");
		vv_buf_span(out, old.metadata);
	}
	for (size_t i = 0; i < a->n_parts && !ret; i++) {
		const struct vv_part *p = &a->parts[i];
		const char *type;

		ret = check_part(p, &type, err);
		if (ret)
			break;
		if (out->len > 1)
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
	release(&old);
	vv_arena_release(&arena);
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

static void empty(struct vv_buf *out, const char *note)
{
	size_t at = out->len;

	vv_buf_le(out, 0, 8);
	vv_buf_fmt(out, "{\"__metadata__\":{\"varve\":\"%s\"}}", note);
	while (out->len % 8)
		vv_buf_char(out, ' ');
	if (!out->failed)
		vv_put64(out->ptr + at, out->len - at - 8);
}

const struct vv_format vv_format_safetensors = {
	.name = "safetensors", .probe = probe, .locate = locate, .assemble = assemble, .empty = empty};
