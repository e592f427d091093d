/*
 * PyTorch's checkpoints before 1.6, and of _use_new_zipfile_serialization=False: five pickles (a magic
 * number, the protocol, about the machine, the object, the keys of its storages), then for each key the
 * number of elements, 8 bytes, and the elements. After torch/serialization.py, _legacy_load.
 */
#include "base/check.h"
#include "base/le.h"
#include "format/formats.h"
#include "format/inplace.h"
#include "format/torch.h"

#include <inttypes.h>
#include <stdlib.h>

/* The number 0x1950a86a20f9469cfc6c and 1001, each a pickle of protocol 2. */
static const uint8_t magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.',
	0x80, 2, 'M', 0xe9, 3, '.'};

enum { FIRST_TRY = 1 << 20 };

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	return head.len >= sizeof(magic) && !memcmp(head.ptr, magic, sizeof(magic)) ? VV_PROBE_YES : VV_PROBE_NO;
}

struct legacy {
	uint8_t *bytes; /* of the pickles */
	struct vv_pickle machine, object, keys;
	size_t object_off, data; /* where the object's pickle begins; where the keys' ends */
	struct vv_torch_tree tree;
};

static void release(struct legacy *l)
{
	vv_pickle_release(&l->machine);
	vv_pickle_release(&l->object);
	vv_pickle_release(&l->keys);
	vv_torch_tree_release(&l->tree);
	free(l->bytes);
	*l = (struct legacy){0};
}

static int parse_three(struct legacy *l, size_t n, struct vv_err *err)
{
	struct vv_pickle *const p[] = {&l->machine, &l->object, &l->keys};
	size_t at = sizeof(magic), used;
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(p) && !ret; i++) {
		if (i == 1)
			l->object_off = at;
		ret = vv_pickle_parse_first(p[i], vv_span(l->bytes + at, n - at), &used, err);
		at += used;
	}
	l->data = at;
	return ret;
}

/* Reads as much as the pickles take: that is not known before. */
static int read_pickles(struct legacy *l, const struct vv_source *src, struct vv_err *err)
{
	uint64_t most = vv_min64(src->size, VV_MAX_PICKLE), n = vv_min64(most, FIRST_TRY);
	int ret;

	for (;; n = vv_min64(most, 8 * n)) {
		release(l);
		l->bytes = malloc((size_t)n + 1);
		ret = l->bytes ? vv_source_read(src, 0, l->bytes, (size_t)n, err) : vv_fail_nomem(err);
		if (!ret)
			ret = parse_three(l, (size_t)n, err);
		/* What was cut off has to be read on; what is broken before stays so. */
		if (ret != VV_EFORMAT || l->data < n || n == most)
			return ret;
		vv_err_clear(err);
	}
}

static void tell(struct vv_layout_build *b, const struct legacy *l)
{
	for (size_t i = 0; i < l->object.n_findings; i++)
		vv_layout_finding(b, l->object.findings[i].code, l->object_off + l->object.findings[i].off, "%s",
			l->object.findings[i].detail);
}

/* Where each storage lies: `off` by storage. */
static int find_storages(struct legacy *l, const struct vv_source *src, uint64_t *off, struct vv_err *err)
{
	const struct vv_pickle *k = &l->keys;
	const struct vv_pickle_node *list = vv_pickle_node(k, k->root);
	uint64_t at = l->data, *found;

	if (list->kind != VV_PK_LIST || list->items.n != l->tree.n_storages)
		return vv_fail(err, VV_EFORMAT, "its list of storages is not that of its tensors, offset %zu", l->data);
	for (uint32_t i = 0; i < list->items.n; i++) {
		uint32_t key = vv_pickle_item(k, k->root, i);
		const struct vv_torch_storage *s;
		uint8_t n[8];
		int ret;

		found = vv_pickle_node(k, key)->kind == VV_PK_STR ? vv_map_find(&l->tree.keys, vv_pickle_text(k, key)) : NULL;
		if (!found || off[*found])
			return vv_fail(err, VV_EFORMAT, "a storage that no tensor has, or twice, offset %" PRIu64, at);
		s = &l->tree.storages[*found];
		ret = vv_source_read(src, at, n, sizeof(n), err);
		if (ret)
			return ret;
		at += sizeof(n);
		off[*found] = at;
		if (s->dtype != VV_DT_BYTES && (vv_get64(n) > src->size || vv_get64(n) * vv_dtype_width(s->dtype) != s->bytes))
			return vv_fail(err, VV_EFORMAT, "a storage has another size than its tensors say, offset %" PRIu64, at);
		if (s->dtype == VV_DT_BYTES || s->bytes > src->size - at)
			return vv_fail(err, VV_EFORMAT, "a storage of no known type, or past the end, offset %" PRIu64, at);
		at += s->bytes;
	}
	return at == src->size ? 0 : vv_fail(err, VV_EFORMAT, "bytes after the last storage, offset %" PRIu64, at);
}

static int report(const struct legacy *l, const uint64_t *off, struct vv_layout_build *b, struct vv_err *err)
{
	const struct vv_torch_tree *t = &l->tree;
	struct vv_view *views = vv_arena_array(vv_layout_arena(b), t->n_tensors, sizeof(*views));
	size_t *g = vv_torch_tree_group(t), *list = g + t->n_storages + 1;
	int ret = views && g ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < t->n_tensors && !ret; i++)
		views[i] = t->tensors[list[i]].view;
	for (size_t i = 0; i < t->n_storages && !ret; i++)
		if (g[i + 1] > g[i] && !t->storages[i].opaque)
			ret = vv_layout_tensor(b, off[i], t->storages[i].bytes, t->storages[i].dtype, views + g[i], g[i + 1] - g[i], err);
	free(g);
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct legacy l = {0};
	uint64_t *off = NULL;
	uint32_t at;
	int ret = read_pickles(&l, src, err);

	tell(b, &l);
	if (!ret)
		ret = vv_torch_tree_make(&l.tree, &l.object, vv_layout_arena(b), &at, err);
	if (!ret && !(off = calloc(l.tree.n_storages + 1, sizeof(*off))))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = find_storages(&l, src, off, err);
	if (!ret)
		ret = report(&l, off, b, err);
	free(off);
	release(&l);
	return ret;
}

const struct vv_format vv_format_torch_legacy = {.name = "torch-legacy", .probe = probe, .locate = locate, .assemble = vv_inplace_assemble,
	.sets = "the same tensors, with other values"};
