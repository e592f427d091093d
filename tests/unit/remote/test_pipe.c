/* Both ends of a pipe, in two processes: this program is the far end when it is told so. */
#include "remotes.h"

#include "remote/wire.h"

#include <signal.h>

static struct vv_remote *open_pipe(void *arg)
{
	const char *argv[] = {"/proc/self/exe", "serve", arg, NULL};
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;

	CHECK_OK(vv_remote_pipe(&r, "pipe", argv, "here", &err), &err);
	return r;
}

static int open_shell(const char *script, struct vv_remote **r, struct vv_err *err)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	*r = NULL;
	vv_err_clear(err);
	return vv_remote_pipe(r, "pipe", argv, "host", err);
}

/* Who does not greet, greets late, or is of a newer kind. */
static void test_greeting(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r;

	CHECK_INT(open_shell("exit 127", &r, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no varve on host"));
	CHECK_INT(open_shell("exit 255", &r, &err), VV_EIO);
	CHECK_INT(open_shell("true", &r, &err), VV_EIO);
	CHECK_INT(open_shell("echo varve store 2; cat", &r, &err), VV_ENOTSUP);
	CHECK_INT(open_shell("yes hello", &r, &err), VV_EFORMAT);
	CHECK_INT(open_shell("head -c 100000 /dev/zero; cat", &r, &err), VV_EFORMAT);
	CHECK_OK(open_shell("echo welcome; echo; echo 'varve store 1'; cat >/dev/null", &r, &err), &err);
	vv_remote_close(r);
	{
		const char *argv[] = {"/nonexistent/program", NULL};
		vv_err_clear(&err);
		CHECK(vv_remote_pipe(&r, "pipe", argv, "host", &err) != 0);
	}
}

static int count(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	(void)pack;
	(void)size;
	(void)err;
	++*(int *)arg;
	return 0;
}

static int drop(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	(void)arg;
	(void)i;
	(void)off;
	(void)bytes;
	(void)err;
	return 0;
}

/* A far end that lies, or is cut off: an error each time, and no more bytes than it sends. */
static void test_liars(struct packs *p)
{
	static const struct {
		const char *answer;
		int list, get;
	} t[] = {
		{"packs 0", 0, VV_EFORMAT},
		{"packs 70\nabc 12\n", VV_EFORMAT, VV_EFORMAT},
		{"packs 99999999999999", VV_EFORMAT, VV_EFORMAT},
		{"packs 999999999999999999", VV_EFORMAT, VV_EFORMAT},
		{"packs 11\nhello world", VV_EFORMAT, VV_EFORMAT},
		{"packs 12\nhello world\n", VV_EFORMAT, VV_EFORMAT},
		{"packs -1", VV_EFORMAT, VV_EFORMAT},
		{"data 10\nabc", VV_EFORMAT, VV_EIO},
		{"data 11\nabcdefghijkl", VV_EFORMAT, VV_EFORMAT},
		{"no not-found it is gone", VV_ENOTFOUND, VV_ENOTFOUND},
		{"no nonsense it is gone", VV_EIO, VV_EIO},
		{"no", VV_EFORMAT, VV_EFORMAT},
		{"", VV_EFORMAT, VV_EFORMAT},
	};
	struct vv_extent part = {p->at[0].name, 0, 10};

	for (size_t i = 0; i < VV_COUNT(t); i++) {
		char script[300];
		struct vv_err err = VV_ERR_INIT;
		struct vv_remote *r;
		int n = 0, ret;

		snprintf(script, sizeof(script), "echo varve store 1; read x; echo '%s'", t[i].answer);
		CHECK_OK(open_shell(script, &r, &err), &err);
		ret = r->ops->list(r, count, &n, &err);
		CHECK_INT(ret, t[i].list);
		vv_remote_close(r);
		CHECK_OK(open_shell(script, &r, &err), &err);
		ret = r->ops->get(r, &part, 1, drop, NULL, &err);
		CHECK_INT(ret, t[i].get);
		vv_remote_close(r);
		CHECK_OK(open_shell(script, &r, &err), &err);
		vv_err_clear(&err);
		CHECK(r->ops->put(r, &p->at[0].name, p->paths[0], NULL, &err) != 0);
		vv_remote_close(r);
	}
}

/* A put that was cut goes on where it was. */
static void test_resume(const char *dir, struct packs *p)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = open_pipe((void *)(uintptr_t)dir);
	char hex[65], cmd[600];
	struct stat st;

	CHECK_INT(remote_list(r, p), 0);
	vv_remote_close(r);
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/incoming && head -c 100000 %s >%s/incoming/%s", dir, p->paths[0], dir,
		vv_id_hex(&p->at[0].name, hex));
	CHECK(!system(cmd));
	r = open_pipe((void *)(uintptr_t)dir);
	CHECK_OK(r->ops->put(r, &p->at[0].name, p->paths[0], NULL, &err), &err);
	CHECK_INT(remote_list(r, p), 1);
	/* A beginning of something else is found out, thrown away, and the next try works. */
	snprintf(cmd, sizeof(cmd), "head -c 100000 /dev/zero >%s/incoming/%s", dir, vv_id_hex(&p->at[1].name, hex));
	CHECK(!system(cmd));
	CHECK_INT(r->ops->put(r, &p->at[1].name, p->paths[1], NULL, &err), VV_ECORRUPT);
	snprintf(cmd, sizeof(cmd), "%s/incoming/%s", dir, hex);
	CHECK(stat(cmd, &st) != 0);
	vv_err_clear(&err);
	CHECK_OK(r->ops->put(r, &p->at[1].name, p->paths[1], NULL, &err), &err);
	CHECK_INT(remote_list(r, p), 2);
	vv_remote_close(r);
}

int main(int argc, char **argv)
{
	char root[] = "/tmp/varve-test-XXXXXX", dir[64], cmd[100];
	struct vv_err err = VV_ERR_INIT;
	struct packs p;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return vv_remote_serve(argv[2], 0, 1, false, &err) != 0;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(root))
		return 1;
	snprintf(dir, sizeof(dir), "%s/a/b", root);
	remote_conforms(open_pipe, dir);
	test_greeting();
	packs_init(&p, 2, 300);
	test_liars(&p);
	snprintf(dir, sizeof(dir), "%s/c", root);
	test_resume(dir, &p);
	packs_release(&p);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd) ? 1 : done();
}
