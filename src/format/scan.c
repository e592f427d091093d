#include "format/scan.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/map.h"
#include "format/formats.h"
#include "format/graph.h"
#include "format/keras_code.h"
#include "format/npy.h"
#include "format/pickle.h"
#include "format/savedmodel.h"
#include "format/torch.h"
#include "format/zip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

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

/* Where findings of another reader go. */
struct telling {
	struct scanner *s;
	const char *where;
	uint64_t off;
};

static void tell_global(void *ctx, const struct vv_pickle_finding *f, bool vague)
{
	const struct telling *t = ctx;
	const struct vv_finding seen = {f->code, 0, f->detail};

	/* What a broken one would run it runs before it breaks. */
	if (!vague || (vv_pickle_is_name(f->detail) && vv_severity_of(&seen) == VV_DANGEROUS))
		tell(t->s, t->where, f->code, t->off + f->off, "%s", f->detail);
}

static void tell_keras(void *ctx, const char *code, uint64_t off, const char *detail)
{
	const struct telling *t = ctx;

	tell(t->s, t->where, code, t->off + off, "%s", detail);
}

static void tell_op(void *ctx, const char *name, uint64_t off)
{
	const struct telling *t = ctx;

	tell(t->s, t->where, "tf-op", t->off + off, "%s", name);
}

static int scan_graph(struct telling *t, const struct vv_source *src, struct vv_err *err)
{
	struct vv_savedmodel g = {.op = tell_op, .ctx = t};
	int ret = vv_savedmodel_walk(&g, src, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT)
		tell(t->s, t->where, "malformed", t->off, "%s", err->msg);
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
	bool all = true;
	int ret = vv_zip_read(&z, src, &arena, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		tell(s, where, "malformed", off, "%s", err->msg);
		vv_err_clear(err);
		/* A loader may believe another of its records, and take what is in it. */
		ret = vv_zip_salvage(&z, src, &arena, &all, err);
		if (!ret && !all)
			tell(s, where, "limit", off, "more members than are looked into");
	}
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

/* A stream of zlib or gzip, as joblib and pickle's users compress with. */
static bool is_deflated(struct vv_span head)
{
	return head.len > 2 && ((head.ptr[0] == 0x1f && head.ptr[1] == 0x8b && head.ptr[2] == 8) ||
		(head.ptr[0] == 0x78 && !((head.ptr[0] << 8 | head.ptr[1]) % 31)));
}

/* Others that joblib takes: bzip2, xz, lzma, lz4. */
static const char *other_compression(struct vv_span head)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *name;
	} all[] = {{"BZh", 3, "bzip2"}, {"\xfd" "7zXZ", 5, "xz"}, {"\x04\x22\x4d\x18", 4, "lz4"}};

	for (size_t i = 0; i < VV_COUNT(all); i++)
		if (head.len > all[i].len && !memcmp(head.ptr, all[i].magic, all[i].len))
			return all[i].name;
	/* No signature: a dictionary of whole 64 KiB, and a length that is not known. */
	if (head.len > 13 && !memcmp(head.ptr, "\x5d\0\0", 3) && !memcmp(head.ptr + 5, "\xff\xff\xff\xff\xff\xff\xff\xff", 8))
		return "lzma";
	return NULL;
}

/* As far as it goes, and no further than LOOK_INTO. */
static int inflate_start(struct vv_span in, struct vv_buf *out, struct vv_err *err)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len};
	int got = inflateInit2(&z, MAX_WBITS + 32) == Z_OK ? Z_OK : Z_MEM_ERROR;

	if (got)
		return vv_fail_nomem(err);
	while (got == Z_OK && out->len < LOOK_INTO) {
		uint8_t *room = vv_buf_reserve(out, 1 << 16);
		if (!room)
			break;
		z.next_out = room;
		z.avail_out = 1 << 16;
		got = inflate(&z, Z_NO_FLUSH);
		out->len += (1 << 16) - z.avail_out;
	}
	inflateEnd(&z);
	return got == Z_MEM_ERROR || out->failed ? vv_fail_nomem(err) : 0;
}

static int scan_deflated(struct scanner *s, const char *where, struct vv_span bytes, uint64_t off, struct vv_err *err)
{
	struct telling t = {s, where, off};
	struct vv_buf text = VV_BUF_INIT(LOOK_INTO + (1 << 16));
	int ret = inflate_start(bytes, &text, err);

	/* Places in it are none in the file. */
	if (!ret && text.len >= LOOK_INTO)
		tell(s, where, "limit", off, "compressed, and more than is looked into");
	if (!ret && vv_pickle_probe(vv_buf_view(&text)))
		ret = vv_pickle_globals(vv_buf_view(&text), true, tell_global, &t, err);
	vv_buf_release(&text);
	return ret;
}

/* A pickle stands where an array of objects has its elements. */
static int scan_objects(struct telling *t, const struct vv_source *src, struct vv_err *err)
{
	struct telling in = *t;
	struct vv_npy npy;
	uint8_t *bytes;
	size_t n;
	int ret = vv_npy_read(&npy, src, 0, src->size, err);

	if (ret || !npy.finding || strcmp(npy.finding, "pickle") != 0)
		return forgive(ret, err);
	n = (size_t)vv_min64(src->size - npy.data, VV_MAX_PICKLE);
	bytes = malloc(n + 1);
	ret = bytes ? vv_source_read(src, npy.data, bytes, n, err) : vv_fail_nomem(err);
	in.off += npy.data;
	if (!ret)
		ret = vv_pickle_globals(vv_span(bytes, n), true, tell_global, &in, err);
	free(bytes);
	return ret;
}

/* What neither is an archive nor needs to be asked for by name. */
static int scan_bytes(struct telling *t, struct vv_span head, const struct vv_source *src, struct vv_err *err)
{
	bool sure = vv_pickle_probe(head), config = vv_keras_config_probe(head), deflated = is_deflated(head);
	size_t n = (size_t)vv_min64(src->size, sure ? VV_MAX_PICKLE : LOOK_INTO);
	/* Numbers may stand behind a pickle as behind anything. */
	bool opaque = !strcmp(t->s->out->format, "opaque") || !strcmp(t->s->out->format, "floats");
	struct vv_span bytes;
	uint8_t *all;
	int ret;

	if (opaque && other_compression(head))
		tell(t->s, t->where, "compressed", t->off, "%s: not looked into", other_compression(head));
	if (!sure && !config && !deflated && !opaque)
		return 0;
	all = malloc(n + 1);
	ret = all ? vv_source_read(src, 0, all, n, err) : vv_fail_nomem(err);
	bytes = vv_span(all, n);
	if (!ret && config)
		ret = vv_keras_code(bytes, tell_keras, t, err);
	else if (!ret && deflated)
		ret = scan_deflated(t->s, t->where, bytes, t->off, err);
	if (!ret && (sure || opaque))
		ret = vv_pickle_globals(bytes, sure, tell_global, t, err);
	free(all);
	return ret;
}

/* What a file, or a member, is by its content, whatever its name is. */
static int scan_source(struct scanner *s, const char *where, const struct vv_source *src, uint64_t off, unsigned level,
	struct vv_err *err)
{
	struct telling t = {s, where, off};
	uint8_t head[HEAD];
	size_t n = (size_t)vv_min64(sizeof(head), src->size);
	int ret = vv_source_read(src, 0, head, n, err);

	if (ret)
		return ret;
	if (level == 0 && !strcmp(s->out->format, vv_format_torch_dcp.name))
		return scan_run(s, src, err);
	if (vv_zip_probe(vv_span(head, n)) || (level == 0 && vv_zip_trails(src))) {
		if (level <= MAX_LEVEL)
			return scan_zip(s, where, src, off, level, err);
		tell(s, where, "limit", off, "an archive too deep inside archives to look into");
		return 0;
	}
	ret = vv_span_starts(vv_span(head, n), "\x93NUMPY") ? scan_objects(&t, src, err) : scan_graph(&t, src, err);
	return ret ? ret : scan_bytes(&t, vv_span(head, n), src, err);
}

/* Operators of a graph that are nobody's own, each name once. With "Flex" before it TensorFlow's own runs. */
static int scan_operators(struct scanner *s, const struct vv_format *f, const struct vv_source *src, struct vv_err *err)
{
	static const char flex[] = "Flex";
	struct vv_map seen = {0};
	struct vv_graph g;
	int ret = vv_graph_read(&g, f, src, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT)
		tell(s, "", "malformed", 0, "the graph cannot be read: %s", err->msg);
	if (ret == VV_ENOTFOUND)
		vv_err_clear(err);
	if (ret)
		return ret == VV_ENOTFOUND ? 0 : forgive(ret, err);
	for (size_t i = 0; i < g.n_nodes && !ret; i++) {
		const struct vv_graph_node *n = &g.nodes[i];
		const char *of = strncmp(n->op, flex, sizeof(flex) - 1) ? "" : n->op + sizeof(flex) - 1;
		bool added = false;

		if (n->custom && !vv_map_put(&seen, vv_span_str(n->op), 1, &added))
			ret = vv_fail_nomem(err);
		if (added && vv_savedmodel_reaches(of))
			tell(s, "", "tf-op", n->off, "%s", of);
		else if (added)
			tell(s, "", "custom-op", n->off, "%s", n->op);
	}
	vv_map_release(&seen);
	vv_graph_release(&g);
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
	if (l.format == &vv_format_tflite || l.format == &vv_format_onnx)
		ret = scan_operators(&s, l.format, src, err);
	vv_layout_release(&l);
	known = kept = out->n;
	if (!ret)
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
