#include "diff/dirdiff.h"

#include "dirs.h"

static struct vv_err err;

/* "a b>c -d +e": changed, renamed, removed, added. */
static void check(const char *a, const char *b, const char *want, size_t same)
{
	struct vv_manifest x = {0}, y = {0};
	struct vv_buf got = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_dirdiff d;

	dir_of(&x, a);
	dir_of(&y, b);
	CHECK_OK(vv_dirdiff_make(&d, &x, &y, &err), &err);
	for (size_t i = 0; i < d.n; i++) {
		const char *from = d.v[i].a == SIZE_MAX ? NULL : x.files[d.v[i].a].path, *to = d.v[i].b == SIZE_MAX ? NULL : y.files[d.v[i].b].path;
		vv_buf_fmt(&got, "%s", i ? " " : "");
		if (!from || !to)
			vv_buf_fmt(&got, "%c%s", from ? '-' : '+', from ? from : to);
		else
			vv_buf_fmt(&got, strcmp(from, to) ? "%s>%s" : "%s", from, to);
	}
	CHECK_STR(got.ptr ? (char *)got.ptr : "", want);
	CHECK_INT(d.n_same, same);
	vv_dirdiff_release(&d);
	vv_buf_release(&got);
	vv_manifest_release(&x);
	vv_manifest_release(&y);
}

int main(void)
{
	struct vv_manifest m = {0};
	struct vv_dirdiff d;

	check("", "", "", 0);
	check("a=1 b=2", "a=1 b=2", "", 2);
	check("a=1 b=2 d=4", "a=1 b=3 c=5", "b +c -d", 1);
	check("a=1", "a=1x", "a", 0);
	check("a=1 b=2", "b=2 c=1", "a>c", 1);
	check("b=2 c=1", "a=1 b=2", "c>a", 1);
	/* Of two with the same bytes one is the renamed. */
	check("a=1 b=1", "c=1", "-b a>c", 0);
	check("a=1", "b=1 c=1", "a>b +c", 0);
	check("a=1 b=2", "a=2 c=1", "a -b +c", 0);
	dir_of(&m, "a=1 b=2");
	CHECK_OK(vv_dirdiff_make(&d, NULL, &m, &err), &err);
	CHECK(d.n == 2 && d.v[0].a == SIZE_MAX && d.v[1].b == 1);
	vv_dirdiff_release(&d);
	CHECK_OK(vv_dirdiff_make(&d, &m, NULL, &err), &err);
	CHECK(d.n == 2 && d.v[0].b == SIZE_MAX);
	vv_dirdiff_release(&d);
	vv_manifest_release(&m);
	return done();
}
