#include "torchpkl.h"

static void opened(struct vv_span bytes, const char *format, const char *findings)
{
	struct torch_file f;

	torch_open(&f, bytes);
	CHECK_STR(f.layout.format->name, format);
	CHECK_STR(torch_findings(&f), findings);
	CHECK(f.layout.n_segs == 1 && f.layout.segs[0].len == bytes.len && !f.layout.segs[0].n_views);
	torch_close(&f);
}

int main(void)
{
	/* M15: told by content. Another pickler's opcodes are no fault of the file. */
	opened(LIT("\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R."), "pickle", "pickle-global os.system");
	opened(LIT("\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\2os\x8c\6system\x93N\x85R."), "pickle", "pickle-global os.system");
	opened(LIT("\x80\x02\x82\1}}}}."), "pickle", "pickle-extension code 1 of the extension registry");
	/* M10, M11 */
	opened(LIT("\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R\xff\xff"), "pickle", "pickle-global os.system");
	opened(LIT("\x80\x02}q\0.\x80\x02""cos\nsystem\n."), "pickle", "pickle-global os.system");
	/* Raw numbers behind a pickle name nothing. */
	opened(LIT("\x80\x02}q\0.c\x01\x02\n\xff\xfe\n."), "pickle", "");
	opened(LIT("\x80\x02\xff\xff\xff\xff"), "opaque", "");
	/* M4: protocol 0 has no signature, but all of it is opcodes and it imports a name. */
	opened(LIT("(S'id'\nios\nsystem\n."), "pickle", "pickle-global os.system");
	opened(LIT("cos\nsystem\n(S'id'\ntR.and more"), "pickle", "pickle-global os.system");
	opened(LIT("cos\nsystem\n(S'id'\ntR"), "pickle", "pickle-global os.system");
	opened(LIT("cos\nsystem\n(S'id'\ntR\xff"), "opaque", "");
	opened(LIT("(S'id'\n."), "opaque", "");
	opened(LIT("cos\nine of an angle\n."), "opaque", "");

	/* Only so much is looked into. */
	struct vv_buf big = VV_BUF_INIT((size_t)80 << 20);
	vv_buf_span(&big, LIT("\x80\x03""B\0\0\0\4"));
	void *p = vv_buf_reserve(&big, 64 << 20);
	memset(p, 0, 64 << 20);
	big.len += 64 << 20;
	vv_buf_span(&big, LIT("cos\nsystem\n."));
	struct vv_source_mem src;
	struct vv_layout l;
	struct vv_err err = VV_ERR_INIT;
	vv_source_mem_init(&src, vv_buf_view(&big));
	CHECK_OK(vv_layout_locate(&l, &src.base, &err), &err);
	CHECK_INT(l.n_findings, 1);
	CHECK_STR(l.findings[0].code, "pickle-limit");
	vv_layout_release(&l);
	vv_buf_release(&big);
	return done();
}
