#define _GNU_SOURCE
#include "model/directory.h"

#include "model/manifest_text.h"

#include <fnmatch.h>
#include <stdlib.h>

/* Names and details are in full here, as in a directory's manifest. */
struct vv_dir_entry {
	const char *path, *format;
	unsigned mode;
	uint64_t size;
	struct vv_id sha256;
	const struct vv_manifest_seg *segs;
	size_t n_segs;
	const struct vv_finding *findings;
	size_t n_findings;
};

bool vv_dir_find(const struct vv_manifest *dir, const char *path, size_t *at)
{
	size_t lo = 0, hi = dir->n_files;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(dir->files[mid].path, path);
		if (!cmp) {
			*at = mid;
			return true;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Views with the first `skip` bytes of their names left away, or with `before` put before them. */
static int rename_views(struct vv_arena *a, struct vv_segment *s, size_t skip, const char *before, struct vv_err *err)
{
	struct vv_view *views = vv_arena_array(a, s->n_views, sizeof(*views));

	if (!views)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < s->n_views; i++) {
		size_t n = strlen(before), len = strlen(s->views[i].name + skip);
		char *name = n ? vv_arena_alloc(a, n + len + 1) : NULL;

		if (n && !name)
			return vv_fail_nomem(err);
		views[i] = s->views[i];
		views[i].name += skip;
		if (!n)
			continue;
		memcpy(name, before, n);
		memcpy(name + n, views[i].name, len);
		views[i].name = name;
	}
	s->views = views;
	return 0;
}

int vv_dir_file(const struct vv_manifest *dir, size_t i, struct vv_manifest *out, struct vv_err *err)
{
	const struct vv_manifest_file *f = &dir->files[i];
	struct vv_manifest m = {.format = f->format, .size = f->size, .sha256 = f->sha256};
	size_t skip = strlen(f->path) + strlen(VV_TEXT_TENSOR_IN);
	int ret = 0;

	m.segs = vv_arena_array(&m.arena, f->n_segs, sizeof(*m.segs));
	m.findings = vv_arena_array(&m.arena, f->n_findings, sizeof(*m.findings));
	if (!m.segs || !m.findings)
		ret = vv_fail_nomem(err);
	for (; !ret && m.n_segs < f->n_segs; m.n_segs++) {
		struct vv_manifest_seg *s = &m.segs[m.n_segs];
		*s = dir->segs[f->seg + m.n_segs];
		s->seg.off -= f->off;
		if (s->seg.n_views)
			ret = rename_views(&m.arena, &s->seg, skip, "", err);
	}
	for (; !ret && m.n_findings < f->n_findings; m.n_findings++) {
		m.findings[m.n_findings] = dir->findings[f->finding + m.n_findings];
		m.findings[m.n_findings].detail += skip;
	}
	if (ret)
		vv_manifest_release(&m);
	else
		*out = m;
	return ret;
}

static int add(struct vv_dir_build *b, const struct vv_dir_entry *e, struct vv_err *err)
{
	if (b->n == VV_MAX_FILES)
		return vv_fail(err, VV_ELIMIT, "more than %d files in one directory", VV_MAX_FILES);
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		struct vv_dir_entry *v = realloc(b->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = *e;
	return 0;
}

int vv_dir_build_take(struct vv_dir_build *b, const struct vv_manifest *dir, size_t i, struct vv_err *err)
{
	const struct vv_manifest_file *f = &dir->files[i];
	struct vv_dir_entry e = {f->path, f->format, f->mode, f->size, f->sha256, dir->segs + f->seg, f->n_segs,
		dir->findings + f->finding, f->n_findings};

	return add(b, &e, err);
}

/* "<path><joint>" */
static char *before(struct vv_arena *a, const char *path, const char *joint)
{
	size_t n = strlen(path), k = strlen(joint);
	char *s = vv_arena_alloc(a, n + k + 1);

	if (s) {
		memcpy(s, path, n);
		memcpy(s + n, joint, k);
	}
	return s;
}

static int copy_findings(struct vv_dir_build *b, struct vv_dir_entry *e, struct vv_finding *to,
	const struct vv_manifest *file, struct vv_err *err)
{
	for (size_t i = 0; i < file->n_findings; i++) {
		const struct vv_finding *f = &file->findings[i];
		char *head = before(&b->arena, e->path, VV_TEXT_FINDING_IN), *code = vv_arena_copy(&b->arena, vv_span_str(f->code));
		size_t n = head ? strlen(head) : 0, len = strlen(f->detail);
		char *detail = head ? vv_arena_alloc(&b->arena, n + len + 1) : NULL;

		if (!code || !detail)
			return vv_fail_nomem(err);
		memcpy(detail, head, n);
		memcpy(detail + n, f->detail, len);
		to[i] = (struct vv_finding){code, f->off, detail};
	}
	e->findings = to;
	e->n_findings = file->n_findings;
	return 0;
}

/* Shapes are the manifest's, which may go before the build does. */
static int copy_shapes(struct vv_arena *a, const struct vv_segment *s, struct vv_err *err)
{
	struct vv_view *views = (struct vv_view *)(uintptr_t)s->views;

	for (size_t i = 0; i < s->n_views; i++) {
		struct vv_view *v = &views[i];
		uint64_t *dims = vv_arena_array(a, 2 * (size_t)v->ndim, sizeof(*dims));
		if (!dims)
			return vv_fail_nomem(err);
		if (v->ndim)
			memcpy(dims, v->shape, v->ndim * sizeof(*dims));
		if (v->ndim && v->stride)
			memcpy(dims + v->ndim, v->stride, v->ndim * sizeof(*dims));
		v->shape = dims;
		v->stride = v->stride ? dims + v->ndim : NULL;
	}
	return 0;
}

int vv_dir_build_put(struct vv_dir_build *b, const char *path, unsigned mode, const struct vv_manifest *file, struct vv_err *err)
{
	bool pieces = file->n_segs > 1 || (file->n_segs && file->segs[0].seg.n_views);
	struct vv_manifest_seg *segs = vv_arena_array(&b->arena, file->n_segs, sizeof(*segs));
	struct vv_finding *findings = vv_arena_array(&b->arena, file->n_findings, sizeof(*findings));
	struct vv_dir_entry e = {.path = vv_arena_copy(&b->arena, vv_span_str(path)), .mode = mode & 0100 ? 0755 : 0644,
		.format = vv_arena_copy(&b->arena, vv_span_str(pieces ? file->format : "opaque")), .size = file->size,
		.sha256 = file->sha256, .segs = segs, .n_segs = file->n_segs};
	char *head = before(&b->arena, path, VV_TEXT_TENSOR_IN);
	int ret = segs && findings && e.path && e.format && head ? 0 : vv_fail_nomem(err);

	if (!ret && !vv_manifest_path_ok(path))
		ret = vv_fail(err, VV_EUNSAFE, "%s: not a name that varve keeps in a directory", path);
	for (size_t i = 0; i < file->n_segs && !ret; i++) {
		segs[i] = file->segs[i];
		if (segs[i].seg.n_views)
			ret = rename_views(&b->arena, &segs[i].seg, 0, head, err);
		if (!ret)
			ret = copy_shapes(&b->arena, &segs[i].seg, err);
	}
	if (!ret)
		ret = copy_findings(b, &e, findings, file, err);
	return ret ? ret : add(b, &e, err);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct vv_dir_entry *)a)->path, ((const struct vv_dir_entry *)b)->path);
}

/* Puts the entries side by side. */
static int lay_out(struct vv_dir_build *b, struct vv_manifest *m, struct vv_err *err)
{
	size_t n_segs = 0, n_findings = 0;

	for (size_t i = 0; i < b->n; i++) {
		n_segs += b->v[i].n_segs;
		n_findings += b->v[i].n_findings;
	}
	m->files = vv_arena_array(&m->arena, b->n, sizeof(*m->files));
	m->segs = vv_arena_array(&m->arena, n_segs, sizeof(*m->segs));
	m->findings = vv_arena_array(&m->arena, n_findings, sizeof(*m->findings));
	if (!m->files || !m->segs || !m->findings)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < b->n; i++) {
		const struct vv_dir_entry *e = &b->v[i];
		m->files[i] = (struct vv_manifest_file){e->path, e->format, e->mode, m->size, e->size, e->sha256, m->n_segs,
			e->n_segs, m->n_findings, e->n_findings};
		if (e->n_segs)
			memcpy(m->segs + m->n_segs, e->segs, e->n_segs * sizeof(*m->segs));
		if (e->n_findings)
			memcpy(m->findings + m->n_findings, e->findings, e->n_findings * sizeof(*m->findings));
		m->n_segs += e->n_segs;
		m->n_findings += e->n_findings;
		if (vv_add_over(m->size, e->size, &m->size))
			return vv_fail(err, VV_ELIMIT, "the files are larger than 2^64 bytes together");
	}
	m->n_files = b->n;
	return 0;
}

int vv_dir_build_end(struct vv_dir_build *b, struct vv_buf *text, struct vv_manifest *m_out, struct vv_err *err)
{
	struct vv_manifest m = {.format = VV_TEXT_DIRECTORY}, parsed = {0};
	size_t start = text->len;
	int ret;

	if (b->n)
		qsort(b->v, b->n, sizeof(*b->v), by_path);
	ret = lay_out(b, &m, err);
	if (!ret)
		ret = vv_manifest_emit(&m, text, err);
	/* Read back, so that what is committed is known to be readable. */
	if (!ret)
		ret = vv_manifest_parse(&parsed, vv_span(text->ptr + start, text->len - start), err);
	vv_manifest_release(&m);
	if (!ret && m_out)
		*m_out = parsed;
	else
		vv_manifest_release(&parsed);
	return ret;
}

void vv_dir_build_release(struct vv_dir_build *b)
{
	vv_arena_release(&b->arena);
	free(b->v);
	*b = (struct vv_dir_build){0};
}

int vv_dir_choose(struct vv_manifest *out, const struct vv_manifest *from, const char *const *patterns, size_t n,
	struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = 0;

	for (size_t i = 0; i < from->n_files && !ret; i++) {
		bool match = !n;
		for (size_t k = 0; k < n && !match; k++)
			match = !fnmatch(patterns[k], from->files[i].path, FNM_LEADING_DIR);
		if (match)
			ret = vv_dir_build_take(&build, from, i, err);
	}
	if (!ret && n && !build.n)
		ret = vv_fail(err, VV_ENOTFOUND, "no file matches '%s'", patterns[0]);
	if (!ret)
		ret = vv_dir_build_end(&build, &text, out, err);
	vv_dir_build_release(&build);
	vv_buf_release(&text);
	return ret;
}
