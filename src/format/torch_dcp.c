/*
 * Files of torch.distributed.checkpoint: archives of torch.save one after the other, one for each tensor or other
 * object that a rank wrote. What they are called is in another file, .metadata, so here they are numbered.
 */
#include "format/formats.h"
#include "format/torch.h"
#include "format/zip_records.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENDS = ZIP_END64 + ZIP_LOCATOR + ZIP_END }; /* what each archive ends with */

/* --- the run --- */

/* *at: where the archive that ends at `end` begins, by its end records, which count from there. */
static int begins(const struct vv_source *src, uint64_t end, uint64_t *at, struct vv_err *err)
{
	uint8_t b[ENDS], head[4];
	const uint8_t *locator = b + ZIP_END64, *last = locator + ZIP_LOCATOR;
	uint64_t len;
	int ret;

	if (end < ENDS)
		return vv_fail(err, VV_EFORMAT, "no archive ends at offset %" PRIu64, end);
	ret = vv_source_read(src, end - ENDS, b, ENDS, err);
	if (ret)
		return ret;
	if (vv_get32(b) != ZIP_SIG_END64 || vv_get64(b + 4) != ZIP_END64 - 12 || vv_get32(locator) != ZIP_SIG_LOCATOR ||
		vv_get32(last) != ZIP_SIG_END || vv_get16(last + 20) || vv_add_over(vv_get64(b + 40), vv_get64(b + 48), &len) ||
		len != vv_get64(locator + 8) || vv_add_over(len, (uint64_t)ENDS, &len) || len > end)
		return vv_fail(err, VV_EFORMAT, "no archive ends at offset %" PRIu64, end);
	*at = end - len;
	ret = vv_source_read(src, *at, head, sizeof(head), err);
	if (!ret && vv_get32(head) != ZIP_SIG_LOCAL)
		ret = vv_fail(err, VV_EFORMAT, "no archive begins at offset %" PRIu64, *at);
	return ret;
}

bool vv_torch_is_run(const struct vv_source *src)
{
	struct vv_err ignore = VV_ERR_INIT;
	uint64_t at = 0, before;

	return !begins(src, src->size, &at, &ignore) && at && !begins(src, at, &before, &ignore);
}

static int read_part(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_torch_part *p = (const struct vv_torch_part *)self;

	return vv_source_read(p->of, p->off + off, dst, len, err);
}

int vv_torch_run(struct vv_torch_part **out, size_t *n, const struct vv_source *src, struct vv_err *err)
{
	struct vv_torch_part *parts = NULL;
	uint64_t end = src->size, at = 0;
	size_t count = 0, cap = 0;
	int ret = 0;

	for (; end && !ret; end = at) {
		ret = begins(src, end, &at, err);
		if (!ret && count == VV_MAX_TENSORS)
			ret = vv_fail(err, VV_ELIMIT, "more than %d archives", VV_MAX_TENSORS);
		if (!ret && count == cap) {
			cap = cap ? cap * 2 : 64;
			struct vv_torch_part *more = realloc(parts, cap * sizeof(*more));
			if (more)
				parts = more;
			else
				ret = vv_fail_nomem(err);
		}
		if (!ret)
			parts[count++] = (struct vv_torch_part){{end - at, read_part}, src, at};
	}
	if (ret) {
		free(parts);
		return ret;
	}
	for (size_t i = 0; i < count / 2; i++) {
		struct vv_torch_part p = parts[i];
		parts[i] = parts[count - 1 - i];
		parts[count - 1 - i] = p;
	}
	*out = parts;
	*n = count;
	return 0;
}

/* --- locating --- */

/* "3" for the only tensor of the fourth archive, "3.w" for one that its object calls w. */
static const char *name_of(size_t number, const struct vv_torch *t, size_t tensor, struct vv_arena *arena)
{
	const char *inner = t->tree.tensors[tensor].view.name;
	size_t room = strlen(inner) + 24;
	char *name = vv_arena_alloc(arena, room);

	if (!name)
		return NULL;
	if (t->tree.n_tensors == 1 && !t->tree.tensors[tensor].parent && !strcmp(inner, "tensor"))
		snprintf(name, room, "%zu", number);
	else
		snprintf(name, room, "%zu.%s", number, inner);
	return name;
}

static int rename_all(struct vv_torch *t, size_t number, struct vv_arena *arena, struct vv_err *err)
{
	for (size_t i = 0; i < t->tree.n_tensors; i++) {
		const char *name = name_of(number, t, i, arena);

		if (!name)
			return vv_fail_nomem(err);
		if (strlen(name) > VV_MAX_NAME)
			return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
		t->tree.tensors[i].view.name = name;
	}
	return 0;
}

/* A reader that takes the whole for one archive looks for the directory from the file's start. */
static int second_reading(struct vv_layout_build *b, const struct vv_source *src, const struct vv_torch_part *first,
	const struct vv_torch_part *last, struct vv_err *err)
{
	uint8_t ends[2][ENDS], there[4];
	int ret = vv_source_read(&first->base, first->base.size - ENDS, ends[0], ENDS, err);

	if (!ret)
		ret = vv_source_read(&last->base, last->base.size - ENDS, ends[1], ENDS, err);
	uint64_t at = ret ? 0 : vv_get64(ends[1] + 48);
	if (!ret)
		ret = vv_source_read(src, at, there, sizeof(there), err);
	/* The first archive's own is what such a reader may as well find. */
	if (!ret && vv_get32(there) == ZIP_SIG_CENTRAL && at != vv_get64(ends[0] + 48))
		vv_layout_finding(b, "polyglot", at, "read as one archive, the file is another");
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_torch_part *parts;
	size_t n;
	int ret = vv_torch_run(&parts, &n, src, err);

	if (ret)
		return ret;
	ret = second_reading(b, src, &parts[0], &parts[n - 1], err);
	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_torch t;

		vv_layout_within(b, parts[i].off);
		ret = vv_torch_read(&t, &parts[i].base, vv_layout_arena(b), b, err);
		if (!ret)
			ret = rename_all(&t, i, vv_layout_arena(b), err);
		if (!ret)
			ret = vv_torch_report(&t, b, err);
		if (ret)
			vv_err_in(err, "archive %zu at offset %" PRIu64, i, parts[i].off);
		vv_torch_release(&t);
	}
	vv_layout_within(b, 0);
	free(parts);
	return ret;
}

/* --- writing --- */

/* The parts for one archive, under the names that it has for them. They follow from the layout's. */
static int parts_of(const struct vv_assembly *a, const struct vv_map *names, size_t number, const struct vv_torch *t,
	struct vv_part *out, size_t *n, struct vv_err *err)
{
	struct vv_arena arena = {0};
	int ret = 0;

	*n = 0;
	for (size_t i = 0; i < t->tree.n_tensors && !ret; i++) {
		const char *name = name_of(number, t, i, &arena);
		const uint64_t *at = name ? vv_map_find(names, vv_span_str(name)) : NULL;

		if (!name) {
			ret = vv_fail_nomem(err);
		} else if (!at) {
			ret = vv_fail(err, VV_ENOTSUP, "tensor '%s' is missing, and what is around it cannot change", name);
		} else {
			out[*n] = a->parts[*at];
			out[(*n)++].name = t->tree.tensors[i].view.name;
		}
	}
	vv_arena_release(&arena);
	return ret;
}

static int assemble_part(const struct vv_assembly *a, const struct vv_map *names, size_t number,
	const struct vv_torch_part *part, struct vv_part *room, size_t *taken, struct vv_sink *out, struct vv_err *err)
{
	struct vv_assembly inner = {a->layout, &part->base, room, 0};
	struct vv_arena arena = {0};
	struct vv_torch t;
	int ret = vv_torch_read(&t, &part->base, &arena, NULL, err);

	if (!ret)
		ret = t.tree.n_tensors > a->n_parts ? vv_fail(err, VV_ENOTSUP, "tensors are missing")
						    : parts_of(a, names, number, &t, room, &inner.n_parts, err);
	if (!ret)
		ret = vv_torch_assemble_same(&inner, out, err);
	*taken += inner.n_parts;
	vv_torch_release(&t);
	vv_arena_release(&arena);
	return ret;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct vv_part *room = calloc(a->n_parts + 1, sizeof(*room));
	struct vv_torch_part *parts = NULL;
	struct vv_map names = {0};
	size_t n = 0, taken = 0;
	int ret = room ? vv_torch_run(&parts, &n, a->source, err) : vv_fail_nomem(err);

	for (size_t i = 0; i < a->n_parts && !ret; i++)
		if (!vv_map_put(&names, vv_span_str(a->parts[i].name), i, NULL))
			ret = vv_fail_nomem(err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = assemble_part(a, &names, i, &parts[i], room, &taken, out, err);
	if (!ret && taken != a->n_parts)
		ret = vv_fail(err, VV_ENOTSUP, "a checkpoint's file takes no other tensors than it has");
	vv_map_release(&names);
	free(parts);
	free(room);
	return ret;
}

/* Never by its start, which is a torch.save's: see the variant of that. */
static enum vv_probe probe(struct vv_span head VV_UNUSED, uint64_t size VV_UNUSED)
{
	return VV_PROBE_NO;
}

const struct vv_format vv_format_torch_dcp = {
	.name = "torch-dcp", .probe = probe, .locate = locate, .assemble = assemble, .sets = "the same tensors, with other values"};
