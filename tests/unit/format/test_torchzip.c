#include "base/le.h"

#include "torchpkl.h"

static void test_golden(const char *version, const char *name)
{
	struct torch_file f;
	char path[256], *told, *want;

	torch_golden(&f, __FILE__, version, name);
	snprintf(path, sizeof(path), "torch/%s/%s.txt", version, name);
	struct vv_buf expected = VV_BUF_INIT(VV_MAX_TEXT);
	golden_read(&expected, __FILE__, path);
	told = torch_told(&f);
	want = torch_sorted(&expected);
	printf("# %s %s\n", version, name);
	CHECK_STR(told, want);
	CHECK_STR(f.layout.format->name, strcmp(name, "legacy") ? "torch" : "torch-legacy");
	CHECK_INT(f.layout.n_findings, strcmp(name, "module") ? 0 : 3);
	free(told);
	free(want);
	torch_close(&f);
}

/* A whole module is told of by its classes, at their offsets. */
static void test_module(void)
{
	struct torch_file f;

	torch_golden(&f, __FILE__, "2.13.0", "module");
	const struct vv_finding *first = torch_finding(&f, "pickle-global");
	CHECK(first && !strcmp(first->detail, "torch.nn.modules.container.Sequential"));
	CHECK(first && !memcmp(f.bytes.ptr + first->off, "ctorch.nn.modules.container\nSequential\n", 39));
	torch_close(&f);
}

/* Storage, tied and strided views as segments. */
static void test_segments(void)
{
	struct torch_file f;
	size_t seg, view;

	torch_golden(&f, __FILE__, "2.13.0", "tied");
	CHECK(vv_layout_find(&f.layout, "decoder.weight", &seg, &view));
	CHECK_INT(f.layout.segs[seg].n_views, 2);
	CHECK(vv_view_is_whole(&f.layout.segs[seg], &f.layout.segs[seg].views[view]));
	torch_close(&f);
	torch_golden(&f, __FILE__, "2.13.0", "views");
	CHECK(vv_layout_find(&f.layout, "columns", &seg, &view));
	CHECK_INT(f.layout.segs[seg].views[view].stride[0], 8);
	CHECK_INT(f.layout.segs[seg].views[view].offset, 2);
	CHECK(vv_layout_find(&f.layout, "rows", &seg, &view) && !f.layout.segs[seg].views[view].stride);
	CHECK(vv_layout_find(&f.layout, "nothing", &seg, &view) && !f.layout.segs[seg].views[view].stride);
	CHECK(vv_layout_find(&f.layout, "unit", &seg, &view) && !f.layout.segs[seg].views[view].stride);
	torch_close(&f);
	/* A storage of a type that has no elements for us keeps its bytes, without a name. */
	torch_golden(&f, __FILE__, "2.13.0", "quantized");
	CHECK(vv_layout_find(&f.layout, "f", &seg, &view) && !vv_layout_find(&f.layout, "q", &seg, &view));
	torch_close(&f);
}

/* The pickle `w` makes an archive of `storages`; it is kept opaque for a reason that names `why`. */
static void refused(struct torch_words w, int storages, const char *why)
{
	struct vv_buf p = torch_pickle(&w);
	struct torch_file f;

	torch_made(&f, vv_buf_view(&p), storages);
	CHECK_STR(f.layout.format->name, "opaque");
	CHECK_INT(f.layout.n_segs, 1);
	bool named = strstr(torch_findings(&f), why) != NULL;
	CHECK(named);
	printf("# %s\n", torch_findings(&f));
	torch_close(&f);
	vv_buf_release(&p);
}

static void taken(struct torch_words w, const char *line)
{
	struct vv_buf p = torch_pickle(&w);
	struct torch_file f;
	char *told;

	torch_made(&f, vv_buf_view(&p), 1);
	told = torch_told(&f);
	CHECK_STR(f.layout.format->name, "torch");
	CHECK(!strncmp(told, line, strlen(line)) && (!*told || *line));
	printf("# %s %s\n", told, torch_findings(&f));
	free(told);
	torch_close(&f);
	vv_buf_release(&p);
}

static void test_tensors(void)
{
	taken((struct torch_words){0}, "w f32 [4] ");
	taken((struct torch_words){.location = "cuda:0"}, "w f32 [4] ");
	taken((struct torch_words){.callee = "torch._utils\n_rebuild_tensor\n"}, "w f32 [4] ");
	taken((struct torch_words){.size = "K\2K\2\x86", .stride = "K\1K\2\x86"}, "w f32 [2,2] ");
	taken((struct torch_words){.callee = "torch._utils\n_rebuild_tensor_v3\n", .type = "torch.storage\nUntypedStorage\n",
		.numel = "K\x10", .size = "K\x08\x85", .more = "ctorch\nuint16\n"}, "w u16 [8] ");
	taken((struct torch_words){.callee = "torch._utils\n_rebuild_tensor_v3\n", .type = "torch.storage\nUntypedStorage\n",
		.numel = "K\x10", .size = "K\x10\x85", .more = "ctorch\nbits8\n"}, "");
	/* Nine dimensions are more than a manifest says: the bytes are kept without a name. */
	taken((struct torch_words){.size = "(K\1K\1K\1K\1K\1K\1K\1K\1K\4t", .stride = "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"}, "");
	taken((struct torch_words){.type = "torch\nQInt8Storage\n"}, "");
	/* M20, M21 */
	refused((struct torch_words){.numel = "K\5"}, 1, "m/data/0 has 16 bytes, not 20");
	refused((struct torch_words){.numel = "K\3", .size = "K\3\x85"}, 1, "m/data/0 has 16 bytes, not 12");
	refused((struct torch_words){.numel = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"}, 1, "larger than any file");
	refused((struct torch_words){.offset = "K\1"}, 1, "does not fit");
	refused((struct torch_words){.offset = "J\xff\xff\xff\xff"}, 1, "without storage, size and strides");
	refused((struct torch_words){.size = "K\2\x85", .stride = "K\4\x85"}, 1, "does not fit");
	refused((struct torch_words){.stride = "J\xff\xff\xff\xff\x85"}, 1, "no number from 0 up");
	refused((struct torch_words){.size = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"}, 1, "does not fit");
	refused((struct torch_words){.size = "K\2K\2\x86"}, 1, "without storage, size and strides");
	refused((struct torch_words){.size = "K\4"}, 1, "without storage, size and strides");
	refused((struct torch_words){.key = "7"}, 1, "no member");
	/* M22 */
	refused((struct torch_words){.tag = "module"}, 1, "torch-tensor a persistent id that is no storage's");
	refused((struct torch_words){.location = "/etc/passwd"}, 1, "torch-tensor a persistent id that is no storage's");
	refused((struct torch_words){.location = ""}, 1, "torch-tensor a persistent id that is no storage's");
	refused((struct torch_words){.numel = "N"}, 1, "torch-tensor a persistent id that is no storage's");
}

static void raw(const char *what, struct vv_span pickle, const char *format, const char *findings)
{
	struct torch_file f;

	torch_made(&f, pickle, 1);
	printf("# %s\n", what);
	CHECK_STR(f.layout.format->name, format);
	CHECK_STR(torch_findings(&f), findings);
	torch_close(&f);
}

static void test_pickles(void)
{
	raw("M1", LIT("\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R."), "torch", "pickle-global os.system");
	raw("M10", LIT("\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R\xff"), "opaque",
		"pickle-global os.system;pickle-broken no opcode;malformed torch: m/data.pkl: no opcode at offset 22 of the pickle");
	raw("M11", LIT("\x80\x02}.\x80\x02""cos\nsystem\n."), "torch", "pickle-trailing 14 bytes after the end;pickle-global os.system");
	raw("a persistent id of another kind", LIT("\x80\x02K\1Q."), "opaque",
		"torch-tensor a persistent id that is no storage's at offset 4 of the pickle;"
		"malformed torch: m/data.pkl: a persistent id that is no storage's at offset 4 of the pickle");
	raw("a pickle in itself", LIT("\x80\x02]q\0h\0a."), "torch", "");
	struct vv_buf deep = VV_BUF_INIT(VV_MAX_TEXT), p = VV_BUF_INIT(VV_MAX_TEXT);
	torch_tensor(&p, &(struct torch_words){0});
	vv_buf_str(&deep, "\x80\x02");
	vv_buf_span(&deep, vv_buf_view(&p));
	for (int i = 0; i < 300; i++)
		vv_buf_str(&deep, "\x85");
	vv_buf_str(&deep, ".");
	raw("too deep", vv_buf_view(&deep), "opaque", "limit torch: m/data.pkl: nested too deep at offset 168 of the pickle");
	/* Each level holds the one below twice: 2^40 ways to one tensor. */
	vv_buf_clear(&deep);
	vv_buf_str(&deep, "\x80\x02");
	vv_buf_span(&deep, vv_buf_view(&p));
	vv_buf_span(&deep, LIT("q\0"));
	for (unsigned i = 0; i < 40; i++) {
		vv_buf_str(&deep, "h");
		vv_buf_le(&deep, i, 1);
		vv_buf_str(&deep, "\x86q");
		vv_buf_le(&deep, i + 1, 1);
	}
	vv_buf_str(&deep, ".");
	struct torch_file f;
	torch_made(&f, vv_buf_view(&deep), 1);
	CHECK_STR(f.layout.format->name, "opaque");
	CHECK(torch_finding(&f, "limit"));
	torch_close(&f);
	/* The same with long keys: the names would take more than the tensors ever could. */
	vv_buf_clear(&deep);
	vv_buf_str(&deep, "\x80\x02");
	vv_buf_span(&deep, vv_buf_view(&p));
	vv_buf_span(&deep, LIT("q\0"));
	for (unsigned i = 0; i < 18; i++) {
		for (int k = 0; k < 2; k++) {
			vv_buf_str(&deep, k ? "X\xc8" : "}(X\xc8");
			vv_buf_le(&deep, 0, 3);
			for (int n = 0; n < 200; n++)
				vv_buf_char(&deep, (char)('a' + k));
			vv_buf_str(&deep, "h");
			vv_buf_le(&deep, i, 1);
		}
		vv_buf_str(&deep, "uq");
		vv_buf_le(&deep, i + 1, 1);
	}
	for (int i = 0; i < 18; i++)
		vv_buf_str(&deep, "\x86");
	vv_buf_str(&deep, ".");
	torch_made(&f, vv_buf_view(&deep), 1);
	CHECK_STR(f.layout.format->name, "opaque");
	CHECK(strstr(torch_findings(&f), "names of more than") != NULL);
	torch_close(&f);
	vv_buf_release(&deep);
	vv_buf_release(&p);
}

static void opened(const char *what, struct vv_span bytes, const char *format, const char *findings)
{
	struct torch_file f;

	torch_open(&f, bytes);
	printf("# %s\n", what);
	CHECK_STR(f.layout.format->name, format);
	CHECK_STR(torch_findings(&f), findings);
	torch_close(&f);
}

static const char evil[] = "\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R.";
#define EVIL LIT(evil)

/* Archives that say different things to different readers. */
static void test_archives(void)
{
	struct vv_buf p = torch_pickle(&(struct torch_words){0});
	struct mkzip z = MKZIP_INIT;

	torch_zip(&z, vv_buf_view(&p), 1, MKZIP_LATE | MKZIP_PAD64);
	vv_put16(z.out.ptr + 6, 0x809);
	opened("M16: flags in the local header only", mkzip_end(&z, true, ""), "torch",
		"zip-flags m/data.pkl: flags 0x808 in the directory, 0x809 here");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, EVIL, 0, 0);
	z.out.ptr[30] = 'x';
	opened("M17: another name in the local header", mkzip_end(&z, true, ""), "opaque",
		"pickle-global os.system;malformed torch: zip: member 'm/data.pkl' has another name at offset 0");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, EVIL, 0, 0);
	z.out.ptr[14] ^= 1;
	z.dir.ptr[16] ^= 1;
	opened("M18: a wrong CRC", mkzip_end(&z, true, ""), "torch",
		"crc m/data.pkl: not the CRC-32 that the archive claims;pickle-global os.system");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, 0);
	mkzip_add(&z, "m/data.pkl", EVIL, 0);
	opened("M19: two members of one name", mkzip_end(&z, true, ""), "opaque",
		"pickle-global os.system;malformed torch: zip: member 'm/data.pkl' is there twice, also at offset 269");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, 0);
	mkzip_add(&z, "other/data.pkl", EVIL, 0);
	opened("M19: two folders", mkzip_end(&z, true, ""), "opaque",
		"pickle-global os.system;malformed torch: an archive with more than one data.pkl");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, 0);
	mkzip_add(&z, "m/constants.pkl", EVIL, 0);
	opened("another pickle", mkzip_end(&z, true, ""), "torch", "pickle-global os.system");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, 0);
	vv_buf_str(&z.out, "stray");
	opened("bytes of no member", mkzip_end(&z, true, ""), "torch", "zip-stray 5 bytes that belong to no member");
	mkzip_release(&z);
	vv_buf_release(&p);
}

static void test_members(void)
{
	struct vv_buf p = torch_pickle(&(struct torch_words){0});
	struct mkzip z = MKZIP_INIT;

	torch_zip(&z, vv_buf_view(&p), 1, 0);
	mkzip_add(&z, "m/byteorder", LIT("big"), 0);
	opened("big-endian", mkzip_end(&z, true, ""), "opaque", "byte-order big;malformed torch: tensors that are not little-endian");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, 0);
	mkzip_add(&z, "m/byteorder", LIT("little"), 0);
	opened("little-endian", mkzip_end(&z, true, ""), "torch", "");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	torch_zip(&z, vv_buf_view(&p), 1, MKZIP_DEFLATE);
	struct torch_file f;
	torch_open(&f, mkzip_end(&z, true, ""));
	CHECK_STR(f.layout.format->name, "torch");
	CHECK_INT(f.layout.n_segs, 1); /* compressed storages have no elements */
	torch_close(&f);
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "m/version", LIT("3\n"), 0);
	mkzip_add(&z, "m/data.pkl", vv_buf_view(&p), 0);
	mkzip_add(&z, "m/data/0", LIT("0123456789abcdef"), 0);
	opened("in another order", mkzip_end(&z, false, ""), "torch", "");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "m/x.json", LIT("{}"), 0);
	opened("some other archive", mkzip_end(&z, false, ""), "opaque", "malformed torch: an archive without data.pkl");
	mkzip_release(&z);

	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "x.json", LIT("{}"), 0);
	opened("one that does not even look like it", mkzip_end(&z, false, ""), "opaque", "");
	mkzip_release(&z);

	/* M55: a small member that inflates to a large pickle is read as far as its limit. */
	struct vv_buf big = VV_BUF_INIT(VV_MAX_TEXT);
	vv_buf_str(&big, "\x80\x02(");
	for (int i = 0; i < 5 << 20; i++)
		vv_buf_str(&big, "NNNN");
	vv_buf_str(&big, "t.");
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "m/data.pkl", vv_buf_view(&big), MKZIP_DEFLATE);
	opened("a zip bomb", mkzip_end(&z, false, ""), "opaque", "pickle-limit too many objects;"
		"limit torch: m/data.pkl: too many objects at offset 16777220 of the pickle");
	mkzip_release(&z);
	vv_buf_release(&big);
	vv_buf_release(&p);
}

int main(void)
{
	for (size_t v = 0; v < VV_COUNT(torch_versions); v++)
		for (size_t i = 0; i < VV_COUNT(torch_samples); i++)
			test_golden(torch_versions[v], torch_samples[i]);
	test_module();
	test_segments();
	test_tensors();
	test_pickles();
	test_archives();
	test_members();
	return done();
}
