#include "model/manifest.h"

#include "model/manifest_text.h"
#include "os/place.h"
#include "os/tree.h"

static bool conflict_marker(const uint8_t *p, size_t n)
{
	if (n < 7 || (p[0] != '<' && p[0] != '=' && p[0] != '>' && p[0] != '|'))
		return false;
	for (size_t i = 1; i < 7; i++)
		if (p[i] != p[0])
			return false;
	return true;
}

/* The version in a first line; 0 when it is none of ours. */
static uint64_t first_line_version(struct vv_span s)
{
	uint64_t v = 0;

	if (!vv_span_starts(s, VV_TEXT_MAGIC))
		return 0;
	s = vv_span(s.ptr + strlen(VV_TEXT_MAGIC), s.len - strlen(VV_TEXT_MAGIC));
	if (vv_text_number(&s, &v) || !vv_span_starts(s, VV_TEXT_STANDS))
		return 0;
	return v;
}

enum vv_manifest_kind vv_manifest_detect(struct vv_span text)
{
	uint64_t version = first_line_version(text);
	bool marked = conflict_marker(text.ptr, text.len);

	if (!version && !marked)
		return VV_TEXT_OTHER;
	for (size_t i = 0; i < text.len;) {
		const uint8_t *nl = memchr(text.ptr + i, '\n', text.len - i);
		if (!nl)
			break;
		i = (size_t)(nl - text.ptr) + 1;
		struct vv_span rest = vv_span(text.ptr + i, text.len - i);
		marked |= conflict_marker(rest.ptr, rest.len);
		/* Versions that differ put the marker above the first line. */
		if (!version)
			version = first_line_version(rest);
	}
	if (!version)
		return VV_TEXT_OTHER;
	if (marked)
		return VV_TEXT_CONFLICTED;
	return version == VV_MANIFEST_VERSION ? VV_TEXT_MANIFEST : VV_TEXT_NEWER;
}

void vv_manifest_release(struct vv_manifest *m)
{
	vv_arena_release(&m->arena);
	*m = (struct vv_manifest){0};
}

bool vv_manifest_is_dir(const struct vv_manifest *m)
{
	return !strcmp(m->format, VV_TEXT_DIRECTORY);
}

bool vv_manifest_path_ok(const char *path)
{
	const char *part = path;
	unsigned depth = 0;

	if (!strcmp(path, ".gitignore") || strlen(path) > VV_MAX_NAME)
		return false;
	for (;; part++) {
		size_t len = strcspn(part, "/");

		if (!len || len > 255 || (len == 1 && *part == '.') || (len == 2 && !memcmp(part, "..", 2)) ||
			(len == 6 && !memcmp(part, ".varve", 6)) || vv_is_dotgit(part, len))
			return false;
		part += len;
		if (!*part)
			return true;
		if (++depth > VV_TREE_DEPTH)
			return false;
	}
}

bool vv_manifest_find(const struct vv_manifest *m, const char *name, size_t *seg, size_t *view)
{
	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views; j++)
			if (!strcmp(m->segs[i].seg.views[j].name, name)) {
				*seg = i;
				*view = j;
				return true;
			}
	return false;
}

int vv_text_number(struct vv_span *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++)
		if (vv_mul_over(v, (uint64_t)10, &v) || vv_add_over(v, (uint64_t)(s->ptr[n] - '0'), &v))
			return 1;
	if (!n || (n > 1 && s->ptr[0] == '0'))
		return 1;
	*out = v;
	*s = vv_span(s->ptr + n, s->len - n);
	return 0;
}

int vv_text_root(struct vv_span before, struct vv_span after, struct vv_id *root, struct vv_err *err)
{
	struct vv_sha256 h;
	int ret = vv_sha256_init(&h, err);

	if (ret)
		return ret;
	vv_sha256_update(&h, before);
	vv_sha256_update(&h, after);
	vv_sha256_final(&h, root);
	vv_sha256_release(&h);
	return 0;
}

int vv_shape_numel(const uint64_t *shape, unsigned ndim, uint64_t *numel)
{
	uint64_t n = 1;
	bool zero = false;

	for (unsigned i = 0; i < ndim; i++)
		zero |= !shape[i];
	for (unsigned i = 0; i < ndim && !zero; i++)
		if (vv_mul_over(n, shape[i], &n))
			return 1;
	*numel = zero ? 0 : n;
	return 0;
}

bool vv_view_contiguous(const struct vv_view *v)
{
	uint64_t step = 1, numel;

	if (!v->stride)
		return true;
	if (vv_shape_numel(v->shape, v->ndim, &numel))
		return false;
	if (!numel)
		return true;
	for (unsigned i = v->ndim; i-- > 0;) {
		/* Nothing ever steps along a dimension of one. */
		if (v->shape[i] != 1 && v->stride[i] != step)
			return false;
		step *= v->shape[i];
	}
	return true;
}

int vv_segment_numel(const struct vv_segment *s, uint64_t *numel)
{
	unsigned bits = vv_dtype_info(s->dtype)->bits;
	uint64_t all;

	if (s->coding)
		return vv_packed_size(s, numel, &all);
	if (bits >= 8) {
		*numel = s->len / (bits / 8);
		return s->len % (bits / 8) != 0;
	}
	if (vv_mul_over(s->len, (uint64_t)8, &all))
		return 1;
	*numel = all / bits;
	return all % bits != 0;
}

int vv_view_extent(const struct vv_view *v, uint64_t *extent)
{
	uint64_t numel, last = 0, step;

	if (vv_shape_numel(v->shape, v->ndim, &numel))
		return 1;
	if (!numel || vv_view_contiguous(v)) {
		*extent = numel;
		return 0;
	}
	for (unsigned i = 0; i < v->ndim; i++)
		if (vv_mul_over(v->shape[i] - 1, v->stride[i], &step) || vv_add_over(last, step, &last))
			return 1;
	return vv_add_over(last, (uint64_t)1, extent);
}
