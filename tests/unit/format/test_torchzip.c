#include "torch.h"

static void test_golden(const char *version, const char *name)
{
	struct torch_file f;
	char path[256], *told, *want;

	torch_golden(&f, __FILE__, version, name);
	snprintf(path, sizeof(path), "torch/%s/%s.txt", version, name);
	struct vv_buf expected = golden_file(__FILE__, path);
	bool some = expected.len > 0;
	told = torch_told(&f);
	want = torch_sorted(&expected);
	printf("# %s %s\n", version, name);
	CHECK_STR(told, want);
	CHECK_STR(f.layout.format->name, some ? "torch" : "opaque");
	for (size_t i = 0; i < f.layout.n_findings; i++)
		printf("# %s %" PRIu64 " %s\n", f.layout.findings[i].code, f.layout.findings[i].off, f.layout.findings[i].detail);
	free(told);
	free(want);
	torch_close(&f);
}

int main(void)
{
	for (size_t v = 0; v < VV_COUNT(torch_versions); v++)
		for (size_t i = 0; i < VV_COUNT(torch_samples); i++)
			test_golden(torch_versions[v], torch_samples[i]);
	return done();
}
