#include "torchpkl.h"

static struct vv_buf made(const struct torch_file *f, const struct torch_want *w, int code)
{
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;
	int ret = torch_assemble(f, w, &out, &err);

	CHECK_INT(ret, code);
	if (ret)
		printf("# %s\n", err.msg);
	return out.bytes;
}

static char *wanted(const struct torch_want *w)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < w->n; i++)
		torch_line(&text, w->parts[i].name, w->parts[i].dtype, w->parts[i].shape, w->parts[i].ndim, vv_buf_view(&w->bytes[i]));
	return torch_sorted(&text);
}

/* Assembles and reads back what was wanted. */
static struct vv_buf right(const struct torch_file *f, const struct torch_want *w)
{
	struct vv_buf out = made(f, w, 0);
	struct torch_file g;
	char *a = wanted(w), *b;

	torch_open(&g, vv_buf_view(&out));
	b = torch_told(&g);
	CHECK_STR(b, a);
	CHECK_STR(g.layout.format->name, "torch");
	CHECK_INT(g.layout.n_findings, 0);
	torch_close(&g);
	free(a);
	free(b);
	return out;
}

/* Each tensor goes, and comes back to its place. */
static void test_out_and_in(const char *version, const char *name)
{
	struct torch_file f, g;
	struct torch_want *all, *w;
	size_t n;

	torch_golden(&f, __FILE__, version, name);
	all = torch_want_all(&f);
	n = all->n;
	printf("# %s %s\n", version, name);
	for (size_t i = 0; i < n; i++) {
		w = torch_want_all(&f);
		torch_want_drop(w, all->parts[i].name);
		struct vv_buf without = right(&f, w);
		torch_open(&g, vv_buf_view(&without));
		struct vv_buf back = right(&g, all);
		/* Older archives have no id, and what is put back stands where it was. */
		if (!strcmp(version, "1.13.1") && (!strcmp(name, "state") || !strcmp(name, "attribute")))
			CHECK(vv_span_eq(vv_buf_view(&back), vv_buf_view(&f.bytes)));
		vv_buf_release(&back);
		vv_buf_release(&without);
		torch_close(&g);
		torch_want_free(w);
	}
	/* None at all, and all of them again. */
	w = torch_want_all(&f);
	while (w->n)
		torch_want_drop(w, w->parts[0].name);
	struct vv_buf none = right(&f, w);
	torch_open(&g, vv_buf_view(&none));
	struct vv_buf back = right(&g, all);
	vv_buf_release(&back);
	vv_buf_release(&none);
	torch_close(&g);
	torch_want_free(w);
	torch_want_free(all);
	torch_close(&f);
}

static void test_changes(const char *version)
{
	static const enum vv_dtype kinds[] = {VV_DT_F32, VV_DT_BF16, VV_DT_F16, VV_DT_F64, VV_DT_I64, VV_DT_I32, VV_DT_I16, VV_DT_I8,
		VV_DT_U8, VV_DT_BOOL, VV_DT_C64, VV_DT_C128, VV_DT_U16, VV_DT_U32, VV_DT_U64, VV_DT_F8_E4M3, VV_DT_F8_E5M2,
		VV_DT_F8_E8M0, VV_DT_F8_E4M3FNUZ, VV_DT_F8_E5M2FNUZ};
	static const uint64_t shape[] = {2, 0, 3}, plain[] = {3, 2};
	uint8_t bytes[16 * 6] = {1, 2, 3};
	struct torch_file f;

	torch_golden(&f, __FILE__, version, "parameter");
	for (size_t i = 0; i < VV_COUNT(kinds); i++) {
		struct torch_want *w = torch_want_all(&f);
		torch_want_drop(w, "frozen");
		torch_want_add(w, "frozen", kinds[i], plain, 2, vv_span(bytes, 6 * vv_dtype_width(kinds[i])));
		torch_want_drop(w, "w");
		torch_want_add(w, "w", kinds[i], shape, 3, vv_span(bytes, 0));
		torch_want_add(w, "new", kinds[i], NULL, 0, vv_span(bytes, vv_dtype_width(kinds[i])));
		struct vv_buf out = right(&f, w);
		vv_buf_release(&out);
		torch_want_free(w);
	}
	/* A type that PyTorch does not have. */
	struct torch_want *w = torch_want_all(&f);
	torch_want_add(w, "new", VV_DT_F6_E2M3, (const uint64_t[]){4}, 1, vv_span(bytes, 3));
	struct vv_buf out = made(&f, w, VV_ENOTSUP);
	vv_buf_release(&out);
	torch_want_free(w);
	torch_close(&f);

	/* Older ones did not keep what a tensor is given. */
	if (!strcmp(version, "1.13.1"))
		return;
	torch_golden(&f, __FILE__, version, "attribute");
	w = torch_want_all(&f);
	torch_want_drop(w, "noted");
	torch_want_add(w, "noted", VV_DT_F16, plain, 2, vv_span(bytes, 12));
	out = right(&f, w);
	bool kept = false;
	for (size_t i = 0; i + 4 < out.len; i++)
		kept |= !memcmp(out.ptr + i, "kept", 4);
	CHECK(kept);
	vv_buf_release(&out);
	torch_want_free(w);
	torch_close(&f);
}

/* Where new tensors find their place. */
static void test_places(void)
{
	static const uint64_t two[] = {2};
	static const struct {
		const char *sample, *name;
		int code;
	} cases[] = {{"checkpoint", "model.3.weight", 0}, {"checkpoint", "optimizer.state.9.exp_avg", 0}, {"checkpoint", "w", 0},
		{"checkpoint", "optimizer.param_groups.0.w", 0}, {"checkpoint", "optimizer.param_groups.1", 0},
		{"checkpoint", "optimizer.param_groups.2", VV_ENOTSUP}, {"checkpoint", "optimizer.param_groups.x", VV_ENOTSUP},
		{"checkpoint", "optimizer.param_groups.01", VV_ENOTSUP}, {"checkpoint", "epoch", VV_ENOTSUP}, {"list", "3", 0},
		{"list", "1.2", VV_ENOTSUP}, {"list", "2.l", 0}, {"list", "5", VV_ENOTSUP}, {"list", "w", VV_ENOTSUP},
		{"list", "99999999999999999999999", VV_ENOTSUP}, {"tensor", "w", VV_ENOTSUP}, {"quantized", "q", VV_ENOTSUP},
		{"quantized", "r", 0}, {"state", "10000.weight", 0}, {"tied", "", 0}};

	for (size_t i = 0; i < VV_COUNT(cases); i++)
		for (size_t v = 0; v < VV_COUNT(torch_versions); v++) {
			struct torch_file f;
			printf("# %s in %s\n", cases[i].name, cases[i].sample);
			torch_golden(&f, __FILE__, torch_versions[v], cases[i].sample);
			struct torch_want *w = torch_want_all(&f);
			torch_want_add(w, *cases[i].name ? cases[i].name : "tensor", VV_DT_F32, two, 1, LIT("abcdefgh"));
			struct vv_buf out = cases[i].code ? made(&f, w, cases[i].code) : right(&f, w);
			vv_buf_release(&out);
			torch_want_free(w);
			torch_close(&f);
		}
}

static void refused(const char *sample, const char *drop)
{
	struct torch_file f;

	printf("# %s without %s\n", sample, drop);
	torch_golden(&f, __FILE__, "2.13.0", sample);
	struct torch_want *w = torch_want_all(&f);
	torch_want_drop(w, drop);
	struct vv_buf out = made(&f, w, VV_ENOTSUP);
	vv_buf_release(&out);
	torch_want_free(w);
	torch_close(&f);
}

/* Archives and pickles that PyTorch did not write are not written anew. */
static void foreign(const char *what, struct mkzip *z)
{
	struct torch_file f;

	printf("# %s\n", what);
	torch_open(&f, mkzip_end(z, true, ""));
	CHECK_STR(f.layout.format->name, "torch");
	struct torch_want *w = torch_want_all(&f);
	torch_want_add(w, "new", VV_DT_U8, NULL, 0, LIT("x"));
	struct vv_buf out = made(&f, w, VV_ENOTSUP);
	vv_buf_release(&out);
	torch_want_free(w);
	torch_close(&f);
	mkzip_release(z);
	*z = (struct mkzip)MKZIP_INIT;
}

static void test_foreign(void)
{
	struct vv_buf p = torch_pickle(&(struct torch_words){0});
	struct mkzip z = MKZIP_INIT;

	torch_zip(&z, vv_buf_view(&p), 1, 0);
	foreign("a pickle without memo", &z);
	/* What torch would have written for an empty dictionary. */
	torch_zip(&z, LIT("\x80\x02}q\0."), 1, 0);
	foreign("a storage that nothing names", &z);
	torch_zip(&z, LIT("\x80\x02}q\0."), 0, MKZIP_DEFLATE);
	foreign("compressed members", &z);
	torch_zip(&z, LIT("\x80\x02}q\0."), 0, 0);
	mkzip_add(&z, "elsewhere/x", LIT("x"), 0);
	foreign("members elsewhere", &z);
	torch_zip(&z, LIT("\x80\x02}q\0.N."), 0, 0);
	foreign("a second pickle", &z);
	vv_buf_release(&p);
}

/* One tensor under two names: the file cannot have only one of them changed. */
static void test_shared(void)
{
	struct torch_file f;
	struct mkzip z = MKZIP_INIT;
	struct vv_buf p = VV_BUF_INIT(VV_MAX_TEXT);

	/* {"a": {"w": tensor}, "b": the same dictionary}, with the memo that torch would leave. */
	vv_buf_span(&p, LIT("\x80\x02}q\0(X\1\0\0\0aq\1}q\2X\1\0\0\0wq\3"
		"ctorch._utils\n_rebuild_tensor_v2\nq\4((X\7\0\0\0storageq\5ctorch\nFloatStorage\nq\6"
		"X\1\0\0\0""0q\7X\3\0\0\0cpuq\x08K\4tq\x09Q"
		"K\0K\4\x85q\x0aK\1\x85q\x0b\x89""ccollections\nOrderedDict\nq\x0c)Rq\x0dtq\x0eRq\x0fsX\1\0\0\0bq\x10h\2u."));
	torch_zip(&z, vv_buf_view(&p), 1, MKZIP_LATE | MKZIP_PAD64);
	torch_open(&f, mkzip_end(&z, true, ""));
	struct torch_want *w = torch_want_all(&f);
	CHECK_INT(w->n, 2);
	torch_want_drop(w, "b.w");
	torch_want_add(w, "b.w", VV_DT_F32, (const uint64_t[]){2}, 1, LIT("abcdefgh"));
	struct vv_buf out = made(&f, w, VV_ENOTSUP);
	vv_buf_release(&out);
	torch_want_drop(w, "b.w");
	out = made(&f, w, VV_ENOTSUP);
	vv_buf_release(&out);
	/* Both change alike. */
	torch_want_drop(w, "a.w");
	torch_want_add(w, "a.w", VV_DT_F32, (const uint64_t[]){2}, 1, LIT("abcdefgh"));
	torch_want_add(w, "b.w", VV_DT_F32, (const uint64_t[]){2}, 1, LIT("abcdefgh"));
	out = right(&f, w);
	vv_buf_release(&out);
	torch_want_free(w);
	torch_close(&f);
	mkzip_release(&z);
	vv_buf_release(&p);
}

int main(void)
{
	static const char *const plain[] = {"state", "checkpoint", "tied", "views", "types", "shapes", "parameter", "attribute", "many"};

	for (size_t v = 0; v < VV_COUNT(torch_versions); v++) {
		for (size_t i = 0; i < VV_COUNT(plain); i++)
			test_out_and_in(torch_versions[v], plain[i]);
		test_changes(torch_versions[v]);
	}
	test_places();
	refused("list", "0");
	refused("tensor", "tensor");
	refused("sparse", "s.1.0");
	refused("module", "_modules.0._parameters.weight");
	test_foreign();
	test_shared();
	return done();
}
