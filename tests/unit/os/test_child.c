#include "os/child.h"

#include "tap.h"

#include <signal.h>
#include <unistd.h>

static struct vv_err err;

/* Runs sh -c SCRIPT; its output and status. */
static int sh(const char *script, const char *const *env, unsigned flags, struct vv_span in, struct vv_buf *out)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	int status = -1;

	vv_buf_clear(out);
	CHECK_OK(vv_child_run(argv, env, flags, in, out, &status, &err), &err);
	vv_buf_add(out, "", 0);
	return status;
}

static void test_run(void)
{
	static const char *const env[] = {"VARVE_T=new value", "HOME", NULL};
	struct vv_buf out = VV_BUF_INIT((size_t)8 << 20);
	struct vv_span none = {NULL, 0};

	CHECK_INT(sh("echo out", NULL, 0, none, &out), 0);
	CHECK_STR((char *)out.ptr, "out\n");
	CHECK_INT(sh("exit 3", NULL, 0, none, &out), 3);
	CHECK_INT(sh("kill -9 $$", NULL, 0, none, &out), 128 + 9);
	/* Nothing to read but what it is given. */
	CHECK_INT(sh("cat; echo end", NULL, 0, none, &out), 0);
	CHECK_STR((char *)out.ptr, "end\n");
	CHECK_INT(sh("cat", NULL, 0, vv_span_str("fed"), &out), 0);
	CHECK_STR((char *)out.ptr, "fed");
	/* Variables laid over ours, and taken away. */
	CHECK_INT(sh("echo \"$VARVE_T ${HOME-none}\"", env, 0, none, &out), 0);
	CHECK_STR((char *)out.ptr, "new value none\n");
	CHECK_INT(sh("echo \"${VARVE_T-none}\"", NULL, 0, none, &out), 0);
	CHECK_STR((char *)out.ptr, "none\n");
	CHECK_INT(sh("echo away >&2", NULL, VV_CHILD_NOERR, none, &out), 0);
	CHECK_STR((char *)out.ptr, "");
	/* Its last words, when they are asked for and it failed. */
	CHECK_INT(sh("echo out; echo why >&2; exit 1", NULL, VV_CHILD_ERR, none, &out), 1);
	CHECK_STR((char *)out.ptr, "out\nwhy\n");
	vv_buf_release(&out);
}

/* Much in both directions at once: neither side may wait for the other. */
static void test_much(void)
{
	struct vv_buf in = VV_BUF_INIT((size_t)8 << 20), out = VV_BUF_INIT((size_t)8 << 20), few = VV_BUF_INIT(1000);
	const char *argv[] = {"cat", NULL};
	int status = -1;

	while (in.len < 3 << 20)
		vv_buf_fmt(&in, "line %zu\n", in.len);
	CHECK_OK(vv_child_run(argv, NULL, 0, vv_buf_view(&in), &out, &status, &err), &err);
	CHECK(!status && vv_span_eq(vv_buf_view(&in), vv_buf_view(&out)));
	/* One that reads nothing and is gone: not an error of ours. */
	signal(SIGPIPE, SIG_IGN);
	CHECK_INT(sh("exec 0</dev/null; echo done", NULL, 0, vv_buf_view(&in), &out), 0);
	CHECK_STR((char *)out.ptr, "done\n");
	/* More output than the buffer may hold. */
	CHECK_INT(vv_child_run(argv, NULL, 0, vv_buf_view(&in), &few, &status, &err), VV_ELIMIT);
	vv_buf_release(&in);
	vv_buf_release(&out);
	vv_buf_release(&few);
}

static void test_start(void)
{
	const char *argv[] = {"cat", NULL}, *missing[] = {"varve-no-such-program", NULL};
	struct vv_child c = VV_CHILD_INIT;
	char b[8] = "";
	int status = -1;

	CHECK_INT(vv_child_start(&c, missing, NULL, 0, &err), VV_ENOTFOUND);
	CHECK(strstr(err.msg, "varve-no-such-program"));
	CHECK_INT(vv_child_wait(&c, &status, &err), VV_EIO);
	CHECK_OK(vv_child_start(&c, argv, NULL, VV_CHILD_IN | VV_CHILD_OUT, &err), &err);
	CHECK_INT(write(c.in, "ping", 4), 4);
	CHECK_INT(read(c.out, b, 4), 4);
	CHECK_STR(b, "ping");
	CHECK_OK(vv_child_wait(&c, &status, &err), &err);
	CHECK_INT(status, 0);
	CHECK(c.pid == -1 && c.in == -1 && c.out == -1);
}

int main(void)
{
	test_run();
	test_much();
	test_start();
	return done();
}
