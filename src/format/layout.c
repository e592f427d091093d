/* Finding the format, and making of what it reports a layout that covers the file. */
#include "format/format.h"

#include "base/check.h"
#include "base/map.h"
#include "base/quote.h"
#include "format/unique.h"
#include "format/zip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

enum { HEAD_BYTES = 4096, MAX_COMPOSED = 256 };

struct vv_layout_build {
	struct vv_layout *layout;
	struct vv_segment *segs;
	size_t n, cap, n_views;
	uint64_t name_bytes;
	uint64_t within; /* what places that are reported count from */
};

struct vv_arena *vv_layout_arena(struct vv_layout_build *b)
{
	return &b->layout->arena;
}

void vv_layout_within(struct vv_layout_build *b, uint64_t off)
{
	b->within = off;
}

void vv_layout_finding(struct vv_layout_build *b, const char *code, uint64_t off, const char *fmt, ...)
{
	struct vv_layout *l = b->layout;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (l->n_findings == VV_MAX_FINDINGS)
		return;
	/* Whatever is hidden behind many harmless ones leaves a trace. */
	if (l->n_findings == VV_MAX_FINDINGS - 1) {
		code = "more";
		snprintf(text, sizeof(text), "and more than can be listed");
	}
	const char *detail = vv_arena_copy(&l->arena, vv_span_str(text));
	l->findings[l->n_findings++] = (struct vv_finding){code, b->within + off, detail ? detail : ""};
}

/* Do the view's elements lie inside the segment? */
static bool view_fits(uint64_t len, enum vv_dtype dt, const struct vv_view *v)
{
	uint64_t numel, bytes, bits = vv_dtype_info(dt)->bits, last = v->offset, step;

	if (v->ndim > VV_MAX_DIMS || strlen(v->name) > VV_MAX_NAME)
		return false;
	if (!v->stride) {
		uint64_t start;
		return !vv_dtype_bytes(dt, v->shape, v->ndim, &numel, &bytes) && !vv_mul_over(v->offset, bits, &start) &&
			start % 8 == 0 && start / 8 <= len && bytes <= len - start / 8;
	}
	for (unsigned i = 0; i < v->ndim; i++)
		if (!v->shape[i])
			return true;
	for (unsigned i = 0; i < v->ndim; i++)
		if (vv_mul_over(v->shape[i] - 1, v->stride[i], &step) || vv_add_over(last, step, &last))
			return false;
	return !vv_add_over(last, (uint64_t)1, &last) && !vv_mul_over(last, bits, &last) && last <= len * 8;
}

static int add(struct vv_layout_build *b, const struct vv_segment *s, struct vv_err *err)
{
	uint64_t size = b->layout->size - b->within;

	if (s->off > size || s->len > size - s->off)
		return vv_fail(err, VV_EFORMAT, "tensor '%s' lies past the end, at offset %" PRIu64, s->views[0].name, s->off);
	if (b->n_views + s->n_views > VV_MAX_TENSORS)
		return vv_fail(err, VV_ELIMIT, "more than %d tensors", VV_MAX_TENSORS);
	/* A format may make long names from few bytes: of what its tensors share. */
	for (size_t i = 0; i < s->n_views; i++)
		b->name_bytes += strlen(s->views[i].name);
	if (b->name_bytes > VV_MAX_HEADER)
		return vv_fail(err, VV_ELIMIT, "names of more than %d bytes", VV_MAX_HEADER);
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		struct vv_segment *segs = realloc(b->segs, cap * sizeof(*segs));
		if (!segs)
			return vv_fail_nomem(err);
		b->segs = segs;
		b->cap = cap;
	}
	b->n_views += s->n_views;
	b->segs[b->n] = *s;
	b->segs[b->n++].off += b->within;
	return 0;
}

int vv_layout_tensor(struct vv_layout_build *b, uint64_t off, uint64_t len, enum vv_dtype dt,
	const struct vv_view *views, size_t n_views, struct vv_err *err)
{
	const struct vv_segment s = {.off = off, .len = len, .dtype = dt, .n_views = n_views, .views = views};

	for (size_t i = 0; i < n_views; i++)
		if (!view_fits(len, dt, &views[i]))
			return vv_fail(err, VV_EFORMAT, "tensor '%s' does not fit its bytes at offset %" PRIu64, views[i].name, off);
	return add(b, &s, err);
}

int vv_packed_size(const struct vv_segment *s, uint64_t *numel, uint64_t *bytes)
{
	return vv_dtype_bytes(s->dtype, s->views[0].shape, s->views[0].ndim, numel, bytes);
}

bool vv_packed_fits(const struct vv_segment *s)
{
	uint64_t numel, bytes, n, own;

	if (!s->len || vv_packed_size(s, &numel, &bytes) || !vv_coding_holds(s->coding, s->len, s->dtype, s->skip, bytes))
		return false;
	for (size_t i = 0; i < s->n_views; i++) {
		const struct vv_view *v = &s->views[i];
		if (v->offset || !view_fits(bytes, s->dtype, v) || vv_dtype_bytes(s->dtype, v->shape, v->ndim, &n, &own) ||
			n != numel)
			return false;
	}
	return true;
}

int vv_layout_packed(struct vv_layout_build *b, const struct vv_segment *s, struct vv_err *err)
{
	if (!vv_packed_fits(s))
		return vv_fail(err, VV_EFORMAT, "tensor '%s' is no such coded stream at offset %" PRIu64, s->views[0].name, s->off);
	return add(b, s, err);
}

/* A total order: empty tensors come before the one that begins where they are, by name. */
static int by_place(const void *a, const void *b)
{
	const struct vv_segment *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	if (!x->len != !y->len)
		return x->len ? 1 : -1;
	return strcmp(x->views[0].name, y->views[0].name);
}

/* Names are unique in a layout; those that a reader would not see as they are, are told. */
static int check_names(struct vv_layout_build *b, struct vv_err *err)
{
	struct vv_layout *l = b->layout;
	struct vv_map names = {0};
	bool odd = false;
	int ret = 0;

	for (size_t i = 0; i < l->n_segs && !ret; i++)
		for (size_t k = 0; k < l->segs[i].n_views && !ret; k++) {
			struct vv_view *v = (struct vv_view *)(uintptr_t)&l->segs[i].views[k];
			if (!odd && vv_has_unseen(vv_span_str(v->name))) {
				odd = true;
				vv_layout_finding(b, "odd-name", l->segs[i].off, "a tensor's name has characters that do not show");
			}
			ret = vv_unique_name(&v->name, &names, &l->arena, err);
		}
	vv_map_release(&names);
	return ret;
}

/* The name in Unicode's composed form (NFC); itself when it is not UTF-8, or very long. Freed by the caller. */
static int compose(const char *name, char **out, struct vv_err *err)
{
	utf8proc_option_t how = UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_uint8_t *made = NULL;
	utf8proc_ssize_t n = UTF8PROC_ERROR_INVALIDUTF8;

	/* Putting n marks in order costs n * n. */
	if (strlen(name) <= MAX_COMPOSED)
		n = utf8proc_map((const utf8proc_uint8_t *)name, 0, &made, how);
	*out = n < 0 && n != UTF8PROC_ERROR_NOMEM ? strdup(name) : (char *)made;
	return *out ? 0 : vv_fail_nomem(err);
}

/* Different names that look the same everywhere, and that some systems take for one. */
static int check_alike(struct vv_layout_build *b, struct vv_err *err)
{
	struct vv_layout *l = b->layout;
	struct vv_map names = {0};
	struct vv_arena arena = {0};
	bool ascii = true, added = true;
	int ret = 0;

	for (size_t i = 0; i < l->n_segs; i++)
		for (size_t k = 0; k < l->segs[i].n_views; k++)
			for (const char *p = l->segs[i].views[k].name; *p && ascii; p++)
				ascii = !(*p & 0x80);
	for (size_t i = 0; i < l->n_segs && !ascii && added && !ret; i++)
		for (size_t k = 0; k < l->segs[i].n_views && added && !ret; k++) {
			char *made = NULL, *key = NULL;
			ret = compose(l->segs[i].views[k].name, &made, err);
			if (!ret && (!(key = vv_arena_copy(&arena, vv_span_str(made))) ||
					!vv_map_put(&names, vv_span_str(key), 1, &added)))
				ret = vv_fail_nomem(err);
			if (!ret && !added)
				vv_layout_finding(
					b, "alike-names", l->segs[i].off, "two names of tensors are one in Unicode's composed form");
			free(made);
		}
	vv_map_release(&names);
	vv_arena_release(&arena);
	return ret;
}

/* Tensors and the opaque bytes between them, as l->segs. */
static int cover(struct vv_layout_build *b, struct vv_err *err)
{
	struct vv_layout *l = b->layout;
	uint64_t at = 0;

	if (b->n)
		qsort(b->segs, b->n, sizeof(*b->segs), by_place);
	l->segs = vv_arena_array(&l->arena, 2 * b->n + 1, sizeof(*l->segs));
	if (!l->segs)
		return vv_fail_nomem(err);
	l->n_segs = 0;
	for (size_t i = 0; i <= b->n; i++) {
		uint64_t to = i < b->n ? b->segs[i].off : l->size;
		if (to < at)
			return vv_fail(err, VV_EFORMAT, "tensor '%s' overlaps another at offset %" PRIu64,
				b->segs[i].views[0].name, to);
		if (to > at)
			l->segs[l->n_segs++] = (struct vv_segment){.off = at, .len = to - at, .dtype = VV_DT_BYTES};
		at = to;
		if (i < b->n) {
			l->segs[l->n_segs++] = b->segs[i];
			at += b->segs[i].len;
		}
	}
	int ret = check_names(b, err);
	return ret ? ret : check_alike(b, err);
}

static const struct vv_format *choose(struct vv_span head, uint64_t size)
{
	const struct vv_format *maybe = NULL;

	for (size_t i = 0; vv_formats[i]; i++) {
		enum vv_probe p = vv_formats[i]->probe(head, size);
		if (p == VV_PROBE_YES)
			return vv_formats[i];
		if (p == VV_PROBE_MAYBE && !maybe)
			maybe = vv_formats[i];
	}
	return maybe;
}

int vv_layout_locate(struct vv_layout *out, const struct vv_source *src, struct vv_err *err)
{
	struct vv_layout_build b = {.layout = out};
	struct vv_err why = VV_ERR_INIT;
	uint8_t head[HEAD_BYTES];
	size_t n = src->size < HEAD_BYTES ? (size_t)src->size : HEAD_BYTES;
	int ret;

	*out = (struct vv_layout){.size = src->size};
	ret = vv_source_read(src, 0, head, n, err);
	if (ret)
		return ret;
	out->format = choose(vv_span(head, n), src->size);
	if (out->format->variant)
		out->format = out->format->variant(src);
	ret = out->format->locate ? out->format->locate(&b, src, &why) : 0;
	b.within = 0;
	if (ret == VV_NOT_THIS) {
		out->format = vv_format_find(vv_span_str("opaque"));
		ret = 0;
	}
	if (!ret)
		ret = cover(&b, &why);
	if (!ret && out->format->locate && !vv_zip_probe(vv_span(head, n)) && vv_zip_trails(src))
		vv_layout_finding(&b, "polyglot", 0, "read from its end, the file is a zip archive too");
	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		/* Kept whole, and said why: a model that cannot be read is still versioned byte for byte. */
		vv_layout_finding(&b, ret == VV_EFORMAT ? "malformed" : "limit", 0, "%s: %s", out->format->name, why.msg);
		out->format = vv_format_find(vv_span_str("opaque"));
		b.n = 0;
		ret = cover(&b, &why);
	}
	free(b.segs);
	if (ret) {
		*err = why;
		vv_layout_release(out);
	}
	return ret;
}

void vv_layout_release(struct vv_layout *l)
{
	vv_arena_release(&l->arena);
	*l = (struct vv_layout){0};
}

bool vv_layout_find(const struct vv_layout *l, const char *name, size_t *seg, size_t *view)
{
	for (size_t i = 0; i < l->n_segs; i++)
		for (size_t k = 0; k < l->segs[i].n_views; k++)
			if (!strcmp(l->segs[i].views[k].name, name)) {
				*seg = i;
				*view = k;
				return true;
			}
	return false;
}

bool vv_view_is_whole(const struct vv_segment *s, const struct vv_view *v)
{
	uint64_t numel, bytes, want = 1;

	if (s->coding || v->offset || vv_dtype_bytes(s->dtype, v->shape, v->ndim, &numel, &bytes) || bytes != s->len)
		return false;
	/* Strides that say row-major anyway. */
	for (unsigned i = v->ndim; v->stride && i-- > 0;) {
		if (v->shape[i] != 1 && v->stride[i] != want)
			return false;
		want *= v->shape[i];
	}
	return true;
}

static int check_parts(const struct vv_assembly *a, struct vv_map *names, struct vv_err *err)
{
	for (size_t i = 0; i < a->n_parts; i++) {
		const struct vv_part *p = &a->parts[i];
		uint64_t numel, bytes;
		bool added;

		if (p->ndim > VV_MAX_DIMS || vv_dtype_bytes(p->dtype, p->shape, p->ndim, &numel, &bytes) ||
			bytes != p->len || p->bytes->size != p->len)
			return vv_fail(err, VV_EFORMAT, "tensor '%s': its length is not that of its shape", p->name);
		if (!vv_map_put(names, vv_span_str(p->name), i, &added))
			return vv_fail_nomem(err);
		if (!added)
			return vv_fail(err, VV_EFORMAT, "tensor '%s' is wanted twice", p->name);
	}
	return 0;
}

int vv_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct vv_map names = {0};
	int ret;

	if (!a->layout->format->assemble)
		return vv_fail(err, VV_ENOTSUP, "format %s can only be written as a whole file", a->layout->format->name);
	ret = check_parts(a, &names, err);
	vv_map_release(&names);
	return ret ? ret : a->layout->format->assemble(a, out, err);
}

int vv_assemble_new(const struct vv_format *f, const char *note, const struct vv_part *parts, size_t n_parts,
	struct vv_sink *out, struct vv_err *err)
{
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem src;
	struct vv_segment all = {.dtype = VV_DT_BYTES};
	struct vv_layout l = {.format = f, .segs = &all, .n_segs = 1};
	int ret;

	if (!f->empty)
		return vv_fail(err, VV_ENOTSUP, "varve makes no new %s files", f->name);
	f->empty(&file, note);
	ret = vv_buf_check(&file, err);
	vv_source_mem_init(&src, vv_buf_view(&file));
	l.size = all.len = file.len;
	if (!ret)
		ret = vv_assemble(&(struct vv_assembly){&l, &src.base, parts, n_parts}, out, err);
	vv_buf_release(&file);
	return ret;
}

int vv_assemble_like(const struct vv_format *f, const struct vv_source *like, const char *note, const struct vv_part *parts,
	size_t n_parts, struct vv_sink *out, struct vv_err *err)
{
	struct vv_layout l = {.format = f};
	struct vv_assembly a = {&l, like, parts, n_parts};
	struct vv_map names = {0};
	int ret;

	if (!f->remake)
		return vv_assemble_new(f, note, parts, n_parts, out, err);
	ret = check_parts(&a, &names, err);
	vv_map_release(&names);
	return ret ? ret : f->remake(&a, note, out, err);
}
