/* A new archive with another pickle and other storages; every other member stays. */
#include "format/torch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY = 24 }; /* bytes of a storage's key */

struct archive {
	const struct vv_torch *t;
	const struct vv_assembly *a;
	const struct vv_torch_match *match;
	const struct vv_torch_payload *payloads;
	size_t n_payloads;
	const size_t *by_storage; /* vv_torch_tree_group() */
	struct vv_arena *arena;
	struct vv_err *err;
};

static const char *member_name(const struct archive *e, const char *folder, const char *name)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_NAME);
	char *copy;

	vv_buf_add(&b, e->t->zip.members[0].name, e->t->top + 1);
	vv_buf_str(&b, folder);
	vv_buf_str(&b, name);
	copy = b.failed ? NULL : vv_arena_copy(e->arena, vv_buf_view(&b));
	vv_buf_release(&b);
	return copy;
}

static int put_payload(const struct archive *e, struct vv_torch_writer *w, size_t number)
{
	const struct vv_torch_payload *pl = &e->payloads[number];
	struct vv_torch_bytes *bytes = NULL;
	const struct vv_zip_member *m;
	char key[KEY];
	const char *name;
	int ret = 0;

	snprintf(key, sizeof(key), "%zu", number);
	name = member_name(e, "data/", key);
	if (!name)
		return vv_fail(e->err, VV_ELIMIT, "too long a name of a member");
	if (pl->part)
		return vv_torch_put(w, name, pl->part->bytes, e->err);
	m = &e->t->zip.members[e->t->tree.storages[pl->old].member];
	bytes = vv_torch_bytes_new(e->a->source, m->off, m->len);
	if (!bytes)
		return vv_fail_nomem(e->err);
	for (size_t i = e->by_storage[pl->old]; i < e->by_storage[pl->old + 1] && !ret; i++) {
		size_t k = e->by_storage[e->t->tree.n_storages + 1 + i];
		const struct vv_torch_tensor *t = &e->t->tree.tensors[k];
		const struct vv_part *part = e->match->of_tensor[k];
		if (part && vv_torch_same_kind(t, part))
			ret = vv_torch_bytes_add(bytes, t, part, e->err);
	}
	if (!ret)
		ret = vv_torch_put(w, name, vv_torch_bytes_source(bytes), e->err);
	vv_torch_bytes_free(bytes);
	return ret;
}

static int by_text(const void *a, const void *b)
{
	char x[KEY], y[KEY];

	snprintf(x, sizeof(x), "%zu", *(const size_t *)a);
	snprintf(y, sizeof(y), "%zu", *(const size_t *)b);
	return strcmp(x, y);
}

/* Before 2.x storages were written in the order of their keys as text, since then as numbers. */
static int put_payloads(const struct archive *e, struct vv_torch_writer *w, bool numeric)
{
	size_t *order = calloc(e->n_payloads + 1, sizeof(*order));
	int ret = order ? 0 : vv_fail_nomem(e->err);

	for (size_t i = 0; order && i < e->n_payloads; i++)
		order[i] = i;
	if (order && !numeric)
		qsort(order, e->n_payloads, sizeof(*order), by_text);
	for (size_t i = 0; i < e->n_payloads && !ret; i++)
		ret = put_payload(e, w, order[i]);
	free(order);
	return ret;
}

static int put_id(const struct archive *e, struct vv_torch_writer *w, const char *name)
{
	char text[VV_TORCH_ID + 1];
	struct vv_source_mem mem;

	snprintf(text, sizeof(text), "%020" PRIu64 "%020" PRIu64, w->ids[0], w->ids[1]);
	vv_source_mem_init(&mem, vv_span(text, VV_TORCH_ID));
	return vv_torch_put(w, name, &mem.base, e->err);
}

static int put_other(const struct archive *e, struct vv_torch_writer *w, size_t i)
{
	const struct vv_zip_member *m = &e->t->zip.members[i];
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	bool crc_ok;
	int ret = vv_zip_load(e->a->source, m, &bytes, &crc_ok, e->err);

	vv_source_mem_init(&mem, vv_buf_view(&bytes));
	if (!ret)
		ret = vv_torch_put(w, m->name, &mem.base, e->err);
	vv_buf_release(&bytes);
	return ret;
}

static bool is_data(const struct archive *e, size_t i)
{
	const char *member = vv_torch_member(e->t, i);

	return member && !strncmp(member, "data/", 5);
}

/* All of the archive's members must be ones that we know how to lay out anew. */
static int check_members(const struct archive *e, bool *numeric)
{
	size_t used = 0, data = 0;

	*numeric = false;
	for (size_t i = 0; i < e->t->zip.n; i++) {
		const char *member = vv_torch_member(e->t, i);
		if (e->t->zip.members[i].method || !member)
			return vv_fail(e->err, VV_ENOTSUP, "an archive that PyTorch did not write");
		*numeric |= !strcmp(member, ".format_version");
		data += is_data(e, i);
	}
	for (size_t i = 0; i < e->t->tree.n_storages; i++)
		used += e->t->tree.storages[i].member != SIZE_MAX;
	return used == data ? 0 : vv_fail(e->err, VV_ENOTSUP, "an archive with storages that nothing names");
}

static int write_archive(const struct archive *e, struct vv_span pickle, struct vv_sink *out)
{
	struct vv_torch_writer w = {.out = out, .directory = VV_BUF_INIT(0)};
	struct vv_source_mem mem;
	bool numeric, data_done = false;
	int ret = check_members(e, &numeric);

	if (!ret)
		ret = vv_torch_align(e->t, e->a->source, &w.align, e->err);
	vv_source_mem_init(&mem, pickle);
	for (size_t i = 0; i < e->t->zip.n && !ret; i++) {
		const char *member = vv_torch_member(e->t, i);
		/* Storages stand before "version", also when there were none before. */
		if (!data_done && (is_data(e, i) || !strcmp(member, "version"))) {
			ret = put_payloads(e, &w, numeric);
			data_done = true;
		}
		if (ret || is_data(e, i))
			continue;
		if (i == e->t->data_pkl)
			ret = vv_torch_put(&w, e->t->zip.members[i].name, &mem.base, e->err);
		else if (!strcmp(member, ".data/serialization_id"))
			ret = put_id(e, &w, e->t->zip.members[i].name);
		else
			ret = put_other(e, &w, i);
	}
	if (!ret && !data_done)
		ret = put_payloads(e, &w, numeric);
	if (!ret)
		ret = vv_torch_put_end(&w, e->err);
	vv_buf_release(&w.directory);
	return ret;
}

int vv_torch_archive(const struct vv_torch *t, const struct vv_assembly *a, const struct vv_torch_match *match,
	struct vv_span pickle, const struct vv_torch_payload *payloads, size_t n_payloads, struct vv_arena *arena,
	struct vv_sink *out, struct vv_err *err)
{
	size_t *by_storage = vv_torch_tree_group(&t->tree);
	struct archive e = {t, a, match, payloads, n_payloads, by_storage, arena, err};
	int ret = by_storage ? write_archive(&e, pickle, out) : vv_fail_nomem(err);

	free(by_storage);
	return ret;
}
