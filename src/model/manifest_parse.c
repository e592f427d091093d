/* Strict: accepts exactly the texts that emitting yields, and allocates only what lines it has seen can back. */
#include "base/cursor.h"
#include "base/map.h"
#include "base/quote.h"
#include "model/manifest_text.h"

#include <inttypes.h>

struct parser {
	struct vv_cursor c;
	size_t line; /* number of the line last taken */
	struct vv_manifest m;
	struct vv_map names;
	struct vv_map paths;   /* of a directory's files */
	struct vv_sha256 lines; /* of its file lines */
	bool dir;
	struct vv_buf scratch;
	struct vv_view *views;  /* of all segments, in text order */
	size_t n_views;
	uint64_t off;           /* sum of the segments so far */
	bool is_storage;        /* the last segment has no whole view */
	uint64_t numel;         /* of the last segment */
	struct vv_err *err;
};

static int bad(struct parser *p, const char *what)
{
	return vv_fail(p->err, VV_EFORMAT, "manifest line %zu: %s", p->line, what);
}

static int next_line(struct parser *p, struct vv_span *s)
{
	p->line++;
	if (vv_take_line(&p->c, s))
		return bad(p, p->c.left ? "is cut short" : "is missing");
	if (s->len && s->ptr[s->len - 1] == '\r')
		return bad(p, "ends in a carriage return: something converted the line ends");
	return 0;
}

/* The words of a line. Each takes what it names from the start of `s`, or returns nonzero. */

static bool word(struct vv_span *s, const char *w)
{
	if (!vv_span_starts(*s, w))
		return false;
	*s = vv_span(s->ptr + strlen(w), s->len - strlen(w));
	return true;
}

static int last_id(struct vv_span s, struct vv_id *out)
{
	return vv_id_parse(out, s);
}

static int type(struct vv_span *s, enum vv_dtype *out)
{
	const uint8_t *sp = s->len ? memchr(s->ptr, ' ', s->len) : NULL;
	size_t n = sp ? (size_t)(sp - s->ptr) : s->len;

	if (vv_dtype_find(out, vv_span(s->ptr, n)) || *out == VV_DT_BYTES)
		return 1;
	*s = vv_span(s->ptr + n, s->len - n);
	return 0;
}

static int dims(struct vv_span *s, uint64_t *out, unsigned *n)
{
	*n = 0;
	if (!word(s, "["))
		return 1;
	if (word(s, "]"))
		return 0;
	do {
		if (*n == VV_MAX_DIMS || vv_text_number(s, &out[*n]))
			return 1;
		++*n;
	} while (word(s, ","));
	return !word(s, "]");
}

static bool plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The file that the lines belong to; NULL in a manifest of one file. */
static struct vv_manifest_file *last_file(struct parser *p)
{
	return p->m.n_files ? &p->m.files[p->m.n_files - 1] : NULL;
}

/*
 * A quoted string of at most `max` bytes without NUL, kept in the arena. In a directory, with `joint`, it is put
 * behind its file's path and that.
 */
static int quoted(struct parser *p, struct vv_span *s, size_t max, const char *joint, const char **out)
{
	const struct vv_manifest_file *f = joint ? last_file(p) : NULL;
	size_t n = 1, before = f ? strlen(f->path) : 0;
	struct vv_span text;
	char *kept;

	/* Almost every name is plain ASCII and stands for itself. */
	bool opened = s->len && s->ptr[0] == '"';
	while (opened && n < s->len && plain(s->ptr[n]))
		n++;
	if (opened && n < s->len && s->ptr[n] == '"') {
		text = vv_span(s->ptr + 1, n - 1);
		*s = vv_span(s->ptr + n + 1, s->len - n - 1);
	} else {
		vv_buf_clear(&p->scratch);
		if (vv_unquote(&p->scratch, s))
			return bad(p, "a quoted text is not as varve writes it");
		text = vv_buf_view(&p->scratch);
	}
	if (text.len > max || (text.len && memchr(text.ptr, 0, text.len)))
		return bad(p, "a quoted text is too long or holds a NUL");
	if (f) {
		kept = vv_arena_alloc(&p->m.arena, before + strlen(joint) + text.len + 1);
		if (kept) {
			memcpy(kept, f->path, before);
			memcpy(kept + before, joint, strlen(joint));
			if (text.len)
				memcpy(kept + before + strlen(joint), text.ptr, text.len);
		}
	} else {
		kept = vv_arena_copy(&p->m.arena, text);
	}
	*out = kept;
	return kept ? 0 : vv_fail_nomem(p->err);
}

static int unique_name(struct parser *p, struct vv_span *s, const char **out)
{
	int ret = quoted(p, s, VV_MAX_NAME, VV_TEXT_TENSOR_IN, out);
	bool added;

	if (ret)
		return ret;
	if (!vv_map_put(&p->names, vv_span_str(*out), 0, &added))
		return vv_fail_nomem(p->err);
	return added ? 0 : bad(p, "this tensor's name was there before");
}

static bool is_word(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
			    s.ptr[i] == '-' || s.ptr[i] == '_'))
			return false;
	return s.len && s.len <= VV_TEXT_WORD;
}

/* --- header --- */

static int finding_line(struct parser *p, struct vv_span s)
{
	struct vv_finding *f = &p->m.findings[p->m.n_findings];
	struct vv_manifest_file *file = last_file(p);
	int ret;

	if ((file ? file->n_findings : p->m.n_findings) == VV_MAX_FINDINGS)
		return bad(p, "too many findings");
	ret = quoted(p, &s, VV_TEXT_WORD, NULL, &f->code);
	if (ret)
		return ret;
	if (!is_word(vv_span_str(f->code)) || !word(&s, " ") || vv_text_number(&s, &f->off) || !word(&s, " "))
		return bad(p, "want: finding \"code\" offset \"detail\"");
	ret = quoted(p, &s, VV_TEXT_DETAIL, VV_TEXT_FINDING_IN, &f->detail);
	if (ret)
		return ret;
	p->m.n_findings++;
	if (file)
		file->n_findings++;
	return s.len ? bad(p, "goes on after its end") : 0;
}

/* Up to and with the empty line. *root_at and *root_end: where the root line lies. */
static int header(struct parser *p, size_t *root_at, size_t *root_end)
{
	struct vv_span s;
	int ret = next_line(p, &s);

	if (ret)
		return ret;
	if (!vv_span_is(s, VV_TEXT_LINE1))
		return bad(p, "is not how a manifest begins");
	if ((ret = next_line(p, &s)))
		return ret;
	if (!word(&s, "format ") || !is_word(s))
		return bad(p, "want: format name");
	p->m.format = vv_arena_copy(&p->m.arena, s);
	if (!p->m.format)
		return vv_fail_nomem(p->err);
	if ((ret = next_line(p, &s)))
		return ret;
	if (!word(&s, "size ") || vv_text_number(&s, &p->m.size) || s.len)
		return bad(p, "want: size bytes");
	if ((ret = next_line(p, &s)))
		return ret;
	if (!word(&s, "sha256 ") || last_id(s, &p->m.sha256))
		return bad(p, "want: sha256 and 64 lower-case hex digits");
	*root_at = p->c.off;
	if ((ret = next_line(p, &s)))
		return ret;
	if (!word(&s, "root ") || last_id(s, &p->m.root))
		return bad(p, "want: root and 64 lower-case hex digits");
	*root_end = p->c.off;
	p->dir = vv_manifest_is_dir(&p->m);
	p->m.findings = vv_arena_array(&p->m.arena, VV_MAX_FINDINGS, sizeof(*p->m.findings));
	if (!p->m.findings)
		return vv_fail_nomem(p->err);
	for (;;) {
		if ((ret = next_line(p, &s)))
			return ret;
		if (!s.len)
			return 0;
		if (p->dir || !word(&s, "finding "))
			return bad(p, p->dir ? "want the empty line" : "want a finding or the empty line");
		if ((ret = finding_line(p, s)))
			return ret;
	}
}

/* --- segments --- */

/* Counts what the rest of the text holds, so that arrays are made once and bounded beforehand. */
static int count_lines(struct parser *p)
{
	size_t segs = 0, views = 0, files = 0, findings = 0;

	for (struct vv_cursor c = p->c; c.left;) {
		struct vv_span s;
		if (vv_take_line(&c, &s))
			break;
		bool is_view = vv_span_starts(s, "view ") || vv_span_starts(s, "packed ");
		bool is_file = p->dir && vv_span_starts(s, "file ");
		bool is_finding = p->dir && vv_span_starts(s, "finding ");
		files += is_file;
		findings += is_finding;
		segs += !is_view && !is_finding && !is_file;
		views += is_view || vv_span_starts(s, "tensor ");
	}
	if (views > VV_MAX_TENSORS || segs > 2 * (size_t)VV_MAX_TENSORS + 1)
		return vv_fail(p->err, VV_ELIMIT, "manifest: more than %d tensors", VV_MAX_TENSORS);
	if (files > VV_MAX_FILES)
		return vv_fail(p->err, VV_ELIMIT, "manifest: more than %d files", VV_MAX_FILES);
	/* An opaque file is its own segment. */
	p->m.segs = vv_arena_array(&p->m.arena, segs + files, sizeof(*p->m.segs));
	p->views = vv_arena_array(&p->m.arena, views, sizeof(*p->views));
	if (!p->m.segs || !p->views)
		return vv_fail_nomem(p->err);
	if (!p->dir)
		return 0;
	p->m.files = vv_arena_array(&p->m.arena, files, sizeof(*p->m.files));
	p->m.findings = vv_arena_array(&p->m.arena, findings, sizeof(*p->m.findings));
	return p->m.files && p->m.findings ? vv_sha256_init(&p->lines, p->err) : vv_fail_nomem(p->err);
}

/* A new last segment of `len` bytes. */
static int add_segment(struct parser *p, enum vv_dtype dt, uint64_t len, const struct vv_id *id)
{
	struct vv_manifest_seg *ms = &p->m.segs[p->m.n_segs];

	*ms = (struct vv_manifest_seg){
		.seg = {.off = p->off, .len = len, .dtype = dt, .views = p->views + p->n_views}, .id = *id};
	if (vv_add_over(p->off, len, &p->off) || p->off > p->m.size)
		return bad(p, "the segments are longer than the file");
	p->m.n_segs++;
	p->is_storage = false;
	if (p->dir)
		last_file(p)->n_segs++;
	return 0;
}

static int add_view(struct parser *p, const char *name, const uint64_t *shape, unsigned ndim,
	const uint64_t *stride, uint64_t offset)
{
	struct vv_segment *s = &p->m.segs[p->m.n_segs - 1].seg;
	uint64_t *kept = vv_arena_array(&p->m.arena, stride ? 2 * (size_t)ndim : ndim, sizeof(*kept));

	if (!kept)
		return vv_fail_nomem(p->err);
	if (ndim)
		memcpy(kept, shape, ndim * sizeof(*kept));
	if (stride)
		memcpy(kept + ndim, stride, ndim * sizeof(*kept));
	p->views[p->n_views++] = (struct vv_view){name, ndim, kept, stride ? kept + ndim : NULL, offset};
	s->n_views++;
	return 0;
}

static int tensor_line(struct parser *p, struct vv_span s)
{
	uint64_t shape[VV_MAX_DIMS], len;
	enum vv_dtype dt;
	struct vv_id id;
	const char *name;
	unsigned ndim;
	int ret = unique_name(p, &s, &name);

	if (ret)
		return ret;
	if (!word(&s, " ") || type(&s, &dt) || !word(&s, " ") || dims(&s, shape, &ndim) || !word(&s, " ") ||
		last_id(s, &id))
		return bad(p, "want: tensor \"name\" type [shape] id");
	if (vv_dtype_bytes(dt, shape, ndim, &p->numel, &len))
		return bad(p, "the shape is too large, or ends within a byte");
	ret = add_segment(p, dt, len, &id);
	return ret ? ret : add_view(p, name, shape, ndim, NULL, 0);
}

static int storage_line(struct parser *p, struct vv_span s)
{
	enum vv_dtype dt;
	uint64_t numel, len;
	struct vv_id id;
	int ret;

	if (type(&s, &dt) || !word(&s, " ") || vv_text_number(&s, &numel) || !word(&s, " ") || last_id(s, &id))
		return bad(p, "want: storage type elements id");
	if (vv_dtype_bytes(dt, &numel, 1, &p->numel, &len))
		return bad(p, "the storage is too large, or ends within a byte");
	ret = add_segment(p, dt, len, &id);
	p->is_storage = true;
	return ret;
}

static int opaque_line(struct parser *p, struct vv_span s)
{
	uint64_t len;
	struct vv_id id;

	if (vv_text_number(&s, &len) || !len || !word(&s, " ") || last_id(s, &id))
		return bad(p, "want: opaque bytes id");
	return add_segment(p, VV_DT_BYTES, len, &id);
}

/* `-`, or one number for each dimension where that says something; and the space behind. */
static int strides(struct vv_span *s, struct vv_view *v, uint64_t *stride)
{
	unsigned n = 0;

	if (word(s, "- "))
		return 0;
	v->stride = stride;
	return dims(s, stride, &n) || n != v->ndim || vv_view_contiguous(v) || !word(s, " ");
}

static int view_line(struct parser *p, struct vv_span s)
{
	uint64_t shape[VV_MAX_DIMS], stride[VV_MAX_DIMS], extent;
	struct vv_view v = {.shape = shape};
	const struct vv_segment *seg = p->m.n_segs ? &p->m.segs[p->m.n_segs - 1].seg : NULL;
	enum vv_dtype dt;
	int ret;

	if (!seg || seg->dtype == VV_DT_BYTES || seg->coding)
		return bad(p, "a view must follow its tensor or storage");
	ret = unique_name(p, &s, &v.name);
	if (ret)
		return ret;
	if (!word(&s, " ") || type(&s, &dt) || dt != seg->dtype || !word(&s, " ") || dims(&s, shape, &v.ndim) ||
		!word(&s, " "))
		return bad(p, "want: view \"name\" type [shape] [strides] offset");
	if (strides(&s, &v, stride))
		return bad(p, "the strides are not one for each dimension, or say nothing");
	if (vv_text_number(&s, &v.offset) || s.len)
		return bad(p, "want: view \"name\" type [shape] [strides] offset");
	if (vv_view_extent(&v, &extent) || v.offset > p->numel || extent > p->numel - v.offset)
		return bad(p, "the view reaches past its storage");
	if (p->is_storage && vv_view_is_whole(seg, &v))
		return bad(p, "this view names its whole storage: that is written as a tensor");
	return add_view(p, v.name, shape, v.ndim, v.stride, v.offset);
}

static int coding(struct vv_span *s, unsigned *out)
{
	const uint8_t *sp = s->len ? memchr(s->ptr, ' ', s->len) : NULL;
	size_t n = sp ? (size_t)(sp - s->ptr) : s->len;

	if (vv_coding_find(out, vv_span(s->ptr, n)))
		return 1;
	*s = vv_span(s->ptr + n, s->len - n);
	return 0;
}

/* Another name of the same packed elements says the same of them. */
static int packed_line(struct parser *p, struct vv_span s)
{
	uint64_t shape[VV_MAX_DIMS], stride[VV_MAX_DIMS], skip;
	struct vv_view v = {.shape = shape};
	struct vv_segment *seg = p->m.n_segs ? &p->m.segs[p->m.n_segs - 1].seg : NULL;
	enum vv_dtype dt;
	unsigned code;
	int ret;

	if (!seg || (seg->dtype != VV_DT_BYTES && !seg->coding))
		return bad(p, "a packed tensor must follow its opaque bytes");
	ret = unique_name(p, &s, &v.name);
	if (ret)
		return ret;
	if (!word(&s, " ") || type(&s, &dt) || !word(&s, " ") || dims(&s, shape, &v.ndim) || !word(&s, " "))
		return bad(p, "want: packed \"name\" type [shape] [strides] coding skip");
	if (strides(&s, &v, stride))
		return bad(p, "the strides are not one for each dimension, or say nothing");
	if (coding(&s, &code) || !word(&s, " ") || vv_text_number(&s, &skip) || s.len)
		return bad(p, "want: packed \"name\" type [shape] [strides] coding skip");
	if (seg->n_views && (dt != seg->dtype || code != seg->coding || skip != seg->skip))
		return bad(p, "is packed otherwise than the name above it");
	const struct vv_view both[] = {seg->n_views ? seg->views[0] : v, v};
	struct vv_segment as = {.len = seg->len, .dtype = dt, .n_views = 2, .views = both, .coding = (uint8_t)code, .skip = skip};
	if (!vv_packed_fits(&as))
		return bad(p, "no such coded bytes can hold the tensor");
	seg->dtype = dt;
	seg->coding = as.coding;
	seg->skip = skip;
	return add_view(p, v.name, shape, v.ndim, v.stride, 0);
}

/* --- files of a directory --- */

/* Does a file lie where this one needs a folder? */
static bool below_file(const struct parser *p, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (vv_map_find(&p->paths, vv_span(path, (size_t)(slash - path))))
			return true;
	return false;
}

/* All lines of the last file were read. */
static int file_ends(struct parser *p)
{
	const struct vv_manifest_file *f = last_file(p);

	if (!f)
		return 0;
	if (p->off - f->off != f->size)
		return bad(p, "the segments above it are not as long as their file");
	if (strcmp(f->format, "opaque") && (!f->n_segs || (f->n_segs == 1 && !p->m.segs[f->seg].seg.n_views)))
		return bad(p, "the file above it is one piece: that is written as opaque");
	return 0;
}

static int file_words(struct parser *p, struct vv_span s, struct vv_manifest_file *f)
{
	const uint8_t *sp;
	int ret = quoted(p, &s, VV_MAX_NAME, NULL, &f->path);

	if (ret)
		return ret;
	f->mode = word(&s, " 755 ") ? 0755 : word(&s, " 644 ") ? 0644 : 0;
	sp = f->mode && s.len ? memchr(s.ptr, ' ', s.len) : NULL;
	if (!sp || !is_word(vv_span(s.ptr, (size_t)(sp - s.ptr))))
		return bad(p, "want: file \"path\" mode format bytes id");
	f->format = vv_arena_copy(&p->m.arena, vv_span(s.ptr, (size_t)(sp - s.ptr)));
	if (!f->format)
		return vv_fail_nomem(p->err);
	s = vv_span(sp + 1, s.len - (size_t)(sp + 1 - s.ptr));
	if (vv_text_number(&s, &f->size) || !word(&s, " ") || last_id(s, &f->sha256))
		return bad(p, "want: file \"path\" mode format bytes id");
	return 0;
}

static int file_line(struct parser *p, struct vv_span line, struct vv_span s)
{
	struct vv_manifest_file f = {.off = p->off, .seg = p->m.n_segs, .finding = p->m.n_findings};
	struct vv_id none;
	int ret = file_ends(p);

	if (!ret)
		ret = file_words(p, s, &f);
	if (ret)
		return ret;
	if (!vv_manifest_path_ok(f.path) || !strcmp(f.format, VV_TEXT_DIRECTORY))
		return bad(p, "not a path or a format that a directory's file may have");
	if (p->m.n_files && strcmp(last_file(p)->path, f.path) >= 0)
		return bad(p, "the files are not in byte order of their paths");
	if (below_file(p, f.path))
		return bad(p, "a file lies where this path has a folder");
	if (!vv_map_put(&p->paths, vv_span_str(f.path), 1, NULL))
		return vv_fail_nomem(p->err);
	vv_sha256_update(&p->lines, line);
	vv_sha256_update(&p->lines, vv_span("\n", 1));
	p->m.files[p->m.n_files++] = f;
	p->is_storage = false;
	if (strcmp(f.format, "opaque"))
		return 0;
	if (f.size)
		return add_segment(p, VV_DT_BYTES, f.size, &f.sha256);
	vv_sha256(vv_span(NULL, 0), &none);
	return vv_id_eq(&none, &f.sha256) ? 0 : bad(p, "an empty file has another id");
}

static int directory_ends(struct parser *p)
{
	struct vv_id id;
	int ret = file_ends(p);

	if (ret)
		return ret;
	vv_sha256_final(&p->lines, &id);
	return vv_id_eq(&id, &p->m.sha256) ? 0
		: vv_fail(p->err, VV_ECORRUPT, "the manifest's sha256 is not that of its file lines: it was merged or edited as text");
}

/* A line of a directory that is not a segment's. 1: it is one. */
static int directory_line(struct parser *p, struct vv_span line)
{
	const struct vv_manifest_file *f = last_file(p);
	bool opaque = f && !strcmp(f->format, "opaque");
	struct vv_span s = line;

	if (word(&s, "file "))
		return file_line(p, line, s);
	if (!f)
		return bad(p, "want a file");
	if (word(&s, "finding "))
		return f->n_segs && !opaque ? bad(p, "a finding stands before the segments of its file") : finding_line(p, s);
	if (opaque)
		return bad(p, "an opaque file has no segments of its own");
	if (!f->n_segs && word(&s, "view "))
		return bad(p, "a view must follow its tensor or storage");
	return !f->n_segs && word(&s, "packed ") ? bad(p, "a packed tensor must follow its opaque bytes") : 1;
}

static int segment_line(struct parser *p, struct vv_span s)
{
	bool bare = p->is_storage && !p->m.segs[p->m.n_segs - 1].seg.n_views;

	if (bare && !vv_span_starts(s, "view "))
		return bad(p, "the storage above it has no view");
	if (p->dir) {
		int ret = directory_line(p, s);
		if (ret != 1)
			return ret;
	}
	if (word(&s, "view "))
		return view_line(p, s);
	if (word(&s, "packed "))
		return packed_line(p, s);
	if (word(&s, "tensor "))
		return tensor_line(p, s);
	if (word(&s, "opaque "))
		return opaque_line(p, s);
	if (word(&s, "storage "))
		return storage_line(p, s);
	return bad(p, "is of no known kind");
}

static int segments(struct parser *p)
{
	int ret = count_lines(p);

	while (!ret && p->c.left) {
		struct vv_span s;

		ret = next_line(p, &s);
		if (!ret)
			ret = segment_line(p, s);
	}
	if (ret)
		return ret;
	if (p->is_storage && !p->m.segs[p->m.n_segs - 1].seg.n_views)
		return bad(p, "the storage has no view");
	if (p->dir && (ret = directory_ends(p)))
		return ret;
	if (p->off != p->m.size)
		return vv_fail(p->err, VV_EFORMAT, "manifest: its segments have %" PRIu64 " bytes, the file %" PRIu64,
			p->off, p->m.size);
	return 0;
}

static int check_kind(struct vv_span text, struct vv_err *err)
{
	if (text.len > VV_MAX_MANIFEST)
		return vv_fail(err, VV_ELIMIT, "manifest: larger than %zu bytes", VV_MAX_MANIFEST);
	switch (vv_manifest_detect(text)) {
	case VV_TEXT_MANIFEST:
		return 0;
	case VV_TEXT_NEWER:
		return vv_fail(err, VV_ENOTSUP, "this manifest was written by a newer varve: update varve to read it");
	case VV_TEXT_CONFLICTED:
		return vv_fail(err, VV_ECONFLICT, "this manifest holds conflict markers");
	case VV_TEXT_OTHER:
		break;
	}
	return vv_fail(err, VV_EFORMAT, "manifest line 1: is not how a manifest begins");
}

int vv_manifest_parse(struct vv_manifest *m, struct vv_span text, struct vv_err *err)
{
	struct parser p = {.c = vv_cursor(text), .scratch = VV_BUF_INIT(VV_MAX_TEXT), .err = err};
	size_t root_at = 0, root_end = 0;
	struct vv_id root;
	int ret = check_kind(text, err);

	if (!ret)
		ret = header(&p, &root_at, &root_end);
	if (!ret)
		ret = segments(&p);
	if (!ret)
		ret = vv_text_root(vv_span(text.ptr, root_at),
			vv_span(text.ptr + root_end, text.len - root_end), &root, err);
	if (!ret && !vv_id_eq(&root, &p.m.root))
		ret = vv_fail(err, VV_ECORRUPT,
			"the manifest's root does not match its lines: it was merged or edited as text");
	vv_map_release(&p.names);
	vv_map_release(&p.paths);
	vv_sha256_release(&p.lines);
	vv_buf_release(&p.scratch);
	if (ret)
		vv_manifest_release(&p.m);
	else
		*m = p.m;
	return ret;
}
