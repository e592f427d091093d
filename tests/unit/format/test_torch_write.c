#include "format/torch.h"

#include "torch.h"

/* PyTorch's own members, written anew: the same archive. */
static void test_golden(const char *version, const char *name)
{
	struct torch_file f;
	struct vv_torch t;
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct memsink out = MEMSINK_INIT;
	struct vv_torch_writer w = {.out = &out.base};

	torch_golden(&f, __FILE__, version, name);
	printf("# %s %s\n", version, name);
	CHECK_OK(vv_torch_read(&t, &f.src.base, &arena, NULL, &err), &err);
	CHECK_OK(vv_torch_align(&t, &f.src.base, &w.align, &err), &err);
	CHECK_INT(w.align, 64);
	for (size_t i = 0; i < t.zip.n; i++) {
		struct vv_source_mem mem;
		const struct vv_zip_member *m = &t.zip.members[i];
		char text[32];
		vv_source_mem_init(&mem, vv_span(f.bytes.ptr + m->off, (size_t)m->len));
		/* What comes before the id adds up to its second half. */
		if (strstr(m->name, "serialization_id")) {
			snprintf(text, sizeof(text), "%020" PRIu64, w.ids[1]);
			CHECK(!memcmp(text, f.bytes.ptr + m->off + 20, 20));
		}
		if (vv_torch_put(&w, m->name, &mem.base, &err))
			CHECK(false);
	}
	CHECK_OK(vv_torch_put_end(&w, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&f.bytes)));
	vv_buf_release(&w.directory);
	vv_buf_release(&out.bytes);
	vv_torch_release(&t);
	vv_arena_release(&arena);
	torch_close(&f);
}

/* A source of zeros of any size, and a sink that only keeps the archive's headers. */
static int zeros(const struct vv_source *self VV_UNUSED, uint64_t off VV_UNUSED, void *dst, size_t len, struct vv_err *err VV_UNUSED)
{
	memset(dst, 0, len);
	return 0;
}

struct sparse {
	struct vv_sink base;
	struct vv_buf kept;
	uint64_t at;
	struct {
		uint64_t from, to;
		size_t kept;
	} runs[64];
	size_t n;
};

static int sparse_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct sparse *s = (struct sparse *)self;

	if (data.len < 65536) {
		if (s->n == VV_COUNT(s->runs))
			return vv_fail(err, VV_ELIMIT, "too many runs");
		s->runs[s->n].from = s->at;
		s->runs[s->n].to = s->at + data.len;
		s->runs[s->n++].kept = s->kept.len;
		vv_buf_span(&s->kept, data);
	}
	s->at += data.len;
	return 0;
}

struct sparse_source {
	struct vv_source base;
	const struct sparse *s;
};

static int sparse_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err VV_UNUSED)
{
	const struct sparse *s = ((const struct sparse_source *)self)->s;
	uint8_t *p = dst;

	memset(dst, 0, len);
	for (size_t i = 0; i < s->n; i++)
		for (uint64_t at = s->runs[i].from; at < s->runs[i].to; at++)
			if (at >= off && at - off < len)
				p[at - off] = s->kept.ptr[s->runs[i].kept + (size_t)(at - s->runs[i].from)];
	return 0;
}

/* Past 4 GiB sizes and offsets stand in zip64 fields, and our own reader finds them. */
static void test_large(void)
{
	struct vv_source big = {((uint64_t)1 << 32) + 4096, zeros};
	struct vv_source_mem small;
	struct sparse out = {.base = {sparse_write}, .kept = VV_BUF_INIT(VV_MAX_TEXT)};
	struct vv_torch_writer w = {.out = &out.base, .align = 64};
	struct vv_err err = VV_ERR_INIT;
	struct vv_arena arena = {0};
	struct vv_zip z;

	vv_source_mem_init(&small, vv_span("abc", 3));
	CHECK_OK(vv_torch_put(&w, "m/data/0", &big, &err), &err);
	CHECK_OK(vv_torch_put(&w, "m/data/1", &small.base, &err), &err);
	CHECK_OK(vv_torch_put_end(&w, &err), &err);
	struct sparse_source src = {{out.at, sparse_read}, &out};
	CHECK_OK(vv_zip_read(&z, &src.base, &arena, &err), &err);
	CHECK_INT(z.n, 2);
	CHECK_INT(z.members[0].len, big.size);
	CHECK_INT(z.members[1].len, 3);
	CHECK(z.members[1].off > big.size && z.members[0].off % 64 == 0 && z.members[1].off % 64 == 0);
	CHECK_INT(z.stray, 0);
	vv_arena_release(&arena);
	vv_buf_release(&w.directory);
	vv_buf_release(&out.kept);
}

int main(void)
{
	for (size_t v = 0; v < VV_COUNT(torch_versions); v++)
		for (size_t i = 0; i < VV_COUNT(torch_samples); i++)
			if (strcmp(torch_samples[i], "legacy") != 0)
				test_golden(torch_versions[v], torch_samples[i]);
	test_large();
	return done();
}
