#include "format/torch.h"

#include "base/le.h"

#include "expected.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const files[] = {"model.distcp", "changed.distcp", "two.distcp"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "torch-dcp", files[i], "torch-dcp");
}

/* Other values in the old archives: the length stays, which .metadata tells of, and varve reads what was wanted. */
static void test_values(void)
{
	struct memsink out = MEMSINK_INIT;
	struct located a, b, c;
	struct parts want, have;

	CHECK_OK(located_golden(&a, __FILE__, "torch-dcp/model.distcp"), &a.err);
	CHECK_OK(located_golden(&b, __FILE__, "torch-dcp/changed.distcp"), &b.err);
	CHECK_OK(reassemble(&out, &a, &b, &err), &err);
	CHECK_INT(out.bytes.len, a.file.len);
	CHECK_OK(located_bytes(&c, vv_buf_view(&out.bytes)), &c.err);
	CHECK_STR(c.layout.format->name, "torch-dcp");
	CHECK_INT(c.layout.n_findings, 0);
	CHECK(!parts_of(&want, &b.layout, b.file.ptr) && !parts_of(&have, &c.layout, c.file.ptr));
	CHECK_INT(have.n, want.n);
	for (size_t i = 0; i < want.n && i < have.n; i++)
		CHECK(!strcmp(want.p[i].name, have.p[i].name) && !memcmp(want.bytes[i], have.bytes[i], (size_t)want.p[i].len));
	/* Every other thing is refused: fewer, other names, other shapes. */
	struct vv_assembly x = {&a.layout, &a.mem.base, want.p, want.n - 1};
	vv_buf_clear(&out.bytes);
	CHECK_INT(vv_assemble(&x, &out.base, &err), VV_ENOTSUP);
	x.n_parts = want.n;
	const char *was = want.p[0].name;
	want.p[0].name = "99";
	CHECK_INT(vv_assemble(&x, &out.base, &err), VV_ENOTSUP);
	want.p[0].name = was;
	const uint64_t flat[] = {want.p[0].len / vv_dtype_width(want.p[0].dtype)};
	want.p[0].ndim = 1;
	want.p[0].shape = flat;
	CHECK_INT(vv_assemble(&x, &out.base, &err), flat[0] == 12 ? VV_ENOTSUP : 0);
	parts_release(&want);
	parts_release(&have);
	located_release(&a);
	located_release(&b);
	located_release(&c);
	vv_buf_release(&out.bytes);
}

static void test_run(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	struct vv_torch_part *parts;
	size_t n;

	golden_read(&b, __FILE__, "torch-dcp/model.distcp");
	vv_source_mem_init(&mem, vv_buf_view(&b));
	CHECK(vv_torch_is_run(&mem.base));
	CHECK_OK(vv_torch_run(&parts, &n, &mem.base, &err), &err);
	CHECK_INT(n, 7);
	uint64_t at = 0;
	for (size_t i = 0; i < n; i++) {
		CHECK(parts[i].off == at);
		at += parts[i].base.size;
	}
	CHECK_INT(at, b.len);
	/* A lone archive is none; nor is one without its beginning, or with bytes of nobody. */
	struct vv_source_mem one;
	vv_source_mem_init(&one, vv_span(b.ptr + parts[n - 1].off, b.len - (size_t)parts[n - 1].off));
	CHECK(!vv_torch_is_run(&one.base));
	vv_source_mem_init(&one, vv_span(b.ptr, (size_t)parts[0].base.size));
	CHECK(!vv_torch_is_run(&one.base));
	vv_source_mem_init(&one, vv_span(b.ptr + parts[1].off - 1, b.len - (size_t)parts[1].off + 1));
	CHECK(!vv_torch_is_run(&one.base) || vv_torch_run(&parts, &n, &one.base, &err) == VV_EFORMAT);
	vv_source_mem_init(&one, vv_span(b.ptr, 97));
	CHECK(!vv_torch_is_run(&one.base));
	free(parts);
	vv_buf_release(&b);
}

static void is_opaque(struct vv_buf *b, const char *code)
{
	struct located l;

	CHECK_OK(located_bytes(&l, vv_buf_view(b)), &l.err);
	CHECK_STR(l.layout.format->name, "opaque");
	CHECK(has_finding(&l.layout, code));
	CHECK(!layout_wrong(&l.layout));
	located_release(&l);
}

static void test_hostile(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT), c = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source_mem mem;
	struct vv_torch_part *parts;
	struct located l;
	size_t n;

	golden_read(&b, __FILE__, "torch-dcp/model.distcp");
	vv_source_mem_init(&mem, vv_buf_view(&b));
	CHECK_OK(vv_torch_run(&parts, &n, &mem.base, &err), &err);
	/* Something between the first and the second; a directory that is longer than the file. */
	vv_buf_add(&c, b.ptr, (size_t)parts[1].off);
	vv_buf_str(&c, "hidden");
	vv_buf_add(&c, b.ptr + parts[1].off, b.len - (size_t)parts[1].off);
	is_opaque(&c, "malformed");
	vv_buf_clear(&c);
	vv_buf_span(&c, vv_buf_view(&b));
	vv_put64(c.ptr + parts[1].off - 98 + 48, 1ull << 40);
	vv_put64(c.ptr + parts[1].off - 42 + 8, (1ull << 40) + vv_get64(c.ptr + parts[1].off - 98 + 40));
	is_opaque(&c, "malformed");
	/* A broken archive in the middle: which one is said, and what was reported of the others is dropped. */
	vv_buf_clear(&c);
	vv_buf_span(&c, vv_buf_view(&b));
	memcpy(c.ptr + parts[3].off + 30, "ARCHIVE", 7);
	is_opaque(&c, "malformed");
	/* As one archive the last one's directory would be looked for in the first one's bytes: there it is. */
	vv_buf_clear(&c);
	vv_buf_span(&c, vv_buf_view(&b));
	uint64_t at = vv_get64(c.ptr + c.len - 98 + 48);
	CHECK(at < c.len);
	memcpy(c.ptr + at, "PK\1\2", 4);
	CHECK_OK(located_bytes(&l, vv_buf_view(&c)), &l.err);
	CHECK(has_finding(&l.layout, "polyglot"));
	located_release(&l);
	/* Findings are placed in the file. */
	vv_buf_clear(&c);
	vv_buf_span(&c, vv_buf_view(&b));
	c.ptr[parts[2].off + 6] ^= 2;
	CHECK_OK(located_bytes(&l, vv_buf_view(&c)), &l.err);
	for (size_t i = 0; i < l.layout.n_findings; i++)
		if (!strcmp(l.layout.findings[i].code, "zip-flags"))
			CHECK_INT(l.layout.findings[i].off, parts[2].off);
	CHECK(has_finding(&l.layout, "zip-flags"));
	located_release(&l);
	free(parts);
	vv_buf_release(&b);
	vv_buf_release(&c);
}

int main(void)
{
	test_golden();
	test_values();
	test_run();
	test_hostile();
	return done();
}
