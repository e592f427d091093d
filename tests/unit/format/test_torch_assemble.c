#include "base/le.h"

#include "torchpkl.h"

/* The same tensors give the same file. */
static void test_identity(const char *version, const char *name)
{
	struct torch_file f;
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;

	torch_golden(&f, __FILE__, version, name);
	struct torch_want *w = torch_want_all(&f);
	printf("# %s %s\n", version, name);
	CHECK_OK(torch_assemble(&f, w, &out, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&f.bytes)));
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	torch_close(&f);
}

/* Overwrites the wanted tensor's bytes. */
static void set(struct torch_want *w, const char *name, uint8_t v)
{
	size_t i = torch_want_find(w, name);

	memset(w->bytes[i].ptr, v, w->bytes[i].len);
}

/* Only payload, its CRC-32s and the file's id differ. */
static void test_payload(const char *version)
{
	struct torch_file f, g;
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;
	size_t seg, view, differ = 0;

	torch_golden(&f, __FILE__, version, "checkpoint");
	struct torch_want *w = torch_want_all(&f);
	set(w, "model.0.weight", 1);
	CHECK_OK(torch_assemble(&f, w, &out, &err), &err);
	CHECK_INT(out.bytes.len, f.bytes.len);
	torch_open(&g, vv_buf_view(&out.bytes));
	CHECK_INT(g.layout.n_findings, 0);
	CHECK(vv_layout_find(&g.layout, "model.0.weight", &seg, &view));
	const struct vv_segment *s = &f.layout.segs[seg];
	for (size_t i = 0; i < f.bytes.len && i < out.bytes.len; i++)
		differ += f.bytes.ptr[i] != out.bytes.ptr[i] && (i < s->off || i >= s->off + s->len);
	/* Twice a CRC-32 of the payload; and where there is an id, half of it and twice its own. */
	CHECK(differ >= 6 && differ <= (strcmp(version, "1.13.1") ? 8 + 20 + 8 : 8));
	for (size_t i = 0; i < s->len; i++)
		if (out.bytes.ptr[s->off + i] != 1)
			differ = 1000;
	CHECK(differ < 1000);
	/* And back: the first file again. */
	struct torch_want *back = torch_want_all(&f);
	struct memsink again;
	CHECK_OK(torch_assemble(&g, back, &again, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&again.bytes), vv_buf_view(&f.bytes)));
	torch_want_free(back);
	vv_buf_release(&again.bytes);
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	torch_close(&g);
	torch_close(&f);
}

/* Views of one storage write into it; they may not contradict each other. */
static void test_views(void)
{
	struct torch_file f, g;
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;
	char *told, *want;

	torch_golden(&f, __FILE__, "2.13.0", "tied");
	struct torch_want *w = torch_want_all(&f);
	set(w, "embedding.weight", 2);
	CHECK_INT(torch_assemble(&f, w, &out, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "shares bytes") != NULL);
	vv_buf_release(&out.bytes);
	set(w, "decoder.weight", 2);
	CHECK_OK(torch_assemble(&f, w, &out, &err), &err);
	torch_open(&g, vv_buf_view(&out.bytes));
	told = torch_told(&g);
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	for (size_t i = 0; i < w->n; i++)
		torch_line(&text, w->parts[i].name, w->parts[i].dtype, w->parts[i].shape, w->parts[i].ndim, vv_buf_view(&w->bytes[i]));
	want = torch_sorted(&text);
	CHECK_STR(told, want);
	free(told);
	free(want);
	torch_close(&g);
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	torch_close(&f);

	/* Only the strided one: what lies between its elements stays. */
	torch_golden(&f, __FILE__, "2.13.0", "views");
	w = torch_want_all(&f);
	set(w, "only.transposed", 3);
	CHECK_OK(torch_assemble(&f, w, &out, &err), &err);
	torch_open(&g, vv_buf_view(&out.bytes));
	told = torch_told(&g);
	for (size_t i = 0; i < w->n; i++)
		torch_line(&text, w->parts[i].name, w->parts[i].dtype, w->parts[i].shape, w->parts[i].ndim, vv_buf_view(&w->bytes[i]));
	want = torch_sorted(&text);
	CHECK_STR(told, want);
	free(told);
	free(want);
	torch_close(&g);
	vv_buf_release(&out.bytes);
	set(w, "every", 9);
	CHECK_INT(torch_assemble(&f, w, &out, &err), VV_ENOTSUP);
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	torch_close(&f);
}

static void test_wrong(void)
{
	struct torch_file f;
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;

	torch_golden(&f, __FILE__, "2.13.0", "state");
	struct torch_want *w = torch_want_all(&f);
	w->parts[1].name = w->parts[0].name;
	CHECK_INT(torch_assemble(&f, w, &out, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "twice") != NULL);
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	/* A full disk is passed on. */
	w = torch_want_all(&f);
	struct vv_assembly a = {&f.layout, &f.src.base, w->parts, w->n};
	for (size_t room = 1; room < f.bytes.len; room += f.bytes.len / 7) {
		struct memsink full = MEMSINK_INIT;
		full.room = room;
		CHECK_INT(vv_assemble(&a, &full.base, &err), VV_EIO);
		vv_buf_release(&full.bytes);
	}
	torch_want_free(w);
	torch_close(&f);
}

/* The archive says how its payloads are aligned. */
static void test_align(void)
{
	struct vv_buf p = torch_pickle(&(struct torch_words){0});
	static const char *const words[] = {"64", "4096", "63", "0", "x", "131072", "12345678901234567"};
	struct vv_err err = VV_ERR_INIT;

	for (size_t i = 0; i < VV_COUNT(words); i++) {
		struct mkzip z = MKZIP_INIT;
		struct torch_file f;
		struct memsink out;
		torch_zip(&z, vv_buf_view(&p), 1, MKZIP_LATE | MKZIP_PAD64);
		mkzip_add(&z, "m/.storage_alignment", vv_span_str(words[i]), MKZIP_LATE | MKZIP_PAD64);
		torch_open(&f, mkzip_end(&z, true, ""));
		struct torch_want *w = torch_want_all(&f);
		CHECK_INT(torch_assemble(&f, w, &out, &err), i < 2 ? 0 : i < 6 ? VV_ENOTSUP : VV_ELIMIT);
		vv_buf_release(&out.bytes);
		torch_want_free(w);
		torch_close(&f);
		mkzip_release(&z);
	}
	vv_buf_release(&p);
}

/* An id that is not the sum that we know stays as it is. */
static void test_foreign_id(void)
{
	struct vv_buf p = torch_pickle(&(struct torch_words){0});
	struct mkzip z = MKZIP_INIT;
	struct torch_file f;
	struct vv_err err = VV_ERR_INIT;
	struct memsink out;

	torch_zip(&z, vv_buf_view(&p), 1, MKZIP_LATE | MKZIP_PAD64);
	mkzip_add(&z, "m/.data/serialization_id", LIT("0000000000000000000000000000000000000042"), MKZIP_LATE | MKZIP_PAD64);
	torch_open(&f, mkzip_end(&z, true, ""));
	struct torch_want *w = torch_want_all(&f);
	set(w, "w", 7);
	CHECK_OK(torch_assemble(&f, w, &out, &err), &err);
	vv_buf_char(&out.bytes, 0);
	bool there = false;
	for (size_t i = 0; i + 40 < out.bytes.len; i++)
		there |= !memcmp(out.bytes.ptr + i, "0000000000000000000000000000000000000042", 40);
	CHECK(there);
	vv_buf_release(&out.bytes);
	torch_want_free(w);
	torch_close(&f);
	mkzip_release(&z);
	vv_buf_release(&p);
}

/* Makes the directory's CRC-32 of the member wrong. */
static void lie(struct vv_buf *archive, const char *name)
{
	size_t len = strlen(name), at = archive->len - len;

	while (at > 46 && (vv_get32(archive->ptr + at - 46) != 0x02014b50 || memcmp(archive->ptr + at, name, len) != 0))
		at--;
	CHECK(at > 46);
	archive->ptr[at - 46 + 16] ^= 1;
}

/* An id that is right only when the CRC-32s are: the second writing must not touch what the first one kept. */
static void test_lying_crcs(void)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	struct torch_file f, second;
	struct vv_err err = VV_ERR_INIT;
	struct memsink once, again;

	golden_read(&bytes, __FILE__, "torch/2.13.0/state.pt");
	lie(&bytes, "state/data/0");
	lie(&bytes, "state/.data/serialization_id");
	torch_open(&f, vv_buf_view(&bytes));
	struct torch_want *w = torch_want_all(&f);
	CHECK_OK(torch_assemble(&f, w, &once, &err), &err);
	CHECK(!vv_span_eq(vv_buf_view(&once.bytes), vv_buf_view(&bytes)));
	torch_open(&second, vv_buf_view(&once.bytes));
	CHECK_OK(torch_assemble(&second, w, &again, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&again.bytes), vv_buf_view(&once.bytes)));
	vv_buf_release(&once.bytes);
	vv_buf_release(&again.bytes);
	vv_buf_release(&bytes);
	torch_want_free(w);
	torch_close(&second);
	torch_close(&f);
}

int main(void)
{
	for (size_t v = 0; v < VV_COUNT(torch_versions); v++) {
		for (size_t i = 0; i < VV_COUNT(torch_samples); i++)
			if (strcmp(torch_samples[i], "legacy") != 0)
				test_identity(torch_versions[v], torch_samples[i]);
		test_payload(torch_versions[v]);
	}
	test_views();
	test_wrong();
	test_align();
	test_foreign_id();
	test_lying_crcs();
	return done();
}
