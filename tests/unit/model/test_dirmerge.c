#include "model/dirmerge.h"

#include "dirs.h"

static struct vv_err err;

static enum vv_merge_side taken;

static enum vv_merge_side note(void *arg, const char *path, enum vv_merge_reason reason)
{
	vv_buf_fmt(arg, "%s: %s; ", path, vv_merge_reason_text(reason));
	return taken;
}

static void check(const char *base, const char *ours, const char *theirs, const char *want, const char *conflicts)
{
	struct vv_manifest b = {0}, o = {0}, t = {0}, w = {0}, got = {0};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), said = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_dir_build build = {0};
	size_t n = 99;

	if (base)
		dir_of(&b, base);
	dir_of(&o, ours);
	dir_of(&t, theirs);
	dir_of(&w, want);
	CHECK_OK(vv_dir_merge(&build, base ? &b : NULL, &o, &t, note, &said, &n, &err), &err);
	CHECK_OK(vv_dir_build_end(&build, &text, &got, &err), &err);
	CHECK(vv_id_eq(&got.root, &w.root));
	CHECK_STR(said.ptr ? (char *)said.ptr : "", conflicts);
	CHECK((n == 0) == !conflicts[0]);
	vv_buf_release(&text);
	vv_buf_release(&said);
	vv_dir_build_release(&build);
	vv_manifest_release(&b);
	vv_manifest_release(&o);
	vv_manifest_release(&t);
	vv_manifest_release(&w);
	vv_manifest_release(&got);
}

int main(void)
{
	check("a=1 b=2 c=3", "a=9 b=2 c=3", "a=1 b=8 c=3", "a=9 b=8 c=3", "");
	check("a=1 b=2", "a=1 b=2 x=1", "b=2 y=2", "b=2 x=1 y=2", "");
	check("a=1", "a=2", "a=2", "a=2", "");
	check("a=1 b=1", "b=1", "b=1", "b=1", "");
	check(NULL, "a=1 b=2", "b=2 c=3", "a=1 b=2 c=3", "");
	check("a=1", "a=1x", "a=1", "a=1x", "");
	check("", "", "", "", "");
	/* Ours stays, and each is named. */
	check("a=1", "a=2", "a=3", "a=2", "a: both sides changed it; ");
	check("a=1 z=1", "a=2 z=1", "z=2", "a=2 z=2", "a: changed here, removed there; ");
	check("a=1", "", "a=2", "", "a: removed here, changed there; ");
	check("", "a=1", "a=2", "a=1", "a: both sides added it, differently; ");
	check(NULL, "a=1", "a=2", "a=1", "a: both sides added it, differently; ");
	/* Or what the caller says. */
	taken = VV_MERGE_THEIRS;
	check("a=1 b=1 c=1", "a=2 b=2 c=1", "b=3 c=3", "b=3 c=3", "a: changed here, removed there; b: both sides changed it; ");
	taken = VV_MERGE_BASE;
	check("a=1 c=1", "a=2 b=2 c=1", "a=4 b=3 c=3", "a=1 c=3", "a: both sides changed it; b: both sides added it, differently; ");
	return done();
}
