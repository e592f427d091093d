#include "model/directory.h"

#include "fixture.h"
#include "hash/sha256.h"

static struct vv_err err;

struct kit {
	struct vv_dir_build build;
	struct vv_dir_put put;
};

static void begin(struct kit *k, struct fixture *f, const struct vv_manifest *parent)
{
	k->build = (struct vv_dir_build){0};
	vv_dir_put_init(&k->put, f->store, parent, &k->build, NULL);
}

static void put(struct kit *k, const char *path, struct vv_span bytes)
{
	struct vv_source_mem src;

	vv_source_mem_init(&src, bytes);
	CHECK_OK(vv_dir_put_file(&k->put, path, 0644, &src.base, &err), &err);
}

static void end(struct kit *k, struct vv_manifest *m)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);

	CHECK_OK(vv_dir_put_end(&k->put, &err), &err);
	CHECK_OK(vv_dir_build_end(&k->build, &text, m, &err), &err);
	vv_dir_put_release(&k->put);
	vv_dir_build_release(&k->build);
	vv_buf_release(&text);
}

/* What a file's manifest says is what was put, in the store, byte for byte. */
static void check(struct fixture *f, const struct vv_manifest *dir, const char *path, struct vv_span bytes)
{
	struct vv_manifest m = {0};
	struct vv_model_source src;
	struct vv_id id;
	size_t i = 0;
	uint8_t *got = malloc(bytes.len + 1);

	CHECK(vv_dir_find(dir, path, &i));
	CHECK_OK(vv_dir_file(dir, i, &m, &err), &err);
	CHECK_INT(m.size, bytes.len);
	vv_sha256(bytes, &id);
	CHECK(vv_id_eq(&m.sha256, &id));
	vv_model_source_init(&src, f->store, &m);
	CHECK_OK(vv_source_read(&src.base, 0, got, bytes.len, &err), &err);
	CHECK(!memcmp(got, bytes.ptr, bytes.len));
	vv_manifest_release(&m);
	free(got);
}

static void test_small(struct fixture *f)
{
	struct kit k;
	struct vv_manifest dir = {0};
	struct vv_buf model;
	char name[32], text[32];

	st_file(&model, NULL, "w=1 v=2");
	begin(&k, f, NULL);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "%03d/f", i);
		put(&k, name, vv_span(text, (size_t)snprintf(text, sizeof(text), "file %d", i % 100)));
	}
	put(&k, "empty", vv_span("", 0));
	put(&k, "m.safetensors", vv_buf_view(&model));
	end(&k, &dir);
	/* One pack for all, equal ones once. */
	CHECK_INT(k.put.stats.objects_new, 100 + 3);
	CHECK_INT(dir.n_files, 502);
	check(f, &dir, "042/f", vv_span_str("file 42"));
	check(f, &dir, "empty", vv_span("", 0));
	check(f, &dir, "m.safetensors", vv_buf_view(&model));
	CHECK_STR(dir.files[501].format, "safetensors");
	vv_manifest_release(&dir);
	vv_buf_release(&model);
}

/* A training step's file: almost the same numbers, so that a delta is what is stored. */
static void tensors(struct vv_buf *out, size_t n, unsigned seed, float noise)
{
	float *v = malloc(n * sizeof(*v));
	char shape[32];
	struct st s;

	for (size_t i = 0; i < n; i++)
		v[i] = (float)((i * 2654435761u) % 65536) / 65536 + noise * (float)((i * seed) % 7);
	st_init(&s, NULL);
	snprintf(shape, sizeof(shape), "[%zu]", n);
	st_add(&s, "w", "F32", shape, v, n * sizeof(*v));
	st_done(&s, out);
	free(v);
}

static void test_versions(struct fixture *f, size_t n)
{
	struct vv_manifest one = {0}, two = {0};
	struct vv_object_info info = {0};
	struct vv_buf a, b;
	struct kit k;
	size_t i = 0;

	tensors(&a, n, 1, 0);
	tensors(&b, n, 3, 1e-6f);
	begin(&k, f, NULL);
	put(&k, "m.st", vv_buf_view(&a));
	end(&k, &one);
	begin(&k, f, &one);
	put(&k, "m.st", vv_buf_view(&b));
	put(&k, "same.st", vv_buf_view(&a));
	end(&k, &two);
	check(f, &two, "m.st", vv_buf_view(&b));
	check(f, &two, "same.st", vv_buf_view(&a));
	CHECK(vv_dir_find(&two, "m.st", &i));
	CHECK_OK(vv_store_find(f->store, &two.segs[two.files[i].seg + 1].id, &info, &err), &err);
	CHECK_INT(info.depth, 1);
	vv_manifest_release(&one);
	vv_manifest_release(&two);
	vv_buf_release(&a);
	vv_buf_release(&b);
}

/* A file that lies is kept as bytes, with what is to be told of it. */
static void test_findings(struct fixture *f)
{
	static const char evil[] = "\x80\x02" "cos\nsystem\nX\x02\0\0\0idq\0\x85R.";
	struct vv_manifest dir = {0};
	struct kit k;

	begin(&k, f, NULL);
	put(&k, "evil.pkl", vv_span(evil, sizeof(evil) - 1));
	put(&k, "text", vv_span_str("text"));
	end(&k, &dir);
	check(f, &dir, "evil.pkl", vv_span(evil, sizeof(evil) - 1));
	CHECK(dir.files[0].n_findings >= 1 && dir.files[1].n_findings == 0);
	CHECK(dir.n_findings && !strncmp(dir.findings[0].detail, "evil.pkl: ", 10));
	vv_manifest_release(&dir);
}

int main(void)
{
	struct fixture f;

	fixture_init(&f);
	test_small(&f);
	test_versions(&f, 50000);
	test_versions(&f, 1500000); /* larger than what is gathered */
	test_findings(&f);
	fixture_release(&f);
	return done();
}
