/* Writing an archive for other tensors: with their bytes in the same places if it is the same set. */
#include "format/torch.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Empty members do not count: they have no descriptor, which is where PyTorch sees the CRC-32. */
static uint64_t add_crc(uint64_t sum, uint32_t crc, uint64_t len)
{
	return len ? vv_torch_combine(sum, crc) : sum;
}

uint64_t vv_torch_combine(uint64_t seed, uint64_t value)
{
	return seed ^ (value + 0x9e3779b9 + (seed << 6) + (seed >> 2));
}

int vv_torch_align(const struct vv_torch *t, const struct vv_source *src, unsigned *align, struct vv_err *err)
{
	struct vv_buf word = VV_BUF_INIT(16);
	unsigned long n;
	bool crc_ok;
	int ret = 0;

	*align = 64;
	for (size_t i = 0; i < t->zip.n && !ret; i++) {
		const char *member = vv_torch_member(t, i);
		if (!member || strcmp(member, ".storage_alignment") != 0)
			continue;
		ret = vv_zip_load(src, &t->zip.members[i], &word, &crc_ok, err);
		vv_buf_add(&word, "", 0); /* ends the text */
		n = ret || !word.ptr ? 0 : strtoul((const char *)word.ptr, NULL, 10);
		if (n && n <= 65536 && !(n & (n - 1)))
			*align = (unsigned)n;
		else if (!ret)
			ret = vv_fail(err, VV_ENOTSUP, "an alignment of %.16s", word.ptr ? (const char *)word.ptr : "nothing");
	}
	vv_buf_release(&word);
	return ret;
}

/* --- matching --- */

bool vv_torch_same_kind(const struct vv_torch_tensor *t, const struct vv_part *p)
{
	return p->dtype == t->dtype && p->ndim == t->view.ndim &&
		(!p->ndim || !memcmp(p->shape, t->view.shape, p->ndim * sizeof(*p->shape)));
}

static int match_parts(struct vv_torch_match *m, const struct vv_torch_tree *tree, const struct vv_assembly *a,
	struct vv_err *err)
{
	struct vv_map by_name = {0};
	bool added = true;
	int ret = 0;

	m->of_tensor = calloc(tree->n_tensors + 1, sizeof(*m->of_tensor));
	m->taken = calloc(a->n_parts + 1, sizeof(*m->taken));
	if (!m->of_tensor || !m->taken)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < a->n_parts && !ret; i++)
		if (!vv_map_put(&by_name, vv_span_str(a->parts[i].name), i, &added))
			ret = vv_fail_nomem(err);
		else if (!added)
			ret = vv_fail(err, VV_EFORMAT, "tensor '%s' is wanted twice", a->parts[i].name);
	m->same = tree->n_tensors == a->n_parts;
	for (size_t i = 0; i < tree->n_tensors && !ret; i++) {
		const uint64_t *at = vv_map_find(&by_name, vv_span_str(tree->tensors[i].view.name));
		if (at) {
			m->of_tensor[i] = &a->parts[*at];
			m->taken[*at] = true;
		}
		m->same &= at && vv_torch_same_kind(&tree->tensors[i], m->of_tensor[i]);
	}
	vv_map_release(&by_name);
	return ret;
}

/* --- the same set --- */

/* The member that PyTorch adds up all others in, written when their CRC-32s are known. */
struct id_source {
	struct vv_source base;
	uint8_t old[VV_TORCH_ID];
	const struct vv_torch *t;
	size_t member;
	struct vv_torch_bytes *const *bytes; /* by member */
};

static int id_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct id_source *s = (const struct id_source *)self;
	char text[VV_TORCH_ID + 1];
	uint64_t sum = 0;
	uint32_t crc;

	for (size_t i = 0; i < s->member; i++) {
		crc = s->t->zip.members[i].crc;
		int ret = s->bytes[i] ? vv_torch_bytes_crc(s->bytes[i], &crc, err) : 0;
		if (ret)
			return ret;
		sum = add_crc(sum, crc, s->t->zip.members[i].len);
	}
	memcpy(text, s->old, VV_TORCH_ID / 2);
	snprintf(text + VV_TORCH_ID / 2, VV_TORCH_ID / 2 + 1, "%020" PRIu64, sum);
	memcpy(dst, text + off, len);
	return 0;
}

/* Makes the source if there is such a member, and it is the sum that we would have written. */
static int find_id(struct id_source *s, const struct vv_torch *t, const struct vv_source *src, struct vv_err *err)
{
	char text[VV_TORCH_ID / 2 + 1];
	uint64_t sum = 0;

	*s = (struct id_source){.base = {VV_TORCH_ID, id_read}, .t = t, .member = SIZE_MAX};
	for (size_t i = 0; i < t->zip.n; i++) {
		const char *member = vv_torch_member(t, i);
		const struct vv_zip_member *m = &t->zip.members[i];
		int ret;

		if (!member || strcmp(member, ".data/serialization_id") != 0 || m->len != VV_TORCH_ID || m->method) {
			sum = add_crc(sum, m->crc, m->len);
			continue;
		}
		ret = vv_source_read(src, m->off, s->old, VV_TORCH_ID, err);
		if (ret)
			return ret;
		snprintf(text, sizeof(text), "%020" PRIu64, sum);
		if (!memcmp(text, s->old + VV_TORCH_ID / 2, VV_TORCH_ID / 2))
			s->member = i;
		return 0;
	}
	return 0;
}

static int fill(struct vv_torch_bytes **bytes, const struct vv_torch *t, const struct vv_torch_match *match,
	const struct vv_source *src, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < t->tree.n_tensors && !ret; i++) {
		const struct vv_torch_tensor *x = &t->tree.tensors[i];
		size_t at = t->tree.storages[x->storage].member;
		const struct vv_zip_member *m = &t->zip.members[at];

		if (!bytes[at])
			bytes[at] = vv_torch_bytes_new(src, m->off, m->len);
		ret = bytes[at] ? vv_torch_bytes_add(bytes[at], x, match->of_tensor[i], err) : vv_fail_nomem(err);
	}
	return ret;
}

static int rewrite(const struct vv_torch *t, const struct vv_assembly *a, const struct vv_torch_match *match,
	struct vv_sink *out, struct vv_err *err)
{
	struct vv_torch_bytes **bytes = calloc(t->zip.n + 1, sizeof(struct vv_torch_bytes *));
	const struct vv_source **replaced = calloc(t->zip.n + 1, sizeof(struct vv_source *));
	struct id_source id;
	char now[VV_TORCH_ID] = {0};
	unsigned align = 64;
	int ret = bytes && replaced ? vv_torch_align(t, a->source, &align, err) : vv_fail_nomem(err);

	if (!ret)
		ret = fill(bytes, t, match, a->source, err);
	if (!ret)
		ret = find_id(&id, t, a->source, err);
	if (ret)
		goto out;
	for (size_t i = 0; i < t->zip.n; i++)
		replaced[i] = bytes[i] ? vv_torch_bytes_source(bytes[i]) : NULL;
	if (id.member != SIZE_MAX) {
		id.bytes = bytes;
		ret = id_read(&id.base, 0, now, VV_TORCH_ID, err);
		/* One that stays is not touched, its CRC-32 neither: writing twice yields what writing once does. */
		if (memcmp(now, id.old, VV_TORCH_ID) != 0)
			replaced[id.member] = &id.base;
	}
	if (!ret)
		ret = vv_zip_rewrite(&t->zip, a->source, replaced, align, out, err);
out:
	for (size_t i = 0; bytes && i < t->zip.n; i++)
		vv_torch_bytes_free(bytes[i]);
	free(bytes);
	free(replaced);
	return ret;
}

static int another_set(struct vv_torch *t, const struct vv_assembly *a, const struct vv_torch_match *match,
	struct vv_arena *arena, struct vv_sink *out, struct vv_err *err)
{
	struct vv_torch_payload *payloads = calloc(t->tree.n_storages + a->n_parts + 1, sizeof(*payloads));
	struct vv_buf pickle = VV_BUF_INIT(VV_MAX_PICKLE);
	size_t n = 0;
	int ret = payloads ? vv_torch_edit(t, a, match, arena, &pickle, payloads, &n, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_torch_archive(t, a, match, vv_buf_view(&pickle), payloads, n, arena, out, err);
	free(payloads);
	vv_buf_release(&pickle);
	return ret;
}

static int assemble(const struct vv_assembly *a, bool same, struct vv_sink *out, struct vv_err *err)
{
	struct vv_torch_match match = {0};
	struct vv_arena arena = {0};
	struct vv_torch t;
	int ret = vv_torch_read(&t, a->source, &arena, NULL, err);

	if (!ret)
		ret = match_parts(&match, &t.tree, a, err);
	if (!ret && match.same)
		ret = rewrite(&t, a, &match, out, err);
	else if (!ret)
		ret = same ? vv_fail(err, VV_ENOTSUP, "only the values of tensors can be changed")
			   : another_set(&t, a, &match, &arena, out, err);
	free(match.of_tensor);
	free(match.taken);
	vv_torch_release(&t);
	vv_arena_release(&arena);
	return ret;
}

int vv_torch_assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	return assemble(a, false, out, err);
}

int vv_torch_assemble_same(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	return assemble(a, true, out, err);
}
