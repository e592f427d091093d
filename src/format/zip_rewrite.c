/* Writing an archive anew with other payloads. */
#include "format/zip_records.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

/* The extra field that PyTorch pads with, and its filling. */
enum { PADDING = 'F' | 'B' << 8, FILL = 'Z' };

/* What becomes of one member. */
struct moved {
	uint64_t header, len; /* new offset and length */
	uint32_t crc;
};

struct rewrite {
	const struct vv_zip *z;
	const struct vv_source *src;
	const struct vv_source *const *replaced;
	unsigned align;
	struct vv_sink *out;
	uint64_t at;         /* bytes written */
	struct moved *moved; /* one per member */
	struct vv_buf head;
};

static int put(struct rewrite *r, struct vv_span bytes, struct vv_err *err)
{
	r->at += bytes.len;
	return r->out->write(r->out, bytes, err);
}

static int keep(struct rewrite *r, uint64_t off, uint64_t len, struct vv_err *err)
{
	r->at += len;
	return vv_source_copy(r->src, off, len, r->out, err);
}

/* Where in `extra` the 64-bit forms of `n` numbers stand; NULL for one that its record holds itself. */
static int places64(struct vv_span extra, const uint8_t *const *small, uint8_t **wide, size_t n)
{
	struct vv_span field;
	size_t at = 0;

	if (vv_zip_extra(extra, 1, &field))
		return 1;
	for (size_t i = 0; i < n; i++) {
		wide[i] = NULL;
		if (vv_get32(small[i]) != ZIP_IN64)
			continue;
		if (field.len - at < 8)
			return 1;
		wide[i] = (uint8_t *)(uintptr_t)field.ptr + at;
		at += 8;
	}
	return 0;
}

/* Writes each number where the old one stood. 1 when one does not fit there. */
static int patch(uint8_t *const *small, uint8_t *const *wide, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (wide[i])
			vv_put64(wide[i], numbers[i]);
		else if (numbers[i] >= ZIP_IN64)
			return 1;
		else
			vv_put32(small[i], (uint32_t)numbers[i]);
	}
	return 0;
}

static int too_large(const char *what, struct vv_err *err)
{
	return vv_fail(err, VV_ENOTSUP, "zip: %s would need zip64, which this archive was not written with", what);
}

/* Replaces the padding field so that the payload's offset stays what it was, modulo the alignment. */
static int pad(struct rewrite *r, const struct vv_zip_member *m, struct vv_err *err)
{
	uint8_t *p = r->head.ptr;
	size_t name_end = (size_t)ZIP_LOCAL + vv_get16(p + 26), tail;
	struct vv_span extra = vv_span(p + name_end, r->head.len - name_end), old;
	uint64_t moved = r->at - m->header; /* may wrap: `align` divides 2^64 */
	size_t want;

	if (moved % r->align == 0)
		return 0;
	if (vv_zip_extra(extra, PADDING, &old) || !old.ptr)
		return vv_fail(err, VV_ENOTSUP, "zip: member '%s' has no padding to keep it aligned, offset %" PRIu64, m->name,
			m->header);
	want = (size_t)((old.len - moved) % r->align);
	if (extra.len - old.len + want > 0xffff)
		return vv_fail(err, VV_ENOTSUP, "zip: member '%s': its extra fields are too long, offset %" PRIu64, m->name,
			m->header);
	size_t from = (size_t)(old.ptr - p), end = from + old.len;
	if (want > old.len && !vv_buf_reserve(&r->head, want - old.len))
		return vv_buf_check(&r->head, err);
	p = r->head.ptr;
	tail = r->head.len - end;
	memmove(p + from + want, p + end, tail);
	if (want > old.len)
		memset(p + end, FILL, want - old.len);
	r->head.len = from + want + tail;
	vv_put16(p + from - 2, (uint16_t)want);
	vv_put16(p + 28, (uint16_t)(r->head.len - name_end));
	return 0;
}

/*
 * The local header with new sizes and CRC. *late: it has zeros there, as a writer to a pipe leaves them;
 * the descriptor behind the payload tells.
 */
static int renew_local(struct rewrite *r, const struct vv_zip_member *m, const struct moved *now, bool *late,
	struct vv_err *err)
{
	uint8_t *p = r->head.ptr, *wide[2], *const small[] = {p + 22, p + 18};
	const uint64_t sizes[] = {now->len, now->len};
	size_t name_end = (size_t)ZIP_LOCAL + vv_get16(p + 26);

	if (places64(vv_span(p + name_end, r->head.len - name_end), (const uint8_t *const *)small, wide, 2))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': broken extra field at offset %" PRIu64, m->name, m->header);
	*late = m->end > m->off + m->len && !vv_get32(p + 14) && !(wide[0] ? vv_get64(wide[0]) : vv_get32(small[0]));
	if (*late)
		return 0;
	return patch(small, wide, sizes, 2) ? too_large(m->name, err) : 0;
}

static int descriptor(struct rewrite *r, const struct vv_zip_member *m, const struct moved *now, struct vv_err *err)
{
	uint64_t at = m->off + m->len;
	size_t n = (size_t)(m->end - at), crc = n % 8 ? 0 : 4;
	uint8_t b[24];
	int ret;

	if (n > sizeof(b))
		VV_BUG("a descriptor has at most 24 bytes");
	ret = vv_source_read(r->src, at, b, n, err);
	if (ret || !n)
		return ret;
	vv_put32(b + crc, now->crc);
	if (n >= 20) {
		vv_put64(b + crc + 4, now->len);
		vv_put64(b + crc + 12, now->len);
	} else {
		if (now->len >= ZIP_IN64)
			return too_large(m->name, err);
		vv_put32(b + crc + 4, (uint32_t)now->len);
		vv_put32(b + crc + 8, (uint32_t)now->len);
	}
	return put(r, vv_span(b, n), err);
}

static int replace(struct rewrite *r, const struct vv_zip_member *m, const struct vv_source *bytes, struct moved *now,
	struct vv_err *err)
{
	struct zip_crc crc;
	bool late = false;
	int ret;

	if (m->method)
		return vv_fail(err, VV_ENOTSUP, "zip: member '%s' is compressed", m->name);
	now->len = bytes->size;
	vv_zip_crc_init(&crc, NULL);
	ret = renew_local(r, m, now, &late, err);
	if (!ret && !late) {
		/* The CRC comes before the bytes do: they are read twice. */
		ret = vv_source_copy(bytes, 0, bytes->size, &crc.base, err);
		vv_put32(r->head.ptr + 14, crc.crc);
	}
	if (!ret)
		ret = put(r, vv_buf_view(&r->head), err);
	vv_zip_crc_init(&crc, r->out);
	if (!ret)
		ret = vv_source_copy(bytes, 0, bytes->size, &crc.base, err);
	now->crc = crc.crc;
	r->at += bytes->size;
	return ret ? ret : descriptor(r, m, now, err);
}

static int member(struct rewrite *r, size_t i, struct vv_err *err)
{
	const struct vv_zip_member *m = &r->z->members[i];
	struct moved *now = &r->moved[i];
	size_t n = (size_t)(m->off - m->header);
	uint8_t *p;
	int ret;

	*now = (struct moved){r->at, m->len, m->crc};
	vv_buf_clear(&r->head);
	p = vv_buf_reserve(&r->head, n);
	ret = p ? vv_source_read(r->src, m->header, p, n, err) : vv_buf_check(&r->head, err);
	if (ret)
		return ret;
	r->head.len = n;
	ret = pad(r, m, err);
	if (!ret && r->replaced[i])
		return replace(r, m, r->replaced[i], now, err);
	if (!ret)
		ret = put(r, vv_buf_view(&r->head), err);
	return ret ? ret : keep(r, m->off, m->end - m->off, err);
}

struct place {
	uint64_t header;
	size_t i;
};

static int by_header(const void *a, const void *b)
{
	uint64_t x = ((const struct place *)a)->header, y = ((const struct place *)b)->header;

	return x < y ? -1 : x > y;
}

/* All that lies before the directory, in the file's order, bytes without an owner too. */
static int members(struct rewrite *r, struct vv_err *err)
{
	struct place *order = malloc((r->z->n + 1) * sizeof(*order));
	uint64_t from = 0;
	int ret = order ? 0 : vv_fail_nomem(err);

	if (ret)
		return ret;
	for (size_t i = 0; i < r->z->n; i++)
		order[i] = (struct place){r->z->members[i].header, i};
	qsort(order, r->z->n, sizeof(*order), by_header);
	for (size_t i = 0; i < r->z->n && !ret; i++) {
		ret = keep(r, from, order[i].header - from, err);
		if (!ret)
			ret = member(r, order[i].i, err);
		from = r->z->members[order[i].i].end;
	}
	free(order);
	return ret ? ret : keep(r, from, r->z->directory - from, err);
}

static int entry(struct rewrite *r, const struct vv_zip_member *m, const struct moved *now, bool replaced,
	struct vv_err *err)
{
	uint8_t *p = r->head.ptr, *wide[3], *const small[] = {p + 24, p + 20, p + 42};
	size_t name_end = (size_t)ZIP_CENTRAL + vv_get16(p + 28), extra = vv_get16(p + 30);
	const uint64_t numbers[] = {replaced ? now->len : m->raw_len, now->len, now->header};

	if (places64(vv_span(p + name_end, extra), (const uint8_t *const *)small, wide, 3))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': broken entry", m->name);
	vv_put32(p + 16, now->crc);
	if (patch(small, wide, numbers, 3))
		return too_large(m->name, err);
	return put(r, vv_buf_view(&r->head), err);
}

static int directory(struct rewrite *r, struct vv_err *err)
{
	struct zip_window w = {r->src, malloc(ZIP_WINDOW), 0, 0};
	uint64_t off = r->z->directory;
	int ret = w.buf ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < r->z->n && !ret; i++) {
		const uint8_t *p;
		size_t len = 0;

		ret = vv_zip_entry(&w, off, r->z->directory_end, &p, &len, err);
		if (ret)
			break;
		vv_buf_clear(&r->head);
		vv_buf_add(&r->head, p, len);
		ret = vv_buf_check(&r->head, err);
		if (!ret)
			ret = entry(r, &r->z->members[i], &r->moved[i], r->replaced[i] != NULL, err);
		off += len;
	}
	free(w.buf);
	return ret;
}

/* The end records and the comment. They come last, so nothing else moves. */
static int ends(struct rewrite *r, uint64_t start, struct vv_err *err)
{
	uint64_t size = r->at - start, n = r->src->size - r->z->directory_end, end = r->at;
	uint8_t *p;
	size_t classic = 0;
	int ret;

	vv_buf_clear(&r->head);
	p = vv_buf_reserve(&r->head, (size_t)n);
	ret = p ? vv_source_read(r->src, r->z->directory_end, p, (size_t)n, err) : vv_buf_check(&r->head, err);
	if (ret)
		return ret;
	r->head.len = (size_t)n;
	if (r->z->zip64) {
		classic = (size_t)vv_get64(p + 4) + 12;
		vv_put64(p + 40, size);
		vv_put64(p + 48, start);
		vv_put64(p + classic + 8, end);
		classic += ZIP_LOCATOR;
	} else if (size >= ZIP_IN64 || start >= ZIP_IN64) {
		return too_large("the directory", err);
	}
	/* What stands in the zip64 record only, goes on standing there only. */
	if (!r->z->zip64 || vv_get32(p + classic + 12) != ZIP_IN64)
		vv_put32(p + classic + 12, (uint32_t)vv_min64(size, ZIP_IN64));
	if (!r->z->zip64 || vv_get32(p + classic + 16) != ZIP_IN64)
		vv_put32(p + classic + 16, (uint32_t)vv_min64(start, ZIP_IN64));
	return put(r, vv_buf_view(&r->head), err);
}

int vv_zip_rewrite(const struct vv_zip *z, const struct vv_source *src, const struct vv_source *const *replaced,
	unsigned align, struct vv_sink *out, struct vv_err *err)
{
	/* The longest record: an entry, or all end records with a comment. */
	struct rewrite r = {.z = z, .src = src, .replaced = replaced, .align = align, .out = out,
		.head = VV_BUF_INIT(VV_MAX_TEXT)};
	uint64_t start;
	int ret;

	r.moved = calloc(z->n + 1, sizeof(*r.moved));
	ret = r.moved ? members(&r, err) : vv_fail_nomem(err);
	start = r.at;
	if (!ret)
		ret = directory(&r, err);
	if (!ret)
		ret = ends(&r, start, err);
	free(r.moved);
	vv_buf_release(&r.head);
	return ret;
}
