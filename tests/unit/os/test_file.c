#define _GNU_SOURCE
#include "os/file.h"

#include "tap.h"
#include "tempdir.h"

#include <fcntl.h>
#include <sys/wait.h>

static struct vv_err err;

static void put(const char *path, const char *text)
{
	CHECK_OK(vv_write_file(path, vv_span_str(text), false, &err), &err);
}

static bool has(const char *path, const char *text)
{
	struct vv_buf b = VV_BUF_INIT(1000);
	bool same = !vv_read_file(&b, path, &err) && vv_span_is(vv_buf_view(&b), text);

	vv_buf_release(&b);
	return same;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

static void test_open(void)
{
	struct vv_file f = {.fd = -1};
	char b[4] = "---";

	put("plain", "0123456789");
	CHECK_OK(vv_file_open(&f, "plain", &err), &err);
	CHECK_INT(f.base.size, 10);
	CHECK_OK(vv_source_read(&f.base, 4, b, 3, &err), &err);
	CHECK_STR(b, "456");
	CHECK_OK(vv_file_unchanged(&f, "plain", &err), &err);
	/* Shorter while it is read; then another file in its place. */
	CHECK(!truncate("plain", 5));
	CHECK_INT(vv_source_read(&f.base, 4, b, 3, &err), VV_ECHANGED);
	CHECK_INT(vv_file_unchanged(&f, "plain", &err), VV_ECHANGED);
	vv_file_close(&f);
	vv_file_close(&f);
	CHECK_OK(vv_file_open(&f, "plain", &err), &err);
	put("plain", "01234");
	CHECK_INT(vv_file_unchanged(&f, "plain", &err), VV_ECHANGED);
	vv_file_close(&f);
	/* What is no regular file is not opened, and a FIFO does not hang. */
	CHECK(!symlink("plain", "link") && !mkfifo("fifo", 0600));
	CHECK_INT(vv_file_open(&f, "link", &err), VV_EUNSAFE);
	CHECK_INT(vv_file_open(&f, "fifo", &err), VV_EUNSAFE);
	CHECK_INT(vv_file_open(&f, ".", &err), VV_EUNSAFE);
	CHECK_INT(vv_file_open(&f, "missing", &err), VV_ENOTFOUND);
	CHECK(strstr(err.msg, "missing: "));
}

static void test_read(void)
{
	struct vv_buf b = VV_BUF_INIT(200000);
	char *large = calloc(1, 150001);
	int fds[2];

	memset(large, 'x', 150000);
	put("large", large);
	CHECK_OK(vv_read_file(&b, "large", &err), &err);
	CHECK_INT(b.len, 150000);
	vv_buf_release(&b);
	/* Exactly at the limit, and one byte past it. */
	for (size_t max = 149999; max <= 150000; max++) {
		vv_buf_init(&b, max);
		CHECK_INT(vv_read_file(&b, "large", &err), max < 150000 ? VV_ELIMIT : 0);
		vv_buf_release(&b);
	}
	vv_buf_init(&b, 0);
	put("empty", "");
	CHECK_OK(vv_read_file(&b, "empty", &err), &err);
	CHECK_INT(vv_read_file(&b, "large", &err), VV_ELIMIT);
	CHECK_INT(vv_read_file(&b, "missing", &err), VV_ENOTFOUND);
	CHECK_INT(vv_read_file(&b, ".", &err), VV_EIO);
	vv_buf_release(&b);
	free(large);
	vv_buf_init(&b, 100);
	CHECK(!pipe(fds));
	CHECK_OK(vv_write_fd(fds[1], vv_span_str("through"), "pipe", &err), &err);
	close(fds[1]);
	CHECK_OK(vv_read_fd(&b, fds[0], "pipe", &err), &err);
	CHECK(vv_span_is(vv_buf_view(&b), "through"));
	close(fds[0]);
	CHECK_INT(vv_read_fd(&b, -1, "nothing", &err), VV_EIO);
	CHECK_INT(vv_write_fd(-1, vv_span_str("x"), "nothing", &err), VV_EIO);
	CHECK_INT(vv_pwrite_fd(-1, vv_span_str("x"), 0, "nothing", &err), VV_EIO);
	vv_buf_release(&b);
}

static void test_temp(void)
{
	struct vv_temp t = VV_TEMP_INIT;
	mode_t old = umask(027);
	char *path;

	/* Published: durable, never in place of another. */
	CHECK_OK(vv_temp_open(&t, ".", &err), &err);
	CHECK_OK(vv_pwrite_fd(t.fd, vv_span_str("two"), 3, t.path, &err), &err);
	CHECK_OK(vv_pwrite_fd(t.fd, vv_span_str("one"), 0, t.path, &err), &err);
	path = strdup(t.path);
	CHECK_INT(mode_of(path), 0640);
	CHECK_OK(vv_temp_publish_new(&t, "new", 0444, &err), &err);
	CHECK(has("new", "onetwo"));
	CHECK_INT(mode_of("new"), 0444);
	CHECK(!vv_exists(path));
	vv_temp_release(&t);
	free(path);
	CHECK_OK(vv_temp_open(&t, ".", &err), &err);
	CHECK_INT(vv_temp_publish_new(&t, "new", 0444, &err), VV_EEXISTS);
	vv_temp_release(&t);
	CHECK(has("new", "onetwo"));
	/* Replacing. */
	for (int durable = 0; durable < 2; durable++) {
		CHECK_OK(vv_temp_open(&t, ".", &err), &err);
		CHECK_OK(vv_write_fd(t.fd, vv_span_str(durable ? "B" : "A"), t.path, &err), &err);
		CHECK_OK(vv_temp_publish(&t, "new", durable, &err), &err);
		vv_temp_release(&t);
		CHECK(has("new", durable ? "B" : "A"));
	}
	CHECK_INT(mode_of("new"), 0640);
	/* Dropped, and dropped again. */
	CHECK_OK(vv_temp_open(&t, ".", &err), &err);
	path = strdup(t.path);
	vv_temp_release(&t);
	vv_temp_release(&t);
	CHECK(!vv_exists(path));
	free(path);
	CHECK_OK(vv_temp_open(&t, ".", &err), &err);
	CHECK_INT(vv_temp_publish(&t, "missing/new", false, &err), VV_ENOTFOUND);
	vv_temp_release(&t);
	CHECK_INT(vv_temp_open(&t, "missing", &err), VV_ENOTFOUND);
	CHECK(t.fd == -1 && !t.path);
	umask(old);
}

static int collect(void *arg, const char *name, struct vv_err *e)
{
	struct vv_buf *b = arg;

	vv_buf_fmt(b, "%s,", name);
	return !strcmp(name, "stop") ? vv_fail(e, VV_ELIMIT, "stopped") : 0;
}

static void test_folders(void)
{
	struct vv_buf names = VV_BUF_INIT(1000);
	char *path = vv_join("a", "b");

	CHECK_STR(path, "a/b");
	free(path);
	CHECK_OK(vv_mkdirs("d/e/f", &err), &err);
	CHECK_OK(vv_mkdirs("d/e/f", &err), &err);
	CHECK_OK(vv_mkdirs("/", &err), &err);
	CHECK(vv_exists("d/e/f"));
	put("d/file", "");
	CHECK_INT(vv_mkdirs("d/file", &err), VV_EIO);
	CHECK_INT(vv_mkdirs("d/file/g", &err), VV_EIO);
	CHECK_OK(vv_sync_dir("d", &err), &err);
	CHECK_INT(vv_sync_dir("missing", &err), VV_ENOTFOUND);

	put("d/\xc3\xb6", "");
	put("d/B", "");
	put("d/.a", "");
	CHECK_OK(vv_each_name("d", collect, &names, &err), &err);
	CHECK(vv_span_is(vv_buf_view(&names), ".a,B,e,file,\xc3\xb6,"));
	vv_buf_clear(&names);
	CHECK_OK(vv_rename("d/file", "d/stop", &err), &err);
	CHECK_INT(vv_each_name("d", collect, &names, &err), VV_ELIMIT);
	CHECK(vv_span_is(vv_buf_view(&names), ".a,B,e,stop,"));
	vv_buf_clear(&names);
	CHECK_OK(vv_each_name("missing", collect, &names, &err), &err);
	CHECK_INT(names.len, 0);
	CHECK_INT(vv_each_name("d/B", collect, &names, &err), VV_ENOTFOUND);
	vv_buf_release(&names);
	CHECK_OK(vv_unlink("d/stop", &err), &err);
	CHECK_INT(vv_unlink("d/stop", &err), VV_ENOTFOUND);
	CHECK_INT(vv_rename("d/stop", "x", &err), VV_ENOTFOUND);
}

static void test_map(void)
{
	struct vv_map_file m;
	uint64_t off = 5001;
	char *text = calloc(1, 10001);
	int fd;

	for (int i = 0; i < 10000; i++)
		text[i] = (char)('a' + i % 26);
	put("mapped", text);
	fd = open("mapped", O_RDONLY);
	CHECK_OK(vv_map_range(&m, fd, off, 4000, "mapped", &err), &err);
	CHECK_INT(m.len, 4000);
	CHECK(!memcmp(m.ptr, text + off, 4000));
	vv_unmap(&m, off);
	vv_unmap(&m, off);
	CHECK_OK(vv_map_range(&m, fd, 3, 0, "mapped", &err), &err);
	CHECK(!m.ptr && !m.len);
	vv_unmap(&m, 3);
	CHECK_INT(vv_map_range(&m, -1, 0, 10, "nothing", &err), VV_EIO);
	close(fd);
	free(text);
}

/* What another process gets for the lock: 0, or the code. */
static int from_outside(unsigned flags)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		struct vv_lock l = VV_LOCK_INIT;
		_exit(-vv_lock(&l, "lock", flags | VV_LOCK_NOWAIT, &err));
	}
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static void test_lock(void)
{
	struct vv_lock l = VV_LOCK_INIT;

	CHECK_OK(vv_lock(&l, "lock", VV_LOCK_SHARED, &err), &err);
	CHECK_INT(from_outside(VV_LOCK_SHARED), 0);
	CHECK_INT(from_outside(VV_LOCK_EXCLUSIVE), VV_ELOCKED);
	vv_unlock(&l);
	vv_unlock(&l);
	CHECK_OK(vv_lock(&l, "lock", VV_LOCK_EXCLUSIVE, &err), &err);
	CHECK_INT(from_outside(VV_LOCK_SHARED), VV_ELOCKED);
	vv_unlock(&l);
	CHECK_INT(from_outside(VV_LOCK_EXCLUSIVE), 0);
	CHECK_INT(vv_lock(&l, "missing/lock", VV_LOCK_SHARED, &err), VV_ENOTFOUND);
	CHECK_INT(l.fd, -1);
}

int main(void)
{
	tempdir_enter();
	test_open();
	test_read();
	test_temp();
	test_folders();
	test_map();
	test_lock();
	return done();
}
