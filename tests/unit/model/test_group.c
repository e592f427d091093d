#include "model/group.h"

#include "hash/sha256.h"
#include "model/model.h"

#include "tap.h"
#include "toy.h"

static void test_names(void)
{
	const char *rest;
	unsigned long n = 0;

	CHECK_INT(vv_shard_stem("a/model-00002-of-00005.safetensors", &rest, &n), 8);
	CHECK_STR(rest, ".safetensors");
	CHECK_INT(n, 2);
	CHECK_INT(vv_shard_stem("m-of-of-1-of-2.bin", &rest, &n), 8);
	CHECK_INT(n, 1);
	CHECK_INT(vv_shard_stem("model.safetensors", &rest, NULL), 0);
	CHECK_INT(vv_shard_stem("best-of-2.pt", &rest, NULL), 0);
	CHECK_INT(vv_shard_stem("1-of-2", &rest, NULL), 0);
	CHECK_INT(vv_shard_stem("m-1-of-x", &rest, NULL), 0);
	CHECK_INT(vv_shard_stem("m-1-of-2/part.bin", &rest, NULL), 0);
	CHECK(vv_shard_of_same("a/m-1-of-2.bin", "a/m-3-of-4.bin"));
	CHECK(!vv_shard_of_same("a/m-1-of-2.bin", "b/m-1-of-2.bin"));
	CHECK(!vv_shard_of_same("m-1-of-2.bin", "m-2-of-2.pt"));
	CHECK(!vv_shard_of_same("m.bin", "m.bin"));
}

static void test_joined(void)
{
	struct toy a, b;
	struct vv_group g;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id both;
	uint8_t ids[2 * VV_ID_BYTES], got[64];
	size_t seg, view;

	toy_init(&a);
	toy_f32(&a, "w", 1);
	toy_f32(&a, "x", 2);
	toy_done(&a);
	toy_init(&b);
	toy_f32(&b, "y", 3);
	toy_f32(&b, "w", 4);
	toy_done(&b);
	const struct vv_version files[] = {{&a.m, NULL}, {&b.m, NULL}};
	CHECK_OK(vv_group_make(&g, files, 2, &err), &err);
	CHECK_INT(g.m.size, a.m.size + b.m.size);
	CHECK_INT(g.m.n_segs, a.m.n_segs + b.m.n_segs);
	CHECK_STR(g.m.format, a.m.format);
	memcpy(ids, a.m.sha256.b, VV_ID_BYTES);
	memcpy(ids + VV_ID_BYTES, b.m.sha256.b, VV_ID_BYTES);
	vv_sha256(vv_span(ids, sizeof(ids)), &both);
	CHECK(vv_id_eq(&both, &g.m.sha256));
	CHECK(vv_manifest_find(&g.m, "x", &seg, &view) && vv_manifest_find(&g.m, "y", &seg, &view));
	CHECK(vv_manifest_find(&g.m, "w~2", &seg, &view));
	for (size_t i = 0, at = 0; i < g.m.n_segs; at += g.m.segs[i++].seg.len)
		CHECK_INT(g.m.segs[i].seg.off, at);

	/* Their bytes: across the border, at it, and each for itself. */
	g.files[0].bytes = a.v.bytes;
	g.files[1].bytes = b.v.bytes;
	for (uint64_t off = a.m.size - 7; off <= a.m.size; off++) {
		size_t first = (size_t)(a.m.size - off);
		uint8_t want[8];
		CHECK_OK(vv_source_read(&g.base, off, got, sizeof(want), &err), &err);
		CHECK_OK(first ? vv_source_read(a.v.bytes, off, want, first, &err) : 0, &err);
		CHECK_OK(vv_source_read(b.v.bytes, 0, want + first, sizeof(want) - first, &err), &err);
		CHECK(!memcmp(got, want, sizeof(want)));
	}
	CHECK_OK(vv_source_read(&g.base, g.m.size, got, 0, &err), &err);
	CHECK(vv_source_read(&g.base, g.m.size, got, 1, &err) == VV_EFORMAT);
	vv_err_clear(&err);
	memset(&b.m.sha256, 7, sizeof(b.m.sha256));
	memcpy(ids + VV_ID_BYTES, b.m.sha256.b, VV_ID_BYTES);
	vv_sha256(vv_span(ids, sizeof(ids)), &both);
	CHECK_OK(vv_group_sum(&g, &err), &err);
	CHECK(vv_id_eq(&both, &g.m.sha256));
	vv_group_release(&g);

	a.m.size = UINT64_MAX;
	CHECK(vv_group_make(&g, files, 2, &err) == VV_ELIMIT);
	toy_release(&a);
	toy_release(&b);
}

static struct vv_elsewhere at(const char *name, uint64_t off, const uint64_t *n)
{
	return (struct vv_elsewhere){.file = "data", .name = name, .dtype = VV_DT_F32, .ndim = 1, .shape = n, .off = off, .len = *n * 4};
}

static void test_index(void)
{
	static const uint64_t one = 1, two = 2, three = 3;
	struct toy index, data, shard;
	struct vv_group g, named;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id id;
	size_t seg, view, left;
	float v[4];

	toy_init(&index);
	toy_f32(&index, "inside", 1);
	toy_done(&index);
	toy_init(&data);
	for (int i = 0; i < 4; i++)
		toy_f32(&data, (const char *[]){"p", "q", "r", "s"}[i], (float)i);
	toy_done(&data);
	toy_init(&shard);
	toy_f32(&shard, "own", 1);
	toy_done(&shard);
	CHECK_INT(data.m.size, 16);
	/* Not in order; a tied pair; across another; past the end; in no file; no numbers; a shard's own. */
	struct vv_elsewhere items[] = {at("b", 8, &two), at("a", 0, &two), at("tied", 8, &two), at("across", 4, &one),
		at("past", 12, &three), at("gone", 0, &one), {.file = "data", .name = "text", .off = 0, .len = 3},
		{.file = "shard", .name = "own", .off = UINT64_MAX}};
	const size_t file_of[] = {1, 1, 1, 1, 1, SIZE_MAX, 1, 2};
	const struct vv_elsewheres e = {.items = items, .n = VV_COUNT(items)};
	struct vv_version files[] = {{&index.m, index.v.bytes}, {&data.m, data.v.bytes}, {&shard.m, shard.v.bytes}};

	CHECK_OK(vv_group_index(&g, files, 3, &e, file_of, &left, &err), &err);
	CHECK_INT(left, 3);
	CHECK_INT(g.m.n_segs, index.m.n_segs + 2 + shard.m.n_segs);
	CHECK(vv_manifest_find(&g.m, "inside", &seg, &view) && vv_manifest_find(&g.m, "own", &seg, &view));
	CHECK(!vv_manifest_find(&g.m, "p", &seg, &view) && !vv_manifest_find(&g.m, "across", &seg, &view));
	CHECK(vv_manifest_find(&g.m, "a", &seg, &view));
	CHECK_INT(g.m.segs[seg].seg.off, index.m.size);
	CHECK_INT(g.m.segs[seg].seg.len, 8);
	CHECK_OK(vv_source_read(&g.base, g.m.segs[seg].seg.off, v, 8, &err), &err);
	vv_sha256(vv_span(v, 8), &id);
	CHECK(vv_id_eq(&id, &g.m.segs[seg].id) && v[0] == 0 && v[1] == 1);
	CHECK(vv_manifest_find(&g.m, "b", &seg, &view) && g.m.segs[seg].seg.n_views == 2);
	CHECK_STR(g.m.segs[seg].seg.views[0].name, "b");
	CHECK_STR(g.m.segs[seg].seg.views[1].name, "tied");

	/* Without bytes: other ids, all different, and nothing is read. */
	for (size_t i = 0; i < 3; i++)
		files[i].bytes = NULL;
	CHECK_OK(vv_group_index(&named, files, 3, &e, file_of, &left, &err), &err);
	CHECK_INT(named.m.n_segs, g.m.n_segs);
	CHECK(vv_id_eq(&named.m.sha256, &g.m.sha256));
	CHECK(vv_manifest_find(&named.m, "b", &seg, &view) && !vv_id_eq(&named.m.segs[seg].id, &g.m.segs[seg].id));
	CHECK(!vv_id_eq(&named.m.segs[seg].id, &named.m.segs[seg - 1].id));
	vv_group_release(&g);
	vv_group_release(&named);
	toy_release(&index);
	toy_release(&data);
	toy_release(&shard);
}

static struct vv_elsewhere in(const char *name, uint64_t off, uint64_t len)
{
	return (struct vv_elsewhere){.file = "data", .name = name, .off = off, .len = len, .within = true};
}

/* Ranges around a file's own tensors, which take another name and keep the rest. */
static void test_within(void)
{
	static const uint64_t one = 1;
	struct toy index, data;
	struct vv_group g;
	struct vv_err err = VV_ERR_INIT;
	size_t seg, view, left, own;

	toy_init(&index);
	toy_f32(&index, "inside", 1);
	toy_done(&index);
	toy_init(&data);
	for (int i = 0; i < 4; i++)
		toy_f32(&data, (const char *[]){"0", "1", "2", "3"}[i], (float)i);
	toy_done(&data);
	/* Not in order; two in one; none; a part of one; across another; a name twice; in no file; a range beside them. */
	struct vv_elsewhere items[] = {in("b", 4, 4), in("a", 0, 4), in("two", 0, 8), in("none", 8, 0), in("part", 8, 3),
		in("across", 6, 6), in("a", 12, 100), in("gone", 0, 4), at("range", 8, &one)};
	const size_t file_of[] = {1, 1, 1, 1, 1, 1, 1, SIZE_MAX, 1};
	const struct vv_elsewheres e = {.items = items, .n = VV_COUNT(items)};
	const struct vv_version files[] = {{&index.m, index.v.bytes}, {&data.m, NULL}};

	CHECK_OK(vv_group_index(&g, files, 2, &e, file_of, &left, &err), &err);
	CHECK_INT(left, 5);
	CHECK_INT(g.m.n_segs, index.m.n_segs + 4);
	CHECK(!vv_manifest_find(&g.m, "0", &seg, &view) && !vv_manifest_find(&g.m, "two", &seg, &view));
	CHECK(vv_manifest_find(&g.m, "inside", &seg, &view) && vv_manifest_find(&g.m, "range", &seg, &view));
	CHECK(vv_manifest_find(&g.m, "a~2", &seg, &view));
	CHECK_INT(g.m.segs[seg].seg.off, index.m.size + 12);
	CHECK(vv_manifest_find(&g.m, "b", &seg, &view) && vv_manifest_find(&data.m, "1", &own, &view));
	CHECK_INT(g.m.segs[seg].seg.off, index.m.size + 4);
	CHECK_INT(g.m.segs[seg].seg.dtype, VV_DT_F32);
	CHECK_INT(g.m.segs[seg].seg.views[0].ndim, data.m.segs[own].seg.views[0].ndim);
	CHECK(vv_id_eq(&g.m.segs[seg].id, &data.m.segs[own].id));
	CHECK_STR(data.m.segs[own].seg.views[0].name, "1");
	vv_group_release(&g);
	toy_release(&index);
	toy_release(&data);
}

int main(void)
{
	test_names();
	test_joined();
	test_index();
	test_within();
	return done();
}
