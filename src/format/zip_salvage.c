/*
 * What an archive that lies about itself may give to a loader that believes another of its records than we do: all
 * directory entries that point at a local header, wherever they stand.
 */
#include "format/zip_records.h"

#include "base/check.h"
#include "base/cursor.h"

#include <stdlib.h>
#include <zlib.h>

/* Of members' bytes, as they are and inflated: members that share bytes would be read for ever. */
enum { BUDGET_TIMES = 4, BUDGET_MIN = 256 << 20 };
enum { MAX_TEXTS = 2 * 0xffff };

struct salvage {
	struct vv_zip *out;
	const struct vv_source *src;
	struct vv_arena *arena;
	uint64_t shift;  /* bytes before the archive, which its offsets do not count */
	uint64_t budget;
	uint8_t *texts;  /* MAX_TEXTS bytes */
	size_t cap;
};

/* By the last end record: what stands between where the directory is and where it claims to be. */
static int find_shift(struct salvage *s, struct vv_err *err)
{
	size_t n = (size_t)vv_min64(s->src->size, ZIP_END + 0xffff);
	uint64_t base = s->src->size - n;
	uint8_t *tail = malloc(n + 1);
	int ret = tail ? vv_source_read(s->src, base, tail, n, err) : vv_fail_nomem(err);

	for (size_t i = n < ZIP_END ? 0 : n + 1 - ZIP_END; !ret && i-- > 0;) {
		uint64_t size, off;
		if (vv_get32(tail + i) != ZIP_SIG_END)
			continue;
		size = vv_get32(tail + i + 12);
		off = vv_get32(tail + i + 16);
		if (size + off <= base + i)
			s->shift = base + i - size - off;
		break;
	}
	free(tail);
	return ret;
}

/* Is there a local header at that offset? Then *payload is where its bytes begin. */
static int find_local(const struct salvage *s, uint64_t at, uint64_t *payload, bool *there, struct vv_err *err)
{
	uint8_t b[ZIP_LOCAL];
	int ret;

	*there = false;
	if (at > s->src->size || s->src->size - at < ZIP_LOCAL)
		return 0;
	ret = vv_source_read(s->src, at, b, ZIP_LOCAL, err);
	*payload = at + ZIP_LOCAL + vv_get16(b + 26) + vv_get16(b + 28);
	*there = !ret && vv_get32(b) == ZIP_SIG_LOCAL && *payload <= s->src->size;
	return ret;
}

static int add(struct salvage *s, const struct vv_zip_member *m, struct vv_err *err)
{
	struct vv_zip *z = s->out;

	if (z->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct vv_zip_member *v = vv_arena_array(s->arena, cap, sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		if (z->n)
			memcpy(v, z->members, z->n * sizeof(*v));
		z->members = v;
		s->cap = cap;
	}
	z->members[z->n++] = *m;
	return 0;
}

/* The member of the entry, if its local header is where it says; `shift`: counted from the archive's beginning. */
static int take_member(struct salvage *s, struct vv_zip_member m, uint64_t shift, struct vv_err *err)
{
	uint64_t cost;
	bool there = false;
	int ret = vv_add_over(m.header, shift, &m.header) ? 0 : find_local(s, m.header, &m.off, &there, err);

	if (ret || !there)
		return ret;
	m.len = vv_min64(m.len, s->src->size - m.off);
	m.raw_len = m.method ? m.raw_len : m.len;
	m.end = m.off + m.len;
	if (vv_add_over(m.len, m.method ? m.raw_len : 0, &cost) || cost >= s->budget) {
		s->budget = 0;
		return 0;
	}
	s->budget -= cost;
	return add(s, &m, err);
}

/* The entry whose fixed part is `p`. What is wrong with its numbers is taken as far as it goes. */
static int take_entry(struct salvage *s, const uint8_t *p, uint64_t off, struct vv_err *err)
{
	struct vv_zip_member m = {.entry = off, .len = vv_get32(p + 20), .raw_len = vv_get32(p + 24), .header = vv_get32(p + 42),
		.crc = vv_get32(p + 16), .method = vv_get16(p + 10), .flags = vv_get16(p + 8)};
	uint64_t *const numbers[] = {&m.raw_len, &m.len, &m.header};
	size_t name_len = vv_get16(p + 28), n = name_len + vv_get16(p + 30);
	int ret;

	if (n > s->src->size - off - ZIP_CENTRAL || (m.method && m.method != Z_DEFLATED))
		return 0;
	ret = vv_source_read(s->src, off + ZIP_CENTRAL, s->texts, n, err);
	if (ret)
		return ret;
	vv_zip_numbers64(vv_span(s->texts + name_len, n - name_len), numbers, VV_COUNT(numbers));
	m.name = vv_arena_copy(s->arena, vv_span(s->texts, name_len));
	if (!m.name)
		return vv_fail_nomem(err);
	ret = take_member(s, m, 0, err);
	return ret || !s->shift ? ret : take_member(s, m, s->shift, err);
}

int vv_zip_salvage(struct vv_zip *out, const struct vv_source *src, struct vv_arena *arena, bool *all, struct vv_err *err)
{
	struct salvage s = {.out = out, .src = src, .arena = arena, .budget = BUDGET_MIN, .texts = malloc(MAX_TEXTS)};
	struct zip_window w = {src, malloc(ZIP_WINDOW), 0, 0};
	uint64_t more;
	int ret = s.texts && w.buf ? find_shift(&s, err) : vv_fail_nomem(err);

	*out = (struct vv_zip){0};
	if (vv_mul_over(src->size, (uint64_t)BUDGET_TIMES, &more) || vv_add_over(s.budget, more, &s.budget))
		s.budget = UINT64_MAX;
	for (uint64_t at = 0; !ret && src->size >= ZIP_CENTRAL && at <= src->size - ZIP_CENTRAL && s.budget && out->n < VV_MAX_SALVAGED;) {
		size_t n = (size_t)vv_min64(src->size - at, ZIP_WINDOW), i = 0;
		const uint8_t *p;

		ret = vv_zip_at(&w, at, n, &p, err);
		for (; !ret && i + ZIP_CENTRAL <= n && s.budget && out->n < VV_MAX_SALVAGED; i++) {
			const uint8_t *hit = memchr(p + i, 'P', n - i);
			i = hit ? (size_t)(hit - p) : n;
			if (i + ZIP_CENTRAL <= n && vv_get32(p + i) == ZIP_SIG_CENTRAL)
				ret = take_entry(&s, p + i, at + i, err);
		}
		at += vv_min64(i, n + 1 - ZIP_CENTRAL);
	}
	*all = s.budget && out->n < VV_MAX_SALVAGED;
	free(s.texts);
	free(w.buf);
	return ret;
}
