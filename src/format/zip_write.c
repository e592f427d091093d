#include "format/zip_records.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/quote.h"

#include <stdlib.h>
#include <zlib.h>

/* Python's zipfile goes over to 64 bits one bit early. */
enum { LIMIT = 0x7fffffff, COUNT_LIMIT = 0xffff };
/* Version 4.5, made on Unix, 1 January 1980, mode 0600. */
enum { VERSION = 45, UNIX = 3 << 8, DATE = 0x21 };
#define MODE (0600u << 16)

static int crc_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct zip_crc *c = (struct zip_crc *)self;

	c->crc = (uint32_t)crc32_z(c->crc, data.ptr, data.len);
	return c->to ? c->to->write(c->to, data, err) : 0;
}

void vv_zip_crc_init(struct zip_crc *c, struct vv_sink *to)
{
	*c = (struct zip_crc){{crc_write}, to, 0};
}

void vv_zip_writer_init(struct vv_zip_writer *w, struct vv_sink *out)
{
	*w = (struct vv_zip_writer){.out = out, .dir = VV_BUF_INIT(VV_MAX_MANIFEST)};
}

void vv_zip_writer_release(struct vv_zip_writer *w)
{
	vv_buf_release(&w->dir);
	if (w->old)
		free(w->old->buf);
	free(w->old);
	w->old = NULL;
}

static unsigned name_flags(const char *name)
{
	struct vv_span s = vv_span_str(name);
	bool ascii = true;
	uint32_t c;

	while (s.len) {
		size_t n = vv_utf8(s, &c);
		if (!n)
			return 0;
		ascii &= c < 0x80;
		s = vv_span(s.ptr + n, s.len - n);
	}
	return ascii ? 0 : ZIP_UTF8;
}

/* The numbers of an entry, those too large for it replaced; their 64-bit forms go to `extra`. */
static void numbers64(uint64_t *raw, uint64_t *len, uint64_t *header, struct vv_buf *extra)
{
	uint64_t v[3];
	size_t n = 0;

	if (*raw > LIMIT || *len > LIMIT) {
		v[n++] = *raw;
		v[n++] = *len;
		*raw = *len = ZIP_IN64;
	}
	if (*header > LIMIT) {
		v[n++] = *header;
		*header = ZIP_IN64;
	}
	if (n) {
		vv_buf_le(extra, 1, 2);
		vv_buf_le(extra, n * 8, 2);
	}
	for (size_t i = 0; i < n; i++)
		vv_buf_le(extra, v[i], 8);
}

int vv_zip_writer_add(struct vv_zip_writer *w, const char *name, const struct vv_source *bytes, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT), extra = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t raw = bytes->size, len = raw, header = w->at;
	unsigned flags = name_flags(name);
	struct zip_crc crc;
	int ret;

	vv_zip_crc_init(&crc, NULL);
	ret = strlen(name) > VV_MAX_NAME ? vv_fail(err, VV_ENOTSUP, "zip: a name of %zu bytes", strlen(name))
					 : vv_source_copy(bytes, 0, bytes->size, &crc.base, err);
	if (ret)
		goto out;
	vv_buf_le(&head, ZIP_SIG_LOCAL, 4);
	vv_buf_le(&head, VERSION | flags << 16, 4);
	vv_buf_le(&head, (uint64_t)DATE << 32, 6);
	vv_buf_le(&head, crc.crc, 4);
	vv_buf_le(&head, UINT64_MAX, 8);
	vv_buf_le(&head, strlen(name), 2);
	vv_buf_le(&head, 20, 2);
	vv_buf_str(&head, name);
	vv_buf_le(&head, 1 | 16 << 16, 4);
	vv_buf_le(&head, raw, 8);
	vv_buf_le(&head, len, 8);

	numbers64(&raw, &len, &header, &extra);
	vv_buf_le(&w->dir, ZIP_SIG_CENTRAL, 4);
	vv_buf_le(&w->dir, VERSION | UNIX | VERSION << 16, 4);
	vv_buf_le(&w->dir, flags, 2);
	vv_buf_le(&w->dir, (uint64_t)DATE << 32, 6);
	vv_buf_le(&w->dir, crc.crc, 4);
	vv_buf_le(&w->dir, len, 4);
	vv_buf_le(&w->dir, raw, 4);
	vv_buf_le(&w->dir, strlen(name), 2);
	vv_buf_le(&w->dir, extra.len, 2);
	vv_buf_le(&w->dir, 0, 6);
	vv_buf_le(&w->dir, MODE, 4);
	vv_buf_le(&w->dir, header, 4);
	vv_buf_str(&w->dir, name);
	vv_buf_span(&w->dir, vv_buf_view(&extra));
	ret = vv_buf_check(&head, err);
	if (!ret)
		ret = w->out->write(w->out, vv_buf_view(&head), err);
	if (!ret)
		ret = vv_source_copy(bytes, 0, bytes->size, w->out, err);
	w->at += head.len + bytes->size;
	w->n++;
out:
	vv_buf_release(&head);
	vv_buf_release(&extra);
	return ret;
}

/* All fields but zip64's, and what comes after the last whole one. */
static void other_fields(struct vv_buf *out, struct vv_span extra)
{
	struct vv_cursor c = vv_cursor(extra);
	struct vv_span field;

	while (c.left >= 4) {
		const uint8_t *p = c.ptr;
		size_t n = (size_t)vv_get16(p + 2) + 4;
		if (vv_take(&c, n, &field))
			break;
		if (vv_get16(p) != 1)
			vv_buf_span(out, field);
	}
	vv_buf_add(out, c.ptr, c.left);
}

int vv_zip_writer_keep(struct vv_zip_writer *w, const struct vv_zip_member *m, const struct vv_source *src,
	struct vv_err *err)
{
	struct vv_buf extra = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t raw = m->raw_len, len = m->len, header = w->at;
	const uint8_t *p;
	size_t n, name;
	int ret;

	if (!w->old) {
		w->old = calloc(1, sizeof(*w->old));
		if (w->old)
			w->old->buf = malloc(ZIP_WINDOW);
	}
	if (!w->old || !w->old->buf)
		return vv_fail_nomem(err);
	if (w->old->src != src)
		w->old->len = 0;
	w->old->src = src;
	ret = vv_zip_entry(w->old, m->entry, src->size, &p, &n, err);
	if (ret)
		return ret;
	name = vv_get16(p + 28);
	numbers64(&raw, &len, &header, &extra);
	other_fields(&extra, vv_span(p + ZIP_CENTRAL + name, vv_get16(p + 30)));
	if (extra.len > 0xffff) {
		ret = vv_fail(err, VV_ENOTSUP, "zip: member '%s': its extra fields are too long", m->name);
		goto out;
	}
	vv_buf_add(&w->dir, p, 20);
	vv_buf_le(&w->dir, len, 4);
	vv_buf_le(&w->dir, raw, 4);
	vv_buf_add(&w->dir, p + 28, 2);
	vv_buf_le(&w->dir, extra.len, 2);
	vv_buf_add(&w->dir, p + 32, 10);
	vv_buf_le(&w->dir, header, 4);
	vv_buf_add(&w->dir, p + ZIP_CENTRAL, name);
	vv_buf_span(&w->dir, vv_buf_view(&extra));
	vv_buf_add(&w->dir, p + n - vv_get16(p + 32), vv_get16(p + 32));
	ret = vv_source_copy(src, m->header, m->end - m->header, w->out, err);
	w->at += m->end - m->header;
	w->n++;
out:
	vv_buf_release(&extra);
	return ret;
}

int vv_zip_writer_end(struct vv_zip_writer *w, struct vv_err *err)
{
	uint64_t size = w->dir.len, end = w->at + size;

	if (w->n > COUNT_LIMIT || w->at > LIMIT || size > LIMIT) {
		vv_buf_le(&w->dir, ZIP_SIG_END64, 4);
		vv_buf_le(&w->dir, ZIP_END64 - 12, 8);
		vv_buf_le(&w->dir, VERSION | VERSION << 16, 4);
		vv_buf_le(&w->dir, 0, 8);
		vv_buf_le(&w->dir, w->n, 8);
		vv_buf_le(&w->dir, w->n, 8);
		vv_buf_le(&w->dir, size, 8);
		vv_buf_le(&w->dir, w->at, 8);
		vv_buf_le(&w->dir, ZIP_SIG_LOCATOR, 4);
		vv_buf_le(&w->dir, 0, 4);
		vv_buf_le(&w->dir, end, 8);
		vv_buf_le(&w->dir, 1, 4);
	}
	vv_buf_le(&w->dir, ZIP_SIG_END, 4);
	vv_buf_le(&w->dir, 0, 4);
	vv_buf_le(&w->dir, vv_min64(w->n, COUNT_LIMIT), 2);
	vv_buf_le(&w->dir, vv_min64(w->n, COUNT_LIMIT), 2);
	vv_buf_le(&w->dir, vv_min64(size, ZIP_IN64), 4);
	vv_buf_le(&w->dir, vv_min64(w->at, ZIP_IN64), 4);
	vv_buf_le(&w->dir, 0, 2);
	return vv_buf_check(&w->dir, err) ? err->code : w->out->write(w->out, vv_buf_view(&w->dir), err);
}
