/* What a file tells of tensors in other files: collected, checked, and never opened here. */
#include "format/format.h"

#include "base/check.h"
#include "format/unique.h"

#include <inttypes.h>

enum { FIRST = 64 };

const char *vv_elsewhere_bad(struct vv_span s)
{
	const uint8_t *p = s.ptr;

	if (!s.len)
		return "an empty path";
	if (memchr(p, 0, s.len))
		return "a path with a NUL";
	if (memchr(p, '\\', s.len))
		return "a path with a backslash";
	if (p[0] == '/')
		return "an absolute path";
	if (s.len > 1 && p[1] == ':' && (p[0] | 32) >= 'a' && (p[0] | 32) <= 'z')
		return "a path with a drive";
	for (size_t from = 0, i = 0; i <= s.len; i++)
		if (i == s.len || p[i] == '/') {
			if (i - from == 2 && p[from] == '.' && p[from + 1] == '.')
				return "a path with ..";
			from = i + 1;
		}
	return NULL;
}

/* "." and "a/": below the folder, but no file. */
static bool is_folder(const char *file)
{
	size_t n = strlen(file);

	return file[n - 1] == '/' || (file[n - 1] == '.' && (n == 1 || file[n - 2] == '/'));
}

/* "./a//b" is a/b. */
static char *plain(struct vv_arena *arena, const char *file)
{
	char *out = vv_arena_alloc(arena, strlen(file) + 1), *to = out;

	for (const char *p = file; out && *p;) {
		size_t n = strcspn(p, "/"), rest = p[n] == '/';
		if (n && !(n == 1 && *p == '.')) {
			memcpy(to, p, n + rest);
			to += n + rest;
		}
		p += n + rest;
	}
	return out;
}

static int check(const struct vv_elsewheres *all, const struct vv_elsewhere *e, struct vv_err *err)
{
	const char *bad = vv_elsewhere_bad(vv_span_str(e->file));
	uint64_t numel, bytes = e->len, end;

	if (all->n == VV_MAX_TENSORS)
		return vv_fail(err, VV_ELIMIT, "more than %d tensors", VV_MAX_TENSORS);
	if (strlen(e->name) > VV_MAX_NAME || strlen(e->file) > VV_MAX_NAME)
		return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
	/* Names may be made of what many share, and be longer together than the file. */
	if (all->arena.used > 4 * (size_t)VV_MAX_HEADER)
		return vv_fail(err, VV_ELIMIT, "names of more than %d bytes", VV_MAX_HEADER);
	if (!bad && is_folder(e->file))
		bad = "a path of a folder";
	if (bad)
		return vv_fail(err, VV_EUNSAFE, "tensor '%s' lies in %s", e->name, bad);
	if (e->off == UINT64_MAX)
		return 0;
	if (vv_add_over(e->off, e->len, &end) || end > INT64_MAX)
		return vv_fail(err, VV_EFORMAT, "tensor '%s' lies past any end, at offset %" PRIu64, e->name, e->off);
	if (e->within)
		return 0;
	if (e->dtype == VV_DT_BYTES ? e->ndim > 0 : e->ndim > VV_MAX_DIMS ||
			vv_dtype_bytes(e->dtype, e->shape, e->ndim, &numel, &bytes) || bytes != e->len)
		return vv_fail(err, VV_EFORMAT, "tensor '%s': its shape and its %" PRIu64 " bytes do not agree", e->name,
			e->len);
	return 0;
}

/* Room for one more. Under 64, or a power of two: then what there is, is full. */
static int grow(struct vv_elsewheres *all, struct vv_err *err)
{
	struct vv_elsewhere *items;

	if (all->n && (all->n < FIRST || all->n & (all->n - 1)))
		return 0;
	items = vv_arena_array(&all->arena, all->n ? 2 * all->n : FIRST, sizeof(*items));
	if (!items)
		return vv_fail_nomem(err);
	if (all->n)
		memcpy(items, all->items, all->n * sizeof(*items));
	all->items = items;
	return 0;
}

int vv_elsewhere_add(struct vv_elsewheres *out, const struct vv_elsewhere *item, struct vv_err *err)
{
	const struct vv_elsewhere *last = out->n ? &out->items[out->n - 1] : NULL;
	struct vv_elsewhere e = *item;
	uint64_t *shape;
	int ret = check(out, item, err);

	if (!ret)
		ret = grow(out, err);
	if (ret)
		return ret;
	if (e.off == UINT64_MAX || e.within) {
		e.dtype = VV_DT_BYTES;
		e.ndim = 0;
	}
	if (e.off == UINT64_MAX) {
		e.within = false;
		e.len = 0;
	}
	e.file = plain(&out->arena, item->file);
	/* Neighbours lie in one file. */
	if (e.file && last && !strcmp(e.file, last->file))
		e.file = last->file;
	e.name = vv_arena_copy(&out->arena, vv_span_str(item->name));
	shape = vv_arena_array(&out->arena, e.ndim ? e.ndim : 1, sizeof(*shape));
	if (!e.file || !e.name || !shape)
		return vv_fail_nomem(err);
	if (e.ndim)
		memcpy(shape, item->shape, e.ndim * sizeof(*shape));
	e.shape = shape;
	out->items[out->n++] = e;
	return 0;
}

int vv_elsewhere_read(
	const struct vv_format *f, const struct vv_source *src, struct vv_elsewheres *out, struct vv_err *err)
{
	struct vv_map names = {0};
	int ret;

	*out = (struct vv_elsewheres){.n = 0};
	ret = f->elsewhere ? f->elsewhere(out, src, err) : 0;
	for (size_t i = 0; i < out->n && !ret; i++)
		ret = vv_unique_name(&out->items[i].name, &names, &out->arena, err);
	vv_map_release(&names);
	if (ret)
		vv_elsewheres_release(out);
	return ret;
}

void vv_elsewheres_release(struct vv_elsewheres *e)
{
	vv_arena_release(&e->arena);
	*e = (struct vv_elsewheres){.n = 0};
}

void vv_elsewhere_file(struct vv_buf *out, const struct vv_elsewhere *item, const char *own)
{
	const char *slash = strrchr(own, '/'), *name = slash ? slash + 1 : own, *dot = strrchr(name, '.');
	size_t n = (size_t)(name - own);

	if (item->suffix)
		n += dot && dot > name ? (size_t)(dot - name) : strlen(name);
	vv_buf_add(out, own, n);
	vv_buf_str(out, item->file);
}
