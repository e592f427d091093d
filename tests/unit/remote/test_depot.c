#include "remotes.h"

#include "remote/depot.h"

#include <sys/wait.h>

static int count(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	(void)pack;
	(void)size;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

static void feed(struct vv_arrival *a, const char *path, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(1 << 24);

	CHECK_OK(vv_read_file(&b, path, err), err);
	CHECK_OK(vv_arrival_write(a, vv_span(b.ptr + a->have, b.len - a->have), err), err);
	vv_buf_release(&b);
}

/* Two that send the same pack: the second waits, and then has nothing to send. */
static void test_two(struct packs *p, const char *dir)
{
	struct vv_arrival a = VV_ARRIVAL_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_depot d;
	int status;
	pid_t pid;

	CHECK_OK(vv_depot_init(&d, dir, &err), &err);
	CHECK_OK(vv_arrival_begin(&a, &d, &p->at[0].name, &err), &err);
	CHECK(!a.there && !a.have);
	pid = fork();
	if (!pid) {
		struct vv_arrival b = VV_ARRIVAL_INIT;
		struct vv_depot other;
		close(a.fd); /* or its lock would be ours too */
		_exit(vv_depot_init(&other, dir, &err) || vv_arrival_begin(&b, &other, &p->at[0].name, &err) || !b.there);
	}
	usleep(50000);
	feed(&a, p->paths[0], &err);
	CHECK_OK(vv_arrival_end(&a, &d, &err), &err);
	vv_arrival_release(&a);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	vv_depot_release(&d);
}

/* A writer that died leaves what it has; a beginning may be dropped. */
static void test_cut(struct packs *p, const char *dir)
{
	struct vv_arrival a = VV_ARRIVAL_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_depot d;
	size_t n = 0;

	CHECK_OK(vv_depot_init(&d, dir, &err), &err);
	CHECK_OK(vv_arrival_begin(&a, &d, &p->at[1].name, &err), &err);
	CHECK_OK(vv_arrival_write(&a, vv_span("0123456789", 10), &err), &err);
	vv_arrival_release(&a);
	CHECK_OK(vv_arrival_begin(&a, &d, &p->at[1].name, &err), &err);
	CHECK_INT(a.have, 10);
	CHECK_INT(vv_arrival_from(&a, 11, &err), VV_EUSAGE);
	vv_err_clear(&err);
	CHECK_OK(vv_arrival_from(&a, 0, &err), &err);
	feed(&a, p->paths[1], &err);
	CHECK_OK(vv_arrival_end(&a, &d, &err), &err);
	vv_arrival_release(&a);
	CHECK_OK(vv_depot_list(&d, count, &n, &err), &err);
	CHECK_INT(n, 2);
	vv_depot_release(&d);
}

int main(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_depot d;
	struct packs p;
	char dir[100];
	size_t n = 0;

	packs_init(&p, 2, 100);
	snprintf(dir, sizeof(dir), "%s/far/store", p.root);
	/* None yet: nothing is made by looking. */
	CHECK_OK(vv_depot_init(&d, dir, &err), &err);
	CHECK_OK(vv_depot_list(&d, count, &n, &err), &err);
	CHECK_INT(n, 0);
	CHECK(access(dir, F_OK));
	vv_depot_release(&d);
	test_two(&p, dir);
	test_cut(&p, dir);
	packs_release(&p);
	return done();
}
