#include "carry.h"

#include <sys/stat.h>

static uint64_t blocks(const char *dir)
{
	char cmd[300];
	unsigned long long n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "du -sB1 %s | cut -f1", dir);
	f = popen(cmd, "r");
	if (!f || fscanf(f, "%llu", &n) != 1)
		n = 0;
	if (f)
		pclose(f);
	return n;
}

static void see(struct carry *c, struct vv_store *s, size_t known)
{
	struct vv_mirror *m = NULL;
	size_t n = 0;

	vv_err_clear(&c->err);
	CHECK_OK(vv_mirror_open(&m, c->remote, s, c->pool, true, &c->err), &c->err);
	for (size_t i = 0; i < c->n; i++)
		n += vv_store_has(vv_mirror_store(m), &c->ids[i]);
	CHECK_INT(n, known);
	vv_mirror_close(m);
}

int main(void)
{
	static struct carry c;
	struct vv_transfer t;
	char *dir, cmd[400];

	carry_init(&c);
	see(&c, c.b, 0);
	for (int i = 0; i < 5; i++)
		carry_version(&c);
	CHECK_OK(carry_push(&c, c.ids, 3, &t), &c.err);
	see(&c, c.b, 3);
	CHECK_OK(carry_push(&c, c.ids, 5, &t), &c.err);
	see(&c, c.b, 5);
	/* It holds indexes, not bytes. */
	dir = vv_mirror_dir(c.b, c.remote->name);
	CHECK(blocks(dir) < 100000);
	CHECK_OK(carry_fetch(&c, &c.ids[4], 1, &t), &c.err);
	CHECK(blocks(dir) < 100000);
	free(dir);
	dir = vv_mirror_dir(c.a, c.remote->name);
	CHECK(blocks(dir) < 100000);
	/* Deleted, damaged, with strangers in it: made anew from the remote. */
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK(!system(cmd));
	see(&c, c.a, 5);
	snprintf(cmd, sizeof(cmd), "cp %s/packs/$(ls %s/packs | head -n 1) %s/packs/%064d.pack", dir, dir, dir, 0);
	CHECK(!system(cmd));
	see(&c, c.a, 5);
	snprintf(cmd, sizeof(cmd), "cd %s/packs && for p in *; do truncate -s 100 $p; done", dir);
	CHECK(!system(cmd));
	see(&c, c.a, 5);
	/* The remote lost all: so has the mirror. */
	vv_remote_close(c.remote);
	CHECK_OK(vv_remote_memory(&c.remote, &c.err), &c.err);
	see(&c, c.a, 0);
	CHECK_OK(carry_push(&c, c.ids, 5, &t), &c.err);
	see(&c, c.b, 5);
	free(dir);
	carry_release(&c);
	return done();
}
