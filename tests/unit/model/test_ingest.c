#include "fixture.h"
#include "codec/narrow.h"
#include "hash/sha256.h"

static void put(struct fixture *f, const struct vv_buf *file, const struct vv_manifest *parent,
	struct vv_buf *text, struct vv_manifest *m, struct vv_put_stats *stats)
{
	struct vv_source_mem src;
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&src, vv_buf_view(file));
	vv_buf_init(text, VV_MAX_MANIFEST);
	CHECK_OK(vv_model_put(f->store, &src.base, &parent, parent ? 1 : 0, text, m, stats, NULL, &err), &err);
}

/* A file with two tensors: the whole manifest, but for ids. */
static void test_manifest(struct fixture *f)
{
	struct vv_buf file, text, hashed = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_manifest m = {0};
	struct vv_put_stats stats = {0};
	struct vv_source_mem src;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id id;
	char hex[VV_ID_HEX + 1];

	st_file(&file, NULL, "a.weight=1 b=2");
	put(f, &file, NULL, &text, &m, &stats);
	CHECK_STR(m.format, "safetensors");
	CHECK_INT(m.size, file.len);
	vv_sha256(vv_buf_view(&file), &id);
	CHECK(vv_id_eq(&m.sha256, &id));
	CHECK_INT(m.n_segs, 3);
	CHECK_INT(stats.raw, file.len);
	CHECK_INT(stats.objects_new, 3);
	CHECK(strstr((char *)text.ptr, "\ntensor \"a.weight\" f32 [4] ") != NULL);
	vv_sha256(vv_span(file.ptr + file.len - 16, 16), &id);
	CHECK(strstr((char *)text.ptr, vv_id_hex(&id, hex)) != NULL);

	/* Hashing says the same and stores nothing; the second put adds nothing. */
	vv_source_mem_init(&src, vv_buf_view(&file));
	CHECK_OK(vv_model_hash(f->pool, &src.base, &hashed, NULL, NULL, &err), &err);
	CHECK(buf_eq(&hashed, &text));
	vv_buf_release(&text);
	put(f, &file, &m, &text, NULL, &stats);
	CHECK(buf_eq(&hashed, &text));
	CHECK_INT(stats.objects_new, 0);
	vv_manifest_release(&m);
	vv_buf_release(&file);
	vv_buf_release(&text);
	vv_buf_release(&hashed);
}

/* An outline has all of a manifest but the ids of weights and file; what is no float has its own. */
static void test_outline(struct fixture *f)
{
	struct vv_buf file, text;
	struct vv_manifest m = {0}, o = {0};
	struct vv_put_stats stats = {0};
	struct vv_source_mem src;
	struct vv_err err = VV_ERR_INIT;
	const struct vv_id none = {{0}};

	st_file(&file, NULL, "a.weight=1 b=2");
	put(f, &file, NULL, &text, &m, &stats);
	vv_source_mem_init(&src, vv_buf_view(&file));
	CHECK_OK(vv_model_outline(f->pool, &src.base, &o, &err), &err);
	CHECK_INT(o.size, m.size);
	CHECK_INT(o.n_segs, 3);
	CHECK(vv_id_eq(&o.sha256, &none));
	CHECK(vv_id_eq(&o.segs[0].id, &m.segs[0].id));
	for (size_t i = 1; i < 3; i++) {
		CHECK(vv_id_eq(&o.segs[i].id, &none));
		CHECK_STR(o.segs[i].seg.views[0].name, m.segs[i].seg.views[0].name);
	}
	vv_manifest_release(&m);
	vv_manifest_release(&o);
	vv_buf_release(&file);
	vv_buf_release(&text);
}

/* Whatever it is, it can be put: nothing, garbage, a header that lies. */
static void test_anything(struct fixture *f)
{
	static const char lies[] = "\x10\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"";
	static const struct vv_span files[] = {{(const uint8_t *)"", 0}, {(const uint8_t *)"garbage", 7},
		{(const uint8_t *)lies, sizeof(lies) - 1}, {(const uint8_t *)"PK\3\4", 4},
		{(const uint8_t *)"GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16}};

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT), text;
		struct vv_manifest m = {0};

		vv_buf_span(&file, files[i]);
		put(f, &file, NULL, &text, &m, NULL);
		CHECK_INT(m.size, files[i].len);
		CHECK_INT(m.n_segs, files[i].len ? 1 : 0);
		vv_manifest_release(&m);
		vv_buf_release(&file);
		vv_buf_release(&text);
	}
}

/* A parent given, a small change costs little; its tensor is found under another prefix, too. */
static void test_delta(struct fixture *f)
{
	enum { N = 200000 };
	float *w = calloc(N, sizeof(*w));
	struct vv_buf file, text;
	struct vv_manifest m = {0}, m2 = {0};
	struct vv_put_stats first = {0}, second = {0};
	struct vv_object_info info;
	struct vv_err err = VV_ERR_INIT;
	uint64_t seed = 7;
	struct st s;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < N; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			w[i] = round ? w[i] * (1 + 1e-6f) : (float)((double)(int32_t)(seed >> 32) / 2e9);
		}
		st_init(&s, NULL);
		st_add(&s, round ? "model.net.weight" : "net.weight", "F32", "[200000]", w, N * sizeof(*w));
		st_done(&s, &file);
		put(f, &file, round ? &m : NULL, &text, round ? &m2 : &m, round ? &second : &first);
		vv_buf_release(&file);
		vv_buf_release(&text);
	}
	CHECK(second.stored < first.stored / 2);
	CHECK_OK(vv_store_find(f->store, &m2.segs[1].id, &info, &err), &err);
	CHECK(info.depth == 1 && vv_id_eq(&info.base, &m.segs[1].id));
	vv_manifest_release(&m);
	vv_manifest_release(&m2);
	free(w);
}

static unsigned depth_of(struct fixture *f, const struct vv_id *id)
{
	struct vv_object_info info = {.depth = 99};
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_store_find(f->store, id, &info, &err), &err);
	return info.depth;
}

/*
 * The bf16 copy of an fp32 master costs next to nothing: beside it in one file, before it, and as the
 * next version of the file.
 */
static void test_casts(struct fixture *f)
{
	enum { N = 20000 };
	float *w = calloc(N, sizeof(*w));
	uint8_t *half = calloc(N, 4);
	struct vv_buf file, text;
	struct vv_manifest m = {0}, next = {0};
	struct vv_put_stats stats = {0}, again = {0};
	struct vv_source_mem src;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id id;
	uint64_t seed = 5;
	struct st s;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < N; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			w[i] = (float)((double)(int32_t)(seed >> 32) / 2e9);
		}
		memcpy(half, w, N * sizeof(*w));
		vv_narrow(VV_DT_F32, VV_DT_BF16, half, N);
		st_init(&s, NULL);
		if (!round)
			st_add(&s, "a.copy", "BF16", "[20000]", half, N * 2);
		st_add(&s, "w", "F32", "[20000]", w, N * 4);
		st_done(&s, &file);
		put(f, &file, NULL, &text, &m, &stats);
		CHECK_INT(stats.raw, file.len);
		CHECK_INT(stats.objects, m.n_segs);
		CHECK_INT(stats.objects_new, m.n_segs);
		vv_sha256(vv_buf_view(&file), &id);
		CHECK(vv_id_eq(&m.sha256, &id));
		if (!round) {
			CHECK_INT(depth_of(f, &m.segs[1].id), 1);
			vv_sha256(vv_span(half, N * 2), &id);
			CHECK(vv_id_eq(&m.segs[1].id, &id));
			CHECK_INT(depth_of(f, &m.segs[2].id), 0);
			vv_buf_release(&text);
			put(f, &file, NULL, &text, NULL, &again);
			CHECK_INT(again.objects_new, 0);
			CHECK_INT(again.raw, file.len);
			/* Known by hashing alone, too. */
			struct vv_buf hashed = VV_BUF_INIT(VV_MAX_TEXT);
			vv_source_mem_init(&src, vv_buf_view(&file));
			CHECK_OK(vv_model_hash(f->pool, &src.base, &hashed, NULL, NULL, &err), &err);
			CHECK(buf_eq(&hashed, &text));
			vv_buf_release(&hashed);
		} else {
			vv_buf_release(&file);
			vv_buf_release(&text);
			st_init(&s, NULL);
			st_add(&s, "w", "BF16", "[20000]", half, N * 2);
			st_done(&s, &file);
			put(f, &file, &m, &text, &next, &again);
			CHECK_INT(depth_of(f, &next.segs[1].id), 1);
			CHECK(again.stored < 1000);
			vv_manifest_release(&next);
		}
		vv_manifest_release(&m);
		vv_buf_release(&file);
		vv_buf_release(&text);
	}
	free(half);
	free(w);
}

/* Through a long chain of the master, its copy stays next to nothing. */
static void test_cast_chain(struct fixture *f)
{
	enum { N = 20000, VERSIONS = 20 };
	float *w = calloc(N, sizeof(*w));
	uint8_t *half = calloc(N, 4);
	struct vv_manifest m = {0}, next = {0};
	struct vv_err err = VV_ERR_INIT;
	uint64_t seed = 77, most = 0;
	unsigned deepest = 0;

	for (int round = 0; round < VERSIONS; round++) {
		struct vv_buf file, text;
		struct vv_object_info copy = {0}, master = {0};
		struct st s;

		for (size_t i = 0; i < N; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			w[i] = round ? w[i] * (1 + 1e-3f * (float)(seed >> 60)) : (float)((double)(int32_t)(seed >> 32) / 2e9);
		}
		memcpy(half, w, N * sizeof(*w));
		vv_narrow(VV_DT_F32, VV_DT_BF16, half, N);
		st_init(&s, NULL);
		st_add(&s, "copy", "BF16", "[20000]", half, N * 2);
		st_add(&s, "w", "F32", "[20000]", w, N * 4);
		st_done(&s, &file);
		put(f, &file, round ? &m : NULL, &text, &next, NULL);
		CHECK_OK(vv_store_find(f->store, &next.segs[1].id, &copy, &err), &err);
		CHECK_OK(vv_store_find(f->store, &next.segs[2].id, &master, &err), &err);
		most = copy.stored > most ? copy.stored : most;
		deepest = copy.depth > deepest ? copy.depth : deepest;
		CHECK(copy.depth == master.depth + 1);
		vv_manifest_release(&m);
		m = next;
		vv_buf_release(&file);
		vv_buf_release(&text);
	}
	CHECK(most < 400);
	CHECK_INT(deepest, 8);
	vv_manifest_release(&m);
	free(half);
	free(w);
}

static int no_read(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst VV_UNUSED,
	size_t len VV_UNUSED, struct vv_err *err)
{
	return vv_fail(err, VV_EIO, "no");
}

static void test_failing_source(struct fixture *f)
{
	struct vv_source src = {100, no_read};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;

	CHECK_INT(vv_model_put(f->store, &src, NULL, 0, &text, NULL, NULL, NULL, &err), VV_EIO);
	CHECK_INT(vv_model_hash(f->pool, &src, &text, NULL, NULL, &err), VV_EIO);
	CHECK(!text.len);
	vv_buf_release(&text);
}

int main(void)
{
	struct fixture f;

	fixture_init(&f);
	test_manifest(&f);
	test_outline(&f);
	test_anything(&f);
	test_delta(&f);
	test_casts(&f);
	test_cast_chain(&f);
	test_failing_source(&f);
	fixture_release(&f);
	return done();
}
