#include "format/zip_records.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

enum { PIECE = 64 << 10, MAX_LOCAL = ZIP_LOCAL + 2 * 0xffff };
/* Encrypted, patch data, strongly encrypted, masked headers. */
enum { UNREADABLE = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13 };

bool vv_zip_probe(struct vv_span head)
{
	return head.len >= ZIP_LOCAL && vv_get32(head.ptr) == ZIP_SIG_LOCAL;
}

int vv_zip_at(struct zip_window *w, uint64_t off, size_t n, const uint8_t **out, struct vv_err *err)
{
	if (off < w->off || off - w->off > w->len || n > w->len - (size_t)(off - w->off)) {
		uint64_t left = off < w->src->size ? w->src->size - off : 0;
		size_t want = (size_t)vv_min64(left, ZIP_WINDOW);
		int ret;

		w->len = 0;
		ret = vv_source_read(w->src, off, w->buf, want > n ? want : n, err);
		if (ret)
			return ret;
		w->off = off;
		w->len = want;
	}
	*out = w->buf + (size_t)(off - w->off);
	return 0;
}

int vv_zip_entry(struct zip_window *w, uint64_t off, uint64_t end, const uint8_t **out, size_t *len, struct vv_err *err)
{
	const uint8_t *p;
	int ret;

	if (end - off < ZIP_CENTRAL)
		return vv_fail(err, VV_EFORMAT, "zip: the directory ends early, at offset %" PRIu64, off);
	ret = vv_zip_at(w, off, ZIP_CENTRAL, &p, err);
	if (ret)
		return ret;
	*len = (size_t)ZIP_CENTRAL + vv_get16(p + 28) + vv_get16(p + 30) + vv_get16(p + 32);
	if (vv_get32(p) != ZIP_SIG_CENTRAL || *len > end - off)
		return vv_fail(err, VV_EFORMAT, "zip: no directory entry at offset %" PRIu64, off);
	return vv_zip_at(w, off, *len, out, err);
}

int vv_zip_extra(struct vv_span extra, uint16_t id, struct vv_span *out)
{
	struct vv_cursor c = vv_cursor(extra);
	struct vv_span field;
	uint16_t tag, len;

	*out = vv_span(NULL, 0);
	/* Some writers fill up with fewer bytes than a field's head. */
	while (c.left >= 4) {
		if (vv_take16(&c, &tag) || vv_take16(&c, &len) || vv_take(&c, len, &field))
			return 1;
		if (tag != id)
			continue;
		if (out->ptr)
			return 1;
		*out = field;
	}
	return 0;
}

int vv_zip_numbers64(struct vv_span extra, uint64_t *const *numbers, size_t n)
{
	struct vv_cursor c;
	struct vv_span field;

	if (vv_zip_extra(extra, 1, &field))
		return 1;
	c = vv_cursor(field);
	for (size_t i = 0; i < n; i++)
		if (*numbers[i] == ZIP_IN64 && vv_take64(&c, numbers[i]))
			return 1;
	return 0;
}

/* Where the central directory is, and what of it the end records claim. */
struct ends {
	uint64_t count, size, off;
};

static int end64(struct vv_zip *z, const struct vv_source *src, uint64_t end, struct ends *e, struct vv_err *err)
{
	uint8_t b[ZIP_END64];
	uint64_t at, len, count, size, off;
	int ret;

	if (end < ZIP_LOCATOR + ZIP_END64)
		return 0;
	ret = vv_source_read(src, end - ZIP_LOCATOR, b, ZIP_LOCATOR, err);
	if (ret || vv_get32(b) != ZIP_SIG_LOCATOR)
		return ret;
	at = vv_get64(b + 8);
	if (vv_get32(b + 4) || vv_get32(b + 16) > 1 || at > end - ZIP_LOCATOR - ZIP_END64)
		return vv_fail(err, VV_EFORMAT, "zip: broken zip64 locator at offset %" PRIu64, end - ZIP_LOCATOR);
	ret = vv_source_read(src, at, b, ZIP_END64, err);
	if (ret)
		return ret;
	len = vv_get64(b + 4);
	count = vv_get64(b + 32);
	size = vv_get64(b + 40);
	off = vv_get64(b + 48);
	/* Bytes between the record and its locator would be seen by some readers and not by others. */
	if (vv_get32(b) != ZIP_SIG_END64 || len != end - ZIP_LOCATOR - at - 12 || vv_get32(b + 16) || vv_get32(b + 20) ||
		vv_get64(b + 24) != count)
		return vv_fail(err, VV_EFORMAT, "zip: broken zip64 end record at offset %" PRIu64, at);
	if ((e->count != count && e->count != ZIP_IN64_COUNT) || (e->size != size && e->size != ZIP_IN64) ||
		(e->off != off && e->off != ZIP_IN64))
		return vv_fail(err, VV_EFORMAT, "zip: the two end records differ at offset %" PRIu64, at);
	*e = (struct ends){count, size, off};
	z->zip64 = true;
	z->directory_end = at;
	return 0;
}

/* The last end record of the file, whose comment must end with the file. */
static int find_end(const struct vv_source *src, uint64_t *at, uint8_t *end, struct vv_err *err)
{
	size_t n = (size_t)vv_min64(src->size, ZIP_END + 0xffff), i;
	uint8_t *tail;
	int ret = n < ZIP_END ? vv_fail(err, VV_EFORMAT, "zip: no end record") : 0;

	/* Almost none has a comment: then it is at the very end. */
	if (!ret)
		ret = vv_source_read(src, src->size - ZIP_END, end, ZIP_END, err);
	if (ret)
		return ret;
	*at = src->size - ZIP_END;
	if (vv_get32(end) == ZIP_SIG_END && !vv_get16(end + 20))
		return 0;
	tail = malloc(n + 1);
	ret = tail ? vv_source_read(src, src->size - n, tail, n, err) : vv_fail_nomem(err);
	if (ret)
		goto out;
	for (i = n + 1 - ZIP_END; i-- > 0;)
		if (vv_get32(tail + i) == ZIP_SIG_END)
			break;
	if (i > n) {
		ret = vv_fail(err, VV_EFORMAT, "zip: no end record");
		goto out;
	}
	*at = src->size - n + i;
	memcpy(end, tail + i, ZIP_END);
	if (vv_get16(end + 20) != n - i - ZIP_END)
		ret = vv_fail(err, VV_EFORMAT, "zip: bytes after the end record at offset %" PRIu64, *at);
out:
	free(tail);
	return ret;
}

bool vv_zip_trails(const struct vv_source *src)
{
	enum { TAIL = ZIP_END + 0xffff };
	uint64_t base = src->size - vv_min64(src->size, TAIL);
	size_t n = (size_t)(src->size - base);
	uint8_t *tail = malloc(n + 1), b[4];
	struct vv_err ignore = VV_ERR_INIT;
	bool found = false;

	if (!tail || vv_source_read(src, base, tail, n, &ignore))
		n = 0;
	for (size_t i = n < ZIP_END ? 0 : n + 1 - ZIP_END; i-- > 0 && !found;) {
		uint64_t at = base + i, size;
		if (vv_get32(tail + i) != ZIP_SIG_END)
			continue;
		size = vv_get32(tail + i + 12);
		found = (i >= ZIP_LOCATOR && vv_get32(tail + i - ZIP_LOCATOR) == ZIP_SIG_LOCATOR) ||
			(size >= ZIP_CENTRAL && size <= at && !vv_source_read(src, at - size, b, 4, &ignore) &&
				vv_get32(b) == ZIP_SIG_CENTRAL);
	}
	free(tail);
	return found;
}

static int directory(struct vv_zip *z, const struct vv_source *src, uint64_t *count, struct vv_err *err)
{
	uint8_t b[ZIP_END] = {0};
	struct ends e;
	uint64_t at = 0, end;
	int ret = find_end(src, &at, b, err);

	if (ret)
		return ret;
	e = (struct ends){vv_get16(b + 10), vv_get32(b + 12), vv_get32(b + 16)};
	z->directory_end = at;
	if (vv_get16(b + 4) || vv_get16(b + 6) || vv_get16(b + 8) != e.count)
		return vv_fail(err, VV_EFORMAT, "zip: a part of a larger archive, offset %" PRIu64, at);
	ret = end64(z, src, at, &e, err);
	if (ret)
		return ret;
	if (vv_add_over(e.off, e.size, &end) || end != z->directory_end)
		return vv_fail(err, VV_EFORMAT, "zip: the directory does not end at offset %" PRIu64, z->directory_end);
	if (e.count > VV_MAX_MEMBERS)
		return vv_fail(err, VV_ELIMIT, "zip: more than %d members", VV_MAX_MEMBERS);
	if (e.count > e.size / ZIP_CENTRAL)
		return vv_fail(err, VV_EFORMAT, "zip: %" PRIu64 " members in a directory of %" PRIu64 " bytes", e.count, e.size);
	z->directory = e.off;
	*count = e.count;
	return 0;
}

/* The data descriptor behind a payload: with or without signature, its sizes of 4 or 8 bytes. */
static int descriptor(const struct vv_zip *z, const struct vv_source *src, struct vv_zip_member *m, struct vv_err *err)
{
	static const struct {
		uint8_t len, sizes, wide;
	} forms[] = {{24, 8, 1}, {16, 8, 0}, {20, 4, 1}, {12, 4, 0}};
	uint64_t at = m->off + m->len;
	size_t n = (size_t)vv_min64(z->directory - at, 24);
	uint8_t b[24];
	int ret = vv_source_read(src, at, b, n, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < VV_COUNT(forms); i++) {
		const uint8_t *p = b + forms[i].sizes;
		if (forms[i].len > n || (forms[i].sizes == 8 && vv_get32(b) != ZIP_SIG_DESCRIPTOR))
			continue;
		if (forms[i].wide ? vv_get64(p) == m->len && vv_get64(p + 8) == m->raw_len
				  : vv_get32(p) == m->len && vv_get32(p + 4) == m->raw_len) {
			m->end = at + forms[i].len;
			return 0;
		}
	}
	return vv_fail(err, VV_EFORMAT, "zip: member '%s': no data descriptor at offset %" PRIu64, m->name, at);
}

/* Compares the local header with the entry, and finds the payload. */
static int local(const struct vv_zip *z, const struct vv_source *src, uint8_t *buf, struct vv_zip_member *m,
	struct vv_err *err)
{
	uint64_t len, raw, *const sizes[] = {&raw, &len};
	size_t name_len = strlen(m->name), n;
	const uint8_t *p = buf;
	int ret;

	if (m->header > z->directory || z->directory - m->header < ZIP_LOCAL + name_len)
		return vv_fail(err, VV_EFORMAT, "zip: member '%s' lies past the end, at offset %" PRIu64, m->name, m->header);
	ret = vv_source_read(src, m->header, buf, ZIP_LOCAL, err);
	if (ret)
		return ret;
	n = (size_t)ZIP_LOCAL + vv_get16(p + 26) + vv_get16(p + 28);
	if (vv_get32(p) != ZIP_SIG_LOCAL || n > z->directory - m->header || m->len > z->directory - m->header - n)
		return vv_fail(err, VV_EFORMAT, "zip: member '%s' is not at offset %" PRIu64, m->name, m->header);
	m->off = m->header + n;
	m->end = m->off + m->len;
	ret = vv_source_read(src, m->header + ZIP_LOCAL, buf + ZIP_LOCAL, n - ZIP_LOCAL, err);
	if (ret)
		return ret;
	m->local_flags = vv_get16(p + 6);
	if (vv_get16(p + 26) != name_len || memcmp(p + ZIP_LOCAL, m->name, name_len))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s' has another name at offset %" PRIu64, m->name, m->header);
	len = vv_get32(p + 18);
	raw = vv_get32(p + 22);
	if (vv_zip_numbers64(vv_span(p + ZIP_LOCAL + name_len, n - ZIP_LOCAL - name_len), sizes, 2))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': broken extra field at offset %" PRIu64, m->name, m->header);
	/* Whoever writes to a pipe knows the sizes too late: then the local header has zeros. */
	bool late = (m->local_flags & ZIP_HAS_DESCRIPTOR) && !len && !raw;
	if (vv_get16(p + 8) != m->method || (!late && (len != m->len || raw != m->raw_len)))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': its header differs from the directory at offset %" PRIu64,
			m->name, m->header);
	return m->local_flags & ZIP_HAS_DESCRIPTOR ? descriptor(z, src, m, err) : 0;
}

static int entry(const struct vv_zip *z, const uint8_t *p, uint64_t off, struct vv_arena *arena,
	struct vv_zip_member *m, struct vv_err *err)
{
	uint64_t *const numbers[] = {&m->raw_len, &m->len, &m->header};
	uint16_t name_len = vv_get16(p + 28);

	*m = (struct vv_zip_member){.entry = off, .len = vv_get32(p + 20), .raw_len = vv_get32(p + 24),
		.header = vv_get32(p + 42), .crc = vv_get32(p + 16), .method = vv_get16(p + 10), .flags = vv_get16(p + 8)};
	if (name_len > VV_MAX_NAME)
		return vv_fail(err, VV_ELIMIT, "zip: a name of %u bytes at offset %" PRIu64, name_len, off);
	if (memchr(p + ZIP_CENTRAL, 0, name_len))
		return vv_fail(err, VV_EFORMAT, "zip: a name with a NUL at offset %" PRIu64, off);
	m->name = vv_arena_copy(arena, vv_span(p + ZIP_CENTRAL, name_len));
	if (!m->name)
		return vv_fail_nomem(err);
	if (vv_get16(p + 34) || vv_zip_numbers64(vv_span(p + ZIP_CENTRAL + name_len, vv_get16(p + 30)), numbers, 3))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': broken entry at offset %" PRIu64, m->name, off);
	if (m->flags & UNREADABLE)
		return vv_fail(err, VV_EFORMAT, "zip: member '%s' is encrypted, offset %" PRIu64, m->name, off);
	if (m->method != 0 && m->method != Z_DEFLATED)
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': compression %u at offset %" PRIu64, m->name, m->method, off);
	if (m->len > z->directory || (!m->method && m->len != m->raw_len))
		return vv_fail(err, VV_EFORMAT, "zip: member '%s': wrong size at offset %" PRIu64, m->name, off);
	return 0;
}

static int entries(struct vv_zip *z, const struct vv_source *src, uint64_t count, struct vv_arena *arena,
	struct vv_err *err)
{
	struct zip_window w = {src, malloc(ZIP_WINDOW), 0, 0};
	uint8_t *head = malloc(MAX_LOCAL);
	uint64_t off = z->directory;
	int ret = 0;

	z->members = vv_arena_array(arena, (size_t)count, sizeof(*z->members));
	if (!w.buf || !head || !z->members)
		ret = vv_fail_nomem(err);
	while (!ret && z->n < count) {
		struct vv_zip_member *m = &z->members[z->n];
		const uint8_t *p;
		size_t len;

		ret = vv_zip_entry(&w, off, z->directory_end, &p, &len, err);
		if (!ret)
			ret = entry(z, p, off, arena, m, err);
		if (!ret) {
			ret = local(z, src, head, m, err);
			/* Its place is known, if nothing else. */
			z->n += !ret || m->end;
			off += len;
		}
	}
	if (!ret && off != z->directory_end)
		ret = vv_fail(err, VV_EFORMAT, "zip: the directory has more than its %" PRIu64 " entries at offset %" PRIu64,
			count, off);
	free(w.buf);
	free(head);
	return ret;
}

static int by_header(const void *a, const void *b)
{
	const struct vv_zip_member *x = *(const struct vv_zip_member *const *)a;
	const struct vv_zip_member *y = *(const struct vv_zip_member *const *)b;

	return x->header < y->header ? -1 : x->header > y->header;
}

/* No byte may belong to two members; what belongs to none is counted. */
static int places(struct vv_zip *z, struct vv_err *err)
{
	const struct vv_zip_member **order = malloc((z->n + 1) * sizeof(*order));
	uint64_t at = 0;
	int ret = 0;

	if (!order)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < z->n; i++)
		order[i] = &z->members[i];
	qsort(order, z->n, sizeof(*order), by_header);
	for (size_t i = 0; i <= z->n && !ret; i++) {
		uint64_t to = i < z->n ? order[i]->header : z->directory;
		if (to < at) {
			ret = vv_fail(err, VV_EFORMAT, "zip: member '%s' overlaps what follows at offset %" PRIu64,
				order[i - 1]->name, to);
			break;
		}
		if (to > at && !z->stray)
			z->stray_at = at;
		z->stray += to - at;
		at = i < z->n ? order[i]->end : to;
	}
	free(order);
	return ret;
}

static int names(const struct vv_zip *z, struct vv_err *err)
{
	struct vv_map seen = {0};
	bool added = true;
	int ret = 0;

	for (size_t i = 0; i < z->n && !ret; i++) {
		if (!vv_map_put(&seen, vv_span_str(z->members[i].name), 1, &added))
			ret = vv_fail_nomem(err);
		else if (!added)
			ret = vv_fail(err, VV_EFORMAT, "zip: member '%s' is there twice, also at offset %" PRIu64,
				z->members[i].name, z->members[i].header);
	}
	vv_map_release(&seen);
	return ret;
}

int vv_zip_read(struct vv_zip *out, const struct vv_source *src, struct vv_arena *arena, struct vv_err *err)
{
	uint64_t count = 0;
	int ret;

	*out = (struct vv_zip){0};
	ret = directory(out, src, &count, err);
	if (!ret)
		ret = entries(out, src, count, arena, err);
	if (!ret)
		ret = places(out, err);
	return ret ? ret : names(out, err);
}

/* PyTorch would load an archive with that member, whatever else is in it. */
static bool is_torch(const char *name)
{
	static const char pickle[] = "/data.pkl";
	size_t n = strlen(name), end = sizeof(pickle) - 1;

	return n > end && !strcmp(name + n - end, pickle);
}

void vv_zip_report(const struct vv_zip *z, struct vv_layout_build *b)
{
	for (size_t i = 0; i < z->n; i++)
		if (is_torch(z->members[i].name))
			vv_layout_finding(b, "polyglot", z->members[i].header, "PyTorch would take it for its own, and load '%s'",
				z->members[i].name);
	if (z->stray)
		vv_layout_finding(b, "zip-stray", z->stray_at, "%" PRIu64 " bytes of the archive belong to no member", z->stray);
	for (size_t i = 0; i < z->n; i++)
		if (z->members[i].flags != z->members[i].local_flags) {
			vv_layout_finding(b, "zip-flags", z->members[i].header, "member '%s': flags %#x here, %#x in the directory",
				z->members[i].name, z->members[i].local_flags, z->members[i].flags);
			return;
		}
}

const struct vv_zip_member *vv_zip_find(const struct vv_zip *z, const char *name)
{
	for (size_t i = 0; i < z->n; i++)
		if (!strcmp(z->members[i].name, name))
			return &z->members[i];
	return NULL;
}

/* Hands out the member's raw bytes, as many as it really has: more than it claims is an error. */
static int each_piece(const struct vv_source *src, const struct vv_zip_member *m,
	int (*take)(void *arg, struct vv_span piece, struct vv_err *err), void *arg, struct vv_err *err)
{
	uint8_t in[16 << 10], out[64 << 10];
	uint64_t at = 0, made = 0;
	z_stream s = {0};
	int zret = Z_OK, ret = 0;

	for (; !m->method && at < m->len && !ret; at += sizeof(out)) {
		size_t n = (size_t)vv_min64(sizeof(out), m->len - at);
		ret = vv_source_read(src, m->off + at, out, n, err);
		if (!ret)
			ret = take(arg, vv_span(out, n), err);
	}
	if (ret || !m->method)
		return ret;
	if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
		return vv_fail_nomem(err);
	while (!ret && zret == Z_OK) {
		size_t n = (size_t)vv_min64(sizeof(in), m->len - at);

		ret = vv_source_read(src, m->off + at, in, n, err);
		if (ret)
			break;
		s.next_in = in;
		s.avail_in = (uInt)n;
		s.next_out = out;
		s.avail_out = sizeof(out);
		zret = inflate(&s, Z_NO_FLUSH);
		at += n - s.avail_in;
		n = sizeof(out) - s.avail_out;
		if ((zret != Z_OK && zret != Z_STREAM_END) || n > m->raw_len - made)
			ret = vv_fail(err, VV_EFORMAT, "zip: member '%s' does not inflate, offset %" PRIu64, m->name, m->off + at);
		else
			ret = take(arg, vv_span(out, n), err);
		made += n;
	}
	inflateEnd(&s);
	if (!ret && (at != m->len || made != m->raw_len))
		ret = vv_fail(err, VV_EFORMAT, "zip: member '%s' is not %" PRIu64 " bytes when inflated, offset %" PRIu64,
			m->name, m->raw_len, m->off);
	return ret;
}

struct taken {
	struct vv_buf *buf; /* NULL: only the sum is wanted */
	unsigned long crc;
};

static int take_piece(void *arg, struct vv_span piece, struct vv_err *err)
{
	struct taken *t = arg;

	t->crc = crc32_z(t->crc, piece.ptr, piece.len);
	if (!t->buf)
		return 0;
	vv_buf_span(t->buf, piece);
	return vv_buf_check(t->buf, err);
}

int vv_zip_load(const struct vv_source *src, const struct vv_zip_member *m, struct vv_buf *out, bool *crc_ok,
	struct vv_err *err)
{
	struct taken t = {out, 0};
	size_t start = out->len;
	int ret;

	if (m->raw_len > out->max - out->len)
		return vv_fail(err, VV_ELIMIT, "zip: member '%s' of %" PRIu64 " bytes is too large", m->name, m->raw_len);
	ret = each_piece(src, m, take_piece, &t, err);
	if (ret)
		out->len = start;
	*crc_ok = t.crc == m->crc;
	return ret;
}

int vv_zip_check(const struct vv_source *src, const struct vv_zip_member *m, bool *crc_ok, struct vv_err *err)
{
	struct taken t = {NULL, 0};
	int ret = each_piece(src, m, take_piece, &t, err);

	*crc_ok = t.crc == m->crc;
	return ret;
}
