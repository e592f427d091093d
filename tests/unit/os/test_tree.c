#define _GNU_SOURCE
#include "os/tree.h"

#include "tap.h"
#include "tempdir.h"

#include <errno.h>
#include <fcntl.h>

static struct vv_err err;
static const char *const none[] = {NULL};

static void put(int root, const char *path, const char *text, mode_t mode)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void test_list(int root)
{
	static const char *const skip[] = {"skipped", NULL};
	static const char *const want[] = {"a", "a-b", "a.d/x", "b/c/deep", "b/skipped", "\xff", NULL};
	struct vv_tree t;
	size_t n = 0;

	CHECK(!mkdirat(root, "b", 0777) && !mkdirat(root, "b/c", 0777) && !mkdirat(root, "a.d", 0777) && !mkdirat(root, "empty", 0777));
	put(root, "a", "1", 0755);
	put(root, "a-b", "22", 0644);
	put(root, "a.d/x", "", 0644);
	put(root, "b/c/deep", "333", 0644);
	put(root, "b/skipped", "4", 0644);
	put(root, "skipped", "4", 0644);
	put(root, ".varve-tmp-0123", "4", 0644);
	put(root, "\xff", "5", 0644);
	CHECK_OK(vv_tree_list(&t, root, skip, none, 100, &err), &err);
	for (; want[n] && n < t.n; n++)
		CHECK_STR(t.v[n].path, want[n]);
	CHECK(!want[n] && n == t.n);
	CHECK(t.v[0].exec && !t.v[1].exec);
	CHECK_INT(t.v[3].st.size, 3);
	vv_tree_release(&t);
	CHECK_INT(vv_tree_list(&t, root, skip, none, 5, &err), VV_ELIMIT);
	CHECK(!t.v && !t.n);
	CHECK_INT(vv_tree_list(&t, -1, skip, none, 5, &err), VV_EIO);
}

static void refuse(int root, const char *const *refused, int code, const char *why)
{
	struct vv_tree t;

	vv_err_clear(&err);
	CHECK_INT(vv_tree_list(&t, root, none, refused, 100, &err), code);
	tap_ok(strstr(err.msg, why) != NULL, why, __FILE__, __LINE__);
}

static void test_refused(int root)
{
	static const char *const names[] = {"deep", NULL};
	char path[1024] = "";

	CHECK(!symlinkat("a", root, "b/link"));
	refuse(root, none, VV_ENOTSUP, "b/link: a symbolic link");
	CHECK(!unlinkat(root, "b/link", 0) && !mkfifoat(root, "b/pipe", 0666));
	refuse(root, none, VV_ENOTSUP, "b/pipe: a named pipe");
	CHECK(!unlinkat(root, "b/pipe", 0) && !mkdirat(root, "b/.GIT", 0777));
	refuse(root, none, VV_ENOTSUP, "b/.GIT: a git repository");
	CHECK(!unlinkat(root, "b/.GIT", AT_REMOVEDIR));
	refuse(root, names, VV_ENOTSUP, "b/c/deep: not a name");
	for (int i = 0; i < 130; i++) {
		strcat(path, "d/");
		CHECK(!mkdirat(root, path, 0777));
	}
	refuse(root, none, VV_ELIMIT, "folders deep");
	for (size_t n = strlen(path); n; n -= 2) {
		path[n] = 0;
		CHECK(!unlinkat(root, path, AT_REMOVEDIR));
	}
}

static void test_open(int root)
{
	struct vv_tree t;
	struct vv_tree_source s;
	char got[4] = "";
	const struct vv_tree_file *f;

	CHECK_OK(vv_tree_list(&t, root, none, none, 100, &err), &err);
	f = bsearch(&(struct vv_tree_file){.path = "b/c/deep"}, t.v, t.n, sizeof(*t.v), vv_tree_by_path);
	CHECK(f != NULL);
	CHECK_OK(vv_tree_open(&s, root, f, &err), &err);
	CHECK_OK(vv_source_read(&s.base, 0, got, 3, &err), &err);
	CHECK_STR(got, "333");
	CHECK_OK(vv_tree_unchanged(&s, &err), &err);
	/* It becomes shorter while it is read, and is another file afterwards. */
	put(root, "b/c/deep", "", 0644);
	CHECK_INT(vv_source_read(&s.base, 0, got, 3, &err), VV_ECHANGED);
	CHECK_INT(vv_tree_unchanged(&s, &err), VV_ECHANGED);
	vv_tree_close(&s);
	CHECK_INT(vv_tree_open(&s, root, f, &err), VV_ECHANGED);
	CHECK(!unlinkat(root, "b/c/deep", 0));
	CHECK_INT(vv_tree_open(&s, root, f, &err), VV_ECHANGED);
	CHECK(!symlinkat("../../a", root, "b/c/deep"));
	CHECK_INT(vv_tree_open(&s, root, f, &err), VV_ECHANGED);
	CHECK(!unlinkat(root, "b/c/deep", 0) && !unlinkat(root, "b/c", AT_REMOVEDIR) && !symlinkat("/", root, "b/c"));
	CHECK_INT(vv_tree_open(&s, root, f, &err), VV_EUNSAFE);
	vv_tree_close(&s);
	vv_tree_release(&t);
}

int main(void)
{
	int root;

	tempdir_enter();
	root = open(".", O_RDONLY | O_DIRECTORY);
	test_list(root);
	test_refused(root);
	test_open(root);
	close(root);
	return done();
}
