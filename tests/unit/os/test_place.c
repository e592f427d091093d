#define _GNU_SOURCE
#include "os/place.h"

#include "tap.h"
#include "tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static struct vv_err err;

static void test_dotgit(void)
{
	static const char *const bad[] = {".git", ".GIT", ".gIt", ".git.", ".git ", ".git . .", ".git......", "git~1", "GIT~1",
		".git::$INDEX_ALLOCATION", ".git:x", ".g\xe2\x80\x8cit", "\xef\xbb\xbf.git", ".git\xe2\x80\xae", "git~1."};
	static const char *const good[] = {"", ".", "git", ".gi", ".gitx", ".gitignore", ".git.x", ".gitattributes", "git~2", "x.git",
		" .git", (".g\xc3\xac" "t"), "model.safetensors", ".gi\xff"};

	for (size_t i = 0; i < VV_COUNT(bad); i++)
		tap_ok(vv_is_dotgit(bad[i], strlen(bad[i])), bad[i], __FILE__, __LINE__);
	for (size_t i = 0; i < VV_COUNT(good); i++)
		tap_ok(!vv_is_dotgit(good[i], strlen(good[i])), good[i], __FILE__, __LINE__);
	CHECK(vv_is_dotgit(".gitx", 4));
}

static void test_unsafe(int root)
{
	static const char *const bad[] = {"", "/", "/etc/passwd", ".", "..", "../x", "a/..", "a/../x", "a//x", "a/", "a/./x", "./a",
		".git", ".git/config", ".GIT/config", "a/.git/config", ".git./x", "git~1/x", ".g\xe2\x80\x8cit/x"};
	char longest[300];
	struct vv_place p = VV_PLACE_INIT;

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		tap_ok(vv_place_open(&p, root, bad[i], &err) == VV_EUNSAFE, bad[i], __FILE__, __LINE__);
		vv_place_release(&p);
	}
	memset(longest, 'n', sizeof(longest));
	longest[256] = 0;
	CHECK_INT(vv_place_open(&p, root, longest, &err), VV_EUNSAFE);
	longest[255] = 0;
	CHECK_OK(vv_place_open(&p, root, longest, &err), &err);
	vv_place_release(&p);
	CHECK_INT(vv_place_open(&p, root, "missing/x", &err), VV_ENOTFOUND);
	CHECK_INT(vv_place_open(&p, root, "a/file/x", &err), VV_ENOTFOUND);
	CHECK_INT(vv_place_open(&p, -1, "x", &err), VV_EIO);
	vv_place_release(&p);
}

/* A link on the way is never followed, wherever it leads; the last name is not looked at. */
static void test_links(int root)
{
	struct vv_place p = VV_PLACE_INIT;
	struct vv_draft d;
	struct stat st;

	CHECK(!symlink("/tmp", "out") && !symlink("a", "in") && !symlink("nowhere", "dangling") && !symlink("/tmp", "a/deep"));
	CHECK_INT(vv_place_open(&p, root, "out/x", &err), VV_EUNSAFE);
	CHECK(strstr(err.msg, "symbolic link"));
	CHECK_INT(vv_place_open(&p, root, "in/x", &err), VV_EUNSAFE);
	CHECK_INT(vv_place_open(&p, root, "dangling/x", &err), VV_EUNSAFE);
	CHECK_INT(vv_place_open(&p, root, "a/deep/x", &err), VV_EUNSAFE);
	CHECK_OK(vv_place_open(&p, root, "a/b/new", &err), &err);
	CHECK_STR(p.name, "new");
	CHECK_OK(vv_draft_open(&d, &p, NULL, &err), &err);
	CHECK(!fstatat(p.dirfd, d.name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode));
	CHECK(!strncmp(d.name, ".varve-tmp-", 11) && strlen(d.name) < sizeof(d.name));
	CHECK_OK(vv_draft_publish(&d, &p, 0600, 0, NULL, &st, &err), &err);
	vv_draft_release(&d);
	CHECK(!lstat("a/b/new", &st));
	/* The folder gone from under it. */
	CHECK(!unlink("a/b/new") && !rmdir("a/b"));
	CHECK_INT(vv_draft_open(&d, &p, NULL, &err), VV_ENOTFOUND);
	vv_place_release(&p);
	vv_place_release(&p);
	CHECK_OK(vv_place_open(&p, root, "out", &err), &err);
	vv_place_release(&p);
}

static bool holds(const char *path, const char *text)
{
	char b[100] = "";
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(b, 1, sizeof(b) - 1, f) : 0;

	if (f)
		fclose(f);
	return f && n == strlen(text) && !strcmp(b, text);
}

static void begin(struct vv_draft *d, const struct vv_place *p, const char *elsewhere, const char *text)
{
	CHECK_OK(vv_draft_open(d, p, elsewhere, &err), &err);
	CHECK_INT(write(d->fd, text, strlen(text)), strlen(text));
}

static void test_publish(int root)
{
	struct vv_place p = VV_PLACE_INIT;
	struct vv_draft d;
	struct stat st, then;

	CHECK_OK(vv_place_open(&p, root, "a/model", &err), &err);
	begin(&d, &p, NULL, "one");
	CHECK_OK(vv_draft_publish(&d, &p, 0640, 100, NULL, &then, &err), &err);
	vv_draft_release(&d);
	vv_draft_release(&d);
	CHECK(holds("a/model", "one"));
	CHECK_INT(then.st_mode & 07777, 0640);
	CHECK(then.st_mtime <= time(NULL) - 99 && then.st_mtime > time(NULL) - 1000);
	/* In place of what is expected there. */
	begin(&d, &p, NULL, "two");
	CHECK_OK(vv_draft_publish(&d, &p, 0600, 5, &then, &st, &err), &err);
	vv_draft_release(&d);
	CHECK(holds("a/model", "two"));
	/* It is not that any more, or gone: left alone. */
	begin(&d, &p, NULL, "three");
	CHECK_INT(vv_draft_publish(&d, &p, 0600, 5, &then, &st, &err), VV_ECHANGED);
	CHECK(holds("a/model", "two"));
	CHECK(!unlink("a/model"));
	CHECK_INT(vv_draft_publish(&d, &p, 0600, 5, &then, &st, &err), VV_ECHANGED);
	CHECK(!unlinkat(d.dirfd, d.name, 0));
	CHECK_INT(vv_draft_publish(&d, &p, 0600, 5, NULL, &st, &err), VV_ENOTFOUND);
	close(d.fd);
	CHECK_INT(vv_draft_publish(&d, &p, 0600, 5, NULL, &st, &err), VV_EIO);
	d.fd = -1;
	vv_draft_release(&d);
	vv_place_release(&p);
}

static size_t count(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n < 2 ? 0 : n - 2;
}

/* In a folder of our own: made when it is missing, used when a rename from there works. */
static void test_elsewhere(int root)
{
	struct vv_place p = VV_PLACE_INIT;
	struct vv_draft d;
	struct stat st;

	CHECK(!mkdir("z", 0777));
	CHECK_OK(vv_place_open(&p, root, "z/model", &err), &err);
	begin(&d, &p, "drafts", "one");
	CHECK_INT(count("drafts"), 1);
	CHECK_INT(count("z"), 0);
	CHECK_OK(vv_draft_publish(&d, &p, 0640, 0, NULL, &st, &err), &err);
	vv_draft_release(&d);
	CHECK_INT(count("drafts"), 0);
	CHECK(holds("z/model", "one"));
	begin(&d, &p, "drafts", "given up");
	vv_draft_release(&d);
	CHECK_INT(count("drafts"), 0);
	/* On another file system, or not to be made: beside the place. */
	begin(&d, &p, "/dev", "two");
	CHECK_INT(count("z"), 2);
	vv_draft_release(&d);
	begin(&d, &p, "no/such/folder", "three");
	CHECK_INT(count("z"), 2);
	CHECK_OK(vv_draft_publish(&d, &p, 0640, 0, NULL, &st, &err), &err);
	vv_draft_release(&d);
	CHECK(holds("z/model", "three"));
	vv_place_release(&p);
}

/* Many at once: new ones where nothing is, others in place of what is expected. */
static void test_many(int root)
{
	struct vv_place p = VV_PLACE_INIT;
	struct vv_draft d;
	struct stat st, seen;
	int drafts = vv_drafts_open("many-drafts", root);

	CHECK(drafts >= 0 && !access("many-drafts", F_OK));
	CHECK_OK(vv_place_open(&p, root, "a/many", &err), &err);
	CHECK_OK(vv_draft_open_at(&d, drafts, "a/many", &err), &err);
	CHECK_INT(write(d.fd, "new", 3), 3);
	CHECK_OK(vv_draft_place(&d, &p, 0755, 2, NULL, &seen, &err), &err);
	vv_draft_release(&d);
	CHECK(seen.st_size == 3 && (seen.st_mode & 0777) == 0755 && seen.st_mtim.tv_sec < time(NULL));
	/* Something is there: it stays, unless it is what was seen. */
	CHECK_OK(vv_draft_open_at(&d, drafts, "a/many", &err), &err);
	CHECK_INT(vv_draft_place(&d, &p, 0644, 2, NULL, &st, &err), VV_EEXISTS);
	CHECK(vv_is_draft(d.name) && !vv_is_draft("many"));
	seen.st_size++;
	CHECK_INT(vv_draft_place(&d, &p, 0644, 2, &seen, &st, &err), VV_ECHANGED);
	seen.st_size--;
	CHECK_OK(vv_draft_place(&d, &p, 0644, 2, &seen, &st, &err), &err);
	CHECK_INT(st.st_size, 0);
	vv_draft_release(&d);
	vv_place_release(&p);
	close(drafts);
	/* Without a folder of its own it is beside the place. */
	drafts = vv_drafts_open("missing/folder", root);
	CHECK(drafts >= 0 && !fstat(drafts, &st) && !fstat(root, &seen) && st.st_ino == seen.st_ino);
	close(drafts);
}

/* Leftovers go; one of somebody alive, and what only looks like one, stay. */
static void test_sweep(int root)
{
	struct vv_place p = VV_PLACE_INIT;
	struct vv_draft live, dead;
	char path[64];

	CHECK_OK(vv_place_open(&p, root, "a/model", &err), &err);
	CHECK_OK(vv_draft_open(&live, &p, NULL, &err), &err);
	CHECK_OK(vv_draft_open(&dead, &p, NULL, &err), &err);
	close(dead.fd);
	CHECK(!mkdir("a/.varve-tmp-folder", 0777) && !symlink("file", "a/.varve-tmp-link") && !mkfifo("a/.varve-tmp-fifo", 0600));
	vv_drafts_sweep(p.dirfd);
	snprintf(path, sizeof(path), "a/%s", live.name);
	CHECK(!access(path, F_OK));
	snprintf(path, sizeof(path), "a/%s", dead.name);
	CHECK(access(path, F_OK) && errno == ENOENT);
	CHECK(!access("a/.varve-tmp-folder", F_OK) && !access("a/.varve-tmp-link", F_OK) && !access("a/.varve-tmp-fifo", F_OK));
	CHECK(!access("a/file", F_OK));
	vv_draft_release(&live);
	close(dead.dirfd);
	vv_place_release(&p);
}

int main(void)
{
	int root;

	tempdir_enter();
	root = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(!mkdir("a", 0777) && !mkdir("a/b", 0777) && !mknod("a/file", S_IFREG | 0666, 0));
	test_dotgit();
	test_unsafe(root);
	test_links(root);
	test_publish(root);
	test_elsewhere(root);
	test_many(root);
	test_sweep(root);
	close(root);
	return done();
}
