#include "format/torch.h"

#include "torch.h"

/* What Python's pickler wrote comes out again, byte for byte. */
static void test_golden(const char *version, const char *name)
{
	struct torch_file f;
	struct vv_torch t;
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_PICKLE);

	torch_golden(&f, __FILE__, version, name);
	printf("# %s %s\n", version, name);
	CHECK_OK(vv_torch_read(&t, &f.src.base, &arena, NULL, &err), &err);
	CHECK_OK(vv_pickle_emit(&t.pickle, t.pickle.root, &out, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&out), vv_buf_view(&t.text)));
	vv_buf_release(&out);
	vv_torch_release(&t);
	vv_arena_release(&arena);
	torch_close(&f);
}

int main(void)
{
	for (size_t v = 0; v < VV_COUNT(torch_versions); v++)
		for (size_t i = 0; i < VV_COUNT(torch_samples); i++)
			if (strcmp(torch_samples[i], "legacy") != 0)
				test_golden(torch_versions[v], torch_samples[i]);
	return done();
}
