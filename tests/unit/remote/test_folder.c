#include "remotes.h"

static struct vv_remote *open_folder(void *arg)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;

	CHECK_OK(vv_remote_folder(&r, arg, &err), &err);
	return r;
}

/* A folder that cannot be made, one of a newer varve. */
static void test_bad(const char *root)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;
	struct packs p;
	struct seen s = {&p, 0, 0, 0};
	char path[200], cmd[300];

	packs_init(&p, 1, 4);
	snprintf(path, sizeof(path), "%s/file/store", root);
	snprintf(cmd, sizeof(cmd), "echo x >%s/file; mkdir -p %s/new/packs; echo 'varve store 2' >%s/new/format", root, root, root);
	CHECK(!system(cmd));
	CHECK_OK(vv_remote_folder(&r, path, &err), &err);
	CHECK(r->ops->put(r, &p.at[0].name, p.paths[0], NULL, &err) != 0);
	vv_err_clear(&err);
	vv_remote_close(r);
	snprintf(path, sizeof(path), "%s/new", root);
	CHECK_OK(vv_remote_folder(&r, path, &err), &err);
	CHECK_INT(r->ops->list(r, remote_seen, &s, &err), VV_ENOTSUP);
	vv_err_clear(&err);
	CHECK_INT(r->ops->put(r, &p.at[0].name, p.paths[0], NULL, &err), VV_ENOTSUP);
	vv_remote_close(r);
	packs_release(&p);
}

int main(void)
{
	char root[] = "/tmp/varve-test-XXXXXX", dir[64], cmd[100];

	if (!mkdtemp(root))
		return 1;
	snprintf(dir, sizeof(dir), "%s/a/b", root);
	remote_conforms(open_folder, dir);
	test_bad(root);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd) ? 1 : done();
}
