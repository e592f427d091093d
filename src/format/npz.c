/*
 * NumPy's archives: a zip of .npy members, one per array. A stored member's elements are located; a
 * deflated one keeps its own bytes, since deflating again would depend on the zlib at hand: its array is told as packed.
 */
#include "format/formats.h"
#include "format/npy.h"
#include "format/zip.h"
#include "format/zip_records.h"

#include "base/check.h"
#include "base/le.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_npy(const char *name, size_t len)
{
	return len >= 4 && !memcmp(name + len - 4, ".npy", 4);
}

/* Steps over the members whose local headers lie in `head`. */
static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	while (vv_zip_probe(head)) {
		uint64_t name = vv_get16(head.ptr + 26), next = 30 + name + vv_get16(head.ptr + 28) + vv_get32(head.ptr + 18);

		if (name > head.len - 30)
			break;
		if (is_npy((const char *)head.ptr + 30, (size_t)name))
			return VV_PROBE_YES;
		if (next > head.len)
			break;
		head = vv_span(head.ptr + next, head.len - (size_t)next);
	}
	return VV_PROBE_NO;
}

/* Is it an array that varve sees through? A member that is none stays opaque. Of a deflated one the head is inflated. */
static int read_member(struct vv_npy *npy, const struct vv_source *src, const struct vv_zip_member *m, bool *is_array,
	struct vv_err *err)
{
	struct vv_inflated_head head;
	int ret;

	*is_array = false;
	if (!is_npy(m->name, strlen(m->name)))
		return 0;
	vv_inflated_head_init(&head, src, m->off, m->len, m->raw_len);
	ret = m->method ? vv_npy_read(npy, &head.base, 0, m->raw_len, err) : vv_npy_read(npy, src, m->off, m->len, err);
	*is_array = !ret;
	return ret;
}

static int malformed(struct vv_layout_build *b, const struct vv_zip_member *m, struct vv_err *err)
{
	vv_layout_finding(b, "malformed", m->header, "member '%s': %s", m->name, err->msg);
	vv_err_clear(err);
	return 0;
}

static int locate_member(struct vv_layout_build *b, const struct vv_source *src, const struct vv_zip_member *m,
	struct vv_err *err)
{
	struct vv_arena *arena = vv_layout_arena(b);
	struct vv_npy npy;
	bool is_array;
	char *name;
	int ret = read_member(&npy, src, m, &is_array, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT)
		return malformed(b, m, err);
	if (ret || !is_array)
		return ret;
	name = vv_arena_copy(arena, vv_span(m->name, strlen(m->name) - 4));
	if (!name)
		return vv_fail_nomem(err);
	if (!m->method)
		return vv_npy_report(b, &npy, m->off, name, err);
	ret = vv_npy_report_deflated(b, &npy, m->off, m->len, name, err);
	return ret == VV_EFORMAT ? malformed(b, m, err) : ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_zip z;
	int ret = vv_zip_read(&z, src, vv_layout_arena(b), err);

	if (!ret)
		vv_zip_report(&z, b);
	for (size_t i = 0; i < z.n && !ret; i++)
		ret = locate_member(b, src, &z.members[i], err);
	return ret;
}

/* --- writing --- */

struct work {
	const struct vv_assembly *a;
	struct vv_arena arena;
	struct vv_zip zip;
	struct vv_map names;               /* tensor name → member */
	bool *is_array;                    /* one per member */
	struct vv_npy *arrays;
	struct vv_npy_bytes *bytes;        /* one per part */
	size_t n_bytes;
	const struct vv_source **replaced; /* one per member */
};

static int open_old(struct work *w, struct vv_err *err)
{
	int ret = vv_zip_read(&w->zip, w->a->source, &w->arena, err);
	size_t n = w->zip.n + 1;

	if (ret)
		return ret;
	w->is_array = vv_arena_array(&w->arena, n, sizeof(*w->is_array));
	w->arrays = vv_arena_array(&w->arena, n, sizeof(*w->arrays));
	w->replaced = vv_arena_array(&w->arena, n, sizeof(*w->replaced));
	w->bytes = vv_arena_array(&w->arena, w->a->n_parts + 1, sizeof(*w->bytes));
	if (!w->is_array || !w->arrays || !w->replaced || !w->bytes)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < w->zip.n && !ret; i++) {
		const struct vv_zip_member *m = &w->zip.members[i];
		bool is_array;

		ret = read_member(&w->arrays[i], w->a->source, m, &is_array, err);
		if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
			vv_err_clear(err);
			ret = 0;
		}
		w->is_array[i] = is_array && !m->method && w->arrays[i].dtype != VV_DT_BYTES;
		if (!ret && is_npy(m->name, strlen(m->name)) &&
			!vv_map_put(&w->names, vv_span(m->name, strlen(m->name) - 4), i, NULL))
			ret = vv_fail_nomem(err);
	}
	return ret;
}

/* Each part's file, made of its old header or a new one. */
static int open_parts(struct work *w, bool *same_set, struct vv_err *err)
{
	uint64_t room = VV_MAX_NPY_TURNED, last = 0;
	size_t arrays = 0;
	int ret = 0;

	*same_set = true;
	for (size_t i = 0; i < w->zip.n; i++)
		arrays += w->is_array[i];
	for (size_t i = 0; i < w->a->n_parts && !ret; i++) {
		const struct vv_part *p = &w->a->parts[i];
		const uint64_t *at = vv_map_find(&w->names, vv_span_str(p->name));
		const struct vv_zip_member *m = at ? &w->zip.members[*at] : NULL;

		if (m && !w->is_array[*at])
			return vv_fail(err, VV_ENOTSUP, "member '%s' is there already, but not as a tensor", m->name);
		*same_set &= m && m->header >= last;
		last = m ? m->header : 0;
		ret = vv_npy_bytes_init(&w->bytes[i], p, m ? &w->arrays[*at] : NULL, w->a->source, m ? m->off : 0, &room, err);
		w->n_bytes += !ret;
		if (m)
			w->replaced[*at] = &w->bytes[i].base;
	}
	*same_set &= arrays == w->a->n_parts;
	return ret;
}

/* Tensors in their order, then the members that are none, as they are. */
static int fresh(struct work *w, struct vv_sink *out, struct vv_err *err)
{
	struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_zip_writer z;
	int ret = 0;

	vv_zip_writer_init(&z, out);
	for (size_t i = 0; i < w->a->n_parts && !ret; i++) {
		vv_buf_clear(&name);
		vv_buf_fmt(&name, "%s.npy", w->a->parts[i].name);
		ret = vv_buf_check(&name, err);
		if (!ret)
			ret = vv_zip_writer_add(&z, (const char *)name.ptr, &w->bytes[i].base, err);
	}
	for (size_t i = 0; i < w->zip.n && !ret; i++)
		if (!w->is_array[i])
			ret = vv_zip_writer_keep(&z, &w->zip.members[i], w->a->source, err);
	if (!ret)
		ret = vv_zip_writer_end(&z, err);
	vv_zip_writer_release(&z);
	vv_buf_release(&name);
	return ret;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct work w = {.a = a};
	bool same_set;
	int ret = open_old(&w, err);

	if (!ret)
		ret = open_parts(&w, &same_set, err);
	if (!ret && same_set)
		ret = vv_zip_rewrite(&w.zip, a->source, w.replaced, 1, out, err);
	else if (!ret)
		ret = fresh(&w, out, err);
	for (size_t i = 0; i < w.n_bytes; i++)
		vv_npy_bytes_release(&w.bytes[i]);
	vv_map_release(&w.names);
	vv_arena_release(&w.arena);
	return ret;
}

/* The end record of an archive without members. */
static void empty(struct vv_buf *out, const char *note VV_UNUSED)
{
	vv_buf_le(out, ZIP_SIG_END, 4);
	for (int i = 0; i < 18; i++)
		vv_buf_char(out, 0);
}

const struct vv_format vv_format_npz = {
	.name = "npz", .probe = probe, .locate = locate, .assemble = assemble, .empty = empty};
