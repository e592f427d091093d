/* The tables `expected` of tests/golden, written by the scripts that wrote the files. */
#ifndef VV_TESTS_EXPECTED_H
#define VV_TESTS_EXPECTED_H

#include "layouts.h"
#include "tap.h"

/* A number list as "[1,2]". */
static inline void dims_text(struct vv_buf *out, const uint64_t *n, unsigned count)
{
	vv_buf_char(out, '[');
	for (unsigned i = 0; i < count; i++)
		vv_buf_fmt(out, "%s%" PRIu64, i ? "," : "", n[i]);
	vv_buf_char(out, ']');
}

/* What was found, in the table's words, one line each. */
static inline void table_text(struct vv_buf *out, const char *file, const struct vv_layout *l)
{
	for (size_t i = 0; i < l->n_segs; i++)
		for (size_t k = 0; k < l->segs[i].n_views; k++) {
			const struct vv_segment *s = &l->segs[i];
			const struct vv_view *v = &s->views[k];

			vv_buf_fmt(out, "%s\t", file);
			for (const char *c = v->name; *c; c++)
				if (*c == '\n')
					vv_buf_str(out, "\\n");
				else
					vv_buf_char(out, *c);
			vv_buf_fmt(out, "\t%s\t", vv_dtype_info(s->dtype)->name);
			dims_text(out, v->shape, v->ndim);
			vv_buf_char(out, '\t');
			if (v->stride)
				dims_text(out, v->stride, v->ndim);
			else
				vv_buf_char(out, '-');
			vv_buf_fmt(out, "\t%" PRIu64 "\t%" PRIu64, s->off, s->len);
			if (s->coding)
				vv_buf_fmt(out, "\t%s\t%" PRIu64, vv_coding_name(s->coding), s->skip);
			vv_buf_char(out, '\n');
		}
	for (size_t i = 0; i < l->n_findings; i++)
		vv_buf_fmt(out, "%s\t!\t%s\n", file, l->findings[i].code);
}

/* The lines of `table` that begin with `file`, as they stand. */
static inline void table_lines(struct vv_buf *out, struct vv_span table, const char *file)
{
	size_t n = strlen(file);

	for (size_t at = 0; at < table.len;) {
		const uint8_t *p = table.ptr + at, *nl = memchr(p, '\n', table.len - at);
		size_t len = nl ? (size_t)(nl - p) + 1 : table.len - at;
		if (len > n && !memcmp(p, file, n) && p[n] == '\t')
			vv_buf_add(out, p, len);
		at += len;
	}
}

/* Locates tests/golden/<folder>/<file>: a sound layout, the expected tensors, bytes that assemble to themselves. */
static inline void check_golden(const char *test, const char *folder, const char *file, const char *format)
{
	struct vv_buf table = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT), have = VV_BUF_INIT(VV_MAX_TEXT);
	struct memsink out = MEMSINK_INIT;
	struct located l;
	char path[256];
	const char *wrong;

	snprintf(path, sizeof(path), "%s/expected", folder);
	golden_read(&table, test, path);
	table_lines(&want, vv_buf_view(&table), file);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	CHECK_OK(located_golden(&l, test, path), &l.err);
	wrong = layout_wrong(&l.layout);
	CHECK_STR(wrong ? wrong : "sound", "sound");
	CHECK_STR(l.layout.format->name, format);
	table_text(&have, file, &l.layout);
	vv_buf_add(&want, "", 0);
	vv_buf_add(&have, "", 0);
	CHECK_STR((const char *)have.ptr, (const char *)want.ptr);
	if (l.layout.format->assemble && n_plain(&l.layout)) {
		CHECK_OK(reassemble(&out, &l, &l, &l.err), &l.err);
		CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&l.file)));
	}
	located_release(&l);
	vv_buf_release(&table);
	vv_buf_release(&want);
	vv_buf_release(&have);
	vv_buf_release(&out.bytes);
}

/* `frame` with the tensors of `from` must be the file `from`, byte for byte. */
static inline void check_becomes(const char *test, const char *frame, const char *from)
{
	struct memsink out = MEMSINK_INIT;
	struct located a, b;

	CHECK_OK(located_golden(&a, test, frame), &a.err);
	CHECK_OK(located_golden(&b, test, from), &b.err);
	CHECK_OK(reassemble(&out, &a, &b, &a.err), &a.err);
	tap_ok(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&b.file)), from, __FILE__, __LINE__);
	located_release(&a);
	located_release(&b);
	vv_buf_release(&out.bytes);
}

#endif
