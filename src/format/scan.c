#include "format/scan.h"

#include "base/buf.h"
#include "base/check.h"
#include "format/formats.h"
#include "format/torch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HEAD = 64,
	MAX_LEVEL = 3,          /* archives in archives */
	BOMB_MIN = 16 << 20,    /* bytes: below that nothing bursts */
	BOMB_RATIO = 200,       /* deflate reaches 1032; weights never 10 */
	LOOK_INTO = 64 << 20,   /* bytes of a pickle that has no signature */
};

struct scanner {
	struct vv_scan *out;
	size_t cap;
	bool failed;
	struct vv_progress *prog;
};

/* A part of another source. */
struct part {
	struct vv_source base;
	const struct vv_source *of;
	uint64_t off;
};

static int read_part(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct part *p = (const struct part *)self;

	return vv_source_read(p->of, p->off + off, dst, len, err);
}

static void tell(struct scanner *s, const char *where, const char *code, uint64_t off, const char *fmt, ...) VV_PRINTF(5, 6);
static void tell(struct scanner *s, const char *where, const char *code, uint64_t off, const char *fmt, ...)
{
	struct vv_scan *o = s->out;
	char text[1024];
	int n = snprintf(text, sizeof(text), "%s", where);
	const char *detail;
	va_list ap;

	if (s->failed || o->n > VV_MAX_SCANNED)
		return;
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	if (o->n == VV_MAX_SCANNED) {
		code = "more";
		snprintf(text, sizeof(text), "and more than can be listed");
	}
	if (o->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct vv_finding *v = vv_arena_array(&o->arena, cap, sizeof(*v));
		if (v && o->n)
			memcpy(v, o->findings, o->n * sizeof(*v));
		s->failed = !v;
		if (!v)
			return;
		o->findings = v;
		s->cap = cap;
	}
	detail = vv_arena_copy(&o->arena, vv_span_str(text));
	s->failed |= !detail;
	if (detail)
		o->findings[o->n++] = (struct vv_finding){code, off, detail};
}

/* A content's own trouble is told, not passed on. */
static int forgive(int ret, struct vv_err *err)
{
	if (ret != VV_EFORMAT && ret != VV_ELIMIT && ret != VV_ENOTSUP)
		return ret;
	vv_err_clear(err);
	return 0;
}

static bool is_module_name(const char *s)
{
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') && !(*s >= '0' && *s <= '9') && *s != '_' &&
			*s != '.' && !(*s & 0x80))
			return false;
	return true;
}

/* `sure`: it begins like a pickle. Else it is one only if all of it is, and its names are names. */
static int scan_pickle(struct scanner *s, const char *where, struct vv_span bytes, uint64_t off, bool sure, struct vv_err *err)
{
	struct vv_pickle p = {0};
	int ret = vv_pickle_parse(&p, bytes, err);
	bool broken = false;

	for (size_t i = 0; i < p.n_findings; i++)
		broken |= !strcmp(p.findings[i].code, "pickle-broken") ||
			(!strcmp(p.findings[i].code, "pickle-global") && !is_module_name(p.findings[i].detail));
	for (size_t i = 0; i < p.n_findings; i++) {
		const struct vv_pickle_finding *f = &p.findings[i];
		const struct vv_finding seen = {f->code, 0, f->detail};
		/* What a broken one would run it runs before it breaks. */
		if (!sure && broken && (!is_module_name(f->detail) || vv_severity_of(&seen) != VV_DANGEROUS))
			continue;
		if (!strcmp(f->code, "pickle-global") || !strcmp(f->code, "pickle-extension"))
			tell(s, where, f->code, off + f->off, "%s", f->detail);
	}
	vv_pickle_release(&p);
	return forgive(ret, err);
}

static int scan_source(struct scanner *s, const char *where, const struct vv_source *src, uint64_t off, unsigned level,
	struct vv_err *err);

static void check_name(struct scanner *s, const char *where, const struct vv_zip_member *m, uint64_t off)
{
	const char *n = m->name;

	if (n[0] == '/' || strchr(n, '\\') || (n[0] && n[1] == ':') || !strncmp(n, "../", 3) || strstr(n, "/../") ||
		!strcmp(n, "..") || (strlen(n) >= 3 && !strcmp(n + strlen(n) - 3, "/..")))
		tell(s, where, "unsafe-path", off + m->header, "%s: whoever unpacks it writes elsewhere", n);
}

/* The member's content, deflated or not, as a source of its own. */
static int scan_content(struct scanner *s, const char *where, const struct vv_source *src, const struct vv_zip_member *m,
	uint64_t off, unsigned level, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_PICKLE);
	struct vv_source_mem mem;
	struct part part = {{m->len, read_part}, src, m->off};
	bool crc_ok;
	int ret;

	if (!m->method)
		return scan_source(s, where, &part.base, off + m->off, level, err);
	if (m->raw_len > VV_MAX_PICKLE) {
		tell(s, where, "limit", off + m->header, "too large, and compressed: not looked into");
		return 0;
	}
	ret = vv_zip_load(src, m, &text, &crc_ok, err);
	vv_source_mem_init(&mem, vv_buf_view(&text));
	if (!ret)
		ret = scan_source(s, where, &mem.base, off + m->header, level, err);
	vv_buf_release(&text);
	return forgive(ret, err);
}

static int scan_member(struct scanner *s, const char *where, const struct vv_source *src, const struct vv_zip_member *m,
	uint64_t off, unsigned level, struct vv_err *err)
{
	char inner[600];
	bool crc_ok = true;
	int ret;

	check_name(s, where, m, off);
	if (m->method && m->raw_len > BOMB_MIN && m->raw_len / BOMB_RATIO > m->len) {
		tell(s, where, "zip-bomb", off + m->header, "%s: %" PRIu64 " bytes claim to be %" PRIu64, m->name, m->len, m->raw_len);
		return 0;
	}
	ret = vv_zip_check(src, m, &crc_ok, err);
	if (ret == VV_EFORMAT)
		tell(s, where, "malformed", off + m->header, "%s: does not inflate to what it claims", m->name);
	else if (!ret && !crc_ok)
		tell(s, where, "crc", off + m->header, "%s: not the CRC-32 that the archive claims", m->name);
	if (ret)
		return forgive(ret, err);
	snprintf(inner, sizeof(inner), "%s%.200s: ", where, m->name);
	return scan_content(s, inner, src, m, off, level + 1, err);
}

static int scan_zip(struct scanner *s, const char *where, const struct vv_source *src, uint64_t off, unsigned level,
	struct vv_err *err)
{
	struct vv_arena arena = {0};
	struct vv_zip z;
	int ret = vv_zip_read(&z, src, &arena, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		tell(s, where, "malformed", off, "%s", err->msg);
		ret = forgive(ret, err);
	}
	/* Also what was read of an archive that lies: a loader may take it. */
	for (size_t i = 0; i < z.n && !ret; i++) {
		ret = scan_member(s, where, src, &z.members[i], off, level, err);
		if (level == 0)
			vv_progress(s->prog, "Scanning", z.members[i].end, src->size);
	}
	vv_arena_release(&arena);
	return ret;
}

/* Archives one after the other. */
static int scan_run(struct scanner *s, const struct vv_source *src, struct vv_err *err)
{
	struct vv_torch_part *parts;
	size_t n;
	int ret = vv_torch_run(&parts, &n, src, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < n && !ret; i++) {
		char where[40];

		snprintf(where, sizeof(where), "%zu: ", i);
		ret = scan_zip(s, where, &parts[i].base, parts[i].off, 0, err);
	}
	free(parts);
	return ret;
}

/* What a file, or a member, is by its content, whatever its name is. */
static int scan_source(struct scanner *s, const char *where, const struct vv_source *src, uint64_t off, unsigned level,
	struct vv_err *err)
{
	uint8_t head[HEAD];
	size_t n = (size_t)vv_min64(sizeof(head), src->size);
	int ret = vv_source_read(src, 0, head, n, err);
	uint8_t *bytes;
	bool sure;

	if (ret)
		return ret;
	if (level == 0 && !strcmp(s->out->format, vv_format_torch_dcp.name))
		return scan_run(s, src, err);
	if (vv_zip_probe(vv_span(head, n)) || (level == 0 && vv_zip_trails(src))) {
		if (level > MAX_LEVEL) {
			tell(s, where, "limit", off, "an archive too deep inside archives to look into");
			return 0;
		}
		return scan_zip(s, where, src, off, level, err);
	}
	sure = vv_pickle_probe(vv_span(head, n));
	/* Numbers may stand behind a pickle as behind anything. */
	if (!sure && strcmp(s->out->format, "opaque") && strcmp(s->out->format, "floats"))
		return 0;
	n = (size_t)vv_min64(src->size, sure ? VV_MAX_PICKLE : LOOK_INTO);
	bytes = malloc(n + 1);
	ret = bytes ? vv_source_read(src, 0, bytes, n, err) : vv_fail_nomem(err);
	if (!ret)
		ret = scan_pickle(s, where, vv_span(bytes, n), off, sure, err);
	free(bytes);
	return ret;
}

/* The same thing, found by the format already. */
static bool is_told(const struct vv_scan *o, size_t known, const struct vv_finding *f)
{
	for (size_t i = 0; i < known; i++)
		if (!strcmp(o->findings[i].code, f->code) && (o->findings[i].off == f->off || !strcmp(o->findings[i].detail, f->detail)))
			return true;
	return false;
}

int vv_scan(struct vv_scan *out, const struct vv_source *src, struct vv_progress *prog, struct vv_err *err)
{
	struct scanner s = {.out = out, .prog = prog};
	struct vv_layout l;
	size_t known, kept;
	int ret;

	*out = (struct vv_scan){0};
	ret = vv_layout_locate(&l, src, err);
	if (ret)
		return ret;
	out->format = l.format->name;
	for (size_t i = 0; i < l.n_findings; i++)
		tell(&s, "", l.findings[i].code, l.findings[i].off, "%s", l.findings[i].detail);
	vv_layout_release(&l);
	known = kept = out->n;
	ret = scan_source(&s, "", src, 0, 0, err);
	for (size_t i = known; i < out->n; i++)
		if (!is_told(out, known, &out->findings[i]))
			out->findings[kept++] = out->findings[i];
	out->n = kept;
	if (!ret && s.failed)
		ret = vv_fail_nomem(err);
	if (ret)
		vv_scan_release(out);
	return ret;
}

void vv_scan_release(struct vv_scan *s)
{
	vv_arena_release(&s->arena);
	*s = (struct vv_scan){0};
}
