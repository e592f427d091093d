#include "format/torch.h"

#include "torch.h"

/* The members of what assembling `w` gives, "a b c". Owned by the caller. */
static char *members(const struct torch_file *f, const struct torch_want *w)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem mem;
	struct memsink out;
	struct vv_zip z;

	CHECK_OK(torch_assemble(f, w, &out, &err), &err);
	vv_source_mem_init(&mem, vv_buf_view(&out.bytes));
	CHECK_OK(vv_zip_read(&z, &mem.base, &arena, &err), &err);
	CHECK_INT(z.stray, 0);
	for (size_t i = 0; i < z.n; i++) {
		struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
		bool ok = false;
		if (vv_zip_load(&mem.base, &z.members[i], &b, &ok, &err) || !ok || z.members[i].off % 64)
			CHECK(false);
		vv_buf_release(&b);
		vv_buf_fmt(&text, "%s%s", i ? " " : "", strchr(z.members[i].name, '/') + 1);
	}
	vv_arena_release(&arena);
	vv_buf_release(&out.bytes);
	return vv_buf_take(&text);
}

static void more(const char *version, const char *sample, int n, const char *want)
{
	static const char *const words[] = {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"};
	struct torch_file f;
	char *got;

	torch_golden(&f, __FILE__, version, sample);
	struct torch_want *w = torch_want_all(&f);
	for (int i = 0; i < n; i++)
		torch_want_add(w, words[i], VV_DT_U8, NULL, 0, vv_span("x", 1));
	got = members(&f, w);
	CHECK_STR(got, want);
	free(got);
	/* Without any tensor, all else stays. */
	while (w->n)
		torch_want_drop(w, w->parts[0].name);
	got = members(&f, w);
	CHECK_STR(got, strcmp(version, "1.13.1") ? "data.pkl .format_version .storage_alignment byteorder version .data/serialization_id"
						 : "data.pkl version");
	free(got);
	torch_want_free(w);
	torch_close(&f);
}

int main(void)
{
	more("1.13.1", "attribute", 9, "data.pkl data/0 data/1 data/10 data/2 data/3 data/4 data/5 data/6 data/7 data/8 data/9 version");
	more("2.13.0", "attribute", 9, "data.pkl .format_version .storage_alignment byteorder data/0 data/1 data/2 data/3 data/4 data/5 "
		"data/6 data/7 data/8 data/9 data/10 version .data/serialization_id");
	return done();
}
