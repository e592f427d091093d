#define _GNU_SOURCE
#include "os/tempdir.h"

#include "os/file.h"
#include "tap.h"
#include "tempdir.h"

static struct vv_err err;

int main(void)
{
	char *path = NULL, *deep, *link;

	tempdir_enter();
	CHECK_INT(vv_tempdir_make(&path, "nowhere", &err), VV_ENOTFOUND);
	CHECK(!path);
	CHECK_OK(vv_write_file("kept", vv_span_str("x"), false, &err), &err);
	CHECK_OK(vv_mkdirs("outside", &err), &err);
	CHECK_OK(vv_write_file("outside/kept", vv_span_str("x"), false, &err), &err);
	CHECK_OK(vv_tempdir_make(&path, ".", &err), &err);
	CHECK(path && path[0] == '/' && vv_exists(path));
	deep = vv_join(path, "a/b/c");
	link = vv_join(path, "a/link");
	CHECK_OK(vv_mkdirs(deep, &err), &err);
	CHECK(!symlink("../../outside", link));
	CHECK(vv_exists("outside/kept"));
	vv_tempdir_remove(path);
	CHECK(!vv_exists(path));
	/* Links are not followed. */
	CHECK(vv_exists("outside/kept") && vv_exists("kept"));
	vv_tempdir_remove(path);
	vv_tempdir_remove(NULL);
	free(deep);
	free(link);
	free(path);
	return done();
}
