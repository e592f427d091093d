#include "model/manifest_text.h"

#include "golden.h"
#include "tap.h"

struct golden {
	const char *dir;
	bool good;
	int n;
};

static int expected_code(const char *name)
{
	static const struct {
		const char *word;
		int code;
	} codes[] = {{"format-", VV_EFORMAT}, {"corrupt-", VV_ECORRUPT}, {"notsup-", VV_ENOTSUP},
		{"conflict-", VV_ECONFLICT}, {"limit-", VV_ELIMIT}};

	for (size_t i = 0; i < VV_COUNT(codes); i++)
		if (!strncmp(name, codes[i].word, strlen(codes[i].word)))
			return codes[i].code;
	return 0;
}

static int one_file(void *arg, const char *name, struct vv_err *err)
{
	struct golden *g = arg;
	char *path = vv_join(g->dir, name);
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_manifest m = {0};
	struct vv_err e = VV_ERR_INIT;
	int ret = vv_read_file(&text, path, err);

	if (!ret) {
		int code = vv_manifest_parse(&m, vv_buf_view(&text), &e);
		printf("# %s: %s\n", name, e.msg);
		CHECK_INT(code, g->good ? 0 : expected_code(name));
		CHECK_INT(code, e.code);
		if (!code && g->good) {
			struct vv_id root = m.root;
			CHECK_OK(vv_manifest_emit(&m, &again, &e), &e);
			CHECK(vv_span_eq(vv_buf_view(&text), vv_buf_view(&again)));
			CHECK(vv_id_eq(&root, &m.root));
		}
		if (code)
			CHECK(!m.arena.blocks && !m.segs);
		g->n++;
	}
	vv_manifest_release(&m);
	vv_buf_release(&text);
	vv_buf_release(&again);
	free(path);
	return ret;
}

static void test_golden(void)
{
	struct vv_err err = VV_ERR_INIT;
	char *good = golden_dir(__FILE__, "manifest/good"), *bad = golden_dir(__FILE__, "manifest/bad");
	struct golden g = {good, true, 0}, b = {bad, false, 0};

	CHECK_OK(vv_each_name(good, one_file, &g, &err), &err);
	CHECK_OK(vv_each_name(bad, one_file, &b, &err), &err);
	CHECK(g.n >= 11);
	CHECK(b.n >= 90);
	free(good);
	free(bad);
}

static void read_golden(struct vv_manifest *m, const char *name)
{
	char *dir = golden_dir(__FILE__, "manifest/good"), *path = vv_join(dir, name);
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_read_file(&text, path, &err), &err);
	CHECK_OK(vv_manifest_parse(m, vv_buf_view(&text), &err), &err);
	vv_buf_release(&text);
	free(dir);
	free(path);
}

static void test_fields(void)
{
	struct vv_manifest m = {0};
	const struct vv_segment *s;

	read_golden(&m, "tied");
	CHECK_STR(m.format, "torch");
	CHECK_INT(m.size, 1536);
	CHECK_INT(m.n_segs, 2);
	s = &m.segs[1].seg;
	CHECK_INT(s->off, 1024);
	CHECK_INT(s->len, 512);
	CHECK_INT(s->dtype, VV_DT_F32);
	CHECK_INT(s->n_views, 4);
	CHECK_STR(s->views[0].name, "dec.weight");
	CHECK_STR(s->views[3].name, "row");
	CHECK_INT(s->views[3].offset, 96);
	CHECK(!s->views[3].stride);
	vv_manifest_release(&m);

	read_golden(&m, "storage");
	s = &m.segs[0].seg;
	CHECK_INT(s->len, 1680);
	CHECK_INT(s->n_views, 5);
	CHECK_INT(s->views[0].ndim, 2);
	CHECK_INT(s->views[0].shape[1], 20);
	CHECK_INT(s->views[0].stride[0], 1);
	CHECK_INT(s->views[0].stride[1], 10);
	vv_manifest_release(&m);

	read_golden(&m, "findings");
	CHECK_INT(m.n_findings, 2);
	CHECK_STR(m.findings[0].code, "pickle-global");
	CHECK_INT(m.findings[0].off, 17);
	CHECK_STR(m.findings[1].detail, "a\xe2\x80\xae" "b \x80 \"q\"");
	vv_manifest_release(&m);

	read_golden(&m, "names");
	CHECK_STR(m.segs[0].seg.views[0].name, "\n\r\t\033[31m<<<<<<< \\");
	CHECK_STR(m.segs[3].seg.views[0].name, "\xff\xfe");
	vv_manifest_release(&m);
}

static void test_directory(void)
{
	struct vv_manifest m = {0};
	const struct vv_manifest_file *f;

	read_golden(&m, "directory");
	CHECK(vv_manifest_is_dir(&m));
	CHECK_INT(m.n_files, 7);
	CHECK_INT(m.size, 64);
	f = &m.files[1];
	CHECK_STR(f->path, "a-b");
	CHECK(f->mode == 0644 && m.files[0].mode == 0755 && f->size == 0 && f->n_segs == 0);
	f = &m.files[2];
	CHECK_INT(f->n_findings, 2);
	CHECK_STR(m.findings[f->finding].detail, "a.b/\xc2\xad: two: \xe2\x80\x8b");
	/* Where a file begins its segments do, as if all were joined. */
	f = &m.files[4];
	CHECK_STR(f->format, "safetensors");
	CHECK_INT(f->off, 7);
	CHECK_INT(f->n_segs, 3);
	CHECK_INT(m.segs[f->seg + 1].seg.off, 15);
	CHECK_STR(m.segs[f->seg + 1].seg.views[1].name, "m.st//tied");
	CHECK_STR(m.segs[m.files[5].seg].seg.views[0].name, "n.st//w");
	CHECK(vv_id_eq(&m.segs[m.files[6].seg].id, &m.files[6].sha256));
	vv_manifest_release(&m);
	read_golden(&m, "directory-empty");
	CHECK(vv_manifest_is_dir(&m) && !m.n_files && !m.n_segs && !m.size);
	vv_manifest_release(&m);
}

/* More names than allowed are refused by counting lines, before anything is made of them. */
static void test_limit(void)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_manifest m;
	struct vv_err err = VV_ERR_INIT;
	char zeros[65];

	memset(zeros, '0', 64);
	zeros[64] = 0;
	vv_buf_fmt(&text, VV_TEXT_LINE1 "\nformat x\nsize 0\nsha256 %s\nroot %s\n\n", zeros, zeros);
	for (int i = 0; i <= VV_MAX_TENSORS; i++)
		vv_buf_str(&text, "view \n");
	CHECK_INT(vv_manifest_parse(&m, vv_buf_view(&text), &err), VV_ELIMIT);
	text.len -= 6;
	vv_err_clear(&err);
	CHECK_INT(vv_manifest_parse(&m, vv_buf_view(&text), &err), VV_EFORMAT);
	vv_buf_release(&text);
}

/* Every cut of a manifest is refused, and so is every change of one byte. */
static void test_damage(void)
{
	char *dir = golden_dir(__FILE__, "manifest/good"), *path = vv_join(dir, "storage");
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct vv_manifest m;
	size_t accepted = 0;

	CHECK_OK(vv_read_file(&text, path, &err), &err);
	for (size_t i = 0; i < text.len; i++)
		accepted += !vv_manifest_parse(&m, vv_span(text.ptr, i), &err);
	for (size_t i = 0; i < text.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			text.ptr[i] ^= (uint8_t)(1 << bit);
			accepted += !vv_manifest_parse(&m, vv_buf_view(&text), &err);
			text.ptr[i] ^= (uint8_t)(1 << bit);
		}
	CHECK_INT(accepted, 0);
	vv_buf_release(&text);
	free(dir);
	free(path);
}

int main(void)
{
	test_directory();
	test_golden();
	test_fields();
	test_limit();
	test_damage();
	return done();
}
